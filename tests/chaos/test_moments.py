"""What breaks in a moment of its own: amid a result, a transaction, a hold, a look at the catalog, a drain.

`make chaos` breaks things under load, wherever its clients happen to be. Here the moment is chosen, and what the client
hears is read as somebody would who has never seen the gateway.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from tests.chaos.disk import disk_for
from tests.chaos.load import BROKEN
from tests.chaos.world import settled
from tests.e2e.conftest import SHOP, Shop
from tests.e2e.opening import backends, changed, ends, events_so_far, lets_in, opened, running
from tests.e2e.test_approvals import HOLD, HOLDS, ROLES, USERS, People
from tests.e2e.test_clock import HOURS, SETTABLE
from tests.e2e.test_grants import GRANTED, OVER, PACKS, granted
from tests.e2e.test_workers import on_worker
from tests.waiting import SOON, eventually

from blastwall.model.events import StatementFinished
from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]
HELD = "DELETE FROM customers WHERE id = 99"
WAITS = "SELECT count(*)::int FROM pg_locks WHERE relation = 'pg_policy'::regclass AND NOT granted"
LOST = ("terminating connection", "the connection was lost", "closed the connection", "server closed")
CLOSED = """
@id("orders-are-closed")
@reason("orders are closed for stocktaking")
forbid (principal, action == Action::"read", resource == Object::"pg-prod/shop/public/orders");
"""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own: it is killed."""
    with PostgresServer.start("newest") as server:
        yield server


@contextmanager
def desk(
    server: PostgresServer, folder: Path, environment: Mapping[str, str] | None = None, **changes: object
) -> Iterator[People]:
    settings: dict[str, object] = {"masking": [], "hold": HOLD, "users": USERS, "control": {"roles": ROLES}, **changes}
    with opened(server, folder, policies=HOLDS, fill=SHOP, environment=environment, **settings) as shop:
        yield People(shop)


@contextmanager
def apart(agent: Agent, text: str) -> Iterator[Future[str]]:
    """Ask in a thread; the result is what the client hears, empty where all went well."""

    def ask() -> str:
        try:
            agent.execute(text.encode())
        except psycopg.Error as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(ask)


def cut_off(shop: Shop) -> list[StatementFinished]:
    """The ends of statements that failed, as recorded."""
    found = [event for session in events_so_far(shop).values() for event in session]
    return [event for event in found if isinstance(event, StatementFinished) and event.error]


def told(said: str, *words: str) -> bool:
    return any(word in said for word in words)


class TestTheDatabaseIsKilled:
    def test_amid_a_result(self, server: PostgresServer, tmp_path: Path) -> None:
        """Half a result must not pass for a whole one, with the client or in the recording."""
        big = "SELECT n, repeat('x', 1000) FROM generate_series(1, 2000000) n"
        with desk(server, tmp_path / "gateway") as people, closing(people.shop.connect()) as agent:
            rows = iter(agent.cursor().stream(big))
            for _ in range(10):
                next(rows)
            server.kill()
            with pytest.raises(psycopg.OperationalError) as broken:
                for _ in rows:
                    pass
            assert told(str(broken.value), *LOST, *BROKEN)  # what was being sent may end amid a row
            ended = eventually(lambda: cut_off(people.shop), "its end is recorded")[0]
            assert 10 <= ended.rows < 2_000_000
            server.run()
            eventually(lambda: lets_in(people.shop), "everybody is let in again")

    def test_in_a_transaction(self, server: PostgresServer, tmp_path: Path) -> None:
        with desk(server, tmp_path / "gateway") as people, closing(people.shop.connect()) as agent:
            agent.execute("BEGIN")
            agent.execute("UPDATE orders SET total = 1 WHERE id > 0")
            server.kill()
            said, _ = ends(agent)
            assert told(said, *LOST)
            with pytest.raises(psycopg.OperationalError):
                agent.execute("COMMIT")
            server.run()
            assert people.shop.direct("SELECT count(*)::int FROM orders WHERE total = 1") == [(0,)]
            eventually(lambda: lets_in(people.shop), "everybody is let in again")

    @pytest.mark.parametrize("inside", [False, True])
    def test_while_a_statement_is_held(self, server: PostgresServer, tmp_path: Path, *, inside: bool) -> None:
        """Nobody decides any more about what can no longer run."""
        with desk(server, tmp_path / "gateway") as people, closing(people.shop.connect()) as agent:
            agent.execute("BEGIN" if inside else "SELECT 1")
            with apart(agent, HELD) as asked:
                (request,) = people.waiting()
                server.kill()
                assert told(asked.result(SOON), *LOST)
            eventually(lambda: not people.listed(), "nothing waits any more")
            assert people.approve(request["id"])[0] == 409
            server.run()
            eventually(lambda: lets_in(people.shop), "everybody is let in again")
            assert "DELETE FROM customers" not in server.log

    def test_while_the_catalog_is_read(self, server: PostgresServer, tmp_path: Path) -> None:
        with (
            desk(server, tmp_path / "gateway") as people,
            closing(people.shop.connect()) as agent,
            closing(psycopg.connect(server.dsn(people.shop.database))) as holder,
        ):
            holder.execute("LOCK TABLE pg_policy IN ACCESS EXCLUSIVE MODE")
            agent.execute("CREATE TABLE fresh (id int)")
            with apart(agent, "SELECT * FROM fresh") as asked:
                eventually(lambda: people.shop.direct(WAITS) == [(1,)], "the catalog is being read")
                assert not asked.done(), "it was judged by a catalog that was not read"
                server.kill()
                assert told(asked.result(SOON), *LOST, "its catalog cannot be read")
            server.run()
            eventually(lambda: lets_in(people.shop), "everybody is let in again")
            with people.shop.connect() as after:
                assert after.execute("SELECT count(*) FROM orders").fetchone() == (30,)


