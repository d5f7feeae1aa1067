"""What one session gives another meaning is in doubt for those beside it, from its sending to the next reading."""

from __future__ import annotations

from itertools import count

import pytest

from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource
from blastwall.protocols.contract import Limits, Opening
from blastwall.protocols.tds.catalog import View
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.packets import Kind
from blastwall.protocols.tds.running import Asked, Running
from blastwall.sql.tsql.catalog import Catalog, Module, Relation
from blastwall.sql.tsql.statement import Classified

CATALOG = Catalog(
    "shop",
    1,
    relations=(
        Relation(1, "dbo", "customers", "U", ("id", "email"), ("int", "nvarchar(50)")),
        Relation(2, "dbo", "orders", "U", ("id", "note"), ("int", "nvarchar(50)")),
        Relation(3, "dbo", "v", "V", ("note",)),
    ),
    modules=(Module(3, "dbo", "v", "V", "CREATE VIEW v AS SELECT note FROM orders"),),
)
OPENING = Opening("s1", Resource("sql-1", "mssql", Address("db", 1433), ("shop",)), bytes, Limits())
VIEW = "ALTER VIEW v AS SELECT email AS note FROM customers"


class Sessions:
    """Two sessions of one database."""

    def __init__(self) -> None:
        self.view, self.numbers = View(CATALOG), count(1)
        self.one, self.other = (
            Conversation(OPENING, self.view, self.numbers, companion="shop", packet_size=512) for _ in range(2)
        )

    def send(self, session: Conversation, text: str) -> Running:
        """Send a batch; the server has not answered yet."""
        classified = session.classify(text)
        one = Asked(next(self.numbers), session.statement(text, classified), classified)
        running = Running(Kind.BATCH, (one,))
        session.start(running)
        return running

    def end(self, session: Conversation, running: Running) -> None:
        """The server has answered, and what changed is read."""
        session.ended(running, [])
        session.refreshed()


def doubtful(found: Classified) -> bool:
    return any(one.action is Action.UNCLASSIFIED for one in found.effects)


@pytest.mark.parametrize(
    ("definition", "use"),
    [
        (VIEW, "SELECT note FROM v"),
        (f"EXEC('{VIEW}'); SELECT * FROM orders", "SELECT note FROM v"),
        ("EXEC sp_rename 'customers', 'x'", "SELECT * FROM x"),
        ("CREATE TRIGGER t ON orders AFTER INSERT AS SELECT email FROM customers", "INSERT orders VALUES (1, N'x')"),
        ("EXEC('ALTER TABLE orders ADD mail AS (UPPER(note))')", "SELECT * FROM orders"),
        ("ENABLE TRIGGER ALL ON DATABASE", "SELECT * FROM orders"),
    ],
)
def test_while_a_definition_is_under_way_its_name_is_in_doubt_for_others(definition: str, use: str) -> None:
    """Who sends it decides how long it takes: its client may not read the rest of the answer."""
    beside = Sessions()
    assert not doubtful(beside.other.classify("SELECT note FROM v"))
    running = beside.send(beside.one, definition)
    found = beside.other.classify(use)
    assert doubtful(found)
    assert "another session is changing what" in found.doubt
    assert not doubtful(beside.one.classify("SELECT id FROM customers")) or "sp_rename" in definition
    beside.end(beside.one, running)
    assert "another session" not in beside.other.classify(use).doubt


def test_others_work_on_with_what_a_migration_does_not_open() -> None:
    beside = Sessions()
    for text in ("ALTER TABLE orders ADD paid int", "CREATE INDEX i ON orders (id)", "CREATE TABLE fresh (id int)"):
        beside.send(beside.one, text)
    assert not doubtful(beside.other.classify("SELECT * FROM orders; UPDATE orders SET note = N'x' WHERE id = 1"))


def test_it_is_in_doubt_until_the_transaction_has_ended() -> None:
    beside = Sessions()
    beside.one.descriptor = 7
    running = beside.send(beside.one, VIEW)
    beside.one.ended(running, [])
    assert doubtful(beside.other.classify("SELECT note FROM v"))
    beside.one.descriptor = 0
    beside.end(beside.one, beside.send(beside.one, "COMMIT"))
    assert not doubtful(beside.other.classify("SELECT note FROM v"))
