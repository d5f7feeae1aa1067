"""The cells that a plan concerns, of a run of whole rows: where they stand, and what masking reads of them.

Masking reads UTF-8; SQL Server writes UTF-16 and code pages, numbers in binary, long values in parts. So what is
wanted is written out once more, cell by cell, into a buffer that only masking sees. The compiled twin is typed by
`row_cells.pxd`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from blastwall.protocols.tds.row_forms import NBC_ROW, head_end, uint32, value_end, value_size
from blastwall.protocols.tds.rows import RowPlan
from blastwall.protocols.tds.types import Prefix
from blastwall.wire import memory
from blastwall.wire.reader import Malformed

WIDE, NARROW, ASKED = range(3)
"""How text is written: UTF-16, ASCII where no byte is above 127, or some other way that `Wanted.read` knows."""
_WIDE, _NARROW = WIDE, NARROW
_NBC = NBC_ROW
_FIXED, _PARTS = int(Prefix.FIXED), int(Prefix.PARTS)
_SPACE = 0x20
_FIRST = 4096
_GAP = 2
"""Zero bytes between two cells: no detector reads over them."""


class Wanted:
    """One column that masking reads: its place in the row, how its text is written, and what reads it otherwise.

    `read` gives a value's text in UTF-8, or whatever a detector should see of it. Where `padded`, spaces at its end
    are none of it.
    """

    def __init__(self, column: int, written: int, read: Callable[[bytes], bytes], padded: bool = False) -> None:
        self.column = column
        self.written = written
        self.read = read
        self.padded = padded


class RowCells:
    """A run of rows. `starts` has where each begins, and where the last ends; the others have two numbers a cell.

    `spans` are where its value begins and ends in `buffer`, its length included; `places` where its text begins in
    `text` and how long it is, -1 for NULL: what `Cells` takes.
    """

    def __init__(self, plan: RowPlan, wanted: Sequence[Wanted], buffer: bytes, rows: int) -> None:
        self.plan = plan
        self.wanted = tuple(wanted)
        self.buffer = buffer
        self.rows = rows
        self.starts = array("q", (0,)) * (rows + 1)
        self.spans = array("q", (0,)) * (2 * rows * len(self.wanted))
        self.places = array("q", (0,)) * (2 * rows * len(self.wanted))
        self._text = bytearray(_FIRST)
        self._used = 0

    @property
    def text(self) -> bytes:
        """What masking reads."""
        return bytes(self._text[: self._used])

    def read(self, position: int) -> None:
        """Read the rows from `position` on; the caller has seen that they are whole."""
        data, plan, starts, spans = self.buffer, self.plan, self.starts, self.spans
        stop = len(self.buffer)
        columns = array("q", [one.column for one in self.wanted] + [plan.count])
        wanted = columns
        cell = 0
        for row in range(self.rows):
            starts[row] = position
            bitmap = 0
            at = position + 1
            if data[position] == _NBC:
                bitmap = at
                at += plan.bitmap
            place = 0
            for column in range(plan.count):
                begin = at
                null = bitmap and data[bitmap + (column >> 3)] >> (column & 7) & 1
                if not null:
                    at = value_end(plan, data, column, at, stop)
                if wanted[place] == column:
                    spans[2 * cell], spans[2 * cell + 1] = begin, at
                    self._cell(cell, place, column, begin, begin if null else at)
                    cell += 1
                    place += 1
            position = at
        starts[self.rows] = position

    def _cell(self, cell: int, place: int, column: int, begin: int, end: int) -> None:
        """Write out what masking reads of the value from `begin` to `end`; NULL where these are the same."""
        data, places, plan = self.buffer, self.places, self.plan
        form = plan.prefixes[column]
        self._gap()
        places[2 * cell] = self._used
        places[2 * cell + 1] = -1
        if begin == end:
            return
        if form == _PARTS:
            if begin + 8 < end:
                self._put_together(cell, place, begin + 8, end)
            return
        if form != _FIXED:
            head = head_end(data, form, begin, end)
            if value_size(data, form, begin, head) < 0:
                return
            begin = head
        self._write(self.buffer, place, begin, end)
        places[2 * cell + 1] = self._used - places[2 * cell]

    def _put_together(self, cell: int, place: int, begin: int, end: int) -> None:
        """Write out a value in parts: one whole from where it is, several put together first."""
        data, places = self.buffer, self.places
        size = uint32(data, begin)
        if begin + 4 + size + 4 >= end:
            self._write(self.buffer, place, begin + 4, begin + 4 + size)
        else:
            whole = joined(self.buffer, begin)
            self._write(whole, place, 0, len(whole))
        places[2 * cell + 1] = self._used - places[2 * cell]

    def _write(self, source: bytes, place: int, begin: int, end: int) -> None:
        """Write out one value in UTF-8."""
        wanted: Wanted = self.wanted[place]
        if wanted.written == _WIDE:
            self._wide(source, begin, end)
        elif wanted.written != _NARROW or not self._ascii(source, begin, end):
            shown = wanted.read(source[begin:end])
            size = len(shown)
            self._room(size)
            memory.copy(self._text, self._used, shown, 0, size)
            self._used += size
        if wanted.padded:
            text = self._text
            while text[self._used - 1] == _SPACE:
                self._used -= 1

    def _ascii(self, source: bytes, begin: int, end: int) -> bool:
        """Copy what is ASCII; false where something else is in it, and nothing was copied."""
        data = source
        high = 0
        for at in range(begin, end):
            high |= data[at]
        if high > 127:
            return False
        self._room(end - begin)
        memory.copy(self._text, self._used, source, begin, end - begin)
        self._used += end - begin
        return True

    def _wide(self, source: bytes, begin: int, end: int) -> None:
        """Write UTF-16 as UTF-8. Half a surrogate pair, or half a unit, gives what is not UTF-8."""
        self._room((end - begin) // 2 * 3 + 4)
        data, text = source, self._text
        used = self._used
        at = begin
        while at + 1 < end:
            unit = data[at] | data[at + 1] << 8
            at += 2
            if unit < 0x80:
                text[used] = unit
                used += 1
                continue
            if unit & 0xFC00 == 0xD800 and at + 1 < end and data[at + 1] & 0xFC == 0xDC:
                unit = 0x10000 + ((unit & 0x3FF) << 10 | (data[at] | data[at + 1] << 8) & 0x3FF)
                at += 2
                text[used] = 0xF0 | unit >> 18
                text[used + 1] = 0x80 | unit >> 12 & 0x3F
                used += 2
            elif unit < 0x800:
                text[used] = 0xC0 | unit >> 6
                text[used + 1] = 0x80 | unit & 0x3F
                used += 2
                continue
            else:
                text[used] = 0xE0 | unit >> 12
                used += 1
            text[used] = 0x80 | unit >> 6 & 0x3F
            text[used + 1] = 0x80 | unit & 0x3F
            used += 2
        if at < end:
            text[used] = 0xFF
            used += 1
        self._used = used

    def _gap(self) -> None:
        self._room(_GAP)
        text = self._text
        text[self._used] = text[self._used + 1] = 0
        self._used += _GAP

    def _room(self, size: int) -> None:
        """See to it that `size` more bytes fit."""
        missing = self._used + size - len(self._text)
        if missing > 0:
            self._text.extend(bytes(max(missing, len(self._text))))


def joined(buffer: bytes, at: int) -> bytes:
    """Return a value whose parts begin at `at` in one piece.

    Raises:
        Malformed: they do not end in the buffer.
    """
    parts: list[bytes] = []
    while at + 4 <= len(buffer):
        size = int.from_bytes(buffer[at : at + 4], "little")
        at += 4
        if size == 0:
            return b"".join(parts)
        parts.append(buffer[at : at + size])
        at += size
    raise Malformed("a value in parts without its end")
