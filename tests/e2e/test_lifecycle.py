"""The ends of sessions: drains, containment, holds that nobody waits for any more."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import backends, ends, events_so_far, lets_in, metrics, opened, running
from tests.waiting import SOON, eventually, promised

from blastwall.model.events import Event, HoldEnded, SessionClosed, StatementWithdrawn
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed

Agent = psycopg.Connection[tuple[object, ...]]
LONG = "SELECT count(*) FROM generate_series(1, 100000000000)"
HELD = "DELETE FROM customers WHERE id = 3"


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop in which a held statement waits longer than any test."""
    hold = {"timeout": "90s", "in_transaction": "90s"}
    with opened(postgres_newest, tmp_path_factory.mktemp("lifecycle"), hold=hold) as shop:
        yield shop


@pytest.fixture
def draining(postgres_newest: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
    """A shop of the test's own, to be closed by it."""
    with opened(postgres_newest, tmp_path / "gateway", limits={"drain": "60s"}) as shop:
        yield shop


@pytest.fixture
def hasty(postgres_newest: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
    """As `draining`, but sessions are soon waited for no more."""
    with opened(postgres_newest, tmp_path / "gateway", limits={"drain": "1s"}) as shop:
        yield shop


class Background:
    """A statement that runs in a thread; `error` is what came of it."""

    def __init__(self, agent: Agent, statement: str) -> None:
        self.error: psycopg.Error | None = None
        self.ended = 0.0
        self._agent, self._statement = agent, statement
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._agent.execute(self._statement.encode())
        except psycopg.Error as error:
            self.error = error
        self.ended = time.monotonic()

    def wait(self, seconds: float = SOON) -> str:
        """Return the error's text; empty where there was none."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"still waiting after {seconds:g} s: {self._statement}"
        return "" if self.error is None else str(self.error)


def recorded_of(shop: Shop, kind: type[Event]) -> list[Event]:
    return [event for session in events_so_far(shop).values() for event in session if isinstance(event, kind)]


def holds_contained(shop: Shop) -> int:
    """How many holds ended by containment."""
    return sum(isinstance(event, HoldEnded) and event.outcome == "contained" for event in recorded_of(shop, HoldEnded))


def session_of(shop: Shop, agent: Agent) -> str:
    row = agent.execute("SELECT current_setting('application_name')").fetchone()
    assert row is not None
    (found,) = shop.direct(
        "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'shop-ci/%' "
        "AND query LIKE '%current_setting%'"
    )
    return str(found[0]).partition("/")[2]


class TestContainment:
    @pytest.fixture(autouse=True)
    def lifted(self, shop: Shop) -> Iterator[None]:
        yield
        with suppress(ServerFailed):  # most lift it themselves
            shop.lift("shop-ci")

    def contain(self, shop: Shop, what: str = "agent", name: str = "shop-ci") -> float:
        """Contain, and return when the command had done it (it starts slowly: a new Python process)."""
        shop.gateway.run("contain", what, name, "--reason", "its key was found on a bus")
        return time.monotonic()

    def test_every_session_of_the_agent_ends_in_under_a_second_whatever_it_does(self, shop: Shop) -> None:
        with shop.connect() as idle, shop.connect() as busy, shop.connect() as held, shop.connect() as inside:
            other = shop.connect(repository_id="43")
            before, contained = metrics(shop)['blastwall_holds{resource="pg-prod"}'], holds_contained(shop)
            inside.execute("BEGIN")
            inside.execute("INSERT INTO archive VALUES (77, 'uncommitted')")
            statements = [Background(busy, LONG), Background(held, HELD)]
            eventually(lambda: running(shop, "100000000000"), "the long statement runs")
            held_now = 'blastwall_holds{resource="pg-prod"}'
            eventually(lambda: metrics(shop)[held_now] == before + 1, "the delete is held")
            done = self.contain(shop)
            for statement in statements:
                assert "agent shop-ci is contained" in statement.wait()
                assert statement.ended - done < promised(1)
            for agent in (idle, inside):
                said, seconds = ends(agent)
                assert "agent shop-ci is contained" in said
                assert seconds < promised(1)
                assert "bus" not in said
            eventually(lambda: not running(shop, "100000000000"), "the statement is cancelled on the server")
            assert other.execute("SELECT 1").fetchone() == (1,)
            other.close()
        eventually(lambda: metrics(shop)['blastwall_holds{resource="pg-prod"}'] == before, "nothing is held any more")
        eventually(lambda: backends(shop) == 0, "the server has no session of the agent's left")
        assert shop.direct("SELECT count(*)::int FROM archive WHERE id = 77") == [(0,)]
        assert shop.direct("SELECT count(*)::int FROM customers") == [(3,)]
        eventually(lambda: holds_contained(shop) == contained + 1, "it is recorded what ended the hold")

    def test_nothing_new_is_let_in_until_it_is_lifted(self, shop: Shop) -> None:
        self.contain(shop)
        eventually(lambda: not lets_in(shop), "the agent is let in no more")
        with pytest.raises(psycopg.OperationalError, match="agent shop-ci is contained") as caught:
            shop.connect()
        assert "bus" not in str(caught.value)
        shop.gateway.run("contain", "agent", "shop-ci", "--lift", "--reason", "it is over")
        eventually(lambda: lets_in(shop), "the agent is let in again")

    def test_one_session_alone(self, shop: Shop) -> None:
        with shop.connect() as ended, shop.connect() as bystander:
            self.contain(shop, "session", session_of(shop, ended))
            said, _ = ends(ended)
            assert "the session was ended by the gateway's operator" in said
            assert bystander.execute("SELECT 1").fetchone() == (1,)

    def test_a_resource(self, shop: Shop) -> None:
        with shop.connect() as agent:
            self.contain(shop, "resource", "pg-prod")
            try:
                said, _ = ends(agent)
                assert "resource pg-prod is contained" in said
                eventually(lambda: not lets_in(shop), "nobody is let in any more")
                with pytest.raises(psycopg.OperationalError, match="resource pg-prod is contained"):
                    shop.connect(repository_id="43")
            finally:
                shop.gateway.run("contain", "resource", "pg-prod", "--lift", "--reason", "it is over")
        eventually(lambda: lets_in(shop), "the resource is open again")

    def test_it_outlives_the_gateway(self, postgres_newest: PostgresServer, draining: Shop) -> None:
        self.contain(draining)
        draining.gateway.kill()
        draining.gateway.start()
        with pytest.raises(psycopg.OperationalError, match="agent shop-ci is contained"):
            draining.connect()


class TestHolds:
    def test_a_client_that_leaves_frees_everything(self, shop: Shop) -> None:
        held = 'blastwall_holds{resource="pg-prod"}'
        eventually(lambda: metrics(shop)[held] == 0, "nothing is held")
        withdrawn = len(recorded_of(shop, StatementWithdrawn)) + len(recorded_of(shop, HoldEnded))
        with socket_of(shop, "BEGIN", HELD) as client:
            eventually(lambda: metrics(shop)[held] > 0, "the delete is held")
            eventually(lambda: backends(shop) == 1, "its connection is the only one that the server has")
            client.shutdown(socket.SHUT_RDWR)
        _kept.pop().close()
        eventually(lambda: metrics(shop)[held] == 0, "the hold ends")
        eventually(lambda: backends(shop) == 0, "the upstream connection, its transaction and locks are gone")
        eventually(
            lambda: len(recorded_of(shop, StatementWithdrawn)) + len(recorded_of(shop, HoldEnded)) > withdrawn,
            "the withdrawal is recorded",
        )

    def test_a_client_that_vanishes_without_a_word(self, shop: Shop) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", f"import psycopg, sys\npsycopg.connect(sys.argv[1]).execute({HELD!r})", shop.dsn()]
        )
        try:
            eventually(lambda: backends(shop) == 1, "the client is in")
            eventually(lambda: metrics(shop)['blastwall_holds{resource="pg-prod"}'] == 1, "its delete is held")
        finally:
            process.kill()
            process.wait()
        eventually(lambda: metrics(shop)['blastwall_holds{resource="pg-prod"}'] == 0, "the hold ends")
        eventually(lambda: backends(shop) == 0, "its upstream connection is gone")

    def test_a_held_statement_is_cancelled_by_its_client_and_the_session_goes_on(self, shop: Shop) -> None:
        with shop.connect() as agent:
            statement = Background(agent, HELD)
            eventually(lambda: metrics(shop)['blastwall_holds{resource="pg-prod"}'] == 1, "the delete is held")
            agent.cancel_safe()
            assert "canceling statement" in statement.wait()
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_inside_a_transaction_it_waits_for_a_shorter_time(self, draining: Shop) -> None:
        with draining.connect() as agent:
            agent.execute("BEGIN")
            began = time.monotonic()
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"within 0\.[1-5]\d* seconds"):
                agent.execute(HELD)
            assert time.monotonic() - began > 0.4
            agent.execute("ROLLBACK")
            began = time.monotonic()
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"within (1|0\.[6-9]\d*) seconds"):
                agent.execute(HELD)
            assert time.monotonic() - began > 0.95


def socket_of(shop: Shop, *statements: str) -> socket.socket:
    """Log in by hand, send statements, and return the bare connection with their answers unread."""
    agent = shop.connect()
    for statement in statements[:-1]:
        agent.execute(statement.encode())
    agent.pgconn.send_query(statements[-1].encode())
    agent.pgconn.flush()
    bare = socket.socket(fileno=os.dup(agent.fileno()))
    bare.setblocking(True)
    _kept.append(agent)
    return bare


_kept: list[Agent] = []
"""libpq's own ends of the connections above, which must not be closed politely."""


class TestDrain:
    def test_an_open_transaction_may_finish_and_idle_sessions_are_told(self, draining: Shop) -> None:
        working, idle = draining.connect(), draining.connect()
        working.execute("BEGIN")
        working.execute("INSERT INTO archive VALUES (88, 'kept')")
        os.kill(draining.gateway.pid, signal.SIGTERM)
        said, seconds = ends(idle)
        assert "the gateway is shutting down; connect again" in said
        assert seconds < promised(1)
        with pytest.raises(psycopg.OperationalError):
            draining.connect()
        working.execute("INSERT INTO archive VALUES (89, 'kept')")
        working.execute("COMMIT")
        said, _ = ends(working)
        assert "shutting down" in said
        assert draining.gateway.terminate() == 0
        assert draining.direct("SELECT count(*)::int FROM archive WHERE id IN (88, 89)") == [(2,)]

    def test_the_readiness_turns_before_the_sessions_end(self, draining: Shop) -> None:
        with draining.connect() as working:
            working.execute("BEGIN")
            os.kill(draining.gateway.pid, signal.SIGTERM)
            eventually(lambda: draining.gateway.get("/readyz")[0] == 503, "/readyz says that it drains")
            assert draining.gateway.get("/healthz")[0] == 200
            working.execute("COMMIT")
        assert draining.gateway.terminate() == 0

    def test_the_deadline_ends_the_rest_and_cancels_what_runs(self, hasty: Shop) -> None:
        with closing(hasty.connect()) as busy, closing(hasty.connect()) as inside:
            statement = Background(busy, LONG)
            inside.execute("BEGIN")
            eventually(lambda: running(hasty, "100000000000"), "the long statement runs")
            began = time.monotonic()
            assert hasty.gateway.terminate() == 0
            assert 0.9 < time.monotonic() - began < promised(5)
            assert "shutting down" in statement.wait()
        eventually(lambda: not running(hasty, "100000000000"), "the statement is cancelled on the server")
        assert hasty.gateway.run("audit", "verify")
        reasons = [event.reason for event in recorded_of(hasty, SessionClosed) if isinstance(event, SessionClosed)]
        assert len(reasons) == 2
        assert all("shutting down" in reason for reason in reasons)

    def test_a_second_signal_ends_everything_at_once(self, draining: Shop) -> None:
        with draining.connect() as working:
            working.execute("BEGIN")
            os.kill(draining.gateway.pid, signal.SIGTERM)
            eventually(lambda: draining.gateway.get("/readyz")[0] == 503, "it drains")
            began = time.monotonic()
            assert draining.gateway.terminate() == 0
            assert time.monotonic() - began < promised(2)
            said, _ = ends(working)
            assert "shutting down" in said


class TestAbruptEnds:
    def test_many_abrupt_disconnects_leave_nothing_behind(self, shop: Shop) -> None:
        """In every state that a client can leave in: bare TCP, TLS, startup, logged in, mid-statement, mid-COPY."""
        leave_abruptly(shop, 20)  # what is made once (a side connection, caches) is there before it is counted
        settled(shop)
        before = open_files(shop)
        leave_abruptly(shop, 200)
        settled(shop)
        eventually(lambda: open_files(shop) <= before + 2, f"no more than {before} open files, as before")
        assert metrics(shop)["blastwall_sessions" + '{resource="pg-prod"}'] == 0
        with shop.connect() as agent:
            assert agent.execute("SELECT 1").fetchone() == (1,)


def settled(shop: Shop) -> None:
    eventually(lambda: backends(shop) == 0, "the server has no connection of an agent's")
    eventually(lambda: metrics(shop)['blastwall_sessions{resource="pg-prod"}'] == 0, "no session is open")


def open_files(shop: Shop) -> int:
    return len(list(Path(f"/proc/{shop.gateway.pid}/fd").iterdir()))


def leave_abruptly(shop: Shop, times: int) -> None:
    leavers: list[Callable[[Shop], None]] = [leave_after_connecting, leave_after_asking_for_tls, leave_after_login]
    leavers += [leave_in_a_statement, leave_in_a_copy]
    for number in range(times):
        leavers[number % len(leavers)](shop)


def leave_after_connecting(shop: Shop) -> None:
    socket.create_connection(("127.0.0.1", shop.gateway.port("pg-prod"))).close()


def leave_after_asking_for_tls(shop: Shop) -> None:
    with socket.create_connection(("127.0.0.1", shop.gateway.port("pg-prod"))) as client:
        client.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
        assert client.recv(1) == b"S"
        client.sendall(b"\x16\x03\x01\x02")


def reset(agent: Agent) -> None:
    """Leave as a crashed host does: a reset, and no goodbye."""
    with socket.socket(fileno=os.dup(agent.fileno())) as bare:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        bare.shutdown(socket.SHUT_RDWR)
    agent.close()


def leave_after_login(shop: Shop) -> None:
    agent = shop.connect()
    agent.execute("BEGIN")
    agent.execute("SELECT id FROM orders WHERE id = 1 FOR SHARE")
    reset(agent)


def leave_in_a_statement(shop: Shop) -> None:
    agent = shop.connect()
    agent.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
    agent.pgconn.flush()
    reset(agent)


def leave_in_a_copy(shop: Shop) -> None:
    agent = shop.connect()
    agent.pgconn.exec_(b"COPY archive FROM STDIN")
    agent.pgconn.put_copy_data(b"1\tx\n" * 1000)
    reset(agent)
