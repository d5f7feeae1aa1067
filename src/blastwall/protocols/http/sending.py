"""What was allowed, sent to the resource with the gateway's credential, and the answer brought back.

    state      waits for
    SENT       the resource's answer, and the client's body where it streams
    RENEWING   a credential that the resource will take; then the request is sent again
    OPAQUE     either side's end, after a change to WebSocket
    OVER       nothing

A request is sent again where nothing of it was answered: on a connection that the resource had closed meanwhile, if
sending it twice does no harm; and with a renewed credential, once.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import Protocol

from blastwall.model.credential import Credential
from blastwall.model.resource import TlsMode
from blastwall.protocols.contract import (
    Admit,
    Allow,
    Answer,
    Ask,
    Deny,
    Finished,
    Renewal,
    Rows,
    Streamed,
    Unproven,
    Withdraw,
)
from blastwall.protocols.http.answering import Answering, Reading, Reply, Unreadable
from blastwall.protocols.http.bodies.heads import requested
from blastwall.protocols.http.fields import passed_back
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.heads import ResponseHead
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.talk import Talk
from blastwall.protocols.http.upstream import Upstream
from blastwall.protocols.http.writing import host_of, last_chunk, phrase, request_head

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2: what may be sent again where nobody knows whether it arrived."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""What servers want a length for, be it 0 (411 otherwise)."""
_STRIDE = 256 << 10
"""How much of an answer is passed on, in bytes, before it is counted against the agent's budget."""


def status_of(head: ResponseHead) -> str:
    """Return how an answer ended, in HTTP's own words."""
    return f"{head.status} {head.reason or phrase(head.status)}".strip()


class Unsendable(Exception):
    """A request that was allowed must not be sent; the text says why."""


class Outcome(Protocol):
    """Whoever is told what came of a request."""

    def settled(self) -> None:
        """The answer is whole, or was broken off, and the client has seen that."""

    def failed(self, status: int, reason: str) -> None:
        """There is no answer that could be passed on, and the client has nothing of one."""


class _State(Enum):
    SENT = auto()
    RENEWING = auto()
    OPAQUE = auto()
    OVER = auto()


