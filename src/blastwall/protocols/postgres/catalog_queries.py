"""The queries of the side connection.

They run under `search_path = pg_catalog`, so that no object of an agent's own can stand in for a function or operator
that they use (CVE-2018-1058).
"""

from __future__ import annotations

from blastwall.protocols.postgres.binary_values import SHAPES
from blastwall.protocols.postgres.code_queries import CODE
from blastwall.protocols.postgres.constraints import CHECKS, GENERATED

SEARCH_PATH = "SHOW search_path"
SECURE = (SEARCH_PATH, "SET search_path TO pg_catalog", "SET statement_timeout TO '30s'")
"""Read the role's own search_path first, then let nothing but pg_catalog be found; `INITIAL_FUNCTIONS` follows."""

MOMENT = "SELECT txid_current_snapshot()::text"
"""Which transactions are seen: two moments at which it is the same see the same catalog, to the byte.

It costs a hundredth of the fingerprint, and says nothing where anybody has written anything meanwhile.
"""

FINGERPRINT = """
SELECT txid_current_snapshot()::text,
       (SELECT substr(setting, 13) FROM pg_db_role_setting s, unnest(setconfig) setting
        WHERE split_part(setting, '=', 1) = 'search_path'
              AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
              AND setrole IN (0, session_user::regrole::oid)
        ORDER BY setrole <> 0 AND setdatabase <> 0 DESC, setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_attribute WHERE attnum > 0),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_class),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_proc),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_rewrite),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_inherits),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_namespace),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_attrdef),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_constraint),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_index),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_policy),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_trigger),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_operator),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_cast),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_foreign_table),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_event_trigger),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_statistic_ext),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_amproc),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_type)
"""
"""Changes with whatever the other queries read; system columns of pg_attribute never change.

The second value is the search_path that a new session of this role and database is given (`process_settings`,
utils/init/postinit.c), NULL for the server's own.
"""

RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind, a.names, a.types
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (SELECT attrelid,
                  json_agg(CASE WHEN attisdropped THEN '' ELSE attname END ORDER BY attnum) AS names,
                  json_agg(atttypid::int8 ORDER BY attnum) AS types
           FROM pg_attribute WHERE attnum > 0 GROUP BY attrelid) a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND n.nspname <> 'pg_toast'
"""

VIEWS_AT_ONCE = 200
_VIEWS = """
SELECT v.oid, pg_get_viewdef(v.oid)
FROM (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.oid > {after}
      ORDER BY c.oid LIMIT {most}) v
"""


def views_after(oid: int) -> str:
    """Return the query for the definitions of the next views, by OID, `VIEWS_AT_ONCE` of them.

    `pg_get_viewdef` locks what a view reads until its statement's end: all of a database's views at once can be more
    than the server's lock table holds (`max_locks_per_transaction`), which would fail others' statements too.
    """
    return _VIEWS.format(after=oid, most=VIEWS_AT_ONCE)


FIRST_VIEWS = views_after(0)

_FUNCTIONS = """
SELECT n.nspname, p.proname, l.lanname, p.provolatile, p.prosecdef, p.prokind, p.oid,
       CASE WHEN p.oid >= 16384 AND p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql')
                 AND octet_length(p.prosrc) <= 65536
            THEN pg_get_functiondef(p.oid) END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.xmin::text {written} '1'
"""
FUNCTIONS = _FUNCTIONS.format(written="<>")
INITIAL_FUNCTIONS = _FUNCTIONS.format(written="=")
"""Some three thousand functions that are as they were when the cluster was made: read once a connection.

Their rows were written by the bootstrap (BootstrapTransactionId is 1, access/transam.h). Whatever changes one writes
its row anew, in a transaction of its own: it is among `FUNCTIONS` from then on.
"""

SCHEMAS = "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'USAGE')"
"""Those that a search_path does not pass by."""

PARENTS = """
WITH RECURSIVE up(child, parent) AS (
  SELECT inhrelid, inhparent FROM pg_inherits
  UNION SELECT up.child, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.parent)
