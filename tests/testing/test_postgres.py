"""The throw-away servers are what tests take them for: real, verified over TLS, each role authenticated its own way."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.postgres import METHODS, PostgresServer
from blastwall.testing.servers import ServerMissing, find_any_postgres, find_postgres, find_program, installations


def test_the_versions_are_what_they_claim(postgres15: PostgresServer, postgres_newest: PostgresServer) -> None:
    assert postgres15.execute("SELECT current_setting('server_version_num')::int / 10000") == [(15,)]
    [(newest,)] = postgres_newest.execute("SELECT current_setting('server_version_num')::int / 10000")
    assert newest == postgres_newest.major >= 17


@pytest.mark.parametrize("role", METHODS)
def test_each_role_logs_in_with_the_password(postgres: PostgresServer, role: str) -> None:
    with psycopg.connect(postgres.dsn(user=role)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)


@pytest.mark.parametrize("role", [role for role, method in METHODS.items() if method != "trust"])
def test_each_role_is_refused_another_password(postgres: PostgresServer, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.dsn(user=role), password="another")


def test_each_role_is_stored_as_its_method_says(postgres: PostgresServer) -> None:
    stored = postgres.execute("SELECT rolname::text, left(rolpassword, 3) FROM pg_authid WHERE rolpassword IS NOT NULL")
    assert {("md5_user", "md5"), ("scram_user", "SCR"), ("postgres", "SCR")} <= set(stored)


def test_another_ca_does_not_verify_the_server(postgres: PostgresServer, tmp_path: Path) -> None:
    other = CertificateAuthority().write(tmp_path)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(postgres.dsn(), sslrootcert=str(other))


def test_data_survive_a_stop_and_a_crash() -> None:
    with PostgresServer.start() as server:
        server.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        server.stop()
        assert server.run().execute("SELECT n FROM kept") == [(1,)]
        server.execute("CHECKPOINT; INSERT INTO kept VALUES (2)")
        server.kill()
        assert server.run().execute("SELECT count(*) FROM kept") in ([(1,)], [(2,)])
    assert not server.folder.exists()
    with pytest.raises(psycopg.OperationalError):
        server.execute("SELECT 1")


def test_without_tls_the_server_is_plain() -> None:
    with PostgresServer.start(tls=False) as server:
        assert server.ca is None
        assert server.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(False,)]


def test_a_missing_server_names_the_target_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blastwall.testing.servers.installations", lambda: ())
    for version in ("15", "newest"):
        with pytest.raises(ServerMissing, match="make servers"):
            find_postgres(version)
    with pytest.raises(ServerMissing, match="make demo"):
        find_any_postgres()
    with pytest.raises(ServerMissing, match="make servers"):
        find_program("no-such-program", "a-package")


def test_the_demo_falls_back_to_a_server_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    plain = replace(installations()[0], tls=False)
    monkeypatch.setattr("blastwall.testing.servers.installations", lambda: (plain,))
    assert find_any_postgres() == plain
    with pytest.raises(ServerMissing):
        find_postgres("newest")
