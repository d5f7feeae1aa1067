"""Asking, deciding, ending, breaking the glass: who may, who may not, and what an attacker would try."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.control.policy_world import CONFIGURATION, POLICIES, Words, write_world

from blastwall.approvals.people import People
from blastwall.config.load import load
from blastwall.config.notifications import Notification
from blastwall.config.resources import resources
from blastwall.control.access import Forbidden, Operator, Remote, Role
from blastwall.control.changes import Changes
from blastwall.control.grant_decisions import CannotDecide, Settled
from blastwall.control.granting import MOST_ASKED, AskedTooOften, CannotAsk, Granting, GrantShown, InForce, Wish
from blastwall.control.policy import load_policies
from blastwall.control.policy_subject import Who
from blastwall.control.telling import Telling
from blastwall.gate.ports import Subject
from blastwall.grants import StoredGrants
from blastwall.model.effects import Action
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.protocols.kind import ProtocolKind
from blastwall.store.changes import ChangeTable
from blastwall.store.database import Store, open_store
from blastwall.store.grants import GrantQuery, GrantState, GrantTable, NoSuchGrant
from blastwall.store.outbox import OutboxTable

KINDS: Mapping[str, ProtocolKind] = {"words": Words()}
SOURCE = ip_address("10.0.0.1")
PEOPLE = """\
users:
  - {name: ana, issuer: github, match: {oid: "1"}, groups: [dba]}
  - {name: bea, issuer: github, match: {oid: "2"}, groups: [dba, incident]}
  - {name: dan, issuer: github, match: {oid: "3"}, groups: [dba]}
  - {name: dan-admin, issuer: github, match: {oid: "4"}, groups: [dba], person: dan}
  - {name: cid, issuer: github, match: {oid: "5"}, groups: [ci]}
  - {name: eva, issuer: github, match: {oid: "6"}, groups: [security]}
grants: {longest: 2h, decide: 1h}
break_glass: {group: incident, longest: 30m}
"""
WORLD = CONFIGURATION.replace(
    """users:
  - {name: ana, issuer: github, match: {oid: "1"}, groups: [dba]}
