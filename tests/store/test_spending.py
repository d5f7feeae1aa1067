from __future__ import annotations

import asyncio

from blastwall.store.containments import Contained, ContainmentTable, Kind
from blastwall.store.database import Store
from blastwall.store.spending import Account, Amounts, Presence, SpendingTable

HOURLY = Account("agent", "shop-ci", "pg-prod", 3600)
ALL = Account("agent", "shop-ci", "", 60)


async def test_what_several_processes_spend_adds_up(store: Store) -> None:
    table = SpendingTable(store)
    spent = {(HOURLY, 7200): (1, 2, 3, 4, 5, 6), (ALL, 7200): (0, 0, 0, 0, 1, 0)}
    await asyncio.gather(*(table.add(spent) for _ in range(5)))
    assert await table.read(7260.0) == {
        (HOURLY, 7200): Amounts(5, 10, 15, 20, 25, 30),
        (ALL, 7200): Amounts(0, 0, 0, 0, 5, 0),
    }


async def test_amounts_beyond_32_bits_are_kept(store: Store) -> None:
    table = SpendingTable(store)
    for _ in range(2):
        await table.add({(HOURLY, 0): (0, 0, 0, 1 << 40, 0, 0)})
    assert (await table.read(0.0))[HOURLY, 0].bytes_out == 1 << 41


async def test_a_window_matters_until_the_one_after_it_has_ended(store: Store) -> None:
    table = SpendingTable(store)
    await table.add({(HOURLY, 3600): (1, 0, 0, 0, 0, 0)})
    assert await table.read(10_799.0)
    assert not await table.read(10_800.0)
    await table.forget(10_799.0)
    assert await table.read(0.0)
    await table.forget(10_800.0)
    assert not await table.read(0.0)


async def test_lifting_a_containment_leaves_the_agent_its_whole_budget(store: Store) -> None:
    table, containments = SpendingTable(store), ContainmentTable(store)
    other = Account("agent", "other", "", 60)
    await table.add({(HOURLY, 0): (9, 0, 0, 0, 0, 0), (other, 0): (9, 0, 0, 0, 0, 0)})
    await containments.add(Contained(Kind.AGENT, "shop-ci", "budget", "blastwall", 1.0))
    assert not await containments.lift(Kind.AGENT, "nobody", "over", "ana", 2.0)
    assert len(await table.read(0.0)) == 2
    assert await containments.lift(Kind.AGENT, "shop-ci", "over", "ana", 2.0)
    assert set(await table.read(0.0)) == {(other, 0)}


async def test_what_each_node_said_last_is_read_by_the_others(store: Store) -> None:
    table = SpendingTable(store)
    await table.say("a", {"shop-ci": 2, "other": 1}, 100.0)
    await table.say("b", {"shop-ci": 3}, 110.0)
    said_by_b = Presence("b", "shop-ci", 3, 110.0)
    assert await table.elsewhere("a") == [said_by_b]
    assert set(await table.elsewhere("c")) == {
        said_by_b, Presence("a", "shop-ci", 2, 100.0), Presence("a", "other", 1, 100.0)
    }  # fmt: skip
    await table.say("a", {"other": 1}, 120.0)
    assert set(await table.elsewhere("c")) == {said_by_b, Presence("a", "other", 1, 120.0)}
    await table.forget_node("a", 100.0)
    await table.forget_node("b", 110.0)
    assert await table.elsewhere("c") == [Presence("a", "other", 1, 120.0)], "it has said something since"
