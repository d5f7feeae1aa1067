"""One port: takes in whoever connects."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from functools import partial

import structlog

from blastwall.protocols.contract import CLIENT, Side
from blastwall.relay.lines import Line, Lines
from blastwall.relay.stream import Stream

_log = structlog.get_logger(__name__)
_BACKLOG = 1024
_AT_ONCE = 64
"""Clients that are taken in before the loop sees to its other work."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_REST = 1.0
"""Seconds for which nobody is taken in where the system has no room."""

Accept = Callable[[str, Stream], None]
"""Called with a client's address and its connection."""


class ListenFailed(Exception):
    """A port cannot be listened on; the text names resource, address and port."""


class Listener:
    """Takes in the clients of one port.

    `shared` lets other processes of this user listen on the same port; the kernel deals the clients out among them.
    `name` is what errors call it: the resource, or the resources, that it is for.
    """

    def __init__(
        self, place: tuple[str, int], name: str, accept: Accept, lines: Lines, *, shared: bool = False
    ) -> None:
        self.name = name
        self._place = place
        self._accept = accept
        self._lines = lines
        self._shared = shared
        self._sockets: list[socket.socket] = []
        self._resting: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, where the configured one is 0 the one that was free."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else self._place[1]

    async def open(self) -> None:
        """Begin to listen.

        Raises:
            ListenFailed: the port is taken, or not ours to take.
        """
        address, port = self._place
        try:
            await self._bind(address, port)
        except OSError as error:
            self.close()
            raise cannot_listen(f"resource {self.name}", address, port, error) from None
        self._listen()

    async def _bind(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, place in dict.fromkeys((family, place) for family, _, _, _, place in found):
            sock = socket.create_server(place, family=family, backlog=_BACKLOG, reuse_port=self._shared)
            sock.setblocking(False)
            self._sockets.append(sock)

    def _listen(self) -> None:
        self._resting = None
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.add_reader(sock, self._take, sock)

    def close(self) -> None:
        """Accept nobody any more; open sessions go on."""
        self._rest()
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def _rest(self) -> None:
        """Leave those who come in the kernel's queue."""
        loop = asyncio.get_running_loop()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        for sock in self._sockets:
            loop.remove_reader(sock)

    def _take(self, sock: socket.socket) -> None:
        """Take in who waits, some at a time."""
        for _ in range(_AT_ONCE):
            try:
                client, peer = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.error("cannot_accept", resource=self.name, reason=_reason(error))
                if error.errno in _EXHAUSTED:
                    self._rest()
                    self._resting = asyncio.get_running_loop().call_later(_REST, self._listen)
                return
            client.setblocking(False)
            source = str(peer[0]) if peer else ""
            Stream(CLIENT, _Door(partial(self._accept, source))).connected(Line(self._lines, client))


class _Door:
    """Owns a client's stream until it has a pump, or is turned away."""

    def __init__(self, accept: Callable[[Stream], None]) -> None:
        self._accept = accept

    def connected(self, stream: Stream) -> None:
        self._accept(stream)

    def received(self, side: Side, data: bytes) -> None:
        """Nobody is here to read it."""

    def secured(self, side: Side, alpn: str | None, certificate: bytes) -> None:
        """It has no TLS."""

    def ended(self, side: Side) -> None:
        """It was turned away."""

    def failed(self, side: Side, reason: str) -> None:
        """It has no TLS."""

    def blocked(self, side: Side, blocked: bool) -> None:
        """Nothing is written to it."""

    def lost(self, stream: Stream) -> None:
        """It was turned away."""


_REMEDIES = {
    errno.EADDRINUSE: "end what listens there, or give another port",
    errno.EACCES: "let the gateway's user open ports below 1024, or give a higher one",
    errno.EADDRNOTAVAIL: "`listen` has to be an address of this machine",
}


def cannot_listen(what: str, address: str, port: int, error: OSError) -> ListenFailed:
    """Return the failure to open a port, with what to do where that is known."""
    remedy = _REMEDIES.get(error.errno or 0)
    end = "" if remedy is None else f"; {remedy}"
    return ListenFailed(f"{what}: cannot listen on {address} port {port}: {_reason(error)}{end}")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or str(error)
