"""The rows of one result on their way to the client: what is hidden in them, and how the result is described then.

A column that is hidden in every row is described anew where what is shown would not fit it: with room for it, and with
NULL where its type has none. FOR JSON and FOR XML give one long text, cut over rows: it is put together, masked as one,
and cut again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from struct import pack

from blastwall.masking.fast.cells import Cells
from blastwall.masking.plan import MaskPlan
from blastwall.protocols.tds.fields import b_varchar, us_varchar
from blastwall.protocols.tds.masked_types import hiding, shown, wanted
from blastwall.protocols.tds.reply_writer import ReplyWriter
from blastwall.protocols.tds.row_cells import RowCells, Wanted
from blastwall.protocols.tds.row_forms import ROW
from blastwall.protocols.tds.row_masks import RowWriter, Shown
from blastwall.protocols.tds.rows import RowPlan
from blastwall.protocols.tds.tokens import COL_METADATA, ColumnData, RowRun
from blastwall.protocols.tds.types import IMAGE, NTEXT, TEXT, write_type
from blastwall.wire.reader import Malformed

JSON_COLUMN = "JSON_F52E2B61-18A1-11d1-B105-00805F49916B"
XML_COLUMN = "XML_F52E2B61-18A1-11d1-B105-00805F49916B"
"""What SQL Server calls the column of FOR JSON and FOR XML ("Format query results as JSON with FOR JSON")."""
_SPLIT = frozenset({JSON_COLUMN.casefold(), XML_COLUMN.casefold()})
_CUT = 2033
"""Characters in a row of such a column."""
_NULLABLE = 0x1


def is_split(columns: Sequence[ColumnData]) -> bool:
    """Whether a result is one text, cut over rows."""
    return len(columns) == 1 and columns[0].name.casefold() in _SPLIT and columns[0].type.is_text


class ResultRows:
    """How the rows of one result are masked by `plan`; `plan` is None where nothing is to be done."""

    __slots__ = ("_columns", "_plan", "_row_plan", "_shown", "_wanted")

    def __init__(self, columns: tuple[ColumnData, ...], row_plan: RowPlan, plan: MaskPlan) -> None:
        self._plan = plan
        self._row_plan = row_plan
        self._columns = columns
        always = frozenset(plan.always)
        self._wanted: tuple[Wanted, ...] = tuple(wanted(index, columns[index].type) for index in plan.wanted)
        self._shown: tuple[Shown, ...] = tuple(
            shown(hiding(columns[index].type) if index in always else columns[index].type) for index in plan.wanted
        )

    def described(self) -> bytes | None:
        """The result's description as the client gets it; None where it is the server's."""
        columns = list(self._columns)
        for index in self._plan.always:
            column = columns[index]
            columns[index] = replace(column, type=hiding(column.type), flags=column.flags | _NULLABLE)
        return None if columns == list(self._columns) else written_columns(columns)

    def pass_run(self, run: RowRun, writer: ReplyWriter) -> None:
        """Pass whole rows with what must be hidden in them hidden.

        Raises:
            DetectorFailed: the result must be closed.
        """
        plan = self._plan
        read = RowCells(self._row_plan, self._wanted, run.buffer, run.rows)
        read.read(run.start)
        text = read.text
        if not plan.always and not plan.may_match(text):
            writer.keep(run.buffer, run.start, run.stop)
            return
        anew = RowWriter(read, plan.mask_cells(text, read.places), self._shown)
        if anew.first < 0:
            writer.keep(run.buffer, run.start, run.stop)
            return
        begin = read.starts[anew.first]
        if begin > run.start:
            writer.keep(run.buffer, run.start, begin)
        writer.put(anew.written(), run.stop - begin)

    def end(self, writer: ReplyWriter) -> None:
        """The rows have ended."""


class SplitRows(ResultRows):
    """The same for one text that is cut over rows. They are kept until they end, up to `most` bytes of them."""

    __slots__ = ("_held", "_most", "_texts", "_waiting")

    def __init__(self, columns: tuple[ColumnData, ...], row_plan: RowPlan, plan: MaskPlan, most: int) -> None:
        super().__init__(columns, row_plan, plan)
        self._most = most
        self._held = 0
        self._waiting: list[RowRun] = []
        self._texts: list[bytes] = []

    def pass_run(self, run: RowRun, writer: ReplyWriter) -> None:
        """Keep rows until all are there.

        Raises:
            Malformed: they are more than may be kept.
        """
        self._held += run.stop - run.start
        if self._held > self._most:
            raise Malformed(f"a text of more than {self._most:,} bytes over several rows, which must be read as one")
        read = RowCells(self._row_plan, self._wanted, run.buffer, run.rows)
        read.read(run.start)
        text = read.text
        for row in range(run.rows):
            start, size = read.places[2 * row], read.places[2 * row + 1]
            self._texts.append(text[start : start + max(size, 0)])
        self._waiting.append(run)

    def end(self, writer: ReplyWriter) -> None:
        """Mask the whole text, and pass what is shown."""
        waiting, self._waiting, self._held = self._waiting, [], 0
        whole: list[bytes | None] = [_joined(self._texts)]
        self._texts = []
        if not waiting:
            return
        if not self._plan.mask(whole):
            for run in waiting:
                writer.keep(run.buffer, run.start, run.stop)
            return
        size = sum(run.stop - run.start for run in waiting)
        writer.put(self._cut(whole[0]), size)

    def _cut(self, text: bytes | None) -> bytes:
        """Write a text as rows, NULL as one."""
        characters = (text or b"").decode("utf-8", "replace")
        parts: list[bytes | None] = [
            characters[at : at + _CUT].encode() for at in range(0, max(len(characters), 1), _CUT)
        ]
        row = bytes((ROW,)) + self._row_plan.nulls[0]
        buffer = row * len(parts)
        read = RowCells(self._row_plan, self._wanted, buffer, len(parts))
        read.read(0)
        cells = Cells(read.text, read.places, 1)
        for cell, part in enumerate(parts):
            cells.show(cell, None if text is None else part)
        return RowWriter(read, cells, self._shown).written()


def _joined(texts: list[bytes]) -> bytes:
    """Put texts together; a character that was cut in two (a surrogate pair) is one again."""
    whole = b"".join(texts)
    try:
        whole.decode()
    except UnicodeDecodeError:
        return (
            whole.decode("utf-8", "surrogatepass")
            .encode("utf-16-le", "surrogatepass")
            .decode("utf-16-le", "replace")
            .encode()
        )
    return whole


def written_columns(columns: Sequence[ColumnData]) -> bytes:
    """Write a COLMETADATA (MS-TDS 2.2.7.4)."""
    parts = [pack("<BH", COL_METADATA, len(columns))]
    for column in columns:
        parts += (pack("<IH", column.user_type, column.flags), write_type(column.type))
        if column.type.type in (TEXT, NTEXT, IMAGE):
            parts.append(bytes((len(column.table),)) + b"".join(map(us_varchar, column.table)))
        parts.append(b_varchar(column.name))
    return b"".join(parts)
