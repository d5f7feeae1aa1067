"""What every command prints with: one console, one form of line, table, error and JSON.

Most of what is printed was written by somebody else: by an agent, a resource, another gateway. Whatever it holds, it
can only be looked at: nothing in it acts on the terminal, or passes for a line of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from blastwall.visible import visible

FAILED = 1
"""Exit code: the thing asked for failed."""

MISUSED = 2
"""Exit code: wrong usage or configuration."""

console = Console(highlight=False, soft_wrap=True)
"""Standard output; plain text where it is piped."""

_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_BEYOND_PRINTABLE_ASCII = re.compile("[\x7f-\U0010ffff]")


def shown(text: str) -> str:
    """Return text for a line with markup: visible, and without markup of its own."""
    return escape(visible(text))


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print `message` as an error on standard error and end the command with `code`."""
    _errors.print(f"[bold red]error:[/] {_lines(message)}")
    raise typer.Exit(code)


def warn(message: str) -> None:
    """Print `message` as a warning on standard error."""
    _errors.print(f"[bold yellow]warning:[/] {_lines(message)}")


def _lines(message: str) -> str:
    """A message of ours may have several lines; what it quotes has to be `visible` before, to be held to one."""
    return "\n".join(map(shown, message.split("\n")))


def say(text: str, style: str = "") -> None:
    """Print one line, visible and as it is: no markup in it is obeyed."""
    console.print(Text(visible(text), style=style))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, columns parted by tabs where it is piped."""
    if not console.is_terminal:
        for row in (titles, *rows):
            typer.echo("\t".join(map(visible, row)))
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table, soft_wrap=False)


def print_json(value: object) -> None:
    """Print `value` as indented JSON on standard output; what JSON does not know is printed as its string.

    It is exact for a program; what is not printable in it is escaped, so that it has no effect on a terminal either.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    typer.echo(_BEYOND_PRINTABLE_ASCII.sub(_as_json, text))


def _as_json(found: re.Match[str]) -> str:
    char = found[0]
    if char.isprintable():
        return char
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
