"""Who can write the state, but has no gateway's key, signs nobody in and opens nothing, on both kinds of state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.store.test_grants import ASKED, approving, deciding

from blastwall.store.database import Store
from blastwall.store.grants import GrantState, GrantTable
from blastwall.store.logins import CodeState, DeviceCodeTable, LoginTable, StoredCode, StoredLogin
from blastwall.store.passes import PassTable, StoredPass
from blastwall.store.sealing import Seal

LOGIN = StoredLogin(
    "l1", "digest", "web", "ben", "entra", "trust", "{}", "10.0.0.1", issued=1000, seen=1000, idle=600, ends=9000
)
PASS = StoredPass("p1", "digest", "token", "pg", "agent", "ci", "github", "trust", "{}", issued=1000, ends=2000)
CODE = StoredCode("digest", "user code", "10.0.0.1", "cli", 1000, 2000, 1000, CodeState.WAITING)


async def forge(store: Store, statement: str) -> None:
    async with store.write() as connection:
        assert (await connection.execute(text(statement))).rowcount == 1


async def test_a_login_is_its_persons_and_no_longer_than_it_was_given(store: Store) -> None:
    table = LoginTable(store)
    await table.add(LOGIN)
    await table.saw("l1", 1234.5)
    assert await table.find("digest") == replace(LOGIN, seen=1234.5)
    for forged in ("principal = 'ana'", 'claims = \'{"oid": ["a0"]}\'', "ends = 99000", "kind = 'cli'", "idle = 99000"):
        column = forged.partition(" ")[0]
        await forge(store, f"UPDATE logins SET {forged}")
        assert await table.find("digest") is None
        assert await table.find_by_id("l1") is None
        value = getattr(LOGIN, column)
        await forge(store, f"UPDATE logins SET {column} = {value if isinstance(value, int) else repr(value)}")
    assert await table.find("digest") is not None


async def test_a_login_that_was_copied_for_another_secret_is_nobodys(store: Store) -> None:
    table = LoginTable(store)
    await table.add(LOGIN)
    names = "kind, principal, issuer, trust, claims, source, issued, seen, idle, ends, seal"
    await forge(store, f"INSERT INTO logins (id, digest, {names}) SELECT 'l2', 'mine', {names} FROM logins")
    assert await table.find("mine") is None
    assert await table.find("digest") is not None


@pytest.mark.parametrize("forged", ["principal = 'admin'", "resource = 'pg-prod'", "ends = 99000", "kind = 'user'"])
async def test_a_pass_is_for_whom_it_was_given(store: Store, forged: str) -> None:
    table = PassTable(store)
    await table.issue(PASS, "10.0.0.1", 2000)
    assert await table.find("digest") == PASS
    await forge(store, f"UPDATE passes SET {forged}")
    assert await table.find("digest") is None


async def test_a_device_code_is_confirmed_by_a_person_alone(store: Store) -> None:
    table = DeviceCodeTable(store)
    await table.add(CODE)
    await forge(store, "UPDATE device_codes SET state = 'confirmed', login = 'l1'")
    assert await table.poll("digest", 1100) is None
    await forge(store, "UPDATE device_codes SET state = 'waiting', login = NULL")
    assert await table.decide("digest", CodeState.CONFIRMED, "l1", 1100)
    await forge(store, "UPDATE device_codes SET login = 'l2'")
    assert await table.poll("digest", 1100) is None
    await forge(store, "UPDATE device_codes SET login = 'l1'")
    assert await table.poll("digest", 1100) == replace(CODE, state=CodeState.CONFIRMED, login="l1")


@pytest.mark.parametrize(
    "forged",
    ["state = 'open', starts = 1000, ends = 99000", "needed = '[]'", "actions = '[\"drop\"]'", "minutes = 600"],
)
async def test_a_grant_that_was_altered_is_neither_open_nor_can_be_opened(store: Store, forged: str) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    await forge(store, f"UPDATE grants SET {forged}")
    [story] = [await table.get("g1")]
    assert story.grant.state_at(1001) is GrantState.ENDED
    assert [each.sealed for each in await table.open(1001)] in ([], [False])


async def test_a_grant_lasts_as_long_as_it_was_approved_for(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    opened = await table.decide("g1", approving)
    assert (opened.grant.state_at(4699), opened.grant.sealed) == (GrantState.OPEN, True)
    await table.used({"g1": 1200.5})
    assert (await table.get("g1")).grant.sealed
    await forge(store, "UPDATE grants SET ends = 99000")
    assert (await table.get("g1")).grant.state_at(1200) is GrantState.ENDED


async def test_an_approval_of_a_grant_that_nobody_gave_is_told_from_one_that_somebody_did(store: Store) -> None:
    table = GrantTable(store)
    await table.add(ASKED)
    await table.decide("g1", lambda _: deciding("approve", "ana", 1100.0))
    names = "decision, comment, at, seal"
    await forge(
        store,
        f'INSERT INTO grant_decisions ("grant", issuer, subject, name, {names}) '
        f"SELECT \"grant\", 'entra', 'b0', 'ben', {names} FROM grant_decisions",
    )
    assert [(each.name, each.sealed) for each in (await table.get("g1")).decisions] == [("ana", True), ("ben", False)]


async def test_rows_are_worth_what_they_say_to_gateways_of_one_key_alone(store: Store) -> None:
    table = LoginTable(store)
    store.seal = Seal(b"k" * 32)
    await table.add(LOGIN)
    store.seal = Seal(b"k" * 32)
    assert await table.find("digest") == LOGIN
    store.seal = Seal(b"l" * 32)
    assert await table.find("digest") is None


async def test_rows_from_before_seals_are_worth_nothing(store: Store) -> None:
    table = LoginTable(store)
    await table.add(LOGIN)
    await forge(store, "UPDATE logins SET seal = ''")
    assert await table.find("digest") is None
