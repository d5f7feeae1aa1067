"""What is measured over TDS with FreeTDS, against the throw-away server: directly and through the gateway."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pymssql

from bench.measure import GATEWAY, BenchmarkFailed, Workload
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer

ROWS = 100_000
_TABLES = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, filler char(84));
INSERT INTO accounts SELECT CAST(value AS int), 0, '' FROM GENERATE_SERIES(1, 1000);
CREATE TABLE contacts (id int PRIMARY KEY, name nvarchar(50) NOT NULL, email varchar(100) NOT NULL, city nvarchar(50));
INSERT INTO contacts SELECT CAST(value AS int), CONCAT(N'Person ', value), CONCAT('person', value, '@example.org'),
    CONCAT(N'City ', value % 50) FROM GENERATE_SERIES(1, {ROWS});
"""
_EVERYTHING = f"SELECT id, name, email, city FROM contacts WHERE id <= {ROWS}"
_RESOURCES = ("tds-bench", "tds-mask", "tds-scan")
_POLICY = "".join(
    f'@id("{name}-may-do-anything")\n'
    f'permit (principal in Group::"bench", action, resource in Database::"{name}/shop");\n'
    for name in _RESOURCES
)
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@dataclass(frozen=True, slots=True)
class TdsRoute:
    """One way to the server: its ports and passwords by what is masked there (`bench`: nothing, `mask`, `scan`)."""

    name: str
    ports: dict[str, int]
    passwords: dict[str, str] = field(repr=False)

    def connect(self, part: str = "bench") -> pymssql.Connection:
        """Return a new connection."""
        return pymssql.connect(
            server="127.0.0.1", port=str(self.ports[part]), user="sa", password=self.passwords[part], database="shop",
            autocommit=True, encryption="require", tds_version="7.4",
        )  # fmt: skip


@contextmanager
def tds_routes() -> Iterator[tuple[TdsRoute, ...]]:
    """Start the server in a process of its own, and a gateway before it; everything speaks TLS."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "tables.sql"
        script.write_text(_TABLES)
        command = [sys.executable, "-m", "blastwall.testing.tds", str(script)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.callback(server.terminate)
        told = json.loads((server.stdout.readline() if server.stdout else "") or "{}")
        if "port" not in told:
            raise BenchmarkFailed("the TDS server did not start")
        issuer = running.enter_context(DevIssuer())
        gateway = running.enter_context(_gateway(told, issuer))
        parts = {name.removeprefix("tds-"): name for name in _RESOURCES}
        direct = TdsRoute("direct", dict.fromkeys(parts, told["port"]), dict.fromkeys(parts, told["password"]))
        _rows("bench", _EVERYTHING, direct, 0)  # from now on the server repeats what it has encoded
        yield (
            direct,
            TdsRoute(
                GATEWAY,
                {part: gateway.port(name) for part, name in parts.items()},
                {part: _pass(gateway, issuer, name) for part, name in parts.items()},
            ),
        )


def _gateway(told: dict[str, object], issuer: DevIssuer) -> Gateway:
    configuration = {
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "bench", "issuer": "dev", "match": {"sub": "bench"}, "groups": ["bench"]}],
        "resources": [
            {
                "name": name,
                "kind": "mssql",
                "upstream": {"host": "localhost", "port": told["port"], "database": "shop", "ca": told["ca"]},
                "credential": {"user": "sa", "password": {"env": "BENCH_PASSWORD"}},
            }
            for name in _RESOURCES
        ],
        "policies": ["bench.cedar"],
        "masking": [
            {"resource": "tds-mask", "columns": ["dbo.contacts.email"], "with": "partial"},
            {"resource": "tds-scan", "detect": ["email", "card", "iban", "us_ssn"], "with": "redact"},
        ],
        "log": {"level": "warning"},
    }
    environment = {"BENCH_PASSWORD": str(told["password"])}
    return Gateway(configuration, policies={"bench.cedar": _POLICY}, environment=environment)


def _pass(gateway: Gateway, issuer: DevIssuer, resource: str) -> str:
    form = {
        "grant_type": _EXCHANGE, "subject_token": issuer.token("bench"), "subject_token_type": _ID_TOKEN,
        "resource": resource,
    }  # fmt: skip
    body = urllib.parse.urlencode(form).encode()
    status, text = gateway.request(urllib.request.Request(f"{gateway.control_url}/token", data=body))
    if status != 200:
        raise BenchmarkFailed(f"no pass for {resource}: {text}")
    return str(json.loads(text)["access_token"])


def tds_workloads() -> tuple[Workload[TdsRoute], ...]:
    """Return all workloads over TDS."""
    return (
        Workload(
            "tds_select_simple", "TDS select of a row, batches, 1 client", "statements", partial(_selects, _batch)
        ),
        Workload(
            "tds_select_call", "TDS select of a row, sp_executesql, 1 client", "statements", partial(_selects, _call)
        ),
        Workload("tds_rows", f"TDS, {ROWS:,} rows", "rows", partial(_rows, "bench", _EVERYTHING)),
        Workload(
            "tds_rows_masked", f"TDS, {ROWS:,} rows, one column masked", "rows", partial(_rows, "mask", _EVERYTHING)
        ),
        Workload(
            "tds_rows_scanned", f"TDS, {ROWS:,} rows, all text scanned", "rows", partial(_rows, "scan", _EVERYTHING)
        ),
        Workload("tds_connect", "TDS connections with TLS, one after another", "connections", _connections),
    )


def _batch(number: int) -> str:
    return f"SELECT balance FROM accounts WHERE id = {number}"


def _call(number: int) -> str:
    return f"EXEC sp_executesql N'SELECT balance FROM accounts WHERE id = @id', N'@id int', @id = {number}"


def _selects(text: Callable[[int], str], route: TdsRoute, seconds: float) -> float:
    with route.connect() as connection, connection.cursor() as cursor:
        began, count = time.monotonic(), 0
        while (took := time.monotonic() - began) < seconds:
            cursor.execute(text(1 + count % 1000))
            if len(cursor.fetchall()) != 1:
                raise BenchmarkFailed(f"{text(1)} through {route.name} did not give its row")
            count += 1
    return count / took


def _rows(part: str, text: str, route: TdsRoute, seconds: float) -> float:
    with route.connect(part) as connection, connection.cursor() as cursor:
        began, count = time.monotonic(), 0
        while (took := time.monotonic() - began) < seconds or not count:
            cursor.execute(text)
            count += len(cursor.fetchall())
        if count % ROWS:
            raise BenchmarkFailed(f"rows were lost through {route.name}")
        took = time.monotonic() - began
    return count / took


def _connections(route: TdsRoute, seconds: float) -> float:
    began, count = time.monotonic(), 0
    while (took := time.monotonic() - began) < seconds:
        route.connect().close()
        count += 1
    return count / took
