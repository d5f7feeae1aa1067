"""Values as text: for recordings, for arguments that are judged, for what the gateway itself asks.

The forms are those of CONVERT in the style that loses nothing: ISO dates (121, 120 for smalldatetime), money with four
digits, floats in the shortest form that reads back the same. Source: MS-TDS 2.2.5.2.3, 2.2.5.5 "Data Type Details".

A value is passed as its `field`: as it stands in a row, with its length before it.
"""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from struct import error as struct_error
from struct import pack, unpack

from blastwall.protocols.tds import types
from blastwall.protocols.tds.collations import Collation
from blastwall.protocols.tds.days import date_text, time_text
from blastwall.protocols.tds.tvp import cells_of
from blastwall.protocols.tds.types import MAX, Prefix, TypeInfo
from blastwall.wire.reader import Malformed

_WIDTHS = {Prefix.FIXED: 0, Prefix.BYTE: 1, Prefix.EXACT: 1, Prefix.SHORT: 2, Prefix.LONG: 4, Prefix.VARIANT: 4}
_STAMP = 8
"""Bytes of the timestamp behind a text pointer."""
_BINARY_XML = b"\xdf\xff"
"""How binary XML begins (MS-BINXML); other XML is UTF-16 text."""
_MARK = "\ufeff"
_SHOWN_ROWS = 100
"""Rows of a table that are shown."""
_MINUTES = 840
"""The widest offset from UTC (2.2.5.5.1.8)."""


def value_of(field: bytes, type_: TypeInfo) -> bytes | None:
    """Return a value without what stands before it, None for NULL; a field of no bytes is a NULL of a bitmap.

    Raises:
        Malformed: the field is not of its form.
    """
    prefix = type_.prefix
    if not field or (type_.nullable and field == type_.null):
        return None
    if prefix is Prefix.PARTS:
        return _put_together(field)
    width = 1 + field[0] + _STAMP + 4 if prefix is Prefix.POINTER else _WIDTHS[prefix]
    return None if prefix is Prefix.POINTER and field[width - 4 : width] == b"\xff" * 4 else field[width:]


def _put_together(field: bytes) -> bytes:
    parts: list[bytes] = []
    at = 8
    while (length := int.from_bytes(field[at : at + 4], "little")) != 0:
        parts.append(field[at + 4 : at + 4 + length])
        at += 4 + length
    if at + 4 != len(field):
        raise Malformed("a value in parts that does not end with its field")
    return b"".join(parts)


def field_of(value: bytes | None, type_: TypeInfo) -> bytes:
    """Put before a value what a row has there; None is NULL.

    Raises:
        ValueError: the value does not fit the type, or the type has no NULL.
    """
    if value is None:
        return type_.null
    prefix = type_.prefix
    if prefix is Prefix.PARTS:
        part = pack("<I", len(value)) + value if value else b""
        return pack("<Q", len(value)) + part + b"\0" * 4
    if len(value) > type_.size or (prefix in (Prefix.FIXED, Prefix.EXACT) and len(value) != type_.size):
        raise ValueError(f"{len(value)} bytes do not fit {type_.declared}")
    if prefix is Prefix.POINTER:
        return b"\x10" + b"\xff" * 24 + pack("<I", len(value)) + value
    return (len(value).to_bytes(_WIDTHS[prefix], "little") if _WIDTHS[prefix] else b"") + value


