"""One resource's listener: accepts clients and gives each a session, a gate and a pump."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import Protocol

import structlog

from blastwall.gate import Gate
from blastwall.gate.faults import described
from blastwall.gate.ports import IPAddress
from blastwall.model.resource import Resource, is_loopback
from blastwall.protocols.contract import CLIENT, Limits, Opening, ProtocolKind, Side
from blastwall.relay.lines import Line
from blastwall.relay.pump import Pump, Surroundings
from blastwall.relay.stream import Stream
from blastwall.relay.warm import WarmLimits

_log = structlog.get_logger(__name__)
_BACKLOG = 1024
_AT_ONCE = 64
"""Clients that are taken in before the loop sees to its other work."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_REST = 1.0
"""Seconds for which nobody is taken in where the system has no room."""
_FULL = "the gateway has as many connections as it accepts (limits.connections); try again later"
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


class ListenFailed(Exception):
    """A port cannot be listened on; the text names resource, address and port."""


@dataclass(frozen=True, slots=True)
class Served:
    """A resource and where it is served. `plain_text` lets clients in without TLS, on a loopback address only."""

    resource: Resource
    kind: ProtocolKind
    address: str
    port: int
    plain_text: bool = False
    sizes: Limits = field(default_factory=Limits)
    warm: WarmLimits = field(default_factory=WarmLimits)

    def __post_init__(self) -> None:
        if self.plain_text and not is_loopback(self.address):
            raise ValueError(f"{self.resource.name}: `plain_text` needs a loopback address, not {self.address}")

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        return (self.address, self.port)


class Entrance(Enum):
    """Whether a client is let in, told that there are too many, or cut off."""

    OPEN = auto()
    FULL = auto()
    SHUT = auto()


class Room(Protocol):
    """Where there is room for so many clients."""

    def enter(self) -> Entrance:
        """Take a place, unless the entrance is shut."""

    def leave(self) -> None:
        """Give back the place of a client that did not get a pump."""

    def admit(self, pump: Pump) -> None:
        """Let a pump have the place that was taken; it gives it back when it is gone."""


class Listener:
    """Accepts clients of one resource. What it serves may be replaced; sessions that are open keep what they have.

    `shared` lets other processes of this user listen on the same port; the kernel deals the clients out among them.
    """

    def __init__(
        self,
        served: Served,
        around: Surroundings,
        gate: Gate,
        room: Room,
        *,
        shared: bool = False,
    ) -> None:
        self.served = served
        self.around = around
        self._gate = gate
        self._room = room
        self._shared = shared
        self._sockets: list[socket.socket] = []
        self._resting: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, where the configured one is 0 the one that was free."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else self.served.port

    async def open(self) -> None:
        """Begin to listen.

        Raises:
            ListenFailed: the port is taken, or not ours to take.
        """
        address, port = self.served.place
        try:
            await self._bind(address, port)
        except OSError as error:
            self.close()
            reason = _reason(error)
            name = self.served.resource.name
            raise ListenFailed(f"resource {name}: cannot listen on {address} port {port}: {reason}") from None
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
                _log.error("cannot_accept", resource=self.served.resource.name, reason=_reason(error))
                if error.errno in _EXHAUSTED:
                    self._rest()
                    self._resting = asyncio.get_running_loop().call_later(_REST, self._listen)
                return
            client.setblocking(False)
            source = str(peer[0]) if peer else ""
            Stream(CLIENT, _Door(partial(self._accept, source))).connected(Line(self.around.lines, client))

    def _accept(self, peer: str, client: Stream) -> None:
        resource = self.served.resource
        source = _source(peer)
        entrance = self._room.enter() if source is not None else Entrance.SHUT
        if entrance is not Entrance.OPEN:
            _log.warning("connection_refused", resource=resource.name, source=str(source), reason="too many")
        if source is None or entrance is Entrance.SHUT:
            client.abort()
            return
        session_id = new_session_id(time.time())
        served, full = self.served, "" if entrance is Entrance.OPEN else _FULL
        opening = Opening(
            session_id, resource, secrets.token_bytes, served.sizes, served.plain_text, self.around.warm.wanted, full
        )
        try:
            pump = Pump(session_id, self.served.kind.session(opening), self.around)
            gate = self._gate.open(
                session_id, resource, source, pump.terminate, pump.reconsider, proves_each=served.kind.proves_each
            )
        except Exception as fault:  # noqa: BLE001 - a fault turns this client away and nobody else
            _log.error("connection_refused", resource=resource.name, source=str(source), fault=described(fault))
            self._room.leave()
            client.abort()
        else:
            pump.begin(client, gate, full)
            self._room.admit(pump)
            _log.info("session_opened", session=session_id, resource=resource.name, source=str(source))


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


def new_session_id(now: float) -> str:
    """Return 20 characters that sort by time (milliseconds, 45 bits), then by chance (55 bits)."""
    number = (int(now * 1000) << 55 | secrets.randbits(55)) & ((1 << 100) - 1)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(95, -5, -5))


def _source(peer: str) -> IPAddress | None:
    """Return the peer's address; an IPv4 one that came through an IPv6 socket as the IPv4 address that it is."""
    if not peer:
        return None
    address = ip_address(peer.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or str(error)
