"""CREATE, ALTER, DROP and the permissions, read from T-SQL. What DuckDB is told is made in `storing`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blastwall.testing.tds.catalog import Argument, Check, Column, ForeignKey, Key, Module, Table, View
from blastwall.testing.tds.changes import Compiler
from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Field, Relation, Scope
from blastwall.testing.tds.lexer import STRING, VARIABLE, Cursor, tokens_of
from blastwall.testing.tds.typed import UNKNOWN

_ACTIONS = {("NO", "ACTION"): "NO_ACTION", ("CASCADE",): "CASCADE", ("SET", "NULL"): "SET_NULL",
            ("SET", "DEFAULT"): "SET_DEFAULT"}  # fmt: skip


@dataclass(slots=True)
class Draft:
    """A table while its definition is read."""

    schema: str
    name: str
    columns: list[Column]
    keys: list[Key]
    foreign_keys: list[ForeignKey]
    checks: list[Check]

    def suffix(self) -> str:
        """Return the end of a name that the server makes up, the same on each run."""
        count = len(self.columns) + len(self.keys) + len(self.foreign_keys) + len(self.checks)
        return f"{abs(hash_of(self.schema + self.name + str(count))):08X}"


def hash_of(text: str) -> int:
    """Return a number of 32 bits that depends on nothing but the text."""
    value = 2166136261
    for byte in text.lower().encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


class Definitions(Compiler):
    """Reads definitions."""

    def table_body(self, schema: str, name: str) -> Draft:
        """Read the columns and constraints of a table; its opening bracket is next."""
        draft = Draft(schema, name, [], [], [], [])
        self.cursor.expect("(")
        while True:
            self.table_element(draft)
            if not self.cursor.accept(","):
                break
            if self.cursor.word == ")":
                break
        self.cursor.expect(")")
        return draft

    def table_element(self, draft: Draft) -> None:
        """Read a column or a constraint of a table."""
        cursor = self.cursor
        label = cursor.name() if cursor.accept("CONSTRAINT") else ""
        if cursor.word in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
            self._constraint(draft, label, None)
            return
        if cursor.word == "INDEX":
            raise unsupported("INDEX inside CREATE TABLE")
        self._column(draft)

    def _column(self, draft: Draft) -> None:
        cursor, name = self.cursor, self.cursor.name()
        if cursor.accept("AS"):
            text = self._bracketed_text()
            cursor.accept("PERSISTED")
            type_ = UNKNOWN if self.dry else self.computed_type(draft, text)
            draft.columns.append(Column(name, type_, computed=text))
            return
        draft.columns.append(Column(name, self.type()))
        at = len(draft.columns) - 1
        while self._column_option(draft, at):
            pass

    def _column_option(self, draft: Draft, at: int) -> bool:
        cursor, column = self.cursor, draft.columns[at]
        if cursor.accept("NOT", "NULL"):
            draft.columns[at] = replace(column, nullable=False)
        elif cursor.accept("NULL"):
            draft.columns[at] = replace(column, nullable=True)
        elif cursor.accept("IDENTITY"):
            seed, step = 1, 1
            if cursor.accept("("):
                seed = self._signed()
                cursor.expect(",")
                step = self._signed()
                cursor.expect(")")
            draft.columns[at] = replace(column, nullable=False, identity=(seed, step))
        elif cursor.accept("COLLATE"):
            cursor.name()
        elif cursor.accept("ROWGUIDCOL") or cursor.accept("SPARSE"):
            pass
        elif cursor.word in ("CONSTRAINT", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN"):
            label = cursor.name() if cursor.accept("CONSTRAINT") else ""
            self._constraint(draft, label, at)
        else:
            return False
        return True

    def _signed(self) -> int:
        sign = -1 if self.cursor.accept("-") else 1
        return sign * int(self.cursor.advance().text)

    def _constraint(self, draft: Draft, label: str, at: int | None) -> None:
        cursor = self.cursor
        column = None if at is None else draft.columns[at]
        if cursor.accept("DEFAULT") and column is not None and at is not None:
            start = cursor.at
            self.value(Scope())
            text = self._slice(start)
            made = label or f"DF__{draft.name[:9]}__{column.name[:5]}__{draft.suffix()}"
            draft.columns[at] = replace(column, default=text, default_name=made)
        elif cursor.word in ("PRIMARY", "UNIQUE"):
            self._key(draft, label, at)
        elif cursor.accept("CHECK"):
            cursor.accept("NOT", "FOR", "REPLICATION")
            text = self._bracketed_text()
            name = column.name if column else ""
            draft.checks.append(
                Check(label or f"CK__{draft.name[:9]}__{name[:5] or 'CHECK'}__{draft.suffix()}", text, name)
            )
        elif cursor.word in ("FOREIGN", "REFERENCES"):
            self._foreign_key(draft, label, column)
        else:
            raise cursor.wrong()

    def _key(self, draft: Draft, label: str, at: int | None) -> None:
        cursor = self.cursor
        primary = cursor.advance().word == "PRIMARY"
        if primary:
            cursor.expect("KEY")
        if not cursor.accept("CLUSTERED"):
            cursor.accept("NONCLUSTERED")
        if at is None or cursor.word == "(":
            cursor.expect("(")
            names = self.key_columns()
        else:
            names = [draft.columns[at].name]
        if cursor.accept("WITH", "("):
            self.skip_bracket()
        if cursor.accept("ON"):
            cursor.name()
        made = label or f"{'PK' if primary else 'UQ'}__{draft.name[:8]}__{draft.suffix()}"
        draft.keys.append(Key(made, tuple(names), primary))
        if primary:
            wanted = {name.lower() for name in names}
            draft.columns[:] = [
                replace(one, nullable=False) if one.name.lower() in wanted else one for one in draft.columns
            ]

    def key_columns(self) -> list[str]:
        """Take the columns of a key up to the closing bracket, which is taken."""
        names = []
        while True:
            names.append(self.cursor.name())
            if not self.cursor.accept("ASC"):
                self.cursor.accept("DESC")
            if not self.cursor.accept(","):
                break
        self.cursor.expect(")")
        return names

    def _foreign_key(self, draft: Draft, label: str, column: Column | None) -> None:
        cursor = self.cursor
        names = [column.name] if column else []
        if cursor.accept("FOREIGN", "KEY") and cursor.accept("("):
            names = self.name_list()
        cursor.expect("REFERENCES")
        parts = cursor.dotted()
        referenced = self.name_list() if cursor.accept("(") else []
        actions = {"DELETE": "NO_ACTION", "UPDATE": "NO_ACTION"}
        while cursor.word == "ON" and cursor.ahead() in ("DELETE", "UPDATE"):
            cursor.advance()
            event = cursor.advance().word
            words = next((one for one in _ACTIONS if cursor.accept(*one)), None)
            if words is None:
                raise cursor.wrong()
            actions[event] = _ACTIONS[words]
        schema, table = (parts[-2] if len(parts) > 1 and parts[-2] else "dbo"), parts[-1]
        made = label or f"FK__{draft.name[:9]}__{names[0][:5]}__{draft.suffix()}"
        key = ForeignKey(made, tuple(names), schema, table, tuple(referenced), actions["DELETE"], actions["UPDATE"])
        draft.foreign_keys.append(key)

    def _bracketed_text(self) -> str:
        start = self.cursor.at
        self.cursor.expect("(")
        self.skip_bracket()
        return self._slice(start)

    def _slice(self, start: int) -> str:
        tokens = self.cursor.tokens
        return self.cursor.text[tokens[start].start : tokens[self.cursor.at - 1].end]

    def computed_type(self, draft: Draft, text: str) -> SqlType:
        """Return the type of a computed column."""
        made, _ = self.compiled_over(draft.columns, text)
        return made

    def compiled_over(self, columns: list[Column], text: str) -> tuple[SqlType, str]:
        """Compile an expression over a table's columns; return its type and DuckDB's text."""
        cursor = self.cursor
        self.cursor = Cursor(text, tokens_of(text))
        fields = tuple(
            Field(one.name, '"' + one.name.replace('"', '""') + '"', one.type, one.nullable) for one in columns
        )
        try:
            one = self.value(Scope([Relation("", fields)]))
        finally:
            self.cursor = cursor
        return one.type, one.sql

    def condition_over(self, columns: list[Column], text: str) -> str:
        """Compile a condition over a table's columns to DuckDB's text."""
        cursor = self.cursor
        self.cursor = Cursor(text, tokens_of(text))
        fields = tuple(
            Field(one.name, '"' + one.name.replace('"', '""') + '"', one.type, one.nullable) for one in columns
        )
        try:
            return self.condition(Scope([Relation("", fields)]))
        finally:
            self.cursor = cursor

    # ── modules ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def view(self, database: str, schema: str, name: str) -> View:
        """Read a view whose name is taken."""
        cursor = self.cursor
        columns = self.name_list() if cursor.accept("(") else []
        if cursor.accept("WITH"):
            cursor.name()
        cursor.expect("AS")
        start = cursor.token.start
        cursor.at = len(cursor.tokens) - 1
        query = cursor.text[start:].strip().rstrip(";")
        return View(database, schema, name, tuple(columns), query, cursor.text)

    def procedure(self, database: str, schema: str, name: str) -> Module:
        """Read a procedure whose name is taken."""
        cursor = self.cursor
        bracket = cursor.accept("(")
        arguments = self.declared_arguments()
        if bracket:
            cursor.expect(")")
        self._module_options()
        cursor.expect("AS")
        return Module("P", database, schema, name, arguments, self._rest(), cursor.text)

    def routine(self, database: str, schema: str, name: str) -> Module:
        """Read a function whose name is taken."""
        cursor = self.cursor
        cursor.expect("(")
        arguments = self.declared_arguments()
        cursor.expect(")", "RETURNS")
        if cursor.accept("TABLE"):
            self._module_options()
            cursor.accept("AS")
            cursor.expect("RETURN")
            bracket = cursor.accept("(")
            body = self._rest().rstrip().rstrip(";")
            if bracket:
                body = body[: body.rindex(")")]
            return Module("IF", database, schema, name, arguments, body, cursor.text)
        if cursor.token.kind == VARIABLE:
            raise unsupported("A function that returns a table variable")
        type_ = self.type()
        self._module_options()
        cursor.accept("AS")
        return Module("FN", database, schema, name, arguments, self._rest(), cursor.text, returns=type_)

    def trigger(self, database: str, schema: str, name: str) -> Module:
        """Read a trigger whose name is taken."""
        cursor = self.cursor
        cursor.expect("ON")
        parts = cursor.dotted()
        self._module_options()
        instead = cursor.accept("INSTEAD", "OF")
        if not instead and not cursor.accept("AFTER"):
            cursor.expect("FOR")
        events = [cursor.advance().word]
        while cursor.accept(","):
            events.append(cursor.advance().word)
        cursor.expect("AS")
        table = ((parts[-2] if len(parts) > 1 else "dbo").lower(), parts[-1].lower())
        return Module("TR", database, schema, name, (), self._rest(), cursor.text, table=table, events=tuple(events),
                      instead=instead)  # fmt: skip

    def _module_options(self) -> None:
        if not self.cursor.accept("WITH"):
            return
        while True:
            word = self.cursor.advance().word
            if word in ("EXECUTE", "EXEC"):
                self.cursor.expect("AS")
                if self.cursor.token.kind == STRING:
                    raise unsupported("WITH EXECUTE AS 'user'")
                self.cursor.advance()
            elif word not in ("SCHEMABINDING", "RECOMPILE", "ENCRYPTION", "VIEW_METADATA"):
                raise self.cursor.wrong()
            if not self.cursor.accept(","):
                return

    def declared_arguments(self) -> tuple[Argument, ...]:
        """Read parameters with their types."""
        found = []
        while self.cursor.token.kind == VARIABLE:
            name = self.cursor.advance().text
            self.cursor.accept("AS")
            type_ = self.type()
            default = None
            if self.cursor.accept("="):
                start = self.cursor.at
                self.value(Scope())
                default = self._slice(start)
            output = self.cursor.accept("OUTPUT") or self.cursor.accept("OUT")
            self.cursor.accept("READONLY")
            found.append(Argument(name, type_, default, output))
            if not self.cursor.accept(","):
                break
        return tuple(found)

    def _rest(self) -> str:
        text = self.cursor.text[self.cursor.token.start :]
        self.cursor.at = len(self.cursor.tokens) - 1
        return text


def table_of(draft: Draft, database: str) -> Table:
    """Return the table that a draft became; foreign keys without columns name the key of the other table later."""
    if not draft.columns:
        raise SqlError(102, ")")
    return Table(database, draft.schema, draft.name, tuple(draft.columns), tuple(draft.keys), tuple(draft.foreign_keys),
                 tuple(draft.checks))  # fmt: skip
