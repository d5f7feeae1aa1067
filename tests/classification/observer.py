"""What a statement did, by the real server's own account: locks, rows, and what event triggers hear."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

Name = tuple[str, str]

SETUP = b"""
CREATE SCHEMA blastwall_observer;
CREATE UNLOGGED TABLE blastwall_observer.heard (
  number int8 GENERATED ALWAYS AS IDENTITY, what text, kind text, schema text, identity text);
GRANT USAGE ON SCHEMA blastwall_observer TO PUBLIC;
GRANT SELECT ON blastwall_observer.heard TO PUBLIC;
CREATE FUNCTION blastwall_observer.defined() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN INSERT INTO blastwall_observer.heard (what, kind, schema, identity)
      SELECT 'define', object_type, schema_name, object_identity FROM pg_event_trigger_ddl_commands(); END $$;
CREATE FUNCTION blastwall_observer.dropped() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN INSERT INTO blastwall_observer.heard (what, kind, schema, identity)
      SELECT 'drop', object_type, schema_name, object_identity FROM pg_event_trigger_dropped_objects() WHERE original;
END $$;
CREATE EVENT TRIGGER blastwall_defined ON ddl_command_end EXECUTE FUNCTION blastwall_observer.defined();
CREATE EVENT TRIGGER blastwall_dropped ON sql_drop EXECUTE FUNCTION blastwall_observer.dropped();
"""

_LOCKS = b"""
SELECT l.relation::int8, l.mode, coalesce(n.nspname, ''), coalesce(c.relname, ''), coalesce(c.relkind, '')
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384
"""
_ROWS = b"""
SELECT n.nspname, c.relname, pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_updated(c.oid), pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384
  AND (pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) > 0 OR pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) > 0
       OR pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) > 0)
"""
_HEARD = b"SELECT what, kind, coalesce(schema, ''), identity FROM blastwall_observer.heard ORDER BY number"
_KINDS = frozenset("rpvmfS")
_STRONG = frozenset({"ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock",
                     "AccessExclusiveLock"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """Sets of (what, schema, name); `what` is read, write, define, drop, create, update or delete."""

    locks: frozenset[tuple[int, str, str, str, str]]
    rows: dict[tuple[str, str, str], int]
    heard: tuple[tuple[str, str, str, str], ...]


def account(connection: psycopg.Connection) -> Account:
    """Return what the transaction under way has done so far."""
    with connection.cursor() as cursor:
        locks = frozenset(
            (oid, mode, "pg_temp" if schema.startswith("pg_temp") else schema, name, kind)
            for oid, mode, schema, name, kind in cursor.execute(_LOCKS)
            if schema not in {"pg_toast", "blastwall_observer"}
        )
        rows: dict[tuple[str, str, str], int] = {}
        for schema, name, *counts in cursor.execute(_ROWS):
            if schema != "blastwall_observer":
                held = "pg_temp" if schema.startswith("pg_temp") else schema
                rows.update(
                    {
                        (what, held, name): count
                        for what, count in zip(("create", "update", "delete"), counts, strict=True)
                    }
                )
        heard = tuple(cursor.execute(_HEARD).fetchall())
    return Account(locks, rows, heard)


def since(before: Account, after: Account) -> set[tuple[str, str, str]]:
    """Return what came between two accounts of one transaction."""
    found = {what for what, count in after.rows.items() if count > before.rows.get(what, 0)}
    for _, mode, schema, name, kind in after.locks - before.locks:
        if kind not in _KINDS or not name:
            continue
        if mode == "AccessShareLock":
            found.add(("read", schema, name))
        elif mode == "RowExclusiveLock" and kind != "S":
            found.add(("write", schema, name))
        elif mode in _STRONG and kind != "S":
            found.add(("define", schema, name))
    for what, kind, schema, identity in after.heard[len(before.heard) :]:
        found.add((what, kind, f"{schema}|{identity}"))
    return found
