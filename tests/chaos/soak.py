"""Mixed load for a long time: at its end the gateway has no more memory and no more open files than after its start."""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from tests.chaos.load import Agent, Client, Comer, Worker, nothing_ran_unrecorded
from tests.chaos.world import idle_files, logged_shop, no_leak, open_files, whole
from tests.e2e.conftest import Shop

from blastwall.testing.postgres import PostgresServer

GROWTH_SHARE, GROWTH_MIB = 0.15, 16.0
"""The last third's memory may be over the second third's by this share and so many MiB: caches still fill."""
MEBI = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What the gateway has at a moment: MiB of its process and its children, and open files."""

    memory: float
    files: int


class Inventor(Client):
    """A client whose statements are all of a shape never seen before, with results of some size."""

    def work(self) -> None:
        """Ask for other columns each time, by names that nobody used."""
        with closing(self.connect()) as agent:
            for number in itertools.count():
                if self.stopping.is_set():
                    return
                self._ask(agent, number)

    def _ask(self, agent: Agent, number: int) -> None:
        self.sent += 1
        agent.execute(f"SELECT id AS a{number}, total AS b{number} FROM orders WHERE id > {number % 30}".encode())
        agent.execute(b"SELECT repeat('x', 1000) FROM generate_series(1, 200)")


class Leaver(Client):
    """A client that fails and leaves without a goodbye, in a transaction."""

    def work(self) -> None:
        """Connect, begin, fail, vanish."""
        while not self.stopping.is_set():
            agent = self.connect()
            self.sent += 1
            agent.execute("BEGIN")
            try:
                agent.execute("SELECT 1/0")
            except psycopg.errors.DivisionByZero:
                agent.close()
            time.sleep(0.2)


def soak(server: PostgresServer, folder: Path, seconds: float) -> str:
    """Keep everybody at work for `seconds`; compare memory and open files of the second third with the last."""
    with logged_shop(server, folder) as shop:
        before = idle_files(shop)
        clients: list[Client] = [kind(shop, f"soak-{kind.__name__}") for kind in (Worker, Comer, Inventor, Leaver)]
        samples = _watched(shop, clients, seconds)
        for each in clients:
            each.stop()
            assert each.error is None, f"a session was lost: {each.heard}"
        third = len(samples) // 3
        early, late = samples[third : 2 * third], samples[2 * third :]
        was, become = (median(each.memory for each in part) for part in (early, late))
        assert become <= was * (1 + GROWTH_SHARE) + GROWTH_MIB, f"memory grew from {was:.0f} to {become:.0f} MiB"
        peak = max(each.files for each in late)
        assert peak <= max(each.files for each in early) + len(clients), f"open files grew: {peak}"
        no_leak(shop, before)
        after = open_files(shop)
        statements = nothing_ran_unrecorded(shop)
        whole(shop)
    sent = sum(each.sent for each in clients)
    return (
        f"{seconds:.0f} s, {sent} rounds and statements ({statements} marked, all recorded before): memory "
        f"{was:.0f} MiB, then {become:.0f} MiB; open files when idle {before}, then {after}"
    )


def _watched(shop: Shop, clients: list[Client], seconds: float) -> list[Sample]:
    """Take thirty samples over `seconds`; fail as soon as a client is lost."""
    samples = []
    for _ in range(30):
        time.sleep(seconds / 30)
        lost = [each.heard for each in clients if each.error is not None]
        assert not lost, f"a session was lost: {lost}"
        samples.append(Sample(memory_of(shop.gateway.pid), open_files(shop)))
    return samples


def memory_of(pid: int) -> float:
    """Return the resident memory of a process and all below it, in MiB (proc_pid_statm(5), proc_tid_children(5))."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in _children(task)]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # a child that ended meanwhile
    return pages * 4096 / MEBI + sum(memory_of(child) for child in children)


def _children(task: Path) -> list[str]:
    return (task / "children").read_text().split()
