"""SELECT, compiled: the FROM clause first, since names in the select list mean its columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blastwall.testing.tds.catalog import Module, View, quoted
from blastwall.testing.tds.datatypes import INT
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Field, Relation, Scope
from blastwall.testing.tds.lexer import NUMBER, STRING, VARIABLE, Cursor, tokens_of
from blastwall.testing.tds.sources import Sources
from blastwall.testing.tds.typed import NULL_TYPE, UNKNOWN, Typed, convert, wider

_STARTERS_WORDS = """
    SELECT INSERT UPDATE DELETE MERGE DECLARE SET IF ELSE WHILE BEGIN END PRINT RAISERROR THROW EXEC EXECUTE
    RETURN BREAK CONTINUE WAITFOR COMMIT ROLLBACK SAVE USE CREATE ALTER DROP TRUNCATE GRANT REVOKE DENY GOTO
    OPEN CLOSE FETCH DEALLOCATE KILL DBCC SHUTDOWN BACKUP RESTORE BULK CHECKPOINT RECONFIGURE REVERT
"""
STARTERS = frozenset(_STARTERS_WORDS.split())
"""Words that start a statement."""
_AFTER_LIST = frozenset(["WHERE", "GROUP", "HAVING", "ORDER", "UNION", "EXCEPT", "INTERSECT", "FOR", "OPTION"])


@dataclass(frozen=True, slots=True)
class ForClause:
    """FOR JSON or FOR XML: how rows become one text."""

    kind: str
    mode: str
    root: str | None = None
    row: str | None = None
    nulls: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query. `assigns` names the variables that its columns go into; `into` the table that it makes."""

    sql: str
    fields: tuple[Field, ...]
    assigns: tuple[str, ...] = ()
    into: tuple[str, ...] = ()
    form: ForClause | None = None


