"""What a database is asked for people who decide: how many rows the one table has that a statement changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blastwall.model.effects import Action, Effect

PREFIX = "estimates of "
_CHANGES = frozenset({Action.UPDATE, Action.DELETE})


class EstimateFailed(Exception):
    """The server cannot be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class TableRows:
    """The question: how many rows this table has."""

    schema: str
    table: str


def question_of(database: str, effects: Sequence[Effect]) -> tuple[str, TableRows] | None:
    """Return which companion to ask what about a statement of these effects: the one table whose rows it changes."""
    changed = {each.object for each in effects if each.action in _CHANGES and each.object.kind == "table"}
    paths = [each.path for each in changed if len(each.path) == 3 and each.path[0] == database]
    if len(changed) != 1 or len(paths) != 1:
        return None
    _, schema, table = paths[0]
    return PREFIX + database, TableRows(schema, table)
