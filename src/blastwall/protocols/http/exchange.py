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
from typing import Protocol

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import TlsMode
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    Admit,
    Admitted,
    Allow,
    Answer,
    Ask,
    Deny,
    Finished,
    Login,
    Proof,
    Refused,
    Renewal,
    Stranger,
    Unproven,
    Withdraw,
)
from blastwall.protocols.http.codings import decoded
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import passed_back, passed_trailer
from blastwall.protocols.http.flavour import Judged, Refusal, Response, statement_text
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.heads import ResponseHead
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.stated import stated
from blastwall.protocols.http.talk import Talk
from blastwall.protocols.http.upstream import Upstream
from blastwall.protocols.http.writing import chunk, host_of, last_chunk, phrase, request_head

DRAINED = 16 << 20
"""So many bytes of a refused body are read and dropped: a client that still sends hears the refusal only then."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2: what may be sent again where nobody knows whether it arrived."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""What servers want a length for, be it 0 (411 otherwise)."""


class Reply(Protocol):
    """How the client of one exchange is answered."""

    @property
    def frames(self) -> bool:
        """Whether a chunked body is passed on in chunks, as the resource cut it."""

    def proceed(self) -> None:
        """Tell a client that waits with its body to send it."""

    def respond(self, response: Response, *, close: bool) -> None:
        """Send an answer of the gateway's own, whole; the connection ends after it where it must."""

    def begin(self, status: int, reason: str, headers: Headers, framing: Framing, length: int) -> None:
        """Send the head of the resource's answer."""

    def pass_on(self, pieces: list[bytes]) -> None:
        """Send a part of the body, framed."""

    def finish(self) -> None:
        """The answer is whole."""

    def cut(self, reason: str) -> None:
        """The answer cannot be brought to its end, and the client must see that."""

    def hand_over(self) -> None:
        """The request is another principal's: it goes to a session of its own."""


class _Step(Enum):
    PROVING = auto()
    READING = auto()
    ASKED = auto()
    RENEWING = auto()
    PASSING = auto()
    OPAQUE = auto()
    OVER = auto()


class Exchange:
    """Implements `upstream.Receiver`. Outputs are added to the talk's.

    `proof` is what the request proves itself with, None where it shows nothing. `expects` says that the client waits
    for leave to send its body.
    """

    def __init__(  # noqa: PLR0917 - one place for each
        self,
        talk: Talk,
        reply: Reply,
        upstream: Upstream,
        request: Request,
        body: Body,
        proof: bytes | None,
        *,
        expects: bool,
    ) -> None:
        self._talk = talk
        self._out = talk.out
        self._reply = reply
        self._upstream = upstream
        self._request = request
        self._body = body
        self._proof = proof
        self._expects = expects and not body.done
        self._step = _Step.PROVING
        self._number = 0
        self._asked = 0
        self._running = False
        self._judged: Judged | None = None
        self._verdict: tuple[int, str] | None = None
        self._read: list[bytes] = []
        self._head = b""
        self._sent: bytes | None = None
        self._again = self._renewed = False
        self._answering: Body | None = None
        self._begun = False
        self._status = ""
        self._dropped = 0

    # ── what the client's connection asks ────────────────────────────────────────────────────────────────────────────

    @property
    def method(self) -> str:
        """See `upstream.Receiver`."""
        return self._request.method

    @property
    def upgrading(self) -> bool:
        """See `upstream.Receiver`."""
        return False

    @property
    def number(self) -> int:
        """The number of the question that is open."""
        return self._asked

    @property
    def takes(self) -> bool:
        """Whether the client's body can be taken now."""
        return not self._body.done and self._step in (_Step.READING, _Step.PASSING, _Step.OVER)

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
        begun, running = self._begun, self._running
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
            talk.proof, talk.credential = self._proof, answer.upstream
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
        self._ask(stated(request, judged))

    def _ask(self, statement: Statement) -> None:
        self._step = _Step.ASKED
        self._number = self._asked = self._talk.number()
        self._out.append(Ask(self._asked, statement))

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
        elif isinstance(answer, Allow) and self._verdict is not None:
            self._refuse_allowed(*self._verdict)
        elif isinstance(answer, Allow):
            if answer.upstream is not None:
                self._talk.credential = answer.upstream
            if answer.mask:
                self._refuse_allowed(502, "the answer would have to be masked, which this version cannot")
            else:
                self._send()

    def _credential_answer(self, answer: Answer) -> None:
        if isinstance(answer, Admit):
            self._talk.credential = answer.upstream
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
            self._head = request_head(request.method, request.target, fields, framing, length)
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
        talk = self._talk
        self._status = f"{head.status} {head.reason or phrase(head.status)}".strip()
        answer = talk.flavour.answered(self._request, talk.resource, head.status, passed_back(head.headers))
        if answer.renew is not None and not self._renewed and self._resendable:
            self._renew(answer.renew)
        elif answer.refused or (answer.edits and not body.done):
            self._fail(
                502, answer.refused or "the answer's links would have to be rewritten, which this version cannot"
            )
        else:
            self._answering = body
            self._begin_answer(head, answer.headers, body)

    def _renew(self, claims: str) -> None:
        self._renewed = True
        self._upstream.hang_up()
        self._step = _Step.RENEWING
        self._asked = self._talk.number()
        self._out.append(Ask(self._asked, Renewal(claims)))

    def _begin_answer(self, head: ResponseHead, headers: Headers, body: Body) -> None:
        framing, length = body.framing, body.length
        if framing is Framing.NONE and not body.told:
            told = head.headers.get("content-length") if self.method == "HEAD" else ""
            length = int(told) if told else -1
        body.framed = self._reply.frames
        if framing is Framing.CLOSE:
            framing = Framing.CHUNKED  # so that the client can tell its end from a broken connection
        try:
            self._reply.begin(head.status, head.reason or phrase(head.status), headers, framing, length)
        except ValueError:
            self._fail(502, f"the answer of {self._talk.resource.name} has a header field that cannot be passed on")
        else:
            self._begun = True

    def passed(self, pieces: list[bytes]) -> None:
        """See `upstream.Receiver`."""
        closes = self._answering is not None and self._answering.framing is Framing.CLOSE
        self._reply.pass_on([chunk(piece) for piece in pieces] if closes and self._reply.frames else pieces)

    def completed(self, trailer: Headers) -> None:
        """See `upstream.Receiver`."""
        framing = self._answering.framing if self._answering is not None else Framing.NONE
        if framing in (Framing.CHUNKED, Framing.CLOSE) and self._reply.frames:
            self._reply.pass_on([last_chunk(passed_trailer(trailer))])
        if not self._body.done:
            self._upstream.hang_up()
        failed = self._status if self._status >= "400" else None
        self._finish(failed)
        self._step = _Step.OVER
        self._reply.finish()

    def lost(self, reason: str, *, late: bool) -> None:
        """See `upstream.Receiver`. A kept connection may have been closed just before the request came to it."""
        stale = self._upstream.used and not self._upstream.heard
        if stale and not self._again and self._resendable and self.method in _IDEMPOTENT:
            self._again = True
            self._send_head()
        elif self._begun:
            self._finish(reason)
            self._step = _Step.OVER
            self._reply.cut(reason)
        else:
            self._fail(504 if late else 502, reason)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, error: str | None, masked: Mapping[str, int] | None = None) -> None:
        self._running = False
        size = self._answering.read if self._answering is not None else 0
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
