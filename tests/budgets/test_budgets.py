"""Budgets hold over several processes that share a state, of either kind; quotas make wait, budgets contain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from blastwall.budgets import Bound, Presences, StoredBudgets
from blastwall.budgets.bounds import NOBODY_BOUND
from blastwall.budgets.tallies import Tally, start_of
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.store import StateError
from blastwall.store.containments import Contained, ContainmentTable, Kind
from blastwall.store.database import Store
from blastwall.store.spending import Account, Amounts, SpendingTable

SHOP = Resource("pg-prod", "toy", Address("127.0.0.1", 1), ("shop",))
OTHER = Resource("pg-test", "toy", Address("127.0.0.1", 1), ("shop",))


def agent(name: str = "shop-ci", *groups: str) -> Principal:
    return Principal(PrincipalKind.AGENT, name, "github", "s", frozenset(groups))


def bound(period: int = 3600, resource: str = "", **most: float) -> Bound:
    contains = not {"statements", "logins"} & most.keys()
    return Bound("hourly", period, NOBODY_BOUND._replace(**most), resource, contains=contains)


class Containing:
    """Writes containments into the state, and remembers them."""

    def __init__(self, table: ContainmentTable) -> None:
        self._table = table
        self.contained: list[tuple[Kind, str, str, str]] = []
        self.failing = 0

    async def contain(self, kind: Kind, name: str, reason: str, by: str) -> None:
        if self.failing:
            self.failing -= 1
            raise StateError("the state is away")
        await self._table.add(Contained(kind, name, reason, by, 0.0))
        self.contained.append((kind, name, reason, by))


class Clock:
    def __init__(self, now: float = 7200.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Process:
    """One process's budgets over a shared state."""

    def __init__(self, store: Store, clock: Clock, *bounds: Bound) -> None:
        self.table = SpendingTable(store)
        self.containing = Containing(ContainmentTable(store))
        self.budgets = StoredBudgets(self.table, self.containing, clock)
        self.budgets.reconfigure(bounds)


@asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    for process in processes:
        await process.budgets.start()
    try:
        yield
    finally:
        for process in processes:
            await process.budgets.stop()


async def soon(true: Callable[[], object]) -> None:
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within a minute")


async def test_what_is_within_the_budget_costs_nothing(store: Store) -> None:
    one = Process(store, Clock(), bound(rows_read=100, bytes_out=1000))
    async with running(one):
        purse = one.budgets.purse(agent(), SHOP)
        assert purse.spend(100, 5000, 5000, 1000) is None
        assert purse.spent() is None
        await asyncio.sleep(0.6)
    assert one.containing.contained == []


@pytest.mark.parametrize("what", ["rows_read", "rows_changed", "masked_cells", "bytes_out"])
async def test_one_more_contains_the_agent(store: Store, what: str) -> None:
    one = Process(store, Clock(), Bound("hourly", 3600, NOBODY_BOUND._replace(**{what: 100})))
    amounts = [int(name == what) for name in Amounts._fields[:4]]
    async with running(one):
        purse = one.budgets.purse(agent(), SHOP)
        assert purse.spend(*(100 * amount for amount in amounts)) is None
        told = purse.spend(*amounts)
        assert told == "agent shop-ci has spent its budget hourly; the gateway contains it"
        assert purse.spent() == told
        assert one.budgets.purse(agent("other"), SHOP).spent() is None
        await soon(lambda: one.containing.contained)
    ((kind, name, reason, by),) = one.containing.contained
    assert (kind, name, by) == (Kind.AGENT, "shop-ci", "budget hourly")
    assert reason == f"budget hourly: {what} 101 of 100 in 3600 s"


