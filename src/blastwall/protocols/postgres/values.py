"""What the types of PostgreSQL mean for masking and for the record. OIDs are those of `pg_type.dat`."""

from __future__ import annotations

from collections.abc import Callable, Container
from struct import unpack
from uuid import UUID

from blastwall.masking.kinds import ValueKind

TEXT_TYPES = frozenset({18, 19, 25, 142, 705, 1042, 1043, 2275})
"""char, name, text, xml, unknown, bpchar, varchar, cstring: the same bytes in text and binary format."""
JSON, JSONB = 114, 3802
HARMLESS_TYPES = frozenset(
    {16, 20, 21, 23, 26, 28, 29, 700, 701, 790, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 3220, 5069}
)
"""bool, integers, oid, xid, cid, floats, money, dates and times, numeric, uuid, pg_lsn, xid8."""


def value_kind(type_: int, format_: int, further_text: Container[int] = ()) -> ValueKind:
    """How a result column's values are read; `further_text` are the database's own text-like types (citext, enums)."""
    if type_ in TEXT_TYPES or type_ in further_text:
        return ValueKind.TEXT
    if type_ == JSON or (type_ == JSONB and format_ == 0):
        return ValueKind.JSON
    if type_ == JSONB:
        return ValueKind.JSONB_BINARY
    if type_ in HARMLESS_TYPES:
        return ValueKind.HARMLESS
    return ValueKind.OPAQUE


def _integer(value: bytes) -> str:
    return str(int.from_bytes(value, "big", signed=True))


def _json(value: bytes) -> str:
    return value.decode()


_BINARY: dict[int, tuple[int | None, Callable[[bytes], str]]] = {
    16: (1, lambda value: "true" if value == b"\1" else "false"),
    20: (8, _integer),
    21: (2, _integer),
    23: (4, _integer),
    26: (4, lambda value: str(int.from_bytes(value, "big"))),
    700: (4, lambda value: repr(unpack("!f", value)[0])),
    701: (8, lambda value: repr(unpack("!d", value)[0])),
    2950: (16, lambda value: str(UUID(bytes=value))),
    JSON: (None, _json),
    JSONB: (None, lambda value: _json(value[1:])),
}


def recorded_value(value: bytes | None, type_: int, format_: int) -> str | bytes | None:
    """A bind value for the record: text where it can be read, its bytes where not."""
    if value is None:
        return None
    try:
        if format_ == 0 or type_ in TEXT_TYPES:
            return value.decode()
        size, read = _BINARY.get(type_, (None, None))
        if read is not None and size in (None, len(value)):
            return read(value)
    except UnicodeDecodeError:
        pass
    return value
