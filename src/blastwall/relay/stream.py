"""One side's connection: bytes both ways, in the clear or in TLS, queued until it can carry them."""

from __future__ import annotations

from typing import Protocol

from blastwall.protocols.contract import CLIENT, Side
from blastwall.relay.lines import HIGH, Line, Receiver
from blastwall.relay.sockets import peer_left, tune
from blastwall.relay.tls import Tls, TlsFailed
from blastwall.wire.native import Flag, Octets


class Owner(Protocol):
    """Whoever a stream reports to."""

    def connected(self, stream: Stream) -> None: ...

    def received(self, side: Side, data: bytes) -> None: ...

    def secured(self, side: Side, alpn: str | None, certificate: bytes) -> None: ...

    def ended(self, side: Side) -> None:
        """Nothing more comes from this side. Called once."""

    def failed(self, side: Side, reason: str) -> None:
        """TLS failed; the stream is closed."""

    def blocked(self, side: Side, blocked: bool) -> None:
        """Whether what is written to this side waits."""

    def lost(self, stream: Stream) -> None:
        """The connection is gone. Called once, last."""


class Shortcut:
    """A shorter way for what comes, where there is one; of itself it takes nothing."""

    def take(self, from_client: Flag, data: Octets) -> Flag:
        """Take what came from the client, or from the resource; False where the owner must."""
        return False


class Stream(Receiver):
    """A connection to one side. `owner` may be changed in `connected`, before anything arrives."""

    def __init__(self, side: Side, owner: Owner) -> None:
        self.side = side
        self._from_client: Flag = side == CLIENT
        self.owner = owner
        self.express: Shortcut | None = None
        self._line: Line | None = None
        self._tls: Tls | None = None
        self._spans: list[bytes] = []
        self._blocked: Flag = False
        self._held_up: Flag = False
        self._ended: Flag = False
        self._closed: Flag = False
        self.paused: Flag = False
        """Whether reading is stopped."""

    @property
    def line(self) -> Line | None:
        """The connection's socket, once connected."""
        return self._line

    @property
    def gone(self) -> bool:
        """Whether nothing can come or go any more."""
        return self._ended or self._closed or self._line is None or self._line.closing

    @property
    def ended(self) -> bool:
        """Whether nothing more comes from the peer."""
        return self._ended

    @property
    def blocked(self) -> bool:
        """Whether what is written to this side waits."""
        return self._blocked

    @property
    def secured(self) -> bool:
        """Whether TLS is up."""
        return self._tls is not None and self._tls.established

    @property
    def alpn(self) -> str | None:
        """The application protocol that TLS agreed on."""
        return self._tls.alpn if self._tls is not None else None

    # ── from the line ────────────────────────────────────────────────────────────────────────────────────────────────

    def connected(self, line: Line) -> None:
        """Begin with a line that is connected."""
        self._line = line
        tune(line.socket)
        line.start(self)
        if self._closed:
            line.abort()
            return
        self.owner.connected(self)
        if self._tls is not None:
            self._decrypt(self._tls, b"")
        self.flush()

    def data_received(self, data: Octets) -> None:
        if self._closed or self._ended:
            return
        if self._tls is None:
            self._receive(data)
        else:
            self._decrypt(self._tls, data)

    def _receive(self, data: Octets) -> None:
        express: Shortcut | None = self.express
        if express is None or not express.take(self._from_client, data):
            self.owner.received(self.side, data)

    def eof_received(self) -> None:
        self._end()  # the other direction stays open: whoever owns the stream decides

    def connection_lost(self) -> None:
        self._end()
        self._closed = True
        self._line = None
        self._spans.clear()
        self.owner.lost(self)

    def pause_writing(self) -> None:
        self._block(True)

    def resume_writing(self) -> None:
        self._block(False)

    def _block(self, blocked: bool) -> None:
        if self._blocked != blocked:
            self._blocked = blocked
            self.owner.blocked(self.side, blocked)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._closed:
                return
            if self._tls is not None and not self._tls.established:
                self._fail(self._tls, self._tls.broken_off)
            else:
                self.owner.ended(self.side)

    # ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start_tls(self, tls: Tls, initial: bytes) -> None:
        """Turn the stream into TLS, after what was sent before; `initial` are its first bytes from the peer.

        A stream that is not connected yet, and to which nothing was sent, begins with TLS once it is.

        Raises:
            RuntimeError: the stream is in TLS already, or something waits to be sent without.
        """
        if self._tls is not None or (self._line is None and self._spans):
            raise RuntimeError("TLS can be started once, on a stream that has sent what waited")
        self.flush()
        self._tls = tls
        if self._line is not None:
            self._decrypt(tls, initial)

    def _decrypt(self, tls: Tls, data: Octets) -> None:
        established: Flag = tls.established
        try:
            plain: Octets = tls.decrypt(data)
        except TlsFailed as failure:
            self._fail(tls, str(failure))
            return
        self._write(tls.outgoing())
        if tls.established and not established:
            self.owner.secured(self.side, tls.alpn, tls.certificate)
            self.flush()
        if plain and not self._closed:
            self._receive(plain)
        if tls.ended:
            self._end()

    def _fail(self, tls: Tls, reason: str) -> None:
        self._write(tls.outgoing())
        self._ended = self._closed = True
        self._spans.clear()
        if self._line is not None:
            self._line.close()
        self.owner.failed(self.side, reason)

    # ── to the peer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def queue(self, data: bytes) -> None:
        """Add bytes to what the next `flush` sends."""
        if not self._closed:
            self._spans.append(data)

    def send(self, data: Octets) -> None:
        """Send bytes now, after what was queued."""
        if self._spans or self._tls is not None or self._line is None:
            self.queue(data)
            self.flush()
        elif not self._closed:
            self._line.write(data)

    def flush(self) -> None:
        """Send what was queued, in one write; keep it where the connection is not ready."""
        if not self._spans:
            return
        tls: Tls | None = self._tls
        if self._line is None or (tls is not None and not tls.established):
            self._held_up = sum(map(len, self._spans)) > HIGH
            self._block(self._held_up)
            return
        if self._held_up:
            self._held_up = False
            self._block(False)
        data = self._spans[0] if len(self._spans) == 1 else b"".join(self._spans)
        self._spans.clear()
        if tls is not None:
            try:
                data = tls.encrypt(data)
            except TlsFailed as failure:
                self._fail(tls, str(failure))
                return
        self._write(data)

    def _write(self, data: Octets) -> None:
        if data and self._line is not None:
            self._line.write(data)

    def pause(self, paused: bool) -> None:
        """Stop or go on reading."""
        line = self._line
        if paused == self.paused or line is None or line.closing:
            return
        self.paused = paused
        if paused:
            line.pause_reading()
        else:
            line.resume_reading()

    def check_left(self) -> bool:
        """While nobody reads, look whether the peer has gone, for a paused stream hears nothing; if so, end it."""
        if not self.paused or self._line is None or not peer_left(self._line.socket):
            return False
        self._end()
        self.abort()
        return True

    def close(self) -> None:
        """Send what was queued, say goodbye, and close."""
        if self._closed:
            return
        self.flush()
        self._closed = True
        if self._line is not None:
            if self._tls is not None:
                self._write(self._tls.finish())
            self._line.close()

    def abort(self) -> None:
        """Close at once; what is not yet sent is not sent."""
        self._closed = True
        self._spans.clear()
        if self._line is not None:
            self._line.abort()
