"""What the gateway does to an agent's SQL Server session: refuses, holds, masks, limits and records."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.tds.clients import DRIVERS, Client, Failed, Target, Tedious
from tests.tds.world import World, person
from tests.waiting import eventually

EMAILS, SSNS = ("ada@example.com", "alan@example.org"), ("219-09-9999", "078-05-1120")


@pytest.fixture(params=list(DRIVERS))
def client(world: World, request: pytest.FixtureRequest) -> Iterator[Client]:
    world.fresh()
    client = world.through(request.param)
    yield client
    client.close()


def test_a_refusal_is_an_ordinary_error_and_nothing_of_it_reaches_the_server(world: World, client: Client) -> None:
    for text in (
        "SELECT secret FROM vault",
        "SELECT 1; SELECT secret FROM dbo.vault",
        "IF 1 = 1 SELECT secret FROM vault",
        "SELECT 1 SELECT secret FROM vault",
        "EXEC xp_cmdshell 'dir'",
        "EXEC('SELECT secret FROM ' + 'va' + 'ult')",
    ):
        with pytest.raises(Failed):
            client.query(text)
        assert client.query("SELECT id FROM orders ORDER BY id") == [(1,), (2,)]
    reached = "\n".join(world.server.texts())
    assert all(word not in reached for word in ("vault", "xp_cmdshell"))


def test_a_refusal_leaves_the_transaction_open(world: World, client: Client) -> None:
    client.begin()
    client.query("INSERT INTO orders VALUES (5, N'x', NULL)")
    with pytest.raises(Failed):
        client.query("SELECT secret FROM vault")
    client.commit()
    assert client.query("SELECT COUNT(*) FROM orders") == [(3,)]


def test_personal_data_is_masked_however_it_is_asked_for(world: World, client: Client) -> None:
    asked = (
        "SELECT * FROM customers",
        "SELECT email AS x, ssn y FROM dbo.customers c WHERE c.id > 0",
        "SELECT UPPER(email), ssn + '' FROM customers",
        "SELECT c.email FROM (SELECT email FROM customers) c UNION ALL SELECT ssn FROM customers",
        "SELECT id, email, ssn FROM customers FOR JSON PATH",
        "DECLARE @t TABLE (a varchar(100)); INSERT @t SELECT email FROM customers; SELECT a FROM @t",
        "SELECT story FROM customers",
    )
    for text in asked:
        shown = repr(client.query(text)).lower()
        assert not any(value in shown for value in (*EMAILS, *SSNS)), text
    told = repr(world.recorded()[1]).lower()
    assert not any(value in told for value in (*EMAILS, *SSNS))


def test_more_rows_than_the_limit_are_undone(world: World, client: Client) -> None:
    with pytest.raises(Failed):
        client.query("UPDATE customers SET name = N'x' WHERE id > 0")
    assert world.server.execute("SELECT COUNT(*) FROM customers WHERE name = N'x'") == [(0,)]
    client.query("UPDATE customers SET name = N'x' WHERE id = 1")
    assert world.server.execute("SELECT COUNT(*) FROM customers WHERE name = N'x'") == [(1,)]


def test_what_needs_approval_waits_and_says_so(world: World) -> None:
    world.fresh()
    client = world.through("tedious")
    assert isinstance(client, Tedious)
    outcome: list[object] = []

    def delete() -> None:
        try:
            outcome.append(client.query("DELETE FROM customers WHERE id = 2"))
        except Failed as failed:
            outcome.append(failed)

    thread = threading.Thread(target=delete)
    thread.start()

    def waiting() -> object:
        return person(world, "GET", "/approvals?state=waiting")["items"]

    items = eventually(waiting, "the statement waits")
    assert isinstance(items, list)
    assert world.server.execute("SELECT COUNT(*) FROM customers") == [(2,)]
    person(world, "POST", f"/approvals/{items[0]['id']}/approve", {"comment": "good"})
    thread.join(60)
    assert outcome == [[]]
    assert any("approv" in text.lower() for text in client.messages)
    assert world.server.execute("SELECT id FROM customers") == [(1,)]
    client.close()


def test_statements_are_recorded_with_their_values(world: World) -> None:
    world.fresh()
    client = world.through("python-tds")
    client.query("SELECT customer FROM orders WHERE id = ?", 2)
    client.close()

    def finished() -> bool:
        asked, ended = world.recorded()
        mine = [one for one in asked if "customer FROM orders WHERE id" in one.text]
        numbers = {one.number for one in mine}
        given = [(one.declared, one.parameters) for one in mine]
        return given == [(("@P1 INT",), ("2",))] and any(one.number in numbers and one.rows == 1 for one in ended)

    eventually(finished, "it is recorded with its value and its row")


@pytest.mark.parametrize("driver", ["mssql-python", "tedious"])
def test_tds_8_is_spoken_too(world: World, driver: str) -> None:
    world.fresh()
    for client in (world.direct(driver, strict=True), world.through(driver, strict=True)):
        assert client.query("SELECT id FROM orders WHERE id = ?", 1) == [(1,)]
        client.close()


@pytest.mark.parametrize("driver", ["mssql-python", "python-tds", "tedious"])
def test_a_pass_is_a_password(world: World, driver: str) -> None:
    world.fresh()
    client = world.through(driver, by_password=True)
    assert client.query("SELECT SUSER_SNAME()") == [("sa",)]
    client.close()


@pytest.mark.parametrize("driver", list(DRIVERS))
def test_a_wrong_login_is_refused(world: World, driver: str) -> None:
    world.fresh()
    with pytest.raises(Failed):
        DRIVERS[driver](Target(world.gateway.port("sql-prod"), world.gateway.ca, user="sa", password="a guess"))
    assert world.server.texts("login", "batch") == []
