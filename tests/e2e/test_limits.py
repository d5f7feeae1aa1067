"""What one caller can take: connections, time, sizes and memory have bounds, and reaching one is told."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.opening import backends, changed, ends, lets_in, metrics, opened, sessions
from tests.waiting import SOON, eventually, promised, unchanged

from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]
LIMITS = {"connections": 8, "statement": "2s", "statement_size": "64KiB"}
SLEEPERS = """
@id("ci-sleeps")
permit (principal in Group::"ci", action == Action::"execute", resource in Database::"pg-prod/shop");
"""
ENOUGH = 48 << 20
"""Bytes by which the gateway may grow: its buffers for a session are bounded to a few MiB, the rest is slack."""


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with tight limits."""
    agents = [
        {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]},
        {"name": "auditor", "issuer": "ci", "match": {"repository_id": "43"}, "groups": ["ci", "cleared"],
         "max_sessions": 2},
    ]  # fmt: skip
    policies = POLICIES + SLEEPERS
    with opened(
        postgres_newest, tmp_path_factory.mktemp("limits"), policies=policies, limits=LIMITS, agents=agents
    ) as shop:
        yield shop


@pytest.fixture(scope="module")
def wide(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[Shop]:
    """The same shop with the default limits."""
    with opened(postgres_newest, tmp_path_factory.mktemp("wide"), fill=None) as wide:
        yield wide


@pytest.fixture(autouse=True)
def nobody_left(shop: Shop) -> Iterator[None]:
    yield
    eventually(lambda: sessions(shop) == 0, "the test's sessions are gone")


class TestConnections:
    def test_all_together(self, shop: Shop) -> None:
        with ExitStack() as taken:
            agents = [taken.enter_context(closing(shop.connect())) for _ in range(8)]
            with pytest.raises(psycopg.OperationalError, match=r"as many connections as it accepts.*try again later"):
                shop.connect()
            with pytest.raises(psycopg.OperationalError, match="as many connections"):
                shop.connect()
            eventually(lambda: '"reason":"toomany"' in shop.gateway.log.replace(" ", ""), "the log says so")
            for agent in agents:
                assert agent.execute("SELECT 1").fetchone() == (1,)
            agents[0].close()
            eventually(lambda: lets_in(shop), "a place that was given back is taken again")

    def test_one_agents(self, shop: Shop) -> None:
        with closing(shop.connect(repository_id="43")) as first, closing(shop.connect(repository_id="43")):
            with pytest.raises(psycopg.OperationalError, match=r"auditor has 2 sessions open.*close one"):
                shop.connect(repository_id="43")
            with closing(shop.connect()) as other:
                assert other.execute("SELECT 1").fetchone() == (1,)
            first.close()
            eventually(lambda: lets_in(shop, "43"), "a place that was given back is taken again")


class TestTime:
    @pytest.fixture
    def impatient(self, shop: Shop) -> Iterator[Shop]:
        """The shop while it waits for logins, and for idle sessions, no longer than a second."""
        changed(shop, limits={**LIMITS, "handshake": "1s", "idle": "1s"})
        yield shop
        changed(shop)

    @pytest.mark.parametrize("how", ["silent", "a byte at a time", "tls and then silent"])
    def test_a_login_has_a_deadline(self, impatient: Shop, how: str) -> None:
        request = struct.pack("!ii", 8, 80877103)
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", impatient.gateway.port("pg-prod"))) as client:
            client.settimeout(SOON)
            if how == "tls and then silent":
                client.sendall(request)
                assert client.recv(1) == b"S"
            with suppress(OSError):
                if how == "a byte at a time":
                    while time.monotonic() - began < SOON:
                        client.sendall(b"\0" if time.monotonic() - began < 0.6 else b"")
                        time.sleep(0.2)
                        client.settimeout(0.01)
                        with suppress(TimeoutError):
                            if client.recv(1000) == b"":
                                break
                else:
                    while client.recv(1000):
                        pass
            assert 0.9 < time.monotonic() - began < promised(5)

    def test_a_session_without_traffic_ends(self, impatient: Shop) -> None:
        began = time.monotonic()
        with closing(impatient.connect()) as agent:
            said, _ = ends(agent)
        assert "the session was idle for 1 second" in said
        assert time.monotonic() - began > 0.9

    def test_a_statement_that_takes_too_long_is_cancelled_and_the_session_goes_on(self, shop: Shop) -> None:
        with shop.connect() as agent:
            began = time.monotonic()
            with pytest.raises(psycopg.errors.QueryCanceled) as caught:
                agent.execute("SELECT count(*) FROM generate_series(1, 10000000000)")
            assert 1.9 < time.monotonic() - began < promised(4.5)
            assert "blastwall: the statement ran longer than 2 seconds, the most that it may" in str(caught.value)
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_the_time_of_a_pipelines_statements_is_counted_one_by_one(self, shop: Shop) -> None:
        with shop.connect() as agent:
            began = time.monotonic()
            with agent.pipeline():
                for _ in range(6):
                    agent.execute("SELECT pg_sleep(0.5)")
                    agent.pgconn.send_flush_request()  # or the server keeps all answers until the last one's
            assert time.monotonic() - began > 2.9, "together they took longer than one may"


class TestSizes:
    @pytest.mark.parametrize("prepare", [False, True])
    def test_a_statement(self, shop: Shop, prepare: bool) -> None:
        with shop.connect() as agent:
            with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="over the limit of 65,536"):
                agent.execute(b"SELECT '" + b"x" * 70_000 + b"'", prepare=prepare)
            assert agent.execute("SELECT 1").fetchone() == (1,)
            assert agent.execute("SELECT length(%s)", ("x" * 3_000_000,)).fetchone() == (3_000_000,)

    def test_nesting_that_would_break_a_parser(self, shop: Shop) -> None:
        with shop.connect() as agent:
            for hostile in ("(" * 30_000, "SELECT " + "(" * 15_000 + "1" + ")" * 15_000, "SELECT " + "NOT " * 15_000):
                with pytest.raises(psycopg.Error):
                    agent.execute(hostile.encode())
                assert agent.execute("SELECT 1").fetchone() == (1,)


