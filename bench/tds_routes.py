"""The ways to the light TDS server that are compared: directly and through the gateway; everything speaks TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pymssql
import pytds

from bench.measure import GATEWAY, BenchmarkFailed
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer

ROWS = 100_000
_TABLES = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, filler char(84));
INSERT INTO accounts SELECT CAST(value AS int), 0, '' FROM GENERATE_SERIES(1, 1000);
CREATE TABLE tellers (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO tellers SELECT CAST(value AS int), 0 FROM GENERATE_SERIES(1, 10);
CREATE TABLE branches (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO branches VALUES (1, 0);
CREATE TABLE history (teller int, branch int, account int, delta int);
CREATE TABLE contacts (id int PRIMARY KEY, name nvarchar(50) NOT NULL, email varchar(100) NOT NULL, city nvarchar(50));
INSERT INTO contacts SELECT CAST(value AS int), CONCAT(N'Person ', value), CONCAT('person', value, '@example.org'),
    CONCAT(N'City ', value % 50) FROM GENERATE_SERIES(1, {ROWS});
"""
_RESOURCES = ("tds-bench", "tds-mask", "tds-scan")
_POLICY = "".join(
    f'@id("{name}-may-do-anything")\n'
    f'permit (principal in Group::"bench", action, resource in Database::"{name}/shop");\n'
    for name in _RESOURCES
)
_LASTS = 6 * 3600
"""Seconds for which a pass works: its end is the end of its sessions, and so of a soak."""
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@dataclass(frozen=True, slots=True)
class TdsRoute:
    """One way to the server: its ports and passwords by what is masked there (`bench`: nothing, `mask`, `scan`).

    `process` is the id of what stands between, None where nothing does.
    """

    name: str
    ports: dict[str, int]
    passwords: dict[str, str] = field(repr=False)
    ca: Path
    process: int | None = None

    def connect(self, part: str = "bench") -> pymssql.Connection:
        """Return a new connection of FreeTDS's, which asks in batches."""
        return pymssql.connect(
            server="127.0.0.1", port=str(self.ports[part]), user="sa", password=self.passwords[part], database="shop",
            autocommit=True, encryption="require", tds_version="7.4",
        )  # fmt: skip

    def calling(self) -> pytds.Connection:
        """Return a new connection of python-tds's, which asks by calls of sp_executesql where there are values."""
        return pytds.connect(
            dsn="localhost", port=self.ports["bench"], user="sa", password=self.passwords["bench"], database="shop",
            autocommit=True, cafile=str(self.ca), login_timeout=20,
        )  # fmt: skip

    @property
    def spent(self) -> float:
        """CPU seconds that what stands between has taken so far; 0 where nothing does."""
        if self.process is None:
            return 0.0
        threads = Path(f"/proc/{self.process}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads) / 1e9


@contextmanager
def tds_routes() -> Iterator[tuple[TdsRoute, ...]]:
    """Start the light server in a process of its own, and a gateway before it."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "tables.sql"
        script.write_text(_TABLES)
        command = [sys.executable, "-m", "bench.tds_front", str(script)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ})
        running.callback(server.terminate)
        told = json.loads((server.stdout.readline() if server.stdout else "") or "{}")
        if "port" not in told:
            raise BenchmarkFailed("the TDS server did not start")
        issuer = running.enter_context(DevIssuer())
        gateway = running.enter_context(_gateway(told, issuer))
        parts = {name.removeprefix("tds-"): name for name in _RESOURCES}
        yield (
            TdsRoute(
                "direct", dict.fromkeys(parts, told["port"]), dict.fromkeys(parts, told["password"]), Path(told["ca"])
            ),
            TdsRoute(
                GATEWAY,
                {part: gateway.port(name) for part, name in parts.items()},
                {part: _pass(gateway, issuer, name) for part, name in parts.items()},
                gateway.ca,
                gateway.pid,
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
        "passes": {"lifetime": f"{_LASTS}s"},
        "log": {"level": "warning"},
    }
    environment = {"BENCH_PASSWORD": str(told["password"])}
    return Gateway(configuration, policies={"bench.cedar": _POLICY}, environment=environment)


def _pass(gateway: Gateway, issuer: DevIssuer, resource: str) -> str:
    form = {
        "grant_type": _EXCHANGE, "subject_token": issuer.token("bench", lifetime=_LASTS),
        "subject_token_type": _ID_TOKEN, "resource": resource,
    }  # fmt: skip
    body = urllib.parse.urlencode(form).encode()
    status, text = gateway.request(urllib.request.Request(f"{gateway.control_url}/token", data=body))
    if status != 200:
        raise BenchmarkFailed(f"no pass for {resource}: {text}")
    return str(json.loads(text)["access_token"])
