"""The ways out, tried with a driver through the gateway on the test server: what shows there directly does not show.

What the test server cannot run is tried in `test_ways_out.py`, where the resource's answers are made up.
"""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytds
import pytest
from tests.recordings import words
from tests.tds.test_ways_out import PLANTS, windows
from tests.tds.ways_out import MODULES, SHOP, WAYS, Way

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.tds import TdsServer

POLICY = '@id("all") permit (principal in Group::"ci", action, resource in Database::"sql-prod/shop");'
PARTS = {part.casefold() for plant in PLANTS for part in windows(plant)}
LONG_PARTS = {plant[at : at + 12].casefold() for plant in PLANTS for at in range(len(plant) - 11)}
"""For recordings, whose hashes and times hold any six digits sooner or later."""


@dataclass
class Shop:
    server: TdsServer
    gateway: Gateway
    secret: str = field(repr=False)
    open: dict[str, pytds.Connection] = field(default_factory=dict)
    opened: list[pytds.Connection] = field(default_factory=list)

    def reset(self) -> None:
        """Have the tables as they were."""
        self.server.execute("DROP TABLE IF EXISTS dbo.copied, dbo.orders, dbo.customers")
        self.server.execute(SHOP)

    def direct(self, sql: str) -> str:
        """What a driver is told without the gateway."""
        return self._told("direct", self.server.port, "sa", self.server.password, str(self.server.ca), sql)

    def masked(self, sql: str) -> str:
        """What a driver is told through it."""
        return self._told("masked", self.gateway.port("sql-prod"), "ci", self.secret, str(self.gateway.ca), sql)

    def _told(self, way: str, port: int, user: str, secret: str, ca: str, sql: str) -> str:
        known = self.open.get(way)
        if known is None or "#" in sql:
            known = self.open[way] = pytds.connect(
                dsn="localhost", port=port, user=user, password=secret, database="shop", cafile=ca,
                validate_host=False, login_timeout=60, timeout=60, autocommit=True,
            )  # fmt: skip
            self.opened.append(known)
        return told(known, sql)


def configured(server: TdsServer, issuer: DevIssuer) -> dict[str, object]:
    return {
        "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
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
        "packs": [],
        "masking": [
            {"resource": "sql-prod", "columns": [f"dbo.customers.{one}" for one in ("email", "card", "num", "born")]}
        ],
    }


def traded(gateway: Gateway, issuer: DevIssuer) -> str:
    """A pass, which fits into a password's field."""
    told = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": issuer.token("ci", claims={"repository_id": "42"}),
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "resource": "sql-prod",
    }
    trusted = ssl.create_default_context(cafile=str(gateway.ca))
    request = urllib.request.Request(gateway.control_url + "/token", data=urllib.parse.urlencode(told).encode())
    with urllib.request.urlopen(request, context=trusted) as answer:
        return str(json.load(answer)["access_token"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with TdsServer() as server, DevIssuer() as issuer:
        for text in (SHOP, *(text for _, text in MODULES.values()), "CREATE SYNONYM dbo.people FOR dbo.customers"):
            server.execute(text)
        gateway = Gateway(
            configured(server, issuer),
            policies={"all.cedar": POLICY},
            environment={"SQL_PASSWORD": server.password},
            folder=tmp_path_factory.mktemp("gateway"),
        )
        with gateway:
            shop = Shop(server, gateway, traded(gateway, issuer))
            yield shop
            for connection in shop.opened:
                connection.close()


def told(connection: pytds.Connection, sql: str) -> str:
    """All that a driver is told: rows, messages, errors."""
    heard: list[str] = []
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
            while True:
                if cursor.description:
                    heard += (str(row) for row in cursor.fetchall())
                if not cursor.nextset():
                    break
        except pytds.Error as error:
            heard.append(str(error))
        heard += (str(message) for message in cursor.messages or ())
    return "\n".join(heard)


def shows(text: str) -> set[str]:
    folded = text.casefold()
    return {part for part in PARTS if part in folded}


@pytest.mark.parametrize("way", [way for way in WAYS if way.live], ids=lambda way: way.sql[:60])
def test_what_shows_directly_does_not_show_through_the_gateway(shop: Shop, way: Way) -> None:
    masked = shop.masked(way.sql)
    if way.changes:
        shop.reset()
    direct = shop.direct(way.sql)
    if way.changes:
        shop.reset()
    assert shows(direct), direct
    assert not shows(masked), masked


def test_what_a_procedure_gives_back_does_not_show(shop: Shop) -> None:
    shop.masked("SELECT 1")
    with shop.open["masked"].cursor() as cursor:
        given = cursor.callproc("dbo.one_customer", (1, pytds.output(param_type="nvarchar(100)")))
    assert given[1] == "[redacted]"
    assert not shows(shop.masked("EXEC sp_executesql N'SELECT email FROM dbo.customers WHERE id = @i', N'@i int', 1"))


def test_what_masks_nothing_is_as_without_the_gateway(shop: Shop) -> None:
    for sql in (
        "SELECT * FROM orders ORDER BY id",
        "SELECT COUNT(*) FROM customers",
        "PRINT N'hello'",
        "SELECT nope FROM orders",
    ):
        assert shop.masked(sql) == shop.direct(sql)


def test_recordings_hold_the_rows_and_nothing_that_is_masked(shop: Shop) -> None:
    shop.masked("SELECT id, email FROM customers")
    shop.open.pop("masked").close()
    held = words(shop.gateway)
    assert "('1', '[redacted]')" in held
    assert not {part for part in LONG_PARTS if part in held.casefold()}