class TestMemory:
    def test_a_client_that_never_reads_a_huge_result(self, wide: Shop) -> None:
        """A result of 2 GB for a client that takes none of it: the server has to wait, not the gateway to store."""
        with closing(wide.connect()) as agent:
            agent.execute("SELECT 1")
            before = memory(wide)
            agent.pgconn.send_query(b"SELECT repeat('x', 10000) FROM generate_series(1, 200000)")
            agent.pgconn.flush()
            eventually(lambda: waits(wide, "ClientWrite"), "the server waits for the gateway to read")
            eventually(lambda: unchanged(lambda: bytes_received(wide)), "the gateway reads no more")
            assert memory(wide) - before < ENOUGH
            assert bytes_received(wide) < 64 << 20
        eventually(lambda: backends(wide) == 0, "the server's side is gone with the client")

    def test_a_client_that_never_reads_many_results(self, wide: Shop) -> None:
        """A pipeline without end: what it asks must not pile up either."""
        with closing(wide.connect()) as agent:
            before = memory(wide)
            asked = threading.Event()

            def ask() -> None:
                query = b"SELECT repeat('x', 1000) FROM generate_series(1, 1000)\0"
                packet = b"Q" + struct.pack("!i", len(query) + 4) + query
                with suppress(OSError, psycopg.Error), secured(wide) as client:
                    asked.set()
                    client.settimeout(1)
                    for _ in range(3000):
                        client.sendall(packet * 50)

            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            thread.join(90)
            assert asked.is_set()
            assert not thread.is_alive()
            assert memory(wide) - before < ENOUGH
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_a_huge_copy_into_a_table_that_is_locked(self, wide: Shop) -> None:
        """The server takes nothing, so the client must be made to wait."""
        with closing(wide.connect()) as agent, psycopg.connect(wide.server.dsn("shop")) as locker:
            locker.execute("LOCK TABLE archive")
            before, sent = memory(wide), [0]
            writer = threading.Thread(target=self._copy, args=(agent, sent), daemon=True)
            writer.start()
            eventually(lambda: waits(wide, "relation"), "the COPY waits for the lock")
            eventually(lambda: unchanged(lambda: sent[0]), "the client has to wait")
            assert sent[0] < 64 << 20
            assert memory(wide) - before < ENOUGH
            locker.rollback()
            writer.join(60)
            assert not writer.is_alive()
            assert memory(wide) - before < ENOUGH
        rows, length = wide.direct("SELECT count(*)::int, sum(length(data))::bigint FROM archive WHERE id = 5")[0]
        assert (rows, length) == (1500, 1500 * 100_000)

    def _copy(self, agent: Agent, sent: list[int]) -> None:
        with agent.cursor().copy("COPY archive FROM STDIN") as copy:
            for _ in range(1500):
                copy.write(b"5\t" + b"x" * 100_000 + b"\n")
                sent[0] += 100_003


def memory(shop: Shop) -> int:
    """The gateway's resident memory in bytes."""
    pages = int(Path(f"/proc/{shop.gateway.pid}/statm").read_text().split()[1])
    return pages * 4096


def waits(shop: Shop, event: str) -> bool:
    return bool(
        shop.direct(
            f"SELECT 1 FROM pg_stat_activity WHERE wait_event = '{event}' AND application_name LIKE 'shop-ci/%'"
        )
    )


def bytes_received(shop: Shop) -> float:
    return metrics(shop)['blastwall_received_bytes_total{from="resource",resource="pg-prod"}']


def secured(shop: Shop) -> socket.socket:
    """Log in by hand over TLS, and return the connection on which nobody reads."""
    import ssl

    client = socket.create_connection(("127.0.0.1", shop.gateway.port("pg-prod")))
    client.sendall(struct.pack("!ii", 8, 80877103))
    assert client.recv(1) == b"S"
    context = ssl.create_default_context(cafile=str(shop.gateway.ca))
    client = context.wrap_socket(client, server_hostname="localhost")
    body = struct.pack("!i", 196608) + b"user\0agent\0database\0shop\0\0"
    client.sendall(struct.pack("!i", len(body) + 4) + body)
    assert client.recv(9)[:1] == b"R"
    token = shop.token().encode() + b"\0"
    client.sendall(b"p" + struct.pack("!i", len(token) + 4) + token)
    assert client.recv(9)[:1] == b"R"
    return client
