"""Where the literals of a text stand, so that a recording can redact them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import pairwise

from blastwall.model.statement import Column, Literal
from blastwall.sql.postgres.parse import Lexeme, UnparsedError, lexemes

_STRING = re.compile(rb"(?:[bBxXnN]?'(?:[^']|'')*')|(?:[uU]&'(?:[^']|'')*')|(?:[eE]'(?:[^'\\]|\\.|'')*')", re.DOTALL)
_NUMBER = re.compile(rb"-?[0-9.][0-9a-zA-Z_.]*(?:(?<=[eE])[-+][0-9]+)?")
_DOLLAR = re.compile(rb"\$([^\W\d]\w*)?\$")
_CONTINUED = re.compile(rb"\s*[\r\n]\s*'|\s*--")
_CONTINUATION = re.compile(rb"[\x80-\xbf]")
_SIGNS = frozenset({"ASCII_45", "ASCII_43"})
_STRINGS = frozenset({"SCONST", "USCONST", "BCONST", "XCONST"})


def character_offsets(text: str, data: bytes) -> Callable[[int], int]:
    """Return a function from byte offsets of the UTF-8 text to character offsets."""
    if len(text) == len(data):
        return lambda offset: offset
    inside = [match.start() for match in _CONTINUATION.finditer(data)]
    return lambda offset: offset - bisect_left(inside, offset)


class Tokens:
    """The tokens of a text, found by PostgreSQL's scanner once, when first asked."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._ends: dict[int, int] | None = None

    def end(self, start: int) -> int:
        """Return where the token at `start` ends, a sign with its number; the text's end where there is none."""
        if self._ends is None:
            self._ends = self._read()
        return self._ends.get(start, len(self._data))

    def _read(self) -> dict[int, int]:
        try:
            found = lexemes(self._data)
        except UnparsedError:
            return {}
        ends = {one.start: one.end for one in found}
        ends.update((one.start, after.end) for one, after in pairwise(found) if one.name in _SIGNS)
        return ends


def spans(
    data: bytes,
    found: Mapping[int, Column | None],
    secrets: set[int],
    character: Callable[[int], int],
    tokens: Tokens,
) -> tuple[Literal, ...]:
    """Return the literals that start at the byte offsets in `found`, in order."""
    literals = []
    for start in sorted(found):
        end = _end(data, start, tokens)
        literals.append(Literal(character(start), character(end), found[start], start in secrets))
    return tuple(literals)


def strings(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Return the byte spans of every string in a part of the text; all of it from a quote on where it has no tokens."""
    try:
        tokens: list[Lexeme] = lexemes(data[start:end])
    except UnparsedError:
        quotes = [at for at in (data.find(mark, start, end) for mark in (b"'", b"$")) if at >= 0]
        return [(min(quotes), end)] if quotes else []
    return [(start + token.start, start + token.end) for token in tokens if token.name in _STRINGS]


def _end(data: bytes, start: int, tokens: Tokens) -> int:
    match = _STRING.match(data, start) or _NUMBER.match(data, start)
    if match is not None:
        if data[match.end() - 1 : match.end()] == b"'" and _CONTINUED.match(data, match.end()):
            return tokens.end(start)
        return match.end()
    tag = _DOLLAR.match(data, start)
    if tag is not None:
        close = data.find(tag[0], tag.end())
        return close + len(tag[0]) if close >= 0 else len(data)
    # A string continued on another line, or a sign apart from its number.
    return tokens.end(start)
