"""What two readers may take for different messages is refused, or comes out as one that no reader can mistake."""

from __future__ import annotations

import pytest

from blastwall.protocols.contract import Finished, Hangup
from blastwall.protocols.http.tests.ambiguous import ANSWERS, LONGER, REQUESTS, STRIPPED
from blastwall.protocols.http.tests.server import TinyServer
from blastwall.protocols.http.tests.specimens import SPECIMENS, request
from blastwall.protocols.http.tests.test_session import Silent, play, status


@pytest.mark.parametrize("name", REQUESTS)
def test_an_ambiguous_request_is_refused_and_its_connection_ends(name: str) -> None:
    sent, told, _ = REQUESTS[name]
    talk = play(server=Silent())
    talk.client(sent + request("GET /smuggled"))
    assert status(talk) == [told]
    assert b"Connection: close" in talk.to_client
    assert talk.closed is not None
    assert b"/smuggled" not in talk.to_server


@pytest.mark.parametrize("name", [name for name, (sent, *_) in REQUESTS.items() if len(sent) < 5000])
def test_it_is_so_however_it_arrives_and_whatever_came_before(name: str) -> None:
    sent, told, _ = REQUESTS[name]
    talk = play()
    talk.client(request("GET /before"))
    for position in range(len(sent)):
        if talk.closed is None:
            talk.client(sent[position : position + 1])
    assert status(talk) == [200, told]
    assert talk.closed is not None


@pytest.mark.parametrize("name", STRIPPED)
def test_what_is_the_connections_or_speaks_for_a_proxy_is_dropped(name: str) -> None:
    fields, plain = STRIPPED[name], play()
    plain.client(request("GET /a"))
    talk = play()
    talk.client(request("GET /a").removesuffix(b"\r\n") + fields + b"\r\n")
    assert bytes(talk.to_server) == bytes(plain.to_server)
    assert status(talk) == [200]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_ambiguous_answer_is_not_passed_on(name: str) -> None:
    talk = play(server=TinyServer(ANSWERS[name][0]))
    talk.client(request("GET /a"))
    assert status(talk) == [502]
    assert any(isinstance(event, Hangup) for event in talk.events)
    (finished,) = [event for event in talk.events if isinstance(event, Finished)]
    assert finished.error is not None
    talk.server = TinyServer()
    talk.client(request("GET /b"))
    assert status(talk) == [502, 200]


@pytest.mark.parametrize("name", LONGER)
@pytest.mark.parametrize("late", [False, True])
def test_what_is_not_owed_is_given_to_nobody(name: str, late: bool) -> None:
    answer, more, _ = LONGER[name]
    talk = play(server=TinyServer(answer if late else answer + more))
    method = "HEAD" if "HEAD" in name else "GET"
    talk.client(request(f"{method} /a"))
    if late:
        talk.from_server(more)
    talk.server = TinyServer()
    talk.client(request("GET /b"))
    assert b"evil" not in talk.to_client
    assert len(status(talk)) == 2
    assert bytes(talk.to_client).endswith(b"/b ")
    assert len([event for event in talk.events if isinstance(event, Hangup)]) == 1


def test_the_credential_is_in_no_refusal() -> None:
    for sent, *_ in REQUESTS.values():
        talk = play(server=Silent())
        talk.client(sent)
        assert b"the-agents-token" not in talk.to_client
        assert SPECIMENS.admit.upstream.secret not in talk.to_client
