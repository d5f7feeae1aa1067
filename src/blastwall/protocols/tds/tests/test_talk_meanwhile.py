"""Dialogues in which something changes while a statement waits, or between a preparation and its execution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import pytest

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Answer, Ask, Deny, Held, Refused, Withdraw
from blastwall.protocols.tds.tests import talking
from blastwall.protocols.tds.tests.talking import (
    Talk,
    batch,
    call,
    executesql,
    integer,
    means,
    nvarchar,
    parameter,
    rpc,
)
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.statement import Classified

SELECT = "SELECT id FROM dbo.orders"
SECRET = Effect(Action.READ, Object(("shop", "dbo", "vault"), "table"))


pytestmark = pytest.mark.usefixtures("meant")


@pytest.fixture
def redefined() -> Iterator[Catalog]:
    """Another catalog, in which every text reads the vault."""
    anew = Catalog("shop", 2)

    def classify(text: str, catalog: Catalog, *_args: object, **_named: object) -> Classified:
        found = means(text)
        return replace(found, effects=(SECRET,)) if catalog is anew else found

    with mock.patch("blastwall.protocols.tds.elsewhere.classify", classify):
        yield anew


def open_(_ask: Ask) -> Answer | None:
    return None


def test_what_was_defined_anew_while_people_thought_is_not_sent(redefined: Catalog) -> None:
    talk = Talk(open_)
    talk.client(batch(SELECT))
    number = talk.play.asked[0].number
    talk.play.answer(number, Held("waiting for a dba"))
    with mock.patch.object(talking.View, "catalog", redefined):
        talk.play.answer(number, Allow())
    assert "defined anew" in talk.heard[1]
    assert not talk.play.to_server
    assert [one.number for one in talk.events(Refused) if isinstance(one, Refused)] == [number]


def test_what_means_the_same_in_a_newer_catalog_is_sent_after_a_hold() -> None:
    talk = Talk(open_)
    talk.client(batch(SELECT))
    number = talk.play.asked[0].number
    talk.play.answer(number, Held("waiting for a dba"))
    with mock.patch.object(talking.View, "catalog", Catalog("shop", 2)):
        talk.play.answer(number, Allow())
    assert talk.server.texts() == [SELECT]


def test_what_was_prepared_is_judged_by_what_its_names_mean_when_it_is_executed(redefined: Catalog) -> None:
    def rule(ask: Ask) -> Answer:
        assert isinstance(ask.question, Statement)
        return Deny("the vault") if SECRET in ask.question.effects else Allow()

    talk = Talk(rule)
    handle = parameter(integer(None), flags=1)
    prepared = call(11, handle, parameter(nvarchar("")), parameter(nvarchar(SELECT)), parameter(integer(1)))
    executed = call(12, parameter(integer(1)))
    talk.client(rpc(prepared), rpc(executed))
    assert not any("vault" in word for word in talk.heard)
    with mock.patch.object(talking.View, "catalog", redefined):
        talk.client(rpc(executed))
    assert "the vault" in talk.heard[-3]
    assert len(talk.server.got) == 2


def test_under_a_changed_policy_what_was_allowed_is_not_sent_because_of_it() -> None:
    talk = Talk(open_)
    talk.client(rpc(executesql(SELECT), executesql("SELECT 2")))
    first, second = (one.number for one in talk.play.asked)
    talk.play.answer(first, Allow())
    talk.halves.reconsider()
    talk.play.answer(second, Allow())
    assert "policy changed" in talk.heard[0]
    assert not talk.play.to_server


def test_a_client_that_leaves_has_what_waits_withdrawn() -> None:
    talk = Talk(open_)
    talk.client(batch(SELECT))
    talk.play.leave()
    assert talk.events(Withdraw) == [Withdraw(talk.play.asked[0].number)]
    assert not talk.play.to_server
