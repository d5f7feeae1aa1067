"""Conversations: what a thief's client and a lying server try, and what an honest client must not notice."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FunctionType, ModuleType

import pytest

from blastwall.masking.plan import DetectorFailed, MaskPlan
from blastwall.model.credential import Credential
from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.resource import Address, TlsMode
from blastwall.model.statement import Stage, Statement
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Allow,
    Answer,
    Ask,
    Claim,
    Close,
    Deny,
    Dial,
    Finished,
    Hangup,
    Held,
    Injected,
    Interrupt,
    Login,
    Lookup,
    Refused,
    Send,
    Side,
    StartTls,
    Vacate,
    Withdraw,
)
from blastwall.protocols.postgres.conversation import FAILING
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.messages import (
    FLUSH,
    SYNC,
    TERMINATE,
    Bind,
    Execute,
    Field,
    Named,
    Parse,
    cstring,
    encode_bind,
    encode_close,
    encode_data_row,
    encode_execute,
    encode_parameter_status,
    encode_parse,
    encode_ready,
    encode_row_description,
    frame,
)
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.startup import (
    AUTH_CLEARTEXT,
    AUTH_OK,
    GSSENC_REQUEST,
    PROTOCOL_3_2,
    SSL_REQUEST,
    CancelKey,
    Startup,
    encode_authentication,
    encode_cancel,
    encode_password,
    encode_request,
    encode_startup,
)
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import RELATIONS, SPECIMENS, extended, opening, query, startup
from blastwall.sql.postgres import Attachments, Catalog, Function, Relation
from blastwall.sql.postgres.recall import Texts
from blastwall.testing.playbook import Playbook

MASKS = MaskRules(columns=(ColumnRule("emails", "public.customers.email", MaskStyle.REDACT),), key=b"k" * 32)
EMAIL = Field("email", 16385, 3, 25)
SECRET = "ada@example.com"

Rule = Callable[[Ask], Answer | None]


def allow(_ask: Ask) -> Answer:
    return Allow()


def masked(_ask: Ask) -> Answer:
    return Allow(MASKS)


def executions(rule: Callable[[Statement], Answer | None]) -> Rule:
    """Judge executions only."""

    def judge(ask: Ask) -> Answer | None:
        assert isinstance(ask.question, Statement)
        return rule(ask.question) if ask.question.stage is Stage.EXECUTE else Allow()

    return judge


def play(rule: Rule = allow, server: TinyServer | None = None) -> Playbook:
    def by_rule(ask: Ask) -> Answer | None:
        return SPECIMENS.admit if isinstance(ask.question, Login) else rule(ask)

    book = Playbook(PostgresSession(opening()), by_rule, server or TinyServer(), SPECIMENS.look_up)
    book.client(SPECIMENS.login)
    assert book.closed is None
    book.to_client.clear()
    book.to_server.clear()
    return book


def tiny(book: Playbook) -> TinyServer:
    assert isinstance(book.server, TinyServer)
    return book.server


def reached(start: object, *kinds: type) -> Iterator[object]:
    """Everything of these kinds that an object keeps alive; what belongs to modules and classes is left out."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        if isinstance(each, kinds):
            yield each
        waiting += gc.get_referents(each)


def answers(book: Playbook) -> list[str]:
    return list(SPECIMENS.answers(bytes(book.to_client)))


def statements(book: Playbook) -> list[str]:
    return [ask.question.text for ask in book.asked if isinstance(ask.question, Statement)]


