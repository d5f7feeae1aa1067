"""What is like a known request, and is not, is never taken for it; nor is an answer taken for a plain one.

Each attack is played both ways (`test_talk_short.both`): all that anybody sees must be the same.
"""

from __future__ import annotations

import gc
from struct import pack
from unittest import mock
from weakref import ref

import pytest

from blastwall.model.masks import NO_MASKS, ColumnRule, MaskRules, MaskStyle, ResultRecord
from blastwall.model.ruling import Obligations
from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, Allow, Answer, Ask, AskWhole, Exceeded, Finished, Repeat, Rows
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds import answers
from blastwall.protocols.tds.packets import EOM, IGNORE, RESET, RESET_SKIP, Kind, framed
from blastwall.protocols.tds.tests.talking import (
    Talk,
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
from blastwall.protocols.tds.tests.test_talk_short import (
    COLUMN,
    OTHER_COLUMN,
    ROW,
    SELECT,
    Telling,
    both,
    executed,
    repeats,
)
from blastwall.protocols.tds.tokens import COUNTED, DONE, DONE_IN_PROC, MORE
from blastwall.protocols.tds.transactions import Verb, write_transaction
from blastwall.sql.tsql.catalog import Catalog

TEXT = SELECT.encode("utf-16-le")
TRANSACTION = pack("<IHQI", 18, 2, 0, 1)
NOTIFICATION = pack("<IHH", 12, 1, 2) + b"n\0" + pack("<H", 0)
TRACE = pack("<IH16sI", 26, 3, b"\x01" * 16, 1)
MASKED = MaskRules(columns=(ColumnRule("pii", "dbo.orders.id", MaskStyle.REDACT),))
SINGLE = answers.done(DONE, COUNTED, 0xC1, 1)


pytestmark = pytest.mark.usefixtures("meant")


def ruled(ask: Ask) -> Answer:
    """Allow, as the gate does, by no answer that stands what could not be read."""
    return Allow() if isinstance(ask.question, Statement) and ask.question.doubt else allow(ask)


def headed(*headers: bytes, body: bytes = TEXT, kind: Kind = Kind.BATCH, says: int = 0) -> bytes:
    """A request with these headers; `says` is what their length is told to be besides what it is."""
    every = b"".join(headers)
    return framed(kind, pack("<I", 4 + len(every) + says) + every + body, 4096)


def selects(*values: bytes, declared: str = "@id int", text: str = SELECT, procedure: int | str = 10) -> bytes:
    return rpc(call(procedure, parameter(nvarchar(text)), parameter(nvarchar(declared)), *values))


ID = parameter(integer(2), "@id")
MARK = batch(SELECT)[8:]
BATCHES = {
    "reset": batch(SELECT, status=RESET),
    "reset but the transaction": batch(SELECT, status=RESET_SKIP),
    "taken back": batch(SELECT, status=IGNORE),
    "unknown status": framed(Kind.BATCH, MARK, 4096, 0x20),
    "in two packets": batch(SELECT, size=40),
    "whole, and another behind": batch(SELECT) + batch("DELETE FROM dbo.orders"),
    "whole, and half of another": batch(SELECT) + batch("DELETE FROM dbo.orders")[:9],
    "whole, and an attention": batch(SELECT) + attention(),
    "an attention, and whole": attention() + batch(SELECT),
    "no headers": headed(),
    "no headers at all": framed(Kind.BATCH, TEXT, 4096),
    "twice the header": headed(TRANSACTION, TRANSACTION),
    "a notification": headed(TRANSACTION, NOTIFICATION),
    "a notification first": headed(NOTIFICATION, TRANSACTION),
    "a trace": headed(TRACE, TRANSACTION),
    "headers longer than told": headed(TRANSACTION, says=-2),
    "headers that reach into the text": headed(TRANSACTION, says=2),
    "a header that reaches into the text": headed(pack("<IHQI", 20, 2, 0, 1)),
    "a transaction header of another type": headed(pack("<IHQI", 18, 3, 0, 1)),
    "two under way": headed(pack("<IHQI", 18, 2, 0, 2)),
    "one character changed": batch(SELECT[:-1] + "t"),
    "another case": batch(SELECT.lower()),
    "a byte's high half changed": framed(Kind.BATCH, MARK[:-1] + b"\x01", 4096),
    "NUL behind": batch(SELECT + "\0"),
    "a comment behind": batch(SELECT + "--"),
    "an odd byte behind": framed(Kind.BATCH, MARK + b" ", 4096),
    "as a call": framed(Kind.RPC, MARK, 4096),
}
CALLS = {
    "another number": selects(ID, procedure=11),
    "by name": selects(ID, procedure="sp_executesql"),
    "of another database": selects(ID, procedure="other..sp_executesql"),
    "options": rpc(call(10, parameter(nvarchar(SELECT)), parameter(nvarchar("@id int")), ID, options=1)),
    "unknown options": rpc(call(10, parameter(nvarchar(SELECT)), parameter(nvarchar("@id int")), ID, options=8)),
    "another text": selects(ID, text="DELETE FROM dbo.orders ----"),
    "another declaration": selects(ID, declared="@id bit"),
    "another name": selects(parameter(integer(2), "@ID")),
    "the text's name": selects(parameter(integer(2), "@stmt")),
    "by reference": selects(parameter(integer(2), "@id", 1)),
    "its default": selects(parameter(integer(2), "@id", 2)),
    "encrypted": selects(parameter(integer(2), "@id", 8)),
    "a fixed type": selects(parameter(b"\x38" + pack("<i", 2), "@id")),
    "another size": selects(parameter(b"\x26\x02\x02" + pack("<h", 2), "@id")),
    "a length over its type": selects(parameter(b"\x26\x04\x08" + pack("<q", 2), "@id")),
    "a text": selects(parameter(nvarchar("2"), "@id")),
    "a table": selects(parameter(b"\xf3\0\0\x01t\0\xff\xff\0\0", "@id")),
    "one more": selects(ID, parameter(integer(3), "@no")),
    "a second call": selects(ID + b"\xff" + executesql("DELETE FROM dbo.orders")),
    "a call that is not to be run": selects(ID + b"\xfe" + executesql("DELETE FROM dbo.orders")),
    "an old client's second call": selects(ID + b"\x80" + executesql("DELETE FROM dbo.orders")),
    "half a second call": selects(ID + b"\xff"),
    "no value": selects(),
    "half a value": selects(ID[:-1]),
    "reset": rpc(executesql(SELECT, "@id int", ID), status=RESET),
    "in two packets": rpc(executesql(SELECT, "@id int", ID), size=60),
    "as a batch": framed(Kind.BATCH, rpc(executesql(SELECT, "@id int", ID))[8:], 4096),
}


@pytest.mark.parametrize(("known", "attack"), [
    *(pytest.param(batch(SELECT), data, id=f"batch, {name}") for name, data in BATCHES.items()),
    *(pytest.param(executed(1), data, id=f"call, {name}") for name, data in CALLS.items()),
])  # fmt: skip
def test_what_is_like_a_known_request_is_judged_as_what_it_is(known: bytes, attack: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(known, known)
    assert repeats(talk) == 1
    assert talk.halves.lane.client(attack) is None

    def play(one: Talk) -> None:
        for data in (known, known, attack, known):
            if one.play.closed is None:
                one.client(data)

    both(play, ruled)


@pytest.mark.parametrize("known", [batch(SELECT), executed(1)])
@pytest.mark.parametrize(
    "between",
    [
        framed(Kind.TRANSACTION, write_transaction(Verb.BEGIN, 0), 4096),
        batch("SET quoted_identifier off"),
        batch("SET fmtonly on"),
        batch("SET rowcount 1"),
        batch("SET language german"),
    ],
)
def test_after_what_changes_its_meaning_it_is_not_known(known: bytes, between: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(known, known, between)
    assert talk.halves.lane.client(known) is None
    both(lambda one: one.client(known, known, between, known))


@pytest.mark.parametrize("rules", [NO_MASKS, MASKED])
def test_once_the_catalog_was_read_anew_nothing_is_known_and_no_old_reading_is_kept(rules: MaskRules) -> None:
    def rule(ask: Ask) -> Answer:
        if isinstance(ask.question, Repeat):
            return Allow(rules, standing=ask.question.standing)
        kept = isinstance(ask.question, Statement) and "--" in ask.question.text
        return Allow(rules, record=ResultRecord(rules, 10, 1_000) if kept else None, standing=Standing())

    talk = Talk(rule, Telling(), short=True)
    view, readings = talk.halves.view, []
    for version in range(2, 5):
        view.catalog = Catalog("shop", version)
        readings.append(ref(view.catalog))
        assert talk.halves.lane.client(batch(SELECT)) is None
        talk.client(batch(SELECT), batch(SELECT), executed(version), executed(9), batch(f"{SELECT} --"))
    view.catalog = Catalog("shop", 5)
    gc.collect()
    assert [one() for one in readings] == [None, None, None], "an idle session keeps what it was last judged by"
    talk.client(batch(SELECT))
    assert talk.play.closed is None


def test_while_another_session_changes_what_it_names_it_is_not_known() -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    other = Talk(allow, Telling())
    talk.halves.view.changing.begin(other.conversation, frozenset({"dbo.orders"}))
    assert talk.halves.lane.client(batch(SELECT)) is None


@pytest.mark.parametrize(
    "anew",
    [
        Allow(MASKED, standing=Standing()),
        Allow(obligations=Obligations(limit_rows=0)),
        Allow(record=ResultRecord(NO_MASKS, 10, 1_000)),
    ],
)
def test_where_policy_allows_it_otherwise_by_now_the_very_next_answer_obeys(anew: Answer) -> None:
    def rule(ask: Ask) -> Answer:
        if isinstance(ask.question, Repeat):
            return AskWhole()
        return Allow(standing=Standing()) if ask.number == 1 else anew

    talk = both(lambda one: one.client(batch(SELECT), batch(SELECT)), rule)
    assert repeats(talk) == 1
    first, second = talk.events(Finished)
    assert bytes(talk.play.to_client).count(ROW) == 1 + bool(talk.events(Rows))
    assert first != second or talk.events(Rows) or talk.events(Exceeded)


REPLY = framed(Kind.REPLY, COLUMN + ROW + SINGLE, 4096)
HOSTILE = {
    "other columns": COLUMN[:1] + pack("<H", 2) + COLUMN[3:] + OTHER_COLUMN[3:] + b"\xd1" + integer(7)[2:] * 2 + SINGLE,
    "another name": OTHER_COLUMN + ROW + SINGLE,
    "a second result": COLUMN + ROW + answers.done(DONE, COUNTED | MORE, 0xC1, 1) + OTHER_COLUMN + ROW + SINGLE,
    "a second description": COLUMN + ROW + OTHER_COLUMN + ROW + SINGLE,
    "rows behind an end": COLUMN + ROW + answers.done(DONE, COUNTED | MORE, 0xC1, 1) + ROW + SINGLE,
    "rows behind the end": COLUMN + ROW + SINGLE + ROW,
    "rows without columns": ROW + SINGLE,
    "a change of the database": COLUMN + ROW + answers.env_change(1, b"m\0", b"") + SINGLE,
    "a transaction begun": COLUMN + ROW + answers.env_change(8, pack("<Q", 9), b"") + SINGLE,
    "a routing": COLUMN + ROW + b"\xe3\x0a\0\x14\x05\0\0\x99\x05\0\0\0\0" + SINGLE,
    "a message": COLUMN + ROW + answers.info(50_000, "said") + SINGLE,
    "an error": COLUMN + ROW + answers.error(547, "said") + SINGLE,
    "a returned value": COLUMN + ROW + pack("<BHBBIH", 0xAC, 0, 0, 1, 0, 0) + integer(9) + SINGLE,
    "features": COLUMN + ROW + b"\xae\x01\x01\0\0\0\0\xff" + SINGLE,
    "a login's answer": COLUMN + ROW + b"\xad\x01\0\0" + SINGLE,
    "COMPUTE's row": COLUMN + ROW + b"\xd3\x01\0" + SINGLE,
    "a row longer than its type": COLUMN + b"\xd1\x08" + pack("<q", 7) + SINGLE,
    "a row beyond the packet": COLUMN + b"\xd1\x04\x07",
    "an order beyond the packet": COLUMN + b"\xa9\xff\xff",
    "an order of half a column": COLUMN + b"\xa9\x03\0\x01\0\0" + ROW + SINGLE,
    "an end in part": COLUMN + ROW + SINGLE[:-1],
    "an acknowledgement": COLUMN + ROW + answers.done(DONE, 0x20),
    "a server's error": COLUMN + ROW + answers.done(DONE, 0x100),
    "more to come": COLUMN + ROW + answers.done(DONE_IN_PROC, COUNTED | MORE, 0xC1, 1),
    "nothing": b"",
}


@pytest.mark.parametrize("told", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_plain_answer_is_read_to_its_end(told: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    assert talk.halves.lane.client(batch(SELECT)) is not None
    assert talk.halves.lane.granted() is not None
    assert talk.halves.lane.answered(framed(Kind.REPLY, told, 4096)) is None

    def play(one: Talk) -> None:
        assert isinstance(one.server, Telling)
        one.client(batch(SELECT), batch(SELECT))
        one.server.told = told
        one.client(batch(SELECT))

    both(play)


@pytest.mark.parametrize(
    "data",
    [
        REPLY + REPLY,
        REPLY[:-1],
        REPLY[:1] + b"\0" + REPLY[2:],
        REPLY[:1] + bytes((EOM | IGNORE,)) + REPLY[2:],
        bytes((Kind.BATCH,)) + REPLY[1:],
        REPLY[:2] + pack(">H", len(REPLY) + 1) + REPLY[4:],
        REPLY[:2] + pack(">H", len(REPLY) - 1) + REPLY[4:],
        b"",
    ],
)
def test_what_is_not_one_whole_packet_is_no_plain_answer(data: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    assert talk.halves.lane.client(batch(SELECT)) is not None
    assert talk.halves.lane.answered(REPLY) is None, "it is not sent yet"
    assert talk.halves.lane.granted() is not None
    assert talk.halves.lane.answered(data) is None


@pytest.mark.parametrize("later", [attention(), batch("DELETE FROM dbo.orders"), batch(SELECT)])
def test_what_comes_behind_a_request_that_is_under_way_waits_or_stops_it(later: bytes) -> None:
    talk = Talk(allow, Telling(), short=True)
    talk.client(batch(SELECT))
    assert talk.halves.lane.client(batch(SELECT)) is not None
    assert talk.halves.lane.granted() is not None
    assert talk.halves.lane.client(later) is None
    talk.halves.receive(CLIENT, later)
    assert talk.halves.lane.answered(REPLY) is None


def test_a_short_text_with_long_declarations_takes_the_room_that_it_takes() -> None:
    def prepare(*names: str) -> bytes:
        declared = ", ".join(f"@{name} int" for name in names)
        return rpc(call(11, parameter(integer(None), flags=1), parameter(nvarchar(declared)), parameter(nvarchar("S"))))

    talk = Talk(allow)
    with mock.patch("blastwall.protocols.tds.handles.MOST_BYTES", 4_000):
        talk.client(prepare("a"), prepare(*"abcdefghij"), prepare("a"), prepare(*"abcdefghij"), prepare(*"abcdefghij"))
    refused = [word for word in talk.heard if "too many prepared statements" in word]
    assert (len(talk.server.got), len(refused)) == (3, 2)
