"""Columns that are hidden in every row, in the styles that need no object a value; each says what `styles` says."""

from __future__ import annotations

from blastwall.masking.fast.cells import KEPT, NULL, Cells
from blastwall.masking.fast.hits import Hits
from blastwall.masking.fast.ibans import iban_end
from blastwall.masking.fast.numbers import find_cards
from blastwall.masking.fast.parts import add_address, add_iban, add_last, add_tail

_KEPT, _NULL = KEPT, NULL
_AT, _BRACE, _DOT = 0x40, 0x7D, 0x2E
_LONGEST, _LONGEST_LOCAL = 200, 60
_FEWEST_DIGITS = 13
_ODD = bytes(byte >= 128 or byte in b"@%&\\" for byte in range(256))
"""What may make an address, an escape, or a character that is read as another: the style itself is asked."""


def hide_as(
    cells: Cells, column: int, constant: bytes | None, for_null: bytes | None, arrays: bool
) -> tuple[int, list[int]]:
    """Show the same in the place of each value of a column, and `for_null`, if anything, in that of NULL.

    Returns how many cells are hidden, and those of them that have yet to be: where `arrays`, what may be an array.
    """
    buffer = cells.buffer
    data, places, shown = buffer, cells.places, cells.shown
    begin = 0 if constant is None else cells.write(constant)
    size = _NULL if constant is None else len(constant)
    null_begin = 0 if for_null is None else cells.write(for_null)
    null_size = _KEPT if for_null is None else len(for_null)
    hidden = 0
    waiting: list[int] = []
    cell, step, count = column, cells.columns, cells.count
    while cell < count:
        length = places[2 * cell + 1]
        if length < 0:
            shown[2 * cell], shown[2 * cell + 1] = null_begin, null_size
            hidden += for_null is not None
        elif arrays and length and data[places[2 * cell] + length - 1] == _BRACE:
            waiting.append(cell)
        else:
            shown[2 * cell], shown[2 * cell + 1] = begin, size
            hidden += 1
        cell += step
    return hidden + len(waiting), waiting


def hide_in_part(cells: Cells, column: int) -> tuple[int, list[int]]:
    """Show the harmless part of each value of a column; NULL stays.

    Returns how many cells are hidden, and those of them that have yet to be: the style itself must be asked.
    """
    places, shown, hits = cells.places, cells.shown, Hits()
    hidden = 0
    waiting: list[int] = []
    cell, step, count = column, cells.columns, cells.count
    while cell < count:
        start, length = places[2 * cell], places[2 * cell + 1]
        if length >= 0:
            begin = cells.used
            hidden += 1
            if _add_part(cells, start, start + length, hits):
                shown[2 * cell], shown[2 * cell + 1] = begin, cells.used - begin
            else:
                waiting.append(cell)
        cell += step
    return hidden, waiting


def plain_address(buffer: bytes, start: int, stop: int) -> int:
    """Return where the at-sign stands in `local@domain`, both of letters, digits and single dots, 0 if in doubt."""
    data = buffer
    if stop - start > _LONGEST:
        return 0
    at = start
    while at < stop and (_word(data[at]) or (data[at] == _DOT and at > start and data[at - 1] != _DOT)):
        at += 1
    if at - start < 2 or at == stop or data[at] != _AT or data[at - 1] == _DOT or at - start > _LONGEST_LOCAL:
        return 0
    place = label = at + 1
    dots = 0
    while place < stop and (_word(data[place]) or data[place] == _DOT):
        if data[place] == _DOT:
            if place == label:
                return 0
            dots += 1
            label = place + 1
        place += 1
    if place < stop or not dots or stop - label < 2:
        return 0
    while label < stop and 97 <= data[label] | 32 <= 122:
        label += 1
    return at if label == stop else 0


def _add_part(cells: Cells, start: int, stop: int, hits: Hits) -> bool:
    """Add what is shown of a value; False where the style itself must be asked."""
    buffer = cells.buffer
    at = plain_address(buffer, start, stop)
    if at:
        add_address(cells, start, at, stop)
        return True
    data, odd, digits = buffer, _ODD, 0
    for place in range(start, stop):
        if odd[data[place]]:
            return False
        digits += 48 <= data[place] <= 57
    if stop > start and data[stop - 1] == _BRACE:
        return False
    hits.count = 0
    if digits >= _FEWEST_DIGITS and not find_cards(buffer, start, stop, hits, 0):
        return False
    if hits.count and hits.spans[0] == start and hits.spans[1] == stop:
        add_last(cells, stop, 0)
    elif stop > start and 97 <= data[start] | 32 <= 122 and iban_end(buffer, start, stop) == stop:
        add_iban(cells, start, stop)
    else:
        add_tail(cells, start, stop)
    return True


def _word(byte: int) -> bool:
    """A letter or a digit."""
    return 97 <= byte <= 122 or 48 <= byte <= 57 or 65 <= byte <= 90
