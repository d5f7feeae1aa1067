"""A database with more views than are read at once: each is known, and few locks are held at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from tests.sql.postgres.real import read_snapshot, unhurried

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import UPSTREAM, Answered, Output, Send
from blastwall.protocols.postgres.catalog import CURRENT, PostgresCompanion, View
from blastwall.protocols.postgres.catalog_queries import FIRST_VIEWS, VIEWS_AT_ONCE
from blastwall.protocols.postgres.tests.specimens import RESOURCE, opening
from blastwall.sql.postgres import Catalog
from blastwall.testing.postgres import PostgresServer

COUNT = 2 * VIEWS_AT_ONCE
"""The last part is full, so one that is empty follows."""
MAKE = f"""
DO $$ BEGIN FOR i IN 1..{COUNT} LOOP
  EXECUTE format('CREATE TABLE t%s (id int)', i);
  EXECUTE format('CREATE VIEW v%s AS SELECT id FROM t%s', i, i);
END LOOP; END $$
""".encode()


@pytest.fixture(scope="module")
def crowded(postgres: PostgresServer) -> Iterator[PostgresServer]:
    postgres.execute("DROP DATABASE IF EXISTS crowded")
    postgres.execute("CREATE DATABASE crowded")
    with psycopg.connect(postgres.dsn("crowded"), autocommit=True) as connection:
        connection.execute(MAKE)
    yield postgres
    postgres.execute("DROP DATABASE crowded")


def followed(catalog: Catalog) -> int:
    return sum(f"t{view.name[1:]}" in view.definition for view in catalog.views() if view.schema == "public")


def test_the_side_connection_knows_every_view(crowded: PostgresServer) -> None:
    address = Address("127.0.0.1", crowded.port, TlsMode.DISABLE)
    place = replace(opening(), resource=replace(RESOURCE, upstream=address, databases=("crowded",)))
    companion = PostgresCompanion(place, Credential("postgres", crowded.password.encode()), "crowded")
    with socket.create_connection(("127.0.0.1", crowded.port), timeout=30) as line:
        outputs: list[Output] = [*companion.start(), *companion.look_up(1, CURRENT)]
        while not (answers := [one for one in outputs if isinstance(one, Answered)]):
            for one in outputs:
                if isinstance(one, Send):
                    line.sendall(one.span)
            outputs = unhurried(companion.receive(UPSTREAM, line.recv(65536)))
    assert isinstance(answers[0].reply, View)
    assert followed(answers[0].reply.snapshot.catalog) == COUNT


def test_few_locks_are_held_at_a_time(crowded: PostgresServer) -> None:
    held = b"SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384"
    with psycopg.connect(crowded.dsn("crowded")) as connection:
        assert len(connection.execute(FIRST_VIEWS.encode()).fetchall()) == VIEWS_AT_ONCE
        row = connection.execute(held).fetchone()
        assert row is not None
        assert 0 < row[0] <= 2 * VIEWS_AT_ONCE
    with psycopg.connect(crowded.dsn("crowded"), autocommit=True) as connection:
        assert followed(read_snapshot(connection).catalog) == COUNT
