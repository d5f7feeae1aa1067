"""The keys that sign the gateway's own tokens, and the tenant that these tokens name."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from blastwall.store.table import Table, whole
from blastwall.store.token_tables import gateway_facts, signing_keys

_KEEP_SECONDS = 86_400
_TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key as the state knows it. Times are whole seconds since the epoch."""

    id: str
    made: int
    ends: int
    sealed: str = field(repr=False)


class SigningKeyTable(Table):
    """Keep and list signing keys; keep the tenant."""

    @whole
    async def add(self, new: StoredKey) -> None:
        """Store a key, and let go of those that ended long ago."""
        async with self.store.write() as connection:
            await connection.execute(delete(signing_keys).where(signing_keys.c.ends < new.made - _KEEP_SECONDS))
            await connection.execute(insert(signing_keys).values({name: getattr(new, name) for name in new.__slots__}))

    @whole
    async def working(self, now: float) -> tuple[StoredKey, ...]:
        """Return the keys whose tokens may still be good, the newest last."""
        rows = select(signing_keys).where(signing_keys.c.ends > now).order_by(signing_keys.c.made, signing_keys.c.id)
        async with self.store.read() as connection:
            found = (await connection.execute(rows)).mappings().all()
        return tuple(StoredKey(**{name: row[name] for name in StoredKey.__slots__}) for row in found)

    @whole
    async def tenant(self, fresh: str) -> str:
        """Return the tenant that was kept first; `fresh` where there is none yet."""
        dialect = sqlite if self.store.sqlite else postgresql
        row = {"name": _TENANT, "value": fresh}
        kept = select(gateway_facts.c.value).where(gateway_facts.c.name == _TENANT)
        async with self.store.write() as connection:
            await connection.execute(dialect.insert(gateway_facts).values(row).on_conflict_do_nothing())
            return str((await connection.execute(kept)).scalar_one())
