"""The gate's port Containment, over the state that all nodes share.

One task reads what is in force every 250 ms, so a containment made anywhere (another node, the command line) is felt
here within that time and the read; one made here is felt at once. Rulings read memory only.

Where no reading began in the last `BLIND_AFTER` seconds and came back, nobody can know who is contained, so `against`
cuts everybody off until one does. Whoever asks for something waits for it first (`sight`): on a machine that is too
busy, or was stopped, it is late, and its word is worth waiting for; while all wait, it finds the machine idle. Where a
reading fails, or none is in time for `SIGHT_SECONDS`, logins and statements are refused, sessions stay open and go on
afterwards. A shorter outage, like a failover, goes unnoticed.

A client hears that it is contained, never why: the operator's reason may tell a thief what has been found out. It
stands in the state and in the log, on every node, as does each lift with its own.

What proved an agent, a user, or anybody of an issuer before it was contained proves nothing afterwards, although the
containment was lifted: the thief may have it still. A token or pass from after it does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from blastwall import clocks
from blastwall.gate.each import Cutoff
from blastwall.gate.ports import LiveSession
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.store import StateError
from blastwall.store.containments import SPOILING, Contained, ContainmentTable, Kind, PastContainment
from blastwall.wire.native import Flag, Real, Whole

POLL_SECONDS = 0.25
BLIND_AFTER = _BLIND_AFTER = 5.0
SIGHT_SECONDS = 20.0
"""So long at most is waited for a reading; one that is late on a machine that is too busy took up to 16."""
_NEVER = float("-inf")
SPOILED = "this proof is from before a containment, so it is worth nothing any more; request a fresh token"

_KINDS = {PrincipalKind.AGENT: Kind.AGENT, PrincipalKind.USER: Kind.USER}
_log = structlog.get_logger("blastwall.containment")

Thing = tuple[Kind, str]
"""What is cut off: its kind and name."""


class StoredContainment(Cutoff):
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
        self._by_monotonic: Flag = monotonic is time.monotonic
        self._in_force: dict[Thing, Contained] = {}
        self._spoiled: dict[Thing, float] = {}
        self._lifts: set[int] = set()
        self._changes = 0
        self._edition: Whole = 1
        self._read_at: Real = _NEVER
        self._looked = asyncio.Event()
        self._failed: Whole = 0
        self._live: dict[str, LiveSession] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what is in force, then keep reading.

        Raises:
            StateError: the state cannot be read, so nothing may start.
        """
        await self._poll(tells=False)
        self._task = asyncio.create_task(self._poll_forever(), name="containment poll")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._tell_looked()

    @property
    def blind(self) -> bool:
        """Whether the state could not be read for too long."""
        return not self.edition()

    @property
    def cutoff(self) -> Cutoff:
        """See `gate.ports.Containment`."""
        return self

    def edition(self) -> Whole:
        """See `gate.each.Cutoff`."""
        now: Real = clocks.monotonic() if self._by_monotonic else self._monotonic()
        read_before: Real = now - self._read_at
        return 0 if read_before > _BLIND_AFTER else self._edition

    async def sight(self) -> None:
        """See `gate.ports.Containment`. What was read too slowly is not waited for alone, but the next reading, too."""
        if not self.blind:
            return
        failed = self._failed
        with suppress(TimeoutError):
            async with asyncio.timeout(SIGHT_SECONDS):
                while self.blind and self._reads and failed == self._failed:
                    await self._looked.wait()

    @property
    def _reads(self) -> bool:
        return self._task is not None and not self._task.done()

    def against(self, principal: Principal, resource: Resource | None = None) -> str | None:
        """See `gate.ports.Containment`."""
        if self.blind:
            return "the gateway cannot read its state, so it cannot know who is contained; try again later"
        if not self._in_force:
            return None
        cause = self._first(*_things(principal), *([] if resource is None else [(Kind.RESOURCE, resource.name)]))
        return None if cause is None else told(*cause)

    def spoiled(self, principal: Principal, issued: float) -> str | None:
        """See `gate.ports.Containment`. A token's `iat` has whole seconds: what may be from before is taken for it."""
        return SPOILED if any(issued <= self._spoiled.get(thing, _NEVER) for thing in _things(principal)) else None

    def revoked(self, pass_id: str) -> bool:
        """Whether the pass or gateway token of this public handle was revoked. Reads memory only."""
        return (Kind.PASS, pass_id) in self._in_force

    def _first(self, *things: Thing) -> Thing | None:
        return next((thing for thing in things if thing in self._in_force), None)

    def watch(self, live: LiveSession) -> None:
        """See `gate.ports.Containment`. What is contained already ends in the loop's next turn."""
        self._live[live.session] = live
        if self._cause(live) is not None:
            asyncio.get_running_loop().call_soon(self._end_contained)

    def unwatch(self, session: str) -> None:
        """See `gate.ports.Containment`."""
        self._live.pop(session, None)

    async def contain(self, kind: Kind, name: str, reason: str, by: str) -> None:
        """Cut something off: every node learns it from the state, this one now.

        Raises:
            StateError: the state cannot be written; nothing is cut off.
        """
        contained = Contained(kind, name, reason, by, self._now())
        await self._table.add(contained)
        self._changes += 1
        self._put_in_force({**self._in_force, (kind, name): contained}, tells=self._task is not None)
        if kind in SPOILING:
            self._spoiled[kind, name] = contained.at
        self._end_contained()

    async def lift(self, kind: Kind, name: str, reason: str, by: str) -> bool:
        """Lift a containment; False where none is in force.

        Raises:
            StateError: the state cannot be written; nothing is lifted.
        """
        lifted = await self._table.lift(kind, name, reason, by, self._now())
        self._changes += 1
        self._put_in_force({thing: each for thing, each in self._in_force.items() if thing != (kind, name)})
        return lifted

    async def _poll_forever(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._poll()
            except StateError as error:
                self._failed += 1
                _log.warning("containment_unreadable", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever else fails, the poll goes on, and `blind` closes meanwhile
                self._failed += 1
                _log.exception("containment_unreadable")
            self._tell_looked()

    def _tell_looked(self) -> None:
        """Have all go on who wait for this reading, and the next wait for the next."""
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def _poll(self, *, tells: bool = True) -> None:
        """Read; a read that began before a change of this process's own is thrown away.

        What it says is as old as its beginning: what another node contained after that may not be in it.
        """
        changes, began, now = self._changes, self._monotonic(), self._now()
        found = await self._table.matters(now)
        if changes == self._changes:
            self._read_at = began
            in_force = {_thing(each.contained): each.contained for each in found if each.in_force(now)}
            self._put_in_force(in_force, tells=tells)
            self._spoiled = {_thing(each.contained): each.contained.at for each in found if _spoils(each)}
            self._note_lifts(found, tells=tells)
        self._end_contained()

    def _put_in_force(self, in_force: dict[Thing, Contained], *, tells: bool = False) -> None:
        before, self._in_force = self._in_force, in_force
        self._edition += 1
        for each in in_force.values() if tells else ():
            if before.get((each.kind, each.name)) != each:
                _log.warning("contained", kind=each.kind.value, name=each.name, reason=each.reason, by=each.by)

    def _note_lifts(self, found: Iterable[PastContainment], *, tells: bool) -> None:
        """Log what was lifted, once, wherever it was."""
        known, lifted = self._lifts, [each for each in found if each.lifted is not None]
        self._lifts = {each.id for each in lifted}
        for each in lifted:
            if tells and each.id not in known:
                kind, name = _thing(each.contained)
                _log.warning("lifted", kind=kind.value, name=name, reason=each.lift_reason, by=each.lifted_by)

    def _end_contained(self) -> None:
        for live in tuple(self._live.values()):
            cause = self._cause(live)
            if cause is not None:
                self._live.pop(live.session, None)
                _log.info("session_contained", session=live.session, cause=cause, reason=self._in_force[cause].reason)
                _end(live, told(*cause))

    def _cause(self, live: LiveSession) -> Thing | None:
        things = [*_things(live.principal), (Kind.RESOURCE, live.resource.name), (Kind.SESSION, live.session)]
        return self._first(*things, *([] if live.pass_id is None else [(Kind.PASS, live.pass_id)]))


def _things(principal: Principal) -> tuple[Thing, Thing]:
    """Return what cuts a principal off wherever it goes."""
    return (_KINDS[principal.kind], principal.name), (Kind.ISSUER, principal.issuer)


def _thing(contained: Contained) -> Thing:
    return contained.kind, contained.name


def _spoils(past: PastContainment) -> bool:
    return past.contained.kind in SPOILING


def _end(live: LiveSession, reason: str) -> None:
    """End one session. One that fails to end must not keep the others alive."""
    try:
        live.end(reason)
    except Exception:  # noqa: BLE001 - see above
        _log.exception("session_not_ended", session=live.session)


def told(kind: Kind, name: str) -> str:
    """Return what a client hears."""
    return {
        Kind.AGENT: f"agent {name} is contained by the gateway's operator",
        Kind.USER: f"user {name} is contained by the gateway's operator",
        Kind.RESOURCE: f"resource {name} is contained by the gateway's operator",
        Kind.SESSION: "the session was ended by the gateway's operator",
        Kind.PASS: "the session's pass was revoked",
        Kind.ISSUER: f"whoever comes from the issuer {name} is contained by the gateway's operator",
    }[kind]
