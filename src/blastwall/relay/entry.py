"""Where clients are let in: each gets a session, a gate and a pump; where resources share a port, a reception first.

client ─▶ one resource at this port ────────────────────────────────▶ session
       └▶ several ─▶ reception, which hears what the client wants ─┬▶ session ─┐
                                                                   └─ Handover ◀┘  another host, another principal
"""

from __future__ import annotations

import secrets
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
from blastwall.protocols.contract import Arrival, Handover, Limits, Opening
from blastwall.protocols.kind import ProtocolKind
from blastwall.relay.hall import Hall
from blastwall.relay.pump import Pump, Surroundings
from blastwall.relay.stream import Stream
from blastwall.relay.warm import WarmLimits

_log = structlog.get_logger(__name__)
_FULL = "the gateway has as many connections as it accepts (limits.connections); try again later"
_MOST_UNPROVEN = 8
"""So many sessions in a row may follow each other on one connection without anybody having proven who they are.

Each is recorded, and costs whoever comes without a token no more than a line.
"""
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Served:
    """A resource and where it is served. `plain_text` lets clients in without TLS, on a loopback address only.

    `hosts` are the names by which clients reach it, lower-case; without any it is reached by whatever name.
    """

    resource: Resource
    kind: ProtocolKind
    address: str
    port: int
    plain_text: bool = False
    sizes: Limits = field(default_factory=Limits)
    warm: WarmLimits = field(default_factory=WarmLimits)
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.plain_text and not is_loopback(self.address):
            raise ValueError(f"{self.resource.name}: `plain_text` needs a loopback address, not {self.address}")

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        return (self.address, self.port)


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and what its sessions share."""

    served: Served
    around: Surroundings


class Entrance(Enum):
    """Whether a client is let in, told that there are too many, or cut off."""

    OPEN = auto()
    FULL = auto()
    SHUT = auto()


class Guest(Protocol):
    """A client's connection while it is here: a pump, or a reception."""

    @property
    def may_end(self) -> bool:
        """Whether ending it now interrupts nothing."""

    @property
    def admitted(self) -> bool:
        """Whether somebody has logged in here."""

    def check(self, now: float) -> None:
        """Look at the clocks; `now` is the loop's time."""

    def terminate(self, reason: str) -> None:
        """End it, telling the client."""


class Room(Protocol):
    """Where there is room for so many clients."""

    def enter(self) -> Entrance:
        """Take a place, unless the entrance is shut."""

    def leave(self) -> None:
        """Give back the place of a client that got no further."""

    def admit(self, guest: Guest) -> None:
        """Let a guest have the place that was taken; it gives it back when it is gone."""

    def gone(self, guest: Guest) -> None:
        """A guest is gone: its place is free, unless it was passed on."""

    def pass_on(self, guest: Guest) -> None:
        """Take a guest's place from it, for the one that comes after it."""


@dataclass(slots=True, eq=False)
class _Visit:
    """A client that has taken a place. `full` says why it is let in nowhere; `guest` is who sees to it now.

    `unproven` counts the sessions in a row in which nobody has logged in.
    """

    source: IPAddress
    full: str
    guest: Guest | None = None
    unproven: int = 0


