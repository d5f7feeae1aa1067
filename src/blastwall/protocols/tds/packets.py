"""Packets, and the messages that they carry in parts.

Source: MS-TDS 2.2.3 "Packets": type, status, length (big-endian, with the header's eight bytes), SPID (big-endian),
packet number, window; 2.2.3.1.1 for the types, 2.2.3.1.2 for the status bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from blastwall.wire.reader import Malformed

HEADER = 8
LARGEST = 32767
"""The largest packet in bytes that a client may ask for (MS-TDS 2.2.6.4, PacketSize)."""
SMALLEST = 512
EOM, IGNORE, RESET, RESET_SKIP = 0x01, 0x02, 0x08, 0x10
"""Status bits: the message's last packet, ignore this message, reset the session first, reset all but transactions."""
_KNOWN = EOM | IGNORE | RESET | RESET_SKIP
_RESETS = RESET | RESET_SKIP
_HEAD = Struct(">BBHHBB")


class Kind(IntEnum):
    """Packet types (MS-TDS 2.2.3.1.1)."""

    BATCH = 1
    RPC = 3
    REPLY = 4
    ATTENTION = 6
    BULK = 7
    FEDAUTH = 8
    TRANSACTION = 14
    LOGIN7 = 16
    SSPI = 17
    PRELOGIN = 18


_KINDS = {int(kind): kind for kind in Kind}
_RESETTING = frozenset({Kind.BATCH, Kind.RPC, Kind.TRANSACTION})
"""What a session may be reset with (2.2.3.1.2)."""


class Packet(NamedTuple):
    """One packet; `raw` is the whole of it, header and payload."""

    kind: Kind
    status: int
    spid: int
    number: int
    payload: bytes
    raw: bytes

    @property
    def last(self) -> bool:
        """Whether its message ends with it."""
        return bool(self.status & EOM)


class PacketReader:
    """Bytes in by `feed`; whole packets out by `take`.

    `largest` is the largest whole packet in bytes that the peer may send.
    """

    __slots__ = ("_at", "_data", "_held", "_parts", "_wanted", "largest")

    def __init__(self, largest: int = LARGEST) -> None:
        self.largest = largest
        self._data = b""
        self._at = 0
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = 0

    @property
    def buffered(self) -> int:
        """Bytes that wait."""
        return len(self._data) - self._at + self._held

    def feed(self, data: bytes) -> None:
        """Take what arrived. A packet that comes in many parts is joined once, when it is whole."""
        if self._wanted:
            self._parts.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return
            data = b"".join(self._parts)
            self._parts, self._held, self._wanted = [], 0, 0
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def take(self) -> Packet | None:
        """Return the next whole packet, None where it is not there yet.

        Raises:
            Malformed: its type is unknown, or its length impossible or over the limit.
        """
        data, at = self._data, self._at
        if len(data) - at < HEADER:
            return None
        kind, status, length, spid, number, _window = _HEAD.unpack_from(data, at)
        known = _KINDS.get(kind)
        if known is None:
            raise Malformed(f"a packet of the unknown type {kind}")
        if not HEADER <= length <= self.largest:
            raise Malformed(f"a packet of {length} bytes, of at most {self.largest}")
        missing = length - (len(data) - at)
        if missing > 0:
            self._wanted = missing
            return None
        self._at = at + length
        return Packet(known, status, spid, number, data[at + HEADER : self._at], data[at : self._at])

    def rest(self) -> bytes:
        """Take all that waits: what follows is no packet (raw TLS after the handshake)."""
        rest = self._data[self._at :] + b"".join(self._parts)
        self._data, self._at, self._parts, self._held, self._wanted = b"", 0, [], 0, 0
        return rest


class Message(NamedTuple):
    """A whole message.

    `reset` has the RESET or RESET_SKIP bit of its first packet. `raw` is all of its packets as they came. `ignored`:
    its sender has taken it back (IGNORE on its last packet). `oversized`: it was over the limit, so nothing was kept of
    it; `size` is that of its payload in bytes.
    """

    kind: Kind
    reset: int
    payload: bytes
    raw: bytes
    ignored: bool = False
    oversized: bool = False
    size: int = 0


class Piece(NamedTuple):
    """One packet of a message that is read as it comes: see `Message`."""

    kind: Kind
    reset: int
    payload: bytes
    raw: bytes
    first: bool
    last: bool
    ignored: bool


