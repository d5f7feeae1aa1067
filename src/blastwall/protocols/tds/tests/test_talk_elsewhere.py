"""Dialogues of texts that are too long to be read on the data loop."""

from __future__ import annotations

from unittest import mock

import pytest

from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Answer, Ask, Deny, Isolate, Withdraw
from blastwall.protocols.tds.elsewhere import INLINE, MOST_ELSEWHERE
from blastwall.protocols.tds.packets import RESET
from blastwall.protocols.tds.tests.talking import Talk, attention, batch, executesql, means, rpc
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.classify import TOO_COMPLEX, unread
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.statement import Classified

LONG = "SELECT '" + "x" * INLINE + "'"
ROWS = ["done 1 rows", "|"]
CANCELLED = ["done failed", "|", "done cancelled", "|"]


pytestmark = pytest.mark.usefixtures("meant")


def judge(ask: Ask) -> Answer:
    assert isinstance(ask.question, Statement)
    return Deny("no") if "secret" in ask.question.text else Allow()


def test_a_long_text_is_read_elsewhere_and_then_asked() -> None:
    talk = Talk(judge)
    talk.client(batch(LONG), batch(LONG))
    assert len(talk.events(Isolate)) == 1, "it is remembered"
    assert [one.question.operation for one in talk.play.asked if isinstance(one.question, Statement)] == ["SELECT"] * 2
    assert talk.heard == ROWS * 2


def test_nothing_is_sent_before_it_is_read_and_what_comes_next_waits() -> None:
    talk = Talk(judge, isolate=lambda _order: None)
    talk.client(batch(LONG) + batch("SELECT 1"))
    assert not talk.play.to_server
    assert not talk.play.asked
    (order,) = talk.events(Isolate)
    assert isinstance(order, Isolate)
    talk.play.isolated(order.number, order.task(order.context))
    assert talk.server.texts() == [LONG, "SELECT 1"]


def test_what_could_not_be_read_is_unclassified() -> None:
    talk = Talk(judge, isolate=lambda _order: ValueError("it crashed"))
    talk.client(batch(LONG))
    question = talk.play.asked[0].question
    assert isinstance(question, Statement)
    assert "it crashed" in question.doubt
    assert question.effects[0].action == "unclassified"


def test_a_reply_that_is_no_classification_is_not_believed() -> None:
    talk = Talk(judge, isolate=lambda _order: b"\x00")
    talk.client(batch(LONG))
    question = talk.play.asked[0].question
    assert isinstance(question, Statement)
    assert question.effects[0].action == "unclassified"


def test_an_attention_gives_up_what_is_read_elsewhere() -> None:
    talk = Talk(judge, isolate=lambda _order: None)
    talk.client(batch(LONG), attention())
    (order,) = talk.events(Isolate)
    assert isinstance(order, Isolate)
    assert talk.events(Withdraw) == [Withdraw(order.number)]
    assert talk.heard == CANCELLED
    talk.play.isolated(order.number, order.task(order.context))
    assert not talk.play.asked
    talk.client(batch("SELECT 1"))
    assert talk.server.texts() == ["SELECT 1"]


def test_what_the_gateway_stops_while_it_is_read_is_refused_with_the_reason() -> None:
    talk = Talk(judge, isolate=lambda _order: None)
    talk.client(batch(LONG))
    talk.play.interrupt("contained")
    assert talk.heard == ["error 50000: blastwall: contained", "done failed", "|"]


def test_a_reset_counts_once_however_often_its_request_is_handled() -> None:
    talk = Talk(judge)
    talk.client(batch(LONG, status=RESET))
    assert [reset for *_, reset, _ in talk.server.got] == [RESET]


def test_several_long_texts_in_one_request_are_read_one_after_the_other() -> None:
    talk = Talk(judge)
    texts = [LONG + str(n) for n in range(5)]
    talk.client(rpc(*map(executesql_max, texts)))
    assert len(talk.events(Isolate)) == 5
    assert [one.question.text for one in talk.play.asked if isinstance(one.question, Statement)] == texts
    assert len(talk.server.got) == 1


def test_a_request_of_very_many_long_texts_is_refused() -> None:
    talk = Talk(judge)
    talk.client(rpc(*[executesql_max(LONG + str(n)) for n in range(MOST_ELSEWHERE + 2)]))
    assert len(talk.events(Isolate)) == MOST_ELSEWHERE
    questions = [one.question for one in talk.play.asked if isinstance(one.question, Statement)]
    assert questions[-1].effects[0].action == "unclassified"


def test_what_was_read_is_remembered_as_long_as_names_mean_the_same() -> None:
    talk = Talk(judge)
    text = "SELECT 1"
    first = talk.conversation.classify(text)
    assert talk.conversation.classify(text) is first
    talk.client(batch("SET quoted_identifier off"))
    assert talk.conversation.classify(text) is not first


def executesql_max(text: str) -> bytes:
    """A call of sp_executesql with a text of any length."""
    encoded = text.encode("utf-16-le")
    size = len(encoded)
    plp = size.to_bytes(8, "little") + size.to_bytes(4, "little") + encoded + b"\0" * 4
    return executesql("")[:6] + b"\0\0" + b"\xe7\xff\xff\x09\x04\xd0\x00\x34" + plp


def test_a_short_text_that_takes_much_work_is_read_elsewhere_too() -> None:
    tried: list[int] = []

    def slow(text: str, catalog: Catalog, _state: object, *, limits: Limits, **_named: object) -> Classified:
        tried.append(limits.steps)
        return means(text) if limits.steps > 100_000 else unread(text, catalog, TOO_COMPLEX)

    talk = Talk(judge)
    with (
        mock.patch("blastwall.protocols.tds.elsewhere.classify", slow),
        mock.patch("blastwall.sql.tsql.isolated.classify", slow),
    ):
        talk.client(batch("SELECT 1"))
    assert len(talk.events(Isolate)) == 1
    assert tried[0] < tried[1]
    assert talk.heard == ROWS
