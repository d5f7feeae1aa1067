"""What the transaction under way has done, by the real server's own account."""

from __future__ import annotations

import psycopg

from blastwall.model.effects import Action

_COUNTS = b"""
SELECT n.nspname, c.relname, pg_stat_get_xact_tuples_inserted(c.oid), pg_stat_get_xact_tuples_updated(c.oid),
       pg_stat_get_xact_tuples_deleted(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND n.nspname !~ '^pg_'
"""
_ACTIONS = (Action.CREATE, Action.UPDATE, Action.DELETE)

Happened = tuple[Action, tuple[str, ...]]
Counts = dict[Happened, int]


def row_changes(connection: psycopg.Connection) -> Counts:
    """Return how many rows were inserted, updated and deleted in each table, since the server last put it down."""
    with connection.cursor() as cursor:
        return {
            (action, (schema, name)): count
            for schema, name, *counts in cursor.execute(_COUNTS)
            for action, count in zip(_ACTIONS, counts, strict=True)
        }


def changed(before: Counts, after: Counts) -> set[Happened]:
    """Return what grew: (create, update or delete; schema and name)."""
    return {what for what, count in after.items() if count > before.get(what, 0)}
