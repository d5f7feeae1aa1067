"""One of a node's processes: what it hears from the supervisor, and what it says to it."""

from __future__ import annotations

import asyncio
import signal

import structlog

from blastwall.app.gateway import Gateway
from blastwall.app.plan import Plan
from blastwall.app.serve import Orders, run
from blastwall.workers import Board, Bus, Mail, Member
from blastwall.workers.bus import SUPERVISOR

READY, RELOAD, RELOADED, REFUSED = "ready", "reload", "reloaded", "reload refused"
END, END_NOW = "end", "end now"
GOOD = b"good"


class BusOrders(Orders):
    """Orders by the supervisor's messages.

    A terminal's SIGINT and a service manager's SIGTERM reach all processes: the supervisor gives the orders, and a
    SIGTERM to one worker alone drains it. Where the supervisor is gone, as `lifeline` tells by its end, nothing
    would stop or replace this worker, so it ends at once.
    """

    def __init__(self, bus: Bus, lifeline: int) -> None:
        super().__init__()
        self._bus = bus
        loop = asyncio.get_running_loop()
        for ignored in (signal.SIGHUP, signal.SIGINT):
            signal.signal(ignored, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGTERM, self.end.set)
        loop.add_reader(lifeline, self._orphaned, lifeline)
        bus.on(RELOAD, lambda _: self.reload.set())
        bus.on(END, lambda _: self.end.set())
        bus.on(END_NOW, lambda _: self._end_now())
        bus.start()

    def ready(self, gateway: Gateway) -> None:
        """See `Orders`."""
        self._bus.on(REFUSED, lambda _: gateway.count_refused_reload())
        self._bus.tell(READY, to=SUPERVISOR)

    def reloaded(self, good: bool) -> None:
        """See `Orders`."""
        self._bus.tell(RELOADED, GOOD if good else b"", to=SUPERVISOR)

    def _end_now(self) -> None:
        self.end.set()
        self.end_now.set()

    def _orphaned(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        self._end_now()


def run_worker(plan: Plan, number: int, mail: Mail, board: Board, *, restarts: int, lifeline: int) -> int:
    """Run worker `number` in this process, which was forked for it; return its exit code."""
    structlog.contextvars.bind_contextvars(worker=number)
    bus = Bus(mail, number)
    member = Member(number, board.members, board.of(number), bus, restarts)
    return run(plan, lambda: BusOrders(bus, lifeline), member)
