r"""Reads text as a person would: look-alike digits and letters become ASCII, invisible characters vanish.

Detectors look at the folded bytes, one byte a character; spans found there are carried back to the text. Folding knows
* digits of every script, superscripts, circled and full-width forms, mathematical letters (NFKC),
* characters that do not show: format characters, joiners, variation selectors, combining marks over Latin,
* Unicode spaces and dashes, the ideographic full stop,
* `\u0040` escapes, which text holds that once was JSON.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

LETTER = b"\xe9"
"""Stands for every letter that is not ASCII."""
OTHER = b"\x01"
"""Stands for every other character that is not ASCII: a separator."""

_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_INVISIBLE = re.compile(
    "[\u0300-\u036f\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3164"
    "\ufe00-\ufe0f\ufe20-\ufe2f\uffa0\U000e0000-\U000e0fff]"
)
_STOPS = frozenset("\u3002\uff61")
_DASHES = frozenset("\u2212\u02d7\u2043")
_REMEMBERED = 20_000
_RELEVANT = frozenset(b"0123456789@%&#;=+ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_FOLDING_BLOCKS = (
    range(0x80, 0x3400),
    range(0xA000, 0xAC00),
    range(0xD7B0, 0xD800),
    range(0xF900, 0x20000),
    range(0xE0000, 0xE1000),
)
"""Where characters lie that fold to something ASCII or to nothing; the rest are ideographs, Hangul and private use."""


def fold_character(char: str) -> bytes:
    """Return what `char` is read as: ASCII, nothing, `LETTER` or `OTHER`."""
    if char.isascii():
        return char.encode()
    category = unicodedata.category(char)
    if category == "Cf" or _INVISIBLE.match(char):
        return b""
    digit = unicodedata.digit(char, -1)
    if digit >= 0:
        return b"%d" % digit
    plain = unicodedata.normalize("NFKC", char)
    if plain.isascii():
        return plain.encode()
    if category == "Zs":
        return b" "
    if category == "Pd" or char in _DASHES:
        return b"-"
    if char in _STOPS:
        return b"."
    return LETTER if category[0] in "LMN" else OTHER


class _Table(dict[str, bytes]):
    """Folded characters, filled as they are met, up to a bound."""

    def __missing__(self, char: str) -> bytes:
        folded = fold_character(char)
        if len(self) < _REMEMBERED:
            self[char] = folded
        return folded


class _SameLength(dict[int, str]):
    """The same for `str.translate`, as long as every character becomes exactly one; `_UNEVEN` where it does not."""

    def __missing__(self, point: int) -> str:
        folded = fold_character(chr(point))
        char = folded.decode("latin-1") if len(folded) == 1 else _UNEVEN
        if len(self) < _REMEMBERED:
            self[point] = char
        return char


_UNEVEN = "\uffff"
_TABLE = _Table()
_SAME_LENGTH = _SameLength()


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded bytes; `starts[i]` and `ends[i]` say which characters of the text byte i stands for, None: the i-th."""

    data: bytes
    starts: list[int] | None = None
    ends: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Carry a span of the folded bytes back to the text."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def readings(text: str) -> list[Folded]:
    r"""Fold `text` in each way that it can be read: `\u4111` may be one character, or what it is."""
    if "\\u" not in text:
        return [fold(text)]
    return [_fold(_characters(text)), fold(text)]


def fold(text: str) -> Folded:
    """Fold `text` without reading escapes; plain ASCII costs nothing but its encoding."""
    if text.isascii():
        return Folded(text.encode())
    even = text.translate(_SAME_LENGTH)
    if _UNEVEN not in even:
        return Folded(even.encode("latin-1"))
    return _fold((char, at, at + 1) for at, char in enumerate(text))


def _fold(pieces: Iterable[tuple[str, int, int]]) -> Folded:
    data = bytearray()
    starts: list[int] = []
    ends: list[int] = []
    for char, start, end in pieces:
        for byte in _TABLE[char]:
            data.append(byte)
            starts.append(start)
            ends.append(end)
    return Folded(bytes(data), starts, ends)


def _characters(text: str) -> Iterator[tuple[str, int, int]]:
    position = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        for at in range(position, start):
            yield text[at], at, at + 1
        yield chr(int(match[1], 16)), start, end
        position = end
    for at in range(position, len(text)):
        yield text[at], at, at + 1


@cache
def special_bytes() -> bytes:
    """Return a byte-wise pattern for the UTF-8 of every character that folding makes relevant to a detector.

    Relevant is what becomes a digit, a letter, an at-sign, `=` or `+`, and what vanishes. Everything else that is not
    ASCII stays a letter or a separator, which the detectors' own patterns allow for.
    """
    return _pattern([char for char, folded in _folding() if not folded or not _RELEVANT.isdisjoint(folded)])


@cache
def space_or_dash_bytes() -> bytes:
    """Return the same for every character that becomes a space or a hyphen."""
    return _pattern([char for char, folded in _folding() if folded in (b" ", b"-")])


@cache
def _folding() -> tuple[tuple[str, bytes], ...]:
    """Every character that folds to something ASCII or to nothing.

    Computed from this Python's own Unicode tables (some 40 ms, once), so that it cannot disagree with `fold_character`.
    """
    chars = (chr(point) for block in _FOLDING_BLOCKS for point in block if not 0xD800 <= point < 0xE000)
    return tuple((char, folded) for char in chars if (folded := fold_character(char)) not in (LETTER, OTHER))


def _pattern(chars: list[str]) -> bytes:
    """Return a pattern that matches the UTF-8 of exactly `chars`, byte by byte."""
    leads: dict[bytes, set[int]] = {}
    for char in chars:
        encoded = char.encode()
        leads.setdefault(encoded[:-1], set()).add(encoded[-1])
    tails: dict[frozenset[int], list[bytes]] = {}
    for lead, last in leads.items():
        tails.setdefault(frozenset(last), []).append(lead)
    return b"|".join(
        b"(?:" + b"|".join(_hex(lead) for lead in group) + b")[" + _hex(bytes(sorted(last))) + b"]"
        for last, group in tails.items()
    )


def _hex(data: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in data)
