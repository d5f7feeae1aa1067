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

WARM = 16
"""Upstream connections that the gateway keeps where it keeps them."""

_RESOURCES = ("pg-bench", "pg-scan", "pg-warm")
_POLICY = "".join(
    f'@id("{name}-may-do-anything")\n'
    f'permit (principal in Group::"bench", action, resource in Database::"{name}/bench");\n'
    for name in _RESOURCES
)


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the database.

    `process` is the id of what stands between, and `server` of the database's first process. `scanning` and `warm` are
    the ports where all text is scanned and where upstream connections are kept; None where there is no such thing.
    """

    name: str
    port: int
    server: int
    password: str = field(repr=False)
    ca: Path | None = None
    process: int | None = None
    scanning: int | None = None
    warm: int | None = None

    @property
    def conninfo(self) -> str:
        """The libpq connection string, without the password."""
        return self.at(self.port)

    def at(self, port: int) -> str:
        """The libpq connection string to another of its ports."""
        tls = f"sslmode=verify-full sslrootcert={self.ca}" if self.ca else "sslmode=disable"
        return f"host=localhost hostaddr=127.0.0.1 port={port} dbname={DATABASE} user={USER} {tls}"


@contextmanager
def routes(server: PostgresServer, *, tls: bool) -> Iterator[tuple[Route, ...]]:
    """Start what stands between client and server; with `tls` on every connection, else on none."""
    with ExitStack() as running:
        bouncer = running.enter_context(PgBouncer(server, DATABASE, tls=tls, user=USER))
        issuer = running.enter_context(DevIssuer())
        gateways = {
            name: running.enter_context(_gateway(server, issuer, tls=tls, workers=workers))
            for name, workers in (("blastwall", 1), ("blastwall_2", 2))
        }
        token = issuer.token("bench", lifetime=6 * 3600)
        yield (
            Route("direct", server.port, server.pid, server.password, server.ca if tls else None),
            Route("pgbouncer", bouncer.port, server.pid, server.password, bouncer.ca, bouncer.pid),
            *(
                Route(
                    name,
                    gateway.port("pg-bench"),
                    server.pid,
                    token,
                    gateway.ca if tls else None,
                    gateway.pid,
                    gateway.port("pg-scan"),
                    gateway.port("pg-warm"),
                )
                for name, gateway in gateways.items()
            ),
        )


def _gateway(server: PostgresServer, issuer: DevIssuer, *, tls: bool, workers: int) -> Gateway:
    upstream: dict[str, object] = {"host": "localhost", "port": server.port, "database": DATABASE, "tls": "disable"}
    if tls:
        upstream |= {"tls": "verify-full", "ca": server.ca}

    def resource(name: str, **more: object) -> dict[str, object]:
        return {
            "name": name,
            "kind": "postgres",
            "plain_text": not tls,
            "upstream": upstream | more,
            "credential": {"user": USER, "password": {"env": "BENCH_PASSWORD"}},
        }

    masked = ["public.people.email", "public.contacts.email"]
    configuration = {
        "workers": workers,
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "bench", "issuer": "dev", "match": {"sub": "bench"}, "groups": ["bench"]}],
        "resources": [
            resource("pg-bench"),
            resource("pg-scan"),
            resource("pg-warm", warm={"connections": WARM}),
        ],
        "policies": ["bench.cedar"],
        "masking": [
            {"resource": "pg-bench", "columns": masked, "with": "partial"},
            {"resource": "pg-scan", "detect": ["email", "card", "iban", "us_ssn"], "with": "redact"},
        ],
        "log": {"level": "warning"},
    }
    return Gateway(configuration, policies={"bench.cedar": _POLICY}, environment={"BENCH_PASSWORD": server.password})
