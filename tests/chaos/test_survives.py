"""What survives: a short round of everything that `make chaos` does at length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.chaos.changes import drain_with_open_transactions, reload_under_load
from tests.chaos.disk import fill_the_disk
from tests.chaos.kills import kill_the_gateway
from tests.chaos.load import nothing_ran_unrecorded
from tests.chaos.outages import lose_the_database, lose_the_issuer, start_without_the_issuer
from tests.chaos.world import logged_shop

from blastwall.testing.postgres import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own: it is killed, and its whole log is read."""
    with PostgresServer.start("newest") as server:
        yield server


def test_a_gateway_that_is_killed_has_recorded_all_that_the_server_ran(server: PostgresServer, tmp_path: Path) -> None:
    kill_the_gateway(server, tmp_path / "gateway", 4)


def test_a_statement_past_the_gateway_would_be_found(server: PostgresServer, tmp_path: Path) -> None:
    """The comparison itself: it must fail where something did run without a record."""
    with logged_shop(server, tmp_path / "gateway") as shop:
        with shop.connect() as agent:
            agent.execute("SELECT 'mark-recorded-1.'")
        nothing_ran_unrecorded(shop)
        with psycopg.connect(server.dsn(shop.database, "scram_user")) as thief:
            thief.execute("SELECT 'mark-smuggled-1.'")
        with pytest.raises(AssertionError, match=r"without a recorded ruling: \['mark-smuggled-1\.'\]"):
            nothing_ran_unrecorded(shop)


def test_the_database_is_lost(tmp_path: Path) -> None:
    with PostgresServer.start("newest") as server:
        lose_the_database(server, tmp_path / "gateway", 2)


def test_the_disk_is_full(server: PostgresServer, tmp_path: Path) -> None:
    fill_the_disk(server, tmp_path / "gateway", 1)


def test_the_issuer_is_lost(server: PostgresServer, tmp_path: Path) -> None:
    lose_the_issuer(server, tmp_path / "gateway")


def test_the_issuer_is_not_there_at_the_start(server: PostgresServer, tmp_path: Path) -> None:
    start_without_the_issuer(server, tmp_path / "gateway")


def test_reloads_under_load(server: PostgresServer, tmp_path: Path) -> None:
    reload_under_load(server, tmp_path / "gateway", 4)


def test_a_drain_with_open_transactions(server: PostgresServer, tmp_path: Path) -> None:
    drain_with_open_transactions(server, tmp_path / "gateway")
