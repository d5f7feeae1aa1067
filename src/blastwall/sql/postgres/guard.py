"""Caps before the native parser: it recurses in C, so depth and expansion are bounded here by PostgreSQL's own scanner.

What was measured (libpg_query 18): a chain of left-associative operators, joins or unions becomes a tree as deep as the
chain; a thread with 1 MiB of stack dies between 5,000 and 30,000 levels of operators or between 750 and 3,000 of
sub-selects. An operator takes two bytes at least, a sub-select eight, so a text below `FREE` bytes cannot reach that;
above it `Limits.depth` holds, which is also about what the reader of the tree can follow. `SET (a, b) = (…)`
writes its source once a column into the tree, and nests: the expansion is bounded as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from blastwall.sql.postgres.parse import UnparsedError, token_names


@dataclass(frozen=True, slots=True)
class Limits:
    """`text` in bytes, `depth` in levels, `expansion` in tokens, `statements` a text, `queries` analysed a text."""

    text: int = 1 << 20
    depth: int = 500
    expansion: int = 400_000
    statements: int = 1_000
    queries: int = 5_000


FREE = 6000
_EXPANDS = re.compile(rb"\)\s*(?:=|/\*|--)")
_DEEPENS = re.compile(
    rb"[-+*/%^<>=~!@#&|`?\[(:]|\b(?:is|isnull|notnull|not|in|at|collate|between|like|ilike|similar|case|join|union"
    rb"|except|intersect|operator|overlaps)\b",
    re.IGNORECASE,
)
_OPENS = frozenset({"ASCII_40", "ASCII_91"})
_CLOSES = frozenset({"ASCII_41", "ASCII_93"})
_RESETS = frozenset({"ASCII_44", "AND", "OR", "WHERE", "FROM", "THEN", "WHEN", "ELSE"})
_LASTING = frozenset({"JOIN", "UNION", "EXCEPT", "INTERSECT", "NOT", "NOT_LA", "BETWEEN", "CASE"})
_CHAINS = frozenset(
    {
        "Op", "TYPECAST", "EQUALS_GREATER", "LESS_EQUALS", "GREATER_EQUALS", "NOT_EQUALS", "COLLATE", "AT", "IS",
        "ISNULL", "NOTNULL", "IN_P", "LIKE", "ILIKE", "SIMILAR", "OPERATOR", "OVERLAPS", "COLON_EQUALS",
        *(f"ASCII_{ord(sign)}" for sign in "+-*/%^<>=:"),
    }
)  # fmt: skip


def refusal(text: str, data: bytes, limits: Limits) -> str:
    """Return why the text must not reach the parser, or ""."""
    if len(data) > limits.text:
        return f"the text is longer than {limits.text} bytes: send it in smaller statements"
    if "\0" in text:
        return "the text contains a NUL character, which PostgreSQL does not accept"
    expands = _EXPANDS.search(data) is not None
    deep = len(data) > FREE and len(_DEEPENS.findall(data)) > limits.depth
    if not (expands or deep):
        return ""
    try:
        tokens = token_names(data)
    except UnparsedError as error:
        return f"the text cannot be read as SQL: {error}"
    return _Depth(limits).walk(tokens)


@dataclass(slots=True)
class _Level:
    """One open bracket: how deep its operators, joins and unions may nest, and how often its text is repeated."""

    chain: int = 0
    lasting: int = 0
    commas: int = 0
    factor: int = 1


@dataclass(slots=True)
class _Depth:
    limits: Limits
    levels: list[_Level] = field(default_factory=lambda: [_Level()])
    depth: int = 0
    weight: int = 1
    total: int = 0
    closed: int = 0

    def walk(self, tokens: Iterable[str]) -> str:
        for name in tokens:
            self._step(name)
            if self.depth > self.limits.depth:
                return "expressions, joins or sub-selects are nested too deeply: split the statement"
            if self.total > self.limits.expansion:
                return "the statement's multi-column assignments expand too far: assign the columns one by one"
        return ""

    def _step(self, name: str) -> None:
        level = self.levels[-1]
        self.total += self.weight
        if name in _OPENS:
            self.levels.append(_Level())
            self.depth += 1
        elif name in _CLOSES and len(self.levels) > 1:
            self.levels.pop()
            self.depth -= 1 + level.chain + level.lasting
            self.weight //= level.factor
            self.closed = level.commas + 1
            return
        elif name == "ASCII_59" and len(self.levels) == 1:
            self.levels, self.depth, self.weight = [_Level()], 0, 1
        else:
            self._count(level, name)
        self.closed = 0

    def _count(self, level: _Level, name: str) -> None:
        if name in _RESETS:
            self.depth -= level.chain
            level.chain = 0
            if name == "ASCII_44":
                level.commas += 1
                self.weight //= level.factor
                level.factor = 1
        elif name in _LASTING:
            level.lasting += 1
            self.depth += 1
        elif name in _CHAINS:
            if name == "ASCII_61" and self.closed > 1 and level.factor == 1:
                level.factor = self.closed
                self.weight *= level.factor
            level.chain += 1
            self.depth += 1
