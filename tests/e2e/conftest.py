"""A shop behind a gateway: a real PostgreSQL of each version, an issuer, one agent that may read and write orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from tests.recordings import words
from tests.waiting import eventually

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text UNIQUE NOT NULL, ssn text, note text);
INSERT INTO customers VALUES
  (1, 'Ada Byron', 'ada@example.com', '219-09-9999', 'prefers mail'),
  (2, 'Alan Mathison', 'alan@example.org', '078-05-1120', 'call alan@example.org'),
  (3, 'Grace Murray', 'grace@example.net', NULL, NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, total numeric NOT NULL CHECK (total > 0));
INSERT INTO orders SELECT n, 1 + n % 3, n * 10 FROM generate_series(1, 30) n;
CREATE VIEW addresses AS SELECT id, email AS address, upper(email) AS shouted FROM customers;
CREATE TABLE archive (id int, data text);
CREATE TABLE vault (secret text);
INSERT INTO vault VALUES ('the crown jewels');
GRANT ALL ON ALL TABLES IN SCHEMA public TO scram_user;
GRANT CREATE ON SCHEMA public TO scram_user;
"""

POLICIES = """
@id("ci-connects")
permit (principal in Group::"ci", action == Action::"connect", resource in Database::"pg-prod/shop");

@id("ci-reads")
permit (principal in Group::"ci", action == Action::"read", resource in Schema::"pg-prod/shop/public")
unless { resource == Object::"pg-prod/shop/public/vault" };

@id("ci-writes")
permit (principal in Group::"ci", action in [Action::"create", Action::"update", Action::"delete", Action::"define"],
        resource in Schema::"pg-prod/shop/public");

@id("ci-copies-out")
permit (principal in Group::"ci", action == Action::"export", resource in Database::"pg-prod/shop");

@id("deletes-need-approval")
@approval("dba:1")
forbid (principal, action == Action::"delete", resource == Object::"pg-prod/shop/public/customers");
"""

EMAILS = ("ada@example.com", "alan@example.org", "grace@example.net")
SSNS = ("219-09-9999", "078-05-1120")


@dataclass
class Shop:
    """The running shop. `connect()` logs in through the gateway with a fresh token."""

    gateway: Gateway
    issuer: DevIssuer
    server: PostgresServer
    database: str

    def token(self, **claims: object) -> str:
        return self.issuer.token("ci", claims={"repository_id": "42", **claims})

    def dsn(self, **claims: object) -> str:
        return self.gateway.dsn(self.database, self.token(**claims), resource="pg-prod")

    def connect(self, **claims: object) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.dsn(**claims), autocommit=True)

    def lift(self, agent: str, **claims: object) -> None:
        """Lift an agent's containment, and wait until the gateway has heard of it and takes a token of now.

        Tokens tell when they were issued in whole seconds, so that one of the second of the containment is from before.
        """
        self.gateway.run("contain", "agent", agent, "--lift", "--reason", "it is over")
        eventually(lambda: not self._keeps_out(**claims), f"{agent} is let in again")

    def _keeps_out(self, **claims: object) -> bool:
        """Try a database that there is not: no session comes of it."""
        try:
            psycopg.connect(self.dsn(**claims), dbname="nowhere").close()
        except psycopg.OperationalError as refused:
            return "contained" in str(refused) or "before a containment" in str(refused)
        return False

    def direct(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the server itself, as its superuser."""
        return self.server.execute(statement, self.database)


def configuration(server: PostgresServer, issuer: DevIssuer, **changes: object) -> dict[str, object]:
    return {
        "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [
            {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]},
            {"name": "auditor", "issuer": "ci", "match": {"repository_id": "43"}, "groups": ["ci", "cleared"]},
        ],
        "users": [{"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["dba"]}],
        "resources": [
            {
                "name": "pg-prod",
                "kind": "postgres",
                "upstream": {"host": "localhost", "port": server.port, "database": "shop", "ca": str(server.ca)},
                "credential": {"user": "scram_user", "password": {"env": "PG_PASSWORD"}},
            }
        ],
        "policies": ["*.cedar"],
        "packs": [{"postgres": {"except": ["postgres-masked-filters"]}}],  # masking must hold without it
        "masking": [
            {"resource": "pg-prod", "columns": ["public.customers.email"], "with": "partial", "except": ["cleared"]},
            {"resource": "pg-prod", "columns": ["public.customers.ssn"], "with": "redact", "except": ["cleared"]},
            {"resource": "pg-prod", "detect": ["email"], "with": "redact", "except": ["cleared"]},
        ],
        "hold": {"timeout": "1s", "in_transaction": "500ms"},
        **changes,
    }


@pytest.fixture(scope="module")
def shop(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Shop]:
    """The shop on each version of PostgreSQL, shared by a module's tests."""
    database = "shop"
    postgres.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    postgres.create_database(database, SHOP)
    folder: Path = tmp_path_factory.mktemp("shop")
    with (
        DevIssuer() as issuer,
        Gateway(
            configuration(postgres, issuer),
            policies={"shop.cedar": POLICIES},
            environment={"PG_PASSWORD": postgres.password},
            folder=folder,
        ) as gateway,
    ):
        yield Shop(gateway, issuer, postgres, database)


@pytest.fixture
def agent(shop: Shop) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of the agent's through the gateway, in autocommit."""
    with shop.connect() as connection:
        yield connection


@pytest.fixture
def recorded(shop: Shop) -> Callable[[], str]:
    """Everything that the recordings hold, once nothing that was let through lacks its end."""

    def everything() -> str:
        return words(shop.gateway)

    return everything
