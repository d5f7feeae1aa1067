"""Several processes on one port, seen from outside: one gateway, whichever of them a client meets."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import asyncpg
import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import backends, ends, events_so_far, lets_in, metrics, opened, running, sessions
from tests.e2e.test_lifecycle import LONG, Background
from tests.waiting import eventually, promised

from blastwall.testing.gateway import Gateway
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed

Agent = psycopg.Connection[tuple[object, ...]]
SESSIONS = 'blastwall_sessions{{worker="{}",resource="pg-prod"}}'
LIMITED = [
    {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]},
    {
        "name": "auditor",
        "issuer": "ci",
        "match": {"repository_id": "43"},
        "groups": ["ci", "cleared"],
        "max_sessions": 3,
    },
]


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop behind two workers, with a limit of connections and of an agent's sessions."""
    folder = tmp_path_factory.mktemp("workers")
    limits = {"connections": 12, "drain": "3s"}
    with opened(postgres_newest, folder, workers=2, limits=limits, agents=LIMITED) as shop:
        yield shop


def workers(shop: Shop) -> dict[int, int]:
    """The workers' process ids by their number, as they last said."""
    lines = [json.loads(line) for line in shop.gateway.log.splitlines() if '"event": "ready"' in line]
    return {line["worker"]: line["pid"] for line in lines}


def on_worker(shop: Shop, number: int, stack: ExitStack, **claims: object) -> Agent:
    """Connect until the kernel has given the client to one worker; the others are closed."""
    for _ in range(60):
        before, total = metrics(shop)[SESSIONS.format(number)], sessions(shop)
        agent = shop.connect(**claims)
        if metrics(shop)[SESSIONS.format(number)] > before:
            return stack.enter_context(closing(agent))
        agent.close()
        eventually(partial(no_more_than, shop, total), "its place is free again")
    raise AssertionError(f"worker {number} never got a client")


def no_more_than(shop: Shop, total: float) -> bool:
    return sessions(shop) <= total


@pytest.fixture
def both(shop: Shop) -> Iterator[tuple[Agent, Agent]]:
    """A session on each worker."""
    with ExitStack() as stack:
        yield on_worker(shop, 1, stack), on_worker(shop, 2, stack)


@pytest.fixture(autouse=True)
def empty(shop: Shop) -> Iterator[None]:
    yield
    eventually(lambda: sessions(shop) == 0, "no session is left")


