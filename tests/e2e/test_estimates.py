"""The gateway's own question about a table, on a real server."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from blastwall.protocols.estimating import TableRows
from blastwall.protocols.postgres.estimates import query_of
from blastwall.testing.postgres import PostgresServer


@pytest.mark.parametrize("name", ["orders", "o'r\"d\\ers", "x'); DROP TABLE orders; --", "bestell\u00fcbersicht"])
def test_a_name_is_a_name_whatever_stands_in_it(postgres_newest: PostgresServer, name: str) -> None:
    postgres_newest.execute("DROP DATABASE IF EXISTS estimates WITH (FORCE)")
    postgres_newest.create_database("estimates", "")
    with psycopg.connect(postgres_newest.dsn("estimates"), autocommit=True) as server:
        table = sql.Identifier(name)
        server.execute(sql.SQL("CREATE TABLE {} AS SELECT generate_series(1, 40)").format(table))
        server.execute(sql.SQL("ANALYZE {}").format(table))
        query = query_of(TableRows("public", name))
        assert server.execute(query.encode()).fetchall() == [(40,)]
        assert server.execute(query_of(TableRows("nowhere", name)).encode()).fetchall() == []
