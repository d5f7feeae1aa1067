"""SELECT, and what stands around it: common tables, set operators, ORDER BY, FOR, OPTION."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.expressions import SET_WORDS, Expressions
from blastwall.sql.tsql.lexer import END, INTEGER, LABEL, NAME, NATIONAL, QUOTED, STRING, VARIABLE
from blastwall.sql.tsql.words import NO_ALIAS

_ASSIGNS = ("+", "-", "*", "/", "%", "&", "|", "^")
_ALIASED = (NAME, QUOTED, STRING, NATIONAL)
_NOT_TABLES = ("XMLNAMESPACES", "CHANGE_TRACKING_CONTEXT")
_NUMBERS = ("integer", "decimal", "float")


class Queries(Expressions):
    """Reads queries."""

    @abstractmethod
    def sources(self) -> tuple[nodes.TableSource, ...]:
        """Read what stands in FROM, after that word."""

    def subquery(self) -> nodes.Query:
        """Read a query up to its closing bracket. Raises UnparsedError."""
        return self.query(())

    def query(self, ctes: tuple[nodes.CommonTable, ...], start: int | None = None) -> nodes.Query:
        """Read a query with what stands after it, but OPTION. Raises UnparsedError."""
        self.deepen()
        if start is None:
            start = self.starts[self.at]
        body = self._body(None)
        found = self._tail(start, body, ctes)
        self.rise()
        return found

    def continued(self, first: nodes.Query) -> nodes.Query:
        """Read on from a query in brackets that is the first branch of a set operation. Raises UnparsedError."""
        if first.order_by or first.for_clause is not None:
            raise self.refused("a branch in brackets has an ORDER BY or FOR of its own")
        return self._tail(first.start, self._body(first.body), ())

    def _tail(self, start: int, body: nodes.QueryBody, ctes: tuple[nodes.CommonTable, ...]) -> nodes.Query:
        order: tuple[nodes.OrderItem, ...] = ()
        offset = fetch = for_clause = None
        kind = self.kinds[self.at]
        if kind == "ORDER":
            order = self.order_by()
            if self.phrase("OFFSET"):
                offset = self.expression()
                self.one_of("ROW", "ROWS")
                if self.kinds[self.at] == "FETCH":
                    fetch = self._fetch()
            kind = self.kinds[self.at]
        if kind == "FOR" and self.words[self.at + 1] in ("XML", "JSON", "BROWSE"):
            for_clause = self._for()
        return nodes.Query(start, self.end, body, ctes, order, offset, fetch, for_clause)

    def _fetch(self) -> nodes.Expression:
        self.at += 1
        self.one_of("FIRST", "NEXT")
        count = self.expression()
        self.one_of("ROW", "ROWS")
        self.expect_phrase("ONLY")
        return count

    def _for(self) -> nodes.ForClause:
        start = self.starts[self.at]
        self.at += 2
        kind = self.words[self.at - 1]
        mode = ""
        options: list[nodes.Hint] = []
        if kind != "BROWSE":
            mode = self.one_of("RAW", "AUTO", "PATH", "EXPLICIT")
            if self.kinds[self.at] == "(":
                options.append(self._for_option(mode))
            while self.taken(","):
                options.append(self._for_option(None))
        return nodes.ForClause(start, self.end, kind, mode, tuple(options))

    def _for_option(self, name: str | None) -> nodes.Hint:
        start = self.starts[self.at]
        if name is None:
            name = self.one_of(
                "ROOT",
                "TYPE",
                "ELEMENTS",
                "XMLSCHEMA",
                "XMLDATA",
                "BINARY",
                "INCLUDE_NULL_VALUES",
                "WITHOUT_ARRAY_WRAPPER",
            )
            if name == "BINARY":
                self.expect_phrase("BASE64")
            elif name == "ELEMENTS":
                self.maybe("XSINIL", "ABSENT")
        arguments: tuple[nodes.Expression, ...] = ()
        if self.taken("("):
            arguments = (self.expression(),)
            self.expect(")")
        return nodes.Hint(start, self.end, name, arguments)

    # set operators

    def _body(self, first: nodes.QueryBody | None) -> nodes.QueryBody:
        branches = [self._intersected(first)]
        operators = []
        while self.kinds[self.at] in ("UNION", "EXCEPT"):
            operator = self.kinds[self.at]
            self.at += 1
            if operator == "UNION" and self.taken("ALL"):
                operator = "UNION ALL"
            operators.append(operator)
            branches.append(self._intersected(None))
        return branches[0] if not operators else _set_operation(operators, branches)

    def _intersected(self, first: nodes.QueryBody | None) -> nodes.QueryBody:
        branches = [self._branch() if first is None else first]
        operators = []
        while self.kinds[self.at] == "INTERSECT":
            self.at += 1
            operators.append("INTERSECT")
            branches.append(self._branch())
        return branches[0] if not operators else _set_operation(operators, branches)

    def _branch(self) -> nodes.QueryBody:
        if self.kinds[self.at] != "(":
            return self._select()
        self.deepen()
        self.at += 1
        found = self._body(None)
        self.expect(")")
        self.rise()
        return found

    # SELECT

    def _select(self) -> nodes.Select:
        start = self.starts[self.at]
        self.expect("SELECT")
        distinct = self.taken("DISTINCT")
        if not distinct:
            self.taken("ALL")
        top = self.top() if self.kinds[self.at] == "TOP" else None
        items = [self._item()]
        while self.taken(","):
            items.append(self._item())
        into = self._into() if self.kinds[self.at] == "INTO" else None
        sources = self.sources() if self.taken("FROM") else ()
        where = self.condition() if self.taken("WHERE") else None
        group_by = having = None
        windows: tuple[nodes.Window, ...] = ()
        if self.kinds[self.at] == "GROUP":
            group_by = self._group_by()
        if self.taken("HAVING"):
            having = self.condition()
        if self.at_window():
            windows = self._windows()
        return nodes.Select(
            start, self.end, tuple(items), distinct, top, into, sources, where, group_by, having, windows
        )

    def _into(self) -> nodes.ObjectName:
        self.at += 1
        name = self.object_name()
        if self.taken("ON"):
            self.identifier("a file group")
        return name

    def top(self) -> nodes.Top:
        """Read `TOP n`, `TOP (n) PERCENT WITH TIES`. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        if self.taken("("):
            count = self.subquery_or_value()
            self.expect(")")
        else:
            if self.kinds[self.at] not in (*_NUMBERS, VARIABLE):
                raise self.unexpected("a number or brackets")
            count = self._operand()
        percent = self.taken("PERCENT")
        ties = self.phrase("WITH", "TIES")
        if not self.phrase("WITH", "APPROXIMATE"):
            self.phrase("WITH", "APPROX")
        return nodes.Top(start, self.end, count, percent, ties)

    def subquery_or_value(self) -> nodes.Expression:
        """Read what stands in brackets: a query or a value. Raises UnparsedError."""
        if self.kinds[self.at] == "SELECT":
            start = self.starts[self.at]
            query = self.subquery()
            return nodes.Subquery(start, self.end, query)
        return self.expression()

    def _item(self) -> nodes.SelectItem | nodes.SelectAssignment:
        at = self.at
        if self.kinds[at] == VARIABLE:
            following = self.kinds[at + 1]
            if following == "=" or (following in _ASSIGNS and self.kinds[at + 2] == "="):
                return self._assignment()
        return self.item()

    def _assignment(self) -> nodes.SelectAssignment:
        variable = self.variable()
        operator = self.assignment_operator()
        expression = self.expression()
        return nodes.SelectAssignment(variable.start, self.end, variable, operator, expression)

    def assignment_operator(self) -> str:
        """Read `=`, `+=`, `||=` and their like. Raises UnparsedError."""
        kind = self.kinds[self.at]
        sign = ""
        while kind in _ASSIGNS and len(sign) < 2 and (not sign or kind == sign == "|"):
            sign += kind
            self.at += 1
            kind = self.kinds[self.at]
        self.expect("=")
        return sign + "="

    def item(self) -> nodes.SelectItem:
        """Read an expression with its alias, or a star. Raises UnparsedError."""
        at = self.at
        kind = self.kinds[at]
        if kind == "*":
            self.at = at + 1
            star = nodes.Star(self.starts[at], self.ends[at])
            return nodes.SelectItem(star.start, star.end, star)
        if self.kinds[at + 1] == "=" and kind in _ALIASED:
            alias = self.named()
            self.at += 1
            expression = self.expression()
            return nodes.SelectItem(alias.start, self.end, expression, alias)
        expression = self.expression()
        if type(expression) is nodes.Star:
            return nodes.SelectItem(expression.start, expression.end, expression)
        alias_found = self._alias()
        return nodes.SelectItem(expression.start, self.end, expression, alias_found)

    def _alias(self) -> nodes.Identifier | None:
        if self.taken("AS"):
            return self.named()
        kind = self.kinds[self.at]
        if kind not in _ALIASED or self.at_window():
            return None
        if self.words[self.at] in NO_ALIAS:
            raise self.refused(f"`{self.raw(self.at)}` may begin a statement: write AS before an alias")
        return self.named()

    # GROUP BY and WINDOW

    def _group_by(self) -> nodes.GroupBy:
        start = self.starts[self.at]
        self.at += 1
        self.expect("BY")
        kind = "ALL" if self.taken("ALL") else ""
        found: list[nodes.Expression] = []
        kinds = {kind, self._grouping(found)}
        while self.taken(","):
            kinds.add(self._grouping(found))
        if self.phrase("WITH", "ROLLUP"):
            kinds.add("ROLLUP")
        elif self.phrase("WITH", "CUBE"):
            kinds.add("CUBE")
        named = sorted(kinds - {""})
        return nodes.GroupBy(start, self.end, named[0] if len(named) == 1 else "SETS" if named else "", tuple(found))

    def _grouping(self, found: list[nodes.Expression]) -> str:
        kind = ""
        if self.kinds[self.at + 1] == "(" and self.words[self.at] in ("ROLLUP", "CUBE"):
            kind = self.words[self.at]
            self.at += 1
        elif self.phrase("GROUPING", "SETS"):
            kind = "SETS"
        elif self.kinds[self.at] == "(" and self.kinds[self.at + 1] == ")":
            self.at += 2
            return "SETS"
        if not kind:
            found.append(self.expression())
            return ""
        self._grouped(found)
        return kind

    def _grouped(self, found: list[nodes.Expression]) -> None:
        """Read `(a, (b, c), ROLLUP (d), ())`."""
        self.deepen()
        self.expect("(")
        while self.kinds[self.at] != ")":
            if self.kinds[self.at + 1] == "(" and self.words[self.at] in ("ROLLUP", "CUBE"):
                self.at += 1
                self._grouped(found)
            elif self.kinds[self.at] == "(":
                self._grouped(found)
            else:
                found.append(self.expression())
            if not self.taken(","):
                break
        self.expect(")")
        self.rise()

    def at_window(self) -> bool:
        """Whether `WINDOW name AS (` stands here.

        The word WINDOW is not reserved, but an alias could not be followed so.
        """
        at = self.at
        if self.words[at] != "WINDOW" or self.kinds[at] != NAME or not self.is_name(at + 1):
            return False
        return self.kinds[at + 2] == "AS" and self.kinds[at + 3] == "("

    def _windows(self) -> tuple[nodes.Window, ...]:
        self.at += 1
        found = [self._window()]
        while self.taken(","):
            found.append(self._window())
        return tuple(found)

    def _window(self) -> nodes.Window:
        name = self.identifier()
        self.expect("AS")
        return self.window(name.start, name)

    # WITH

    def common_tables(self) -> tuple[nodes.CommonTable, ...]:
        """Read `WITH a AS (…), b AS (…)`, or XMLNAMESPACES before them. Raises UnparsedError."""
        self.expect("WITH")
        found = []
        while self.words[self.at] in _NOT_TABLES and self.kinds[self.at + 1] == "(":
            if self.words[self.at] == "XMLNAMESPACES":
                self._namespaces()
            else:
                self.at += 2
                self.expression()
                self.expect(")")
            if not self.taken(","):
                return ()
        while True:
            found.append(self._common_table())
            if not self.taken(","):
                return tuple(found)

    def _namespaces(self) -> None:
        self.at += 2
        while True:
            default = self.taken("DEFAULT")
            if self.kinds[self.at] not in (STRING, NATIONAL):
                raise self.unexpected("a string")
            self.at += 1
            if not default:
                self.expect("AS")
                self.identifier()
            if not self.taken(","):
                break
        self.expect(")")

    def _common_table(self) -> nodes.CommonTable:
        name = self.identifier()
        columns = self.names_in_brackets() if self.kinds[self.at] == "(" else ()
        self.expect("AS")
        self.expect("(")
        query = self.query(self.common_tables() if self.kinds[self.at] == "WITH" else ())
        self.expect(")")
        return nodes.CommonTable(name.start, self.end, name, columns, query)

    # hints and options, read loosely inside brackets

    def options(self) -> tuple[nodes.Hint, ...]:
        """Read `OPTION (…)` if it stands here. Raises UnparsedError."""
        if not self.taken("OPTION"):
            return ()
        return self.hints()

    def hints(self) -> tuple[nodes.Hint, ...]:
        """Read `(hint, hint …)`: words, values and brackets. Raises UnparsedError."""
        self.expect("(")
        found = [self._hint()]
        while self.kinds[self.at] != ")":
            self.taken(",")
            found.append(self._hint())
        self.at += 1
        return tuple(found)

    def _hint(self) -> nodes.Hint:
        """Read up to a comma or the closing bracket: words first, then what is given to them."""
        start, at = self.starts[self.at], self.at
        words = []
        while self.words[self.at] and self.kinds[self.at] != LABEL:
            words.append(self.words[self.at])
            self.at += 1
        arguments: list[nodes.Expression] = []
        self.scraps(arguments, (",", ")"))
        if self.at == at:
            raise self.unexpected("a hint or an option")
        return nodes.Hint(start, self.end, " ".join(words), tuple(arguments))

    def scraps(self, found: list[nodes.Expression], stops: tuple[str, ...] = (")",)) -> None:
        """Read tokens inside brackets, up to one of `stops` outside further ones; keep names and values.

        Whatever stands inside brackets that close, no statement begins there. Raises UnparsedError.
        """
        depth = 0
        while True:
            kind = self.kinds[self.at]
            if depth == 0 and kind in stops:
                return
            if kind in (END, ";", LABEL) or (kind == ")" and depth == 0):
                raise self.unexpected("the end of a list of options")
            depth += (kind == "(") - (kind == ")")
            self.scrap(found)

    def scrap(self, found: list[nodes.Expression]) -> None:
        """Pass one token; keep it if it is a name, a variable or a literal, with all parts of a name."""
        kind = self.kinds[self.at]
        if kind in (NAME, QUOTED):
            name = self.object_name(8)
            found.append(nodes.Column(name.start, name.end, name))
        elif kind == VARIABLE:
            found.append(self.variable())
        elif kind in (STRING, NATIONAL, INTEGER, "decimal", "float", "money", "binary"):
            found.append(self.expression_constant())
        else:
            self.at += 1

    def expression_constant(self) -> nodes.Constant:
        """Read one literal. Raises UnparsedError."""
        found = self._operand()
        if not isinstance(found, nodes.Constant):
            self.at -= 1
            raise self.unexpected("a literal")
        return found

    def with_options(self, query: nodes.Query) -> nodes.Query:
        """Read OPTION after a statement's query. Raises UnparsedError."""
        if self.kinds[self.at] != "OPTION":
            return query
        options = self.options()
        return replace(query, end=self.end, options=options)


def _set_operation(operators: list[str], branches: list[nodes.QueryBody]) -> nodes.SetOperation:
    return nodes.SetOperation(branches[0].start, branches[-1].end, tuple(operators), tuple(branches))


__all__ = ["SET_WORDS", "Queries"]
