"""What is measured. Every workload returns a rate: more is better."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from bench.routes import DATABASE, USER, Route
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import environment, find_program

SCALE = 10
"""pgbench's scale factor: 100,000 accounts each."""

ROWS = SCALE * 100_000
MASKED_ROWS = 1_000
PROTOCOLS = ("simple", "extended", "prepared")
CLIENTS = (1, 8, 64)

_CONNECTING = 4
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_PEOPLE = f"""
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text NOT NULL);
INSERT INTO people
SELECT n, 'Person ' || n, 'person' || n || '@example.org', 'City ' || n % 50 FROM generate_series(1, {MASKED_ROWS}) n;
"""


class BenchmarkFailed(Exception):
    """A workload did not run to its end; the text holds what its client said."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to measure; `run(route, seconds)` returns `unit` a second."""

    name: str
    title: str
    unit: str
    run: Callable[[Route, float], float]


def workloads() -> tuple[Workload, ...]:
    """Return all workloads."""
    selects = (
        Workload(
            f"select_{protocol}_{clients}",
            f"pgbench select-only, {protocol}, {clients} client{'s' if clients > 1 else ''}",
            "transactions",
            partial(_pgbench, protocol, clients),
        )
        for protocol in PROTOCOLS
        for clients in CLIENTS
    )
    return (
        *selects,
        Workload("unique_8", "pgbench, unique SQL every time, simple, 8 clients", "transactions", _unique),
        Workload("copy_1m", f"COPY of {ROWS:,} rows to the client", "rows", _copy),
        Workload("masked_select_1000", f"SELECT of {MASKED_ROWS:,} rows, one column masked", "rows", _masked),
    )


def load(server: PostgresServer) -> None:
    """Create the role, the database and pgbench's tables."""
    server.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{server.password}'")
    server.create_database(DATABASE, _PEOPLE)
    direct = Route("direct", server.port, server.password, server.ca)
    pgbench = find_program("pgbench", "postgresql-15")
    _client([str(pgbench), "--initialize", "--quiet", f"--scale={SCALE}", direct.conninfo], server.password)
    for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
        server.execute(statement, DATABASE)


def _unique(route: Route, seconds: float) -> float:
    """Send texts that were never sent before, of one shape."""
    return _pgbench("simple", 8, route, seconds, script=f"--file={Path(__file__).with_name('unique.sql')}")


def _pgbench(protocol: str, clients: int, route: Route, seconds: float, *, script: str = "--select-only") -> float:
    """Run pgbench; once more and longer where its clients were still connecting when the time was up."""
    options = [script, "--no-vacuum", f"--protocol={protocol}", f"--client={clients}", "--jobs=1"]
    for length in (max(1, round(seconds)), _CONNECTING + round(seconds)):
        command = [str(find_program("pgbench", "postgresql-15")), *options, f"--time={length}", route.conninfo]
        said = _client(command, route.password)
        found = _TPS.search(said)
        if found is not None:
            return float(found[1])
    raise BenchmarkFailed(f"pgbench through {route.name} did no transaction:\n{said}")


def _copy(route: Route, _seconds: float) -> float:
    """Copy everything once, however long it takes: the rate of a shorter copy would be another."""
    with psycopg.connect(route.conninfo, password=route.password, autocommit=True) as connection:
        began = time.perf_counter()
        received = 0
        with connection.cursor().copy("COPY pgbench_accounts TO STDOUT") as copy:
            for block in copy:
                received += bytes(block).count(b"\n")
        took = time.perf_counter() - began
    if received != ROWS:
        raise BenchmarkFailed(f"COPY through {route.name} gave {received:,} rows, not {ROWS:,}")
    return received / took


def _masked(route: Route, seconds: float) -> float:
    with psycopg.connect(route.conninfo, password=route.password, autocommit=True) as connection:
        cursor = connection.cursor()
        began = time.perf_counter()
        times = 0
        while time.perf_counter() - began < seconds:
            rows = cursor.execute("SELECT id, name, email, city FROM people").fetchall()
            times += 1
        took = time.perf_counter() - began
    readable = any(str(email).startswith("person") and str(email).endswith("@example.org") for _, _, email, _ in rows)
    if len(rows) != MASKED_ROWS or readable == (route.name == "blastwall"):
        raise BenchmarkFailed(f"the masked SELECT through {route.name} came back with other rows than it should")
    return times * MASKED_ROWS / took


def _client(command: list[str], password: str) -> str:
    done = subprocess.run(
        command, env={**environment(), "PGPASSWORD": password}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchmarkFailed(f"{command[0]} ended with code {done.returncode}:\n{done.stdout}")
    return done.stdout
