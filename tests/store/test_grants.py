"""Grants as rows, on both kinds of state: what races, what runs out, and what is found."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from blastwall.store.database import Store
from blastwall.store.grants import (
    KEEP_SECONDS,
    GrantChange,
    GrantDecision,
    GrantKind,
    GrantQuery,
    GrantState,
    GrantStory,
    GrantTable,
    NoSuchGrant,
    StoredGrant,
    TooManyAsked,
)

ASKED = StoredGrant(
    id="g1",
    kind=GrantKind.GRANT,
    who="agent",
    principal="shop-ci",
    issuer="github",
    subject="repo:shop",
    claims="{}",
    resource="pg-prod",
    actions='["delete"]',
    reason="orders are stuck",
    minutes=60,
    needed='[["dba", 1]]',
    asked_at=1000.0,
    asked_by="agent shop-ci",
    until=2000.0,
)


class Settled(Exception):
    """Somebody was first."""


def deciding(decision: str, name: str, at: float, **values: object) -> GrantChange:
    return GrantChange(GrantDecision("g1", decision, "entra", f"subject of {name}", name, "", at), values)


def approving(story: GrantStory) -> GrantChange:
    if story.grant.state != GrantState.ASKED:
        raise Settled
    return deciding("approve", "ana", 1100.0, state=GrantState.OPEN.value, starts=1100.0, ends=4700.0)


def denying(story: GrantStory) -> GrantChange:
    if story.grant.state != GrantState.ASKED:
        raise Settled
    return deciding("deny", "ben", 1100.0, state=GrantState.REFUSED.value, closed_at=1100.0)


def revoking(story: GrantStory) -> GrantChange:
    return deciding("revoke", "eva", 1100.5, state=GrantState.REVOKED.value, closed_at=1100.5)


async def test_a_grant_is_asked_for_opened_and_over_at_its_end(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    assert (await table.get("g1")).grant == ASKED
    story = await table.decide("g1", approving)
    assert [each.name for each in story.decisions] == ["ana"]
    assert [each.id for each in await table.open(4699.9)] == ["g1"]
    assert await table.open(4700.0) == []
    assert story.grant.state_at(4699.9) is GrantState.OPEN
    assert story.grant.state_at(4700.0) is GrantState.ENDED


async def test_of_two_that_decide_at_once_one_finds_it_settled(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    done = await asyncio.gather(table.decide("g1", approving), table.decide("g1", denying), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["GrantStory", "Settled"]
    story = await table.get("g1")
    assert len(story.decisions) == 1
    assert story.grant.state in {GrantState.OPEN, GrantState.REFUSED}


async def test_a_grant_that_is_approved_and_revoked_at_once_is_not_open_in_the_end(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    await asyncio.gather(table.decide("g1", approving), table.decide("g1", revoking), return_exceptions=True)
    assert await table.open(1200.0) == []
    assert (await table.get("g1")).grant.state == GrantState.REVOKED


async def test_what_a_decision_refuses_leaves_no_trace(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    await table.decide("g1", denying)
    with pytest.raises(Settled):
        await table.decide("g1", approving)
    assert [each.decision for each in (await table.get("g1")).decisions] == ["deny"]


async def test_a_principal_waits_for_so_many_decisions_only(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED, most=2)
    await table.add(replace(ASKED, id="g2"), most=2)
    with pytest.raises(TooManyAsked):
        await table.add(replace(ASKED, id="g3"), most=2)
    await table.add(replace(ASKED, id="g4", principal="other"), most=2)
    await table.decide("g1", denying)
    await table.add(replace(ASKED, id="g5"), most=2)


async def test_the_last_use_is_the_latest_that_any_node_saw(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    for at in (1200.0, 1300.0, 1250.0):
        await table.used({"g1": at, "gone": at})
    assert (await table.get("g1")).grant.last_used == 1300.0


async def test_grants_are_found_by_state_principal_and_page(store: Store) -> None:
    table = GrantTable(store)
    for number in range(5):
        await table.add(replace(ASKED, id=f"g{number}", asked_at=1000.0 + number, principal=f"p{number % 2}"))
    await table.decide("g1", approving)

    async def found(query: GrantQuery, now: float = 1500.0) -> list[str]:
        return [each.grant.id for each in await table.find(query, now)]

    assert await found(GrantQuery()) == ["g4", "g3", "g2", "g1", "g0"]
    assert await found(GrantQuery(limit=2)) == ["g4", "g3"]
    assert await found(GrantQuery(limit=2, before=(1003.0, "g3"))) == ["g2", "g1"]
    assert await found(GrantQuery(who="agent", principal="p1")) == ["g3", "g1"]
    assert await found(GrantQuery(who="user")) == []
    assert await found(GrantQuery(resource="pg-other")) == []
    assert await found(GrantQuery(GrantState.OPEN)) == ["g1"]
    assert await found(GrantQuery(GrantState.ASKED)) == ["g4", "g3", "g2", "g0"]
    assert await found(GrantQuery(GrantState.ENDED), now=4700.0) == ["g4", "g3", "g2", "g1", "g0"]


async def test_reviews_that_stay_open_are_found_and_never_forgotten(store: Store) -> None:
    table = GrantTable(store)
    await table.add(replace(ASKED, id="b1", kind=GrantKind.BREAK_GLASS, unreviewed=True))
    await table.add(ASKED)
    assert await table.unreviewed(1000.5) == ["b1"]
    assert await table.unreviewed(1000.0) == []
    await table.add(replace(ASKED, id="new", asked_at=1001.0 + KEEP_SECONDS))
    assert [each.grant.id for each in await table.find(GrantQuery(), 9e9)] == ["new", "b1"]


async def test_a_grant_that_is_not_there_cannot_be_decided(store: Store) -> None:
    with pytest.raises(NoSuchGrant):
        await GrantTable(store).decide("g1", approving)
