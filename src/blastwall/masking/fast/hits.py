"""What was found in one cell: spans of the buffer, and which detector found each."""

from __future__ import annotations

from array import array

_MOST = 64


class Hits:
    """Spans in the order in which they were found; so many as fit, for more the models are asked.

    `spans` has three numbers a hit: its begin, its end, and the number of its detector.
    """

    def __init__(self) -> None:
        self.spans = array("q", (0,)) * (3 * _MOST)
        self.count = 0

    def note(self, begin: int, end: int, by: int) -> bool:
        """Note a hit; whether there was room for it."""
        if self.count == _MOST:
            return False
        spans, place = self.spans, 3 * self.count
        spans[place], spans[place + 1], spans[place + 2] = begin, end, by
        self.count += 1
        return True

    def in_order(self) -> bool:
        """Put hits in order; whether none overlaps another."""
        spans, apart = self.spans, True
        for number in range(1, self.count):
            place = 3 * number
            while place and spans[place] < spans[place - 3]:
                for at in range(place, place + 3):
                    spans[at], spans[at - 3] = spans[at - 3], spans[at]
                place -= 3
        for number in range(1, self.count):
            apart = apart and spans[3 * number] >= spans[3 * number - 2]
        return apart
