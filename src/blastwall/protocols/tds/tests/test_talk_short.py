"""The short way of what comes again: nothing that anybody sees differs from the ordinary way, whatever happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from struct import pack

import pytest

from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, Allow, Answer, Ask, AskWhole, Deny, Finished, Output, Refused, Repeat
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds import answers
from blastwall.protocols.tds.packets import EOM, RESET, Kind, framed
from blastwall.protocols.tds.tests.talking import (
    Talk,
    TinyServer,
    allow,
    attention,
    batch,
    call,
    executesql,
    integer,
    nvarchar,
    parameter,
    rpc,
)
from blastwall.protocols.tds.tokens import COUNTED, DONE, DONE_IN_PROC, DONE_PROC, FAILED, MORE

SELECT, UPDATE = "SELECT id FROM dbo.orders", "UPDATE dbo.orders"
COLUMN = pack("<BHIHBB", 0x81, 1, 0, 1, 0x26, 4) + b"\x02i\0d\0"
OTHER_COLUMN = pack("<BHIHBB", 0x81, 1, 0, 1, 0x26, 4) + b"\x02n\0o\0"
ORDER = pack("<BHH", 0xA9, 2, 1)


pytestmark = pytest.mark.usefixtures("meant")


class Telling(TinyServer):
    """Answers batches and calls of sp_executesql by what `told` has for the moment."""

    told: bytes = COLUMN + b"\xd1" + integer(7)[2:] + answers.done(DONE, COUNTED, 0xC1, 1)

    def batch(self, text: str) -> bytes:
        return self.told if text.startswith(("SELECT", "UPDATE")) else super().batch(text)

    def rpc(self, body: bytes) -> bytes:
        return self.told


def executed(value: int | str | None, text: str = SELECT) -> bytes:
    given = nvarchar(value) if isinstance(value, str) else integer(value)
    declared = "@id nvarchar(9)" if isinstance(value, str) else "@id int"
    return rpc(executesql(text, declared, parameter(given, "@id")))


def repeats(talk: Talk) -> int:
    """How many requests were asked for by an answer that stands."""
    return sum(isinstance(one.question, Repeat) for one in talk.play.asked)


def both(
    play: Callable[[Talk], None], rule: Callable[[Ask], Answer] = allow, server: type[TinyServer] = Telling
) -> Talk:
    """Play something both ways, and return the talk that took the short one: all must have been the same."""
    seen = []
    for short in (False, True):
        talk = Talk(rule, server(), short=short)
        play(talk)
        seen.append(talk)
    plain, quick = seen
    assert quick.play.closed == plain.play.closed
    assert quick.heard == plain.heard
    assert bytes(quick.play.to_client) == bytes(plain.play.to_client)
    assert quick.server.got == plain.server.got
    assert [_asked(one) for one in quick.play.asked] == [_asked(one) for one in plain.play.asked]
    assert _ends(quick.play.events) == _ends(plain.play.events)
    return quick


def _asked(ask: Ask) -> object:
    question = ask.question
    return question.values if isinstance(question, Repeat) else question


def _ends(events: Sequence[Output]) -> list[Output]:
    return [one for one in events if isinstance(one, Finished | Refused)]


def test_a_batch_is_known_by_its_bytes_whatever_its_transaction() -> None:
    def play(talk: Talk) -> None:
        talk.client(batch(SELECT), batch(SELECT), batch(SELECT), batch(SELECT + " "))

    talk = both(play)
    assert repeats(talk) == 2
    assert talk.halves.lane.client(batch(SELECT, transaction=9)) is not None


def test_a_call_is_known_by_what_stands_before_its_values() -> None:
    def play(talk: Talk) -> None:
        talk.client(executed(1), executed(-2), executed(None), executed("one"), executed("two"), executed(1, UPDATE))

    talk = both(play)
    assert [one.question.values for one in talk.play.asked if isinstance(one.question, Repeat)] == [
        ("-2",), (None,), ("two",)
    ]  # fmt: skip


def test_a_prepared_statement_is_known_by_its_handle_as_long_as_that_is_its_own() -> None:
    declared, text = parameter(nvarchar("@id int")), parameter(nvarchar(SELECT))
    prepare = rpc(call(11, parameter(integer(None), flags=1), declared, text, parameter(integer(1))))

    def execute(value: int) -> bytes:
        return rpc(call(12, parameter(integer(1)), parameter(integer(value), "@id")))

    def play(talk: Talk) -> None:
        talk.client(prepare, execute(1), execute(2), execute(3))
        talk.client(rpc(call(15, parameter(integer(1)))), execute(4))

    talk = both(play, server=TinyServer)
    assert repeats(talk) == 2
    assert "error 8179: Could not find prepared statement with handle 1." in talk.heard


@pytest.mark.parametrize(
    "other",
    [
        parameter(integer(2), "@no"),
        parameter(integer(2), "@id", 1),
        parameter(b"\x26\x08" + pack("<Bq", 8, 2), "@id"),
        parameter(integer(2), "@id") + parameter(integer(3)),
        parameter(integer(2), "@id") + b"\xff" + executesql(UPDATE),
        b"",
        parameter(integer(2), "@id")[:-1],
    ],
)
def test_a_call_of_other_parameters_is_another(other: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(executed(1))
    assert talk.halves.lane.client(rpc(executesql(SELECT, "@id int", other))) is None


@pytest.mark.parametrize(
    "data",
    [
        batch(SELECT, status=RESET),
        batch(SELECT)[:-1],
        batch(SELECT) + b"\1",
        batch(SELECT)[:1] + b"\0" + batch(SELECT)[2:],
        framed(Kind.BATCH, pack("<I", 4) + SELECT.encode("utf-16-le"), 4096),
        framed(Kind.RPC, batch(SELECT)[8:], 4096),
        attention(),
        b"",
    ],
)
def test_what_is_not_that_very_request_is_not_taken(data: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT), batch(SELECT))
    assert talk.halves.lane.client(data) is None
    assert talk.halves.lane.client(batch(SELECT)) is not None


@pytest.mark.parametrize(
    "between", [batch("SET quoted_identifier off"), batch("CREATE TABLE t"), batch("SELECT 2", status=RESET)]
)
def test_where_names_may_mean_otherwise_by_now_it_goes_the_ordinary_way(between: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch("SET xact_abort off"), batch(SELECT), between, batch(SELECT))
    assert repeats(talk) <= 1
    assert isinstance(talk.play.asked[-1].question, Repeat) == (between == batch("CREATE TABLE t"))


def test_in_a_transaction_it_is_another_statement() -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    talk.conversation.descriptor = 7
    assert talk.halves.lane.client(batch(SELECT, transaction=7)) is None


@pytest.mark.parametrize("text", ["SET xact_abort on", "CREATE TABLE t", "INSERT BULK dbo.orders (id int)"])
def test_what_leaves_something_behind_is_always_read(text: str) -> None:
    talk = Talk(allow, short=True)
    talk.client(batch(text))
    assert talk.halves.lane.client(batch(text)) is None


def test_without_an_answer_that_stands_nothing_is_learned() -> None:
    talk = Talk(lambda _ask: Allow(), Telling(), short=True)
    talk.client(batch(SELECT), batch(SELECT))
    assert talk.halves.lane.client(batch(SELECT)) is None


@pytest.mark.parametrize("refusal", [Deny("contained"), AskWhole()])
def test_where_the_answer_does_not_stand_it_is_asked_as_a_whole_or_refused(refusal: Answer) -> None:
    def rule(ask: Ask) -> Answer:
        return refusal if isinstance(ask.question, Repeat) else Allow(standing=Standing())

    def play(talk: Talk) -> None:
        talk.client(batch(SELECT), batch(SELECT), executed(1), executed(2))

    talk = both(play, rule)
    if isinstance(refusal, AskWhole):
        asked = talk.play.asked[-1].question
        assert isinstance(asked, Statement)
        assert [one.value for one in asked.parameters] == ["2"]


def test_what_is_withdrawn_before_its_answer_is_never_sent() -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    sent = list(talk.server.got)
    assert talk.halves.lane.client(batch(SELECT)) is not None
    talk.halves.receive(CLIENT, attention())
    assert talk.halves.lane.granted() is None
    assert talk.server.got == sent


@pytest.mark.parametrize(
    ("rules", "masked"),
    [
        (MaskRules(columns=(ColumnRule("pii", "dbo.orders.id", MaskStyle.REDACT),)), True),
        (MaskRules(detect=(DetectRule("cards", ("card",), MaskStyle.REDACT),)), False),
    ],
)
def test_what_is_masked_is_masked_whichever_way_it_comes(rules: MaskRules, masked: bool) -> None:
    def rule(ask: Ask) -> Answer:
        return Allow(rules, standing=ask.question.standing if isinstance(ask.question, Repeat) else Standing())

    talk = both(lambda talk: talk.client(batch(SELECT), batch(SELECT), batch(SELECT), executed(1), executed(2)), rule)
    assert repeats(talk) == 3
    assert (ROW not in bytes(talk.play.to_client)) == masked
    assert [bool(one.masked) for one in talk.events(Finished) if isinstance(one, Finished)] == [masked] * 5


ROW = b"\xd1" + integer(7)[2:]
REPLIES = [
    COLUMN + ROW * 3 + answers.done(DONE, COUNTED, 0xC1, 3),
    COLUMN + ORDER + ROW + answers.done(DONE, COUNTED, 0xC1, 1),
    COLUMN + answers.done(DONE, COUNTED, 0xC1, 0),
    COLUMN + b"\xd2\x01" + answers.done(DONE, COUNTED, 0xC1, 1),
    OTHER_COLUMN + ROW + answers.done(DONE, COUNTED, 0xC1, 1),
    COLUMN + ROW + answers.done(DONE, COUNTED | MORE, 0xC1, 1) + COLUMN + ROW + answers.done(DONE, COUNTED, 0xC1, 1),
    answers.done(DONE, COUNTED, 0xC5, 4),
    answers.done(DONE, COUNTED | MORE, 0xC5, 4) + answers.done(DONE, COUNTED, 0xC5, 5),
    answers.error(547, "no") + answers.done(DONE, FAILED),
    answers.done(DONE, FAILED),
    answers.info(50000, "said") + answers.done(DONE, COUNTED, 0xC5, 1),
    answers.return_status(0) + answers.done(DONE),
    answers.done(DONE_PROC),
    answers.done(DONE_IN_PROC, COUNTED | MORE, 0xC5, 2) + answers.return_status(0) + answers.done(DONE_PROC, 0, 0xE0),
    COLUMN + ROW + answers.done(DONE_IN_PROC, COUNTED | MORE, 0xC1, 1) + answers.return_status(0)
    + answers.done(DONE_PROC, 0, 0xE0),
    answers.done(DONE_IN_PROC, MORE, 0xC5) + answers.done(DONE_PROC),
    answers.return_status(0) + answers.return_status(0) + answers.done(DONE_PROC),
]  # fmt: skip

MALFORMED = [
    COLUMN + ROW[:-1],
    answers.done(DONE, MORE),
    answers.done(DONE_PROC) + answers.return_status(0),
    answers.done(DONE) + answers.done(DONE),
    ROW + answers.done(DONE),
    COLUMN + ROW + b"\x01" + answers.done(DONE),
]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_server_answers_both_ways_tell_the_same(seed: int) -> None:
    chance = random.Random(seed)
    told = [*(chance.choice(REPLIES) for _ in range(25)), chance.choice(MALFORMED)]
    asked = [chance.choice([batch(SELECT), batch(UPDATE), executed(chance.randrange(5))]) for _ in told]
    pieces = chance.choice([0, 0, 5, 17])

    def play(talk: Talk) -> None:
        if pieces:
            talk.play.cut = lambda data: [data[at : at + pieces] for at in range(0, len(data), pieces)]
        for request, reply in zip(asked, told, strict=True):
            if isinstance(talk.server, Telling) and talk.play.closed is None:
                talk.server.told = reply
                talk.client(request)

    both(play)


def test_an_answer_takes_the_short_way_once_its_description_is_known() -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    again = talk.halves.lane.client(batch(SELECT))
    assert again is not None
    sent = talk.halves.lane.granted()
    assert sent == batch(SELECT)
    reply = framed(Kind.REPLY, Telling.told, 4096)
    assert reply[1] == EOM
    answered = talk.halves.lane.answered(reply)
    assert answered is not None
    assert (answered.number, answered.rows, answered.affected, answered.size) == (again.number, 1, -1, 6)
    assert not talk.conversation.busy
