"""Bulk loads: INSERT BULK, then rows (MS-TDS 2.2.6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import Table, duck_type
from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.definitions import Definitions
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.lexer import Cursor, tokens_of
from blastwall.testing.tds.parsing import GrammarOnly
from blastwall.testing.tds.script import Script
from blastwall.testing.tds.typed import Typed, assigned

if TYPE_CHECKING:
    from blastwall.testing.tds.interpreter import Interpreter
    from blastwall.testing.tds.state import State

_AT_ONCE = 200
_OPTIONS = (
    "CHECK_CONSTRAINTS",
    "FIRE_TRIGGERS",
    "KEEP_NULLS",
    "TABLOCK",
    "KEEP_IDENTITY",
    "ROWS_PER_BATCH",
    "KILOBYTES_PER_BATCH",
    "ORDER",
)


@dataclass(frozen=True, slots=True)
class Bulk:
    """What INSERT BULK said is coming."""

    table: Table
    columns: tuple[str, ...]
    options: frozenset[str]

    @classmethod
    def read(cls, state: State, text: str) -> Bulk:
        """Read an INSERT BULK.

        Raises:
            SqlError: its grammar is wrong, or it names what there is not.
        """
        cursor = Cursor(text, tokens_of(text))
        script = Script(cursor, GrammarOnly(frozenset()), dry=True)
        cursor.expect("INSERT", "BULK")
        parts = cursor.dotted()
        columns, options = _columns(cursor, script), _options(cursor)
        if not cursor.ended:
            raise cursor.wrong()
        table = state.resolve(parts)
        if not isinstance(table, Table):
            raise SqlError(208, ".".join(parts))
        state.check("INSERT", table)
        for name in columns:
            if table.column(name) is None:
                raise SqlError(207, name)
        return cls(table, tuple(columns), frozenset(options))

    def load(
        self, state: State, interpreter: Interpreter, columns: list[tuple[str, SqlType]], rows: list[list[object]]
    ) -> int:
        """Load rows; return how many."""
        if len(columns) != len(self.columns):
            raise SqlError(213)
        identity = self.table.identity
        names, kept = list(self.columns), list(range(len(columns)))
        explicit = "KEEP_IDENTITY" in self.options
        if identity is not None and not explicit:
            kept = [index for index in kept if names[index].lower() != identity.name.lower()]
        before = state.identity_insert
        state.identity_insert = self.table.id if explicit and identity is not None else before
        try:
            with state.engine.lock, state.transactions.atomic():
                for start in range(0, len(rows), _AT_ONCE):
                    interpreter.answer.poll()
                    self._insert(interpreter, columns, rows[start : start + _AT_ONCE], kept)
        finally:
            state.identity_insert = before
        return len(rows)

    def _insert(
        self, interpreter: Interpreter, columns: list[tuple[str, SqlType]], rows: list[list[object]], kept: list[int]
    ) -> None:
        values: dict[str, object] = {}
        listed = []
        for number, row in enumerate(rows):
            for index in kept:
                value = row[index]
                textual = value is not None and (
                    isinstance(value, Decimal) or columns[index][1].name == "uniqueidentifier"
                )
                values[f"b{number}_{index}_"] = str(value) if textual else value
            listed.append(
                "(" + ", ".join(f"CAST($b{number}_{index}_ AS {duck_type(columns[index][1])})" for index in kept) + ")"
            )
        names = [self.columns[index] for index in kept]
        targets = [column for name in names if (column := self.table.column(name)) is not None]
        casts = ", ".join(
            assigned(Typed(f"q.c{position}", columns[index][1]), target.type).sql
            for position, (index, target) in enumerate(zip(kept, targets, strict=True))
        )
        source = ", ".join(f"c{position}" for position in range(len(kept)))
        sql = f"SELECT {casts} FROM (VALUES {', '.join(listed)}) AS q({source})"
        interpreter.insert_rows(self.table, tuple(one.name for one in targets), sql, values)


def _columns(cursor: Cursor, script: Definitions) -> list[str]:
    names: list[str] = []
    if not cursor.accept("("):
        return names
    while True:
        names.append(cursor.name())
        script.type()
        if cursor.accept("COLLATE"):
            cursor.name()
        if not cursor.accept("NOT", "NULL"):
            cursor.accept("NULL")
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return names


def _options(cursor: Cursor) -> list[str]:
    found: list[str] = []
    if not cursor.accept("WITH"):
        return found
    cursor.expect("(")
    while True:
        word = cursor.advance().word
        if word not in _OPTIONS:
            raise unsupported(f"INSERT BULK … WITH ({word})")
        found.append(word)
        if cursor.accept("="):
            cursor.advance()
        if word == "ORDER":
            while cursor.word not in (")", ""):
                cursor.advance()
            cursor.advance()
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return found