def encoded_text(text: str, type_: TypeInfo) -> bytes:
    """Write a text as a field of a type of characters, cut to what it holds; what its code page lacks becomes "?".

    Raises:
        ValueError: the type's values are no characters.
    """
    charset = type_.charset
    if charset is None:
        raise ValueError(f"{type_.declared} holds no text")
    value = text.encode(charset, "replace")
    if type_.prefix not in (Prefix.PARTS, Prefix.LONG, Prefix.POINTER) and len(value) > type_.size:
        value = value[: type_.size].decode(charset, "ignore").encode(charset)
    if type_.type in (types.BIGCHAR, types.NCHAR):
        blank = " ".encode(charset)
        value += blank * ((type_.size - len(value)) // len(blank))
    return field_of(value, type_)


def decoded(field: bytes, type_: TypeInfo) -> str | bytes | None:
    """Return a value as text, or as bytes where it has none; None for NULL.

    What is no character in its character set is shown as U+FFFD. A value of another form than its type's is bytes.

    Raises:
        Malformed: the field is not of its form.
    """
    if type_.type == types.TVP:
        return _table_text(field)
    value = value_of(field, type_)
    return None if value is None else shown(value, type_)


def shown(value: bytes, type_: TypeInfo) -> str | bytes:
    """Return a value that is not NULL as text, or as it is where it has no text."""
    charset = type_.charset
    if charset is not None:
        if type_.type == types.XML and value.startswith(_BINARY_XML):
            return value
        return value.decode(charset, "replace").removeprefix(_MARK if type_.type == types.XML else "")
    read = _READ.get(type_.type)
    if read is None:
        return value
    try:
        text = read(value, type_)
    except (ValueError, struct_error, IndexError):
        return value
    return value if text is None else text


def _table_text(field: bytes) -> str:
    """Return the rows of a table as lines of JSON, as many as are worth showing; bytes are in hexadecimal."""
    lines: list[str] = []
    for count, row in enumerate(cells_of(field)):
        if count == _SHOWN_ROWS:
            lines.append("…")
            break
        cells = [decoded(cell, type_) for cell, type_ in row]
        lines.append(dumps([f"0x{one.hex()}" if isinstance(one, bytes) else one for one in cells], ensure_ascii=False))
    return "\n".join(lines)


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _integer(value: bytes, _type: TypeInfo) -> str:
    """A `tinyint` is unsigned, all others are not."""
    return str(int.from_bytes(value, "little", signed=len(value) > 1))


def _bit(value: bytes, _type: TypeInfo) -> str:
    return "1" if value != b"\0" else "0"


def _float(value: bytes, _type: TypeInfo) -> str:
    """Shortest digits that read back the same, of a `real` as such: 0.1, not 0.10000000149011612."""
    number = float(unpack("<f" if len(value) == 4 else "<d", value)[0])
    if len(value) == 8:
        return repr(number).removesuffix(".0")
    texts = (repr(float(f"{number:.{digits}g}")) for digits in range(6, 10))
    return next((text for text in texts if pack("<f", float(text)) == value), repr(number)).removesuffix(".0")


def _money(value: bytes, _type: TypeInfo) -> str:
    """Ten-thousandths; of eight bytes the higher half is first (2.2.5.5.1.4)."""
    whole = int.from_bytes(value[4:] + value[:4] if len(value) == 8 else value, "little", signed=True)
    return scaled(whole, 4)


def _decimal(value: bytes, type_: TypeInfo) -> str:
    """A byte for the sign, 1 for positive, then the digits as a number (2.2.5.5.1.6)."""
    whole = int.from_bytes(value[1:], "little")
    return scaled(whole if value[0] else -whole, type_.scale)


def scaled(whole: int, scale: int) -> str:
    """Write a number of 10 ** -scale."""
    digits = f"{abs(whole):0{scale + 1}}"
    sign = "-" if whole < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else sign + digits


def _guid(value: bytes, _type: TypeInfo) -> str:
    """The first three groups are numbers, lowest byte first."""
    digits = (value[3::-1] + value[5:3:-1] + value[7:5:-1] + value[8:]).hex().upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _vector(value: bytes, _type: TypeInfo) -> str | None:
    """Single-precision numbers behind a header of eight bytes (2.2.5.5.7)."""
    count = int.from_bytes(value[2:4], "little")
    if value[:2] != b"\xa9\x01" or value[4:5] != b"\0" or len(value) != 8 + 4 * count:
        return None
    return f"[{','.join(_float(value[at : at + 4], _type) for at in range(8, len(value), 4))}]"


# ── dates and times ──────────────────────────────────────────────────────────────────────────────────────────────────


def _date(value: bytes, _type: TypeInfo) -> str:
    return date_text(int.from_bytes(value, "little"))


def _time(value: bytes, type_: TypeInfo) -> str:
    return time_text(int.from_bytes(value, "little"), type_.scale)


def _datetime2(value: bytes, type_: TypeInfo) -> str:
    return f"{date_text(int.from_bytes(value[-3:], 'little'))} {_time(value[:-3], type_)}"


def _datetimeoffset(value: bytes, type_: TypeInfo) -> str:
    """On the wire it is UTC and an offset in minutes; as text it is local time."""
    offset = int.from_bytes(value[-2:], "little", signed=True)
    if not -_MINUTES <= offset <= _MINUTES:
        raise ValueError(f"{offset} minutes from UTC")
    second = 10**type_.scale
    day = 86400 * second
    local = int.from_bytes(value[-5:-2], "little") * day + int.from_bytes(value[:-5], "little") + offset * 60 * second
    hours, minutes = divmod(abs(offset), 60)
    sign = "-" if offset < 0 else "+"
    return f"{date_text(local // day)} {time_text(local % day, type_.scale)} {sign}{hours:02}:{minutes:02}"


_EPOCH = 693595
"""Days from 0001-01-01 to 1900-01-01."""


def _datetime(value: bytes, _type: TypeInfo) -> str:
    if len(value) == 4:
        days, minutes = unpack("<HH", value)
        return f"{date_text(_EPOCH + days)} {time_text(minutes * 60, 0)}"
    days, ticks = unpack("<iI", value)
    # Of 300 a second; shown in thousandths, as the server rounds them: .000, .003, .007.
    return f"{date_text(_EPOCH + days)} {time_text((ticks * 10 + 1) // 3, 3)}"


# ── sql_variant ──────────────────────────────────────────────────────────────────────────────────────────────────────

_SCALED = (types.TIME, types.DATETIME2, types.DATETIMEOFFSET)
_SIZED = (types.BIGVARBINARY, types.BIGBINARY)
_COLLATED = (types.BIGVARCHAR, types.BIGCHAR, types.NVARCHAR, types.NCHAR)
_DECIMALS = (types.DECIMALN, types.NUMERICN)


def _variant(value: bytes, _type: TypeInfo) -> str | None:
    """Base type, length of its properties, these, and the value (2.2.5.5.4)."""
    base, size = value[0], value[1]
    inner = variant_type(base, value[2 : 2 + size])
    text = None if inner is None else shown(value[2 + size :], inner)
    return text if isinstance(text, str) else None


def variant_type(base: int, properties: bytes) -> TypeInfo | None:
    """Return the type within a sql_variant; None where its properties are not those of any that may be there."""
    size = len(properties)
    if base in _SCALED and size == 1 and properties[0] <= 7:
        return TypeInfo(base, MAX, scale=properties[0])
    if base in _DECIMALS and size == 2:
        return TypeInfo(base, 17, properties[0], properties[1])
    if base in _SIZED and size == 2:
        return TypeInfo(base, int.from_bytes(properties, "little"))
    if base in _COLLATED and size == 7:
        return TypeInfo(base, int.from_bytes(properties[5:], "little"), collation=Collation.read(properties[:5]))
    return TypeInfo(base) if base in _PLAIN and not size else None


_READ: dict[int, Callable[[bytes, TypeInfo], str | None]] = {
    **dict.fromkeys((types.INT1, types.INT2, types.INT4, types.INT8, types.INTN), _integer),
    **dict.fromkeys((types.BIT, types.BITN), _bit),
    **dict.fromkeys((types.FLOAT4, types.FLOAT8, types.FLOATN), _float),
    **dict.fromkeys((types.MONEY, types.MONEY4, types.MONEYN), _money),
    **dict.fromkeys((types.DECIMAL, types.NUMERIC, types.DECIMALN, types.NUMERICN), _decimal),
    **dict.fromkeys((types.DATETIME, types.DATETIME4, types.DATETIMEN), _datetime),
    types.GUID: _guid,
    types.DATE: _date,
    types.TIME: _time,
    types.DATETIME2: _datetime2,
    types.DATETIMEOFFSET: _datetimeoffset,
    types.VARIANT: _variant,
    types.VECTOR: _vector,
}
_PLAIN = frozenset(
    {
        types.GUID, types.BIT, types.INT1, types.INT2, types.INT4, types.INT8, types.DATETIME, types.DATETIME4,
        types.FLOAT4, types.FLOAT8, types.MONEY, types.MONEY4, types.DATE,
    }
)  # fmt: skip
