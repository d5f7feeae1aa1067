"""Names of the types that clients declare their values to have, for the binding of an approval and for who gives it.

OIDs are those of `pg_type.dat`.
"""

from __future__ import annotations

_NAMES = {
    16: "boolean",
    17: "bytea",
    20: "bigint",
    21: "smallint",
    23: "integer",
    25: "text",
    26: "oid",
    114: "json",
    700: "real",
    701: "double precision",
    1043: "character varying",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1186: "interval",
    1700: "numeric",
    2950: "uuid",
    3802: "jsonb",
}


def declared_type(types: tuple[int, ...], position: int) -> str:
    """Return the type that a Parse declares the value at a position to have; empty where it leaves that open."""
    type_ = types[position] if position < len(types) else 0
    return _NAMES.get(type_, f"type {type_}") if type_ else ""
