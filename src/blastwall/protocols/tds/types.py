"""TYPE_INFO: what the values of a column or parameter are, how long they may be and how their lengths are written.

Source: MS-TDS 2.2.5.4 "Data Type Definitions", 2.2.5.5 "Data Type Details", 2.2.5.6 "Type Info Rule Definition".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from struct import pack

from blastwall.protocols.tds.collations import Collation
from blastwall.protocols.tds.fields import Fields, b_varchar, us_varchar
from blastwall.wire.reader import Malformed

NULL, INT1, BIT, INT2, INT4, DATETIME4, FLOAT4, MONEY, DATETIME, FLOAT8, MONEY4, INT8 = (
    0x1F, 0x30, 0x32, 0x34, 0x38, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x7A, 0x7F)  # fmt: skip
GUID, INTN, BITN, DECIMALN, NUMERICN, FLOATN, MONEYN, DATETIMEN = 0x24, 0x26, 0x68, 0x6A, 0x6C, 0x6D, 0x6E, 0x6F
DATE, TIME, DATETIME2, DATETIMEOFFSET = 0x28, 0x29, 0x2A, 0x2B
CHAR, VARCHAR, BINARY, VARBINARY, DECIMAL, NUMERIC = 0x2F, 0x27, 0x2D, 0x25, 0x37, 0x3F
BIGVARBINARY, BIGVARCHAR, BIGBINARY, BIGCHAR, NVARCHAR, NCHAR = 0xA5, 0xA7, 0xAD, 0xAF, 0xE7, 0xEF
TEXT, IMAGE, NTEXT, VARIANT, XML, UDT, TVP, JSON, VECTOR = 0x23, 0x22, 0x63, 0x62, 0xF1, 0xF0, 0xF3, 0xF4, 0xF5
"""Type tokens (2.2.5.4). `CHAR` to `NUMERIC` are of old clients; what servers send of these is BIG… and …N."""

MAX = 0xFFFF
"""The size that says `(max)`: values come in parts (PLP)."""
_LARGEST_SHORT = 8000
_LARGEST_LONG = 0x7FFFFFFF
LARGEST_VARIANT = 8016
"""2.2.5.5.4: 8,000 bytes of value, and what stands before them; FreeTDS and SqlClient allow 8,009 to 8,016."""


class Prefix(IntEnum):
    """How a value's length stands before it (2.2.5.2 and 2.2.5.4)."""

    FIXED = 0
    """Nowhere: each value has the type's size; there is no NULL."""
    BYTE = 1
    """In a byte; 0 for NULL."""
    EXACT = 2
    """In a byte: 0 for NULL, or the type's size."""
    SHORT = 3
    """In two bytes; 0xFFFF for NULL."""
    LONG = 4
    """In four bytes; 0xFFFFFFFF for NULL."""
    VARIANT = 5
    """In four bytes; 0 for NULL."""
    PARTS = 6
    """Total in eight bytes, all ones for NULL, then parts (PLP)."""
    POINTER = 7
    """`text`, `ntext`, `image` in rows: a text pointer (0 for NULL), eight bytes of timestamp, then as LONG."""


_NULLS = {
    Prefix.BYTE: b"\0",
    Prefix.EXACT: b"\0",
    Prefix.SHORT: b"\xff\xff",
    Prefix.LONG: b"\xff" * 4,
    Prefix.VARIANT: b"\0" * 4,
    Prefix.PARTS: b"\xff" * 8,
    Prefix.POINTER: b"\0",
}

_FIXED = {NULL: 0, INT1: 1, BIT: 1, INT2: 2, INT4: 4, DATETIME4: 4, FLOAT4: 4, MONEY4: 4, MONEY: 8, DATETIME: 8,
          FLOAT8: 8, INT8: 8}  # fmt: skip
