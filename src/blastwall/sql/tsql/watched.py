"""Constants of a tree that note who looks at their value (as ADR 7 has it for PostgreSQL).

The classifier means the same by two texts that differ in values which it never looked at. Whatever can tell one value
from another counts as a look: equality, the hash and how it is shown too.
"""

from __future__ import annotations

from blastwall.sql.tsql.nodes import REACHES, Batch, Constant, walk


class Watched(Constant):
    """A constant whose `text` cannot be read unnoticed."""

    __slots__ = ("_seen", "_value")
    _seen: set[int]
    _value: str

    def __init__(self, start: int, end: int, kind: str, text: str, seen: set[int]) -> None:
        for name, value in (("start", start), ("end", end), ("kind", kind), ("_value", text), ("_seen", seen)):
            object.__setattr__(self, name, value)

    @property
    def text(self) -> str:
        self._seen.add(self.start)
        return self._value

    @property
    def reaches(self) -> bool:
        """What is always false of a text that has a shape tells nothing of its values."""
        return REACHES.search(self._value) is not None


class Looks:
    """The constants of one text, and which of them somebody looked at, by where they start."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._ends: dict[int, int] = {}

    def constant(self, start: int, end: int, kind: str, text: str) -> Constant:
        """Return a constant that is watched."""
        return Watched(start, end, kind, text, self._seen)

    def note(self, batch: Batch) -> None:
        """Note which constants stand in the tree: of others it is not known what became of them."""
        self._ends = {node.start: node.end for node in walk(batch) if type(node) is Watched}

    def matters(self, start: int, end: int) -> bool:
        """Whether the literal that stands there was looked at, or is no constant of the tree."""
        return self._ends.get(start) != end or start in self._seen
