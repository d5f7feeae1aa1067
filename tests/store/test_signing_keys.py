"""The signing keys of gateway tokens, and the tenant that they name, in either kind of state."""

from __future__ import annotations

import asyncio

from blastwall.store.database import Store
from blastwall.store.signing_keys import SigningKeyTable, StoredKey


async def test_keys_come_back_the_newest_last_and_go_when_they_have_ended(store: Store) -> None:
    table = SigningKeyTable(store)
    one, two = StoredKey("one", 1000, 2000, "aa"), StoredKey("two", 1500, 2500, "bb")
    await table.add(two)
    await table.add(one)
    assert await table.working(1999.5) == (one, two)
    assert await table.working(2000.0) == (two,)
    await table.add(three := StoredKey("three", 100_000, 200_000, "cc"))
    assert await table.working(0.0) == (three,), "the others ended more than a day before it was made"


async def test_the_first_tenant_stays(store: Store) -> None:
    table = SigningKeyTable(store)
    found = await asyncio.gather(*(table.tenant(f"tenant-{number}") for number in range(4)))
    assert len(set(found)) == 1
    assert await SigningKeyTable(store).tenant("another") == found[0]