class TestTheDiskIsFull:
    def test_in_a_transaction(self, server: PostgresServer, tmp_path: Path) -> None:
        with (
            disk_for(tmp_path / "gateway" / "state" / "recordings") as disk,
            desk(server, tmp_path / "gateway") as people,
        ):
            shop = people.shop
            with closing(shop.connect()) as agent:
                agent.execute("BEGIN")
                agent.execute("UPDATE orders SET total = 1 WHERE id > 0")
                disk.fill(shop.gateway.pid)
                said = ""
                for number in range(100):  # something short may still fit
                    try:
                        agent.execute(f"UPDATE orders SET total = 1 WHERE id = {number}".encode())
                    except psycopg.Error as error:
                        said = str(error)
                        break
                assert told(said, "cannot be recorded", "can no longer be recorded"), said
                with pytest.raises(psycopg.Error):
                    agent.execute("COMMIT")
            settled(shop)
            assert shop.direct("SELECT count(*)::int FROM orders WHERE total = 1") == [(0,)]
            disk.free(shop.gateway.pid)
            eventually(lambda: lets_in(shop), "there is space again: everybody may come in")
            with shop.connect() as agent, agent.transaction():
                agent.execute("UPDATE orders SET total = 2 WHERE id = 1")
            assert shop.direct("SELECT total::int FROM orders WHERE id = 1") == [(2,)]
            assert "Untouched" in shop.gateway.run("audit", "verify")

    def test_while_a_statement_is_held(self, server: PostgresServer, tmp_path: Path) -> None:
        """An approval that cannot be recorded releases nothing."""
        with (
            disk_for(tmp_path / "gateway" / "state" / "recordings") as disk,
            desk(server, tmp_path / "gateway") as people,
        ):
            shop = people.shop
            with closing(shop.connect()) as agent:
                with apart(agent, HELD) as asked:
                    (request,) = people.waiting()
                    disk.fill(shop.gateway.pid)
                    takes_what_is_left(shop)
                    people.approve(request["id"])
                    said = asked.result(SOON)
                assert told(said, "cannot be recorded", "can no longer be recorded"), said
            settled(shop)
            disk.free(shop.gateway.pid)
            eventually(lambda: lets_in(shop), "there is space again: everybody may come in")
            with closing(shop.connect()) as agent, apart(agent, HELD) as asked:
                (again,) = people.waiting()
                assert people.approve(again["id"])[0] == 200
                assert asked.result(SOON) == ""
            assert "Untouched" in shop.gateway.run("audit", "verify")


def takes_what_is_left(shop: Shop) -> None:
    """Log in until that is refused: no short record fits any more."""
    for _ in range(100):
        if not lets_in(shop):
            return
    raise AssertionError("the disk is not full")


