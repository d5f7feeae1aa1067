"""Work that would keep the loop from the sessions: done in threads of its own, few at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Busy(Exception):
    """So much work waits already that no more is taken."""


class Desk:
    """Does `at_once` pieces of work at a time; `waiting` more may wait for their turn.

    The threads are a desk's own: the loop's are needed for logins. Work whose asker has left counts until it is done,
    so that asking and leaving again and again takes no more threads than asking once.
    """

    def __init__(self, at_once: int = 1, waiting: int = 16) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="desk")
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
        doing = asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))
        doing.add_done_callback(self._done)
        return await asyncio.shield(doing)

    def _done(self, doing: asyncio.Future[R]) -> None:
        self._taken -= 1
        if not doing.cancelled():
            doing.exception()  # nobody may be left to hear of it
