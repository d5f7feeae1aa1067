"""How many of a statement's parts change rows: only where it is one can its command tag be believed."""

from __future__ import annotations

import pytest
from tests.sql.postgres.shop import one, read

COUNTS = {
    "SELECT * FROM orders": 0,
    "SELECT * FROM orders FOR UPDATE": 0,
    "INSERT INTO orders VALUES (1)": 1,
    "UPDATE orders SET total = 1 WHERE id = 1": 1,
    "DELETE FROM orders USING customers": 1,
    "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN DELETE": 1,
    "INSERT INTO orders VALUES (1) ON CONFLICT DO NOTHING RETURNING id": 1,
    "WITH d AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM d": 1,
    "WITH d AS (DELETE FROM orders RETURNING *) INSERT INTO orders SELECT * FROM d": 2,
    "WITH a AS (WITH b AS (DELETE FROM orders RETURNING 1) SELECT 1 FROM b) SELECT 1": 1,
    "COPY (DELETE FROM orders RETURNING id) TO STDOUT": 1,
    "COPY orders FROM STDIN": 0,
    "EXPLAIN DELETE FROM orders": 0,
    "EXPLAIN ANALYZE DELETE FROM orders": 1,
    "EXPLAIN (VERBOSE, ANALYZE on) DELETE FROM orders": 1,
    "PREPARE p AS DELETE FROM orders": 0,
    "DO $$ BEGIN DELETE FROM orders; DELETE FROM customers; END $$": 2,
    "DO $$ BEGIN DELETE FROM orders; EXPLAIN DELETE FROM orders; END $$": 1,
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM orders'": 1,
}


@pytest.mark.parametrize(("text", "count"), COUNTS.items())
def test_parts_that_change_rows(text: str, count: int) -> None:
    assert one(text).modifies == count


def test_a_prepared_change_counts_where_it_is_run() -> None:
    prepared, run = read("PREPARE p AS DELETE FROM orders; EXECUTE p")
    assert (prepared.modifies, run.modifies) == (0, 1)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("DELETE FROM orders", True),
        ("EXPLAIN DELETE FROM orders", False),
        ("EXPLAIN (ANALYZE) DELETE FROM orders", True),
        ("PREPARE p AS DELETE FROM orders", False),
        ("DO $$ BEGIN DELETE FROM orders; EXPLAIN SELECT 1; END $$", True),
    ],
)
def test_what_is_only_planned_or_prepared_does_not_run(text: str, runs: bool) -> None:
    assert one(text).runs is runs


def test_a_fetch_names_its_cursor() -> None:
    declared, fetched, moved = read('DECLARE "C" CURSOR FOR SELECT 1; FETCH 5 FROM "C"; MOVE ALL IN "C"')
    assert (declared.fetches, fetched.fetches, moved.fetches) == (None, "C", "C")
