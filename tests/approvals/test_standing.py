"""What an approval is good for besides the statement that waits, and for whom nobody waits."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.approvals.world import AGENT, ANA, BEN, GREG, ORDERS, RESOURCE, Held, Shop, a_hold, users

from blastwall.approvals.counting import Scope
from blastwall.approvals.deciding import MOST_MINUTES, CannotDecide, Said, Senseless
from blastwall.gate.ports import Hold
from blastwall.model.effects import Object
from blastwall.model.ruling import Approval

OTHERS = {
    "another statement": a_hold("DELETE FROM orders WHERE id >= $1", "1"),
    "other values": a_hold("DELETE FROM orders WHERE id = $1", "2"),
    "no value": a_hold("DELETE FROM orders WHERE id = $1", None),
    "another agent": a_hold("DELETE FROM orders WHERE id = $1", "1", principal=replace(AGENT, name="other-ci")),
    "another subject": a_hold("DELETE FROM orders WHERE id = $1", "1", principal=replace(AGENT, subject="repo:evil")),
    "another issuer": a_hold("DELETE FROM orders WHERE id = $1", "1", principal=replace(AGENT, issuer="gitlab")),
    "another resource": a_hold("DELETE FROM orders WHERE id = $1", "1", resource=replace(RESOURCE, name="pay-db")),
    "another database": a_hold("DELETE FROM orders WHERE id = $1", "1", database="pay"),
    "another table of that name": a_hold(
        "DELETE FROM orders WHERE id = $1", "1", effect=replace(ORDERS, object=Object(("shop", "x", "orders"), "table"))
    ),
}
SAME = ("DELETE FROM orders WHERE id = $1", "1")


def fresh(hold: Hold, session: str = "s1") -> Hold:
    """The same question, asked now."""
    new = a_hold(*SAME)
    return replace(hold, session=session, asked_at=new.asked_at, until=new.until)


async def approved(shop: Shop, scope: Scope, minutes: int = 0) -> str:
    held = await shop.hold("1")
    identity = (await held.asked()).request
    await shop.approve(identity, ANA, scope, minutes)
    assert (await held.verdict()).approved
    return identity


async def waits(shop: Shop, hold: Hold) -> bool:
    """Whether people are asked for it; it is withdrawn then."""
    held = Held(shop.nodes[-1], hold)
    await held.settled()
    if held.waited:
        held.task.cancel()
    return held.waited


async def test_an_approval_for_once_is_for_once(shop: Shop) -> None:
    await approved(shop, Scope.ONCE)
    assert await waits(shop, fresh(a_hold(*SAME)))


async def test_an_approval_for_a_statement_is_good_for_some_minutes_on_every_node(shop: Shop) -> None:
    identity = await approved(shop, Scope.STATEMENT, 5)
    await shop.node("there")
    for session in ("s1", "s2"):
        verdict = await shop.ask(fresh(a_hold(*SAME), session), shop.nodes[-1])
        assert (verdict.approved, verdict.by) == (True, ("ana",))
        assert verdict.reason == f"request {identity}, approved before"
    shop.ahead = 301
    assert await waits(shop, fresh(a_hold(*SAME)))


@pytest.mark.parametrize("scope", [Scope.STATEMENT, Scope.SESSION])
async def test_nothing_else_rides_on_it(shop: Shop, scope: Scope) -> None:
    await approved(shop, scope, 5 if scope is Scope.STATEMENT else 0)
    for name, hold in OTHERS.items():
        assert await waits(shop, fresh(hold)), name
    assert not await waits(shop, fresh(a_hold(*SAME)))


async def test_an_approval_for_a_session_is_good_in_no_other(shop: Shop) -> None:
    await approved(shop, Scope.SESSION)
    assert not await waits(shop, fresh(a_hold(*SAME)))
    assert await waits(shop, fresh(a_hold(*SAME), "s2"))
    shop.ahead = 86_401
    assert await waits(shop, fresh(a_hold(*SAME)))


@pytest.mark.parametrize(
    ("one", "other", "good_here", "good_elsewhere"),
    [
        (Said("approve", Scope.STATEMENT, 5), Said("approve", Scope.ONCE), False, False),
        (Said("approve", Scope.STATEMENT, 5), Said("approve", Scope.SESSION), True, False),
        (Said("approve", Scope.STATEMENT, 5), Said("approve", Scope.STATEMENT, 9), True, True),
    ],
)
async def test_several_approve_what_all_of_them_meant(
    shop: Shop, one: Said, other: Said, good_here: bool, good_elsewhere: bool
) -> None:
    two = (Approval("dba", 2),)
    held = await shop.hold("1", approvals=two)
    identity = (await held.asked()).request
    await shop.deciding.decide(identity, ANA, one)
    await shop.deciding.decide(identity, BEN, other)
    assert (await held.verdict()).approved
    assert await waits(shop, fresh(a_hold(*SAME, approvals=two))) is not good_here
    assert await waits(shop, fresh(a_hold(*SAME, approvals=two), "s2")) is not good_elsewhere
    shop.ahead = 301
    assert await waits(shop, fresh(a_hold(*SAME, approvals=two)))


async def test_it_is_worth_what_policy_asks_for_now(shop: Shop) -> None:
    await approved(shop, Scope.STATEMENT, 5)
    assert await waits(shop, fresh(a_hold(*SAME, approvals=(Approval("dba", 2),))))
    assert await waits(shop, fresh(a_hold(*SAME, approvals=(Approval("dba"), Approval("security")))))


async def test_it_ends_with_its_approvers_place_in_the_group(shop: Shop) -> None:
    await approved(shop, Scope.STATEMENT, 5)
    shop.people.replace([user for user in users() if user.name != "ana"])
    assert await waits(shop, fresh(a_hold(*SAME)))
    shop.people.replace(users())
    shop.contained.add("ana")
    assert await waits(shop, fresh(a_hold(*SAME)))


@pytest.mark.parametrize("name", ["ana", "shop-ci"])
async def test_what_is_from_before_a_containment_is_worth_nothing_after_the_lift(shop: Shop, name: str) -> None:
    """Of the approver, whose login a thief may have had, and of the agent, whose statement may have been a thief's."""
    await approved(shop, Scope.STATEMENT, 5)
    shop.spoiled[name] = shop.now()
    assert await waits(shop, fresh(a_hold(*SAME)))
    await approved(shop, Scope.STATEMENT, 5)
    assert not await waits(shop, fresh(a_hold(*SAME)))


