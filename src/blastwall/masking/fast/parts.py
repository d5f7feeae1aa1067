"""The harmless part of a value, added to what is shown; each says what `styles` says of plain ASCII."""

from __future__ import annotations

from blastwall.masking.fast.cells import Cells
from blastwall.wire import memory

_STAR = 0x2A
_SHOWN_AT_MOST, _NOTHING_SHOWN_BELOW = 4, 8
_ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SAFE = bytes(byte in _ALNUM + b"._-" for byte in range(256))


def add_address(cells: Cells, start: int, at: int, stop: int) -> None:
    """Add the first character, where there are more before the at-sign, and the domain."""
    data, safe = cells.buffer, _SAFE
    cells.make_room(stop - at + 4)
    text, used = cells.text, cells.used
    if at - start > 1 and safe[data[start]]:
        text[used] = data[start]
        used += 1
    memory.copy(text, used, b"***", 0, 3)
    memory.copy(text, used + 3, data, at, stop - at)
    cells.used = used + 3 + stop - at


def add_tail(cells: Cells, start: int, stop: int) -> None:
    """Add stars and a little of the end; what is not safe everywhere is a star too."""
    data, safe = cells.buffer, _SAFE
    cells.make_room(8)
    text, used = cells.text, cells.used + 4
    size = stop - start
    tail = min(_SHOWN_AT_MOST, size >> 2) if size >= _NOTHING_SHOWN_BELOW else 0
    memory.copy(text, used - 4, b"****", 0, 4)
    for place in range(stop - tail, stop):
        text[used] = data[place] if safe[data[place]] else _STAR
        used += 1
    cells.used = used


def add_iban(cells: Cells, start: int, stop: int) -> None:
    """Add the country and the last four letters or digits, in capitals."""
    data, second = cells.buffer, start + 1
    while not 97 <= data[second] | 32 <= 122:
        second += 1
    cells.make_room(2)
    text, used = cells.text, cells.used
    text[used] = data[start] & 0xDF
    text[used + 1] = data[second] & 0xDF
    cells.used = used + 2
    add_last(cells, stop, 1)


def add_last(cells: Cells, stop: int, letters: int) -> None:
    """Add stars and the last four digits before `stop`, or letters and digits, which there must be."""
    data = cells.buffer
    cells.make_room(8)
    text, used = cells.text, cells.used + 4
    memory.copy(text, used - 4, b"****", 0, 4)
    place, missing = stop, 4
    while missing:
        place -= 1
        byte = data[place]
        if 48 <= byte <= 57:
            missing -= 1
            text[used + missing] = byte
        elif letters and 97 <= byte | 32 <= 122:
            missing -= 1
            text[used + missing] = byte & 0xDF
    cells.used = used + 4
