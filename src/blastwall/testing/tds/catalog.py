"""What databases hold, as this server knows it: DuckDB keeps the rows, this keeps SQL Server's names and types."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime

from blastwall.testing.tds.datatypes import SqlType

COLLATION_NAME = "SQL_Latin1_General_CP1_CI_AS"
CREATED = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - T-SQL's moments have no zone
_ids = itertools.count(901_578_250, 16)


def next_id() -> int:
    """Return an object id that no other has."""
    return next(_ids)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `default` and `computed` are T-SQL; `collation` as sys.columns names it."""

    name: str
    type: SqlType
    nullable: bool = True
    identity: tuple[int, int] | None = None
    default: str | None = None
    default_name: str = ""
    computed: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key or unique constraint or index."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    constraint: bool = True
    unique: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; `on_delete` and `on_update` are NO_ACTION, CASCADE, SET_NULL or SET_DEFAULT."""

    name: str
    columns: tuple[str, ...]
    schema: str
    table: str
    referenced: tuple[str, ...]
    on_delete: str = "NO_ACTION"
    on_update: str = "NO_ACTION"
    id: int = field(default_factory=next_id)


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint, in T-SQL and as DuckDB got it."""

    name: str
    text: str
    column: str = ""
    id: int = field(default_factory=next_id)


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `database` is "" for a temporary one."""

    database: str
    schema: str
    name: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    id: int = field(default_factory=next_id)
    stored: str = ""
    """DuckDB's name of it, where it is not its own."""

    @property
    def relation(self) -> str:
        """The table as DuckDB names it."""
        if self.stored:
            return self.stored
        return (
            f"temp.main.{quoted(self.name)}" if not self.database else duck_name(self.database, self.schema, self.name)
        )

    @property
    def identity(self) -> Column | None:
        """The identity column."""
        return next((one for one in self.columns if one.identity), None)

    def column(self, name: str) -> Column | None:
        """Return a column by its name."""
        return next((one for one in self.columns if one.name.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class View:
    """A view: its query in T-SQL."""

    database: str
    schema: str
    name: str
    columns: tuple[str, ...]
    query: str
    definition: str
    id: int = field(default_factory=next_id)


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a procedure. `default` is T-SQL; None where it must be given."""

    name: str
    type: SqlType
    default: str | None = None
    output: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    """A procedure, function or trigger: its body in T-SQL."""

    kind: str
    """`P`, `FN` (scalar function), `IF` (inline table function), `TR`."""
    database: str
    schema: str
    name: str
    arguments: tuple[Argument, ...]
    body: str
    definition: str
    returns: SqlType | None = None
    table: tuple[str, str] = ("", "")
    """A trigger's table."""
    events: tuple[str, ...] = ()
    instead: bool = False
    id: int = field(default_factory=next_id)


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name for an object."""

    schema: str
    name: str
    target: tuple[str, ...]
    id: int = field(default_factory=next_id)


@dataclass(frozen=True, slots=True)
class Permission:
    """What was granted or denied to a principal on an object, a schema or (object "") the database."""

    state: str
    permission: str
    schema: str
    object: str
    principal: str


Object = Table | View | Module | Synonym


@dataclass(slots=True)
class Database:
    """One database. Its dictionaries are keyed by lower-case names: the collation ignores case."""

    name: str
    id: int
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    schemas: dict[str, str] = field(
        default_factory=lambda: (
            {one: one for one in ("dbo", "sys", "guest")} | {"information_schema": "INFORMATION_SCHEMA"}
        )
    )
    users: dict[str, str] = field(default_factory=lambda: {"dbo": "dbo", "guest": "guest", "public": "public"})
    """Principals by lower-case name, roles among them."""
    roles: dict[str, set[str]] = field(default_factory=dict)
    permissions: list[Permission] = field(default_factory=list)
    identities: dict[int, int] = field(default_factory=dict)
    """The last identity value of each table that gave one."""
    modified: dict[int, datetime] = field(default_factory=dict)
    """When each object was last changed; without an entry, when the server was made."""

    def find(self, schema: str, name: str) -> Object | None:
        """Return an object by its name."""
        return self.objects.get((schema.lower(), name.lower()))

    def listed(self) -> list[Object]:
        """Return the objects that there are now, whatever another connection's thread makes or drops meanwhile."""
        return list(self.objects.values())

    def modules(self, kind: str) -> list[Module]:
        """Return the modules of a kind."""
        return [one for one in self.listed() if isinstance(one, Module) and one.kind == kind]

    def tables(self) -> list[Table]:
        """Return the tables."""
        return [one for one in self.listed() if isinstance(one, Table)]

    def triggers(self, table: Table, event: str) -> list[Module]:
        """Return the triggers that fire for an event on a table."""
        there = (table.schema.lower(), table.name.lower())
        return [one for one in self.modules("TR") if one.table == there and event in one.events]


def without_column(table: Table, name: str) -> Table:
    """Return a table without one of its columns."""
    return replace(table, columns=tuple(one for one in table.columns if one.name.lower() != name.lower()))


def quoted(name: str) -> str:
    """Return a name as DuckDB quotes it."""
    return '"' + name.replace('"', '""') + '"'


def duck_name(database: str, schema: str, name: str) -> str:
    """Return an object's full name in DuckDB."""
    return f"{quoted(database)}.{quoted(schema)}.{quoted(name)}"


def duck_type(type_: SqlType) -> str:
    """Return the DuckDB type that holds values of a type of SQL Server's."""
    name = type_.name
    if name in ("decimal", "numeric"):
        return f"DECIMAL({type_.precision},{type_.scale})"
    return _DUCK.get(name, "VARCHAR")


_DUCK = {
    "bit": "UTINYINT", "tinyint": "UTINYINT", "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT",
    "money": "DECIMAL(19,4)", "smallmoney": "DECIMAL(10,4)", "float": "DOUBLE", "real": "FLOAT", "date": "DATE",
    "time": "TIME", "datetime": "TIMESTAMP", "smalldatetime": "TIMESTAMP", "datetime2": "TIMESTAMP",
    "uniqueidentifier": "UUID", "binary": "BLOB", "varbinary": "BLOB", "image": "BLOB",
}  # fmt: skip
