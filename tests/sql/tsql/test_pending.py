# ruff: noqa: E501 - one attack a line
"""What an open transaction has defined itself: known where it is certain, in doubt where it is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.sql.tsql.shop import catalog, effects_of

from blastwall.model.effects import Action
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.isolated import Reading, decode
from blastwall.sql.tsql.pending import MOST_PENDING, Pending
from blastwall.sql.tsql.state import NameState, settled
from blastwall.sql.tsql.statement import Classified

FAILS, ROLLBACK = "-- fails\n", "ROLLBACK TRANSACTION s"


class Transaction:
    """A transaction in the shop, in which one text runs after the other."""

    def __init__(self, default_schema: str = "dbo") -> None:
        self.base, self.pending, self.state = catalog(), Pending(), NameState(default_schema)

    def run(self, text: str) -> Classified:
        """Run a text; one that begins with `FAILS` ends with an error."""
        fails = text.startswith(FAILS)
        found = classify(text.removeprefix(FAILS), self.pending.over(self.base), self.state)
        self.state = settled(self.state, found, lasting=False)
        self.pending.note(found, self.base, certain=not fails and found.straight and not found.transaction)
        return found

    def all(self, texts: Sequence[str]) -> Classified:
        """Run texts; return what was said of the last."""
        return [self.run(text) for text in texts][-1]


def columns(found: Classified) -> list[tuple[str, ...]]:
    """Return the columns of the results that may come, by name."""
    assert found.results is not None
    return [tuple(one.name for one in result.columns) for result in found.results if result.columns is not None]


@pytest.mark.parametrize("default_schema", ["dbo", "hr"])
def test_a_migration_in_a_transaction_is_read_to_its_end(default_schema: str) -> None:
    migration = Transaction(default_schema)
    for text in (
        "BEGIN TRANSACTION",
        "IF OBJECT_ID(N'[history]') IS NULL BEGIN CREATE TABLE [history] (id nvarchar(150) PRIMARY KEY, version int) END",
        "CREATE TABLE blogs (id int IDENTITY PRIMARY KEY, url nvarchar(max) NOT NULL DEFAULT N'', rank AS id * 2)",
        "CREATE TABLE posts (id int PRIMARY KEY, blog int NOT NULL, CONSTRAINT fk FOREIGN KEY (blog) REFERENCES blogs (id) ON DELETE CASCADE)",
        "CREATE INDEX ix ON posts (blog)",
        "SET IDENTITY_INSERT blogs ON; INSERT INTO blogs (id, url) VALUES (1, N'x'); SET IDENTITY_INSERT blogs OFF",
        "ALTER TABLE blogs ADD rating int NOT NULL DEFAULT 0, CONSTRAINT positive CHECK (rating >= 0)",
        "UPDATE blogs SET rating = 5 WHERE url = N'x'",
        "CREATE VIEW best AS SELECT id, url FROM blogs WHERE rating > 3",
        "SELECT * FROM best",
        "CREATE PROCEDURE rate @id int AS UPDATE blogs SET rating = rating + 1 WHERE id = @id",
        "EXEC rate 1",
        "IF NOT EXISTS (SELECT * FROM history WHERE id = N'1') INSERT INTO history VALUES (N'1', 8)",
        "SELECT id, url INTO copies FROM blogs",
        "DROP TABLE posts",
        "CREATE TABLE posts (id int, title nvarchar(20))",
        "INSERT INTO posts SELECT id, url FROM copies",
        "COMMIT",
    ):
        found = migration.run(text)
        assert not found.doubt, (text, found.doubt)
    assert columns(migration.run("SELECT * FROM blogs")) == [("id", "url", "rank", "rating")]
    assert columns(migration.run("SELECT * FROM copies")) == [("id", "url")]
    assert columns(migration.run("SELECT * FROM posts")) == [("id", "title")]
    assert effects_of(migration.run("EXEC rate 1"))[-1].startswith(f"update {default_schema}.blogs")


def test_a_cascade_of_a_new_table_is_followed_before_the_commit() -> None:
    made = "CREATE TABLE notes (customer int REFERENCES customers (id) ON DELETE CASCADE)"
    found = Transaction().all([made, "DELETE customers WHERE id = 1"])
    assert "delete dbo.notes filtered followed" in effects_of(found)


def test_who_lets_a_table_s_rows_go_with_others_is_judged_at_once() -> None:
    text = "ALTER TABLE audit_log ADD CONSTRAINT c FOREIGN KEY (what) REFERENCES orders (note) ON DELETE CASCADE"
    assert "delete dbo.audit_log filtered followed" in effects_of(Transaction().run(text))
    assert "update dbo.audit_log filtered followed" in effects_of(Transaction().run(f"{text[:-7]}SET NULL"))


SEALS = "ALTER TABLE orders ADD mail AS dbo.mail_of(id)"
VIEW = "CREATE OR ALTER VIEW open_orders AS SELECT id, email AS note FROM customers"
TELLS = "CREATE TRIGGER tells ON orders AFTER INSERT AS SELECT email AS id FROM customers"
INSERT = "INSERT INTO orders (note) VALUES (N'x')"


@pytest.mark.parametrize(
    "texts",
    [
        (SEALS, "SELECT * FROM orders"),
        (FAILS + SEALS, "SELECT * FROM orders"),
        (f"EXEC('{SEALS}')", "SELECT * FROM orders"),
        (f"IF 1 = 1 {SEALS}", "SELECT * FROM orders"),
        (SEALS, ROLLBACK, SEALS, "SELECT * FROM orders"),
        ("ALTER TABLE orders DROP COLUMN note", "ALTER TABLE orders ADD note AS dbo.mail_of(id)", "SELECT note FROM orders"),
        ("DROP TABLE audit_log", "CREATE TABLE audit_log (at int, what AS dbo.mail_of(1))", "SELECT what FROM audit_log"),
        ("IF 1 = 1 DROP TABLE audit_log", "CREATE TABLE audit_log (at int, what AS dbo.mail_of(1))", "SELECT what FROM audit_log"),
        ("DROP TABLE IF EXISTS audit_log", FAILS + "CREATE TABLE audit_log (at int, what AS dbo.mail_of(1))", "SELECT what FROM audit_log"),
        ("DROP TABLE audit_log", "CREATE VIEW audit_log AS SELECT email AS what FROM customers", "SELECT what FROM audit_log"),
        (VIEW, "SELECT note FROM open_orders"),
        (FAILS + VIEW, "SELECT note FROM open_orders"),
        (f"EXEC('{VIEW}')", "SELECT note FROM open_orders"),
        (VIEW, "CREATE VIEW outer_view AS SELECT note FROM open_orders", "SELECT note FROM outer_view"),
        (VIEW, ROLLBACK, "SELECT note FROM open_orders"),
        (TELLS, INSERT),
        (FAILS + TELLS, INSERT),
        (f"EXEC('{TELLS}')", INSERT),
        ("ALTER FUNCTION dbo.twice (@x int) RETURNS nvarchar(100) AS BEGIN RETURN dbo.mail_of(@x) END", "SELECT dbo.twice(1)"),
        ("CREATE TABLE fresh (id int, mail AS dbo.mail_of(id))", "SELECT * FROM fresh"),
        ("CREATE TABLE fresh (id int)", "IF 1 = 1 ALTER TABLE fresh ADD mail AS dbo.mail_of(id)", "SELECT mail FROM fresh"),
        ("CREATE TABLE fresh (email int)", ROLLBACK, "CREATE TABLE fresh (id int)", "SELECT (SELECT TOP 1 email FROM fresh) FROM customers"),
        ("IF 1 = 0 ALTER TABLE audit_log ADD email int", "SELECT (SELECT TOP 1 email FROM audit_log) FROM customers"),
        (FAILS + "ALTER TABLE audit_log ADD email int", "SELECT (SELECT TOP 1 email FROM audit_log) FROM customers"),
        ("EXEC sp_rename 'customer_mail', 'fresh'", "SELECT * FROM fresh"),
        ("CREATE SYNONYM fresh FOR customers", "SELECT email FROM fresh"),
        ("ALTER TABLE orders ENABLE TRIGGER ALL", INSERT),
        ("ENABLE TRIGGER ALL ON DATABASE", INSERT),
        (f"{FAILS}CREATE TRIGGER t ON DATABASE FOR CREATE_TABLE AS SELECT email FROM customers", "CREATE TABLE fresh (id int)"),
    ],
)  # fmt: skip
def test_no_value_of_a_masked_column_comes_by_what_the_catalog_does_not_tell_yet(texts: Sequence[str]) -> None:
    """The last text is in doubt, or says that it may show customers.email, or that its columns are not known."""
    found = Transaction().all(texts)
    in_doubt = any(one.action is Action.UNCLASSIFIED for one in found.effects)
    shown = [None] if found.results is None else [one.columns for one in found.results]
    unknown = any(rows is None or any(one.sources is None for one in rows) for rows in shown)
    sources = {source for rows in shown for one in rows or () for source in one.sources or ()}
    assert in_doubt or unknown or any((one.table, one.column) == ("customers", "email") for one in sources), found


@pytest.mark.parametrize(
    "texts",
    [
        ("DROP VIEW IF EXISTS customer_mail", "SELECT mail FROM customer_mail"),
        (FAILS + "DROP VIEW customer_mail", "SELECT mail FROM customer_mail"),
        ("EXEC('DROP VIEW customer_mail')", "SELECT mail FROM customer_mail"),
        ("IF 1 = 0 DROP TRIGGER lines_touched", "INSERT order_lines VALUES (1, N'x', 1)"),
        ("DROP TRIGGER IF EXISTS guarded_insert", "DELETE guarded WHERE id = 1"),
        ("DROP TRIGGER guarded_insert", ROLLBACK, "DELETE guarded WHERE id = 1"),
        ("IF 1 = 0 DROP TABLE order_lines", "CREATE TABLE order_lines (a int)", "INSERT order_lines VALUES (1)"),
    ],
)
def test_what_may_still_be_there_is_not_forgotten(texts: Sequence[str]) -> None:
    found = Transaction().all(texts)
    followed = any("followed" in effect for effect in effects_of(found))
    assert followed or any(one.action is Action.UNCLASSIFIED for one in found.effects), effects_of(found)


def test_a_dropped_guard_is_gone_where_that_is_certain() -> None:
    found = Transaction().all(["DROP TRIGGER guarded_insert", "DELETE guarded WHERE id = 1"])
    assert "delete dbo.orders followed part" in effects_of(found)
    assert not found.doubt


def test_a_table_of_one_s_own_schema_that_hides_another_is_known_where_it_was_made_for_certain() -> None:
    made = "CREATE TABLE customers (id int)"
    assert effects_of(Transaction("hr").all([made, "SELECT id FROM customers"])) == ["read hr.customers"]
    for text in (FAILS + made, f"IF 1 = 0 {made}", f"EXEC('{made}')"):
        assert Transaction("hr").all([text, "SELECT id FROM customers"]).doubt


def test_a_catalog_that_is_read_meanwhile_has_the_last_word() -> None:
    session = Transaction()
    session.run("CREATE TABLE fresh (id int)")
    other = Transaction()
    other.run("CREATE VIEW fresh AS SELECT email AS id FROM customers")
    session.base = other.pending.over(other.base)
    assert session.run("SELECT id FROM fresh").doubt


def test_a_text_that_is_read_elsewhere_knows_it_too() -> None:
    session = Transaction()
    session.run("CREATE TABLE fresh (id int CHECK (id > 0))")
    found = decode(
        Reading("ALTER TABLE fresh ADD b int; SELECT id FROM fresh", session.state, {})(
            session.pending.over(session.base)
        )
    )
    assert columns(found) == [("id",)]
    session.pending.note(found, session.base, certain=True)
    assert columns(session.run("SELECT * FROM fresh")) == [("id", "b")]


def test_after_very_many_definitions_every_name_is_in_doubt() -> None:
    session = Transaction()
    session.pending.note(
        session.run("; ".join(["CREATE UNIQUE INDEX i ON orders (id)"] * 1000)), session.base, certain=True
    )
    assert not session.run("SELECT id FROM orders").doubt
    for _ in range(MOST_PENDING // 1000):
        session.run("; ".join(["CREATE UNIQUE INDEX i ON orders (id)"] * 1000))
    assert session.run("SELECT id FROM orders").doubt


def test_the_end_of_the_transaction_forgets_it() -> None:
    session = Transaction()
    session.run(VIEW)
    session.pending.clear()
    assert session.pending.over(session.base) is session.base
