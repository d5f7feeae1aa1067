"""The process: the loop, the signals, the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog
import uvloop

from blastwall import __version__
from blastwall._twins import compiled
from blastwall.app.collecting import collect_seldom
from blastwall.app.gateway import Gateway, refuse_unset_variables
from blastwall.app.logs import set_up
from blastwall.app.places import KeyFileUnusable, node_name
from blastwall.app.plan import Plan, prepare
from blastwall.gate.ports import RecordingFailed
from blastwall.recording.keys import KeyUnusable
from blastwall.relay import ListenFailed
from blastwall.store import StateError
from blastwall.vault import SecretUnavailable
from blastwall.workers import Member

CANNOT_START = (
    RecordingFailed,
    StateError,
    ListenFailed,
    SecretUnavailable,
    KeyUnusable,
    KeyFileUnusable,
    OSError,
    ssl.SSLError,
    ValueError,
)
_log = structlog.get_logger("blastwall.app")


def serve(path: Path, workers: int | None = None) -> int:
    """Run the gateway until SIGTERM or SIGINT; return the process's exit code.

    Args:
        path: the configuration.
        workers: how many processes serve; where left out, as many as the configuration says.

    Raises:
        Unusable: the configuration cannot be used; nothing was started.
    """
    before = os.umask(0o077)  # whatever the gateway writes is for its own user
    try:
        plan = prepare(path)
        refuse_unset_variables(plan)
        set_up(plan.configuration.log)
        count = workers if workers is not None else plan.configuration.workers
        if count == 1:
            return run(plan, Signals, Member())
        from blastwall.app.supervisor import Supervisor

        return Supervisor(plan, count).run()
    finally:
        os.umask(before)


def run(plan: Plan, orders: Callable[[], Orders], member: Member) -> int:
    """Run one process of the gateway to its end; return its exit code. `orders` is called on its loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(plan, orders, member))


async def _run(plan: Plan, making: Callable[[], Orders], member: Member) -> int:
    orders = making()
    try:
        gateway = await Gateway.start(plan, member)
    except CANNOT_START as error:
        _log.error("not_started", reason=str(error))
        return 1
    _log.info(
        "ready",
        version=__version__,
        node=node_name(plan.configuration),
        pid=os.getpid(),
        control_port=gateway.control_port,
        resources=sorted(plan.resources),
        policies=plan.policies.version,
        compiled=compiled(),
    )
    if not compiled():
        _log.warning("not_compiled", reason="the hot path runs as plain Python, several times slower; see operations")
    collect_seldom()
    orders.ready(gateway)
    try:
        await _until_told_to_end(gateway, orders)
        await _drain(gateway, orders)
    finally:
        await gateway.stop()
    _log.info("stopped")
    return 0


class Orders:
    """What the process is told to do, as events. Several orders to reload during a reload are one more reload."""

    def __init__(self) -> None:
        self.reload = asyncio.Event()
        self.end = asyncio.Event()
        self.end_now = asyncio.Event()

    def ready(self, gateway: Gateway) -> None:
        """The gateway has started."""

    def reloaded(self, good: bool) -> None:
        """What came of an order to reload."""


class Signals(Orders):
    """Orders by signals, from its making on."""

    def __init__(self) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)

    def _end(self) -> None:
        if self.end.is_set():
            self.end_now.set()
        self.end.set()


async def _until_told_to_end(gateway: Gateway, orders: Orders) -> None:
    reloading = asyncio.create_task(_reload_when_told(gateway, orders), name="reload")
    ending = asyncio.create_task(orders.end.wait(), name="wait for the end")
    try:
        await asyncio.wait({reloading, ending}, return_when=asyncio.FIRST_COMPLETED)
        if reloading.done():
            reloading.result()
    finally:
        reloading.cancel()
        ending.cancel()
        await asyncio.gather(reloading, ending, return_exceptions=True)


async def _reload_when_told(gateway: Gateway, orders: Orders) -> None:
    while True:
        await orders.reload.wait()
        orders.reload.clear()
        orders.reloaded(await gateway.reload())


async def _drain(gateway: Gateway, orders: Orders) -> None:
    """Drain; a second order to end ends what is left at once."""
    draining = asyncio.create_task(gateway.drain(), name="drain")
    hurrying = asyncio.create_task(orders.end_now.wait(), name="wait for a second signal")
    await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not draining.done():
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        await gateway.drain(0)
