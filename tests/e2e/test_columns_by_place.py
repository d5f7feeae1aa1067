"""Columns that are found by their place: whoever alters a relation in between moves a masked value to another place.

The gateway need not hear of the alteration: another of its processes lets it through, or an operator makes it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import asyncpg
import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import Thief, people_masked
from tests.waiting import SOON, eventually

from blastwall.testing.postgres import PostgresServer

OTHERS = """
CREATE SCHEMA IF NOT EXISTS mine AUTHORIZATION scram_user;
SET ROLE scram_user;
DROP TABLE IF EXISTS mine.x, mine.y;
DROP TYPE IF EXISTS mine.pair;
CREATE TYPE mine.pair AS (a text, b text);
CREATE TABLE mine.x (card text, n int);
CREATE TABLE mine.y (a text);
INSERT INTO mine.x VALUES ('none', 1);
INSERT INTO mine.y VALUES ('a');
"""
WIDER = "ALTER TABLE mine.y ADD COLUMN card text"
SHIFTED = f"{WIDER}; ALTER TABLE mine.x DROP COLUMN card"
"""As many columns as before, and of the same names and types."""
BETWEEN = "SELECT y.*, upper(people.card) AS card, x.* FROM mine.y, people, mine.x"
PLAIN = BETWEEN.replace("upper(people.card)", "people.card")
UPPER = "SELECT upper(card) FROM people"
ROW, ROW_OF_CARD = "ROW('a', 'b')::mine.pair", "ROW('a', people.card)::mine.pair"
WAITS = """
SELECT count(*) FROM pg_locks WHERE relation IN ('mine.x'::regclass, 'mine.y'::regclass) AND NOT granted
"""


@pytest.fixture(scope="module")
def bare(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with people_masked(postgres_newest, tmp_path_factory.mktemp("places")) as shop:
        yield shop


@pytest.fixture
def shop(bare: Shop) -> Shop:
    bare.direct(OTHERS)
    return bare


@pytest.fixture
def owner(shop: Shop) -> Iterator[Thief]:
    """Whoever may alter everything, not through the gateway."""
    with psycopg.connect(shop.server.dsn(shop.database)) as owner:
        yield owner


def shown(thief: Thief, text: str) -> str:
    if not text.startswith("COPY"):
        return str(thief.execute(text).fetchall())
    with thief.cursor().copy(text) as rows:
        return str([bytes(row) for row in rows])


def altered(shop: Shop, owner: Thief, going: str) -> None:
    """Alter what a statement waits for."""
    try:
        eventually(lambda: shop.direct(WAITS) == [(1,)], "it waits for the lock")
        owner.execute(going)
        owner.commit()
    finally:
        owner.rollback()


@pytest.mark.parametrize(
    ("going", "steal"),
    [
        (SHIFTED, BETWEEN),
        (SHIFTED, f"COPY ({BETWEEN}) TO STDOUT"),
        (SHIFTED, f"{BETWEEN} UNION ALL SELECT 'a', 'b', 'c', 1"),
        (WIDER, f"SELECT s.c FROM ({BETWEEN}) s(a, b, c)"),
        (WIDER, f"WITH s(a, b, c) AS ({PLAIN}) SELECT min(s.c) FROM s"),
        (WIDER, f"SELECT s.c FROM (mine.y CROSS JOIN ({UPPER}) p CROSS JOIN mine.x) s(a, b, c)"),
        (
            "ALTER TABLE mine.x DROP COLUMN card; ALTER TABLE mine.x ADD COLUMN m int",
            "SELECT (SELECT card FROM mine.x LIMIT 1) FROM people",
        ),
    ],
)
def test_an_alteration_that_the_gateway_does_not_hear_of(shop: Shop, owner: Thief, going: str, steal: str) -> None:
    with shop.connect() as thief, ThreadPoolExecutor(1) as pool:
        owner.execute("LOCK TABLE mine.x, mine.y")
        reading = pool.submit(shown, thief, steal)
        altered(shop, owner, going)
        found = reading.result()
        assert "redacted" in found
        assert "4012" not in found
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="masked column"):
            thief.execute(f"CREATE TABLE mine.stolen AS SELECT s.c FROM ({BETWEEN}) s(a, b, c)")


def test_a_description_from_before(shop: Shop, owner: Thief) -> None:
    """asyncpg has a statement's columns described once, and then only runs it."""
    ready, locked = Event(), Event()

    async def twice() -> tuple[object, object]:
        connection = await asyncpg.connect(
            host="localhost",
            port=shop.gateway.port(),
            user="ci",
            password=shop.token(),
            database=shop.database,
            ssl=ssl.create_default_context(cafile=str(shop.gateway.ca)),
        )
        try:
            statement = await connection.prepare(PLAIN)
            before = await statement.fetch()
            ready.set()
            await asyncio.to_thread(locked.wait, SOON)
            return [tuple(row) for row in before], [tuple(row) for row in await statement.fetch()]
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(asyncio.run, twice())
        assert ready.wait(SOON)
        owner.execute("LOCK TABLE mine.x, mine.y")
        locked.set()
        altered(shop, owner, SHIFTED)
        before, after = reading.result()
    assert before == [("a", "[redacted]", "none", 1)]
    assert "4012" not in str(after)