class MessageReader:
    """The messages of a client: bytes in by `feed`; messages, or pieces of those that are streamed, out by `take`.

    `limits` gives the largest payload in bytes of a type of message, `limit` that of the others. A message over its
    limit is dropped as it arrives, and returned as `oversized` at its end. Types in `streamed` come as pieces.
    """

    def __init__(
        self,
        limit: int,
        limits: Mapping[Kind, int] | None = None,
        streamed: frozenset[Kind] = frozenset(),
        largest: int = LARGEST,
    ) -> None:
        self.packets = PacketReader(largest)
        self.streamed = streamed
        self._limit = limit
        self._limits = dict(limits or {})
        self._kind: Kind | None = None
        self._reset = 0
        self._payload = bytearray()
        self._raw = bytearray()
        self._size = 0
        self._oversized = False

    @property
    def buffered(self) -> int:
        """Bytes that wait, in packets and in a message that is not whole yet."""
        return self.packets.buffered + len(self._raw)

    @property
    def amid(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._kind is not None

    def feed(self, data: bytes) -> None:
        self.packets.feed(data)

    def take(self) -> Message | Piece | None:
        """Return the next whole message or piece, None where it is not there yet.

        Raises:
            Malformed: a packet is, or does not belong where it stands.
        """
        while (packet := self.packets.take()) is not None:
            first = self._kind is None
            self._check(packet)
            if first:
                self._reset = packet.status & _RESETS
            if packet.kind in self.streamed:
                self._kind = None if packet.last else packet.kind
                ignored = bool(packet.status & IGNORE)
                return Piece(packet.kind, self._reset, packet.payload, packet.raw, first, packet.last, ignored)
            if first and packet.last:
                whole = self._single(packet)
                if whole is not None:
                    return whole
            self._keep(packet, first=first)
            if packet.last:
                return self._whole(packet)
        return None

    def _check(self, packet: Packet) -> None:
        status = packet.status
        if self._kind not in (None, packet.kind):
            raise Malformed(f"a packet of type {packet.kind} within a message of type {self._kind}")
        if status & ~_KNOWN:
            raise Malformed(f"a packet with the unknown status bits {status & ~_KNOWN:#x}")
        self._check_reset(packet)
        if status & IGNORE and not status & EOM:
            raise Malformed("a message that is taken back before its end")
        if not packet.payload and not packet.last:
            raise Malformed("an empty packet within a message")
        if packet.kind is Kind.ATTENTION and (packet.payload or not packet.last):
            raise Malformed("an ATTENTION with something in it")

    def _check_reset(self, packet: Packet) -> None:
        """A server that would heed what stands in a later packet alone would do what nobody has seen coming."""
        bits = packet.status & _RESETS
        if bits == _RESETS:
            raise Malformed("a packet that resets the session both with and without its transaction")
        if bits and packet.kind not in _RESETTING:
            raise Malformed(f"a packet of type {packet.kind} that resets the session")
        if bits and self._kind is not None and bits != self._reset:
            raise Malformed("a packet that resets the session within a message")

    def _single(self, packet: Packet) -> Message | None:
        """Return the message of one packet without copying it; None where it is over its limit."""
        size = len(packet.payload)
        if size > self._limits.get(packet.kind, self._limit):
            return None
        ignored = bool(packet.status & IGNORE)
        return Message(packet.kind, self._reset, packet.payload, packet.raw, ignored, size=size)

    def _keep(self, packet: Packet, *, first: bool) -> None:
        if first:
            self._kind = packet.kind
        self._size += len(packet.payload)
        limit = self._limits.get(packet.kind, self._limit)
        # Tiny packets are more header than payload: what they take is bounded as well.
        most = limit + limit // 32 + SMALLEST
        if self._size > limit or len(self._raw) + len(packet.raw) > most:
            self._oversized = True
            self._payload, self._raw = bytearray(), bytearray()
        if not self._oversized:
            self._payload += packet.payload
            self._raw += packet.raw

    def _whole(self, packet: Packet) -> Message:
        ignored = bool(packet.status & IGNORE)
        payload, raw = bytes(self._payload), bytes(self._raw)
        whole = Message(packet.kind, self._reset, payload, raw, ignored, self._oversized, self._size)
        self._kind, self._reset, self._size, self._oversized = None, 0, 0, False
        self._payload, self._raw = bytearray(), bytearray()
        return whole


def header(kind: int, status: int, length: int, spid: int = 0, number: int = 1) -> bytes:
    """Write a packet's header; `length` is that of the whole packet in bytes."""
    return _HEAD.pack(kind, status, length, spid, number & 0xFF, 0)


def framed(kind: int, payload: bytes, size: int, status: int = 0, spid: int = 0) -> bytes:
    """Put a message into packets of at most `size` bytes; `status` bits go onto the first, IGNORE onto the last."""
    room = size - HEADER
    packets: list[bytes] = []
    for number, start in enumerate(range(0, max(len(payload), 1), room), 1):
        part = payload[start : start + room]
        bits = status & ~(EOM | IGNORE) if number == 1 else 0
        if start + room >= len(payload):
            bits |= EOM | status & IGNORE
        packets += (header(kind, bits, HEADER + len(part), spid, number), part)
    return b"".join(packets)
