"""A refusal is an ordinary SQL error, the connection lives on, and the transaction does what PostgreSQL's own would."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import InFailedSqlTransaction, InsufficientPrivilege
from tests.e2e.conftest import Shop
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]
DROP = "DROP TABLE orders"


def count(shop: Shop, table: str = "archive") -> int:
    (row,) = shop.direct(f"SELECT count(*)::int FROM {table}")
    assert isinstance(row[0], int)
    return row[0]


@pytest.fixture(autouse=True)
def empty(shop: Shop) -> None:
    shop.direct("TRUNCATE archive")


def logged(agent: Agent, postgres: PostgresServer, word: str) -> bool:
    agent.execute(f"SELECT '{word}'".encode())
    return word in postgres.log


def refused(agent: Agent, statement: str, *, prepare: bool | None = None) -> str:
    with pytest.raises(InsufficientPrivilege) as caught:
        agent.execute(statement, prepare=prepare)
    return str(caught.value)


def test_simple(shop: Shop, agent: Agent) -> None:
    said = refused(agent, DROP)
    assert "blastwall" in said
    assert agent.execute("SELECT 1").fetchone() == (1,)
    assert count(shop, "orders") == 30


def test_prepared(shop: Shop, agent: Agent) -> None:
    refused(agent, DROP, prepare=True)
    assert agent.execute("SELECT %s::int", (2,)).fetchone() == (2,)


def test_inside_a_transaction_everything_is_rolled_back(shop: Shop, agent: Agent) -> None:
    with pytest.raises(InsufficientPrivilege), agent.transaction():
        agent.execute("INSERT INTO archive VALUES (1, 'a')")
        agent.execute(DROP)
    assert count(shop) == 0
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_in_a_failed_transaction_the_client_sees_the_refusal(agent: Agent) -> None:
    agent.execute("BEGIN")
    refused(agent, DROP)
    with pytest.raises(InFailedSqlTransaction):
        agent.execute("SELECT 1")
    refused(agent, DROP)
    agent.execute("ROLLBACK")
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_after_a_savepoint(shop: Shop, agent: Agent) -> None:
    with agent.transaction():
        agent.execute("INSERT INTO archive VALUES (1, 'kept')")
        with pytest.raises(InsufficientPrivilege), agent.transaction():
            agent.execute(DROP)
    assert count(shop) == 1


def test_a_multi_statement_query_runs_whole_or_not_at_all(shop: Shop, agent: Agent) -> None:
    said = refused(agent, f"INSERT INTO archive VALUES (1, 'a'); {DROP}; INSERT INTO archive VALUES (2, 'b')")
    assert "the whole query was not run" in said
    assert count(shop) == 0


def test_in_a_pipeline_the_earlier_insert_is_rolled_back(shop: Shop, agent: Agent) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), agent.pipeline():
        agent.execute("INSERT INTO archive VALUES (1, 'a')")
        agent.execute(DROP)
        agent.execute("INSERT INTO archive VALUES (2, 'b')")
    assert count(shop) == 0
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_in_a_pipeline_what_was_synced_before_stays(shop: Shop, agent: Agent) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), agent.pipeline() as pipeline:
        agent.execute("INSERT INTO archive VALUES (1, 'a')")
        pipeline.sync()
        agent.execute(DROP)
    assert count(shop) == 1


def test_an_error_of_the_servers_own_comes_first(agent: Agent) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), agent.pipeline():
        agent.execute("SELECT 1/0")
        agent.execute(DROP)


def test_at_bind_and_execute_of_what_was_only_held(shop: Shop, agent: Agent) -> None:
    with pytest.raises(InsufficientPrivilege, match="approv"):
        agent.execute("DELETE FROM customers WHERE id = %s", (3,), prepare=True)
    assert count(shop, "customers") == 3
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_hold_tells_the_client_and_ends_in_a_clear_refusal(shop: Shop) -> None:
    told: list[str] = []
    with shop.connect() as agent:
        agent.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        with pytest.raises(InsufficientPrivilege, match="approv"):
            agent.execute("DELETE FROM customers WHERE id = 3")
    assert "dba" in "".join(told)
    assert count(shop, "customers") == 3


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM vault",
        "SELECT (SELECT secret FROM vault)",
        "WITH x AS (SELECT * FROM vault) SELECT count(*) FROM x",
        "INSERT INTO archive SELECT 1, secret FROM vault",
        "SELECT 1 FROM orders WHERE EXISTS (SELECT 1 FROM vault)",
        "COPY vault TO STDOUT",
        "COPY (SELECT secret FROM vault) TO STDOUT",
        "EXPLAIN ANALYZE DELETE FROM vault",
        "WITH gone AS (DELETE FROM vault RETURNING *) SELECT * FROM gone",
        "DO $$ BEGIN EXECUTE 'DROP TABLE orders'; END $$",
        "PREPARE p AS DELETE FROM vault",
        "COPY archive FROM PROGRAM 'id'",
        "COPY archive TO '/tmp/x'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SELECT pg_terminate_backend(1)",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER SYSTEM SET log_statement = 'none'",
        "SELECT lo_import('/etc/passwd')",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT secret FROM vault'",
        "SELECT query_to_xml('SELECT * FROM vault', true, false, '')",
        "SET standard_conforming_strings = off",
        "SET client_encoding = 'LATIN1'",
        "SELECT set_config('role', 'postgres', false)",
        "GRANT ALL ON vault TO PUBLIC",
        "TRUNCATE orders",
        "DROP TABLE IF EXISTS orders",
        "/* SELECT */ DROP TABLE orders -- SELECT",
        "SELECT 1; DROP TABLE orders",
        "NOT SQL AT ALL",
    ],
)
def test_what_a_thief_would_try(shop: Shop, agent: Agent, statement: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        agent.execute(statement)
    assert caught.value.sqlstate in ("42501", "42601", "0A000"), caught.value
    assert agent.execute("SELECT 1").fetchone() == (1,)
    assert count(shop, "vault") == 1
    assert count(shop, "orders") == 30


def test_the_server_never_saw_what_was_refused(shop: Shop, agent: Agent, postgres: PostgresServer) -> None:
    marker = "never_seen_by_the_server"
    postgres.execute("ALTER SYSTEM SET log_statement = 'all'")
    postgres.execute("SELECT pg_reload_conf()")
    try:
        eventually(lambda: logged(agent, postgres, "it_logs_by_now"), "the agent's server process logs statements")
        refused(agent, f"DROP TABLE {marker}")
        refused(agent, f"DROP TABLE {marker}", prepare=True)
        assert logged(agent, postgres, "it_logs_still")
        assert marker not in postgres.log
    finally:
        postgres.execute("ALTER SYSTEM RESET log_statement")
        postgres.execute("SELECT pg_reload_conf()")
