"""The gate's port Budgets, over the state that all nodes share.

Each process counts in memory what its sessions spend, adds it to the state every 250 ms, and reads what all have spent.
So a bound is felt at once for what this process counted, and within that time and the read for what others did: agents
may go over it by what all processes together pass on in it. What a killed process had not yet written is lost.

Where a budget is spent the agent is contained, which ends its sessions everywhere; lifting the containment gives it the
whole budget again. Where a quota is, it must wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from blastwall.budgets.bounds import NOBODY_BOUND, Bound
from blastwall.budgets.presences import Presences
from blastwall.budgets.tallies import Tally
from blastwall.gate.each import Purse
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.store import StateError
from blastwall.store.containments import Kind
from blastwall.store.spending import Account, Amounts, SpendingTable, Window
from blastwall.wire.native import Whole

FLUSH_SECONDS = 0.25
_FORGET_SECONDS = 60.0

_STATEMENTS = Amounts._fields.index("statements")
_LOGINS = Amounts._fields.index("logins")
_SPENDABLE = tuple(Amounts._fields.index(name) for name in ("rows_read", "rows_changed", "masked_cells", "bytes_out"))
_KINDS = {PrincipalKind.AGENT: Kind.AGENT, PrincipalKind.USER: Kind.USER}
_log = structlog.get_logger("blastwall.budgets")

Who = tuple[Kind, str]


class Contains(Protocol):
    """Who cuts off an agent that has spent its budget."""

    async def contain(self, kind: Kind, name: str, reason: str, by: str) -> None: ...


class StoredBudgets:
    """Implements `gate.ports.Budgets`.

    Args:
        table: where spending is kept.
        containment: who cuts off.
        now: the time, in epoch seconds.
        presences: how many sessions there are at other nodes; None where there are no others.
    """

    def __init__(
        self,
        table: SpendingTable,
        containment: Contains,
        now: Callable[[], float],
        presences: Presences | None = None,
    ) -> None:
        self._table = table
        self._containment = containment
        self._now = now
        self._bounds: tuple[Bound, ...] = ()
        self.generation: Whole = 0
        self._tallies: dict[Account, Tally] = {}
        self._read: Mapping[Window, Amounts] = {}
        self._spent: dict[Who, str] = {}
        self._containing: dict[Who, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._forgotten = float("-inf")
        self._flushing = asyncio.Lock()
        self._presences = presences
        self.quarantines = 0

    def reconfigure(self, bounds: Sequence[Bound], limited: Collection[str] = ()) -> None:
        """Put other bounds in force; what was spent counts on. `limited` are agents with a number of sessions."""
        if self._presences is not None:
            self._presences.reconfigure(limited)
        self._bounds = tuple(bounds)
        self.generation += 1

    async def start(self) -> None:
        """Read what was spent, then keep writing and reading.

        Raises:
            StateError: the state cannot be read, so nothing may start.
        """
        self._read = await self._table.read(self._now())
        self._task = asyncio.create_task(self._flush_forever(), name="budgets")

    async def stop(self) -> None:
        """Write what is left, and stop."""
        tasks = [task for task in (self._task, *self._containing.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StateError):
            await self._flush()

    # ── the port ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def login(self, principal: Principal) -> str | None:
        """See `gate.ports.Budgets`."""
        return _ask(self.bound(principal, None), _LOGINS, principal, "begin sessions")

    def elsewhere(self, principal: Principal) -> int:
        """See `gate.ports.Budgets`."""
        return 0 if self._presences is None else self._presences.elsewhere(principal)

    def purse(self, principal: Principal, resource: Resource) -> StoredPurse:
        """See `gate.ports.Budgets`."""
        return StoredPurse(self, principal, resource)

    def spent(self, who: Who) -> str | None:
        """What the client hears whose agent has spent a budget."""
        return self._spent.get(who) if self._spent else None

    def bound(self, principal: Principal, resource: Resource | None) -> list[tuple[Bound, Tally]]:
        """The bounds that hold for a principal at a resource (None: wherever it is), with their tallies."""
        places = ("",) if resource is None else ("", resource.name)
        found = [one for one in self._bounds if one.resource in places and one.binds(principal)]
        return [(one, self._tally(one.account(principal))) for one in found]

    def _tally(self, account: Account) -> Tally:
        tally = self._tallies.get(account)
        if tally is None:
            tally = self._tallies[account] = Tally(account)
            tally.learn(self._read, self._now())
        return tally

    def overspent(self, principal: Principal, bound: Bound, tally: Tally, place: int) -> str:
        """An amount is above its budget: cut the agent off; return what the client hears."""
        who = (_KINDS[principal.kind], principal.name)
        if who not in self._spent:
            self._spent[who] = told = f"{who[0]} {who[1]} has spent its budget {bound.name}; the gateway contains it"
            self._containing[who] = asyncio.get_running_loop().create_task(
                self._contain(who, bound, tally, place), name=f"contain {who[1]}"
            )
            return told
        return self._spent[who]

    async def _contain(self, who: Who, bound: Bound, tally: Tally, place: int) -> None:
        """Contain, once the state agrees: a containment may just have been lifted, and its budget made whole."""
        try:
            while True:
                try:
                    await self._flush()
                    if tally.over(bound.most, (place,)) is not None:
                        reason = _reason(bound, tally, place)
                        await self._containment.contain(*who, reason, f"budget {bound.name}")
                        self.quarantines += 1
                        _log.warning("budget_spent", kind=who[0].value, name=who[1], reason=reason)
                    return
                except StateError as error:
                    _log.error("budget_not_enforced_yet", name=who[1], reason=str(error))
                    await asyncio.sleep(FLUSH_SECONDS)
        finally:
            self._spent.pop(who, None)
            self._containing.pop(who, None)

    # ── the state ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                if self._bounds:
                    await self._flush()
                if self._presences is not None:
                    await self._presences.refresh()
            except StateError as error:
                _log.warning("spending_unknown", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever else fails, counting goes on
                _log.exception("spending_unknown")

    async def _flush(self) -> None:
        async with self._flushing:
            await self._write_and_read(self._now())

    async def _write_and_read(self, now: float) -> None:
        tallies = tuple(self._tallies.values())
        taken = [(tally, one) for tally in tallies if (one := tally.take(now)) is not None]
        if taken:
            try:
                await self._table.add(dict(one for _, one in taken))
            except StateError:
                for tally, _ in taken:
                    tally.failed()
                raise
            for tally, _ in taken:
                tally.sent()
        await self._learn()
        if now - self._forgotten > _FORGET_SECONDS:
            self._forgotten = now
            await self._table.forget(now)

    async def _learn(self) -> None:
        self._read = await self._table.read(self._now())
        for tally in self._tallies.values():
            tally.learn(self._read, self._now())


class StoredPurse(Purse):
    """Implements `gate.ports.Purse`."""

    __slots__ = ("_bounds", "_budgets", "_generation", "_principal", "_resource", "_tallies", "_who")

    def __init__(self, budgets: StoredBudgets, principal: Principal, resource: Resource) -> None:
        self._budgets = budgets
        self._principal = principal
        self._resource = resource
        self._who = (_KINDS[principal.kind], principal.name)
        self._bounds: list[tuple[Bound, Tally]] = []
        self._tallies: tuple[Tally, ...] = ()
        self._generation: Whole = -1

    def ask(self) -> str | None:
        """See `gate.ports.Purse`."""
        bounds = self._current()
        return _ask(bounds, _STATEMENTS, self._principal, "run statements") if bounds else None

    def spent(self) -> str | None:
        """See `gate.ports.Purse`."""
        return self._budgets.spent(self._who)

    def spend(self, rows_read: Whole, rows_changed: Whole, masked_cells: Whole, bytes_out: Whole) -> str | None:
        """See `gate.ports.Purse`."""
        bounds = self._current()
        if not bounds:
            return None
        for place, amount in zip(_SPENDABLE, (rows_read, rows_changed, masked_cells, bytes_out), strict=True):
            if amount:
                for tally in self._tallies:
                    tally.add(place, amount)
        for bound, tally in bounds:
            place_over = tally.over(bound.most, _SPENDABLE) if bound.contains else None
            if place_over is not None:
                return self._budgets.overspent(self._principal, bound, tally, place_over)
        return None

    def _current(self) -> list[tuple[Bound, Tally]]:
        if self._generation != self._budgets.generation:
            self._generation = self._budgets.generation
            self._bounds = self._budgets.bound(self._principal, self._resource)
            self._tallies = tuple(dict.fromkeys([tally for _, tally in self._bounds]))
        return self._bounds


def _ask(bounds: Sequence[tuple[Bound, Tally]], place: int, principal: Principal, what: str) -> str | None:
    """Count one, unless it is one too many."""
    concerned = [(bound, tally) for bound, tally in bounds if bound.most[place] != NOBODY_BOUND[place]]
    for bound, tally in concerned:
        if tally.used(place) + 1 > bound.most[place]:
            most = int(bound.most[place])
            return f"{principal.name} may {what} at most {most:,} times in {bound.period} s; wait and try again"
    for tally in dict.fromkeys(tally for _, tally in concerned):
        tally.add(place, 1)
    return None


def _reason(bound: Bound, tally: Tally, place: int) -> str:
    what = Amounts._fields[place]
    where = f" at {bound.resource}" if bound.resource else ""
    return (
        f"budget {bound.name}: {what} {tally.used(place):,.0f} of {bound.most[place]:,.0f} in {bound.period} s{where}"
    )
