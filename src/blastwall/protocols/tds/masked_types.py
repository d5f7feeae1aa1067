"""What masking reads of the values of each type, and how what it shows in their place is written.

| type | read as | hidden as |
| --- | --- | --- |
| char, varchar, text, nchar, nvarchar, ntext, xml | text | text, cut to what the column holds |
| json | JSON | JSON |
| bigint, decimal, numeric, money, float | the number in digits | NULL |
| binary, varbinary, image, CLR types, sql_variant | whatever text may be in it | NULL |
| int and smaller, bit, real, dates, times, uniqueidentifier, vector | not at all | NULL |

NULL is written as zero where the type has no NULL and the column was described as that before anything was found.
Source: MS-TDS 2.2.5.5 "Data Type Details"; 2.2.5.5.4 for sql_variant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from struct import unpack

from blastwall.masking.kinds import ValueKind
from blastwall.protocols.tds import types
from blastwall.protocols.tds.collations import Collation
from blastwall.protocols.tds.row_cells import ASKED, NARROW, WIDE, Wanted
from blastwall.protocols.tds.row_masks import Shown
from blastwall.protocols.tds.types import Prefix, TypeInfo

Read = Callable[[bytes], bytes]

_NUMBERS = frozenset(
    {types.INT8, types.MONEY, types.FLOAT8, types.DECIMALN, types.NUMERICN, types.DECIMAL, types.NUMERIC}
)
_SIZED_NUMBERS = frozenset({types.INTN, types.MONEYN, types.FLOATN})
_HARMLESS = frozenset(
    {
        types.NULL, types.INT1, types.BIT, types.INT2, types.INT4, types.DATETIME4, types.FLOAT4, types.DATETIME,
        types.MONEY4, types.GUID, types.BITN, types.DATETIMEN, types.DATE, types.TIME, types.DATETIME2,
        types.DATETIMEOFFSET, types.VECTOR,
    }
)  # fmt: skip
_PADDED = frozenset({types.BIGCHAR, types.NCHAR})
_GAP = b"\0\0"
_LARGE = 8
"""Bytes of an integer, money or float that can hold a card number."""
_ROOM = 40
"""Characters that any style needs at most, but for what it leaves of a value: `hash_` and 32 digits."""
_MORE = 8
"""Characters by which a value shown in part may be longer than it was."""
_LONGEST_SHORT = 8000
_WITH_NULL = {
    types.INT1: types.INTN, types.INT2: types.INTN, types.INT4: types.INTN, types.INT8: types.INTN,
    types.BIT: types.BITN, types.FLOAT4: types.FLOATN, types.FLOAT8: types.FLOATN, types.MONEY4: types.MONEYN,
    types.MONEY: types.MONEYN, types.DATETIME4: types.DATETIMEN, types.DATETIME: types.DATETIMEN,
}  # fmt: skip
_UNPADDED = {types.BIGCHAR: types.BIGVARCHAR, types.NCHAR: types.NVARCHAR}


def value_kind(type_: TypeInfo) -> ValueKind:
    """Return how a column's values are masked."""
    if type_.type == types.JSON:
        return ValueKind.JSON
    if type_.is_text:
        return ValueKind.TEXT
    if type_.type in _NUMBERS or (type_.type in _SIZED_NUMBERS and type_.size == _LARGE):
        return ValueKind.NUMBER
    if type_.type in _HARMLESS or type_.type in _SIZED_NUMBERS:
        return ValueKind.HARMLESS
    return ValueKind.OPAQUE


def wanted(column: int, type_: TypeInfo) -> Wanted:
    """Return what reads a column for masking."""
    padded = type_.type in _PADDED
    if type_.charset == "utf-16-le":
        return Wanted(column, WIDE, bytes, padded)
    if type_.charset is not None:
        utf8 = type_.charset == "utf-8"
        return Wanted(column, ASKED if utf8 else NARROW, bytes if utf8 else _narrow(type_.charset), padded)
    return Wanted(column, ASKED, _reader(type_))


def shown(type_: TypeInfo) -> Shown:
    """Return what writes a column."""
    charset = type_.charset
    written = WIDE if charset == "utf-16-le" else NARROW
    least = type_.size if type_.type in _PADDED else 0
    long = type_.prefix in (Prefix.PARTS, Prefix.POINTER, Prefix.LONG)
    most = 0x7FFFFFFF if long else type_.size
    return Shown(int(type_.prefix), written, most, least, _encoder(charset or "ascii"))


