"""The gate's port Grants, over the state that all nodes share.

One task reads what is open every 250 ms, so what was opened or revoked anywhere is felt here within that time and the
read; what this process opens is felt at once. Rulings read memory only.

A grant ends here by itself, to the instant, whether or not the state can be read: by the wall clock, or by the steady
one where the wall clock was set back meanwhile. What has ended once never opens again. Where the state cannot be read
for long, containment refuses everybody (`blastwall.containment`), so a revocation that cannot be seen gives nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from blastwall import clocks
from blastwall.gate.ports import Subject
from blastwall.model.effects import Action
from blastwall.model.grant import OpenGrant
from blastwall.model.ruling import Approval
from blastwall.store import StateError
from blastwall.store.grants import GrantKind, GrantTable, StoredGrant

POLL_SECONDS = 0.25
WRITE_SECONDS = 5.0
"""So often is it written when grants were last used."""

OVERDUE_SECONDS = 86_400.0
"""After so long the review of a broken glass is warned of."""

NOT_OURS = (
    "it opens nothing: somebody wrote it into the state, a gateway with another `hold.key` did, or it is from a "
    "version that did not seal grants; ask for access anew"
)

_LOOK_SECONDS = 60.0

_MOST_ENDED = 10_000

_Holder = tuple[str, str, str, str]
"""A principal's kind, name and issuer, and a resource."""

_log = structlog.get_logger("blastwall.grants")


@dataclass(frozen=True, slots=True)
class _Held:
    """A grant as it is held here; `over` is its end by the steady clock."""

    grant: OpenGrant
    holder: _Holder
    over: float


