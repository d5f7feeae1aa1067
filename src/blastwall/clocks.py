"""The two clocks. `time.time` says when something was, for records; it may be set, so it jumps.

How long something lasted, or may last, is measured by `steady`: nobody can set it, and it goes on while the machine
sleeps where the system has such a clock (Linux: CLOCK_BOOTTIME).
"""

from __future__ import annotations

import sys
import time

if sys.platform == "linux":

    def steady() -> float:
        """Return seconds since some moment in the past; only differences mean anything."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def steady() -> float:
        """Return seconds since some moment in the past; only differences mean anything."""
        return time.monotonic()


def wall() -> float:
    """Return what `time.time` does; compiled twins, which ask for each statement, ask the system itself."""
    return time.time()


def monotonic() -> float:
    """Return what `time.monotonic` does, likewise."""
    return time.monotonic()
