"""The refusal of a text that has no certain reading."""

from __future__ import annotations


class UnparsedError(Exception):
    """The text has no certain reading. `reason` says why, with line, column and token; `at` is a character offset."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


def unparsed(text: str, at: int, why: str) -> UnparsedError:
    """Return the error that names the place of `at` in the text."""
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return UnparsedError(f"line {line}, column {column}: {why}", at)
