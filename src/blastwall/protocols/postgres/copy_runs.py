r"""Runs of COPY's rows, in the text format that PostgreSQL writes unless asked otherwise: taken apart and written anew.

A row is plain if none of its values holds an escape: then values stand there as they are, and `\N` is NULL. A run ends
before the first row that is not plain, or is none; the ordinary way reads it. The compiled twin is typed by
`copy_runs.pxd`.
"""

from __future__ import annotations

from array import array

from blastwall.masking.fast.cells import KEPT, Cells
from blastwall.protocols.postgres.runs import uint32
from blastwall.wire import memory

_HEADER, _LENGTH = 5, 4
_DATA, _TAB, _LINE, _BACKSLASH, _N = 0x64, 0x09, 0x0A, 0x5C, 0x4E
_KEPT = KEPT
_ESCAPED = {0x08: b"b", 0x0C: b"f", 0x0A: b"n", 0x0D: b"r", 0x09: b"t", 0x0B: b"v", 0x5C: b"\\"}
_ESCAPES = bytes(_ESCAPED[byte][0] if byte in _ESCAPED else 0 for byte in range(256))
"""What stands behind the backslash for a byte that is escaped, 0 for any other."""


def plain_rows(buffer: bytes, position: int, columns: int) -> tuple[int, int]:
    """Return where the run of whole plain rows of so many values at `position` ends, and how many they are."""
    data, size = buffer, len(buffer)
    rows = 0
    while size - position > _HEADER and data[position] == _DATA:
        length = uint32(buffer, position + 1)
        stop = position + 1 + length
        if (
            length <= _LENGTH
            or length > size - position - 1
            or not _is_plain(buffer, position + _HEADER, stop, columns)
        ):
            break
        position = stop
        rows += 1
    return position, rows


def _is_plain(buffer: bytes, at: int, stop: int, columns: int) -> bool:
    r"""Whether what stands before `stop` is one line of so many values, with no backslash but that of `\N`."""
    data, last = buffer, stop - 1
    begin, tabs = at, 0
    while at < last:
        byte = data[at]
        if byte == _TAB:
            tabs += 1
            begin = at + 1
        elif byte == _LINE:
            return False
        elif byte == _BACKSLASH:
            if at > begin or at + 1 >= last or data[at + 1] != _N or (at + 2 < last and data[at + 2] != _TAB):
                return False
            at += 1
        at += 1
    return data[last] == _LINE and tabs + 1 == columns


def copy_places(buffer: bytes, position: int, rows: int, wanted: tuple[int, ...]) -> array[int]:
    """Return where the values of some columns, ascending, stand in so many plain rows from `position` on.

    Row by row, two numbers a value: where it begins and how long it is, -1 for NULL.
    """
    data = buffer
    places = array("q", (0,)) * (2 * rows * len(wanted))
    view = places
    place = 0
    for _ in range(rows):
        stop = position + 1 + uint32(buffer, position + 1)
        at = position + _HEADER
        column = 0
        for index in wanted:
            while column < index:
                at = memory.find(data, _TAB, at, stop) + 1
                column += 1
            end = memory.find(data, _TAB, at, stop)
            if end < 0:
                end = stop - 1
            null = end - at == 2 and data[at] == _BACKSLASH
            view[place], view[place + 1] = at, -1 if null else end - at
            place += 2
        position = stop
    return places


def copy_spliced(buffer: bytes, position: int, end: int, cells: Cells) -> bytes:
    """Write the rows from `position` to `end` anew, with what is shown in the place of their cells."""
    data, places, shown, columns = buffer, cells.places, cells.shown, cells.columns
    written = bytearray(end - position + _growth(cells))
    target = written
    begin = place = 0
    while position < end:
        stop = position + 1 + uint32(buffer, position + 1)
        kept, at = position, begin
        for _ in range(columns):
            if shown[place + 1] != _KEPT:
                memory.copy(target, at, data, kept, places[place] - kept)
                at = _put(written, at + places[place] - kept, cells, place)
                kept = places[place] + _raw_size(places[place + 1])
            place += 2
        memory.copy(target, at, data, kept, stop - kept)
        at += stop - kept
        size = at - begin - 1
        for part in range(4):
            target[begin + 1 + part] = size >> (24 - 8 * part) & 255
        begin = at
        position = stop
    return bytes(written)


def _growth(cells: Cells) -> int:
    """Return by how many bytes what is shown, with its escapes, is longer than what was there."""
    places, shown = cells.places, cells.shown
    data, escapes = cells.text, _ESCAPES
    grown = 0
    for place in range(0, 2 * cells.count, 2):
        if shown[place + 1] == _KEPT:
            continue
        grown += _raw_size(shown[place + 1]) - _raw_size(places[place + 1])
        for at in range(shown[place], shown[place] + max(shown[place + 1], 0)):
            grown += escapes[data[at]] != 0
    return grown


def _raw_size(size: int) -> int:
    r"""How many bytes a value takes that needs no escapes; NULL is `\N`."""
    return 2 if size < 0 else size


def _put(written: bytearray, at: int, cells: Cells, place: int) -> int:
    """Write what is shown in the place of one cell; return where it ends."""
    target, data, escapes, shown = written, cells.text, _ESCAPES, cells.shown
    if shown[place + 1] < 0:
        target[at] = _BACKSLASH
        target[at + 1] = _N
        return at + 2
    for place_ in range(shown[place], shown[place] + shown[place + 1]):
        byte = data[place_]
        if escapes[byte]:
            target[at] = _BACKSLASH
            at += 1
            byte = escapes[byte]
        target[at] = byte
        at += 1
    return at