def hiding(type_: TypeInfo) -> TypeInfo:
    """Return the type of a column that is hidden in every row: with room for what is shown, and for NULL."""
    if type_.type in _WITH_NULL:
        return replace(type_, type=_WITH_NULL[type_.type])
    if not type_.is_text or type_.prefix is not Prefix.SHORT:
        return type_
    width = 2 if type_.charset == "utf-16-le" else 1
    room = min(max(type_.size + _MORE * width, _ROOM * width), _LONGEST_SHORT)
    return replace(type_, type=_UNPADDED.get(type_.type, type_.type), size=room)


def _narrow(charset: str) -> Read:
    """Return what decodes a code page; a byte that means nothing in it makes the text unreadable, and so opaque."""

    def read(value: bytes) -> bytes:
        return value.decode(charset, "surrogateescape").encode("utf-8", "surrogateescape")

    return read


def _encoder(charset: str) -> Callable[[bytes, int], bytes]:
    """Return what writes UTF-8 in a character set, in at most so many bytes and whole characters."""

    def encode(text: bytes, most: int) -> bytes:
        encoded = text.decode("utf-8", "replace").encode(charset, "replace")
        return encoded if len(encoded) <= most else encoded[:most].decode(charset, "ignore").encode(charset, "replace")

    return encode


def _reader(type_: TypeInfo) -> Read:
    """Return what shows the text in a value that is none."""
    number = type_.type
    if number in (types.INT8, types.INTN):
        return _integer
    if number in (types.MONEY, types.MONEYN):
        return _money
    if number in (types.FLOAT8, types.FLOATN):
        return _float
    if number in (types.DECIMALN, types.NUMERICN, types.DECIMAL, types.NUMERIC):
        return lambda value: _decimal(value, type_.scale)
    return _variant if number == types.VARIANT else _binary


def _integer(value: bytes) -> bytes:
    return b"%d" % int.from_bytes(value, "little", signed=True)


def _money(value: bytes) -> bytes:
    """Eight bytes have the higher half first (2.2.5.5.1.4); ten-thousandths."""
    whole = int.from_bytes(value[4:] + value[:4] if len(value) == _LARGE else value, "little", signed=True)
    return _scaled(whole, 4)


def _decimal(value: bytes, scale: int) -> bytes:
    """A byte of the sign, 1 for positive, then the digits as a number (2.2.5.5.1.6)."""
    whole = int.from_bytes(value[1:], "little")
    return _scaled(whole if value[:1] == b"\1" else -whole, scale)


def _scaled(whole: int, scale: int) -> bytes:
    """Write a number; zeros at the end of its fraction say nothing, and would hide digits that end before it."""
    if not scale:
        return b"%d" % whole
    digits = f"{abs(whole):0{scale + 1}}"
    fraction = digits[-scale:].rstrip("0")
    shown_ = ("-" if whole < 0 else "") + digits[:-scale] + (f".{fraction}" if fraction else "")
    return shown_.encode()


def _float(value: bytes) -> bytes:
    if len(value) != _LARGE:
        return b""
    number = float(unpack("<d", value)[0])
    return (f"{number:.0f}" if abs(number) < 1e19 and number.is_integer() else repr(number)).encode()


def _binary(value: bytes) -> bytes:
    """Bytes, and what they are as UTF-16, from the first byte and from the second: a cast of nvarchar is that."""
    wide = (value.decode("utf-16-le", "replace"), value[1:].decode("utf-16-le", "replace"))
    return _GAP.join((value, *(text.encode("utf-8", "replace") for text in wide)))


def _variant(value: bytes) -> bytes:
    """The value in a sql_variant: its base type, its properties behind their length, then the value itself."""
    if len(value) < 2 or len(value) < 2 + value[1]:
        return _binary(value)
    base, properties, inside = value[0], value[2 : 2 + value[1]], value[2 + value[1] :]
    if base in (types.NVARCHAR, types.NCHAR):
        return inside.decode("utf-16-le", "replace").encode("utf-8", "replace")
    if base in (types.BIGVARCHAR, types.BIGCHAR) and len(properties) >= 5:
        return inside.decode(Collation.read(properties[:5]).charset, "replace").encode()
    if base in (types.DECIMALN, types.NUMERICN) and len(properties) == 2:
        return _decimal(inside, properties[1])
    if base in _NUMBERS:
        return _reader(TypeInfo(base, _LARGE))(inside)
    return b"" if base in _HARMLESS else _binary(inside)
