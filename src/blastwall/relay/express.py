"""The short way of one admitted session: what it repeats, and the plain answers, pass without the queue of calls.

    client's line ──▶ session.repeated ──▶ gate.again ──▶ (recorded) ──▶ session.granted ──▶ upstream's line
    upstream's line ──▶ session.answered ──▶ client's line, gate.finished

Whatever is not that, or comes while the pump has other calls to make, is left to the pump, with its bytes untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from blastwall.gate.each import Carrier, EachMeter
from blastwall.gate.ports import ResourceMeter
from blastwall.gate.session import SessionGate
from blastwall.protocols.again import Again, Repeating
from blastwall.protocols.contract import Answer, AskWhole, Output
from blastwall.relay.lines import Lines
from blastwall.relay.stopwatch import Stopwatch
from blastwall.relay.stream import Shortcut, Stream
from blastwall.relay.turn import Turn
from blastwall.wire.native import Flag, Octets, Real, Whole


class Carries(Protocol):
    """The pump, as far as it is needed here."""

    @property
    def turn(self) -> Turn:
        """Whether calls into the session are under way or queued, or it has ended."""

    def carry_all(self, outputs: Sequence[Output]) -> None:
        """Carry out outputs of the session's."""

    def fail(self, fault: Exception) -> None:
        """End the session at once for a fault of the gateway's own."""

    def reply(self, number: int, answer: Answer) -> None:
        """Bring the gate's answer to the session, the ordinary way."""


class Express(Shortcut):
    """Serves one session's two streams. `heard` is when something came last, in the loop's time."""

    def __init__(  # noqa: PLR0917 - one place for each
        self,
        pump: Carries,
        session: Repeating,
        gate: SessionGate,
        meter: ResourceMeter,
        stopwatch: Stopwatch,
        streams: tuple[Stream, Stream],
        lines: Lines,
    ) -> None:
        self._pump = pump
        self._turn: Turn = pump.turn
        self._session: Repeating = session
        self._gate = gate
        self._meter: EachMeter = meter.each
        self._timed = stopwatch if stopwatch.limited else None
        client, upstream = streams
        self._client: Stream = client
        self._upstream: Stream = upstream
        self._lines: Lines = lines
        self._reply = pump.reply
        self.heard: Real = 0.0
        gate.carry_again(Granting(self))
        client.express = upstream.express = self

    def take(self, from_client: Flag, data: Octets) -> Flag:
        """Take what came from a side; False where the pump must."""
        if self._turn.busy():
            return False
        try:
            return self._repeat(data) if from_client else self._answer(data)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it ends this session and nothing else
            self._pump.fail(fault)
            return True

    def _repeat(self, data: Octets) -> Flag:
        again: Again | None = self._session.repeated(data)
        if again is None:
            return False
        self.heard = self._lines.now
        self._meter.received(True, len(data))
        if self._timed is not None:
            for ask in again.asks():
                self._timed.ask(ask)
        if not self._gate.again(again):
            if again.parse:
                self._reply(again.parse, AskWhole())
            self._reply(again.number, AskWhole())
        return True

    def send_granted(self) -> Flag:
        """It is recorded: send it. False where the session must be told the ordinary way."""
        if self._turn.busy() or self._timed is not None:
            return False
        data = self._session.granted()
        if data is None:
            return False
        self._upstream.send(data)
        return True

    def bring(self, number: Whole, answer: Answer) -> None:
        """Bring the gate's answer to the session, the ordinary way."""
        self._reply(number, answer)

    def _answer(self, data: Octets) -> Flag:
        again: Again | None = self._session.answered(data)
        if again is None:
            return False
        self.heard = self._lines.now
        self._meter.received(False, len(data))
        self._client.send(data)
        if self._timed is not None:
            if again.parse:
                self._timed.end(again.parse, self.heard)
            self._timed.end(again.number, self.heard)
        self._gate.answered(again)
        if again.more:
            self._pump.carry_all(again.more)
        return True

    def leave(self) -> None:
        """Serve the streams no more."""
        self._client.express = self._upstream.express = None


class Granting(Carrier):
    """An express, as the gate knows it: a twin has one base only."""

    def __init__(self, express: Express) -> None:
        self._express: Express = express

    def send_granted(self) -> Flag:
        """See `Carrier`."""
        return self._express.send_granted()

    def bring(self, number: Whole, answer: Answer) -> None:
        """See `Carrier`."""
        self._express.bring(number, answer)
