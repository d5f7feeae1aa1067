"""Dialogues of RPCs: what is asked for a call, what a handle stands for, and calls that hide their text."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest

from blastwall.model.ruling import Obligations
from blastwall.model.statement import Column, Parameter, Stage, Statement
from blastwall.protocols.contract import Allow, Answer, Ask, Deny
from blastwall.protocols.tds import handles
from blastwall.protocols.tds.packets import RESET
from blastwall.protocols.tds.tests.talking import (
    Talk,
    TinyServer,
    View,
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

SELECT = "SELECT id FROM dbo.orders WHERE id = @id"
DECLARED = "@id int"
OUTPUT = 0x01
REFUSAL = ["error 229: blastwall: no", "doneproc failed", "|"]
DONE = ["ReturnStatus", "doneproc", "|"]
GIVEN = ["ReturnValue", *DONE]


pytestmark = pytest.mark.usefixtures("meant")


def judge(ask: Ask) -> Answer:
    assert isinstance(ask.question, Statement)
    return Deny("no") if "secret" in ask.question.text else Allow()


def asked(talk: Talk) -> list[Statement]:
    return [one.question for one in talk.play.asked if isinstance(one.question, Statement)]


def handle(number: int | None = None) -> bytes:
    return parameter(integer(number), flags=OUTPUT if number is None else 0)


def prepare(text: str = SELECT, declared: str = DECLARED, procedure: int | str = 11) -> bytes:
    values = (parameter(integer(1)),)
    return call(procedure, handle(), parameter(nvarchar(declared)), parameter(nvarchar(text)), *values)


def execute(number: int, value: int = 7, procedure: int | str = 12) -> bytes:
    return call(procedure, handle(number), parameter(integer(value)))


@pytest.mark.parametrize(
    "procedure",
    [10, "sp_executesql", "SP_ExecuteSql", "[sp_executesql]", '"sp_executesql"', "sys.sp_executesql",
     "[sys] . sp_executesql", "shop.sys.sp_executesql", "Shop..sp_executesql", "dbo.sp_executesql", "sp_executesql;1"],
)  # fmt: skip
def test_sp_executesql_is_asked_as_the_text_in_it_however_it_is_named(procedure: int | str) -> None:
    talk = Talk(judge)
    sent = rpc(
        call(procedure, parameter(nvarchar(SELECT)), parameter(nvarchar(DECLARED)), parameter(integer(7), "@id"))
    )
    talk.client(sent)
    (statement,) = asked(talk)
    assert statement.text == SELECT
    assert statement.operation == "SELECT"
    assert statement.parameters == (Parameter("7", declared="@id int"),)
    assert bytes(talk.play.to_server) == sent


@pytest.mark.parametrize(
    "procedure",
    ["master..sp_executesql", "srv.shop.sys.sp_executesql", "other.dbo.sp_prepexec", "sp_executesql;2", "a.b.c.d.e",
     "[sp_executesql", "sp_executesql x", "sp_reset_connection", "dbo.SP_RESET_CONNECTION"],
)  # fmt: skip
def test_a_name_that_may_run_the_text_elsewhere_is_refused(procedure: str) -> None:
    talk = Talk(judge)
    talk.client(rpc(call(procedure, parameter(nvarchar(SELECT)), parameter(nvarchar(DECLARED)))))
    assert talk.heard[1:] == ["doneproc failed", "|"]
    assert not talk.play.to_server
    assert asked(talk)[0].doubt


@pytest.mark.parametrize(
    "call_",
    [
        call(10, parameter(nvarchar(SELECT), "@params"), parameter(nvarchar(DECLARED), "@stmt")),
        call(10, parameter(nvarchar(SELECT)), parameter(nvarchar(DECLARED)), parameter(nvarchar("DROP"), "@stmt")),
        call(10, parameter(integer(1))),
        call(10, parameter(nvarchar(SELECT)), parameter(nvarchar("@id int) DROP TABLE x; --"))),
        call(10, parameter(nvarchar(SELECT)), parameter(nvarchar("@id int = (SELECT 1)"))),
        call(10, parameter(nvarchar(SELECT)), parameter(nvarchar("@id int, @ID int"))),
        call(10, parameter(nvarchar(SELECT), flags=0x02)),
        call(12, parameter(nvarchar("1"))),
        call(10, parameter(nvarchar("SELECT '?'").replace(b"?\0", b"\0\xd8"))),
        call(1, handle(1), parameter(integer(33)), parameter(integer(0)), parameter(nvarchar("dbo.orders"))),
        call(99),
    ],
    ids=[
        "swapped",
        "named twice",
        "no text",
        "declares more",
        "computes",
        "twice",
        "default",
        "no number",
        "half a character",
        "cursor",
        "?",
    ],
)
def test_a_call_whose_text_cannot_be_told_is_refused_whatever_policy_says(call_: bytes) -> None:
    talk = Talk(lambda _ask: Allow())
    talk.client(rpc(call_))
    assert talk.heard[0].startswith("error 40510: blastwall: ")
    assert not talk.play.to_server


def test_what_was_prepared_is_asked_again_with_its_values_when_it_is_executed() -> None:
    talk = Talk(judge)
    talk.client(rpc(prepare()), rpc(execute(1)))
    prepared, executed = asked(talk)
    assert prepared.text == executed.text == SELECT
    assert (prepared.stage, executed.stage) == (Stage.PREPARE, Stage.EXECUTE)
    assert not prepared.parameters
    assert executed.parameters == (Parameter("7", declared="@id int"),)
    assert talk.heard == [*GIVEN, *DONE]


def test_sp_prepexec_gives_a_handle_too() -> None:
    talk = Talk(judge)
    talk.client(rpc(prepare(procedure=13)), rpc(execute(1)), rpc(execute(1, procedure="sp_execute")))
    assert [one.text for one in asked(talk)] == [SELECT] * 3
    assert asked(talk)[0].parameters == (Parameter("1", declared="@id int"),)


@pytest.mark.parametrize("number", [0, 1, 2, -1])
def test_a_handle_that_nobody_was_given_is_not_found(number: int) -> None:
    talk = Talk(judge)
    talk.client(rpc(execute(number)))
    assert talk.heard == [
        f"error 8179: Could not find prepared statement with handle {number}.",
        "doneproc failed",
        "|",
    ]
    assert not talk.play.to_server
    assert not talk.play.asked


def test_a_handle_ends_with_sp_unprepare_and_with_a_reset() -> None:
    talk = Talk(judge)
    talk.client(rpc(prepare()), rpc(call(15, handle(1))), rpc(execute(1)))
    assert talk.heard[-3].startswith("error 8179")
    talk.client(rpc(prepare()))
    talk.client(batch("SELECT secret", status=RESET), rpc(execute(2)))
    assert talk.heard[-3].startswith("error 8179")


def test_a_refused_preparation_gives_no_handle() -> None:
    talk = Talk(judge)
    talk.client(rpc(prepare("SELECT secret")), rpc(execute(1)))
    assert talk.heard[:3] == REFUSAL
    assert talk.heard[3].startswith("error 8179")


def test_a_handle_that_is_given_twice_is_not_trusted() -> None:
    talk = Talk(judge, TinyServer(handles=iter([5, 5])))
    talk.client(rpc(prepare()), rpc(prepare("SELECT 2")), rpc(execute(5)))
    assert talk.heard[-3].startswith("error 8179")


def test_kinds_of_handles_are_not_taken_for_one_another() -> None:
    talk = Talk(judge)
    talk.client(rpc(prepare()))
    talk.client(rpc(call(4, handle(1), handle())), rpc(call(7, handle(1))))
    assert [word for word in talk.heard if word.startswith("error")] == [
        "error 8179: Could not find prepared statement with handle 1.",
        "error 16909: sp_cursorfetch: The cursor identifier value provided (1) is not valid.",
    ]


def test_a_cursor_s_rows_are_asked_for_with_its_text() -> None:
    talk = Talk(judge)
    opened = call(2, handle(), parameter(nvarchar("SELECT id FROM dbo.orders")), *[parameter(integer(1))] * 3)
    talk.client(rpc(opened), rpc(call(7, handle(1), parameter(integer(2)))), rpc(call(9, handle(1))))
    assert [one.text for one in asked(talk)] == ["SELECT id FROM dbo.orders"] * 2 + ["EXEC sp_cursorclose 1"]
    talk.client(rpc(call(7, handle(1))))
    assert talk.heard[-3].startswith("error 16909")


def test_what_gives_a_handle_must_be_the_first_call_of_its_request() -> None:
    talk = Talk(judge)
    talk.client(rpc(executesql(SELECT), prepare()))
    assert "must be the first call" in talk.heard[0]
    assert not talk.play.to_server
    talk.client(rpc(prepare(), executesql(SELECT)), rpc(execute(1)))
    assert [one.text for one in asked(talk)][-1] == SELECT


def test_several_calls_are_asked_each_and_sent_together_or_not_at_all() -> None:
    talk = Talk(judge)
    talk.client(rpc(executesql(SELECT), executesql("SELECT secret"), executesql("SELECT 3")))
    told = "error 229: blastwall: no (nothing of the request was run)"
    assert talk.since() == [told, "doneproc failed more"] * 2 + [told, "doneproc failed", "|"]
    assert not talk.play.to_server
    talk.client(rpc(executesql(SELECT), executesql("SELECT 2")))
    assert len(talk.server.got) == 1


@pytest.mark.parametrize("options", [0x02, 0x04, 0x07])
def test_a_call_has_its_columns_described_whatever_it_says(options: int) -> None:
    """Rows without their columns could be neither told apart nor masked; a client takes a description anyway."""
    talk = Talk(judge)
    plain = executesql("SELECT 2")
    talk.client(rpc(plain, call(10, parameter(nvarchar(SELECT)), options=options), status=RESET))
    told = options & 0x01
    assert bytes(talk.play.to_server) == rpc(plain, call(10, parameter(nvarchar(SELECT)), options=told), status=RESET)


def test_any_other_procedure_is_asked_by_its_name_and_arguments() -> None:
    talk = Talk(judge)
    talk.client(
        rpc(call("[sales dept].close_order", parameter(integer(7), "@id"), parameter(integer(1), flags=OUTPUT)))
    )
    (statement,) = asked(talk)
    assert statement.text == "EXEC [sales dept].close_order @id = @id, @2 OUTPUT"
    assert [one.value for one in statement.parameters] == ["7", "1"]


def test_a_table_that_is_passed_is_recorded_and_sent_as_it_came() -> None:
    talk = Talk(judge)
    ids = b"\xf3\0\3d\0b\0o\0\3i\0d\0s\0" + b"\1\0" + b"\0\0\0\0\0\0\x26\4\0" + b"\0" + b"\1\4\7\0\0\0" + b"\0"
    sent = rpc(call("dbo.close_orders", parameter(ids, "@ids")))
    talk.client(sent)
    (statement,) = asked(talk)
    assert statement.text == "EXEC dbo.close_orders @ids = @ids"
    (given,) = statement.parameters
    assert given.declared == "@ids dbo.ids"
    assert "7" in str(given.value)
    assert bytes(talk.play.to_server) == sent


def test_a_prepared_call_is_asked_as_the_call_that_it_is() -> None:
    talk = Talk(judge)
    talk.client(rpc(call(14, handle(), parameter(nvarchar("dbo.close_order")), parameter(integer(7)))))
    talk.client(rpc(call(14, handle(), parameter(nvarchar("sp_executesql")), parameter(nvarchar("SELECT secret")))))
    assert asked(talk)[0].text == "EXEC dbo.close_order @1"
    assert talk.heard[-3].startswith("error 40510")


def test_so_many_prepared_statements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk(judge)
    monkeypatch.setattr(handles, "MOST_BYTES", 90_000)
    long = "SELECT " + "x" * 9_000
    for _ in range(9):
        talk.client(rpc(call(11, handle(), parameter(nvarchar("")), parameter(_max(long)), parameter(integer(1)))))
    assert not any("too many" in word for word in talk.heard)
    talk.client(rpc(call(11, handle(), parameter(nvarchar("")), parameter(_max(long)), parameter(integer(1)))))
    assert "too many prepared statements" in talk.heard[-3]


def _max(value: str) -> bytes:
    """The type and value of an nvarchar(max) parameter."""
    encoded = value.encode("utf-16-le")
    size = len(encoded)
    return (
        b"\xe7\xff\xff\x09\x04\xd0\x00\x34"
        + size.to_bytes(8, "little")
        + size.to_bytes(4, "little")
        + encoded
        + b"\0" * 4
    )


def cursor(text: str = SELECT) -> bytes:
    return call(2, handle(), parameter(nvarchar(text)), *[parameter(integer(1))] * 3)


def test_a_cursor_is_given_no_name() -> None:
    """FETCH would show by it what the text of another cursor of that name was judged for."""
    talk = Talk(lambda _ask: Allow())
    talk.client(rpc(cursor()))
    named = [call(8, handle(1), parameter(integer(code)), parameter(nvarchar("c"))) for code in (2, 0x102)]
    talk.client(*(rpc(one) for one in named))
    assert [word.partition(":")[0] for word in talk.heard if word.startswith("error")] == ["error 40510"] * 2
    talk.client(rpc(call(8, handle(1), parameter(integer(4)), parameter(integer(1)))))
    assert len(talk.server.got) == 2


def test_a_number_that_may_be_given_anew_in_the_same_request_is_not_used_there() -> None:
    talk = Talk(judge)
    talk.client(rpc(prepare()))
    sent = len(talk.play.to_server)
    talk.client(rpc(prepare("SELECT 2"), execute(1)))
    assert "must not follow what gives one" in talk.heard[-3]
    assert len(talk.play.to_server) == sent


def test_rows_of_a_cursor_are_not_shown_by_what_its_text_means_since() -> None:
    talk = Talk(lambda _ask: Allow())
    talk.client(rpc(cursor()), rpc(call(7, handle(1))))
    assert len(talk.server.got) == 2
    secret = Column("shop", "dbo", "orders", "id")
    anew = replace(means(SELECT), filters=frozenset({secret}))
    with (
        mock.patch.object(View, "catalog", Catalog("shop", 2)),
        mock.patch("blastwall.protocols.tds.elsewhere.classify", return_value=anew),
    ):
        talk.client(rpc(call(7, handle(1))))
        assert "defined anew" in talk.heard[-3]
        talk.client(rpc(cursor()), rpc(call(7, handle(2))))
    assert len(talk.server.got) == 4


def test_a_bulk_load_is_announced_by_a_batch_alone() -> None:
    talk = Talk(lambda _ask: Allow(obligations=Obligations(limit_affected=3)))
    talk.client(rpc(executesql("INSERT BULK dbo.orders (id int)"), executesql("DELETE FROM dbo.orders")))
    assert "INSERT BULK must be a batch of its own" in talk.heard[0]
    assert not talk.play.to_server


@pytest.mark.parametrize(
    ("calls", "most"), [(5_001, "5,000 calls"), (13, "50,000 parameters")], ids=["calls", "parameters"]
)
def test_a_request_of_too_many_calls_or_parameters_is_not_read_to_its_end(calls: int, most: str) -> None:
    """Reading it takes seconds of everybody's time."""
    values = () if calls > 5_000 else (parameter(b"\x30\x01"),) * 4_000
    talk = Talk(judge)
    talk.client(rpc(*[call(12, *values)] * calls, b"\xff\xff not even calls"))
    assert most in talk.heard[0]
    assert talk.heard[1:] == ["doneproc failed", "|"]
    assert asked(talk)[0].operation == "OVERSIZED"
    assert not talk.play.to_server
