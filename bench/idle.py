"""`python -m bench.idle [--tls] [COUNT …]`: what so many idle connections cost the gateway in memory.

No real server has processes for ten thousand sessions, so they end at one of the benchmark's own (`bench.front`); the
gateway does all that it does otherwise: token, policy, recording, the catalog of a real PostgreSQL, TLS on both sides.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.memory import process_memory
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import PostgresServer

COUNTS = (1_000, 10_000)
WARM_UP = 100
FILES = 50_000
SPARE = WARM_UP * 2 + 100
"""Files that are no session's, and those of the first sessions."""
AT_ONCE = 4
POLICY = 'permit (principal in Group::"bench", action, resource in Database::"pg-idle/postgres");'

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Front:
    """Where the sessions end."""

    port: int
    ca: Path | None


@contextmanager
def front(server: PostgresServer, folder: Path, *, tls: bool) -> Iterator[Front]:
    """Start the benchmark's own server."""
    port, ca, files = free_port(), None, list[str]()
    if tls:
        authority = CertificateAuthority()
        ca = authority.write(folder)
        files = [str(path) for path in authority.issue().write(folder, "front")]
    command = [sys.executable, "-m", "bench.front", str(port), str(server.port), *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("the benchmark's own server did not start")
            yield Front(port, ca)
        finally:
            process.kill()


def gateway(server: PostgresServer, issuer: DevIssuer, end: Front) -> Gateway:
    """Return a gateway to the front, which is to be started."""
    upstream: dict[str, object] = {"host": "localhost", "port": end.port, "database": "postgres", "tls": "disable"}
    if end.ca is not None:
        upstream |= {"tls": "verify-full", "ca": end.ca}
    configuration = {
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "bench", "issuer": "dev", "match": {"sub": "bench"}, "groups": ["bench"]}],
        "resources": [
            {
                "name": "pg-idle",
                "kind": "postgres",
                "plain_text": end.ca is None,
                "upstream": upstream,
                "credential": {"user": "postgres", "password": {"env": "BENCH_PASSWORD"}},
            }
        ],
        "policies": ["bench.cedar"],
        "limits": {"connections": FILES},
        "log": {"level": "warning"},
    }
    environment = {"BENCH_PASSWORD": server.password}
    return Gateway(configuration, policies={"bench.cedar": f'@id("any")\n{POLICY}'}, environment=environment)


def measure(counts: Sequence[int], *, tls: bool) -> Iterator[tuple[int, float, float]]:
    """Yield, for each count, KiB of the gateway's memory an idle connection, and how many logins a second it took."""
    with ExitStack() as running:
        server = running.enter_context(PostgresServer.start("15"))
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="blastwall-idle-")))
        end = running.enter_context(front(server, folder, tls=tls))
        issuer = running.enter_context(DevIssuer())
        way = running.enter_context(gateway(server, issuer, end))
        conninfo = way.dsn("postgres", issuer.token("bench", lifetime=6 * 3600))
        conninfo = conninfo if tls else conninfo.replace("sslmode=verify-full", "sslmode=disable")
        opened: list[Connection] = []
        running.callback(_close, opened)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            opened += threads.map(_connect, [conninfo] * WARM_UP)
            time.sleep(1)
            before = process_memory(way.pid)
            for count in counts:
                began, more = time.monotonic(), count - (len(opened) - WARM_UP)
                opened += threads.map(_connect, [conninfo] * more)
                rate = more / (time.monotonic() - began)
                time.sleep(2)
                yield count, (process_memory(way.pid) - before) / count, rate


def _connect(conninfo: str) -> Connection:
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute("SELECT 1")
    return connection


def _close(opened: list[Connection]) -> None:
    for each in opened:
        each.close()


def connections_possible() -> int:
    """Let this process and what it starts open as many files as may be; return for how many sessions that is enough."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return (files - SPARE) // 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS, metavar="COUNT")
    parser.add_argument("--tls", action="store_true", help="verified TLS on both sides")
    given = parser.parse_args()
    most = connections_possible()
    for count, each, rate in measure([min(count, most) for count in sorted(given.counts)], tls=given.tls):
        print(f"{count:,} idle connections: {each:.1f} KiB each; {rate:.0f} logins a second", flush=True)


if __name__ == "__main__":
    main()
