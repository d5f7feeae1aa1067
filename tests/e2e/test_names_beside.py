"""A name that is dropped, renamed or moved means what stands behind it on the search_path: that is judged too.

The thief may do all in a schema of his own, which comes first on his path, and nothing with the salaries behind it. So
he gives a table of his own their name, asks for it, and has it gone before his statement is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import Thief, opened
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

PAYROLL = """
CREATE SCHEMA mine AUTHORIZATION scram_user;
CREATE TABLE salaries (pay text);
INSERT INTO salaries VALUES ('the salary');
GRANT ALL ON salaries TO scram_user;
GRANT CREATE ON DATABASE shop TO scram_user;
"""
POLICY = """
@id("all-but-the-salaries")
permit (principal, action, resource in Database::"pg-prod/shop")
unless { resource == Object::"pg-prod/shop/public/salaries" };
"""


@pytest.fixture(scope="module")
def enter(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Thief]]:
    folder = tmp_path_factory.mktemp("beside")
    with opened(postgres_newest, folder, policies=POLICY, fill=PAYROLL, packs=[], masking=[]) as shop:

        def enter() -> Thief:
            thief = psycopg.connect(shop.dsn(), autocommit=True, options="-c search_path=mine,public")
            thief.execute("CREATE TABLE IF NOT EXISTS mine.salaries (pay text)")
            return thief

        yield enter


def refused(thief: Thief, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"public\.salaries"):
        thief.execute(statement)


@pytest.mark.parametrize(
    "going",
    [
        "DROP TABLE mine.salaries",
        "ALTER TABLE mine.salaries RENAME TO gone",
        "DROP SCHEMA mine CASCADE",
        "ALTER SCHEMA mine RENAME TO gone",
        "REVOKE ALL ON SCHEMA mine FROM scram_user",
        "DO $$ BEGIN DROP TABLE mine.salaries; END $$",
    ],
)
def test_a_transaction_of_ones_own(enter: Callable[[], Thief], going: str) -> None:
    with enter() as thief:
        assert thief.execute("SELECT * FROM salaries").fetchall() == []
        refused(thief, f"{going}; SELECT * FROM salaries")
        thief.execute("BEGIN")
        thief.execute(going)
        refused(thief, "SELECT * FROM salaries")
        thief.execute("ROLLBACK")
        assert thief.execute("SELECT * FROM salaries").fetchall() == []


def test_a_name_that_another_session_is_dropping(enter: Callable[[], Thief]) -> None:
    """The second session would wait for the lock, then read what stands behind."""
    with enter() as thief, enter() as other:
        thief.execute("SELECT * FROM salaries")
        other.execute("BEGIN; DROP TABLE mine.salaries")
        refused(thief, "SELECT * FROM salaries")
        other.execute("COMMIT")
        refused(thief, "SELECT * FROM salaries")


def test_a_name_that_is_in_use(enter: Callable[[], Thief], postgres_newest: PostgresServer) -> None:
    """The second session asks first, and waits with something else."""
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with enter() as thief, enter() as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_lock(7)")
        reading = pool.submit(thief.execute, "SELECT pg_advisory_xact_lock(7); SELECT * FROM salaries")
        eventually(lambda: postgres_newest.execute(waits, "shop") == [(1,)], "it waits for the lock")
        try:
            with pytest.raises(psycopg.errors.ObjectInUse, match=r"another session is using mine\.salaries"):
                other.execute("DROP TABLE mine.salaries")
        finally:
            other.execute("SELECT pg_advisory_unlock(7)")
        reading.result()
        other.execute("DROP TABLE mine.salaries")


def test_a_path_that_the_role_is_given_for_its_next_session(postgres15: PostgresServer, tmp_path: Path) -> None:
    """Versions before 18 do not report what is in force."""
    role = "ALTER ROLE scram_user IN DATABASE shop"
    fill = f"{PAYROLL} CREATE TABLE mine.salaries (pay text); ALTER TABLE mine.salaries OWNER TO scram_user;"
    with opened(postgres15, tmp_path, policies=POLICY, fill=fill, packs=[], masking=[]) as shop:
        shop.direct(f"{role} SET search_path = mine, public")
        with shop.connect() as thief:
            assert thief.execute("SELECT * FROM salaries").fetchall() == []
            thief.execute(f"{role} SET search_path = public, mine")
        with shop.connect() as thief:
            refused(thief, "SELECT * FROM salaries")
        shop.direct(f"{role} RESET search_path")
        with lets_in_again(shop) as thief:
            refused(thief, "SELECT * FROM salaries")


def lets_in_again(shop: Shop) -> Thief:
    """Only a new side connection can tell what the server's own path is: one login may be turned away."""
    try:
        return shop.connect()
    except psycopg.OperationalError as error:
        assert "catalog" in str(error)
        return shop.connect()
