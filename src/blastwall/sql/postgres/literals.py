"""Where the literals of a text stand, so that a recording can redact them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from blastwall.model.statement import Column, Literal
from blastwall.sql.postgres.parse import Lexeme, UnparsedError, lexemes

_STRING = re.compile(rb"(?:[bBxXnN]?'(?:[^']|'')*')|(?:[uU]&'(?:[^']|'')*')|(?:[eE]'(?:[^'\\]|\\.|'')*')", re.DOTALL)
_NUMBER = re.compile(rb"-?[0-9.][0-9a-zA-Z_.]*(?:(?<=[eE])[-+][0-9]+)?")
_DOLLAR = re.compile(rb"\$([^\W\d]\w*)?\$")
_CONTINUED = re.compile(rb"\s*[\r\n]\s*'|\s*--")
_STRINGS = frozenset({"SCONST", "USCONST", "BCONST", "XCONST"})


def character_offsets(text: str, data: bytes) -> Callable[[int], int]:
    """Return a function from byte offsets of the UTF-8 text to character offsets."""
    if len(text) == len(data):
        return lambda offset: offset
    return lambda offset: len(data[:offset].decode(errors="ignore"))


def spans(
    data: bytes,
    found: Mapping[int, Column | None],
    secrets: set[int],
    character: Callable[[int], int],
) -> tuple[Literal, ...]:
    """Return the literals that start at the byte offsets in `found`, in order."""
    literals = []
    for start in sorted(found):
        end = _end(data, start)
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


def _end(data: bytes, start: int) -> int:
    match = _STRING.match(data, start) or _NUMBER.match(data, start)
    if match is not None:
        if data[match.end() - 1 : match.end()] == b"'" and _CONTINUED.match(data, match.end()):
            return _token_end(data, start)
        return match.end()
    tag = _DOLLAR.match(data, start)
    if tag is not None:
        close = data.find(tag[0], tag.end())
        return close + len(tag[0]) if close >= 0 else len(data)
    return _token_end(data, start)


def _token_end(data: bytes, start: int) -> int:
    """Ask PostgreSQL's scanner: a string continued on another line, or a sign apart from its number."""
    try:
        tokens = lexemes(data[start:])
    except UnparsedError:
        return len(data)
    if not tokens:
        return len(data)
    signed = tokens[0].name in {"ASCII_45", "ASCII_43"} and len(tokens) > 1
    return start + tokens[1 if signed else 0].end
