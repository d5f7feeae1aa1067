"""The outbox: nothing is lost, nobody sends what another sends, and what is too old is given up."""

from __future__ import annotations

import asyncio

from blastwall.store.database import Store
from blastwall.store.outbox import Letter, OutboxTable


def letter(number: int, destination: str = "slack") -> Letter:
    return Letter(f"{destination}{number}", destination, f'{{"n": {number}}}', 100.0 + number)


async def test_oldest_first_and_each_once(store: Store) -> None:
    table = OutboxTable(store)
    assert await table.put([letter(2), letter(1), letter(3), letter(1, "teams")], 10) == 0
    assert await table.due(200.0) == {"slack", "teams"}
    first = await table.claim("slack", "me", 200.0, 260.0, 2)
    assert [each.id for each in first] == ["slack1", "slack2"]
    assert [each.id for each in await table.claim("slack", "other", 200.0, 260.0, 5)] == ["slack3"]
    assert await table.claim("slack", "other", 200.0, 260.0, 5) == ()
    assert await table.due(200.0) == {"teams"}


async def test_two_nodes_that_claim_at_once_share_them_out(store: Store) -> None:
    table = OutboxTable(store)
    await table.put([letter(number) for number in range(40)], 100)
    found = await asyncio.gather(*(table.claim("slack", f"n{n}", 200.0, 260.0, 10) for n in range(4)))
    taken = [each.id for letters in found for each in letters]
    assert len(taken) == len(set(taken))


async def test_a_claim_ends_so_that_what_a_dead_node_held_is_sent(store: Store) -> None:
    table = OutboxTable(store)
    await table.put([letter(1)], 10)
    await table.claim("slack", "dead", 200.0, 260.0, 5)
    assert await table.claim("slack", "me", 259.0, 300.0, 5) == ()
    assert [each.id for each in await table.claim("slack", "me", 260.0, 300.0, 5)] == ["slack1"]
    await table.sent("slack1", "dead")  # it comes back to life: the letter is not its own any more
    assert await table.waiting() == {"slack": 1}
    await table.sent("slack1", "me")
    assert await table.waiting() == {}


async def test_what_failed_waits_for_its_time_and_counts(store: Store) -> None:
    table = OutboxTable(store)
    await table.put([letter(1)], 10)
    await table.claim("slack", "me", 200.0, 260.0, 5)
    await table.failed("slack1", "me", 230.0)
    assert await table.due(229.0) == frozenset()
    again = await table.claim("slack", "me", 230.0, 260.0, 5)
    assert [each.attempts for each in again] == [1]


async def test_what_is_given_back_can_be_claimed_at_once(store: Store) -> None:
    table = OutboxTable(store)
    await table.put([letter(1), letter(2)], 10)
    await table.claim("slack", "me", 200.0, 260.0, 5)
    await table.postpone("slack1", "me")
    assert [each.id for each in await table.claim("slack", "other", 200.0, 260.0, 5)] == ["slack1"]
    await table.release("me")
    assert [each.id for each in await table.claim("slack", "other", 200.0, 260.0, 5)] == ["slack2"]


async def test_a_destination_that_is_dead_holds_so_many_and_no_more(store: Store) -> None:
    table = OutboxTable(store)
    assert await table.put([letter(number) for number in range(5)], 3) == 2
    assert await table.put([letter(1, "teams")], 3) == 0
    assert await table.waiting() == {"slack": 3, "teams": 1}


async def test_what_is_too_old_is_given_up_and_later_forgotten(store: Store) -> None:
    table = OutboxTable(store)
    await table.put([letter(1), letter(50)], 10)
    assert await table.bury(120.0, 200.0) == 1
    assert await table.bury(120.0, 201.0) == 0
    assert [each.id for each in await table.claim("slack", "me", 200.0, 260.0, 5)] == ["slack50"]
    await table.forget(201.0)
    assert await table.bury(10_000.0, 300.0) == 1
