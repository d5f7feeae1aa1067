"""Warm connections: the next session of the same principal is faster, and meets nothing of the one before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.opening import backends, changed, ends, events_so_far, metrics, opened, running
from tests.e2e.test_lifecycle import LONG, Background
from tests.waiting import eventually, promised, unchanged

from blastwall.model.events import StatementInjected
from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]
PARKED = 'blastwall_warm_connections{resource="pg-prod"}'
ADOPTED = 'blastwall_warm_adopted_total{resource="pg-prod"}'
ALLOWED = (
    POLICIES
    + """
@id("ci-does-anything")
permit (principal in Group::"ci", action, resource in Database::"pg-prod/shop");
"""
)


def resources(server: PostgresServer, **warm: object) -> list[dict[str, object]]:
    (resource,) = configuration_resources(server)
    upstream = {**dict_of(resource["upstream"]), "warm": {"connections": 3, **warm}}
    return [{**resource, "upstream": upstream}]


def configuration_resources(server: PostgresServer) -> list[dict[str, object]]:
    return [
        {
            "name": "pg-prod",
            "kind": "postgres",
            "upstream": {"host": "localhost", "port": server.port, "database": "shop", "ca": str(server.ca)},
            "credential": {"user": "scram_user", "password": {"file": "password"}},
        }
    ]


def dict_of(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("warm")
    (folder / "password").write_text(postgres_newest.password)
    given = resources(postgres_newest)
    with opened(postgres_newest, folder, policies=ALLOWED, resources=given, packs=[]) as shop:
        shop.direct("CREATE SEQUENCE left_seq")
        shop.direct("GRANT ALL ON SEQUENCE left_seq TO scram_user")
        shop.direct("GRANT pg_read_all_data TO scram_user")
        yield shop
        shop.direct("REVOKE pg_read_all_data FROM scram_user")


@pytest.fixture(autouse=True)
def cold(shop: Shop) -> None:
    """Each test begins without a parked connection: a reload closes them all."""
    changed(shop)
    eventually(lambda: backends(shop) == 0, "no connection of a session's is left")


def leave(shop: Shop, *statements: str, **claims: object) -> int:
    """Run a session to its clean end; return the backend that it had."""
    with shop.connect(**claims) as agent:
        pid = backend(agent)
        for statement in statements:
            agent.execute(statement.encode())
    return pid


def backend(agent: Agent) -> int:
    row = agent.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


def parked(shop: Shop) -> float:
    return metrics(shop)[PARKED]


def all_pids(shop: Shop) -> list[object]:
    return [pid for (pid,) in shop.direct("SELECT pid FROM pg_stat_activity WHERE usename = 'scram_user'")]


def injected(shop: Shop, session: str) -> list[StatementInjected]:
    return [event for event in events_so_far(shop)[session] if isinstance(event, StatementInjected)]


class TestReuse:
    def test_the_next_session_has_the_connection_under_its_own_name(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1")
        eventually(lambda: parked(shop) == 1, "it is parked")
        with shop.connect() as agent:
            assert backend(agent) == first
            assert parked(shop) == 0
            rows = shop.direct(f"SELECT application_name FROM pg_stat_activity WHERE pid = {first}")
            label = str(rows[0][0])
            assert agent.info.parameter_status("application_name") == ""
        assert label.startswith("shop-ci/")
        session = label.partition("/")[2]
        eventually(lambda: len(injected(shop, session)) == 3, "the reset is recorded")
        told = injected(shop, session)
        assert told[0].why.startswith("the connection is warm")
        assert "set_config" in told[0].text
        assert [event.text for event in told[1:2]] == ["DISCARD ALL"]
        shown = shop.gateway.run("sessions", "show", session)
        assert "the connection is warm" in shown
        assert "its text is not here" not in shown

    def test_many_one_after_the_other_need_one_connection(self, shop: Shop) -> None:
        before = metrics(shop)[ADOPTED]
        pids = set()
        for _ in range(10):
            eventually(lambda: backends(shop) <= 1, "the one before has ended")
            pids.add(leave(shop, "SELECT id FROM orders LIMIT 1"))
            eventually(lambda: parked(shop) == 1, "it is parked")
        assert len(pids) == 1
        assert metrics(shop)[ADOPTED] - before == 9

    def test_no_more_are_parked_than_may_be(self, shop: Shop) -> None:
        agents = [shop.connect() for _ in range(5)]
        for agent in agents:
            agent.close()
        eventually(lambda: backends(shop) == 3, "three are kept")
        eventually(lambda: parked(shop) == 3, "all three are parked")

    def test_a_cancel_reaches_the_adopter_through_the_key_of_the_one_before(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1")
        eventually(lambda: parked(shop) == 1, "it is parked")
        with shop.connect() as agent:
            assert backend(agent) == first
            statement = Background(agent, LONG)
            eventually(lambda: running(shop, "100000000000"), "it runs")
            agent.cancel_safe()
            assert "canceling statement" in statement.wait()
        eventually(lambda: backends(shop) == 0, "a session that was cancelled leaves its connection to nobody")

    def test_a_connection_that_the_server_closed_is_not_missed(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1")
        eventually(lambda: parked(shop) == 1, "it is parked")
        shop.direct(f"SELECT pg_terminate_backend({first})")
        with shop.connect() as agent:
            assert backend(agent) != first

    def test_it_is_closed_after_a_while(self, shop: Shop) -> None:
        changed(shop, resources=with_port(shop, resources(shop.server, idle=f"{promised(1):.0f}s")))
        try:
            leave(shop, "SELECT 1")
            eventually(lambda: parked(shop) == 1, "it is parked")
            eventually(lambda: backends(shop) == 0, "it is closed")
            assert parked(shop) == 0
        finally:
            changed(shop)

    def test_it_is_closed_when_it_is_old(self, shop: Shop) -> None:
        changed(shop, resources=with_port(shop, resources(shop.server, age="500ms")))
        try:
            with shop.connect() as agent:
                time.sleep(0.6)
                agent.execute("SELECT 1")
            eventually(lambda: backends(shop) == 0, "it is closed")
        finally:
            changed(shop)


def with_port(shop: Shop, given: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**one, "listen": shop.gateway.port("pg-prod")} for one in given]


TRACES = {
    "a setting": ("SET statement_timeout = '77s'", "SHOW statement_timeout", "0"),
    "a setting of one's own": ("SET shop.tenant = 'acme'", "SELECT current_setting('shop.tenant', true)", None),
    "the search path": ("SET search_path = pg_catalog", "SHOW search_path", '"$user", public'),
    "a time zone": ("SET TimeZone = 'Asia/Tokyo'", "SELECT current_setting('TimeZone') = 'Asia/Tokyo'", False),
    "a role": ("SET ROLE pg_read_all_data", "SELECT current_user::text", "scram_user"),
    "a session's default": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SHOW transaction_read_only",
        "off",
    ),
    "a temporary table": ("CREATE TEMP TABLE left_over (a int)", "SELECT to_regclass('left_over')::text", None),
    "a prepared statement": ("PREPARE left_over AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements", 0),
    "a cursor": (
        "DECLARE left_over CURSOR WITH HOLD FOR SELECT id FROM orders",
        "SELECT count(*) FROM pg_cursors WHERE is_holdable",
        0,
    ),
    "an advisory lock": (
        "SELECT pg_advisory_lock(4711)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
        0,
    ),
    "a channel": ("LISTEN left_over", "SELECT count(*) FROM pg_listening_channels()", 0),
    "a sequence's last value": (
        "SELECT nextval('left_seq')",
        "SELECT count(*) FROM pg_sequences WHERE last_value = -1",
        0,
    ),
}


class TestNothingIsLeft:
    @pytest.mark.parametrize("trace", TRACES)
    def test_what_a_session_did_is_not_seen_by_the_next(self, shop: Shop, trace: str) -> None:
        """Whether the connection was reset or not kept at all."""
        does, shows, expected = TRACES[trace]
        leave(shop, does)
        eventually(lambda: backends(shop) == parked(shop), "the session has ended")
        with shop.connect() as agent:
            row = agent.execute(shows.encode()).fetchone()
            assert row is not None
            assert row[0] == expected or (expected is None and row[0] == "")

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT pg_advisory_lock(1)",
            "SELECT set_config('a.b', 'c', false), random()",
            "CREATE TEMP TABLE spoilt (a int)",
            "DO $$ BEGIN END $$",
            "LOAD 'plpgsql'",
            "SET ROLE pg_read_all_data",
            "SET SESSION AUTHORIZATION scram_user",
            "SELECT no_such_function_at_all()",
        ],
    )
    def test_what_could_leave_more_than_a_reset_undoes_is_not_kept(self, shop: Shop, statement: str) -> None:
        with shop.connect() as agent:
            try:
                agent.execute(statement.encode())
            except psycopg.Error:
                """It is enough that it was asked for."""
        eventually(lambda: backends(shop) == 0, "the connection is closed")
        assert parked(shop) == 0

    def test_an_open_transaction_or_an_abrupt_end_is_not_kept(self, shop: Shop) -> None:
        with shop.connect() as inside:
            inside.execute("BEGIN")
            inside.execute("SELECT 1")
            inside.pgconn.finish()
        eventually(lambda: backends(shop) == 0, "the connection is closed")
        assert parked(shop) == 0

    def test_a_role_with_a_default_role_is_not_kept(self, shop: Shop) -> None:
        """DISCARD ALL puts `role` to none, not to what ALTER ROLE says: the next session would be somebody else."""
        shop.direct("ALTER ROLE scram_user SET role = 'pg_read_all_data'")
        try:
            leave(shop, "SELECT 1")
            eventually(lambda: backends(shop) == 0, "the connection is closed")
        finally:
            shop.direct("ALTER ROLE scram_user RESET role")


class TestNobodyElse:
    def test_another_principal_does_not_get_it(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1")
        eventually(lambda: parked(shop) == 1, "it is parked")
        assert leave(shop, "SELECT 1", repository_id="43") != first
        assert leave(shop, "SELECT 1") == first

    def test_another_subject_of_the_same_agent_does_not_get_it(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1", sub="one")
        eventually(lambda: parked(shop) == 1, "it is parked")
        assert leave(shop, "SELECT 1", sub="two") != first

    def test_other_startup_parameters_do_not_get_it(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1")
        eventually(lambda: parked(shop) == 1, "it is parked")
        with psycopg.connect(shop.dsn() + " options='-c statement_timeout=5s'", autocommit=True) as agent:
            assert backend(agent) != first
            assert agent.execute("SHOW statement_timeout").fetchone() == ("5s",)
        eventually(lambda: parked(shop) == 2, "both are parked")
        with psycopg.connect(shop.dsn() + " options='-c statement_timeout=5s'", autocommit=True) as agent:
            assert agent.execute("SHOW statement_timeout").fetchone() == ("5s",)
        assert leave(shop, "SELECT 1") == first

    def test_a_contained_principals_are_closed_at_once(self, shop: Shop) -> None:
        leave(shop, "SELECT 1")
        other = leave(shop, "SELECT 1", repository_id="43")
        eventually(lambda: parked(shop) == 2, "both are parked")
        try:
            shop.gateway.run("contain", "agent", "shop-ci", "--reason", "stolen")
            eventually(lambda: parked(shop) == 1, "its connection is closed", promised(2))
            assert leave(shop, "SELECT 1", repository_id="43") == other
        finally:
            shop.lift("shop-ci")

    def test_a_reload_closes_all_and_sessions_from_before_park_none(self, shop: Shop) -> None:
        with shop.connect() as before:
            leave(shop, "SELECT 1")
            eventually(lambda: parked(shop) == 1, "it is parked")
            changed(shop)
            eventually(lambda: parked(shop) == 0, "it is closed")
            before.execute("SELECT 1")
        eventually(lambda: backends(shop) == 0, "the one from before is closed too")

    def test_a_changed_password_gets_a_new_connection_and_the_old_one_is_closed(self, shop: Shop) -> None:
        first = leave(shop, "SELECT 1")
        eventually(lambda: parked(shop) == 1, "it is parked")
        file = shop.gateway.folder / "password"
        shop.direct("ALTER ROLE scram_user PASSWORD 'another one'")
        file.write_text("another one")
        try:
            assert leave(shop, "SELECT 1") != first
            eventually(lambda: first not in all_pids(shop), "the old one is closed")
        finally:
            shop.direct(f"ALTER ROLE scram_user PASSWORD '{shop.server.password}'")
            file.write_text(shop.server.password)

    def test_a_session_that_is_killed_leaves_none(self, shop: Shop) -> None:
        with shop.connect() as agent:
            backend(agent)
            shop.gateway.run("contain", "agent", "shop-ci", "--reason", "stolen")
            try:
                ends(agent, promised(3))
            finally:
                shop.lift("shop-ci")
        eventually(lambda: backends(shop) == 0, "its connection is closed")


def test_over_two_workers_the_limit_is_the_nodes(postgres_newest: PostgresServer, tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "password").write_text(postgres_newest.password)
    given = resources(postgres_newest)
    with opened(postgres_newest, folder, fill=None, workers=2, resources=given) as shop:
        agents = [shop.connect() for _ in range(8)]
        for agent in agents:
            agent.close()
        eventually(lambda: backends(shop) == 3, "three are kept in all")
        assert unchanged(lambda: backends(shop))
