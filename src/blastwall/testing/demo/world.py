"""Everything that the demo needs, started on loopback and gone with its block."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

import psycopg
import yaml

from blastwall.testing.demo.data import Shop
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import answers, free_port
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed
from blastwall.testing.servers import Installation, find_any_postgres

PORT = 15432
"""Where the demo's database is reached, where nobody else listens there."""

DATABASE = "shop"
REPORTING = "repo:acme/shop:ref:refs/heads/main"
FRAUD_DESK = "repo:acme/fraud:ref:refs/heads/main"
APPROVER = "ana"
"""A person of the group dba, who may also operate the gateway."""

TOKEN_SECONDS = 12 * 3600

_FILES = files("blastwall.testing.demo") / "files"


@dataclass(frozen=True, slots=True)
class Client:
    """How an agent's ordinary client reaches the shop: all of it but the password."""

    port: int
    ca: Path
    user: str = "report"

    @property
    def conninfo(self) -> str:
        """The libpq connection string, without a password."""
        return (
            f"host=localhost port={self.port} dbname={DATABASE} user={self.user} "
            f"sslmode=verify-full sslrootcert={self.ca}"
        )


class World:
    """A real PostgreSQL with the shop in it, a development issuer, and a gateway between agents and the shop."""

    def __init__(self, installation: Installation | None = None) -> None:
        """Start all of it; `installation` is the PostgreSQL server to use instead of the best one found.

        Raises:
            ServerMissing: no PostgreSQL server is installed.
            ServerFailed: one of the three does not start.
        """
        with ExitStack() as starting:
            self.folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="blastwall-demo-")))
            found = installation or find_any_postgres()
            self.server = starting.enter_context(PostgresServer(found, tls=found.tls).run())
            self.shop = Shop.generate()
            self._load_shop()
            self.issuer = starting.enter_context(DevIssuer(people={APPROVER: {}}))
            self.gateway = self._start_gateway(starting)
            self._running = starting.pop_all()

    @property
    def client(self) -> Client:
        """How agents reach the shop."""
        return Client(self.gateway.port(), self.gateway.ca)

    def token(self, subject: str = REPORTING, *, audience: str | None = None, lifetime: float = TOKEN_SECONDS) -> str:
        """Have the issuer sign a token, as a pipeline's platform would."""
        return self.issuer.token(subject, audience=audience, lifetime=lifetime)

    def close(self) -> None:
        """Stop everything and delete what it wrote."""
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load_shop(self) -> None:
        self.server.execute(f"CREATE ROLE app LOGIN PASSWORD '{self.server.password}'")
        self.server.create_database(DATABASE, (_FILES / "shop.sql").read_text())
        with psycopg.connect(self.server.dsn(DATABASE)) as connection:
            self.shop.load(connection)

    def _start_gateway(self, starting: ExitStack) -> Gateway:
        port = free_port() if answers(PORT) else PORT
        try:
            return starting.enter_context(self._gateway(port))
        except ServerFailed:
            if port != PORT or not answers(PORT):
                raise
            return starting.enter_context(self._gateway(free_port()))  # somebody else took it meanwhile

    def _gateway(self, port: int) -> Gateway:
        values = {
            "issuer": self.issuer.url,
            "port": port,
            "upstream_port": self.server.port,
            "upstream_tls": "verify-full" if self.server.ca else "disable",
            "upstream_ca": self.server.ca or "null",
        }
        text = Template((_FILES / "blastwall.yaml").read_text()).substitute(values)
        policies = {f"policies/{file.name}": file.read_text() for file in (_FILES / "policies").iterdir()}
        return Gateway(
            yaml.safe_load(text),
            policies=policies,
            environment={"SHOP_DB_PASSWORD": self.server.password},
            folder=self.folder / "gateway",
        )
