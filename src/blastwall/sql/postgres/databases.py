"""Which database must be nobody's for a statement to run: the server refuses while anybody else is connected to it."""

from __future__ import annotations

from blastwall.sql.postgres.tree import Node, items, options, scalar, text

_COPIED = "template1"
"""What CREATE DATABASE copies where it names no other (dbcommands.c, createdb)."""


def must_be_free(tag: str, node: Node) -> frozenset[str]:
    """Return the database that a statement drops, renames, moves or copies, as `CountOtherDBBackends` counts it."""
    match tag:
        case "DropdbStmt":
            return frozenset({text(node, "dbname")})
        case "RenameStmt" if text(node, "renameType") == "OBJECT_DATABASE":
            return frozenset({text(node, "subname")})
        case "AlterDatabaseStmt" if any(name == "tablespace" for name, _ in options(items(node, "options"))):
            return frozenset({text(node, "dbname")})
        case "CreatedbStmt":
            named = [scalar(value) for name, value in options(items(node, "options")) if name == "template"]
            return frozenset({next(filter(None, named), _COPIED)})
        case _:
            return frozenset()
