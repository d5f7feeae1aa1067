"""Socket options, and what the kernel knows of a connection."""

from __future__ import annotations

import socket
from typing import Protocol

_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""In seconds, the last a count. Azure's load balancers drop a flow that was idle for about four minutes, without a
word. A peer that is gone is noticed after two minutes.

TCP_USER_TIMEOUT would notice it sooner where bytes are under way, but also cut a client that takes none for a while: a
pager that is being read.
"""

_TCP_CLOSE, _TCP_CLOSE_WAIT = 7, 8
"""States in which the peer has closed (linux/include/net/tcp_states.h); the first byte of TCP_INFO."""


_RECEIVED = 128
"""Offset of tcpi_bytes_received, 64 bits, in `struct tcp_info` (linux/include/uapi/linux/tcp.h)."""


class Tunable(Protocol):
    """A socket, or what a loop shows of one."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def tune(sock: Tunable) -> None:
    """Send small writes at once, and keep the connection known to what lies between."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if isinstance(option, int):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def peer_left(sock: socket.socket) -> bool:
    """Whether the peer has closed or reset: what a loop that is not reading does not hear. False where unknown."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in {_TCP_CLOSE, _TCP_CLOSE_WAIT}
    except OSError:
        return False


def heard(sock: socket.socket) -> bool:
    """Whether the peer has sent anything at all; True where the kernel does not tell."""
    if not hasattr(socket, "TCP_INFO"):
        return True
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED + 8)
    except OSError:
        return True
    return len(told) < _RECEIVED + 8 or any(told[_RECEIVED:])