class TestNames:
    """A name never means something else to the server than to the gateway."""

    def deny_deletes(self) -> Rule:
        return executions(lambda one: Deny("no") if one.operation == "DELETE" else Allow())

    @pytest.mark.parametrize("slow", [False, True])
    def test_a_replacement_that_the_server_ignored_is_not_believed(self, slow: bool) -> None:
        book = play(self.deny_deletes())
        book.client(encode_parse(Parse("s", "DELETE FROM orders")) + SYNC)
        tiny(book).slow = slow
        attack = (
            extended("SELECT 'FAILS'", sync=False)
            + encode_close(Named("S", "s"))
            + encode_parse(Parse("s", "SELECT 'harmless'"))
            + SYNC
            + encode_bind(Bind("", "s"))
            + encode_execute(Execute(""))
            + SYNC
        )
        book.client(attack)
        if slow:
            tiny(book).slow = False
            book.from_server(tiny(book).late)
        assert "DELETE FROM orders" not in tiny(book).texts
        assert statements(book)[-1] == "DELETE FROM orders"

    def test_a_duplicate_that_the_server_refuses_is_not_believed(self) -> None:
        server = TinyServer()
        server.slow = False
        book = play(self.deny_deletes(), server)
        book.client(encode_parse(Parse("s", "DELETE FROM orders")) + SYNC)
        server.slow = True
        book.client(encode_parse(Parse("s", "SELECT 1")) + SYNC + encode_bind(Bind("", "s")) + SYNC)
        asked = len(book.asked)
        duplicate = frame(b"E", b'SERROR\0C42P05\0Mprepared statement "s" already exists\0\0') + encode_ready(b"I")
        book.from_server(duplicate)
        assert len(book.asked) == asked + 1
        assert statements(book)[-1] == "DELETE FROM orders"

    def test_a_statement_prepared_by_sql_is_known_to_bind(self) -> None:
        server = TinyServer()
        book = play(self.deny_deletes(), server)
        server._prepared["p"] = "DELETE FROM orders"
        book.client(query("PREPARE p AS DELETE FROM orders"))
        book.client(encode_bind(Bind("", "p")) + encode_execute(Execute("")) + SYNC)
        assert statements(book)[-1].endswith("DELETE FROM orders")
        assert "DELETE FROM orders" not in server.texts

    def test_what_is_named_alone_says_so(self) -> None:
        """The same EXECUTE asks the same for whatever the name stands for, so nobody can approve it."""
        book = play()
        for text in ("DELETE FROM orders WHERE id = 1", "DELETE FROM orders"):
            book.client(encode_parse(Parse("d", text)) + SYNC + query("EXECUTE d"))
            book.client(encode_bind(Bind("", "d")) + encode_execute(Execute("")) + encode_close(Named("S", "d")) + SYNC)
        asked = [one.question for one in book.asked if isinstance(one.question, Statement)]
        assert {one.by_name for one in asked if one.text == "EXECUTE d"} == {True}
        assert {one.by_name for one in asked if one.text != "EXECUTE d"} == {False}

    def test_a_value_is_asked_for_with_the_type_that_it_is_declared_to_have(self) -> None:
        book = play()
        book.client(
            encode_parse(Parse("", "SELECT $1, $2, $3, $4", (1186, 0, 4711)))
            + encode_bind(Bind("", "", (), (b"1",) * 4))
        )
        (statement,) = [
            one.question for one in book.asked if isinstance(one.question, Statement) and one.question.parameters
        ]
        assert [each.declared for each in statement.parameters] == ["interval", "", "type 4711", ""]

    @pytest.mark.parametrize(
        "unknown", [encode_bind(Bind("", "nobody")), encode_execute(Execute("cursor"))], ids=["Bind", "Execute"]
    )
    def test_what_was_never_judged_is_never_run(self, unknown: bytes) -> None:
        book = play()
        book.client(unknown + SYNC)
        assert unknown not in bytes(book.to_server)
        assert b"does not exist" in book.to_client
        assert answers(book) == ["refused"]

    def test_policy_that_changed_after_bind_is_asked_again(self) -> None:
        book = play()
        book.client(encode_parse(Parse("", "SELECT 1")) + encode_bind(Bind("p", "")) + FLUSH)
        book.session.reconsider()
        asked = len(book.asked)
        book.rule = lambda _ask: Deny("policy changed")
        book.client(encode_execute(Execute("p")) + SYNC)
        assert len(book.asked) == asked + 1
        assert tiny(book).texts == []
        assert b"policy changed" in book.to_client

    @pytest.mark.parametrize("changed", [False, True])
    def test_what_was_allowed_is_not_sent_under_an_old_policy_because_another_waited(self, changed: bool) -> None:
        book = play(lambda ask: Held("waits for dba") if "held" in repr(ask) else Allow())
        book.client(query("SELECT 'first'; SELECT 'held'"))
        if changed:
            book.session.reconsider()
        book.answer(book.asked[-1].number, Allow())
        assert (b"policy changed while another statement" in book.to_client) is changed
        assert bool(tiny(book).texts) is not changed

    @pytest.mark.parametrize("changed", [False, True])
    def test_what_waits_alone_is_ruled_on_at_its_release(self, changed: bool) -> None:
        book = play(lambda _ask: Held("waits for dba"))
        book.client(query("SELECT 'held'"))
        if changed:
            book.session.reconsider()
        book.answer(book.asked[-1].number, Allow())
        assert tiny(book).texts == ["SELECT 'held'"]

    @pytest.mark.parametrize("redefined", [False, True])
    @pytest.mark.parametrize("how", [query, extended])
    def test_what_was_defined_anew_while_it_waited_is_not_sent(
        self, how: Callable[[str], bytes], redefined: bool
    ) -> None:
        """Another session of the agent may replace a view while people think about a statement on it."""
        book = play(lambda ask: Held("waits") if getattr(ask.question, "stage", "") == Stage.EXECUTE else Allow())
        book.client(how("SELECT id FROM orders"))
        assert isinstance(book.session, PostgresSession)
        talk = book.session._conversation
        assert talk is not None
        view = Relation(16390, "public", "orders", "v", ("id",), "SELECT customers.id FROM public.customers", (23,))
        relations = (RELATIONS[0], view if redefined else RELATIONS[1])
        catalog = Catalog("shop", 2, relations, (), talk.snapshot.catalog.schemas, ("$user", "public"))
        talk._view.snapshot = replace(talk.snapshot, catalog=catalog, texts=Texts())
        book.answer(book.asked[-1].number, Allow())
        assert (b"defined anew while it waited" in book.to_client) is redefined
        assert bool(tiny(book).texts) is not redefined

    def test_binding_a_value_of_a_type_does_what_the_types_checks_do(self) -> None:
        """A Parse may declare a parameter to be of a domain, whose check is code that the text does not name."""
        book = play(lambda ask: Allow())
        assert isinstance(book.session, PostgresSession)
        talk = book.session._conversation
        assert talk is not None
        check = Function("public", "checks", "c", "v", False, "f", 16500)
        known = Attachments(type_code={16501: (16500,)})
        catalog = Catalog("shop", 2, RELATIONS, (check,), talk.snapshot.catalog.schemas, ("$user", "public"), known)
        talk._view.snapshot = replace(talk.snapshot, catalog=catalog, texts=Texts())
        book.client(encode_parse(Parse("", "SELECT $1", (16501,))) + SYNC)
        asked = getattr(book.asked[-1].question, "effects", ())
        assert [str(effect.action) for effect in asked if effect.object.path[-1] == "checks"] == ["execute"]


