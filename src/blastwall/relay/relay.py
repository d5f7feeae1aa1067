"""All listeners and sessions of this node: start, reload, limits, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from blastwall.gate import Gate
from blastwall.gate.ports import Meter, Vault
from blastwall.relay.certificates import ServerTls, UpstreamTls
from blastwall.relay.companions import Companions, Setting
from blastwall.relay.interrupts import Interrupts
from blastwall.relay.limits import RelayLimits
from blastwall.relay.listener import Listener, Served
from blastwall.relay.pump import Pump, Surroundings

_log = structlog.get_logger(__name__)
_SHUTTING_DOWN = "the gateway is shutting down; connect again"
_DRAIN_STEP = 0.05


class Relay:
    """The gateway's data side. Everything is called on one loop.

    Args:
        gate: judges every session.
        vault: has the credential of the gateway's own side connections.
        meter: where bytes and failures are counted.
        tls: the gateway's own certificate; `tls.renew` shows another one to new connections.
        limits: bounds; `apply` may replace them.
    """

    def __init__(self, gate: Gate, vault: Vault, meter: Meter, tls: ServerTls, limits: RelayLimits) -> None:
        self._gate = gate
        self._vault = vault
        self._meter = meter
        self._tls = tls
        self._limits = limits
        self._upstream_tls = UpstreamTls()
        self._listeners: dict[str, Listener] = {}
        self._interrupts: dict[str, Interrupts] = {}
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
                listener = Listener(each, self._surroundings(each, limits), self._gate, self._pumps.add, self._full)
                await listener.open()
                opened[each.resource.name] = listener
                _log.info("listening", resource=each.resource.name, address=each.address, port=listener.port)
        except BaseException:
            for listener in opened.values():
                listener.close()
            raise
        return opened

    def _surroundings(self, served: Served, limits: RelayLimits) -> Surroundings:
        name = served.resource.name
        meter = self._meter.of(name)
        setting = Setting(served.resource, served.kind, served.sizes, self._vault, self._upstream_tls, limits, meter)
        companions = Companions(setting)
        self._companions.append(companions)
        return Surroundings(
            resource=name,
            backlog=served.sizes.backlog,
            server_tls=self._tls,
            upstream_tls=self._upstream_tls,
            limits=limits,
            meter=meter,
            interrupts=self._interrupts.setdefault(name, Interrupts()),
            companions=companions,
            gone=self._pumps.discard,
        )

    def _full(self) -> bool:
        return self._draining or len(self._pumps) >= self._limits.connections

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(self._limits.tick, self._tick)
        now = loop.time()
        for pump in tuple(self._pumps):
            pump.check(now)

    async def drain(self, seconds: float) -> None:
        """Accept nobody any more, end sessions as they become idle, all of them after `seconds`, and stop."""
        self._draining = True
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
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
