"""All listeners and sessions of this node: start, reload, limits, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from blastwall.gate import Gate
from blastwall.gate.ports import Meter, Vault
from blastwall.model.effects import Effect
from blastwall.relay.certificates import ServerTls, UpstreamTls
from blastwall.relay.companions import Companions, Setting
from blastwall.relay.interrupts import Interrupts
from blastwall.relay.limits import RelayLimits
from blastwall.relay.lines import Lines
from blastwall.relay.listener import Entrance, Listener, Served
from blastwall.relay.pump import Pump, Surroundings
from blastwall.relay.warm import WarmConnections, WarmLimits
from blastwall.sandbox import Sandboxes
from blastwall.workers import Member

_log = structlog.get_logger(__name__)
_SHUTTING_DOWN = "the gateway is shutting down; connect again"
_TOLD = 64
"""Clients too many that are still heard, to tell them why they are turned away; what comes beyond them is cut off."""
_DRAIN_STEP = 0.05
_INTERRUPT = "interrupt"
_CONNECTIONS = "connections"


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
        self._upstream_tls = UpstreamTls()
        self._lines = Lines(gate.settle)
        self._listeners: dict[str, Listener] = {}
        self._interrupts: dict[str, Interrupts] = {}
        self._sandboxes = Sandboxes()
        self._warm: dict[str, WarmConnections] = {}
        self._companions: list[Companions] = []
        self._pumps: set[Pump] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self._draining = False

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._pumps)

    def port(self, resource: str) -> int:
        """The port on which a resource is served; KeyError where it is not."""
        return self._listeners[resource].port

    def estimate(
        self, resource: str, database: str, effects: Sequence[Effect], answer: Callable[[object], None]
    ) -> None:
        """Ask a resource how much a statement would change; `answer` gets an `Estimated` where it can tell."""
        listener = self._listeners.get(resource)
        question = None if listener is None else listener.served.kind.estimate(database, effects)
        if listener is None or question is None:
            answer(None)
        else:
            listener.around.companions.look_up(*question, answer)

    async def apply(self, served: Sequence[Served], limits: RelayLimits | None = None) -> None:
        """Serve exactly these from now on. Sessions that are open go on, whatever becomes of their listener.

        Raises:
            ListenFailed: a port cannot be listened on; everything stays as it was.
        """
        limits = limits if limits is not None else self._limits
        kept = self._kept(served)
        fresh = await self._open([each for each in served if each.resource.name not in kept], limits)
        for listener in set(self._listeners.values()) - set(kept.values()):
            listener.close()
        for each in served:
            stays = kept.get(each.resource.name)
            if stays is not None and (stays.served != each or limits != self._limits):
                stays.served = each
                stays.around = self._surroundings(each, limits)
        self._renew_warm(served)
        self._listeners = kept | fresh
        self._limits = limits
        if self._ticking is None and not self._draining:
            self._tick()

    def _kept(self, served: Sequence[Served]) -> dict[str, Listener]:
        """Return the listeners that stay, by what they serve from now on: a place may get another resource."""
        places = {listener.served.place: listener for listener in self._listeners.values() if listener.served.port}
        kept = {}
        for each in served:
            own = self._listeners.get(each.resource.name)
            found = own if own is not None and own.served.place == each.place else places.get(each.place)
            if found is not None:
                kept[each.resource.name] = found
        return kept

    async def _open(self, served: Sequence[Served], limits: RelayLimits) -> dict[str, Listener]:
        opened: dict[str, Listener] = {}
        try:
            for each in served:
                around = self._surroundings(each, limits)
                listener = Listener(each, around, self._gate, self, shared=self._member.of > 1)
                await listener.open()
                opened[each.resource.name] = listener
                _log.info("listening", resource=each.resource.name, address=each.address, port=listener.port)
        except BaseException:
            for listener in opened.values():
                listener.close()
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
            gone=self._gone,
        )

    # ── room for clients ─────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self) -> Entrance:
        """See `listener.Room`."""
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
        """See `listener.Room`."""
        self._member.counts.add(_CONNECTIONS, -1)

    def admit(self, pump: Pump) -> None:
        """See `listener.Room`."""
        self._pumps.add(pump)

    def _gone(self, pump: Pump) -> None:
        if pump in self._pumps:
            self._pumps.discard(pump)
            self.leave()

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

    # ── the clock, and the end ───────────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(self._limits.tick, self._tick)
        now = loop.time()
        for pump in tuple(self._pumps):
            pump.check(now)
        for warm in self._warm.values():
            warm.check(now)

    async def drain(self, seconds: float) -> None:
        """Accept nobody any more, end sessions as they become idle, all of them after `seconds`, and stop."""
        self._draining = True
        self._renew_warm(())
        for listener in self._listeners.values():
            listener.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self._pumps and loop.time() < deadline:
            self._end([pump for pump in self._pumps if pump.may_end])
            await asyncio.sleep(_DRAIN_STEP)
        self._end(list(self._pumps))
        await self._stop()

    def _end(self, pumps: Sequence[Pump]) -> None:
        for pump in pumps:
            pump.terminate(_SHUTTING_DOWN)

    async def _stop(self) -> None:
        """Wait for the last connections, a little longer than they may linger; then let everything go."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.linger + 1
        while self._pumps and loop.time() < deadline:  # noqa: ASYNC110 - a step is short, and this happens once
            await asyncio.sleep(_DRAIN_STEP)
        for companions in self._companions:
            companions.close(_SHUTTING_DOWN)
        await self._sandboxes.close()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
