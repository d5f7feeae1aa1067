"""Which of a node's processes this is."""

from __future__ import annotations

from dataclasses import dataclass, field

from blastwall.workers.bus import Bus
from blastwall.workers.counts import Counts, LocalCounts


@dataclass(frozen=True, slots=True)
class Member:
    """Worker `number` of `of`, counted from 1; `bus` is None where there is no other.

    `restarts` is how often this worker was started again after it had ended by itself.
    """

    number: int = 1
    of: int = 1
    counts: Counts = field(default_factory=LocalCounts)
    bus: Bus | None = None
    restarts: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the worker that does what is done once a node: the control port, old recordings."""
        return self.number == 1
