"""A client at a port that several resources share, until it has said which of them it wants. Nothing is dialled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from blastwall.protocols.contract import CLIENT, Handover, Output, Reception, Side, Wrapping
from blastwall.relay.carrier import Carrier
from blastwall.relay.pump import HandOver, Surroundings
from blastwall.relay.stream import Stream
from blastwall.relay.tls import Tls

_log = structlog.get_logger(__name__)


class Hall(Carrier):
    """Carries one reception out. Its time is that of a login."""

    _hand_over: HandOver

    def __init__(self, name: str, reception: Reception, around: Surroundings, gone: Callable[[Hall], None]) -> None:
        super().__init__(_Receiving(reception), name, "a shared port", around.upstream_tls, around.limits, around.lines)
        self._reception = reception
        self._around = around
        self._gone = gone
        self._began = asyncio.get_running_loop().time()
        self._ending: asyncio.TimerHandle | None = None

    def begin(self, client: Stream, hand_over: HandOver) -> None:
        """Take over the client's connection."""
        self._hand_over = hand_over
        self._streams[CLIENT] = client
        client.owner = self

    def carry_other(self, output: Output) -> None:
        """See `Carrier`."""
        if not isinstance(output, Handover):
            raise TypeError(f"a reception gives no {type(output).__name__}")
        self._hand_over(output, self._leave)

    def _leave(self) -> Stream | None:
        client = self.release(CLIENT)
        self.end("the client went on to a session")
        return client

    def client_tls(self, alpn: tuple[str, ...], wrapping: Wrapping | None) -> Tls:
        """See `Carrier`."""
        return self._around.server_tls.start(alpn, wrapping)

    def dialling_failed(self) -> None:
        """Nothing is dialled."""

    def settled(self) -> None:
        """What a reception reads is bounded by itself."""

    def blocked(self, side: Side, blocked: bool) -> None:
        """See `stream.Owner`. What a reception sends is small."""

    def lost(self, stream: Stream) -> None:
        """See `stream.Owner`."""
        super().lost(stream)
        self.end("the client left")

    # ── what the relay asks ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def may_end(self) -> bool:
        """Nothing is under way here."""
        return True

    @property
    def admitted(self) -> bool:
        """Nobody logs in here."""
        return False

    def check(self, now: float) -> None:
        """Look at the clocks; `now` is the loop's time."""
        limit = self._limits.handshake
        if not self.turn.closing and now - self._began > limit:
            self.terminate(f"no request came within {limit:g} seconds")

    def terminate(self, reason: str) -> None:
        """End it, telling the client in its protocol. A second call does nothing."""
        if self._ending is None and not self.turn.closing:
            self._ending = asyncio.get_running_loop().call_later(self._limits.linger, self.end, reason)
            self.call(lambda: self._reception.terminate(reason))

    def finish(self, reason: str) -> None:
        """See `Carrier`."""
        if self._ending is not None:
            self._ending.cancel()
        _log.info("reception_ended", reception=self._name, reason=reason)

    def gone(self) -> None:
        """See `Carrier`."""
        self._gone(self)


class _Receiving:
    """A reception as the engine of a carrier."""

    def __init__(self, reception: Reception) -> None:
        self.receive = reception.receive
        self.receive_eof = reception.receive_eof
        self.tls_started = reception.tls_started

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        """Nothing is dialled."""
        raise TypeError("a reception dials nothing")
