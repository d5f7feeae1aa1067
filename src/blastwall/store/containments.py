"""What is cut off, and since when: written by any node or by the operator, read by every node."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from blastwall.store.table import Table, whole
from blastwall.store.tables import containments, passes, spending

_KEEP_SECONDS = 30 * 86_400
KEEP_SECONDS = 400 * 86_400
"""Past containments are kept for so long: an auditor may ask after a year."""

SPOIL_SECONDS = 366 * 86_400
"""So long is remembered that older proofs are spoiled. No token that is accepted lives so long."""

_MOMENT_SECONDS = 60


class Kind(StrEnum):
    """What can be cut off. A session or pass is ended for good; the others until the containment is lifted."""

    AGENT = "agent"
    USER = "user"
    RESOURCE = "resource"
    SESSION = "session"
    PASS = "pass"
    ISSUER = "issuer"


LIFTABLE = frozenset({Kind.AGENT, Kind.USER, Kind.RESOURCE, Kind.ISSUER})
SPOILING = frozenset({Kind.AGENT, Kind.USER, Kind.ISSUER})
"""What proofs belong to: one from before the containment stays worthless when it is lifted."""


@dataclass(frozen=True, slots=True)
class Contained:
    """One containment in force."""

    kind: Kind
    name: str
    reason: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class PastContainment:
    """One containment's story; `ends` is when a session or pass is forgotten, `lifted` None while it is in force."""

    id: int
    contained: Contained
    ends: float | None = None
    lifted: float | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None

    def in_force(self, now: float) -> bool:
        """Whether it cuts off now."""
        return self.lifted is None and (self.ends is None or self.ends > now)


class ContainmentTable(Table):
    """Add, lift and list containments."""

    @whole
    async def add(self, contained: Contained) -> None:
        """Write a containment; where one of the same kind and name is in force, this one joins it.

        The passes of an agent, a user or an issuer are revoked with it, for good.
        """
        ends = None if contained.kind in LIFTABLE else contained.at + _KEEP_SECONDS
        async with self.store.write() as connection:
            await _forget(connection, contained.at)
            row = {
                "kind": contained.kind.value,
                "name": contained.name,
                "reason": contained.reason,
                "by": contained.by,
                "at": contained.at,
                "ends": ends,
            }
            await connection.execute(insert(containments).values(row))
            await _revoke_passes(connection, contained)

    @whole
    async def lift(self, kind: Kind, name: str, reason: str, by: str, at: float) -> bool:
        """Lift what is in force against this name; False where nothing is. An agent begins with its budgets unspent."""
        lifting = (
            update(containments)
            .where(containments.c.kind == kind.value, containments.c.name == name, containments.c.lifted.is_(None))
            .values(lifted=at, lifted_by=by, lift_reason=reason)
        )
        fresh = delete(spending).where(spending.c.kind == kind.value, spending.c.name == name)
        async with self.store.write() as connection:
            lifted = (await connection.execute(lifting)).rowcount > 0
            if lifted:
                await connection.execute(fresh)
            return lifted

    @whole
    async def in_force(self, now: float) -> tuple[Contained, ...]:
        """Return every containment in force, oldest first."""
        rows = select(containments).where(_in_force(now)).order_by(containments.c.id)
        return tuple(each.contained for each in await self._read(rows))

    @whole
    async def matters(self, now: float) -> tuple[PastContainment, ...]:
        """Return what is in force, what spoils proofs although it was lifted, and what was lifted a moment ago."""
        spoiling = and_(
            containments.c.kind.in_([kind.value for kind in SPOILING]), containments.c.at > now - SPOIL_SECONDS
        )
        lately = containments.c.lifted > now - _MOMENT_SECONDS
        rows = select(containments).where(or_(_in_force(now), spoiling, lately)).order_by(containments.c.id)
        return await self._read(rows)

    @whole
    async def history(self, limit: int, before: tuple[float, int] | None = None) -> tuple[PastContainment, ...]:
        """Return containments, newest first; `before` is the time and id of the last one of the page before."""
        rows = select(containments).order_by(containments.c.at.desc(), containments.c.id.desc()).limit(limit)
        if before is not None:
            rows = rows.where(tuple_(containments.c.at, containments.c.id) < before)
        return await self._read(rows)

    async def _read(self, rows: Select[tuple[object, ...]]) -> tuple[PastContainment, ...]:
        async with self.store.read() as connection:
            found = (await connection.execute(rows)).mappings().all()
        return tuple(
            PastContainment(
                row["id"],
                Contained(Kind(row["kind"]), row["name"], row["reason"], row["by"], row["at"]),
                row["ends"],
                row["lifted"],
                row["lifted_by"],
                row["lift_reason"],
            )
            for row in found
        )


def _in_force(now: float) -> ColumnElement[bool]:
    return and_(containments.c.lifted.is_(None), or_(containments.c.ends.is_(None), containments.c.ends > now))


async def _forget(connection: AsyncConnection, now: float) -> None:
    """Delete what was lifted, or could act on nothing any more, so long ago that nobody asks for it."""
    old = or_(containments.c.ends < now - KEEP_SECONDS, containments.c.lifted < now - KEEP_SECONDS)
    await connection.execute(delete(containments).where(old))


async def _revoke_passes(connection: AsyncConnection, contained: Contained) -> None:
    if contained.kind not in SPOILING:
        return
    owner = passes.c.issuer == contained.name
    if contained.kind is not Kind.ISSUER:
        owner = and_(passes.c.kind == contained.kind.value, passes.c.principal == contained.name)
    working = and_(owner, passes.c.revoked.is_(None), passes.c.ends > contained.at)
    await connection.execute(update(passes).where(working).values(revoked=contained.at))
