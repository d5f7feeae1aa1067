"""Ordinary clients work through the gateway as they work directly: psql, psycopg 3, asyncpg, pgbench, with TLS."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import running
from tests.waiting import SOON, once, promised

Agent = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def libpq(shop: Shop) -> dict[str, str]:
    """What a client's owner sets: libpq's environment, with a token as the password."""
    return {
        **os.environ,
        "PGHOST": "localhost",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": str(shop.gateway.port("pg-prod")),
        "PGDATABASE": "shop",
        "PGUSER": "anything",
        "PGPASSWORD": shop.token(),
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(shop.gateway.ca),
    }


def psql(libpq: dict[str, str], *commands: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    arguments = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=0", *arguments],
        env=libpq, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


class TestPsql:
    def test_selects_and_describes(self, libpq: dict[str, str]) -> None:
        done = psql(libpq, "SELECT id FROM orders ORDER BY id LIMIT 2", "\\d orders", "\\dt", "\\df")
        assert "(2 rows)" in done.stdout
        assert "total" in done.stdout
        assert "customers" in done.stdout
        assert done.stderr == ""

    def test_goes_on_after_a_refusal(self, libpq: dict[str, str]) -> None:
        done = psql(libpq, "DROP TABLE orders", "SELECT 'still here'")
        assert "ERROR:" in done.stderr
        assert "blastwall" in done.stderr
        assert "still here" in done.stdout

    def test_shows_the_notice_of_a_hold(self, libpq: dict[str, str]) -> None:
        done = psql(libpq, "DELETE FROM customers WHERE id = 3", code=1)
        assert "NOTICE:" in done.stderr
        assert "dba" in done.stderr
        assert "ERROR:" in done.stderr

    def test_copies_in_and_out(self, libpq: dict[str, str], tmp_path: object) -> None:
        done = psql(libpq, "CREATE TABLE IF NOT EXISTS imported (n int)", "\\copy orders(id) to stdout")
        assert len(done.stdout.split()) >= 30

    def test_a_wrong_token_is_refused_with_what_to_do(self, libpq: dict[str, str]) -> None:
        done = psql({**libpq, "PGPASSWORD": "nonsense"}, "SELECT 1", code=2)
        assert "FATAL:" in done.stderr
        assert "nonsense" not in done.stderr

    def test_refuses_a_gateway_that_it_cannot_verify(self, libpq: dict[str, str], shop: Shop) -> None:
        done = psql({**libpq, "PGSSLROOTCERT": str(shop.server.ca)}, "SELECT 1", code=2)
        assert "certificate verify failed" in done.stderr

    def test_plain_text_is_refused(self, libpq: dict[str, str]) -> None:
        done = psql({**libpq, "PGSSLMODE": "disable"}, "SELECT 1", code=2)
        assert "verify-full" in done.stderr


class TestPsycopg:
    def test_types_and_parameters(self, agent: Agent) -> None:
        row = agent.execute(
            "SELECT %s::int, %s::text, %b::bytea, %s::jsonb, %s::numeric, now() IS NOT NULL",
            (1, "ü", b"\x00\xff", '{"a": 1}', "1.5"),
        ).fetchone()
        assert row is not None
        assert row[:4] == (1, "ü", b"\x00\xff", {"a": 1})

    def test_executemany_and_copy_in(self, shop: Shop, agent: Agent) -> None:
        shop.direct("TRUNCATE archive")
        cursor = agent.cursor()
        cursor.executemany("INSERT INTO archive VALUES (%s, %s)", [(n, "x") for n in range(100)])
        with cursor.copy("COPY archive FROM STDIN") as copy:
            for n in range(1000):
                copy.write_row((n, "copied"))
        assert agent.execute("SELECT count(*) FROM archive").fetchone() == (1100,)

    def test_large_values_both_ways(self, agent: Agent) -> None:
        big = "x" * 5_000_000
        row = agent.execute("SELECT %s::text || 'y'", (big,)).fetchone()
        assert row == (big + "y",)

    def test_a_statement_over_the_limit_is_refused_and_the_session_lives(self, agent: Agent) -> None:
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="limit"):
            agent.execute(b"SELECT '" + b"x" * 3_000_000 + b"'")
        assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_cancel(self, shop: Shop, agent: Agent) -> None:
        began = time.monotonic()
        with once(lambda: running(shop, "10000000000"), agent.cancel_safe), pytest.raises(psycopg.errors.QueryCanceled):
            agent.execute("SELECT count(*) FROM generate_series(1, 10000000000)")
        assert time.monotonic() - began < promised(10)
        assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_cancel_of_somebody_elses_session_needs_its_key(self, shop: Shop, agent: Agent) -> None:
        import socket
        from struct import pack

        with socket.create_connection(("127.0.0.1", shop.gateway.port("pg-prod"))) as thief:
            thief.sendall(pack("!iiii", 16, 80877102, agent.info.backend_pid, 1))
            assert thief.recv(1) == b""
        assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_listen_and_notify_between_agents(self, shop: Shop, agent: Agent) -> None:
        agent.execute("LISTEN bell")
        shop.direct("NOTIFY bell, '3'")
        notes: Iterator[psycopg.Notify] = agent.notifies(timeout=SOON, stop_after=1)
        assert [note.payload for note in notes] == ["3"]

    def test_the_application_name_upstream_is_the_agents(self, shop: Shop, agent: Agent) -> None:
        names = [row[0] for row in shop.direct("SELECT application_name FROM pg_stat_activity")]
        assert any("shop-ci" in str(name) for name in names)

    def test_the_process_id_is_the_servers_own(self, shop: Shop, agent: Agent) -> None:
        assert agent.execute("SELECT pg_backend_pid()").fetchone() == (agent.info.backend_pid,)


class TestAsyncpg:
    def test_queries_prepared_and_cursors(self, shop: Shop) -> None:
        async def talk() -> None:
            import ssl

            context = ssl.create_default_context(cafile=str(shop.gateway.ca))
            connection = await asyncpg.connect(
                host="localhost", port=shop.gateway.port("pg-prod"), user="ci", password=shop.token(), database="shop",
                ssl=context, timeout=SOON,
            )  # fmt: skip
            try:
                rows = await connection.fetch("SELECT id, email FROM customers ORDER BY id")
                assert [row["id"] for row in rows] == [1, 2, 3]
                assert "ada@example.com" not in [row["email"] for row in rows]
                prepared = await connection.prepare("SELECT total FROM orders WHERE id = $1")
                assert [(await prepared.fetchval(3),)] == shop.direct("SELECT total FROM orders WHERE id = 3")
                async with connection.transaction():
                    seen = [row["id"] async for row in connection.cursor("SELECT id FROM orders ORDER BY id")]
                assert len(seen) == 30
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute("DROP TABLE orders")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch("SELECT * FROM vault WHERE secret = $1", "x")
                assert await connection.fetchval("SELECT 1") == 1
            finally:
                await connection.close()

        asyncio.run(talk())


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(libpq: dict[str, str], shop: Shop, mode: str, tmp_path: object) -> None:
    from pathlib import Path

    script = Path(str(tmp_path)) / "script.sql"
    script.write_text(
        "\\set id random(1, 30)\n"
        "BEGIN;\nSELECT total FROM orders WHERE id = :id;\nUPDATE orders SET total = total + 1 WHERE id = :id;\nEND;\n"
    )
    done = subprocess.run(
        ["pgbench", "-n", "-f", str(script), "-M", mode, "-c", "4", "-t", "25"],
        env=libpq, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "number of failed transactions: 0" in done.stdout
    assert "100/100" in done.stdout
