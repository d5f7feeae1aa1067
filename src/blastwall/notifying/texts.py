"""Texts of others in messages: an SQL statement, a reason, a claim. They are shown as they are, and do nothing."""

from __future__ import annotations

LONGEST_TEXT = 2500
LONGEST_FACT = 500
LONGEST_TITLE = 140


def plain(text: str, longest: int) -> str:
    """Return a text without what is not seen (control characters, marks that turn the direction), cut to `longest`."""
    kept = "".join(map(_seen, text))
    if len(kept) <= longest:
        return kept
    return f"{kept[:longest]} … and {len(kept) - longest} more characters"


def one_line(text: str, longest: int) -> str:
    """Return a text as one line, cut to `longest`."""
    return plain(" ".join(text.split()), longest)


def _seen(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character in "\t\r" else "\N{REPLACEMENT CHARACTER}"
