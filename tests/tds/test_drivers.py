"""What an agent's driver does with a SQL Server: the same list directly and through the gateway, with no difference."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.tds.clients import DRIVERS, Client, Failed, MssqlPython, Pymssql, PythonTds
from tests.tds.world import World


@pytest.fixture(params=["direct", "through"])
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(DRIVERS))
def client(world: World, route: str, request: pytest.FixtureRequest) -> Iterator[Client]:
    world.fresh()
    client = world.through(request.param) if route == "through" else world.direct(request.param)
    yield client
    client.close()


def test_results_are_read(client: Client) -> None:
    assert client.query("SELECT id, customer, note FROM orders ORDER BY id") == [
        (1, "Ada", "première"),
        (2, "Alan", None),
    ]


def test_values_are_bound(client: Client) -> None:
    assert client.query("SELECT customer FROM orders WHERE id = ? AND customer = ?", 1, "ada") == [("Ada",)]
    assert client.query("INSERT INTO orders VALUES (?, ?, ?)", 3, "Grace", "x" * 20_000) == []
    assert client.query("SELECT LEN(note) FROM orders WHERE id = ?", 3) == [(20_000,)]


def test_statements_are_prepared(client: Client) -> None:
    assert client.prepared("SELECT customer FROM orders WHERE id = ?", [[1], [2], [1]]) == [
        [("Ada",)],
        [("Alan",)],
        [("Ada",)],
    ]


def test_transactions_are_rolled_back_and_committed(client: Client) -> None:
    client.begin()
    client.query("DELETE FROM orders WHERE id = 1")
    client.roll_back()
    client.begin()
    client.query("DELETE FROM orders WHERE id = 2")
    client.commit()
    assert client.query("SELECT id FROM orders") == [(1,)]


def test_errors_are_the_drivers_own_and_the_session_lives_on(client: Client) -> None:
    for text, number, words in (
        ("SELECT * FROM nosuch", 208, "Invalid object name 'nosuch'"),
        ("INSERT INTO orders VALUES (1, N'x', NULL)", 2627, "Violation of PRIMARY KEY"),
        ("SELECT CAST('x' AS int)", 245, "Conversion failed"),
        ("SELECT 1 FROM", 102, "Incorrect syntax|cannot be read as T-SQL"),  # what it cannot read the gateway refuses
    ):
        with pytest.raises(Failed, match=words) as failed:
            client.query(text)
        assert failed.value.number in (number, 229, 0)
        assert client.query("SELECT 1") == [(1,)]


def test_an_error_leaves_the_transaction_open(client: Client) -> None:
    client.begin()
    client.query("INSERT INTO orders VALUES (7, N'x', NULL)")
    with pytest.raises(Failed):
        client.query("INSERT INTO orders VALUES (7, N'x', NULL)")
    client.commit()
    assert client.query("SELECT COUNT(*) FROM orders") == [(3,)]


def test_several_results_come_in_order(client: Client) -> None:
    assert client.query(
        "SELECT 1 AS a; UPDATE orders SET note = N'y' WHERE id = 1; SELECT note FROM orders WHERE id = 1"
    ) == [("y",)]


def test_a_long_text_comes_whole(client: Client) -> None:
    ((text,),) = client.query("SELECT REPLICATE(CAST(N'aé' AS nvarchar(max)), 100000)")
    assert text == "aé" * 100_000


def test_many_rows_come_whole(client: Client) -> None:
    rows = client.query("SELECT CAST(value AS int) AS n, CONCAT('row ', value) AS t FROM GENERATE_SERIES(1, 100000)")
    assert len(rows) == 100_000
    assert rows[0] == (1, "row 1")
    assert rows[-1] == (100_000, "row 100000")


def test_rows_are_loaded_in_bulk(client: Client, world: World, route: str) -> None:
    """mssql-python loads over a connection of its own, made by its connection string: that holds a pass, no token."""
    if isinstance(client, MssqlPython) and route == "through":
        client = world.through("mssql-python", by_password=True)
    rows = [(index, f"customer {index}", "é") for index in range(10, 510)]
    assert client.load("orders", ("id", "customer", "note"), rows) == 500
    assert client.query("SELECT COUNT(*), MAX(customer) FROM orders WHERE note = N'é'") == [(500, "customer 99")]


def test_a_running_statement_is_cancelled_and_the_session_lives_on(client: Client) -> None:
    """pymssql and python-tds cancel by leaving a result unread: their WAITFOR comes after rows."""
    began = time.monotonic()
    if isinstance(client, (Pymssql, PythonTds)):
        client.cancelled("SELECT value FROM GENERATE_SERIES(1, 300000); WAITFOR DELAY '00:01:00'", 0.5)
    else:
        with pytest.raises(Failed):
            client.cancelled("WAITFOR DELAY '00:01:00'", 0.5)
    assert client.query("SELECT 1") == [(1,)]
    assert time.monotonic() - began < 50