""",
    PEOPLE,
)
GRANTS = """
@id("ci-updates")
@grant("dba:2")
@grant_max("90m")
permit (principal in Group::"ci", action in [Action::"update", Action::"drop"], resource in Database::"desk/shop");
"""
FIX = Wish("desk", [Action.UPDATE], "orders are stuck", 60)
BRIEFLY = replace(FIX, minutes=30)
ROLES = frozenset({Role.VIEWER, Role.APPROVER})


def agent(name: str = "shop-ci", **claims: str) -> Remote:
    principal = Principal(PrincipalKind.AGENT, name, "github", "repo:shop", frozenset({"ci"}), claims)
    return Remote(SOURCE, principal)


def user(name: str, *roles: Role, groups: frozenset[str] = frozenset()) -> Remote:
    principal = Principal(PrincipalKind.USER, name, "github", f"subject of {name}", groups)
    return Remote(SOURCE, principal, frozenset(roles) | ROLES)


@dataclass
class Clock:
    now: float = 10_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    granting: Granting
    view: StoredGrants
    store: Store
    outbox: OutboxTable
    subject: Subject
    clock: Clock
    spoiled: dict[str, float]

    @property
    def now(self) -> float:
        return self.clock.now

    @now.setter
    def now(self, moment: float) -> None:
        self.clock.now = moment

    def open_actions(self, subject: Subject | None = None) -> set[Action]:
        return {action for grant in self.view.open(subject or self.subject) for action in grant.actions}

    async def asked(self, caller: Remote | None = None, wish: Wish = FIX) -> str:
        return (await self.granting.ask(caller or agent(), wish)).story.grant.id

    async def opened(self) -> str:
        identity = await self.asked()
        await self.granting.approve(user("ana"), identity, "")
        await self.granting.approve(user("bea"), identity, "go on")
        return identity

    async def letters(self) -> list[dict[str, object]]:
        return [json.loads(each.body) for each in await self.outbox.claim("slack", "t", self.now, self.now + 1, 50)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    configuration = load(write_world(tmp_path, POLICIES + GRANTS, WORLD), KINDS)
    policies, known = load_policies(configuration, KINDS), resources(configuration, KINDS)
    store = await open_store("sqlite:///b.db", tmp_path)
    clock = Clock()
    table, changes = GrantTable(store), Changes(ChangeTable(store), clock)
    view = StoredGrants(table, "https://gw", clock, clock)
    wanted = Notification.model_validate({"slack": {"env": "X"}})
    outbox = OutboxTable(store)
    spoiled: dict[str, float] = {}
    granting = Granting(
        table,
        view,
        People(configuration.users),
        InForce(lambda: policies, lambda: known, lambda: configuration),
        now=clock,
        cut=lambda person, at: at <= spoiled.get(person.name, 0.0),
        changes=changes,
        telling=Telling(outbox, lambda: [wanted], now=clock),
    )
    principal = agent().principal
    assert principal is not None
    made = World(granting, view, store, outbox, Subject(principal, known["desk"], "shop", SOURCE), clock, spoiled)
    yield made
    await view.stop()
    await changes.close()
    await store.close()


# ── the ordinary way ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_asks_people_approve_and_it_ends_by_itself(world: World) -> None:
    identity = await world.asked()
    first = await world.granting.approve(user("ana"), identity, "")
    assert (first.state, [(each.group, each.count, each.given) for each in first.needed]) == (
        GrantState.ASKED,
        [("dba", 2, 1)],
    )
    assert world.open_actions() == set()
    world.now += 600
    second = await world.granting.approve(user("bea"), identity, "go on")
    assert (second.state, second.story.grant.starts, second.story.grant.ends) == (GrantState.OPEN, 10_600.0, 14_200.0)
    assert world.open_actions() == {Action.UPDATE}, "this process feels it at once"
    world.now = 14_199.9
    assert world.open_actions() == {Action.UPDATE}
    world.now = 14_200.0
    assert world.open_actions() == set()
    assert (await world.granting.get(user("ana"), identity)).state is GrantState.ENDED


async def test_people_are_told_who_asks_for_what_and_why(world: World) -> None:
    identity = await world.asked()
    [letter] = await world.letters()
    assert (letter["topic"], letter["title"]) == ("grant", "shop-ci asks for access at desk")
    assert letter["link"] == f"#/grants/{identity}"
    assert ["reason", "orders are stuck"] in letter["facts"]  # type: ignore[operator]


async def test_one_refusal_is_enough(world: World) -> None:
    identity = await world.asked()
    await world.granting.approve(user("ana"), identity, "")
    assert (await world.granting.deny(user("bea"), identity, "not now")).state is GrantState.REFUSED
    with pytest.raises(Settled, match="refused already"):
        await world.granting.approve(user("dan"), identity, "")
    assert world.open_actions() == set()


async def test_an_operator_revokes_at_once_also_from_the_command_line(world: World) -> None:
    for caller in (user("olga", Role.OPERATOR), Operator("root")):
        identity = await world.opened()
        assert world.open_actions() == {Action.UPDATE}
        assert (await world.granting.revoke(caller, identity, "wrong order")).state is GrantState.REVOKED
        assert world.open_actions() == set()


async def test_a_person_may_ask_too(world: World) -> None:
    identity = await world.asked(user("cid", groups=frozenset({"ci"})))
    assert (await world.granting.get(user("ana"), identity)).story.grant.who == "user"


# ── what a thief would try ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_approves_nothing_and_revokes_nothing(world: World) -> None:
    identity = await world.asked()
    thief = agent("shop-ci")
    for attempt in (world.granting.approve, world.granting.deny, world.granting.revoke, world.granting.review):
        with pytest.raises(Forbidden):
            await attempt(thief, identity, "me")
    assert world.open_actions() == set()


async def test_a_viewer_may_neither_approve_nor_revoke_nor_review(world: World) -> None:
    identity = await world.asked()
    vera = replace(user("vera"), roles=frozenset({Role.VIEWER}))
    for attempt in (world.granting.approve, world.granting.deny, world.granting.revoke, world.granting.review):
        with pytest.raises(Forbidden, match="needs the role"):
            await attempt(vera, identity, "me")


async def test_the_command_line_of_the_machine_approves_nothing(world: World) -> None:
    with pytest.raises(Forbidden, match="needs a person's identity"):
        await world.granting.approve(Operator("root"), await world.asked(), "")


@pytest.mark.parametrize("other", ["dan", "dan-admin"])
async def test_nobody_approves_what_they_asked_for_by_whichever_identity(world: World, other: str) -> None:
    wish = replace(FIX, actions=[Action.UPDATE])
    identity = await world.asked(user("dan", groups=frozenset({"ci", "dba"})), wish)
    with pytest.raises(CannotDecide, match=r"your own identity|another of your identities"):
        await world.granting.approve(user(other), identity, "")


async def test_one_person_with_two_identities_is_one_approver(world: World) -> None:
    identity = await world.asked()
    await world.granting.approve(user("dan"), identity, "")
    for again in ("dan", "dan-admin"):
        with pytest.raises(Settled, match="approved this already"):
            await world.granting.approve(user(again), identity, "")
    assert world.open_actions() == set()


async def test_an_approval_from_before_its_givers_containment_counts_nothing(world: World) -> None:
    identity = await world.asked()
    await world.granting.approve(user("ana"), identity, "")
    world.spoiled["ana"] = world.now
    shown = await world.granting.approve(user("bea"), identity, "")
    assert (shown.state, shown.needed[0].given) == (GrantState.ASKED, 1)


async def test_an_approver_outside_the_group_counts_nothing(world: World) -> None:
    with pytest.raises(CannotDecide, match="not in the group dba"):
        await world.granting.approve(user("eva"), await world.asked(), "")


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (replace(FIX, actions=[Action.REVEAL]), "no policy foresees a grant of reveal on desk"),
        (replace(FIX, actions=[Action.UPDATE, Action.ENTITLE]), "no policy foresees a grant of entitle"),
        (replace(FIX, resource="vault"), "no policy foresees a grant of update on vault"),
        (replace(FIX, minutes=91), "from 1 to 90 minutes"),
        (replace(FIX, minutes=0), "from 1 to 90 minutes"),
        (replace(FIX, minutes=-5), "from 1 to 90 minutes"),
        (replace(FIX, reason="  "), "say why"),
        (replace(FIX, reason="x" * 1001), "say why"),
        (replace(FIX, actions=[]), "at least one action"),
    ],
)
async def test_more_than_policy_foresees_cannot_even_be_asked_for(world: World, wish: Wish, why: str) -> None:
    with pytest.raises(CannotAsk, match=why):
        await world.asked(wish=wish)
    assert await world.granting.list(user("ana"), GrantQuery()) == []


async def test_a_stranger_to_the_policy_cannot_ask(world: World) -> None:
    stranger = agent("other")
    assert stranger.principal is not None
    stranger = replace(stranger, principal=replace(stranger.principal, groups=frozenset()))
    with pytest.raises(CannotAsk, match="no policy foresees"):
        await world.asked(stranger)


async def test_an_agent_sees_its_own_and_nobody_elses(world: World) -> None:
    identity = await world.asked()
    assert [each.story.grant.id for each in await world.granting.list(agent(), GrantQuery())] == [identity]
    assert await world.granting.list(agent("other"), GrantQuery(principal="shop-ci")) == []
    with pytest.raises(NoSuchGrant):
        await world.granting.get(agent("other"), identity)
    nobody = replace(user("shop-ci"), roles=frozenset())
    with pytest.raises(NoSuchGrant):
        await world.granting.get(nobody, identity)


async def test_an_agent_cannot_bury_people_in_requests(world: World) -> None:
    for _ in range(MOST_ASKED):
        await world.asked()
    with pytest.raises(AskedTooOften):
        await world.asked()
    world.now += 3600
    await world.asked()


async def test_a_request_that_nobody_decided_in_time_is_over(world: World) -> None:
    identity = await world.asked()
    world.now += 3600
    with pytest.raises(Settled, match="its time is over"):
        await world.granting.approve(user("ana"), identity, "")


async def test_of_an_approval_and_a_revocation_at_once_the_revocation_stays(world: World) -> None:
    identity = await world.asked()
    await world.granting.approve(user("ana"), identity, "")
    await asyncio.gather(
        world.granting.approve(user("bea"), identity, ""),
        world.granting.revoke(Operator("root"), identity, ""),
        return_exceptions=True,
    )
    await world.view.refresh()
    assert world.open_actions() == set()
    assert (await world.granting.get(user("ana"), identity)).state is GrantState.REVOKED


async def test_two_last_approvers_at_once_open_it_once(world: World) -> None:
    identity = await world.asked()
    await world.granting.approve(user("ana"), identity, "")
    done = await asyncio.gather(
        world.granting.approve(user("bea"), identity, ""),
        world.granting.approve(user("dan"), identity, ""),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["GrantShown", "Settled"]


# ── breaking the glass ───────────────────────────────────────────────────────────────────────────────────────────────


async def broken(world: World, caller: Remote | None = None, wish: Wish = BRIEFLY) -> GrantShown:
    return await world.granting.break_glass(caller or user("bea"), Who(PrincipalKind.AGENT, "shop-ci"), wish)


async def test_a_member_opens_access_without_approval_and_everybody_is_told(world: World) -> None:
    with capture_logs() as logs:
        shown = await broken(world)
    assert shown.state is GrantState.OPEN
    assert world.open_actions() == {Action.UPDATE}
    [grant] = world.view.open(world.subject)
    assert grant.given is None
    [letter] = await world.letters()
    assert (letter["topic"], letter["title"]) == ("break_glass", "shop-ci got access without approval at desk")
    [logged] = [each for each in logs if each["event"] == "glass_broken"]
    assert (logged["by"], logged["reason"], logged["log_level"]) == ("user bea", "orders are stuck", "warning")
    world.now += 1800
    assert world.open_actions() == set()


@pytest.mark.parametrize("caller", [user("ana"), user("olga", Role.OPERATOR), user("stranger"), agent()])
async def test_nobody_else_breaks_it(world: World, caller: Remote) -> None:
    with pytest.raises(Forbidden):
        await broken(world, caller)
    assert world.open_actions() == set()


async def test_an_agent_in_the_incident_group_does_not_either(world: World) -> None:
    thief = agent("bea")
    assert thief.principal is not None
    thief = replace(thief, principal=replace(thief.principal, groups=frozenset({"incident"})))
    with pytest.raises(Forbidden):
        await broken(world, thief)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (replace(FIX, minutes=31), "from 1 to 30 minutes"),
        (replace(FIX, minutes=5, actions=[Action.REVEAL]), "no policy foresees"),
        (replace(FIX, minutes=5, reason=""), "say why"),
    ],
)
async def test_it_opens_no_more_than_policy_foresees(world: World, wish: Wish, why: str) -> None:
    with pytest.raises(CannotAsk, match=why):
        await broken(world, wish=wish)


async def test_the_review_is_closed_by_somebody_else_after_its_end(world: World) -> None:
    identity = (await broken(world)).story.grant.id
    eva = user("eva", Role.AUDITOR)
    with pytest.raises(Settled, match="still open"):
        await world.granting.review(eva, identity, "all well")
    world.now += 1800
    with pytest.raises(CannotDecide, match="somebody else must review"):
        await world.granting.review(user("bea", Role.AUDITOR), identity, "I was right")
    with pytest.raises(Forbidden, match="a person's identity"):
        await world.granting.review(Operator("bea"), identity, "I was right")
    with pytest.raises(CannotAsk, match="say what was found"):
        await world.granting.review(eva, identity, " ")
    unreviewed = GrantQuery(unreviewed=True)
    assert [each.story.grant.id for each in await world.granting.list(eva, unreviewed)] == [identity]
    shown = await world.granting.review(eva, identity, "one order was repaired")
    assert [(each.decision, each.name) for each in shown.story.decisions] == [("review", "eva")]
    assert await world.granting.list(eva, unreviewed) == []
    with pytest.raises(Settled, match="no review is open"):
        await world.granting.review(eva, identity, "again")


async def test_whom_it_was_broken_for_does_not_review_it(world: World) -> None:
    who = Who(PrincipalKind.USER, "cid")
    identity = (await world.granting.break_glass(user("bea"), who, replace(FIX, minutes=5))).story.grant.id
    world.now += 300
    with pytest.raises(CannotDecide, match="somebody else must review"):
        await world.granting.review(user("cid", Role.AUDITOR), identity, "all well")


async def test_a_broken_glass_is_not_approved_and_can_be_revoked(world: World) -> None:
    identity = (await broken(world)).story.grant.id
    with pytest.raises(Settled):
        await world.granting.approve(user("ana"), identity, "")
    await world.granting.revoke(Operator("root"), identity, "enough")
    assert world.open_actions() == set()