async def test_nobody_rides_on_their_own_approval_by_another_run_of_the_agent(shop: Shop) -> None:
    """Greg approves what somebody else's run asked for, then starts a run himself (`actor_id` 7)."""
    others = replace(AGENT, claims={"actor_id": "8"})
    held = await shop.hold("1", principal=others)
    await shop.approve((await held.asked()).request, GREG, Scope.STATEMENT, 5)
    assert (await held.verdict()).approved
    assert not await waits(shop, fresh(a_hold(*SAME, principal=others)))
    assert await waits(shop, fresh(a_hold(*SAME)))


# ── mode fail ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_cannot_wait_is_told_the_request_and_rides_on_its_approval_once(shop: Shop) -> None:
    refused = await shop.ask(fresh_fail())
    assert refused.asked is not None
    again = await shop.ask(fresh_fail("s2"))
    assert again.asked == refused.asked
    await shop.approve(refused.asked.request, ANA)
    assert (await shop.ask(fresh_fail("s3"))).approved
    after = await shop.ask(fresh_fail("s4"))
    assert after.asked is not None
    assert after.asked.request != refused.asked.request


async def test_two_that_send_it_again_at_once_ride_once(shop: Shop) -> None:
    await shop.node("here")
    await shop.node("there")
    for turn in range(5):
        refused = await shop.ask(fresh_fail(f"r{turn}"))
        assert refused.asked is not None
        await shop.approve(refused.asked.request, ANA)
        both = await asyncio.gather(*(shop.ask(fresh_fail(f"{turn} {node}"), shop.nodes[node]) for node in (0, 1)))
        assert sorted(verdict.approved for verdict in both) == [False, True]
        left = next(verdict.asked for verdict in both if verdict.asked)
        await shop.deny(left.request, ANA)


async def test_the_approval_of_who_cannot_wait_ends(shop: Shop) -> None:
    refused = await shop.ask(fresh_fail())
    assert refused.asked is not None
    await shop.approve(refused.asked.request, ANA)
    shop.ahead = 601
    assert not (await shop.ask(fresh_fail())).approved


async def test_a_denial_of_who_cannot_wait_asks_anew(shop: Shop) -> None:
    refused = await shop.ask(fresh_fail())
    assert refused.asked is not None
    await shop.deny(refused.asked.request, ANA)
    again = await shop.ask(fresh_fail())
    assert again.asked is not None
    assert again.asked.request != refused.asked.request


async def test_a_request_that_nobody_waits_for_survives_a_restart(shop: Shop) -> None:
    await shop.node("here")
    refused = await shop.ask(fresh_fail())
    assert refused.asked is not None
    await shop.nodes[0].stop()
    await shop.node("here")
    await shop.approve(refused.asked.request, ANA)
    assert (await shop.ask(fresh_fail(), shop.nodes[-1])).approved


async def test_nobody_rides_once_on_their_own_approval_by_another_run_of_the_agent(shop: Shop) -> None:
    others = replace(AGENT, claims={"actor_id": "8"})
    refused = await shop.ask(a_hold(*SAME, fails=True, principal=others))
    assert refused.asked is not None
    await shop.approve(refused.asked.request, GREG)
    own = await shop.ask(fresh_fail())
    assert own.asked is not None
    with pytest.raises(CannotDecide, match="started by you"):
        await shop.approve(own.asked.request, GREG)
    assert (await shop.ask(a_hold(*SAME, fails=True, principal=others))).approved


@pytest.mark.parametrize("name", OTHERS)
async def test_nothing_else_rides_on_what_nobody_waits_for(shop: Shop, name: str) -> None:
    refused = await shop.ask(fresh_fail())
    assert refused.asked is not None
    await shop.approve(refused.asked.request, ANA)
    other = replace(fresh(OTHERS[name]), fails=True)
    assert (await shop.ask(other)).asked is not None


def fresh_fail(session: str = "s1") -> Hold:
    return a_hold(*SAME, fails=True, session=session)


@pytest.mark.parametrize(
    ("scope", "minutes", "comment", "why"),
    [
        (Scope.ONCE, 5, "", "minutes"),
        (Scope.STATEMENT, 0, "", "minutes"),
        (Scope.STATEMENT, MOST_MINUTES + 1, "", "from 1 to"),
        (Scope.STATEMENT, -1, "", "from 1 to"),
        (Scope.ONCE, 0, "x" * 1001, "at most"),
        (Scope.ONCE, 0, "a\0b", "control characters"),
        (Scope.ONCE, 0, "a\x1b[2J", "control characters"),
    ],
)
def test_what_makes_no_sense_is_not_taken(scope: Scope, minutes: int, comment: str, why: str) -> None:
    with pytest.raises(Senseless, match=why):
        Said("approve", scope, minutes, comment)


def test_a_denial_says_why() -> None:
    with pytest.raises(Senseless, match="say why"):
        Said("deny", comment="  ")
