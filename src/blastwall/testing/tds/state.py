"""What a session knows: its database and user, options, variables, temporary tables, prepared statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from blastwall.testing.tds.catalog import Database, Module, Object, Synonym, Table, View
from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.engine import Engine
from blastwall.testing.tds.errors import SqlError
from blastwall.testing.tds.expressions import Field, Variable
from blastwall.testing.tds.system_facts import fact_of, mapping_of
from blastwall.testing.tds.system_views import first_result_set, system_view
from blastwall.testing.tds.transactions import Transactions

_DEEPEST_SYNONYM = 8


@dataclass(slots=True)
class Options:
    """What SET sets."""

    nocount: bool = False
    xact_abort: bool = False
    quoted_identifier: bool = True
    implicit_transactions: bool = False
    format_only: bool = False
    row_count: int = 0
    others: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Prepared:
    """A prepared statement: its text and the declaration of its parameters."""

    text: str
    declaration: str


@dataclass(slots=True)
class OpenCursor:
    """A server cursor: all its rows, and where it stands."""

    fields: tuple[Field, ...]
    rows: list[tuple[object, ...]]
    at: int = 0


class State:
    """One session's state; it answers what expressions ask (`Facts`)."""

    def __init__(self, engine: Engine, database: Database, login: str, spid: int, *, owner: bool = True) -> None:
        self.engine = engine
        self.transactions: Transactions = Transactions(engine)
        self.home: Database = database
        self.database: Database = database
        self.login: str = login
        self.spid: int = spid
        self.owner: bool = owner
        self.user: str = "dbo" if owner else login
        self.impersonated: list[tuple[str, bool]] = []
        self.host: str = ""
        self.application: str = ""
        self.options: Options = Options()
        self.temporary: dict[str, Table] = {}
        self.variables: dict[str, Variable] = {}
        self.rowcount: int = 0
        self.error_number: int = 0
        self.identity: int | None = None
        self.last_identity: int | None = None
        self.identity_insert: int | None = None
        self.nesting: int = 0
        self.caught: list[SqlError] = []
        self.procedure: Module | None = None
        self.prepared: dict[int, Prepared] = {}
        self.cursors: dict[int, OpenCursor] = {}
        self.next_handle = 1

    def reset(self, *, keep_transaction: bool) -> None:
        """Do what RESETCONNECTION asks (MS-TDS 2.2.3.1.2; sp_reset_connection)."""
        if not keep_transaction or not self.transactions.count:
            self.transactions.roll_back()
            self.temporary.clear()
            self.transactions.reset()
        self.options = Options()
        self.database = self.home
        self.prepared.clear()
        self.cursors.clear()
        if self.impersonated:
            self.user, self.owner = self.impersonated[0]
            self.impersonated.clear()
        self.rowcount, self.error_number, self.identity, self.last_identity = 0, 0, None, None
        self.identity_insert = None

    # ── what expressions ask ─────────────────────────────────────────────────────────────────────────────────────────

    def fact(self, name: str, arguments: list[object]) -> tuple[SqlType, object] | None:
        """Return what a system variable or function says; None where there is none of that name."""
        return fact_of(self, name, arguments)

    def mapping(self, function: str) -> dict[object, object] | None:
        """Return what a function of metadata says for each id; None where it is none."""
        return mapping_of(self, function)

    def enter(self, database: str) -> str:
        """Resolve names in a database from now on; return the former one's name."""
        former = self.database.name
        self.database = self.database_called(database)
        return former

    def database_called(self, name: str) -> Database:
        """Return a database by its name.

        Raises:
            SqlError: there is none.
        """
        found = self.engine.databases.get(name.lower())
        if found is None:
            raise SqlError(911, name)
        return found

    def table_function(self, name: str, arguments: list[object]) -> Table | None:
        """Return what a system function that gives rows gives; None where there is none of that name."""
        if name.lower() == "dm_exec_describe_first_result_set":
            return first_result_set(self, arguments)
        return None

    def resolve(self, parts: tuple[str, ...]) -> Table | View | Module:
        """Return the object that a name means, synonyms followed.

        Raises:
            SqlError: there is none.
        """
        found = self.find(parts)
        hops = 0
        while isinstance(found, Synonym):
            hops += 1
            if hops > _DEEPEST_SYNONYM:
                raise SqlError(208, ".".join(parts))
            found = self.find(found.target)
        if found is None:
            raise SqlError(208, ".".join(parts))
        return found

    def find(self, parts: tuple[str, ...]) -> Object | None:
        """Return an object by its name, a synonym as itself."""
        if len(parts) > 3:
            raise SqlError(40515, ".".join(parts))
        if parts[-1].startswith("#") or (len(parts) == 1 and parts[0].lower() in ("inserted", "deleted")):
            return self.temporary.get(parts[-1].lower())
        database = self.database_called(parts[-3]) if len(parts) == 3 and parts[-3] else self.database
        schema = parts[-2] if len(parts) > 1 and parts[-2] else "dbo"
        if schema.lower() in ("sys", "information_schema"):
            return system_view(self, database, schema.lower(), parts[-1].lower())
        return database.find(schema, parts[-1])

    def check(self, permission: str, found: Table | View | Module) -> None:
        """Raise error 229 where the session's user may not do that."""
        if self.owner or (isinstance(found, Table) and (not found.database or found.stored)):
            return
        database = self.database_called(found.database)
        mine = {self.user.lower(), "public"} | {
            role for role, members in database.roles.items() if self.user.lower() in members
        }
        granted = False
        for one in database.permissions:
            here = (one.schema in ("", found.schema.lower())) and (one.object in ("", found.name.lower()))
            if here and one.principal in mine and one.permission in (permission, "CONTROL"):
                if one.state == "DENY":
                    raise SqlError(229, permission, found.name, found.database, found.schema, state=5)
                granted = True
        if not granted:
            raise SqlError(229, permission, found.name, found.database, found.schema, state=5)

    # ── temporary tables ─────────────────────────────────────────────────────────────────────────────────────────────

    def add_temporary(self, table: Table) -> None:
        """Add a temporary table; a rollback takes it away."""
        name = table.name.lower()
        before = self.temporary.get(name)
        self.temporary[name] = table

        def undo() -> None:
            if before is None:
                self.temporary.pop(name, None)
            else:
                self.temporary[name] = before

        self.transactions.on_undo(undo)

    def drop_temporary(self, name: str) -> None:
        """Take a temporary table away; a rollback brings it back."""
        gone = self.temporary.pop(name.lower())
        self.transactions.on_undo(lambda: self.temporary.__setitem__(gone.name.lower(), gone))

    def now(self) -> datetime:
        """The moment now, in UTC, as Azure SQL's clock shows it."""
        return datetime.now(UTC).replace(tzinfo=None)

    def handle(self) -> int:
        """Return a handle that no prepared statement or cursor of this session has."""
        self.next_handle += 1
        return self.next_handle