class TestVacating:
    """The gateway's own sessions leave a database before a statement is sent that needs it for itself."""

    @pytest.mark.parametrize("sent", [query("DROP DATABASE trial"), extended("DROP DATABASE trial")])
    def test_it_is_left_before_the_statement_is_sent(self, sent: bytes) -> None:
        book = play(lambda ask: None if "DROP" in repr(ask) else Allow())
        book.client(sent)
        assert [event for event in book.events if isinstance(event, Vacate)] == []
        outputs = book.session.answer(book.asked[-1].number, Allow())
        assert [type(output) for output in outputs][:2] == [Vacate, Send]
        assert outputs[0] == Vacate("trial")

    def test_a_refused_statement_has_nothing_left(self) -> None:
        book = play(lambda ask: Deny("no") if "second" in repr(ask) else Allow())
        book.client(query("DROP DATABASE trial; SELECT 'second'"))
        assert answers(book) == ["refused"]
        assert not any(isinstance(event, Vacate) for event in book.events)


class TestRefusal:
    def test_the_rest_of_the_pipeline_is_neither_asked_nor_sent(self) -> None:
        book = play(lambda ask: Deny("no") if "second" in repr(ask) else Allow())
        book.client(extended("SELECT 'first'", sync=False) + extended("SELECT 'second'", sync=False))
        book.client(extended("SELECT 'third'"))
        assert tiny(book).texts == ["SELECT 'first'"]
        assert not any("third" in text for text in statements(book))
        assert answers(book) == ["SELECT 'first'", "refused"]

    def test_a_query_of_several_is_refused_whole(self) -> None:
        book = play(lambda ask: Deny("no") if "DELETE" in repr(ask) else Allow())
        book.client(query("SELECT 1; DELETE FROM orders; SELECT 2"))
        assert tiny(book).texts == []
        assert answers(book) == ["refused"]
        assert [type(e) for e in book.events if isinstance(e, Refused | Withdraw)] == [Refused, Withdraw]

    def test_a_cancel_reaches_what_runs_and_what_waits(self) -> None:
        server = TinyServer()
        book = play(lambda ask: Held("waits for dba") if "held" in repr(ask) else Allow(), server)
        server.slow = True
        book.client(extended("SELECT 'runs'", sync=False) + extended("SELECT 'held'"))
        book.interrupt()
        assert server.cancels
        assert any(isinstance(event, Withdraw) for event in book.events)
        assert b"held" not in book.to_server

    @pytest.mark.parametrize("how", ["it ends", "no TLS", "unreachable"])
    @pytest.mark.parametrize("message", [query("SELECT 'next'"), extended("SELECT 'next'")])
    @pytest.mark.parametrize("known", [False, True])
    def test_a_cancel_hits_nothing_that_is_sent_after_it(self, known: bool, message: bytes, how: str) -> None:
        server = TinyServer()
        book = play(allow, server)
        for _ in range(3 if known else 0):
            book.client(message)
        server.slow, book.brief = True, False
        book.client(query("SELECT 'runs'"))
        book.interrupt()
        book.interrupt()
        book.from_server(server.late)
        server.slow = False
        before = len(server.texts)
        book.client(message)
        assert len(server.texts) == before
        assert book.session.backlog(CLIENT) == len(message)
        for side in (Side(2), Side(3)):
            assert len(server.texts) == before
            if how == "it ends":
                book.ends(side)
            elif how == "no TLS":
                book.from_server(b"N", side)
            else:
                book.dial_fails(side)
        assert server.texts[before:] == ["SELECT 'next'"]
        assert answers(book)[-1] == "SELECT 'next'"

    def test_the_function_call_message_is_refused_even_where_policy_allows_all(self) -> None:
        book = play()
        book.client(frame(b"F", b"\0\0\0\1\0\0\0\0\0\0"))
        assert b"FunctionCall" in book.to_client
        assert FAILING.encode() in book.to_server
        assert len(statements(book)) == 1

    def test_several_commands_in_one_parse_are_unclassified(self) -> None:
        book = play()
        book.client(encode_parse(Parse("", "SELECT 1; SELECT 2")) + SYNC)
        asked = book.asked[-1].question
        assert isinstance(asked, Statement)
        assert [effect.action for effect in asked.effects] == ["unclassified"]

    def test_a_held_statement_tells_the_client_at_once(self) -> None:
        book = play(lambda _ask: Held("waits for dba"))
        book.client(query("SELECT 1"))
        assert b"waits for dba" in book.to_client
        assert not book.to_server

    def test_a_cancel_during_a_hold_withdraws_it_and_the_session_lives(self) -> None:
        book = play(lambda _ask: Held("waits for dba"))
        book.client(query("DELETE FROM orders"))
        book.interrupt()
        assert any(isinstance(event, Withdraw) for event in book.events)
        assert b"57014" in book.to_client
        book.rule = allow
        book.client(query("SELECT 2"))
        assert tiny(book).texts == ["SELECT 2"]

    def test_what_is_injected_is_marked_before_it_is_sent(self) -> None:
        book = play(lambda _ask: Deny("no"))
        book.client(query("DROP TABLE orders"))
        assert [event.text for event in book.events if isinstance(event, Injected)] == [FAILING]


