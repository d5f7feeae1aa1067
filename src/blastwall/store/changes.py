"""The feed of what has changed: every node and process writes to it and reads it, in the order of its numbers.

A number is given when a row is written, and a row is seen when it is committed, so a lower number may be seen after a
higher one: readers look a little way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from blastwall.store.table import Table, whole
from blastwall.store.tables import changes

KEEP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change before it has a number; `data` is JSON."""

    at: float
    kind: str
    thing: str
    data: str


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A change as it stands in the feed; `data` is JSON."""

    number: int
    kind: str
    thing: str
    data: str


class ChangeTable(Table):
    """Write to the feed and read from it."""

    @whole
    async def add(self, new: Sequence[NewChange]) -> None:
        """Write changes, and let the oldest go."""
        rows = [{"at": each.at, "kind": each.kind, "thing": each.thing, "data": each.data} for each in new]
        async with self.store.write() as connection:
            await connection.execute(delete(changes).where(changes.c.at < new[0].at - KEEP_SECONDS))
            await connection.execute(insert(changes), rows)

    @whole
    async def after(self, number: int, most: int) -> tuple[StoredChange, ...]:
        """Return the changes with a higher number, by number, at most so many."""
        columns = (changes.c.number, changes.c.kind, changes.c.thing, changes.c.data)
        found = select(*columns).where(changes.c.number > number).order_by(changes.c.number).limit(most)
        async with self.store.read() as connection:
            return tuple(StoredChange(*row) for row in (await connection.execute(found)).all())

    @whole
    async def ends(self) -> tuple[int, int]:
        """Return the lowest and the highest number that are there; 0 and 0 where there is none."""
        async with self.store.read() as connection:
            found = (await connection.execute(select(func.min(changes.c.number), func.max(changes.c.number)))).one()
        return found[0] or 0, found[1] or 0