class StoredGrants:
    """Open grants by the state database.

    Args:
        table: where grants are kept.
        public: the URL under which people reach the control port.
        clock: the time, in epoch seconds.
        steady: seconds by a clock that nobody can set.
    """

    def __init__(
        self,
        table: GrantTable,
        public: str,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = clocks.steady,
    ) -> None:
        self._table = table
        self._public = public
        self._clock = clock
        self._steady = steady
        self._held: dict[str, _Held] = {}
        self._of: dict[_Holder, tuple[_Held, ...]] = {}
        self._ended: dict[str, None] = {}
        self._used: dict[str, float] = {}
        self._written_at = steady()
        self._looked_at = float("-inf")
        self.overdue = 0
        """How many broken glasses have waited for their review for longer than that; read once a minute."""
        self._reading = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed: Callable[[], None] = lambda: None

    def reached_at(self, public: str) -> None:
        """Name another URL in refusals from now on."""
        self._public = public

    async def start(self, changed: Callable[[], None]) -> None:
        """Read what is open, then keep reading; `changed` is called after something opened or ended.

        Raises:
            StateError: the state cannot be read, so nothing may start.
        """
        await self.refresh()
        self._changed = changed
        self._task = asyncio.create_task(self._poll_forever(), name="grants poll")

    async def stop(self) -> None:
        """Stop reading; write what was used last."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            with suppress(StateError):
                await self._write_used()

    # ── the gate's port ──────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, subject: Subject) -> tuple[OpenGrant, ...]:
        """See `gate.ports.Grants`."""
        principal = subject.principal
        held = self._of.get((principal.kind, principal.name, principal.issuer, subject.resource.name))
        if held is None:
            return ()
        return tuple(each.grant for each in held if not self._over(each))

    def used(self, grants: Iterable[str]) -> None:
        """See `gate.ports.Grants`."""
        now = self._clock()
        self._used.update((grant, now) for grant in grants)

    def remedy(self, subject: Subject, actions: tuple[str, ...]) -> str:
        """See `gate.ports.Grants`."""
        resource = subject.resource.name
        return (
            f"ask for one with `blastwall grants ask {resource} {' '.join(actions)}` or at "
            f"{self._public}/#/grants/ask?resource={resource}&actions={','.join(actions)}"
        )

    # ── what is open ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def refresh(self) -> None:
        """Read what is open now; a read that is under way already does not count.

        Raises:
            StateError: the state cannot be read; what is known stays in force.
        """
        async with self._reading:
            found = [each for each in await self._table.open(self._clock()) if each.id not in self._ended]
            self._refuse([each.id for each in found if not each.sealed])
            self._put_in_force([each for each in found if each.sealed])

    def _refuse(self, forged: Sequence[str]) -> None:
        """Let what no gateway of ours wrote open nothing, and say so once."""
        for identity in forged:
            _log.warning("grant_not_ours", grant=identity, remedy=NOT_OURS)
        self._forget(forged)

    def _put_in_force(self, found: Iterable[StoredGrant]) -> None:
        before = self._held
        self._held = {each.id: self._hold(each) for each in found}
        self._forget(before.keys() - self._held.keys())
        self._forget_ended()
        self._index()
        if before.keys() != self._held.keys():
            self._tell(before)

    def _hold(self, stored: StoredGrant) -> _Held:
        """Return a grant as it is held; one that is held already ends no later by the steady clock than it did."""
        over = self._steady() + (stored.ends or 0.0) - self._clock()
        known = self._held.get(stored.id)
        if known is not None and known.grant.ends == stored.ends:
            over = min(known.over, over)
        return _Held(_read(stored), (stored.who, stored.principal, stored.issuer, stored.resource), over)

    def _over(self, held: _Held) -> bool:
        return self._clock() >= held.grant.ends or self._steady() >= held.over

    def _forget_ended(self) -> None:
        """Take out what has ended."""
        over = [each for each, held in self._held.items() if self._over(held)]
        for identity in over:
            del self._held[identity]
        self._forget(over)

    def _forget(self, gone: Iterable[str]) -> None:
        """Never open these again, whatever the clock says later."""
        self._ended.update((identity, None) for identity in gone)
        while len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def _index(self) -> None:
        self._of = {}
        for held in self._held.values():
            self._of[held.holder] = (*self._of.get(held.holder, ()), held)
        self._set_timer()

    def _set_timer(self) -> None:
        """Look again when the next grant ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held:
            now, moment = self._clock(), self._steady()
            left = min(min(held.grant.ends - now, held.over - moment) for held in self._held.values())
            self._timer = asyncio.get_running_loop().call_later(max(left, 0.0), self._end)

    def _end(self) -> None:
        before = dict(self._held)
        self._forget_ended()
        self._index()
        if before.keys() != self._held.keys():
            self._tell(before)

    def _tell(self, before: dict[str, _Held]) -> None:
        for identity in self._held.keys() - before.keys():
            grant, holder = self._held[identity].grant, self._held[identity].holder
            _log.info("grant_opened", grant=identity, principal=holder[1], resource=holder[3], ends=grant.ends)
        for identity in before.keys() - self._held.keys():
            holder = before[identity].holder
            _log.info("grant_ended", grant=identity, principal=holder[1], resource=holder[3])
        self._changed()

    # ── the task ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _poll_forever(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
                await self._look_for_overdue()
                if self._used and self._steady() - self._written_at >= WRITE_SECONDS:
                    await self._write_used()
            except StateError as error:
                _log.warning("grants_unreadable", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever else fails, the poll goes on
                _log.exception("grants_unreadable")

    async def _look_for_overdue(self) -> None:
        if self._steady() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = self._steady()
        found = await self._table.unreviewed(self._clock() - OVERDUE_SECONDS)
        if len(found) > self.overdue:
            _log.warning("reviews_overdue", grants=found, remedy="somebody else has to look: `blastwall grants review`")
        self.overdue = len(found)

    async def _write_used(self) -> None:
        """Write when grants were last used; what cannot be written is kept for the next time."""
        used, self._used = self._used, {}
        self._written_at = self._steady()
        try:
            await self._table.used(used)
        except StateError:
            self._used = {**used, **self._used}
            raise


def _read(stored: StoredGrant) -> OpenGrant:
    given = None
    if stored.kind != GrantKind.BREAK_GLASS:
        given = tuple(Approval(group, count) for group, count in json.loads(stored.needed))
    return OpenGrant(
        stored.id,
        frozenset(Action(name) for name in json.loads(stored.actions)),
        given,
        60.0 * stored.minutes,
        stored.ends or 0.0,
    )
