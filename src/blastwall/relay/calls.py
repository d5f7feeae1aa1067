"""What a turn of the loop does most often to sockets; compiled twins call the system itself, by `calls.pxd`.

The sockets do not block. `number` is the descriptor of what is given beside it: the twin needs no more, and whoever
calls must not do so once that is closed.
"""

from __future__ import annotations

import select
import socket
from struct import Struct

_EVENT = Struct("=Iixxxx")
"""`struct epoll_event` has 12 bytes or 16, by the machine; the twin knows which."""
_MOST = 256
EVENTS = 16 * _MOST
"""Bytes of room for the events of one round."""


def received(sock: socket.socket, number: int, room: bytearray) -> bytes | None:  # noqa: ARG001 - the twin's
    """Read what there is, at most as much as the room has; empty at the peer's end, None where nothing is there yet.

    Raises:
        OSError: the connection is broken.
    """
    try:
        count = sock.recv_into(room)
    except (BlockingIOError, InterruptedError):
        return None
    return bytes(room[:count])


def sent(sock: socket.socket, number: int, data: bytes, start: int) -> int:  # noqa: ARG001 - the twin's
    """Send from `start` on as much as is taken now, and return how much that is.

    Raises:
        OSError: the connection is broken.
    """
    try:
        return sock.send(memoryview(data)[start:] if start else data)
    except (BlockingIOError, InterruptedError):
        return 0


def ready(epoll: select.epoll, number: int, events: bytearray) -> int:  # noqa: ARG001 - the twin's
    """Put who is ready now into `events`, which has `EVENTS` bytes; return how many they are.

    Raises:
        OSError: the epoll cannot be asked.
    """
    found = epoll.poll(0, _MOST)
    for place, (descriptor, mask) in enumerate(found):
        _EVENT.pack_into(events, place * _EVENT.size, mask, descriptor)
    return len(found)


def number_of(events: bytearray, place: int) -> int:
    """The descriptor of one who is ready."""
    return int(_EVENT.unpack_from(events, place * _EVENT.size)[1])


def mask_of(events: bytearray, place: int) -> int:
    """What it is ready for."""
    return int(_EVENT.unpack_from(events, place * _EVENT.size)[0])