SELECT child, parent FROM up
"""

TEXT_TYPES = """
SELECT oid FROM pg_type WHERE oid >= 16384 AND (typcategory = 'S' OR typtype = 'e') AND typtype <> 'd'
"""

ATTACHED = """
SELECT tgrelid, 'trigger', json_build_array(tgtype, tgfoid::int8)::text FROM pg_trigger t
       JOIN pg_proc p ON p.oid = t.tgfoid
       WHERE tgenabled <> 'D' AND NOT (p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^RI_FKey_')
UNION ALL SELECT ev_class, 'rule', json_build_array(ev_type, pg_get_ruledef(oid))::text FROM pg_rewrite
       WHERE ev_type <> '1' AND ev_enabled <> 'D' AND ev_class >= 16384
UNION ALL SELECT confrelid, 'cascade', json_build_array(conrelid::int8, confdeltype, confupdtype,
              CASE WHEN conparentid = 0 OR current_setting('server_version_num')::int < 150000
                   THEN confdeltype ELSE 'a' END)::text
       FROM pg_constraint WHERE contype = 'f'
UNION ALL SELECT oid, 'checked', '1' FROM pg_class WHERE relkind = 'v' AND reloptions::text ~ 'check_option='
UNION ALL SELECT d.adrelid, 'sequence', s.refobjid::text FROM pg_attrdef d
       JOIN pg_depend s ON s.classid = 'pg_attrdef'::regclass AND s.objid = d.oid
                           AND s.refclassid = 'pg_class'::regclass
       JOIN pg_class c ON c.oid = s.refobjid AND c.relkind = 'S'
       WHERE NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid
                         AND o.deptype IN ('a', 'i') AND o.refobjid = d.adrelid)
UNION ALL SELECT f.ftrelid, 'server', s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
UNION ALL SELECT inhparent, 'child', inhrelid::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE c.relkind IN ('r', 'p', 'f')
UNION ALL SELECT 0, 'event', e.evtfoid::text FROM pg_event_trigger e WHERE e.evtenabled <> 'D'
UNION ALL SELECT 0, 'operator', json_build_array(n.nspname, o.oprname, o.oprcode::oid::int8)::text
       FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid >= 16384 AND o.oprcode <> 0
UNION ALL SELECT t.oid, 'named', json_build_array(n.nspname, t.typname)::text
       FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
       WHERE t.oid >= 16384 AND (t.typcategory <> 'A' OR t.typtype = 'd') AND (c.oid IS NULL OR c.relkind = 'c'
             OR t.oid IN (SELECT atttypid FROM pg_attribute WHERE atttypid >= 16384)
             OR t.typarray IN (SELECT atttypid FROM pg_attribute WHERE atttypid >= 16384)
             OR t.oid IN (SELECT typbasetype FROM pg_type WHERE typbasetype >= 16384))
UNION ALL SELECT t.typbasetype, 'within', t.oid::text FROM pg_type t WHERE t.typbasetype >= 16384
UNION ALL SELECT t.typelem, 'within', t.oid::text FROM pg_type t WHERE t.typelem >= 16384
UNION ALL SELECT r.rngsubtype, 'within', r.rngtypid::text FROM pg_range r WHERE r.rngsubtype >= 16384
UNION ALL SELECT r.rngtypid, 'within', r.rngmultitypid::text FROM pg_range r WHERE r.rngtypid >= 16384
UNION ALL SELECT DISTINCT a.atttypid, 'within', c.reltype::text
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       WHERE a.atttypid >= 16384 AND a.attnum > 0 AND c.reltype <> 0
UNION ALL SELECT c.reloftype, 'rows', c.oid::text FROM pg_class c WHERE c.reloftype <> 0
"""
"""What hangs on relations, operators and types: (OID of the relation or type, what, detail)."""

QUERIES = (
    RELATIONS, FIRST_VIEWS, FUNCTIONS, SCHEMAS, PARENTS, TEXT_TYPES, CHECKS, GENERATED, CODE, ATTACHED, SHAPES,
)  # fmt: skip

PLANNED_MOST = 5000
"""Up to so many relations a reading goes by plans that the server keeps: in a small catalog it plans longer than it
reads. In a larger one the tables that are read may have grown out of a plan, and planning is the small part.
"""


class Plans:
    """The queries of a reading that a connection has prepared by name."""

    def __init__(self) -> None:
        self.kept = True
        self._names: dict[str, str] = {
            query: f"blastwall_{at}" for at, query in enumerate((MOMENT, FINGERPRINT, *QUERIES))
        }
        self._prepared: set[str] = set()

    def text(self, query: str) -> str:
        """Return what is sent to run a query: its plan by name, which the first sending makes."""
        name = self._names.get(query)
        if name is None or not self.kept:
            return query
        if name in self._prepared:
            return f"EXECUTE {name}"
        self._prepared.add(name)
        return f"PREPARE {name} AS {query}; EXECUTE {name}"
