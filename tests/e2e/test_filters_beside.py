"""What chooses rows is judged before it is run: in between another worker's session makes it a masked column.

The worker that judges hears nothing of that, so with several of them it is judged as what it may become.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import PEOPLE, opened

from blastwall.testing.postgres import PostgresServer

CARD = "4012888888881881"
MADE = f"""
CREATE TABLE mine.x (id int, card text, note text);
CREATE TABLE mine.y (n int, note text);
INSERT INTO mine.x VALUES (1, 'none', '');
INSERT INTO mine.y VALUES (1, '{CARD}');
"""
POLICY = '@id("all") permit (principal, action, resource in Database::"pg-prod/shop");'
GONE = "ALTER TABLE mine.x DROP COLUMN card"
ATTACKS = {
    "a column hides one of the query around": (
        f"SELECT (SELECT count(*) FROM mine.x WHERE card = '{CARD}') FROM people",
        GONE,
        [(1,)],
    ),
    "a name stands for a place": (
        f"SELECT count(*) FROM (SELECT mine.x.*, people.card FROM mine.x, people) AS s (a, b, k) WHERE k = '{CARD}'",
        GONE.replace("card", "note"),
        [(1,)],
    ),
    "a join by whatever has the same name": (
        "SELECT count(*) FROM mine.y NATURAL JOIN people",
        "ALTER TABLE mine.y RENAME COLUMN note TO card",
        [(1,)],
    ),
    "an order by a number": (
        "SELECT mine.x.*, people.card, people.id FROM mine.x, people ORDER BY 5",
        f"{GONE}; ALTER TABLE mine.x ADD COLUMN y text; ALTER TABLE mine.x ADD COLUMN z text",
        None,
    ),
}


@pytest.fixture(scope="module")
def bare(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened(
        postgres_newest,
        tmp_path_factory.mktemp("filters"),
        policies=POLICY,
        fill=PEOPLE,
        packs=["postgres"],
        masking=[{"resource": "pg-prod", "columns": ["public.people.card"], "with": "redact"}],
        hold={"timeout": "10ms", "in_transaction": "10ms"},
        workers=2,
    ) as shop:
        yield shop


@pytest.fixture
def shop(bare: Shop) -> Shop:
    bare.direct(f"DROP TABLE IF EXISTS mine.x, mine.y; {MADE} GRANT ALL ON ALL TABLES IN SCHEMA mine TO scram_user")
    return bare


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_may_come_to_choose_rows_is_held(shop: Shop, attack: str) -> None:
    text, altered, told = ATTACKS[attack]
    with closing(shop.connect()) as agent:
        assert agent.execute("SELECT id, card FROM people").fetchall() == [(1, "[redacted]")]
        shop.direct(altered)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="approved"):
            agent.execute(text)
    assert told is None or shop.direct(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (SELECT count(*) FROM mine.x WHERE x.card = 'none') FROM people",
        "SELECT count(*) FROM (SELECT * FROM mine.x) s WHERE note = ''",
        "SELECT count(*) FROM mine.y JOIN people ON n = people.id",
        "SELECT people.id, people.card FROM people ORDER BY 1",
    ],
)
def test_what_goes_by_its_own_name_is_not(shop: Shop, text: str) -> None:
    with closing(shop.connect()) as agent:
        assert len(agent.execute(text).fetchall()) == 1
