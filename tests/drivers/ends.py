"""One server, reached directly and through a gateway that permits everything, for the drivers' own suites."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import SUPERUSER, PostgresServer

EVERYTHING = """
@id("everything")
permit (principal, action, resource in Resource::"pg-prod");
"""
_TOKEN_SECONDS = 2 * 60 * 60


@dataclass(frozen=True, slots=True)
class End:
    """Where a suite connects, over TLS, as the server's superuser."""

    port: int
    ca: Path | None
    password: str

    def libpq(self) -> dict[str, str]:
        """The environment by which whatever knows libpq's variables finds it."""
        return {
            "PGHOST": "localhost",
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.ca),
        }


class Ends:
    """The server itself, and the gateway before it."""

    def __init__(self, server: PostgresServer, gateway: Gateway, issuer: DevIssuer) -> None:
        self.direct = End(server.port, server.ca, server.password)
        self._gateway = gateway
        self._issuer = issuer

    def through(self) -> End:
        """The gateway, with a token that lasts for a run."""
        token = self._issuer.token("ci", claims={"repository_id": "42"}, lifetime=_TOKEN_SECONDS)
        return End(self._gateway.port(), self._gateway.ca, token)


@contextmanager
def both_ends(server: PostgresServer, folder: Path, database: str, *further: str) -> Iterator[Ends]:
    """Start a gateway to these databases, the first one by default, with the superuser behind it and no pack."""
    upstream = {"host": "localhost", "port": server.port, "ca": str(server.ca), "database": database}
    with DevIssuer() as issuer:
        configuration = {
            "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
            "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
            "resources": [
                {
                    "name": "pg-prod",
                    "kind": "postgres",
                    "upstream": {**upstream, "databases": list(further)},
                    "credential": {"user": SUPERUSER, "password": {"env": "PG_PASSWORD"}},
                }
            ],
            "policies": ["*.cedar"],
            "packs": [],
        }
        with Gateway(
            configuration,
            policies={"everything.cedar": EVERYTHING},
            environment={"PG_PASSWORD": server.password},
            folder=folder / "gateway",
        ) as gateway:
            yield Ends(server, gateway, issuer)
