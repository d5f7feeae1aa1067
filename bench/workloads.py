"""What is measured. Every workload returns a rate: more is better."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import psycopg

from bench.apart import apart, can_be_apart
from bench.measure import BenchmarkFailed, Workload
from bench.routes import DATABASE, USER, Route
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import environment, find_program

SCALE = 10
"""pgbench's scale factor: 100,000 accounts each."""

ROWS = SCALE * 100_000
MASKED_ROWS = 1_000
BULK = 500_000
PROTOCOLS = ("simple", "extended", "prepared")
CLIENTS = (1, 8, 64)
_Run = Callable[[tuple[str, ...], int, Route, float], float]
_ALONE = ", what stands between with processors of its own"

_CONNECTING = 4
_CONNECTED = re.compile(r"^tps = ([0-9.]+) \(including reconnection times\)", re.MULTILINE)
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_PEOPLE = f"""
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text NOT NULL);
INSERT INTO people
SELECT n, 'Person ' || n, 'person' || n || '@example.org', 'City ' || n % 50 FROM generate_series(1, {MASKED_ROWS}) n;
CREATE TABLE contacts (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text NOT NULL);
INSERT INTO contacts
SELECT n, 'Person ' || n, 'person' || n || '@example.org', 'City ' || n % 50 FROM generate_series(1, {BULK}) n;
"""


def workloads() -> tuple[Workload[Route], ...]:
    """Return all workloads."""
    writes = (
        Workload(
            f"tpcb_{protocol}_8",
            f"pgbench TPC-B, {protocol}, 8 clients",
            "transactions",
            partial(_pgbench, (f"--protocol={protocol}",), 8),
        )
        for protocol in ("simple", "prepared")
    )
    bulk = (
        Workload(name, title, "rows", partial(_bulk, table, scanned))
        for name, title, table, scanned in (
            ("rows_500k", f"SELECT of {BULK:,} rows", "pgbench_accounts", False),
            ("masked_500k", f"SELECT of {BULK:,} rows, one column masked", "contacts", False),
            ("scanned_500k", f"SELECT of {BULK:,} rows, all text scanned, nothing found", "pgbench_accounts", True),
            ("found_500k", f"SELECT of {BULK:,} rows, all text scanned, an address in each row", "contacts", True),
        )
    )
    return (
        *_selects("select", _pgbench, PROTOCOLS, CLIENTS),
        *(_selects("apart", _apart, ("simple", "prepared"), (8, 64), _ALONE) if can_be_apart() else ()),
        Workload("unique_8", "pgbench, unique SQL every time, simple, 8 clients", "transactions", _unique),
        *writes,
        Workload("copy_1m", f"COPY of {ROWS:,} rows to the client", "rows", partial(_copy, "pgbench_accounts", ROWS)),
        Workload(
            "masked_copy_500k",
            f"COPY of {BULK:,} rows to the client, one column masked",
            "rows",
            partial(_copy, "contacts", BULK),
        ),
        *bulk,
        Workload("masked_select_1000", f"SELECT of {MASKED_ROWS:,} rows, one column masked", "rows", _masked),
        Workload("connections", "a new connection for each transaction, 4 clients", "connections", _connections),
    )


def _selects(
    name: str, run: _Run, protocols: Sequence[str], counts: Sequence[int], where: str = ""
) -> Iterator[Workload[Route]]:
    """Yield pgbench's select-only script for each protocol and number of clients."""
    for protocol in protocols:
        for clients in counts:
            yield Workload(
                f"{name}_{protocol}_{clients}",
                f"pgbench select-only, {protocol}, {clients} client{'s' if clients > 1 else ''}{where}",
                "transactions",
                partial(run, ("--select-only", f"--protocol={protocol}"), clients),
            )


def load(server: PostgresServer) -> None:
    """Create the role, the database and pgbench's tables."""
    server.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{server.password}'")
    server.create_database(DATABASE, _PEOPLE)
    direct = Route("direct", server.port, server.pid, server.password, server.ca)
    pgbench = find_program("pgbench", "postgresql-15")
    _client([str(pgbench), "--initialize", "--quiet", f"--scale={SCALE}", direct.conninfo], server.password)
    for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
        server.execute(statement, DATABASE)


def _unique(route: Route, seconds: float) -> float:
    """Send texts that were never sent before, of one shape."""
    return _pgbench(("--protocol=simple", f"--file={Path(__file__).with_name('unique.sql')}"), 8, route, seconds)


def _pgbench(options: tuple[str, ...], clients: int, route: Route, seconds: float) -> float:
    """Run pgbench; once more and longer where its clients were still connecting when the time was up."""
    given = ["--no-vacuum", *options, f"--client={clients}", "--jobs=1"]
    for length in (max(1, round(seconds)), _CONNECTING + round(seconds)):
        said = _run_pgbench([*given, f"--time={length}"], route, route.port)
        found = _TPS.search(said)
        if found is not None:
            return float(found[1])
    raise BenchmarkFailed(f"pgbench through {route.name} did no transaction:\n{said}")


def _apart(options: tuple[str, ...], clients: int, route: Route, seconds: float) -> float:
    """Run pgbench where what stands between shares no processor with the server and the clients."""
    with apart(route.process, route.server):
        return _pgbench(options, clients, route, seconds)


def _run_pgbench(options: list[str], route: Route, port: int) -> str:
    program = str(find_program("pgbench", "postgresql-15"))
    return _client([program, *options, route.at(port)], route.password)


def _bulk(table: str, scanned: bool, route: Route, _seconds: float) -> float:
    """Fetch rows twice with a client that does nothing with them, where text is scanned or where it is not."""
    port = route.scanning if scanned and route.scanning is not None else route.port
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"SELECT * FROM {table} LIMIT {BULK};\n")
        script.flush()
        said = _run_pgbench(["--no-vacuum", f"--file={script.name}", "--transactions=2"], route, port)
    found = _TPS.search(said)
    if found is None:
        raise BenchmarkFailed(f"pgbench through {route.name} did no transaction:\n{said}")
    return float(found[1]) * BULK


def _connections(route: Route, seconds: float) -> float:
    """Connect, select once, disconnect; where upstream connections are kept, to there."""
    options = [
        "--no-vacuum",
        "--select-only",
        "--connect",
        "--client=4",
        "--jobs=1",
        f"--time={max(1, round(seconds))}",
    ]
    said = _run_pgbench(options, route, route.port if route.warm is None else route.warm)
    found = _CONNECTED.search(said)
    if found is None:
        raise BenchmarkFailed(f"pgbench through {route.name} made no connection:\n{said}")
    return float(found[1])


def _copy(table: str, rows: int, route: Route, _seconds: float) -> float:
    """Copy everything once, however long it takes: the rate of a shorter copy would be another."""
    with psycopg.connect(route.conninfo, password=route.password, autocommit=True) as connection:
        began = time.perf_counter()
        received = 0
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
            for block in copy:
                received += bytes(block).count(b"\n")
        took = time.perf_counter() - began
    if received != rows:
        raise BenchmarkFailed(f"COPY through {route.name} gave {received:,} rows, not {rows:,}")
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
    if len(rows) != MASKED_ROWS or readable == route.name.startswith("blastwall"):
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