_SIZES = {GUID: (16,), INTN: (1, 2, 4, 8), BITN: (1,), FLOATN: (4, 8), MONEYN: (4, 8), DATETIMEN: (4, 8)}
_SCALED = {TIME: 0, DATETIME2: 3, DATETIMEOFFSET: 5}
"""Bytes that stand behind the time of day."""
_DECIMALS = (DECIMALN, NUMERICN, DECIMAL, NUMERIC)
_OLD = (CHAR, VARCHAR, BINARY, VARBINARY)
_SHORTS = (BIGVARBINARY, BIGVARCHAR, BIGBINARY, BIGCHAR, NVARCHAR, NCHAR)
_LONGS = (TEXT, NTEXT, IMAGE)
_COLLATED = frozenset({BIGVARCHAR, BIGCHAR, NVARCHAR, NCHAR, TEXT, NTEXT})
_MAY_BE_MAX = frozenset({BIGVARBINARY, BIGVARCHAR, NVARCHAR})
UNICODE = frozenset({NVARCHAR, NCHAR, NTEXT, XML})
"""Types whose values are UTF-16."""
NARROW = frozenset({BIGVARCHAR, BIGCHAR, TEXT, CHAR, VARCHAR})
"""Types whose values are in the character set of their collation."""
_BYTES = frozenset({BIGVARBINARY, BIGBINARY, IMAGE, BINARY, VARBINARY})


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """A type. `size` is the most bytes that a value has, or `MAX`; that of `text` and its like can be over it.

    `precision` and `scale` are those of decimals, `scale` that of times and a vector's dimension type. `names` are
    database, schema and name of a CLR type or an XML schema collection, and the assembly's; `described` says that an
    XML type has such a collection. `pointed` says that long values stand behind text pointers: they do in rows.
    """

    type: int
    size: int = 0
    precision: int = 0
    scale: int = 0
    collation: Collation | None = None
    names: tuple[str, ...] = ()
    described: bool = False
    pointed: bool = False

    @property
    def prefix(self) -> Prefix:
        """How the length of a value is written."""
        if self.type in _FIXED:
            return Prefix.FIXED
        if self.type in _SHORTS or self.type == VECTOR:
            return Prefix.PARTS if self.size == MAX else Prefix.SHORT
        if self.type in _LONGS:
            return Prefix.POINTER if self.pointed else Prefix.LONG
        return _PREFIXES.get(self.type, Prefix.BYTE)

    @property
    def nullable(self) -> bool:
        """Whether a value can be NULL."""
        return self.type not in _FIXED

    @property
    def null(self) -> bytes:
        """What stands for NULL in a row.

        Raises:
            ValueError: the type has none.
        """
        found = _NULLS.get(self.prefix)
        if found is None:
            raise ValueError(f"{self.declared} has no NULL")
        return found

    @property
    def is_text(self) -> bool:
        """Whether values are characters: `char`, `nvarchar`, `text`, `xml`, `json` and their like."""
        return self.type in UNICODE or self.type in NARROW or self.type == JSON

    @property
    def charset(self) -> str | None:
        """The Python codec of the values' characters; None where they are none."""
        if self.type in UNICODE:
            return "utf-16-le"
        if self.type == JSON:
            return "utf-8"
        if self.type in NARROW:
            return self.collation.charset if self.collation is not None else "cp1252"
        return None

    @property
    def declared(self) -> str:
        """The type as SQL declares it: "nvarchar(50)"."""
        name = _NAMES[self.type]
        if self.type in _SIZED_NAMES:
            return _SIZED_NAMES[self.type].get(self.size, name)
        if self.type in _DECIMALS:
            return f"{name}({self.precision},{self.scale})"
        if self.type in _SCALED:
            return f"{name}({self.scale})"
        if self.type in _SHORTS or self.type in _OLD:
            return f"{name}({self._length()})"
        if self.type in (UDT, TVP):
            return ".".join(part for part in self.names[:3] if part) or name
        return f"{name}({(self.size - 8) // 4})" if self.type == VECTOR else name

    def _length(self) -> str:
        if self.size == MAX:
            return "max"
        return str(max(1, self.size // 2 if self.type in UNICODE else self.size))


_PREFIXES = {
    **dict.fromkeys((*_SIZES, DATE, *_SCALED), Prefix.EXACT),
    VARIANT: Prefix.VARIANT,
    **dict.fromkeys((XML, UDT, JSON), Prefix.PARTS),
}
_SIZED_NAMES = {
    INTN: {1: "tinyint", 2: "smallint", 4: "int", 8: "bigint"},
    FLOATN: {4: "real", 8: "float"},
    MONEYN: {4: "smallmoney", 8: "money"},
    DATETIMEN: {4: "smalldatetime", 8: "datetime"},
}
_NAMES = {
    NULL: "null", INT1: "tinyint", BIT: "bit", INT2: "smallint", INT4: "int", DATETIME4: "smalldatetime",
    FLOAT4: "real", MONEY: "money", DATETIME: "datetime", FLOAT8: "float", MONEY4: "smallmoney", INT8: "bigint",
    GUID: "uniqueidentifier", INTN: "int", BITN: "bit", DECIMALN: "decimal", NUMERICN: "numeric", DECIMAL: "decimal",
    NUMERIC: "numeric", FLOATN: "float", MONEYN: "money", DATETIMEN: "datetime", DATE: "date", TIME: "time",
    DATETIME2: "datetime2", DATETIMEOFFSET: "datetimeoffset", CHAR: "char", VARCHAR: "varchar", BINARY: "binary",
    VARBINARY: "varbinary", BIGVARBINARY: "varbinary", BIGVARCHAR: "varchar", BIGBINARY: "binary", BIGCHAR: "char",
    NVARCHAR: "nvarchar", NCHAR: "nchar", TEXT: "text", IMAGE: "image", NTEXT: "ntext", VARIANT: "sql_variant",
    XML: "xml", UDT: "udt", TVP: "table", JSON: "json", VECTOR: "vector",
}  # fmt: skip


def read_type(fields: Fields, *, request: bool = False, rows: bool = False) -> TypeInfo:
    """Read a TYPE_INFO.

    `request` says that a client wrote it: a CLR type is then told without size and assembly (2.2.5.5.2). `rows` says
    that its values are those of rows. A TVP is not read here: its type and rows are one (`tvp.py`).

    Raises:
        Short: it ends too early.
        Malformed: the type is unknown, or what is said of it impossible.
    """
    token = fields.byte()
    if token in _FIXED:
        return TypeInfo(token, _FIXED[token])
    read = _READ.get(token)
    if read is None:
        raise Malformed(f"the unknown type {token:#04x}")
    if token == UDT and request:
        return TypeInfo(UDT, MAX, names=(fields.b_varchar(), fields.b_varchar(), fields.b_varchar()))
    info = read(token, fields)
    return replace(info, pointed=True) if rows and token in _LONGS else info


def _sized(token: int, fields: Fields) -> TypeInfo:
    size = fields.byte()
    if size not in _SIZES[token]:
        raise Malformed(f"{_NAMES[token]} of {size} bytes")
    return TypeInfo(token, size)


def _date(token: int, _fields: Fields) -> TypeInfo:
    return TypeInfo(token, 3)


def _scaled(token: int, fields: Fields) -> TypeInfo:
    scale = fields.byte()
    if scale > 7:
        raise Malformed(f"{_NAMES[token]} of the scale {scale}")
    return TypeInfo(token, time_size(scale) + _SCALED[token], scale=scale)


def time_size(scale: int) -> int:
    """Return how many bytes a time of day has (2.2.5.5.1.8)."""
    if scale <= 2:
        return 3
    return 4 if scale <= 4 else 5


def _decimal(token: int, fields: Fields) -> TypeInfo:
    size, precision, scale = fields.byte(), fields.byte(), fields.byte()
    if not 1 <= precision <= 38 or scale > precision or not 2 <= size <= 17:
        raise Malformed(f"{_NAMES[token]} of {size} bytes, precision {precision} and scale {scale}")
    return TypeInfo(token, size, precision, scale)


def _old(token: int, fields: Fields) -> TypeInfo:
    return TypeInfo(token, fields.byte())


def _short(token: int, fields: Fields) -> TypeInfo:
    size = fields.uint16()
    if size > _LARGEST_SHORT and not (size == MAX and token in _MAY_BE_MAX):
        raise Malformed(f"{_NAMES[token]} of {size} bytes")
    return TypeInfo(token, size, collation=_collation(token, fields))


def _long(token: int, fields: Fields) -> TypeInfo:
    size = fields.uint32()
    if size > _LARGEST_LONG and size != 0xFFFFFFFF:
        raise Malformed(f"{_NAMES[token]} of {size} bytes")
    return TypeInfo(token, size, collation=_collation(token, fields))


def _variant(token: int, fields: Fields) -> TypeInfo:
    size = fields.uint32()
    if size > LARGEST_VARIANT:
        raise Malformed(f"{_NAMES[token]} of {size} bytes")
    return TypeInfo(token, size)


def _collation(token: int, fields: Fields) -> Collation | None:
    return Collation.read(fields.take(5)) if token in _COLLATED else None


def _xml(token: int, fields: Fields) -> TypeInfo:
    present = fields.byte()
    if present > 1:
        raise Malformed(f"an XML schema collection that is neither there nor not: {present}")
    if not present:
        return TypeInfo(token, MAX)
    names = (fields.b_varchar(), fields.b_varchar(), fields.us_varchar())
    return TypeInfo(token, MAX, names=names, described=True)


def _udt(token: int, fields: Fields) -> TypeInfo:
    size = fields.uint16()
    return TypeInfo(
        token, size, names=(fields.b_varchar(), fields.b_varchar(), fields.b_varchar(), fields.us_varchar())
    )


def _json(token: int, _fields: Fields) -> TypeInfo:
    return TypeInfo(token, MAX)


def _vector(token: int, fields: Fields) -> TypeInfo:
    size, dimension = fields.uint16(), fields.byte()
    if not 8 <= size <= _LARGEST_SHORT:
        raise Malformed(f"{_NAMES[token]} of {size} bytes")
    return TypeInfo(token, size, scale=dimension)


_READ: dict[int, Callable[[int, Fields], TypeInfo]] = {
    **dict.fromkeys(_SIZES, _sized),
    **dict.fromkeys(_SCALED, _scaled),
    **dict.fromkeys(_DECIMALS, _decimal),
    **dict.fromkeys(_OLD, _old),
    **dict.fromkeys(_SHORTS, _short),
    **dict.fromkeys(_LONGS, _long),
    DATE: _date,
    VARIANT: _variant,
    XML: _xml,
    UDT: _udt,
    JSON: _json,
    VECTOR: _vector,
}


def write_type(info: TypeInfo, *, request: bool = False) -> bytes:
    """Write a TYPE_INFO as `read_type` reads it."""
    token = bytes((info.type,))
    if info.type in _FIXED or info.type in (DATE, JSON):
        return token
    if info.type in _DECIMALS:
        return token + bytes((info.size, info.precision, info.scale))
    if info.type in _SCALED:
        return token + bytes((info.scale,))
    if info.type == XML:
        return token + _written_xml(info)
    if info.type == UDT:
        names = b"".join(map(b_varchar, info.names[:3]))
        return token + (names if request else pack("<H", info.size) + names + us_varchar(info.names[3]))
    collation = info.collation.write() if info.collation is not None else b""
    if info.type in _SHORTS:
        return token + pack("<H", info.size) + collation
    if info.type == VECTOR:
        return token + pack("<HB", info.size, info.scale)
    if info.type in _LONGS or info.type == VARIANT:
        return token + pack("<I", info.size) + collation
    return token + bytes((info.size,))


def _written_xml(info: TypeInfo) -> bytes:
    if not info.described:
        return b"\0"
    database, schema, name = info.names
    return b"\1" + b_varchar(database) + b_varchar(schema) + us_varchar(name)
