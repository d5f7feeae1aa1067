"""Definitions, carried out: DuckDB's tables, and what the catalog knows of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import (
    Column,
    Database,
    ForeignKey,
    Key,
    Module,
    Object,
    Permission,
    Synonym,
    Table,
    View,
    duck_type,
    quoted,
)
from blastwall.testing.tds.datatypes import MAX
from blastwall.testing.tds.defining import DROPS, read_module
from blastwall.testing.tds.definitions import Draft, table_of
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.system_facts import name_parts
from blastwall.testing.tds.typed import literal_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blastwall.testing.tds.queries import Query
    from blastwall.testing.tds.script import Node, Script
    from blastwall.testing.tds.state import State

_OBJECT_KINDS = {
    "TABLE": "U",
    "VIEW": "V",
    "PROC": "P",
    "PROCEDURE": "P",
    "FUNCTION": "F",
    "TRIGGER": "TR",
    "SYNONYM": "SN",
}


class Storing:
    """Carries definitions out for one session."""

    def __init__(self, state: State) -> None:
        self.state = state

    # ── the catalog ──────────────────────────────────────────────────────────────────────────────────────────────────

    def place(self, parts: tuple[str, ...]) -> tuple[Database, str, str]:
        """Return the database, schema and name that a new object gets.

        Raises:
            SqlError: there is no such database or schema.
        """
        database = self.state.database_called(parts[-3]) if len(parts) > 2 and parts[-3] else self.state.database
        wanted = parts[-2] if len(parts) > 1 and parts[-2] else "dbo"
        schema = database.schemas.get(wanted.lower())
        if schema is None:
            raise SqlError.raised(
                2760,
                16,
                1,
                f'The specified schema name "{wanted}" either does not exist or you do not have permission to use it.',
            )
        return database, schema, parts[-1]

    def owner_only(self, what: str, database: Database) -> None:
        """Raise error 262 where the session's user may not define anything."""
        if not self.state.owner:
            raise SqlError.raised(262, 14, 1, f"{what} permission denied in database '{database.name}'.")

    def keep(self, database: Database, one: Object) -> None:
        """Put an object into the catalog; a rollback takes it out again."""
        self._set(database, (one.schema.lower(), one.name.lower()), one)

    def _set(self, database: Database, key: tuple[str, str], one: Object | None) -> None:
        engine = self.state.engine
        with engine.lock:
            before = database.objects.get(key)
            self._put(database, key, one)
            self.state.transactions.on_undo(lambda: self._put(database, key, before))

    def _put(self, database: Database, key: tuple[str, str], one: Object | None) -> None:
        if one is None:
            database.objects.pop(key, None)
        else:
            database.objects[key] = one
            database.modified[one.id] = self.state.now()
        self.state.engine.changed()

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_table(self, script: Script, node: Node) -> None:
        """CREATE TABLE."""
        script.cursor.at = node.spots[0]
        name = node.parts[-1]
        if name.startswith("#"):
            if name.lower() in self.state.temporary:
                raise SqlError(2714, name, state=6)
            draft = script.table_body("dbo", name)
            self.make_temporary(script, replace(table_of(draft, ""), schema="dbo"))
            return
        database, schema, name = self.place(node.parts)
        self.owner_only("CREATE TABLE", database)
        if database.find(schema, name):
            raise SqlError(2714, name, state=6)
        table = self.completed(table_of(script.table_body(schema, name), database.name))
        with self.state.transactions.atomic():
            self.state.transactions.change(self.duck_table(script, table), {})
            self.keep(database, table)

    def make_temporary(self, script: Script, table: Table) -> None:
        """Make a temporary table."""
        with self.state.transactions.atomic():
            self.state.transactions.change(self.duck_table(script, table), {})
            self.state.add_temporary(table)

    def create_from(self, query: Query, values: Mapping[str, object]) -> int:
        """SELECT … INTO: make a table of a query's columns and rows; return how many rows."""
        columns = []
        for one in query.fields:
            if not one.name:
                raise SqlError.raised(
                    1038,
                    15,
                    5,
                    "An object or column name is missing or empty. For SELECT INTO statements, verify "
                    "each column has a name.",
                )
            identity = (1, 1) if one.source is not None and one.source.identity else None
            columns.append(Column(one.name, one.type, one.nullable, identity))
        name = query.into[-1]
        temporary = name.startswith("#")
        database, schema, name = self.place(query.into) if not temporary else (self.state.database, "dbo", name)
        if not temporary:
            self.owner_only("CREATE TABLE", database)
        table = Table("" if temporary else database.name, schema, name, tuple(columns))
        types = ", ".join(f"{quoted(one.name)} {duck_type(one.type)}" for one in columns)
        listed = ", ".join(f"c{index}::{duck_type(one.type)}" for index, one in enumerate(columns))
        names = ", ".join(f"c{index}" for index in range(len(columns)))
        with self.state.transactions.atomic():
            run = self.state.transactions.change
            run(f"CREATE {'TEMP ' if temporary else ''}TABLE {table.relation} ({types})", {})
            row = run(
                f"INSERT INTO {table.relation} SELECT {listed} FROM ({query.sql}) AS q({names})", values
            ).fetchone()
            self.state.add_temporary(table) if temporary else self.keep(database, table)
        return int(str(row[0])) if row else 0

    def completed(self, table: Table) -> Table:
        """Return a table whose foreign keys name the other table's columns."""
        return replace(table, foreign_keys=tuple(self._completed_key(table, one) for one in table.foreign_keys))

    def _completed_key(self, table: Table, key: ForeignKey) -> ForeignKey:
        database = self.state.database_called(table.database)
        same = (key.schema.lower(), key.table.lower()) == (table.schema.lower(), table.name.lower())
        other = table if same else database.find(key.schema, key.table)
        if not isinstance(other, Table):
            raise SqlError.raised(
                1767, 16, 0, f"Foreign key '{key.name}' references invalid table '{key.schema}.{key.table}'."
            )
        primary = next((one.columns for one in other.keys if one.primary), ())
        referenced = key.referenced or primary
        if not any({c.lower() for c in one.columns} == {c.lower() for c in referenced} for one in other.keys):
            raise SqlError.raised(
                1776,
                16,
                0,
                f"There are no primary or candidate keys in the referenced table '{other.schema}."
                f"{other.name}' that match the referencing column list in the foreign key "
                f"'{key.name}'.",
            )
        return replace(key, referenced=tuple(referenced), schema=other.schema, table=other.name)

    def duck_table(self, script: Script, table: Table) -> str:
        """Return DuckDB's CREATE TABLE."""
        parts = [self._duck_column(script, table, one) for one in table.columns]
        for key in table.keys:
            if key.constraint:
                kind = "PRIMARY KEY" if key.primary else "UNIQUE"
                parts.append(f"{kind} ({', '.join(quoted(name) for name in key.columns)})")
        parts += [f"CHECK ({script.condition_over(list(table.columns), check.text)})" for check in table.checks]
        head = "CREATE TABLE" if table.database else "CREATE TEMP TABLE"
        return f"{head} {table.relation} ({', '.join(parts)})"

    def _duck_column(self, script: Script, table: Table, column: Column) -> str:
        text = f"{quoted(column.name)} {duck_type(column.type)}"
        if column.computed is not None:
            _, sql = script.compiled_over([one for one in table.columns if one.computed is None], column.computed)
            return f"{text} GENERATED ALWAYS AS ({sql}) VIRTUAL"
        if not column.nullable:
            text += " NOT NULL"
        return text + self._length_check(table, column)

    def _length_check(self, table: Table, column: Column) -> str:
        type_ = column.type
        if type_.length in (MAX, 0) or not (type_.is_text or type_.is_binary):
            return ""
        name = quoted(column.name)
        owner = f"{table.database}.{table.schema}.{table.name}" if table.database else f"tempdb.dbo.{table.name}"
        length = f"length({name})" if type_.is_text else f"octet_length({name})"
        shown = f"left({name}, {type_.length})" if type_.is_text else "''"
        said = literal_text(f"blastwall:2628|{owner}|{column.name}|")
        fits = f"{length} <= {type_.length} OR {name} IS NULL"
        return f" CHECK (CASE WHEN {fits} THEN true ELSE error({said} || {shown}) END)"

    def alter_add(self, script: Script, node: Node) -> None:
        """ALTER TABLE … ADD."""
        database, table = self._altered(node)
        script.cursor.at = node.spots[0]
        draft = Draft(
            table.schema,
            table.name,
            list(table.columns),
            list(table.keys),
            list(table.foreign_keys),
            list(table.checks),
        )
        script.table_element(draft)
        while script.cursor.accept(","):
            script.table_element(draft)
        made = replace(
            table,
            columns=tuple(draft.columns),
            keys=tuple(draft.keys),
            foreign_keys=tuple(draft.foreign_keys),
            checks=tuple(draft.checks),
        )
        self._rebuild(script, database, table, self.completed(made))

    def alter_drop(self, script: Script, node: Node) -> None:
        """ALTER TABLE … DROP COLUMN or CONSTRAINT."""
        database, table = self._altered(node)
        wanted = node.name.lower()
        if node.kind.endswith("COLUMN"):
            if table.column(wanted) is None:
                raise SqlError.raised(
                    4924,
                    16,
                    1,
                    f"ALTER TABLE DROP COLUMN failed because column '{node.name}' does not exist in "
                    f"table '{table.name}'.",
                )
            made = replace(table, columns=tuple(one for one in table.columns if one.name.lower() != wanted))
        else:
            made = replace(
                table,
                keys=tuple(one for one in table.keys if one.name.lower() != wanted),
                foreign_keys=tuple(one for one in table.foreign_keys if one.name.lower() != wanted),
                checks=tuple(one for one in table.checks if one.name.lower() != wanted),
                columns=tuple(
                    replace(one, default=None) if one.default_name.lower() == wanted else one for one in table.columns
                ),
            )
            if made == table:
                raise SqlError.raised(3728, 16, 1, f"'{node.name}' is not a constraint.")
        self._rebuild(script, database, table, made)

    def alter_column(self, script: Script, node: Node) -> None:
        """ALTER TABLE … ALTER COLUMN."""
        database, table = self._altered(node)
        script.cursor.at = node.spots[0]
        type_ = script.type()
        nullable = not script.cursor.accept("NOT", "NULL")
        found = table.column(node.name)
        if found is None:
            raise SqlError.raised(
                4924,
                16,
                1,
                f"ALTER TABLE ALTER COLUMN failed because column '{node.name}' does not exist in table '{table.name}'.",
            )
        columns = tuple(replace(one, type=type_, nullable=nullable) if one is found else one for one in table.columns)
        self._rebuild(script, database, table, replace(table, columns=columns))

    def _altered(self, node: Node) -> tuple[Database, Table]:
        found = self.state.resolve(node.parts)
        if not isinstance(found, Table) or not found.database or found.stored:
            raise SqlError.raised(
                4902,
                16,
                1,
                f'Cannot find the object "{".".join(node.parts)}" because it does not exist or you do '
                "not have permissions.",
            )
        database = self.state.database_called(found.database)
        self.owner_only("ALTER TABLE", database)
        return database, found

    def _rebuild(self, script: Script, database: Database, before: Table, after: Table) -> None:
        """Make a table anew with its rows: DuckDB alters less than SQL Server does."""
        kept = [one for one in after.columns if before.column(one.name) and one.computed is None]
        added = [one for one in after.columns if before.column(one.name) is None and one.computed is None]
        names, values = (
            [quoted(one.name) for one in kept],
            [f"CAST({quoted(one.name)} AS {duck_type(one.type)})" for one in kept],
        )
        for one in added:
            if one.default is not None and not one.nullable:
                names.append(quoted(one.name))
                values.append(script.compiled_over([], one.default)[1])
        passing = replace(after, name=f"{after.name}__new")
        with self.state.transactions.atomic():
            change = self.state.transactions.change
            change(self.duck_table(script, passing), {})
            change(
                f"INSERT INTO {passing.relation} ({', '.join(names)}) SELECT {', '.join(values)} FROM "
                f"{before.relation}",
                {},
            )
            change(f"DROP TABLE {before.relation}", {})
            change(f"ALTER TABLE {passing.relation} RENAME TO {quoted(after.name)}", {})
            self.keep(database, after)

    def create_index(self, script: Script, node: Node) -> None:
        """CREATE INDEX; a unique one is a constraint to DuckDB."""
        database, table = self._altered(node)
        unique, _, names = node.text.partition("|")
        for name in names.split(","):
            if table.column(name) is None:
                raise SqlError.raised(1911, 16, 1, f"Column name '{name}' does not exist in the target table or view.")
        key = Key(node.name, tuple(names.split(",")), constraint=bool(unique), unique=bool(unique))
        self._rebuild(script, database, table, replace(table, keys=(*table.keys, key)))

    # ── the other objects ────────────────────────────────────────────────────────────────────────────────────────────

    def create_module(self, script: Script, node: Node) -> None:
        """CREATE, ALTER or CREATE OR ALTER of a view, procedure, function or trigger."""
        verb, _, kind = node.kind.rpartition(" ")
        database, schema, name = self.place(node.parts)
        self.owner_only(f"CREATE {kind}", database)
        before = database.find(schema, name)
        if before is not None and verb == "CREATE":
            raise SqlError(2714, name, state=3)
        if before is None and verb == "ALTER":
            raise SqlError(208, ".".join(node.parts))
        script.cursor.at = node.spots[0]
        made = read_module(script, kind, database.name, schema, name)
        if not isinstance(made, (View, Module)):
            raise unsupported(kind)
        if isinstance(made, View):
            script.expanded(made, {})  # names in a view must exist
        self.keep(database, replace(made, id=before.id) if before is not None else made)

    def create_schema(self, name: str) -> None:
        """CREATE SCHEMA."""
        database = self.state.database
        self.owner_only("CREATE SCHEMA", database)
        if name.lower() in database.schemas:
            raise SqlError(2714, name)
        self.state.transactions.change(f"CREATE SCHEMA {quoted(database.name)}.{quoted(name)}", {})
        database.schemas[name.lower()] = name
        self.state.transactions.on_undo(lambda: database.schemas.__delitem__(name.lower()))
        self.state.engine.changed()

    def create_synonym(self, node: Node) -> None:
        """CREATE SYNONYM."""
        database, schema, name = self.place(node.parts)
        if database.find(schema, name):
            raise SqlError(2714, name)
        self.keep(database, Synonym(schema, name, name_parts(node.name)))

    def create_user(self, name: str, *, role: bool) -> None:
        """CREATE USER or ROLE."""
        database = self.state.database
        self.owner_only("ALTER ANY USER", database)
        if name.lower() in database.users:
            raise SqlError.raised(
                15023, 16, 1, f"User, group, or role '{name}' already exists in the current database."
            )
        database.users[name.lower()] = name
        if role:
            database.roles[name.lower()] = set()

    def role_member(self, role: str, action: str, member: str) -> None:
        """ALTER ROLE … ADD or DROP MEMBER."""
        database = self.state.database
        self.owner_only("ALTER ANY ROLE", database)
        if role.lower() not in database.roles and role.lower() != "db_owner":
            raise SqlError(15151, "role", role)
        members = database.roles.setdefault(role.lower(), set())
        members.add(member.lower()) if action == "ADD" else members.discard(member.lower())

    def permission(self, node: Node) -> None:
        """GRANT, DENY and REVOKE."""
        database = self.state.database
        state, scope, listed = node.text.split("|")
        if not self.state.owner:
            raise SqlError(15151, "object", ".".join(node.parts))
        principal = node.name.lower()
        if principal not in database.users:
            raise SqlError(15151, "user", node.name)
        schema, name = "", ""
        if scope == "SCHEMA":
            schema = node.parts[-1].lower()
        elif node.parts:
            found = self.state.resolve(node.parts)
            schema, name = found.schema.lower(), found.name.lower()
        for permission in listed.split(","):
            same = [
                one
                for one in database.permissions
                if (one.permission, one.schema, one.object, one.principal) == (permission, schema, name, principal)
            ]
            for one in same:
                database.permissions.remove(one)
            if state != "REVOKE":
                database.permissions.append(Permission(state, permission, schema, name, principal))

    # ── DROP, TRUNCATE, rename ───────────────────────────────────────────────────────────────────────────────────────

    def drop(self, node: Node) -> None:
        """DROP of anything."""
        kind = node.kind.removeprefix("DROP ")
        for joined in node.parts:
            parts = tuple(joined.split("\0"))
            if kind in ("SCHEMA", "USER", "ROLE"):
                self._drop_named(kind, parts[-1], optional=node.text == "if")
            else:
                self._drop_object(kind, parts, optional=node.text == "if")

    def _drop_object(self, kind: str, parts: tuple[str, ...], *, optional: bool) -> None:
        found = self.state.find(parts)
        fits = found is not None and self._is(found, _OBJECT_KINDS[kind])
        if found is None or not fits:
            if optional:
                return
            raise SqlError(3701, DROPS[kind], ".".join(parts), state=5)
        if isinstance(found, Table) and not found.database:
            with self.state.transactions.atomic():
                self.state.transactions.change(f"DROP TABLE {found.relation}", {})
                self.state.drop_temporary(found.name)
            return
        database, _, _ = self.place(
            (getattr(found, "database", "") or self.state.database.name, found.schema, found.name)
        )
        if not self.state.owner:
            raise SqlError(3701, DROPS[kind], ".".join(parts), state=20)
        if isinstance(found, Table):
            self._drop_table(database, found)
        else:
            self._set(database, (found.schema.lower(), found.name.lower()), None)

    def _drop_table(self, database: Database, table: Table) -> None:
        for other in database.tables():
            for key in other.foreign_keys:
                there = (key.schema.lower(), key.table.lower()) == (table.schema.lower(), table.name.lower())
                if there and other.id != table.id:
                    raise SqlError.raised(
                        3726,
                        16,
                        1,
                        f"Could not drop object '{table.name}' because it is referenced by a FOREIGN KEY constraint.",
                    )
        with self.state.transactions.atomic():
            self.state.transactions.change(f"DROP TABLE {table.relation}", {})
            self._set(database, (table.schema.lower(), table.name.lower()), None)
            for trigger in database.modules("TR"):
                if trigger.table == (table.schema.lower(), table.name.lower()):
                    self._set(database, (trigger.schema.lower(), trigger.name.lower()), None)

    def _is(self, found: Object, kind: str) -> bool:
        if isinstance(found, Module):
            return found.kind == kind or (kind == "F" and found.kind in ("FN", "IF"))
        return {"U": Table, "V": View, "SN": Synonym}.get(kind) is type(found)

    def _drop_named(self, kind: str, name: str, *, optional: bool) -> None:
        database = self.state.database
        known = database.schemas if kind == "SCHEMA" else database.users
        if name.lower() not in known:
            if optional:
                return
            raise SqlError(15151, kind.lower(), name)
        self.owner_only(f"DROP {kind}", database)
        if kind == "SCHEMA":
            if any(schema == name.lower() for schema, _ in database.objects):
                raise SqlError.raised(
                    3729, 16, 1, f"Cannot drop schema '{name}' because it is being referenced by objects."
                )
            self.state.transactions.change(f"DROP SCHEMA {quoted(database.name)}.{quoted(known[name.lower()])}", {})
        else:
            database.roles.pop(name.lower(), None)
        del known[name.lower()]
        self.state.engine.changed()

    def drop_index(self, script: Script, node: Node) -> None:
        """DROP INDEX."""
        database, table = self._altered(node)
        keys = tuple(one for one in table.keys if one.name.lower() != node.name.lower())
        if keys == table.keys:
            if node.text:
                return
            raise SqlError(3701, "index", f"{table.name}.{node.name}", state=7)
        self._rebuild(script, database, table, replace(table, keys=keys))

    def truncate(self, node: Node) -> None:
        """TRUNCATE TABLE."""
        found = self.state.resolve(node.parts)
        if not isinstance(found, Table):
            raise SqlError.raised(
                4701,
                16,
                1,
                f'Cannot find the object "{node.parts[-1]}" because it does not exist or you do not have permissions.',
            )
        if found.database:
            database = self.state.database_called(found.database)
            self.owner_only("TRUNCATE TABLE", database)
            for other in database.tables():
                if any(key.table.lower() == found.name.lower() for key in other.foreign_keys) and other.id != found.id:
                    raise SqlError.raised(
                        4712,
                        16,
                        1,
                        f"Cannot truncate table '{found.name}' because it is being referenced by a "
                        "FOREIGN KEY constraint.",
                    )
            database.identities.pop(found.id, None)
        self.state.transactions.change(f"DELETE FROM {found.relation}", {})

    def rename(self, parts: tuple[str, ...], new: str, kind: str) -> None:
        """sp_rename."""
        owner = parts[:-1] if kind == "COLUMN" else parts
        found = self.state.resolve(owner)
        if not isinstance(found, Table):
            raise unsupported("sp_rename of anything but a table or a column")
        database = self.state.database_called(found.database)
        self.owner_only("ALTER TABLE", database)
        with self.state.transactions.atomic():
            if kind == "COLUMN":
                columns = tuple(
                    replace(one, name=new) if one.name.lower() == parts[-1].lower() else one for one in found.columns
                )
                self.state.transactions.change(
                    f"ALTER TABLE {found.relation} RENAME COLUMN {quoted(parts[-1])} TO {quoted(new)}", {}
                )
                self.keep(database, replace(found, columns=columns))
            else:
                self.state.transactions.change(f"ALTER TABLE {found.relation} RENAME TO {quoted(new)}", {})
                self._set(database, (found.schema.lower(), found.name.lower()), None)
                self.keep(database, replace(found, name=new))
