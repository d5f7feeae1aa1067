"""The values of rows as text, one by one: for what the gateway itself asks, which is small.

Source: MS-TDS 2.2.7.22 NBCROW (a bitmap says which values are NULL, lowest bit first), 2.2.7.23 ROW.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.tokens import NBC_ROW, ColumnData, RowRun
from blastwall.protocols.tds.types import TypeInfo
from blastwall.protocols.tds.values import decoded
from blastwall.wire.reader import Malformed


def values_of(columns: Sequence[ColumnData], run: RowRun) -> list[tuple[str | None, ...]]:
    """Return the rows of a run of whole rows; bytes are shown in hexadecimal.

    Raises:
        Malformed: a value is not of its column's form.
    """
    walks = [_walk(column.type) for column in columns]
    rows: list[tuple[str | None, ...]] = []
    at = run.start
    while at < run.stop:
        missing = 0
        kind, at = run.buffer[at], at + 1
        if kind == NBC_ROW:
            size = (len(columns) + 7) // 8
            missing, at = int.from_bytes(run.buffer[at : at + size], "little"), at + size
        row: list[str | None] = []
        for position, column in enumerate(columns):
            if missing >> position & 1:
                row.append(None)
                continue
            end = _end(walks[position], run, at)
            row.append(_shown(decoded(run.buffer[at:end], column.type)))
            at = end
        rows.append(tuple(row))
    return rows


def _walk(type_: TypeInfo) -> RowWalk:
    return RowWalk(RowPlan((type_,)))


def _end(walk: RowWalk, run: RowRun, at: int) -> int:
    walk.begin_single()
    end = walk.walk(run.buffer, at, run.stop)
    if not walk.rows:
        raise Malformed("a value that does not end in its row")
    return end


def _shown(value: str | bytes | None) -> str | None:
    return "0x" + value.hex() if isinstance(value, bytes) else value
