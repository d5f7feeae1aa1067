"""The gate's port Containment, over the state that all nodes share.

One task reads what is in force every 250 ms, so a containment made anywhere (another node, the command line) is felt
here within that time and the read; one made here is felt at once. Rulings read memory only.

Where the state cannot be read for `BLIND_AFTER` seconds, nobody can know who is contained, so `against` cuts everybody
off until it can be read again: logins and statements are refused, sessions stay open and go on afterwards. A shorter
outage, like a failover, goes unnoticed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from blastwall.gate.ports import LiveSession
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.store import StateError
from blastwall.store.containments import Contained, ContainmentTable, Kind

POLL_SECONDS = 0.25
READ_SECONDS = 2.0
BLIND_AFTER = 5.0

_KINDS = {PrincipalKind.AGENT: Kind.AGENT, PrincipalKind.USER: Kind.USER}
_log = structlog.get_logger("blastwall.containment")

InForce = dict[tuple[Kind, str], str]


class StoredContainment:
    """Containment by the state database.

    Args:
        table: where containments are kept.
        now: the time, in epoch seconds.
        monotonic: a clock that never jumps, for how old the view is.
    """

    def __init__(
        self, table: ContainmentTable, now: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._table = table
        self._now = now
        self._monotonic = monotonic
        self._in_force: InForce = {}
        self._changes = 0
        self._read_at = float("-inf")
        self._live: dict[str, LiveSession] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what is in force, then keep reading.

        Raises:
            StateError: the state cannot be read, so nothing may start.
        """
        await self._poll()
        self._task = asyncio.create_task(self._poll_forever(), name="containment poll")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def blind(self) -> bool:
        """Whether the state could not be read for too long."""
        return self._monotonic() - self._read_at > BLIND_AFTER

    def against(self, principal: Principal, resource: Resource) -> str | None:
        """See `gate.ports.Containment`."""
        if self.blind:
            return "the gateway cannot read its state, so it cannot know who is contained; try again later"
        return self._against(_KINDS[principal.kind], principal.name, resource)

    def _against(self, kind: Kind, name: str, resource: Resource) -> str | None:
        return self._in_force.get((kind, name)) or self._in_force.get((Kind.RESOURCE, resource.name))

    def watch(self, live: LiveSession) -> None:
        """See `gate.ports.Containment`. What is contained already ends in the loop's next turn."""
        self._live[live.session] = live
        if self._reason_to_end(live) is not None:
            asyncio.get_running_loop().call_soon(self._end_contained)

    def unwatch(self, session: str) -> None:
        """See `gate.ports.Containment`."""
        self._live.pop(session, None)

    async def contain(self, kind: Kind, name: str, reason: str, by: str) -> None:
        """Cut something off: every node learns it from the state, this one now.

        Raises:
            StateError: the state cannot be written; nothing is cut off.
        """
        await self._table.add(Contained(kind, name, reason, by, self._now()))
        self._change((kind, name), told(kind, name, reason))
        self._end_contained()

    async def lift(self, kind: Kind, name: str, by: str) -> bool:
        """Lift a containment; False where none is in force.

        Raises:
            StateError: the state cannot be written; nothing is lifted.
        """
        lifted = await self._table.lift(kind, name, by, self._now())
        self._change((kind, name), None)
        return lifted

    def pass_revoked(self, pass_id: str, reason: str) -> None:
        """End the sessions of a pass that this node just revoked in the state."""
        self._change((Kind.PASS, pass_id), told(Kind.PASS, pass_id, reason))
        self._end_contained()

    def _change(self, what: tuple[Kind, str], reason: str | None) -> None:
        """Change the view ahead of the poll; a read that began before the change is thrown away."""
        self._changes += 1
        if reason is None:
            self._in_force.pop(what, None)
        else:
            self._in_force[what] = reason

    async def _poll_forever(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._poll()
            except (StateError, TimeoutError) as error:
                _log.warning("containment_unreadable", reason=str(error) or "the state did not answer in time")
            except Exception:
                _log.exception("containment_unreadable")

    async def _poll(self) -> None:
        changes = self._changes
        async with asyncio.timeout(READ_SECONDS):
            found = await self._table.in_force(self._now())
        self._read_at = self._monotonic()
        if changes == self._changes:
            self._in_force = {(each.kind, each.name): told(each.kind, each.name, each.reason) for each in found}
        self._end_contained()

    def _end_contained(self) -> None:
        for live in tuple(self._live.values()):
            reason = self._reason_to_end(live)
            if reason is not None:
                self._live.pop(live.session, None)
                _end(live, reason)

    def _reason_to_end(self, live: LiveSession) -> str | None:
        reason = self._against(_KINDS[live.principal.kind], live.principal.name, live.resource)
        if reason is None:
            reason = self._in_force.get((Kind.SESSION, live.session))
        if reason is None and live.pass_id is not None:
            reason = self._in_force.get((Kind.PASS, live.pass_id))
        return reason


def _end(live: LiveSession, reason: str) -> None:
    """End one session. One that fails to end must not keep the others alive."""
    try:
        live.end(reason)
    except Exception:
        _log.exception("session_not_ended", session=live.session)


def told(kind: Kind, name: str, reason: str) -> str:
    """Return what a client hears."""
    what = {
        Kind.AGENT: f"agent {name} is contained",
        Kind.USER: f"user {name} is contained",
        Kind.RESOURCE: f"resource {name} is contained",
        Kind.SESSION: "the session was ended by an operator",
        Kind.PASS: "the session's pass was revoked",
    }[kind]
    return f"{what}: {reason}"
