"""Clients that speak HTTP/2: the same requests, many at a time, judged one by one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    UPSTREAM,
    Admit,
    Allow,
    Answer,
    Ask,
    Deny,
    Dial,
    Finished,
    Login,
    Proof,
    Side,
    Stranger,
    Withdraw,
)
from blastwall.protocols.http.session import HttpSession
from blastwall.protocols.http.tests.plain import PlainFlavour
from blastwall.protocols.http.tests.server import TinyServer
from blastwall.protocols.http.tests.specimens import SPECIMENS, opening
from blastwall.protocols.http.tests.test_session import Silent, always
from blastwall.testing.playbook import Playbook


class Servers:
    """A tiny server for each connection."""

    def __init__(self, make: Callable[[], TinyServer] = TinyServer) -> None:
        self.by_side: dict[Side, TinyServer] = {}
        self._make = make

    def receive(self, side: Side, data: bytes) -> bytes:
        return self.by_side.setdefault(side, self._make()).receive(side, data)


@dataclass
class Told:
    """What came of one request."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    informed: list[int] = field(default_factory=list)


class Client:
    """A client of a session under play."""

    def __init__(
        self, rule: Callable[[Ask], Answer | None] = always, servers: Servers | None = None, *, takes: bool = True
    ) -> None:
        session = HttpSession(replace(opening(), plain_text=False, secured=True, alpn="h2"), PlainFlavour())
        self.play = Playbook(session, rule, servers or Servers(), SPECIMENS.look_up)
        self.frames = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.told: dict[int, Told] = {}
        self.terminated = False
        self._takes = takes
        self.frames.initiate_connection()
        self.go()

    def go(self) -> None:
        """Exchange what waits on both sides."""
        for _ in range(500):
            sent = self.frames.data_to_send()
            if sent and self.play.closed is None:
                self.play.client(sent)
            if not self.play.to_client and not (sent and self._takes):
                return
            came = bytes(self.play.to_client)
            self.play.to_client.clear()
            for event in self.frames.receive_data(came):
                self._happened(event)

    def _happened(self, event: object) -> None:
        if isinstance(event, ConnectionTerminated):
            self.terminated = True
        told = self.told.setdefault(getattr(event, "stream_id", 0) or 0, Told())
        if isinstance(event, ResponseReceived):
            told.fields = {str(name): str(value) for name, value in event.headers or []}
            told.status = int(told.fields[":status"])
        elif isinstance(event, InformationalResponseReceived):
            told.informed.append(int({str(name): str(value) for name, value in event.headers or []}[":status"]))
        elif isinstance(event, DataReceived):
            told.body += event.data or b""
            if self._takes:
                self.frames.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, StreamEnded):
            told.ended = True
        elif isinstance(event, StreamReset):
            told.reset = event.error_code

    def ask(
        self,
        method: str,
        path: str,
        *fields: tuple[str, str],
        body: bytes | None = None,
        token: str = "the-agents-token",
        host: str = "api.gw.example",
        ends: bool = True,
        pseudo: dict[str, str] | None = None,
    ) -> int:
        number = self.frames.get_next_available_stream_id()
        named = {":method": method, ":path": path, ":authority": host, ":scheme": "https", **(pseudo or {})}
        shown = [("authorization", f"Bearer {token}")] if token else []
        self.frames.send_headers(number, [*named.items(), *shown, *fields], end_stream=body is None and ends)
        if body is not None:
            self.frames.send_data(number, body, end_stream=ends)
        return number

    def statements(self) -> list[str]:
        return [ask.question.text for ask in self.play.asked if isinstance(ask.question, Statement)]


def test_requests_are_judged_and_answered_one_by_one() -> None:
    client = Client()
    first, second = (
        client.ask("GET", "/a?b=c"),
        client.ask("POST", "/b", ("content-type", "application/json"), body=b'{"d": 1}'),
    )
    client.go()
    assert [client.told[one].status for one in (first, second)] == [200, 200]
    assert client.told[second].body == b'/b {"d": 1}'
    assert client.told[first].ended
    assert client.statements() == ["GET https://api.gw.example/a?b=c", 'POST https://api.gw.example/b\n\n{"d": 1}']
    assert b"Authorization: Bearer upstream-secret" in client.play.to_server
    assert b"the-agents-token" not in client.play.to_server
    assert [type(ask.question) for ask in client.play.asked] == [Login, Statement, Statement]