class TestCatalog:
    def test_definitions_are_read_anew_at_commit_even_if_the_client_takes_no_more_answers(self) -> None:
        server = TinyServer()
        book = play(allow, server)
        server.slow = True
        book.client(query("BEGIN; CREATE TABLE fresh (n int); COMMIT; SELECT 'endless'"))
        looked_up = [event for event in book.events if isinstance(event, Lookup)]
        book.from_server(b"".join(frame(b"C", cstring(tag)) for tag in ("BEGIN", "CREATE TABLE", "COMMIT")))
        assert len([event for event in book.events if isinstance(event, Lookup)]) == len(looked_up) + 1

    def test_a_commit_reads_them_once(self) -> None:
        server = TinyServer()
        book = play(allow, server)
        server.slow = True
        before = sum(isinstance(event, Lookup) for event in book.events)
        book.client(query("BEGIN; CREATE TABLE fresh (n int); COMMIT"))
        tags = b"".join(frame(b"C", cstring(tag)) for tag in ("BEGIN", "CREATE TABLE", "COMMIT"))
        book.from_server(tags + encode_ready(b"I"))
        assert sum(isinstance(event, Lookup) for event in book.events) == before + 1

    def test_the_client_is_not_told_who_the_gateway_logs_in_as(self) -> None:
        failing = frame(b"E", b'SFATAL\0C28P01\0Mpassword authentication failed for user "app"\0\0')

        class Refusing(TinyServer):
            def receive(self, side: Side, data: bytes) -> bytes:
                return failing

        book = Playbook(PostgresSession(opening()), lambda _ask: SPECIMENS.admit, Refusing(), SPECIMENS.look_up)
        book.client(SPECIMENS.login)
        assert b"could not log in" in book.to_client
        assert b"app" not in book.to_client
        assert book.closed is not None
        assert "password authentication failed" in book.closed


