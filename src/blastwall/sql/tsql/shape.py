"""The shape of a text: itself without the values of its strings and numbers, cut where the lexer cuts.

Two texts of one shape have the same tokens but for those values, so the parser gives them the same tree but for these
and all positions. Whether the values matter, the classifier tells (`recall.py`). What this reader is not sure of has no
shape: double quotes, comments that hold comments, floats, money, characters outside ASCII other than in strings.
"""

from __future__ import annotations

import re

from blastwall.sql.tsql.nodes import REACHES

_LONGEST = 4_000
"""Characters. Longer texts are read in a process of their own."""
_LONGEST_INTEGER = 10
"""Digits: what has more is a decimal to the lexer."""
STRING, NATIONAL, INTEGER, DECIMAL = "\0s", "\0n", "\0i", "\0d"
"""What stands in a shape for what was taken out. No text holds a NUL."""
_PIECE = re.compile(
    r"""(?: (?![Nn]')[A-Za-z_\#@][\w@$\#]*+                                  # words, variables
          | [\t\n\x0b\x0c\r (),;=*+%&|^~<>!:{}] | \.(?![0-9]) | -(?!-) | /(?!\*)
          | \[[^\]]*+(?:\]\][^\]]*+)*+\]                                       # names in brackets
          | 0[xX][0-9a-fA-F]*+(?![\w@$\#])                                     # binary: it stays
          | --[^\n]*+
          | /\*[^*/]*+(?:\*(?!/)[^*/]*+|/(?!\*)[^*/]*+)*+\*/
        )++
      | ([Nn]?'[^']*+(?:''[^']*+)*+')                                          # 1 string
      | ((?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?![\w@$\#]))                     # 2 number
    """,
    re.VERBOSE | re.ASCII,
)
_UNSURE = re.compile(r"[\0\ud800-\udfff\"]|\\\r?\n|FMTONLY")
"""Half characters, double quotes, strings continued on another line; batches that are read as others."""


def shape_of(text: str) -> tuple[str, list[int]] | None:
    """Return a text's shape, and start and end of all that was taken out, in characters; None where it is not sure."""
    if len(text) > _LONGEST or _UNSURE.search(text) or REACHES.search(text):
        return None
    pieces: list[str] = []
    bounds: list[int] = []
    at = 0
    for found in _PIECE.finditer(text):
        if found.start() != at:
            return None
        start, at = at, found.end()
        which = found.lastindex
        if which is None:
            pieces.append(text[start:at])
        else:
            pieces.append(_string(text, start) if which == 1 else _number(text[start:at]))
            bounds += (start, at)
    shape = "".join(pieces)
    return (shape, bounds) if at == len(text) and bounds and shape.isascii() else None


def _string(text: str, start: int) -> str:
    return STRING if text[start] == "'" else NATIONAL


def _number(raw: str) -> str:
    return DECIMAL if "." in raw or len(raw) > _LONGEST_INTEGER else INTEGER
