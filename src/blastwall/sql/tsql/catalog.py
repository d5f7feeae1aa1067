"""An immutable snapshot of one database's catalog, as far as T-SQL's names, columns and code go.

The rows come from these views, one dataclass a view; the companion of a session asks for them with just these columns:

- `Relation`: sys.all_objects of type U, V, IF, TF, FT, S, ET and sys.table_types, `columns` from sys.all_columns in
  the order of column_id; `types` are their type names ("nvarchar(50)"), `computed` from sys.computed_columns
  (name, definition), `identity` the name of the identity column, `history` the object_id of a temporal table's history;
- `Module`: sys.sql_modules with sys.objects: definition (None where encrypted or not to be seen),
  uses_quoted_identifier, execute_as_principal_id (None CALLER, -2 OWNER), and for triggers parent_id, is_disabled,
  is_instead_of_trigger and the events of sys.trigger_events (type_desc; parent_id 0 for triggers of the database);
  procedures and functions of the CLR have a row with None;
- `ForeignKey`: sys.foreign_keys with sys.foreign_key_columns; `on_delete` and `on_update` are
  delete_referential_action_desc, update_referential_action_desc;
- `Key`: sys.indexes with is_unique, with the names of its key columns;
- `Constraint`: sys.check_constraints and sys.default_constraints: parent object, column name or "", definition;
- `Synonym`: sys.synonyms: base_object_name as it stands there ("[srv].[db].[dbo].[t]");
- `Thing`: what else has a name in a schema: sequences, types, XML schema collections, service broker's objects.
- database: DB_NAME(), its collation_name, SCHEMA_NAME() as default schema, names of sys.schemas, of sys.databases.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from blastwall.model.effects import Object
from blastwall.model.statement import Column
from blastwall.sql.lineage import Columns, OutputColumn
from blastwall.sql.tsql.recall import Shapes

_Item = TypeVar("_Item")

Place = tuple[str, str]
"""(schema, name), as the catalog spells them."""

_KINDS = {
    "U": "table", "S": "table", "ET": "table", "IT": "table", "TT": "type", "V": "view", "IF": "function",
    "TF": "function", "FT": "function", "FN": "function", "FS": "function", "AF": "function", "P": "procedure",
    "PC": "procedure", "X": "procedure", "RF": "procedure", "TR": "trigger", "TA": "trigger", "SN": "synonym",
    "SO": "sequence", "SQ": "queue", "UDT": "type", "XSC": "type",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """What can stand in FROM or be written to. `type` is sys.objects.type, trimmed."""

    id: int
    schema: str
    name: str
    type: str
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    computed: tuple[tuple[str, str], ...] = ()
    identity: str = ""
    history: int = 0

    @property
    def place(self) -> Place:
        """(schema, name)."""
        return self.schema, self.name


@dataclass(frozen=True, slots=True)
class Module:
    """Code in the database: procedure, function, view, trigger. `parent` is the object_id of a trigger's table."""

    id: int
    schema: str
    name: str
    type: str
    definition: str | None
    quoted_identifier: bool = True
    execute_as: int | None = None
    parent: int = 0
    events: frozenset[str] = frozenset()
    instead: bool = False
    disabled: bool = False

    @property
    def place(self) -> Place:
        """(schema, name)."""
        return self.schema, self.name


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Rows of `table` (object_id) refer to rows of `refers`; actions are NO_ACTION, CASCADE, SET_NULL, SET_DEFAULT."""

    table: int
    columns: tuple[str, ...]
    refers: int
    referred: tuple[str, ...]
    on_delete: str = "NO_ACTION"
    on_update: str = "NO_ACTION"
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A unique index: a second row with the same values fails."""

    table: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A CHECK (`column` may be "") or a DEFAULT: an expression that writing evaluates."""

    table: int
    column: str
    definition: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name for `base`, which is written as base_object_name has it."""

    schema: str
    name: str
    base: str


@dataclass(frozen=True, slots=True)
class Thing:
    """Anything else that has a name in a schema; `type` is sys.objects.type, or UDT and XSC for types."""

    schema: str
    name: str
    type: str


