"""The declarations of parameters that sp_executesql, sp_prepare and their like take: "@id int, @name char(5) OUTPUT".

The server puts it in front of the statement and parses both as one, so it is read strictly: a whole list of names and
types, and nothing else. What is anything else is not understood, and the request that it comes with is not judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = r'(?:\[(?:[^\]\x00-\x1f]|\]\])+\]|"(?:[^"\x00-\x1f]|"")+"|[A-Za-z_][A-Za-z0-9_@#$]*)'
_NAME = r"@[A-Za-z0-9_@#$\u00C0-\u024F]+"
_SIZE = r"\(\s*(?:[0-9]{1,5}(?:\s*,\s*[0-9]{1,3})?|max)\s*\)"
_ONE = re.compile(
    rf"\s*(?P<name>{_NAME})\s+(?:as\s+)?(?P<type>{_PART}(?:\s*\.\s*{_PART}){{0,2}}(?:\s+varying|\s+precision)?(?:\s*{_SIZE})?)"
    r"(?P<output>\s+(?:output|out))?(?P<readonly>\s+readonly)?\s*(?P<end>,|\Z)",
    re.IGNORECASE,
)
MOST = 2_100
"""Parameters of one statement (SQL Server, "Maximum capacity specifications")."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One parameter: `name` as "@id", and its type in T-SQL's words."""

    name: str
    type: str
    output: bool = False


def read_declarations(text: str) -> tuple[Declared, ...] | None:
    """Read a list of declarations; None where it is anything else, or says a name twice."""
    found: list[Declared] = []
    names: set[str] = set()
    position = 0
    while text.strip() and len(found) <= MOST:
        match = _ONE.match(text, position)
        if match is None or match["name"].lower() in names:
            return None
        names.add(match["name"].lower())
        found.append(Declared(match["name"], match["type"].strip(), output=bool(match["output"])))
        position = match.end()
        if match["end"] != ",":
            return tuple(found)
    return tuple(found) if not text.strip() else None
