"""What drivers do besides plain statements: large objects by FunctionCall, names of their own, encodings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.model.ruling import Obligations
from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, Allow, Answer, Ask, Deny, Finished, Injected, Refused, Send
from blastwall.protocols.postgres.function_calls import LISTED, FunctionCall, decode_function_call, encode_function_call
from blastwall.protocols.postgres.messages import (
    SYNC,
    Parse,
    decode_query,
    encode_parameter_status,
    encode_parse,
    encode_ready,
    frame,
)
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, opening, query, startup
from blastwall.testing.playbook import Playbook, Rule
from blastwall.wire.reader import Malformed

OPEN = FunctionCall(952, (1,), (b"\0\0\x40\1", b"\0\2\0\0"), 1)
READ = FunctionCall(954, (1,), (b"\0\0\0\0", b"\0\0\0\x10"), 1)
RESULT = frame(b"V", b"\0\0\0\4\0\0\0\0")
MASKED = Allow(MaskRules(columns=(ColumnRule("emails", "public.customers.email", MaskStyle.REDACT),), key=b"k" * 32))


class Server(TinyServer):
    """A server that answers FunctionCall too."""

    def _answer(self, kind: bytes, body: bytes) -> bytes:
        return RESULT + encode_ready(b"I") if kind == b"F" else super()._answer(kind, body)


def started(rule: Rule = lambda _ask: Allow()) -> Playbook:
    def with_login(ask: Ask) -> Answer | None:
        return rule(ask) if isinstance(ask.question, Statement) else SPECIMENS.admit

    play = Playbook(SPECIMENS.session(), with_login, Server(), SPECIMENS.look_up)
    play.client(SPECIMENS.login)
    for seen in (play.to_client, play.to_server):
        seen.clear()
    play.events.clear()
    play.asked.clear()
    return play


def asked(play: Playbook) -> list[str]:
    return [ask.question.text for ask in play.asked if isinstance(ask.question, Statement)]


class TestFunctionCall:
    @pytest.mark.parametrize("oid", LISTED)
    def test_a_large_objects_function_is_asked_as_its_select_and_passed_on_as_it_came(self, oid: int) -> None:
        play = started()
        sent = encode_function_call(FunctionCall(oid, (), tuple(b"1" for _ in LISTED[oid].types), 1))
        play.client(sent)
        assert asked(play) == [LISTED[oid].text]
        assert bytes(play.to_server) == sent
        assert bytes(play.to_client) == RESULT + encode_ready(b"I")
        assert [event.error for event in play.events if isinstance(event, Finished)] == [None]

    def test_its_values_are_recorded(self) -> None:
        play = started()
        play.client(encode_function_call(OPEN))
        (statement,) = [ask.question for ask in play.asked if isinstance(ask.question, Statement)]
        assert [one.value for one in statement.parameters] == ["16385", "131072"]

    def test_a_refusal_is_native_and_the_session_goes_on(self) -> None:
        play = started(lambda ask: Deny("no") if "lo_open" in repr(ask.question) else Allow())
        play.client(encode_function_call(OPEN))
        assert encode_function_call(OPEN) not in bytes(play.to_server)
        assert SPECIMENS.refusals(bytes(play.to_client)) == 1
        play.client(query("SELECT 'afterwards'"))
        assert b"afterwards" in play.to_client

    def test_what_it_reads_cannot_be_masked_so_it_is_refused(self) -> None:
        play = started(lambda _ask: MASKED)
        play.client(encode_function_call(READ))
        assert encode_function_call(READ) not in bytes(play.to_server)
        assert b"cannot be masked" in play.to_client
        assert [type(event) for event in play.events if isinstance(event, Refused)] == [Refused]

    @pytest.mark.parametrize(
        "call",
        [
            FunctionCall(764, (), (b"/etc/passwd",)),  # lo_import reads the server's files
            FunctionCall(765, (), (b"1", b"/tmp/x")),  # lo_export writes them
            FunctionCall(16390, (), (b"1",)),  # a function of somebody's
            FunctionCall(952, (), (b"1",)),  # another number of values than lo_open has
            FunctionCall(2**32 - 1),
        ],
    )
    def test_every_other_one_is_refused_whatever_policy_says(self, call: FunctionCall) -> None:
        play = started()
        play.client(encode_function_call(call))
        assert encode_function_call(call) not in bytes(play.to_server)
        assert b"0A000" in play.to_client
        assert play.closed is None

    def test_a_result_that_nobody_asked_for_ends_the_session(self) -> None:
        play = started()
        play.from_server(RESULT)
        assert play.closed is not None

    def test_a_result_in_the_place_of_a_querys_ends_the_session(self) -> None:
        class Liar(Server):
            def _answer(self, kind: bytes, body: bytes) -> bytes:
                return RESULT

        play = started()
        liar = Liar()
        liar._started = True
        play.server = liar
        play.client(query("SELECT 1"))
        assert play.closed is not None
        assert RESULT not in bytes(play.to_client)

    def test_what_cannot_be_read_closes(self) -> None:
        for body in (b"", b"\0\0\3", encode_function_call(OPEN)[5:-1], encode_function_call(OPEN)[5:] + b"x"):
            with pytest.raises(Malformed):
                decode_function_call(body)
        assert decode_function_call(encode_function_call(OPEN)[5:]) == OPEN


class TestApplicationName:
    LABEL = SPECIMENS.admit.label

    @pytest.mark.parametrize(
        ("text", "sent"),
        [
            ("SET application_name = 'loader'", f"SET application_name TO '{LABEL} loader'"),
            ("set session application_name to loader", f"SET application_name TO '{LABEL} loader'"),
            ("SET LOCAL application_name = 'it''s'", f"SET LOCAL application_name TO '{LABEL} it''s'"),
            ("SET application_name = ''", f"SET application_name TO '{LABEL}'"),
            (
                "SELECT 1; SET application_name = 'x'; SELECT 2",
                f"SELECT 1; SET application_name TO '{LABEL} x'; SELECT 2",
            ),
            ("SET application_name = 'Z\\'", f"SET application_name TO '{LABEL} Z\\'"),
            ("SET application_name = 'é'", f"SET application_name TO '{LABEL} ?'"),
        ],
    )
    def test_the_label_stays_before_the_clients_own(self, text: str, sent: str) -> None:
        play = started()
        play.client(query(text))
        assert decode_query(bytes(play.to_server)[5:]) == sent
        assert [event.text for event in play.events if isinstance(event, Injected)] == [sent]
        play.to_server.clear()
        play.client(encode_parse(Parse("", text)) + SYNC if ";" not in text else b"")
        assert ";" in text or sent.encode() in bytes(play.to_server)

    def test_the_label_stays_in_a_query_that_is_sent_in_steps(self) -> None:
        play = started(lambda _ask: Allow(obligations=Obligations(limit_affected=1)))
        play.client(query("SET application_name = 'x'; DELETE FROM orders WHERE id = 1"))
        assert f"SET application_name TO '{self.LABEL} x'".encode() in bytes(play.to_server)
        assert b"application_name = 'x'" not in bytes(play.to_server)

    def test_each_name_is_read_anew(self) -> None:
        play = started()
        for name in ("first", "second", "third"):
            play.client(query(f"SET application_name = '{name}'"))
            assert f"SET application_name TO '{self.LABEL} {name}'".encode() in bytes(play.to_server)

    def test_it_is_never_longer_than_postgresql_keeps(self) -> None:
        play = started()
        play.client(query(f"SET application_name = '{'x' * 200}'"))
        assert f"'{self.LABEL} {'x' * (62 - len(self.LABEL))}'".encode() in bytes(play.to_server)

    def test_set_config_of_it_is_refused_whatever_policy_says(self) -> None:
        play = started()
        play.client(query("SELECT set_config('application_name', 'innocent', false)"))
        assert b"innocent" not in bytes(play.to_server)
        assert b"use SET application_name" in play.to_client

    def test_options_do_not_replace_it(self) -> None:
        play = Playbook(SPECIMENS.session(), lambda _ask: SPECIMENS.admit, Server(), SPECIMENS.look_up)
        play.client(startup(options="-c application_name=innocent") + SPECIMENS.login[-11:])
        assert self.LABEL.encode() in bytes(play.to_server)
        assert b"innocent" not in bytes(play.to_server)

    def test_the_client_is_told_its_own(self) -> None:
        play = started()
        play.from_server(encode_parameter_status("application_name", f"{self.LABEL} loader"))
        play.from_server(encode_parameter_status("application_name", self.LABEL))
        told = encode_parameter_status("application_name", "loader") + encode_parameter_status("application_name", "")
        assert bytes(play.to_client) == told


class TestEncodings:
    @pytest.mark.parametrize(
        "text",
        [
            "SET client_encoding TO 'LATIN1'",
            "SET NAMES 'SJIS'",
            "SELECT set_config('client_encoding', 'GBK', false)",
            "SET standard_conforming_strings = off",
            "SELECT 1; SET client_encoding = 'BIG5'",
        ],
    )
    def test_what_could_not_be_judged_afterwards_is_refused_before_it_is_sent(self, text: str) -> None:
        play = started()
        play.client(query(text))
        assert text.encode() not in bytes(play.to_server)
        assert b"0A000" in play.to_client
        assert play.closed is None

    @pytest.mark.parametrize("name", ["UTF8", "UNICODE", "utf-8", "Unicode", "SQL_ASCII"])
    def test_every_name_of_utf8_is_taken(self, name: str) -> None:
        play = started()
        play.client(query(f"SET client_encoding TO '{name}'"))
        play.from_server(encode_parameter_status("client_encoding", name))
        assert play.closed is None
        assert encode_parameter_status("client_encoding", name) in bytes(play.to_client)

    def test_a_client_that_connects_in_another_one_is_told_which_to_use(self) -> None:
        outputs = PostgresSession(opening()).receive(CLIENT, startup(client_encoding="EUC_JP"))
        told = b"".join(bytes(one.span) for one in outputs if isinstance(one, Send))
        assert b"C0A000\0" in told
        assert b"UTF8 only: connect without client_encoding 'EUC_JP'" in told


class TestAFullHouse:
    def test_a_client_is_told_before_it_shows_its_token(self) -> None:
        session = PostgresSession(replace(opening(), full="too many; try again later"))
        play = Playbook(session, lambda _ask: None, Server(), SPECIMENS.look_up)
        play.client(startup())
        assert play.closed is not None
        assert b"53300" in play.to_client
        assert b"try again later" in play.to_client
        assert not play.asked
        assert not play.to_server
