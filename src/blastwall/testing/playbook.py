"""Play a protocol session without I/O: a relay and a gate of a few lines, and everything they saw.

    play = Playbook(session, rule=lambda ask: Allow(), server=server)
    play.client(b"…")          # the client's bytes; the server's answers are fed back by themselves
    play.to_client, play.to_server, play.events

`rule` answers an `Ask` (None: later, by `play.answer`), `isolate` an `Isolate` (None: later, by `play.isolated`).
`server` is a sans-I/O peer: bytes in, bytes out. What a
session sends is joined, so that two runs can be compared however their input was cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Adopt,
    Allow,
    Answer,
    Ask,
    Close,
    Dial,
    Finished,
    Hangup,
    Isolate,
    Lookup,
    Output,
    ProtocolSession,
    Send,
    Side,
    StartTls,
)

Rule = Callable[[Ask], Answer | None]


class Peer(Protocol):
    """The resource's end: what it answers to bytes on a side. A further upstream with no answer is closed by it."""

    def receive(self, side: Side, data: bytes) -> bytes: ...


@dataclass
class Playbook:
    """One session under play. `cut` splits what is fed into the chunks in which it arrives.

    `parked` is what a session that asks to adopt a connection is given: the state of one, None for none. `short` tries
    the short way of what is repeated first, as the relay does. Without `brief`, a further upstream that answers nothing
    stays open until the test ends it.
    """

    session: ProtocolSession
    rule: Rule
    server: Peer
    look_up: Callable[[Lookup], object]
    cut: Callable[[bytes], Sequence[bytes]] = lambda data: [data]
    isolate: Callable[[Isolate], object] = lambda order: order.task(order.context)
    certificate: bytes = b""
    parked: object = None
    to_client: bytearray = field(default_factory=bytearray)
    to_server: bytearray = field(default_factory=bytearray)
    events: list[Output] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    closed: str | None = None
    short: bool = True
    brief: bool = True

    def client(self, data: bytes) -> None:
        """Feed bytes of the client's."""
        for chunk in self.cut(data):
            self._run(self._from_client(chunk))

    def _from_client(self, chunk: bytes) -> Sequence[Output]:
        again = self.session.repeated(chunk) if self.short else None
        if again is None:
            return self.session.receive(CLIENT, chunk)
        asks = again.asks()
        self.events += asks
        self.asked += asks
        answers = [self.rule(ask) for ask in asks]
        granted = self.session.granted() if all(isinstance(one, Allow) for one in answers) else None
        if granted is not None:
            return [Send(UPSTREAM, granted)]
        outputs: list[Output] = []
        for ask, answer in zip(asks, answers, strict=True):
            outputs += [] if answer is None else self.session.answer(ask.number, answer)
        return outputs

    def _from_server(self, side: Side, chunk: bytes) -> Sequence[Output]:
        answered = self.session.answered(chunk) if self.short and side == UPSTREAM else None
        if answered is None:
            return self.session.receive(side, chunk)
        outputs: list[Output] = [Send(CLIENT, chunk)]
        if answered.parse:
            outputs.append(Finished(answered.parse, 0, None, 0))
        affected = answered.affected if answered.affected >= 0 else None
        finished = answered.finished or Finished(answered.number, answered.rows, affected, answered.size)
        return [*outputs, finished, *answered.more]

    def from_server(self, data: bytes, side: Side = UPSTREAM) -> None:
        """Feed bytes of the resource's that answer nothing."""
        for chunk in self.cut(data):
            self._run(self._from_server(side, chunk))

    def answer(self, number: int, answer: Answer) -> None:
        """Answer an ask that `rule` left open."""
        self._run(self.session.answer(number, answer))

    def isolated(self, number: int, reply: object) -> None:
        """Answer an `Isolate` that `isolate` left open by None."""
        self._run(self.session.looked_up(number, reply))

    def leave(self) -> None:
        """The client goes."""
        self._run(self.session.receive_eof(CLIENT))

    def ends(self, side: Side) -> None:
        """The other end of a side closes it."""
        self._run(self.session.receive_eof(side))

    def dial_fails(self, side: Side) -> None:
        """A side could not be connected."""
        self._run(self.session.dial_failed(side, "refused"))

    def interrupt(self, reason: str = "") -> None:
        """Another connection presents the session's handle; with a reason, the gateway stops the statement."""
        self._run(self.session.interrupted(reason))

    def terminate(self, reason: str) -> None:
        """The gateway ends the session."""
        self._run(self.session.terminate(reason))

    def _run(self, outputs: Sequence[Output]) -> None:
        queue = deque(outputs)
        while queue:
            output = queue.popleft()
            if self.closed is not None:
                raise AssertionError(f"{output!r} after Close({self.closed!r})")
            queue.extend(self._carry_out(output))

    def _carry_out(self, output: Output) -> Sequence[Output]:
        if isinstance(output, Send):
            return self._send(output.to, bytes(output.span))
        self.events.append(output)
        if isinstance(output, Ask):
            self.asked.append(output)
            answer = self.rule(output)
            return [] if answer is None else self.session.answer(output.number, answer)
        if isinstance(output, Lookup):
            return self.session.looked_up(output.number, self.look_up(output))
        if isinstance(output, Isolate):
            reply = self.isolate(output)
            return [] if reply is None else self.session.looked_up(output.number, reply)
        if isinstance(output, StartTls):
            return self.session.tls_started(output.side, next(iter(output.alpn), None), self.certificate)
        if isinstance(output, Adopt):
            return self.session.adopted(output.upstream, self.parked)
        if isinstance(output, Close):
            self.closed = output.reason
        if isinstance(output, Dial | Hangup):
            return []
        return []

    def _send(self, to: Side, data: bytes) -> list[Output]:
        if to == CLIENT:
            self.to_client += data
            return []
        self.to_server += data
        outputs: list[Output] = []
        reply = self.server.receive(to, data)
        for chunk in self.cut(reply) if reply else ():
            outputs += self._from_server(to, chunk)
        if not reply and to != UPSTREAM and self.brief:
            outputs += self.session.receive_eof(to)
        return outputs