class TestOneGateway:
    def test_a_name_means_what_stands_behind_it_too_for_another_may_drop_it_unheard(self, shop: Shop) -> None:
        """The other worker, or the owner as here: this session's own reading of the catalog still has the table."""
        shop.direct("CREATE SCHEMA mine; CREATE TABLE mine.gift (id int); CREATE TABLE gift (id int)")
        shop.direct("GRANT USAGE ON SCHEMA mine TO scram_user; GRANT ALL ON mine.gift, gift TO scram_user")
        with closing(shop.connect()) as agent:
            agent.execute("SET search_path = public, mine")
            assert agent.execute("SELECT * FROM public.gift").fetchall() == []
            assert agent.execute("SELECT name FROM customers WHERE id = 1").fetchall() == [("Ada Byron",)]
            shop.direct("DROP TABLE gift")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"mine\.gift"):
                agent.execute("SELECT * FROM gift")
        shop.direct("DROP SCHEMA mine CASCADE")

    def test_cancel_requests_find_their_session_whichever_worker_gets_them(
        self, shop: Shop, both: tuple[Agent, Agent]
    ) -> None:
        for _ in range(4):
            for agent in both:
                statement = Background(agent, LONG)
                eventually(lambda: running(shop, "100000000000"), "it runs")
                agent.cancel_safe()
                assert "canceling statement" in statement.wait()
                assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_a_cancel_request_that_comes_late_hits_nothing_that_follows(self, both: tuple[Agent, Agent]) -> None:
        agent, _ = both
        for n in range(150):
            agent.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, %d)" % (10_000 * (n % 20 + 1)))
            agent.cancel_safe()
            while agent.pgconn.get_result() is not None:
                pass
            assert agent.execute("SELECT count(*) FROM generate_series(1, 100000)").fetchone() == (100_000,)

    async def test_the_timeouts_of_asyncpg_cancel(self, shop: Shop) -> None:
        context = ssl.create_default_context(cafile=str(shop.gateway.ca))
        pool = [
            await asyncpg.connect(
                host="localhost",
                port=shop.gateway.port(),
                user="ci",
                password=shop.token(),
                database="shop",
                ssl=context,
            )
            for _ in range(4)
        ]
        try:
            for connection in pool:
                with pytest.raises(TimeoutError):
                    await connection.execute(LONG, timeout=0.8)
                assert await connection.fetchval("SELECT 1") == 1
        finally:
            for connection in pool:
                await connection.close()

    def test_texts_that_are_read_in_a_process_of_their_own(self, both: tuple[Agent, Agent]) -> None:
        """Workers are forked: what they start themselves must work all the same."""
        for agent in both:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                agent.execute(b"SELECT " + b", ".join([b"f(1)"] * 20_000))
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_psql(self, shop: Shop) -> None:
        for number in range(4):
            done = subprocess.run(
                ["psql", "-X", shop.dsn(), "-Atc", f"SELECT total FROM orders WHERE id = {number + 1}"],
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.stdout == f"{(number + 1) * 10}\n", done.stderr

    def test_containment_reaches_the_sessions_of_all(self, shop: Shop, both: tuple[Agent, Agent]) -> None:
        try:
            shop.gateway.run("contain", "agent", "shop-ci", "--reason", "seen elsewhere")
            for agent in both:
                said, seconds = ends(agent)
                assert "agent shop-ci is contained" in said
                assert seconds < promised(1)
            for _ in range(6):
                assert not lets_in(shop)
        finally:
            shop.gateway.run("contain", "agent", "shop-ci", "--lift", "--reason", "it is over")
        eventually(
            lambda: all(lets_in(shop) for _ in range(12)), "the agent is let in again, whichever worker it meets"
        )

    def test_an_agents_sessions_are_counted_over_all(self, shop: Shop) -> None:
        with ExitStack() as stack:
            agents = [on_worker(shop, number, stack, repository_id="43") for number in (1, 2)]
            agents.append(stack.enter_context(closing(shop.connect(repository_id="43"))))
            for _ in range(6):
                with pytest.raises(psycopg.OperationalError, match="3 sessions open"):
                    shop.connect(repository_id="43")
            agents[0].close()
            eventually(lambda: lets_in(shop, "43"), "a place is free again")

    def test_connections_are_counted_over_all(self, shop: Shop) -> None:
        with ExitStack() as stack:
            for _ in range(12):
                stack.enter_context(closing(shop.connect()))
            for _ in range(6):
                with pytest.raises(psycopg.OperationalError):
                    shop.connect()
            assert sessions(shop) == 12
        eventually(lambda: lets_in(shop), "there is room again")

    def test_metrics_and_health_tell_of_all(self, shop: Shop, both: tuple[Agent, Agent]) -> None:
        found = metrics(shop)
        assert [found[SESSIONS.format(number)] >= 1 for number in (1, 2)] == [True, True]
        assert [found[f'blastwall_worker_up{{worker="{number}"}}'] for number in (1, 2)] == [1, 1]
        assert shop.gateway.get("/healthz")[1].replace(" ", "").endswith('"workers":{"of":2,"ready":2}}')
        assert shop.gateway.get("/readyz")[0] == 200

    def test_recordings_of_all_are_found_and_verified_as_one_set(self, shop: Shop, both: tuple[Agent, Agent]) -> None:
        for number, agent in enumerate(both, 1):
            agent.execute(f"SELECT 4242{number}")
            agent.close()
        eventually(lambda: {"42421", "42422"} <= {text[7:] for text in asked(shop)}, "both are recorded")
        assert "+2" in shop.gateway.run("audit", "verify")
        listed = shop.gateway.run("sessions", "list", "--json", "--text", "42422")
        assert listed.count('"session"') == 1
        shop.gateway.run("sessions", "show", next(iter(session_with(shop, "SELECT 42422"))))


def asked(shop: Shop) -> list[str]:
    return [getattr(event, "text", "") or "" for session in events_so_far(shop).values() for event in session]


def session_with(shop: Shop, text: str) -> list[str]:
    return [
        name
        for name, session in events_so_far(shop).items()
        if any(getattr(one, "text", "") == text for one in session)
    ]


class TestReload:
    def test_it_reaches_all_under_load_and_a_mistake_reaches_none(self, shop: Shop, both: tuple[Agent, Agent]) -> None:
        stop, faults = threading.Event(), list[str]()
        load = [threading.Thread(target=select_until, args=(agent, stop, faults)) for agent in both]
        for thread in load:
            thread.start()
        try:
            shop.gateway.write({**shop.gateway.configuration, "polices": []})
            said = logged_after(shop, lambda: os.kill(shop.gateway.pid, signal.SIGHUP), "reload_refused")
            assert said.count("reload_refused") == 1
            assert "unknown key" in said
            policies = {"shop.cedar": PERMIT_CONNECT_ONLY}
            shop.gateway.write(shop.gateway.configuration, policies)
            logged_after(shop, lambda: os.kill(shop.gateway.pid, signal.SIGHUP), "all_reloaded")
        finally:
            stop.set()
            for thread in load:
                thread.join()
        assert faults == []
        for agent in both:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                agent.execute("SELECT id FROM orders")
        assert metrics(shop)['blastwall_reloads_refused_total{worker="1"}'] == 1
        policies = {"shop.cedar": (shop.gateway.folder / "kept").read_text()}
        shop.gateway.write(shop.gateway.configuration, policies)
        logged_after(shop, lambda: os.kill(shop.gateway.pid, signal.SIGHUP), "all_reloaded")
        for agent in both:
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)

    @pytest.fixture(autouse=True)
    def keep(self, shop: Shop) -> None:
        (shop.gateway.folder / "kept").write_text((shop.gateway.folder / "shop.cedar").read_text())


