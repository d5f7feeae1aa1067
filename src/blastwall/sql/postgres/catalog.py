"""An immutable snapshot of one database's catalog, as far as names, columns and views go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blastwall.model.effects import Object
from blastwall.model.statement import Column
from blastwall.sql.lineage import Lineage, OutputColumn, union
from blastwall.sql.postgres.attached import NO_ATTACHMENTS, Attached, Attachments
from blastwall.sql.postgres.following import Memory

MAX_VIEW_DEPTH = 32
TEMPORARY = "pg_temp"
_STORED = frozenset("rpfm")
_KINDS = {"v": "view", "m": "view", "S": "sequence", "i": "index", "I": "index", "c": "type"}


@dataclass(frozen=True, slots=True)
class Check:
    """A constraint: writing one of the columns `written` compares with the columns `compared`, or fails by them.

    `others` is whether it looks at other rows than the one written: keys do, CHECK does not.
    """

    written: frozenset[str]
    compared: frozenset[Column]
    others: bool = True


Constraint = tuple[str, tuple[str, ...], int, tuple[str, ...]]
"""A constraint as it is kept: its kind (k key, f foreign key, c check), the columns written, the OID of the relation
that they are compared with, and its columns. Plain tuples, which the collector leaves alone: there are many of them.
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of pg_class. `columns` are by attnum - 1, "" where dropped; `definition` is pg_get_viewdef's.

    `generated` names the generated columns, each with those of the row that it is made of, `defaults` the columns that
    get a value where a new row has none, `key` those that say which partition a row is in.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[str, ...]
    definition: str = ""
    types: tuple[int, ...] = ()
    checks: tuple[Check, ...] = ()
    generated: tuple[tuple[str, frozenset[str]], ...] = ()
    defaults: frozenset[str] = frozenset()
    key: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Function:
    """A row of pg_proc; `volatility` is i, s or v, `kind` f, p, a or w.

    `definition` is pg_get_functiondef's where the language is one that Blastwall reads, else "".
    """

    schema: str
    name: str
    language: str
    volatility: str
    security_definer: bool
    kind: str
    oid: int = 0
    definition: str = ""


@dataclass(slots=True)
class _Views:
    sources: dict[int, tuple[frozenset[Column] | None, ...]] = field(default_factory=dict)
    bases: dict[int, frozenset[Relation]] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)


class Functions:
    """Functions by their names and OIDs: those that one catalog after the other has in common."""

    __slots__ = ("by_name", "by_oid")

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        found: dict[tuple[str, str], list[Function]] = {}
        for function in functions:
            found.setdefault((function.schema, function.name), []).append(function)
        self.by_name: Mapping[tuple[str, str], tuple[Function, ...]] = {key: tuple(one) for key, one in found.items()}
        self.by_oid: Mapping[int, Function] = {one.oid: one for several in found.values() for one in several}

    def without(self, changed: Collection[int]) -> Functions:
        """Leave out those of these OIDs."""
        return Functions(one for one in self.by_oid.values() if one.oid not in changed) if changed else self


NO_FUNCTIONS = Functions()


