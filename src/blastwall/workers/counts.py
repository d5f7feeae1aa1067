"""Counts that hold over all processes of a node: how many connections are open, how many sessions an agent has.

Each process changes its own part only, so there is no lock that a killed process could keep. `add` first changes the
own part and then adds up all: two processes that take the last place at the same time both see one too many, and
whoever sees that gives it back. A limit is never exceeded; at worst the last place stays free for an instant.
"""

from __future__ import annotations

import mmap
from collections import Counter
from hashlib import blake2b
from typing import Protocol

_NAMES = 1 << 14
"""Names that a process can count: connections, and every configured principal that ever had a session here."""
_WORD = 8
_FULL = 1 << 62
"""A total above every limit: what has no room to be counted is refused where it is limited."""


class Counts(Protocol):
    """Counts by name, over all processes of a node."""

    def add(self, name: str, change: int) -> int:
        """Change this process's part by `change` and return the total over all processes."""

    def total(self, name: str) -> int:
        """Return the total over all processes."""


class LocalCounts:
    """The counts of a node that is one process."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, change: int) -> int:
        """See `Counts`."""
        self._counts[name] += change
        total = self._counts[name]
        if not total:
            del self._counts[name]
        return total

    def total(self, name: str) -> int:
        """See `Counts`."""
        return self._counts[name]


class Board:
    """Memory that the processes share: made before they are forked, with a region for each to write.

    A region is a table of (hash of the name, count), open addressing; names stay, and are reused by their own kind.
    """

    def __init__(self, members: int) -> None:
        self.members = members
        self._words = memoryview(mmap.mmap(-1, members * _NAMES * 2 * _WORD)).cast("q")

    def region(self, member: int) -> memoryview[int]:
        """Return the words of one member, counted from 1."""
        start = (member - 1) * _NAMES * 2
        return self._words[start : start + _NAMES * 2]

    def clear(self, member: int) -> None:
        """Forget what a process counted that has ended."""
        region = self.region(member)
        for at in range(0, len(region), 2):
            if region[at]:
                region[at] = region[at + 1] = 0

    def of(self, member: int) -> Counts:
        """Return the counts as one member changes them."""
        return _SharedCounts(self, member)


class _SharedCounts:
    def __init__(self, board: Board, member: int) -> None:
        self._own = board.region(member)
        self._all = [board.region(each) for each in range(1, board.members + 1)]

    def add(self, name: str, change: int) -> int:
        """See `Counts`."""
        key = _key(name)
        at = _find(self._own, key)
        if at is None:
            return _FULL
        if not self._own[at]:
            self._own[at + 1] = 0
            self._own[at] = key
        self._own[at + 1] += change
        return self._total(key)

    def total(self, name: str) -> int:
        """See `Counts`."""
        return self._total(_key(name))

    def _total(self, key: int) -> int:
        total = 0
        for region in self._all:
            at = _find(region, key)
            total += region[at + 1] if at is not None and region[at] == key else 0
        return total


def _key(name: str) -> int:
    """Return a number for a name; names come from the configuration, so nobody can look for collisions."""
    return int.from_bytes(blake2b(name.encode(), digest_size=_WORD).digest(), "big", signed=True) or 1


def _find(region: memoryview[int], key: int) -> int | None:
    """Return where `key` stands or would stand; None where the region is full."""
    place = key % _NAMES
    for step in range(_NAMES):
        at = ((place + step) % _NAMES) * 2
        if region[at] in (key, 0):
            return at
    return None
