"""What is cut off, and since when: written by any node or by the operator, read by every node."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, insert, or_, select, update

from blastwall.store.table import Table, whole
from blastwall.store.tables import containments, spending

_KEEP_SECONDS = 30 * 86_400


class Kind(StrEnum):
    """What can be cut off. A session or pass is ended for good; the others until the containment is lifted."""

    AGENT = "agent"
    USER = "user"
    RESOURCE = "resource"
    SESSION = "session"
    PASS = "pass"


LIFTABLE = frozenset({Kind.AGENT, Kind.USER, Kind.RESOURCE})


@dataclass(frozen=True, slots=True)
class Contained:
    """One containment in force."""

    kind: Kind
    name: str
    reason: str
    by: str
    at: float


class ContainmentTable(Table):
    """Add, lift and list containments."""

    @whole
    async def add(self, contained: Contained) -> None:
        """Write a containment; where one of the same kind and name is in force, this one joins it."""
        ends = None if contained.kind in LIFTABLE else contained.at + _KEEP_SECONDS
        async with self.store.write() as connection:
            await connection.execute(delete(containments).where(containments.c.ends < contained.at))
            row = {
                "kind": contained.kind.value,
                "name": contained.name,
                "reason": contained.reason,
                "by": contained.by,
                "at": contained.at,
                "ends": ends,
            }
            await connection.execute(insert(containments).values(row))

    @whole
    async def lift(self, kind: Kind, name: str, by: str, at: float) -> bool:
        """Lift what is in force against this name; False where nothing is. An agent begins with its budgets unspent."""
        lifting = (
            update(containments)
            .where(containments.c.kind == kind.value, containments.c.name == name, containments.c.lifted.is_(None))
            .values(lifted=at, lifted_by=by)
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
        rows = (
            select(containments)
            .where(containments.c.lifted.is_(None), or_(containments.c.ends.is_(None), containments.c.ends > now))
            .order_by(containments.c.id)
        )
        async with self.store.read() as connection:
            found = (await connection.execute(rows)).mappings().all()
        return tuple(Contained(Kind(row["kind"]), row["name"], row["reason"], row["by"], row["at"]) for row in found)