class TestMasking:
    def server(self, *fields: Field) -> TinyServer:
        return TinyServer(fields or (EMAIL,), [SECRET.encode()])

    @pytest.mark.parametrize("describe", [True, False])
    @pytest.mark.parametrize("results", [(), (1,)])
    def test_a_portal_is_described_before_it_is_run(self, describe: bool, results: tuple[int, ...]) -> None:
        book = play(masked, self.server())
        parse = encode_parse(Parse("", "SELECT email FROM customers"))
        named = b"D" + b"\0\0\0\6P\0" if describe else b""
        book.client(parse + encode_bind(Bind("", "", results=results)) + named + encode_execute(Execute("")) + SYNC)
        assert SECRET.encode() not in book.to_client
        assert (b"T\0\0" in book.to_client) is describe
        assert answers(book)[-1].startswith("[redacted")

    def test_the_simple_protocol(self) -> None:
        book = play(masked, self.server())
        book.client(query("SELECT email FROM customers"))
        assert SECRET.encode() not in book.to_client
        finished = [event for event in book.events if isinstance(event, Finished)]
        assert finished[-1].rows == 1
        assert dict(finished[-1].masked) == {"emails": 1}

    @pytest.mark.parametrize("origin", [(0, 0), (16385, 0), (99999, 1)], ids=["none", "whole row", "unknown table"])
    def test_what_cannot_be_traced_is_masked_whole(self, origin: tuple[int, int]) -> None:
        book = play(masked, self.server(Field("x", *origin, 25)))
        book.client(query("SELECT f(email) FROM customers"))
        assert SECRET.encode() not in book.to_client

    def test_an_unmasked_table_passes_untouched(self) -> None:
        book = play(masked, self.server(Field("total", 16390, 3, 25)))
        book.client(query("SELECT total FROM orders"))
        assert answers(book) == [SECRET]

    def test_a_copy_of_masked_values_is_refused_before_it_is_sent(self) -> None:
        book = play(masked)
        book.client(query("CREATE TABLE stolen AS SELECT email FROM customers"))
        assert tiny(book).texts == []
        assert b"masking refuses" in book.to_client
        assert any(isinstance(event, Refused) for event in book.events)

    def test_rows_without_a_description_close(self) -> None:
        book = play(masked, self.server())
        tiny(book).slow = True
        book.client(query("SELECT email FROM customers"))
        book.from_server(encode_data_row([SECRET.encode()]))
        assert book.closed is not None
        assert SECRET.encode() not in book.to_client

    def test_a_row_of_another_width_closes(self) -> None:
        book = play(masked, TinyServer((EMAIL,), [b"1", SECRET.encode()]))
        book.client(query("SELECT email FROM customers"))
        assert book.closed is not None
        assert SECRET.encode() not in book.to_client

    @pytest.mark.parametrize("size", [1, 3, 7, 1000])
    def test_detectors_see_rows_however_they_arrive(self, size: int) -> None:
        rules = MaskRules(detect=(DetectRule("mail", ("email",), MaskStyle.REDACT),), key=b"k" * 32)
        book = play(lambda _ask: Allow(rules), self.server(Field("note", 16390, 2, 25)))
        book.cut = lambda data: [data[n : n + size] for n in range(0, len(data), size)]
        book.client(query("SELECT customer FROM orders"))
        assert SECRET.encode() not in book.to_client
        assert len(answers(book)) == 1

    def test_a_detector_that_fails_closes_the_result(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(_plan: MaskPlan, _buffer: bytes, _places: object) -> object:
            raise DetectorFailed("email")

        monkeypatch.setattr(MaskPlan, "mask_cells", broken)
        book = play(masked, self.server())
        book.client(query("SELECT email FROM customers"))
        assert book.closed is not None
        assert SECRET.encode() not in book.to_client
        assert b"cannot be masked" in book.to_client


class TestServer:
    """A server that answers what was not asked."""

    @pytest.mark.parametrize(
        "message",
        [
            encode_data_row([b"x"]),
            frame(b"C", cstring("SELECT 1")),
            frame(b"1", b""),
            frame(b"2", b""),
            encode_ready(b"I"),
            frame(b"G", b"\0\0\0"),
            frame(b"H", b"\0\0\0"),
            frame(b"W", b"\0\0\0"),
            frame(b"d", b"x"),
            frame(b"V", b"\0\0\0\0"),
            encode_authentication(AUTH_CLEARTEXT),
            encode_authentication(AUTH_OK),
            b"Z\0\0\0\1",
            b"\x00\xff\xff\xff\xff",
            encode_parameter_status("client_encoding", "LATIN1"),
            encode_parameter_status("standard_conforming_strings", "off"),
        ],
    )
    def test_closes_the_session(self, message: bytes) -> None:
        book = play()
        book.from_server(message)
        assert book.closed is not None
        assert b"FATAL" in book.to_client

    def test_answering_a_refused_statement_with_rows_closes(self) -> None:
        server = TinyServer()
        book = play(lambda _ask: Deny("no"), server)
        server.slow = True
        book.client(query("DROP TABLE orders"))
        book.from_server(encode_data_row([b"gone"]))
        assert book.closed is not None
        assert b"gone" not in book.to_client

    def test_leaving_tells_the_client(self) -> None:
        book = play()
        outputs = book.session.receive_eof(UPSTREAM)
        assert isinstance(outputs[-1], Close)
        assert any(isinstance(one, Send) and b"08006" in bytes(one.span) for one in outputs)


class TestCopyIn:
    COPY = "COPY orders FROM STDIN"

    def begin(self, sent: bytes) -> Playbook:
        server = TinyServer()
        book = play(allow, server)
        server.slow = True
        book.client(sent)
        return book

    def test_data_is_passed_on_only_while_a_copy_is_under_way(self) -> None:
        book = play()
        book.client(frame(b"d", b"1\t2\t3\n") + frame(b"c", b""))
        assert not book.to_server
        assert book.closed is None

    def test_nothing_else_is_asked_until_it_has_ended(self) -> None:
        book = self.begin(query(self.COPY))
        book.from_server(frame(b"G", b"\0\0\0"))
        book.client(frame(b"d", b"1\t1\t1\n") + frame(b"c", b"") + query("SELECT 'sneaked in'"))
        assert b"sneaked in" not in book.to_server
        book.from_server(frame(b"C", cstring("COPY 1")) + encode_ready(b"I"))
        assert b"sneaked in" in book.to_server
        finished = [event for event in book.events if isinstance(event, Finished)]
        assert finished[-1].affected == 1

    def test_one_query_may_copy_several_times(self) -> None:
        book = self.begin(query(f"{self.COPY}; {self.COPY}; SELECT 1"))
        for count in ("COPY 1", "COPY 2"):
            book.from_server(frame(b"G", b"\0\0\0"))
            book.client(frame(b"d", b"1\t1\t1\n") + frame(b"c", b""))
            book.from_server(frame(b"C", cstring(count)))
        assert [event.affected for event in book.events if isinstance(event, Finished)][-2:] == [1, 2]
        book.from_server(encode_row_description([EMAIL]) + encode_data_row([b"1"]) + frame(b"C", cstring("SELECT 1")))
        book.from_server(encode_ready(b"I"))
        book.client(query("SELECT 'afterwards'"))
        assert b"afterwards" in book.to_server
        book.from_server(encode_row_description([EMAIL]) + encode_data_row([b"2"]) + frame(b"C", cstring("SELECT 1")))
        book.from_server(encode_ready(b"I"))
        assert book.closed is None

    def test_a_question_in_the_middle_of_the_data_closes(self) -> None:
        book = self.begin(query(self.COPY))
        book.client(query("SELECT 'sneaked in'"))
        assert book.closed is None
        book.from_server(frame(b"G", b"\0\0\0"))
        assert book.closed is not None
        assert b"sneaked in" not in book.to_server

    def test_the_sync_that_a_server_ignores_while_copying_is_not_owed(self) -> None:
        book = self.begin(
            encode_parse(Parse("", self.COPY)) + encode_bind(Bind("", "")) + encode_execute(Execute("")) + SYNC
        )
        book.from_server(frame(b"1", b"") + frame(b"2", b"") + frame(b"G", b"\0\0\0"))
        book.client(frame(b"d", b"1\t1\t1\n") + frame(b"c", b"") + SYNC)
        book.from_server(frame(b"C", cstring("COPY 1")) + encode_ready(b"I"))
        assert book.closed is None
        book.client(query("SELECT 1"))
        assert query("SELECT 1") in bytes(book.to_server)


class TestStart:
    def session(self, **changes: object) -> PostgresSession:
        return PostgresSession(replace(opening(), plain_text=False))

    def feed(self, session: PostgresSession, data: bytes) -> list[object]:
        return list(session.receive(CLIENT, data))

    def test_plain_text_is_refused_with_what_to_do(self) -> None:
        outputs = self.feed(self.session(), startup())
        assert b"sslmode=verify-full" in bytes(outputs[0].span) if isinstance(outputs[0], Send) else False
        assert isinstance(outputs[-1], Close)

    def test_bytes_before_tls_close(self) -> None:
        outputs = self.feed(self.session(), encode_request(SSL_REQUEST) + b"x")
        assert not any(isinstance(one, StartTls) for one in outputs)
        assert isinstance(outputs[-1], Close)

    def test_a_client_that_leaves_before_it_begins_hears_of_no_error(self) -> None:
        (only,) = self.feed(self.session(), TERMINATE + encode_request(SSL_REQUEST))
        assert isinstance(only, Close)

    def test_tls_then_startup(self) -> None:
        session = self.session()
        outputs = self.feed(session, encode_request(GSSENC_REQUEST))
        assert outputs == [Send(CLIENT, b"N")]
        outputs = self.feed(session, encode_request(SSL_REQUEST))
        assert outputs == [Send(CLIENT, b"S"), StartTls(CLIENT, ("postgresql",))]
        assert session.tls_started(CLIENT, None, b"") == []
        outputs = self.feed(session, startup())
        assert outputs == [Send(CLIENT, encode_authentication(AUTH_CLEARTEXT))]

    def test_direct_tls_hands_over_its_first_bytes(self) -> None:
        session = self.session()
        assert self.feed(session, b"\x16\x03\x01hello") == [StartTls(CLIENT, ("postgresql",), b"\x16\x03\x01hello")]
        assert isinstance(session.tls_started(CLIENT, None, b"")[-1], Close)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"replication": "true"},
            {"replication": "database"},
            {"role": "postgres"},
            {"options": "-c role=postgres"},
            {"options": "--role=postgres"},
            {"options": "-c session_authorization=postgres"},
            {"options": "-c standard_conforming_strings=off"},
            {"options": "-crole=postgres"},
            {"options": "-P"},
            {"client_encoding": "LATIN1"},
            {"session_preload_libraries": "x"},
        ],
    )
    def test_settings_that_need_more_than_connect_are_refused(self, parameters: dict[str, str]) -> None:
        outputs = list(PostgresSession(opening()).receive(CLIENT, startup(**parameters)))
        assert isinstance(outputs[-1], Close)
        assert not any(isinstance(one, Ask | Dial) for one in outputs)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"options": "-c statement_timeout=5s -c search_path=public"},
            {"client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "UTC"},
            {"client_encoding": "'utf-8'"},
            {"extra_float_digits": "2"},
        ],
    )
    def test_settings_of_ordinary_drivers_pass(self, parameters: dict[str, str]) -> None:
        outputs = list(PostgresSession(opening()).receive(CLIENT, startup(**parameters)))
        assert outputs == [Send(CLIENT, encode_authentication(AUTH_CLEARTEXT))]

    def test_what_was_shown_at_the_login_is_forgotten(self) -> None:
        secret = "token-that-nobody-else-has-" * 20
        session = PostgresSession(opening())
        book = Playbook(
            session,
            lambda ask: SPECIMENS.admit if isinstance(ask.question, Login) else allow(ask),
            TinyServer(),
            SPECIMENS.look_up,
        )
        book.client(startup() + encode_password(secret.encode()))
        book.client(query("SELECT 1"))
        assert answers(book) == ["SELECT 1"]
        assert not any(secret in str(each) for each in reached(session, bytes, str))

    def test_an_unknown_database_is_refused_before_anything_is_dialled(self) -> None:
        book = Playbook(PostgresSession(opening()), lambda _ask: SPECIMENS.admit, TinyServer(), SPECIMENS.look_up)
        packet = encode_startup(Startup(196608, {"user": "ci", "database": "secrets"}))
        book.client(packet + encode_password(b"token"))
        assert book.closed is not None
        assert not any(isinstance(event, Dial) for event in book.events)
        assert b"3D000" in book.to_client

    def test_protocol_3_2_gets_a_long_cancel_key(self) -> None:
        book = Playbook(PostgresSession(opening()), lambda _ask: SPECIMENS.admit, TinyServer(), SPECIMENS.look_up)
        packet = encode_startup(Startup(PROTOCOL_3_2, {"user": "ci", "database": "shop", "_pq_.new": "1"}))
        book.client(packet + encode_password(b"token"))
        (claimed,) = [event for event in book.events if isinstance(event, Claim)]
        assert len(claimed.handle) == 36
        assert b"_pq_.new" in book.to_client
        assert claimed.handle in bytes(book.to_client)

    def test_a_cancel_request_interrupts_by_its_handle_alone(self) -> None:
        key = CancelKey(77, b"key!")
        outputs = self.feed(self.session(), encode_cancel(key))
        assert outputs == [Interrupt(key.handle), Close("a cancel request")]

    def test_a_catalog_that_cannot_be_read_lets_nobody_in(self) -> None:
        def broken(_lookup: Lookup) -> object:
            return ConnectionError("refused")

        book = Playbook(PostgresSession(opening()), lambda _ask: SPECIMENS.admit, TinyServer(), broken)
        book.client(SPECIMENS.login)
        assert book.closed is not None
        assert b"nothing can be judged" in book.to_client
        assert b"refused" not in book.to_client
        assert book.closed.endswith("refused")


