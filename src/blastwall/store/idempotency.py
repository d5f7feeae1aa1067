"""Requests that were answered, so that one which is sent again is not done again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from blastwall.store.table import Table, whole
from blastwall.store.tables import idempotency

KEEP_SECONDS = 86_400.0
ABANDONED_SECONDS = 300.0
"""A request that is worked on for longer was lost with its gateway; the key may be used again."""


@dataclass(frozen=True, slots=True)
class Before:
    """A request with the same key: its answer, or None while it is worked on."""

    fingerprint: str
    status: int | None
    body: str | None


class IdempotencyTable(Table):
    """Claim a key, keep its answer, or let it go."""

    @whole
    async def claim(self, who: str, key: str, fingerprint: str, now: float) -> Before | None:
        """Claim a key for one request; return the request that has it already.

        Of two at once, on two nodes as well, one claims it.
        """
        stale = or_(
            idempotency.c.at < now - KEEP_SECONDS,
            and_(idempotency.c.status.is_(None), idempotency.c.at < now - ABANDONED_SECONDS),
        )
        row = {"who": who, "key": key, "fingerprint": fingerprint, "at": now}
        async with self.store.write() as connection:
            await connection.execute(delete(idempotency).where(stale))
            try:
                async with connection.begin_nested():
                    await connection.execute(insert(idempotency).values(row))
            except IntegrityError:
                found = select(idempotency).where(idempotency.c.who == who, idempotency.c.key == key)
                before = (await connection.execute(found)).mappings().one()
                return Before(before["fingerprint"], before["status"], before["body"])
        return None

    @whole
    async def keep(self, who: str, key: str, status: int, body: str) -> None:
        """Keep the answer of a request that was done."""
        async with self.store.write() as connection:
            done = update(idempotency).where(idempotency.c.who == who, idempotency.c.key == key)
            await connection.execute(done.values(status=status, body=body))

    @whole
    async def forget(self, who: str, key: str) -> None:
        """Let go of a key whose request was not done."""
        async with self.store.write() as connection:
            gone = delete(idempotency).where(
                idempotency.c.who == who, idempotency.c.key == key, idempotency.c.status.is_(None)
            )
            await connection.execute(gone)
