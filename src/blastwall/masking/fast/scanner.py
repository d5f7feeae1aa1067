"""Columns that detectors read: what is plain is decided here, cell by cell; of the rest it is said that it is in doubt.

Decided is plain ASCII without escapes, by finders that equal their models (`addresses`, `numbers`, `ibans`); for the
other detectors only that nothing can be found. Hits that overlap are in doubt too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

from blastwall.masking.fast.addresses import find_emails
from blastwall.masking.fast.cells import NULL, Cells
from blastwall.masking.fast.hits import Hits
from blastwall.masking.fast.ibans import find_ibans
from blastwall.masking.fast.numbers import find_cards, find_ssns
from blastwall.masking.fast.parts import add_address, add_iban, add_last, add_tail
from blastwall.masking.fast.secrets import SIGNS, may_hold_secret
from blastwall.wire import memory

_NULL = NULL
_SHORTEST = 4
_DIGITS_CARD, _DIGITS_SSN, _DIGITS_PHONE, _DIGITS_IBAN = 13, 9, 8, 2
_AT, _SIGN, _ODD, _TELLING = 1, 2, 4, 8
_PERCENT, _AMPERSAND, _AT_SIGN = 0x25, 0x26, 0x40
_ASKED, _ADDRESS, _CARD, _IBAN, _SSN = range(5)
_IN_PART = {"email": _ADDRESS, "card": _CARD, "iban": _IBAN, "us_ssn": _SSN}


def _marks(secrets: bool) -> bytes:
    """What each byte may be the sign of; `_TELLING` are those without which no secret is found."""
    return bytes(
        _AT * (byte == 0x40)
        | _SIGN * (byte in (_PERCENT, _AMPERSAND))
        | _ODD * (byte >= 128 or byte == 0x5C)
        | _TELLING * (secrets and byte in SIGNS)
        for byte in range(256)
    )


class Arm(NamedTuple):
    """One detector, the number of its rule, and what is shown of a hit: `constant`, or what `show` says, or nothing.

    Where it is nothing, the whole cell is NULL. `in_part` says that `show` gives a harmless part.
    """

    name: str
    rule: int
    constant: bytes | None
    show: Callable[[bytes], bytes] | None
    in_part: bool


class Scanner:
    """The detectors of one set of rules. Holds no state of a result."""

    def __init__(self, arms: Sequence[Arm]) -> None:
        place = {arm.name: number for number, arm in enumerate(arms)}
        self.email, self.card = place.get("email", -1), place.get("card", -1)
        self.iban, self.ssn = place.get("iban", -1), place.get("us_ssn", -1)
        self.phone = "phone" in place
        self.secrets = not place.keys() <= {"email", "card", "iban", "us_ssn", "phone"}
        self.marks = _marks(self.secrets)
        self.rules = [arm.rule for arm in arms]
        self.constants = [arm.constant for arm in arms]
        self.shows = [arm.show for arm in arms]
        self.parts = bytes(_IN_PART.get(arm.name, _ASKED) if arm.in_part else _ASKED for arm in arms)

    def scan(self, cells: Cells, column: int, text: bool, counts: array[int], begins: int = -1) -> list[int]:
        """Hide what is found in the cells of a column; return those that are in doubt.

        Where not `text`, a cell with anything in it is. `begins` is the byte with which values begin that are read as
        what they are; of others (256: of all; -1: of none) is in doubt what has the digits of a number. Adds to
        `counts` the number of cells in which each rule hid something.
        """
        buffer, places, hits = cells.buffer, cells.places, Hits()
        data = buffer
        doubtful: list[int] = []
        cell, step, count = column, cells.columns, cells.count
        while cell < count:
            length = places[2 * cell + 1]
            if length >= _SHORTEST:
                start = places[2 * cell]
                sure = self._find(buffer, start, start + length, hits)
                if begins >= 0 and data[start] != begins:
                    sure = sure and not self._has_digits(buffer, start, start + length)
                if not sure or (hits.count and not text):
                    doubtful.append(cell)
                elif hits.count:
                    self._hide(cells, cell, hits, counts)
            cell += step
        return doubtful

    def scan_numbers(self, cells: Cells, column: int, counts: array[int]) -> list[int]:
        """Make cards NULL in a column of numbers as text; return the cells that are in doubt."""
        buffer, places, shown, hits = cells.buffer, cells.places, cells.shown, Hits()
        doubtful: list[int] = []
        cell, step, count, rule = column, cells.columns, cells.count, self.rules[self.card]
        while cell < count:
            start, length = places[2 * cell], places[2 * cell + 1]
            hits.count = 0
            sure = length < _DIGITS_CARD or find_cards(buffer, start, start + length, hits, 0)
            if not sure or (hits.count and _features(buffer, start, start + length, self.marks) & _ODD):
                doubtful.append(cell)
            elif hits.count:
                shown[2 * cell + 1] = _NULL
                counts[rule] += 1
            cell += step
        return doubtful

    def _find(self, buffer: bytes, start: int, stop: int, hits: Hits) -> bool:
        """Find what detectors find in one cell, in order; False where that is in doubt."""
        hits.count = 0
        features = _features(buffer, start, stop, self.marks)
        digits = features >> 4
        if features & _ODD or (self.phone and digits >= _DIGITS_PHONE):
            return False
        if features & _TELLING and may_hold_secret(buffer, start, stop):
            return False
        if self.email >= 0 and features & _SIGN and has_written_sign(buffer, start, stop):
            return False
        if self.email >= 0 and features & _AT and not find_emails(buffer, start, stop, hits, self.email):
            return False
        if digits >= _DIGITS_SSN and self.ssn >= 0 and not find_ssns(buffer, start, stop, hits, self.ssn):
            return False
        if digits >= _DIGITS_CARD and self.card >= 0 and not find_cards(buffer, start, stop, hits, self.card):
            return False
        if digits >= _DIGITS_IBAN and self.iban >= 0 and not find_ibans(buffer, start, stop, hits, self.iban):
            return False
        return hits.count <= 1 or hits.in_order()

    def _has_digits(self, buffer: bytes, start: int, stop: int) -> bool:
        """Whether a cell has as many digits as a number that is looked for."""
        digits = _features(buffer, start, stop, self.marks) >> 4
        return (self.card >= 0 and digits >= _DIGITS_CARD) or (self.ssn >= 0 and digits >= _DIGITS_SSN)

    def _hide(self, cells: Cells, cell: int, hits: Hits, counts: array[int]) -> None:
        """Show a cell with its hits hidden."""
        places, shown, spans = cells.places, cells.shown, hits.spans
        position = places[2 * cell]
        stop, begin, seen, vanishes = position + places[2 * cell + 1], cells.used, 0, False
        for number in range(hits.count):
            by = spans[3 * number + 2]
            cells.keep(position, spans[3 * number])
            position = spans[3 * number + 1]
            if self.parts[by] == _ASKED:
                vanishes = not self._write(cells, by, spans[3 * number], position) or vanishes
            else:
                _add_part(cells, self.parts[by], spans[3 * number], position)
            rule = self.rules[by]
            counts[rule] += not seen >> rule & 1
            seen |= 1 << rule
        cells.keep(position, stop)
        shown[2 * cell], shown[2 * cell + 1] = begin, _NULL if vanishes else cells.used - begin

    def _write(self, cells: Cells, by: int, start: int, stop: int) -> bool:
        """Write what is shown of a hit; False where nothing may be."""
        constant, show = self.constants[by], self.shows[by]
        if constant is not None:
            cells.write(constant)
        elif show is not None:
            cells.write(show(cells.buffer[start:stop]))
        return constant is not None or show is not None


def _add_part(cells: Cells, part: int, start: int, stop: int) -> None:
    """Add the harmless part of a hit."""
    if part == _ADDRESS:
        add_address(cells, start, memory.find(cells.buffer, _AT_SIGN, start, stop), stop)
    elif part == _CARD:
        add_last(cells, stop, 0)
    elif part == _IBAN:
        add_iban(cells, start, stop)
    else:
        add_tail(cells, start, stop)


def _features(buffer: bytes, start: int, stop: int, marks: bytes) -> int:
    """Return what some bytes are marked as, and in steps of 16 how many are digits."""
    data, table = buffer, marks
    seen, digits = 0, 0
    for place in range(start, stop):
        seen |= table[data[place]]
        digits += 48 <= data[place] <= 57
    return digits << 4 | seen


def has_written_sign(buffer: bytes, start: int, stop: int) -> bool:
    """Whether an at-sign may be written as `%40` or `&#64;`."""
    data = buffer
    for place in range(start, stop - 2):
        if data[place] == _PERCENT and data[place + 1] == 0x34 and data[place + 2] == 0x30:
            return True
        if data[place] == _AMPERSAND and data[place + 1] == 0x23:
            return True
    return False
