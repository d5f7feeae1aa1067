"""What agents have spent in each window, and how many sessions they have at each node; shared by every process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from blastwall.store.table import Table, whole
from blastwall.store.tables import presences, spending


class Amounts(NamedTuple):
    """What is counted. Cells are masked ones that the client got; bytes are those sent to it as results."""

    rows_read: float = 0
    rows_changed: float = 0
    masked_cells: float = 0
    bytes_out: float = 0
    statements: float = 0
    logins: float = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Whose spending it is, where ("": at all resources), and by windows of how many seconds."""

    kind: str
    name: str
    resource: str
    period: int


class Presence(NamedTuple):
    """An agent's sessions at a node, as the node said `at` a moment of its own clock."""

    node: str
    name: str
    sessions: int
    at: float


Window = tuple[Account, int]
"""An account, and when a window of it began, in epoch seconds."""


class SpendingTable(Table):
    """Add up and read spending; say and read presences."""

    @whole
    async def add(self, spent: Mapping[Window, Sequence[int]]) -> None:
        """Add amounts to windows."""
        upsert = sqlite_insert if self.store.sqlite else postgres_insert
        async with self.store.write() as connection:
            for (account, start), amounts in sorted(spent.items(), key=lambda each: (each[0][0].name, each[0][1])):
                row = {
                    "kind": account.kind,
                    "name": account.name,
                    "resource": account.resource,
                    "period": account.period,
                    "start": start,
                    "ends": start + 2 * account.period,
                    **dict(zip(Amounts._fields, amounts, strict=True)),
                }
                new = upsert(spending).values(row)
                sums = {name: spending.c[name] + new.excluded[name] for name in Amounts._fields}
                keys = [column.name for column in spending.primary_key]
                await connection.execute(new.on_conflict_do_update(index_elements=keys, set_=sums))

    @whole
    async def read(self, now: float) -> dict[Window, Amounts]:
        """Return what was spent in the windows that still matter: each account's present one and the one before."""
        rows = select(spending).where(spending.c.ends > int(now))
        async with self.store.read() as connection:
            found = (await connection.execute(rows)).mappings().all()
        return {
            (Account(row["kind"], row["name"], row["resource"], row["period"]), row["start"]): Amounts(
                *(row[name] for name in Amounts._fields)
            )
            for row in found
        }

    @whole
    async def forget(self, now: float) -> None:
        """Delete what no window reaches back to."""
        async with self.store.write() as connection:
            await connection.execute(delete(spending).where(spending.c.ends <= int(now)))

    @whole
    async def say(self, node: str, sessions: Mapping[str, int], at: float) -> None:
        """Write how many sessions each agent has at a node; agents that are not named have none."""
        rows = [{"node": node, "name": name, "sessions": count, "at": at} for name, count in sessions.items()]
        async with self.store.write() as connection:
            await connection.execute(delete(presences).where(presences.c.node == node))
            if rows:
                await connection.execute(insert(presences), rows)

    @whole
    async def elsewhere(self, node: str) -> list[Presence]:
        """Return what the other nodes said last, those included that say nothing any more."""
        columns = [presences.c[name] for name in Presence._fields]
        async with self.store.read() as connection:
            found = (await connection.execute(select(*columns).where(presences.c.node != node))).all()
        return [Presence(*row) for row in found]

    @whole
    async def forget_node(self, node: str, at: float) -> None:
        """Delete what a node said, unless it has said something since `at`."""
        async with self.store.write() as connection:
            await connection.execute(delete(presences).where(presences.c.node == node, presences.c.at == at))