async def test_many_small_amounts_in_several_processes_add_up(store: Store) -> None:
    clock = Clock()
    one, two = (Process(store, clock, bound(rows_read=100)) for _ in range(2))
    async with running(one, two):
        for process in (one, two):
            for _ in range(60):
                assert process.budgets.purse(agent(), SHOP).spend(1, 0, 0, 0) is None
        await soon(lambda: len(one.budgets._read) and next(iter(one.budgets._read.values())).rows_read == 120)
        assert one.budgets.purse(agent(), SHOP).spend(1, 0, 0, 0) is not None
        await soon(lambda: one.containing.contained)


async def test_a_budget_of_one_resource_is_spent_there_only(store: Store) -> None:
    one = Process(store, Clock(), bound(rows_read=10, resource="pg-prod"))
    async with running(one):
        assert one.budgets.purse(agent(), OTHER).spend(1000, 0, 0, 0) is None
        assert one.budgets.purse(agent(), SHOP).spend(11, 0, 0, 0) is not None


async def test_a_budget_of_all_resources_is_spent_at_each(store: Store) -> None:
    one = Process(store, Clock(), bound(rows_read=10))
    async with running(one):
        assert one.budgets.purse(agent(), OTHER).spend(6, 0, 0, 0) is None
        assert one.budgets.purse(agent(), SHOP).spend(6, 0, 0, 0) is not None


async def test_it_binds_whom_it_names(store: Store) -> None:
    named = Bound("b", 60, NOBODY_BOUND._replace(rows_read=1), agents=frozenset({"a"}), groups=frozenset({"g"}))
    one = Process(store, Clock(), named)
    async with running(one):
        assert one.budgets.purse(agent("x"), SHOP).spend(9, 0, 0, 0) is None
        assert one.budgets.purse(agent("a"), SHOP).spend(9, 0, 0, 0) is not None
        assert one.budgets.purse(agent("y", "g"), SHOP).spend(9, 0, 0, 0) is not None


async def test_a_lifted_agent_has_its_whole_budget_again(store: Store) -> None:
    one = Process(store, Clock(), bound(rows_read=100))
    async with running(one):
        one.budgets.purse(agent(), SHOP).spend(101, 0, 0, 0)
        await soon(lambda: one.containing.contained)
        await soon(lambda: one.budgets.purse(agent(), SHOP).spent() is None)
        assert await ContainmentTable(store).lift(Kind.AGENT, "shop-ci", "over", "ana", 1.0)
        one.budgets.purse(agent(), SHOP).spend(60, 0, 0, 0)  # seems too much still: the process has not read again
        await asyncio.sleep(0.6)
        assert len(one.containing.contained) == 1
        one.budgets.purse(agent(), SHOP).spend(60, 0, 0, 0)
        await soon(lambda: len(one.containing.contained) == 2)


async def test_a_state_that_is_away_does_not_let_anybody_off(store: Store) -> None:
    one = Process(store, Clock(), bound(rows_read=100))
    one.containing.failing = 2
    async with running(one):
        purse = one.budgets.purse(agent(), SHOP)
        purse.spend(101, 0, 0, 0)
        assert purse.spent() is not None
        await soon(lambda: one.containing.failing == 0)
        assert purse.spent() is not None or one.containing.contained
        await soon(lambda: one.containing.contained)


async def test_what_was_spent_outlives_the_process(store: Store) -> None:
    clock = Clock()
    one = Process(store, clock, bound(rows_read=100))
    async with running(one):
        one.budgets.purse(agent(), SHOP).spend(100, 0, 0, 0)
    two = Process(store, clock, bound(rows_read=100))
    async with running(two):
        assert two.budgets.purse(agent(), SHOP).spend(1, 0, 0, 0) is not None


async def test_a_window_ends(store: Store) -> None:
    clock = Clock(7200.0)
    one = Process(store, clock, bound(rows_read=100))
    async with running(one):
        one.budgets.purse(agent(), SHOP).spend(100, 0, 0, 0)
    clock.now = 7200.0 + 2 * 3600
    two = Process(store, clock, bound(rows_read=100))
    async with running(two):
        assert two.budgets.purse(agent(), SHOP).spend(100, 0, 0, 0) is None


