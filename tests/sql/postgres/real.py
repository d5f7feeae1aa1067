"""The catalog of a real server, read by the gateway's own queries."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from blastwall.protocols.contract import Later, Output
from blastwall.protocols.postgres.catalog import Row, Snapshot, functions_of, snapshot_in_slices, split_path
from blastwall.protocols.postgres.catalog_queries import (
    FIRST_VIEWS,
    INITIAL_FUNCTIONS,
    QUERIES,
    SEARCH_PATH,
    VIEWS_AT_ONCE,
    views_after,
)
from blastwall.protocols.slices import at_once
from blastwall.sql.postgres import Functions


def read_snapshot(connection: psycopg.Connection) -> Snapshot:
    """Read the catalog as the side connection does; the connection's search_path is put back."""
    path = str(_rows(connection, SEARCH_PATH)[0][0])
    connection.execute("SET search_path TO pg_catalog")
    results = [_views(connection) if query == FIRST_VIEWS else _rows(connection, query) for query in QUERIES]
    initial = _initial_functions(connection)
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, false)", [path])
    return at_once(snapshot_in_slices(connection.info.dbname, None, results, split_path(path), initial))


_initial: dict[int, Functions] = {}


def _initial_functions(connection: psycopg.Connection) -> Functions:
    """PostgreSQL's own functions are read once a version."""
    version = connection.info.server_version
    if version not in _initial:
        _initial[version] = functions_of(_rows(connection, INITIAL_FUNCTIONS))
    return _initial[version]


def _views(connection: psycopg.Connection) -> list[Row]:
    rows = part = _rows(connection, FIRST_VIEWS)
    while len(part) == VIEWS_AT_ONCE:
        part = _rows(connection, views_after(max(int(str(oid)) for oid, _ in part)))
        rows = rows + part
    return rows


def _rows(connection: psycopg.Connection, query: str) -> list[Row]:
    result = connection.pgconn.exec_(query.encode())
    if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        raise AssertionError(result.error_message.decode())
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else value.decode()
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]


def unhurried(outputs: Sequence[Output]) -> list[Output]:
    """Return a companion's outputs, with what it gives once it has gone on to the end of its slices."""
    found = list(outputs)
    while isinstance(found[-1] if found else None, Later):
        later = found.pop()
        assert isinstance(later, Later)
        found += later.go_on()
    return found
