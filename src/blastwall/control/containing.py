"""Use-cases of containment: cutting off, lifting, and what was."""

from __future__ import annotations

from collections.abc import Callable

from blastwall.containment import Contained, Kind, StoredContainment
from blastwall.control.access import Access, Caller, UseCases, use_case
from blastwall.control.changes import Changes
from blastwall.control.telling import Telling, containment_told
from blastwall.store.containments import LIFTABLE, ContainmentTable, PastContainment
from blastwall.store.passes import PassTable

_LONGEST_NAME = 63
_LONGEST_REASON = 1000


class CannotContain(Exception):
    """The request makes no sense; the text says why."""


class NotContained(Exception):
    """There is nothing to lift, or no pass to revoke; the text says so."""


class Containing(UseCases):
    """Written to the state, from which every gateway reads it several times a second; felt in this process at once.

    Args:
        containment: the port of this process; at the command line one that was never started.
        table: where containments are kept.
        passes: where passes are kept.
        now: the time, in epoch seconds.
        changes: who watches is told here.
        telling: people are told here.
    """

    def __init__(
        self,
        containment: StoredContainment,
        table: ContainmentTable,
        passes: PassTable,
        now: Callable[[], float],
        *,
        changes: Changes,
        telling: Telling,
    ) -> None:
        self._containment = containment
        self._table = table
        self._passes = passes
        self._now = now
        self._changes = changes
        self._telling = telling

    @use_case(Access.OPERATOR)
    async def contain(self, caller: Caller, kind: Kind, name: str, reason: str) -> None:
        """Cut something off.

        Raises:
            CannotContain: the name or reason is empty or too long.
            NotContained: no such pass works.
            StateError: the state cannot be written.
        """
        _check(name, reason)
        if kind is not Kind.PASS:
            await self._containment.contain(kind, name, reason, caller.name)
        elif not await self._passes.revoke(name, reason, caller.name, self._now()):
            raise NotContained(f"no pass with the id {name} works now")
        await self._tell(kind, name, "contained", reason, caller.name)

    @use_case(Access.OPERATOR)
    async def kill(self, caller: Caller, session: str, reason: str) -> None:
        """End one session for good; its agent may begin another.

        Raises:
            CannotContain: the id or reason is empty or too long.
            StateError: the state cannot be written.
        """
        await self.contain(caller, Kind.SESSION, session, reason)

    @use_case(Access.OPERATOR)
    async def lift(self, caller: Caller, kind: Kind, name: str, reason: str) -> None:
        """Lift a containment. Proofs from before it stay worthless.

        Raises:
            CannotContain: it is one that cannot be lifted, or the reason is missing.
            NotContained: none is in force.
            StateError: the state cannot be written.
        """
        _check(name, reason)
        if kind not in LIFTABLE:
            raise CannotContain(f"a {kind} that was ended stays ended; its agent can begin a new one")
        if not await self._containment.lift(kind, name, reason, caller.name):
            raise NotContained(f"{kind} {name} is not contained")
        await self._tell(kind, name, "lifted", reason, caller.name)

    @use_case(Access.VIEWER)
    async def in_force(self, caller: Caller) -> tuple[Contained, ...]:
        """Return what is contained now, oldest first.

        Raises:
            StateError: the state cannot be read.
        """
        return await self._table.in_force(self._now())

    @use_case(Access.VIEWER)
    async def history(
        self, caller: Caller, limit: int, before: tuple[float, int] | None = None
    ) -> tuple[PastContainment, ...]:
        """Return what was and is contained, newest first; `before` is the time and id of the page's predecessor.

        Raises:
            StateError: the state cannot be read.
        """
        return await self._table.history(limit, before)

    async def _tell(self, kind: Kind, name: str, state: str, reason: str, by: str) -> None:
        """Tell everybody; the trail of record is the table, and the log of every node that runs."""
        self._changes.publish("containment", f"{kind.value} {name}", {"state": state})
        await self._telling.tell(containment_told(kind.value, name, state, reason, by))


def _check(name: str, reason: str) -> None:
    if not 0 < len(name) <= _LONGEST_NAME:
        raise CannotContain(f"a name has 1 to {_LONGEST_NAME} characters")
    if not 0 < len(reason.strip()) <= _LONGEST_REASON:
        raise CannotContain(f"say why, in 1 to {_LONGEST_REASON} characters: others will read it")