class Sending:
    """One request on its way; implements `upstream.Receiver`. `body` is what the client sends that was not read.

    `reveals` is whether the answer hands out a credential.
    """

    def __init__(  # noqa: PLR0917 - one place for each
        self, talk: Talk, reply: Reply, upstream: Upstream, outcome: Outcome, number: int, request: Request, body: Body
    ) -> None:
        self._talk = talk
        self._out = talk.out
        self._reply = reply
        self._upstream = upstream
        self._outcome = outcome
        self._number = number
        self._request = request
        self._body = body
        self._allow = Allow()
        self._reveals = self._upgrade = False
        self._state = _State.SENT
        self._asked = 0
        self._sent: bytes | None = None
        self._again = self._renewed = False
        self._answering: Answering | None = None
        self._status = ""
        self._said = 0
        self.head = b""
        """The head as it was sent."""

    # ── towards the resource ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def method(self) -> str:
        """See `upstream.Receiver`."""
        return self._request.method

    @property
    def upgrading(self) -> bool:
        """See `upstream.Receiver`."""
        return self._upgrade

    @property
    def body(self) -> Body:
        """What the client sends: its body, after a change of protocol everything."""
        return self._body

    @property
    def takes(self) -> bool:
        """Whether what the client sends can be taken."""
        return self._state in (_State.SENT, _State.OPAQUE)

    def start(self, allow: Allow, *, reveals: bool, upgrade: bool) -> None:
        """Send the request.

        Raises:
            Unsendable: it must not be, and nothing was sent.
        """
        if allow.obligations.limited:
            raise Unsendable("policy limits rows here, which nobody can count in an answer of this resource")
        if upgrade and (allow.mask or allow.record is not None):
            raise Unsendable(
                "what passes by WebSocket can be neither masked nor recorded, and here it would have to be"
            )
        self._allow, self._reveals, self._upgrade = allow, reveals, upgrade
        self._write_head(self._credential())
        self._send()

    def launched(self, head: bytes) -> None:
        """Go on with what was sent already."""
        self.head = head
        self._upstream.land(self)

    def _credential(self) -> Credential:
        credential, resource = self._talk.credential, self._talk.resource
        if credential is None or (credential.token and self._upstream.address.tls is not TlsMode.VERIFY_FULL):
            raise Unsendable(f"{resource.name} gets no token: its certificate is not verified (`tls: verify-full`)")
        return credential

    def _write_head(self, credential: Credential) -> None:
        request, flavour, resource = self._request, self._talk.flavour, self._talk.resource
        if request.body is not None:
            replaced = flavour.body(request, resource, credential)
            self._sent = request.body if replaced is None else replaced
        framing, length = self._framing()
        headers = requested(request.headers, self._allow.mask).without(("content-length",))
        if framing is Framing.LENGTH or length == 0:
            headers = headers.having(("Content-Length", str(length)))
        shown = replace(request, headers=headers.having(("Host", host_of(self._upstream.address))))
        try:
            fields = self._labelled(flavour.authorise(shown, resource, credential))
            upgrade = self._upgrade
            self.head = request_head(request.method, request.target, fields, framing, length, upgrade=upgrade)
        except ValueError:
            raise Unsendable("one of the request's header fields would be read as something else") from None

    def _send(self) -> None:
        self._state = _State.SENT
        self._upstream.send(self.head + self._sent if self._sent else self.head, self)
        self._body.framed = True

    def _framing(self) -> tuple[Framing, int]:
        if self._sent is not None:
            return Framing.LENGTH, len(self._sent)
        if self._body.framing is Framing.NONE:
            return Framing.NONE, 0 if self._body.told or self._request.method in _WITH_BODY else -1
        return self._body.framing, self._body.length

    def _labelled(self, headers: Headers) -> Headers:
        """Name agent and session for the resource's own logs."""
        label = self._talk.label
        if not label.isascii() or not label.isprintable() or not label:
            return headers
        return headers.having(("User-Agent", f"{headers.get('user-agent')} blastwall ({label})".strip()))

    def feed(self, pieces: list[bytes]) -> None:
        """Pass on what the client sends."""
        self._upstream.pass_on(pieces)
        if self._body.done and self._body.framing is Framing.CHUNKED:
            self._upstream.pass_on([last_chunk(Headers())])

    @property
    def _resendable(self) -> bool:
        """Whether all that was sent is still here."""
        return self._body.framing is Framing.NONE or self._sent is not None

    # ── from the resource ────────────────────────────────────────────────────────────────────────────────────────────

    def responded(self, head: ResponseHead, body: Body) -> None:
        """See `upstream.Receiver`."""
        self._status = status_of(head)
        if head.status == 101:
            self._switch(head, body)
            return
        back = passed_back(head.headers)
        answer = self._talk.flavour.answered(self._request, self._talk.resource, head.status, back)
        if answer.renew is not None and not self._renewed and self._resendable:
            self._renew(answer.renew)
            return
        if answer.refused:
            self._fail(502, answer.refused)
            return
        reading = Reading(self._allow.mask, answer.edits, self._allow.record, self._reveals)
        same = answer.headers == back
        try:
            self._answering = Answering.begin(self._reply, self.method, head, answer.headers, body, reading, same=same)
        except (Unreadable, ValueError) as fault:
            self._fail(502, self._why(fault))

    def _why(self, fault: Exception) -> str:
        told = str(fault) if isinstance(fault, Unreadable) else "a header field of it cannot be passed on"
        return f"the answer of {self._talk.resource.name} is not passed on: {told}"

    def _switch(self, head: ResponseHead, body: Body) -> None:
        """From now on both sides speak WebSocket, which passes unread."""
        if head.headers.get("upgrade").lower() != "websocket":
            self._fail(502, f"{self._talk.resource.name} changes to another protocol than it was asked for")
            return
        self._state, self._body = _State.OPAQUE, Body.opaque()
        self._answering = Answering.opaque(self._reply, passed_back(head.headers), body)

    def _renew(self, claims: str) -> None:
        self._renewed = True
        self._upstream.hang_up()
        self._state = _State.RENEWING
        self._asked = self._talk.number()
        self._out.append(Ask(self._asked, Renewal(claims)))

    def answer(self, number: int, answer: Answer) -> None:
        """Take the answer to a question of this request's own."""
        if self._state is not _State.RENEWING or number != self._asked:
            return
        if isinstance(answer, Deny | Unproven):
            self._fail(502, f"{self._talk.resource.name} does not take the gateway's credential: {answer.reason}")
        elif isinstance(answer, Admit):
            self._talk.renew(answer.upstream)
            try:
                self._write_head(self._credential())
            except Unsendable as why:
                self._fail(502, str(why))
            else:
                self._send()

    def passed(self, pieces: list[bytes]) -> None:
        """See `upstream.Receiver`."""
        if self._answering is None:
            return
        try:
            self._answering.passed(pieces)
        except (Unreadable, ValueError) as fault:
            self._break(self._why(fault))
        else:
            self._say(self._answering)

    def _say(self, answering: Answering) -> None:
        """Tell now and then how much was sent, so that an answer without end is counted before its end."""
        if answering.size - self._said >= _STRIDE:
            self._said = answering.size
            self._out.append(Streamed(self._number, 0, answering.size, sum(answering.masked.values())))

    def completed(self, trailer: Headers) -> None:
        """See `upstream.Receiver`."""
        if self._state is _State.OPAQUE:
            self._body.ended()
        if not self._body.done:
            self._upstream.hang_up()
        try:
            if self._answering is not None:
                self._answering.completed(trailer)
        except (Unreadable, ValueError) as fault:
            self._break(self._why(fault))
        else:
            self._finish(self._status if self._status >= "400" else None)
            self._outcome.settled()

    def lost(self, reason: str, *, late: bool) -> None:
        """See `upstream.Receiver`. A kept connection may have been closed just before the request came to it."""
        stale = self._upstream.used and not self._upstream.heard
        if stale and not self._again and self._resendable and self.method in _IDEMPOTENT:
            self._again = True
            self._send()
        else:
            self._break(reason, 504 if late else 502)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def leave(self, reason: str) -> bool:
        """Nothing is answered any more; return whether the client has a part of an answer."""
        if self._state is _State.OVER:
            return False
        if self._state is _State.RENEWING:
            self._out.append(Withdraw(self._asked))
        self._upstream.hang_up()
        self._finish(reason)
        return self._answering is not None and self._answering.begun

    def _break(self, reason: str, status: int = 502) -> None:
        """The answer does not come to its end."""
        if self._answering is None or not self._answering.begun:
            self._fail(status, reason)
            return
        self._upstream.hang_up()
        self._finish(reason)
        self._outcome.settled()
        self._reply.cut(reason)

    def _fail(self, status: int, reason: str) -> None:
        self._upstream.hang_up()
        self._finish(reason)
        self._outcome.failed(status, reason)

    def _finish(self, error: str | None) -> None:
        self._state = _State.OVER
        answering = self._answering
        if answering is None:
            self._out.append(Finished(self._number, 0, None, 0, error, status=self._status))
            return
        if answering.recorded is not None:
            self._out.append(Rows(self._number, ("body",), ((answering.recorded,),)))
        self._out.append(Finished(self._number, 0, None, answering.size, error, answering.masked, status=self._status))
