"""T-SQL's expressions, compiled to DuckDB's with SQL Server's types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from blastwall.testing.tds.catalog import Database, Module, Table, View, duck_type
from blastwall.testing.tds.datatypes import FLOAT, INT, MAX, SqlType, UnknownType, declared_type
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.lexer import HEX, NAME, NUMBER, QUOTED, STRING, SYSTEM, VARIABLE, Cursor
from blastwall.testing.tds.typed import (
    NULL_TYPE,
    UNKNOWN,
    Source,
    Typed,
    arithmetic,
    comparable,
    compared,
    convert,
    literal_text,
    wider,
)

_COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!<": ">=", "!>": "<="}
_DEEPEST = 200


@dataclass(slots=True)
class Variable:
    """A variable of a batch or procedure."""

    type: SqlType
    value: object = None
    table: Table | None = None
    """The temporary table behind a table variable."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column that a FROM clause offers. `sql` reaches it."""

    name: str
    sql: str
    type: SqlType
    nullable: bool = True
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or subquery in a FROM clause. `anything` offers every column: only grammar is checked."""

    alias: str
    fields: tuple[Field, ...]
    anything: bool = False
    names: tuple[str, ...] = ()
    """The parts of a table's own name, by which columns may call it too."""

    def called(self, parts: tuple[str, ...]) -> bool:
        """Whether a column's qualifier means this relation."""
        if len(parts) == 1:
            return parts[0].lower() == self.alias.lower()
        return bool(self.names) and tuple(one.lower() for one in parts) == tuple(
            one.lower() for one in self.names[-len(parts) :]
        )


@dataclass(slots=True)
class Scope:
    """The relations that names are looked up in, the inner ones first."""

    relations: list[Relation] = field(default_factory=list)
    outer: Scope | None = None


class Facts(Protocol):
    """What an expression may ask of the session."""

    database: Database
    variables: dict[str, Variable]

    def fact(self, name: str, arguments: list[object]) -> tuple[SqlType, object] | None:
        """Return what a system variable or function says; None where there is none of that name."""

    def mapping(self, function: str) -> dict[object, object] | None:
        """Return what a function of metadata such as OBJECT_NAME says for each id; None where it is none."""

    def resolve(self, parts: tuple[str, ...]) -> Table | View | Module:
        """Return the object that a name means, synonyms followed.

        Raises:
            SqlError: there is none, or it may not be named.
        """

    def enter(self, database: str) -> str:
        """Resolve names in a database from now on; return the former one's name."""

    def table_function(self, name: str, arguments: list[object]) -> Table | None:
        """Return what a system function that gives rows gives; None where there is none of that name."""

    def check(self, permission: str, found: Table | View | Module) -> None:
        """Raise error 229 where the session's user may not do that."""


