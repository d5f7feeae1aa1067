"""The throw-away PgBouncer passes on to its server, in plain text and over TLS."""

from __future__ import annotations

import psycopg
import pytest

from blastwall.testing.pgbouncer import PgBouncer
from blastwall.testing.postgres import PostgresServer


@pytest.mark.parametrize("tls", [False, True])
def test_it_passes_on_to_its_server(tls: bool) -> None:
    with PostgresServer.start("15", tls=tls) as server, PgBouncer(server, "postgres", tls=tls) as bouncer:
        secured = f"sslmode=verify-full sslrootcert={bouncer.ca}" if tls else "sslmode=disable"
        conninfo = f"host=localhost hostaddr=127.0.0.1 port={bouncer.port} dbname=postgres user=postgres {secured}"
        with psycopg.connect(conninfo) as connection:
            [port] = connection.execute("SELECT current_setting('port')").fetchone() or []
        assert port == str(server.port)
    assert not bouncer.folder.exists()
