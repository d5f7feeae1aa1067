"""Ways to have something approved that nobody who may has approved."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import insert, update
from tests.approvals.world import ANA, ANA_TOO, BEN, CLEO, KEY, Held, Shop, a_hold, a_user, users

from blastwall.approvals.counting import Scope
from blastwall.approvals.deciding import CannotDecide, Ended
from blastwall.approvals.people import Person
from blastwall.approvals.sealing import Seals
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.ruling import Approval
from blastwall.store.approval_tables import approvals, decisions
from blastwall.store.approvals import State, StoredDecision

ROUNDS = 20


async def write(shop: Shop, identity: str, **values: object) -> None:
    async with shop.store.write() as connection:
        await connection.execute(update(approvals).where(approvals.c.id == identity).values(values))


async def forge(shop: Shop, identity: str, seals: Seals, binding: str = "", name: str = "ana") -> None:
    """Write a decision and its effect, as whoever can write the state could."""
    request = (await shop.table.get(identity)).request
    said = StoredDecision(identity, "approve", "entra", name[0], name, "once", 0, "", shop.now())
    sealed = seals.decision(said, binding or request.binding)
    row = {column: getattr(sealed, column) for column in StoredDecision.__slots__}
    async with shop.store.write() as connection:
        await connection.execute(insert(decisions).values(row))
    await write(shop, identity, state="approved", ended_at=shop.now())
    shop.wake()


@pytest.mark.parametrize("person", [ANA, ANA_TOO, Person("entra", "a", "another-name")])
async def test_who_asks_as_a_user_does_not_approve_it_by_another_identity(shop: Shop, person: Person) -> None:
    shop.people.replace([*users(), a_user("another-name", "dba")])
    asking = Principal(PrincipalKind.USER, "ana", "entra", "a", frozenset({"dba"}))
    held = await shop.hold(principal=asking)
    identity = (await held.asked()).request
    with pytest.raises(CannotDecide, match=r"your own identity|another of your identities"):
        await shop.approve(identity, person)
    await shop.approve(identity, BEN)
    assert (await held.verdict()).approved


async def test_a_quorum_is_not_filled_by_one_person_who_is_renamed_after_approving(shop: Shop) -> None:
    held = await shop.hold(approvals=(Approval("dba", 2),))
    identity = (await held.asked()).request
    await shop.approve(identity, ANA)
    shop.people.replace([a_user("ana2", "dba")])
    with pytest.raises(CannotDecide):
        await shop.approve(identity, Person("entra", "a", "ana2"))
    assert not held.task.done()


@pytest.mark.parametrize("both", ["approve", "one denies"])
async def test_of_two_who_race_one_wins(shop: Shop, both: str) -> None:
    """On two nodes' tables, so that nothing but the state is between them."""
    await shop.node()
    outcomes: set[str] = set()
    for turn in range(ROUNDS):
        held = await shop.hold(session=f"s{turn}")
        identity = (await held.asked()).request
        second = shop.approve(identity, BEN) if both == "approve" else shop.deny(identity, BEN)
        results = await asyncio.gather(shop.approve(identity, ANA), second, return_exceptions=True)
        lost = [result for result in results if isinstance(result, CannotDecide)]
        assert len(lost) == 1, results
        assert isinstance(lost[0], Ended)
        verdict = await held.verdict()
        past = await shop.table.get(identity)
        assert len(past.decisions) == 1
        assert verdict.approved == (past.request.state == State.APPROVED)
        assert verdict.by == (past.decisions[0].name,)
        outcomes.add(past.request.state)
    assert outcomes <= {"approved", "denied"}


async def test_the_last_approval_and_the_clients_end_race_without_a_release(shop: Shop) -> None:
    await shop.node()
    for turn in range(ROUNDS):
        held = await shop.hold(session=f"s{turn}")
        identity = (await held.asked()).request
        held.task.cancel()
        (result,) = await asyncio.gather(shop.approve(identity, ANA), return_exceptions=True)
        with pytest.raises(asyncio.CancelledError):
            await held.verdict()
        state = await shop.state(identity)
        if isinstance(result, CannotDecide):
            await shop.becomes(identity, "withdrawn")
        else:
            assert state == "approved"
        assert not (await shop.table.get(identity)).request.stands_until


async def test_a_forged_decision_releases_nothing(shop: Shop) -> None:
    held = await shop.hold()
    await forge(shop, (await held.asked()).request, Seals(b"x" * 32))
    verdict = await held.verdict()
    assert not verdict.approved
    assert "may not approve it any more" in verdict.reason


