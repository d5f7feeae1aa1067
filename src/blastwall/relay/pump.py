"""The pump of one session: its session object, its gate, its connections, and the clocks that run against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from blastwall.gate import SessionGate
from blastwall.gate.ports import ResourceMeter
from blastwall.protocols.again import Repeating
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admitted,
    Adopt,
    Answer,
    Ask,
    Claim,
    Deny,
    Exceeded,
    Finished,
    Handover,
    Injected,
    Interrupt,
    Isolate,
    Login,
    Lookup,
    Output,
    Park,
    ProtocolSession,
    Refused,
    Rows,
    Side,
    Streamed,
    Unproven,
    Vacate,
    Withdraw,
    Wrapping,
)
from blastwall.relay.carrier import Carrier
from blastwall.relay.certificates import ServerTls, UpstreamTls
from blastwall.relay.companions import Companions
from blastwall.relay.express import Express
from blastwall.relay.interrupts import Interrupts
from blastwall.relay.limits import RelayLimits
from blastwall.relay.lines import Lines
from blastwall.relay.stopwatch import Stopwatch
from blastwall.relay.stream import Stream
from blastwall.relay.tls import Tls
from blastwall.relay.warm import WarmConnections
from blastwall.sandbox import Handle, Sandboxes

_log = structlog.get_logger(__name__)


HandOver = Callable[[Handover, Callable[[], Stream | None]], None]
"""Has another session go on with a client. It calls back to end the one before, and to have its client's stream."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the sessions of one resource share. `backlog` is in bytes, `alone` as in `Opening`."""

    resource: str
    backlog: int
    server_tls: ServerTls
    upstream_tls: UpstreamTls
    limits: RelayLimits
    lines: Lines
    meter: ResourceMeter
    interrupts: Interrupts
    companions: Companions
    sandboxes: Sandboxes
    warm: WarmConnections
    gone: Callable[[Pump], None]
    vacate: Callable[[str], None]
    alone: bool = True


