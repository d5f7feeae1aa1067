"""Values in PostgreSQL's binary format as text that a detector can read.

Asked for in binary, a number shows no digits and an array hides its elements behind lengths. So such values are read
here before they are scanned: array_send, record_send, range_send, multirange_send, int8send, numeric_send of
PostgreSQL's `src/backend/utils/adt`. What cannot be read is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial

from blastwall.masking.kinds import ValueKind
from blastwall.protocols.postgres.values import HARMLESS_TYPES, JSON, JSONB, TEXT_TYPES, value_kind
from blastwall.wire.reader import Malformed, Reader

INT8, NUMERIC = 20, 1700
_ANONYMOUS = {2249: ("c", 0), 2287: ("a", 0)}
"""record and record[]: pseudo-types, yet a result may have them."""
FIRST_OWN = 16384
"""`FirstNormalObjectId`: types from here on are the database's own."""
SHAPES = """
SELECT t.oid, CASE WHEN t.typtype = 'b' THEN 'a' ELSE t.typtype::text END,
       CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'r' THEN r.rngsubtype WHEN 'm' THEN m.rngtypid ELSE 0 END
FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
WHERE t.typtype IN ('c', 'd', 'r', 'm') OR (t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0)
"""
"""How values of compound types are put together."""

Shapes = Mapping[int, tuple[str, int]]
"""By type: a (array), c (composite), d (domain), r (range) or m (multirange), and the type below of d, r and m."""
_DEEPEST = 8
_BETWEEN = "\0\0"
"""No detector reads over it."""
_EMPTY, _NO_LOWER, _NO_UPPER = 0x01, 0x08 | 0x20, 0x10 | 0x40
_SPECIAL = 0xC000


class _Unreadable(Exception):
    """A value of a type that is not known here."""


def scanned(
    type_: int, format_: int, shapes: Shapes, text_types: Container[int]
) -> tuple[ValueKind, Callable[[bytes], str | None] | None]:
    """How a result column's values are scanned, and what reads them where their bytes are not their text."""
    kind = value_kind(type_, format_, text_types)
    if type_ in (INT8, NUMERIC):
        return ValueKind.NUMBER, partial(_text, type_, shapes, text_types) if format_ else None
    if kind is ValueKind.OPAQUE and format_ and (type_ in shapes or type_ in _ANONYMOUS or type_ >= FIRST_OWN):
        return ValueKind.READABLE, partial(_text, type_, shapes, text_types)
    return kind, None


def _text(type_: int, shapes: Shapes, text_types: Container[int], value: bytes) -> str | None:
    try:
        return _BETWEEN.join(_parts(type_, value, shapes, text_types, 0))
    except (_Unreadable, Malformed, UnicodeDecodeError):
        return None


def _parts(type_: int, value: bytes, shapes: Shapes, text_types: Container[int], depth: int) -> Iterator[str]:
    """Yield the texts of everything in a value."""
    if type_ == INT8:
        yield str(int.from_bytes(value, "big", signed=True))
    elif type_ == NUMERIC:
        yield _numeric(value)
    elif type_ in TEXT_TYPES or type_ in text_types or type_ == JSON:
        yield value.decode()
    elif type_ == JSONB:
        yield value[1:].decode()
    elif type_ in shapes or type_ in _ANONYMOUS:
        if depth >= _DEEPEST:
            raise _Unreadable
        kind, below = shapes[type_] if type_ in shapes else _ANONYMOUS[type_]
        for inner, part in _SPLIT[kind](value, below):
            yield from _parts(inner, part, shapes, text_types, depth + 1)
    elif type_ >= FIRST_OWN:
        raise _Unreadable
    elif type_ not in HARMLESS_TYPES:
        yield value.decode("latin-1")


def _numeric(value: bytes) -> str:
    """Read digits of the base 10,000, of which the first weighs 10,000 ** weight."""
    reader = Reader(value)
    count, weight, sign = reader.int16(), reader.int16(), reader.int16() & 0xFFFF
    reader.int16()
    digits = [reader.int16() for _ in range(count)]
    reader.finish()
    if sign & _SPECIAL == _SPECIAL:
        return "NaN"
    whole = digits[: max(0, weight + 1)] + [0] * max(0, min(weight + 1, 40) - count)
    rest = digits[max(0, weight + 1) :]
    shown = "".join(f"{digit:04}" for digit in whole).lstrip("0") or "0"
    return f"{shown}.{'0000' * max(0, min(-weight - 1, 40))}{''.join(f'{digit:04}' for digit in rest)}"


def _array(value: bytes, _below: int) -> Iterator[tuple[int, bytes]]:
    reader = Reader(value)
    dimensions = reader.int32()
    reader.int32()
    inner = reader.uint32()
    reader.take(8 * dimensions)
    while reader.left:
        length = reader.int32()
        if length >= 0:
            yield inner, reader.take(length)


def _record(value: bytes, _below: int) -> Iterator[tuple[int, bytes]]:
    reader = Reader(value)
    for _ in range(reader.int32()):
        inner, length = reader.uint32(), reader.int32()
        if length >= 0:
            yield inner, reader.take(length)
    reader.finish()


def _range(value: bytes, below: int) -> Iterator[tuple[int, bytes]]:
    reader = Reader(value)
    flags = reader.byte()[0]
    for missing in (_NO_LOWER, _NO_UPPER):
        if not flags & (missing | _EMPTY):
            yield below, reader.take(reader.int32())
    reader.finish()


def _multirange(value: bytes, below: int) -> Iterator[tuple[int, bytes]]:
    reader = Reader(value)
    for _ in range(reader.int32()):
        yield below, reader.take(reader.int32())
    reader.finish()


def _domain(value: bytes, below: int) -> Iterator[tuple[int, bytes]]:
    yield below, value


_SPLIT = {"a": _array, "c": _record, "d": _domain, "r": _range, "m": _multirange}


def shapes_of(rows: Sequence[Sequence[str | None]]) -> dict[int, tuple[str, int]]:
    """Return what the query SHAPES gave."""
    return {int(oid or 0): (kind or "", int(below or 0)) for oid, kind, below in rows}
