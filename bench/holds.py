"""`python -m bench.holds [COUNT]`: what statements that wait for approval cost, and how soon a decision takes effect.

The sessions end at the benchmark's own server, as in `bench.idle`; people decide over the API.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import ssl
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from select import select
from statistics import median

import psycopg

from bench.idle import AT_ONCE, Connection, Front, connections_possible, front
from bench.memory import process_memory
from bench.report import RESULTS, conditions
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

COUNT = 500
DECISIONS = 50
WATCHED_SECONDS = 10.0
WARM_UP = 20
TABLE = "CREATE TABLE jobs (id int)"
POLICY = """
@id("reads") permit (principal in Group::"bench", action in [Action::"connect", Action::"read"],
    resource in Database::"pg-idle/postgres");
@id("held") @approval("dba:1") permit (principal in Group::"bench", action == Action::"delete",
    resource in Database::"pg-idle/postgres");
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found, with `held` statements waiting at once.

    `…_kib` are KiB of the gateway's memory each; `…_cpu` milliseconds of its CPU a second, before and while they wait;
    `effect_…` milliseconds from the approver's request to the client's answer, `answered_…` to the approver's own.
    """

    held: int
    connection_kib: float
    hold_kib: float
    idle_cpu: float
    held_cpu: float
    asked_seconds: float
    effect_median: float
    effect_most: float
    answered_median: float


class Approver:
    """A person at the API, over one connection."""

    def __init__(self, gateway: Gateway, token: str) -> None:
        trust = ssl.create_default_context(cafile=str(gateway.ca))
        self._connection = HTTPSConnection("localhost", gateway.control_port, context=trust, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Call the API, which must answer well."""
        sent = None if body is None else json.dumps(body)
        try:
            response = self._sent(method, path, sent)
        except ConnectionError:  # an idle connection is closed after some seconds
            self._connection.close()
            response = self._sent(method, path, sent)
        answer: dict[str, object] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{path}: {answer}")
        return answer

    def _sent(self, method: str, path: str, body: str | None) -> HTTPResponse:
        self._connection.request(method, f"/api/v1{path}", body, self._headers)
        return self._connection.getresponse()

    def waiting(self) -> dict[str, str]:
        """Return the requests that wait, by their statements' values."""
        found: dict[str, str] = {}
        cursor = ""
        while True:
            page = self.call("GET", f"/approvals?limit=200{cursor}")
            items = page["items"]
            if not isinstance(items, list):
                raise TypeError("no list")
            found |= {str(each["parameters"][0]): str(each["id"]) for each in items}
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"


def gateway(server: PostgresServer, issuer: DevIssuer, end: Front) -> Gateway:
    """Return a gateway to the front that holds every DELETE, which is to be started."""
    configuration = {
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "bench", "issuer": "dev", "match": {"sub": "bench"}, "groups": ["bench"]}],
        "users": [{"name": "dora", "issuer": "dev", "match": {"sub": "dora"}, "groups": ["dba"]}],
        "resources": [
            {
                "name": "pg-idle",
                "kind": "postgres",
                "plain_text": True,
                "upstream": {"host": "localhost", "port": end.port, "database": "postgres", "tls": "disable"},
                "credential": {"user": "postgres", "password": {"env": "BENCH_PASSWORD"}},
            }
        ],
        "policies": ["bench.cedar"],
        "hold": {"timeout": "1h"},
        "log": {"level": "warning"},
    }
    environment = {"BENCH_PASSWORD": server.password}
    return Gateway(configuration, policies={"bench.cedar": POLICY}, environment=environment)


