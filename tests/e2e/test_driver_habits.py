"""What drivers do all day besides statements, with real ones: none of it is noticed, and what differs says so."""

from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import psycopg
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest
from psycopg import sql
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.hostile import SYNC, HostileClient, bind, codes, execute, parse, query
from tests.e2e.opening import lets_in, opened
from tests.waiting import SOON, eventually, once

from blastwall.protocols.postgres.function_calls import LISTED
from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]
LONG = "SELECT count(*) FROM generate_series(1, 10000000000)"
MORE = """
@id("ci-calls")
permit (principal in Group::"ci", action in [Action::"update", Action::"read", Action::"execute"],
        resource in Schema::"pg-prod/shop/pg_catalog");

@id("ci-notifies")
permit (principal in Group::"ci", action == Action::"execute", resource in Database::"pg-prod/shop");

@id("ci-two-phases")
permit (principal in Group::"ci", action == Action::"admin", resource in Database::"pg-prod/shop");
"""


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, without masks, for an agent that may use two-phase commit and large objects."""
    folder = tmp_path_factory.mktemp("habits")
    with opened(postgres, folder, policies=POLICIES + MORE, masking=[], packs=[]) as shop:
        yield shop


@pytest.fixture
def old(shop: Shop) -> Iterator[psycopg2.extensions.connection]:
    """psycopg2, with a transaction around everything as it comes."""
    connection = psycopg2.connect(shop.dsn())
    with closing(connection):
        yield connection


def runs(shop: Shop) -> bool:
    """Whether the long statement runs."""
    agents = "state = 'active' AND application_name LIKE 'shop-ci/%'"
    return bool(shop.direct(f"SELECT 1 FROM pg_stat_activity WHERE query LIKE '%10000000000%' AND {agents}"))


def memory(shop: Shop) -> int:
    """The gateway's resident memory in bytes."""
    return int(Path(f"/proc/{shop.gateway.pid}/statm").read_text().split()[1]) * 4096


async def modern(shop: Shop) -> asyncpg.Connection[asyncpg.Record]:
    context = ssl.create_default_context(cafile=str(shop.gateway.ca))
    return await asyncpg.connect(
        host="localhost", port=shop.gateway.port("pg-prod"), user="ci", password=shop.token(), database="shop",
        ssl=context, timeout=SOON,
    )  # fmt: skip


