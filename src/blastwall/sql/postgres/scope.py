"""Which columns a name may mean at one place of a query."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from blastwall.model.statement import Column
from blastwall.sql.lineage import CONSTANT, UNKNOWN, Columns, Lineage, OutputColumn, Sources, union

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
MAX_COLUMNS = 1664
"""The most columns that a result can have (`MaxTupleAttributeNumber`); a name for more is not followed."""


@dataclass(slots=True)
class Range:
    """One item of a FROM. `columns` is None where they are not known: then each of them has the lineage `open`.

    `schema` is the table's where it has no alias. `believed` is some column of a table that is taken to have every
    column that is named of it. `doubted` are the columns of one that is being altered: it may have them still, others
    too, and in another order.
    """

    name: str
    columns: Columns | None
    open: Sources = None
    schema: str = ""
    believed: Column | None = None
    doubted: Columns = ()

    def find(self, name: str) -> Lineage | None:
        """Return the lineage of a column, or None where the range has no such column for certain."""
        if self.columns is None:
            if self.believed is not None:
                return Lineage(frozenset({replace(self.believed, column=name)}), exact=True)
            return _named(name, self.doubted) or Lineage(self.open)
        found = _named(name, self.columns)
        if found is None and any(not column.name for column in self.columns):
            return UNKNOWN
        return found

    def whole(self) -> Lineage:
        """Return the lineage of a whole row."""
        if self.columns is None:
            return Lineage(self.open if self.believed is None else frozenset({self.believed}))
        return union(Lineage(column.sources) for column in self.columns)


def _named(name: str, columns: Columns) -> Lineage | None:
    found = [Lineage(column.sources, column.exact) for column in columns if column.name == name]
    if not found:
        return None
    return found[0] if len(found) == 1 else union(found)


@dataclass(slots=True)
class Scope:
    """The ranges of one query level, those around it, and the CTEs that hide tables."""

    parent: Scope | None = None
    ranges: list[Range] = field(default_factory=list)
    ctes: dict[str, Columns | None] = field(default_factory=dict)
    stars: list[Columns | None] = field(default_factory=list)

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

    def cte(self, name: str) -> Scope | None:
        """Return the level that defines the CTE."""
        level: Scope | None = self
        while level is not None and name not in level.ctes:
            level = level.parent
        return level

    def range(self, name: str, schema: str = "") -> Range | None:
        """Return the nearest range of that name."""
        level: Scope | None = self
        while level is not None:
            for candidate in level.ranges:
                if candidate.name == name and (not schema or candidate.schema == schema):
                    return candidate
            level = level.parent
        return None

    def hides(self, name: str) -> bool:
        """Whether a level around has a column of that name as well."""
        found, level = 0, self if self.parent is not None else None
        while level is not None and found < 2:
            found += any(item.find(name) is not None for item in level.ranges)
            level = level.parent
        return found > 1

    def anywhere(self, name: str) -> Lineage:
        """Return the lineage of whatever may have that name here, were each column that hides another to go."""
        found, level = [self.column(name) or UNKNOWN], self.parent
        while level is not None:
            found += [hit for item in level.ranges if (hit := item.find(name)) is not None]
            level = level.parent
        return union(found)

    def column(self, name: str) -> Lineage | None:
        """Return the lineage of an unqualified column, or None where no range has it.

        Where a range's columns are not known, the name may be one of them or a column further out: both count.
        """
        level: Scope | None = self
        while level is not None:
            known = [item.find(name) for item in level.ranges if item.columns is not None]
            hits = [lineage for lineage in known if lineage is not None]
            opened = [item.find(name) or UNKNOWN for item in level.ranges if item.columns is None]
            if opened and not hits:
                around = level.parent.column(name) if level.parent is not None else None
                return union([*opened, around or CONSTANT])
            if hits:
                return hits[0] if all(hit == hits[0] for hit in hits) else union(hits)
            level = level.parent
        return None
