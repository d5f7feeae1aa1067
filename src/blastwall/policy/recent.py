"""A map bounded by weight, that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Entries whose weights are at most `capacity` together."""

    __slots__ = ("_capacity", "_entries", "_weight")

    def __init__(self, capacity: int) -> None:
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._capacity = capacity
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """Return the value of `key` and mark it as used; None where there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value, weight: int = 1) -> None:
        """Keep `value` under a new key, forgetting the oldest entries while together they weigh too much."""
        self._entries[key] = (value, weight)
        self._weight += weight
        while self._weight > self._capacity:
            _, (_, forgotten) = self._entries.popitem(last=False)
            self._weight -= forgotten