class TestCancel:
    """Each client's own way; the session goes on."""

    def test_psycopg2(self, shop: Shop, old: psycopg2.extensions.connection) -> None:
        with once(lambda: runs(shop), old.cancel), pytest.raises(psycopg2.errors.QueryCanceled), old.cursor() as cursor:
            cursor.execute(LONG)
        old.rollback()
        with old.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)

    def test_psycopg_and_its_older_way(self, shop: Shop, agent: Agent) -> None:
        for cancel in (agent.cancel, agent.cancel_safe):
            with once(lambda: runs(shop), cancel), pytest.raises(psycopg.errors.QueryCanceled):
                agent.execute(LONG)
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_asyncpgs_timeout(self, shop: Shop) -> None:
        async def talk() -> None:
            connection = await modern(shop)
            with pytest.raises(TimeoutError):
                await connection.fetchval(LONG, timeout=0.8)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()

        asyncio.run(talk())

    def test_psqls_control_c(self, shop: Shop) -> None:
        psql = subprocess.Popen(
            ["psql", "-X", "-d", shop.dsn()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert psql.stdin is not None
        psql.stdin.write(f"{LONG};\n")
        psql.stdin.flush()
        eventually(lambda: runs(shop), "it runs")
        os.kill(psql.pid, signal.SIGINT)
        _out, said = psql.communicate(timeout=60)
        assert "canceling statement due to user request" in said
        eventually(lambda: not runs(shop), "the server has stopped it")


class TestNotify:
    def test_payloads_while_idle_and_the_sender_by_its_process_id(self, shop: Shop) -> None:
        payload = "ü" * 3000
        with shop.connect() as listener, shop.connect() as sender:
            listener.execute("LISTEN bell")
            sender.execute(sql.SQL("NOTIFY bell, {}").format(payload))
            (note,) = listener.notifies(timeout=SOON, stop_after=1)
            assert (note.channel, note.payload) == ("bell", payload)
            assert note.pid == sender.info.backend_pid

    def test_psycopg2_waits_on_its_socket(self, shop: Shop, old: psycopg2.extensions.connection) -> None:
        old.autocommit = True
        with old.cursor() as cursor:
            cursor.execute("LISTEN bell")
        shop.direct("NOTIFY bell, 'one'; NOTIFY bell, 'two'")
        while len(old.notifies) < 2:
            assert select.select([old], [], [], SOON)[0]
            old.poll()
        assert [note.payload for note in old.notifies] == ["one", "two"]

    def test_asyncpg(self, shop: Shop) -> None:
        async def talk() -> None:
            connection = await modern(shop)
            heard: asyncio.Queue[object] = asyncio.Queue()
            await connection.add_listener("bell", lambda *note: heard.put_nowait(note[3]))
            shop.direct("NOTIFY bell, 'rings'")
            assert await asyncio.wait_for(heard.get(), SOON) == "rings"
            await connection.close()

        asyncio.run(talk())


class TestLargeObjects:
    def test_by_sql(self, agent: Agent) -> None:
        with agent.transaction():
            (oid,) = agent.execute("SELECT lo_create(0)").fetchone() or (None,)
            (handle,) = agent.execute("SELECT lo_open(%s::oid, x'60000'::int)", (oid,)).fetchone() or (None,)
            assert agent.execute("SELECT lowrite(%s, %b)", (handle, b"\0stored\xff")).fetchone() == (8,)
            agent.execute("SELECT lo_lseek(%s, 0, 0)", (handle,))
            assert agent.execute("SELECT loread(%s, 100)", (handle,)).fetchone() == (b"\0stored\xff",)
            agent.execute("SELECT lo_unlink(%s::oid)", (oid,))

    def test_by_libpqs_functions(self, old: psycopg2.extensions.connection) -> None:
        large = old.lobject(0, "wb")
        large.write(b"x" * 300_000)
        large.seek(10)
        large.truncate(20)
        large.close()
        again = old.lobject(large.oid, "rb")
        assert again.read() == b"x" * 20
        again.close()
        old.lobject(large.oid).unlink()
        old.commit()

    def test_the_functions_have_the_servers_own_numbers(self, shop: Shop) -> None:
        names = ", ".join(f"'{one.name}'" for one in LISTED.values())
        found = shop.direct(
            "SELECT oid::int, proname::text, string_to_array(proargtypes::text, ' ')::int[] FROM pg_proc "
            f"WHERE proname IN ({names}) AND pronamespace = 'pg_catalog'::regnamespace ORDER BY oid"
        )
        assert found == [(oid, one.name, list(one.types)) for oid, one in sorted(LISTED.items())]

    def test_policy_judges_both_ways_alike(
        self, postgres: PostgresServer, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        """By the shop's own policies it may do neither, and both ways say so natively."""
        with (
            opened(postgres, tmp_path, fill=None, masking=[]) as strict,
            closing(psycopg2.connect(strict.dsn())) as old,
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), old.cursor() as cursor:
                cursor.execute("SELECT lo_open(4711, 131072)")
            old.rollback()
            with pytest.raises(psycopg2.OperationalError, match="blastwall"):
                old.lobject(4711, "rb")
            old.rollback()
            with old.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)


class TestCursors:
    def test_named_scrollable_and_holdable(self, old: psycopg2.extensions.connection) -> None:
        with old.cursor("scrolls", scrollable=True) as cursor:
            cursor.execute("SELECT id FROM orders ORDER BY id")
            assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
            cursor.scroll(-2)
            assert cursor.fetchone() == (2,)
            cursor.scroll(10, mode="absolute")
            assert cursor.fetchone() == (11,)
        with old.cursor("holds", withhold=True) as cursor:
            cursor.execute("SELECT id FROM orders ORDER BY id")
            old.commit()
            assert len(cursor.fetchall()) == 30

    def test_psycopgs_server_cursor_in_parts(self, shop: Shop) -> None:
        with psycopg.connect(shop.dsn()) as connection, connection.cursor("parts") as cursor:
            cursor.itersize = 7
            cursor.execute("SELECT id FROM orders WHERE id > %s ORDER BY id", (5,))
            assert [row[0] for row in cursor] == list(range(6, 31))
            cursor.scroll(0, mode="absolute")
            assert cursor.fetchone() == (6,)

    def test_asyncpgs_portal_fetched_in_parts(self, shop: Shop) -> None:
        async def talk() -> None:
            connection = await modern(shop)
            async with connection.transaction():
                cursor = await connection.cursor("SELECT id FROM orders ORDER BY id")
                assert [row["id"] for row in await cursor.fetch(4)] == [1, 2, 3, 4]
                assert await cursor.forward(3) == 3
                assert (await cursor.fetchrow())["id"] == 8
            await connection.close()

        asyncio.run(talk())


class TestTransactions:
    def test_savepoints(self, agent: Agent) -> None:
        with agent.transaction(force_rollback=True):
            agent.execute("INSERT INTO orders VALUES (900, 1, 5)")
            with pytest.raises(psycopg.errors.UniqueViolation), agent.transaction():
                agent.execute("INSERT INTO orders VALUES (900, 1, 5)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege), agent.transaction():
                agent.execute("DROP TABLE orders")
            assert agent.execute("SELECT count(*) FROM orders WHERE id = 900").fetchone() == (1,)

    def test_two_phases(self, shop: Shop) -> None:
        shop.direct("TRUNCATE archive")
        with closing(shop.connect()) as first:
            first.autocommit = False
            ours = first.xid(1, "habits", "branch")
            first.tpc_begin(ours)
            first.execute("INSERT INTO archive VALUES (77, 'prepared')")
            first.tpc_prepare()
        with closing(shop.connect()) as second:
            second.autocommit = False
            waiting = [xid for xid in second.tpc_recover() if xid.gtrid == "habits"]
            assert len(waiting) == 1
            second.tpc_commit(waiting[0])
        assert shop.direct("SELECT data FROM archive WHERE id = 77") == [("prepared",)]

    def test_an_unknown_portal_in_a_failed_transaction_is_told_as_the_server_tells_it(self, shop: Shop) -> None:
        with HostileClient(shop.gateway.port(), shop.gateway.ca, shop.token()) as client:
            client.talk(query("BEGIN"))
            client.talk(parse("SELECT 1") + bind() + SYNC)
            assert codes(client.talk(query("SELECT nothing_such"))) == ["42703"]
            assert codes(client.talk(execute("") + SYNC)) == ["25P02"]
            assert codes(client.talk(execute("nobody") + SYNC)) == ["34000"]
            client.talk(query("ROLLBACK"))
            assert codes(client.talk(execute("") + SYNC)) == ["34000"]


class TestCopy:
    @pytest.mark.parametrize("options", ["", "(FORMAT csv, HEADER)", "(FORMAT binary)"])
    def test_out_and_in_again(self, shop: Shop, agent: Agent, options: str) -> None:
        shop.direct("TRUNCATE archive")
        shop.direct("INSERT INTO archive SELECT n, 'tab\t\"quote\" ü ' || n FROM generate_series(1, 1000) n")
        cursor = agent.cursor()
        with cursor.copy(f"COPY (SELECT id, data FROM archive) TO STDOUT {options}".encode()) as copy:
            taken = [bytes(part) for part in copy]
        shop.direct("TRUNCATE archive")
        with cursor.copy(f"COPY archive (id, data) FROM STDIN {options}".encode()) as copy:
            for part in taken:
                copy.write(part)
        assert shop.direct("SELECT count(*)::int, max(data) FROM archive WHERE data = 'tab\t\"quote\" ü ' || id") == [
            (1000, 'tab\t"quote" ü 999')
        ]

    def test_psycopg2_and_a_copy_that_the_client_gives_up(
        self, shop: Shop, old: psycopg2.extensions.connection
    ) -> None:
        class Breaks(io.StringIO):
            def read(self, size: int | None = -1) -> str:
                raise ValueError("the file is gone")

        with old.cursor() as cursor, pytest.raises(psycopg2.Error, match="the file is gone"):
            cursor.copy_expert("COPY archive FROM STDIN", Breaks())
        old.rollback()
        with old.cursor() as cursor:
            target = io.StringIO()
            cursor.copy_expert("COPY (SELECT id FROM orders ORDER BY id) TO STDOUT", target)
        assert target.getvalue().split() == [str(n) for n in range(1, 31)]


class TestPreparedStatements:
    def test_across_deallocate_and_discard(self, agent: Agent) -> None:
        agent.prepare_threshold = 0
        for end in ("DEALLOCATE ALL", "DISCARD ALL"):
            assert agent.execute("SELECT %s::int", (1,)).fetchone() == (1,)
            agent.execute(end)
            assert agent.execute("SELECT %s::int", (2,)).fetchone() == (2,)
        agent.execute("PREPARE again AS SELECT 3")
        agent.execute("DISCARD ALL")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no statement named again was prepared"):
            agent.execute("EXECUTE again")
        agent.execute("PREPARE again AS SELECT 4")
        assert agent.execute("EXECUTE again").fetchone() == (4,)

    def test_asyncpgs_survive_the_reset_of_its_pool(self, shop: Shop) -> None:
        async def talk() -> None:
            connection = await modern(shop)
            prepared = await connection.prepare("SELECT $1::int + 1")
            assert await prepared.fetchval(1) == 2
            await connection.reset()
            assert await prepared.fetchval(2) == 3
            await connection.execute("DEALLOCATE ALL")
            with pytest.raises(asyncpg.InvalidSQLStatementNameError):
                await prepared.fetchval(3)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()

        asyncio.run(talk())


class TestLargeValues:
    def test_one_that_is_too_large_is_refused_and_the_session_goes_on(self, agent: Agent) -> None:
        value = "x" * (65 << 20)
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="over the limit of 67,108,864"):
            agent.execute("SELECT length(%s::text)", (value,))
        assert agent.execute("SELECT length(%s::text)", (value[: 20 << 20],)).fetchone() == (20 << 20,)

    def test_a_result_of_a_hundred_megabytes_passes(self, shop: Shop, agent: Agent) -> None:
        before = memory(shop)
        row = agent.execute("SELECT repeat('x', 100 * 1024 * 1024)").fetchone()
        assert row is not None
        assert len(str(row[0])) == 100 << 20
        assert memory(shop) - before < 64 << 20


class TestApplicationName:
    def test_the_label_stays_before_the_clients_own(self, shop: Shop, agent: Agent) -> None:
        def upstream() -> str:
            (row,) = shop.direct(f"SELECT application_name FROM pg_stat_activity WHERE pid = {agent.info.backend_pid}")
            return str(row[0])

        label = upstream()
        assert label.startswith("shop-ci/")
        agent.execute("SET application_name = 'nightly load'")
        assert upstream() == f"{label} nightly load"
        assert agent.info.parameter_status("application_name") == "nightly load"
        agent.execute("RESET application_name")
        assert upstream() == label
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            agent.execute("SELECT set_config('application_name', 'somebody else', false)")
        assert upstream() == label


class TestEncodings:
    def test_the_names_of_utf8(self, old: psycopg2.extensions.connection) -> None:
        for name in ("UNICODE", "UTF8", "utf-8"):
            old.set_client_encoding(name)
            with old.cursor() as cursor:
                cursor.execute("SELECT 'ü'")
                assert cursor.fetchone() == ("ü",)

    def test_another_encoding_is_refused_and_the_session_goes_on(self, old: psycopg2.extensions.connection) -> None:
        with pytest.raises(psycopg2.errors.FeatureNotSupported):
            old.set_client_encoding("LATIN1")
        old.rollback()
        with old.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)


class TestLongLives:
    def test_a_server_that_is_killed_in_the_middle(self, tmp_path: Path) -> None:
        """The client hears a native error at once, and its next connection works."""
        with PostgresServer.start("15") as server, opened(server, tmp_path) as shop:
            with closing(shop.connect()) as busy, closing(shop.connect()) as idle:
                failed: list[Exception] = []

                def ask() -> None:
                    try:
                        busy.execute(LONG)
                    except psycopg.Error as error:
                        failed.append(error)

                thread = threading.Thread(target=ask)
                thread.start()
                eventually(lambda: runs(shop), "it runs")
                server.kill()
                thread.join(60)
                assert isinstance(failed[0], psycopg.OperationalError)
                with pytest.raises(psycopg.OperationalError):
                    idle.execute("SELECT 1")
            server.run()
            eventually(lambda: lets_in(shop), "a new connection works")

    def test_half_closed_by_the_client(self, shop: Shop) -> None:
        """A client that says all it has to say and then listens, as a script over a socket may."""
        with HostileClient(shop.gateway.port(), shop.gateway.ca, shop.token()) as client:
            client.send(query("SELECT 1"))
            client.until_ready()
            raw = socket.socket(fileno=os.dup(client.socket.fileno()))
            with closing(raw):
                raw.shutdown(socket.SHUT_WR)
                raw.settimeout(60)
                while raw.recv(4096):
                    pass
        eventually(lambda: lets_in(shop), "others are served")
