"""A reading of the catalog outlives the connection that it was read by: whoever shares it sees the next one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from tests.sql.postgres.real import unhurried

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import UPSTREAM, Answered, Output, Send
from blastwall.protocols.postgres.catalog import CURRENT, View
from blastwall.protocols.postgres.kind import PostgresKind
from blastwall.protocols.postgres.tests.specimens import RESOURCE, opening
from blastwall.testing.postgres import PostgresServer


@pytest.fixture
def kept(postgres: PostgresServer) -> Iterator[PostgresServer]:
    postgres.execute("DROP DATABASE IF EXISTS kept")
    postgres.execute("CREATE DATABASE kept")
    yield postgres
    postgres.execute("DROP DATABASE kept")


def asked(kind: PostgresKind, server: PostgresServer) -> View:
    """Ask a connection of its own, that is closed afterwards."""
    address = Address("127.0.0.1", server.port, TlsMode.DISABLE)
    place = replace(opening(), resource=replace(RESOURCE, upstream=address, databases=("kept",)))
    companion = kind.companion(place, Credential("postgres", server.password.encode()), "kept")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        outputs: list[Output] = [*companion.start(), *companion.look_up(1, CURRENT)]
        while not (answers := [one for one in outputs if isinstance(one, Answered)]):
            for one in outputs:
                if isinstance(one, Send):
                    line.sendall(one.span)
            outputs = unhurried(companion.receive(UPSTREAM, line.recv(65536)))
    assert isinstance(answers[0].reply, View)
    return answers[0].reply


def test_sessions_of_a_closed_connection_see_what_the_next_one_reads(kept: PostgresServer) -> None:
    kind = PostgresKind()
    view = asked(kind, kept)
    first = view.snapshot.catalog
    assert first.relation("public", "later") is None
    with psycopg.connect(kept.dsn("kept"), autocommit=True) as connection:
        connection.execute("CREATE TABLE later (id int)")
    assert asked(kind, kept) is view
    assert view.snapshot.catalog.relation("public", "later") is not None
    assert view.snapshot.catalog.version > first.version


def test_what_was_forgotten_is_read_whole_although_nothing_has_changed(kept: PostgresServer) -> None:
    kind = PostgresKind()
    with psycopg.connect(kept.dsn("kept"), autocommit=True) as connection:
        connection.execute("CREATE TABLE there (id int)")
    view = asked(kind, kept)
    view.forget()
    assert view.snapshot.catalog.relation("public", "there") is None
    assert asked(kind, kept) is view
    assert view.known
    assert view.snapshot.catalog.relation("public", "there") is not None
