"""The cells of a run of rows that a plan concerns, and what is shown in their place."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

from blastwall.wire import memory

KEPT, NULL = -2, -1
_FIRST = 4096
_REMEMBERED = 4096
_SHORT = 256


class Cells:
    """Cells in `buffer`, row by row, the same `columns` of each.

    `places` has two numbers a cell: where its value begins and how long it is, -1 for NULL. `shown` has the same of
    what replaces it: where that begins in `text`, and its length: -1 for NULL, -2 where the value stays as it is.
    `used` is how much of `text` is filled.
    """

    def __init__(self, buffer: bytes, places: array[int], columns: int) -> None:
        self.buffer = buffer
        self.places = places
        self.columns = columns
        self.count = len(places) // 2
        self.shown = array("q", (0, KEPT)) * self.count
        self.text = bytearray(_FIRST)
        self.used = 0

    def make_room(self, size: int) -> None:
        """See to it that `size` more bytes fit into `text`."""
        missing = self.used + size - len(self.text)
        if missing > 0:
            self.text.extend(bytes(max(missing, len(self.text))))

    def write(self, value: bytes) -> int:
        """Write a value into `text` and return where it begins."""
        size = len(value)
        self.make_room(size)
        begin = self.used
        memory.copy(self.text, begin, value, 0, size)
        self.used = begin + size
        return begin

    def keep(self, start: int, stop: int) -> None:
        """Write a part of the buffer into `text` as it is."""
        self.make_room(stop - start)
        memory.copy(self.text, self.used, self.buffer, start, stop - start)
        self.used += stop - start

    def show(self, cell: int, value: bytes | None) -> None:
        """Show a value in the place of a cell's."""
        shown = self.shown
        shown[2 * cell] = 0 if value is None else self.write(value)
        shown[2 * cell + 1] = NULL if value is None else len(value)

    def value(self, cell: int) -> bytes:
        """Return the value of a cell that is not NULL."""
        places = self.places
        start = places[2 * cell]
        return self.buffer[start : start + places[2 * cell + 1]]


def show_each(cells: Cells, wanted: Iterable[int], show: Callable[[bytes], bytes | None]) -> None:
    """Show what `show` says in the place of some cells; of short values, as long as they are few, it is asked once."""
    known: dict[bytes, bytes | None] = {}
    for cell in wanted:
        value = cells.value(cell)
        if value in known:
            cells.show(cell, known[value])
            continue
        shown = show(value)
        cells.show(cell, shown)
        if len(value) <= _SHORT and len(known) < _REMEMBERED:
            known[value] = shown


def filled(cells: Cells, column: int) -> list[int]:
    """Return the cells of a column that are not NULL."""
    places = cells.places
    found: list[int] = []
    cell = column
    while cell < cells.count:
        if places[2 * cell + 1] >= 0:
            found.append(cell)
        cell += cells.columns
    return found
