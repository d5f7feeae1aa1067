"""Recorded rows as a table: aligned, one line a row, and as harmless to a terminal as all recorded text."""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.cli.recorded_text import visible

_WIDEST = 40
"""Characters of a column that are shown; `--json` has everything."""


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
