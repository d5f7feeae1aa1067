# ruff: noqa: E501 - one attack a line
"""Migrations in one transaction, as Alembic, EF Core and Flyway send them, and what they must not open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.tds.clients import DRIVERS, Client, Failed
from tests.tds.world import World

LEFT = "DROP VIEW IF EXISTS dear_invoices; DROP TABLE IF EXISTS invoice_lines, invoices"
MIGRATION = (
    "CREATE TABLE invoices (id int NOT NULL PRIMARY KEY, total int NOT NULL, note nvarchar(50) NULL)",
    "CREATE TABLE invoice_lines (id int PRIMARY KEY, invoice int REFERENCES invoices (id))",
    "INSERT INTO invoices (id, total, note) VALUES (1, 10, N'a'), (2, 20, NULL)",
    "ALTER TABLE invoices ADD paid int",
    "UPDATE invoices SET paid = 1 WHERE id = 1",
    "CREATE VIEW dear_invoices AS SELECT id, total FROM invoices WHERE total > 15",
)


@contextmanager
def connected(world: World, driver: str = "python-tds") -> Iterator[Client]:
    world.fresh()
    world.server.execute(LEFT)
    client = world.through(driver)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("driver", list(DRIVERS))
def test_a_migration_runs_in_its_transaction_and_shows_its_own_tables_unmasked(world: World, driver: str) -> None:
    with connected(world, driver) as client:
        client.begin()
        for text in MIGRATION:
            client.query(text)
        assert client.query("SELECT * FROM invoices ORDER BY id") == [(1, 10, "a", 1), (2, 20, None, None)]
        assert client.query("SELECT id, total FROM dear_invoices") == [(2, 20)]
        client.commit()
        assert client.query("SELECT id FROM dear_invoices") == [(2,)]


def test_what_is_rolled_back_is_forgotten(world: World) -> None:
    with connected(world) as client:
        client.begin()
        client.query("CREATE VIEW dear_invoices AS SELECT id FROM orders")
        client.roll_back()
        client.begin()
        client.query("CREATE VIEW dear_invoices AS SELECT ssn AS id FROM customers")
        assert "-99-" not in repr(client.query("SELECT id FROM dear_invoices"))
        client.roll_back()


@pytest.mark.parametrize(
    "texts",
    [
        ("CREATE VIEW dear_invoices AS SELECT ssn AS note FROM customers", "SELECT note FROM dear_invoices"),
        ("CREATE TABLE invoices (id int, note nvarchar(50))", "INSERT invoices SELECT id, ssn FROM customers", "SELECT note FROM invoices"),
        ("SELECT id, ssn AS note INTO invoices FROM customers", "SELECT note FROM invoices"),
        ("SELECT id, ssn AS note INTO #mine FROM customers", "SELECT note FROM #mine"),
        ("SELECT id, ssn AS note INTO #mine FROM customers", "SELECT id, note + '' AS x INTO #more FROM #mine", "SELECT x FROM #more"),
    ],
    ids=str,
)  # fmt: skip
def test_no_masked_value_comes_out_of_what_a_transaction_has_just_defined(world: World, texts: tuple[str, ...]) -> None:
    """Whether a text is refused or its result masked, no number is shown."""
    shown: list[object] = []
    with connected(world) as client:
        client.begin()
        for text in texts:
            try:
                shown += client.query(text)
            except Failed as failed:
                assert failed.number in {229, 208, 207}, failed  # refused, or what the refused text would have made
        client.roll_back()
    assert "-99-" not in repr(shown), shown
    assert "-05-" not in repr(shown), shown
