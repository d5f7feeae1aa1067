"""A run of rows written anew, with what masking shows in the place of their cells.

NULL becomes a text and a text NULL: in NBCROW that is a bit of the row's bitmap (MS-TDS 2.2.7.15). What is shown is cut
to what its column can hold, between characters. The compiled twin is typed by `row_masks.pxd`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blastwall.masking.fast.cells import KEPT, Cells
from blastwall.protocols.tds.row_cells import NARROW, WIDE, RowCells
from blastwall.protocols.tds.row_forms import LENGTHS, NBC_ROW
from blastwall.protocols.tds.types import Prefix
from blastwall.wire import memory

_KEPT = KEPT
_LENGTHS = LENGTHS
_WIDE, _NARROW = WIDE, NARROW
_NBC = NBC_ROW
_FIXED, _SHORT, _LONG = map(int, (Prefix.FIXED, Prefix.SHORT, Prefix.LONG))
_VARIANT, _PARTS, _POINTER = map(int, (Prefix.VARIANT, Prefix.PARTS, Prefix.POINTER))
_NO_POINTER = b"\x10dummy textptr\0\0\0dummyTS\0"
"""What SQL Server sends where there is no pointer into the table: the same to everybody."""
_NO_PARTS = b"\xff" * 8
_SPACE = 0x20


class Shown:
    """How one wanted column is written: its form, how text is, and how many bytes of it there may be.

    Shorter text is filled up with spaces to `least` bytes. Where nothing is written NULL stands; where the form has
    none (FIXED), so many zero bytes as it has. `encode` writes UTF-8 in whatever way is neither UTF-16 nor ASCII.
    """

    def __init__(self, form: int, written: int, most: int, least: int, encode: Callable[[bytes, int], bytes]) -> None:
        self.form = form
        self.written = written
        self.most = most
        self.least = least
        self.encode = encode


class RowWriter:
    """Writes rows anew; `first` is the first of them in which something is hidden."""

    def __init__(self, run: RowCells, cells: Cells, shown: Sequence[Shown]) -> None:
        self.run = run
        self.cells = cells
        self.shown = tuple(shown)
        self.first = self._first()
        self._target = bytearray(4096)
        self._used = 0

    def _first(self) -> int:
        shown, columns = self.cells.shown, len(self.shown)
        for cell in range(self.cells.count):
            if shown[2 * cell + 1] != _KEPT:
                return cell // columns
        return -1

    def written(self) -> bytes:
        """Return the rows from `first` on."""
        run, shown, starts, spans = self.run, self.cells.shown, self.run.starts, self.run.spans
        data = run.buffer
        columns = len(self.shown)
        for row in range(self.first, run.rows):
            begin, kept = self._used, starts[row]
            nbc = data[kept] == _NBC
            for place in range(columns):
                cell = row * columns + place
                size = shown[2 * cell + 1]
                if size == _KEPT:
                    continue
                self._keep(kept, spans[2 * cell])
                kept = spans[2 * cell + 1]
                if nbc:
                    # The bitmap is at the row's head, which was kept before any of its cells.
                    self._mark(begin + 1, run.wanted[place].column, size < 0)
                if not nbc or size >= 0:
                    self._value(place, shown[2 * cell], size)
            self._keep(kept, starts[row + 1])
        return memory.taken(self._target, 0, self._used)

    def _mark(self, bitmap: int, column: int, null: bool) -> None:
        """Say in a row's bitmap whether a column is NULL."""
        target = self._target
        at, bit = bitmap + (column >> 3), 1 << (column & 7)
        target[at] = target[at] | bit if null else target[at] & ~bit & 255

    def _keep(self, start: int, stop: int) -> None:
        """Write a part of the rows as it was."""
        self._room(stop - start)
        memory.copy(self._target, self._used, self.run.buffer, start, stop - start)
        self._used += stop - start

    def _value(self, place: int, start: int, size: int) -> None:
        """Write one value: what is shown from `start` on in so many bytes of UTF-8, NULL where that is less than 0."""
        column: Shown = self.shown[place]
        form = column.form
        if form == _FIXED:
            self._zeros(column.most)
        elif size < 0:
            self._null(form)
        elif form == _PARTS:
            at = self._used
            self._zeros(12)
            self._text(column, start, size)
            length = self._used - at - 12
            self._length(at, length, 4)
            self._length(at + 8, length, 4)
            if length:
                self._zeros(4)
            # Of an empty value the length of its first chunk is the end.
        elif form == _VARIANT:
            self._null(form)
        else:
            if form == _POINTER:
                self._bytes(_NO_POINTER)
            width, at = _LENGTHS[form], self._used
            self._zeros(width)
            self._text(column, start, size)
            self._length(at, self._used - at - width, width)

    def _null(self, form: int) -> None:
        if form == _SHORT:
            self._bytes(b"\xff\xff")
        elif form == _PARTS:
            self._bytes(_NO_PARTS)
        elif form == _VARIANT:
            self._zeros(4)
        elif form == _LONG:
            self._bytes(b"\xff" * 4)
        else:
            self._zeros(1)

    def _text(self, column: Shown, start: int, size: int) -> None:
        """Write a text as its column has it."""
        begin = self._used
        if column.written == _WIDE:
            self._wide(start, size, column.most)
        elif column.written == _NARROW and self._ascii(start, size, column.most):
            pass
        else:
            text = bytes(self.cells.text[start : start + size])
            self._bytes(column.encode(text, column.most))
        self._pad(begin, column)

    def _pad(self, begin: int, column: Shown) -> None:
        missing = column.least - (self._used - begin)
        if missing > 0:
            step = 2 if column.written == _WIDE else 1
            at = self._used
            self._zeros(missing)
            target = self._target
            while at < self._used:
                target[at] = _SPACE
                at += step

    def _ascii(self, start: int, size: int, most: int) -> bool:
        """Write ASCII; false where it is something else."""
        text = self.cells.text
        high = 0
        for at in range(start, start + size):
            high |= text[at]
        if high > 127:
            return False
        size = min(size, most)
        self._room(size)
        memory.copy(self._target, self._used, text, start, size)
        self._used += size
        return True

    def _wide(self, start: int, size: int, most: int) -> None:
        """Write UTF-8 as UTF-16; what is masking's own is well formed, and a character cut short is left out."""
        self._room(2 * size)
        text, target = self.cells.text, self._target
        used = self._used
        limit = used + most
        at, stop = start, start + size
        while at < stop and used + 2 <= limit:
            unit = text[at]
            if unit < 0x80:
                at += 1
            elif (at + 3 > stop and (unit >= 0xE0 or at + 2 > stop)) or (at + 4 > stop and unit >= 0xF0):
                break
            elif unit < 0xE0:
                unit = (unit & 0x1F) << 6 | text[at + 1] & 0x3F
                at += 2
            elif unit < 0xF0:
                unit = (unit & 0x0F) << 12 | (text[at + 1] & 0x3F) << 6 | text[at + 2] & 0x3F
                at += 3
            else:
                if used + 4 > limit:
                    break
                unit = (unit & 7) << 18 | (text[at + 1] & 0x3F) << 12 | (text[at + 2] & 0x3F) << 6 | text[at + 3] & 0x3F
                at += 4
                unit -= 0x10000
                high = 0xD800 | unit >> 10
                target[used] = high & 255
                target[used + 1] = high >> 8
                used += 2
                unit = 0xDC00 | unit & 0x3FF
            target[used] = unit & 255
            target[used + 1] = unit >> 8
            used += 2
        self._used = used

    def _bytes(self, value: bytes) -> None:
        size = len(value)
        self._room(size)
        memory.copy(self._target, self._used, value, 0, size)
        self._used += size

    def _zeros(self, size: int) -> None:
        self._room(size)
        target = self._target
        for at in range(self._used, self._used + size):
            target[at] = 0
        self._used += size

    def _length(self, at: int, length: int, width: int) -> None:
        target = self._target
        for place in range(width):
            target[at + place] = length >> 8 * place & 255

    def _room(self, size: int) -> None:
        """See to it that `size` more bytes fit."""
        missing = self._used + size - len(self._target)
        if missing > 0:
            self._target.extend(bytes(max(missing, len(self._target))))
