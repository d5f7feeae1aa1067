"""What a transaction that is still open has defined itself, put over the catalog's snapshot.

The catalog tells it only after the commit. Until then its own session goes by what it was judged to define:

- a table that is *new* (nothing had its name) is known by its definition: it is that, or it is not there;
- a change of what the catalog knows counts as made where its text ran for certain: no IF around it, no error, no
  savepoint that was rolled back to since. Otherwise a table becomes `loose`, so that nothing is certain of its columns,
  and any other name `doubted`, so that whoever uses it is `unclassified`.

Whoever ends the transaction reads the catalog again and forgets all this.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from hashlib import blake2b
from itertools import count

from blastwall.sql.tsql.catalog import Catalog, Constraint, ForeignKey, Key, Module, Place, Relation
from blastwall.sql.tsql.defined import EVERYTHING, Defined, What
from blastwall.sql.tsql.statement import Changes, Classified

_OWN = (
    "this session may have changed what {name} means, and the catalog does not tell before its transaction has ended: "
    "commit first"
)
MOST_PENDING = 2_000
"""The most definitions that a transaction is followed through; after that every name is in doubt."""


class Pending:
    """The definitions of one session's open transaction."""

    def __init__(self) -> None:
        self._steps: list[Defined] = []
        self._unsettled: set[str] = set()
        self._base: Catalog | None = None
        self._over: Catalog | None = None
        self._versions = count(-1, -1)

    def over(self, catalog: Catalog) -> Catalog:
        """Return the catalog as the transaction sees it, under a version of its own."""
        if not self._steps and not self._unsettled:
            return catalog
        if self._over is None or self._base is not catalog:
            draft = _Draft(catalog)
            draft.doubted |= self._unsettled
            for step in self._steps:
                draft.apply(step)
            self._base, self._over = catalog, draft.catalog(next(self._versions))
        return self._over

    def note(self, classified: Classified, catalog: Catalog, *, certain: bool) -> None:
        """Take what a request has done; `certain` is whether all of it ran. The catalog tells how names compare."""
        changes = classified.changes
        if changes.made or changes.unsettled:
            self._add(changes, catalog, certain=certain)
        if "rollback" in classified.transaction:
            self.doubt()

    def _add(self, changes: Changes, catalog: Catalog, *, certain: bool) -> None:
        settled: set[str] = set()
        for one in changes.made:
            step = one if certain else replace(one, certain=False)
            self._steps.append(step)
            if step.certain and step.what in (What.TABLE, What.CODE, What.DROPPED):
                settled.add(catalog.key(step.schema, step.name))
        self._unsettled |= changes.unsettled - settled
        if len(self._steps) > MOST_PENDING:
            self._steps.clear()
            self._unsettled.add(EVERYTHING)
        self._over = None

    def doubt(self) -> None:
        """Any of it may have been undone."""
        self._steps = [replace(one, certain=False) for one in self._steps]
        self._over = None

    def clear(self) -> None:
        """The transaction is over, and the catalog read again."""
        self._steps.clear()
        self._unsettled.clear()
        self._base = self._over = None


