"""Waiting for what must happen soon: a test says what it waits for, and never how long that usually takes."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def unchanged(look: Callable[[], object], seconds: float = 0.3) -> bool:
    """Whether `look` sees the same after so long: what goes on by itself has come to rest."""
    before = look()
    time.sleep(seconds)
    return look() == before


@contextmanager
def once(happens: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Do something while the block waits, as soon as something happens; a timer may be too early for it."""

    def wait() -> None:
        eventually(happens, "what was waited for in order to act")
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield
    thread.join(SOON)
    assert not thread.is_alive(), "it has not happened, or the act takes too long"


def promised(seconds: float) -> float:
    """Return how long what is promised within `seconds` may take here: longer where many processes want each core."""
    runnable = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    return seconds * max(1.0, max(os.getloadavg()[0], runnable) / (os.cpu_count() or 1))
