"""Payment cards and US social security numbers in plain ASCII, as `detectors` finds them; see `addresses` for the form.

Cards are written whole, with single spaces or single dashes anywhere, in groups of four, as 4-6-5 or as 4-6-4.
"""

from __future__ import annotations

from blastwall.masking.fast.hits import Hits
from blastwall.wire import memory

_SPACE, _DASH, _DOT, _COMMA = 0x20, 0x2D, 0x2E, 0x2C
_FEWEST, _MOST = 13, 19
_ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_GAP = bytes(0 < byte < 128 and byte not in _ALNUM for byte in range(256))
"""What may stand between the groups of a number: anything but letters, digits and the zero byte."""


# ── payment cards ────────────────────────────────────────────────────────────────────────────────────────────────────


def find_cards(buffer: bytes, start: int, stop: int, hits: Hits, by: int) -> bool:
    """Find card numbers; where two overlap that are not the same, this is in doubt."""
    data = buffer
    at = start
    while stop - at >= _FEWEST:
        run = digits_end(buffer, at, stop)
        if run == at:
            at += 1
            continue
        if data[at] >= 0x32 and data[at] != 0x37:
            for form in range(6):
                end = _form_end(form, buffer, start, at, stop)
                if end and is_card(buffer, at, end) and not _note(hits, at, end, by):
                    return False
        at = run
    return True


def _note(hits: Hits, begin: int, end: int, by: int) -> bool:
    """Note a hit that may be the last one again."""
    spans, last = hits.spans, 3 * hits.count - 3
    if last >= 0 and spans[last + 2] == by and begin < spans[last + 1]:
        return spans[last] == begin and spans[last + 1] == end
    return hits.note(begin, end, by)


def _form_end(form: int, buffer: bytes, start: int, at: int, stop: int) -> int:
    """Return where a number of one of the forms ends whose first run of digits begins at `at`, 0 if there is none."""
    if form in (1, 2):
        return _parted_end(buffer, start, at, stop, _SPACE if form == 1 else _DASH)
    run = digits_end(buffer, at, stop)
    if form == 0:
        return run if _FEWEST <= run - at <= _MOST and not _behind(buffer, start, at, _DOT) else 0
    if run - at != 4:
        return 0
    return _threes_end(buffer, start, at, stop) if form == 5 else _fours_end(form == 4, buffer, start, at, stop)


def _parted_end(buffer: bytes, start: int, at: int, stop: int, between: int) -> int:
    """Return the end of 14 to 19 digits with single separators anywhere between them."""
    data = buffer
    if _behind(buffer, start, at, between) or _behind(buffer, start, at, _DOT):
        return 0
    place, digits = at, 0
    while True:
        end = digits_end(buffer, place, stop)
        digits += end - place
        if digits > _MOST:
            return 0
        if end + 1 >= stop or data[end] != between or not 48 <= data[end + 1] <= 57:
            break
        place = end + 1
    return end if digits > _FEWEST else 0


def _fours_end(longer: bool, buffer: bytes, start: int, at: int, stop: int) -> int:
    """Return the end of 4-4-4-1 to 4-4-4-4, or of such a number and up to three digits more."""
    place = at + 4
    for group in range(4 if longer else 3):
        place = gap_end(buffer, place, stop)
        end = digits_end(buffer, place, stop) if place else 0
        size = end - place
        if not place or not (size == 4 if group < 2 else 1 <= size <= (4 if group == 2 else 3)):
            return 0
        place = end
    return 0 if _listed(buffer, start, at, place, stop) else place


def _threes_end(buffer: bytes, start: int, at: int, stop: int) -> int:
    """Return the end of 4-6-4 or 4-6-5, which begin with 3."""
    data = buffer
    second = gap_end(buffer, at + 4, stop) if data[at] == 0x33 else 0
    end = digits_end(buffer, second, stop) if second else 0
    third = gap_end(buffer, end, stop) if end - second == 6 else 0
    if not second or not third:
        return 0
    end = digits_end(buffer, third, stop)
    return end if 4 <= end - third <= 5 and not _listed(buffer, start, at, end, stop) else 0


