"""Partitions and heirs: a rule on one of them, or on the table above, holds by whatever name its rows are read.

Partitions come and go while sessions are open, by the hands of those who need no gateway: that is known seconds later.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import opened
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

CARD = "4012888888881881"
EVENTS = f"""
CREATE TABLE events (id int, card text, note text) PARTITION BY LIST (id);
CREATE TABLE secrets (id int, card text, note text);
INSERT INTO secrets VALUES (1, '{CARD}', 'plain');
ALTER TABLE events ATTACH PARTITION secrets FOR VALUES IN (1);
CREATE TABLE base (id int, card text);
CREATE TABLE other (card text);
CREATE TABLE middle () INHERITS (base, other);
CREATE TABLE heir () INHERITS (middle);
INSERT INTO heir VALUES (1, '{CARD}');
CREATE TABLE drawn (id int, shown text GENERATED ALWAYS AS ('none') STORED);
CREATE TABLE painted (card text, shown text GENERATED ALWAYS AS (card || '!') STORED) INHERITS (drawn);
INSERT INTO painted VALUES (1, DEFAULT, '{CARD}');
CREATE VIEW overview AS SELECT id, card FROM events;
CREATE TABLE payments (id int, card text) PARTITION BY LIST (id);
CREATE TABLE people (email text) PARTITION BY LIST (email);
CREATE TABLE people_1 PARTITION OF people DEFAULT;
INSERT INTO people VALUES ('mo@example.com');
CREATE TABLE journal (id int, card text) PARTITION BY LIST (id);
CREATE TABLE vault (id int, card text);
INSERT INTO vault VALUES (1, '{CARD}');
GRANT ALL ON ALL TABLES IN SCHEMA public TO scram_user;
GRANT CREATE ON SCHEMA public TO scram_user;
"""
POLICY = """
@id("all-but-the-vault")
permit (principal, action, resource in Database::"pg-prod/shop")
unless { resource == Object::"pg-prod/shop/public/vault" };

@id("nobody-asks-for-cards")
@reason("cards are not asked for")
forbid (principal, action == Action::"read", resource) when { context.filters_masked };
"""
MASKED = ("secrets.card", "heir.card", "painted.card", "payments.card")
Agent = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    masking = [
        {"resource": "pg-prod", "columns": [f"public.{one}" for one in MASKED], "with": "redact"},
        {"resource": "pg-prod", "columns": ["public.people.email"], "with": "partial"},
    ]
    folder = tmp_path_factory.mktemp("heirs")
    with opened(postgres_newest, folder, policies=POLICY, fill=EVENTS, packs=[], masking=masking) as shop:
        yield shop


@pytest.fixture
def agent(shop: Shop) -> Iterator[Agent]:
    with shop.connect() as agent:
        yield agent


def shown(agent: Agent, text: str) -> str:
    if not text.startswith("COPY"):
        return str(agent.execute(text).fetchall())
    with agent.cursor().copy(text) as rows:
        return str([bytes(row) for row in rows])


@pytest.mark.parametrize(
    "steal",
    [
        "SELECT card FROM events",
        "TABLE events",
        "SELECT upper(card) FROM events",
        "SELECT events::text FROM events",
        "SELECT card FROM overview",
        "SELECT card FROM base",
        "SELECT card FROM other",
        "SELECT reverse(card) FROM middle",
        "SELECT shown FROM drawn",
        "SELECT min(shown) FROM drawn",
        "COPY (SELECT card FROM events) TO STDOUT",
        "WITH e AS (SELECT * FROM events) SELECT card FROM e UNION ALL SELECT note FROM events",
        "UPDATE events SET note = 'plain' RETURNING card",
    ],
)
def test_what_is_masked_in_an_heir_is_masked_in_what_is_above_it(agent: Agent, steal: str) -> None:
    found = shown(agent, steal)
    assert "redacted" in found
    assert CARD not in found
    assert CARD[::-1] not in found


@pytest.mark.parametrize(
    "steal",
    ["CREATE TABLE stolen AS SELECT card FROM events", "UPDATE events SET note = card", "CREATE VIEW v AS TABLE base"],
)
def test_it_cannot_be_copied_by_the_name_above(agent: Agent, steal: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="masking refuses"):
        agent.execute(steal.encode())


def test_asking_by_the_name_above_is_asking_for_it(agent: Agent) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="cards are not asked for"):
        agent.execute("SELECT id FROM events WHERE card LIKE '4%'")


def test_a_plain_value_has_the_style_of_the_rule_by_every_name(agent: Agent) -> None:
    for name in ("people", "people_1"):
        assert shown(agent, f"SELECT email FROM {name}") == "[('m***@example.com',)]"
        assert shown(agent, f"COPY (SELECT email FROM {name}) TO STDOUT") == str([b"m***@example.com\n"])


def test_other_columns_are_shown(agent: Agent) -> None:
    assert shown(agent, "SELECT id, note FROM events") == "[(1, 'plain')]"
    assert shown(agent, "SELECT id FROM events WHERE note = 'plain'") == "[(1,)]"
    assert shown(agent, "SELECT id FROM base") == "[(1,)]"


@pytest.mark.parametrize(
    ("number", "steal"),
    [
        (0, "SELECT upper(card) FROM payments_0"),
        (1, "COPY payments_1 TO STDOUT"),
        (2, "SELECT p::text FROM payments_2 p"),
    ],
)
def test_a_new_partition_is_known_to_a_session_from_before(shop: Shop, agent: Agent, number: int, steal: str) -> None:
    """A partition of one day, say, that another program makes."""
    agent.execute("SELECT 1")
    shop.direct(
        f"CREATE TABLE payments_{number} PARTITION OF payments FOR VALUES IN ({number}); "
        f"GRANT ALL ON payments_{number} TO scram_user; INSERT INTO payments VALUES ({number}, '{CARD}')"
    )
    eventually(lambda: "redacted" in shown(agent, steal), "the partition is known to be one")
    assert CARD not in shown(agent, steal)


def test_a_forbidden_table_that_is_attached_meanwhile(shop: Shop, agent: Agent) -> None:
    assert shown(agent, "SELECT card FROM journal") == "[]"
    shop.direct("ALTER TABLE journal ATTACH PARTITION vault FOR VALUES IN (1)")
    try:
        eventually(lambda: refused(agent, "SELECT card FROM journal"), "it is known what the name shows")
    finally:
        shop.direct("ALTER TABLE journal DETACH PARTITION vault")
    eventually(lambda: not refused(agent, "SELECT card FROM journal"), "it is known that it does no longer")


def refused(agent: Agent, text: str) -> bool:
    try:
        agent.execute(text.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        assert "policy does not permit" in str(error)
        return True
    return False
