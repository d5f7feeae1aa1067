"""A hostile client and a hostile server, message by message: the other side is safe, and the session ends or goes on.

Every case is played without I/O. Nothing may raise (a relay would call that a fault of ours), nothing of a refused
statement may be forwarded, and what a peer sends without end may not pile up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, UPSTREAM, Allow, Answer, Ask, Close, Deny, Finished, Limits, Side
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.function_calls import FunctionCall, encode_function_call
from blastwall.protocols.postgres.messages import (
    FLUSH,
    SYNC,
    TERMINATE,
    Bind,
    Execute,
    Field,
    Named,
    Parse,
    encode_bind,
    encode_close,
    encode_data_row,
    encode_describe,
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
    AUTH_MD5,
    AUTH_OK,
    AUTH_SASL,
    AUTH_SASL_CONTINUE,
    AUTH_SASL_FINAL,
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    SSL_REQUEST,
    CancelKey,
    encode_authentication,
    encode_key,
    encode_negotiate,
    encode_request,
)
from blastwall.protocols.postgres.tests.server import STATUS, TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, extended, opening, query, startup
from blastwall.testing.playbook import Playbook

FORBIDDEN = "SELECT 'forbidden fruit'"
MARK = b"forbidden fruit"
KINDS = [bytes([kind]) for kind in range(256)]
BODIES = (b"", b"\0", b"\0" * 40, b"\xff" * 40, b"s\0SELECT 1\0\xff\xff", b"P\0", b"name\0\x7f\xff\xff\xff")
LENGTHS = (b"\0\0\0\0", b"\0\0\0\3", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff")


def judge(ask: Ask) -> Answer:
    if not isinstance(ask.question, Statement):
        return SPECIMENS.admit
    return Deny("no") if MARK.decode() in ask.question.text else Allow()


def played(server: TinyServer | None = None) -> Playbook:
    return Playbook(PostgresSession(opening()), judge, server or TinyServer(), SPECIMENS.look_up)


def logged_in() -> Playbook:
    play = played()
    play.client(SPECIMENS.login)
    return play


def in_a_copy() -> Playbook:
    class Copying(TinyServer):
        def _query(self, text: str) -> bytes:
            return frame(b"G", b"\0\0\0") if text.startswith("COPY") else super()._query(text)

    play = played(Copying())
    play.client(SPECIMENS.login + query("COPY orders FROM STDIN"))
    return play


def discarding() -> Playbook:
    play = logged_in()
    play.client(extended(FORBIDDEN, sync=False))
    return play


def unanswered() -> Playbook:
    server = TinyServer()
    play = played(server)
    play.client(SPECIMENS.login)
    server.slow = True
    play.client(extended("SELECT 1", sync=False))
    return play


STATES: dict[str, Callable[[], Playbook]] = {
    "at the start": played,
    "logged in": logged_in,
    "in a COPY": in_a_copy,
    "after a refusal": discarding,
    "with answers owed": unanswered,
}


def safe(play: Playbook) -> None:
    """Whatever came before: what is refused is not forwarded now, and the session ends or goes on."""
    if play.closed is None:
        play.client(SYNC + query(FORBIDDEN) + extended(FORBIDDEN))
    assert MARK not in bytes(play.to_server)
    assert b"a fault of the gateway" not in bytes(play.to_client)


@pytest.mark.parametrize("state", STATES)
class TestHostileClient:
    def test_every_message_in_every_state(self, state: str) -> None:
        for kind, body in product(KINDS, BODIES):
            play = STATES[state]()
            play.client(frame(kind, body))
            safe(play)

    def test_impossible_lengths(self, state: str) -> None:
        for kind, length in product((b"Q", b"P", b"B", b"D", b"E", b"C", b"F", b"S", b"H", b"d", b"X", b"p"), LENGTHS):
            play = STATES[state]()
            play.client(kind + length)
            play.client(b"\0" * 100)
            safe(play)

    def test_a_goodbye_in_the_middle(self, state: str) -> None:
        play = STATES[state]()
        play.client(TERMINATE + query(FORBIDDEN))
        assert play.closed is not None
        assert MARK not in bytes(play.to_server)

    @settings(max_examples=100, deadline=None)
    @given(pieces=st.lists(st.sampled_from(
        [SYNC, FLUSH, query("SELECT 1"), query(FORBIDDEN), encode_parse(Parse("s", "SELECT $1")),
         encode_parse(Parse("s", FORBIDDEN)), encode_bind(Bind("p", "s", (), (b"1",))), encode_bind(Bind("", "nobody")),
         encode_execute(Execute("p")), encode_execute(Execute("", -1)), encode_describe(Named("P", "p")),
         encode_describe(Named("S", "s")), encode_close(Named("S", "s")), encode_close(Named("P", "p")),
         frame(b"d", b"1\n"), frame(b"c", b""), frame(b"f", b"why\0"), query("COPY orders FROM STDIN"),
         encode_function_call(FunctionCall(952, (), (b"1", b"2"))), frame(b"p", b"token\0"), startup(),
         encode_request(SSL_REQUEST)]), max_size=12))  # fmt: skip
    def test_any_order(self, state: str, pieces: list[bytes]) -> None:
        play = STATES[state]()
        for piece in pieces:
            if play.closed is None:
                play.client(piece)
        safe(play)


class TestHostileStart:
    @pytest.mark.parametrize(
        "sent",
        [
            startup() + startup(),
            encode_request(SSL_REQUEST) + encode_request(SSL_REQUEST),
            encode_request(SSL_REQUEST) + query(FORBIDDEN),
            encode_request(GSSENC_REQUEST) + encode_request(GSSENC_REQUEST),
            encode_request(CANCEL_REQUEST),
            startup() + SYNC,
            startup() + frame(b"p", b"no end"),
            startup() + frame(b"p", b"\0" * 20_000),
            startup(search_path='"half') + frame(b"p", b"token\0"),
            startup(options='-c search_path="') + frame(b"p", b"token\0"),
            SPECIMENS.login + frame(b"p", b"token\0"),
            SPECIMENS.login + b"\0" * 30_000,
        ],
    )
    @pytest.mark.parametrize("step", [1, 7, 1 << 20])
    def test_closes_with_nothing_asked_of_the_resource(self, sent: bytes, step: int) -> None:
        play = played()
        for start in range(0, len(sent), step):
            if play.closed is None:
                play.client(sent[start : start + step])
        assert play.closed is not None
        assert "SELECT" not in repr(play.asked)
        assert MARK not in bytes(play.to_server)

    def test_a_second_request_for_tls_inside_tls(self) -> None:
        play = played()
        play.client(encode_request(SSL_REQUEST))
        play.client(encode_request(SSL_REQUEST))
        assert play.closed is not None

    def test_byte_by_byte_is_only_slow(self) -> None:
        play = played()
        for byte in SPECIMENS.login + query("SELECT 'slow'") + extended(FORBIDDEN):
            play.client(bytes([byte]))
        assert play.closed is None
        assert b"slow" in play.to_client
        assert MARK not in bytes(play.to_server)


class TestFloods:
    def test_of_syncs_without_an_answer(self) -> None:
        """A server that does not answer is asked for so much and no more: the rest waits, counted."""
        play = unanswered()
        flood = SYNC * 100_000
        for start in range(0, len(flood), 1 << 16):
            play.client(flood[start : start + (1 << 16)])
        assert play.session.backlog(CLIENT) > len(flood) // 2
        assert bytes(play.to_server).count(SYNC) < 20_000

    def test_of_syncs_with_answers_is_served(self) -> None:
        play = logged_in()
        play.to_client.clear()
        play.client(SYNC * 20_000)
        assert bytes(play.to_client) == encode_ready(b"I") * 20_000

    def test_of_flushes(self) -> None:
        play = logged_in()
        play.client(FLUSH * 50_000)
        assert play.session.backlog(CLIENT) == 0

    @pytest.mark.timeout(60)
    def test_of_a_large_message_in_small_parts_takes_linear_time(self) -> None:
        """Joining what has arrived anew for every part would take minutes."""
        play = played()
        play.session = PostgresSession(replace(opening(), limits=Limits()))
        play.client(SPECIMENS.login + encode_parse(Parse("", "SELECT $1::text")) + FLUSH)
        large = encode_bind(Bind("", "", (), (b"x" * (24 << 20),))) + encode_execute(Execute("")) + SYNC
        for start in range(0, len(large), 4096):
            play.client(large[start : start + 4096])
        assert len(play.to_server) > len(large)

    @pytest.mark.parametrize("kind", [b"B", b"P", b"Q", b"F", b"d"])
    def test_what_is_over_the_limit_is_never_kept(self, kind: bytes) -> None:
        play = logged_in()
        play.client(kind + (100 << 20).to_bytes(4, "big"))
        for _ in range(100):
            if play.closed is None:
                play.client(b"\0" * 65536)
        assert play.session.backlog(CLIENT) < 1 << 17
        assert len(play.to_server) < 10_000


def talking(rule: Callable[[Ask], Answer] = judge) -> Playbook:
    """A session whose server says only what the test says."""
    server = TinyServer()
    play = Playbook(PostgresSession(opening()), rule, server, SPECIMENS.look_up)
    play.client(SPECIMENS.login)
    server.slow = True
    for seen in (play.to_client, play.to_server):
        seen.clear()
    return play


DESCRIBED = encode_row_description((Field("a", 0, 0, 25),))
ROW = encode_data_row([b"x"])
DONE = frame(b"C", b"SELECT 1\0")
READY = encode_ready(b"I")
LIES = {
    "an answer that nobody asked for": b"" + DONE,
    "rows that nobody asked for": ROW,
    "a second ReadyForQuery": READY,
    "a ParseComplete": frame(b"1", b""),
    "an authentication request": encode_authentication(AUTH_CLEARTEXT),
    "a request for our password again": encode_authentication(AUTH_MD5, b"salt"),
    "a start of COPY": frame(b"G", b"\0\0\0"),
    "a COPY both ways": frame(b"W", b"\0\0\0"),
    "a protocol negotiation": encode_negotiate(196608, ["_pq_.x"]),
    "a key": encode_key(CancelKey(9, b"abcd")),
    "a length that lies": b"C\0\0\0\3",
    "a negative length": b"D\xff\xff\xff\xff",
    "an endless one": b"N\x7f\xff\xff\xff",
    "an unknown type": frame(b"?", b""),
    "another encoding": encode_parameter_status("client_encoding", "SJIS"),
    "backslashes": encode_parameter_status("standard_conforming_strings", "off"),
    "a path that cannot be read": encode_parameter_status("search_path", '"half'),
    "a description that ends early": frame(b"T", b"\0\2a\0"),
    "an error without its end": frame(b"E", b"SERROR\0"),
    "an error of nothing": frame(b"E", b"\0"),
    "a status that does not exist": frame(b"Z", b"X"),
    "no status": frame(b"Z", b""),
}


class TestHostileServer:
    @pytest.mark.parametrize("lie", LIES)
    def test_ends_the_session_while_nothing_is_asked(self, lie: str) -> None:
        play = talking()
        play.from_server(LIES[lie])
        if play.closed is None:
            play.client(query("SELECT 1"))  # an error between statements is the server's right
            assert lie.startswith("an error") or play.closed is not None

    @pytest.mark.parametrize(
        "lie", sorted(set(LIES) - {"an answer that nobody asked for", "a second ReadyForQuery", "a ParseComplete"})
    )
    @pytest.mark.parametrize("asked", [query("SELECT 1"), extended("SELECT 1")], ids=["simple", "extended"])
    def test_ends_the_session_while_it_owes_an_answer(self, asked: bytes, lie: str) -> None:
        play = talking()
        play.client(asked)
        play.from_server(LIES[lie])
        assert play.closed is not None
        assert b"FATAL" in play.to_client
        assert [event for event in play.events if isinstance(event, Close)]

    def test_what_it_says_twice(self) -> None:
        play = talking()
        play.client(query("SELECT 1"))
        play.from_server(DESCRIBED + ROW + DONE + READY + DONE + READY)
        assert play.closed is not None
        assert b"FATAL" in play.to_client

    def test_every_message_at_every_place(self) -> None:
        answer = (DESCRIBED, ROW, DONE, READY)
        for place, kind, body in product(range(len(answer)), KINDS, BODIES[:4]):
            play = talking()
            play.client(query("SELECT 1"))
            play.from_server(b"".join(answer[:place]) + frame(kind, body))
            for part in answer[place:]:
                if play.closed is None:
                    play.from_server(part)

    @pytest.mark.parametrize("endless", [frame(b"N", encode_error("00000", "note")[5:]), ROW,
                                         encode_parameter_status("TimeZone", "UTC"),
                                         frame(b"A", b"\0\0\0\1c\0p\0")])  # fmt: skip
    def test_what_never_ends_is_passed_on_and_never_kept(self, endless: bytes) -> None:
        play = talking()
        play.client(query("SELECT 1"))
        play.from_server(DESCRIBED)
        for _ in range(300):
            play.from_server(endless * 100 + endless[:3])
            play.from_server(endless[3:])
            play.to_client.clear()
        assert play.closed is None
        assert play.session.backlog(UPSTREAM) < 1 << 16

    def test_leaves_at_every_byte(self) -> None:
        said = DESCRIBED + ROW + DONE + READY
        for end in range(len(said)):
            play = talking()
            play.client(query("SELECT 1"))
            play.from_server(said[:end])
            play._run(play.session.receive_eof(UPSTREAM))
            assert play.closed is not None
            assert sum(isinstance(event, Finished) for event in play.events) <= 1


class Logging(TinyServer):
    """A server that says at login what the test says, one part for each message of ours."""

    def __init__(self, *parts: bytes) -> None:
        super().__init__()
        self._parts = list(parts)

    def receive(self, side: Side, data: bytes) -> bytes:
        return self._parts.pop(0) if side == UPSTREAM and self._parts else b""


OK = encode_authentication(AUTH_OK) + b"".join(encode_parameter_status(*one) for one in STATUS.items())
KEY = encode_key(CancelKey(7, b"\0\0\0\1"))
SASL = encode_authentication(AUTH_SASL, b"SCRAM-SHA-256\0\0")


class TestHostileLogin:
    @pytest.mark.parametrize(
        "parts",
        [
            (encode_authentication(AUTH_SASL_FINAL, b"v=abc"),),
            (encode_authentication(AUTH_SASL, b"UNKNOWN\0\0"),),
            (encode_authentication(AUTH_SASL, b""),),
            (encode_authentication(99),),
            (SASL, OK + KEY + READY),
            (SASL, SASL),
            (SASL, encode_authentication(AUTH_SASL_FINAL, b"v=abc")),
            (SASL, encode_authentication(AUTH_SASL_CONTINUE, b"r=x,s=eA==,i=1")),
            (SASL, encode_authentication(AUTH_SASL_CONTINUE, b"")),
            (READY,),
            (KEY,),
            (OK + encode_key(CancelKey(7, b"abc")) + READY,),
            (OK + encode_key(CancelKey(7, b"x" * 257)) + READY,),
            (OK + KEY + READY + READY,),
            (OK + KEY + ROW,),
            (encode_negotiate(196608, []),),
            (OK + encode_negotiate(196608, ["x"]),),
            (encode_error("28P01", "no", severity="FATAL"),),
            (frame(b"E", b"\0"),),
            (b"N\x7f\xff\xff\xff",),
            (OK + frame(b"N", encode_error("00000", "x" * 1000)[5:]) * 400,),
            (OK + b"".join(encode_parameter_status(f"s{n}", "x" * 100) for n in range(4000)),),
            (OK + encode_parameter_status("client_encoding", "SJIS") + KEY + READY,),
            (OK + encode_parameter_status("search_path", '"half') + KEY + READY,),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
        ],
    )
    def test_lets_nobody_in(self, parts: tuple[bytes, ...]) -> None:
        play = Playbook(PostgresSession(opening()), judge, Logging(*parts), SPECIMENS.look_up)
        play.client(SPECIMENS.login + query(FORBIDDEN))
        assert play.closed is not None
        assert b"FATAL" in play.to_client
        assert SPECIMENS.admit.upstream.secret not in bytes(play.to_client)
        assert MARK not in bytes(play.to_server)

    def test_one_round_of_scram_and_no_more(self) -> None:
        """Each round may cost a second of hashing: a server gets one."""

        class Endless(TinyServer):
            rounds = 0

            def receive(self, side: Side, data: bytes) -> bytes:
                if not self.rounds:
                    self.rounds = 1
                    return SASL
                self.rounds += 1
                if self.rounds == 2:
                    self.nonce = data.rpartition(b"r=")[2]
                if self.rounds > 50:
                    return b""
                return encode_authentication(AUTH_SASL_CONTINUE, b"r=" + self.nonce + b"more,s=c2FsdA==,i=4096")

        server = Endless()
        play = Playbook(PostgresSession(opening()), judge, server, SPECIMENS.look_up)
        play.client(SPECIMENS.login)
        assert play.closed is not None
        assert server.rounds == 3

    def test_without_a_key_there_is_nothing_to_cancel_and_everything_else_works(self) -> None:
        server = Logging(OK + READY)
        play = Playbook(PostgresSession(opening()), judge, server, SPECIMENS.look_up)
        play.client(SPECIMENS.login)
        assert play.closed is None
        play.client(query("SELECT 1"))
        play.interrupt()
        assert play.closed is None
        assert not server.cancels
