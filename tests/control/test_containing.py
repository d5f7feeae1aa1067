from __future__ import annotations

import time
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from blastwall.config.notifications import Notification
from blastwall.containment import StoredContainment
from blastwall.control.access import Forbidden, Operator, Remote, Role
from blastwall.control.changes import Changes
from blastwall.control.containing import CannotContain, Containing, NotContained
from blastwall.control.telling import Telling
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.store.changes import ChangeTable
from blastwall.store.containments import ContainmentTable, Kind
from blastwall.store.database import open_store
from blastwall.store.outbox import OutboxTable
from blastwall.store.passes import PassTable, StoredPass

ANA = Operator("ana")
SOURCE = ip_address("10.0.0.1")


def user(name: str, *roles: Role) -> Remote:
    return Remote(SOURCE, Principal(PrincipalKind.USER, name, "entra", f"subject of {name}"), frozenset(roles))


@pytest.fixture
async def passes(tmp_path: Path) -> AsyncIterator[PassTable]:
    store = await open_store("sqlite:///b.db", tmp_path)
    yield PassTable(store)
    await store.close()


@pytest.fixture
def outbox(passes: PassTable) -> OutboxTable:
    return OutboxTable(passes.store)


@pytest.fixture
async def containing(passes: PassTable, outbox: OutboxTable) -> AsyncIterator[Containing]:
    table = ContainmentTable(passes.store)
    changes = Changes(ChangeTable(passes.store), time.time)
    wanted = Notification.model_validate({"slack": {"env": "X"}, "for": ["containment"]})
    telling = Telling(outbox, lambda: [wanted], now=time.time)
    yield Containing(StoredContainment(table, time.time), table, passes, time.time, changes=changes, telling=telling)
    await changes.close()


async def test_contain_and_lift(containing: Containing) -> None:
    await containing.contain(ANA, Kind.AGENT, "shop-ci", "the token leaked")
    (found,) = await containing.in_force(ANA)
    assert (found.kind, found.name, found.reason, found.by) == (Kind.AGENT, "shop-ci", "the token leaked", "ana")
    await containing.lift(ANA, Kind.AGENT, "shop-ci", "a false alarm")
    assert await containing.in_force(ANA) == ()
    with pytest.raises(NotContained, match="agent shop-ci is not contained"):
        await containing.lift(ANA, Kind.AGENT, "shop-ci", "a false alarm")


@pytest.mark.parametrize("kind", [Kind.SESSION, Kind.PASS])
async def test_what_was_ended_stays_ended(containing: Containing, kind: Kind) -> None:
    with pytest.raises(CannotContain, match="stays ended"):
        await containing.lift(ANA, kind, "x", "over")


@pytest.mark.parametrize(
    ("name", "reason"), [("", "why"), ("x" * 64, "why"), ("x", ""), ("x", "  "), ("x", "y" * 1001)]
)
async def test_names_and_reasons_are_asked_for(containing: Containing, name: str, reason: str) -> None:
    with pytest.raises(CannotContain):
        await containing.contain(ANA, Kind.AGENT, name, reason)
    assert await containing.in_force(ANA) == ()


async def test_a_pass_is_revoked_by_its_id(containing: Containing, passes: PassTable) -> None:
    with pytest.raises(NotContained, match="no pass with the id p1 works"):
        await containing.contain(ANA, Kind.PASS, "p1", "why")
    now = time.time()
    made = StoredPass("p1", "d", "t", "pg-prod", "agent", "shop-ci", "github", "", "{}", now, now + 600)
    await passes.issue(made, "10.0.0.1", now + 600)
    await containing.contain(ANA, Kind.PASS, "p1", "why")
    found = await passes.find("d")
    assert found is not None
    assert found.revoked is not None
    assert [(each.kind, each.name) for each in await containing.in_force(ANA)] == [(Kind.PASS, "p1")]


async def test_an_operator_over_the_network_may_and_is_named(containing: Containing) -> None:
    eva = user("eva", Role.OPERATOR)
    await containing.contain(eva, Kind.ISSUER, "github", "their keys leaked")
    await containing.lift(eva, Kind.ISSUER, "github", "keys were replaced")
    [past] = await containing.history(eva, 10)
    assert (past.contained.by, past.contained.reason) == ("user eva", "their keys leaked")
    assert (past.lifted_by, past.lift_reason) == ("user eva", "keys were replaced")


@pytest.mark.parametrize("caller", [user("vic", Role.VIEWER), user("ada", Role.APPROVER, Role.AUDITOR), Remote(SOURCE)])
async def test_nobody_else_may(containing: Containing, caller: Remote) -> None:
    with pytest.raises(Forbidden):
        await containing.contain(caller, Kind.AGENT, "shop-ci", "mischief")
    with pytest.raises(Forbidden):
        await containing.lift(caller, Kind.AGENT, "shop-ci", "mischief")
    with pytest.raises(Forbidden):
        await containing.kill(caller, "s1", "mischief")
    assert await containing.in_force(ANA) == ()


async def test_an_agent_with_an_operators_group_may_not(containing: Containing) -> None:
    agent = Remote(SOURCE, Principal(PrincipalKind.AGENT, "bot", "github", "s", frozenset({"oncall"})))
    with pytest.raises(Forbidden):
        await containing.lift(agent, Kind.AGENT, "bot", "let me in")


@pytest.mark.parametrize("reason", ["", "  ", "y" * 1001])
async def test_a_lift_asks_why(containing: Containing, reason: str) -> None:
    await containing.contain(ANA, Kind.AGENT, "shop-ci", "the token leaked")
    with pytest.raises(CannotContain, match="say why"):
        await containing.lift(ANA, Kind.AGENT, "shop-ci", reason)
    assert len(await containing.in_force(ANA)) == 1


async def test_people_are_told_who_cut_off_whom_and_why(containing: Containing, outbox: OutboxTable) -> None:
    await containing.contain(user("eva", Role.OPERATOR), Kind.AGENT, "shop-ci", "the token leaked")
    [letter] = await outbox.claim("slack", "test", time.time() + 1, time.time() + 60, 10)
    for word in ("agent shop-ci was contained", "user eva", "the token leaked", "#/containment"):
        assert word in letter.body
