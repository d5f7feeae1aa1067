"""Table-valued parameters: a table in a call, with its columns, its order and its rows.

Source: MS-TDS 2.2.5.5.5 "Table Valued Parameter (TVP) Values", 2.2.7.25 "TVP_ROW". Types of old clients, which
2.2.5.5.5.3 rules out, are refused, and so are `text` and its like, of which it does not say how they are written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blastwall.protocols.tds.fields import Fields, Short
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.types import (
    BIGBINARY,
    BIGCHAR,
    BIGVARBINARY,
    BIGVARCHAR,
    BITN,
    DATE,
    DATETIME2,
    DATETIMEN,
    DATETIMEOFFSET,
    DECIMALN,
    FLOATN,
    GUID,
    INTN,
    JSON,
    MONEYN,
    NCHAR,
    NUMERICN,
    NVARCHAR,
    TIME,
    TVP,
    UDT,
    VARIANT,
    VECTOR,
    XML,
    TypeInfo,
    read_type,
)
from blastwall.wire.reader import Malformed

_ALLOWED = frozenset(
    {
        BIGBINARY, BIGCHAR, BIGVARBINARY, BIGVARCHAR, BITN, DATE, DATETIME2, DATETIMEN, DATETIMEOFFSET, DECIMALN,
        FLOATN, GUID, INTN, JSON, MONEYN, NCHAR, NUMERICN, NVARCHAR, TIME, UDT, VARIANT, VECTOR, XML,
    }
)  # fmt: skip
_END, _ROW, _ORDER_UNIQUE, _COLUMN_ORDERING = 0x00, 0x01, 0x10, 0x11
_NONE = 0xFFFF
_MOST_COLUMNS = 1024
_DEFAULT = 0x0200
"""fDefault: a column that has no values in the rows."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was read: `type` names its type, `columns` are those that rows have values of, in their order."""

    type: TypeInfo
    columns: tuple[TypeInfo, ...]
    rows: int
    begin: int
    """Where the rows begin, in the bytes that it was read from."""


def read_table(fields: Fields) -> Table:
    """Read a TVP_TYPE_INFO with its rows, from the type's token on.

    Raises:
        Short: it ends too early.
        Malformed: it is not of its form, or a column is of a type that may not be there.
    """
    if fields.byte() != TVP:
        raise Malformed("a table that does not begin as one")
    names = (fields.b_varchar(), fields.b_varchar(), fields.b_varchar())
    columns = _ordered(fields, _columns(fields))
    begin = fields.at
    return Table(TypeInfo(TVP, names=names), columns, _rows(fields, columns), begin)


def _columns(fields: Fields) -> list[TypeInfo | None]:
    """Read the columns; None is one without values."""
    count = fields.uint16()
    if count == _NONE:
        return []
    if not 0 < count <= _MOST_COLUMNS:
        raise Malformed(f"a table of {count} columns")
    return [_column(fields) for _ in range(count)]


def _column(fields: Fields) -> TypeInfo | None:
    fields.uint32()
    flags = fields.uint16()
    type_ = read_type(fields, request=True)
    if type_.type not in _ALLOWED:
        raise Malformed(f"a table with a column of the type {type_.declared} ({type_.type:#04x})")
    if fields.b_varchar():
        raise Malformed("a table whose columns have names")
    return None if flags & _DEFAULT else type_


def _ordered(fields: Fields, columns: list[TypeInfo | None]) -> tuple[TypeInfo, ...]:
    """Read what stands between columns and rows; return the columns that have values, in the order of these."""
    order = list(range(1, len(columns) + 1))
    seen: set[int] = set()
    while (token := fields.byte()) != _END:
        if token in seen or token not in (_ORDER_UNIQUE, _COLUMN_ORDERING):
            raise Malformed(f"a table with the token {token:#04x} before its rows")
        seen.add(token)
        count = fields.uint16()
        if token == _COLUMN_ORDERING:
            given = [fields.uint16() for _ in range(count)]
            if sorted(given) != order:
                raise Malformed("a table whose column ordering does not name each column once")
            order = given
        else:
            fields.take(3 * count)
    return tuple(type_ for number in order if (type_ := columns[number - 1]) is not None)


def _rows(fields: Fields, columns: tuple[TypeInfo, ...]) -> int:
    walk = RowWalk(RowPlan(columns))
    rows = 0
    while (token := fields.byte()) != _END:
        if token != _ROW or not columns:
            raise Malformed(f"a table with the token {token:#04x} for a row")
        walk.begin_single()
        end = walk.walk(fields.data, fields.at, fields.at + fields.left)
        if not walk.rows:
            raise Short("it ends too early")
        fields.take(end - fields.at)
        rows += 1
    return rows


def cells_of(field: bytes) -> Iterator[list[tuple[bytes, TypeInfo]]]:
    """Yield the rows of a table that was read before, each as its values with their types; see `values.py`."""
    table = read_table(Fields(field))
    walks = [RowWalk(RowPlan((type_,))) for type_ in table.columns]
    at = table.begin
    while field[at] == _ROW:
        at += 1
        row: list[tuple[bytes, TypeInfo]] = []
        for walk, type_ in zip(walks, table.columns, strict=True):
            walk.begin_single()
            end = walk.walk(field, at, len(field))
            row.append((field[at:end], type_))
            at = end
        yield row