class _Draft:
    """A catalog that is being changed."""

    def __init__(self, base: Catalog) -> None:
        self._base = base
        self._relations: dict[Place, Relation | None] = {}
        self._modules: dict[Place, Module | None] = {}
        self._keys: list[Key] = []
        self._foreign: list[ForeignKey] = []
        self._constraints: list[Constraint] = []
        self._loose: set[int] = set()
        self.doubted: set[str] = set()

    def catalog(self, version: int) -> Catalog:
        """Return what has become of it."""
        made = copy(self._base)
        made.redefine(
            version,
            relations=self._relations.items(),
            modules=self._modules.items(),
            foreign_keys=self._foreign,
            keys=self._keys,
            constraints=self._constraints,
            loose=self._loose,
            doubted=((one, _OWN) for one in self.doubted),
        )
        return made

    def apply(self, step: Defined) -> None:
        """Make one change."""
        match step.what:
            case What.TABLE:
                self._table(step)
            case What.COLUMNS:
                self._columns(step)
            case What.ALTERED:
                self._loosen(step)
            case What.CODE:
                self._code(step)
            case What.DROPPED:
                self._dropped(step)
            case What.DOUBTED:
                self._doubt(step.schema, step.name)

    # ── look-ups ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, schema: str, name: str) -> Place:
        fold = self._base.fold
        return fold(schema), fold(name)

    def _relation(self, schema: str, name: str) -> Relation | None:
        place = self._place(schema, name)
        return self._relations[place] if place in self._relations else self._base.relation(schema, name)

    def _module(self, schema: str, name: str) -> Module | None:
        place = self._place(schema, name)
        return self._modules[place] if place in self._modules else self._base.module(schema, name)

    def _otherwise(self, schema: str, name: str) -> bool:
        """Whether the name is that of something that is not followed here."""
        return self._base.synonym(schema, name) is not None or self._base.thing(schema, name) is not None

    def _id(self, schema: str, name: str) -> int:
        known = self._relation(schema, name) or self._module(schema, name)
        if known is not None:
            return known.id
        digest = blake2b(repr(self._place(schema, name)).encode(), digest_size=7).digest()
        return -1 - int.from_bytes(digest, "big")

    def _doubt(self, schema: str, name: str) -> None:
        self.doubted.add(self._base.key(schema, name) if name else EVERYTHING)

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _table(self, step: Defined) -> None:
        old, made = self._relation(step.schema, step.name), step.relation
        if self._module(step.schema, step.name) is not None or self._otherwise(step.schema, step.name):
            self._doubt(step.schema, step.name)
        elif old is not None and not step.certain:
            self._loosen(step)
        elif made is not None:
            number = self._id(step.schema, step.name)
            self._put(replace(made, id=number))
            self._guards(step, number)

    def _columns(self, step: Defined) -> None:
        old, added = self._relation(step.schema, step.name), step.relation
        if old is None:
            if self._otherwise(step.schema, step.name):
                self._doubt(step.schema, step.name)
            return
        if _is_code(old):
            self._doubt(step.schema, step.name)
            return
        if added is not None and step.certain and len(old.types) == len(old.columns):
            self._put(
                replace(
                    old,
                    columns=(*old.columns, *added.columns),
                    types=(*old.types, *added.types),
                    computed=(*old.computed, *added.computed),
                    identity=old.identity or added.identity,
                )
            )
        elif added is not None:
            self._loosen(step)
        self._guards(step, old.id)

    def _loosen(self, step: Defined) -> None:
        old = self._relation(step.schema, step.name)
        if old is not None and not _is_code(old):
            self._loose.add(old.id)
        elif old is not None or self._otherwise(step.schema, step.name):
            self._doubt(step.schema, step.name)

    def _put(self, relation: Relation) -> None:
        self._relations[self._place(*relation.place)] = relation

    def _guards(self, step: Defined, table: int) -> None:
        """Keys, foreign keys and checks add to what writing does: they count whether or not they came to be."""
        self._keys += [Key(table, columns) for columns in step.keys]
        self._constraints += [Constraint(table, one.column, one.definition, one.default) for one in step.expressions]
        for one in step.references:
            other = self._relation(one.schema, one.name)
            if other is not None:
                self._foreign.append(
                    ForeignKey(table, one.columns, other.id, other.columns, one.on_delete, one.on_update)
                )

    # ── code ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _code(self, step: Defined) -> None:
        module = step.module
        of_trigger = step.on != ("", "")
        table = self._relation(*step.on) if of_trigger else None
        if module is None or not step.certain or (of_trigger and table is None):
            self._doubt(step.schema, step.name)
            if of_trigger or (module is not None and module.type == "TR"):
                self._doubt(*step.on)
            return
        if self._otherwise(step.schema, step.name):
            self._doubt(step.schema, step.name)
        number = self._id(step.schema, step.name)
        place = self._place(step.schema, step.name)
        self._modules[place] = replace(module, id=number, parent=table.id if table is not None else 0)
        self._relations[place] = None if step.relation is None else replace(step.relation, id=number)

    def _dropped(self, step: Defined) -> None:
        module, place = self._module(step.schema, step.name), self._place(step.schema, step.name)
        if step.certain and not self._otherwise(step.schema, step.name):
            self._relations[place] = self._modules[place] = None
        elif module is None:
            self._loosen(step)
        elif module.parent:
            on = self._owner(module)
            self._doubt(*on) if on is not None else self._doubt("", "")
        else:
            self._doubt(step.schema, step.name)

    def _owner(self, trigger: Module) -> Place | None:
        """The table or view of a trigger."""
        for one in self._relations.values():
            if one is not None and one.id == trigger.parent:
                return one.place
        known = self._base.by_id(trigger.parent)
        return known.place if known is not None else None


def _is_code(relation: Relation) -> bool:
    return relation.type.strip() != "U"
