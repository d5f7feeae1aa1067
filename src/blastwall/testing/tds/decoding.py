"""Values and their types as they come in: parameters of RPCs and the rows of a bulk load (MS-TDS 2.2.5.2, 2.2.5.6)."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

from blastwall.testing.tds.datatypes import CODE_PAGE, MAX, SqlType

_INTN = {1: "tinyint", 2: "smallint", 4: "int", 8: "bigint"}
_FIXED = {
    0x30: ("tinyint", 1), 0x32: ("bit", 1), 0x34: ("smallint", 2), 0x38: ("int", 4), 0x3A: ("smalldatetime", 4),
    0x3B: ("real", 4), 0x3C: ("money", 8), 0x3D: ("datetime", 8), 0x3E: ("float", 8), 0x7A: ("smallmoney", 4),
    0x7F: ("bigint", 8),
}  # fmt: skip
_SIZED = {
    0xAD: "binary", 0xA5: "varbinary", 0xAF: "char", 0xA7: "varchar", 0xEF: "nchar", 0xE7: "nvarchar",
    0x2D: "binary", 0x25: "varbinary", 0x2F: "char", 0x27: "varchar",
}  # fmt: skip
_LONG = {0x23: "text", 0x22: "image", 0x63: "ntext"}
_SCALED = {0x29: "time", 0x2A: "datetime2", 0x2B: "datetimeoffset"}
_EPOCH_1900, _EPOCH_1 = datetime(1900, 1, 1), datetime(1, 1, 1)  # noqa: DTZ001 - T-SQL's moments have no zone
_PLP_NULL, _PLP_UNKNOWN = (1 << 64) - 1, (1 << 64) - 2
_INTEGER_FORMATS = {"tinyint": "<B", "smallint": "<h", "int": "<i", "bigint": "<q"}


class BadRequest(Exception):
    """The client's bytes are no TDS, or say what this server does not support."""


class Reader:
    """Reads little-endian fields off a payload."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            BadRequest: there are fewer.
        """
        if size > self.left:
            raise BadRequest("the message ends in the middle of a field")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Return an unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def b_varchar(self) -> str:
        """Return text whose length is one byte."""
        return self.take(self.number(1) * 2).decode("utf-16-le")

    def us_varchar(self) -> str:
        """Return text whose length is two bytes."""
        return self.take(self.number(2) * 2).decode("utf-16-le", "surrogatepass")


def read_type(reader: Reader) -> tuple[SqlType, int]:
    """Read TYPE_INFO; return the type, and its id on the wire, which says how its values are framed.

    Raises:
        BadRequest: this server does not know it.
    """
    kind = reader.number(1)
    if kind in _FIXED:
        return _described(_FIXED[kind][0]), kind
    if kind in (0x26, 0x68, 0x6D, 0x6E, 0x6F, 0x24):
        return _described(_nullable(kind, reader.number(1))), kind
    if kind in (0x6A, 0x6C, 0x37, 0x3F):
        _, precision, scale = reader.take(3)
        return SqlType("decimal" if kind in (0x6A, 0x37) else "numeric", precision=precision, scale=scale), kind
    if kind in _SIZED:
        return _sized(reader, kind), kind
    if kind in _SCALED:
        return SqlType(_SCALED[kind], scale=reader.number(1)), kind
    if kind in _LONG:
        reader.take(4 if kind == 0x22 else 9)
        return SqlType(_LONG[kind]), kind
    return _other_type(reader, kind), kind


def _other_type(reader: Reader, kind: int) -> SqlType:
    if kind == 0x28:
        return SqlType("date")
    if kind == 0xF1:
        if reader.number(1):
            reader.b_varchar(), reader.b_varchar(), reader.us_varchar()
        return SqlType("xml")
    if kind == 0x62:
        reader.take(4)
        return SqlType("sql_variant")
    raise BadRequest(f"type 0x{kind:02X} is not supported by the test server")


def _described(name: str) -> SqlType:
    precision = {"int": 10, "bigint": 19, "smallint": 5, "tinyint": 3, "float": 53, "real": 24, "money": 19}
    return SqlType(name, precision=precision.get(name, 10 if name == "smallmoney" else 0),
                   scale={"money": 4, "smallmoney": 4, "datetime": 3}.get(name, 0))  # fmt: skip


def _nullable(kind: int, size: int) -> str:
    if kind == 0x26 and size in _INTN:
        return _INTN[size]
    names = {
        (0x68, 1): "bit", (0x6D, 4): "real", (0x6D, 8): "float", (0x6E, 4): "smallmoney", (0x6E, 8): "money",
        (0x6F, 4): "smalldatetime", (0x6F, 8): "datetime", (0x24, 16): "uniqueidentifier",
    }  # fmt: skip
    if (kind, size) not in names:
        raise BadRequest(f"type 0x{kind:02X} of {size} bytes")
    return names[kind, size]


