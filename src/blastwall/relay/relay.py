"""All listeners and sessions of this node: start, reload, limits, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from blastwall.gate import Gate
from blastwall.gate.ports import Meter, Vault
from blastwall.model.effects import Effect
from blastwall.model.resource import Resource
from blastwall.relay.certificates import ServerTls, UpstreamTls
from blastwall.relay.companions import Companions, Setting
from blastwall.relay.entry import Entrance, Entry, Guest, Served, Serving
from blastwall.relay.interrupts import Interrupts
from blastwall.relay.limits import RelayLimits
from blastwall.relay.lines import Lines
from blastwall.relay.listener import Listener
from blastwall.relay.pump import Surroundings
from blastwall.relay.warm import WarmConnections, WarmLimits
from blastwall.sandbox import Sandboxes
from blastwall.workers import Member

_log = structlog.get_logger(__name__)
_SHUTTING_DOWN = "the gateway is shutting down; connect again"
_TOLD = 64
"""Clients too many that are still heard, to tell them why they are turned away; what comes beyond them is cut off."""
_DRAIN_STEP = 0.05
_INTERRUPT = "interrupt"
_VACATE = "vacate"
_CONNECTIONS = "connections"


_Port = tuple[str, int, str]
"""Address and port; where any free port will do, the resource's name, since each gets its own."""


@dataclass(frozen=True, slots=True)
class _Door:
    """A port that is listened on, and how its clients are let in."""

    listener: Listener
    entry: Entry

    def close(self) -> None:
        """Take in nobody any more, and hand nobody over; open sessions go on."""
        self.listener.close()
        self.entry.servings = ()


