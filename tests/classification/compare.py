"""Whether the classifier saw what happened: equal, more, conceded or missed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from blastwall.model.effects import Action, Effect, Mark
from blastwall.sql.postgres import Catalog
from blastwall.sql.postgres.views import trace

Happened = tuple[str, str, str]


class Verdict(StrEnum):
    """EQUAL: the same. MORE: all of it, and what did not happen this time. CONCEDED: not known, and said so."""

    EQUAL = "equal"
    MORE = "more"
    CONCEDED = "conceded"
    MISSED = "missed"


_CHANGING = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
_DEFINING = frozenset({Action.DEFINE, Action.DROP, Action.ENTITLE, Action.ADMIN, Action.UPDATE})
_SEEING = frozenset(Action) - {Action.CONNECT}
_COVERS = {
    "read": _SEEING,
    "write": _CHANGING | _DEFINING | {Action.READ},  # a MERGE that does nothing; rows that change are looked at below
    "create": frozenset({Action.CREATE, Action.DEFINE}),
    "update": frozenset({Action.UPDATE}),
    "delete": frozenset({Action.DELETE, Action.DROP}),
    "define": _DEFINING,
    "drop": frozenset({Action.DROP}),
}
_PARTS = frozenset(
    {"index", "sequence", "table constraint", "table column", "default value", "domain constraint", "trigger", "rule",
     "policy", "toast table", "publication relation", "publication namespace"}
)  # fmt: skip


def compare(effects: Iterable[Effect], happened: set[Happened], catalog: Catalog) -> tuple[Verdict, set[Happened]]:
    """Return the verdict, and what was missed."""
    said = list(effects)
    missed = {
        one
        for one in happened
        if not any(excuse(one, said, catalog) for excuse in (_covered, _of_kin, _refreshed, _rewritten, _above))
    }
    if missed and any(effect.action in {Action.UNCLASSIFIED, Action.EXECUTE} for effect in said):
        return Verdict.CONCEDED, set()
    if any(effect.action is Action.UNCLASSIFIED for effect in said):
        return Verdict.CONCEDED, set()
    if missed:
        return Verdict.MISSED, missed
    return (Verdict.EQUAL if all(_happened(effect, happened, catalog) for effect in said) else Verdict.MORE), set()


def _covered(one: Happened, said: list[Effect], _catalog: Catalog) -> bool:
    what, schema, name = one
    if "|" in name:
        return _heard(what, schema, name, said)
    for effect in said:
        path = effect.object.path[1:]
        moved = what in {"create", "delete"} and effect.action is Action.UPDATE and Mark.PART in effect.marks
        if (effect.action in _COVERS[what] or moved) and (path == (schema, name) or path in {(schema,), ()}):
            return True
    return False


def _of_kin(one: Happened, said: list[Effect], catalog: Catalog) -> bool:
    """Locks on the other tables of a partitioned or inheriting family, and on the table of an index.

    Partitions are checked against their parents' bounds, and what changes one of them locks the others; so it is with
    tables that refer to each other by foreign keys. Rows that change are never excused by this.
    """
    what, schema, name = one
    if what not in {"read", "define"} or "|" in name:
        return False
    defining = [effect for effect in said if effect.action in _DEFINING | _CHANGING]
    named = any(effect.object.path[1:] == (schema, name) for effect in said)
    if what == "define" and defining and named:
        return True  # a foreign key locks the table that it refers to, which is said to be read
    if any(effect.object.kind == "index" for effect in defining) or (
        what == "define" and defining and name.endswith("_seq")
    ):
        return True
    if what == "define" and any(effect.object.path[1:2] == ("@publications",) for effect in defining):
        return True  # what a publication no longer has is locked; what it has from now on is said
    family = _family(catalog, schema, name)
    return any(effect.object.path[1:] in family for effect in defining)


def _refreshed(one: Happened, said: list[Effect], catalog: Catalog) -> bool:
    """REFRESH … CONCURRENTLY replaces what changed of a materialized view by way of temporary tables of its own."""
    what, schema, name = one
    defined = [effect for effect in said if effect.action is Action.DEFINE]
    if what == "drop":  # a view that the transaction itself made is not known as one
        return bool(defined) and re.fullmatch(r"pg_temp\|pg_temp\.pg_temp_\d+(_2)?", name) is not None
    views = [effect.object.path[1:] for effect in defined if effect.object.kind == "view"]
    relation = catalog.relation(schema, name)
    return what == "delete" and relation is not None and relation.kind == "m" and (schema, name) in views


def _rewritten(one: Happened, said: list[Effect], catalog: Catalog) -> bool:
    """INSERT by way of a view locks all that the view's query reads, and reads of it only for a CHECK OPTION."""
    what, schema, name = one
    for effect in said:
        path = effect.object.path[1:]
        view = catalog.relation(*path) if len(path) == 2 and effect.action is Action.CREATE else None
        if what == "read" and view is not None and view.kind == "v" and not catalog.attached(view.oid).checked:
            return any((base.schema, base.name) == (schema, name) for base in trace(catalog, view)[1])
    return False


