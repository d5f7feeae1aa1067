"""Clients before and beside a session: at a port of several resources, and on this machine by `connect`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blastwall.model.credential import Credential
from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Arrival,
    Ask,
    Close,
    Deny,
    Dial,
    Handover,
    Login,
    Output,
    Send,
    Side,
    StartTls,
)
from blastwall.protocols.http.forwarding import HttpForwarder
from blastwall.protocols.http.kind import HttpKind
from blastwall.protocols.http.reception import HttpReception
from blastwall.protocols.http.tests.ambiguous import REQUESTS
from blastwall.protocols.http.tests.plain import PlainFlavour
from blastwall.protocols.http.tests.specimens import chunked, request, with_body

HELLO = b"\x16\x03\x01\x02\x00"


def sent(outputs: Sequence[Output], to: Side) -> bytes:
    return b"".join(bytes(output.span) for output in outputs if isinstance(output, Send) and output.to == to)


class TestReception:
    def reception(self, *, plain_text: bool = True) -> HttpReception:
        return HttpReception(Arrival(lambda name: "api" if name.endswith("gw.example") else "", plain_text=plain_text))

    @pytest.mark.parametrize("size", [1, 7, 1000])
    def test_the_first_host_says_where_the_connection_goes_with_all_that_came(self, size: int) -> None:
        reception, data = self.reception(), request("GET /a", host="ARM.gw.example:8443") + b"GET /b"
        outputs: list[Output] = []
        for start in range(0, len(data), size):
            if outputs:
                break
            outputs = [*reception.receive(CLIENT, data[start : start + size])]
        (over,) = outputs
        assert isinstance(over, Handover)
        assert over.name == "arm.gw.example"
        assert data.startswith(over.data)
        assert request("GET /a", host="ARM.gw.example:8443") in over.data
        assert not reception.receive(CLIENT, b"more")

    def test_tls_comes_first(self) -> None:
        reception = self.reception(plain_text=False)
        assert reception.receive(CLIENT, HELLO) == [StartTls(CLIENT, ("http/1.1",), HELLO)]
        assert not reception.tls_started(CLIENT, "http/1.1", b"")
        assert [type(output) for output in reception.receive(CLIENT, request("GET /a"))] == [Handover]

    def test_plain_text_is_refused_where_it_is_not_allowed(self) -> None:
        outputs = self.reception(plain_text=False).receive(CLIENT, request("GET /a"))
        assert sent(outputs, CLIENT).startswith(b"HTTP/1.1 400 ")
        assert isinstance(outputs[-1], Close)

    def test_an_unknown_host_is_refused(self) -> None:
        outputs = self.reception().receive(CLIENT, request("GET /a", host="169.254.169.254"))
        assert sent(outputs, CLIENT).startswith(b"HTTP/1.1 421 ")
        assert isinstance(outputs[-1], Close)

    @pytest.mark.parametrize("name", [name for name in REQUESTS if "host" in name or "LF" in name or "HTTP" in name])
    def test_what_cannot_be_read_goes_nowhere_or_is_refused_there(self, name: str) -> None:
        outputs = self.reception().receive(CLIENT, REQUESTS[name].sent)
        refused = isinstance(outputs[-1], Close) and b"Connection: close" in sent(outputs, CLIENT)
        assert refused or outputs == [Handover("api.gw.example", REQUESTS[name].sent)]

    def test_a_client_that_goes_or_is_ended_is_let_go(self) -> None:
        assert self.reception().receive_eof(CLIENT) == [Close("the client left")]
        assert self.reception().terminate("shutting down") == [Close("shutting down")]
        reception = self.reception()
        reception.receive(CLIENT, b"GET /a HTTP/1.1\r\n")
        outputs = reception.terminate("too slow")
        assert b"too slow" in sent(outputs, CLIENT)
        assert not reception.terminate("again")


def here(data: bytes) -> bytes:
    """Requests as clients of `connect` send them, which know the port on this machine alone."""
    return data.replace(b"api.gw.example", b"127.0.0.1:5000")


class TestForwarder:
    gateway = Address("gw.example", 8443)

    def forwarder(self) -> HttpForwarder:
        return HttpForwarder(self.gateway)

    def test_each_request_gets_a_fresh_proof_and_the_gateways_host(self) -> None:
        forwarder = self.forwarder()
        first = with_body("POST /a", b"{}").replace(b"Authorization: Bearer the-agents-token\r\n", b"")
        outputs = forwarder.receive(CLIENT, here(first + request("GET /b")))
        assert outputs == [Ask(1, Login("", b"", ""))]
        outputs = forwarder.answer(1, Admit(Credential("", b"one", token=True)))
        assert outputs[:2] == [Dial(UPSTREAM, self.gateway), StartTls(UPSTREAM, ("http/1.1",))]
        assert outputs[-1] == Ask(2, Login("", b"", ""))
        told = sent(outputs, UPSTREAM)
        assert told.startswith(b"POST /a HTTP/1.1\r\n")
        assert b"Host: gw.example:8443\r\nAuthorization: Bearer one\r\n" in told
        assert told.endswith(b"\r\n\r\n{}")
        outputs = forwarder.answer(2, Admit(Credential("", b"two", token=True)))
        assert not [output for output in outputs if isinstance(output, Dial)]
        assert b"Bearer two" in sent(outputs, UPSTREAM)
        assert b"the-agents-token" not in sent(outputs, UPSTREAM)

    @pytest.mark.parametrize("size", [1, 5, 1000])
    def test_chunks_pass_as_they_are(self, size: int) -> None:
        forwarder, data = self.forwarder(), here(chunked("PUT /a", b"abcdefghijklmnop"))
        outputs: list[Output] = []
        for start in range(0, len(data), size):
            for output in forwarder.receive(CLIENT, data[start : start + size]):
                outputs += (
                    forwarder.answer(output.number, Admit(Credential("", b"one")))
                    if isinstance(output, Ask)
                    else [output]
                )
        assert sent(outputs, UPSTREAM).partition(b"\r\n\r\n")[2] == data.partition(b"\r\n\r\n")[2]

    def test_what_the_gateway_answers_passes_as_it_is(self) -> None:
        forwarder = self.forwarder()
        assert sent(forwarder.receive(UPSTREAM, b"HTTP/1.1 200 OK\r\n"), CLIENT) == b"HTTP/1.1 200 OK\r\n"

    def test_a_client_hears_why_there_is_no_proof_or_no_gateway(self) -> None:
        forwarder = self.forwarder()
        forwarder.receive(CLIENT, here(request("GET /a")))
        outputs = forwarder.answer(1, Deny("log in first"))
        assert b"log in first" in sent(outputs, CLIENT)
        assert not sent(outputs, UPSTREAM)
        assert isinstance(outputs[-1], Close)
        unreached = self.forwarder().dial_failed(UPSTREAM, "refused")
        assert sent(unreached, CLIENT).startswith(b"HTTP/1.1 502 ")

    def test_an_ambiguous_request_goes_nowhere(self) -> None:
        for case in REQUESTS.values():
            forwarder = self.forwarder()
            outputs = forwarder.receive(CLIENT, here(case.sent))
            for output in outputs:
                if isinstance(output, Ask):
                    outputs = [*outputs, *forwarder.answer(output.number, Admit(Credential("", b"one")))]
            assert b"smuggled" not in sent(outputs, UPSTREAM)
            assert sent(outputs, UPSTREAM).count(b"Bearer one") <= 1

    @pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "LOCALHOST:1", "[::1]:5000"])
    def test_this_machine_by_any_of_its_names(self, host: str) -> None:
        assert self.forwarder().receive(CLIENT, request("GET /a", host=host)) == [Ask(1, Login("", b"", ""))]

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "169.254.169.254"],
    )
    def test_a_name_that_was_rebound_to_this_machine_gets_no_proof(self, host: str) -> None:
        outputs = self.forwarder().receive(CLIENT, request("GET /a", host=host))
        assert sent(outputs, CLIENT).startswith(b"HTTP/1.1 403 ")
        assert not [output for output in outputs if isinstance(output, Ask)]

    @pytest.mark.parametrize(
        "field",
        ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"],
    )
    def test_a_web_page_gets_no_proof(self, field: str) -> None:
        data = here(request("GET /a")).replace(b"\r\n\r\n", f"\r\n{field}\r\n\r\n".encode(), 1)
        outputs = self.forwarder().receive(CLIENT, data)
        assert sent(outputs, CLIENT).startswith(b"HTTP/1.1 403 ")
        assert not [output for output in outputs if isinstance(output, Ask)]


ANY = Resource("any", "plain", Address("api.example", 443))


class TestKind:
    def test_a_text_is_classified_as_the_request_that_it_says(self) -> None:
        kind = HttpKind(PlainFlavour())
        (statement,) = kind.classify("DELETE https://api.example/a/../b?c=d\nAccept: e\n\nbody", "", ANY)
        assert (statement.operation, statement.effects[0].object.path) == ("DELETE", ("paths", "/b"))
        assert statement.text.startswith("DELETE https://api.example/b?c=d")
        (short,) = kind.classify("GET /a", "", ANY)
        assert short.text == "GET https://resource.example/a"

    @pytest.mark.parametrize(
        "text", ["", "SELECT 1", "get /a", "GET /../a", "GET https://u@h/a", "GET /a\nX-Original-Url: /b"]
    )
    def test_what_would_not_be_read_is_unclassified(self, text: str) -> None:
        (statement,) = HttpKind(PlainFlavour()).classify(text, "", ANY)
        assert [effect.action for effect in statement.effects] == [Action.UNCLASSIFIED]
        assert statement.doubt.startswith("no request that would be read: it has ")
