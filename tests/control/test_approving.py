"""Who may see and decide, whatever face they come through."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.approvals.world import AGENT, Shop

from blastwall.approvals.counting import Scope
from blastwall.approvals.deciding import CannotDecide, Senseless
from blastwall.control.access import Caller, Forbidden, Operator, Remote, Role
from blastwall.control.approving import Approving, PolicyPlace
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.store.approvals import Query
from blastwall.store.database import open_store

SOURCE = ip_address("127.0.0.1")
APPROVER = frozenset({Role.APPROVER})


def a_caller(name: str, subject: str, roles: frozenset[Role] = APPROVER) -> Remote:
    return Remote(SOURCE, Principal(PrincipalKind.USER, name, "entra", subject), roles)


ANA, CLEO = a_caller("ana", "a"), a_caller("cleo", "c")
VIEWER = a_caller("ana", "a", frozenset({Role.VIEWER}))


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(await open_store("sqlite:///b.db", tmp_path))
    yield shop
    await shop.close()
    await shop.store.close()


def approving(shop: Shop) -> Approving:
    return Approving(
        shop.table,
        shop.deciding,
        shop.worth,
        now=shop.now,
        link=lambda identity: f"https://gate/#/approvals/{identity}",
        place=lambda identity: PolicyPlace("shop.cedar:3", "deletes wait"),
    )


async def test_an_approver_of_the_group_sees_that_they_can_and_does(shop: Shop) -> None:
    held, cases = await shop.hold("1"), approving(shop)
    identity = (await held.asked()).request
    (listed,) = await cases.find(ANA, Query())
    assert listed.cannot_because == ""
    assert listed.effects == (("delete", "shop.public.orders", "table"),)
    assert listed.policies == (("deletes-need-a-dba", PolicyPlace("shop.cedar:3", "deletes wait")),)
    shown = await cases.approve(ANA, identity, Scope.ONCE, 0, "go")
    assert (shown.state, shown.decisions[0].comment, shown.needed[0].given) == ("approved", "go", 1)
    assert (await held.verdict()).approved


@pytest.mark.parametrize(
    ("caller", "why"),
    [
        (VIEWER, "needs the role approver"),
        (Operator("root"), "needs a person's identity"),
        (Remote(SOURCE), "sign in"),
        (Remote(SOURCE, AGENT), "an agent's token is no proof"),
        (Remote(SOURCE, AGENT, APPROVER), "an agent's token is no proof"),
    ],
)
async def test_who_is_no_approver_decides_nothing(shop: Shop, caller: Caller, why: str) -> None:
    held, cases = await shop.hold(), approving(shop)
    identity = (await held.asked()).request
    with pytest.raises(Forbidden, match=why):
        await cases.approve(caller, identity, Scope.ONCE, 0, "")  # type: ignore[arg-type]
    with pytest.raises(Forbidden, match=why):
        await cases.deny(caller, identity, "no")  # type: ignore[arg-type]
    assert await shop.state(identity) == "waiting"


async def test_the_wrong_group_decides_nothing(shop: Shop) -> None:
    held, cases = await shop.hold(), approving(shop)
    identity = (await held.asked()).request
    with pytest.raises(CannotDecide, match="not in the group dba"):
        await cases.approve(CLEO, identity, Scope.ONCE, 0, "")
    assert "not in the group dba" in (await cases.show(CLEO, identity)).cannot_because


async def test_who_sees_it_learns_why_they_cannot_decide(shop: Shop) -> None:
    held, cases = await shop.hold(), approving(shop)
    identity = (await held.asked()).request
    assert "role approver" in (await cases.show(VIEWER, identity)).cannot_because
    assert "person's identity" in (await cases.show(Operator("root"), identity)).cannot_because
    with pytest.raises(Forbidden):
        await cases.find(Remote(SOURCE, AGENT), Query())


async def test_what_makes_no_sense_decides_nothing(shop: Shop) -> None:
    held, cases = await shop.hold(), approving(shop)
    identity = (await held.asked()).request
    with pytest.raises(Senseless):
        await cases.deny(ANA, identity, " ")
    assert await shop.state(identity) == "waiting"


async def test_the_state_holds_no_masked_value_and_no_key(shop: Shop, tmp_path: Path) -> None:
    """What is stored is what masking left of the statement: the binding tells values apart without holding them."""
    await shop.hold("a***@example.com")
    with closing(sqlite3.connect(tmp_path / "b.db")) as state:
        dump = "\n".join(state.iterdump())
    assert "a***@example.com" in dump
    assert "k" * 32 not in dump
