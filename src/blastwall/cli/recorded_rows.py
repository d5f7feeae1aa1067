"""Recorded rows as a table: aligned, one line a row, and as harmless to a terminal as all recorded text.

The body of an answer is no table: it is shown as text, JSON on lines of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from blastwall.cli.recorded_text import block
from blastwall.visible import visible

_BODY = ("body",)
"""The columns of an answer that has none: one row, its body."""
_WIDEST = 40
"""Characters of a column that are shown; `--json` has everything."""
_JSON = re.compile(r"\s*[{\[](?!\d+ bytes)")
_PART = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^"{}\[\],:\s]+')
_DEEPEST = 20
_MOST_LINES = 60
_LONGEST_LINE = 400


def answer(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[str]:
    """Return the lines of what was answered: a table, or a body."""
    return _body(rows[0][0] or "") if tuple(columns) == _BODY and len(rows) == 1 else table(columns, rows)


def _body(body: str) -> list[str]:
    """Return the lines of a body, each behind a bar as statements are; what is long is cut, and said."""
    lines = block(_laid_out(body))
    left = len(lines) - _MOST_LINES
    shown = [line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…" for line in lines[:_MOST_LINES]]
    return shown if left <= 0 else [*shown, f"  │ … and {left:,} more lines; --json has them"]


def _laid_out(body: str) -> str:
    """Return JSON with a line for each value, any other text as it is. Nothing but white space is added or left out."""
    text, cut, note = body.partition("… [")
    if not _JSON.match(text):
        return body
    pieces: list[str] = []
    depth, before = 0, ""
    for part in _PART.findall(text):
        if part in "]}":
            depth = max(depth - 1, 0)
        if (part in "]}" and before not in ("{", "[")) or (before in ("{", "[", ",") and part not in "]}"):
            pieces.append("\n" + "  " * min(depth, _DEEPEST))
        pieces.append(": " if part == ":" else part)
        depth += part in "{["
        before = part
    return "".join(pieces) + cut + note


def table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[str]:
    """Return the lines of a table, each behind a bar as statements are."""
    width = max((len(row) for row in (columns, *rows)), default=0)
    titles = [*columns, *("" for _ in range(width - len(columns)))]
    shown = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(row[place]) for row in ([_cut(visible(each)) for each in titles], *shown)) for place in range(width)
    ]
    lines = [
        "  │ " + _line([_cut(visible(each)) for each in titles], widths),
        "  │ " + "─┼─".join("─" * each for each in widths),
    ]
    return [*lines, *("  │ " + _line(row, widths) for row in shown)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " │ ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: str | None) -> str:
    return "NULL" if value is None else _cut(visible(value)) if value else "''"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
