"""A small database's catalog, as the server tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastwall.protocols.tds.answers import done
from blastwall.protocols.tds.catalog_queries import (
    CHECKS,
    COLUMNS,
    COMPUTED,
    DATABASE,
    DATABASES,
    DEFAULTS,
    FINGERPRINT,
    FOREIGN_KEY_COLUMNS,
    FOREIGN_KEYS,
    HISTORIES,
    KEYS,
    MODULES,
    OBJECTS,
    OWN,
    SCHEMAS,
    SECURE,
    SYNONYMS,
    SYSTEM,
    SYSTEM_COLUMNS,
    SYSTEM_OBJECTS,
    TABLE_TYPES,
    TRIGGER_EVENTS,
    TRIGGERS,
    TYPES,
    XML_SCHEMAS,
)
from blastwall.protocols.tds.tests.server import table

Rows = list[tuple[str | None, ...]]
INT = ("int", "int", "4", "10", "0")

ROWS: Mapping[str, Rows] = {
    SYSTEM_OBJECTS: [("-1", "sys", "databases", "V ")],
    SYSTEM_COLUMNS: [("-1", "1", "name", "nvarchar", "sysname", "256", "0", "0", "0")],
    DATABASE: [("shop", "dbo", "SQL_Latin1_General_CP1_CI_AS")],
    DATABASES: [("master",), ("shop",)],
    SCHEMAS: [("dbo",), ("sales",), ("sys",)],
    OBJECTS: [
        ("100", "dbo", "customers", "U ", "0"),
        ("101", "sales", "orders", "U ", "0"),
        ("102", "dbo", "totals", "V ", "0"),
        ("103", "dbo", "pay", "P ", "0"),
        ("104", "dbo", "audit", "TR", "101"),
        ("105", "dbo", "numbers", "SO", "0"),
        ("106", "dbo", "hidden", "P ", "0"),
        ("107", "dbo", "orders_history", "U ", "0"),
    ],
    HISTORIES: [("101", "107")],
    TABLE_TYPES: [("200", "dbo", "ids")],
    COLUMNS: [
        ("100", "1", "id", *INT, "1"),
        ("100", "2", "email", "nvarchar", "nvarchar", "100", "0", "0", "0"),
        ("100", "4", "note", "varchar", "Note", "-1", "0", "0", "0"),
        ("101", "1", "id", *INT, "1"),
        ("101", "2", "customer", *INT, "0"),
        ("101", "3", "total", "decimal", "decimal", "9", "10", "2", "0"),
        ("101", "4", "place", None, "geography", "-1", "0", "0", "0"),
        ("102", "1", "total", "decimal", "decimal", "9", "10", "2", "0"),
        ("107", "1", "at", "datetime2", "datetime2", "8", "27", "7", "0"),
        ("200", "1", "id", *INT, "0"),
    ],
    COMPUTED: [("101", "total", "([customer]*(2))")],
    MODULES: [
        ("102", "CREATE VIEW totals AS SELECT total FROM sales.orders", "1", None),
        ("103", "CREATE PROCEDURE pay AS DELETE sales.orders", "0", "-2"),
        ("104", "CREATE TRIGGER audit ON sales.orders AFTER DELETE AS SELECT 1", "1", None),
        ("300", "CREATE TRIGGER guard ON DATABASE FOR DROP_TABLE AS ROLLBACK", "1", None),
    ],
    TRIGGERS: [("104", "audit", "1", "101", "0", "0"), ("300", "guard", "0", "0", "1", "0")],
    TRIGGER_EVENTS: [("104", "DELETE"), ("300", "DROP_TABLE")],
    FOREIGN_KEYS: [("400", "101", "100", "CASCADE", "NO_ACTION", "0")],
    FOREIGN_KEY_COLUMNS: [("400", "101", "2", "100", "1")],
    KEYS: [("100", "1", "1"), ("101", "1", "1"), ("101", "1", "2")],
    CHECKS: [("101", "3", "([total]>(0))")],
    DEFAULTS: [("100", "4", "('')")],
    SYNONYMS: [("dbo", "o", "[sales].[orders]")],
    TYPES: [("dbo", "Note")],
    XML_SCHEMAS: [("dbo", "invoices")],
}


def replies(rows: Mapping[str, Rows] = ROWS, *, moment: str = "2026-11-26") -> dict[str, bytes]:
    """What a server answers to the companion's batches."""
    return {
        SECURE: done(),
        FINGERPRINT: table([("8", moment, "107", "10", "3", "1", "2", "1", moment)], 9) + done(),
        ";".join(SYSTEM): _results(SYSTEM, rows),
        ";".join(OWN): _results(OWN, rows),
    }


def _results(queries: Sequence[str], rows: Mapping[str, Rows]) -> bytes:
    return b"".join(table(rows[query], len(rows[query][0]) if rows[query] else 1) for query in queries) + done()
