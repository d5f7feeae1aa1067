"""The feed of changes: over processes, once each, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from blastwall.control.changes import MOST_EACH, Change, Changes, Subscription, TooManySubscribers
from blastwall.store.changes import ChangeTable, NewChange
from blastwall.store.database import Store, open_store

PATIENCE = 10.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store("sqlite:///state/b.db", tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def feed(store: Store) -> AsyncIterator[Changes]:
    made = Changes(ChangeTable(store), lambda: 1000.0)
    yield made
    await made.close()


async def heard(subscription: Subscription) -> Change:
    change = await subscription.next(PATIENCE)
    assert change is not None
    return change


async def test_who_watches_hears(feed: Changes) -> None:
    subscription = await feed.subscribe("user ana")
    feed.publish("approval", "a1", {"state": "waiting"})
    feed.publish("grant", "g1")
    first, second = await heard(subscription), await heard(subscription)
    assert (first.kind, first.id, first.data) == ("approval", "a1", {"state": "waiting"})
    assert (second.kind, second.id) == ("grant", "g1")
    assert first.number is not None
    assert second.number is not None
    assert first.number < second.number
    assert await subscription.next(0.0) is None


async def test_another_process_hears_too_and_each_change_once(store: Store, feed: Changes) -> None:
    other = Changes(ChangeTable(store), lambda: 1000.0)
    subscription = await other.subscribe("user ana")
    for number in range(20):
        feed.publish("approval", f"a{number}")
    assert [(await heard(subscription)).id for _ in range(20)] == [f"a{number}" for number in range(20)]
    assert await subscription.next(1.2) is None
    await other.close()


async def test_the_past_is_not_told(feed: Changes) -> None:
    feed.publish("approval", "old")
    first = await feed.subscribe("user ana", after=0)
    assert (await heard(first)).id == "old"
    second = await feed.subscribe("user ben")
    feed.publish("approval", "new")
    assert (await heard(second)).id == "new"
    assert (await heard(first)).id == "new"


async def test_the_past_is_not_told_where_only_others_have_yet_to_hear_it(store: Store, feed: Changes) -> None:
    first = await feed.subscribe("user ana")
    await ChangeTable(store).add([NewChange(1000.0, "approval", "old", "{}")])
    second = await feed.subscribe("user ben")
    feed.publish("approval", "new")
    assert (await heard(second)).id == "new"
    assert [(await heard(first)).id for _ in range(2)] == ["old", "new"]


async def test_who_comes_back_hears_what_was_missed_once(feed: Changes) -> None:
    first = await feed.subscribe("user ana")
    for name in ("a", "b", "c"):
        feed.publish("approval", name)
    seen = [await heard(first) for _ in range(3)]
    feed.unsubscribe(first)
    again = await feed.subscribe("user ana", after=seen[0].number)
    feed.publish("approval", "d")
    assert [(await heard(again)).id for _ in range(3)] == ["b", "c", "d"]
    assert await again.next(1.2) is None


async def test_too_much_missed_is_a_reset(store: Store, feed: Changes) -> None:
    table = ChangeTable(store)
    await table.add([NewChange(1000.0, "approval", f"a{number}", "{}") for number in range(300)])
    for after in (1, 5_000):
        subscription = await feed.subscribe("user ana", after=after)
        change = await heard(subscription)
        assert (change.kind, change.number) == ("reset", 300)
        assert await subscription.next(0.0) is None
    await table.add([NewChange(1000.0 + 4000, "approval", "later", "{}")])
    assert await table.ends() == (301, 301)


async def test_who_does_not_read_is_cut_off_alone(feed: Changes) -> None:
    slow, quick = await feed.subscribe("user ana", most=3), await feed.subscribe("user ben")
    for number in range(5):
        feed.publish("approval", f"a{number}")
    assert [(await heard(quick)).id for _ in range(5)] == [f"a{number}" for number in range(5)]
    assert slow.ended
    assert [(await heard(slow)).id for _ in range(3)] == ["a0", "a1", "a2"]
    assert await slow.next(PATIENCE) is None


async def test_watching_is_bounded(feed: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [await feed.subscribe("user ana") for _ in range(MOST_EACH)]
    with pytest.raises(TooManySubscribers, match="user ana watches 8 times"):
        await feed.subscribe("user ana")
    monkeypatch.setattr("blastwall.control.changes.MOST_SUBSCRIBERS", MOST_EACH + 1)
    await feed.subscribe("user ben")
    with pytest.raises(TooManySubscribers, match="too many people"):
        await feed.subscribe("user cy")
    feed.unsubscribe(mine[0])
    await feed.subscribe("user ana")


async def test_the_end_ends_watching(feed: Changes) -> None:
    subscription = await feed.subscribe("user ana")
    waiting = asyncio.create_task(subscription.next(PATIENCE))
    await asyncio.sleep(0)
    feed.end()
    assert await waiting is None
    assert subscription.ended
    assert (await feed.subscribe("user ana")).ended


async def test_what_only_this_process_tells_has_no_number(feed: Changes) -> None:
    subscription = await feed.subscribe("user ana")
    feed.tell("health", "", {"ready": True})
    assert await heard(subscription) == Change("health", "", {"ready": True}, None)


async def test_a_state_that_fails_disturbs_nobody(store: Store, feed: Changes) -> None:
    subscription = await feed.subscribe("user ana")
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE changes RENAME TO gone")
    feed.publish("approval", "lost")
    assert await subscription.next(1.2) is None
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE gone RENAME TO changes")
    feed.publish("approval", "told")
    assert (await heard(subscription)).id == "told"
