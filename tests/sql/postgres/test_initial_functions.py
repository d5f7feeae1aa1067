"""PostgreSQL's own functions are read once; one that somebody has changed since is read as it is now."""

from __future__ import annotations

import psycopg
from tests.sql.postgres.real import read_snapshot

from blastwall.testing.postgres import PostgresServer

UPPER = 871  # pg_proc.dat


def test_a_changed_function_of_the_server_takes_the_place_of_the_old_one(postgres: PostgresServer) -> None:
    postgres.create_database("initial_functions")
    with psycopg.connect(postgres.dsn("initial_functions"), autocommit=True) as connection:
        before = read_snapshot(connection).catalog
        assert len(before._function_by_oid) < 1000 < len(before._initial.by_oid)
        connection.execute("ALTER FUNCTION pg_catalog.upper(text) VOLATILE")
        connection.execute("CREATE FUNCTION public.upper(text) RETURNS text LANGUAGE sql AS 'SELECT 1'")
        after = read_snapshot(connection).catalog

    found = {one.oid: one.volatility for one in after.functions("pg_catalog", "upper")}
    assert found == {one.oid: one.volatility for one in before.functions("pg_catalog", "upper")} | {UPPER: "v"}
    assert len(after.functions("pg_catalog", "upper")) == len(found)
    changed = after.function(UPPER)
    assert changed is not None
    assert changed.volatility == "v"
    (own,) = after.functions("public", "upper")
    assert after.function(own.oid) == own
