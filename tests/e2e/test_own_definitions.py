"""What a session has defined in its own open transaction is followed in it, though nobody else sees it yet.

The thief may do all but change the salaries: he reaches them by what he makes, wakes, moves or renames, and uses it
before it is committed.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import opened

from blastwall.testing.postgres import PostgresServer

PAYROLL = """
CREATE SCHEMA mine;
CREATE SCHEMA tools;
CREATE TABLE salaries (pay text);
INSERT INTO salaries VALUES ('the salary');
CREATE TABLE notes (pay text);
CREATE FUNCTION tools.wipes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.salaries; RETURN NEW; END';
CREATE FUNCTION tools.wipe(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.salaries; RETURN 1; END';
CREATE FUNCTION tools.wipe(int, int) RETURNS int LANGUAGE plpgsql
  AS 'BEGIN DELETE FROM public.salaries; RETURN 1; END';
CREATE FUNCTION tools.clear() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM salaries; RETURN 1; END';
CREATE TABLE mine.salaries (pay text);
CREATE TABLE mine.plain (pay text);
CREATE VIEW mine.w AS SELECT pay FROM mine.plain;
CREATE TABLE mine.asleep (pay text);
CREATE TRIGGER t BEFORE INSERT ON mine.asleep FOR EACH ROW EXECUTE FUNCTION tools.wipes();
ALTER TABLE mine.asleep DISABLE TRIGGER t;
CREATE TABLE mine.trapped (pay text);
CREATE TRIGGER t BEFORE INSERT ON mine.trapped FOR EACH ROW EXECUTE FUNCTION tools.wipes();
CREATE TABLE mine.counted (n int DEFAULT tools.wipe(1));
CREATE TABLE mine.top (pay text) PARTITION BY LIST (pay);
CREATE TRIGGER t BEFORE INSERT ON mine.top FOR EACH ROW EXECUTE FUNCTION tools.wipes();
CREATE TABLE mine.base (pay text) PARTITION BY LIST (pay);
CREATE TABLE mine.heir (pay text);
CREATE TRIGGER t BEFORE INSERT ON mine.heir FOR EACH ROW EXECUTE FUNCTION tools.wipes();
GRANT ALL ON ALL TABLES IN SCHEMA public, mine TO scram_user;
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT format('%I.%I', n.nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE nspname IN ('mine', 'public') AND relkind IN ('r', 'p', 'v') LOOP
    EXECUTE 'ALTER TABLE ' || t || ' OWNER TO scram_user';
  END LOOP; END $$;
ALTER SCHEMA mine OWNER TO scram_user;
ALTER SCHEMA tools OWNER TO scram_user;
ALTER FUNCTION tools.wipes() OWNER TO scram_user;
ALTER FUNCTION tools.wipe(int) OWNER TO scram_user;
ALTER FUNCTION tools.wipe(int, int) OWNER TO scram_user;
ALTER FUNCTION tools.clear() OWNER TO scram_user;
GRANT CREATE ON DATABASE shop TO scram_user;
"""
MIGHTY = (
    PAYROLL
    + """
CREATE ROLE mighty LOGIN SUPERUSER PASSWORD 'mighty';
CREATE FUNCTION tools.hears() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.salaries; END';
CREATE FUNCTION tools.casts(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.salaries; RETURN 1; END';
CREATE FUNCTION tools.compares(a int, b int) RETURNS int LANGUAGE plpgsql
  AS 'BEGIN DELETE FROM public.salaries; RETURN a - b; END';
CREATE FUNCTION tools.makes_a_cast() RETURNS int LANGUAGE plpgsql AS
  'BEGIN CREATE CAST (text AS int) WITH FUNCTION tools.casts(text) AS IMPLICIT; RETURN 1; END';
CREATE EVENT TRIGGER asleep ON ddl_command_end EXECUTE FUNCTION tools.hears();
ALTER EVENT TRIGGER asleep DISABLE;
CREATE OPERATOR tools.<+> (leftarg = int, rightarg = int, function = tools.wipe);
CREATE OPERATOR tools.<<< (leftarg = int, rightarg = int, function = int4lt);
CREATE OPERATOR tools.>>> (leftarg = int, rightarg = int, function = int4gt);
CREATE OPERATOR CLASS tools.comparing FOR TYPE int USING btree AS
  OPERATOR 1 tools.<<<, OPERATOR 3 pg_catalog.=, OPERATOR 5 tools.>>>, FUNCTION 1 tools.compares(int, int);
CREATE TABLE mine.ints (n int);
INSERT INTO mine.ints VALUES (1), (2), (3);
CREATE TABLE mine.parted (n int) PARTITION BY RANGE (n tools.comparing);
CREATE TABLE mine.part PARTITION OF mine.parted FOR VALUES FROM (1) TO (100);
INSERT INTO salaries VALUES ('the salary');
"""
)
"""The same, for a role that may define whatever there is."""
POLICY = """
@id("salaries-are-only-read")
permit (principal, action, resource in Database::"pg-prod/shop")
unless { resource == Object::"pg-prod/shop/public/salaries" && action != Action::"read" };
@id("nothing-unknown")
forbid (principal, action == Action::"unclassified", resource);
"""
ATTACKS = {
    "a view": ("CREATE VIEW mine.v AS SELECT * FROM public.salaries", "DELETE FROM mine.v"),
    "a temporary view": ("CREATE TEMP VIEW v AS SELECT * FROM public.salaries", "UPDATE v SET pay = ''"),
    "a view over a view": (
        "CREATE VIEW mine.v AS SELECT * FROM public.salaries",
        "CREATE VIEW mine.vv AS SELECT * FROM mine.v",
        "MERGE INTO mine.vv USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    ),
    "a replaced view": ("CREATE OR REPLACE VIEW mine.w AS SELECT pay FROM public.salaries", "DELETE FROM mine.w"),
    "a copy": ("CREATE OR REPLACE VIEW mine.w AS SELECT pay FROM public.salaries", "COPY mine.w FROM STDIN"),
    "a prepared statement": (
        "PREPARE p AS DELETE FROM mine.w",
        "CREATE OR REPLACE VIEW mine.w AS SELECT pay FROM public.salaries",
        "EXECUTE p",
    ),
    "a view that comes first": (
        "SET search_path = mine, public",
        "CREATE VIEW mine.notes AS SELECT * FROM public.salaries",
        "DELETE FROM notes",
    ),
    "a view made by code": (
        "DO $$ BEGIN CREATE VIEW mine.v AS SELECT * FROM public.salaries; END $$",
        "DELETE FROM mine.v",
    ),
    "a path": (
        "SET search_path = mine, public",
        "CREATE FUNCTION mine.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM salaries; RETURN 1; END'",
        "SET search_path = public",
        "SELECT mine.f()",
    ),
    "a function's own path": (
        "SET search_path = mine, public",
        "ALTER FUNCTION tools.clear() SET search_path = public",
        "SELECT tools.clear()",
    ),
    "a renamed function": ("ALTER FUNCTION tools.wipe(int) RENAME TO nice", "SELECT tools.nice(1)"),
    "a moved function": ("ALTER FUNCTION tools.wipe(int) SET SCHEMA mine", "SELECT mine.wipe(1)"),
    "a renamed schema": ("ALTER SCHEMA tools RENAME TO kind", "SELECT kind.wipe(1)"),
    "a renamed table": ("ALTER TABLE mine.trapped RENAME TO free", "INSERT INTO mine.free VALUES ('')"),
    "a woken trigger": ("ALTER TABLE mine.asleep ENABLE TRIGGER t", "COPY mine.asleep FROM STDIN"),
    "a partition": (
        "CREATE TABLE mine.p PARTITION OF mine.top DEFAULT",
        "INSERT INTO mine.p VALUES ('')",
    ),
    "an attached partition": (
        "ALTER TABLE mine.base ATTACH PARTITION mine.heir DEFAULT",
        "INSERT INTO mine.base VALUES ('')",
    ),
    "a likeness": ("CREATE TABLE mine.same (LIKE mine.counted INCLUDING ALL)", "INSERT INTO mine.same DEFAULT VALUES"),
    "an operator": (
        "CREATE OPERATOR tools.<+> (leftarg = int, rightarg = int, function = tools.wipe)",
        "SELECT 1 OPERATOR(tools.<+>) 1",
    ),
}


HEARS = "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION tools.hears()"
CAST = "CREATE CAST (text AS int) WITH FUNCTION tools.casts(text) AS IMPLICIT"
CLASS = (
    "CREATE OPERATOR CLASS mine.ops FOR TYPE int USING btree AS OPERATOR 1 tools.<<<, OPERATOR 3 pg_catalog.=, "
    "OPERATOR 5 tools.>>>, FUNCTION 1 tools.compares(int, int)"
)
MIGHTY_ATTACKS = {
    "an event trigger": (HEARS, "CREATE TABLE mine.n ()"),
    "an event trigger of SELECT INTO": (HEARS, "SELECT 1 AS a INTO mine.n"),
    "an event trigger of REINDEX": (HEARS, "REINDEX TABLE mine.ints"),
    "an event trigger made by code": (f"DO $$ BEGIN {HEARS}; END $$", "CREATE TABLE mine.n ()"),
    "a woken event trigger": ("ALTER EVENT TRIGGER asleep ENABLE", "CREATE TABLE mine.n ()"),
    "a cast": (CAST, "CREATE TABLE mine.n AS SELECT ('1'::text)::int AS a"),
    "a cast in EXPLAIN ANALYZE": (CAST, "EXPLAIN ANALYZE SELECT ('1'::text)::int"),
    "a cast of a column": (CAST, "ALTER TABLE mine.plain ALTER pay TYPE int"),
    "a cast made by code": ("SELECT tools.makes_a_cast()", "SELECT ('1'::text)::int"),
    "an operator class": (CLASS, "CREATE INDEX ON mine.ints (n mine.ops)"),
    "an operator class of a range": (
        "CREATE TYPE mine.r AS RANGE (subtype = int, subtype_opclass = tools.comparing)",
        "SELECT mine.r(1, 2)",
    ),
    "an order": ("SELECT n FROM mine.ints ORDER BY n USING OPERATOR(tools.<<<)",),
    "an index": ("CREATE INDEX ON mine.ints (n tools.comparing)",),
    "a partition's key": ("INSERT INTO mine.parted VALUES (5)",),
    "a partition's bounds": ("CREATE TABLE mine.p PARTITION OF mine.parted FOR VALUES FROM (100) TO (200)",),
    "partitions left out": ("SELECT n FROM mine.parted WHERE n OPERATOR(tools.<<<) 3",),
    "a moved operator": ("ALTER OPERATOR tools.<+>(int, int) SET SCHEMA mine", "SELECT 1 OPERATOR(mine.<+>) 1"),
    "an operator of a renamed schema": ("ALTER SCHEMA tools RENAME TO kind", "SELECT 1 OPERATOR(kind.<+>) 1"),
}


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("own")
    with opened(postgres_newest, folder, policies=POLICY, fill=PAYROLL, packs=[], masking=[]) as shop:
        yield shop


@pytest.fixture(scope="module")
def mighty(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A gateway whose credential is a superuser's: nothing but policy keeps it from the salaries."""
    upstream = {"host": "localhost", "port": postgres_newest.port, "database": "shop", "ca": str(postgres_newest.ca)}
    credential = {"user": "mighty", "password": {"env": "PG_PASSWORD"}}
    resources = [{"name": "pg-prod", "kind": "postgres", "upstream": upstream, "credential": credential}]
    folder = tmp_path_factory.mktemp("mighty")
    with opened(
        postgres_newest, folder, policies=POLICY, fill=MIGHTY, packs=[], masking=[], resources=resources,
        environment={"PG_PASSWORD": "mighty"},
    ) as shop:  # fmt: skip
        yield shop
    postgres_newest.execute("DROP DATABASE shop WITH (FORCE)")
    postgres_newest.execute("DROP ROLE mighty")


@pytest.mark.parametrize("steps", ATTACKS.values(), ids=ATTACKS)
def test_what_an_open_transaction_has_defined(shop: Shop, steps: tuple[str, ...]) -> None:
    _refused_at_last(shop, steps)


def _refused_at_last(shop: Shop, steps: tuple[str, ...]) -> None:
    with shop.connect() as thief:
        thief.execute("BEGIN")
        for step in steps[:-1]:
            thief.execute(step)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"^blastwall: policy"):
            thief.execute(steps[-1])
        thief.execute("ROLLBACK")


def test_an_honest_migration_runs(shop: Shop) -> None:
    with shop.connect() as agent, agent.transaction(force_rollback=True):
        agent.execute("CREATE TABLE mine.jobs (id int PRIMARY KEY, at text, done boolean DEFAULT false)")
        agent.execute(
            "CREATE FUNCTION mine.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END'"
        )
        agent.execute("CREATE TRIGGER s BEFORE INSERT ON mine.jobs FOR EACH ROW EXECUTE FUNCTION mine.stamp()")
        agent.execute("CREATE VIEW mine.open AS SELECT * FROM mine.jobs WHERE NOT done")
        agent.execute("INSERT INTO mine.jobs (id) VALUES (1), (2)")
        agent.execute("UPDATE mine.open SET done = true WHERE id = 1")
        assert agent.execute("SELECT id FROM mine.open").fetchall() == [(2,)]


@pytest.mark.parametrize("steps", MIGHTY_ATTACKS.values(), ids=MIGHTY_ATTACKS)
def test_what_a_superuser_has_defined(mighty: Shop, steps: tuple[str, ...]) -> None:
    _refused_at_last(mighty, steps)
