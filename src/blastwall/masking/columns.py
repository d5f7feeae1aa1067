"""Which columns the configuration protects."""

from __future__ import annotations

import re
from collections.abc import Iterable

from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.model.statement import SOME, Column

_PART = re.compile(r'"(?:[^"]|"")+"|[^".*\s]+|\*')
_WHOLE = re.compile(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern})){{2,3}}")

STRICTNESS = {
    MaskStyle.PARTIAL: 0,
    MaskStyle.TOKEN: 1,
    MaskStyle.HASH: 2,
    MaskStyle.REDACT: 3,
    MaskStyle.NULL: 4,
}
"""The more of a value a style hides, the higher; where several rules meet, the highest is applied."""


def strictest(rules: Iterable[ColumnRule]) -> ColumnRule | None:
    """Return the rule that hides most, the first of equals, None where there is none."""
    return max(rules, key=lambda rule: STRICTNESS[rule.style], default=None)


def parse_pattern(text: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Read `[database.]schema.table.column`; `*` (None in the result) is any one part.

    A part with a dot, a star, a space or a quote in it is written in double quotes, a quote inside doubled. Parts are
    compared without regard to case, so that a rule spelt `Email` does not miss the column `email`.

    Raises:
        ValueError: the text is no such pattern.
    """
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(
            f"column {text!r} cannot be read: write `schema.table.column` or `database.schema.table.column`, "
            "`*` for any one whole part, and double quotes around a part that holds a dot, a star or a space"
        )
    parts = [_part(match[0]) for match in _PART.finditer(text)]
    if len(parts) == 3:
        parts.insert(0, None)
    return (parts[0], parts[1], parts[2], parts[3])


def _part(text: str) -> str | None:
    if text == "*":
        return None
    return (text[1:-1].replace('""', '"') if text.startswith('"') else text).casefold()


class ProtectedColumns:
    """The column rules of one `MaskRules`, looked up by exact column; answers are kept."""

    __slots__ = ("_columns", "_rules", "_tables")

    _MOST = 50_000

    def __init__(self, rules: MaskRules) -> None:
        self._rules = tuple((parse_pattern(rule.column), rule) for rule in rules.columns)
        self._columns: dict[Column, ColumnRule | None] = {}
        self._tables: dict[tuple[str, str, str], bool] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def rule(self, column: Column) -> ColumnRule | None:
        """Return the strictest rule that names `column`, None where none does."""
        try:
            return self._columns[column]
        except KeyError:
            if len(self._columns) >= self._MOST:
                self._columns.clear()
            found = self._columns[column] = strictest(self._matching(column))
            return found

    def decides(self, filters: frozenset[Column] | None) -> bool:
        """Whether one of the columns that decide over a statement's outcome is protected (`Statement.filters`)."""
        if filters is None:
            return bool(self._rules)
        return any(
            self.rule(one) is not None
            or (one.column == SOME and self.protects_table(one.database, one.schema, one.table))
            for one in filters
        )

    def protects_table(self, database: str, schema: str, table: str) -> bool:
        """Whether some column of this table may be protected."""
        key = (database, schema, table)
        try:
            return self._tables[key]
        except KeyError:
            if len(self._tables) >= self._MOST:
                self._tables.clear()
            found = self._tables[key] = any(_match(pattern[:3], key) for pattern, _ in self._rules)
            return found

    def _matching(self, column: Column) -> list[ColumnRule]:
        names = (column.database, column.schema, column.table, column.column)
        return [rule for pattern, rule in self._rules if _match(pattern, names)]


def _match(pattern: tuple[str | None, ...], names: tuple[str, ...]) -> bool:
    return all(part is None or part == name.casefold() for part, name in zip(pattern, names, strict=True))