class Catalog:
    """Look-ups are dictionary hits; what a view is made of is worked out once, when first asked.

    View definitions are read with `default_search_path`: the companion should print them with an empty search_path,
    so that every name in them is qualified.
    """

    def __init__(  # noqa: PLR0917 - a frozen snapshot's fields
        self,
        database: str,
        version: int,
        relations: Iterable[Relation] = (),
        functions: Iterable[Function] = (),
        schemas: Iterable[str] = (),
        default_search_path: tuple[str, ...] = ("$user", "public"),
        attachments: Attachments = NO_ATTACHMENTS,
        *,
        believes: bool = False,
        initial: Functions = NO_FUNCTIONS,
    ) -> None:
        """`believes` is whether an unknown table is taken to have the columns that are named of it: offline.

        `initial` are functions besides `functions`, shared with other catalogs.
        """
        self.database = database
        self.believes = believes
        self.version = version
        self.schemas = frozenset(schemas)
        self.default_search_path = default_search_path
        self._relations: dict[tuple[str, str], Relation] = {}
        self._temporary: dict[str, list[Relation]] = {}
        self._by_oid: dict[int, Relation] = {}
        self._functions: dict[tuple[str, str], tuple[Function, ...]] = {}
        self._function_by_oid: dict[int, Function] = {}
        self._constraints: dict[int, tuple[Constraint, ...]] = {}
        self._checks: dict[int, tuple[Check, ...]] = {}
        self.add(relations, functions)
        self._views = _Views()
        self._shown: dict[tuple[str, str], tuple[OutputColumn, ...]] = {}
        self.attachments = attachments
        self.memory = Memory()
        self._initial = initial

    def add(self, relations: Iterable[Relation] = (), functions: Iterable[Function] = ()) -> None:
        """Add a part of what there is, while the catalog is put together and nobody has seen it yet."""
        for relation in relations:
            self._relations[relation.schema, relation.name] = self._by_oid[relation.oid] = relation
            if relation.schema.startswith(TEMPORARY):
                self._temporary.setdefault(relation.name, []).append(relation)
        for function in functions:
            key = (function.schema, function.name)
            self._functions[key] = (*self._functions.get(key, ()), function)
            self._function_by_oid[function.oid] = function

    def constrain(self, oid: int, constraint: Constraint) -> None:
        """Add a constraint of the relation with that OID, while the catalog is put together."""
        self._constraints[oid] = (*self._constraints.get(oid, ()), constraint)

    def checks(self, relation: Relation) -> tuple[Check, ...]:
        """Return the constraints of a relation."""
        known = self._checks.get(relation.oid)
        if known is None:
            found = [self._check(one) for one in self._constraints.get(relation.oid, ())]
            known = self._checks[relation.oid] = (*relation.checks, *(one for one in found if one is not None))
        return known

    def _check(self, constraint: Constraint) -> Check | None:
        kind, written, oid, names = constraint
        other = self._by_oid.get(oid)
        if other is None:
            return None
        columns = frozenset(Column(self.database, other.schema, other.name, name) for name in names)
        return Check(frozenset(written), columns, others=kind != "c")

    def shown(self, table: Relation) -> tuple[OutputColumn, ...]:
        """Return what `*` shows of a table."""
        known = self._shown.get((table.schema, table.name))
        if known is None:
            place = (self.database, table.schema, table.name)
            columns = [(name, frozenset({Column(*place, name)})) for name in table.columns if name]
            beside = union(Lineage(source) for _, source in columns)
            known = tuple(OutputColumn(name, source, exact=True, beside=beside) for name, source in columns)
            self._shown[table.schema, table.name] = known
        return known

    def relation(self, schema: str, name: str) -> Relation | None:
        """Return the relation of that exact name."""
        return self._relations.get((schema, name))

    def shadowed(self, schema: str, name: str) -> bool:
        """Whether another schema has a relation of that name: an unqualified one may come to mean that."""
        return any((other, name) in self._relations for other in self.schemas if other != schema)

    def temporary(self, name: str) -> Sequence[Relation]:
        """Return the temporary relations of that name, those of other sessions too: nothing says whose they are."""
        return self._temporary.get(name, ())

    def by_oid(self, oid: int) -> Relation | None:
        """Return the relation with that OID."""
        return self._by_oid.get(oid)

    def views(self) -> Iterator[Relation]:
        """Yield every view, materialized ones too, whose definition is known."""
        return (relation for relation in self._relations.values() if relation.definition)

    def holding(self, kind: int) -> list[Relation]:
        """Return the relations that hold values of a type, in a column or inside of one, or whose rows are of it."""
        types = self.attachments.kinds
        inside = types.made_of(kind)
        whole = {oid for one in inside for oid in types.rows.get(one, ())}
        return [
            one
            for one in self._relations.values()
            if one.kind in _STORED and (one.oid in whole or not inside.isdisjoint(one.types))
        ]

    def function(self, oid: int) -> Function | None:
        """Return the function with that OID."""
        return self._function_by_oid.get(oid) or self._initial.by_oid.get(oid)

    def attached(self, oid: int) -> Attached:
        """Return what hangs on the relation with that OID."""
        return self.attachments.of(oid)

    def object(self, relation: Relation) -> Object:
        """Return a relation as the object of an effect."""
        schema = TEMPORARY if relation.schema.startswith(TEMPORARY) else relation.schema
        return Object((self.database, schema, relation.name), _KINDS.get(relation.kind, "table"))

    def tables_of(self, schema: str) -> tuple[str, ...]:
        """Return the names of a schema's relations."""
        return tuple(name for holder, name in self._relations if holder == schema)

    def functions(self, schema: str, name: str) -> tuple[Function, ...]:
        """Return every function of that exact name."""
        key = (schema, name)
        return (*self._functions.get(key, ()), *self._initial.by_name.get(key, ()))

    def view_sources(self, relation: Relation) -> tuple[frozenset[Column] | None, ...]:
        """Return the table columns behind each column of a view, through views below it; None is untraceable."""
        self._trace(relation)
        return self._views.sources.get(relation.oid) or (None,) * len(relation.columns)

    def shows_untraced(self, relation: Relation) -> bool:
        """Whether it is a view that shows what nobody can trace: a function in it may read any table."""
        if relation.kind not in ("v", "m") or relation.schema in ("pg_catalog", "information_schema"):
            return False
        sources = self.view_sources(relation)
        return any(found is None for found, column in zip(sources, relation.columns, strict=False) if column)

    def base_relations(self, relation: Relation) -> frozenset[Relation]:
        """Return the tables that a view reads, through views below it."""
        self._trace(relation)
        return self._views.bases.get(relation.oid, frozenset())

    def _trace(self, relation: Relation) -> None:
        if relation.oid in self._views.sources or relation.oid in self._views.open:
            return
        if len(self._views.open) >= MAX_VIEW_DEPTH or not relation.definition:
            return
        from blastwall.sql.postgres.views import trace

        self._views.open.add(relation.oid)
        try:
            sources, bases = trace(self, relation)
        finally:
            self._views.open.discard(relation.oid)
        self._views.sources[relation.oid] = sources
        self._views.bases[relation.oid] = bases
