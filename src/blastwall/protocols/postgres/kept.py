"""Rows for the recording: what a resource's `record` asks to be kept of a result, masked for everybody.

Where the client's rows are masked by the same rules, what it gets is what is kept. Where the client is exempt from a
rule, its rows are masked once more for the recording alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.masking.plan import MaskPlan
from blastwall.masking.styles import REDACTED
from blastwall.model.masks import MaskRules, ResultRecord
from blastwall.protocols.contract import Output, Rows
from blastwall.protocols.postgres.copy_rows import RowFormat
from blastwall.protocols.postgres.messages import Field, decode_data_row
from blastwall.protocols.postgres.results import ResultGuard
from blastwall.protocols.postgres.values import recorded_value
from blastwall.sql.postgres import Classified
from blastwall.wire.inbox import HEADER

_FRAMING = 16 << 10
"""Bytes by which a row's message may be longer than the values in it: lengths of 1,664 columns, escapes."""


class Kept:
    """The rows that are kept of one statement's result, up to its limits; `full` once no more are."""

    __slots__ = ("_bytes", "_columns", "_format", "_known", "_plan", "_rows", "_types", "full", "rules", "waiting")

    def __init__(self, record: ResultRecord) -> None:
        self.rules: MaskRules = record.rules
        self.full = False
        self.waiting: list[tuple[str | None, ...]] = []
        self._rows = record.rows
        self._bytes = record.bytes
        self._columns: tuple[str, ...] = ()
        self._types: tuple[tuple[int, int], ...] = ()
        self._plan: MaskPlan | None = None
        self._format: RowFormat | None = None
        self._known = True

    def own(self, rules: MaskRules) -> bool:
        """Whether these rows must be masked apart from the client's, whose rules are given."""
        return self.rules != rules

    def describe(self, fields: Sequence[Field], formats: Sequence[int], plan: MaskPlan | None) -> None:
        """Take a result's columns, and the plan where the rows must be masked apart from the client's."""
        self._columns = tuple(field.name for field in fields)
        self._types = tuple((field.type_, format_) for field, format_ in zip(fields, formats, strict=True))
        self._plan = plan

    def describe_copy(self, guard: ResultGuard, classified: Classified, *, own: bool, settled: bool) -> None:
        """Take the columns of a COPY TO STDOUT. Where they are unknown and rules apply, no value is kept.

        `settled` is as in `ResultGuard.shown`.
        """
        copy = classified.copy
        if copy is None:
            return
        self._format, self._plan, columns = guard.copied_apart(classified, copy, own=own, settled=settled)
        self._known = columns is not None or not self.rules
        self._columns = tuple(name for name, _ in columns or ())
        self._types = tuple((type_, int(copy.format == "binary")) for _, type_ in columns or ())

    def room(self, length: int) -> bool:
        """Whether a row of so many bytes is kept; where it is not, it need not be read, and none after it is."""
        self.full = self.full or length > self._bytes + _FRAMING
        return not self.full

    def take(self, body: bytes, shown: bytes | None) -> None:
        """Keep one row: the server's message, and the one that the client gets in its place, if another."""
        if self.full:
            return
        if self._plan is None and shown is not None:
            body = shown[HEADER:]
        row = decode_data_row(body) if self._format is None else self._format.decode(body)
        if row is None:
            return
        if self._plan is not None:
            self._plan.mask(row)
        cells = self._cells(row) if self._known else (REDACTED,)
        self._bytes -= sum(len(cell) for cell in cells if cell is not None) + len(cells)
        self._rows -= 1
        if self._bytes >= 0:
            self.waiting.append(cells)
        self.full = self._rows <= 0 or self._bytes <= 0

    def _cells(self, row: Sequence[bytes | None]) -> tuple[str | None, ...]:
        types = self._types if len(self._types) == len(row) else ((0, 1),) * len(row)
        return tuple(_cell(value, *type_) for value, type_ in zip(row, types, strict=True))

    def taken(self, number: int) -> list[Output]:
        """Give what was kept since the last time."""
        if not self.waiting:
            return []
        rows, self.waiting = tuple(self.waiting), []
        return [Rows(number, self._columns, rows)]


def _cell(value: bytes | None, type_: int, format_: int) -> str | None:
    shown = recorded_value(value, type_, format_)
    return "\\x" + shown.hex() if isinstance(shown, bytes) else shown