PERMIT_CONNECT_ONLY = """
@id("ci-connects")
permit (principal in Group::"ci", action == Action::"connect", resource in Database::"pg-prod/shop");
"""


def select_until(agent: Agent, stop: threading.Event, faults: list[str]) -> None:
    while not stop.is_set():
        try:
            agent.execute("SELECT 1")
        except psycopg.Error as error:
            faults.append(str(error))
            return


def logged_after(shop: Shop, act: Callable[[], None], word: str) -> str:
    before = len(shop.gateway.log)
    act()
    eventually(lambda: word in shop.gateway.log[before:], f"the log says {word}")
    return shop.gateway.log[before:]


class TestCrashes:
    def test_one_workers_death_is_its_sessions_alone(self, shop: Shop, both: tuple[Agent, Agent]) -> None:
        first, second = both
        victim = workers(shop)[2]
        said = logged_after(shop, lambda: os.kill(victim, signal.SIGKILL), "worker_back")
        assert "killed by SIGKILL" in said
        with pytest.raises(psycopg.OperationalError):
            second.execute("SELECT 1")
        assert first.execute("SELECT 1").fetchone() == (1,)
        eventually(lambda: backends(shop) == 1, "the resource has lost the dead worker's session")
        eventually(lambda: all_let_in(shop), "the new worker has the issuer's keys")
        with ExitStack() as stack:
            assert on_worker(shop, 2, stack).execute("SELECT 1").fetchone() == (1,)
        assert metrics(shop)['blastwall_worker_restarts_total{worker="2"}'] >= 1
        assert "open sessions were closed" in shop.gateway.run("audit", "verify")

    def test_the_control_port_comes_back_with_its_worker(self, shop: Shop) -> None:
        victim = workers(shop)[1]
        logged_after(shop, lambda: os.kill(victim, signal.SIGKILL), "worker_back")
        eventually(shop.gateway.ready, "the control port answers")
        eventually(lambda: all_let_in(shop), "both workers have the issuer's keys")

    def test_what_a_dead_worker_counted_is_free_again(self, shop: Shop) -> None:
        with ExitStack() as stack:
            for number in (1, 2):
                on_worker(shop, number, stack, repository_id="43")
            logged_after(shop, lambda: kill_all(shop), "worker_back")
            eventually(shop.gateway.ready, "the control port answers")
            eventually(lambda: metrics(shop).get('blastwall_worker_up{worker="2"}') == 1, "both are back")
            eventually(lambda: all_let_in(shop), "both workers have the issuer's keys")
            for _ in range(3):
                stack.enter_context(closing(shop.connect(repository_id="43")))
            with pytest.raises(psycopg.OperationalError, match="3 sessions open"):
                shop.connect(repository_id="43")


