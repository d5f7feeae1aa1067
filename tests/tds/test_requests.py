"""What an honest client finds in its transaction, and prepared, when the gateway has refused or limited something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.tds.clients import DRIVERS, Client, Failed
from tests.tds.world import World


@pytest.fixture(params=list(DRIVERS))
def client(world: World, request: pytest.FixtureRequest) -> Iterator[Client]:
    world.fresh()
    client = world.through(request.param)
    yield client
    client.close()


def test_over_a_limit_in_a_transaction_the_rest_of_it_stands(world: World, client: Client) -> None:
    client.begin()
    client.query("INSERT INTO orders VALUES (7, N'x', NULL)")
    with pytest.raises(Failed):
        client.query("UPDATE customers SET name = N'x' WHERE id > 0")
    client.query("UPDATE customers SET name = N'y' WHERE id = 1")
    client.commit()
    assert world.server.execute("SELECT id FROM orders WHERE id = 7") == [(7,)]
    assert world.server.execute("SELECT id, name FROM customers ORDER BY id") == [(1, "y"), (2, "Alan Mathison")]


def test_over_a_limit_with_parameters_nothing_is_kept(world: World, client: Client) -> None:
    with pytest.raises(Failed):
        client.query("UPDATE customers SET name = ? WHERE id > ?", "x", 0)
    client.query("UPDATE customers SET name = ? WHERE id = ?", "y", 2)
    assert world.server.execute("SELECT id, name FROM customers ORDER BY id") == [(1, "Ada Byron"), (2, "y")]


def test_a_denied_statement_costs_nothing_of_what_is_prepared(world: World, client: Client) -> None:
    text = "SELECT id FROM orders WHERE id = ?"
    assert client.prepared(text, [(1,), (2,)]) == [[(1,)], [(2,)]]
    with pytest.raises(Failed):
        client.query("SELECT secret FROM vault WHERE secret = ?", "x")
    assert client.prepared(text, [(2,), (1,)]) == [[(2,)], [(1,)]]
    assert not any("vault" in sent for sent in world.server.texts())
