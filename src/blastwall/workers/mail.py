"""The sockets between the processes of a node: one inbox each, made before they are forked and known to nobody else.

An inbox is a socket pair without a name in any file system: only processes that inherited it can write or read it, so
there is nothing to authenticate and nothing to find. SOCK_SEQPACKET keeps each packet whole and in its sender's order.
A sender never waits: what an inbox cannot take now is the sender's to keep or to drop.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

PACKET = 32 << 10
"""Payload of one packet; a longer message is cut into several."""
LONGEST = 4 << 20
"""Bytes of the longest message: the metrics of a process, by far."""
_HEADER = struct.Struct("!BBIHHB")
_PACKETS = LONGEST // PACKET


class TooLong(Exception):
    """A message is longer than any may be."""


class Kind(IntEnum):
    """What a message is for."""

    TELL = 0
    ASK = 1
    REPLY = 2


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message. `number` joins a reply with what asked for it."""

    kind: Kind
    sender: int
    number: int
    topic: str
    payload: bytes


def packets(message: Message) -> Iterator[bytes]:
    """Yield the packets of a message.

    Raises:
        TooLong: it has more than `LONGEST` bytes.
    """
    if len(message.payload) > LONGEST:
        raise TooLong(f"a message about {message.topic} of {len(message.payload):,} bytes; the limit is {LONGEST:,}")
    topic, payload = message.topic.encode(), message.payload
    count = max(1, -(-len(payload) // PACKET))
    for part in range(count):
        head = _HEADER.pack(message.kind, message.sender, message.number, part, count, len(topic))
        yield head + topic + payload[part * PACKET : (part + 1) * PACKET]


class Assembly:
    """Puts packets together. A sender's packets come in order, so each has one message under way at most."""

    def __init__(self) -> None:
        self._begun: dict[int, list[bytes]] = {}

    def take(self, packet: bytes) -> Message | None:
        """Take a packet; return the message that it completes. What a crashed sender left unfinished is dropped."""
        kind, sender, number, part, count, length = _HEADER.unpack_from(packet)
        topic_end = _HEADER.size + length
        begun = self._begun.setdefault(sender, [])
        if part == 0:
            begun.clear()
        if part != len(begun) or not 0 < count <= _PACKETS:
            begun.clear()
            return None
        begun.append(packet[topic_end:])
        if part + 1 < count:
            return None
        del self._begun[sender]
        return Message(Kind(kind), sender, number, packet[_HEADER.size : topic_end].decode(), b"".join(begun))


class Mail:
    """The inboxes of a node's processes: 0 is the supervisor's, the workers count from 1."""

    def __init__(self, workers: int) -> None:
        self.members = workers + 1
        self._inboxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(self.members)]
        for pair in self._inboxes:
            for end in pair:
                end.setblocking(False)

    def inbox(self, member: int) -> socket.socket:
        """Return the end that a member reads."""
        return self._inboxes[member][0]

    def outlet(self, member: int) -> socket.socket:
        """Return the end by which all write to a member."""
        return self._inboxes[member][1]

    def close(self) -> None:
        """Close all inboxes."""
        for pair in self._inboxes:
            for end in pair:
                end.close()

    def read(self, member: int) -> Iterator[bytes]:
        """Yield the packets that wait in an inbox."""
        inbox = self.inbox(member)
        while True:
            try:
                packet = inbox.recv(_HEADER.size + 256 + PACKET)
            except (BlockingIOError, InterruptedError):
                return
            if not packet:
                return
            yield packet

    def send(self, member: int, packet: bytes) -> bool:
        """Send a packet; False where the inbox cannot take it now."""
        try:
            self.outlet(member).send(packet)
        except (BlockingIOError, InterruptedError):
            return False
        return True
