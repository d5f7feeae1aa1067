"""What people's pages watch that nobody publishes: how many sessions run on this node, and whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from blastwall.control.archive import Archive
from blastwall.control.changes import Changes

_SECONDS = 1.0
_log = structlog.get_logger("blastwall.control")


class Pulse:
    """Looks once a second while anybody watches, and tells what is other than before."""

    def __init__(self, changes: Changes, archive: Archive, waiting_for: Callable[[], Sequence[str]]) -> None:
        self._changes = changes
        self._archive = archive
        self._waiting_for = waiting_for
        self._sessions: frozenset[str] | None = None
        self._ready: bool | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look_forever(), name="pulse")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - whatever fails once, it is looked at again
                _log.exception("pulse_failed")

    async def look(self) -> None:
        """Look once; without watchers nothing is asked and nothing is known afterwards."""
        if not self._changes.watched:
            self._sessions = self._ready = None
            return
        sessions, ready = (await self._archive.live()).sessions, not self._waiting_for()
        if self._sessions is not None and sessions != self._sessions:
            self._changes.tell("session", "", {"live": len(sessions)})
        if self._ready is not None and ready != self._ready:
            self._changes.tell("health", "", {"ready": ready})
        self._sessions, self._ready = sessions, ready
