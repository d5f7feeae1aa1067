"""Carrying out what an engine (a session or a companion) asks for, one call at a time.

Every call into the engine is queued. The outputs of one are carried out whole before the next one is made, so an answer
that comes at once neither recurses nor overtakes, and a memoryview in a Send is copied while it is still valid. What
the calls of one turn send to a side leaves as one write.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from blastwall.gate.faults import described
from blastwall.model.resource import Address
from blastwall.protocols.contract import CLIENT, Close, Dial, Hangup, Output, Send, Side, StartTls, Wrapping
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.dialling import DialFailed, dial
from blastwall.relay.limits import RelayLimits
from blastwall.relay.lines import Lines
from blastwall.relay.sockets import heard
from blastwall.relay.stream import Stream
from blastwall.relay.tls import Tls, TlsFailed
from blastwall.relay.turn import Turn

_log = structlog.get_logger(__name__)

Call = Callable[[], Sequence[Output]]


class Engine(Protocol):
    """What sessions and companions have in common."""

    def receive(self, side: Side, data: bytes) -> Sequence[Output]: ...

    def receive_eof(self, side: Side) -> Sequence[Output]: ...

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]: ...

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]: ...


class Carrier(ABC):
    """Owns an engine's connections.

    Args:
        engine: whose outputs are carried out.
        name: what logs call it: a session's id, a companion's name.
        resource: what errors call the upstreams.
        tls: TLS towards them.
        limits: how long connecting and closing may take.
        lines: where its connections' sockets are served.
    """

    def __init__(  # noqa: PLR0917 - one place for each
        self, engine: Engine, name: str, resource: str, tls: UpstreamTls, limits: RelayLimits, lines: Lines
    ) -> None:
        self._engine = engine
        self._name = name
        self._resource = resource
        self._upstream_tls = tls
        self._limits = limits
        self._lines = lines
        self.turn = Turn()
        self._streams: dict[Side, Stream] = {}
        self._targets: dict[Side, Address] = {}
        self._leaving: set[Stream] = set()
        self._dials: dict[Side, asyncio.Task[None]] = {}
        self._touched: set[Stream] = set()
        self._linger: asyncio.TimerHandle | None = None

    # ── what a subclass says ─────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def carry_other(self, output: Output) -> None:
        """Carry out an output that moves no bytes."""

    @abstractmethod
    def finish(self, reason: str) -> None:
        """The engine has ended. Called once, before its connections are gone."""

    @abstractmethod
    def gone(self) -> None:
        """Its last connection is gone. Called once, after `finish`."""

    def client_tls(self, alpn: tuple[str, ...], wrapping: Wrapping | None) -> Tls:
        """Begin TLS as server towards the client."""
        raise TlsFailed("there is no client here")

    @abstractmethod
    def dialling_failed(self) -> None:
        """A resource could not be reached or secured."""

    @abstractmethod
    def settled(self) -> None:
        """All calls of this turn are done and their bytes are on the way."""

    @abstractmethod
    def blocked(self, side: Side, blocked: bool) -> None:
        """See `stream.Owner`."""

    # ── calls into the engine ────────────────────────────────────────────────────────────────────────────────────────

    def call(self, call: Call) -> None:
        """Make a call into the engine, now or after the one under way, and carry out what it returns."""
        if self.turn.closing:
            return
        self.turn.calls.append(call)
        if not self.turn.draining:
            self._drain()

    def call_soon(self, call: Call) -> None:
        """Make a call into the engine in the loop's next turn, ahead of all that come after this one."""
        self.turn.calls.append(call)
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.turn.calls and not self.turn.draining and not self.turn.closing:
            self._drain()

    def carry_all(self, outputs: Sequence[Output]) -> None:
        """Carry out outputs that the engine gave outside the queue, before any further call is made."""
        self.call(lambda: outputs)

    def _drain(self) -> None:
        self.turn.draining = True
        try:
            self._make_calls()
        except Exception as fault:  # noqa: BLE001 - whatever it is, it ends this engine and nothing else
            self.fail(fault)
        finally:
            self.turn.draining = False

    def fail(self, fault: Exception) -> None:
        """End at once for a fault of the gateway's own."""
        _log.error("engine_failed", name=self._name, resource=self._resource, fault=described(fault))
        self._break(f"a fault of the gateway's own ({type(fault).__name__})")

    def _make_calls(self) -> None:
        """Make the queued calls until none is left, and those that sending their bytes gave rise to."""
        calls = self.turn.calls
        while not self.turn.closing:
            while calls:
                for output in calls.popleft()():
                    self._carry(output)
                    if self.turn.closing:
                        return
            for stream in self._touched:
                stream.flush()
            self._touched.clear()
            if not calls:
                self.settled()
                return

    def _carry(self, output: Output) -> None:
        if type(output) is Send:
            stream = self._streams.get(output.to)
            if stream is not None:
                span = output.span
                stream.queue(span if type(span) is bytes else bytes(span))
                self._touched.add(stream)
            return
        match output:
            case Dial():
                self._dial(output)
            case StartTls():
                self._start_tls(output)
            case Hangup():
                self._hang_up_alone(output.side)
            case Close():
                self.end(output.reason)
            case _:
                self.carry_other(output)

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _dial(self, order: Dial) -> None:
        side = order.upstream
        self._hang_up(side)
        stream = self._streams[side] = Stream(side, self)
        self._targets[side] = order.target
        loop, seconds = asyncio.get_running_loop(), self._limits.dial / order.of
        work = self._connect(stream, order.target, seconds)
        self._dials[side] = loop.create_task(work, name=f"dial {self._name}")
        if order.of > 1:
            loop.call_later(seconds, self._give_up, stream, seconds)
        if order.brief:
            loop.call_later(seconds, self._take_for_ended, stream)

    def _take_for_ended(self, stream: Stream) -> None:
        """Wait no longer for the resource to close it: whoever waits with us would wait for good."""
        if self._streams.get(stream.side) is stream:
            self.ended(stream.side)

    def _give_up(self, stream: Stream, seconds: float) -> None:
        """Go on to the next target where this one is connected and silent: a kernel answers for a hanging process."""
        current = self._streams.get(stream.side) is stream and not self.turn.closing
        if current and stream.line is not None and not heard(stream.line.socket):
            self._dial_failed(stream.side, f"{self._resource} did not answer within {seconds:g} seconds")

    async def _connect(self, stream: Stream, target: Address, seconds: float) -> None:
        side = stream.side
        try:
            await dial(stream, target, self._resource, seconds, self._lines)
        except DialFailed as failure:
            if self._streams.get(side) is stream:
                del self._streams[side]
                self._dial_failed(side, str(failure))
        finally:
            if self._dials.get(side) is asyncio.current_task():
                del self._dials[side]

    def _dial_failed(self, side: Side, reason: str) -> None:
        self.dialling_failed()
        self.call(partial(self._engine.dial_failed, side, reason))

    def _start_tls(self, order: StartTls) -> None:
        side = order.side
        stream = self._streams[side]
        try:
            tls = (
                self.client_tls(order.alpn, order.wrapping)
                if side == CLIENT
                else self._upstream_tls.start(self._targets[side], order.alpn, self._resource, order.wrapping)
            )
        except TlsFailed as failure:
            stream.abort()
            self.failed(side, str(failure))
        else:
            stream.start_tls(tls, order.initial)

    def _hang_up(self, side: Side) -> None:
        stream = self._streams.pop(side, None)
        if stream is None:
            return
        dialling = self._dials.pop(side, None)
        stream.close()
        self._touched.discard(stream)
        if stream.line is not None:
            self._leaving.add(stream)  # a dial that has just connected is not cancelled: its loss could go unheard
        elif dialling is not None:
            dialling.cancel()

    def _hang_up_alone(self, side: Side) -> None:
        """Hang up while the engine goes on; a peer that does not take its last bytes is cut in the end."""
        stream = self._streams.get(side)
        self._hang_up(side)
        if stream is not None:
            asyncio.get_running_loop().call_later(self._limits.linger, stream.abort)

    def release(self, side: Side) -> Stream | None:
        """Give a side's stream away, with everything sent that was to be; None where it is gone."""
        stream = self._streams.pop(side, None)
        if stream is not None:
            stream.flush()
            self._touched.discard(stream)
        return stream

    def end(self, reason: str) -> None:
        """Flush and close every side; nothing is carried out any more."""
        if self.turn.closing:
            return
        self.turn.closing = True
        self.turn.calls.clear()
        self._touched.clear()
        for side in tuple(self._streams):
            self._hang_up(side)
        self._finish(reason)

    def _break(self, reason: str) -> None:
        """End at once after a fault: nothing that is still queued may leave, for nobody knows what it would be."""
        if self.turn.closing:
            return
        self.turn.closing = True
        self.turn.calls.clear()
        for stream in self._streams.values():
            stream.abort()
        for side in tuple(self._streams):
            self._hang_up(side)
        self._finish(reason)

    def _finish(self, reason: str) -> None:
        self._linger = asyncio.get_running_loop().call_later(self._limits.linger, self.abort)
        try:
            self.finish(reason)
        finally:
            self._check_gone()

    def abort(self) -> None:
        """Cut what is still open, and wait for nothing any more."""
        for stream in self._leaving:
            stream.abort()
        self._leaving.clear()
        self._check_gone()

    def _check_gone(self) -> None:
        if self.turn.closing and self._linger is not None and not self._leaving:
            self._linger.cancel()
            self._linger = None
            self.gone()

    # ── what the streams report ──────────────────────────────────────────────────────────────────────────────────────

    def connected(self, stream: Stream) -> None:
        """See `stream.Owner`."""
        self._touched.discard(stream)

    def received(self, side: Side, data: bytes) -> None:
        """See `stream.Owner`."""
        self.call(partial(self._engine.receive, side, data))

    def secured(self, side: Side, alpn: str | None, certificate: bytes) -> None:
        """See `stream.Owner`."""
        self.call(partial(self._engine.tls_started, side, alpn, certificate))

    def ended(self, side: Side) -> None:
        """See `stream.Owner`."""
        if side in self._streams:
            self.call(partial(self._engine.receive_eof, side))

    def failed(self, side: Side, reason: str) -> None:
        """See `stream.Owner`."""
        _log.warning("tls_failed", name=self._name, resource=self._resource, reason=reason)
        if side == CLIENT:
            self.call(partial(self._engine.receive_eof, side))
        else:
            self._dial_failed(side, reason)

    def lost(self, stream: Stream) -> None:
        """See `stream.Owner`."""
        self._leaving.discard(stream)
        if self._streams.get(stream.side) is stream:
            del self._streams[stream.side]
        self._check_gone()
