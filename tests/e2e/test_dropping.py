"""A database that agents have left can be dropped, renamed and copied, though the gateway itself was still in it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import opened
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

POLICIES = """
@id("ci-does-anything")
permit (principal in Group::"ci", action, resource) when { context.plane == "data" };

@id("auditors-drop-nothing")
forbid (principal in Group::"cleared", action == Action::"drop", resource);
"""
NAMES = ("pg-prod", "pg-again")


def resources(server: PostgresServer) -> list[dict[str, object]]:
    """The same server under two names."""
    upstream = {"host": "localhost", "port": server.port, "database": "shop", "databases": ["trial"]}
    return [
        {
            "name": name,
            "kind": "postgres",
            "upstream": {**upstream, "ca": str(server.ca), "warm": {"connections": 3}},
            "credential": {"user": "scram_user", "password": {"env": "PG_PASSWORD"}},
        }
        for name in NAMES
    ]


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop behind two workers, whose agent may make databases."""
    folder, given = tmp_path_factory.mktemp("dropping"), resources(postgres_newest)
    postgres_newest.execute("ALTER ROLE scram_user CREATEDB")
    try:
        with opened(postgres_newest, folder, policies=POLICIES, resources=given, packs=[], workers=2) as shop:
            yield shop
    finally:
        for left in ("trial", "copied"):
            postgres_newest.execute(f"DROP DATABASE IF EXISTS {left} WITH (FORCE)")
        postgres_newest.execute("ALTER ROLE scram_user NOCREATEDB")


def enter(shop: Shop, name: str) -> None:
    """Have a session in the database, to its clean end: its connection is parked."""
    dsn = shop.gateway.dsn("trial", shop.token(), resource=name)
    with psycopg.connect(dsn, autocommit=True) as agent:
        agent.execute("SELECT 1")


def inside(shop: Shop, label: str) -> set[object]:
    """The server's processes that are in the database for the gateway, by their application_name."""
    where = f"datname = 'trial' AND application_name LIKE '{label}'"
    return {pid for (pid,) in shop.direct(f"SELECT pid FROM pg_stat_activity WHERE {where}")}


def occupy(shop: Shop) -> None:
    """Enter until both workers are in the database under both names, and a connection is parked there."""
    for _ in range(60):
        if len(inside(shop, "blastwall catalog")) == 4:
            break
        for name in NAMES:
            enter(shop, name)
    assert len(inside(shop, "blastwall catalog")) == 4
    eventually(lambda: inside(shop, "shop-ci/%"), "a connection is parked")


def test_the_gateway_leaves_a_database_that_is_to_be_copied_renamed_or_dropped(shop: Shop) -> None:
    with shop.connect() as maker:
        maker.execute("CREATE DATABASE trial")
        for statement in ("CREATE DATABASE copied TEMPLATE trial", "DROP DATABASE trial"):
            occupy(shop)
            maker.execute(statement.encode())
        maker.execute("ALTER DATABASE copied RENAME TO trial")
        occupy(shop)
        maker.execute("ALTER DATABASE trial RENAME TO copied")
        assert maker.execute("SELECT datname FROM pg_database WHERE datname IN ('trial', 'copied')").fetchall() == [
            ("copied",)
        ]
        maker.execute("DROP DATABASE copied")


def test_it_stays_where_a_drop_is_refused(shop: Shop) -> None:
    with shop.connect() as maker, shop.connect(repository_id="43") as auditor:
        maker.execute("CREATE DATABASE trial")
        occupy(shop)
        before = inside(shop, "%")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            auditor.execute("DROP DATABASE trial")
        assert auditor.execute("SELECT 1").fetchone() == (1,)
        assert inside(shop, "%") >= before
        maker.execute("DROP DATABASE trial")
