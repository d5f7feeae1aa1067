"""The catalog of a real server, read by the gateway's own queries."""

from __future__ import annotations

import psycopg

from blastwall.protocols.postgres.catalog import Snapshot, snapshot, split_path
from blastwall.protocols.postgres.catalog_queries import (
    FIRST_VIEWS,
    FUNCTIONS,
    QUERIES,
    SEARCH_PATH,
    VIEWS_AT_ONCE,
    views_after,
)


def read_snapshot(connection: psycopg.Connection) -> Snapshot:
    """Read the catalog as the side connection does; the connection's search_path is put back."""
    path = str(_rows(connection, SEARCH_PATH)[0][0])
    connection.execute("SET search_path TO pg_catalog")
    special = {FUNCTIONS: _functions, FIRST_VIEWS: _views}
    results = [special[query](connection) if query in special else _rows(connection, query) for query in QUERIES]
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, false)", [path])
    return snapshot(connection.info.dbname, 1, results, split_path(path))


_built_in: dict[int, list[list[str | None]]] = {}


def _functions(connection: psycopg.Connection) -> list[list[str | None]]:
    """PostgreSQL's own functions are read once a version."""
    version = connection.info.server_version
    if version not in _built_in:
        _built_in[version] = _rows(connection, FUNCTIONS + " WHERE p.oid < 16384")
    return _built_in[version] + _rows(connection, FUNCTIONS + " WHERE p.oid >= 16384")


def _views(connection: psycopg.Connection) -> list[list[str | None]]:
    rows = part = _rows(connection, FIRST_VIEWS)
    while len(part) == VIEWS_AT_ONCE:
        part = _rows(connection, views_after(max(int(str(oid)) for oid, _ in part)))
        rows = rows + part
    return rows


def _rows(connection: psycopg.Connection, query: str) -> list[list[str | None]]:
    result = connection.pgconn.exec_(query.encode())
    if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        raise AssertionError(result.error_message.decode())
    return [
        [
            None if (value := result.get_value(row, column)) is None else value.decode()
            for column in range(result.nfields)
        ]
        for row in range(result.ntuples)
    ]
