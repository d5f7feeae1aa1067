"""Where values come from: the words that every dialect's reader and every mask plan share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blastwall.model.statement import Column

Sources = frozenset[Column] | None
"""Table columns that a value depends on; None where they could not be traced."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a value comes from. `exact`: it is the value of its single source column."""

    sources: Sources
    exact: bool = False


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A result column. `sources` is None where untraced, empty where no table column matters (constants, counts).

    `exact` is true where the value is that of its single source column, not derived from it. `beside` is set where its
    place hangs on how many columns a relation has: it is what any column of the same list may show.
    """

    name: str
    sources: Sources
    exact: bool = False
    beside: Lineage | None = field(default=None, compare=False)


Columns = tuple[OutputColumn, ...]


CONSTANT = Lineage(frozenset())
UNKNOWN = Lineage(None)


def union(lineages: Iterable[Lineage]) -> Lineage:
    """Return the lineage of a value computed from several; one untraced makes it untraced."""
    found: set[Column] = set()
    for lineage in lineages:
        if lineage.sources is None:
            return UNKNOWN
        found |= lineage.sources
    return Lineage(frozenset(found)) if found else CONSTANT


def renamed(columns: Columns | None, names: tuple[str, ...]) -> Columns | None:
    """Return the columns under the names that an alias gives to the first of them."""
    if columns is None or not names:
        return columns
    return tuple(
        OutputColumn(names[index] if index < len(names) else column.name, column.sources, column.exact, column.beside)
        for index, column in enumerate(columns)
    )
