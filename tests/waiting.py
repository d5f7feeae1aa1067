"""Waiting for what must happen soon: a test says what it waits for, and never how long that usually takes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
SOON = 60.0
"""How long a test waits for what takes milliseconds; only a failure takes as long, or a machine that is very busy."""


def eventually(found: Callable[[], T], what: str, seconds: float = SOON) -> T:
    """Return the first true value of `found`; fail with `what` did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


async def until(found: Callable[[], T], what: str, seconds: float = SOON) -> T:
    """Do as `eventually`, where an event loop runs."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)


def promised(seconds: float) -> float:
    """Return how long what is promised within `seconds` may take here: longer where many processes want each core."""
    runnable = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    return seconds * max(1.0, max(os.getloadavg()[0], runnable) / (os.cpu_count() or 1))