class Entry:
    """Lets the clients of one port in. What is served may be replaced; sessions that are open keep what they have.

    Args:
        servings: what is served at this port.
        gate: judges every session.
        room: where there is room for so many clients.
    """

    def __init__(self, servings: tuple[Serving, ...], gate: Gate, room: Room) -> None:
        self.servings = servings
        self._gate = gate
        self._room = room

    @property
    def names(self) -> str:
        """What logs and errors call the port: the resources that it is for."""
        return ", ".join(serving.served.resource.name for serving in self.servings)

    def accept(self, peer: str, client: Stream) -> None:
        """Let a client in who has connected from an address, or turn it away."""
        source = _source(peer)
        entrance = self._room.enter() if source is not None and self.servings else Entrance.SHUT
        if entrance is not Entrance.OPEN:
            _log.warning("connection_refused", resource=self.names, source=str(source), reason="too many")
        if source is None or entrance is Entrance.SHUT:
            client.abort()
            return
        visit = _Visit(source, "" if entrance is Entrance.OPEN else _FULL)
        if len(self.servings) == 1:
            self._begin(self.servings[0], visit, client)
        else:
            self._receive(visit, client)

    def _receive(self, visit: _Visit, client: Stream) -> None:
        """Hear what the client wants."""
        try:
            hall = self._hall(self.servings[0])
        except Exception as fault:  # noqa: BLE001 - a fault turns this client away and nobody else
            self._turn_away(self.names, visit, client, fault)
            return
        visit.guest = hall
        self._room.admit(hall)
        hall.begin(client, partial(self._hand_over, visit))

    def _hall(self, first: Serving) -> Hall:
        """Every resource at a shared port has the same reception, so the first one's will do."""
        reception = first.served.kind.reception
        if reception is None:
            raise TypeError(f"clients of the kind {first.served.kind.kind} say no name to choose by")
        arrival = Arrival(self._answering, first.served.sizes, first.served.plain_text)
        return Hall(new_session_id(time.time()), reception(arrival), first.around, self._room.gone)

    def _begin(self, serving: Serving, visit: _Visit, client: Stream, data: bytes = b"") -> None:
        served, resource = serving.served, serving.served.resource
        session_id = new_session_id(time.time())
        opening = Opening(
            session_id,
            resource,
            secrets.token_bytes,
            served.sizes,
            served.plain_text,
            warm=serving.around.warm.wanted,
            full=visit.full,
            secured=client.secured,
            alpn=client.alpn,
            reached=partial(self._reached, served),
            alone=serving.around.alone,
        )
        source, each = visit.source, served.kind.proves_each
        try:
            pump = Pump(session_id, served.kind.session(opening), serving.around)
            gate = self._gate.open(session_id, resource, source, pump.terminate, pump.reconsider, proves_each=each)
        except Exception as fault:  # noqa: BLE001 - a fault turns this client away and nobody else
            self._turn_away(resource.name, visit, client, fault)
            return
        visit.guest = pump
        pump.begin(client, gate, visit.full, partial(self._hand_over, visit))
        self._room.admit(pump)
        _log.info("session_opened", session=session_id, resource=resource.name, source=str(source))
        if data or client.ended:
            pump.feed(data, ended=client.ended)

    def _turn_away(self, name: str, visit: _Visit, client: Stream, fault: Exception) -> None:
        _log.error("connection_refused", resource=name, source=str(visit.source), fault=described(fault))
        self._room.leave()
        client.abort()

    # ── another session on the same connection ───────────────────────────────────────────────────────────────────────

    def _hand_over(self, visit: _Visit, order: Handover, leave: Callable[[], Stream | None]) -> None:
        """Have another session go on with the client; `leave` ends the one before, which gives its stream."""
        serving, guest = self._find(order.name), visit.guest
        if guest is not None:
            visit.unproven = 0 if guest.admitted else visit.unproven + 1
            self._room.pass_on(guest)
        client = leave()
        if client is None or client.line is None or client.line.closing:
            self._room.leave()
        elif serving is None or visit.unproven > _MOST_UNPROVEN:
            reason = "unknown host" if serving is None else "too many sessions without a login"
            _log.warning("connection_refused", resource=self.names, source=str(visit.source), reason=reason)
            self._room.leave()
            client.abort()
        else:
            self._begin(serving, visit, client, order.data)

    def _find(self, name: str) -> Serving | None:
        """Return what clients reach by a host name."""
        named = (serving for serving in self.servings if name in serving.served.hosts)
        unnamed = (serving for serving in self.servings if not serving.served.hosts)
        return next(named, None) or next(unnamed, None)

    def _answering(self, name: str) -> str:
        """See `Arrival.reached`."""
        serving = self._find(name)
        return "" if serving is None else serving.served.resource.name

    def _reached(self, served: Served, name: str) -> str:
        """See `Opening.reached`: what was configured anew since is served by another session."""
        serving = self._find(name)
        if serving is None:
            return ""
        current = serving.served.resource
        return (
            current.name if serving.served is served or current.name != served.resource.name else f"{current.name} anew"
        )


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
