"""What a turn of the loop does most often to sockets; compiled twins call the system itself, by `calls.pxd`.

The sockets do not block. `number` is the descriptor of what is given beside it: the twin needs no more, and whoever
calls must not do so once that is closed.
"""

from __future__ import annotations

import select
import socket


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


def ready(epoll: select.epoll, number: int) -> list[tuple[int, int]]:  # noqa: ARG001 - the twin's
    """Return the descriptors that are ready now, 256 at most, each with what for.

    Raises:
        OSError: the epoll cannot be asked.
    """
    return epoll.poll(0, 256)
