"""Which columns a name may mean at one place of a query. Names are compared folded, as the catalog's collation does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from blastwall.model.statement import Column
from blastwall.sql.lineage import UNKNOWN, Columns, Lineage, OutputColumn, Sources, union
from blastwall.sql.tsql.catalog import Folding
from blastwall.sql.tsql.nodes import Query

MAX_COLUMNS = 4096
"""The most columns of a SELECT (https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications)."""


@dataclass(slots=True)
class Range:
    """One item of a FROM: `name` and `schema` are folded. Where `columns` is None, each has the lineage `open`.

    `believed` is some column of a table that is taken to have every column that is named of it.
    """

    name: str
    columns: Columns | None
    open: Sources = None
    schema: str = ""
    believed: Column | None = None
    _index: dict[str, Lineage] | None = None

    def find(self, name: str, fold: Folding) -> Lineage | None:
        """Return the lineage of a column, or None where the range has no such column for certain."""
        if self.columns is None:
            if self.believed is not None:
                return Lineage(frozenset({replace(self.believed, column=name)}), exact=True)
            return Lineage(self.open)
        if self._index is None:
            self._index = _indexed(self.columns, fold)
        return self._index.get(fold(name))

    def whole(self) -> Lineage:
        """Return the lineage of a whole row."""
        if self.columns is None:
            return Lineage(self.open if self.believed is None else frozenset({self.believed}))
        return union(Lineage(column.sources) for column in self.columns)


def _indexed(columns: Columns, fold: Folding) -> dict[str, Lineage]:
    index: dict[str, Lineage] = {}
    for column in columns:
        key = fold(column.name)
        lineage = Lineage(column.sources, column.exact)
        index[key] = lineage if key not in index else union([index[key], lineage])
    return index


@dataclass(frozen=True, slots=True)
class Bound:
    """A common table's query, and the common tables that its names may mean: those before it, never itself."""

    query: Query
    around: Mapping[str, Bound]


@dataclass(slots=True)
class Scope:
    """The ranges of one query level, those around it, and the common tables that hide others."""

    fold: Folding
    parent: Scope | None = None
    ranges: list[Range] = field(default_factory=list)
    ctes: dict[str, Columns | None] = field(default_factory=dict)
    bodies: dict[str, Bound] = field(default_factory=dict)
    stars: list[Columns | None] = field(default_factory=list)

    def inner(self) -> Scope:
        """Return a level inside this one."""
        return Scope(self.fold, self)

    def shown(self) -> Columns | None:
        """Return what a bare `*` shows, or None where that is not known."""
        found: list[OutputColumn] = []
        for columns in self.stars:
            if columns is None:
                return None
            found.extend(columns)
            if len(found) > MAX_COLUMNS:
                return None
        return tuple(found)

    def environment(self) -> dict[str, Bound]:
        """Return the common tables that can be named here."""
        around = self.parent.environment() if self.parent is not None else {}
        return {**around, **self.bodies}

    def cte(self, name: str) -> Scope | None:
        """Return the level that defines the common table of that folded name."""
        level: Scope | None = self
        while level is not None and name not in level.ctes:
            level = level.parent
        return level

    def range(self, name: str, schema: str = "") -> Range | None:
        """Return the nearest range of that folded name."""
        level: Scope | None = self
        while level is not None:
            for candidate in level.ranges:
                if candidate.name == name and (not schema or not candidate.schema or candidate.schema == schema):
                    return candidate
            level = level.parent
        return None

    def column(self, name: str) -> Lineage | None:
        """Return the lineage of an unqualified column, or None where no range has it.

        Where a range's columns are not known, the name may be one of them or a column further out: both count.
        """
        level: Scope | None = self
        while level is not None:
            hits, opened = level.here(name)
            if opened and not hits:
                around = level.parent.column(name) if level.parent is not None else None
                return union([*opened, around or Lineage(frozenset())]) if len(opened) > 1 or around else opened[0]
            if hits:
                return hits[0] if all(hit == hits[0] for hit in hits) else union(hits)
            level = level.parent
        return None

    def here(self, name: str) -> tuple[list[Lineage], list[Lineage]]:
        """Return what the ranges of this level alone say of a column: for certain, and perhaps."""
        hits: list[Lineage] = []
        opened: list[Lineage] = []
        for item in self.ranges:
            found = item.find(name, self.fold)
            if item.columns is None:
                opened.append(found or UNKNOWN)
            elif found is not None:
                hits.append(found)
        return hits, opened


def stacked(left: Columns | None, right: Columns | None) -> Columns | None:
    """Return the columns of rows that may come from the one side or the other; names are the left's."""
    if left is None or right is None or len(left) != len(right):
        return None
    return tuple(
        OutputColumn(one.name, union([Lineage(one.sources), Lineage(other.sources)]).sources)
        for one, other in zip(left, right, strict=True)
    )


def merged(columns: Columns | None) -> Lineage:
    """Return the lineage of a value made of all columns."""
    return UNKNOWN if columns is None else union(Lineage(column.sources) for column in columns)
