"""Recorded text on an auditor's terminal: statements, times and spans."""

from __future__ import annotations

from datetime import UTC, datetime

from blastwall.visible import visible


def block(text: str) -> list[str]:
    """Return a statement's lines, each visible and behind a bar, so that no line of it can pass for one of ours."""
    lines = text.expandtabs(4).split("\n")
    return [f"  │ {visible(line.removesuffix(chr(13)))}" for line in lines]


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
