"""TLS's handshake inside PRELOGIN packets, as TDS 7.x has it (MS-TDS 2.2.6.5, "Encryption").

Each end sends its records as the data of packets of type 0x12, until the handshake's last one.
"""

from __future__ import annotations

from blastwall.protocols.tds.packets import Kind, PacketReader, framed
from blastwall.wire.reader import Malformed

INITIAL_SIZE = 4096
"""Bytes of a packet before the login has agreed on a size (MS-TDS 2.2.6.4, PacketSize)."""


class PreloginWrapping:
    """Implements `contract.Wrapping`."""

    def __init__(self) -> None:
        self._packets = PacketReader()

    def wrap(self, handshake: bytes) -> bytes:
        return framed(Kind.PRELOGIN, handshake, INITIAL_SIZE)

    def unwrap(self, data: bytes) -> bytes | None:
        self._packets.feed(data)
        packet = self._packets.take()
        if packet is None:
            return None
        if packet.kind is not Kind.PRELOGIN:
            raise Malformed(f"a packet of type {packet.kind} while TLS is being agreed on")
        return packet.payload

    def rest(self) -> bytes:
        return self._packets.rest()
