# ruff: noqa: E501 - definitions as the catalog has them
"""A small Azure SQL database, as a catalog, and short ways to ask what a batch does in it."""

from __future__ import annotations

from collections.abc import Mapping

from blastwall.sql.lineage import OutputColumn
from blastwall.sql.tsql.catalog import (
    Catalog,
    Constraint,
    ForeignKey,
    Key,
    Module,
    Relation,
    Synonym,
    Thing,
)
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Classified

_TEXT = "nvarchar(100)"
RELATIONS = (
    Relation(1, "dbo", "customers", "U", ("id", "name", "email", "ssn", "salary", "label"),
             ("int", _TEXT, _TEXT, _TEXT, "int", _TEXT), computed=(("label", "([name]+N' <'+[email]+N'>')"),),
             identity="id"),
    Relation(2, "dbo", "orders", "U", ("id", "customer_id", "total", "note"), ("int", "int", "money", _TEXT), identity="id"),
    Relation(3, "dbo", "audit_log", "U", ("at", "what"), ("datetime2", _TEXT)),
    Relation(4, "dbo", "order_lines", "U", ("order_id", "product", "qty"), ("int", _TEXT, "int")),
    Relation(5, "dbo", "prices", "U", ("product", "price"), (_TEXT, "money"), history=6),
    Relation(6, "history", "prices_old", "U", ("product", "price"), (_TEXT, "money")),
    Relation(7, "hr", "staff", "U", ("id", "name", "pay"), ("int", _TEXT, "int")),
    Relation(20, "dbo", "customer_mail", "V", ("id", "mail")),
    Relation(21, "dbo", "open_orders", "V", ("id", "note")),
    Relation(22, "dbo", "sealed_view", "V", ("a",)),
    Relation(23, "dbo", "guarded", "V", ("id", "note")),
    Relation(30, "dbo", "orders_of", "IF", ("id", "note")),
    Relation(31, "dbo", "mails", "TF", ("mail",)),
)  # fmt: skip
MODULES = (
    Module(20, "dbo", "customer_mail", "V", "CREATE VIEW dbo.customer_mail AS SELECT id, email AS mail FROM dbo.customers"),
    Module(21, "dbo", "open_orders", "V", "CREATE VIEW dbo.open_orders AS SELECT id, note FROM dbo.orders WHERE total > 0"),
    Module(22, "dbo", "sealed_view", "V", None),
    Module(23, "dbo", "guarded", "V", "CREATE VIEW guarded (id, note) AS SELECT o.id, o.note FROM orders AS o"),
    Module(24, "dbo", "guarded_insert", "TR", "CREATE TRIGGER guarded_insert ON dbo.guarded INSTEAD OF DELETE AS\n"
           "INSERT dbo.audit_log (what) SELECT note FROM deleted", parent=23, events=frozenset({"DELETE"}), instead=True),
    Module(25, "dbo", "lines_touched", "TR", "CREATE TRIGGER dbo.lines_touched ON dbo.order_lines AFTER INSERT, UPDATE AS\n"
           "BEGIN SET NOCOUNT ON; UPDATE dbo.orders SET note = N'touched' WHERE id IN (SELECT order_id FROM inserted) END",
           parent=4, events=frozenset({"INSERT", "UPDATE"})),
    Module(30, "dbo", "orders_of", "IF", "CREATE FUNCTION dbo.orders_of (@customer int) RETURNS TABLE AS RETURN\n"
           "(SELECT id, note FROM dbo.orders WHERE customer_id = @customer)"),
    Module(31, "dbo", "mails", "TF", "CREATE FUNCTION dbo.mails () RETURNS @found TABLE (mail nvarchar(100)) AS\n"
           "BEGIN INSERT @found (mail) SELECT email FROM dbo.customers; RETURN END"),
    Module(32, "dbo", "mail_of", "FN", "CREATE FUNCTION dbo.mail_of (@id int) RETURNS nvarchar(100) AS\n"
           "BEGIN DECLARE @m nvarchar(100); SELECT @m = email FROM dbo.customers WHERE id = @id; RETURN @m END"),
    Module(33, "dbo", "twice", "FN", "CREATE FUNCTION dbo.twice (@x int) RETURNS int AS BEGIN RETURN @x * 2 END"),
    Module(40, "dbo", "get_customer", "P", "CREATE PROCEDURE dbo.get_customer @id int, @mail nvarchar(100) OUTPUT AS\n"
           "BEGIN SET NOCOUNT ON; SELECT @mail = email FROM dbo.customers WHERE id = @id;\n"
           "SELECT id, note FROM orders WHERE customer_id = @id; RETURN 1 END"),
    Module(41, "dbo", "purge", "P", "CREATE PROC dbo.purge @days int = 30 AS DELETE FROM dbo.orders WHERE id < @days"),
    Module(42, "dbo", "purge_all", "P", "CREATE PROC purge_all AS EXEC dbo.purge 0; TRUNCATE TABLE dbo.audit_log"),
    Module(43, "dbo", "sealed", "P", None),
    Module(44, "dbo", "runs_text", "P", "CREATE PROC dbo.runs_text @sql nvarchar(max) AS EXEC (@sql)"),
    Module(45, "dbo", "as_owner", "P", "CREATE PROC dbo.as_owner WITH EXECUTE AS OWNER AS SELECT pay FROM hr.staff",
           execute_as=-2),
    Module(46, "dbo", "round_and_round", "P", "CREATE PROC dbo.round_and_round AS BEGIN DELETE orders; EXEC round_and_round END"),
    Module(47, "dbo", "echo", "P", "CREATE PROC dbo.echo @what nvarchar(100) AS BEGIN PRINT @what; SELECT @what AS said END"),
    Module(48, "dbo", "fills", "P", "CREATE PROC dbo.fills AS INSERT #caught SELECT email FROM dbo.customers"),
    Module(50, "dbo", "quiet_purge", "P", "CREATE PROC dbo.quiet_purge AS SET NOCOUNT ON; DELETE dbo.orders WHERE id = 1"),
    Module(49, "hr", "pays", "P", "CREATE PROC hr.pays AS SELECT name, pay FROM staff"),
)  # fmt: skip
CATALOG_FACTS = {
    "foreign_keys": (
        ForeignKey(2, ("customer_id",), 1, ("id",), on_delete="CASCADE"),
        ForeignKey(4, ("order_id",), 2, ("id",), on_delete="CASCADE"),
    ),
    "keys": (Key(1, ("email",)), Key(1, ("id",))),
    "constraints": (Constraint(4, "", "([dbo].[twice]([qty])>(0))"),),
    "synonyms": (
        Synonym("dbo", "clients", "[dbo].[customers]"),
        Synonym("dbo", "far", "[elsewhere].[shop].[dbo].[orders]"),
        Synonym("dbo", "of_clients", "clients"),
    ),
    "things": (Thing("dbo", "order_numbers", "SO"), Thing("dbo", "id_list", "UDT")),
}


