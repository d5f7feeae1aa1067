"""IBANs in plain ASCII, as `detectors.find_ibans` finds them; see `addresses` for the form."""

from __future__ import annotations

from blastwall.masking.fast.hits import Hits
from blastwall.masking.iban import LENGTHS, SHAPES

_FEWEST = 15
_GAPS = 3
_WIDTH = 32
_NONE, _SEPARATOR, _DIGIT, _LETTER = 0, 1, 2, 4
_CLASS = bytes(
    _DIGIT
    if byte in b"0123456789"
    else _LETTER
    if byte | 32 in b"abcdefghijklmnopqrstuvwxyz"
    else _SEPARATOR
    if 0 < byte < 128
    else _NONE
    for byte in range(256)
)
_WANTED = {b"[0-9]": _DIGIT, b"[A-Z]": _LETTER, b"[A-Z0-9]": _DIGIT | _LETTER}


def _country(code: bytes) -> int:
    return 26 * (code[0] - 65) + code[1] - 65


def _table() -> bytes:
    """Two letters to a length, then to what each character after the check digits may be, `_WIDTH` bytes a country."""
    table = bytearray(26 * 26 * _WIDTH)
    for code, shape in SHAPES.items():
        row = bytes((LENGTHS[code], *(_WANTED[one] for one in shape)))
        table[_WIDTH * _country(code) : _WIDTH * _country(code) + len(row)] = row
    return bytes(table)


_COUNTRIES = _table()


def find_ibans(buffer: bytes, start: int, stop: int, hits: Hits, by: int) -> bool:
    """Find IBANs wherever they begin, with or without separators; where two overlap, this is in doubt."""
    data, classes = buffer, _CLASS
    low = at = start
    while stop - at >= _FEWEST:
        end = iban_end(buffer, at, stop) if classes[data[at]] == _LETTER else 0
        if end:
            if at < low or not hits.note(at, end, by):
                return False
            low = end
        at += 1
    return True


def iban_end(buffer: bytes, at: int, stop: int) -> int:
    """Return where an IBAN ends that begins with the letter at `at`, 0 where there is none."""
    data, classes, countries = buffer, _CLASS, _COUNTRIES
    second = next_character(buffer, at + 1, stop)
    if second == 0 or classes[data[second]] != _LETTER:
        return 0
    third = next_character(buffer, second + 1, stop)
    if third == 0 or classes[data[third]] != _DIGIT:
        return 0
    place = next_character(buffer, third + 1, stop)
    if place == 0 or classes[data[place]] != _DIGIT:
        return 0
    one, two = (data[at] & 0xDF) - 65, (data[second] & 0xDF) - 65
    check = 10 * (data[third] - 48) + data[place] - 48
    row = _WIDTH * (26 * one + two)
    length = countries[row]
    if length == 0 or not 2 <= check <= 98:
        return 0
    rest = 0
    for index in range(length - 4):
        place = next_character(buffer, place + 1, stop)
        if place == 0 or not classes[data[place]] & countries[row + 1 + index]:
            return 0
        value = data[place] - 48 if data[place] <= 57 else (data[place] & 0xDF) - 55
        rest = (rest * (10 if value < 10 else 100) + value) % 97
    rest = (rest * 100 + one + 10) % 97
    return place + 1 if ((rest * 100 + two + 10) * 100 + check) % 97 == 1 else 0


def next_character(buffer: bytes, at: int, stop: int) -> int:
    """Return where the next letter or digit stands behind at most three separators, 0 where there is none."""
    data, classes = buffer, _CLASS
    limit = at + _GAPS
    while at < stop and classes[data[at]] == _SEPARATOR and at < limit:
        at += 1
    return at if at < stop and classes[data[at]] > _SEPARATOR else 0
