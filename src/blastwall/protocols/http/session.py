"""One client connection: TLS by its first byte, then requests, each proven, judged, and passed on or refused.

phase     what is fed
OPEN      the first byte: a TLS record of the client's → SECURING, else TALKING where plain text is allowed
SECURING  nothing: the relay reports TLS → TALKING
TALKING   requests and answers
CLOSED    nothing any more
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from blastwall.protocols.again import Again, Repeating
from blastwall.protocols.contract import CLIENT, UPSTREAM, Answer, Close, Opening, Output, Send, Side, StartTls
from blastwall.protocols.http.answering import Reply
from blastwall.protocols.http.arriving import Arrived
from blastwall.protocols.http.client import ClientLine
from blastwall.protocols.http.client_h2 import Http2Line
from blastwall.protocols.http.exchange import Exchange
from blastwall.protocols.http.express import Express
from blastwall.protocols.http.flavour import Flavour, Refusal
from blastwall.protocols.http.reception import TLS_HANDSHAKE
from blastwall.protocols.http.talk import Talk
from blastwall.protocols.http.upstream import Upstream
from blastwall.protocols.http.writing import whole_response

HTTP2 = "h2"
ALPN = ("http/1.1", HTTP2)
"""In this order: where a client speaks both, HTTP/1.1 passes faster here, and may go on as another session."""


class _Phase(Enum):
    OPEN = auto()
    SECURING = auto()
    TALKING = auto()
    CLOSED = auto()


class HttpSession(Repeating):
    """Implements `ProtocolSession`."""

    def __init__(self, opening: Opening, flavour: Flavour) -> None:
        self._talk = Talk(opening, flavour)
        self._phase = _Phase.TALKING if opening.secured else _Phase.OPEN
        resource = opening.resource
        self._upstream = Upstream(UPSTREAM, resource.hosts, resource.name, self._talk.out)
        self._upstreams = {UPSTREAM: self._upstream}
        self._line = ClientLine(self._talk, self, opening.reached)
        self._many: Http2Line | None = None
        if opening.alpn == HTTP2:
            self._speak_http2()
        self._express = Express(self._talk, self._upstream, opening.reached)

    def open(self, reply: Reply, arrived: Arrived) -> Exchange:
        """See `client.Opens`."""
        return Exchange(self._talk, reply, self._free_upstream(), arrived)

    def _free_upstream(self) -> Upstream:
        """Return the connection to the resource that nobody uses now, or a further one."""
        if self._many is None:
            return self._upstream
        used = {exchange.upstream.side for exchange in self._many.exchanges}
        free = [side for side in self._upstreams if side not in used]
        if free:
            return self._upstreams[free[0]]
        resource, side = self._talk.resource, Side(UPSTREAM + len(self._upstreams))
        made = self._upstreams[side] = Upstream(side, resource.hosts, resource.name, self._talk.out)
        return made

    @property
    def _front(self) -> ClientLine | Http2Line:
        return self._line if self._many is None else self._many

    def _speak_http2(self) -> None:
        self._many = Http2Line(self._talk, self, self._talk.opening.reached)
        self._many.start()

    # ── contract ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def backlog(self, side: Side) -> int:
        if side == CLIENT:
            return self._front.backlog
        return 0 if self._many is None else self._many.unsent(side)

    @property
    def idle(self) -> bool:
        return self._front.idle and self._express.flying is None

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        self._land()
        if self._phase is _Phase.TALKING and side == CLIENT:
            self._front.receive(data)
        elif self._phase is _Phase.TALKING and side in self._upstreams:
            self._upstreams[side].receive(data)
        elif self._phase is _Phase.OPEN and side == CLIENT and data:
            self._start(data)
        elif self._phase is _Phase.SECURING:
            return self._end(Close("the client sent bytes before TLS was up"))
        return self._outputs()

    def _start(self, data: bytes) -> None:
        opening = self._talk.opening
        if data[0] == TLS_HANDSHAKE:
            self._phase = _Phase.SECURING
            self._talk.out.append(StartTls(CLIENT, ALPN, data))
            return
        self._phase = _Phase.TALKING
        if opening.plain_text:
            self._line.receive(data)
            return
        refusal = Refusal(400, "this gateway accepts TLS only, since requests carry tokens; use https")
        response = self._talk.flavour.refusal(None, opening.resource, refusal)
        self._talk.out.append(Send(CLIENT, whole_response(response, "GET", close=True)))
        self._line.close("the client does not speak TLS")

    def repeated(self, data: bytes) -> Again | None:
        ready = self._phase is _Phase.TALKING and self._express.flying is None and self._front.idle
        return self._express.ask(data) if ready else None

    def granted(self) -> bytes | None:
        return self._express.send() if self._phase is _Phase.TALKING else None

    def answered(self, data: bytes) -> Again | None:
        return self._express.answer(data) if self._phase is _Phase.TALKING else None

    def _land(self) -> None:
        """Have what was asked for the short way go on the ordinary one."""
        if self._express.flying is None:
            return
        known, again = self._express.flying
        self._express.flying = None
        number, sent = again.number, self._express.sent
        exchange = Exchange.revived(self._talk, self._line, self._upstream, known, number, sent=sent)
        self._line.resume(exchange, known.arrived.raw)

    def receive_eof(self, side: Side) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        self._land()
        if side == CLIENT:
            self._front.leave("the client left")
        elif side in self._upstreams:
            self._upstreams[side].ended()
        return self._outputs()

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        self._land()
        if self._phase is _Phase.TALKING and side in self._upstreams:
            self._upstreams[side].dial_failed(reason)
        return self._outputs()

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        return []

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        if side == CLIENT and self._phase is _Phase.SECURING:
            self._phase = _Phase.TALKING
            self._talk.secure = True
            if alpn == HTTP2:
                self._speak_http2()
        return self._outputs()

    def answer(self, number: int, answer: Answer) -> Sequence[Output]:
        self._land()
        if self._phase is _Phase.TALKING:
            self._front.answer(number, answer)
        return self._outputs()

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        return []

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        self._land()
        if self._phase is _Phase.TALKING:
            self._front.interrupt(reason or "the request was cancelled")
        return self._outputs()

    def reconsider(self) -> Sequence[Output]:
        """What is allowed is on its way at once, so nothing waits that could be asked again."""
        return []

    def terminate(self, reason: str) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        self._land()
        self._front.terminate(reason)
        return self._outputs()

    def _outputs(self) -> Sequence[Output]:
        """Go on with what waited, and return what is to be done."""
        if self._phase is _Phase.TALKING:
            self._front.go_on()
        if self._front.closed or self._line.closed:
            self._phase = _Phase.CLOSED
        return self._talk.taken()

    def _end(self, close: Close) -> Sequence[Output]:
        self._phase = _Phase.CLOSED
        return [*self._talk.taken(), close]