def _behind(buffer: bytes, start: int, at: int, sign: int) -> bool:
    """Whether a digit and then `sign` stand before `at`."""
    data = buffer
    return at - start >= 2 and data[at - 1] == sign and 48 <= data[at - 2] <= 57


def _listed(buffer: bytes, start: int, at: int, end: int, stop: int) -> bool:
    """Whether it has commas, and further numbers stand behind such."""
    data = buffer
    if memory.find(buffer, _COMMA, at, end) < 0:
        return False
    after = stop - end >= 2 and data[end] == _COMMA and 48 <= data[end + 1] <= 57
    return after or _behind(buffer, start, at, _COMMA)


def is_card(buffer: bytes, at: int, end: int) -> bool:
    """Whether the digits from `at` to before `end` are a number that an issuer could have given out."""
    data = buffer
    total, digits, place = 0, 0, end
    while place > at:
        place -= 1
        value = data[place] - 48
        if 0 <= value <= 9:
            digits += 1
            total += value if digits & 1 else (2 * value if value < 5 else 2 * value - 9)
    if total % 10 or not _FEWEST <= digits <= _MOST:
        return False
    prefix, seen = 0, 0
    while seen < 4:
        if 48 <= data[place] <= 57:
            prefix = 10 * prefix + data[place] - 48
            seen += 1
        place += 1
    return _issued(prefix, digits)


def _issued(prefix: int, digits: int) -> bool:
    """Whether an issuer's numbers begin with these four digits and have so many; see `detectors._ISSUERS`."""
    two, three = prefix // 100, prefix // 10
    if two // 10 == 4:
        return digits in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= prefix <= 2720:
        return digits == 16
    if two in (34, 37):
        return digits == 15
    if 300 <= three <= 305 or three == 309 or two in (36, 38, 39):
        return digits >= 14
    others = 2200 <= prefix <= 2204 or two in (35, 50, 56, 57, 58, 81, 82) or two // 10 == 6 or prefix == 9792
    return others and digits >= 16


# ── US social security numbers ───────────────────────────────────────────────────────────────────────────────────────


def find_ssns(buffer: bytes, start: int, stop: int, hits: Hits, by: int) -> bool:
    """Find numbers written 3-2-4 with the same separator twice."""
    at = start
    while stop - at >= 11:
        run = digits_end(buffer, at, stop)
        if run - at == 3 and _is_ssn(buffer, at, stop) and not hits.note(at, at + 11, by):
            return False
        at = run if run > at else at + 1
    return True


def _is_ssn(buffer: bytes, at: int, stop: int) -> bool:
    """Whether eleven characters from `at`, of which the first three are digits, were given out as a number."""
    data, gaps = buffer, _GAP
    sign = data[at + 3]
    if not gaps[sign] or sign == _COMMA or data[at + 6] != sign:
        return False
    if digits_end(buffer, at + 4, stop) != at + 6 or digits_end(buffer, at + 7, stop) != at + 11:
        return False
    area = 100 * (data[at] - 48) + 10 * (data[at + 1] - 48) + data[at + 2] - 48
    serial = data[at + 7] | data[at + 8] | data[at + 9] | data[at + 10]
    return 0 < area < 900 and area != 666 and data[at + 4] | data[at + 5] != 48 and serial != 48


# ── digits and gaps ──────────────────────────────────────────────────────────────────────────────────────────────────


def digits_end(buffer: bytes, at: int, stop: int) -> int:
    """Return where the run of digits at `at` ends."""
    data = buffer
    while at < stop and 48 <= data[at] <= 57:
        at += 1
    return at


def gap_end(buffer: bytes, at: int, stop: int) -> int:
    """Return where one to three separators from `at` end, 0 where there are none or more."""
    data, gaps = buffer, _GAP
    place = at
    while place < stop and place - at < 4 and gaps[data[place]]:
        place += 1
    return place if 1 <= place - at <= 3 else 0
