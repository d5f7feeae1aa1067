"""Values and their types as they go out: TYPE_INFO (MS-TDS 2.2.5.6) and TYPE_VARBYTE (2.2.5.2.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from blastwall.testing.tds.datatypes import CODE_PAGE, COLLATION, SqlType, decimal_length, declared_type, time_length

Encoder = Callable[[object], bytes]

_FIXED = {
    "tinyint": 0x30, "bit": 0x32, "smallint": 0x34, "int": 0x38, "smalldatetime": 0x3A, "real": 0x3B, "money": 0x3C,
    "datetime": 0x3D, "float": 0x3E, "smallmoney": 0x7A, "bigint": 0x7F,
}  # fmt: skip
"""The types of a column that is never null (MS-TDS 2.2.5.4.1)."""

_NULLABLE = {
    "tinyint": (0x26, 1), "smallint": (0x26, 2), "int": (0x26, 4), "bigint": (0x26, 8), "bit": (0x68, 1),
    "real": (0x6D, 4), "float": (0x6D, 8), "smallmoney": (0x6E, 4), "money": (0x6E, 8), "smalldatetime": (0x6F, 4),
    "datetime": (0x6F, 8), "uniqueidentifier": (0x24, 16),
}  # fmt: skip
_SIZED = {"binary": 0xAD, "varbinary": 0xA5, "char": 0xAF, "varchar": 0xA7, "nchar": 0xEF, "nvarchar": 0xE7}
_LONG = {"text": 0x23, "image": 0x22, "ntext": 0x63}
_SCALED = {"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}
_EPOCH_1900, _EPOCH_1 = date(1900, 1, 1), date(1, 1, 1)
_PART = 1 << 15
_PLP_NULL = b"\xff" * 8
_TEXT_POINTER = b"\x10" + b"dummy textptr\0\0\0" + b"dummyTS\0"


def b_varchar(text: str) -> bytes:
    """Return text with its length in characters, one byte (MS-TDS 2.2.5.1.3)."""
    return bytes((len(text),)) + text.encode("utf-16-le")


def us_varchar(text: str) -> bytes:
    """Return text with its length in UTF-16 units, two bytes."""
    data = text.encode("utf-16-le")
    return struct.pack("<H", len(data) // 2) + data


def type_info(type_: SqlType, *, nullable: bool = True) -> bytes:
    """Return a type's TYPE_INFO."""
    name = type_.name
    if not nullable and name in _FIXED:
        return bytes((_FIXED[name],))
    if name in _NULLABLE:
        return bytes(_NULLABLE[name])
    if name in ("decimal", "numeric"):
        kind = 0x6A if name == "decimal" else 0x6C
        return bytes((kind, decimal_length(type_.precision), type_.precision, type_.scale))
    if name in _SIZED:
        size = 0xFFFF if type_.long else max(type_.max_length, 1)
        return bytes((_SIZED[name],)) + struct.pack("<H", size) + (COLLATION if type_.is_text else b"")
    if name in _SCALED:
        return bytes((_SCALED[name], type_.scale))
    if name in _LONG:
        largest = 0x7FFFFFFE if name == "ntext" else 0x7FFFFFFF
        return bytes((_LONG[name],)) + struct.pack("<I", largest) + (b"" if name == "image" else COLLATION)
    if name == "date":
        return b"\x28"
    if name == "xml":
        return b"\xf1\x00"
    return b"\x62" + struct.pack("<I", 8009)


def encoder(type_: SqlType, *, nullable: bool = True) -> Encoder:
    """Return what encodes a type's values; None is null."""
    name = type_.name
    if name in _SIZED or name == "xml":
        return _plp(_bytes_of(type_)) if type_.long else _short(_bytes_of(type_))
    if name in _LONG:
        return _pointed(_bytes_of(type_))
    if name == "sql_variant":
        return _variant
    raw = _raw(type_)
    if not nullable and name in _FIXED:
        return raw
    return _counted(raw)


def raw_value(type_: SqlType, value: object) -> bytes:
    """Return a value's bytes without any length, as sql_variant holds them."""
    return _bytes_of(type_)(value) if type_.is_text or type_.is_binary else _raw(type_)(value)


def _counted(raw: Encoder) -> Encoder:
    def encode(value: object) -> bytes:
        if value is None:
            return b"\0"
        data = raw(value)
        return bytes((len(data),)) + data

    return encode


def _short(raw: Encoder) -> Encoder:
    def encode(value: object) -> bytes:
        if value is None:
            return b"\xff\xff"
        data = raw(value)
        return len(data).to_bytes(2, "little") + data

    return encode


def _plp(raw: Encoder) -> Encoder:
    def encode(value: object) -> bytes:
        if value is None:
            return _PLP_NULL
        data = raw(value)
        parts = [data[start : start + _PART] for start in range(0, len(data), _PART)]
        return struct.pack("<Q", len(data)) + b"".join(struct.pack("<I", len(p)) + p for p in parts) + b"\0\0\0\0"

    return encode


def _pointed(raw: Encoder) -> Encoder:
    def encode(value: object) -> bytes:
        if value is None:
            return b"\0"
        data = raw(value)
        return _TEXT_POINTER + struct.pack("<I", len(data)) + data

    return encode


