"""The two clocks that are read for each statement; in compiled twins these are the system's own, by `ticks.pxd`.

Whoever is given a clock asks these only where it is the very one that they stand for.
"""

from __future__ import annotations

import time


def wall() -> float:
    """Return what `time.time` does: epoch seconds."""
    return time.time()


def monotonic() -> float:
    """Return what `time.monotonic` does: seconds that nobody can set."""
    return time.monotonic()
