"""Cut Cedar text into its policies, so that every complaint can name a line (Cedar's own name none)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"?|;', re.DOTALL)
_LEADING = re.compile(r"(?:\s+|//[^\n]*)*")


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One policy as it stands in a file; `line` counts from 1."""

    file: str
    line: int
    text: str

    def place(self, pattern: str = "") -> str:
        """Return `file:line` of the first match of a regular expression in the policy, else of its first line."""
        found = re.search(pattern, self.text) if pattern else None
        return f"{self.file}:{self.line + (self.text.count(chr(10), 0, found.start()) if found else 0)}"


def split(file: str, text: str) -> Iterator[PolicyText]:
    """Yield the policies of a text: what ends in a semicolon outside strings and comments, and an unended rest."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token.group() == ";":
            yield _cut(file, text, start, token.end())
            start = token.end()
    if _skip(text, start) < len(text):
        yield _cut(file, text, start, len(text))


def _skip(text: str, start: int) -> int:
    found = _LEADING.match(text, start)
    return found.end() if found else start


def _cut(file: str, text: str, start: int, end: int) -> PolicyText:
    begin = _skip(text, start)
    return PolicyText(file, text.count("\n", 0, begin) + 1, text[begin:end])