class Queries(Sources):
    """Compiles queries."""

    def query(self, outer: Scope | None = None, *, top: bool = False) -> Query:
        """Compile a query with its WITH, ORDER BY and FOR; `top` for a statement of its own."""
        self._assigns: list[str] = []
        self._into: tuple[str, ...] = ()
        self._depth_of_queries = getattr(self, "_depth_of_queries", 0) + 1
        prefix = self.with_clause(outer)
        sql, fields, scope = self._set_operations(outer)
        sql += self._order(fields, scope)
        form = self._for_clause(top)
        if top and self.cursor.accept("OPTION", "("):
            self.skip_bracket()
        self._depth_of_queries -= 1
        return Query(prefix + sql, tuple(fields), tuple(self._assigns), self._into, form)

    def subquery(self, scope: Scope) -> tuple[str, list[Field]]:
        """Compile a query in brackets whose opening bracket is taken."""
        known, assigns, into = len(self.ctes), getattr(self, "_assigns", []), getattr(self, "_into", ())
        made = self.query(scope)
        del self.ctes[known:]
        self._assigns, self._into = assigns, into
        return made.sql, list(made.fields)

    def with_clause(self, outer: Scope | None) -> str:
        """Compile WITH and its common table expressions."""
        if not self.cursor.accept("WITH"):
            return ""
        parts = [self._cte(outer)]
        while self.cursor.accept(","):
            parts.append(self._cte(outer))
        return f"WITH RECURSIVE {', '.join(parts)} "

    def _cte(self, outer: Scope | None) -> str:
        cursor, name = self.cursor, self.cursor.name()
        columns = self.name_list() if cursor.accept("(") else []
        cursor.expect("AS", "(")
        start = cursor.at
        hidden = f"cte{len(self.ctes)}_{self.fresh()}"
        anything = Relation(name, (), anything=True)
        self.ctes.append((name, hidden, anything))
        fields = self._anchor(outer, start, columns)
        self.ctes[-1] = (name, hidden, Relation(name, tuple(fields)))
        cursor.at = start
        sql, made = self.subquery_of(outer)
        cursor.expect(")")
        named = self._renamed(made, columns)
        self.ctes[-1] = (name, hidden, Relation(name, tuple(named)))
        return f"{hidden}({', '.join(quoted(one.name) for one in named)}) AS ({sql})"

    def subquery_of(self, outer: Scope | None) -> tuple[str, list[Field]]:
        """Compile a query inside another, outside of any FROM clause."""
        assigns, into = self._assigns, self._into
        made = self.query(outer)
        self._assigns, self._into = assigns, into
        return made.sql, list(made.fields)

    def _anchor(self, outer: Scope | None, start: int, columns: list[str]) -> list[Field]:
        """The columns of a common table expression, by its first SELECT: the others may name the expression itself."""
        values = dict(self.values)
        try:
            _, fields, _ = self._term(outer)
        finally:
            self.values = values
        return self._renamed(fields, columns)

    def _renamed(self, fields: list[Field], columns: list[str]) -> list[Field]:
        if self.dry or not columns:
            return [replace(one, name=one.name or f"c{index}") for index, one in enumerate(fields)]
        if len(columns) != len(fields):
            raise SqlError.raised(
                8158, 16, 1, "The query has more or fewer columns than were specified in the column list."
            )
        return [replace(one, name=name) for one, name in zip(fields, columns, strict=True)]

    # ── set operations ───────────────────────────────────────────────────────────────────────────────────────────────

    def _set_operations(self, outer: Scope | None) -> tuple[str, list[Field], Scope | None]:
        sql, fields, scope = self._intersections(outer)
        while (word := self.cursor.word) in ("UNION", "EXCEPT"):
            self.cursor.advance()
            operator = word + (" ALL" if self.cursor.accept("ALL") else "")
            other, others, _ = self._intersections(outer)
            sql, fields, scope = self._combined(sql, fields, operator, other, others), self._met(fields, others), None
        return sql, fields, scope

    def _intersections(self, outer: Scope | None) -> tuple[str, list[Field], Scope | None]:
        sql, fields, scope = self._term(outer)
        while self.cursor.accept("INTERSECT"):
            other, others, _ = self._term(outer)
            sql, fields, scope = (
                self._combined(sql, fields, "INTERSECT", other, others),
                self._met(fields, others),
                None,
            )
        return sql, fields, scope

    def _combined(self, sql: str, fields: list[Field], operator: str, other: str, others: list[Field]) -> str:
        if self.dry:
            return sql
        if len(fields) != len(others):
            raise SqlError(205)
        met = self._met(fields, others)
        return f"{self._cast_all(sql, fields, met)} {operator} {self._cast_all(other, others, met)}"

    def _met(self, fields: list[Field], others: list[Field]) -> list[Field]:
        if self.dry:
            return fields
        found = []
        for one, other in zip(fields, others, strict=True):
            type_ = wider(one.type, other.type)
            found.append(Field(one.name, one.sql, INT if type_ == NULL_TYPE else type_, one.nullable or other.nullable))
        return found

    def _cast_all(self, sql: str, fields: list[Field], met: list[Field]) -> str:
        if all(
            one.type == other.type or (one.type.is_text and other.type.is_text)
            for one, other in zip(fields, met, strict=True)
        ):
            return f"({sql})"
        columns = ", ".join(
            convert(Typed(f"c{index}", one.type), other.type, cut=False).sql
            for index, (one, other) in enumerate(zip(fields, met, strict=True))
        )
        names = ", ".join(f"c{index}" for index in range(len(fields)))
        return f"(SELECT {columns} FROM ({sql}) AS u({names}))"

    def _term(self, outer: Scope | None) -> tuple[str, list[Field], Scope | None]:
        if self.cursor.accept("("):
            sql, fields, _ = self._set_operations(outer)
            sql += self._order(fields, None)
            self.cursor.expect(")")
            return f"({sql})", fields, None
        return self._select(outer)

    # ── SELECT ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _select(self, outer: Scope | None) -> tuple[str, list[Field], Scope]:
        cursor = self.cursor
        cursor.expect("SELECT")
        scope = Scope(outer=outer)
        distinct = "DISTINCT " if cursor.accept("DISTINCT") else ""
        cursor.accept("ALL")
        limit = self._top(scope)
        start, from_sql, after_from = cursor.at, "", 0
        if self._find_from():
            from_sql = self.from_clause(scope)
            after_from = cursor.at
        cursor.at = start
        items = self._items(scope)
        if cursor.accept("INTO"):
            self._into = cursor.dotted()
        if after_from:
            if cursor.word != "FROM":
                raise cursor.wrong()
            cursor.at = after_from
        sql = f"SELECT {distinct}{', '.join(self._named_items(items))}{from_sql}"
        if cursor.accept("WHERE"):
            sql += f" WHERE {self.condition(scope)}"
        sql += self._grouping(scope)
        if limit:
            sql += self._order([one for one, _ in items], scope) + limit
            return f"({sql})" if limit else sql, [one for one, _ in items], scope
        return sql, [one for one, _ in items], scope

    def _grouping(self, scope: Scope) -> str:
        sql = ""
        if self.cursor.accept("GROUP", "BY"):
            if self.cursor.word in ("GROUPING", "CUBE"):
                raise unsupported(f"GROUP BY {self.cursor.word}")
            if self.cursor.accept("ROLLUP", "("):
                sql = f" GROUP BY ROLLUP ({', '.join(self._list(scope))})"
                self.cursor.expect(")")
            else:
                sql = f" GROUP BY {', '.join(self._list(scope))}"
        if self.cursor.accept("HAVING"):
            sql += f" HAVING {self.condition(scope)}"
        return sql

    def _top(self, scope: Scope) -> str:
        cursor = self.cursor
        if not cursor.accept("TOP"):
            return ""
        if cursor.accept("("):
            count = self.value(scope).sql
            cursor.expect(")")
        elif cursor.token.kind in (NUMBER, VARIABLE):
            count = self.variable(cursor.advance().text).sql if cursor.token.kind == VARIABLE else cursor.advance().text
        else:
            raise cursor.wrong()
        percent = "%" if cursor.accept("PERCENT") else ""
        if cursor.accept("WITH", "TIES"):
            raise unsupported("TOP … WITH TIES")
        return f" LIMIT ({count}){percent}" if not percent else f" LIMIT {count}%"

    def _find_from(self) -> bool:
        """Move to the FROM of this SELECT; return whether it has one."""
        cursor, depth, cases = self.cursor, 0, 0
        while not cursor.ended:
            word = cursor.word
            depth += (word == "(") - (word == ")")
            cases += (word == "CASE") - (word == "END" and cases > 0)
            if depth < 0 or (not depth and word == ";"):
                return False
            if not depth and not cases and (word in _AFTER_LIST or (word in STARTERS and word != "END")):
                return False
            if not depth and word == "FROM":
                cursor.advance()
                return True
            cursor.advance()
        return False

    def _items(self, scope: Scope) -> list[tuple[Field, str]]:
        items = self._item(scope)
        while self.cursor.accept(","):
            items += self._item(scope)
        return items

    def _item(self, scope: Scope) -> list[tuple[Field, str]]:
        cursor = self.cursor
        if cursor.accept("*"):
            return self.star((), scope)
        if cursor.is_name() and (parts := self._qualified_star()):
            return self.star(parts, scope)
        if cursor.token.kind == VARIABLE and cursor.ahead() in ("=", "+=", "-="):
            if self._depth_of_queries > 1:
                raise cursor.wrong()
            target, operator = cursor.advance().text, cursor.advance().word
            one = self.value(scope)
            if operator != "=":
                raise unsupported(f"SELECT {target} {operator}")
            self._assigns.append(target.lower())
            return [(Field("", one.sql, one.type), one.sql)]
        name = ""
        if (cursor.is_name() or cursor.token.kind == STRING) and cursor.ahead() == "=":
            name = cursor.advance().value
            cursor.advance()
            return [self._output(self.value(scope), name)]
        one = self.value(scope)
        if cursor.accept("AS"):
            name = cursor.advance().value if cursor.token.kind == STRING else cursor.name()
        elif cursor.is_name() or cursor.token.kind == STRING:
            name = cursor.advance().value
        elif one.source is not None:
            name = self._last_name()
        return [self._output(one, name)]

    def _last_name(self) -> str:
        """The name that a column is called by in the select list."""
        return self.cursor.tokens[self.cursor.at - 1].value

    def _qualified_star(self) -> tuple[str, ...]:
        """Take `t.*` if it is next, and return t's parts."""
        cursor, start, parts = self.cursor, self.cursor.at, []
        while cursor.is_name() and cursor.ahead() == ".":
            parts.append(cursor.advance().value)
            cursor.advance()
            if cursor.accept("*"):
                return tuple(parts)
        cursor.at = start
        return ()

    def star(self, parts: tuple[str, ...], scope: Scope) -> list[tuple[Field, str]]:
        """Return all columns, or those of one relation."""
        if self.dry:
            return [(Field("", "NULL", UNKNOWN), "NULL")]
        meant = [one for one in scope.relations if not parts or one.called(parts)]
        if not meant:
            raise SqlError(4104, ".".join((*parts, "*")))
        return [(one, one.sql) for relation in meant for one in relation.fields]

    def _output(self, one: Typed, name: str) -> tuple[Field, str]:
        type_, sql = one.type, one.sql
        if type_ == NULL_TYPE and not self.dry:
            type_, sql = INT, "CAST(NULL AS INTEGER)"
        return Field(name, sql, type_, one.nullable, one.source), sql

    def _named_items(self, items: list[tuple[Field, str]]) -> list[str]:
        return [f"{sql} AS {quoted(one.name or f'c{index}')}" for index, (one, sql) in enumerate(items)]

    # ── ORDER BY, FOR ────────────────────────────────────────────────────────────────────────────────────────────────

    def _order(self, fields: list[Field], scope: Scope | None) -> str:
        cursor = self.cursor
        if not cursor.accept("ORDER", "BY"):
            return ""
        parts = [self._order_item(fields, scope)]
        while cursor.accept(","):
            parts.append(self._order_item(fields, scope))
        sql = f" ORDER BY {', '.join(parts)}"
        if cursor.accept("OFFSET"):
            skipped = self.value(scope or Scope()).sql
            if not cursor.accept("ROWS"):
                cursor.expect("ROW")
            if cursor.accept("FETCH"):
                if not cursor.accept("NEXT"):
                    cursor.expect("FIRST")
                sql += f" LIMIT ({self.value(scope or Scope()).sql})"
                if not cursor.accept("ROWS"):
                    cursor.expect("ROW")
                cursor.expect("ONLY")
            sql += f" OFFSET ({skipped})"
        return sql

    def _order_item(self, fields: list[Field], scope: Scope | None) -> str:
        cursor, token = self.cursor, self.cursor.token
        alone = (
            cursor.ahead() in (",", "ASC", "DESC", ")", ";", "", "OFFSET", "FOR", "OPTION")
            or cursor.ahead() in STARTERS
        )
        named = [index for index, one in enumerate(fields) if one.name and one.name.lower() == token.value.lower()]
        if token.kind == NUMBER and alone:
            cursor.advance()
            return token.text + self.direction()
        if named and alone and cursor.is_name():
            cursor.advance()
            return str(named[0] + 1) + self.direction()
        if cursor.accept("(", "SELECT", "NULL", ")") or cursor.accept("(", "SELECT", "1", ")"):
            return "1" + self.direction()
        return self.value(scope or Scope()).sql + self.direction()

    def _for_clause(self, top: bool) -> ForClause | None:
        cursor = self.cursor
        if cursor.word != "FOR" or cursor.ahead() not in ("JSON", "XML"):
            if cursor.word == "FOR" and cursor.ahead() == "BROWSE":
                cursor.advance(), cursor.advance()
            return None
        if not top:
            raise unsupported("FOR JSON or FOR XML in a subquery")
        cursor.advance()
        kind, mode = cursor.advance().word, cursor.advance().word
        form = ForClause(kind, mode, row="row" if kind == "XML" else None)
        if cursor.accept("("):
            form = replace(form, row=cursor.advance().value)
            cursor.expect(")")
        while cursor.accept(","):
            form = self._for_option(form, cursor.advance().word)
        if (kind, mode) not in (("JSON", "PATH"), ("JSON", "AUTO"), ("XML", "PATH"), ("XML", "RAW")):
            raise unsupported(f"FOR {kind} {mode}")
        return form

    def _for_option(self, form: ForClause, word: str) -> ForClause:
        cursor = self.cursor
        if word == "ROOT":
            name = "root"
            if cursor.accept("("):
                name = cursor.advance().value
                cursor.expect(")")
            return replace(form, root=name)
        if word == "INCLUDE_NULL_VALUES":
            return replace(form, nulls=True)
        if word == "WITHOUT_ARRAY_WRAPPER":
            return replace(form, bare=True)
        if word == "TYPE" and form.kind == "XML":
            return form
        raise unsupported(f"FOR {form.kind} … {word}")

    # ── expanding ────────────────────────────────────────────────────────────────────────────────────────────────────

    def expanded(self, view: View | Module, arguments: dict[str, Typed]) -> tuple[str, list[Field]]:
        """Compile the query of a view or of an inline table function where it is used."""
        text = view.query if isinstance(view, View) else view.body
        cursor, inlined, ctes = self.cursor, self.inlined, self.ctes
        self.cursor, self.inlined, self.ctes = Cursor(text, tokens_of(text)), arguments, []
        former = self.facts.enter(view.database)
        try:
            sql, fields = self.subquery(Scope())
        finally:
            self.facts.enter(former)
            self.cursor, self.inlined, self.ctes = cursor, inlined, ctes
        names = view.columns if isinstance(view, View) else ()
        if names:
            fields = [replace(one, name=name) for one, name in zip(fields, names, strict=True)]
        return sql, fields
