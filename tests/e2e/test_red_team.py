"""A thief with an agent's valid token. Every attack that worked once stays here; so do those that never did."""

# ruff: noqa: E501 - a corpus reads better with one attack a line

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import EMAILS, POLICIES, SHOP, SSNS, Shop, configuration
from tests.e2e.hostile import (
    SYNC,
    HostileClient,
    bind,
    close,
    codes,
    describe,
    execute,
    parse,
    query,
    rows,
    run,
)

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

TREASURE = """
ALTER TABLE customers OWNER TO scram_user;
ALTER TABLE archive OWNER TO scram_user;
CREATE SCHEMA hr;
CREATE TABLE hr.archive (id int, data text);
INSERT INTO hr.archive VALUES (1, 'the crown jewels');
GRANT USAGE ON SCHEMA hr TO scram_user;
GRANT ALL ON ALL TABLES IN SCHEMA hr TO scram_user;
ANALYZE customers;
"""
"""The agent's role owns the masked table, and may read what policy forbids."""

STRUCTURE = """
@id("ci-looks-at-statistics")
permit (principal in Group::"ci", action == Action::"read", resource in Schema::"pg-prod/shop/pg_catalog");
"""
TREASURES = (*EMAILS, *SSNS, *(ssn.replace("-", "") for ssn in SSNS), "the crown jewels")
HELD = "DELETE FROM orders WHERE id = $1"


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    database = "shop"
    postgres.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    postgres.create_database(database, SHOP + TREASURE)
    folder: Path = tmp_path_factory.mktemp("heist")
    held = POLICIES.replace("public/customers", "public/orders")
    with (
        DevIssuer() as issuer,
        Gateway(
            configuration(postgres, issuer),
            policies={"shop.cedar": held + STRUCTURE},
            environment={"PG_PASSWORD": postgres.password},
            folder=folder,
        ) as gateway,
    ):
        yield Shop(gateway, issuer, postgres, database)


@pytest.fixture
def thief(shop: Shop) -> Iterator[HostileClient]:
    with HostileClient(shop.gateway.port("pg-prod"), shop.gateway.ca, shop.token()) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_was_taken(shop: Shop) -> Iterator[None]:
    """Whatever was tried: the tables hold what they held, and nothing was put where it can be read."""
    yield
    assert shop.direct("SELECT count(*)::int FROM orders") == [(30,)]
    assert shop.direct("SELECT count(*)::int FROM customers") == [(3,)]
    assert not loot(repr(shop.direct("SELECT data FROM archive")))
    shop.direct("TRUNCATE archive; DROP SEQUENCE IF EXISTS mule; DROP TABLE IF EXISTS alias CASCADE")


def loot(text: str) -> list[str]:
    lowered = text.lower()
    return [one for one in TREASURES if one in lowered]


# ── SQL ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

