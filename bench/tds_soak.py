"""`python -m bench.tds_soak [SECONDS]`: clients over TDS for a time, and what the gateway's memory does meanwhile.

Eight clients do by turns what the workloads do: known and new batches, transactions, long masked results, new
connections. Any error ends the soak. What an idle connection takes is measured first; 0 SECONDS measure nothing else.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count as numbers

import pymssql

from bench.memory import process_memory
from bench.tds_routes import TdsRoute, tds_routes
from bench.tds_workloads import MAKINGS

CLIENTS = 8
FIRST, MORE = 10, 80
"""Idle connections before the first look, and those that are counted between it and the second by default."""
LOOKS = 6


def idle_connection(route: TdsRoute, process: int, count: int = MORE) -> float:
    """Return KiB of the gateway's memory that one more idle connection takes, after its first statement."""
    opened = [_asked(route) for _ in range(FIRST)]
    before = process_memory(process)
    opened += [_asked(route) for _ in range(count)]
    time.sleep(1)
    taken = (process_memory(process) - before) / count
    for connection in opened:
        connection.close()
    return taken


def _asked(route: TdsRoute) -> pymssql.Connection:
    connection = route.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts WHERE id = 1")
        cursor.fetchall()
    return connection


def soak(route: TdsRoute, process: int, seconds: float) -> None:
    """Let the clients work, and print the gateway's memory as it goes."""
    until = time.monotonic() + seconds

    def client(number: int) -> int:
        things = 0
        for turn in numbers(number):
            do = MAKINGS[turn % len(MAKINGS)](route)
            for each in range(50 if turn % len(MAKINGS) else 200):
                if time.monotonic() >= until:
                    return things
                things += bool(do(each))
        return things

    with ThreadPoolExecutor(CLIENTS) as threads:
        working = [threads.submit(client, number) for number in range(CLIENTS)]
        for look in range(LOOKS):
            time.sleep(seconds / LOOKS * 0.98)
            print(f"after {(look + 1) * seconds / LOOKS:,.0f} s: {process_memory(process):,} KiB", flush=True)
        print(f"{sum(one.result() for one in working):,} things were done, none failed", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tds_soak", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=120.0)
    parser.add_argument("--idle", type=int, default=MORE, metavar="COUNT", help="so many idle connections are counted")
    given = parser.parse_args()
    with tds_routes() as (_, route):
        if route.process is None:
            raise RuntimeError("the gateway is not running")
        taken = idle_connection(route, route.process, given.idle)
        print(f"one of {given.idle:,} idle connections: {taken:.1f} KiB", flush=True)
        if given.seconds:
            soak(route, route.process, given.seconds)


if __name__ == "__main__":
    main()