class Pump(Carrier):
    """Moves one session, from `begin` to its last connection's end."""

    _gate: SessionGate
    _full: str
    _hand_over: HandOver

    def __init__(self, name: str, session: ProtocolSession, around: Surroundings) -> None:
        super().__init__(session, name, around.resource, around.upstream_tls, around.limits, around.lines)
        self._session = session
        self._around = around
        self._meter = around.meter
        self._loop = asyncio.get_running_loop()
        self._blocked: set[Side] = set()
        self._handles: list[bytes] = []
        self._isolating: dict[int, Handle] = {}
        self._admitted = False
        self._began = self._heard = self._born = self._loop.time()
        self._generation = around.warm.generation
        self._stopwatch = Stopwatch(around.limits.statement)
        self._express: Express | None = None
        self._client_gone: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None

    def begin(self, client: Stream, gate: SessionGate, full: str, hand_over: HandOver) -> None:
        """Take over the client's connection; `full` says why it is not let in whatever it shows."""
        self._gate = gate
        self._full = full
        self._hand_over = hand_over
        self._streams[CLIENT] = client
        client.owner = self
        if client.blocked:
            self._blocked.add(CLIENT)  # it was told to the session before

    # ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def carry_other(self, output: Output) -> None:
        """See `Carrier`."""
        match output:
            case Ask():
                self._ask(output)
            case Finished():
                self._stopwatch.end(output.number, self._loop.time())
                self._gate.finished(output)
            case Lookup():
                answer = partial(self._looked_up, output.number)
                self._around.companions.look_up(output.companion, output.question, answer)
            case Isolate():
                answer = partial(self._isolated, output.number)
                owner = self._gate.caller
                self._isolating[output.number] = self._around.sandboxes.run(owner, output.task, output.context, answer)
            case Refused():
                self._stopwatch.end(output.number, self._loop.time())
                self._gate.refused(output)
            case Withdraw():
                self._withdraw(output)
            case Exceeded() | Injected() | Rows() | Streamed():
                self._note(output)
            case Admitted():
                self._admitted = True
                self._go_express()
            case _:
                self._carry_rare(output)

    def _go_express(self) -> None:
        """From now on what the session repeats takes the short way."""
        client, upstream = self._streams.get(CLIENT), self._streams.get(UPSTREAM)
        session = self._session
        if client is not None and upstream is not None and isinstance(session, Repeating):
            streams = (client, upstream)
            self._express = Express(self, session, self._gate, self._meter, self._stopwatch, streams, self._lines)

    def _carry_rare(self, output: Output) -> None:
        """What happens seldom in a session."""
        match output:
            case Claim():
                self._claim(output.handle)
            case Interrupt():
                self._around.interrupts.interrupt(output.handle)
            case Adopt():
                self._adopt(output)
            case Park():
                self._park(output)
            case Vacate():
                self._around.vacate(output.place)
            case Handover():
                self._hand_over(output, partial(self._leave, output.reason))
            case _:
                raise TypeError(f"a session gives no {type(output).__name__}")

    def feed(self, data: bytes, *, ended: bool) -> None:
        """Give the session what came from its client before it was there; `ended` where nothing more comes."""
        self.call_soon(partial(self._session.receive, CLIENT, data))
        if ended:
            self.call_soon(partial(self._session.receive_eof, CLIENT))

    def _leave(self, reason: str) -> Stream | None:
        """End the session, but not its client's connection, which goes on with another one."""
        if self._express is not None:
            self._express.leave()
        client = self.release(CLIENT)
        self.end(reason)
        return client

    def _note(self, output: Exceeded | Injected | Rows | Streamed) -> None:
        if isinstance(output, Rows):
            self._gate.rows(output)
        elif isinstance(output, Streamed):
            self._gate.streamed(output)
        elif isinstance(output, Exceeded):
            self._gate.exceeded(output)
        else:
            self._gate.injected(output)

    def _adopt(self, order: Adopt) -> None:
        keeper = self._gate.keeper
        found = self._around.warm.take(keeper, order.likeness) if keeper is not None else None
        if found is not None:
            self._streams[order.upstream] = found.stream
            found.stream.owner = self
            self._born = found.born
        self.call(partial(self._session.adopted, order.upstream, found.state if found is not None else None))

    def _park(self, order: Park) -> None:
        """Park a connection, if nothing was put in force since the session began."""
        stream, keeper, warm = self._streams.get(order.upstream), self._gate.keeper, self._around.warm
        if stream is None or stream.gone or keeper is None or warm.generation != self._generation:
            self._send_farewell(order)
            return
        if self._express is not None:
            self._express.leave()
        del self._streams[order.upstream]
        self._touched.discard(stream)
        warm.park(keeper, order, stream, self._born, self._gate.keep)

    def _send_farewell(self, order: Park) -> None:
        stream = self._streams.get(order.upstream)
        if stream is not None:
            stream.queue(order.farewell)

    def _ask(self, ask: Ask) -> None:
        self._stopwatch.ask(ask)
        if self._full and isinstance(ask.question, Login):
            self.reply(ask.number, Deny(self._full))
        else:
            self._gate.ask(ask, self.reply)

    def reply(self, number: int, answer: Answer) -> None:
        """Bring the gate's answer to the session."""
        if isinstance(answer, Deny | Unproven):
            self._stopwatch.end(number, self._loop.time())
        else:
            self._stopwatch.answer(number, answer, self._loop.time())
        self.call(partial(self._session.answer, number, answer))

    def _looked_up(self, number: int, reply: object) -> None:
        self.call(partial(self._session.looked_up, number, reply))

    def _isolated(self, number: int, reply: bytes | Exception) -> None:
        self._isolating.pop(number, None)
        self._looked_up(number, reply)

    def _withdraw(self, output: Withdraw) -> None:
        isolated = self._isolating.pop(output.number, None)
        if isolated is not None:
            isolated.cancel()
            return
        self._stopwatch.end(output.number, self._loop.time())
        self._gate.withdraw(output)

    def _claim(self, handle: bytes) -> None:
        if self._around.interrupts.claim(handle, self._interrupted):
            self._handles.append(handle)

    def _interrupted(self) -> None:
        self.call(self._session.interrupted)

    def client_tls(self, alpn: tuple[str, ...], wrapping: Wrapping | None) -> Tls:
        """See `Carrier`."""
        return self._around.server_tls.start(alpn, wrapping)

    def dialling_failed(self) -> None:
        """See `Carrier`."""
        self._meter.dial_failed()

    # ── what the streams report ──────────────────────────────────────────────────────────────────────────────────────

    def received(self, side: Side, data: bytes) -> None:
        """See `stream.Owner`."""
        self._heard = self._loop.time()
        self._meter.each.received(side == CLIENT, len(data))
        self.call(partial(self._session.receive, side, data))

    def blocked(self, side: Side, blocked: bool) -> None:
        """See `stream.Owner`."""
        (self._blocked.add if blocked else self._blocked.discard)(side)
        if not self.turn.draining:
            self.settled()

    def settled(self) -> None:
        """Read each side only while what it sends can be taken.

        A client that does not take its answers is not read either, or the answers to what it asks would pile up.
        """
        blocked, backlog, most = self._blocked, self._session.backlog, self._around.backlog
        for side, stream in self._streams.items():
            full = blocked and (side == CLIENT or CLIENT in blocked)
            pause = bool(full) or backlog(side) > most
            if pause is not stream.paused:
                stream.pause(pause)

    def connected(self, stream: Stream) -> None:
        """See `stream.Owner`. A resource that is dialled after the login has its express from here on."""
        super().connected(stream)
        if self._admitted and stream.side == UPSTREAM:
            self._go_express()
        if self._blocked and not self.turn.draining:
            self.settled()  # one that was not connected could not be paused

    def lost(self, stream: Stream) -> None:
        """See `stream.Owner`. A session outlives its client only to finish what it must."""
        self._blocked.discard(stream.side)
        super().lost(stream)
        if stream.side == CLIENT and not self.turn.closing:
            self._client_gone = self._loop.call_later(self._limits.linger, self.end, "the client left")

    # ── the clocks ───────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, now: float) -> None:
        """Look at the clocks; `now` is the loop's time."""
        if self.turn.closing:
            return
        limits = self._around.limits
        if not self._admitted and now - self._began > limits.handshake:
            self.terminate(f"the login was not complete within {limits.handshake:g} seconds")
        elif now - self._last_heard > limits.idle:
            self.terminate(f"the session was idle for {limits.idle:g} seconds")
        elif self._stopwatch.overdue(now):
            _log.info("statement_overdue", session=self._name, resource=self._resource)
            told = f"the statement ran longer than {limits.statement:g} seconds, the most that it may; it was cancelled"
            self.call(partial(self._session.interrupted, told))
        elif CLIENT in self._streams and not self._blocked:
            self._streams[CLIENT].check_left()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _last_heard(self) -> float:
        return self._heard if self._express is None else max(self._heard, self._express.heard)

    @property
    def name(self) -> str:
        """The session's id."""
        return self._name

    @property
    def admitted(self) -> bool:
        """Whether somebody has logged in."""
        return self._admitted

    @property
    def may_end(self) -> bool:
        """Whether ending the session now interrupts nothing."""
        return not self._admitted or self._session.idle

    def terminate(self, reason: str) -> None:
        """End the session, telling the client in its protocol. A second call does nothing.

        The session may have a last word with the resource, but not for long.
        """
        if self._ending is None and not self.turn.closing:
            self._ending = self._loop.call_later(self._limits.linger, self.end, reason)
            self.call(partial(self._session.terminate, reason))

    def reconsider(self) -> None:
        """Policy changed."""
        self.call(self._session.reconsider)

    def finish(self, reason: str) -> None:
        """See `Carrier`."""
        for timer in (self._client_gone, self._ending):
            if timer is not None:
                timer.cancel()
        for isolated in self._isolating.values():
            isolated.cancel()
        for handle in self._handles:
            self._around.interrupts.release(handle)
        _log.info("session_closed", session=self._name, resource=self._resource, reason=reason)
        self._gate.closed(reason)

    def gone(self) -> None:
        """See `Carrier`."""
        self._around.gone(self)
