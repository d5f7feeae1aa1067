"""INSERT, UPDATE, DELETE and MERGE, compiled to the steps that DuckDB takes.

An UPDATE or DELETE that is more than plain first writes the rows that it touches into a temporary table, old and new
values beside each other: OUTPUT and triggers read them there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from blastwall.testing.tds.catalog import Column, Module, Table, View, duck_type, quoted
from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Field, Relation, Scope
from blastwall.testing.tds.lexer import VARIABLE, Cursor, tokens_of
from blastwall.testing.tds.queries import Queries
from blastwall.testing.tds.typed import UNKNOWN, Source, Typed, arithmetic, assigned

TOUCHED = 'temp.main."#touched"'
"""Where the touched rows are written."""


@dataclass(frozen=True, slots=True)
class Output:
    """An OUTPUT clause: its columns, and the table that they go into where it has INTO."""

    fields: tuple[Field, ...]
    into: Table | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One compiled change.

    `touching` is the query of the touched rows, which `sql` then reads; `plain` does without, where that is enough.
    An INSERT's `sql` is the query of its rows, a MERGE's the whole statement.
    """

    kind: str
    table: Table
    sql: str = ""
    touching: str = ""
    plain: str = ""
    columns: tuple[str, ...] = ()
    output: Output | None = None
    procedure: int = -1
    """Where among the tokens the EXEC of an INSERT … EXEC is."""


