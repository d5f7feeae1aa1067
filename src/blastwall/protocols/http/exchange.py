"""One request from its head to the end of its answer, however the client's connection frames it.

    step       waits for                                   then
    PROVING    the gate's answer to a login or proof       READING or ASKED · refused
    READING    the client's body, which is judged          ASKED · refused
    ASKED      the gate's ruling, however long             PASSING · refused
    PASSING    `sending`: the resource's answer            OVER
    OVER       the rest of the client's body, dropped

Nothing is sent to the resource before PASSING, and what is sent is what was judged.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    Admit,
    Admitted,
    Allow,
    Answer,
    Ask,
    AskWhole,
    Deny,
    Login,
    Proof,
    Refused,
    Repeat,
    Stranger,
    Unproven,
    Withdraw,
)
from blastwall.protocols.http.answering import Reply
from blastwall.protocols.http.arriving import Arrived
from blastwall.protocols.http.codings import decoded
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.flavour import Judged, Refusal, Response, statement_text
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.normalise import host_of_authority
from blastwall.protocols.http.sending import Sending, Unsendable
from blastwall.protocols.http.stated import stated
from blastwall.protocols.http.talk import Known, Talk
from blastwall.protocols.http.upstream import Upstream

DRAINED = 16 << 20
"""So many bytes of a refused body are read and dropped: a client that still sends hears the refusal only then."""


class _Step(Enum):
    PROVING = auto()
    READING = auto()
    ASKED = auto()
    PASSING = auto()
    OVER = auto()


class Exchange:
    """Implements `sending.Outcome`. Outputs are added to the talk's."""

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
        self._step = _Step.PROVING
        self._asked = 0
        self._judged: Judged | None = None
        self._statement: Statement | None = None
        self._repeats = False
        self._verdict: tuple[int, str] | None = None
        self._read = bytearray()
        self._sending: Sending | None = None
        self._dropped = 0
        self._taken_back = False
        self._turn = 0

    @classmethod
    def revived(
        cls, talk: Talk, reply: Reply, upstream: Upstream, known: Known, number: int, *, sent: bool
    ) -> Exchange:
        """Go on with a known request that was asked for as `number`; `sent` is whether it was launched."""
        exchange = cls(talk, reply, upstream, replace(known.arrived, body=Body(Framing.NONE, 0), proof=None))
        exchange._statement, exchange._asked, exchange._repeats = known.statement, number, True
        exchange._step = _Step.ASKED
        if sent:
            exchange._pass().launched(known.head)
        return exchange

    # ── what the client's connection asks ────────────────────────────────────────────────────────────────────────────

    @property
    def method(self) -> str:
        """What is asked for."""
        return self._request.method

    @property
    def number(self) -> int:
        """The number of the question that is open."""
        return self._asked

    @property
    def proving(self) -> bool:
        """Whether its proof is being looked at."""
        return self._step is _Step.PROVING and self._asked != 0

    @property
    def turn(self) -> int:
        """Which of the connection's requests it was to be sent, from 1 on; 0 where it was not, or is over."""
        return self._turn if self._step is _Step.PASSING else 0

    @property
    def upstream(self) -> Upstream:
        """Where its request goes."""
        return self._upstream

    @property
    def takes(self) -> bool:
        """Whether what the client sends can be taken now."""
        if self._step is _Step.PASSING and self._sending is not None:
            return self._sending.takes and not self._sending.body.done
        return not self._body.done and self._step in (_Step.READING, _Step.OVER)

    @property
    def done(self) -> bool:
        """Whether both the answer and the client's body are over."""
        return self._step is _Step.OVER and self.body.done

    @property
    def body(self) -> Body:
        """The client's body."""
        return self._body if self._sending is None else self._sending.body

    def begin(self) -> None:
        """Answer at once what needs no proof, else have the proof looked at."""
        talk, flavour = self._talk, self._talk.flavour
        local = flavour.local(self._request, talk.resource)
        if local is not None:
            self._respond(local)
        elif self._arrived.upgrade and not flavour.upgrades:
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
            self._read += b"".join(pieces)
            if self._body.read > self._most:
                self._refuse_unjudged(413, f"the body is longer than {self._most} bytes, the most that can be judged")
            elif self._body.done:
                self._judge_body()
        elif self._step is _Step.PASSING and self._sending is not None:
            self._sending.feed(pieces)
        elif self._step is _Step.OVER:
            self._dropped += sum(map(len, pieces))
            if self._dropped > DRAINED and not self._body.done:
                self._reply.cut("the client went on sending a body that was refused")

    def leave(self, reason: str) -> bool:
        """The client is gone, or is to be: nothing is answered any more. Return whether it has a part of an answer."""
        step, self._step = self._step, _Step.OVER
        if step is _Step.PASSING and self._sending is not None:
            return self._sending.leave(reason)
        if step in (_Step.PROVING, _Step.ASKED) and self._asked:
            self._out.append(Withdraw(self._asked))
        return False

    def take_back(self, reason: str) -> None:
        """The client wants no answer, and its connection goes on: so does the look at the proof, and nothing else."""
        if self.proving:
            self._taken_back = True
        else:
            self.leave(reason)

    def stop(self, status: int, reason: str) -> None:
        """The gateway ends it."""
        if self._step is _Step.OVER:
            return
        if self.leave(reason):
            self._reply.cut(reason)
        else:
            self._respond_refusal(status, reason)

    # ── the gate's answers ───────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, number: int, answer: Answer) -> None:
        """Take the answer to the question that is open."""
        if self._step is _Step.PASSING and self._sending is not None:
            self._sending.answer(number, answer)
        elif number == self._asked and self._step is _Step.PROVING:
            self._proof_answer(answer)
        elif number == self._asked and self._step is _Step.ASKED:
            self._ruled(answer)

    def _proof_answer(self, answer: Answer) -> None:
        talk = self._talk
        if isinstance(answer, Admit):
            if talk.proof is None:
                self._out.append(Admitted())
                talk.label = answer.label
            talk.prove(self._proof, answer.upstream)
        if self._taken_back:
            self._step = _Step.OVER
        elif isinstance(answer, Admit):
            self._proven()
        elif isinstance(answer, Stranger):
            self._step = _Step.OVER
            self._reply.hand_over()
        elif isinstance(answer, Deny) and (answer.retry or answer.fault):
            self._respond_refusal(_status_of(answer), answer.reason)
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
        raw, headers = bytes(self._read), self._request.headers
        self._read = bytearray()
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
        self._asked = self._talk.number()
        self._out.append(Ask(self._asked, question))

    def _refuse_unjudged(self, status: int, reason: str) -> None:
        """Ask, for the record, about what is refused whatever the answer is."""
        self._read = bytearray()
        self._verdict = (status, reason)
        effect = Effect(Action.UNCLASSIFIED, Object((), "resource"))
        request = replace(self._request, body=None)
        self._ask(Statement(statement_text(request), (effect,), request.method, "", doubt=reason))

    def _ruled(self, answer: Answer) -> None:
        if isinstance(answer, Deny):
            status = _status_of(answer) if self._verdict is None else self._verdict[0]
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
        if allow.standing is not None and self._statement is not None:
            self._talk.standing.remember(self._statement, allow.standing)
        sending = self._pass()
        reveals = self._judged is not None and self._judged.reveals
        try:
            sending.start(allow, reveals=reveals, upgrade=self._arrived.upgrade)
        except Unsendable as why:
            self._sending = None
            self._refuse_allowed(502, str(why))
        else:
            self._proceed()
            self._learn(allow, sending.head)

    def _pass(self) -> Sending:
        self._step, self._turn = _Step.PASSING, self._talk.turn()
        self._sending = Sending(self._talk, self._reply, self._upstream, self, self._asked, self._request, self._body)
        return self._sending

    def _learn(self, allow: Allow, head: bytes) -> None:
        """Keep what was sent of a request that repeats an earlier one, where it and its answer pass unread."""
        arrived, statement, standing = self._arrived, self._statement, allow.standing
        if standing is None or statement is None or allow.mask or allow.record is not None or not self._repeats:
            return
        if arrived.raw and arrived.body.framing is Framing.NONE and not arrived.last and not arrived.upgrade:
            host = host_of_authority(arrived.request.authority)
            self._talk.learn(Known(arrived, host, statement, standing, head))

    # ── what came of it ──────────────────────────────────────────────────────────────────────────────────────────────

    def settled(self) -> None:
        """See `sending.Outcome`."""
        self._step = _Step.OVER

    def failed(self, status: int, reason: str) -> None:
        """See `sending.Outcome`."""
        self._respond_refusal(status, reason)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refuse_allowed(self, status: int, reason: str) -> None:
        self._out.append(Refused(self._asked, reason))
        self._respond_refusal(status, reason)

    def _respond_refusal(self, status: int, reason: str) -> None:
        flavour, resource = self._talk.flavour, self._talk.resource
        self._respond(flavour.refusal(self._request, resource, Refusal(status, reason)))

    def _challenge(self, reason: str) -> None:
        self._respond(self._talk.flavour.challenge(self._request, self._talk.resource, reason))

    def _respond(self, response: Response) -> None:
        """Answer for the gateway. A client that waits with its body might send it or not, so its connection ends."""
        self._step = _Step.OVER
        self._read = bytearray()
        close = self._expects or self._body.length - self._body.read > DRAINED
        if self._expects:
            self._body = Body(Framing.NONE, 0)
        self._body.framed = False
        self._reply.respond(response, close=close)


def _status_of(answer: Deny) -> int:
    """Whose trouble it is: the gateway's own, a quota's (send it again later), or policy's word."""
    if answer.fault:
        return 503
    return 429 if answer.retry else 403