def measure(count: int) -> Measured:
    """Hold so many statements at once, and let people decide on some."""
    with ExitStack() as running:
        server = running.enter_context(PostgresServer.start("15"))
        server.execute(TABLE)
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="blastwall-holds-")))
        end = running.enter_context(front(server, folder, tls=False))
        issuer = running.enter_context(DevIssuer())
        way = running.enter_context(gateway(server, issuer, end))
        person = Approver(way, issuer.token("dora", lifetime=6 * 3600))
        conninfo = way.dsn("postgres", issuer.token("bench", lifetime=6 * 3600)).replace("verify-full", "disable")
        sessions: list[Connection] = []
        running.callback(_close, sessions)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            sessions += threads.map(_connect, [conninfo] * WARM_UP)
            hold_all(way, sessions, count)
            time.sleep(1)
            before = process_memory(way.pid)
            more = list(threads.map(_connect, [conninfo] * count))
        sessions += more
        return _measure(way, person, more, before)


def _measure(way: Gateway, person: Approver, sessions: Sequence[Connection], before: int) -> Measured:
    time.sleep(2)
    idle, cpu_idle = process_memory(way.pid), cpu(way.pid)
    began = time.monotonic()
    hold_all(way, sessions)
    asked = time.monotonic() - began
    time.sleep(2)
    held, cpu_held = process_memory(way.pid), cpu(way.pid)
    requests = person.waiting()
    times = [decide(person, sessions[number], requests[str(number)]) for number in range(DECISIONS)]
    count = len(sessions)
    return Measured(
        held=count,
        connection_kib=round((idle - before) / count, 2),
        hold_kib=round((held - idle) / count, 2),
        idle_cpu=round(cpu_idle, 3),
        held_cpu=round(cpu_held, 3),
        asked_seconds=round(asked, 2),
        effect_median=round(median(effect for effect, _ in times), 1),
        effect_most=round(max(effect for effect, _ in times), 1),
        answered_median=round(median(answered for _, answered in times), 1),
    )


def hold_all(way: Gateway, sessions: Sequence[Connection], first: int = 0) -> None:
    """Have every session ask for a statement that is held, and wait until all of them are."""
    already = holds(way)
    for number, session in enumerate(sessions, first):
        session.pgconn.send_query_params(b"DELETE FROM jobs WHERE id = $1", [str(number).encode()])
        session.pgconn.flush()
    while holds(way) < already + len(sessions):
        time.sleep(0.1)


def holds(way: Gateway) -> int:
    """Return how many statements wait now."""
    _, text = way.get("/metrics")
    found = re.search(r'^blastwall_holds\{resource="pg-idle"\} ([\d.]+)', text, re.MULTILINE)
    return 0 if found is None else int(float(found[1]))


def decide(person: Approver, session: Connection, request: str) -> tuple[float, float]:
    """Approve; return after how many milliseconds the client has its answer, and the person theirs."""
    while session.pgconn.is_busy() and select([session.pgconn.socket], [], [], 0)[0]:
        session.pgconn.consume_input()
    with ThreadPoolExecutor(1) as beside:
        began = time.perf_counter()
        answer = beside.submit(person.call, "POST", f"/approvals/{request}/approve", {"scope": "once"})
        while session.pgconn.is_busy():
            select([session.pgconn.socket], [], [], 10)
            session.pgconn.consume_input()
        effect = time.perf_counter() - began
        answer.result()
        return 1000 * effect, 1000 * (time.perf_counter() - began)


def cpu(process: int) -> float:
    """Return how many milliseconds of CPU a second a process takes, while nothing is asked of it."""
    ticks = os.sysconf("SC_CLK_TCK")

    def spent() -> float:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    before = spent()
    time.sleep(WATCHED_SECONDS)
    return 1000 * (spent() - before) / WATCHED_SECONDS


def _connect(conninfo: str) -> Connection:
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute("SELECT 1")
    return connection


def _close(sessions: Sequence[Connection]) -> None:
    for each in sessions:
        each.close()


def main() -> None:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.holds", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=COUNT, metavar="COUNT")
    count = min(parser.parse_args().count, connections_possible())
    found = asdict(measure(count))
    measured = conditions(tls=False, rounds=1, seconds=WATCHED_SECONDS, server="PostgreSQL 15, front of the benchmark")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"holds-{datetime.now(UTC):%Y-%m-%dT%H%M}.json"
    path.write_text(json.dumps({"conditions": measured, "holds": found}, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