def test_one_that_waits_holds_up_no_other() -> None:
    client = Client(lambda ask: None if "/held" in repr(ask.question) else always(ask))
    held, other = client.ask("DELETE", "/held"), client.ask("GET", "/b")
    client.go()
    assert held not in client.told or client.told[held].status == 0
    assert client.told[other].status == 200
    client.play.answer(next(a.number for a in client.play.asked if "/held" in repr(a.question)), Allow())
    client.go()
    assert client.told[held].status == 200
    assert len([event for event in client.play.events if isinstance(event, Dial)]) == 2


def test_a_refusal_is_one_requests_alone() -> None:
    client = Client(lambda ask: Deny("no") if "/no" in repr(ask.question) else always(ask))
    refused = client.ask("PUT", "/no", ("content-type", "text/plain"), body=b"x" * 1000, ends=False)
    client.go()
    allowed = client.ask("GET", "/yes")
    client.go()
    assert (client.told[refused].status, client.told[allowed].status) == (403, 200)
    assert client.told[refused].reset == 0
    assert b"xxx" not in client.play.to_server


def test_bodies_without_a_length_stream_in_chunks() -> None:
    client = Client()
    number = client.ask("PUT", "/files/a", ("content-type", "text/plain"), body=b"abc", ends=False)
    client.go()
    client.frames.send_data(number, b"defg", end_stream=True)
    client.go()
    assert client.told[number].body == b"/files/a abcdefg"
    assert b"Transfer-Encoding: chunked\r\n" in client.play.to_server
    assert bytes(client.play.to_server).endswith(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")


def test_a_body_of_another_length_than_was_told_is_refused() -> None:
    client = Client()
    number = client.ask("PUT", "/files/a", ("content-type", "text/plain"), ("content-length", "5"), body=b"abcdefgh")
    client.go()
    assert client.play.closed is not None or client.told[number].status == 400
    assert b"abcdefgh" not in client.play.to_server


def test_the_client_may_send_no_more_than_is_taken() -> None:
    client = Client(lambda ask: None if isinstance(ask.question, Statement) else always(ask))
    number = client.ask("PUT", "/held", ("content-type", "text/plain"), ends=False)
    client.go()
    sent = 0
    while (window := client.frames.local_flow_control_window(number)) > 0 and sent < 10 << 20:
        size = min(window, 16_384)
        client.frames.send_data(number, bytes(size))
        sent += size
        client.go()
    assert 0 < sent <= 512 * 1024
    assert not client.play.to_server


def test_frames_without_a_byte_cost_nothing_while_a_request_waits() -> None:
    client = Client(lambda ask: None if isinstance(ask.question, Statement) else always(ask))
    number = client.ask("PUT", "/held", ("content-type", "text/plain"), ends=False)
    client.go()
    empty = b"\0\0\0\0\0" + number.to_bytes(4, "big")
    client.play.client(empty)
    tracemalloc.start()
    try:
        for _ in range(5):
            client.play.client(empty * 1000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert client.play.closed is not None or kept < 128 * 1024


def test_an_answer_that_the_client_does_not_take_waits_here_and_is_counted() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000)
    client = Client(servers=Servers(lambda: TinyServer(answer)), takes=False)
    client.ask("GET", "/big")
    client.go()
    assert 900_000 < client.play.session.backlog(UPSTREAM) < 1_000_000


def test_a_client_that_waits_with_its_body_is_told_to_go_on() -> None:
    client = Client()
    number = client.ask("PUT", "/a", ("content-type", "text/plain"), ("expect", "100-continue"), ends=False)
    client.go()
    assert client.told[number].informed == [100]
    client.frames.send_data(number, b"abc", end_stream=True)
    client.go()
    assert client.told[number].body == b"/a abc"


@pytest.mark.parametrize(
    ("method", "path", "fields", "pseudo", "status"),
    [
        ("GET", "/a/../../b", [], {}, 400),
        ("GET", "/a%2fb", [], {}, 400),
        ("GET", "/a b", [], {}, 400),
        ("GET", "/a", [("x-original-url", "/b")], {}, 400),
        ("GET", "/a", [("x", "y\r\nz: 1")], {}, 400),
        ("GET", "/a", [("host", "evil.example")], {}, 400),
        ("GET", "/a", [], {":scheme": "http"}, 400),
        ("GET /b HTTP/1.1\r\nX:", "/a", [], {}, 400),
        ("TRACE", "/a", [], {}, 501),
        ("GET", "/a", [("transfer-encoding", "chunked")], {}, 400),
        ("GET", "/a", [("connection", "close")], {}, 400),
        ("GET", "http://evil.example/a", [], {}, 400),
        ("GET", "/a", [("expect", "nothing")], {}, 417),
    ],
)
def test_what_would_be_read_otherwise_in_http_1_is_refused(
    method: str, path: str, fields: list[tuple[str, str]], pseudo: dict[str, str], status: int
) -> None:
    client = Client()
    number = client.ask(method, path, *fields, pseudo=pseudo)
    client.go()
    assert client.play.closed is not None or client.told[number].status == status
    assert not client.play.to_server
    assert not client.play.asked


def test_another_principals_or_resources_request_needs_a_connection_of_its_own() -> None:
    client = Client(lambda ask: Stranger() if isinstance(ask.question, Proof) else always(ask))
    first = client.ask("GET", "/a")
    client.go()
    theirs = client.ask("GET", "/b", token="another")
    client.go()
    third = client.ask("GET", "/c")
    client.go()
    assert [client.told[one].status for one in (first, theirs, third)] == [200, 421, 200]


def test_proofs_are_looked_at_one_after_the_other() -> None:
    client = Client(lambda ask: None if isinstance(ask.question, Login) else Allow())
    for _ in range(3):
        client.ask("GET", "/a")
    client.go()
    assert [type(ask.question) for ask in client.play.asked] == [Login]
    client.play.answer(1, Admit(SPECIMENS.admit.upstream))
    client.go()
    assert len(client.statements()) == 3
    assert all(client.told[number].status == 200 for number in (1, 3, 5))


def test_a_request_that_is_taken_back_is_withdrawn_and_many_end_the_connection() -> None:
    client = Client(lambda ask: None if isinstance(ask.question, Statement) else always(ask))
    for count in range(300):
        if client.play.closed is None:
            number = client.ask("GET", "/a")
            client.frames.reset_stream(number)
            client.go()
            assert count <= 256
    assert client.play.closed is not None
    assert not client.play.to_server
    assert len([event for event in client.play.events if isinstance(event, Withdraw)]) <= 257


@pytest.mark.parametrize("answer", [Admit(SPECIMENS.admit.upstream), Deny("no")], ids=["admitted", "refused"])
def test_a_request_that_is_taken_back_while_its_proof_is_looked_at_leaves_that_to_its_end(answer: Answer) -> None:
    client = Client(lambda ask: None if isinstance(ask.question, Login) and ask.number == 1 else always(ask))
    first = client.ask("DELETE", "/taken-back")
    client.go()
    client.frames.reset_stream(first)
    second = client.ask("GET", "/b")
    client.go()
    assert [type(ask.question) for ask in client.play.asked] == [Login]
    client.play.answer(1, answer)
    client.go()
    assert client.told[second].status == 200
    assert client.statements() == ["GET https://api.gw.example/b"]
    assert b"taken-back" not in client.play.to_server
    assert not [event for event in client.play.events if isinstance(event, Withdraw)]


class Begins(TinyServer):
    """Never gets further than its answer's first line."""

    def receive(self, side: Side, data: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\n"


def test_what_runs_too_long_is_stopped_and_not_what_waits_for_people() -> None:
    client = Client(lambda ask: None if "held" in repr(ask.question) else always(ask), Servers(Begins))
    held, late, last = client.ask("DELETE", "/held"), client.ask("DELETE", "/held/too"), client.ask("GET", "/c")
    client.go()
    client.play.answer(next(ask.number for ask in client.play.asked if "/held/too" in repr(ask.question)), Allow())
    for stopped in (last, late):
        client.play._run(client.play.session.interrupted("it ran too long"))
        client.go()
        assert client.told[stopped].status == 503
    client.play._run(client.play.session.interrupted("nothing runs any more"))
    client.go()
    assert held not in client.told


def test_a_broken_answer_breaks_one_request() -> None:
    client = Client(servers=Servers(lambda: TinyServer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")))
    number = client.ask("GET", "/a")
    client.go()
    client.play._run(client.play.session.receive_eof(UPSTREAM))
    client.go()
    assert client.told[number].reset == 2
    assert client.play.closed is None
    assert [event.error is None for event in client.play.events if isinstance(event, Finished)] == [False]


def test_noise_ends_the_connection() -> None:
    client = Client()
    client.play.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")  # as a frame it would have four megabytes
    assert client.play.closed is not None
    assert not client.play.asked


def test_the_end_is_told_to_those_who_wait() -> None:
    client = Client(servers=Servers(Silent))
    number = client.ask("GET", "/a")
    client.go()
    client.play.terminate("shutting down")
    client.go()
    assert client.told[number].status == 503
    assert client.terminated
    assert client.play.closed == "shutting down"
