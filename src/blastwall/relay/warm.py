"""Warm connections: upstream connections of sessions that ended, kept for the next session that may have them.

Who may: the same principal, with the same credential, at the same resource, whose session is of the same likeness, as
its protocol says. What a parked connection says by itself (a notice, a setting that changed, its end) ends it: nobody
could say what it is now. All of a resource's are closed by a reload, and a contained principal's at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import structlog

from blastwall.gate.ports import ResourceMeter
from blastwall.gate.session import Keeper
from blastwall.protocols.contract import Park, Side
from blastwall.relay.stream import Stream
from blastwall.workers import Counts

_log = structlog.get_logger(__name__)
_LINGER = 5.0
"""Seconds that a closed connection has for its last bytes."""


Keep = Callable[[Callable[[str], None]], Callable[[], None]]
"""Has a function called with the reason when the principal or the resource is contained; returns what ends that."""


@dataclass(frozen=True, slots=True)
class WarmLimits:
    """How many connections of a resource are parked at most, over the node; for how many seconds; and how old they get.

    A server applies some settings at a login only (a role's defaults), so none lives for ever.
    """

    connections: int = 0
    idle: float = 60.0
    age: float = 600.0


@dataclass(slots=True, eq=False)
class Parked:
    """A parked connection, which owns its stream until somebody adopts it. Times are the loop's."""

    keeper: Keeper
    likeness: Hashable
    state: object = field(repr=False)
    farewell: bytes
    place: str
    stream: Stream
    born: float
    since: float
    drop: Callable[[Parked, str], None] = field(repr=False)
    unwatch: Callable[[], None] = field(repr=False)

    def connected(self, stream: Stream) -> None:
        """See `stream.Owner`."""

    def received(self, side: Side, data: bytes) -> None:
        """See `stream.Owner`."""
        self.drop(self, "the resource said something that nobody asked for")

    def secured(self, side: Side, alpn: str | None, certificate: bytes) -> None:
        """See `stream.Owner`."""

    def ended(self, side: Side) -> None:
        """See `stream.Owner`."""
        self.drop(self, "the resource closed it")

    def failed(self, side: Side, reason: str) -> None:
        """See `stream.Owner`."""
        self.drop(self, reason)

    def blocked(self, side: Side, blocked: bool) -> None:
        """See `stream.Owner`."""

    def lost(self, stream: Stream) -> None:
        """See `stream.Owner`."""
        self.drop(self, "it was lost")


class WarmConnections:
    """The parked connections of one resource in this process; the limit holds over all processes of the node."""

    def __init__(self, resource: str, limits: WarmLimits, counts: Counts, meter: ResourceMeter) -> None:
        self._resource = resource
        self._name = f"warm connections of {resource}"
        self._limits = limits
        self._counts = counts
        self._meter = meter
        self._parked: dict[tuple[Keeper, Hashable], list[Parked]] = {}
        self._vacated: dict[str, float] = {}
        """When a place was left last: what was connected before is not parked there any more."""
        self.generation = 0
        """Only a session that began in this generation may park: what it logged in with may be out of force since."""

    @property
    def wanted(self) -> bool:
        """Whether any connection may be parked."""
        return self._limits.connections > 0

    def renew(self, limits: WarmLimits) -> None:
        """Close all, for what they were opened with may have changed, and put other limits in force."""
        self._limits = limits
        self.generation += 1
        for parked in self._all():
            self._drop(parked, "the configuration was loaded anew")

    def park(self, keeper: Keeper, order: Park, stream: Stream, born: float, keep: Keep) -> None:
        """Take over a session's connection, or close it where there is no room.

        Args:
            keeper: who may have it.
            order: what the session said of it.
            stream: the connection.
            born: when it was connected, by the loop's time.
            keep: as the gate's session has it.
        """
        now = asyncio.get_running_loop().time()
        parked = Parked(
            keeper, order.likeness, order.state, order.farewell, order.place, stream, born, now, self._drop, _nothing
        )
        stream.owner = parked
        if now - born > self._limits.age or born < self._vacated.get(order.place, 0.0) or not self._room():
            _close(parked)
            return
        stream.pause(False)
        self._meter.parked(+1)
        self._parked.setdefault((keeper, order.likeness), []).append(parked)
        parked.unwatch = keep(lambda reason: self._drop(parked, reason))

    def take(self, keeper: Keeper, likeness: Hashable) -> Parked | None:
        """Return the connection that was parked last for this keeper and likeness, no longer parked; None for none.

        Those of the same principal with another credential are closed: it has been changed.
        """
        for parked in self._all():
            if parked.keeper.principal == keeper.principal and parked.keeper != keeper:
                self._drop(parked, "the credential was changed")
        while found := self._parked.get((keeper, likeness)):
            parked = found[-1]
            self._remove(parked)
            if not parked.stream.gone:
                self._meter.adopted()
                return parked
        return None

    def vacate(self, place: str) -> None:
        """Close what is parked in a place, and what would be later and is connected to it now."""
        self._vacated[place] = asyncio.get_running_loop().time()
        for parked in self._all():
            if parked.place == place:
                self._drop(parked, "its place is wanted")

    def check(self, now: float) -> None:
        """Close those that were parked for too long."""
        for parked in self._all():
            if now - parked.since > self._limits.idle:
                self._drop(parked, "nobody wanted it")

    def _room(self) -> bool:
        """Take a place for one more: a free one, or that of the oldest one here."""
        if self._counts.add(self._name, +1) <= self._limits.connections:
            return True
        oldest = min(self._all(), key=lambda each: each.since, default=None)
        if oldest is not None and self.wanted:
            self._drop(oldest, "another one took its place")
            return True
        self._counts.add(self._name, -1)
        return False

    def _all(self) -> list[Parked]:
        return [parked for found in self._parked.values() for parked in found]

    def _drop(self, parked: Parked, reason: str) -> None:
        if self._remove(parked):
            _log.debug("warm_connection_closed", resource=self._resource, reason=reason)
            _close(parked)

    def _remove(self, parked: Parked) -> bool:
        found = self._parked.get((parked.keeper, parked.likeness), [])
        if parked not in found:
            return False
        found.remove(parked)
        if not found:
            del self._parked[parked.keeper, parked.likeness]
        parked.unwatch()
        self._counts.add(self._name, -1)
        self._meter.parked(-1)
        return True


def _close(parked: Parked) -> None:
    """Say goodbye; a peer that does not take it is cut."""
    parked.stream.queue(parked.farewell)
    parked.stream.close()
    asyncio.get_running_loop().call_later(_LINGER, parked.stream.abort)


def _nothing() -> None:
    """It is not watched yet."""
