"""A client's connection as a conversation: who is let in, what is passed on, what the client hears."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from blastwall.model.credential import Credential
from blastwall.model.masks import DetectRule, MaskRules, MaskStyle
from blastwall.model.resource import Address, TlsMode
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Allow,
    Answer,
    Ask,
    Close,
    Deny,
    Dial,
    Finished,
    Handover,
    Hangup,
    Held,
    Login,
    Opening,
    Proof,
    Refused,
    Renewal,
    Repeat,
    Send,
    StartTls,
    Stranger,
    Streamed,
    Unproven,
    Withdraw,
)
from blastwall.protocols.http.arriving import read_arrived
from blastwall.protocols.http.normalise import STRICT
from blastwall.protocols.http.session import HttpSession
from blastwall.protocols.http.tests.plain import PlainFlavour
from blastwall.protocols.http.tests.server import TinyServer
from blastwall.protocols.http.tests.specimens import SPECIMENS, chunked, opening, request, with_body
from blastwall.protocols.standing import Standing
from blastwall.testing.playbook import Playbook

packed = partial(gzip.compress, mtime=0)
"""The same bytes in every process: they name tests."""


def always(ask: Ask) -> Answer | None:
    return SPECIMENS.admit if isinstance(ask.question, Login | Proof | Renewal) else Allow()


def play(
    rule: Callable[[Ask], Answer | None] = always,
    server: TinyServer | None = None,
    flavour: PlainFlavour | None = None,
    opened: Opening | None = None,
) -> Playbook:
    session = HttpSession(opened or opening(), flavour or PlainFlavour())
    return Playbook(session, rule, server or TinyServer(), SPECIMENS.look_up)


def statements(conversation: Playbook) -> list[str]:
    return [ask.question.text for ask in conversation.asked if isinstance(ask.question, Statement)]


def status(conversation: Playbook) -> list[int]:
    """The statuses that the client was given."""
    lines = bytes(conversation.to_client).split(b"HTTP/1.1 ")[1:]
    return [int(line[:3]) for line in lines]


def events(conversation: Playbook, kind: type) -> list[object]:
    return [event for event in conversation.events if isinstance(event, kind)]


# ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestWhoAsks:
    def test_a_request_without_a_token_is_challenged_and_asks_nothing(self) -> None:
        talk = play()
        talk.client(request("GET /a", token=b""))
        assert status(talk) == [401]
        assert b"WWW-Authenticate: Bearer" in talk.to_client
        assert not talk.events
        talk.client(request("GET /a"))
        assert status(talk) == [401, 200]

    def test_the_body_of_a_challenged_request_is_dropped(self) -> None:
        talk = play()
        talk.client(request("PUT /a", "Content-Length: 3", token=b"", body=b"abc"))
        talk.client(chunked("PUT /a", b"abcdefghijk").replace(b"Authorization: Bearer the-agents-token\r\n", b""))
        talk.client(request("GET /a"))
        assert status(talk) == [401, 401, 200]
        assert statements(talk) == ["GET http://api.gw.example/a"]

    @pytest.mark.parametrize("shown", ["Basic YTpi", "Bearer", "Bearer ", "Negotiate x", "bearerx"])
    def test_what_is_no_bearer_proves_nothing(self, shown: str) -> None:
        talk = play()
        talk.client(request("GET /a", f"Authorization: {shown}", token=b""))
        assert status(talk) == [401]
        assert not talk.asked

    def test_the_same_token_is_asked_about_once(self) -> None:
        talk = play()
        talk.client(request("GET /a") + request("GET /b"))
        assert [type(ask.question) for ask in talk.asked] == [Login, Statement, Statement]

    def test_another_token_is_looked_at_again_and_brings_its_credential(self) -> None:
        def rule(ask: Ask) -> Answer:
            return Admit(Credential("", b"second")) if isinstance(ask.question, Proof) else always(ask) or Allow()

        talk = play(rule)
        talk.client(request("GET /a") + request("GET /b", token=b"another") + request("GET /c", token=b"another"))
        asked = [ask.question for ask in talk.asked]
        assert [type(question) for question in asked] == [Login, Statement, Proof, Statement, Statement]
        assert b"Bearer second" in talk.to_server

    def test_another_principals_request_goes_to_a_session_of_its_own_whole(self) -> None:
        talk = play(lambda ask: Stranger() if isinstance(ask.question, Proof) else always(ask))
        theirs = with_body("PUT /b", b"{}").replace(b"the-agents", b"others")
        talk.client(request("GET /a") + theirs + request("GET /c"))
        assert talk.events[-1] == Handover("api.gw.example", theirs + request("GET /c"))
        assert statements(talk) == ["GET http://api.gw.example/a"]

    def test_a_token_that_does_not_hold_is_challenged_and_another_may_be_shown(self) -> None:
        answers: list[Answer] = [Deny("the token has expired"), SPECIMENS.admit]
        talk = play(lambda ask: answers.pop(0) if isinstance(ask.question, Login) else Allow())
        talk.client(request("GET /a") + request("GET /a", token=b"fresh"))
        assert status(talk) == [401, 200]
        assert b"the token has expired" in talk.to_client

    def test_a_token_that_has_ended_meanwhile_is_challenged(self) -> None:
        answers: list[Answer] = [Unproven("the token has expired"), Allow()]
        talk = play(lambda ask: answers.pop(0) if isinstance(ask.question, Statement) else SPECIMENS.admit)
        talk.client(request("GET /a") + request("GET /b", token=b"fresh"))
        assert status(talk) == [401, 200]

    def test_no_token_of_the_clients_reaches_the_resource(self) -> None:
        talk = play()
        talk.client(request("GET /a") + with_body("POST /b", b"{}"))
        assert b"the-agents-token" not in talk.to_server
        assert bytes(talk.to_server).count(b"Bearer upstream-secret") == 2

    def test_a_token_for_the_resource_goes_to_a_verified_one_alone(self) -> None:
        talk = play(lambda ask: Admit(Credential("", b"t", token=True)) if isinstance(ask.question, Login) else Allow())
        talk.client(request("GET /a"))
        assert status(talk) == [502]
        assert not talk.to_server
        assert events(talk, Refused)

    def test_a_credential_that_comes_with_the_ruling_is_used(self) -> None:
        talk = play(
            lambda ask: Allow(upstream=Credential("", b"newer")) if isinstance(ask.question, Statement) else always(ask)
        )
        talk.client(request("GET /a"))
        assert b"Bearer newer" in talk.to_server


class TestWhichResource:
    def test_a_request_for_another_resource_is_handed_over_whole(self) -> None:
        talk = play(opened=replace(opening(), reached=lambda name: "other" if name == "b.example" else "api"))
        theirs = request("GET /b", host="B.example:8443") + request("GET /c")
        talk.client(request("GET /a") + theirs)
        assert talk.events[-1] == Handover("b.example", theirs)

    def test_a_request_for_no_resource_is_refused(self) -> None:
        talk = play(opened=replace(opening(), reached=lambda name: "api" if name == "api.gw.example" else ""))
        talk.client(request("GET /a", host="169.254.169.254") + request("GET /b"))
        assert status(talk) == [421, 200]
        assert statements(talk) == ["GET http://api.gw.example/b"]

    def test_only_the_configured_host_is_dialled_whatever_the_request_says(self) -> None:
        talk = play()
        talk.client(request("GET /latest/meta-data", host="169.254.169.254"))
        assert [event.target for event in talk.events if isinstance(event, Dial)] == [
            Address("127.0.0.1", 8080, TlsMode.DISABLE)
        ]
        assert b"Host: 127.0.0.1:8080" in talk.to_server


# ── the transport ────────────────────────────────────────────────────────────────────────────────────────────────────


class TestTls:
    def test_the_first_byte_says_it(self) -> None:
        talk = play()
        talk.client(b"\x16\x03\x01\x02\x00")
        assert talk.events == [StartTls(CLIENT, ("http/1.1", "h2"), b"\x16\x03\x01\x02\x00")]
        talk.client(request("GET /a"))
        assert statements(talk) == ["GET https://api.gw.example/a"]

    def test_plain_text_is_refused_where_it_is_not_allowed(self) -> None:
        talk = play(opened=replace(opening(), plain_text=False))
        talk.client(request("GET /a"))
        assert status(talk) == [400]
        assert talk.closed is not None
        assert not talk.asked

    def test_a_connection_that_is_handed_over_has_its_tls(self) -> None:
        talk = play(opened=replace(opening(), plain_text=False, secured=True))
        talk.client(request("GET /a"))
        assert status(talk) == [200]

    def test_the_resource_is_dialled_with_tls_first(self) -> None:
        secure = replace(opening().resource, upstream=Address("api.example", 443))
        talk = play(opened=replace(opening(), resource=secure))
        talk.client(request("GET /a"))
        dialled = [event for event in talk.events if isinstance(event, Dial | StartTls)]
        assert dialled == [Dial(UPSTREAM, secure.upstream), StartTls(UPSTREAM, ("http/1.1",))]
        assert b"Host: api.example\r\n" in talk.to_server


# ── rulings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestRulings:
    def test_a_held_request_waits_and_is_sent_once_it_is_allowed(self) -> None:
        talk = play(lambda ask: Held("waits for dba") if isinstance(ask.question, Statement) else always(ask))
        talk.client(with_body("PUT /a", b"{}"))
        assert not talk.to_server
        assert not talk.to_client
        talk.answer(talk.asked[-1].number, Allow())
        assert status(talk) == [200]

    def test_a_quota_is_told_as_one(self) -> None:
        talk = play(lambda ask: Deny("slow down", retry=True) if isinstance(ask.question, Statement) else always(ask))
        talk.client(request("GET /a"))
        assert status(talk) == [429]

    def test_the_gateways_own_trouble_is_not_told_as_the_clients(self) -> None:
        talk = play(lambda ask: always(ask) if isinstance(ask.question, Login) else Deny("broken", fault=True))
        talk.client(request("GET /a"))
        assert status(talk) == [503]
        talk = play(lambda _ask: Deny("broken", fault=True))
        talk.client(request("GET /a"))
        assert status(talk) == [503]

    def test_leaving_ends_what_runs(self) -> None:
        talk = play(server=TinyServer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
        talk.client(request("GET /a"))
        talk.leave()
        (finished,) = [event for event in talk.events if isinstance(event, Finished)]
        assert (finished.bytes, finished.error) == (3, "the client left")
        assert isinstance(talk.events[-1], Close)

    def test_leaving_while_the_proof_is_looked_at_withdraws_it(self) -> None:
        talk = play(lambda _ask: None)
        talk.client(request("GET /a"))
        talk.leave()
        assert events(talk, Withdraw) == [Withdraw(1)]

    def test_a_refused_upload_is_dropped_and_the_connection_works(self) -> None:
        talk = play(lambda ask: Deny("no") if "PUT" in repr(ask.question) else always(ask))
        talk.client(with_body("PUT /a", b"z" * 100_000, "text/plain") + request("GET /b"))
        assert status(talk) == [403, 200]
        assert b"zzz" not in talk.to_server

    def test_one_that_is_too_long_to_drop_ends_the_connection(self) -> None:
        talk = play(lambda ask: Deny("no") if "PUT" in repr(ask.question) else always(ask))
        talk.client(with_body("PUT /a", b"", "text/plain").replace(b"Length: 0", b"Length: 99999999"))
        assert b"Connection: close" in talk.to_client
        for _ in range(17):
            talk.client(bytes(1 << 20)) if talk.closed is None else None
        assert talk.closed is not None


class TestBodies:
    def test_a_body_that_is_judged_is_sent_as_it_was_judged(self) -> None:
        talk = play()
        told = b'{"deny": "me"}'
        talk.client(with_body("POST /a", gzip.compress(told), "application/json", "Content-Encoding: gzip"))
        assert statements(talk) == ['POST http://api.gw.example/a\n\n{"deny": "me"}']
        assert bytes(talk.to_server).endswith(b"Content-Length: 14\r\n\r\n" + told)
        assert b"Content-Encoding" not in talk.to_server

    @pytest.mark.parametrize(
        ("coding", "body", "told"),
        [
            ("gzip", packed(b"0" * 1_000_000), 413),
            ("gzip", packed(b"{}") + packed(b"{}"), 400),
            ("gzip", packed(b"{}")[:-3], 400),
            ("gzip", b"{}", 400),
            ("gzip, gzip", packed(packed(b"{}")), 415),
            ("compress", b"{}", 415),
        ],
    )
    def test_one_that_cannot_be_judged_is_refused_and_recorded(self, coding: str, body: bytes, told: int) -> None:
        talk = play()
        talk.client(with_body("POST /a", body, "application/json", f"Content-Encoding: {coding}") + request("GET /b"))
        assert status(talk) == [told, 200]
        assert len(events(talk, Refused)) == 1
        assert b"/a" not in talk.to_server

    def test_a_client_that_waits_with_its_body_is_told_to_send_it(self) -> None:
        talk = play()
        whole = with_body("PUT /a", b"streamed", "text/plain", "Expect: 100-continue")
        talk.client(whole[:-8])
        assert bytes(talk.to_client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert b"Expect" not in talk.to_server
        talk.client(whole[-8:])
        assert status(talk) == [100, 200]

    def test_one_that_is_refused_is_not_and_its_connection_ends(self) -> None:
        talk = play(lambda ask: Deny("no") if isinstance(ask.question, Statement) else always(ask))
        talk.client(with_body("PUT /a", b"", "text/plain", "Expect: 100-continue").replace(b"th: 0", b"th: 8"))
        assert status(talk) == [403]
        assert talk.closed is not None

    def test_the_trailer_of_a_request_is_not_passed_on(self) -> None:
        talk = play()
        sent = chunked("PUT /a", b"abc")
        talk.client(sent[:-2] + b"X-Copy-Source: https://elsewhere\r\n\r\n")
        assert status(talk) == [200]
        assert b"elsewhere" not in talk.to_server

    def test_tiny_chunks_do_not_become_as_many_writes(self) -> None:
        talk = play()
        talk.client(request("GET /a"))
        head, _, rest = request("PUT /a", "Transfer-Encoding: chunked").partition(b"\r\n\r\n")
        outputs = [*talk.session.receive(CLIENT, head + b"\r\n\r\n" + rest + b"1\r\na\r\n" * 10_000)]
        (ask,) = [output for output in outputs if isinstance(output, Ask)]
        sends = [output for output in talk.session.answer(ask.number, Allow()) if isinstance(output, Send)]
        assert sum(len(send.span) for send in sends) > 60_000
        assert len(sends) < 10

    def test_what_is_shown_of_a_request_holds_no_proof(self) -> None:
        assert "the-agents-token" not in repr(read_arrived(request("GET /a"), STRICT, secure=True))

    def test_an_answer_before_the_body_is_whole_is_passed_on(self) -> None:
        talk = play()
        talk.server = Early()
        talk.client(with_body("PUT /a", b"", "text/plain").replace(b"Length: 0", b"Length: 1000"))
        assert status(talk) == [413]
        assert events(talk, Hangup) == [Hangup(UPSTREAM)]
        talk.client(b"x" * 1000)
        assert b"xxx" not in talk.to_server


class Early(TinyServer):
    """Answers before it has the body."""

    def receive(self, side: object, data: bytes) -> bytes:
        return b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n" if data.startswith(b"PUT") else b""


# ── the resource ─────────────────────────────────────────────────────────────────────────────────────────────────────


class TestTheResource:
    def test_one_connection_serves_request_after_request(self) -> None:
        talk = play()
        talk.client(request("GET /a") + request("GET /b"))
        assert len(events(talk, Dial)) == 1

    def test_one_that_has_closed_it_is_dialled_again(self) -> None:
        talk = play()
        talk.client(request("GET /a"))
        talk._run(talk.session.receive_eof(UPSTREAM))
        talk.client(request("GET /b"))
        assert status(talk) == [200, 200]
        assert len(events(talk, Dial)) == 2

    @pytest.mark.parametrize(("method", "again"), [("GET", True), ("DELETE", True), ("POST", False)])
    def test_one_that_closes_it_as_a_request_comes_is_asked_again_where_that_does_no_harm(
        self, method: str, again: bool
    ) -> None:
        server = TinyServer()
        talk = play(server=server)
        talk.client(request("GET /a"))
        talk.server = Silent()
        talk.client(request(f"{method} /b"))
        talk.server = server
        talk._run(talk.session.receive_eof(UPSTREAM))
        assert status(talk) == [200, 200 if again else 502]

    def test_one_that_cannot_be_reached_is_told_as_such(self) -> None:
        talk = play(server=Silent())
        talk.client(request("GET /a"))
        talk._run(talk.session.dial_failed(UPSTREAM, "api refused the connection"))
        talk.client(request("GET /b"))
        talk._run(talk.session.dial_failed(UPSTREAM, "api did not answer within 5 seconds"))
        assert status(talk) == [502, 504]
        assert talk.closed is None

    def test_an_answer_that_breaks_off_breaks_off_for_the_client(self) -> None:
        talk = play(server=TinyServer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
        talk.client(request("GET /a"))
        talk._run(talk.session.receive_eof(UPSTREAM))
        assert talk.closed is not None

    def test_a_body_that_ends_with_the_connection_is_passed_on_with_an_end(self) -> None:
        talk = play(server=TinyServer(b"HTTP/1.1 200 OK\r\n\r\nabc"))
        talk.client(request("GET /a"))
        talk._run(talk.session.receive_eof(UPSTREAM))
        assert bytes(talk.to_client).endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert talk.closed is None

    def test_an_answer_is_counted_before_its_end(self) -> None:
        """One without end would spend nothing of its agent's budget."""
        talk = play(server=TinyServer(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + bytes(700_000)))
        talk.client(request("GET /a"))
        assert [(one.number, one.bytes) for one in events(talk, Streamed) if isinstance(one, Streamed)] == [
            (2, 700_000)
        ]
        talk._run(talk.session.receive(UPSTREAM, bytes(1000)))
        assert len(events(talk, Streamed)) == 1
        talk._run(talk.session.receive(UPSTREAM, bytes(300_000)))
        assert [one.bytes for one in events(talk, Streamed) if isinstance(one, Streamed)] == [700_000, 1_001_000]

    def test_a_credential_that_is_not_taken_is_renewed_once(self) -> None:
        talk = play(flavour=PlainFlavour(renews=True))
        talk.server = Doubtful()
        talk.client(with_body("POST /a", b"{}"))
        assert [type(ask.question) for ask in talk.asked] == [Login, Statement, Renewal]
        assert status(talk) == [200]
        talk = play(
            flavour=PlainFlavour(renews=True), server=TinyServer(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        )
        talk.client(request("GET /a"))
        assert status(talk) == [401]

    def test_an_answer_that_leads_elsewhere_is_not_passed_on(self) -> None:
        talk = play(
            server=TinyServer(b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n")
        )
        talk.client(request("GET /a"))
        assert status(talk) == [502]
        assert b"evil" not in talk.to_client


class Silent(TinyServer):
    """Says nothing."""

    def receive(self, side: object, data: bytes) -> bytes:
        return b""


class Doubtful(TinyServer):
    """Takes no credential but the second."""

    def receive(self, side: object, data: bytes) -> bytes:
        self.answer = b"" if self.requests else b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
        return super().receive(UPSTREAM, data)


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
)


def upgrade(line: str = "GET /socket") -> bytes:
    return request(line, "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Key: k")


class TestWebSocket:
    def test_it_is_refused_where_the_kind_has_none(self) -> None:
        talk = play()
        talk.client(upgrade() + request("GET /a"))
        assert status(talk) == [501, 200]
        assert statements(talk) == ["GET http://api.gw.example/a"]

    def test_it_passes_unread_where_the_kind_has(self) -> None:
        talk = play(flavour=PlainFlavour(upgrades=True), server=Sockets())
        talk.client(upgrade())
        assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" in talk.to_server
        assert status(talk) == [101]
        talk.client(b"\x81\x05hello" + request("GET /a"))
        assert bytes(talk.to_client).endswith(b"\r\n\r\n\x81\x05hello" + request("GET /a"))
        assert statements(talk) == ["GET http://api.gw.example/socket"]
        talk._run(talk.session.receive_eof(UPSTREAM))
        assert [(event.bytes, event.error) for event in talk.events if isinstance(event, Finished)] == [
            (7 + len(request("GET /a")), None)
        ]
        assert talk.closed is not None

    def test_a_resource_that_does_not_change_answers_as_ever(self) -> None:
        talk = play(flavour=PlainFlavour(upgrades=True))
        talk.client(upgrade() + request("GET /a"))
        assert status(talk) == [200, 200]

    def test_one_that_changes_to_something_else_is_not_believed(self) -> None:
        talk = play(flavour=PlainFlavour(upgrades=True), server=TinyServer(SWITCHED.replace(b"websocket", b"h2c")))
        talk.client(upgrade())
        talk.client(request("GET /hidden"))
        assert status(talk)[0] == 502
        assert statements(talk)[-1] == "GET http://api.gw.example/hidden"

    def test_nothing_that_must_be_masked_changes(self) -> None:
        masked = Allow(MaskRules(detect=(DetectRule("pii", ("email",), MaskStyle.REDACT),)))
        talk = play(
            lambda ask: masked if isinstance(ask.question, Statement) else always(ask),
            flavour=PlainFlavour(upgrades=True),
            server=Sockets(),
        )
        talk.client(upgrade())
        assert status(talk) == [502]
        assert not talk.to_server


class Sockets(TinyServer):
    """Changes to a protocol that repeats what it is told."""

    def receive(self, side: object, data: bytes) -> bytes:
        return SWITCHED if data.startswith(b"GET /socket") else data


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class TestTheEnd:
    def test_a_client_that_says_so_is_hung_up_on_after_its_answer(self) -> None:
        talk = play()
        talk.client(request("GET /a", "Connection: close"))
        assert status(talk) == [200]
        assert b"Connection: close" in talk.to_client
        assert talk.closed is not None

    def test_stopping_a_request_leaves_the_connection(self) -> None:
        talk = play(server=Silent())
        talk.client(request("GET /a"))
        talk.interrupt("it took too long")
        assert status(talk) == [503]
        assert events(talk, Hangup)
        talk.server = TinyServer()
        talk.client(request("GET /b"))
        assert status(talk) == [503, 200]

    def test_a_full_gateway_says_so(self) -> None:
        talk = play(opened=replace(opening(), full="too many connections"))
        talk.client(request("GET /a"))
        assert status(talk) == [503]
        assert not talk.asked

    def test_ending_an_idle_session_says_nothing(self) -> None:
        talk = play()
        talk.client(request("GET /a"))
        said = bytes(talk.to_client)
        talk.terminate("shutting down")
        assert talk.closed == "shutting down"
        assert bytes(talk.to_client) == said


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["204 with a length", "204 in chunks", "304 in chunks"],
)
def test_an_answer_without_a_body_promises_none_that_would_swallow_the_next(head: bytes) -> None:
    known = Standing()
    repeated = Allow(standing=known)
    talk = play(lambda ask: repeated if isinstance(ask.question, Statement | Repeat) else always(ask), TinyServer(head))
    for _ in range(4):
        talk.client(request("GET /a"))
    assert len(status(talk)) == 4
    assert b"Content-Length" not in talk.to_client
    assert b"Transfer-Encoding" not in talk.to_client
