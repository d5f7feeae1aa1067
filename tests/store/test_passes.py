"""What one transaction must decide: whether a token may be exchanged (again)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from blastwall.store.containments import Contained, ContainmentTable, Kind
from blastwall.store.database import Store
from blastwall.store.logins import LoginTable, StoredLogin
from blastwall.store.passes import AlreadyExchanged, PassTable, ProofSpoiled, SignedOut, StoredPass


def a_pass(number: int = 1, **more: object) -> StoredPass:
    made = StoredPass(
        id=f"p{number}",
        digest=f"digest-{number}",
        token="token",
        resource="pg-prod",
        kind="agent",
        principal="shop-ci",
        issuer="github",
        trust="trust",
        claims='{"sub": ["a\\u0000b"]}',
        issued=1000.0,
        ends=1600.0,
    )
    return replace(made, **more)  # type: ignore[arg-type]


async def test_a_pass_comes_back_as_it_was(store: Store) -> None:
    table = PassTable(store)
    await table.issue(a_pass(), "10.0.0.1", 2000.0)
    assert await table.find("digest-1") == a_pass()
    assert await table.find("digest-2") is None


async def test_a_working_pass_bars_another_of_its_token_and_resource(store: Store) -> None:
    table = PassTable(store)
    await table.issue(a_pass(), "10.0.0.1", 2000.0)
    with pytest.raises(AlreadyExchanged) as caught:
        await table.issue(a_pass(2, issued=1599.0), "10.0.0.1", 2000.0)
    assert caught.value.ends == 1600.0
    await table.issue(a_pass(3, resource="pg-other"), "10.0.0.1", 2000.0)
    await table.issue(a_pass(4, token="other"), "10.0.0.1", 2000.0)
    await table.issue(a_pass(5, issued=1600.0, ends=1900.0), "10.0.0.1", 2000.0)
    assert await table.revoke("p5", "why", "me", 1700.0)
    await table.issue(a_pass(6, issued=1700.0, ends=1900.0), "10.0.0.1", 2000.0)


async def test_a_token_belongs_to_its_first_address(store: Store) -> None:
    table = PassTable(store)
    await table.issue(a_pass(), "10.0.0.1", 2000.0)
    with pytest.raises(AlreadyExchanged) as caught:
        await table.issue(a_pass(2, resource="pg-other"), "10.0.0.2", 2000.0)
    assert caught.value.ends is None
    assert await table.find("digest-2") is None


async def test_a_refused_exchange_does_not_claim_the_token(store: Store) -> None:
    """Otherwise a duplicate id would bind the token to an address that got nothing."""
    table = PassTable(store)
    await table.issue(a_pass(token="first"), "10.0.0.1", 2000.0)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await table.issue(a_pass(token="second"), "10.0.0.1", 2000.0)
    await table.issue(a_pass(2, token="second"), "10.0.0.2", 2000.0)


async def test_of_many_at_once_one_wins(store: Store) -> None:
    table = PassTable(store)
    results = await asyncio.gather(
        *(table.issue(a_pass(number), "10.0.0.1", 2000.0) for number in range(6)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, AlreadyExchanged) for result in results) == 5


async def test_a_caller_that_leaves_breaks_nothing(store: Store) -> None:
    """A client may leave at any moment of its login: what it began is done whole, and no connection is lost."""
    table = PassTable(store)
    for turns in range(40):
        leaving = asyncio.create_task(_issue(table, turns))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
    await asyncio.gather(*store._pending)
    for turns in range(1, 40):
        assert await table.find(f"digest-{turns}") is not None, turns


async def _issue(table: PassTable, number: int) -> None:
    await table.issue(a_pass(number, token=f"token-{number}"), "10.0.0.1", 2000.0)


async def test_a_revocation_is_told_to_every_node_once(store: Store) -> None:
    table, containments = PassTable(store), ContainmentTable(store)
    await table.issue(a_pass(), "10.0.0.1", 2000.0)
    assert await table.revoke("p1", "why", "me", 1100.0)
    assert not await table.revoke("p1", "why", "me", 1100.0)
    assert not await table.revoke("unknown", "why", "me", 1100.0)
    found = await table.find("digest-1")
    assert found is not None
    assert found.revoked == 1100.0
    assert [(each.kind, each.name) for each in await containments.in_force(1100.0)] == [(Kind.PASS, "p1")]


async def test_what_has_ended_is_forgotten_but_a_live_token_is_not(store: Store) -> None:
    table = PassTable(store)
    await table.issue(a_pass(), "10.0.0.1", 500_000.0)
    await table.issue(a_pass(2, token="other", issued=200_000.0, ends=200_600.0), "10.0.0.1", 201_000.0)
    assert await table.find("digest-1") is None
    with pytest.raises(AlreadyExchanged):
        await table.issue(a_pass(3, issued=200_000.0, ends=200_600.0), "10.0.0.2", 500_000.0)


async def test_a_login_that_was_signed_out_meanwhile_gives_none(store: Store) -> None:
    """Whoever read the login before it was signed out must not write a pass after its passes were revoked."""
    table, logins = PassTable(store), LoginTable(store)
    await logins.add(
        StoredLogin("l1", "d1", "cli", "ana", "entra", "t", "{}", "127.0.0.1", 900.0, 900.0, 600.0, 2000.0)
    )
    await table.issue(a_pass(token="l1.a"), "10.0.0.1", 2000.0, 900.0, "l1")
    assert await logins.revoke("l1", 1000.0)
    assert await table.revoke_given_for("l1", "signed out", "ana", 1000.0) == 1
    with pytest.raises(SignedOut):
        await table.issue(a_pass(2, token="l1.b"), "10.0.0.1", 2000.0, 900.0, "l1")
    assert await table.find("digest-2") is None


async def test_a_containment_since_the_sign_in_bars_a_login_too(store: Store) -> None:
    table, logins, containments = PassTable(store), LoginTable(store), ContainmentTable(store)
    await logins.add(
        StoredLogin("l1", "d1", "cli", "ana", "entra", "t", "{}", "127.0.0.1", 900.0, 900.0, 600.0, 2000.0)
    )
    await containments.add(Contained(Kind.USER, "ana", "why", "olga", 950.0))
    await containments.lift(Kind.USER, "ana", "over", "olga", 960.0)
    with pytest.raises(ProofSpoiled):
        await table.issue(a_pass(kind="user", principal="ana", token="l1.a"), "10.0.0.1", 2000.0, 900.0, "l1")
