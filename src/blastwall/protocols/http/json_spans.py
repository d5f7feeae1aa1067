"""Where in a JSON text the values of certain members stand, so that a recording can leave them out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

_TOKEN = re.compile(r'[ \t\r\n]*("(?:[^"\\\x00-\x1f]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+)')

MOST = 256
"""Values that are told apart: what has more of them is no document that somebody reads in a recording."""


def spans_of(text: str, start: int, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each value in the JSON text at `start` that stands under one of these lower-case names.

    A text that is no JSON, or has more than `MOST` such values, is one.
    """
    try:
        json.loads(text[start:])
    except (ValueError, RecursionError):
        yield start, len(text)
        return
    if "\\" not in text:
        low = text.lower()
        if not any(f'"{name}"' in low for name in names):
            return
    found = list(islice(_spans(text, start, names), MOST + 1))
    yield from [(start, len(text))] if len(found) > MOST else found


def _spans(text: str, start: int, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Walk over the tokens of a valid text. `above` says of each open object or array whether it is hidden."""
    above = [False]
    here = False
    scalar: tuple[int, int] | None = None
    for found in _TOKEN.finditer(text, start):
        token = found[1]
        if token == ":" and scalar is not None:
            here = above[-1] or json.loads(text[slice(*scalar)]).lower() in names
            scalar = None
            continue
        if scalar is not None and here:
            yield scalar
        scalar = None
        if token in ("{", "["):
            above.append(here)
        elif token in ("}", "]"):
            above.pop()
        elif token == ",":
            here = above[-1]
        else:
            scalar = found.span(1)
    if scalar is not None and here:
        yield scalar