class Expressions(ABC):
    """Compiles expressions from a cursor. With `dry` only the grammar is checked: names need not exist."""

    def __init__(self, cursor: Cursor, facts: Facts, *, dry: bool = False) -> None:
        self.cursor, self.facts, self.dry = cursor, facts, dry
        self.values: dict[str, object] = {}
        """The parameters of the SQL that was made."""
        self.inlined: dict[str, Typed] = {}
        """What stands for the parameters of a function that is expanded."""
        self.fickle = False
        """Whether it gives something else each time it runs."""
        self._depth = 0

    @abstractmethod
    def subquery(self, scope: Scope) -> tuple[str, list[Field]]:
        """Compile a query in brackets whose opening bracket is taken."""

    @abstractmethod
    def function(self, name: str, scope: Scope) -> Typed:
        """Compile a function whose name and opening bracket are taken."""

    def bind(self, name: str, type_: SqlType, value: object, key: str = "") -> Typed:
        """Return a parameter of the SQL that stands for a value."""
        if self.dry:
            return Typed("NULL", UNKNOWN)
        key = key or f"p{len(self.values)}_{''.join(c for c in name if c.isascii() and c.isalnum())}"
        as_text = value is not None and (isinstance(value, Decimal) or type_.name == "uniqueidentifier")
        self.values[key] = str(value) if as_text else value
        return Typed(f"CAST(${key} AS {duck_type(type_)})", type_, value is None)

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, scope: Scope) -> Typed:
        """Compile an expression."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SqlError.raised(
                191,
                15,
                1,
                "Some part of your SQL statement is nested too deeply. Rewrite the query or "
                "break it up into smaller queries.",
            )
        try:
            return self._additive(scope)
        finally:
            self._depth -= 1

    def _additive(self, scope: Scope) -> Typed:
        left = self._multiplicative(scope)
        while (operator := self.cursor.word) in ("+", "-", "&", "|", "^"):
            self.cursor.advance()
            right = self._multiplicative(scope)
            left = arithmetic(operator, left, right) if operator in "+-" else self._bitwise(operator, left, right)
        return left

    def _multiplicative(self, scope: Scope) -> Typed:
        left = self._unary(scope)
        while (operator := self.cursor.word) in ("*", "/", "%"):
            self.cursor.advance()
            left = arithmetic(operator, left, self._unary(scope))
        return left

    def _bitwise(self, operator: str, left: Typed, right: Typed) -> Typed:
        if UNKNOWN in (left.type, right.type):
            return Typed("NULL", UNKNOWN)
        if not (left.type.is_integer and right.type.is_integer):
            raise unsupported(f"The operator {operator} between {left.type.declared} and {right.type.declared}")
        type_ = wider(left.type, right.type)
        if operator == "^":
            return Typed(f"xor({left.sql}, {right.sql})", type_)
        return Typed(f"({left.sql} {operator} {right.sql})", type_)

    def _unary(self, scope: Scope) -> Typed:
        if self.cursor.accept("-"):
            one = self._unary(scope)
            if one.type != UNKNOWN and not one.type.is_number:
                raise unsupported(f"A minus before {one.type.declared}")
            digits = None if one.literal is None else f"-{one.literal}"
            return Typed(f"(-{one.sql})", one.type if one.type.name != "bit" else INT, one.nullable, literal=digits)
        if self.cursor.accept("+"):
            return self._unary(scope)
        if self.cursor.accept("~"):
            one = self._unary(scope)
            return Typed(f"(~{one.sql})", one.type, one.nullable)
        return self._collated(self._primary(scope))

    def _collated(self, one: Typed) -> Typed:
        while self.cursor.accept("COLLATE"):
            name = self.cursor.name()
            if "_BIN" in name.upper() or "_CS_" in name.upper():
                one = replace(one, sql=f'({one.sql} COLLATE "binary")', source=None)
            elif name.upper() not in ("DATABASE_DEFAULT", "CATALOG_DEFAULT") and "_CI_" not in name.upper():
                raise unsupported(f"The collation {name}")
        return one

    def _primary(self, scope: Scope) -> Typed:
        cursor, token = self.cursor, self.cursor.token
        if token.kind == STRING:
            cursor.advance()
            name = "nvarchar" if token.national else "varchar"
            return Typed(literal_text(token.value), SqlType(name, max(len(token.value), 1)), False, literal=token.value)
        if token.kind == NUMBER:
            cursor.advance()
            return _number(token.text)
        if token.kind == HEX:
            cursor.advance()
            digits = token.text[2:]
            digits = digits if len(digits) % 2 == 0 else "0" + digits
            return Typed(f"unhex('{digits}')", SqlType("varbinary", max(len(digits) // 2, 1)), False)
        if token.kind == VARIABLE:
            cursor.advance()
            return self.variable(token.text)
        if token.kind == SYSTEM:
            cursor.advance()
            return self._fact(token.text, [])
        if cursor.accept("("):
            return self._bracketed(scope)
        return self._named(scope)

    def _bracketed(self, scope: Scope) -> Typed:
        if self.cursor.word in ("SELECT", "WITH"):
            sql, fields = self.subquery(scope)
            self.cursor.expect(")")
            if len(fields) != 1:
                raise SqlError.raised(
                    116,
                    16,
                    1,
                    "Only one expression can be specified in the select list when the subquery "
                    "is not introduced with EXISTS.",
                )
            return Typed(f"({sql})", fields[0].type, True)
        one = self.value(scope)
        self.cursor.expect(")")
        return replace(one, sql=f"({one.sql})")

    def _named(self, scope: Scope) -> Typed:
        cursor, word = self.cursor, self.cursor.word
        if cursor.accept("NULL"):
            return Typed("NULL", NULL_TYPE)
        if cursor.accept("CASE"):
            return self._case(scope)
        if cursor.ahead() == "(" and cursor.token.kind == NAME:
            cursor.advance()
            cursor.advance()
            return self.function(word, scope)
        if word in ("CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"):
            cursor.advance()
            return self._fact(word, [])
        if cursor.is_name():
            parts = cursor.dotted()
            if cursor.word == "(":
                raise unsupported(f"The function {'.'.join(parts)}")
            return self.column(parts, scope)
        raise cursor.wrong()

    def _case(self, scope: Scope) -> Typed:
        subject = None if self.cursor.word == "WHEN" else self.value(scope)
        branches: list[tuple[str, Typed]] = []
        while self.cursor.accept("WHEN"):
            test = self.condition(scope) if subject is None else compared("=", subject, self.value(scope))
            self.cursor.expect("THEN")
            branches.append((test, self.value(scope)))
        if not branches:
            raise self.cursor.wrong()
        default = self.value(scope) if self.cursor.accept("ELSE") else Typed("NULL", NULL_TYPE)
        self.cursor.expect("END")
        *results, default = self.together([one for _, one in branches] + [default])
        whens = " ".join(f"WHEN {test} THEN {one.sql}" for (test, _), one in zip(branches, results, strict=True))
        nullable = any(one.nullable for one in (*results, default))
        return Typed(f"(CASE {whens} ELSE {default.sql} END)", default.type, nullable)

    def together(self, values: list[Typed]) -> list[Typed]:
        """Return values in the type that all take."""
        type_ = values[0].type
        for one in values[1:]:
            type_ = wider(type_, one.type)
        if type_ == NULL_TYPE:
            type_ = INT
        return [one if one.type == type_ else
                replace(one, type=type_) if one.type.is_text and type_.is_text else convert(one, type_)
                for one in values]  # fmt: skip

    def variable(self, name: str) -> Typed:
        """Compile a variable."""
        if name.lower() in self.inlined:
            return self.inlined[name.lower()]
        found = self.facts.variables.get(name.lower())
        if found is None:
            raise SqlError(137, name, state=2)
        if self.dry:
            return Typed("NULL", UNKNOWN)
        key = f"v{name.lower()[1:]}" if name[1:].isidentifier() and name.isascii() else ""
        if key in self.values:
            return Typed(f"CAST(${key} AS {duck_type(found.type)})", found.type, found.value is None)
        return self.bind(name, found.type, found.value, key)

    def _fact(self, name: str, arguments: list[object]) -> Typed:
        if self.dry:
            return Typed("NULL", UNKNOWN)
        found = self.facts.fact(name.upper(), arguments)
        if found is None:
            raise unsupported(f"{name}")
        return self.bind(name, *found)

    def column(self, parts: tuple[str, ...], scope: Scope) -> Typed:
        """Look a column up.

        Raises:
            SqlError: there is none of that name, or several.
        """
        if self.dry:
            return Typed("NULL", UNKNOWN)
        *qualifier, name = parts
        level: Scope | None = scope
        qualified = False
        while level is not None:
            meant = [one for one in level.relations if not qualifier or one.called(tuple(qualifier))]
            qualified = qualified or bool(meant)
            fields = [one for relation in meant for one in relation.fields if one.name.lower() == name.lower()]
            if len(fields) > 1 and not qualifier:
                raise SqlError(209, name)
            if fields:
                one = fields[0]
                return Typed(one.sql, one.type, one.nullable, one.source)
            level = level.outer
        if qualifier and not qualified:
            raise SqlError(4104, ".".join(parts))
        raise SqlError(207, name)

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def condition(self, scope: Scope) -> str:
        """Compile a search condition."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SqlError.raised(
                191,
                15,
                1,
                "Some part of your SQL statement is nested too deeply. Rewrite the query or "
                "break it up into smaller queries.",
            )
        parts = [self._conjunction(scope)]
        while self.cursor.accept("OR"):
            parts.append(self._conjunction(scope))
        self._depth -= 1
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _conjunction(self, scope: Scope) -> str:
        parts = [self._negation(scope)]
        while self.cursor.accept("AND"):
            parts.append(self._negation(scope))
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _negation(self, scope: Scope) -> str:
        if self.cursor.accept("NOT"):
            return f"(NOT {self._negation(scope)})"
        if self.cursor.accept("EXISTS", "("):
            sql, _ = self.subquery(scope)
            self.cursor.expect(")")
            return f"EXISTS ({sql})"
        if self.cursor.word == "(" and self._is_condition():
            self.cursor.advance()
            inner = self.condition(scope)
            self.cursor.expect(")")
            return f"({inner})"
        return self._predicate(scope)

    def _is_condition(self) -> bool:
        """Whether a bracket holds a condition: one that holds a value is followed by an operator or predicate."""
        depth, at = 0, self.cursor.at
        tokens = self.cursor.tokens
        while at < len(tokens) - 1:
            word = tokens[at].word
            depth += (word == "(") - (word == ")")
            at += 1
            if not depth:
                break
        return tokens[at].word not in (
            *_COMPARISONS,
            "+",
            "-",
            "*",
            "/",
            "%",
            "&",
            "|",
            "^",
            "IS",
            "IN",
            "LIKE",
            "BETWEEN",
            "NOT",
            "COLLATE",
        )

    def _predicate(self, scope: Scope) -> str:
        cursor, left = self.cursor, self.value(scope)
        if cursor.word in _COMPARISONS:
            operator = _COMPARISONS[cursor.advance().word]
            if cursor.word in ("ANY", "SOME", "ALL"):
                return self._quantified(operator, left, scope)
            return compared(operator, left, self.value(scope))
        if cursor.accept("IS"):
            negated = cursor.accept("NOT")
            cursor.expect("NULL")
            return f"({left.sql} IS {'NOT ' if negated else ''}NULL)"
        negation = "NOT " if cursor.accept("NOT") else ""
        if cursor.accept("IN"):
            return f"({negation}{self._in(left, scope)})"
        if cursor.accept("BETWEEN"):
            low = self.value(scope)
            cursor.expect("AND")
            high = self.value(scope)
            return f"({negation}({compared('>=', left, low)} AND {compared('<=', left, high)}))"
        if cursor.accept("LIKE"):
            return f"({negation}{self._like(left, scope)})"
        if not negation and not self.dry:
            raise SqlError(4145, cursor.token.value)
        raise cursor.wrong()

    def _quantified(self, operator: str, left: Typed, scope: Scope) -> str:
        word = self.cursor.advance().word
        self.cursor.expect("(")
        sql, _ = self.subquery(scope)
        self.cursor.expect(")")
        return f"({left.sql} {operator} {'ALL' if word == 'ALL' else 'ANY'} ({sql}))"

    def _in(self, left: Typed, scope: Scope) -> str:
        self.cursor.expect("(")
        if self.cursor.word in ("SELECT", "WITH"):
            sql, fields = self.subquery(scope)
            self.cursor.expect(")")
            if fields and not self.dry:
                comparable(left, Typed("x", fields[0].type))
            return f"({left.sql} IN ({sql}))"
        tests = [compared("=", left, self.value(scope))]
        while self.cursor.accept(","):
            tests.append(compared("=", left, self.value(scope)))
        self.cursor.expect(")")
        return f"({' OR '.join(tests)})"

    def _like(self, left: Typed, scope: Scope) -> str:
        pattern = self.value(scope)
        escape = self.value(scope) if self.cursor.accept("ESCAPE") else None
        if self.dry:
            return "TRUE"
        text = left.sql if left.type.is_text else convert(left, SqlType("nvarchar", MAX)).sql
        text = f"rtrim({text}, ' ')" if pattern.literal is not None and not pattern.literal.endswith(" ") else text
        checked = pattern.sql
        if pattern.literal is None:
            set_ = "error('blastwall: a set in a pattern of LIKE')"
            checked = f"(CASE WHEN contains({pattern.sql}, '[') THEN {set_} ELSE {pattern.sql} END)"
        elif "[" in pattern.literal:
            return self._like_sets(text, pattern.literal, escape)
        return f"({text} ILIKE {checked}{'' if escape is None else f' ESCAPE {escape.sql}'})"

    def _like_sets(self, text: str, pattern: str, escape: Typed | None) -> str:
        """A pattern with sets, such as [a-f], as a regular expression."""
        if escape is not None:
            raise unsupported("A set in a pattern of LIKE with ESCAPE")
        made, at = "", 0
        while at < len(pattern):
            char = pattern[at]
            close = pattern.find("]", at + 2) if char == "[" else -1
            if char == "[" and close > 0:
                inner = pattern[at + 1 : close].replace("\\", "\\\\")
                made += "[" + inner.replace("[", "\\[") + "]"
                at = close
            else:
                made += {"%": ".*", "_": "."}.get(char, "".join("\\" + c if not c.isalnum() else c for c in char))
            at += 1
        return f"regexp_full_match({text}, {literal_text('(?is)' + made)})"

    # ── types ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def type(self) -> SqlType:
        """Compile the name of a type."""
        cursor = self.cursor
        if cursor.token.kind not in (NAME, QUOTED):
            raise cursor.wrong()
        text = cursor.advance().value
        while cursor.accept("."):
            text = cursor.advance().value
        if text.lower() in ("national", "double", "char", "character") and cursor.word in (
            "VARYING",
            "PRECISION",
            "CHAR",
            "CHARACTER",
        ):
            text += " " + cursor.advance().text
        if cursor.accept("("):
            inner = cursor.advance().text
            if cursor.accept(","):
                inner += "," + cursor.advance().text
            cursor.expect(")")
            text += f"({inner})"
        try:
            return declared_type(text)
        except UnknownType as error:
            raise SqlError(2715, 1, error) from error


def _number(text: str) -> Typed:
    if "e" in text.lower():
        return Typed(f"CAST({text} AS DOUBLE)", FLOAT, False, literal=text)
    if "." in text:
        whole, _, part = text.partition(".")
        digits = len(whole.lstrip("0")) + len(part)
        type_ = SqlType("numeric", precision=max(digits, 1), scale=len(part))
        return Typed(f"CAST('{text}' AS {duck_type(type_)})", type_, False, literal=text)
    if int(text) < 1 << 31:
        return Typed(text, INT, False, literal=text)
    type_ = SqlType("numeric", precision=len(text.lstrip("0")), scale=0)
    return Typed(f"CAST('{text}' AS {duck_type(type_)})", type_, False, literal=text)