@dataclass(slots=True)
class Memory:
    """What was worked out of definitions, once a snapshot; `parsed` trees and `found` readings are by object_id."""

    parsed: dict[int, object] = field(default_factory=dict)
    found: dict[Hashable, object] = field(default_factory=dict)
    texts: dict[Hashable, object] = field(default_factory=dict)
    characters: int = 0
    shapes: Shapes = field(default_factory=Shapes)

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        """Leave it behind where the catalog goes to another process, which works out what it needs."""
        return Memory, ()


class Catalog:
    """Look-ups are dictionary hits by folded names; answers bear the catalog's own spelling."""

    def __init__(
        self,
        database: str,
        version: int,
        *,
        relations: Iterable[Relation] = (),
        modules: Iterable[Module] = (),
        foreign_keys: Iterable[ForeignKey] = (),
        keys: Iterable[Key] = (),
        constraints: Iterable[Constraint] = (),
        synonyms: Iterable[Synonym] = (),
        things: Iterable[Thing] = (),
        schemas: Iterable[str] = ("dbo",),
        databases: Iterable[str] = (),
        collation: str = "SQL_Latin1_General_CP1_CI_AS",
        default_schema: str = "dbo",
        believes: bool = False,
    ) -> None:
        """`believes` is whether an unknown table is taken to have the columns that are named of it: offline.

        For `loose` and `doubted` see `redefine`.
        """
        self.database = database
        self.version = version
        self.believes = believes
        self.loose: frozenset[int] = frozenset()
        self.doubted: Mapping[str, str] = {}
        self.collation = collation
        self.default_schema = default_schema
        self.fold = Folding(collation)
        fold = self.fold
        self.schemas: Mapping[str, str] = {fold(name): name for name in ("dbo", "sys", "INFORMATION_SCHEMA", *schemas)}
        self.databases: Mapping[str, str] = {fold(name): name for name in (database, *databases)}
        self._relations: dict[Place, Relation] = {}
        self._by_id: dict[int, Relation] = {}
        self._modules: dict[Place, Module] = {}
        self._module_by_id: dict[int, Module] = {}
        self._synonyms = {(fold(one.schema), fold(one.name)): one for one in synonyms}
        self._things = {(fold(one.schema), fold(one.name)): one for one in things}
        self.database_triggers: tuple[Module, ...] = ()
        self._triggers: dict[int, tuple[Module, ...]] = {}
        self._referring: dict[int, tuple[ForeignKey, ...]] = {}
        self._foreign: dict[int, tuple[ForeignKey, ...]] = {}
        self._keys: dict[int, tuple[Key, ...]] = {}
        self._constraints: dict[int, tuple[Constraint, ...]] = {}
        self._present: dict[int, Relation] = {}
        self._shown: dict[int, Columns] = {}
        self.memory = Memory()
        self.add(relations, modules, foreign_keys, keys, constraints)

    def add(
        self,
        relations: Iterable[Relation] = (),
        modules: Iterable[Module] = (),
        foreign_keys: Iterable[ForeignKey] = (),
        keys: Iterable[Key] = (),
        constraints: Iterable[Constraint] = (),
    ) -> None:
        """Add a part of what there is, while the catalog is put together and nobody has seen it yet."""
        fold = self.fold
        for relation in relations:
            self._relations[fold(relation.schema), fold(relation.name)] = self._by_id[relation.id] = relation
            if relation.history:
                self._present[relation.history] = relation
        for module in modules:
            self._add_module(module)
        for foreign in foreign_keys:
            _append(self._referring, foreign.refers, foreign)
            _append(self._foreign, foreign.table, foreign)
        for key in keys:
            _append(self._keys, key.table, key)
        for constraint in constraints:
            _append(self._constraints, constraint.table, constraint)

    def _add_module(self, module: Module) -> None:
        self._modules[self.fold(module.schema), self.fold(module.name)] = self._module_by_id[module.id] = module
        if module.parent:
            _append(self._triggers, module.parent, module)
        elif module.type.strip() == "TR" and not module.disabled:
            self.database_triggers = (*self.database_triggers, module)

    def relation(self, schema: str, name: str) -> Relation | None:
        """Return the table, view or table-valued function of that name."""
        return self._relations.get((self.fold(schema), self.fold(name)))

    def module(self, schema: str, name: str) -> Module | None:
        """Return the code of that name."""
        return self._modules.get((self.fold(schema), self.fold(name)))

    def synonym(self, schema: str, name: str) -> Synonym | None:
        """Return the synonym of that name."""
        return self._synonyms.get((self.fold(schema), self.fold(name)))

    def thing(self, schema: str, name: str) -> Thing | None:
        """Return the sequence, type or the like of that name."""
        return self._things.get((self.fold(schema), self.fold(name)))

    def by_id(self, number: int) -> Relation | None:
        """Return the relation with that object_id."""
        return self._by_id.get(number)

    def module_by_id(self, number: int) -> Module | None:
        """Return the code with that object_id."""
        return self._module_by_id.get(number)

    def schema(self, name: str) -> str:
        """Return the catalog's spelling of a schema, or the name itself."""
        return self.schemas.get(self.fold(name), name)

    def place(self, schema: str, name: str) -> Place:
        """Return (schema, name) in the catalog's spelling, where it knows them."""
        key = self.fold(schema), self.fold(name)
        known = self._relations.get(key) or self._modules.get(key) or self._synonyms.get(key) or self._things.get(key)
        return (known.schema, known.name) if known is not None else (self.schema(schema), name)

    def knows(self, schema: str, name: str) -> bool:
        """Whether anything has that name."""
        key = self.fold(schema), self.fold(name)
        return any(key in held for held in (self._relations, self._modules, self._synonyms, self._things))

    def kind(self, schema: str, name: str) -> str:
        """Return the kind of the object of that name, or ""."""
        key = self.fold(schema), self.fold(name)
        if key in self._synonyms:
            return "synonym"
        known = self._relations.get(key) or self._modules.get(key) or self._things.get(key)
        return "" if known is None else _KINDS.get(known.type.strip(), "table")

    def object(self, schema: str, name: str, otherwise: str = "table") -> Object:
        """Return what has that name as the object of an effect; its kind is the catalog's, where known."""
        return Object((self.database, *self.place(schema, name)), self.kind(schema, name) or otherwise)

    def triggers(self, table: int) -> tuple[Module, ...]:
        """Return the triggers on a table or view that are not disabled."""
        return tuple(one for one in self._triggers.get(table, ()) if not one.disabled)

    def disabled_triggers(self, table: int) -> tuple[Module, ...]:
        """Return the triggers on a table or view that are disabled."""
        return tuple(one for one in self._triggers.get(table, ()) if one.disabled)

    def referring(self, table: int) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that refer to a table."""
        return self._referring.get(table, ())

    def foreign_keys(self, table: int) -> tuple[ForeignKey, ...]:
        """Return the foreign keys of a table's own."""
        return self._foreign.get(table, ())

    def keys(self, table: int) -> tuple[Key, ...]:
        """Return a table's unique indexes."""
        return self._keys.get(table, ())

    def constraints(self, table: int) -> tuple[Constraint, ...]:
        """Return the checks and defaults of a table."""
        return self._constraints.get(table, ())

    def shown(self, table: Relation) -> Columns:
        """Return the columns of a table as what `*` shows; computed ones are not exact."""
        known = self._shown.get(table.id)
        if known is None:
            known = tuple(
                OutputColumn(name, frozenset({Column(self.database, table.schema, table.name, name)}), exact=True)
                for name in table.columns
            )
            self._shown[table.id] = known
        return known

    def key(self, schema: str, name: str) -> str:
        """Return a name as `doubted` has it."""
        return f"{self.fold(schema)}.{self.fold(name)}"

    def redefine(
        self,
        version: int,
        *,
        relations: Iterable[tuple[Place, Relation | None]] = (),
        modules: Iterable[tuple[Place, Module | None]] = (),
        foreign_keys: Iterable[ForeignKey] = (),
        keys: Iterable[Key] = (),
        constraints: Iterable[Constraint] = (),
        loose: Iterable[int] = (),
        doubted: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Make a copy, which nobody goes by yet, differ by what is defined otherwise; None where it is gone.

        `loose` are tables of whose columns nothing is certain, `doubted` names whose meaning is
        not (`key`), each with what is said of it, `{name}` for the name.
        """
        fold = self.fold
        self.version, self.memory, self._shown = version, Memory(), {}
        self._relations = _replaced(self._relations, {(fold(a), fold(b)): one for (a, b), one in relations})
        self._by_id = {one.id: one for one in self._relations.values()}
        self._present = {one.history: one for one in self._relations.values() if one.history}
        self._modules = _replaced(self._modules, {(fold(a), fold(b)): one for (a, b), one in modules})
        self._know_modules()
        added = tuple(foreign_keys)
        self._referring = _joined(self._referring, ((one.refers, one) for one in added))
        self._foreign = _joined(self._foreign, ((one.table, one) for one in added))
        self._keys = _joined(self._keys, ((one.table, one) for one in keys))
        self._constraints = _joined(self._constraints, ((one.table, one) for one in constraints))
        self.loose, self.doubted = self.loose | frozenset(loose), {**self.doubted, **dict(doubted)}

    def _know_modules(self) -> None:
        held = self._modules.values()
        self._module_by_id = {one.id: one for one in held}
        self.database_triggers = tuple(
            one for one in held if one.type.strip() == "TR" and not one.parent and not one.disabled
        )
        self._triggers = _grouped((one.parent, one) for one in held if one.parent)

    def present(self, history: int) -> Relation | None:
        """Return the temporal table whose history has that object_id."""
        return self._present.get(history)

    def relations(self) -> Iterator[Relation]:
        """Yield every relation."""
        return iter(self._relations.values())


class Folding:
    """How a collation compares names: without regard to case (CI), accents (AI), width, and spaces at the end.

    A name that is not plain ASCII and that no folding finds may still be equal to another for the server (it gives some
    characters no weight at all), so readers concede such names.
    """

    def __init__(self, collation: str) -> None:
        parts = collation.upper().split("_")
        self.case = "CS" in parts or "BIN" in parts or "BIN2" in parts
        self._accents = "AI" not in parts or self.case
        self._exact = "BIN" in parts or "BIN2" in parts
        self._known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            known = self._folded(name)
            if len(self._known) < _MOST_FOLDED:
                self._known[name] = known
        return known

    def _folded(self, name: str) -> str:
        name = name.rstrip(" ")
        if name.isascii() or self._exact:
            return name if self.case else name.lower()
        name = unicodedata.normalize("NFKC", name)
        if not self._accents:
            split = unicodedata.normalize("NFKD", name)
            name = "".join(one for one in split if not unicodedata.combining(one))
        return name if self.case else name.casefold()


_MOST_FOLDED = 10_000


def _append(found: dict[int, tuple[_Item, ...]], key: int, item: _Item) -> None:
    found[key] = (*found.get(key, ()), item)


def _grouped(pairs: Iterable[tuple[int, _Item]]) -> dict[int, tuple[_Item, ...]]:
    found: dict[int, list[_Item]] = {}
    for key, item in pairs:
        found.setdefault(key, []).append(item)
    return {key: tuple(items) for key, items in found.items()}


def _joined(held: dict[int, tuple[_Item, ...]], pairs: Iterable[tuple[int, _Item]]) -> dict[int, tuple[_Item, ...]]:
    added = _grouped(pairs)
    return {**held, **{key: (*held.get(key, ()), *items) for key, items in added.items()}} if added else held


def _replaced(held: Mapping[Place, _Item], changes: Mapping[Place, _Item | None]) -> dict[Place, _Item]:
    made = dict(held)
    for key, one in changes.items():
        if one is None:
            made.pop(key, None)
        else:
            made[key] = one
    return made
