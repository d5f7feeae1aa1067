"""What an RPC calls: the number of a system procedure, or a name, of which the server reads parts and quotes.

Source: MS-TDS 2.2.6.6 "RPC Request" for the numbers.
"""

from __future__ import annotations

import re

from blastwall.sql.tsql.effects.names import unquoted

PROCEDURES = {
    1: "sp_cursor",
    2: "sp_cursoropen",
    3: "sp_cursorprepare",
    4: "sp_cursorexecute",
    5: "sp_cursorprepexec",
    6: "sp_cursorunprepare",
    7: "sp_cursorfetch",
    8: "sp_cursoroption",
    9: "sp_cursorclose",
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    14: "sp_prepexecrpc",
    15: "sp_unprepare",
}
NAMES = frozenset(PROCEDURES.values())

_PART = re.compile(
    r'\s*(?:\[(?P<bracket>(?:[^\]]|\]\])*)\]|"(?P<quote>(?:[^"]|"")*)"|(?P<plain>[^\s\[\]".;\'(),]*))\s*'
)
_GROUP = re.compile(r"\s*(?:;\s*1\s*)?\Z")
"""The number of a procedure in its group: 1 is the procedure itself."""


def name_parts(name: str) -> tuple[str, ...] | None:
    """Return the parts of a procedure's name, unquoted, empty ones included; None where they cannot be told."""
    parts: list[str] = []
    position = 0
    while len(parts) < 4:
        match = _PART.match(name, position)
        if match is None:
            return None
        parts.append(unquoted(match))
        position = match.end()
        if name[position : position + 1] != ".":
            whole = _GROUP.match(name, position) is not None and bool(parts[-1])
            return tuple(parts) if whole else None
        position += 1
    return None
