"""Dialogues of batches: asked, sent as they came, refused, held, cancelled; and what a hostile client tries."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Answer, Ask, Deny, Finished, Held, Injected, Lookup, Refused, Withdraw
from blastwall.protocols.tds.packets import EOM, IGNORE, RESET, RESET_SKIP, Kind, framed, header
from blastwall.protocols.tds.tests.talking import Talk, TinyServer, attention, batch, meaning, opening

SELECT = "SELECT id FROM dbo.orders"
DENIED = "blastwall: no"
REFUSAL = ["error 229: blastwall: no", "done failed", "|"]
ROWS = ["done 1 rows", "|"]
ACKNOWLEDGED = ["done cancelled", "|"]
CANCELLED = ["done failed", "|", *ACKNOWLEDGED]
"""The end of the answer, and the acknowledgement in a message of its own."""


pytestmark = pytest.mark.usefixtures("meant")


def judge(ask: Ask) -> Answer | None:
    """Refuses what is "secret", leaves open what says "later"."""
    question = ask.question
    assert isinstance(question, Statement)
    if "later" in question.text:
        return None
    return Deny("no") if "secret" in question.text else Allow()


def test_a_batch_is_asked_and_sent_as_it_came() -> None:
    talk = Talk(judge)
    sent = batch(SELECT, size=512)
    talk.client(sent)
    assert bytes(talk.play.to_server) == sent
    assert talk.heard == ROWS
    (finished,) = talk.events(Finished)
    assert isinstance(finished, Finished)
    assert finished.error is None


def test_a_refusal_is_an_ordinary_error_and_nothing_of_the_batch_reaches_the_resource() -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT secret"))
    assert talk.since() == REFUSAL
    assert not talk.play.to_server
    talk.client(batch(SELECT))
    assert talk.since() == ROWS
    assert talk.server.texts() == [SELECT]


def test_a_request_that_comes_early_waits_for_the_one_before() -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT later") + batch(SELECT) + batch("SELECT secret"))
    assert not talk.play.to_server
    assert talk.halves.requests.backlog
    talk.play.answer(talk.play.asked[0].number, Allow())
    assert talk.server.texts() == ["SELECT later", SELECT]
    assert talk.heard == [*ROWS, *ROWS, *REFUSAL]


def test_a_hold_is_told_at_once_and_its_answer_goes_on() -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT later"))
    number = talk.play.asked[0].number
    talk.play.answer(number, Held("waiting for a dba"))
    assert talk.since() == ["info: blastwall: waiting for a dba"], "told, and the answer has not ended"
    talk.play.answer(number, Allow())
    assert talk.since() == ROWS


def test_a_hold_that_is_denied_ends_in_the_same_answer() -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT later"))
    number = talk.play.asked[0].number
    talk.play.answer(number, Held("waiting"))
    talk.play.answer(number, Deny("no"))
    assert talk.heard == ["info: blastwall: waiting", *REFUSAL]


# ── attention ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_attention_while_asked_withdraws_it_and_is_acknowledged_once() -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT later"), attention())
    number = talk.play.asked[0].number
    assert talk.events(Withdraw) == [Withdraw(number)]
    assert talk.since() == CANCELLED
    talk.play.answer(number, Allow())
    assert not talk.play.to_server, "an answer that nobody waits for sends nothing"
    talk.client(batch(SELECT))
    assert talk.since() == ROWS


def test_an_attention_during_a_hold_ends_the_answer_that_has_begun() -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT later"))
    talk.play.answer(talk.play.asked[0].number, Held("waiting"))
    talk.client(attention())
    assert talk.heard == ["info: blastwall: waiting", *CANCELLED]


def test_an_attention_to_what_runs_is_the_resource_s_to_acknowledge() -> None:
    talk = Talk(judge, TinyServer(silent=True))
    talk.client(batch(SELECT), attention())
    assert talk.server.texts() == [SELECT, ""]
    assert talk.since() == ACKNOWLEDGED
    talk.server.silent = False
    talk.client(batch(SELECT))
    assert talk.since() == ROWS


@pytest.mark.parametrize(
    "before", [[], [batch("SELECT secret")], [batch(SELECT)]], ids=["at rest", "refused", "answered"]
)
def test_an_attention_that_comes_too_late_is_acknowledged_here(before: Sequence[bytes]) -> None:
    talk = Talk(judge)
    talk.client(*before)
    talk.since()
    talk.client(attention())
    assert talk.since() == ACKNOWLEDGED
    assert "attention" not in [kind for kind, *_ in talk.server.got]


def test_a_storm_of_attentions_reaches_the_resource_once() -> None:
    talk = Talk(judge, TinyServer(silent=True, deaf=True))
    talk.client(batch(SELECT), *[attention()] * 500)
    assert talk.server.texts("attention") == [""]


def test_a_request_that_its_client_takes_back_is_neither_asked_nor_sent() -> None:
    talk = Talk(judge)
    part = batch("SELECT " + "x" * 2000, size=1024)[:1024]
    talk.client(part + header(Kind.BATCH, EOM | IGNORE, 8))
    assert talk.since() == ["done failed", "|"]
    assert not talk.play.asked
    assert not talk.play.to_server


# ── reset ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bit", [RESET, RESET_SKIP])
def test_a_reset_goes_with_the_next_request_that_is_sent(bit: int) -> None:
    talk = Talk(judge)
    talk.client(batch("SELECT secret", status=bit), batch("SELECT secret"), batch(SELECT), batch(SELECT))
    assert [reset for *_, reset, _ in talk.server.got] == [bit, 0]


def test_a_reset_forgets_what_was_set() -> None:
    talk = Talk(judge)
    talk.client(batch("SET nocount on"))
    assert talk.conversation.state.may_be("nocount", "on", "off")
    talk.client(batch("SELECT secret", status=RESET))
    assert not talk.conversation.state.may_be("nocount", "on", "off")


def test_a_reset_ends_the_transaction_that_statements_are_judged_in() -> None:
    talk = Talk(judge)
    talk.conversation.descriptor = 7
    talk.client(batch("SELECT secret", status=RESET))
    assert not talk.conversation.in_transaction
    question = talk.play.asked[0].question
    assert isinstance(question, Statement)
    assert not question.in_transaction


# ── what must not be ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (framed(Kind.LOGIN7, b"x" * 94, 4096), "LOGIN7"),
        (framed(Kind.SSPI, b"x", 4096), "SSPI"),
        (framed(Kind.FEDAUTH, b"x", 4096), "FEDAUTH"),
        (framed(Kind.PRELOGIN, b"\xff", 4096), "PRELOGIN"),
        (framed(Kind.REPLY, b"x", 4096), "REPLY"),
        (framed(Kind.BATCH, b"", 4096), "headers"),
        (framed(Kind.BATCH, b"\x16\0\0\0\x12\0\0\0\x02\0" + b"\0" * 12 + b"S", 4096), "UTF-16"),
        (framed(Kind.ATTENTION, b"x", 4096), "ATTENTION"),
    ],
)
def test_what_has_no_place_in_a_session_ends_it(message: bytes, reason: str) -> None:
    talk = Talk(judge)
    talk.client(message)
    assert reason in (talk.play.closed or "")
    assert not talk.play.to_server


def test_a_text_over_the_limit_is_refused_and_the_session_goes_on() -> None:
    talk = Talk(judge, opening=opening(statement=1000))
    talk.client(batch("SELECT " + "x" * 1000))
    (error, *rest) = talk.since()
    assert "1,007 characters" in error
    assert rest == ["done failed", "|"]
    talk.client(batch("SELECT " + "x" * 200_000))
    assert "over the limit" in talk.since()[0]
    talk.client(batch(SELECT))
    assert talk.since() == ROWS
    assert talk.server.texts() == [SELECT]
    assert len(talk.events(Refused)) == 2, "what policy allowed was not sent, and is recorded so"


def test_what_no_policy_can_permit_is_refused_though_policy_allows_it() -> None:
    talk = Talk(judge)
    talk.client(batch("USE master"))
    assert talk.heard == ["error 40510: blastwall: USE leaves the database", "done failed", "|"]
    assert not talk.play.to_server


def test_a_query_notification_is_refused() -> None:
    talk = Talk(judge)
    subscribing = b"\x20\0\0\0" + b"\x0a\0\0\0\x01\0abcd" + b"\x12\0\0\0\x02\0" + b"\0" * 12
    talk.client(framed(Kind.BATCH, subscribing + SELECT.encode("utf-16-le"), 4096))
    assert "query notifications" in talk.heard[0]
    assert not talk.play.to_server


def test_under_xact_abort_a_refusal_undoes_the_transaction_as_an_error_does() -> None:
    talk = Talk(judge)
    talk.client(batch("SET xact_abort on"))
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.since()
    talk.client(batch("SELECT secret"))
    assert talk.since() == ["change 10", *REFUSAL]
    assert talk.server.texts("transaction") == ["ROLLBACK"]
    (injected,) = talk.events(Injected)
    assert isinstance(injected, Injected)
    assert injected.why == "refusal"
    assert not talk.conversation.in_transaction


def test_without_xact_abort_a_refusal_leaves_the_transaction_alone() -> None:
    talk = Talk(judge)
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.client(batch("SELECT secret"))
    assert talk.heard == REFUSAL
    assert not talk.server.got
    assert talk.conversation.in_transaction


def test_what_may_change_the_catalog_has_it_read_anew_before_the_next_request() -> None:
    talk = Talk(judge)
    talk.client(batch("CREATE TABLE t (id int)"))
    assert len(talk.events(Lookup)) == 1
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.client(batch("CREATE TABLE u (id int)"))
    assert len(talk.events(Lookup)) == 1, "others cannot see it yet"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=12), st.sampled_from([512, 700, 4096]))
def test_how_bytes_are_cut_changes_nothing(cuts: list[int], size: int) -> None:
    messages = [
        batch(SELECT, size=size),
        batch("SELECT secret " + "x" * 900, size=size, status=RESET),
        attention(),
        batch("DELETE FROM dbo.orders", size=size),
        attention(),
    ]

    def cut(data: bytes) -> list[bytes]:
        pieces, at, turn = [], 0, 0
        while at < len(data):
            step = cuts[turn % len(cuts)]
            pieces.append(data[at : at + step])
            at, turn = at + step, turn + 1
        return pieces

    with meaning():
        whole, cutting = Talk(judge), Talk(judge, cut=cut)
        whole.client(*messages)
        cutting.client(*messages)
    assert cutting.heard == whole.heard
    assert bytes(cutting.play.to_server) == bytes(whole.play.to_server)
    assert cutting.play.events == whole.play.events
