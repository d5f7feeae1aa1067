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


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("own")
    with opened(postgres_newest, folder, policies=POLICY, fill=PAYROLL, packs=[], masking=[]) as shop:
        yield shop


@pytest.mark.parametrize("steps", ATTACKS.values(), ids=ATTACKS)
def test_what_an_open_transaction_has_defined(shop: Shop, steps: tuple[str, ...]) -> None:
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