def catalog() -> Catalog:
    """Return the shop's catalog, with a memory of its own."""
    facts = CATALOG_FACTS
    return Catalog(
        "shop",
        1,
        relations=RELATIONS,
        modules=MODULES,
        foreign_keys=[one for one in facts["foreign_keys"] if isinstance(one, ForeignKey)],
        keys=[one for one in facts["keys"] if isinstance(one, Key)],
        constraints=[one for one in facts["constraints"] if isinstance(one, Constraint)],
        synonyms=[one for one in facts["synonyms"] if isinstance(one, Synonym)],
        things=[one for one in facts["things"] if isinstance(one, Thing)],
        schemas=("dbo", "hr", "history", "guest"),
        databases=("shop", "other"),
    )


CATALOG = catalog()
STATE = NameState()


def read(text: str, state: NameState = STATE, parameters: Mapping[str, str] | None = None) -> Classified:
    """Return what is said of a batch."""
    return classify(text, CATALOG, state, parameters=parameters or {})


def effects_of(found: Classified) -> list[str]:
    """Return effects as words: "delete dbo.orders", with their marks after them."""
    return [
        " ".join(
            [effect.action.value, ".".join(effect.object.path[1:]) or effect.object.path[0], *sorted(effect.marks)]
        )
        for effect in found.effects
    ]


def effects(text: str) -> list[str]:
    """Return what a batch does, as words."""
    return effects_of(read(text))


def sources(text: str) -> list[list[str] | None]:
    """Return for each result set its columns, as "name < table.column, …"; `!` marks an exact one, `?` an untraced."""
    found = read(text)
    assert found.results is not None, "results are not known"
    shown: list[list[str] | None] = []
    for result in found.results:
        if result.columns is None:
            shown.append(None)
            continue
        shown.append([_shown(column) for column in result.columns])
    return shown


def _shown(column: OutputColumn) -> str:
    listed = sorted(f"{one.table}.{one.column}" for one in column.sources or ())
    return f"{column.name}{'!' if column.exact else ''} < {'?' if column.sources is None else ', '.join(listed)}"
