"""What every command prints with: one console, one form of error, one form of JSON."""

from __future__ import annotations

import json
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

FAILED = 1
"""Exit code: the thing asked for failed."""

MISUSED = 2
"""Exit code: wrong usage or configuration."""

console = Console(highlight=False, soft_wrap=True)
"""Standard output; plain text where it is piped."""

_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print `message` as an error on standard error and end the command with `code`."""
    _errors.print(f"[bold red]error:[/] {escape(message)}")
    raise typer.Exit(code)


def warn(message: str) -> None:
    """Print `message` as a warning on standard error."""
    _errors.print(f"[bold yellow]warning:[/] {escape(message)}")


def print_json(value: object) -> None:
    """Print `value` as indented JSON on standard output; what JSON does not know is printed as its string."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
