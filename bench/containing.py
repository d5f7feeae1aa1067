"""`python -m bench.containing [COUNT …]`: how soon an agent's open sessions end once it is contained.

The containment is written to the state by this process, as another node or the command line would; the gateway reads it
there. The time is from before the write until the last of the agent's clients has seen its connection end. The sessions
end at the benchmark's own server (`bench.front`), so that nothing but the gateway is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import select
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.idle import AT_ONCE, Connection, front, gateway
from blastwall.store.containments import Contained, ContainmentTable, Kind
from blastwall.store.database import open_store
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

COUNTS = (200,)
ROUNDS = 3
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """One containment: seconds until the first, the median and the last of `count` sessions had ended."""

    count: int
    first: float
    median: float
    last: float


def measure(count: int, rounds: int) -> Iterator[Ended]:
    """Open `count` sessions and contain their agent, so many times.

    Raises:
        TimeoutError: sessions still live a minute later.
    """
    with ExitStack() as running:
        server = running.enter_context(PostgresServer.start("15"))
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="blastwall-contain-")))
        issuer = running.enter_context(DevIssuer())
        way = running.enter_context(gateway(server, issuer, running.enter_context(front(server, folder, tls=False))))
        for _ in range(rounds):
            conninfo = way.dsn("postgres", issuer.token("bench")).replace("sslmode=verify-full", "sslmode=disable")
            with ThreadPoolExecutor(AT_ONCE) as threads:
                opened = list(threads.map(_connect, [conninfo] * count))
            moments = _ends(opened, str(way.folder / "state" / "blastwall.db"))
            yield Ended(count, moments[0], moments[len(moments) // 2], moments[-1])
            time.sleep(1.1)  # a token of the containment's own second counts as from before it


def _connect(conninfo: str) -> Connection:
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute("SELECT 1")
    return connection


def _ends(opened: Sequence[Connection], state: str) -> list[float]:
    """Contain the agent and lift that again; return when each session ended, in seconds, sorted."""
    poll, waiting = select.poll(), {each.fileno(): each for each in opened}
    for number in waiting:
        poll.register(number, select.POLLIN | select.POLLHUP | select.POLLRDHUP)
    began, moments = time.monotonic(), list[float]()
    asyncio.run(_contain(state))
    while waiting:
        if time.monotonic() - began > _PATIENCE:
            raise TimeoutError(f"{len(waiting)} sessions still live after {_PATIENCE:g} s")
        for number, _ in poll.poll(1000):
            if _ended(waiting[number]):
                moments.append(time.monotonic() - began)
                poll.unregister(number)
                waiting.pop(number).close()
    asyncio.run(_lift(state))
    return sorted(moments)


def _ended(connection: Connection) -> bool:
    """Whether the connection has come to its end; what the gateway says before that is read."""
    try:
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return connection.pgconn.status != psycopg.pq.ConnStatus.OK


async def _contain(state: str) -> None:
    store = await open_store(f"sqlite:///{state}")
    await ContainmentTable(store).add(Contained(Kind.AGENT, "bench", "to measure it", "bench", time.time()))
    await store.close()


async def _lift(state: str) -> None:
    store = await open_store(f"sqlite:///{state}")
    await ContainmentTable(store).lift(Kind.AGENT, "bench", "measured", "bench", time.time())
    await store.close()
    await asyncio.sleep(1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.containing", description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS, metavar="COUNT")
    for count in parser.parse_args().counts:
        for ended in measure(count, ROUNDS):
            print(
                f"{ended.count} sessions: the first ended after {ended.first * 1000:.0f} ms, half of them after "
                f"{ended.median * 1000:.0f} ms, the last after {ended.last * 1000:.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