async def test_a_decision_copied_from_another_request_releases_nothing(shop: Shop) -> None:
    for different in ("1", "2"):
        given = await shop.hold("1", session="given")
        first = (await given.asked()).request
        await shop.approve(first, ANA)
        await given.verdict()
        (real,) = (await shop.table.get(first)).decisions
        held = await shop.hold(different, session="taken")
        identity = (await held.asked()).request
        copied = replace(real, approval=identity)
        row = {column: getattr(copied, column) for column in StoredDecision.__slots__}
        async with shop.store.write() as connection:
            await connection.execute(insert(decisions).values(row))
        await write(shop, identity, state="approved", ended_at=shop.now())
        shop.wake()
        assert not (await held.verdict()).approved


async def test_nobody_approves_a_text_that_was_altered_in_the_state(shop: Shop) -> None:
    held = await shop.hold("1")
    identity = (await held.asked()).request
    await write(shop, identity, text="SELECT 1")
    with pytest.raises(CannotDecide, match="does not verify"):
        await shop.approve(identity, ANA)
    await write(shop, identity, text="DELETE FROM orders WHERE id = $1", needed='[["guests", 1]]')
    with pytest.raises(CannotDecide, match="does not verify"):
        await shop.approve(identity, ANA)
    assert not held.task.done()


async def test_a_request_that_is_made_to_ask_for_less_is_judged_by_what_policy_asked(shop: Shop) -> None:
    """The row says that ana alone is enough, with a seal that a gateway made; the statement's own ruling says two."""
    held = await shop.hold(approvals=(Approval("dba", 2),))
    identity = (await held.asked()).request
    await forge(shop, identity, Seals(KEY))
    assert not (await held.verdict()).approved


async def test_a_longer_standing_than_was_given_does_not_stand(shop: Shop) -> None:
    held = await shop.hold("1")
    identity = (await held.asked()).request
    await shop.approve(identity, ANA, Scope.STATEMENT, 1)
    await held.verdict()
    await write(shop, identity, stands_until=shop.now() + 9999)
    shop.ahead = 61
    later = await shop.hold("1", session="s2")
    later.task.cancel()


async def test_an_approver_who_leaves_the_group_while_others_decide_counts_no_more(shop: Shop) -> None:
    held = await shop.hold(approvals=(Approval("dba", 2),))
    identity = (await held.asked()).request
    await shop.approve(identity, ANA)
    shop.people.replace([user for user in users() if user.name != "ana"])
    assert (await shop.approve(identity, BEN)).request.state == "waiting"
    assert not held.task.done()


async def test_an_approver_who_leaves_the_group_before_the_release_counts_no_more(shop: Shop) -> None:
    held = await shop.hold()
    identity = (await held.asked()).request
    node, shop.nodes[:] = shop.nodes[0], []
    await shop.approve(identity, ANA)
    shop.people.replace([user for user in users() if user.name != "ana"])
    shop.nodes.append(node)
    node.wake()
    assert not (await held.verdict()).approved


async def test_the_wrong_group_is_enough_for_nothing(shop: Shop) -> None:
    held = await shop.hold(approvals=(Approval("security", 2),))
    identity = (await held.asked()).request
    await shop.approve(identity, CLEO)
    with pytest.raises(CannotDecide, match="group security"):
        await shop.approve(identity, ANA)
    assert await shop.state(identity) == "waiting"


async def test_a_text_with_what_no_state_can_hold_waits_like_any_other(shop: Shop) -> None:
    await shop.node()
    hold = replace(a_hold("DELETE FROM \ud800 orders\0", "a\0b\ud800", "x" * 100_000))
    held = Held(shop.nodes[0], hold)
    identity = (await held.asked()).request
    past = await shop.table.get(identity)
    assert "100000 characters" in past.request.parameters
    await shop.approve(identity, ANA)
    assert (await held.verdict()).approved


async def test_a_decision_whose_seal_is_no_hash_at_all_counts_for_nothing(shop: Shop) -> None:
    """Whoever can write the state may write any text there."""
    held = await shop.hold()
    request = await shop.table.get((await held.asked()).request)
    said = StoredDecision(request.request.id, "approve", "entra", "a", "ana", "once", 0, "é", shop.now())
    assert not Seals(KEY).said(replace(said, seal="é"), request.request.binding)
    assert not Seals(KEY).shown(replace(request.request, seal="é"))
