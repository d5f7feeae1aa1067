"""Requests that nobody ended, though their time is over: their process has died, or they waited for no connection.

No wall clock is believed at once: one that was set ahead would end what people can still decide, in other processes and
at other nodes too. Whoever holds a statement ends its request by a steady clock. So a request is left over only once it
was found past its time, at every look, for as long as it was to last.
"""

from __future__ import annotations

from collections.abc import Mapping


class Overdue:
    """What one process has found past its time, and since when by its steady clock."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def left(self, found: Mapping[str, float], now: float) -> list[str]:
        """Return which requests are left over.

        Args:
            found: those that wait though the wall clock says that they are over, and for how many seconds each was to
                last.
            now: the steady clock's time.
        """
        self._since = {identity: self._since.get(identity, now) for identity in found}
        return [identity for identity, lasts in found.items() if now - self._since[identity] >= lasts]
