from __future__ import annotations

from blastwall.store import Store
from blastwall.store.containments import Contained, ContainmentTable, Kind


async def test_a_containment_is_in_force_until_lifted(store: Store) -> None:
    table = ContainmentTable(store)
    agent = Contained(Kind.AGENT, "shop-ci", "token leaked", "ana", 1000.0)
    resource = Contained(Kind.RESOURCE, "shop-ci", "maintenance", "ana", 1001.0)
    await table.add(agent)
    await table.add(resource)
    assert await table.in_force(9e9) == (agent, resource)
    assert await table.lift(Kind.AGENT, "shop-ci", "ben", 1002.0)
    assert not await table.lift(Kind.AGENT, "shop-ci", "ben", 1003.0)
    assert await table.in_force(9e9) == (resource,)


async def test_lifting_lifts_all_of_one_name(store: Store) -> None:
    table = ContainmentTable(store)
    for reason in ("one", "two"):
        await table.add(Contained(Kind.AGENT, "shop-ci", reason, "ana", 1000.0))
    assert await table.lift(Kind.AGENT, "shop-ci", "ana", 1001.0)
    assert await table.in_force(1002.0) == ()


async def test_a_killed_session_is_forgotten_after_a_month(store: Store) -> None:
    table = ContainmentTable(store)
    await table.add(Contained(Kind.SESSION, "s1", "why", "ana", 0.0))
    assert len(await table.in_force(29 * 86_400)) == 1
    assert await table.in_force(31 * 86_400) == ()
    await table.add(Contained(Kind.SESSION, "s2", "why", "ana", 31 * 86_400))
    async with store.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM containments")).scalar() == 1