def test_a_cursor_that_outlives_the_columns(shop: Shop) -> None:
    with shop.connect() as thief:
        thief.execute(f"BEGIN; DECLARE c CURSOR WITH HOLD FOR {BETWEEN}; COMMIT")
        thief.execute(SHIFTED)
        assert "4012" not in str(thief.execute("FETCH ALL FROM c").fetchall())


@pytest.mark.parametrize(
    "steal",
    [
        "SELECT s.column3 FROM mine.y, people, (VALUES ('v')) v, LATERAL (VALUES (y.*, upper(people.card), v.*)) s",
        f"SELECT u.b FROM people, LATERAL unnest(ARRAY[{ROW_OF_CARD}]) WITH ORDINALITY u(a, b)",
        f"SELECT s.c FROM (SELECT u.*, upper(card), 'v' FROM people, unnest(ARRAY[{ROW}]) u) s(a, b, c)",
        f"SELECT s.c FROM people, LATERAL ROWS FROM (unnest(ARRAY[{ROW}]), unnest(ARRAY[card])) s(a, b, c)",
        f"SELECT s.b FROM people, LATERAL ROWS FROM (unnest(ARRAY[{ROW_OF_CARD}]), unnest(ARRAY['v'])) s(a, b, c)",
    ],
)
def test_more_columns_than_the_text_shows(shop: Shop, steal: str) -> None:
    shop.direct("ALTER TABLE mine.y ADD COLUMN b text")
    with shop.connect() as thief:
        found = shown(thief, steal)
        assert "redacted" in found
        assert "4012" not in found


def test_where_nothing_is_altered_only_the_masked_column_is_hidden(shop: Shop) -> None:
    both = "SELECT p.*, 'new' AS age FROM people p UNION ALL SELECT p.*, 'old' FROM people p"
    with shop.connect() as honest:
        assert shown(honest, "SELECT *, id + 1 FROM people") == "[(1, '[redacted]', 2)]"
        assert shown(honest, BETWEEN) == "[('a', '[redacted]', 'none', 1)]"
        assert shown(honest, f"SELECT age, id + 1 FROM ({both}) s") == "[('new', 2), ('old', 2)]"
        assert shown(honest, both) == "[(1, '[redacted]', 'new'), (1, '[redacted]', 'old')]"
        assert shown(honest, "SELECT s.a + 1 FROM (TABLE people) s(a, b)") == "[(2,)]"
        assert shown(honest, "COPY people TO STDOUT") == str([b"1\t[redacted]\n"])
        assert shown(honest, f"COPY ({BETWEEN}) TO STDOUT") == str([b"a\t[redacted]\tnone\t1\n"])
        honest.execute("BEGIN; DECLARE c CURSOR FOR SELECT *, id + 1 FROM people")
        assert shown(honest, "FETCH ALL FROM c") == "[(1, '[redacted]', 2)]"
