"""Use-cases of containment, for the operator."""

from __future__ import annotations

from collections.abc import Callable

from blastwall.control.access import Access, Operator, UseCases, use_case
from blastwall.store.containments import LIFTABLE, Contained, ContainmentTable, Kind
from blastwall.store.passes import PassTable

_LONGEST_NAME = 63
_LONGEST_REASON = 1000


class CannotContain(Exception):
    """The request makes no sense; the text says why."""


class Containing(UseCases):
    """Written to the state, from which every gateway reads them several times a second."""

    def __init__(self, table: ContainmentTable, passes: PassTable, now: Callable[[], float]) -> None:
        self._table = table
        self._passes = passes
        self._now = now

    @use_case(Access.OPERATOR)
    async def contain(self, caller: Operator, kind: Kind, name: str, reason: str) -> None:
        """Cut something off.

        Raises:
            CannotContain: the name or reason is empty or too long, or no such pass works.
            StateError: the state cannot be written.
        """
        if not 0 < len(name) <= _LONGEST_NAME:
            raise CannotContain(f"a name has 1 to {_LONGEST_NAME} characters")
        if not 0 < len(reason.strip()) <= _LONGEST_REASON:
            raise CannotContain(f"say why, in 1 to {_LONGEST_REASON} characters: others will read it")
        if kind is Kind.PASS:
            if not await self._passes.revoke(name, reason, caller.name, self._now()):
                raise CannotContain(f"no pass with the id {name} works now")
            return
        await self._table.add(Contained(kind, name, reason, caller.name, self._now()))

    @use_case(Access.OPERATOR)
    async def lift(self, caller: Operator, kind: Kind, name: str) -> None:
        """Lift a containment.

        Raises:
            CannotContain: none is in force, or it is one that cannot be lifted.
            StateError: the state cannot be written.
        """
        if kind not in LIFTABLE:
            raise CannotContain(f"a {kind} that was ended stays ended; its agent can begin a new one")
        if not await self._table.lift(kind, name, caller.name, self._now()):
            raise CannotContain(f"{kind} {name} is not contained")

    @use_case(Access.OPERATOR)
    async def in_force(self, caller: Operator) -> tuple[Contained, ...]:
        """Return what is contained now, oldest first.

        Raises:
            StateError: the state cannot be read.
        """
        return await self._table.in_force(self._now())
