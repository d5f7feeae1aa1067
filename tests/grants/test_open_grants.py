"""Which grants are open: at once here, soon elsewhere, and not an instant too long, whatever the clocks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from blastwall.gate.ports import Subject
from blastwall.grants import StoredGrants
from blastwall.grants.open_grants import OVERDUE_SECONDS, WRITE_SECONDS
from blastwall.model.effects import Action
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval
from blastwall.store.database import Store, open_store
from blastwall.store.grant_tables import grants
from blastwall.store.grants import GrantChange, GrantDecision, GrantKind, GrantState, GrantTable, StoredGrant

AGENT = Principal(PrincipalKind.AGENT, "shop-ci", "github", "repo:shop", frozenset({"ci"}))
RESOURCE = Resource("pg-prod", "postgres", Address("db", 5432), ("shop",))
SUBJECT = Subject(AGENT, RESOURCE, "shop", ip_address("10.0.0.1"))
OPEN = StoredGrant(
    id="g1",
    kind=GrantKind.GRANT,
    who="agent",
    principal="shop-ci",
    issuer="github",
    subject="repo:shop",
    claims="{}",
    resource="pg-prod",
    actions='["delete", "update"]',
    reason="orders are stuck",
    minutes=10,
    needed='[["dba", 2]]',
    asked_at=900.0,
    asked_by="agent shop-ci",
    until=2000.0,
    state=GrantState.OPEN,
    starts=1000.0,
    ends=1600.0,
)


class Node:
    """One process's view, with clocks that the test moves together or apart."""

    def __init__(self, store: Store) -> None:
        self.table = GrantTable(store)
        self.now, self.steady = 1000.0, 50.0
        self.changes = 0
        self.grants = StoredGrants(self.table, "https://gw:8443", lambda: self.now, lambda: self.steady)

    def changed(self) -> None:
        self.changes += 1

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    def ids(self, subject: Subject = SUBJECT) -> list[str]:
        return [each.id for each in self.grants.open(subject)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/b.db")
    yield opened
    await opened.close()


@pytest.fixture
async def node(store: Store) -> AsyncIterator[Node]:
    node = Node(store)
    yield node
    await node.grants.stop()


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within a minute")


async def test_an_open_grant_is_seen_as_it_was_approved(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.start(node.changed)
    [grant] = node.grants.open(SUBJECT)
    assert grant.actions == {Action.DELETE, Action.UPDATE}
    assert (grant.given, grant.seconds, grant.ends) == ((Approval("dba", 2),), 600.0, 1600.0)


async def test_break_glass_needs_no_approval(node: Node) -> None:
    await node.table.add(replace(OPEN, kind=GrantKind.BREAK_GLASS))
    await node.grants.start(node.changed)
    assert node.grants.open(SUBJECT)[0].given is None


@pytest.mark.parametrize(
    "other",
    [
        replace(SUBJECT, resource=Resource("pg-other", "postgres", Address("db", 5432), ("shop",))),
        replace(SUBJECT, principal=replace(AGENT, name="other-ci")),
        replace(SUBJECT, principal=replace(AGENT, kind=PrincipalKind.USER)),
        replace(SUBJECT, principal=replace(AGENT, issuer="gitlab")),
    ],
    ids=["resource", "agent", "user of the name", "issuer"],
)
async def test_it_is_nobody_elses_and_nowhere_else(node: Node, other: Subject) -> None:
    await node.table.add(OPEN)
    await node.grants.start(node.changed)
    assert node.ids() == ["g1"]
    assert node.ids(other) == []


async def test_what_no_gateway_of_ours_wrote_opens_nothing_and_is_said_once(node: Node, store: Store) -> None:
    await node.table.add(OPEN)
    async with store.write() as connection:
        await connection.execute(update(grants).values(minutes=600))
    with capture_logs() as logs:
        await node.grants.start(node.changed)
        await node.grants.refresh()
    assert node.ids() == []
    assert [each["grant"] for each in logs if each["event"] == "grant_not_ours"] == ["g1"]


@pytest.mark.parametrize("state", [GrantState.ASKED, GrantState.REFUSED, GrantState.REVOKED])
async def test_what_is_not_open_opens_nothing(node: Node, state: GrantState) -> None:
    await node.table.add(replace(OPEN, state=state))
    await node.grants.start(node.changed)
    assert node.ids() == []


async def test_what_another_node_opens_and_revokes_is_soon_seen_here(node: Node, store: Store) -> None:
    await node.grants.start(node.changed)
    other = GrantTable(store)
    await other.add(OPEN)
    await eventually(lambda: node.ids() == ["g1"])
    assert node.changes == 1
    decision = GrantDecision("g1", "revoke", "entra", "s", "eva", "", 1001.0)
    await other.decide("g1", lambda story: GrantChange(decision, {"state": GrantState.REVOKED.value}))
    await eventually(lambda: node.ids() == [])
    assert node.changes == 2


async def test_what_this_process_opens_is_seen_at_once(node: Node) -> None:
    await node.grants.start(node.changed)
    await node.table.add(OPEN)
    await node.grants.refresh()
    assert (node.ids(), node.changes) == (["g1"], 1)


async def test_it_ends_at_its_instant_before_anybody_looks(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.refresh()
    node.pass_time(599.999)
    assert node.ids() == ["g1"]
    node.pass_time(0.001)
    assert node.ids() == []


async def test_the_gate_hears_of_an_end_while_the_state_cannot_be_read(node: Node, store: Store) -> None:
    await node.table.add(replace(OPEN, ends=1000.3))
    await node.grants.start(node.changed)
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE grants RENAME TO elsewhere")
    node.pass_time(0.3)
    await eventually(lambda: node.changes == 1)
    assert node.ids() == []


async def test_a_clock_that_is_set_back_prolongs_no_grant(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.refresh()
    node.pass_time(500)
    node.now -= 450
    await node.grants.refresh()
    node.pass_time(99.9)
    assert node.ids() == ["g1"]
    node.pass_time(0.1)
    await node.grants.refresh()
    assert (node.now < 1600.0, node.ids()) == (True, [])


async def test_what_has_ended_never_opens_again(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.refresh()
    node.pass_time(600)
    await node.grants.refresh()
    node.now = 1100.0
    await node.grants.refresh()
    assert node.ids() == []


async def test_a_clock_that_is_set_forward_ends_it(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.refresh()
    node.now = 1600.0
    assert node.ids() == []


async def test_uses_are_written_together_and_not_one_by_one(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.start(node.changed)
    for _ in range(1000):
        node.pass_time(0.001)
        node.grants.used(["g1"])
    assert (await node.table.get("g1")).grant.last_used is None
    node.pass_time(WRITE_SECONDS)
    for _ in range(3000):
        if (await node.table.get("g1")).grant.last_used is not None:
            break
        await asyncio.sleep(0.02)
    assert (await node.table.get("g1")).grant.last_used == pytest.approx(1001.0)


async def test_the_last_uses_are_written_at_the_end(node: Node) -> None:
    await node.table.add(OPEN)
    await node.grants.start(node.changed)
    node.grants.used(["g1"])
    await node.grants.stop()
    assert (await node.table.get("g1")).grant.last_used == 1000.0


async def test_a_refusal_says_where_to_ask(node: Node) -> None:
    assert node.grants.remedy(SUBJECT, ("delete", "update")) == (
        "ask for one with `blastwall grants ask pg-prod delete update` or at "
        "https://gw:8443/#/grants/ask?resource=pg-prod&actions=delete,update"
    )


async def test_a_review_that_stays_open_for_a_day_is_counted_and_warned_of(node: Node) -> None:
    await node.table.add(replace(OPEN, kind=GrantKind.BREAK_GLASS, asked_at=1000.0, unreviewed=True))
    with capture_logs() as logs:
        await node.grants.start(node.changed)
        await asyncio.sleep(0.6)
        assert node.grants.overdue == 0
        node.pass_time(OVERDUE_SECONDS + 1)
        await eventually(lambda: node.grants.overdue == 1)
    [warned] = [each for each in logs if each["event"] == "reviews_overdue"]
    assert warned["grants"] == ["g1"]
