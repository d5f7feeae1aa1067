"""The demo's Azure SQL: the stand-in that the tests use, with the shop in it. What it needs, only tests need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from blastwall.testing.azure import AzureServer
from blastwall.testing.demo.data import Shop
from blastwall.testing.tds import TdsServer

_TABLES = files("blastwall.testing.demo").joinpath("files", "azure-sql.sql")
_IDENTITY = "system-assigned"
"""The client that the gateway's managed identity is to Entra (`testing/azure.py`)."""


class SqlServer(TdsServer):
    """A server that takes the gateway's managed identity, and has the shop's customers and orders."""

    def __init__(self, azure: AzureServer, shop: Shop) -> None:
        super().__init__(entra=azure)
        self.entra_users[_IDENTITY] = self.users["sa"]
        customers = ((one.id, one.name, one.email, one.phone, one.ssn) for one in shop.customers)
        orders = ((one.id, one.customer_id, one.total, one.status, one.note) for one in shop.orders)
        self.execute("\n".join((_TABLES.read_text(), _rows("customers", customers), _rows("orders", orders))))
        self.received.clear()

    def ask(self, text: str) -> list[tuple[object, ...]]:
        """Ask the database itself, past the gateway."""
        return self.execute(text)


def _rows(table: str, rows: Iterable[tuple[object, ...]]) -> str:
    return f"INSERT INTO {table} VALUES " + ", ".join(f"({', '.join(map(_literal, row))})" for row in rows) + ";"


def _literal(value: object) -> str:
    return "N'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