class Relay:
    """The gateway's data side. Everything is called on one loop.

    Args:
        gate: judges every session.
        vault: has the credential of the gateway's own side connections.
        meter: where bytes and failures are counted.
        tls: the gateway's own certificate; `tls.renew` shows another one to new connections.
        limits: bounds; `apply` may replace them.
        member: which of the node's processes this is: they share ports, the limit of connections and cancel requests.
    """

    def __init__(  # noqa: PLR0917 - one place for each port
        self, gate: Gate, vault: Vault, meter: Meter, tls: ServerTls, limits: RelayLimits, member: Member | None = None
    ) -> None:
        self._gate = gate
        self._vault = vault
        self._meter = meter
        self._tls = tls
        self._limits = limits
        self._member = member if member is not None else Member()
        if self._member.bus is not None:
            self._member.bus.on(_INTERRUPT, self._interrupted_elsewhere)
            self._member.bus.on(_VACATE, self._vacate_for_another)
        self._upstream_tls = UpstreamTls()
        self._lines = Lines(gate.settle, None if self._member.bus is None else self._member.bus.catch_up)
        self._doors: dict[_Port, _Door] = {}
        self._servings: dict[str, Serving] = {}
        self._interrupts: dict[str, Interrupts] = {}
        self._sandboxes = Sandboxes()
        self._warm: dict[str, WarmConnections] = {}
        self._companions: list[Companions] = []
        self._guests: set[Guest] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self._draining = False

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._guests)

    def port(self, resource: str) -> int:
        """The port on which a resource is served; KeyError where it is not."""
        return self._doors[_port_of(self._servings[resource].served)].listener.port

    def estimate(
        self, resource: str, database: str, effects: Sequence[Effect], answer: Callable[[object], None]
    ) -> None:
        """Ask a resource how much a statement would change; `answer` gets an `Estimated` where it can tell."""
        serving = self._servings.get(resource)
        question = None if serving is None else serving.served.kind.estimate(database, effects)
        if serving is None or question is None:
            answer(None)
        else:
            serving.around.companions.look_up(*question, answer)

    async def apply(self, served: Sequence[Served], limits: RelayLimits | None = None) -> None:
        """Serve exactly these from now on. Sessions that are open go on, whatever becomes of their port.

        Raises:
            ListenFailed: a port cannot be listened on; everything stays as it was.
            ValueError: resources share a port that do not route by the names of their hosts.
        """
        limits = limits if limits is not None else self._limits
        wanted = _by_port(served)
        servings = {each.resource.name: self._serving_of(each, limits) for each in served}
        fresh = await self._open({port: group for port, group in wanted.items() if port not in self._doors}, servings)
        for port in self._doors.keys() - wanted.keys():
            self._doors[port].close()
        self._doors = {port: self._doors.get(port) or fresh[port] for port in wanted}
        for port, group in wanted.items():
            self._doors[port].entry.servings = tuple(servings[each.resource.name] for each in group)
        self._renew_warm(served)
        self._servings = servings
        self._limits = limits
        if self._ticking is None and not self._draining:
            self._tick()

    def _serving_of(self, served: Served, limits: RelayLimits) -> Serving:
        """Return what there is, where nothing has changed."""
        found = self._servings.get(served.resource.name)
        if found is not None and found.served == served and limits == self._limits:
            return found
        return Serving(served, self._surroundings(served, limits))

    async def _open(
        self, wanted: Mapping[_Port, Sequence[Served]], servings: Mapping[str, Serving]
    ) -> dict[_Port, _Door]:
        opened: dict[_Port, _Door] = {}
        try:
            for port, group in wanted.items():
                entry = Entry(tuple(servings[each.resource.name] for each in group), self._gate, self)
                place, shared = group[0].place, self._member.of > 1
                listener = Listener(place, entry.names, entry.accept, self._lines, shared=shared)
                await listener.open()
                opened[port] = _Door(listener, entry)
                _log.info("listening", resource=entry.names, address=place[0], port=listener.port)
        except BaseException:
            for door in opened.values():
                door.close()
            raise
        return opened

    def _renew_warm(self, served: Sequence[Served]) -> None:
        """Close every warm connection: what it was opened with (credential, address) may be out of force."""
        limits = {each.resource.name: each.warm for each in served}
        for name, warm in self._warm.items():
            warm.renew(limits.get(name, WarmLimits()))

    def _warm_of(self, served: Served) -> WarmConnections:
        name = served.resource.name
        found = self._warm.get(name)
        if found is None:
            meter = self._meter.of(name)
            found = self._warm[name] = WarmConnections(name, served.warm, self._member.counts, meter)
        return found

    def _surroundings(self, served: Served, limits: RelayLimits) -> Surroundings:
        name = served.resource.name
        meter = self._meter.of(name)
        setting = Setting(
            served.resource, served.kind, served.sizes, self._vault, self._upstream_tls, limits, meter, self._lines
        )
        companions = Companions(setting)
        self._companions.append(companions)
        return Surroundings(
            resource=name,
            backlog=served.sizes.backlog,
            server_tls=self._tls,
            upstream_tls=self._upstream_tls,
            limits=limits,
            lines=self._lines,
            meter=meter,
            interrupts=self._interrupts_of(name),
            companions=companions,
            sandboxes=self._sandboxes,
            warm=self._warm_of(served),
            gone=self.gone,
            vacate=partial(self._vacate, name),
            alone=self._member.of == 1,
        )

    # ── room for clients ─────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self) -> Entrance:
        """See `entry.Room`."""
        if self._draining:
            return Entrance.SHUT
        most = self._limits.connections
        taken = self._member.counts.add(_CONNECTIONS, +1)
        if taken <= most:
            return Entrance.OPEN
        if taken <= most + min(_TOLD, most):
            return Entrance.FULL
        self.leave()
        return Entrance.SHUT

    def leave(self) -> None:
        """See `entry.Room`."""
        self._member.counts.add(_CONNECTIONS, -1)

    def admit(self, guest: Guest) -> None:
        """See `entry.Room`."""
        self._guests.add(guest)

    def gone(self, guest: Guest) -> None:
        """See `entry.Room`."""
        if guest in self._guests:
            self._guests.discard(guest)
            self.leave()

    def pass_on(self, guest: Guest) -> None:
        """See `entry.Room`."""
        self._guests.discard(guest)

    # ── cancel requests ──────────────────────────────────────────────────────────────────────────────────────────────

    def _interrupts_of(self, name: str) -> Interrupts:
        found = self._interrupts.get(name)
        if found is None:
            found = self._interrupts[name] = Interrupts(partial(self._interrupt_elsewhere, name))
        return found

    def _interrupt_elsewhere(self, name: str, handle: bytes) -> None:
        """The kernel gives a cancel request to any of the processes: whose session it is for is known to that one."""
        if self._member.bus is not None:
            self._member.bus.tell(_INTERRUPT, name.encode() + b"\0" + handle)

    def _interrupted_elsewhere(self, told: bytes) -> None:
        name, _, handle = told.partition(b"\0")
        interrupts = self._interrupts.get(name.decode())
        if interrupts is not None:
            interrupts.interrupt_here(handle)

    # ── places that are wanted ───────────────────────────────────────────────────────────────────────────────────────

    def _vacate(self, name: str, place: str) -> None:
        """Leave a place of a resource's, in all processes. The others do so soon: the server must wait for them."""
        if self._leave(name, place) and self._member.bus is not None:
            self._member.bus.tell(_VACATE, name.encode() + b"\0" + place.encode())

    def _vacate_for_another(self, told: bytes) -> None:
        name, _, place = told.partition(b"\0")
        self._leave(name.decode(), place.decode())

    def _leave(self, name: str, place: str) -> bool:
        """Leave it as every resource that has it at the same server; return whether any has."""
        asking = self._servings.get(name)
        if asking is None:
            return False
        there = {each.resource.name for each in self._served() if _has(each.resource, place, asking.served.resource)}
        for other in there:
            self._warm[other].vacate(place)
        for companions in self._companions:
            if companions.resource.name in there:
                companions.vacate(place)
        return bool(there)

    def _served(self) -> list[Served]:
        return [serving.served for serving in self._servings.values()]

    # ── the clock, and the end ───────────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(self._limits.tick, self._tick)
        now = loop.time()
        for guest in tuple(self._guests):
            guest.check(now)
        for warm in self._warm.values():
            warm.check(now)

    async def drain(self, seconds: float) -> None:
        """Accept nobody any more, end sessions as they become idle, all of them after `seconds`, and stop."""
        self._draining = True
        self._renew_warm(())
        for door in self._doors.values():
            door.listener.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self._guests and loop.time() < deadline:
            self._end([guest for guest in self._guests if guest.may_end])
            await asyncio.sleep(_DRAIN_STEP)
        self._end(list(self._guests))
        await self._stop()

    def _end(self, guests: Sequence[Guest]) -> None:
        for guest in guests:
            guest.terminate(_SHUTTING_DOWN)

    async def _stop(self) -> None:
        """Wait for the last connections, a little longer than they may linger; then let everything go."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.linger + 1
        while self._guests and loop.time() < deadline:  # noqa: ASYNC110 - a step is short, and this happens once
            await asyncio.sleep(_DRAIN_STEP)
        for companions in self._companions:
            companions.close(_SHUTTING_DOWN)
        await self._sandboxes.close()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None


def _port_of(served: Served) -> _Port:
    return (*served.place, "" if served.port else served.resource.name)


def _has(resource: Resource, place: str, other: Resource) -> bool:
    """Whether a place is one of a resource's that has a server in common with another resource."""
    return place in resource.databases and not {str(host) for host in resource.hosts}.isdisjoint(map(str, other.hosts))


def _by_port(served: Sequence[Served]) -> dict[_Port, list[Served]]:
    """Return what is served at each port.

    Raises:
        ValueError: resources share one that do not route, or are told apart by no name, or by the same.
    """
    ports: dict[_Port, list[Served]] = {}
    for each in served:
        ports.setdefault(_port_of(each), []).append(each)
    for group in ports.values():
        hosts = [host for each in group for host in each.hosts]
        receptions = [each.kind.reception for each in group]
        routed = (
            all(each.hosts for each in group)
            and None not in receptions
            and receptions.count(receptions[0]) == len(group)
        )
        alike = len({each.plain_text for each in group}) == 1
        if len(group) > 1 and not (routed and alike and len(hosts) == len(set(hosts))):
            raise ValueError(f"{', '.join(each.resource.name for each in group)} cannot share a port")
    return ports
