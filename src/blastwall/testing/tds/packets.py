"""TDS packets on a socket: framing, TLS inside PRELOGIN or before it, and a look for ATTENTION while a request runs.

MS-TDS 2.2.3.1 (packet header), 2.2.6.5 and 3.3.5.1 (TLS handshakes inside PRELOGIN packets), 2.2.1.7 (attention).
"""

from __future__ import annotations

import select
import socket
import ssl
from dataclasses import dataclass

BATCH, RPC, REPLY, ATTENTION, BULK, FEDAUTH = 1, 3, 4, 6, 7, 8
TRANSACTION, LOGIN7, SSPI, PRELOGIN = 14, 16, 17, 18

EOM, IGNORE, RESET, RESET_SKIP = 1, 2, 8, 16

_HEADER = 8
_LARGEST_MESSAGE = 512 << 20
_READ = 1 << 16


class ConnectionLost(Exception):
    """The client left, or sent what is no TDS."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the client's, its packets joined. `status` holds the flags of its first packet."""

    kind: int
    status: int
    payload: bytes
    ignored: bool = False


class Channel:
    """One client's connection. It blocks: each has a thread of its own."""

    def __init__(self, connection: socket.socket, spid: int) -> None:
        self.packet_size = 4096
        self.spid = spid
        self._socket = connection
        self._buffer = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    # ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def starts_with_tls(self) -> bool:
        """Whether the client's first byte opens a TLS handshake (TDS 8) and not a TDS packet."""
        return self._socket.recv(1, socket.MSG_PEEK) == b"\x16"

    def start_tls(self, context: ssl.SSLContext, *, inside_prelogin: bool) -> str | None:
        """Shake hands; with `inside_prelogin` each flight travels in PRELOGIN packets. Return the ALPN protocol."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_handshake(inside_prelogin)
                self._incoming.write(self._handshake_bytes(inside_prelogin))
                continue
            except ssl.SSLError as error:
                raise ConnectionLost(str(error)) from error
            break
        self._flush_handshake(inside_prelogin)
        self._tls = tls
        self._fill(b"")  # the client's first packet may have come with the end of its handshake
        return tls.selected_alpn_protocol()

    def _flush_handshake(self, inside_prelogin: bool) -> None:
        flight = self._outgoing.read()
        if flight:
            self._socket.sendall(self._framed(PRELOGIN, flight) if inside_prelogin else flight)

    def _handshake_bytes(self, inside_prelogin: bool) -> bytes:
        if not inside_prelogin:
            return self._read_socket()
        message = self.receive()
        if message.kind != PRELOGIN:
            raise ConnectionLost("a TLS handshake record must travel in a PRELOGIN packet")
        return message.payload

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self) -> Message:
        """Return the next whole message.

        Raises:
            ConnectionLost: the client left or broke the framing.
        """
        kind, first, size = 0, 0, 0
        parts: list[bytes] = []
        while True:
            packet_kind, status, payload = self._packet()
            if packet_kind == ATTENTION:
                return Message(ATTENTION, status, b"")
            if not parts:
                kind, first = packet_kind, status
            elif packet_kind != kind:
                raise ConnectionLost("a message changed its type in the middle")
            parts.append(payload)
            size += len(payload)
            if size > _LARGEST_MESSAGE:
                raise ConnectionLost("a message of more than 512 MiB")
            if status & EOM:
                return Message(kind, first, b"".join(parts), bool(status & IGNORE))

    def _packet(self) -> tuple[int, int, bytes]:
        while (packet := self._take()) is None:
            self._fill(self._read_socket())
        return packet

    def _take(self) -> tuple[int, int, bytes] | None:
        if len(self._buffer) < _HEADER:
            return None
        length = int.from_bytes(self._buffer[2:4], "big")
        if length < _HEADER:
            raise ConnectionLost("a packet shorter than its header")
        if len(self._buffer) < length:
            return None
        kind, status, payload = self._buffer[0], self._buffer[1], bytes(self._buffer[_HEADER:length])
        del self._buffer[:length]
        return kind, status, payload

    def attention(self, seconds: float = 0.0) -> bool:
        """Wait up to `seconds` for an ATTENTION and take it.

        Raises:
            ConnectionLost: the client left, or sent a request while one was running.
        """
        if not self._buffer:
            readable, _, _ = select.select([self._socket], [], [], seconds)
            if not readable:
                return False
            self._fill(self._read_socket())
        if len(self._buffer) < _HEADER:
            return False
        packet = self._take()
        if packet is None or packet[0] != ATTENTION:
            raise ConnectionLost("a request came while another was running")
        return True

    def _fill(self, data: bytes) -> None:
        if self._tls is None:
            self._buffer += data
            return
        self._incoming.write(data)
        while True:
            try:
                clear = self._tls.read(_READ)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError as error:
                raise ConnectionLost(str(error)) from error
            if not clear:
                raise ConnectionLost("the client ended TLS")
            self._buffer += clear

    def _read_socket(self) -> bytes:
        try:
            data = self._socket.recv(_READ)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        if not data:
            raise ConnectionLost("the client left")
        return data

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, kind: int, payload: bytes) -> None:
        """Send a whole message."""
        self.send_bytes(self._framed(kind, payload))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, inside TLS where it is up.

        Raises:
            ConnectionLost: the client left.
        """
        try:
            if self._tls is None:
                self._socket.sendall(data)
                return
            for start in range(0, len(data), _READ):
                self._tls.write(data[start : start + _READ])
            self._socket.sendall(self._outgoing.read())
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def packet(self, kind: int, number: int, payload: bytes, *, last: bool) -> bytes:
        """Return one packet."""
        length = (_HEADER + len(payload)).to_bytes(2, "big")
        return bytes((kind, EOM if last else 0)) + length + self.spid.to_bytes(2, "big") + bytes((number, 0)) + payload

    def _framed(self, kind: int, payload: bytes) -> bytes:
        room = self.packet_size - _HEADER
        pieces = [payload[start : start + room] for start in range(0, len(payload), room)] or [b""]
        last = len(pieces) - 1
        return b"".join(
            self.packet(kind, (number + 1) % 256, piece, last=number == last) for number, piece in enumerate(pieces)
        )


class Reply:
    """A reply that is sent as its packets fill, so that a long result is under way while it is made."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._room = channel.packet_size - _HEADER
        self._waiting = bytearray()
        self._number = 0

    def write(self, data: bytes) -> None:
        """Add bytes to the reply."""
        self._waiting += data
        if len(self._waiting) > 8 * self._room:
            self._send_full_packets()

    def _send_full_packets(self) -> None:
        packets, start = [], 0
        while len(self._waiting) - start > self._room:
            packets.append(self._next(bytes(self._waiting[start : start + self._room]), last=False))
            start += self._room
        del self._waiting[:start]
        if packets:
            self._channel.send_bytes(b"".join(packets))

    def _next(self, payload: bytes, *, last: bool) -> bytes:
        self._number = (self._number + 1) % 256
        return self._channel.packet(REPLY, self._number, payload, last=last)

    def send_now(self) -> None:
        """Send what waits, in a packet that is not full."""
        self._send_full_packets()
        self._channel.send_bytes(self._next(bytes(self._waiting), last=False))
        self._waiting.clear()

    def end(self) -> None:
        """Send the rest, its last packet with EOM."""
        self._send_full_packets()
        self._channel.send_bytes(self._next(bytes(self._waiting), last=True))
        self._waiting.clear()
