"""FROM clauses, compiled: tables, views, subqueries, table functions, joins and APPLY."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

from blastwall.testing.tds.catalog import Module, Table, View, quoted
from blastwall.testing.tds.datatypes import BIGINT, SqlType
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Field, Relation, Scope
from blastwall.testing.tds.functions import Functions
from blastwall.testing.tds.lexer import VARIABLE
from blastwall.testing.tds.typed import UNKNOWN, Source, Typed, convert

_JOINS = ("JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "OUTER")


class Sources(Functions):
    """Compiles what rows come from."""

    @property
    def ctes(self) -> list[tuple[str, str, Relation]]:
        """The common table expressions in sight: name, DuckDB's name, columns."""
        found: list[tuple[str, str, Relation]] = self.__dict__.setdefault("_ctes", [])
        return found

    @ctes.setter
    def ctes(self, value: list[tuple[str, str, Relation]]) -> None:
        self.__dict__["_ctes"] = value

    def fresh(self) -> str:
        """Return a name that no other relation has."""
        counter: Iterator[int] = self.__dict__.setdefault("_counter", itertools.count())
        return f"t{next(counter)}"

    @abstractmethod
    def expanded(self, view: View | Module, arguments: dict[str, Typed]) -> tuple[str, list[Field]]:
        """Compile the query of a view or of an inline table function where it is used."""

    def name_list(self) -> list[str]:
        """Take names up to the closing bracket, which is taken."""
        names = [self.cursor.name()]
        while self.cursor.accept(","):
            names.append(self.cursor.name())
        self.cursor.expect(")")
        return names

    def skip_bracket(self) -> None:
        """Take tokens up to the closing bracket that matches one which was taken."""
        depth = 1
        while depth:
            if self.cursor.ended:
                raise self.cursor.wrong()
            word = self.cursor.advance().word
            depth += (word == "(") - (word == ")")

    def from_clause(self, scope: Scope) -> str:
        """Compile what follows FROM; its relations come into `scope`."""
        parts = [self._joined(scope)]
        while self.cursor.accept(","):
            parts.append(self._joined(scope))
        return f" FROM {', '.join(parts)}"

    def _joined(self, scope: Scope) -> str:
        sql = self._primary_source(scope, lateral=False)
        while self.cursor.word in _JOINS:
            sql += self._join(scope)
        return sql

    def _join(self, scope: Scope) -> str:
        cursor = self.cursor
        if cursor.accept("CROSS", "APPLY"):
            return f" CROSS JOIN {self._primary_source(scope, lateral=True)}"
        if cursor.accept("OUTER", "APPLY"):
            before = len(scope.relations)
            sql = self._primary_source(scope, lateral=True)
            self._make_nullable(scope, before, len(scope.relations))
            return f" LEFT JOIN {sql} ON TRUE"
        if cursor.accept("CROSS", "JOIN"):
            return f" CROSS JOIN {self._primary_source(scope, lateral=False)}"
        kind = cursor.word if cursor.word in ("LEFT", "RIGHT", "FULL") else "INNER"
        if cursor.word != "JOIN":
            cursor.advance()
        cursor.accept("OUTER")
        for hint in ("HASH", "LOOP", "MERGE"):
            cursor.accept(hint)
        cursor.expect("JOIN")
        before = len(scope.relations)
        sql = self._primary_source(scope, lateral=False)
        while cursor.word in _JOINS and self._nested_on():
            sql += self._join(scope)
        cursor.expect("ON")
        test = self.condition(scope)
        if kind in ("LEFT", "FULL"):
            self._make_nullable(scope, before, len(scope.relations))
        if kind in ("RIGHT", "FULL"):
            self._make_nullable(scope, 0, before)
        return f" {kind} JOIN {sql} ON {test}"

    def _nested_on(self) -> bool:
        raise unsupported("A join inside a join without brackets")

    def _make_nullable(self, scope: Scope, start: int, end: int) -> None:
        for index in range(start, end):
            relation = scope.relations[index]
            scope.relations[index] = replace(
                relation, fields=tuple(replace(one, nullable=True) for one in relation.fields)
            )

    def _primary_source(self, scope: Scope, *, lateral: bool) -> str:
        cursor = self.cursor
        if cursor.accept("("):
            if cursor.word in ("SELECT", "WITH"):
                inner = scope if lateral else Scope(outer=scope.outer)
                sql, fields = self.subquery(inner)
                cursor.expect(")")
                return ("LATERAL " if lateral else "") + self._aliased(f"({sql})", fields, scope)
            if cursor.accept("VALUES"):
                sql, fields = self.values_rows(scope)
                cursor.expect(")")
                return self._aliased(f"({sql})", fields, scope)
            sql = self._joined(scope)
            cursor.expect(")")
            return f"({sql})"
        if cursor.token.kind == VARIABLE:
            return self._table_variable(scope)
        parts = self._source_name()
        if cursor.accept("("):
            return self._table_function(parts, scope)
        return self._table(parts, scope)

    def _source_name(self) -> tuple[str, ...]:
        if self.cursor.word in (
            "OPENROWSET",
            "OPENQUERY",
            "OPENDATASOURCE",
            "OPENXML",
            "CONTAINSTABLE",
            "FREETEXTTABLE",
        ):
            raise unsupported(self.cursor.word)
        return self.cursor.dotted()

    def values_rows(self, scope: Scope) -> tuple[str, list[Field]]:
        """Compile the rows of a VALUES."""
        rows = []
        while True:
            self.cursor.expect("(")
            rows.append(self.arguments(scope))
            if not self.cursor.accept(","):
                break
        if self.dry:
            return "SELECT NULL", [Field("", "NULL", UNKNOWN)]
        if len({len(row) for row in rows}) != 1:
            raise SqlError.raised(
                10709, 16, 1, "The number of columns for each row in a table value constructor must be the same."
            )
        columns = [self.together(list(column)) for column in zip(*rows, strict=True)]
        sql = ", ".join("(" + ", ".join(one.sql for one in row) + ")" for row in zip(*columns, strict=True))
        fields = [Field("", "", column[0].type, any(one.nullable for one in column)) for column in columns]
        return f"VALUES {sql}", fields

    def _alias(self) -> str:
        cursor = self.cursor
        if cursor.accept("AS") or (cursor.is_name() and cursor.word != "WITH"):
            return cursor.name()
        return ""

    def _aliased(self, sql: str, fields: list[Field], scope: Scope, names: tuple[str, ...] = ()) -> str:
        alias = self._alias()
        columns = self.name_list() if alias and self.cursor.accept("(") else []
        self._hints()
        if not alias and not names:
            raise self.cursor.wrong()
        hidden = self.fresh()
        if not self.dry and columns and len(columns) != len(fields):
            raise SqlError.raised(8158, 16, 1, f"'{alias}' has more columns than were specified in the column list.")
        shown = columns if columns and not self.dry else [one.name for one in fields]
        inner = [quoted(name or f"c{index}") for index, name in enumerate(shown)]
        kept = tuple(
            replace(one, name=name, sql=f"{hidden}.{column}")
            for one, name, column in zip(fields, shown, inner, strict=False)
        )
        scope.relations.append(Relation(alias or names[-1], kept, anything=self.dry, names=() if alias else names))
        return f"{sql} AS {hidden}({', '.join(inner)})"

    def _hints(self) -> None:
        if self.cursor.accept("WITH", "("):
            self.skip_bracket()
        elif self.cursor.accept("(", "NOLOCK", ")"):
            pass
        if self.cursor.word == "TABLESAMPLE":
            raise unsupported("TABLESAMPLE")
        if self.cursor.word in ("PIVOT", "UNPIVOT"):
            raise unsupported(self.cursor.word)
        if self.cursor.word == "FOR" and self.cursor.ahead() == "SYSTEM_TIME":
            raise unsupported("FOR SYSTEM_TIME")

    def _table_variable(self, scope: Scope) -> str:
        name = self.cursor.advance().text
        found = self.facts.variables.get(name.lower())
        if found is None or (found.table is None and not self.dry):
            error = SqlError.raised(1087, 15, 2, f'Must declare the table variable "{name}".')
            raise error
        if self.dry or found.table is None:
            return self._aliased("(SELECT NULL)", [Field("", "NULL", UNKNOWN)], scope, (name,))
        return self._aliased(found.table.relation, self.fields_of(found.table), scope, (name,))

    def _table(self, parts: tuple[str, ...], scope: Scope) -> str:
        if len(parts) == 1:
            for name, hidden, relation in reversed(self.ctes):
                if name.lower() == parts[0].lower():
                    fields = [replace(one, sql="") for one in relation.fields]
                    if relation.anything and not fields:
                        return self._unknown_source(parts, scope)
                    return self._aliased(hidden, fields, scope, parts)
        if self.dry:
            return self._unknown_source(parts, scope)
        found = self.facts.resolve(parts)
        self.facts.check("SELECT", found)
        if isinstance(found, Module):
            raise SqlError(208, ".".join(parts))
        names: tuple[str, ...] = (found.database, found.schema, found.name)
        if len(parts) == 1 and found.name.lower() != parts[0].lower():
            names = (parts[0],)
        if isinstance(found, View):
            sql, fields = self.expanded(found, {})
            return self._aliased(f"({sql})", self._through_view(found, fields), scope, names)
        return self._aliased(found.relation, self.fields_of(found), scope, names)

    def _unknown_source(self, parts: tuple[str, ...], scope: Scope) -> str:
        return self._aliased("(SELECT NULL)", [Field("", "NULL", UNKNOWN)], scope, parts)

    def _through_view(self, view: View, fields: list[Field]) -> list[Field]:
        return [
            replace(one, source=replace(one.source, view=(view.database, view.schema, view.name, one.name)))
            if one.source else one
            for one in fields
        ]  # fmt: skip

    def fields_of(self, table: Table, prefix: str = "") -> list[Field]:
        """Return a table's columns as a FROM clause offers them."""
        return [
            Field(
                one.name, f"{prefix}{quoted(one.name)}", one.type, one.nullable,
                Source(table.database, table.schema, table.name, one.name, one.identity is not None),
            )
            for one in table.columns
        ]  # fmt: skip

    def _table_function(self, parts: tuple[str, ...], scope: Scope) -> str:
        name = parts[-1].upper()
        if name == "STRING_SPLIT" and len(parts) == 1:
            one, separator, *_ = self.arguments(scope)
            sql = f"LATERAL (SELECT unnest(string_split({one.sql}, {separator.sql})))"
            type_ = one.type if self.dry else convert(one, SqlType("nvarchar", 4000), cut=False).type
            return self._aliased(sql, [Field("value", "", type_, False)], scope, ("STRING_SPLIT",))
        if name == "GENERATE_SERIES" and len(parts) == 1:
            first, last, *_ = self.arguments(scope)
            sql = f"LATERAL (SELECT unnest(generate_series(CAST({first.sql} AS BIGINT), CAST({last.sql} AS BIGINT))))"
            return self._aliased(sql, [Field("value", "", BIGINT, False)], scope, ("GENERATE_SERIES",))
        args = self.arguments(scope)
        if self.dry:
            return self._unknown_source(parts, scope)
        if parts[0].lower() in ("sys", "fn_helpcollations") or len(parts) == 1:
            made = self.facts.table_function(parts[-1], [self._constant(one) for one in args])
            if made is None:
                raise unsupported(f"The function {'.'.join(parts)}")
            return self._aliased(made.relation, self.fields_of(made), scope, (made.name,))
        found = self.facts.resolve(parts)
        if not isinstance(found, Module) or found.kind != "IF":
            raise SqlError(208, ".".join(parts))
        self.facts.check("SELECT", found)
        given = {
            argument.name.lower(): convert(one, argument.type)
            for argument, one in zip(found.arguments, args, strict=True)
        }
        sql, fields = self.expanded(found, given)
        return self._aliased(f"LATERAL ({sql})", fields, scope, (found.name,))
