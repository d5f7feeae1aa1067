"""How much a waiting statement would change: asked of its resource beside the wait, filled in when it is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from blastwall.control.changes import Changes
from blastwall.model.effects import Action, Effect, object_of
from blastwall.protocols.kind import Estimated
from blastwall.store import StateError
from blastwall.store.approvals import ApprovalTable, State, StoredRequest

_MOST_ASKED = 100
"""Beyond so many that are being asked for, a request stays without: the resource has other things to do."""

_log = structlog.get_logger("blastwall.app")


class Estimates(Protocol):
    """`Relay.estimate`."""

    def __call__(
        self, resource: str, database: str, effects: Sequence[Effect], answer: Callable[[object], None]
    ) -> None: ...


class Previews:
    """Asks, and writes what comes back; a hold waits for none of it. `estimate` is set once there is a relay."""

    def __init__(self, table: ApprovalTable, changes: Changes) -> None:
        self._table = table
        self._changes = changes
        self._asked = 0
        self._found: dict[str, Estimated] = {}
        self._writing: asyncio.Task[None] | None = None
        self.estimate: Estimates | None = None

    def wanted(self, request: StoredRequest) -> None:
        """Ask about a new request."""
        if self.estimate is None or self._asked >= _MOST_ASKED:
            return
        effects = [
            Effect(Action(action), object_of(names, kind)) for action, names, kind in json.loads(request.effects)
        ]
        self._asked += 1
        self.estimate(request.resource, request.database, effects, partial(self._answered, request.id))

    def _answered(self, identity: str, reply: object) -> None:
        self._asked -= 1
        if isinstance(reply, Estimated):
            self._found[identity] = reply
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write(), name="write previews")

    async def _write(self) -> None:
        while self._found:
            found, self._found = self._found, {}
            previews = {identity: (each.rows, _how(each), each.note) for identity, each in found.items()}
            try:
                await self._table.preview(previews)
            except StateError as error:
                _log.warning("previews_not_written", previews=len(previews), reason=str(error))
                return
            for identity in previews:
                self._changes.publish("approval", identity, {"state": State.WAITING.value})

    async def stop(self) -> None:
        """Write what is known."""
        if self._writing is not None:
            await self._writing


def _how(found: Estimated) -> str:
    if found.rows is None:
        return "none"
    return "counted" if found.counted else "statistics"
