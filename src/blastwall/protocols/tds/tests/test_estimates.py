"""How many rows a statement would change, by the server's own count."""

from __future__ import annotations

from blastwall.model.effects import Action, Effect, Object
from blastwall.protocols.contract import UPSTREAM
from blastwall.protocols.estimating import PREFIX, EstimateFailed, TableRows, question_of
from blastwall.protocols.kind import Estimated
from blastwall.protocols.tds.answers import done, error
from blastwall.protocols.tds.catalog_queries import ROW_COUNTS, SECURE
from blastwall.protocols.tds.estimates import TdsEstimator
from blastwall.protocols.tds.tests.asking import Asking
from blastwall.protocols.tds.tests.server import TinyServer, table

ORDERS = Object(("shop", "dbo", "orders"), "table")
COUNTS = [("dbo", "orders", "40"), ("dbo", "orders", "2"), ("sales", "orders", "7"), ("dbo", "or'ders", "1")]


def estimator(reply: bytes | None = None) -> Asking:
    server = TinyServer()
    server.replies = {SECURE: done(), ROW_COUNTS: reply if reply is not None else table(COUNTS, 3) + done()}
    return Asking(server, lambda opening, credential: TdsEstimator(opening, credential, PREFIX + "shop"))


def test_the_one_table_that_changes_is_asked_about() -> None:
    effects = [Effect(Action.DELETE, ORDERS), Effect(Action.READ, Object(("shop", "dbo", "customers"), "table"))]
    assert question_of("shop", effects) == ("estimates of shop", TableRows("dbo", "orders"))


def test_nothing_is_asked_of_several_tables_or_another_database() -> None:
    other = Object(("stock", "dbo", "orders"), "table")
    assert question_of("shop", [Effect(Action.DELETE, other)]) is None
    both = [Effect(Action.DELETE, ORDERS), Effect(Action.UPDATE, Object(("shop", "dbo", "lines"), "table"))]
    assert question_of("shop", both) is None
    assert question_of("shop", [Effect(Action.CREATE, ORDERS)]) is None


def test_a_tables_partitions_are_added_up() -> None:
    play = estimator()
    play.ask(TableRows("dbo", "orders"))
    (answer,) = play.answers
    assert isinstance(answer.reply, Estimated)
    assert (answer.reply.rows, answer.reply.note[:7]) == (42, "at most")


def test_a_name_never_becomes_a_part_of_a_query() -> None:
    play = estimator()
    play.ask(TableRows("dbo", "or'ders"))
    assert [text for _, text in play.server.requests] == [SECURE, ROW_COUNTS]
    reply = play.answers[0].reply
    assert isinstance(reply, Estimated)
    assert reply.rows == 1


def test_a_table_that_the_server_does_not_count_has_no_estimate() -> None:
    play = estimator()
    play.ask(TableRows("dbo", "nothing"))
    reply = play.answers[0].reply
    assert isinstance(reply, Estimated)
    assert reply.rows is None


def test_what_the_server_refuses_fails_that_question_alone() -> None:
    play = estimator(error(297, "The user does not have permission.") + done(status=2))
    play.ask(TableRows("dbo", "orders"))
    assert isinstance(play.answers[0].reply, EstimateFailed)
    assert play.closed is None


def test_questions_that_come_meanwhile_are_answered_together() -> None:
    play = estimator()
    play.server.slow = True
    play.ask(TableRows("dbo", "orders"), 1)
    play.ask(TableRows("sales", "orders"), 2)
    play.ask(TableRows("dbo", "orders"), 3)
    play.go_on()
    assert [answer.number for answer in play.answers] == [1, 2, 3]
    assert play.times(ROW_COUNTS) == 2


def test_a_lost_connection_fails_what_waits() -> None:
    play = estimator()
    play.server.slow = True
    play.ask(TableRows("dbo", "orders"))
    play.carry(play.companion.receive_eof(UPSTREAM))
    assert isinstance(play.answers[0].reply, EstimateFailed)