def _above(one: Happened, said: list[Effect], catalog: Catalog) -> bool:
    """Whoever looks at a partition, be it for a foreign key, locks the tables above it, and reads no row of them."""
    what, schema, name = one
    todo = (
        [] if what != "read" else catalog.temporary(name) if schema == "pg_temp" else [catalog.relation(schema, name)]
    )
    paths = {effect.object.path[1:] for effect in said if effect.action is not Action.CONNECT}
    oids = [relation.oid for relation in todo if relation is not None]
    while oids:
        for oid in catalog.attached(oids.pop()).children:
            child = catalog.by_oid(oid)
            if child is not None and catalog.object(child).path[1:] in paths:
                return True
            oids.append(oid)
    return False


def _family(catalog: Catalog, schema: str, name: str) -> set[tuple[str, ...]]:
    up: dict[int, set[int]] = {}
    for oid, attached in catalog.attachments.relations.items():
        for child in (*attached.children, *(key.child for key in attached.cascades)):
            up.setdefault(child, set()).add(oid)
            up.setdefault(oid, set()).add(child)
    relation = catalog.relation(schema, name)
    known = catalog.temporary(name) if schema == "pg_temp" else [relation] if relation else []
    seen, todo = set(), [one.oid for one in known]
    while todo:
        oid = todo.pop()
        if oid not in seen:
            seen.add(oid)
            todo.extend(up.get(oid, ()))
    found = (catalog.by_oid(oid) for oid in seen)
    return {catalog.object(one).path[1:] for one in found if one is not None}


def _heard(what: str, kind: str, name: str, said: list[Effect]) -> bool:
    """An object that event triggers tell of: some effect of that sort names it, its table or its schema.

    Indexes, constraints, columns and owned sequences are parts of the table that the statement defines.
    """
    schema, _, identity = name.partition("|")
    wanted = _DEFINING | {Action.EXECUTE} if what == "define" else frozenset({Action.DROP, Action.ENTITLE})
    plain = identity.replace('"', "")
    for effect in said:
        path = effect.object.path[1:]
        if effect.action not in wanted:
            continue
        if not path or path == (schema,) or path[-1] in plain or effect.object.pseudo:
            return True
    parts = kind in _PARTS and any(effect.action in _DEFINING for effect in said)
    return parts or (what == "drop" and kind in _PARTS and any(one.action is Action.DROP for one in said))


def _happened(effect: Effect, happened: set[Happened], catalog: Catalog) -> bool:
    """Whether an effect on a relation came true; effects on anything else have no other witness."""
    path = effect.object.path[1:]
    if len(path) != 2 or effect.object.kind not in {"table", "view"} or path[0] in {"pg_catalog", "information_schema"}:
        return True
    return any(one[1:] == path or one[2].replace('"', "").find(path[1]) >= 0 for one in happened)
