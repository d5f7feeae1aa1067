"""A statement waits: who decides, how it ends, and that every node sees the same."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from tests.approvals.world import AGENT, ANA, ANA_TOO, BEN, CLEO, GREG, Held, Shop, a_hold, a_user, users
from tests.waiting import promised

from blastwall.approvals.deciding import CannotDecide, Ended
from blastwall.approvals.overdue import Overdue
from blastwall.approvals.people import Person
from blastwall.gate.ports import Verdict
from blastwall.model.ruling import Approval
from blastwall.store.approvals import NoSuchRequest, Query, State

BOTH = (Approval("dba"), Approval("security"))


async def test_an_approved_statement_is_released_with_who_approved_it(shop: Shop) -> None:
    held = await shop.hold()
    asked = await held.asked()
    assert asked.link == f"https://gate/#/approvals/{asked.request}"
    assert await shop.state(asked.request) == "waiting"
    past = await shop.approve(asked.request, ANA)
    assert past.request.state == "approved"
    assert await held.verdict() == Verdict(True, ("ana",), f"request {asked.request}")


async def test_people_see_what_would_run(shop: Shop) -> None:
    held = await shop.hold("42", None)
    (past,) = await shop.table.find(Query(State.WAITING), time.time())
    request = past.request
    assert request.id == (await held.asked()).request
    assert (request.text, json.loads(request.parameters)) == ("DELETE FROM orders WHERE id = $1", ["42", None])
    assert (request.principal, request.kind, request.resource, request.database) == (
        "shop-ci",
        "agent",
        "shop-db",
        "shop",
    )
    assert json.loads(request.claims) == {"actor_id": "7"}
    assert json.loads(request.effects) == [["delete", ["shop", "public", "orders"], "table"]]
    assert json.loads(request.policies) == ["deletes-need-a-dba"]
    assert json.loads(request.needed) == [["dba", 1]]


async def test_a_denied_statement_is_refused_with_the_comment(shop: Shop) -> None:
    held = await shop.hold()
    await shop.deny((await held.asked()).request, ANA, "use the archive")
    assert await held.verdict() == Verdict(False, ("ana",), "use the archive")


async def test_a_quorum_waits_for_the_last_one(shop: Shop) -> None:
    held = await shop.hold(approvals=(Approval("dba", 2),))
    identity = (await held.asked()).request
    assert (await shop.approve(identity, ANA)).request.state == "waiting"
    assert (await shop.approve(identity, BEN)).request.state == "approved"
    assert (await held.verdict()).by == ("ana", "ben")


async def test_every_group_must_approve(shop: Shop) -> None:
    held = await shop.hold(approvals=BOTH)
    identity = (await held.asked()).request
    assert (await shop.approve(identity, CLEO)).request.state == "waiting"
    assert (await shop.approve(identity, ANA)).request.state == "approved"
    assert (await held.verdict()).approved


async def test_who_is_in_both_groups_counts_in_both(shop: Shop) -> None:
    held = await shop.hold(approvals=BOTH)
    assert (await shop.approve((await held.asked()).request, BEN)).request.state == "approved"


async def test_a_refusal_ends_it_whatever_was_approved_before(shop: Shop) -> None:
    held = await shop.hold(approvals=(Approval("dba", 2),))
    identity = (await held.asked()).request
    await shop.approve(identity, ANA)
    await shop.deny(identity, ANA, "I was wrong")
    assert (await held.verdict()).reason == "I was wrong"
    with pytest.raises(CannotDecide, match="denied already, by ana"):
        await shop.approve(identity, BEN)


async def test_what_is_held_on_one_node_is_decided_on_another(shop: Shop) -> None:
    await shop.node("here")
    there = await shop.node("there")
    held = await shop.hold(node=there)
    began = time.monotonic()
    await shop.approve((await held.asked()).request, ANA)
    assert (await held.verdict()).approved
    assert time.monotonic() - began < promised(5)


async def test_nobody_decides_in_time(shop: Shop) -> None:
    held = await shop.hold(seconds=min(promised(1.5), 20))
    identity = (await held.asked()).request
    assert await held.verdict() == Verdict(False, late=True)
    assert await shop.state(identity) == "timeout"
    with pytest.raises(CannotDecide, match="time is over") as refused:
        await shop.approve(identity, ANA)
    assert isinstance(refused.value, Ended)


async def test_a_client_that_leaves_withdraws_its_request(shop: Shop) -> None:
    held = await shop.hold()
    identity = (await held.asked()).request
    held.task.cancel()
    await shop.becomes(identity, "withdrawn")
    with pytest.raises(CannotDecide, match="whoever asked has left"):
        await shop.approve(identity, ANA)
    assert shop.nodes[0].waiting == 0
    assert (identity, "withdrawn") in shop.changes


async def test_a_client_that_leaves_before_people_are_asked_leaves_nothing_that_waits(shop: Shop) -> None:
    node = await shop.node()
    for turns in range(8):
        held = Held(node, a_hold(session=f"s{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        held.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held.task
    await asyncio.sleep(0.6)
    async with asyncio.timeout(20):  # less than a hold lasts
        while await shop.table.find(Query(State.WAITING), time.time()):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.05)


async def test_a_restart_withdraws_what_waited_in_that_process_alone(shop: Shop) -> None:
    here, there = await shop.node("here", 2, 2), await shop.node("there")
    mine, others = await shop.hold(node=here), await shop.hold(node=there, session="s2")
    await shop.node("here", 2, 2)
    assert await shop.state((await mine.asked()).request) == "withdrawn"
    assert await shop.state((await others.asked()).request) == "waiting"


async def test_the_first_worker_sees_to_those_that_are_gone(shop: Shop) -> None:
    gone = await shop.node("here", 3, 3)
    held = await shop.hold(node=gone)
    await shop.node("here", 1, 2)
    assert await shop.state((await held.asked()).request) == "withdrawn"


async def test_what_a_dead_node_left_times_out(shop: Shop) -> None:
    held = await shop.hold()
    identity = (await held.asked()).request
    now = time.time() + 31
    (past,) = await shop.table.find(Query(State.TIMEOUT), now)
    assert past.request.state_at(now) is State.TIMEOUT
    overdue = Overdue()
    found = await shop.table.overdue(now)
    await shop.table.sweep(overdue.left(found, 0.0), now)
    await shop.table.sweep(overdue.left(found, found[identity] - 0.1), now)
    assert await shop.state(identity) == "waiting"
    await shop.table.sweep(overdue.left(found, found[identity]), now)
    assert await shop.state(identity) == "timeout"


async def test_a_time_that_was_over_for_a_moment_counts_anew() -> None:
    overdue = Overdue()
    assert overdue.left({"r1": 30.0}, 0.0) == []
    assert overdue.left({}, 20.0) == []
    assert overdue.left({"r1": 30.0}, 31.0) == []
    assert overdue.left({"r1": 30.0}, 61.0) == ["r1"]


@pytest.mark.parametrize(("node", "worker"), [("here", 2), ("there", 1)])
async def test_a_clock_that_is_set_ahead_ends_nothing_that_somebody_waits_for(
    shop: Shop, node: str, worker: int
) -> None:
    """Another process of its node sweeps, and another node."""
    holder = await shop.node(node, worker, 2)
    held = await shop.hold(node=holder)
    identity = (await held.asked()).request
    shop.ahead = 500 * 86_400.0
    sweeper = await shop.node("here", 1, 2)
    for session in ("s2", "s3"):  # the first turn sweeps, and is over once the second one asks
        await shop.hold(node=sweeper, session=session)
    assert await shop.state(identity) == "waiting"
    shop.ahead = 0.0
    await shop.approve(identity, ANA)
    assert (await held.verdict()).approved


async def test_an_ended_gateway_withdraws_what_waits(shop: Shop) -> None:
    held = await shop.hold()
    await shop.nodes[0].stop()
    assert await shop.state((await held.asked()).request) == "withdrawn"
    held.task.cancel()


async def test_many_wait_beside_each_other(shop: Shop) -> None:
    node = await shop.node()
    several = [Held(node, a_hold("DELETE", str(number), session=f"s{number}")) for number in range(60)]
    asked = [await one.asked() for one in several]
    assert node.waiting == 60
    for told in asked[::2]:
        await shop.approve(told.request, ANA)
    for held in several[::2]:
        assert (await held.verdict()).approved
    assert node.waiting == 30
    for held in several[1::2]:
        held.task.cancel()
    await shop.becomes(asked[-1].request, "withdrawn")


@pytest.mark.parametrize(
    ("person", "why"),
    [
        (CLEO, "not in the group dba"),
        (Person("entra", "v", "visitor"), "not in the group dba"),
        (Person("entra", "x", "stranger"), "not in the group dba"),
        (Person(AGENT.issuer, AGENT.subject, "ana-gh"), "by your own identity"),
        (GREG, "started by you, as its claim `actor_id` says"),
    ],
)
async def test_who_may_not_decide(shop: Shop, person: Person, why: str) -> None:
    held = await shop.hold()
    identity = (await held.asked()).request
    for decide in (shop.approve, shop.deny):
        with pytest.raises(CannotDecide, match=why) as refused:
            await decide(identity, person)
        assert not isinstance(refused.value, Ended)
    past = await shop.table.get(identity)
    assert why in shop.deciding.cannot(past, person)
    assert past.decisions == ()
    assert not shop.deciding.cannot(past, ANA)
    assert not held.task.done()


async def test_a_contained_person_decides_nothing(shop: Shop) -> None:
    held = await shop.hold()
    shop.contained.add("ana")
    with pytest.raises(CannotDecide, match="contained"):
        await shop.approve((await held.asked()).request, ANA)


async def test_one_person_fills_one_place_of_a_group(shop: Shop) -> None:
    held = await shop.hold(approvals=(Approval("dba", 2),))
    identity = (await held.asked()).request
    await shop.approve(identity, ANA)
    shop.people.replace([*users(), a_user("renamed", "dba")])
    for again in (ANA, Person("entra", "a", "renamed"), ANA_TOO):
        with pytest.raises(CannotDecide, match="approved this already"):
            await shop.approve(identity, again)
    assert await shop.state(identity) == "waiting"


async def test_there_is_no_such_request(shop: Shop) -> None:
    await shop.node()
    with pytest.raises(NoSuchRequest):
        await shop.approve("nothing", ANA)


async def test_pages_follow_one_another(shop: Shop) -> None:
    several = [await shop.hold(str(number), session=f"s{number}") for number in range(5)]
    asked = [(await one.asked()).request for one in several]
    found: list[str] = []
    before = None
    while page := await shop.table.find(Query(limit=2, before=before), time.time()):
        found += [each.request.id for each in page]
        before = (page[-1].request.asked_at, page[-1].request.id)
    assert found == asked[::-1]
    assert [e.request.id for e in await shop.table.find(Query(resource="other"), time.time())] == []
    assert len(await shop.table.find(Query(agent="shop-ci", resource="shop-db"), time.time())) == 5
