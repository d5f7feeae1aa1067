"""What a request's text defines, as far as later requests of the same transaction must know it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from blastwall.sql.tsql.catalog import Module, Relation

EVERYTHING = "."
"""In the place of a name whose meaning is in doubt: any name's is."""


class What(StrEnum):
    """What happens to a name. ALTERED is a table in a way that is not modelled, DOUBTED leaves everything open."""

    TABLE = "table"
    COLUMNS = "columns"
    ALTERED = "altered"
    CODE = "code"
    DROPPED = "dropped"
    DOUBTED = "doubted"


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of a new table; which columns it refers to is left open, and counts as all."""

    columns: tuple[str, ...]
    schema: str
    name: str
    on_delete: str = "NO_ACTION"
    on_update: str = "NO_ACTION"


@dataclass(frozen=True, slots=True)
class Expression:
    """A CHECK (`column` is "") or DEFAULT, as it is written."""

    column: str
    definition: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Defined:
    """One definition of `schema.name`, in the catalog's spelling.

    `relation` is the new table (TABLE), what is added to it (COLUMNS), or the rows of a view (CODE); its id means
    nothing. `on` is the table or view of a trigger, as (schema, name); ("", "") for one of the database. What is not
    `certain` may not have happened. Where it is `derived`, what the name shows may come of other tables.
    """

    what: What
    schema: str
    name: str
    relation: Relation | None = None
    module: Module | None = None
    keys: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()
    expressions: tuple[Expression, ...] = ()
    on: tuple[str, str] = ("", "")
    certain: bool = True
    derived: bool = False
