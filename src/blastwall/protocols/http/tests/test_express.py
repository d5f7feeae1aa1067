"""The short way of what a client repeats: the same bytes and the same record as on the ordinary one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.credential import Credential
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    Admit,
    Allow,
    Answer,
    Ask,
    AskWhole,
    Deny,
    Finished,
    Handover,
    Login,
    Proof,
    Repeat,
    Side,
    Unproven,
)
from blastwall.protocols.http.session import HttpSession
from blastwall.protocols.http.tests.plain import PlainFlavour
from blastwall.protocols.http.tests.server import TinyServer
from blastwall.protocols.http.tests.specimens import SPECIMENS, opening, request, with_body
from blastwall.protocols.standing import Standing
from blastwall.testing.playbook import Playbook

STANDING = Standing()
AGAIN = request("GET /again", "Accept: application/json")


def stands(ask: Ask) -> Answer:
    if isinstance(ask.question, Login | Proof):
        return SPECIMENS.admit
    return Allow(standing=STANDING)


class Listed(TinyServer):
    """Gives its answers in turn."""

    def __init__(self, answers: Sequence[bytes] = ()) -> None:
        super().__init__()
        self._answers = list(answers)

    def receive(self, side: Side, data: bytes) -> bytes:
        usual = super().receive(side, data)
        return self._answers.pop(0) if self._answers else usual


def play(server: TinyServer | None = None, *, short: bool = True) -> Playbook:
    return Playbook(HttpSession(opening(), PlainFlavour()), stands, server or Listed(), SPECIMENS.look_up, short=short)


def warm(server: TinyServer | None = None) -> Playbook:
    """A session in which `AGAIN` was asked often enough to be known."""
    talk = play(server)
    for _ in range(2):
        talk.client(AGAIN)
    for seen in (talk.to_client, talk.to_server, talk.events, talk.asked):
        seen.clear()
    return talk


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc"
ANSWERS = (
    PLAIN,
    PLAIN.replace(b"200 OK", b"404 Not Found"),
    PLAIN.replace(b"keep-alive", b"close"),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + PLAIN,
    PLAIN + b"evil",
    PLAIN.replace(b"Content-Type", b"Alt-Svc"),
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
)
ASKED = (
    AGAIN,
    request("GET /other"),
    request("HEAD /again"),
    with_body("POST /items", b"{}"),
    AGAIN + AGAIN,
    request("GET /again", token=b"another"),
    request("GET /last", "Connection: close"),
)


@settings(max_examples=150, deadline=None)
@given(
    asked=st.lists(st.sampled_from(ASKED), max_size=8),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=8),
)
def test_both_ways_come_to_the_same(asked: list[bytes], answers: list[bytes]) -> None:
    plays = [play(Listed(answers), short=short) for short in (True, False)]
    for talk in plays:
        for data in (AGAIN, AGAIN, AGAIN, *asked):
            if talk.closed is None:
                talk.client(data)
    short, ordinary = plays
    assert bytes(short.to_client) == bytes(ordinary.to_client)
    assert bytes(short.to_server) == bytes(ordinary.to_server)
    assert [repr(event) for event in short.events] == [repr(event) for event in ordinary.events]


def test_what_is_repeated_is_asked_as_a_repetition_and_passes() -> None:
    talk = warm()
    talk.client(AGAIN)
    assert [ask.question for ask in talk.asked] == [Repeat(STANDING)]
    assert b"GET /again HTTP/1.1\r\n" in talk.to_server
    assert [type(event) for event in talk.events] == [Ask, Finished]
    assert talk.session.idle


@pytest.mark.parametrize(
    ("answer", "told"), [(Deny("policy changed"), b"403"), (Unproven("expired"), b"401"), (AskWhole(), b"200")]
)
def test_what_does_not_stand_goes_the_ordinary_way(answer: Answer, told: bytes) -> None:
    talk = warm()
    talk.rule = lambda ask: answer if isinstance(ask.question, Repeat) else Allow()
    talk.client(AGAIN)
    assert bytes(talk.to_client).startswith(b"HTTP/1.1 " + told)
    assert (b"/again" in talk.to_server) is (told == b"200")
    assert isinstance(talk.asked[-1].question, Statement) is (told == b"200")


def test_a_new_credential_has_nothing_sent_with_the_old_one() -> None:
    talk = warm()
    talk.rule = lambda _ask: Allow(upstream=Credential("", b"newer"), standing=STANDING)
    talk.client(request("GET /else"))
    talk.to_server.clear()
    talk.client(AGAIN)
    assert b"Bearer newer" in talk.to_server
    assert b"upstream-secret" not in talk.to_server


def test_a_new_proof_has_everything_looked_at_anew() -> None:
    talk = warm()
    talk.rule = lambda _ask: Admit(Credential("", b"theirs")) if isinstance(_ask.question, Proof) else Allow()
    talk.client(request("GET /else", token=b"another"))
    talk.client(AGAIN)
    assert [type(ask.question) for ask in talk.asked[-2:]] == [Proof, Repeat]


def test_a_host_that_leads_elsewhere_now_is_handed_over() -> None:
    place = {"api.gw.example": "api"}
    session = HttpSession(replace(opening(), reached=lambda name: place[name]), PlainFlavour())
    talk = Playbook(session, stands, Listed(), SPECIMENS.look_up)
    for _ in range(3):
        talk.client(AGAIN)
    place["api.gw.example"] = "another"
    talk.client(AGAIN)
    assert talk.events[-1] == Handover("api.gw.example", AGAIN)


def test_a_client_that_leaves_meanwhile_is_withdrawn() -> None:
    talk = warm()
    talk.rule = lambda _ask: None
    assert talk.session.repeated(AGAIN) is not None
    talk.leave()
    assert talk.closed is not None
    assert b"/again" not in talk.to_server