def _sized(reader: Reader, kind: int) -> SqlType:
    name = _SIZED[kind]
    size = reader.number(1 if kind < 0x80 else 2)
    if name in ("char", "varchar", "nchar", "nvarchar"):
        reader.take(5)
    if size == 0xFFFF:
        return SqlType(name, MAX)
    return SqlType(name, size // 2 if name in ("nchar", "nvarchar") else size)


def read_value(reader: Reader, type_: SqlType, kind: int) -> object:
    """Read a value whose type was read before; None is null."""
    if kind in _FIXED:
        return parse(type_, reader.take(_FIXED[kind][1]))
    if kind == 0xF1 or (kind in _SIZED and type_.length == MAX):
        data = _parts(reader)
    elif kind in _LONG:
        data = _pointed(reader)
    elif kind == 0x62:
        return _variant(reader)
    elif kind in _SIZED and kind > 0x80:
        size = reader.number(2)
        data = None if size == 0xFFFF else reader.take(size)
    else:
        size = reader.number(1)
        data = reader.take(size) if size else None
    return None if data is None else parse(type_, data)


def _parts(reader: Reader) -> bytes | None:
    """PLP_BODY of MS-TDS 2.2.5.2.3."""
    total = reader.number(8)
    if total == _PLP_NULL:
        return None
    parts = []
    while size := reader.number(4):
        parts.append(reader.take(size))
    data = b"".join(parts)
    if total not in (_PLP_UNKNOWN, len(data)):
        raise BadRequest("a value in parts is not as long as it says")
    return data


def _pointed(reader: Reader) -> bytes | None:
    """A value of text, ntext or image in a parameter: its length alone (MS-TDS 2.2.5.2.2)."""
    size = reader.number(4)
    return None if size == 0xFFFFFFFF else reader.take(size)


def _variant(reader: Reader) -> object:
    size = reader.number(4)
    if not size:
        return None
    inner = Reader(reader.take(size))
    kind = inner.number(1)
    properties = Reader(inner.take(inner.number(1)))
    if kind in _FIXED:
        type_ = _described(_FIXED[kind][0])
    elif kind in (0x6A, 0x6C):
        type_ = SqlType("decimal", precision=properties.number(1), scale=properties.number(1))
    elif kind in _SCALED:
        type_ = SqlType(_SCALED[kind], scale=properties.number(1))
    elif kind in _SIZED:
        type_ = SqlType(_SIZED[kind], 8000)
    elif kind in (0x24, 0x28):
        type_ = SqlType("date" if kind == 0x28 else "uniqueidentifier")
    else:
        raise BadRequest(f"a sql_variant of type 0x{kind:02X} is not supported by the test server")
    return parse(type_, inner.take(inner.left))


def parse(type_: SqlType, data: bytes) -> object:
    """Return the value that `data` holds."""
    name = type_.name
    if name in _INTEGER_FORMATS:
        return struct.unpack(_INTEGER_FORMATS[name], data)[0]
    if type_.is_binary:
        return data
    if name == "xml":
        return data.decode("utf-16-le").lstrip("\ufeff")
    if type_.is_unicode:
        return data.decode("utf-16-le", "surrogatepass")
    if type_.is_text:
        return data.decode(CODE_PAGE, "replace")
    if name == "bit":
        return int(data[0] != 0)
    if name in ("float", "real"):
        return struct.unpack("<d" if len(data) == 8 else "<f", data)[0]
    if name in ("decimal", "numeric"):
        return Decimal(int.from_bytes(data[1:], "little")).scaleb(-type_.scale) * (1 if data[0] else -1)
    if name == "uniqueidentifier":
        return UUID(bytes_le=data)
    return _money(data) if name in ("money", "smallmoney") else _moment(type_, data)


def _money(data: bytes) -> Decimal:
    if len(data) == 4:
        return Decimal(struct.unpack("<i", data)[0]).scaleb(-4)
    high, low = struct.unpack("<iI", data)
    return Decimal((high << 32) | low).scaleb(-4)


def _moment(type_: SqlType, data: bytes) -> object:
    if type_.name == "datetime":
        days, ticks = struct.unpack("<iI", data)
        return _EPOCH_1900 + timedelta(days=days, milliseconds=round(ticks * 10 / 3))
    if type_.name == "smalldatetime":
        days, minutes = struct.unpack("<HH", data)
        return _EPOCH_1900 + timedelta(days=days, minutes=minutes)
    if type_.name == "date":
        return (_EPOCH_1 + timedelta(days=int.from_bytes(data, "little"))).date()
    return _precise(type_, data)


def _precise(type_: SqlType, data: bytes) -> date | time | datetime | str:
    tail = {"time": 0, "datetime2": 3, "datetimeoffset": 5}[type_.name]
    clock = data[: len(data) - tail]
    hundreds = int.from_bytes(clock, "little") * 10 ** (7 - type_.scale)
    if hundreds % 10:
        raise BadRequest("a time with seven digits after the second is not supported by the test server")
    past = timedelta(microseconds=hundreds // 10)
    if type_.name == "time":
        return (_EPOCH_1900 + past).time()
    day = int.from_bytes(data[len(clock) : len(clock) + 3], "little")
    moment = _EPOCH_1 + timedelta(days=day) + past
    if type_.name == "datetime2":
        return moment
    away = timezone(timedelta(minutes=struct.unpack("<h", data[-2:])[0]))
    return moment.replace(tzinfo=UTC).astimezone(away).isoformat(" ")