STASH = "CREATE FUNCTION public.stash(text, int) RETURNS int LANGUAGE sql AS 'INSERT INTO archive VALUES ($2, $1) RETURNING 1'"
ATTACKS: dict[str, list[str]] = {
    "an operator that stashes its operand": [
        STASH, "CREATE OPERATOR public.+ (leftarg = text, rightarg = int, function = public.stash)",
        "SELECT ssn + 1 FROM customers", "SELECT data FROM archive",
    ],
    "a function of the transaction's own named like a harmless one": [
        "BEGIN", STASH.replace("stash", "lower"), "SELECT lower(ssn, 1) FROM customers", "SELECT data FROM archive", "COMMIT",
    ],
    "a function of the transaction's own called like a column": [
        "BEGIN",
        "CREATE FUNCTION public.grab(customers) RETURNS int LANGUAGE sql AS 'INSERT INTO archive VALUES (1, $1.ssn) RETURNING 1'",
        "SELECT c.grab FROM customers c", "SELECT (c).grab FROM customers c", "SELECT data FROM archive", "COMMIT",
    ],
    "a sequence as a mule": [
        "CREATE SEQUENCE mule MAXVALUE 9999999999",
        "SELECT setval('mule', replace(ssn, '-', '')::bigint) FROM customers WHERE id = 1", "SELECT last_value FROM mule",
        "SELECT currval('mule')",
    ],
    "a seed as a mule": ["SELECT setseed(replace(ssn, '-', '')::float / 1e9) FROM customers WHERE id = 1"],
    "USING copies a column": ["ALTER TABLE customers ALTER COLUMN note TYPE text USING ssn", "SELECT note FROM customers"],
    "a generated column copies another": [
        "ALTER TABLE customers ADD COLUMN g text GENERATED ALWAYS AS (ssn) STORED", "SELECT g FROM customers",
    ],
    "a renamed column": ["ALTER TABLE customers RENAME COLUMN ssn TO s", "SELECT s FROM customers"],
    "a renamed table": ["ALTER TABLE customers RENAME TO alias", "SELECT ssn FROM alias"],
    "a table renamed as an index": ["ALTER INDEX customers RENAME TO alias", "SELECT ssn FROM alias"],
    "a table renamed as a view": ["ALTER VIEW customers RENAME TO alias", "SELECT ssn FROM alias"],
    "a table moved": ["ALTER TABLE customers SET SCHEMA hr", "SELECT ssn FROM hr.customers"],
    "a parent for the masked table": [
        "CREATE TABLE alias (id int NOT NULL, name text NOT NULL, email text NOT NULL, ssn text, note text)",
        "ALTER TABLE customers INHERIT alias", "SELECT ssn FROM alias",
    ],
    "a partitioned table for the masked table": [
        "CREATE TABLE alias (id int NOT NULL, name text NOT NULL, email text NOT NULL, ssn text, note text) PARTITION BY LIST (id)",
        "ALTER TABLE alias ATTACH PARTITION customers DEFAULT", "SELECT ssn FROM alias",
    ],
    "a renamed forbidden table": ["ALTER TABLE vault RENAME TO alias", "SELECT * FROM alias"],
    "samples of values": [
        "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customers'",
        "SELECT histogram_bounds::text, most_common_vals::text FROM pg_stats WHERE tablename = 'customers'",
        "SELECT array_to_string(histogram_bounds, ',') FROM pg_catalog.pg_stats",
        "SELECT s::text FROM pg_stats s",
        "CREATE TABLE alias AS SELECT histogram_bounds::text FROM pg_stats",
    ],
    "errors at run time that name a value": [
        f"SELECT {call} FROM customers" for call in (
            "ssn::regclass", "ssn::regrole", "ssn::regtype", "ssn::regproc", "ssn::regnamespace", "ssn::regconfig",
            "email::regclass", "has_table_privilege(ssn, 'select')", "has_database_privilege(ssn, 'connect')",
            "has_schema_privilege(email, 'usage')", "pg_get_serial_sequence(ssn, 'x')", "now() AT TIME ZONE ssn",
            "date_trunc(ssn, now())", "encode('', ssn)", "ssn::int", "ssn::xml::text::xid", "to_number(ssn, email)::text::bit",
            "convert_from('x', ssn)", "jsonb_path_query('1', ssn::jsonpath)", "xpath(ssn, '<a/>')", "format(ssn || '%9', 1)",
            "regexp_replace('a', ssn || '(', '')", "ssn::uuid", "ssn::inet", "to_tsquery(repeat(ssn, 300))",
            "parse_ident(ssn)", "make_interval(secs => ssn::float)", "(ARRAY[1])[ssn::int]", "string_to_array(ssn, ',')::int[]",
        )
    ],
    "shadows of the search_path": [
        "SET search_path TO hr", "SELECT * FROM archive", "RESET search_path",
        "BEGIN; SET LOCAL search_path TO hr; SELECT * FROM archive; COMMIT",
        "SELECT set_config('search_path', 'hr', false)", "TABLE archive", "RESET search_path",
        "BEGIN", "SAVEPOINT a", "SET search_path TO hr", "RELEASE a", "TABLE archive", "ROLLBACK",
        "BEGIN", "SET search_path TO hr", "SAVEPOINT a", "SET search_path TO public", "ROLLBACK TO a", "TABLE archive",
        "ROLLBACK",
    ],
    "names in disguise": [
        'SELECT * FROM U&"v\\0061ult"', 'SELECT * FROM "public"."vault"', "SELECT * FROM VAULT", "SELECT * FROM ONLY vault",
        "SELECT * FROM shop.public.vault", 'SELECT * FROM U&"v!0061ult" UESCAPE \'!\'', "SELECT * FROM/**/vault",
        "SELECT 1 FROM orders, LATERAL (TABLE vault) v", "SELECT vault FROM vault", "SELECT (SELECT v FROM vault v)::text",
    ],
    "conversions of a whole row": [
        "SELECT c::text FROM customers c", "SELECT (c.*)::text FROM customers c", "SELECT ROW(c.*) FROM customers c",
        "SELECT hstore FROM (SELECT c::text AS hstore FROM customers c) x", "SELECT c.row_to_json FROM customers c",
        "SELECT to_json(ARRAY(SELECT c FROM customers c))", "SELECT xmlforest(ssn) FROM customers",
        "SELECT xmlelement(name a, xmlattributes(ssn)) FROM customers", "SELECT json_object_agg(id, ssn) FROM customers",
        "SELECT jsonb_path_query(to_jsonb(c), '$.ssn') FROM customers c", "SELECT array_agg(c) FROM customers c",
        "SELECT int4range(replace(right(ssn, 4), '-', '')::int, NULL) FROM customers", "SELECT ssn::bytea FROM customers",
        "SELECT (SELECT array_agg(x) FROM unnest(ARRAY[ssn]) x) FROM customers", "SELECT md5(ssn), ssn::name FROM customers",
        "SELECT json_populate_record(c, '{}') FROM customers c", "SELECT (json_populate_record(c, '{}')).ssn FROM customers c",
        "SELECT x.ssn FROM customers c, LATERAL json_to_record(row_to_json(c)) AS x(ssn text)",
        "SELECT * FROM customers c NATURAL JOIN (SELECT id, ssn FROM customers) d",
        "WITH RECURSIVE r(n, v) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, v FROM r WHERE n < 2) TABLE r",
        "SELECT lag(ssn) OVER (), nth_value(ssn, 1) OVER () FROM customers", "SELECT mode() WITHIN GROUP (ORDER BY ssn) FROM customers",
        "SELECT x FROM customers, XMLTABLE('/a' PASSING xmlelement(name a, ssn) COLUMNS x text PATH '.')",
    ],
    "explanations": [
        "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT * FROM customers WHERE ssn = (SELECT max(ssn) FROM customers)",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM generate_series(1, 2) g, customers WHERE ssn > 'x'",
    ],
    "SQL's own prepared statements and cursors": [
        "PREPARE p AS SELECT * FROM archive", "SET search_path TO hr", "EXECUTE p", "RESET search_path",
        "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT lower(ssn) FROM customers; COMMIT", "FETCH ALL c", "MOVE BACKWARD ALL c",
        "FETCH FORWARD 1 c", "CLOSE c", "PREPARE q(text) AS SELECT lower(ssn) FROM customers WHERE $1 = ''", "EXECUTE q('')",
        "EXPLAIN ANALYZE EXECUTE q('')", "CREATE TABLE alias AS EXECUTE q('')", "PREPARE v AS SELECT * FROM vault", "EXECUTE v",
        "BEGIN; DECLARE d CURSOR FOR SELECT 1; CLOSE d; DECLARE d CURSOR FOR SELECT ssn FROM customers; FETCH d; COMMIT",
    ],
    "COPY": [
        "COPY (SELECT lower(ssn) FROM customers) TO STDOUT", "COPY vault TO STDOUT", "COPY customers (ssn) TO PROGRAM 'cat'",
    ],
    "children and likenesses": [
        "CREATE TABLE alias () INHERITS (customers)", "SELECT * FROM alias", "DROP TABLE alias",
        "CREATE TABLE alias (LIKE vault INCLUDING ALL)", "CREATE TABLE alias (s text REFERENCES vault)",
        "CREATE STATISTICS mule ON (ssn || ''), id FROM customers", "SELECT * FROM pg_stats_ext_exprs",
    ],
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_sql(shop: Shop, thief: HostileClient, attack: str) -> None:
    for statement in ATTACKS[attack]:
        answer = thief.talk(query(statement))
        assert not loot(repr(answer)), statement
    thief.talk(query("ROLLBACK"))
    assert rows(thief.talk(query("SELECT 1"))) == [[b"1"]]


@pytest.mark.parametrize(
    "options",
    [
        "(HEADER 0)", "(HEADER 'false')", "(HEADER)", "(FORMAT csv, HEADER 0)", "(FORMAT csv, QUOTE '2', ESCAPE '1')",
        "(FORMAT csv, DELIMITER '-')", "(FORMAT csv, DELIMITER '9', QUOTE '1')", "(FORMAT csv, FORCE_QUOTE *)",
        "CSV QUOTE '-'", "(FORMAT csv, NULL '0')", "(FORMAT csv, ESCAPE '9')", "BINARY", "(FORMAT csv, QUOTE '''')",
        "WITH DELIMITER AS '-' NULL AS ''", "(DELIMITER '-')", "(ENCODING 'LATIN1')", "(FORMAT csv, DELIMITER E'\\t', NULL '-')",
    ],
)  # fmt: skip
def test_copy_in_every_format(shop: Shop, options: str) -> None:
    data = b""
    with shop.connect() as agent:
        try:
            with agent.cursor().copy(f"COPY customers (ssn, id, email) TO STDOUT {options}".encode()) as copy:
                data = b"".join(bytes(chunk) for chunk in copy)
        except psycopg.Error as error:
            assert not loot(str(error))
            assert "ENCODING" in options
    assert not loot(data.replace(b"\x00", b"").decode("latin-1"))


# ── names of the protocol and of SQL ────────────────────────────────────────────────────────────────────────────────

NAME, SSN = "SELECT lower(name) || '' FROM customers", "SELECT lower(ssn) || '' FROM customers"
HARMLESS = "SELECT 1 WHERE $1 = 3"
DIALOGUES: dict[str, list[list[bytes]]] = {
    "a prepared statement under another search_path": [
        [parse("SELECT * FROM archive", "s"), SYNC], [query("SET search_path TO hr")], [bind("s"), execute(), SYNC],
    ],
    "the same, described, in one segment": [
        [parse("SELECT * FROM archive", "s"), describe("S", "s"), run("SET search_path TO hr"), bind("s"), execute(), SYNC],
    ],
    "the same, prepared by SQL": [
        [query("PREPARE s AS SELECT * FROM archive")], [query("SET search_path TO hr")], [bind("s"), execute(), SYNC],
    ],
    "a described statement that SQL replaces in the segment": [
        [parse(NAME, "s"), describe("S", "s"), SYNC],
        [run("DEALLOCATE s"), run(f"PREPARE s AS {SSN}"), bind("s"), execute(), SYNC],
    ],
    "the same by DEALLOCATE ALL and by DISCARD ALL": [
        [parse(NAME, "s"), describe("S", "s"), SYNC],
        [run("DEALLOCATE ALL"), run(f"PREPARE s AS {SSN}"), bind("s"), execute(), SYNC],
        [query("DISCARD ALL")], [query(f"PREPARE s AS {SSN}")], [bind("s"), execute(), SYNC],
    ],
    "a portal that a cursor replaces": [
        [query("BEGIN")], [parse(NAME), bind("", "p"), describe("P", "p"), SYNC], [query("CLOSE p")],
        [query(f"DECLARE p CURSOR FOR {SSN}")], [execute("p"), SYNC],
    ],
    "the same in one segment": [
        [query("BEGIN")],
        [parse(NAME), bind("", "p"), describe("P", "p"), run("CLOSE ALL"), run(f"DECLARE p CURSOR FOR {SSN}"), execute("p"), SYNC],
    ],
    "a cursor that a portal replaces": [
        [query(f"BEGIN; DECLARE c CURSOR FOR {NAME}")], [close("P", "c"), parse(SSN), bind("", "c"), SYNC],
        [query("FETCH ALL c")],
    ],
    "the same in one segment ": [
        [query("BEGIN")], [run(f"DECLARE c CURSOR FOR {NAME}"), close("P", "c"), parse(SSN), bind("", "c"), SYNC],
        [query("FETCH ALL c")],
    ],
    "a statement in the place of one that SQL prepared": [
        [run(f"PREPARE s AS {NAME}"), close("S", "s"), parse(SSN, "s"), SYNC], [bind("s"), execute(), SYNC],
        [query("EXECUTE s")],
    ],
    "an EXECUTE in a Parse, of what was replaced since": [
        [query(f"PREPARE s AS {NAME}")], [parse("EXECUTE s", "e"), describe("S", "e"), SYNC], [query("DEALLOCATE s")],
        [query(f"PREPARE s AS {SSN}")], [bind("e"), execute(), SYNC],
    ],
    "an EXECUTE in a portal, of what was replaced since": [
        [query("BEGIN")], [query(f"PREPARE s AS {NAME}")], [parse("EXECUTE s"), bind("", "p"), describe("P", "p"), SYNC],
        [run("DEALLOCATE s"), run(f"PREPARE s AS {SSN}"), execute("p"), SYNC],
    ],
    "a FETCH in a portal, from what was replaced since": [
        [query("BEGIN")], [query(f"DECLARE c CURSOR FOR {NAME}")], [parse("FETCH ALL c"), bind("", "p"), describe("P", "p"), SYNC],
        [run("CLOSE c"), run(f"DECLARE c CURSOR FOR {SSN}"), execute("p"), SYNC],
    ],
    "a COPY in a portal, run under another search_path": [
        [query("BEGIN")], [parse("COPY archive TO STDOUT"), bind("", "p"), SYNC], [run("SET search_path TO hr"), execute("p"), SYNC],
    ],
    "the same, of a query": [
        [query("BEGIN")], [parse("COPY (SELECT * FROM archive) TO STDOUT"), bind("", "p"), SYNC], [query("SET search_path TO hr")],
        [execute("p"), SYNC],
    ],
    "portals bound twice": [
        [query("BEGIN")], [parse(NAME, "a"), parse(SSN, "b"), bind("a", ""), describe("P"), bind("b", ""), execute(), SYNC],
    ],
    "the unnamed statement parsed twice": [[parse(NAME), describe("S"), parse(SSN), bind(), execute(), SYNC]],
    "a Parse that fails keeps the old statement": [
        [parse(SSN, "s"), SYNC], [parse(NAME, "s"), SYNC, SYNC, bind("s"), execute(), SYNC], [], [],
    ],
}  # fmt: skip


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_names(thief: HostileClient, dialogue: str) -> None:
    for messages in DIALOGUES[dialogue]:
        if messages:
            thief.send(*messages)
        assert not loot(repr(thief.until_ready())), messages
    assert thief.talk(query("ROLLBACK"))[-1][0] == "Z"


@pytest.mark.parametrize(
    ("messages", "ready"),
    [
        ([run("PREPARE s AS SELECT 1 WHERE $1 = 3"), close("S", "s"), parse(HELD, "s"), SYNC, bind("s", "", b"3"), execute(), SYNC], 2),
        ([run("PREPARE s AS SELECT 1 WHERE $1 = 3"), close("S", "s"), parse(HELD, "s"), SYNC, query("EXECUTE s(3)")], 2),
        ([parse(HELD, "s"), SYNC, parse(HARMLESS, "s"), SYNC, SYNC, bind("s", "", b"3"), execute(), SYNC], 4),
        ([parse(HELD, "s"), SYNC, parse(HARMLESS, "s"), SYNC, SYNC, query("EXECUTE s(3)")], 4),
        ([query("PREPARE s AS SELECT 1 WHERE 1 = 3"), parse("EXECUTE s"), bind("", "p"), run("DEALLOCATE s"), parse("PREPARE s AS DELETE FROM orders WHERE id = 3"), bind(), execute(), execute("p"), SYNC], 2),
        ([parse(HELD, "s"), SYNC, run("SELECT 1/0"), close("S", "s"), parse(HARMLESS, "s"), SYNC, SYNC, bind("s", "", b"3"), execute(), SYNC], 4),
        ([parse(HELD, "s"), SYNC, query("SELECT 1/0; DEALLOCATE s; PREPARE s AS SELECT 1 WHERE $1 = 3"), SYNC, query("EXECUTE s(3)")], 4),
        ([parse(HELD, "s"), SYNC, query("BEGIN; DEALLOCATE s; PREPARE s AS SELECT 1 WHERE $1 = 3; DEALLOCATE s; ROLLBACK"),
          parse(HELD, "s"), bind("s", "", b"3"), execute(), SYNC], 3),
    ],
)  # fmt: skip
def test_what_is_held_at_execution_is_held_under_any_name(
    shop: Shop, thief: HostileClient, messages: list[bytes], ready: int
) -> None:
    """A Parse of it is allowed, so everything hangs on which statement a name means."""
    answer = thief.talk(*messages, ready=ready)
    assert codes(answer)[-1] == "42501"
    assert shop.direct("SELECT count(*)::int FROM orders WHERE id = 3") == [(1,)]
