"""A statement over its row limit commits nothing and shows nothing more, in whatever shape it comes.

Each case reads the table over a direct connection afterwards. The limit is 3 everywhere; the table has 10 rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Iterator, Sequence

import asyncpg
import psycopg
import pytest
from psycopg.errors import InFailedSqlTransaction, ProgramLimitExceeded
from tests.e2e.conftest import POLICIES, SHOP, Shop
from tests.e2e.opening import DATABASE, events, metrics, opened
from tests.waiting import eventually

from blastwall.model.events import StatementFinished, StatementInjected, StatementLimited
from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]

LIMITS = """
@id("few-changes")
@limit_affected("3")
permit (principal in Group::"ci", action in [Action::"create", Action::"update", Action::"delete"],
        resource in Schema::"pg-prod/shop/public");

@id("few-rows")
@limit_rows("3")
permit (principal in Group::"few", action == Action::"read", resource in Schema::"pg-prod/shop/public");
"""
STOCK = """
CREATE TABLE stock (id int PRIMARY KEY, note text DEFAULT '');
CREATE TABLE parts (id int PRIMARY KEY, stock int REFERENCES stock DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM stock RETURNING 1';
CREATE VIEW wiping AS SELECT wipe() AS wiped;
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO archive VALUES (OLD.id); RETURN OLD; END $$;
CREATE TRIGGER logged BEFORE DELETE ON stock FOR EACH ROW EXECUTE FUNCTION log();
GRANT ALL ON stock, parts, wiping TO scram_user;
"""
FRESH = (
    "TRUNCATE stock, parts",
    "INSERT INTO stock SELECT n FROM generate_series(1, 10) n",
    "DROP TABLE IF EXISTS made",
)
OVER = "DELETE FROM stock WHERE id <= 4"
WITHIN = "DELETE FROM stock WHERE id <= 3"


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    agents = [
        {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]},
        {"name": "few", "issuer": "ci", "match": {"repository_id": "44"}, "groups": ["ci", "few"]},
    ]
    policies = POLICIES + LIMITS
    masking = [{"resource": "pg-prod", "columns": ["public.customers.email"], "with": "redact"}]
    postgres.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    postgres.create_database(DATABASE, SHOP + STOCK)
    with opened(
        postgres,
        tmp_path_factory.mktemp("limits"),
        policies=policies,
        agents=agents,
        masking=masking,
        packs=[],
        fill=None,
    ) as found:
        yield found


@pytest.fixture(autouse=True)
def table(shop: Shop) -> None:
    for statement in FRESH:
        shop.direct(statement)


def rows(shop: Shop) -> int:
    (row,) = shop.direct("SELECT count(*)::int FROM stock")
    assert isinstance(row[0], int)
    return row[0]


def notes(shop: Shop) -> int:
    (row,) = shop.direct("SELECT count(*)::int FROM stock WHERE note <> ''")
    assert isinstance(row[0], int)
    return row[0]


def over(shop: Shop) -> float:
    """How many statements changed more rows than they may."""
    return metrics(shop).get('blastwall_limited_statements_total{limit="affected",resource="pg-prod"}', 0)


SHAPES = {
    "delete": OVER,
    "update": "UPDATE stock SET note = 'x' WHERE id <= 4",
    "insert": "INSERT INTO stock SELECT n FROM generate_series(11, 14) n",
    "upsert": "INSERT INTO stock SELECT n FROM generate_series(8, 11) n ON CONFLICT (id) DO UPDATE SET note = 'x'",
    "merge": "MERGE INTO stock s USING generate_series(1, 4) n ON s.id = n WHEN MATCHED THEN DELETE",
    "returning": OVER + " RETURNING *",
    "comment": "/* SELECT 1; */ " + OVER + " -- ; COMMIT",
}


@pytest.mark.parametrize("prepare", [False, True], ids=["unnamed", "prepared"])
@pytest.mark.parametrize("statement", SHAPES.values(), ids=SHAPES)
def test_over_by_one_in_the_extended_protocol(shop: Shop, agent: Agent, statement: str, prepare: bool) -> None:
    with pytest.raises(ProgramLimitExceeded, match="limits this statement to 3 rows"):
        agent.execute(statement + " ", prepare=prepare, binary=True)
    assert (rows(shop), notes(shop)) == (10, 0)
    assert agent.execute(WITHIN).rowcount == 3
    assert rows(shop) == 7


@pytest.mark.parametrize("statement", SHAPES.values(), ids=SHAPES)
def test_over_by_one_in_the_simple_protocol(shop: Shop, statement: str) -> None:
    with psycopg.connect(shop.dsn(), autocommit=True, cursor_factory=psycopg.ClientCursor) as agent:
        with pytest.raises(ProgramLimitExceeded, match="limits this statement to 3 rows"):
            agent.execute(statement)
        assert agent.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        assert (rows(shop), notes(shop)) == (10, 0)
        assert agent.execute(WITHIN + " RETURNING id").fetchall() == [(1,), (2,), (3,)]
        assert rows(shop) == 7


HIDDEN = {
    "commit behind it": f"{OVER}; COMMIT",
    "commit before and behind it": f"COMMIT; {OVER}; COMMIT; SELECT 1",
    "a transaction of the text's own": f"BEGIN; {OVER}; COMMIT",
    "commit and chain": f"BEGIN; {OVER}; COMMIT AND CHAIN; COMMIT",
    "a savepoint released": f"BEGIN; SAVEPOINT a; {OVER}; RELEASE a; COMMIT",
    "several statements": f"INSERT INTO stock VALUES (11); {OVER}; INSERT INTO stock VALUES (12)",
    "the last of several": f"INSERT INTO stock VALUES (11); SELECT 1; {OVER}",
    "prepared in SQL": f"PREPARE p AS {OVER}; EXECUTE p",
    "prepared under a commit": f"PREPARE q AS {OVER}; EXECUTE q; COMMIT",
    "two phases": f"BEGIN; {OVER}; PREPARE TRANSACTION 'x'",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_several_statements_in_one_query(shop: Shop, agent: Agent, text: str) -> None:
    with pytest.raises((ProgramLimitExceeded, psycopg.errors.InsufficientPrivilege)):
        raise_last(agent, text)
    agent.execute("ROLLBACK")
    assert rows(shop) == 10
    assert shop.direct("SELECT count(*)::int FROM pg_prepared_xacts") == [(0,)]


def raise_last(agent: Agent, text: str) -> None:
    """Send a text as one simple Query, whatever it holds, and raise its error."""
    result = agent.pgconn.exec_(text.encode())
    if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(result)


UNSEEN = {
    "with": "WITH d AS (DELETE FROM stock RETURNING *) SELECT count(*) FROM d",
    "with and insert": "WITH d AS (DELETE FROM stock RETURNING *) INSERT INTO archive SELECT id FROM d WHERE id = 1",
    "explain": f"EXPLAIN ANALYZE {OVER}",
    "copied out": "COPY (DELETE FROM stock RETURNING *) TO STDOUT",
    "a function": "SELECT wipe()",
    "a view over a function": "SELECT * FROM wiping",
    "a function, prepared": "PREPARE f AS SELECT wipe(); EXECUTE f",
    "a function, declared": "DECLARE c CURSOR WITH HOLD FOR SELECT wipe(); FETCH c",
    "a function, explained": "EXPLAIN ANALYZE SELECT wipe()",
    "a function, copied out": "COPY (SELECT wipe()) TO STDOUT",
    "a function, called": "CREATE TABLE made AS SELECT wipe()",
    "prepared": "PREPARE w AS WITH d AS (DELETE FROM stock RETURNING *) SELECT count(*) FROM d; EXECUTE w",
}


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_what_cannot_be_counted_never_commits(shop: Shop, agent: Agent, text: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        raise_last(agent, text)
    assert refused.value.sqlstate in ("54000", "42501"), str(refused.value)
    assert rows(shop) == 10
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_trigger_does_not_stand_in_the_way_of_a_statement_that_is_counted(shop: Shop, agent: Agent) -> None:
    assert agent.execute(WITHIN).rowcount == 3
    with pytest.raises(ProgramLimitExceeded):
        agent.execute("DELETE FROM stock WHERE id > 6")
    assert rows(shop) == 7


def test_plain_explain_and_prepare_change_nothing_and_are_let_through(agent: Agent) -> None:
    assert agent.execute(f"EXPLAIN {OVER}").fetchall()
    agent.execute(f"PREPARE unused AS {OVER}")


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_in_a_transaction_of_the_clients_own_the_transaction_fails(shop: Shop, agent: Agent) -> None:
    agent.execute("BEGIN")
    agent.execute("INSERT INTO stock VALUES (11)")
    with pytest.raises(ProgramLimitExceeded):
        agent.execute(OVER)
    with pytest.raises(InFailedSqlTransaction):
        agent.execute("SELECT 1")
    agent.execute("COMMIT")
    assert rows(shop) == 10


def test_a_savepoint_before_it_saves_the_rest(shop: Shop, agent: Agent) -> None:
    agent.execute("BEGIN")
    agent.execute("INSERT INTO stock VALUES (11)")
    agent.execute("SAVEPOINT before")
    with pytest.raises(ProgramLimitExceeded):
        agent.execute(OVER)
    agent.execute("ROLLBACK TO before")
    agent.execute("COMMIT")
    assert rows(shop) == 11


def test_a_transaction_within_its_limits_commits(shop: Shop, agent: Agent) -> None:
    with agent.transaction():
        assert agent.execute(WITHIN).rowcount == 3
        assert agent.execute("DELETE FROM stock WHERE id = %s", (4,), prepare=True).rowcount == 1
    assert rows(shop) == 6


def test_a_transaction_that_is_prepared_after_it_is_not(shop: Shop, agent: Agent) -> None:
    agent.execute("BEGIN")
    with pytest.raises(ProgramLimitExceeded):
        agent.execute(OVER)
    with contextlib.suppress(psycopg.Error):
        agent.execute("PREPARE TRANSACTION 'x'")
    agent.execute("ROLLBACK")
    assert rows(shop) == 10
    assert shop.direct("SELECT count(*)::int FROM pg_prepared_xacts") == [(0,)]


def test_a_commit_that_fails_is_told_in_the_place_of_success(shop: Shop) -> None:
    orphan = "INSERT INTO parts VALUES (1, 999)"
    with psycopg.connect(shop.dsn(), autocommit=True, cursor_factory=psycopg.ClientCursor) as agent:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            agent.execute(orphan)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            agent.execute(f"INSERT INTO stock VALUES (11); {orphan}")
        assert agent.execute("SELECT count(*) FROM parts").fetchone() == (0,)
    assert rows(shop) == 10


# ── pipelines and portals ────────────────────────────────────────────────────────────────────────────────────────────


def test_in_a_pipeline_nothing_of_it_commits(shop: Shop, agent: Agent) -> None:
    with pytest.raises(ProgramLimitExceeded), agent.pipeline():
        agent.execute("INSERT INTO stock VALUES (11)")
        agent.execute(OVER)
        agent.execute("INSERT INTO stock VALUES (12)")
        agent.execute("COMMIT")
    assert rows(shop) == 10
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_in_a_pipeline_what_was_synced_before_and_after_stands(shop: Shop, agent: Agent) -> None:
    with agent.pipeline() as pipeline:
        agent.execute("INSERT INTO stock VALUES (11)")
        pipeline.sync()
        with pytest.raises(ProgramLimitExceeded):
            agent.execute(OVER)
            pipeline.sync()
        agent.execute("INSERT INTO stock VALUES (12)")
    assert rows(shop) == 12


def test_a_pipeline_within_its_limits_goes_through(shop: Shop, agent: Agent) -> None:
    with agent.pipeline():
        cursors = [agent.execute("DELETE FROM stock WHERE id = %s RETURNING id", (n,)) for n in range(1, 8)]
    assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(1, 8)]
    assert rows(shop) == 3


async def connect(shop: Shop, **claims: object) -> asyncpg.Connection:
    context = ssl.create_default_context(cafile=str(shop.gateway.ca))
    return await asyncpg.connect(
        host="localhost",
        port=shop.gateway.port("pg-prod"),
        user="agent",
        password=shop.token(**claims),
        database=shop.database,
        ssl=context,
    )


def test_asyncpg_takes_returned_rows_one_by_one(shop: Shop) -> None:
    """Its fetchval asks for one row at once, after which PostgreSQL suspends the portal and says no count."""

    async def talk() -> None:
        connection = await connect(shop)
        assert await connection.fetchval("INSERT INTO stock VALUES (11) RETURNING id") == 11
        assert await connection.fetchval("DELETE FROM stock WHERE id IN (1, 2, 3) RETURNING id") == 1
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            await connection.fetchval("DELETE FROM stock WHERE id BETWEEN 4 AND 7 RETURNING id")
        async with connection.transaction():
            cursor = await connection.cursor("UPDATE stock SET note = 'x' WHERE id < 7 RETURNING id")
            assert [tuple(row) for row in await cursor.fetch(2)] == [(4,), (5,)]
            assert [tuple(row) for row in await cursor.fetch(2)] == [(6,)]
        assert await connection.execute("DELETE FROM stock WHERE id = 4") == "DELETE 1"
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            await connection.executemany("DELETE FROM stock WHERE id > $1", [(8,), (4,)])
        await connection.close()

    asyncio.run(talk())
    assert (rows(shop), notes(shop)) == (7, 2)


# ── COPY ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("COPY stock FROM STDIN", [f"{n}\tx\n" for n in range(11, 15)]),
        ("COPY stock FROM STDIN (FORMAT csv, HEADER)", ["id,note\n", *(f'{n},"a\nb"\n' for n in range(11, 15))]),
        ("COPY stock FROM STDIN WHERE id > 11", [f"{n}\tx\n" for n in range(11, 16)]),
    ],
)
@pytest.mark.parametrize("factory", [psycopg.Cursor, psycopg.ClientCursor])
def test_copy_in(
    shop: Shop, statement: str, lines: Sequence[str], factory: type[psycopg.Cursor[tuple[object, ...]]]
) -> None:
    with psycopg.connect(shop.dsn(), autocommit=True, cursor_factory=factory) as agent:
        with pytest.raises(ProgramLimitExceeded), agent.cursor().copy(statement) as copy:
            for line in lines:
                copy.write(line)
        assert (rows(shop), notes(shop)) == (10, 0)
        with agent.cursor().copy(statement) as copy:
            for line in lines[:-1]:
                copy.write(line)
        assert rows(shop) == 13


def test_a_copy_is_ended_before_its_end(shop: Shop, agent: Agent) -> None:
    before = over(shop)
    with pytest.raises(ProgramLimitExceeded), agent.cursor().copy("COPY stock FROM STDIN") as copy:
        copy.write(b"".join(b"%d\tx\n" % number for number in range(11, 20_000)))
        eventually(lambda: over(shop) > before, "the COPY is ended while its client still sends")
    assert over(shop) == before + 1
    assert rows(shop) == 10


# ── rows read ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def few(shop: Shop) -> Iterator[Agent]:
    with shop.connect(repository_id="44") as connection:
        yield connection


@pytest.mark.parametrize("prepare", [False, True])
def test_a_result_is_cut_off(few: Agent, prepare: bool) -> None:
    assert few.execute("SELECT id FROM stock WHERE id <= 3", prepare=prepare).fetchall() == [(1,), (2,), (3,)]
    with pytest.raises(ProgramLimitExceeded, match="its result has more than 3 rows"):
        few.execute("SELECT id FROM stock WHERE id <= 4", prepare=prepare)
    assert few.execute("SELECT 1").fetchone() == (1,)


def test_psql_sees_the_rows_within_the_limit_and_then_the_error(shop: Shop) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    command = ["psql", "-X", "-A", "-t", shop.dsn(repository_id="44"), "-c", "SELECT id FROM stock ORDER BY id"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode != 0
    assert "its result has more than 3 rows" in done.stderr
    assert "4" not in done.stdout.split()


def test_the_fetches_of_a_cursor_count_together(few: Agent) -> None:
    with few.transaction(), few.cursor("c") as cursor:
        cursor.execute("SELECT id FROM stock ORDER BY id")
        assert cursor.fetchmany(2) == [(1,), (2,)]
        assert cursor.fetchmany(1) == [(3,)]
        with pytest.raises(ProgramLimitExceeded):
            cursor.fetchmany(1)
        raise psycopg.Rollback


def test_portions_of_a_portal_count_together(shop: Shop) -> None:
    async def talk() -> list[object]:
        connection = await connect(shop, repository_id="44")
        transaction, taken = connection.transaction(), list[object]()
        await transaction.start()
        cursor = await connection.cursor("SELECT id FROM stock ORDER BY id")
        taken += [row["id"] for row in await cursor.fetch(2)]
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            taken += [row["id"] for row in await cursor.fetch(2)]
        await transaction.rollback()
        taken.append(await connection.fetchval("SELECT 5"))
        await connection.close()
        return taken

    assert asyncio.run(talk()) == [1, 2, 5]


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_out(few: Agent, form: str) -> None:
    def copied(most: int) -> int:
        with few.cursor().copy(f"COPY (SELECT id FROM stock WHERE id <= {most}) TO STDOUT (FORMAT {form})") as copy:
            return sum(len(bytes(part)) for part in copy)

    assert copied(3) > 0
    with pytest.raises(ProgramLimitExceeded):
        copied(4)
    assert few.execute("SELECT 1").fetchone() == (1,)


def test_a_header_is_no_row(few: Agent) -> None:
    with few.cursor().copy("COPY (SELECT id FROM stock WHERE id < 4) TO STDOUT (FORMAT csv, HEADER)") as copy:
        assert b"".join(map(bytes, copy)) == b"id\n1\n2\n3\n"


def test_a_masked_result_is_limited_too(shop: Shop, few: Agent) -> None:
    shop.direct("INSERT INTO customers VALUES (4, 'D', 'd@example.com') ON CONFLICT DO NOTHING")
    assert few.execute("SELECT email FROM customers LIMIT 3").fetchall()[0] != ("ada@example.com",)
    with pytest.raises(ProgramLimitExceeded):
        few.execute("SELECT email FROM customers")


# ── what is told and recorded ────────────────────────────────────────────────────────────────────────────────────────


def test_an_error_points_into_the_clients_own_text(shop: Shop) -> None:
    with psycopg.connect(shop.dsn(), autocommit=True, cursor_factory=psycopg.ClientCursor) as agent:
        text = "SELECT 'ä'; DELETE FROM stock WHERE id = 1 AND missing = 2"
        with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
            agent.execute(text)
    assert caught.value.diag.statement_position == str(text.index("missing") + 1)
    assert rows(shop) == 10


def test_it_is_recorded_and_counted(shop: Shop, agent: Agent) -> None:
    before, earlier = over(shop), events(shop)
    with pytest.raises(ProgramLimitExceeded):
        agent.execute(OVER)
    agent.close()
    found = [one for session, told in events(shop).items() for one in told[len(earlier.get(session, ())) :]]
    limited = next(one for one in found if isinstance(one, StatementLimited))
    assert (limited.limit, limited.most) == ("affected", 3)
    finished = next(
        one for one in found if isinstance(one, StatementFinished) and one.error == f"54000: {limited.told}"
    )
    assert finished.affected is None
    assert any(isinstance(one, StatementInjected) and one.number == limited.number for one in found)
    assert over(shop) == before + 1