async def test_a_quota_of_statements_makes_wait_and_counts_no_refusal(store: Store) -> None:
    clock = Clock()
    one = Process(store, clock, bound(period=60, statements=3))
    async with running(one):
        purse = one.budgets.purse(agent(), SHOP)
        assert [purse.ask() for _ in range(3)] == [None] * 3
        assert purse.ask() == "shop-ci may run statements at most 3 times in 60 s; wait and try again"
        assert purse.spent() is None
        await soon(lambda: one.budgets._read)
        clock.now += 120
        await soon(lambda: purse.ask() is None)
    assert one.containing.contained == []


async def test_a_quota_of_logins(store: Store) -> None:
    one = Process(store, Clock(), bound(period=60, logins=2))
    async with running(one):
        assert [one.budgets.login(agent()) for _ in range(2)] == [None] * 2
        assert one.budgets.login(agent()) is not None


async def test_a_reload_puts_other_bounds_in_force_for_open_sessions(store: Store) -> None:
    one = Process(store, Clock())
    async with running(one):
        purse = one.budgets.purse(agent(), SHOP)
        assert purse.spend(1000, 0, 0, 0) is None
        one.budgets.reconfigure([bound(rows_read=10)])
        assert purse.spend(11, 0, 0, 0) is not None


def test_the_window_before_counts_by_the_part_that_is_still_reached() -> None:
    account = Account("agent", "a", "", 100)
    tally = Tally(account)
    read = {(account, 100): Amounts(rows_read=40), (account, 200): Amounts(rows_read=7)}
    tally.learn(read, 225.0)
    assert tally.used(0) == 7 + 40 * 0.75
    assert start_of(100, 225.9) == 200


def test_a_clock_that_is_set_back_gives_no_budget_twice() -> None:
    account = Account("agent", "a", "", 100)
    tally = Tally(account)
    read = {(account, 200): Amounts(rows_read=7), (account, 300): Amounts(rows_read=90), (account, 500): Amounts(1)}
    tally.learn(read, 250.0)
    assert tally.used(0) == 7 + 90, "the next window counts; one far ahead, of a clock that was wrong, does not"


def presences(
    store: Store, node: str, sessions: dict[str, dict[str, int]], clock: Clock, set_by: float = 0.0
) -> Presences:
    def count(name: str) -> int:
        return sessions[node].get(name, 0)

    return Presences(SpendingTable(store), node, count, lambda: clock() + set_by, speaks=True, steady=clock)


@pytest.mark.parametrize("jump", [0.0, -7200.0, 7200.0])
async def test_sessions_at_other_nodes_are_known_whatever_their_clocks_say(store: Store, jump: float) -> None:
    clock = Clock()
    sessions = {"a": {"shop-ci": 2}, "b": {"shop-ci": 1}}
    nodes = {name: presences(store, name, sessions, clock, set_by) for name, set_by in (("a", 0.0), ("b", jump))}
    for node in nodes.values():
        node.reconfigure(["shop-ci"])
        await node.refresh()
    await nodes["a"].refresh()
    assert nodes["a"].elsewhere(agent()) == 1
    assert nodes["b"].elsewhere(agent()) == 2
    assert nodes["b"].elsewhere(Principal(PrincipalKind.USER, "shop-ci", "i", "s")) == 0
    sessions["a"] = {}
    await nodes["a"].refresh()
    await nodes["b"].refresh()
    assert nodes["b"].elsewhere(agent()) == 0
    clock.now += 31
    await nodes["a"].refresh()
    assert nodes["a"].elsewhere(agent()) == 0, "a node that says nothing any more is down"
    assert [each.node for each in await SpendingTable(store).elsewhere("a")] == ["b"]
    clock.now += 600
    await nodes["a"].refresh()
    assert await SpendingTable(store).elsewhere("a") == [], "what it said is forgotten"
