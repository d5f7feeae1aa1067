"""A text that is read in another process waits for that, and everything behind it waits too."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, Answer, Ask, Close, Isolate, Login, Withdraw
from blastwall.protocols.postgres.catalog import View
from blastwall.protocols.postgres.messages import SYNC, Bind, Execute, Parse, encode_bind, encode_execute, encode_parse
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, extended, opening, query, snapshot
from blastwall.protocols.postgres.tests.test_session import Rule, allow, answers, executions, statements
from blastwall.testing.playbook import Playbook

LONG = "SELECT id" + ", 1" * 1000 + " FROM orders"


@dataclass
class Aside:
    """Keeps what is to be read elsewhere until a test has it read."""

    rule: Rule = allow
    view: View = field(default_factory=lambda: View(snapshot()))
    orders: list[Isolate] = field(default_factory=list)
    book: Playbook = field(init=False)

    def __post_init__(self) -> None:
        self.book = Playbook(
            PostgresSession(opening()), self.judge, TinyServer(), lambda _lookup: self.view, isolate=self.orders.append
        )
        self.book.client(SPECIMENS.login)
        self.book.to_client.clear()
        self.book.to_server.clear()

    def judge(self, ask: Ask) -> Answer | None:
        return SPECIMENS.admit if isinstance(ask.question, Login) else self.rule(ask)

    def read(self, reply: object = None) -> None:
        """Have the last one read, or answer it with `reply`."""
        order = self.orders[-1]
        self.book.isolated(order.number, order.task(order.context) if reply is None else reply)

    def last(self) -> Statement:
        asked = self.book.asked[-1].question
        assert isinstance(asked, Statement)
        return asked


@pytest.mark.parametrize(
    "sent", [query(LONG), extended(LONG), extended(LONG, name="s")], ids=["simple", "unnamed", "named"]
)
def test_nothing_is_asked_or_sent_before_it_was_read(sent: bytes) -> None:
    aside = Aside()
    aside.book.client(sent + query("SELECT 'behind'"))
    assert len(aside.orders) == 1
    assert statements(aside.book) == []
    assert not aside.book.to_server
    assert not aside.book.session.idle
    assert aside.book.session.backlog(CLIENT) > len(LONG)
    aside.read()
    assert set(statements(aside.book)) == {LONG, "SELECT 'behind'"}
    assert bytes(aside.book.to_server) == sent + query("SELECT 'behind'")
    assert answers(aside.book) == [LONG, "SELECT 'behind'"]
    assert aside.book.session.idle


def test_it_is_judged_by_what_was_read() -> None:
    aside = Aside()
    aside.book.client(query(LONG.replace("SELECT id", "DELETE FROM customers; SELECT id")))
    aside.read()
    asked = [one.question for one in aside.book.asked if isinstance(one.question, Statement)]
    assert [effect.action for one in asked for effect in one.effects] == ["delete", "read"]


def test_what_could_not_be_read_is_unclassified_with_the_reason() -> None:
    aside = Aside()
    aside.book.client(query(LONG))
    aside.read(RuntimeError("the process that read it crashed"))
    assert [effect.action for effect in aside.last().effects] == ["unclassified"]
    assert aside.last().doubt == "it could not be read: the process that read it crashed"


@pytest.mark.parametrize("reply", [b"", b"\xc1nonsense", 7])
def test_a_reply_that_is_none_is_unclassified(reply: object) -> None:
    aside = Aside()
    aside.book.client(query(LONG))
    aside.read(reply)
    assert [effect.action for effect in aside.last().effects] == ["unclassified"]


def test_a_catalog_that_changed_meanwhile_has_it_read_again() -> None:
    aside = Aside()
    aside.book.client(query(LONG))
    aside.view.snapshot = snapshot()
    aside.read()
    assert len(aside.orders) == 2
    assert aside.orders[1].context is aside.view.snapshot.catalog
    assert not aside.book.to_server
    aside.read()
    assert statements(aside.book) == [LONG]


@pytest.mark.parametrize("sent", [query(LONG), encode_parse(Parse("", LONG)) + SYNC], ids=["simple", "extended"])
def test_a_cancelled_one_is_refused_and_the_session_lives(sent: bytes) -> None:
    aside = Aside()
    aside.book.client(sent + query("SELECT 'behind'"))
    aside.book.interrupt()
    (order,) = aside.orders
    assert Withdraw(order.number) in aside.book.events
    assert b"57014" in aside.book.to_client
    assert LONG.encode() not in aside.book.to_server
    assert answers(aside.book) == ["refused", "SELECT 'behind'"]
    aside.book.isolated(order.number, order.task(order.context))
    assert statements(aside.book)[-1] == "SELECT 'behind'"


def test_who_leaves_wants_it_no_more() -> None:
    aside = Aside()
    aside.book.client(query(LONG))
    aside.book.leave()
    assert [type(event) for event in aside.book.events[-2:]] == [Withdraw, Close]


def test_who_is_cut_off_wants_it_no_more() -> None:
    aside = Aside()
    aside.book.client(query(LONG))
    aside.book.terminate("contained")
    assert Withdraw(aside.orders[0].number) in aside.book.events
    assert aside.book.closed == "contained"


def test_a_long_prepared_statement_is_read_again_when_names_change() -> None:
    run: list[str] = []
    aside = Aside(executions(lambda one: run.append(one.operation)))
    aside.book.client(encode_parse(Parse("s", LONG)) + SYNC)
    aside.read()
    aside.view.snapshot = snapshot()
    aside.book.client(encode_bind(Bind("", "s", (), ())) + encode_execute(Execute("")) + SYNC)
    assert len(aside.orders) == 2
    assert run == []
    aside.read()
    assert run == ["SELECT"]