def _bytes_of(type_: SqlType) -> Encoder:
    if type_.is_binary:
        width = type_.length if type_.name == "binary" else 0
        return lambda value: bytes(value).ljust(width, b"\0") if isinstance(value, (bytes, bytearray)) else b""
    width = type_.length if type_.name in ("char", "nchar") else 0
    if type_.is_unicode:
        mark = b"\xff\xfe" if type_.name == "xml" else b""
        return lambda value: mark + str(value).ljust(width).encode("utf-16-le", "surrogatepass")
    return lambda value: str(value).ljust(width).encode(CODE_PAGE, "replace")


def _raw(type_: SqlType) -> Encoder:
    name = type_.name
    packed = {"tinyint": "<B", "smallint": "<h", "int": "<i", "bigint": "<q", "real": "<f", "float": "<d"}.get(name)
    if packed is not None:
        return _packed(struct.Struct(packed))
    if name == "bit":
        return lambda value: b"\1" if value else b"\0"
    if name in ("decimal", "numeric"):
        return _decimal(type_)
    if name in ("money", "smallmoney"):
        return _money(name)
    if name == "uniqueidentifier":
        return lambda value: (value if isinstance(value, UUID) else UUID(str(value))).bytes_le
    return _moment(type_)


def _packed(layout: struct.Struct) -> Encoder:
    def encode(value: object) -> bytes:
        return layout.pack(value)

    return encode


def _decimal(type_: SqlType) -> Encoder:
    size, power = decimal_length(type_.precision) - 1, 10**type_.scale

    def encode(value: object) -> bytes:
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
        unscaled = int((exact * power).to_integral_value())
        return (b"\1" if unscaled >= 0 else b"\0") + abs(unscaled).to_bytes(size, "little")

    return encode


def _money(name: str) -> Encoder:
    def encode(value: object) -> bytes:
        unscaled = int((Decimal(str(value)) * 10000).to_integral_value())
        if name == "smallmoney":
            return struct.pack("<i", unscaled)
        return struct.pack("<iI", unscaled >> 32, unscaled & 0xFFFFFFFF)

    return encode


def _moment(type_: SqlType) -> Encoder:
    name, scale = type_.name, type_.scale
    if name == "date":
        return _days
    if name == "datetime":
        return _datetime
    if name == "smalldatetime":
        return _smalldatetime
    if name == "time":
        return lambda value: _ticks(value, scale)
    if name == "datetime2":
        return lambda value: _ticks(value, scale) + _days(value)
    return lambda value: _offset(value, scale)


def _days(value: object) -> bytes:
    day = value.date() if isinstance(value, datetime) else value
    if not isinstance(day, date):
        raise TypeError(f"{value!r} is no date")
    return (day - _EPOCH_1).days.to_bytes(3, "little")


def _ticks(value: object, scale: int) -> bytes:
    clock = value.time() if isinstance(value, datetime) else value
    if not isinstance(clock, time):
        raise TypeError(f"{value!r} is no time")
    micros = ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond
    ticks = micros * 10 if scale == 7 else round(micros / 10 ** (6 - scale))
    most: int = 86_400 * 10**scale - 1
    return min(ticks, most).to_bytes(time_length(scale), "little")


def _datetime(value: object) -> bytes:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no datetime")
    midnight = value.replace(hour=0, minute=0, second=0, microsecond=0)
    days, ticks = (value.date() - _EPOCH_1900).days, round((value - midnight).total_seconds() * 300)
    if ticks == 25_920_000:
        days, ticks = days + 1, 0
    return struct.pack("<iI", days, ticks)


def _smalldatetime(value: object) -> bytes:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no smalldatetime")
    rounded = value + timedelta(seconds=30)
    return struct.pack("<HH", (rounded.date() - _EPOCH_1900).days, rounded.hour * 60 + rounded.minute)


def _offset(value: object, scale: int) -> bytes:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    away = moment.utcoffset() or timedelta()
    clear = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return _ticks(clear, scale) + _days(clear) + struct.pack("<h", int(away.total_seconds() // 60))


def variant(type_: SqlType, value: object) -> str:
    """Return a sql_variant as the engine stores it: the base type, and the value as text."""
    shown = value.hex() if isinstance(value, (bytes, bytearray)) else str(value)
    return f"{type_.declared}\x1f{shown}"


def _variant(value: object) -> bytes:
    if value is None:
        return b"\0\0\0\0"
    declared, _, shown = str(value).partition("\x1f")
    type_ = declared_type(declared)
    data = raw_value(type_, _parsed(type_, shown))
    properties = _variant_properties(type_)
    base = type_info(type_, nullable=False)[0] if type_.name in _FIXED else type_info(type_)[0]
    body = bytes((base, len(properties))) + properties + data
    return struct.pack("<I", len(body)) + body


def _variant_properties(type_: SqlType) -> bytes:
    """PROPBYTES of MS-TDS 2.2.5.5.4."""
    if type_.name in _SCALED:
        return bytes((type_.scale,))
    if type_.name in ("decimal", "numeric"):
        return bytes((type_.precision, type_.scale))
    if type_.is_text:
        return COLLATION + struct.pack("<H", type_.max_length)
    return struct.pack("<H", type_.max_length) if type_.is_binary else b""


def _parsed(type_: SqlType, shown: str) -> object:
    if type_.is_integer:
        return int(shown)
    if type_.name in ("float", "real"):
        return float(shown)
    if type_.is_binary:
        return bytes.fromhex(shown)
    if type_.name == "date":
        return date.fromisoformat(shown)
    if type_.name == "time":
        return time.fromisoformat(shown)
    return datetime.fromisoformat(shown) if type_.is_moment else shown
