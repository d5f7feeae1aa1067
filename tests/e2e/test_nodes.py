"""Two gateways that share a PostgreSQL state are one to an agent, however their clocks differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial

import psycopg
import pytest
from tests.e2e.conftest import POLICIES, SHOP, Shop, configuration
from tests.e2e.opening import ends, lets_in, sessions
from tests.waiting import eventually

from blastwall.cli.remote import Remote
from blastwall.cli.servers import server_at
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

MOST = 3
CUT_OFF = "agent shop-ci is contained"


@pytest.fixture(scope="module")
def nodes(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Shop]]:
    """A shop with two gateways, and an agent that may have three sessions."""
    server, folder = postgres_newest, tmp_path_factory.mktemp("nodes")
    for database, tables in (("shop", SHOP), ("state", "")):
        server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        server.create_database(database, tables)
    agent = {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}
    with DevIssuer() as issuer, ExitStack() as stack:

        def node(name: str) -> Shop:
            settings = configuration(
                server, issuer, node=name, masking=[], packs=["postgres"],
                agents=[{**agent, "max_sessions": MOST}],
                users=[{"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["dba"]}],
                control={"roles": {"operator": ["dba"]}},
                state=f"postgresql://postgres@localhost:{server.port}/state?sslmode=verify-full&sslrootcert={server.ca}",
            )  # fmt: skip
            gateway = Gateway(
                settings,
                policies={"shop.cedar": POLICIES},
                environment={"PG_PASSWORD": server.password, "PGPASSWORD": server.password},
                folder=folder / name,
            )
            return Shop(stack.enter_context(gateway), issuer, server, "shop")

        yield node("one"), node("two")


def too_many(shop: Shop) -> bool:
    """Whether a login is refused for the number of the agent's sessions."""
    try:
        shop.connect().close()
    except psycopg.OperationalError as error:
        return f"has {MOST} sessions open" in str(error)
    return False


def test_sessions_are_counted_over_both(nodes: tuple[Shop, Shop]) -> None:
    one, two = nodes
    with one.connect(), one.connect(), two.connect() as last:
        for node in nodes:
            eventually(partial(too_many, node), "the fourth session is refused, wherever it is asked for")
        last.close()
        for node in nodes:
            eventually(partial(lets_in, node), "its place is free, for either")
    eventually(lambda: [sessions(node) for node in nodes] == [0, 0], "all have ended")


def test_who_is_cut_off_at_one_is_cut_off_at_both(nodes: tuple[Shop, Shop]) -> None:
    one, two = nodes
    stolen = one.token()
    with closing(one.connect()) as here, closing(two.connect()) as there:
        contain(two, "/containment", "the token leaked")
        for session in (here, there):
            assert CUT_OFF in ends(session)[0]
    assert not lets_in(one)
    assert not lets_in(two)
    contain(one, "/containment/lift", "the token was changed")
    for node in nodes:
        eventually(partial(lets_in, node), "a token from after the containment is good, at either")
        with pytest.raises(psycopg.OperationalError, match="from before a containment"):
            psycopg.connect(node.gateway.dsn(node.database, stolen, resource="pg-prod"))


def contain(shop: Shop, path: str, reason: str) -> None:
    """Cut the agent off, or let it in again, through one node's API."""
    operator = Remote(
        server_at(shop.gateway.control_url, "--server", shop.gateway.ca),
        shop.issuer.token("dora", claims={"oid": "d0"}),
    )
    operator.post(path, {"kind": "agent", "name": "shop-ci", "reason": reason})
