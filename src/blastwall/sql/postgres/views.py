"""What stands behind a view's columns."""

from __future__ import annotations

from blastwall.model.statement import Column
from blastwall.sql.postgres.catalog import Catalog, Relation
from blastwall.sql.postgres.classify import classify
from blastwall.sql.postgres.state import NameState


def trace(catalog: Catalog, view: Relation) -> tuple[tuple[frozenset[Column] | None, ...], frozenset[Relation]]:
    """Return the sources of each column of a view, and the tables that it reads, through views below it."""
    unknown: tuple[frozenset[Column] | None, ...] = (None,) * len(view.columns)
    read = classify(view.definition, catalog, NameState((catalog.default_search_path,), ""))
    if len(read) != 1:
        return unknown, frozenset()
    bases = frozenset(
        base
        for base in (catalog.relation(schema, name) for schema, name in read[0].reads)
        if base is not None and base.kind not in "vm"
    )
    outputs = read[0].outputs
    shown = [index for index, name in enumerate(view.columns) if name]
    if outputs is None or len(outputs) != len(shown):
        return unknown, bases
    sources = list(unknown)
    for index, output in zip(shown, outputs, strict=True):
        sources[index] = output.sources
    return tuple(sources), bases
