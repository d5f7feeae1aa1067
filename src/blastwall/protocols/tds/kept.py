"""Rows for the recording: what a resource's `record` asks to be kept of a result, masked for everybody.

They are masked by the recording's own rules, whatever the client's are: who is exempt from a rule is shown a value, and
no recording is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blastwall.masking.plan import MaskPlan
from blastwall.model.masks import ResultRecord
from blastwall.protocols.contract import Output, Rows
from blastwall.protocols.tds.guard import ResultGuard
from blastwall.protocols.tds.masked_types import wanted
from blastwall.protocols.tds.row_cells import RowCells, Wanted
from blastwall.protocols.tds.rows import RowPlan
from blastwall.protocols.tds.tokens import ColumnData
from blastwall.protocols.tds.values import decoded
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.statement import Classified


class Kept:
    """The rows that are kept of one statement's results, up to its limits; `full` once no more are.

    `reading` is the catalog that the guard goes by, which the guard does not keep itself.
    """

    __slots__ = ("_bytes", "_columns", "_names", "_plan", "_rows", "_seen", "full", "guard", "reading", "waiting")

    def __init__(self, record: ResultRecord, guard: ResultGuard, reading: Catalog) -> None:
        self.guard = guard
        self.reading = reading
        self.full = False
        self.waiting: list[tuple[str | None, ...]] = []
        self._rows = record.rows
        self._bytes = record.bytes
        self._names: tuple[str, ...] = ()
        self._columns: tuple[ColumnData, ...] = ()
        self._seen: tuple[Wanted, ...] = ()
        self._plan: MaskPlan | None = None

    def describe(self, columns: Sequence[ColumnData], statements: Iterable[Classified]) -> None:
        """Take the columns of a result."""
        self._columns = tuple(columns)
        self._names = tuple(column.name for column in columns)
        self._seen = tuple(wanted(index, column.type) for index, column in enumerate(columns))
        self._plan = self.guard.result(columns, statements)

    def take(self, plan: RowPlan, buffer: bytes, start: int, rows: int) -> None:
        """Keep whole rows, as many as there is room for."""
        rows = min(rows, self._rows)
        if self.full or not rows:
            return
        run = RowCells(plan, self._seen, buffer, rows)
        run.read(start)
        text = run.text
        for row in range(rows):
            cells = self._row(run, text, row)
            self._bytes -= sum(len(cell) for cell in cells if cell is not None) + len(cells)
            self._rows -= 1
            if self._bytes >= 0:
                self.waiting.append(cells)
            if self._bytes <= 0 or self._rows <= 0:
                self.full = True
                return

    def _row(self, run: RowCells, text: bytes, row: int) -> tuple[str | None, ...]:
        """One row as the recording has it: what masking shows, or the value as it can be written."""
        width = len(self._columns)
        read: list[bytes | None] = []
        for cell in range(row * width, (row + 1) * width):
            start, size = run.places[2 * cell], run.places[2 * cell + 1]
            read.append(None if size < 0 else text[start : start + size])
        shown = list(read)
        if self._plan is not None:
            self._plan.mask(shown)
        return tuple(
            self._cell(run, row * width + index, column, read[index], shown[index])
            for index, column in enumerate(self._columns)
        )

    @staticmethod
    def _cell(run: RowCells, cell: int, column: ColumnData, read: bytes | None, shown: bytes | None) -> str | None:
        if shown is None:
            return None
        if shown is not read or column.type.is_text:
            return shown.decode("utf-8", "replace")
        value = decoded(run.buffer[run.spans[2 * cell] : run.spans[2 * cell + 1]], column.type)
        return "0x" + value.hex() if isinstance(value, bytes) else value

    def taken(self, number: int) -> list[Output]:
        """Give what was kept since the last time."""
        if not self.waiting:
            return []
        rows, self.waiting = tuple(self.waiting), []
        return [Rows(number, self._names, rows)]
