"""Recorded text on an auditor's terminal: whatever a client sent, it can only be looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import typer
from rich.table import Table
from rich.text import Text

from blastwall.cli.printing import console


def visible(text: str) -> str:
    """Return `text` on one line with everything that a terminal might obey written as an escape (x1b)."""
    # What is not printable to Python are Unicode's controls, direction marks, surrogates, private characters and
    # separators other than the space.
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if named is not None:
        return named
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def block(text: str) -> list[str]:
    """Return a statement's lines, each visible and behind a bar, so that no line of it can pass for one of ours."""
    lines = text.expandtabs(4).split("\n")
    return [f"  │ {visible(line.removesuffix(chr(13)))}" for line in lines]


def say(text: str, style: str = "") -> None:
    """Print one line as it is: no markup in it is obeyed."""
    console.print(Text(text, style=style))


def print_exactly(value: object) -> None:
    """Print JSON in ASCII: exact for a program, and without effect on a terminal."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, columns parted by tabs where it is piped."""
    if not console.is_terminal:
        for row in (titles, *rows):
            typer.echo("\t".join(visible(cell) for cell in row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table, soft_wrap=False)


def moment(at: float) -> str:
    """A time in UTC, to the second."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "unreadable time"


def span(seconds: float) -> str:
    """A length of time, in the units that suit it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
