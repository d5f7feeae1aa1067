"""Values and conditions.

A condition is read by the same rules as a value in brackets, which SQL Server would refuse: what is read too widely
here is an error there, never something else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import END, NAME, PSEUDO, QUOTED, STRING, VARIABLE, string_value
from blastwall.sql.tsql.reader import Reader

_CONSTANTS = {
    "string": "STRING",
    "national": "NATIONAL",
    "binary": "BINARY",
    "integer": "INTEGER",
    "decimal": "DECIMAL",
    "float": "FLOAT",
    "money": "MONEY",
    "NULL": "NULL",
    "DEFAULT": "DEFAULT",
}
_FULL_TEXT = ("CONTAINS", "FREETEXT")
_FACTORS = ("*", "/", "%")
_TERMS = ("+", "-", "&", "^", "|")
_DOUBLED = ("|", "<", ">")
_UNARY = ("+", "-", "~")
_COMPARES = ("=", "<", ">", "!")
_PREDICATES = frozenset({"NOT", "BETWEEN", "IN", "LIKE", "IS", *_COMPARES})
_PLAIN_WORDS = frozenset(
    {"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"}
)
_RESERVED_CALLS = frozenset({"COALESCE", "NULLIF", "LEFT", "RIGHT", "UPDATE", "IDENTITY", "TSEQUAL"})
SET_WORDS = ("UNION", "EXCEPT", "INTERSECT")


class Expressions(Reader):
    """Reads values and conditions."""

    @abstractmethod
    def subquery(self) -> nodes.Query:
        """Read a query up to its closing bracket."""

    @abstractmethod
    def continued(self, first: nodes.Query) -> nodes.Query:
        """Read on from a query in brackets that is the first branch of UNION, EXCEPT or INTERSECT."""

    @abstractmethod
    def scraps(self, found: list[nodes.Expression], stops: tuple[str, ...] = (")",)) -> None:
        """Read tokens inside brackets up to one of `stops`, and keep names and values."""

    # conditions: OR, AND, NOT stand in one loop, so that a level of brackets takes few frames

    def condition(self) -> nodes.Expression:
        """Read conditions joined by AND and OR, or a value. Raises UnparsedError."""
        self.deepen()
        either: list[nodes.Expression] = []
        both: list[nodes.Expression] = []
        while True:
            both.append(self._negation())
            kind = self.kinds[self.at]
            if kind == "AND":
                self.at += 1
                continue
            either.append(both[0] if len(both) == 1 else _joined("AND", both))
            if kind != "OR":
                break
            self.at += 1
            both = []
        self.rise()
        return either[0] if len(either) == 1 else _joined("OR", either)

    def _negation(self) -> nodes.Expression:
        if self.kinds[self.at] != "NOT":
            return self._predicate()
        starts = []
        while self.kinds[self.at] == "NOT":
            starts.append(self.starts[self.at])
            self.at += 1
        found = self._predicate()
        for start in reversed(starts[-(2 - len(starts) % 2) :]):  # more of them change nothing, and would nest
            found = nodes.Not(start, found.end, found)
        return found

    def _predicate(self) -> nodes.Expression:
        kind = self.kinds[self.at]
        if kind == "EXISTS":
            return self._exists()
        if kind in _FULL_TEXT:
            return self._full_text()
        left = self.expression()
        kind = self.kinds[self.at]
        if kind not in _PREDICATES:
            return left
        if kind in _COMPARES:
            return self._comparison(left)
        if kind == "IS":
            return self._is(left)
        negated = self.taken("NOT")
        kind = self.kinds[self.at]
        self.at += 1
        if kind == "IN":
            return self._in(left, negated)
        if kind == "LIKE":
            return self._like(left, negated)
        if kind == "BETWEEN":
            low = self.expression()
            self.expect("AND")
            high = self.expression()
            return nodes.Between(left.start, high.end, left, low, high, negated)
        self.at -= 1
        raise self.unexpected("`IN`, `LIKE` or `BETWEEN`")

    def comparison_operator(self) -> str:
        """Read `=`, `<>` and their like, whose signs may stand apart. Raises UnparsedError."""
        sign = self.kinds[self.at]
        self.at += 1
        if sign == "=":
            return "="
        second = self.kinds[self.at]
        if sign == "!":
            if second not in ("=", "<", ">"):
                raise self.unexpected("`=`, `<` or `>`")
            self.at += 1
            return "<>" if second == "=" else "!" + second
        if second == "=" or (second == ">" and sign == "<"):
            self.at += 1
            return sign + second
        return sign

    def _comparison(self, left: nodes.Expression) -> nodes.Expression:
        operator = self.comparison_operator()
        kind = self.kinds[self.at]
        if kind in ("ALL", "ANY", "SOME"):
            self.at += 1
            self.expect("(")
            query = self.subquery()
            self.expect(")")
            return nodes.Quantified(left.start, self.end, operator, "ALL" if kind == "ALL" else "ANY", left, query)
        right = self.expression()
        return nodes.Comparison(left.start, right.end, operator, left, right)

    def _is(self, left: nodes.Expression) -> nodes.Expression:
        self.at += 1
        negated = self.taken("NOT")
        if self.taken("NULL"):
            return nodes.IsNull(left.start, self.end, left, negated)
        self.expect("DISTINCT")
        self.expect("FROM")
        right = self.expression()
        operator = "IS NOT DISTINCT FROM" if negated else "IS DISTINCT FROM"
        return nodes.Comparison(left.start, right.end, operator, left, right)

    def _in(self, left: nodes.Expression, negated: bool) -> nodes.Expression:
        self.expect("(")
        if self.kinds[self.at] == "SELECT":
            query = self.subquery()
            self.expect(")")
            return nodes.InQuery(left.start, self.end, left, query, negated)
        items = [self.expression()]
        if self.kinds[self.at] in SET_WORDS and isinstance(items[0], nodes.Subquery):
            query = self.continued(items[0].query)
            self.expect(")")
            return nodes.InQuery(left.start, self.end, left, query, negated)
        while self.taken(","):
            items.append(self.expression())
        self.expect(")")
        return nodes.InList(left.start, self.end, left, tuple(items), negated)

    def _like(self, left: nodes.Expression, negated: bool) -> nodes.Expression:
        pattern = self.expression()
        escape = None
        if self.taken("ESCAPE"):
            escape = self.expression()
        elif self.kinds[self.at] == "{" and self.words[self.at + 1] == "ESCAPE":
            self.at += 2
            escape = self.expression()
            self.expect("}")
        return nodes.Like(left.start, self.end, left, pattern, escape, negated)

    def _exists(self) -> nodes.Expression:
        start = self.starts[self.at]
        self.at += 1
        self.expect("(")
        query = self.subquery()
        self.expect(")")
        return nodes.Exists(start, self.end, query)

    def _full_text(self) -> nodes.Expression:
        start, function = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        self.expect("(")
        columns: list[nodes.ObjectName] = []
        if self.taken("("):
            self._full_text_columns(columns)
            self.expect(")")
        elif self.phrase("PROPERTY"):
            self.expect("(")
            columns.append(self.object_name(5))
            self.expect(",")
            self.expression()
            self.expect(")")
        elif not self.taken("*"):
            self._full_text_columns(columns)
        self.expect(",")
        arguments = [self.expression()]
        if self.taken(","):
            self.expect_phrase("LANGUAGE")
            arguments.append(self.expression())
        self.expect(")")
        return nodes.FullText(start, self.end, function, tuple(columns), tuple(arguments))

    def _full_text_columns(self, columns: list[nodes.ObjectName]) -> None:
        if self.taken("*"):
            return
        columns.append(self.object_name(5))
        while self.kinds[self.at] == "," and self.is_name(self.at + 1):
            self.at += 1
            columns.append(self.object_name(5))

    # values

    def expression(self) -> nodes.Expression:
        """Read a value: terms and factors. Raises UnparsedError."""
        first = self._operand()
        kind = self.kinds[self.at]
        if kind not in _TERMS and kind not in _FACTORS and not self._shifts(kind):
            return first
        terms: list[nodes.Expression] = []
        factors, signs, operators = [first], list[str](), list[str]()
        while True:
            kind = self.kinds[self.at]
            following = self.kinds[self.at + 1]
            if following == "=" or (kind == following == "|" and self.kinds[self.at + 2] == "="):
                break  # `+=`, which no value has
            if kind in _FACTORS:
                self.at += 1
                signs.append(kind)
                factors.append(self._operand())
            elif kind in _TERMS or self._shifts(kind):
                doubled = kind == following and kind in _DOUBLED
                self.at += 2 if doubled else 1
                terms.append(factors[0] if not signs else _chain(signs, factors))
                operators.append(kind + kind if doubled else kind)
                factors, signs = [self._operand()], []
            else:
                break
        terms.append(factors[0] if not signs else _chain(signs, factors))
        return terms[0] if not operators else _chain(operators, terms)

    def _shifts(self, kind: str) -> bool:
        """Whether `<<` or `>>` stands here."""
        return kind in ("<", ">") and self.kinds[self.at + 1] == kind

    def _operand(self) -> nodes.Expression:
        at = self.at
        kind = self.kinds[at]
        constant = _CONSTANTS.get(kind)
        if constant is not None:
            self.at = at + 1
            raw = self.raw(at)
            text = string_value(raw) if kind == STRING or constant == "NATIONAL" else raw
            found: nodes.Expression = self.constant(self.starts[at], self.ends[at], constant, text)
        elif kind is NAME or kind is QUOTED:
            found = self._name()
        elif kind == VARIABLE:
            found = self._members(self.variable())
        elif kind in _UNARY:
            return self._signed()
        elif kind == "(":
            found = self._members(self._brackets())
        elif kind == ".":
            found = self._name()
        else:
            found = self._members(self._reserved(kind))
        return found if self.kinds[self.at] != "COLLATE" and self.words[self.at] != "AT" else self._postfixes(found)

    def _postfixes(self, found: nodes.Expression) -> nodes.Expression:
        while True:
            if self.taken("COLLATE"):
                collation = self.identifier("a collation")
                found = nodes.Collate(found.start, self.end, found, collation)
            elif self.phrase("AT", "TIME", "ZONE"):
                self.deepen()
                zone = self._operand()
                self.rise()
                found = nodes.AtTimeZone(found.start, self.end, found, zone)
            else:
                return found

    def _signed(self) -> nodes.Expression:
        at = self.at
        self.at += 1
        self.deepen()
        operand = self._operand()
        self.rise()
        return nodes.Unary(self.starts[at], operand.end, self.kinds[at], operand)

    def _brackets(self) -> nodes.Expression:
        start = self.starts[self.at]
        self.at += 1
        if self.kinds[self.at] == "SELECT":
            query = self.subquery()
            self.expect(")")
            return nodes.Subquery(start, self.end, query)
        found = self.condition()
        if self.kinds[self.at] in SET_WORDS and isinstance(found, nodes.Subquery):
            query = self.continued(found.query)
            found = nodes.Subquery(start, self.ends[self.at], query)
        self.expect(")")
        return found

    def _members(self, found: nodes.Expression) -> nodes.Expression:
        """Read `.name` and `.name(…)` after a value."""
        while self.kinds[self.at] == ".":
            self.at += 1
            name = self.identifier("a method")
            arguments = self._arguments() if self.kinds[self.at] == "(" else None
            found = nodes.Method(found.start, self.end, found, name, arguments)
        return found

    def _arguments(self) -> tuple[nodes.Expression, ...]:
        self.expect("(")
        if self.taken(")"):
            return ()
        found = [self._argument()]
        while self.taken(","):
            found.append(self._argument())
        self.expect(")")
        return tuple(found)

    def _argument(self) -> nodes.Expression:
        if self.kinds[self.at] == "*" and self.kinds[self.at + 1] in (")", ","):
            self.at += 1
            return nodes.Star(self.starts[self.at - 1], self.end)
        return self.condition()

    # names: columns, functions, methods

    def _name(self) -> nodes.Expression:
        at = self.at
        if self.kinds[at + 1] == "(" and self.kinds[at] is NAME:
            special = self.special_call(self.words[at])
            if special is not None:
                return self._members(special)
        elif self.words[at] == "NEXT" and self.ahead("NEXT", "VALUE", "FOR"):
            return self._next_value()
        name = self._dotted()
        kind = self.kinds[self.at]
        if kind == "(":
            return self._members(self.call(name))
        if kind == ":" and self.kinds[self.at + 1] == ":":
            return self._members(self._static(name))
        if kind == "." and self.kinds[self.at + 1] == "*":
            self.at += 2
            return nodes.Star(name.start, self.end, name)
        return nodes.Column(name.start, name.end, name)

    def _dotted(self) -> nodes.ObjectName:
        """Read the names of a column or function, a pseudo column at the end; `t.*` is left before its dot."""
        start = self.starts[self.at]
        first = None if self.kinds[self.at] == "." else self.identifier()
        if first is not None and self.kinds[self.at] != ".":
            return nodes.ObjectName(start, first.end, (first,))
        parts: list[nodes.Identifier | None] = [first]
        while self.kinds[self.at] == "." and self.kinds[self.at + 1] != "*":
            self.at += 1
            if len(parts) == 8:
                raise self.refused("a name of more than 8 parts")
            kind = self.kinds[self.at]
            if kind == ".":
                parts.append(None)
            elif kind in (PSEUDO, "IDENTITYCOL", "ROWGUIDCOL"):
                parts.append(self._pseudo())
            else:
                parts.append(self.identifier())
        return nodes.ObjectName(start, self.end, tuple(parts))

    def _pseudo(self) -> nodes.Identifier:
        self.at += 1
        return nodes.Identifier(self.starts[self.at - 1], self.end, self.raw(self.at - 1))

    def _static(self, name: nodes.ObjectName) -> nodes.Expression:
        self.at += 2
        member = self.identifier("a method")
        arguments = self._arguments() if self.kinds[self.at] == "(" else None
        return nodes.StaticMethod(name.start, self.end, name, member, arguments)

    def _next_value(self) -> nodes.Expression:
        start = self.starts[self.at]
        self.expect_phrase("NEXT", "VALUE", "FOR")
        sequence = self.object_name(3)
        over = self._over() if self.kinds[self.at] == "OVER" else None
        return nodes.NextValue(start, self.end, sequence, over)

    def call(self, name: nodes.ObjectName) -> nodes.Expression:
        """Read the arguments of a function and what may follow them. Raises UnparsedError."""
        self.expect("(")
        distinct = False
        arguments: list[nodes.Expression] = []
        if not self.taken(")"):
            distinct = self.taken("DISTINCT")
            if not distinct:
                self.taken("ALL")
            arguments.append(self._argument())
            while self.taken(","):
                arguments.append(self._argument())
            self._call_options()
            self.expect(")")
        return self._followed(name, tuple(arguments), distinct)

    def _call_options(self) -> None:
        """Pass what JSON functions and IGNORE NULLS put inside or after the brackets."""
        while True:
            if self.phrase("IGNORE", "NULLS") or self.phrase("RESPECT", "NULLS"):
                continue
            if self.words[self.at] in ("NULL", "ABSENT") and self.phrase(self.words[self.at], "ON", "NULL"):
                continue
            if self.words[self.at] == "RETURNING" and self.is_name(self.at + 1):
                self.at += 1
                self.data_type()
                continue
            if self.phrase("WITH", "ARRAY", "WRAPPER"):
                continue
            return

    def _followed(
        self, name: nodes.ObjectName, arguments: tuple[nodes.Expression, ...], distinct: bool = False
    ) -> nodes.Call:
        within: tuple[nodes.OrderItem, ...] = ()
        over = None
        word = self.words[self.at]
        if word == "WITHIN":
            self.expect_phrase("WITHIN", "GROUP")
            self.expect("(")
            within = () if self.phrase("GRAPH", "PATH") else self.order_by()
            self.expect(")")
            word = self.words[self.at]
        if word in ("IGNORE", "RESPECT") and self.words[self.at + 1] == "NULLS":
            self.at += 2
        if self.kinds[self.at] == "OVER":
            over = self._over()
        return nodes.Call(name.start, self.end, name, arguments, distinct, within, over)

    # windows and order

    def order_by(self) -> tuple[nodes.OrderItem, ...]:
        """Read `ORDER BY …`. Raises UnparsedError."""
        self.expect("ORDER")
        self.expect("BY")
        found = [self._order_item()]
        while self.taken(","):
            found.append(self._order_item())
        return tuple(found)

    def _order_item(self) -> nodes.OrderItem:
        expression = self.expression()
        descending = self.taken("DESC")
        if not descending:
            self.taken("ASC")
        return nodes.OrderItem(expression.start, self.end, expression, descending)

    def _over(self) -> nodes.Window:
        start = self.starts[self.at]
        self.expect("OVER")
        if self.kinds[self.at] != "(":
            name = self.identifier("a window")
            return nodes.Window(start, self.end, name)
        return self.window(start, None)

    def window(self, start: int, name: nodes.Identifier | None) -> nodes.Window:
        """Read a window's definition in brackets. Raises UnparsedError."""
        self.expect("(")
        if self.is_name(self.at) and self.words[self.at] not in ("PARTITION", "ROWS", "RANGE"):
            name = self.identifier()
        partition: list[nodes.Expression] = []
        if self.phrase("PARTITION", "BY"):
            partition.append(self.expression())
            while self.taken(","):
                partition.append(self.expression())
        order = self.order_by() if self.kinds[self.at] == "ORDER" else ()
        bounds = self._frame() if self.maybe("ROWS", "RANGE") else ()
        self.expect(")")
        return nodes.Window(start, self.end, name, tuple(partition), order, bounds)

    def _frame(self) -> tuple[nodes.Expression, ...]:
        found: list[nodes.Expression] = []
        if self.taken("BETWEEN"):
            self._bound(found)
            self.expect("AND")
        self._bound(found)
        return tuple(found)

    def _bound(self, found: list[nodes.Expression]) -> None:
        if self.taken("CURRENT"):
            self.expect_phrase("ROW")
            return
        if not self.phrase("UNBOUNDED"):
            found.append(self.expression())
        self.one_of("PRECEDING", "FOLLOWING")

    # what is written with reserved words or signs

    def _reserved(self, kind: str) -> nodes.Expression:
        start = self.starts[self.at]
        if kind == "CASE":
            return self._case()
        if kind in _PLAIN_WORDS:
            name = self._word_name()
            return nodes.Call(start, self.end, name, None)
        if kind in _RESERVED_CALLS and self.kinds[self.at + 1] == "(":
            return self.call(self._word_name())
        if kind in ("CONVERT", "TRY_CONVERT"):
            return self._convert(kind)
        if kind == PSEUDO:
            return self._pseudo_column()
        if kind in ("IDENTITYCOL", "ROWGUIDCOL"):
            name = self._word_name()
            return nodes.Column(name.start, name.end, name)
        if kind == "{":
            return self._escape()
        raise self.unexpected("a value")

    def _word_name(self) -> nodes.ObjectName:
        word = self._pseudo()
        return nodes.ObjectName(word.start, word.end, (word,))

    def _pseudo_column(self) -> nodes.Expression:
        at = self.at
        word = self._pseudo()
        if word.text.upper() != "$PARTITION":
            name = nodes.ObjectName(word.start, word.end, (word,))
            return nodes.Column(word.start, word.end, name)
        self.expect(".")
        function = self.identifier()
        name = nodes.ObjectName(self.starts[at], self.end, (word, function))
        return self.call(name)

    def _case(self) -> nodes.Expression:
        start = self.starts[self.at]
        self.at += 1
        operand = None if self.kinds[self.at] == "WHEN" else self.condition()
        whens = []
        while self.kinds[self.at] == "WHEN":
            begin = self.starts[self.at]
            self.at += 1
            condition = self.condition()
            self.expect("THEN")
            value = self.condition()
            whens.append(nodes.When(begin, self.end, condition, value))
        if not whens:
            raise self.unexpected("`WHEN`")
        otherwise = self.condition() if self.taken("ELSE") else None
        self.expect("END")
        return nodes.Case(start, self.end, operand, tuple(whens), otherwise)

    def _convert(self, function: str) -> nodes.Expression:
        start = self.starts[self.at]
        self.at += 1
        self.expect("(")
        kind = self.data_type()
        self.expect(",")
        operand = self.condition()
        style = self.expression() if self.taken(",") else None
        self.expect(")")
        return nodes.Cast(start, self.end, function, operand, kind, style)

    def special_call(self, word: str) -> nodes.Expression | None:
        """Read a function whose brackets hold more than arguments, if it is one. Raises UnparsedError."""
        read = self._SPECIAL.get(word)
        return read(self) if read is not None else None

    def _cast(self) -> nodes.Expression:
        at = self.at
        self.at += 2
        operand = self.condition()
        self.expect("AS")
        kind = self.data_type()
        style = self.expression() if self.phrase("USING") else None
        self.expect(")")
        return nodes.Cast(self.starts[at], self.end, self.words[at], operand, kind, style)

    def _trim(self) -> nodes.Expression:
        name = self._word_name()
        self.expect("(")
        self.maybe("LEADING", "TRAILING", "BOTH")
        arguments = [self.condition()]
        if self.taken("FROM") or self.taken(","):
            arguments.append(self.condition())
        self.expect(")")
        return nodes.Call(name.start, self.end, name, tuple(arguments))

    def _json(self) -> nodes.Expression:
        """JSON_OBJECT, JSON_ARRAY and their aggregates: `key : value` pairs."""
        name = self._word_name()
        self.expect("(")
        arguments: list[nodes.Expression] = []
        while self.kinds[self.at] not in (")", END) and not self.ahead("ABSENT", "ON") and not self.ahead("NULL", "ON"):
            arguments.extend(self._pair())
            if not self.taken(","):
                break
        if self.kinds[self.at] == "ORDER":
            self.order_by()
        self._call_options()
        self.expect(")")
        return self._followed(name, tuple(arguments))

    def _pair(self) -> list[nodes.Expression]:
        key = self.condition()
        return [key, self.condition()] if self.taken(":") else [key]

    def _generate(self) -> nodes.Expression:
        """`AI_GENERATE_EMBEDDINGS(text USE MODEL name)`."""
        name = self._word_name()
        self.expect("(")
        arguments = [self.condition()]
        self.expect_phrase("USE", "MODEL")
        model = self.object_name(3)
        arguments.append(nodes.Column(model.start, model.end, model))
        if self.phrase("PARAMETERS"):
            arguments.append(self.condition())
        self.expect(")")
        return nodes.Call(name.start, self.end, name, tuple(arguments))

    def _match(self) -> nodes.Expression:
        """`MATCH (a-(likes)->b AND SHORTEST_PATH (…))` of a graph: the names in it, as Columns."""
        name = self._word_name()
        self.expect("(")
        found: list[nodes.Expression] = []
        self.scraps(found)
        self.expect(")")
        return nodes.Call(name.start, self.end, name, tuple(found))

    def _escape(self) -> nodes.Expression:
        """`{fn f(…)}`, `{d '…'}`, `{t '…'}`, `{ts '…'}`, `{guid '…'}`."""
        start = self.starts[self.at]
        self.at += 1
        word = self.one_of("FN", "D", "T", "TS", "GUID")
        if word == "FN":
            found = self._escaped_call()
            self.expect("}")
            return found
        at = self.at
        if self.kinds[at] not in ("string", "national"):
            raise self.unexpected("a string")
        self.at += 1
        self.expect("}")
        return nodes.Constant(start, self.end, "DATE", string_value(self.raw(at)))

    def _escaped_call(self) -> nodes.Expression:
        start, word = self.starts[self.at], self.words[self.at]
        if not word or self.kinds[self.at + 1] != "(":
            raise self.unexpected("a function")
        self.deepen()
        if word == "CONVERT":
            self.at += 2
            operand = self.condition()
            self.expect(",")
            kind = self.data_type()
            self.expect(")")
            found: nodes.Expression = nodes.Cast(start, self.end, word, operand, kind)
        elif word == "EXTRACT":
            name = self._word_name()
            self.at += 1
            self.identifier("a part of a date")
            self.expect("FROM")
            operand = self.condition()
            self.expect(")")
            found = nodes.Call(start, self.end, name, (operand,))
        else:
            found = self.call(self._word_name())
        self.rise()
        return found

    _SPECIAL: ClassVar[dict[str, Callable[[Expressions], nodes.Expression]]] = {
        **dict.fromkeys(("CAST", "TRY_CAST", "PARSE", "TRY_PARSE"), _cast),
        **dict.fromkeys(("JSON_OBJECT", "JSON_ARRAY", "JSON_OBJECTAGG", "JSON_ARRAYAGG"), _json),
        "TRIM": _trim,
        "AI_GENERATE_EMBEDDINGS": _generate,
        "MATCH": _match,
    }


def _joined(operator: str, operands: list[nodes.Expression]) -> nodes.Expression:
    return nodes.Logical(operands[0].start, operands[-1].end, operator, tuple(operands))


def _chain(operators: list[str], operands: list[nodes.Expression]) -> nodes.Expression:
    return nodes.Operation(operands[0].start, operands[-1].end, tuple(operators), tuple(operands))
