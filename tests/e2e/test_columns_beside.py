"""A column that is dropped or renamed leaves its name to the query around: the value that then shows is masked too.

The thief may do all in a schema of his own. So he gives a table of his own a column by the name of a masked one, and
has it gone before his statement is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import Thief, people_masked
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

STEAL = "SELECT (SELECT card FROM mine.x LIMIT 1) FROM people"
WAITS = "SELECT count(*) FROM pg_locks WHERE relation = 'mine.x'::regclass AND NOT granted"


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with people_masked(postgres_newest, tmp_path_factory.mktemp("columns")) as shop:
        yield shop


@pytest.fixture
def enter(shop: Shop) -> Callable[[], Thief]:
    def enter() -> Thief:
        thief = shop.connect()
        thief.execute("DROP TABLE IF EXISTS mine.x CASCADE")
        thief.execute("DROP TYPE IF EXISTS mine.kind CASCADE")
        thief.execute("CREATE TYPE mine.kind AS (card text, n int)")
        thief.execute("CREATE TABLE mine.x OF mine.kind")
        thief.execute("INSERT INTO mine.x VALUES ('none', 1)")
        return thief

    return enter


def shown(cursor: psycopg.Cursor[tuple[object, ...]]) -> str:
    """Everything of the last result."""
    while cursor.nextset():
        pass
    return str(cursor.fetchall())


@pytest.mark.parametrize(
    "going",
    [
        "ALTER TABLE mine.x NOT OF; ALTER TABLE mine.x DROP COLUMN card",
        "ALTER TABLE mine.x NOT OF; ALTER TABLE mine.x RENAME COLUMN card TO z",
        "ALTER TYPE mine.kind DROP ATTRIBUTE card CASCADE",
        "ALTER TYPE mine.kind RENAME ATTRIBUTE card TO z CASCADE",
        "DROP TABLE mine.x; CREATE TABLE mine.x AS SELECT 1 AS z",
        "ALTER TABLE mine.x RENAME TO y; CREATE TABLE mine.x AS SELECT 1 AS z",
        "DROP TABLE mine.x; CREATE VIEW mine.x AS SELECT 1 AS z",
        "DO $$ BEGIN ALTER TABLE mine.x NOT OF; ALTER TABLE mine.x DROP COLUMN card; END $$",
    ],
)
def test_a_transaction_of_ones_own(enter: Callable[[], Thief], going: str) -> None:
    with enter() as thief:
        prepared = thief.execute(STEAL, prepare=True)
        assert shown(prepared) == "[('none',)]"
        assert "4012" not in shown(thief.execute(f"BEGIN; {going}; {STEAL}"))
        assert "4012" not in shown(thief.execute(STEAL, prepare=True))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            thief.execute(f"CREATE TABLE mine.stolen AS {STEAL}")


def test_a_column_that_another_session_is_dropping(enter: Callable[[], Thief], postgres_newest: PostgresServer) -> None:
    with enter() as thief, enter() as other, ThreadPoolExecutor(1) as pool:
        assert shown(thief.execute(STEAL)) == "[('none',)]"
        other.execute("BEGIN; ALTER TABLE mine.x NOT OF; ALTER TABLE mine.x DROP COLUMN card")
        waiting = pool.submit(thief.execute, STEAL)
        eventually(lambda: postgres_newest.execute(WAITS, "shop") == [(1,)], "it waits for the lock")
        other.execute("COMMIT")
        assert "4012" not in shown(waiting.result())


def test_a_column_that_is_in_use(enter: Callable[[], Thief], postgres_newest: PostgresServer) -> None:
    """The second session asks first, and waits with something else."""
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with enter() as thief, enter() as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_lock(7)")
        reading = pool.submit(thief.execute, f"SELECT pg_advisory_xact_lock(7); {STEAL}")
        eventually(lambda: postgres_newest.execute(waits, "shop") == [(1,)], "it waits for the lock")
        try:
            with pytest.raises(psycopg.errors.ObjectInUse, match=r"another session is using mine\.x"):
                other.execute("ALTER TYPE mine.kind DROP ATTRIBUTE card CASCADE")
        finally:
            other.execute("SELECT pg_advisory_unlock(7)")
        assert "4012" not in shown(reading.result())
        other.execute("ALTER TYPE mine.kind DROP ATTRIBUTE card CASCADE")


@pytest.mark.parametrize("way", ["{}", "COPY ({}) TO STDOUT"])
def test_a_star_that_grows_and_one_that_shrinks(
    enter: Callable[[], Thief], postgres_newest: PostgresServer, way: str
) -> None:
    """As many columns as before, under the same names: the masked one is at another's place."""
    waits = "SELECT count(*) FROM pg_locks WHERE relation = 'mine.y'::regclass AND NOT granted"
    shifting = way.format("SELECT y.*, upper(people.card) AS card, x.* FROM mine.y, people, mine.x")

    def everything(thief: Thief) -> str:
        if way == "{}":
            return shown(thief.execute(shifting, prepare=True))
        with thief.cursor().copy(shifting) as rows:
            return str([bytes(row) for row in rows])

    with enter() as thief, enter() as other, ThreadPoolExecutor(1) as pool:
        other.execute("ALTER TABLE mine.x NOT OF; CREATE TABLE IF NOT EXISTS mine.y (a text); TRUNCATE mine.y")
        other.execute("INSERT INTO mine.y VALUES ('a')")
        other.execute("SELECT 1")
        assert "4012" not in everything(thief)
        other.execute("BEGIN; LOCK TABLE mine.y")
        reading = pool.submit(everything, thief)
        eventually(lambda: postgres_newest.execute(waits, "shop") == [(1,)], "it waits for the lock")
        try:
            with pytest.raises(psycopg.errors.ObjectInUse, match=r"another session is using mine\.y"):
                other.execute("ALTER TABLE mine.y ADD COLUMN card text; ALTER TABLE mine.x DROP COLUMN card")
        finally:
            other.execute("ROLLBACK")
        assert "4012" not in reading.result()
        other.execute("DROP TABLE mine.y")


def test_a_migration_notices_nothing(enter: Callable[[], Thief]) -> None:
    with enter() as honest:
        honest.execute("BEGIN")
        honest.execute("ALTER TABLE people ADD COLUMN seen int")
        honest.execute("UPDATE people SET seen = 1 WHERE id = 1")
        honest.execute("INSERT INTO people VALUES (2, '', 3)")
        assert honest.execute("SELECT id FROM people ORDER BY id").fetchall() == [(1,), (2,)]
        honest.execute("DELETE FROM people WHERE id = 2")
        honest.execute("ALTER TABLE people DROP COLUMN seen")
        honest.execute("COMMIT")
        assert honest.execute("SELECT upper('x'), id FROM people").fetchall() == [("X", 1)]
