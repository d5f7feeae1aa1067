"""JSON as a run of tokens, so that one string can be replaced and every other byte stays as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_TOKEN = re.compile(
    r'(?P<string>"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")(?P<key>[ \t\n\r]*:)?'
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|[ \t\n\r\[\]{},:]+|true|false|null"
)


class NotJson(Exception):
    """The text does not consist of JSON's tokens."""


def rewrite(text: str, replace: Callable[[str], str | None]) -> str | None:
    """Replace strings, keys and numbers of a JSON text; everything between them is kept as it is written.

    `replace` is given a string's value, or a number as it is written, and returns what a string in its place says, or
    None to keep it. None is returned where all was kept. Where `text` was valid JSON, the result is.

    Raises:
        NotJson: `text` is no JSON; nothing was decided.
    """
    pieces: list[str] = []
    position = kept = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotJson
        position = match.end()
        kind = match.lastgroup
        if kind is None:
            continue
        name = "number" if kind == "number" else "string"
        new = replace(match[name] if name == "number" else unquote(match[name]))
        if new is not None:
            pieces += (text[kept : match.start(name)], quote(new))
            kept = match.end(name)
    if not pieces:
        return None
    pieces.append(text[kept:])
    return "".join(pieces)


def string(text: str) -> str | None:
    """Return the value of a text that is one JSON string, None of any other text."""
    match = _TOKEN.fullmatch(text)
    return unquote(match["string"]) if match is not None and match["string"] and not match["key"] else None


def unquote(token: str) -> str:
    """Return the value of a JSON string token; a lone surrogate stays one."""
    if "\\" not in token:
        return token[1:-1]
    return str(json.loads(token))


def quote(value: str) -> str:
    """Return a JSON string token, in ASCII only where `value` cannot be written as UTF-8."""
    token = json.dumps(value, ensure_ascii=False)
    return token if _encodes(token) else json.dumps(value)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
