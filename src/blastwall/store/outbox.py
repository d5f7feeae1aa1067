"""Messages that wait to be sent: written by whatever happens, sent by any node, until they are sent or too old.

A message is claimed for some time by whoever sends it, so no other node sends it meanwhile. Who dies while sending
leaves the claim to end: the message may then arrive twice, and never not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

from blastwall.store.table import Table, whole
from blastwall.store.tables import outbox


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one place. `body` is its content as JSON, `at` when it happened, `attempts` how many failed."""

    id: str
    destination: str
    body: str = field(repr=False)
    at: float
    attempts: int = 0


class OutboxTable(Table):
    """Put in, claim, and settle. Times are epoch seconds."""

    @whole
    async def put(self, letters: Sequence[Letter], most: int) -> int:
        """Add letters, at most as many as make `most` that wait for one destination; return how many were left out."""
        left_out = 0
        async with self.store.write() as connection:
            for letter in letters:
                waits = select(func.count()).where(outbox.c.destination == letter.destination, outbox.c.dead.is_(None))
                if int((await connection.execute(waits)).scalar_one()) >= most:
                    left_out += 1
                    continue
                row = {
                    "id": letter.id,
                    "destination": letter.destination,
                    "body": letter.body,
                    "at": letter.at,
                    "due": letter.at,
                    "attempts": letter.attempts,
                }
                await connection.execute(insert(outbox).values(row))
        return left_out

    async def due(self, now: float) -> frozenset[str]:
        """Return the destinations for which something can be claimed now."""
        rows = select(outbox.c.destination).distinct().where(_claimable(now))
        async with self.store.read() as connection:
            return frozenset((await connection.execute(rows)).scalars())

    @whole
    async def claim(self, destination: str, by: str, now: float, until: float, most: int) -> tuple[Letter, ...]:
        """Take the oldest letters that are due; nobody else can until `until`."""
        oldest = (
            select(outbox)
            .where(outbox.c.destination == destination, _claimable(now))
            .order_by(outbox.c.at, outbox.c.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        async with self.store.write() as connection:
            found = (await connection.execute(oldest)).mappings().all()
            taken = update(outbox).where(outbox.c.id.in_([row["id"] for row in found]))
            await connection.execute(taken.values(claimed_by=by, claimed_until=until))
        return tuple(Letter(row["id"], row["destination"], row["body"], row["at"], row["attempts"]) for row in found)

    @whole
    async def sent(self, letter: str, by: str) -> None:
        """Forget a letter that arrived."""
        async with self.store.write() as connection:
            await connection.execute(delete(outbox).where(_claimed(letter, by)))

    @whole
    async def failed(self, letter: str, by: str, due: float) -> None:
        """Let a letter that did not arrive be claimed again from `due` on."""
        again = update(outbox).where(_claimed(letter, by))
        async with self.store.write() as connection:
            await connection.execute(
                again.values(due=due, attempts=outbox.c.attempts + 1, claimed_by=None, claimed_until=None)
            )

    @whole
    async def postpone(self, letter: str, by: str) -> None:
        """Give back a letter that was claimed, and not tried."""
        async with self.store.write() as connection:
            await connection.execute(
                update(outbox).where(_claimed(letter, by)).values(claimed_by=None, claimed_until=None)
            )

    @whole
    async def release(self, by: str) -> None:
        """Give back everything that `by` claimed and did not settle."""
        async with self.store.write() as connection:
            given = update(outbox).where(outbox.c.claimed_by == by)
            await connection.execute(given.values(claimed_by=None, claimed_until=None))

    @whole
    async def bury(self, older_than: float, now: float) -> int:
        """Give up what is older, for whatever destination; return how many letters that were."""
        old = update(outbox).where(outbox.c.at < older_than, outbox.c.dead.is_(None))
        async with self.store.write() as connection:
            return (await connection.execute(old.values(dead=now))).rowcount

    @whole
    async def forget(self, dead_before: float) -> None:
        """Delete what was given up before."""
        async with self.store.write() as connection:
            await connection.execute(delete(outbox).where(outbox.c.dead < dead_before))

    async def waiting(self) -> dict[str, int]:
        """Return how many letters wait, by destination."""
        rows = select(outbox.c.destination, func.count()).where(outbox.c.dead.is_(None)).group_by(outbox.c.destination)
        async with self.store.read() as connection:
            return {str(name): int(count) for name, count in (await connection.execute(rows)).all()}


def _claimable(now: float) -> ColumnElement[bool]:
    free = or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now)
    return and_(outbox.c.dead.is_(None), outbox.c.due <= now, free)


def _claimed(letter: str, by: str) -> ColumnElement[bool]:
    return and_(outbox.c.id == letter, outbox.c.claimed_by == by)
