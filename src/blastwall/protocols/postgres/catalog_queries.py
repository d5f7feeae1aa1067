"""The queries of the side connection.

They run under `search_path = pg_catalog`, so that no object of an agent's own can stand in for a function or operator
that they use (CVE-2018-1058).
"""

from __future__ import annotations

from blastwall.protocols.postgres.constraints import CHECKS, GENERATED

SEARCH_PATH = "SHOW search_path"
SECURE = (SEARCH_PATH, "SET search_path TO pg_catalog", "SET statement_timeout TO '30s'")
"""Read the role's own search_path first, then let nothing but pg_catalog be found."""

FINGERPRINT = """
SELECT (SELECT json_build_array(count(*), max(oid::int8), sum(xmin::text::int8)) FROM pg_class),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_attribute WHERE attnum > 0),
       (SELECT json_build_array(count(*), max(oid::int8), sum(xmin::text::int8)) FROM pg_proc),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_rewrite),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_inherits),
       (SELECT json_build_array(count(*), sum(xmin::text::int8)) FROM pg_namespace)
"""

RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind, a.names, a.types,
       CASE WHEN c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            THEN pg_get_viewdef(c.oid) END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (SELECT attrelid,
                  json_agg(CASE WHEN attisdropped THEN '' ELSE attname END ORDER BY attnum) AS names,
                  json_agg(atttypid::int8 ORDER BY attnum) AS types
           FROM pg_attribute WHERE attnum > 0 GROUP BY attrelid) a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND n.nspname <> 'pg_toast'
"""

FUNCTIONS = """
SELECT n.nspname, p.proname, l.lanname, p.provolatile, p.prosecdef, p.prokind
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
"""

SCHEMAS = "SELECT nspname FROM pg_namespace"

PARENTS = """
WITH RECURSIVE up(child, parent) AS (
  SELECT inhrelid, inhparent FROM pg_inherits
  UNION SELECT up.child, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.parent)
SELECT child, parent FROM up
"""

TEXT_TYPES = """
SELECT oid FROM pg_type WHERE oid >= 16384 AND (typcategory = 'S' OR typtype = 'e') AND typtype <> 'd'
"""

QUERIES = (RELATIONS, FUNCTIONS, SCHEMAS, PARENTS, TEXT_TYPES, CHECKS, GENERATED)
