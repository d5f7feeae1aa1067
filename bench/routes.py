"""The three ways to the same database that are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.pgbouncer import PgBouncer
from blastwall.testing.postgres import PostgresServer

DATABASE = "bench"
USER = "bench"

_POLICY = """
@id("bench-may-do-anything")
permit (principal in Group::"bench", action, resource in Database::"pg-bench/bench");
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the database."""

    name: str
    port: int
    password: str = field(repr=False)
    ca: Path | None = None

    @property
    def conninfo(self) -> str:
        """The libpq connection string, without the password."""
        tls = f"sslmode=verify-full sslrootcert={self.ca}" if self.ca else "sslmode=disable"
        return f"host=localhost hostaddr=127.0.0.1 port={self.port} dbname={DATABASE} user={USER} {tls}"


@contextmanager
def routes(server: PostgresServer, *, tls: bool) -> Iterator[tuple[Route, ...]]:
    """Start what stands between client and server; with `tls` on every connection, else on none."""
    with ExitStack() as running:
        bouncer = running.enter_context(PgBouncer(server, DATABASE, tls=tls, user=USER))
        issuer = running.enter_context(DevIssuer())
        gateway = running.enter_context(_gateway(server, issuer, tls=tls))
        token = issuer.token("bench", lifetime=6 * 3600)
        yield (
            Route("direct", server.port, server.password, server.ca if tls else None),
            Route("pgbouncer", bouncer.port, server.password, bouncer.ca),
            Route("blastwall", gateway.port(), token, gateway.ca if tls else None),
        )


def _gateway(server: PostgresServer, issuer: DevIssuer, *, tls: bool) -> Gateway:
    upstream: dict[str, object] = {"host": "localhost", "port": server.port, "database": DATABASE, "tls": "disable"}
    if tls:
        upstream |= {"tls": "verify-full", "ca": server.ca}
    resource = {
        "name": "pg-bench",
        "kind": "postgres",
        "plain_text": not tls,
        "upstream": upstream,
        "credential": {"user": USER, "password": {"env": "BENCH_PASSWORD"}},
    }
    configuration = {
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "bench", "issuer": "dev", "match": {"sub": "bench"}, "groups": ["bench"]}],
        "resources": [resource],
        "policies": ["bench.cedar"],
        "masking": [{"resource": "pg-bench", "columns": ["public.people.email"], "with": "partial"}],
        "log": {"level": "warning"},
    }
    return Gateway(configuration, policies={"bench.cedar": _POLICY}, environment={"BENCH_PASSWORD": server.password})
