"""A client of `blastwall connect`: its requests go to the gateway, each with the proof that the client does not have.

    state      next
    HEAD       a request's head → Ask(Login) → ASKED
    ASKED      Admit → Dial and TLS where there is none yet, the head with the proof → BODY · Deny → 401, the end
    BODY       the request's body, as it came → HEAD
    ENDED      nothing

The client speaks in plain text, on loopback; the gateway is spoken to over TLS alone, so the proof goes only to a
gateway whose certificate held. What the gateway answers is passed back as it is.

A web page can have its visitor's browser send requests to loopback, and have a name of its own lead there (DNS
rebinding): they would get the proof, too. So a request must be for this machine by name, and come from no page.
"""

from __future__ import annotations

from enum import Enum, auto

from blastwall.model.resource import Address
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Answer,
    Ask,
    Close,
    Deny,
    Dial,
    Login,
    Output,
    Send,
    Side,
    StartTls,
)
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.flavour import Response
from blastwall.protocols.http.framing import Body, Framing, request_body
from blastwall.protocols.http.heads import RequestHead, check_start, head_end, read_request
from blastwall.protocols.http.normalise import host_of_authority, normal_authority
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.writing import host_of, last_chunk, request_head, whole_response

_MOST_WAITING = 4 << 20
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "[::1]"})


class _State(Enum):
    HEAD = auto()
    ASKED = auto()
    BODY = auto()
    ENDED = auto()


class HttpForwarder:
    """Implements `contract.Forwarder`. `gateway` is the resource's listener."""

    def __init__(self, gateway: Address) -> None:
        self._gateway = gateway
        self._state = _State.HEAD
        self._data = b""
        self._number = 0
        self._dialled = self._answered = False
        self._head = RequestHead("", "", Headers())
        self._body = Body(Framing.NONE, 0)

    def receive(self, side: Side, data: bytes) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        if side != CLIENT:
            self._answered = True
            return [Send(CLIENT, data)]
        self._data += data
        if len(self._data) > _MOST_WAITING:
            return self._refuse(400, "the client sent too much before it was answered")
        return self._go_on()

    def receive_eof(self, side: Side) -> list[Output]:
        return self._end("the client left" if side == CLIENT else "the gateway closed the connection")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        return self._refuse(502, f"the gateway cannot be reached: {reason}")

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        return []

    def answer(self, number: int, answer: Answer) -> list[Output]:
        if self._state is not _State.ASKED or number != self._number:
            return []
        if not isinstance(answer, Admit):
            return self._refuse(401, answer.reason if isinstance(answer, Deny) else "there is no token")
        method, target, headers = self._head
        proof = f"Bearer {answer.upstream.secret.decode()}"
        shown = headers.without(("connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"))
        shown = shown.having(("Host", host_of(self._gateway)), ("Authorization", proof))
        try:
            head = request_head(method, target, shown, self._body.framing, self._body.length)
        except ValueError as fault:
            return self._refuse(400, str(fault))
        self._state = _State.BODY
        self._body.framed = True
        outputs: list[Output] = []
        if not self._dialled:
            self._dialled = True
            outputs += [Dial(UPSTREAM, self._gateway), StartTls(UPSTREAM, ("http/1.1",))]
        return [*outputs, Send(UPSTREAM, head), *self._go_on()]

    def _go_on(self) -> list[Output]:
        outputs: list[Output] = []
        try:
            while self._step(outputs):
                pass
        except Unreadable as fault:
            return [*outputs, *self._refuse(fault.status, f"the request has {fault}")]
        return outputs

    def _step(self, outputs: list[Output]) -> bool:
        if self._state is _State.HEAD and self._data:
            end = head_end(self._data)
            if not end:
                check_start(self._data[:32])
                return False
            self._head = read_request(self._data[:end])
            self._data = self._data[end:]
            _check_origin(self._head.headers)
            self._body = request_body(self._head.headers)
            self._state, self._number = _State.ASKED, self._number + 1
            outputs.append(Ask(self._number, Login("", b"", "")))
            return False
        if self._state is not _State.BODY:
            return False
        pieces, end = self._body.feed(self._data)
        self._data = self._data[end:]
        outputs += [Send(UPSTREAM, piece) for piece in pieces]
        if self._body.done:
            if self._body.framing is Framing.CHUNKED:
                outputs.append(Send(UPSTREAM, last_chunk(Headers())))
            self._state = _State.HEAD
        return self._body.done and bool(self._data)

    def _refuse(self, status: int, reason: str) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        outputs: list[Output] = []
        if not self._answered:
            headers = Headers([("Content-Type", "text/plain; charset=utf-8")])
            told = Response(status, headers, f"blastwall connect: {reason}\n".encode())
            outputs.append(Send(CLIENT, whole_response(told, "GET", close=True)))
        return [*outputs, *self._end(reason)]

    def _end(self, reason: str) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        self._state = _State.ENDED
        return [Close(reason)]


def _check_origin(headers: Headers) -> None:
    """Let a request go on that a program of this machine meant for this port.

    Raises:
        Unreadable: it is for another host, or a browser says that a page sent it (Fetch Metadata; RFC 6454).
    """
    hosts = headers.all("host")
    if len(hosts) != 1 or host_of_authority(normal_authority(hosts[0], "http")) not in _THIS_MACHINE:
        raise Unreadable("another Host than this machine", 403)
    if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
        raise Unreadable("a web page as its origin, and programs alone are served", 403)
