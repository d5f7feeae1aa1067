"""A shop on the throw-away TDS server behind a gateway, and who connects to it."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.recordings import settled
from tests.tds.clients import DRIVERS, Client, Target

from blastwall.model.events import StatementAsked, StatementFinished
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.tds import TdsServer

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"

TABLES = """
DROP TABLE IF EXISTS orders, customers, vault;
CREATE TABLE orders (id int PRIMARY KEY, customer nvarchar(50) NOT NULL, note nvarchar(max));
INSERT INTO orders VALUES (1, N'Ada', N'première'), (2, N'Alan', NULL);
CREATE TABLE customers (id int PRIMARY KEY, name nvarchar(50), email varchar(100), ssn char(11), story nvarchar(max));
INSERT INTO customers VALUES (1, N'Ada Byron', 'ada@example.com', '219-09-9999', N'write to ada@example.com'),
    (2, N'Alan Mathison', 'alan@example.org', '078-05-1120', NULL);
CREATE TABLE vault (secret nvarchar(50)); INSERT INTO vault VALUES (N'the crown jewels');
"""

POLICIES = """
@id("ci-works")
permit (principal in Group::"ci", action, resource in Database::"sql-prod/shop")
unless { resource == Object::"sql-prod/shop/dbo/vault" };

@id("few-at-a-time")
@limit_affected("1")
permit (principal in Group::"ci", action == Action::"update", resource == Object::"sql-prod/shop/dbo/customers");

@id("deletes-need-approval")
@approval("dba:1")
forbid (principal, action == Action::"delete", resource == Object::"sql-prod/shop/dbo/customers");
"""


@dataclass
class World:
    """The running shop. `through(driver)` connects an agent through the gateway, `direct(driver)` to the server."""

    server: TdsServer
    gateway: Gateway
    issuer: DevIssuer

    def token(self, **claims: object) -> str:
        return self.issuer.token("ci", claims={"repository_id": "42", **claims})

    def password(self) -> str:
        """A pass for the agent: a SQL password holds no token."""
        form = {
            "grant_type": _EXCHANGE, "subject_token": self.token(), "subject_token_type": _ID_TOKEN,
            "resource": "sql-prod",
        }  # fmt: skip
        body = urllib.parse.urlencode(form).encode()
        status, text = self.gateway.request(urllib.request.Request(f"{self.gateway.control_url}/token", data=body))
        assert status == 200, text
        return str(json.loads(text)["access_token"])

    def direct(self, driver: str, *, strict: bool = False) -> Client:
        return DRIVERS[driver](Target(self.server.port, self.server.ca, password=self.server.password, strict=strict))

    def through(self, driver: str, *, strict: bool = False, by_password: bool = False) -> Client:
        port, ca = self.gateway.port("sql-prod"), self.gateway.ca
        if driver == "pymssql" or by_password:
            return DRIVERS[driver](Target(port, ca, user="agent", password=self.password(), strict=strict))
        return DRIVERS[driver](Target(port, ca, token=self.token(), strict=strict))

    def fresh(self) -> None:
        """Make the tables anew, and forget what reached the server."""
        self.server.execute(TABLES)
        self.server.received.clear()

    def recorded(self) -> tuple[list[StatementAsked], list[StatementFinished]]:
        """What the recordings hold of statements, once nothing that was let through lacks its end."""
        found = [event for _, events in settled(self.gateway) for event in events]
        return (
            [one for one in found if isinstance(one, StatementAsked)],
            [one for one in found if isinstance(one, StatementFinished)],
        )


def person(world: World, method: str, path: str, body: object = None) -> dict[str, object]:
    """Call the API as dora, who approves."""
    request = urllib.request.Request(
        f"{world.gateway.control_url}/api/v1{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {world.issuer.token('dora', claims={'oid': 'd0'})}"}
        | ({} if body is None else {"Content-Type": "application/json"}),
        method=method,
    )
    status, text = world.gateway.request(request)
    assert status == 200, text
    answer: dict[str, object] = json.loads(text)
    return answer


def configuration(server: TdsServer, issuer: DevIssuer) -> dict[str, object]:
    return {
        "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
        "users": [{"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["dba"]}],
        "resources": [
            {
                "name": "sql-prod",
                "kind": "mssql",
                "upstream": {"host": "localhost", "port": server.port, "database": "shop", "ca": str(server.ca)},
                "credential": {"user": "sa", "password": {"env": "SQL_PASSWORD"}},
                "record": {"results": "masked"},
            }
        ],
        "policies": ["*.cedar"],
        "masking": [
            {"resource": "sql-prod", "columns": ["dbo.customers.email"], "with": "partial"},
            {"resource": "sql-prod", "columns": ["dbo.customers.ssn"], "with": "redact"},
            {"resource": "sql-prod", "detect": ["email"], "with": "redact"},
        ],
        "control": {"roles": {"approver": ["dba"]}},
        "hold": {"timeout": "60s"},
    }


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Start all of it."""
    with TdsServer() as server, DevIssuer() as issuer:
        server.execute(TABLES)
        with Gateway(
            configuration(server, issuer),
            policies={"shop.cedar": POLICIES},
            environment={"SQL_PASSWORD": server.password},
            folder=folder,
        ) as gateway:
            yield World(server, gateway, issuer)
