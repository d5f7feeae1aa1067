"""Where in a JSON text the values of certain members stand, so that a recording can leave them out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

_TOKEN = re.compile(r'[ \t\r\n]*("(?:[^"\\\x00-\x1f]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+)')


def spans_of(text: str, start: int, hidden: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each value in the JSON text at `start` that stands under a name which is `hidden`.

    Names are given in lower case. A text that is no JSON is one such value.
    """
    try:
        json.loads(text[start:])
    except (ValueError, RecursionError):
        yield start, len(text)
        return
    yield from _spans(text, start, hidden)


def _spans(text: str, start: int, hidden: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Walk over the tokens of a valid text. `above` says of each open object or array whether it is hidden."""
    above = [False]
    here = False
    tokens = list(_TOKEN.finditer(text, start))
    for found, following in zip(tokens, [*(each[1] for each in tokens[1:]), ""], strict=True):
        token = found[1]
        if token in ("{", "["):
            above.append(here)
        elif token in ("}", "]"):
            above.pop()
        elif token == ",":
            here = above[-1]
        elif following == ":":
            here = above[-1] or hidden(json.loads(token).lower())
        elif here and token != ":":
            yield found.span(1)