def all_let_in(shop: Shop) -> bool:
    """Whether a few logins in a row are admitted: a worker that is new fetches the issuer's keys at its first one."""
    return all(lets_in(shop) for _ in range(6))


def kill_all(shop: Shop) -> None:
    for pid in workers(shop).values():
        os.kill(pid, signal.SIGKILL)


class TestTheEnd:
    @pytest.fixture
    def own(self, postgres_newest: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
        folder = tmp_path / "gateway"
        with opened(postgres_newest, folder, fill=None, workers=2, limits={"drain": "60s"}) as shop:
            yield shop

    def test_a_drain_lets_open_transactions_finish_on_all_and_the_code_is_0(self, own: Shop) -> None:
        agents = [own.connect() for _ in range(6)]
        for number, agent in enumerate(agents):
            agent.execute("BEGIN")
            agent.execute(f"INSERT INTO archive VALUES ({500 + number}, 'kept')".encode())
        os.kill(own.gateway.pid, signal.SIGTERM)
        eventually(lambda: not lets_in(own), "nobody is let in any more")
        for agent in agents:
            agent.execute("COMMIT")
            agent.close()
        assert own.gateway.terminate() == 0
        assert own.direct("DELETE FROM archive WHERE id >= 500 RETURNING id") == [(500 + n,) for n in range(6)]
        own.gateway.run("audit", "verify")

    def test_a_killed_supervisor_leaves_no_worker_behind(self, own: Shop) -> None:
        left = workers(own).values()
        own.gateway.kill()
        eventually(lambda: not any(alive(pid) for pid in left), "the workers have ended")
        own.gateway.start()
        assert lets_in(own)

    def test_fewer_workers_keep_and_verify_the_recordings_of_more(self, own: Shop) -> None:
        for _ in range(8):
            own.connect().close()
        assert own.gateway.terminate() == 0
        own.gateway.write({**own.gateway.configuration, "workers": 1})
        own.gateway.start()
        own.connect().close()
        said = own.gateway.run("audit", "verify")
        assert said.count("Node ") == 2
        recordings = own.gateway.folder / "state" / "recordings"
        (gone,) = [path for path in recordings.iterdir() if path.name.endswith("+2")]
        gone.rename(own.gateway.folder / "stolen")
        assert "the recordings of this one are gone" in own.gateway.run("audit", "verify", code=1)
        (own.gateway.folder / "stolen").rename(gone)

    def test_a_port_that_is_taken_stops_the_start_and_is_said_once(self, own: Shop, tmp_path: Path) -> None:
        """Workers share their ports, and yet no other gateway gets to share them."""
        second = Gateway(
            {
                **own.gateway.configuration,
                "state": "sqlite:///other/blastwall.db",
                "recordings": {"to": "other/recordings"},
                "control": {"port": 0},
            },
            policies={"shop.cedar": PERMIT_CONNECT_ONLY},
            environment=own.gateway.environment,
            folder=tmp_path / "second",
        )
        with pytest.raises(ServerFailed, match="cannot listen"):
            second.start()
        assert second.log.count("not_started") == 1


def test_a_mistake_in_the_configuration_is_said_once_with_code_2(shop: Shop) -> None:
    mistaken = shop.gateway.folder / "mistaken.yaml"
    mistaken.write_text(shop.gateway.file.read_text() + "worker: 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "blastwall", "serve", "--workers", "3", "-c", str(mistaken)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert (done.stdout + done.stderr).count("unknown key") == 1


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
    except OSError:
        return False
