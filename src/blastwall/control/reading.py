"""Work that would keep the loop from the sessions: done in threads, few at once, and not more than can wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Busy(Exception):
    """So much work waits already that no more is taken."""


class Desk:
    """Does `at_once` pieces of work at a time; `waiting` more may wait for their turn."""

    def __init__(self, at_once: int = 1, waiting: int = 16) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._taken = 0

    async def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do a piece of work in a thread and return its result.

        Raises:
            Busy: too much waits.
        """
        if self._taken >= self._most:
            raise Busy("the gateway is busy with such questions; ask again in a moment")
        self._taken += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *args, **kwargs)
        finally:
            self._taken -= 1
