"""Everything that the demo needs, started on loopback and gone with its block."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import psycopg
import yaml

from blastwall.testing.arm import ArmServer
from blastwall.testing.arm_estate import SUBSCRIPTION
from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.demo.data import Shop
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import answers, free_port
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed
from blastwall.testing.servers import Installation, find_any_postgres

if TYPE_CHECKING:
    from blastwall.testing.demo.sql_server import SqlServer

PORTS = (15432, 15443, 15433)
"""Where the demo's PostgreSQL, its Azure and its Azure SQL are reached, where nobody else listens there."""

GROUPS = ("billing", "shop", "staging", "web-2019")
STORAGE = "Microsoft.Storage/storageAccounts"

DATABASE = "shop"
REPORTING = "repo:acme/shop:ref:refs/heads/main"
FRAUD_DESK = "repo:acme/fraud:ref:refs/heads/main"
APPROVER = "ana"
"""A person of the groups dba and approvers, who may also operate the gateway."""

TOKEN_SECONDS = 12 * 3600

_FILES = files("blastwall.testing.demo") / "files"
_AZURE_SQL = "azure-sql"


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


class World(Closing):
    """A real PostgreSQL with the shop in it, a small Azure, a development issuer, and a gateway before all.

    `sql` stands in for Azure SQL; it is None where the packages that it needs are not installed.
    """

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
            authority = CertificateAuthority("The demo's Azure")
            self._azure_ca = authority.write(self.folder)
            self.azure = starting.enter_context(AzureServer(authority))
            self.arm = starting.enter_context(ArmServer(self.azure, authority))
            self.storage = self._furnish()
            self.sql = self._start_sql(starting)
            self.issuer = starting.enter_context(DevIssuer(people={APPROVER: {}}))
            self.gateway = self._start_gateway(starting)
            self._running = starting.pop_all()

    @property
    def client(self) -> Client:
        """How agents reach the shop."""
        return Client(self.gateway.port(), self.gateway.ca)

    @property
    def azure_url(self) -> str:
        """Where agents reach Azure: the gateway's listener, without a slash at the end."""
        return f"https://localhost:{self.gateway.port('azure')}"

    @property
    def subscription(self) -> str:
        """The subscription's path."""
        return f"/subscriptions/{SUBSCRIPTION}"

    def token(self, subject: str = REPORTING, *, audience: str | None = None, lifetime: float = TOKEN_SECONDS) -> str:
        """Have the issuer sign a token, as a pipeline's platform would."""
        return self.issuer.token(subject, audience=audience, lifetime=lifetime)

    def header_file(self) -> Path:
        """Write a file with the header that shows the agent's token, for curl; return its path."""
        path = self.folder / "authorization"
        path.touch(mode=0o600)
        path.write_text(f"Authorization: Bearer {self.token()}\n")
        return path

    def close(self) -> None:
        """Stop everything and delete what it wrote."""
        self._running.close()

    def _load_shop(self) -> None:
        self.server.execute(f"CREATE ROLE app LOGIN PASSWORD '{self.server.password}'")
        self.server.create_database(DATABASE, (_FILES / "shop.sql").read_text())
        with psycopg.connect(self.server.dsn(DATABASE)) as connection:
            self.shop.load(connection)

    def _furnish(self) -> str:
        """Put into the subscription what the story is about; return the storage account's id."""
        for group in GROUPS:
            self.arm.estate.add_group(group)
        self.arm.estate.add("web-2019", "Microsoft.Compute/virtualMachines", "web1")
        return self.arm.estate.add("shop", STORAGE, "shopinvoices")

    def _start_sql(self, starting: ExitStack) -> SqlServer | None:
        try:
            from blastwall.testing.demo.sql_server import SqlServer
        except ModuleNotFoundError:
            return None
        return starting.enter_context(SqlServer(self.azure, self.shop))

    def _start_gateway(self, starting: ExitStack) -> Gateway:
        ports = [free_port() if answers(port) else port for port in PORTS]
        try:
            return starting.enter_context(self._gateway(ports))
        except ServerFailed:
            if not any(port in PORTS and answers(port) for port in ports):
                raise
            return starting.enter_context(self._gateway([free_port() for _ in PORTS]))  # somebody took one meanwhile

    def _gateway(self, ports: Sequence[int]) -> Gateway:
        port, azure_port, sql_port = ports
        values = {
            "issuer": self.issuer.url,
            "port": port,
            "azure_port": azure_port,
            "arm_port": self.arm.port,
            "arm_ca": self._azure_ca,
            "upstream_port": self.server.port,
            "upstream_tls": "verify-full" if self.server.ca else "disable",
            "upstream_ca": self.server.ca or "null",
        }
        told = {"sql_port": sql_port, "tds_port": self.sql.port, "tds_ca": self.sql.ca} if self.sql is not None else {}
        left_out = "" if told else _AZURE_SQL
        policies = {
            f"policies/{file.name}": file.read_text()
            for file in (_FILES / "policies").iterdir()
            if file.name != f"{left_out}.cedar"
        }
        configuration = _filled("blastwall", values)
        for key, more in _filled(_AZURE_SQL, told).items() if told else ():
            configuration[key] += more
        return Gateway(
            configuration,
            policies=policies,
            environment={"SHOP_DB_PASSWORD": self.server.password, **self.azure.app_service},
            folder=self.folder / "gateway",
        )


def _filled(name: str, values: Mapping[str, object]) -> dict[str, list[object]]:
    """Return a file of configuration with its names filled in; what is added to it are lists."""
    found: dict[str, list[object]] = yaml.safe_load(Template((_FILES / f"{name}.yaml").read_text()).substitute(values))
    return found