class TestTheStateIsGone:
    def test_sessions_go_on_and_what_needs_the_state_is_refused(self, server: PostgresServer, tmp_path: Path) -> None:
        with PostgresServer.start("newest") as state:
            state.execute("CREATE DATABASE state")
            where = f"postgresql://postgres@localhost:{state.port}/state?sslmode=verify-full&sslrootcert={state.ca}"
            environment = {"PGPASSWORD": state.password}
            with (
                desk(server, tmp_path / "gateway", state=where, environment=environment) as people,
                closing(people.shop.connect()) as agent,
                closing(people.shop.connect()) as waits,
            ):
                with apart(waits, HELD) as held:
                    (request,) = people.waiting()
                    state.stop()
                    assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
                    with apart(agent, HELD) as asked:
                        assert "approval could not be asked for; try again" in asked.result(SOON)
                    assert agent.execute("SELECT 1").fetchone() == (1,)
                    assert not held.done()
                    state.run()
                    eventually(lambda: approved(people, request["id"]), "the state is back, and people may decide")
                    assert held.result(SOON) == ""
                with apart(agent, HELD) as asked:
                    (again,) = people.waiting()
                    assert people.approve(again["id"])[0] == 200
                    assert asked.result(SOON) == ""
                assert people.shop.gateway.ready()


def requests(shop: Shop) -> list[str]:
    """The states of the requests for approval, as they are stored: nobody can log in with a clock that is wrong."""
    state = shop.gateway.folder / "state" / "blastwall.db"
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as stored:
        return [state for (state,) in stored.execute("SELECT state FROM approvals")]


def approved(people: People, identity: object) -> bool:
    return people.approve(identity)[0] == 200


def login(shop: Shop) -> str:
    try:
        shop.connect().close()
    except psycopg.Error as error:
        return str(error)
    return ""


class TestTheClockJumps:
    @pytest.fixture
    def wrong(self, tmp_path: Path) -> dict[str, str]:
        """The environment of a gateway whose clock is set by what stands in the file `by`; see `test_clock`."""
        (tmp_path / "by").write_text("0")
        (tmp_path / "python").mkdir()
        (tmp_path / "python" / "sitecustomize.py").write_text(SETTABLE)
        return {"PYTHONPATH": str(tmp_path / "python"), "CLOCK_SET_BY": str(tmp_path / "by")}

    @pytest.mark.parametrize("hours", [-HOURS, HOURS], ids=["back", "ahead"])
    def test_while_a_statement_is_held(
        self, server: PostgresServer, tmp_path: Path, wrong: dict[str, str], hours: float
    ) -> None:
        with (
            desk(server, tmp_path / "gateway", environment=wrong) as people,
            closing(people.shop.connect()) as agent,
            apart(agent, HELD) as asked,
        ):
            (request,) = people.waiting()
            (tmp_path / "by").write_text(str(hours))
            eventually(lambda: "clock_jumped" in people.shop.gateway.log, "the jump was noticed")
            assert not asked.done()
            (tmp_path / "by").write_text("0")
            assert people.approve(request["id"])[0] == 200
            assert asked.result(SOON) == ""

    def test_set_back_no_statement_is_held_for_longer(
        self, server: PostgresServer, tmp_path: Path, wrong: dict[str, str]
    ) -> None:
        hold = {"timeout": "3s"}
        with (
            desk(server, tmp_path / "gateway", environment=wrong, hold=hold) as people,
            closing(people.shop.connect()) as agent,
            apart(agent, HELD) as asked,
        ):
            people.waiting()
            (tmp_path / "by").write_text(str(-HOURS))
            assert "within 3 seconds" in asked.result(SOON)

    def test_while_another_worker_holds_a_statement(
        self, server: PostgresServer, tmp_path: Path, wrong: dict[str, str]
    ) -> None:
        """The first worker looks for requests that nobody ended."""
        with desk(server, tmp_path / "gateway", environment=wrong, workers=2) as people, ExitStack() as stack:
            first, second = (on_worker(people.shop, number, stack) for number in (1, 2))
            asked = stack.enter_context(apart(second, HELD))
            (request,) = people.waiting()
            (tmp_path / "by").write_text(str(HOURS))
            heard = Event()
            first.add_notice_handler(lambda _: heard.set())
            with apart(first, HELD):
                assert heard.wait(SOON), "it was written that the first worker's statement waits"
                first.cancel()
            eventually(lambda: "withdrawn" in requests(people.shop), "it was written that nobody waits for that")
            assert not asked.done()
            (tmp_path / "by").write_text("0")
            assert people.approve(request["id"])[0] == 200
            assert asked.result(SOON) == ""

    def test_in_a_grants_time(self, server: PostgresServer, tmp_path: Path, wrong: dict[str, str]) -> None:
        """A grant that is over stays so, though the clock is right again. (Set back: `tests/grants`.)"""
        with opened(server, tmp_path / "gateway", policies=GRANTED, packs=PACKS, environment=wrong, masking=[]) as shop:
            changed(shop, control={"port": shop.gateway.control_port, "roles": {"operator": ["dba"]}})
            granted(shop, "connect")
            with closing(shop.connect()) as agent:
                (tmp_path / "by").write_text(str(HOURS))
                said, _ = ends(agent)
                assert OVER in said
            (tmp_path / "by").write_text("0")
            assert "without a grant" in login(shop)


