"""A resource of several hosts: one that is down, one in recovery, one that takes writes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import SHOP, Shop
from tests.e2e.opening import ends, opened, running
from tests.waiting import once

from blastwall.testing.ports import free_port
from blastwall.testing.postgres import PostgresServer

POLICIES = """
@id("ci")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read", Action::"create"], resource)
when { context.plane == "data" };
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, PostgresServer, PostgresServer]]:
    """A shop whose hosts are nobody's port, a standby and a primary; each server has a CA of its own."""
    folder: Path = tmp_path_factory.mktemp("failover")
    with PostgresServer.start("newest") as primary, PostgresServer.start("newest") as standby:
        standby.create_database("shop", SHOP)
        standby.become_standby()
        ca = folder / "both.pem"
        ca.write_bytes(b"".join(server.ca.read_bytes() for server in (primary, standby) if server.ca))
        dead = f"127.0.0.1:{free_port()}"
        listed = [dead, f"localhost:{standby.port}", f"localhost:{primary.port}"]
        credential = {"user": "scram_user", "password": {"env": "PG_PASSWORD"}}
        resources: list[dict[str, object]] = [
            {"name": target, "kind": "postgres", "credential": credential,
             "upstream": {"hosts": listed, "target": target, "database": "shop", "ca": str(ca)}}
            for target in ("primary", "any")
        ]  # fmt: skip
        silent = silent_host()
        resources.append(
            {"name": "behind-silence", "kind": "postgres", "credential": credential,
             "upstream": {"hosts": [silent, dead, dead, dead, listed[-1]], "database": "shop", "ca": str(ca)}}
        )  # fmt: skip
        with opened(primary, folder / "gateway", policies=POLICIES, masking=[], resources=resources) as shop:
            yield shop, primary, standby
        for listener in _KEPT_OPEN:
            listener.close()


def silent_host() -> str:
    """A port whose kernel takes connections for a process that answers none, as one that hangs."""
    listener = socket.create_server(("127.0.0.1", 0))
    _KEPT_OPEN.append(listener)
    return f"127.0.0.1:{listener.getsockname()[1]}"


_KEPT_OPEN: list[socket.socket] = []


def connect(shop: Shop, resource: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(shop.gateway.dsn("shop", shop.token(), resource=resource), autocommit=True)


def test_the_primary_is_found_behind_a_dead_host_and_a_standby(
    hosts: tuple[Shop, PostgresServer, PostgresServer],
) -> None:
    shop, primary, _ = hosts
    with connect(shop, "primary") as agent:
        agent.execute("INSERT INTO archive VALUES (1, 'written')")
        with once(lambda: running(shop, "10000000000"), agent.cancel_safe), pytest.raises(psycopg.errors.QueryCanceled):
            agent.execute("SELECT count(*) FROM generate_series(1, 10000000000)")
    assert primary.execute("SELECT data FROM archive", "shop") == [("written",)]


def test_any_takes_the_standby(hosts: tuple[Shop, PostgresServer, PostgresServer]) -> None:
    shop, _, _ = hosts
    with connect(shop, "any") as agent:
        assert agent.execute("SHOW transaction_read_only").fetchone() == ("on",)
        assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)


def test_a_host_that_hangs_is_given_up_after_its_share_of_the_time(
    hosts: tuple[Shop, PostgresServer, PostgresServer],
) -> None:
    shop, _, _ = hosts
    with connect(shop, "behind-silence") as agent:
        assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)


def test_a_restart_is_heard_by_who_is_idle_and_the_next_connection_works(
    hosts: tuple[Shop, PostgresServer, PostgresServer],
) -> None:
    shop, primary, _ = hosts
    with connect(shop, "primary") as agent:
        timer = threading.Timer(0.2, primary.stop)
        timer.start()
        said, _ = ends(agent)
        timer.join()
    assert "terminating connection due to administrator command" in said
    with pytest.raises(psycopg.OperationalError) as caught:
        connect(shop, "primary")
    assert "none of its hosts will do: host 1: primary refused the connection; host 2: it is in recovery" in str(
        caught.value
    )
    assert "host 3: primary refused the connection" in str(caught.value)
    primary.run()
    connect(shop, "primary").close()
