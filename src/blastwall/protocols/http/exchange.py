"""One request from its head to the end of its answer, however the client's connection frames it.

    step       waits for                                   then
    PROVING    the gate's answer to a login or proof       READING or ASKED · refused
    READING    the client's body, which is judged          ASKED · refused
    ASKED      the gate's ruling, however long             PASSING · refused
    RENEWING   a credential that the resource will take    PASSING · refused
    PASSING    the client's body, the resource's answer    OVER
    OPAQUE     either side's end, after an upgrade         OVER
    OVER       the rest of the client's body, dropped

Nothing is sent to the resource before PASSING, and what is sent is what was judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import TlsMode
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    Admit,
    Admitted,
    Allow,
    Answer,
    Ask,
    AskWhole,
    Deny,
    Finished,
    Login,
    Proof,
    Refused,
    Renewal,
    Repeat,
    Standing,
    Stranger,
    Unproven,
    Withdraw,
)
from blastwall.protocols.http.answering import Answering, Reply
from blastwall.protocols.http.arriving import Arrived
from blastwall.protocols.http.codings import decoded
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import passed_back
from blastwall.protocols.http.flavour import Judged, Refusal, Response, statement_text
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.heads import ResponseHead
from blastwall.protocols.http.normalise import host_of_authority
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.stated import stated
from blastwall.protocols.http.talk import Known, Talk
from blastwall.protocols.http.upstream import Upstream
from blastwall.protocols.http.writing import host_of, last_chunk, phrase, request_head

DRAINED = 16 << 20
"""So many bytes of a refused body are read and dropped: a client that still sends hears the refusal only then."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2: what may be sent again where nobody knows whether it arrived."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""What servers want a length for, be it 0 (411 otherwise)."""


class _Step(Enum):
    PROVING = auto()
    READING = auto()
    ASKED = auto()
    RENEWING = auto()
    PASSING = auto()
    OPAQUE = auto()
    OVER = auto()


class Exchange:
    """Implements `upstream.Receiver`. Outputs are added to the talk's."""

    def __init__(self, talk: Talk, reply: Reply, upstream: Upstream, arrived: Arrived) -> None:
        self._talk = talk
        self._out = talk.out
        self._reply = reply
        self._upstream = upstream
        self._arrived = arrived
        self._request = arrived.request
        self._body = arrived.body
        self._proof = arrived.proof
        self._expects = arrived.expects and not arrived.body.done
        self._upgrade = arrived.upgrade
        self._step = _Step.PROVING
        self._number = 0
        self._asked = 0
        self._running = False
        self._judged: Judged | None = None
        self._statement: Statement | None = None
        self._repeats = False
        self._verdict: tuple[int, str] | None = None
        self._read: list[bytes] = []
        self._head = b""
        self._sent: bytes | None = None
        self._again = self._renewed = False
        self._answering: Answering | None = None
        self._status = ""
        self._dropped = 0

    @classmethod
    def revived(
        cls, talk: Talk, reply: Reply, upstream: Upstream, known: Known, number: int, *, sent: bool
    ) -> Exchange:
        """Go on with a known request that was asked for as `number`; `sent` is whether it was launched."""
        exchange = cls(talk, reply, upstream, replace(known.arrived, body=Body(Framing.NONE, 0), proof=None))
        exchange._statement, exchange._head = known.statement, known.head
        exchange._number = exchange._asked = number
        exchange._repeats = True
        exchange._step, exchange._running = (_Step.PASSING, True) if sent else (_Step.ASKED, False)
        if sent:
            upstream.land(exchange)
        return exchange

    # ── what the client's connection asks ────────────────────────────────────────────────────────────────────────────

    @property
    def method(self) -> str:
        """See `upstream.Receiver`."""
        return self._request.method

    @property
    def upgrading(self) -> bool:
        """See `upstream.Receiver`."""
        return self._upgrade

    @property
    def number(self) -> int:
        """The number of the question that is open."""
        return self._asked

    @property
    def takes(self) -> bool:
        """Whether the client's body can be taken now."""
        return not self._body.done and self._step in (_Step.READING, _Step.PASSING, _Step.OPAQUE, _Step.OVER)

    @property
    def done(self) -> bool:
        """Whether both the answer and the client's body are over."""
        return self._step is _Step.OVER and self._body.done

    @property
    def body(self) -> Body:
        """The client's body."""
        return self._body

    def begin(self) -> None:
        """Answer at once what needs no proof, else have the proof looked at."""
        talk, flavour = self._talk, self._talk.flavour
        local = flavour.local(self._request, talk.resource)
        if local is not None:
            self._respond(local)
        elif self._upgrade and not flavour.upgrades:
            self._respond_refusal(501, f"{talk.resource.name} is not reached by WebSocket through this gateway")
        elif self._proof is None:
            self._challenge("a token is needed; the request shows none")
        elif self._proof == talk.proof:
            self._proven()
        else:
            self._asked = talk.number()
            agent = self._request.headers.get("user-agent")
            known = talk.proof is not None
            self._out.append(Ask(self._asked, Proof(self._proof) if known else Login("", self._proof, "", agent[:256])))

    def feed(self, pieces: list[bytes]) -> None:
        """Take a part of the client's body."""
        if self._step is _Step.READING:
            self._read += pieces
            if self._body.read > self._most:
                self._refuse_unjudged(413, f"the body is longer than {self._most} bytes, the most that can be judged")
            elif self._body.done:
                self._judge_body()
        elif self._step is _Step.OPAQUE:
            self._upstream.pass_on(pieces)
        elif self._step is _Step.PASSING:
            self._upstream.pass_on(pieces)
            if self._body.done and self._body.framing is Framing.CHUNKED:
                self._upstream.pass_on([last_chunk(Headers())])
        elif self._step is _Step.OVER:
            self._dropped += sum(map(len, pieces))
            if self._dropped > DRAINED and not self._body.done:
                self._reply.cut("the client went on sending a body that was refused")

    def leave(self, reason: str) -> None:
        """The client is gone, or the session ends: nothing is answered any more."""
        if self._step in (_Step.PROVING, _Step.ASKED, _Step.RENEWING) and self._asked:
            self._out.append(Withdraw(self._asked))
        if self._running:
            self._finish(reason)
        self._step = _Step.OVER

    def stop(self, status: int, reason: str) -> None:
        """The gateway ends it."""
        if self._step is _Step.OVER:
            return
        begun, running = self._answering is not None, self._running
        self.leave(reason)
        if running:
            self._upstream.hang_up()
        if begun:
            self._reply.cut(reason)
        else:
            self._respond_refusal(status, reason)

    # ── the gate's answers ───────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, number: int, answer: Answer) -> None:
        """Take the answer to the question that is open."""
        if number != self._asked:
            return
        if self._step is _Step.PROVING:
            self._proof_answer(answer)
        elif self._step is _Step.ASKED:
            self._ruled(answer)
        elif self._step is _Step.RENEWING:
            self._credential_answer(answer)

    def _proof_answer(self, answer: Answer) -> None:
        talk = self._talk
        if isinstance(answer, Admit):
            if talk.proof is None:
                self._out.append(Admitted())
                talk.label = answer.label
            talk.prove(self._proof, answer.upstream)
            self._proven()
        elif isinstance(answer, Stranger):
            self._step = _Step.OVER
            self._reply.hand_over()
        elif isinstance(answer, Deny) and answer.retry:
            self._respond_refusal(429, answer.reason)
        elif isinstance(answer, Deny | Unproven):
            self._challenge(answer.reason)

    def _proven(self) -> None:
        """It is known whose request it is: read what is judged of it."""
        self._proof = None
        if self._body.done or self._talk.flavour.wants(self._request, self._talk.resource) <= 0:
            self._judge()
            return
        if self._body.length > self._most:
            self._refuse_unjudged(413, f"the body is longer than {self._most} bytes, the most that can be judged")
            return
        self._step = _Step.READING
        self._proceed()

    def _proceed(self) -> None:
        if self._expects:
            self._expects = False
            self._reply.proceed()

    @property
    def _most(self) -> int:
        wanted = self._talk.flavour.wants(self._request, self._talk.resource)
        return min(wanted, self._talk.opening.limits.statement)

    def _judge_body(self) -> None:
        raw, headers = b"".join(self._read), self._request.headers
        self._read = []
        try:
            body = decoded(raw, headers.get("content-encoding"), self._most)
        except Unreadable as fault:
            self._refuse_unjudged(fault.status, f"the request has {fault}")
            return
        headers = headers.without(("content-encoding", "content-length"))
        headers = headers.having(("Content-Length", str(len(body)))) if body else headers
        self._request = replace(self._request, headers=headers, body=body)
        self._judge()

    def _judge(self) -> None:
        request = self._request
        judged = self._judged = self._talk.flavour.judge(request, self._talk.resource)
        statement = self._statement = stated(request, judged)
        standing = self._talk.standing.of(statement)
        self._repeats = standing is not None
        self._ask(statement if standing is None else Repeat(standing))

    def _ask(self, question: Statement | Repeat) -> None:
        self._step = _Step.ASKED
        self._number = self._asked = self._talk.number()
        self._out.append(Ask(self._asked, question))

    def _refuse_unjudged(self, status: int, reason: str) -> None:
        """Ask, for the record, about what is refused whatever the answer is."""
        self._read = []
        self._verdict = (status, reason)
        effect = Effect(Action.UNCLASSIFIED, Object((), "resource"))
        request = replace(self._request, body=None)
        self._ask(Statement(statement_text(request), (effect,), request.method, "", doubt=reason))

    def _ruled(self, answer: Answer) -> None:
        if isinstance(answer, Deny):
            status = (429 if answer.retry else 403) if self._verdict is None else self._verdict[0]
            self._respond_refusal(status, answer.reason if self._verdict is None else self._verdict[1])
        elif isinstance(answer, Unproven):
            self._challenge(answer.reason)
        elif isinstance(answer, AskWhole) and self._statement is not None:
            self._talk.standing.forget(self._statement)
            self._ask(self._statement)
        elif isinstance(answer, Allow) and self._verdict is not None:
            self._refuse_allowed(*self._verdict)
        elif isinstance(answer, Allow):
            if answer.upstream is not None:
                self._talk.renew(answer.upstream)
            self._allowed(answer)

    def _allowed(self, allow: Allow) -> None:
        talk = self._talk
        if allow.obligations.limited:
            self._refuse_allowed(403, "policy limits rows here, which nobody can count in an answer of this resource")
        elif allow.mask:
            self._refuse_allowed(502, "the answer would have to be masked, which this version cannot")
        else:
            if allow.standing is not None and self._statement is not None:
                talk.standing.remember(self._statement, allow.standing)
            self._send()
            self._learn(allow.standing)

    def _learn(self, standing: Standing | None) -> None:
        """Keep what was sent of a request that repeats an earlier one and has no body."""
        arrived, statement = self._arrived, self._statement
        if standing is None or statement is None or not self._repeats or not self._running or not self._body.done:
            return
        if self._request.body is None and not arrived.last and not self._upgrade:
            host = host_of_authority(arrived.request.authority)
            self._talk.learn(Known(arrived, host, statement, standing, self._head))

    def _credential_answer(self, answer: Answer) -> None:
        if isinstance(answer, Admit):
            self._talk.renew(answer.upstream)
            self._send()
        elif isinstance(answer, Deny | Unproven):
            self._fail(502, f"{self._talk.resource.name} does not take the gateway's credential: {answer.reason}")

    # ── towards the resource ─────────────────────────────────────────────────────────────────────────────────────────

    def _send(self) -> None:
        """Send the request with the gateway's credential."""
        talk, credential = self._talk, self._talk.credential
        if credential is None or (credential.token and self._upstream.address.tls is not TlsMode.VERIFY_FULL):
            told = f"{talk.resource.name} gets no token: its certificate is not verified (`upstream.tls: verify-full`)"
            self._refuse_allowed(502, told)
            return
        request = self._request
        if request.body is not None:
            self._sent = talk.flavour.body(request, talk.resource, credential)
            if self._sent is None:
                self._sent = request.body
        framing, length = self._framing()
        headers = request.headers.without(("content-length",))
        if framing is Framing.LENGTH or length == 0:
            headers = headers.having(("Content-Length", str(length)))
        shown = replace(request, headers=headers.having(("Host", host_of(self._upstream.address))))
        try:
            fields = self._labelled(talk.flavour.authorise(shown, talk.resource, credential))
            self._head = request_head(request.method, request.target, fields, framing, length, upgrade=self._upgrade)
        except ValueError:
            self._refuse_allowed(502, "the gateway would not send one of the request's header fields")
            return
        self._running = True
        self._send_head()

    def _send_head(self) -> None:
        self._step = _Step.PASSING
        self._upstream.send(self._head, self)
        if self._sent:
            self._upstream.pass_on([self._sent])
        self._body.framed = True
        self._proceed()

    def _framing(self) -> tuple[Framing, int]:
        if self._sent is not None:
            return Framing.LENGTH, len(self._sent)
        if self._body.framing is Framing.NONE:
            return Framing.NONE, 0 if self._body.told or self._request.method in _WITH_BODY else -1
        return self._body.framing, self._body.length

    def _labelled(self, headers: Headers) -> Headers:
        """Name agent and session for the resource's own logs."""
        if not self._talk.label or not self._talk.label.isascii() or not self._talk.label.isprintable():
            return headers
        agent = f"{headers.get('user-agent')} blastwall ({self._talk.label})".strip()
        return headers.having(("User-Agent", agent))

    @property
    def _resendable(self) -> bool:
        """Whether all that was sent is still here."""
        return self._body.framing is Framing.NONE or self._sent is not None

    # ── from the resource ────────────────────────────────────────────────────────────────────────────────────────────

    def responded(self, head: ResponseHead, body: Body) -> None:
        """See `upstream.Receiver`."""
        if head.status == 101:
            self._switch(head, body)
            return
        talk = self._talk
        self._status = f"{head.status} {head.reason or phrase(head.status)}".strip()
        back = passed_back(head.headers)
        answer = talk.flavour.answered(self._request, talk.resource, head.status, back)
        if answer.renew is not None and not self._renewed and self._resendable:
            self._renew(answer.renew)
        elif answer.refused or (answer.edits and not body.done):
            self._fail(
                502, answer.refused or "the answer's links would have to be rewritten, which this version cannot"
            )
        else:
            self._begin_answer(head, answer.headers, body, same=answer.headers == back)

    def _begin_answer(self, head: ResponseHead, headers: Headers, body: Body, *, same: bool) -> None:
        try:
            self._answering = Answering.begin(self._reply, self.method, head, headers, body, same=same)
        except ValueError:
            self._fail(502, f"the answer of {self._talk.resource.name} has a header field that cannot be passed on")

    def _switch(self, head: ResponseHead, body: Body) -> None:
        """From now on both sides speak WebSocket, which passes unread."""
        self._status = f"101 {phrase(101)}"
        if head.headers.get("upgrade").lower() != "websocket":
            self._fail(502, f"{self._talk.resource.name} changes to another protocol than it was asked for")
            return
        self._step, self._body = _Step.OPAQUE, Body.opaque()
        self._answering = Answering.opaque(self._reply, passed_back(head.headers), body)

    def _renew(self, claims: str) -> None:
        self._renewed = True
        self._upstream.hang_up()
        self._step = _Step.RENEWING
        self._asked = self._talk.number()
        self._out.append(Ask(self._asked, Renewal(claims)))

    def passed(self, pieces: list[bytes]) -> None:
        """See `upstream.Receiver`."""
        if self._answering is not None:
            self._answering.passed(pieces)

    def completed(self, trailer: Headers) -> None:
        """See `upstream.Receiver`."""
        if self._step is _Step.OPAQUE:
            self._body.ended()
        if not self._body.done:
            self._upstream.hang_up()
        self._finish(self._status if self._status >= "400" else None)
        self._step = _Step.OVER
        if self._answering is not None:
            self._answering.completed(trailer)

    def lost(self, reason: str, *, late: bool) -> None:
        """See `upstream.Receiver`. A kept connection may have been closed just before the request came to it."""
        stale = self._upstream.used and not self._upstream.heard
        if stale and not self._again and self._resendable and self.method in _IDEMPOTENT:
            self._again = True
            self._send_head()
        elif self._answering is not None:
            self._finish(reason)
            self._step = _Step.OVER
            self._reply.cut(reason)
        else:
            self._fail(504 if late else 502, reason)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, error: str | None, masked: Mapping[str, int] | None = None) -> None:
        self._running = False
        size = self._answering.size if self._answering is not None else 0
        self._out.append(Finished(self._number, 0, None, size, error, masked or {}))

    def _fail(self, status: int, reason: str) -> None:
        """It was sent, and its answer cannot be had or passed on."""
        self._upstream.hang_up()
        self._finish(reason)
        self._respond_refusal(status, reason)

    def _refuse_allowed(self, status: int, reason: str) -> None:
        self._out.append(Refused(self._number, reason))
        self._respond_refusal(status, reason)

    def _respond_refusal(self, status: int, reason: str) -> None:
        flavour, resource = self._talk.flavour, self._talk.resource
        self._respond(flavour.refusal(self._request, resource, Refusal(status, reason)))

    def _challenge(self, reason: str) -> None:
        self._respond(self._talk.flavour.challenge(self._request, self._talk.resource, reason))

    def _respond(self, response: Response) -> None:
        """Answer for the gateway. A client that waits with its body might send it or not, so its connection ends."""
        self._step = _Step.OVER
        self._read = []
        close = self._expects or self._body.length - self._body.read > DRAINED
        if self._expects:
            self._body = Body(Framing.NONE, 0)
        self._body.framed = False
        self._reply.respond(response, close=close)