class TestReload:
    def test_policy_gets_stricter_amid_a_pipeline(self, server: PostgresServer, tmp_path: Path) -> None:
        """What was sent before goes on; what the same pipeline asks after the reload's word obeys it."""
        with desk(server, tmp_path / "gateway") as people, closing(people.shop.connect()) as agent:
            shop = people.shop
            with pytest.raises(InsufficientPrivilege, match="stocktaking"), agent.pipeline() as pipeline:
                first = agent.execute("SELECT count(*) FROM orders")
                pipeline.sync()
                assert first.fetchone() == (30,)
                agent.execute("UPDATE customers SET note = 'half' WHERE id = 1")
                shop.gateway.write(shop.gateway.configuration, {"shop.cedar": HOLDS + CLOSED})
                shop.gateway.reload()
                agent.execute("SELECT count(*) FROM orders")
                pipeline.sync()
            assert agent.execute("SELECT 1").fetchone() == (1,)
            assert shop.direct("SELECT count(*)::int FROM customers WHERE note = 'half'") == [(0,)]


class TestDrain:
    @pytest.mark.parametrize("inside", [False, True])
    def test_what_is_held_may_be_decided_until_the_end(
        self, server: PostgresServer, tmp_path: Path, *, inside: bool
    ) -> None:
        with desk(server, tmp_path / "gateway", limits={"drain": "60s"}) as people:
            shop = people.shop
            with closing(shop.connect()) as agent:
                agent.execute("BEGIN" if inside else "SELECT 1")
                with apart(agent, HELD) as asked:
                    (request,) = people.waiting()
                    os.kill(shop.gateway.pid, signal.SIGTERM)
                    eventually(lambda: not lets_in(shop), "nobody new is let in")
                    assert people.approve(request["id"])[0] == 200
                    assert asked.result(SOON) == ""
                if inside:
                    agent.execute("COMMIT")
                assert "shutting down" in ends(agent)[0]
            assert shop.gateway.terminate() == 0

    def test_what_is_held_at_the_deadline_is_refused_and_never_sent(
        self, server: PostgresServer, tmp_path: Path
    ) -> None:
        with desk(server, tmp_path / "gateway", limits={"drain": "1s"}) as people:
            shop = people.shop
            with closing(shop.connect()) as agent, apart(agent, HELD) as asked:
                people.waiting()
                assert shop.gateway.terminate() == 0
                assert "shutting down" in asked.result(SOON)
            eventually(lambda: backends(shop) == 0, "the server has no connection of an agent's")
        assert "DELETE FROM customers" not in server.log

    def test_a_second_signal_undoes_what_is_open_and_cancels_what_runs(
        self, server: PostgresServer, tmp_path: Path
    ) -> None:
        endless = "SELECT count(*) FROM generate_series(1, 100000000000)"
        with desk(server, tmp_path / "gateway", limits={"drain": "60s"}) as people:
            shop = people.shop
            with closing(shop.connect()) as busy, closing(shop.connect()) as inside:
                inside.execute("BEGIN")
                inside.execute("UPDATE orders SET total = 1 WHERE id > 0")
                with apart(busy, endless) as asked:
                    eventually(lambda: running(shop, "100000000000"), "the long statement runs")
                    os.kill(shop.gateway.pid, signal.SIGTERM)
                    eventually(lambda: shop.gateway.get("/readyz")[0] == 503, "it drains")
                    assert shop.gateway.terminate() == 0
                    assert "shutting down" in asked.result(SOON)
                assert "shutting down" in ends(inside)[0]
            eventually(lambda: backends(shop) == 0, "the server has no connection of an agent's")
            assert shop.direct("SELECT count(*)::int FROM orders WHERE total = 1") == [(0,)]
