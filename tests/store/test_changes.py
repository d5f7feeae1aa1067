"""The feed as a table, on both databases."""

from __future__ import annotations

from blastwall.store.changes import KEEP_SECONDS, ChangeTable, NewChange
from blastwall.store.database import Store


def a_change(thing: str, at: float = 1000.0) -> NewChange:
    return NewChange(at, "approval", thing, "{}")


async def test_changes_are_read_in_their_order(store: Store) -> None:
    table = ChangeTable(store)
    before = (await table.ends())[1]
    await table.add([a_change("a"), a_change("b")])
    await table.add([a_change("c")])
    found = await table.after(before, 10)
    assert [each.thing for each in found] == ["a", "b", "c"]
    assert [each.thing for each in await table.after(found[0].number, 1)] == ["b"]
    assert await table.ends() == (found[0].number, found[2].number)


async def test_numbers_are_never_given_twice(store: Store) -> None:
    """A watcher that comes back would take a new change for one that it saw."""
    table = ChangeTable(store)
    await table.add([a_change("a"), a_change("b")])
    highest = (await table.ends())[1]
    await table.add([a_change("c", 2000.0 + KEEP_SECONDS)])
    assert await table.ends() == (highest + 1, highest + 1)
