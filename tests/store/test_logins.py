"""Logins and device codes, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from blastwall.store.containments import Contained, ContainmentTable, Kind
from blastwall.store.database import Store
from blastwall.store.logins import CodeState, DeviceCodeTable, LoginTable, StoredCode, StoredLogin, TooManyCodes


def a_login(number: int = 1, **more: object) -> StoredLogin:
    given: dict[str, object] = {
        "id": f"l{number}", "digest": f"d{number}", "kind": "web", "principal": "ana", "issuer": "entra",
        "trust": "t", "claims": "{}", "source": "127.0.0.1", "issued": 1000.0, "seen": 1000.0, "idle": 60.0,
        "ends": 2000.0, **more,
    }  # fmt: skip
    return StoredLogin(**given)  # type: ignore[arg-type]


def a_code(number: int = 1, ends: float = 2000.0) -> StoredCode:
    return StoredCode(f"d{number}", f"u{number}", "127.0.0.1", "cli", 1000.0, ends, 0.0, CodeState.WAITING)


async def test_a_login_is_found_by_its_digest_and_revoked_once(store: Store) -> None:
    table = LoginTable(store)
    await table.add(a_login())
    assert await table.find("d1") == a_login()
    assert await table.find_by_id("l1") == a_login()
    assert await table.find("l1") is None
    await table.saw("l1", 1500.0)
    assert await table.revoke("l1", 1600.0)
    assert not await table.revoke("l1", 1700.0)
    assert await table.find("d1") == a_login(seen=1500.0, revoked=1600.0)


async def test_logins_that_ended_long_ago_are_let_go(store: Store) -> None:
    table = LoginTable(store)
    await table.add(a_login())
    await table.add(a_login(2, issued=200_000.0))
    assert await table.find("d1") is None


async def test_containment_of_a_person_is_seen_from_then_on(store: Store) -> None:
    table, containments = LoginTable(store), ContainmentTable(store)
    ana = (("user", "ana"), ("issuer", "entra"))
    assert not await table.contained(ana, 1000.0, 1100.0)
    await containments.add(Contained(Kind.USER, "ana", "why", "olga", 1200.0))
    assert await table.contained(ana, 1000.0, 1300.0)
    assert await table.contained(ana, 1250.0, 1300.0), "still in force"
    assert not await table.contained((("user", "ben"), ("agent", "ana")), 1000.0, 1300.0)
    await containments.lift(Kind.USER, "ana", "over", "olga", 1400.0)
    assert await table.contained(ana, 1000.0, 1500.0), "it was, since the login began"
    assert not await table.contained(ana, 1450.0, 1500.0)


async def test_the_first_decision_on_a_code_wins(store: Store) -> None:
    table = DeviceCodeTable(store)
    await table.add(a_code())
    decided = await asyncio.gather(
        *(table.decide("d1", state, "l1", 1100.0) for state in (CodeState.CONFIRMED, CodeState.REFUSED) * 3)
    )
    assert sum(decided) == 1
    assert not await table.decide("d1", CodeState.CONFIRMED, "l1", 1100.0)


async def test_a_code_is_redeemed_once(store: Store) -> None:
    table = DeviceCodeTable(store)
    await table.add(a_code())
    assert (await table.poll("d1", 1100.0)) == a_code()
    second = await table.poll("d1", 1101.0)
    assert second is not None
    assert second.polled == 1100.0
    assert await table.decide("d1", CodeState.CONFIRMED, "l1", 1100.0)
    found = [each for each in await asyncio.gather(*(table.poll("d1", 1102.0) for _ in range(6))) if each is not None]
    assert [(each.state, each.login) for each in found] == [(CodeState.CONFIRMED, "l1")]


async def test_codes_end(store: Store) -> None:
    table = DeviceCodeTable(store)
    await table.add(a_code())
    assert await table.find("u1", 1999.0) == a_code()
    assert await table.find("u1", 2000.0) is None
    assert not await table.decide("d1", CodeState.CONFIRMED, "l1", 2000.0)


async def test_codes_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blastwall.store.logins._MOST_CODES", 2)
    table = DeviceCodeTable(store)
    await table.add(a_code(1, ends=1000.0))
    await table.add(a_code(2))
    with pytest.raises(TooManyCodes):
        await table.add(a_code(3))
