"""How the story is told on a terminal: numbered steps, what was sent, what came back, and whether it is as promised."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

_WIDTH = 100
_LONGEST = 48


class NotAsTold(Exception):
    """A step did not go as the story says."""


class Teller:
    """Prints the story and keeps count of what was checked."""

    def __init__(self, console: Console) -> None:
        """Tell it on `console`."""
        self._console = console
        self._step = 0
        self.checked = 0

    def step(self, title: str, why: str = "") -> None:
        """Begin a step."""
        self._step += 1
        self._console.print()
        head = f"── {self._step}. {title} "
        self._console.print(Text(head + "─" * max(3, _WIDTH - len(head)), "bold cyan"))
        if why:
            self._console.print(Text(f"   {why}", "dim"))

    def sent(self, by: str, text: str) -> None:
        """Show what a client sent."""
        for number, line in enumerate(text.splitlines()):
            label = f"   {by:<8} ▸ " if number == 0 else " " * 14
            self._console.print(Text(label, "bold") + Text(line))

    def rows(self, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show rows that came back."""
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(len(name), *(len(row[i]) for row in cells), 1) for i, name in enumerate(names)]
        self._line("  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True)), "dim")
        for row in cells:
            self._line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), "green")

    def said(self, text: str, style: str = "green") -> None:
        """Show text that came back."""
        for line in text.strip().splitlines():
            self._line(line, style)

    def refused(self, text: str) -> None:
        """Show an error that came back."""
        self.said(text, "yellow")

    def check(self, promise: str, kept: bool) -> None:
        """Say that a promise was kept.

        Raises:
            NotAsTold: it was not.
        """
        if not kept:
            self._console.print(Text(f"   ✗ not so: {promise}", "bold red"))
            raise NotAsTold(promise)
        self.checked += 1
        self._console.print(Text(f"   ✓ {promise}", "bold green"))

    def _line(self, text: str, style: str) -> None:
        self._console.print(Text("            ◂ ", "dim") + Text(text.rstrip(), style))


def _cell(value: object) -> str:
    text = "∅" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def shorten(token: str) -> str:
    """Return a token as it is shown: never the whole of it."""
    return f"{token[:12]}…({len(token)} characters)"