class Compiler(Queries):
    """Compiles every statement of T-SQL that DuckDB runs."""

    def target(self) -> Table:
        """Compile the name of a table that is changed."""
        cursor = self.cursor
        if cursor.token.kind == VARIABLE:
            name = cursor.advance().text
            variable = self.facts.variables.get(name.lower())
            if variable is None or (variable.table is None and not self.dry):
                raise SqlError.raised(1087, 15, 2, f'Must declare the table variable "{name}".')
            return variable.table or NOWHERE
        parts = cursor.dotted()
        if cursor.accept("WITH", "("):
            self.skip_bracket()
        return NOWHERE if self.dry else self._changeable(parts)

    def _changeable(self, parts: tuple[str, ...]) -> Table:
        found = self.facts.resolve(parts)
        if isinstance(found, View):
            raise unsupported(f"A change through the view {found.name}")
        if isinstance(found, Module):
            raise SqlError(208, ".".join(parts))
        return found

    # ── INSERT ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def insert(self) -> Change:
        """Compile an INSERT."""
        cursor = self.cursor
        prefix = self.with_clause(None) if cursor.word == "WITH" else ""
        cursor.expect("INSERT")
        if cursor.word == "TOP":
            raise unsupported("INSERT TOP")
        cursor.accept("INTO")
        table = self.target()
        if not self.dry:
            self.facts.check("INSERT", table)
        columns = self.name_list() if cursor.word == "(" and not self._opens_query() and cursor.accept("(") else None
        output = self._output_clause(table, inserted='"{}"')
        if cursor.accept("DEFAULT", "VALUES"):
            return self._insert_of(table, [], "SELECT 1", [], prefix=prefix, output=output)
        if cursor.word in ("EXEC", "EXECUTE"):
            wanted = self._insert_columns(table, columns)
            return Change(
                "INSERT", table, columns=tuple(one.name for one in wanted), output=output, procedure=cursor.at
            )
        wanted = self._insert_columns(table, columns)
        if cursor.accept("VALUES"):
            sql, fields = self._insert_rows(wanted)
        else:
            made = self.query()
            sql, fields = made.sql, list(made.fields)
        return self._insert_of(table, wanted, sql, fields, prefix=prefix, output=output)

    def _opens_query(self) -> bool:
        return self.cursor.ahead() in ("SELECT", "WITH")

    def _insert_columns(self, table: Table, names: list[str] | None) -> list[Column]:
        if self.dry:
            return []
        if names is None:
            return [one for one in table.columns if one.identity is None and one.computed is None]
        found = []
        for name in names:
            column = table.column(name)
            if column is None:
                raise SqlError(207, name)
            if column.computed is not None:
                raise SqlError.raised(
                    271,
                    16,
                    1,
                    f'The column "{name}" cannot be modified because it is either a computed '
                    "column or is the result of a UNION operator.",
                )
            if column in found:
                raise SqlError(264, name)
            found.append(column)
        return found

    def _insert_rows(self, columns: list[Column]) -> tuple[str, list[Field]]:
        rows, scope = [], Scope()
        while True:
            self.cursor.expect("(")
            rows.append(self._insert_row(columns, scope))
            if not self.cursor.accept(","):
                break
        if self.dry:
            return "", []
        sql = ", ".join("(" + ", ".join(one.sql for one in row) + ")" for row in rows)
        return f"VALUES {sql}", [Field("", "", one.type) for one in columns]

    def _insert_row(self, columns: list[Column], scope: Scope) -> list[Typed]:
        row: list[Typed] = []
        while True:
            if self.cursor.accept("DEFAULT"):
                row.append(Typed("NULL", UNKNOWN) if self.dry else self._default(columns[len(row)]))
            else:
                one = self.value(scope)
                if not self.dry and len(row) < len(columns):
                    one = assigned(one, columns[len(row)].type)
                row.append(one)
            if not self.cursor.accept(","):
                break
        self.cursor.expect(")")
        if not self.dry and len(row) != len(columns):
            raise SqlError(213)
        return row

    def _default(self, column: Column) -> Typed:
        if column.default is None:
            return Typed(f"CAST(NULL AS {duck_type(column.type)})", column.type)
        cursor = self.cursor
        self.cursor = Cursor(column.default, tokens_of(column.default))
        try:
            return assigned(self.value(Scope()), column.type)
        finally:
            self.cursor = cursor

    def _insert_of(
        self, table: Table, columns: list[Column], sql: str, fields: list[Field], *, prefix: str, output: Output | None
    ) -> Change:
        if self.dry:
            return Change("INSERT", table)
        if columns and len(fields) != len(columns):
            raise SqlError.raised(
                120 if len(fields) < len(columns) else 121,
                15,
                1,
                "The select list for the INSERT statement contains a different number of items than the "
                "insert list. The number of SELECT values must match the number of INSERT columns.",
            )
        names = [f"c{index}" for index in range(len(fields))] or ["c0"]
        values = [
            assigned(Typed(f"q.c{index}", one.type, one.nullable), column.type).sql
            if not sql.startswith("VALUES")
            else f"q.c{index}"
            for index, (one, column) in enumerate(zip(fields, columns, strict=True))
        ]
        given = [one.name for one in columns]
        for column in table.columns:
            if column.default is not None and column not in columns and column.computed is None:
                given.append(column.name)
                values.append(self._default(column).sql)
        made = f"SELECT {', '.join(values) or '1'} FROM ({prefix}{sql}) AS q({', '.join(names)})"
        return Change("INSERT", table, made, columns=tuple(given), output=output)

    # ── UPDATE, DELETE ───────────────────────────────────────────────────────────────────────────────────────────────

    def update(self) -> Change:
        """Compile an UPDATE."""
        cursor = self.cursor
        prefix = self.with_clause(None) if cursor.word == "WITH" else ""
        cursor.expect("UPDATE")
        limit = self._limit()
        name, at = self._target_name(), cursor.at
        cursor.expect("SET")
        self._skip_assignments()
        output_at = cursor.at
        if cursor.word == "OUTPUT":
            self._skip_output()
        table, scope, from_sql, target = self._from_of(name, "UPDATE")
        after = cursor.at
        cursor.at = at + 1
        changes = self._assignments(table, scope, target)
        cursor.at = output_at
        output = self._output_clause(table, inserted='"i_{}"', deleted='"d_{}"')
        cursor.at = after
        where = self._where(scope)
        if self.dry:
            return Change("UPDATE", table)
        kept = {one.name: f"{target}.{quoted(one.name)}" for one in table.columns}
        values = kept | {name: one.sql for name, one in changes.items()}
        new = [f"{sql} AS {quoted('i_' + name)}" for name, sql in values.items()]
        touching = self._touching(table, target, new, prefix=prefix, from_sql=from_sql, where=where, limit=limit)
        sets = ", ".join(f"{quoted(one)} = x.{quoted('i_' + one)}" for one in changes)
        sql = f'UPDATE {table.relation} AS y SET {sets} FROM {TOUCHED} AS x WHERE y.rowid = x."#row"'
        plain = ""
        if not (prefix or limit or output or self._joins(from_sql)):
            assignments = ", ".join(f"{quoted(name)} = {one.sql}" for name, one in changes.items())
            plain = f"UPDATE {table.relation} AS {target} SET {assignments}{where}"
        return Change("UPDATE", table, sql, touching, plain, tuple(changes), output)

    def delete(self) -> Change:
        """Compile a DELETE."""
        cursor = self.cursor
        prefix = self.with_clause(None) if cursor.word == "WITH" else ""
        cursor.expect("DELETE")
        limit = self._limit()
        cursor.accept("FROM")
        name = self._target_name()
        output_at = cursor.at
        if cursor.word == "OUTPUT":
            self._skip_output()
        table, scope, from_sql, target = self._from_of(name, "DELETE")
        after = cursor.at
        cursor.at = output_at
        output = self._output_clause(table, deleted='"d_{}"')
        cursor.at = after
        where = self._where(scope)
        if self.dry:
            return Change("DELETE", table)
        touching = self._touching(table, target, [], prefix=prefix, from_sql=from_sql, where=where, limit=limit)
        sql = f'DELETE FROM {table.relation} AS y USING {TOUCHED} AS x WHERE y.rowid = x."#row"'
        simple = not (prefix or limit or output or self._joins(from_sql))
        plain = f"DELETE FROM {table.relation} AS {target}{where}" if simple else ""
        return Change("DELETE", table, sql, touching, plain, output=output)

    def _joins(self, from_sql: str) -> bool:
        return " JOIN " in from_sql or ", " in from_sql.partition("(")[0]

    def _limit(self) -> str:
        if self.cursor.word == "TOP" and self.cursor.ahead() != "(":
            raise self.cursor.wrong()
        return self._top(Scope())

    def _target_name(self) -> tuple[str, ...]:
        if self.cursor.token.kind == VARIABLE:
            return (self.cursor.advance().text,)
        parts = self.cursor.dotted()
        if self.cursor.accept("WITH", "("):
            self.skip_bracket()
        return parts

    def _from_of(self, name: tuple[str, ...], permission: str) -> tuple[Table, Scope, str, str]:
        """Compile FROM; return the changed table, the scope, the clause and the table's alias in it."""
        scope = Scope()
        has_from = self.cursor.accept("FROM")
        from_sql = self.from_clause(scope) if has_from else ""
        if self.dry:
            return NOWHERE, scope, from_sql, "t0"
        for relation in scope.relations:
            if relation.called(name) and relation.fields and relation.fields[0].source is not None:
                source = relation.fields[0].source
                parts = (source.database, source.schema, source.table) if source.database else (source.table,)
                table = self._changeable(parts)
                self.facts.check(permission, table)
                return table, scope, from_sql, relation.fields[0].sql.partition(".")[0]
        table = self._table_called(name)
        self.facts.check(permission, table)
        if has_from:
            raise unsupported("A changed table that is not in the FROM clause")
        hidden = self.fresh()
        fields = tuple(self.fields_of(table, f"{hidden}."))
        scope.relations.append(Relation(table.name if not name[0].startswith("@") else name[0], fields,
                                        names=(table.database, table.schema, table.name)))  # fmt: skip
        return table, scope, f" FROM {table.relation} AS {hidden}", hidden

    def _table_called(self, name: tuple[str, ...]) -> Table:
        if name[0].startswith("@"):
            variable = self.facts.variables.get(name[0].lower())
            if variable is None or variable.table is None:
                raise SqlError.raised(1087, 15, 2, f'Must declare the table variable "{name[0]}".')
            return variable.table
        return self._changeable(name)

    def _touching(
        self, table: Table, target: str, new: list[str], *, prefix: str, from_sql: str, where: str, limit: str
    ) -> str:
        old = [f"{target}.{quoted(one.name)} AS {quoted('d_' + one.name)}" for one in table.columns]
        columns = ", ".join([f'{target}.rowid AS "#row"', *old, *new])
        once = f" QUALIFY row_number() OVER (PARTITION BY {target}.rowid) = 1" if self._joins(from_sql) else ""
        return f"{prefix}SELECT {columns}{from_sql}{where}{once}{limit}"

    def _where(self, scope: Scope) -> str:
        sql = ""
        if self.cursor.accept("WHERE"):
            if self.cursor.accept("CURRENT", "OF"):
                raise unsupported("WHERE CURRENT OF")
            sql = f" WHERE {self.condition(scope)}"
        if self.cursor.accept("OPTION", "("):
            self.skip_bracket()
        return sql

    def _skip_assignments(self) -> None:
        self._skip_to(("FROM", "WHERE", "OUTPUT", "OPTION"))

    def _skip_output(self) -> None:
        self._skip_to(("FROM", "WHERE", "OPTION", "VALUES", "SELECT"), start=1)

    def _skip_to(self, words: tuple[str, ...], start: int = 0) -> None:
        """Compile without a scope up to one of these words: only where it ends is of interest."""
        cursor, depth, cases = self.cursor, 0, 0
        cursor.at += start
        while not cursor.ended:
            word = cursor.word
            depth += (word == "(") - (word == ")")
            cases += (word == "CASE") - (word == "END" and cases > 0)
            if depth < 0 or (not depth and (word == ";" or word in words)):
                return
            if not depth and not cases and word in _STOPS:
                return
            cursor.advance()

    def _assignments(self, table: Table, scope: Scope, target: str) -> dict[str, Typed]:
        found: dict[str, Typed] = {}
        while True:
            cursor = self.cursor
            if cursor.token.kind == VARIABLE:
                raise unsupported("UPDATE … SET @variable")
            name = cursor.dotted()[-1]
            operator = cursor.advance().word
            if operator not in ("=", "+=", "-=", "*=", "/=", "%="):
                raise cursor.wrong()
            column = table.column(name)
            if column is None and not self.dry:
                raise SqlError(207, name)
            made = self._new_value(column, target, operator, scope)
            if column is not None:
                if column.identity is not None:
                    raise SqlError.raised(8102, 16, 1, f"Cannot update identity column '{column.name}'.")
                if column.name in found:
                    raise SqlError(264, name)
                found[column.name] = made
            if not cursor.accept(","):
                return found

    def _new_value(self, column: Column | None, target: str, operator: str, scope: Scope) -> Typed:
        if self.cursor.accept("DEFAULT"):
            return Typed("NULL", UNKNOWN) if column is None else self._default(column)
        one = self.value(scope)
        if column is None:
            return one
        if operator != "=":
            one = arithmetic(operator[0], Typed(f"{target}.{quoted(column.name)}", column.type, column.nullable), one)
        return assigned(one, column.type)

    # ── OUTPUT, MERGE ────────────────────────────────────────────────────────────────────────────────────────────────

    def _output_clause(self, table: Table, *, inserted: str = "", deleted: str = "") -> Output | None:
        cursor = self.cursor
        if not cursor.accept("OUTPUT"):
            return None
        scope = Scope()
        for name, pattern in (("inserted", inserted), ("deleted", deleted)):
            if pattern:
                scope.relations.append(Relation(name, tuple(self._pseudo(table, pattern))))
        items = [one for one, _ in self._items(scope)]
        if not cursor.accept("INTO"):
            return Output(tuple(items))
        into = self.target()
        columns = self.name_list() if cursor.word == "(" and cursor.ahead() != "SELECT" and cursor.accept("(") else []
        names = columns or [one.name for one in into.columns if one.identity is None]
        return Output(tuple(items), into, tuple(names))

    def _pseudo(self, table: Table, pattern: str) -> list[Field]:
        return [
            Field(one.name, pattern.format(one.name.replace('"', '""')), one.type, one.nullable,
                  Source(table.database, table.schema, table.name, one.name))
            for one in table.columns
        ]  # fmt: skip

    def merge(self) -> Change:
        """Compile a MERGE."""
        cursor = self.cursor
        prefix = self.with_clause(None) if cursor.word == "WITH" else ""
        cursor.expect("MERGE")
        cursor.accept("INTO")
        table = self.target()
        alias = self._alias() or table.name
        scope = Scope([Relation(alias, tuple(self.fields_of(table, "m0.")), anything=self.dry)])
        cursor.expect("USING")
        source = self._primary_source(scope, lateral=False)
        cursor.expect("ON")
        sql = f"{prefix}MERGE INTO {table.relation} AS m0 USING {source} ON {self.condition(scope)}"
        actions = []
        while cursor.accept("WHEN"):
            actions.append(self._merge_action(table, scope))
        if not self.dry:
            for _, permission in actions:
                self.facts.check(permission, table)
        output = self._merge_output(table)
        if cursor.word != ";":
            raise SqlError.raised(10713, 15, 1, "A MERGE statement must be terminated by a semi-colon (;).")
        return Change("MERGE", table, sql + "".join(one for one, _ in actions), output=output)

    def _merge_action(self, table: Table, scope: Scope) -> tuple[str, str]:
        cursor = self.cursor
        negated = "NOT " if cursor.accept("NOT") else ""
        cursor.expect("MATCHED")
        side = ""
        if negated and cursor.accept("BY"):
            side = " BY " + cursor.advance().word
        seen = Scope(scope.relations[:1] if "SOURCE" in side else scope.relations[1:] if negated else scope.relations)
        test = f" AND {self.condition(seen)}" if cursor.accept("AND") else ""
        cursor.expect("THEN")
        head = f" WHEN {negated}MATCHED{side}{test} THEN "
        if cursor.accept("DELETE"):
            return head + "DELETE", "DELETE"
        if cursor.accept("UPDATE", "SET"):
            changes = self._assignments(table, seen, "m0")
            return head + "UPDATE SET " + ", ".join(f"{quoted(n)} = {one.sql}" for n, one in changes.items()), "UPDATE"
        cursor.expect("INSERT")
        if table.identity is not None:
            raise unsupported("MERGE … INSERT into a table with an identity column")
        names = self.name_list() if cursor.accept("(") else None
        columns = self._insert_columns(table, names)
        cursor.expect("VALUES", "(")
        row = self._insert_row(columns, seen)
        listed = ", ".join(quoted(one.name) for one in columns)
        return head + f"INSERT ({listed}) VALUES ({', '.join(one.sql for one in row)})", "INSERT"

    def _merge_output(self, table: Table) -> Output | None:
        if self.cursor.word != "OUTPUT":
            return None
        action = Field("$action", "merge_action", SqlType("nvarchar", 10), False)
        self.cursor.advance()
        scope = Scope([Relation("inserted", tuple(self._pseudo(table, '"{}"'))), Relation("", (action,))])
        fields = []
        while True:
            if self.cursor.accept("$ACTION"):
                name = self._alias() or "$action"
                fields.append(replace(action, name=name))
            else:
                fields += [one for one, _ in self._item(scope)]
            if not self.cursor.accept(","):
                return Output(tuple(fields))


NOWHERE = Table("", "dbo", "nowhere", ())
_STOPS = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "DECLARE",
        "IF",
        "WHILE",
        "PRINT",
        "EXEC",
        "EXECUTE",
        "RETURN",
        "COMMIT",
        "ROLLBACK",
    ]
)
