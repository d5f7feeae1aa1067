"""The world that breaks: a shop whose server logs everything, and what must be true once it is whole again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.opening import backends, metrics, opened
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

SLACK = 3
"""Open files more than before that are no leak: a side connection to the server, a log, a database's second handle."""


@contextmanager
def logged_shop(
    server: PostgresServer, folder: Path, *, policies: str = POLICIES, limits: dict[str, object] | None = None
) -> Iterator[Shop]:
    """Open a shop whose server logs each connection and each statement that it is sent; its log begins anew."""
    os.truncate(server.folder / "server.log", 0)
    server.execute("ALTER ROLE scram_user SET log_statement = 'all'")
    _log_connections(server, "on")
    try:
        with opened(server, folder, policies=policies, masking=[], limits=limits or {}) as shop:
            yield shop
    finally:
        with suppress(psycopg.OperationalError):  # a server that was left broken is not what went wrong first
            server.execute("ALTER ROLE scram_user RESET log_statement")
            _log_connections(server, "off")


def _log_connections(server: PostgresServer, switch: str) -> None:
    server.execute(f"ALTER SYSTEM SET log_connections = {switch}")
    server.execute("SELECT pg_reload_conf()")


def open_files(shop: Shop) -> int:
    """How many files and sockets the gateway has open."""
    return len(list(Path(f"/proc/{shop.gateway.pid}/fd").iterdir()))


def idle_files(shop: Shop) -> int:
    """How many it has open when nobody is there, after what is opened once was opened."""
    for _ in range(3):
        with closing(shop.connect()) as agent:
            agent.execute("SELECT id FROM orders WHERE id = 1")
    settled(shop)
    return open_files(shop)


def settled(shop: Shop) -> None:
    """Wait until no session is open, at the gateway and at the server."""
    eventually(lambda: backends(shop) == 0, "the server has no connection of an agent's")
    eventually(lambda: metrics(shop)['blastwall_sessions{resource="pg-prod"}'] == 0, "no session is open")


def nobody_left(shop: Shop) -> None:
    """Wait until the server has no connection at all of a gateway that is gone."""
    count = "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'scram_user'"
    eventually(lambda: shop.direct(count) == [(0,)], "the server has no connection of the gateway's")


def no_leak(shop: Shop, before: int) -> None:
    """Wait until the gateway, with nobody there, has no more files open than `before`."""
    settled(shop)
    eventually(lambda: open_files(shop) <= before + SLACK, f"no more than {before} open files, as before")


def whole(shop: Shop) -> None:
    """Fail unless the state is a sound database, and the recordings are proven untouched."""
    with closing(sqlite3.connect(shop.gateway.folder / "state" / "blastwall.db")) as state:
        assert state.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    said = shop.gateway.run("audit", "verify")
    assert "Untouched" in said, said
