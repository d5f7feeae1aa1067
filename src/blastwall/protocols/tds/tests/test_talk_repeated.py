"""Dialogues of statements that come again: asked by the answer that stands, and only where all is as it was."""

from __future__ import annotations

import pytest

from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Answer, Ask, AskWhole, Deny, Finished, Repeat
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds.tests.talking import (
    Talk,
    allow,
    batch,
    call,
    executesql,
    integer,
    nvarchar,
    parameter,
    rpc,
)

SELECT = "SELECT id FROM dbo.orders"
ROWS = ["done 1 rows", "|"]


pytestmark = pytest.mark.usefixtures("meant")


def questions(talk: Talk) -> list[type[object]]:
    return [type(one.question) for one in talk.play.asked]


def test_what_comes_again_is_asked_by_the_answer_that_stands() -> None:
    talk = Talk(allow)
    talk.client(batch(SELECT), batch(SELECT), batch("SELECT 2"))
    assert questions(talk) == [Statement, Repeat, Statement]
    assert talk.heard == ROWS * 3
    assert len(talk.events(Finished)) == 3


def test_the_values_of_the_moment_go_along() -> None:
    talk = Talk(allow)
    for value in (1, 2):
        text, declared = parameter(nvarchar(SELECT)), parameter(nvarchar("@id int"))
        talk.client(rpc(call(10, text, declared, parameter(integer(value), "@id"))))
    repeat = talk.play.asked[1].question
    assert isinstance(repeat, Repeat)
    assert repeat.values == ("2",)


@pytest.mark.parametrize("between", ["SET quoted_identifier off", "SET xact_abort on"])
def test_what_names_may_mean_otherwise_by_now_is_asked_as_a_whole(between: str) -> None:
    talk = Talk(allow)
    talk.client(batch(SELECT), batch(between), batch(SELECT))
    assert questions(talk) == [Statement] * 3


def test_in_a_transaction_it_is_another_statement() -> None:
    talk = Talk(allow)
    talk.client(batch(SELECT))
    talk.conversation.descriptor = 7
    talk.client(batch(SELECT))
    assert questions(talk) == [Statement, Statement]


def test_with_other_parameters_it_is_another_statement() -> None:
    talk = Talk(allow)
    talk.client(rpc(executesql(SELECT)), rpc(executesql(SELECT, "@id int", parameter(integer(1)))))
    talk.client(rpc(executesql(SELECT, "@id bigint", parameter(integer(1)))))
    assert questions(talk) == [Statement] * 3


def test_where_the_answer_does_not_stand_any_more_it_is_asked_as_a_whole() -> None:
    def rule(ask: Ask) -> Answer:
        return AskWhole() if isinstance(ask.question, Repeat) else Allow(standing=Standing())

    talk = Talk(rule)
    talk.client(batch(SELECT), batch(SELECT))
    assert questions(talk) == [Statement, Repeat, Statement]
    assert talk.server.texts() == [SELECT, SELECT]


def test_a_repeated_statement_may_still_be_denied() -> None:
    def rule(ask: Ask) -> Answer:
        return Deny("contained") if isinstance(ask.question, Repeat) else Allow(standing=Standing())

    talk = Talk(rule)
    talk.client(batch(SELECT), batch(SELECT))
    assert talk.heard == [*ROWS, "error 229: blastwall: contained", "done failed", "|"]
    assert talk.server.texts() == [SELECT]


def test_without_a_standing_answer_each_is_asked_as_a_whole() -> None:
    talk = Talk(lambda _ask: Allow())
    talk.client(batch(SELECT), batch(SELECT))
    assert questions(talk) == [Statement, Statement]
