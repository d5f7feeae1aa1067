"""Work beside the sessions: bounded, whatever its askers do."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from blastwall.control.reading import Busy, Desk

PATIENCE = 30.0


async def test_work_is_done_in_another_thread() -> None:
    assert await Desk().run(threading.get_ident) != threading.get_ident()


async def test_what_fails_fails_for_who_asked() -> None:
    with pytest.raises(ZeroDivisionError):
        await Desk().run(divmod, 1, 0)


async def test_who_asks_and_leaves_takes_no_more_threads() -> None:
    """Else a caller could keep the threads that logins need, by leaving before each answer."""
    desk, go, running = Desk(at_once=2, waiting=3), threading.Event(), []

    def work() -> None:
        running.append(threading.get_ident())
        go.wait(PATIENCE)

    for _ in range(5):
        asking = asyncio.create_task(desk.run(work))
        await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    with pytest.raises(Busy):
        await desk.run(work)
    go.set()
    async with asyncio.timeout(PATIENCE):
        for _ in iter(lambda: desk._taken == 0, True):
            await asyncio.sleep(0.01)
    assert len(running) == 5
    assert len(set(running)) <= 2
    await desk.run(work)
