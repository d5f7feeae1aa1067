"""Telephone numbers: international ones by their country code, national ones where their form gives them away.

E.164 numbers have at most fifteen digits, the country code included. Bare digits without a plus could be any number and
are never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_FEWEST, _MOST = 8, 15
_SEP = rb"[ ./()-]{0,3}"
_INTERNATIONAL = re.compile(
    rb"(?<![0-9A-Za-z+])(?:\+|%2[Bb])[ (]{0,2}[1-9](?:" + _SEP + rb"[0-9]){7,14}(?![0-9])(?!:[0-9])"
)
_INTERNATIONAL_LOOSE = re.compile(rb"(?:\+|%2[Bb])[ (]{0,2}[1-9](?:" + _SEP + rb"[0-9]){7,14}")
_EXIT_CODE = re.compile(
    rb"(?<![0-9A-Za-z+])(?<![0-9][.,-])00[1-9][0-9]{0,2}[ /()-]{1,3}[0-9](?:"
    + _SEP
    + rb"[0-9]){6,12}(?![0-9])(?!:[0-9])"
)
"""`00` before a country code; a separator after it tells it from a number with leading zeros."""

_END = rb"(?![0-9A-Za-z])(?![-./:][0-9A-Za-z])"
_BEGIN = rb"(?<![0-9A-Za-z])(?<![0-9A-Za-z][-./])(?<![0-9][: ])"
_NATIONAL = re.compile(
    _BEGIN + rb"(?:"
    # North America: area code and exchange never begin with 0 or 1
    rb"(?:1[ .-])?(?:\([2-9][0-8][0-9]\) ?[2-9][0-9]{2}[ .-][0-9]{4}|"
    rb"[2-9][0-8][0-9]([.-])[2-9][0-9]{2}\1[0-9]{4})|"
    # France and others: five pairs
    rb"0[1-9](?:([ .-])[0-9]{2})(?:\2[0-9]{2}){3}|"
    # United Kingdom, Germany and others: a trunk 0, an area code, a separator, the rest in groups
    rb"(?:\(0[1-9][0-9]{1,4}\) ?|0[1-9][0-9]{1,4}(?: ?/ ?|[ -]))[0-9]{3,8}(?:[ -][0-9]{2,6}){0,3}"
    rb")" + _END
)
_TRUNK = (9, 12)
"""How many digits a number with a trunk 0 has."""

_CODES = frozenset(
    b"1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 "
    b"86 90 91 92 93 94 95 98".split()
)
_LONGER = frozenset(b"21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99".split())
"""Country codes in use (ITU-T E.164 annex), and the first two digits of those that have three."""

_NO_DIGITS = bytes(byte for byte in range(256) if byte not in b"0123456789")


def find_phones(data: bytes, loose: bool = False) -> list[Span]:
    """Find telephone numbers with a country code, and national ones in the forms of North America and Europe."""
    return list(_candidates(data, loose))


def _candidates(data: bytes, loose: bool) -> Iterator[Span]:
    for match in (_INTERNATIONAL_LOOSE if loose else _INTERNATIONAL).finditer(data):
        if _is_number(match[0]):
            yield match.span()
    for match in _EXIT_CODE.finditer(data):
        if _has_code(_digits(match[0])[2:]):
            yield match.span()
    for match in _NATIONAL.finditer(data):
        digits = _digits(match[0])
        if not digits.startswith(b"0") or _TRUNK[0] <= len(digits) <= _TRUNK[1]:
            yield match.span()


def _is_number(found: bytes) -> bool:
    """Whether a number with a plus is one: `+12.3456789` is a fraction."""
    found = found.removeprefix(b"%2B").removeprefix(b"%2b")
    digits = _digits(found)
    fraction = found.count(b".") == 1 and len(found.strip(b"+. (")) == len(digits) + 1
    return not fraction and _has_code(digits)


def _has_code(digits: bytes) -> bool:
    if not _FEWEST <= len(digits) <= _MOST:
        return False
    if digits.startswith(b"1"):
        return len(digits) == 11 and digits[1:2] not in b"01" and digits[4:5] not in b"01"
    return digits[:1] in _CODES or digits[:2] in _CODES or digits[:2] in _LONGER


def _digits(found: bytes) -> bytes:
    return found.translate(None, _NO_DIGITS)
