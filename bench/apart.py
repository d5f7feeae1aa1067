"""Processors of their own for what stands between and for the rest, as where a gateway has a machine to itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TOGETHER = 2
"""Processors below which nothing can be kept apart."""


def can_be_apart() -> bool:
    """Whether this machine has processors enough, and a system that binds processes to them."""
    return hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) >= TOGETHER


@contextmanager
def apart(between: int | None, server: int) -> Iterator[None]:
    """Bind the process `between` to the first half of the processors; the server and the clients to the others.

    Both go with their children, and with those that come meanwhile. Without `between` that half stays idle.
    """
    every = sorted(os.sched_getaffinity(0))
    half = len(every) // 2
    try:
        if between is not None:
            _bind(between, every[:half])
        _bind(server, every[half:])
        os.sched_setaffinity(0, every[half:])
        yield
    finally:
        os.sched_setaffinity(0, every)
        for process in (between, server):
            if process is not None:
                _bind(process, every)


def _bind(process: int, processors: list[int]) -> None:
    """Bind a process's threads, and its children's; whoever ends meanwhile needs it no more."""
    with suppress(ProcessLookupError, FileNotFoundError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), processors)
            for child in (thread / "children").read_text().split():
                _bind(int(child), processors)