class TestLimit:
    @pytest.mark.parametrize("code", ["57014", "22012"])
    def test_a_statement_that_the_gateway_cancels_is_told_why(self, code: str) -> None:
        server = TinyServer()
        book = play(allow, server)
        server.slow = True
        book.client(query("SELECT 'long'"))
        book.interrupt("it ran too long")
        assert server.cancels
        book.from_server(encode_error(code, "as the server says it") + encode_ready(b"I"))
        assert (b"it ran too long" in book.to_client) is (code == "57014")
        assert (b"as the server says it" in book.to_client) is (code != "57014")
        (finished,) = [event for event in book.events if isinstance(event, Finished)]
        assert (finished.error == "57014: it ran too long") is (code == "57014")


class TestEnd:
    def test_terminating_while_a_statement_runs_cancels_it(self) -> None:
        server = TinyServer()
        book = play(allow, server)
        server.slow = True
        book.client(query("SELECT 'long'"))
        book.terminate("contained")
        assert server.cancels
        assert Hangup(CLIENT) in book.events
        assert book.closed == "contained"

    def test_the_end_waits_for_the_cancel_and_for_nothing_else(self) -> None:
        server = TinyServer()
        book = play(allow, server)
        server.slow = True
        book.client(query("SELECT 'long'"))
        session = book.session
        (dial,) = [output for output in session.terminate("contained") if isinstance(output, Dial)]
        assert list(session.terminate("again")) == []
        assert list(session.receive(CLIENT, query("SELECT 1"))) == []
        assert list(session.receive_eof(UPSTREAM)) == []
        hangup, finished, closed = session.dial_failed(dial.upstream, "refused")
        assert (hangup, closed) == (Hangup(dial.upstream), Close("contained"))
        assert isinstance(finished, Finished)
        assert finished.error == "the session ended before its answer did"

    def test_a_message_of_our_own_is_never_put_into_a_half_passed_one(self) -> None:
        book = play(allow, TinyServer())
        tiny(book).slow = True
        book.client(query("SELECT 'long'"))
        description = tiny(book).late[: tiny(book).late.index(b"D\0\0")]
        book.from_server(description + encode_data_row([b"y" * 100])[:50])
        passed = len(book.to_client)
        book.terminate("contained")
        assert len(book.to_client) == passed

    def test_the_clients_goodbye_is_passed_on(self) -> None:
        book = play()
        book.client(TERMINATE)
        assert bytes(book.to_server) == TERMINATE
        assert book.closed is not None


def test_the_credential_is_not_in_any_repr() -> None:
    admit = Admit(Credential("app", b"upstream-secret"), "x")
    session = PostgresSession(opening())
    session.receive(CLIENT, SPECIMENS.login)
    assert "upstream-secret" not in repr(admit)
    assert "token" not in repr(Login("ci", b"token", "shop")).replace("Login", "")
    tls = Address("db", 5432, TlsMode.VERIFY_FULL)
    assert str(tls) == "db:5432"
