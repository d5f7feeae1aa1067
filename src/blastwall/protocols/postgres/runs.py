"""Whole rows, a run of them at a time: found, taken apart and written anew, without an object a row or a value.

Source: PostgreSQL documentation, "Message Formats", DataRow. The compiled twin is typed by `runs.pxd`.
"""

from __future__ import annotations

from array import array

from blastwall.masking.fast.cells import KEPT, Cells
from blastwall.wire import memory
from blastwall.wire.reader import Malformed

_HEADER = 5
_KEPT = KEPT


def run_of_rows(buffer: bytes, position: int, kind: int) -> tuple[int, int]:
    """Return where the whole messages of `kind` that begin at `position` end, and how many they are."""
    data = buffer
    size = len(buffer)
    rows = 0
    while size - position >= _HEADER and data[position] == kind:
        at = position + 1
        length = uint32(buffer, at)
        if length > size - at or length < 6:
            break
        position = at + length
        rows += 1
    return position, rows


def places_of(buffer: bytes, position: int, rows: int, wanted: tuple[int, ...], width: int) -> array[int]:
    """Return where the values of some columns, ascending, stand in so many whole rows from `position` on.

    Row by row, two numbers a value: where it begins and how long it is, -1 for NULL.

    Raises:
        Malformed: a row is not one of `width` values.
    """
    data = buffer
    places = array("q", (0,)) * (2 * rows * len(wanted))
    view = places
    place = 0
    for _ in range(rows):
        at = position + 1
        stop = at + uint32(buffer, at)
        if data[position + 5] << 8 | data[position + 6] != width:
            raise Malformed("a row of another width than its description")
        at = position + 7
        column = 0
        for index in wanted:
            at = skip(buffer, at, index - column, stop)
            length = length_at(buffer, at, stop)
            at += 4
            view[place], view[place + 1] = at, length
            place += 2
            at += max(length, 0)
            column = index + 1
        if skip(buffer, at, width - column, stop) != stop:
            raise Malformed("bytes after a row's end")
        position = stop
    return places


def spliced(buffer: bytes, position: int, end: int, cells: Cells) -> bytes:
    """Write the rows from `position` to `end` anew, with what is shown in the place of their cells."""
    data, text, columns = buffer, cells.text, cells.columns
    places, shown = cells.places, cells.shown
    written = bytearray(end - position + _growth(cells))
    target = written
    begin = place = 0
    while position < end:
        stop = position + 1 + uint32(buffer, position + 1)
        kept = position
        at = begin
        for _ in range(columns):
            size = shown[place + 1]
            if size != _KEPT:
                value = places[place] - 4
                memory.copy(target, at, data, kept, value - kept)
                at = _put(target, at + value - kept, size, text, shown[place])
                kept = value + 4 + max(places[place + 1], 0)
            place += 2
        memory.copy(target, at, data, kept, stop - kept)
        at += stop - kept
        _put_length(target, begin + 1, at - begin - 1)
        begin = at
        position = stop
    return bytes(written)


def _growth(cells: Cells) -> int:
    """Return by how many bytes what is shown is longer than what was there."""
    places, shown = cells.places, cells.shown
    grown = 0
    for place in range(1, 2 * cells.count, 2):
        if shown[place] != _KEPT:
            grown += max(shown[place], 0) - max(places[place], 0)
    return grown


def _put(target: bytearray, at: int, size: int, text: bytearray, begin: int) -> int:
    """Write one value behind its length, -1 for NULL; return where it ends."""
    _put_length(target, at, size)
    if size > 0:
        memory.copy(target, at + 4, text, begin, size)
    return at + 4 + max(size, 0)


def _put_length(target: bytearray, at: int, size: int) -> None:
    data = target
    data[at] = size >> 24 & 255
    data[at + 1] = size >> 16 & 255
    data[at + 2] = size >> 8 & 255
    data[at + 3] = size & 255


def uint32(buffer: bytes, at: int) -> int:
    """Return four bytes as a number; the caller has seen to it that they are there."""
    data = buffer
    value = data[at]
    value = value << 8 | data[at + 1]
    value = value << 8 | data[at + 2]
    return value << 8 | data[at + 3]


def skip(buffer: bytes, at: int, count: int, stop: int) -> int:
    """Return where the value after `count` more values begins."""
    while count > 0:
        length = length_at(buffer, at, stop)
        at += 4 + length if length > 0 else 4
        count -= 1
    return at


def length_at(buffer: bytes, at: int, stop: int) -> int:
    """Return the length of the value at `at`, -1 for NULL.

    Raises:
        Malformed: it does not end before `stop`.
    """
    if at + 4 > stop:
        raise Malformed("a row that ends too early")
    length = uint32(buffer, at)
    if length == 0xFFFFFFFF:
        return -1
    if length > stop - at - 4:
        raise Malformed("a row that ends too early")
    return length
