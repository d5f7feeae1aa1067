"""Split a stream of `type byte, int32 length, body` into whole messages, within limits."""

from __future__ import annotations

from typing import NamedTuple

from blastwall.wire.native import Flag, Whole
from blastwall.wire.reader import Malformed

HEADER = 5


class Frame(NamedTuple):
    """A message at the head of an inbox: its type byte, its whole size, and whether that is over the limit."""

    kind: int
    size: int
    oversized: bool


class Inbox:
    """Bytes in by `feed`; whole messages out by `peek`, then `take` or `skip`.

    `limits` gives the largest whole size of a message type in bytes, `limit` that of the others. An oversized message
    is reported once its header is there; its body is never kept: `skip` drops it as it arrives, and `skipping` tells
    how much of it is still to come.
    """

    __slots__ = ("_data", "_held", "_limit", "_limits", "_parts", "_position", "_wanted", "skipping")

    def __init__(self, limit: int, limits: dict[int, int]) -> None:
        self._data = b""
        self._position: Whole = 0
        self.skipping: Whole = 0
        self._parts: list[bytes] = []
        self._held: Whole = 0
        self._wanted: Whole = 0
        self._limit = limit
        self._limits = limits

    def __len__(self) -> int:
        """Bytes that wait."""
        return len(self._data) - self._position + self._held

    def unread(self) -> Flag:
        """Whether any wait, or are still to be dropped."""
        return self.skipping > 0 or self._held > 0 or len(self._data) > self._position

    def feed(self, data: bytes) -> None:
        if self.skipping:
            dropped = min(self.skipping, len(data))
            self.skipping -= dropped
            data = data[dropped:]
        if self._wanted:
            # Joined once it is whole: joining a large message anew for each part would take quadratic time.
            self._parts.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return
            data = b"".join(self._parts)
            self._parts, self._held, self._wanted = [], 0, 0
        self._data = self._data[self._position :] + data if self._position < len(self._data) else data
        self._position = 0

    def feed_first(self, data: bytes) -> None:
        """Put bytes before those that wait."""
        self._data = data + self._data[self._position :]
        self._position = 0

    def peek(self) -> Frame | None:
        """Return the next whole (or oversized) message, None where it is not there yet.

        Raises:
            Malformed: its length is impossible.
        """
        data, position = self._data, self._position
        if len(data) - position < HEADER:
            return None
        kind = data[position]
        length = int.from_bytes(data[position + 1 : position + HEADER], "big", signed=True)
        if length < 4:
            raise Malformed(f"a message {chr(kind)!r} of the length {length}")
        size = 1 + length
        if size > self._limits.get(kind, self._limit):
            return Frame(kind, size, oversized=True)
        missing = size - (len(data) - position)
        if missing > 0:
            self._wanted = missing
            return None
        return Frame(kind, size, oversized=False)

    def take(self, frame: Frame) -> bytes:
        """Consume the message and return it whole, as it came."""
        start = self._position
        self._position += frame.size
        return self._data[start : self._position]

    def skip(self, frame: Frame) -> None:
        """Consume an oversized message without keeping it."""
        there = len(self._data) - self._position
        self.skipping = max(0, frame.size - there)
        self._position += min(frame.size, there)
