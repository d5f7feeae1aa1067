"""Batches whose grammar was checked, kept for the next time; and declarations of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import Argument, Database, Module, Table, View
from blastwall.testing.tds.datatypes import INT, SqlType
from blastwall.testing.tds.expressions import Variable
from blastwall.testing.tds.lexer import Cursor, Token, tokens_of
from blastwall.testing.tds.script import Node, Script
from blastwall.testing.tds.system_facts import FACTS
from blastwall.testing.tds.typed import UNKNOWN

if TYPE_CHECKING:
    from blastwall.testing.tds.state import State

_LONGEST_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Parsed:
    """A batch: its tokens, and its statements."""

    text: str
    tokens: list[Token]
    nodes: list[Node]

    def cursor(self) -> Cursor:
        """Return a cursor over its tokens."""
        return Cursor(self.text, self.tokens)


class GrammarOnly:
    """Answers what expressions ask while only the grammar of a batch is looked at."""

    def __init__(self, variables: frozenset[str]) -> None:
        self.database = Database("", 0)
        self.variables = {name: Variable(UNKNOWN) for name in variables}

    def fact(self, name: str, arguments: list[object]) -> tuple[SqlType, object] | None:
        """Say whether there is a function of that name."""
        return (INT, None) if name in FACTS else None

    def mapping(self, function: str) -> dict[object, object] | None:
        """Nothing is mapped."""
        return {} if function in FACTS else None

    def resolve(self, parts: tuple[str, ...]) -> Table | View | Module:
        """Nothing is looked up."""
        raise LookupError(parts)

    def enter(self, database: str) -> str:
        """Nothing is entered."""
        return database

    def table_function(self, name: str, arguments: list[object]) -> Table | None:
        """Nothing is made."""
        return None

    def check(self, permission: str, found: Table | View | Module) -> None:
        """Nothing is checked."""


def parsed(state: State, text: str) -> Parsed:
    """Return a batch whose grammar is right.

    Raises:
        SqlError: it is wrong, or not supported.
    """
    names = frozenset(state.variables)
    if len(text) <= _LONGEST_KEPT:
        return _kept(text, state.options.quoted_identifier, names)
    return _parse(text, state.options.quoted_identifier, names)


def _parse(text: str, quoted_identifier: bool, names: frozenset[str]) -> Parsed:
    tokens = tokens_of(text, quoted_identifier=quoted_identifier)
    script = Script(Cursor(text, tokens), GrammarOnly(names), dry=True)
    return Parsed(text, tokens, script.batch())


_kept = lru_cache(1024)(_parse)


def declared_parameters(text: str) -> tuple[Argument, ...]:
    """Return the parameters that a declaration as sp_executesql's names.

    Raises:
        SqlError: it is wrong.
    """
    cursor = Cursor(text, tokens_of(text))
    script = Script(cursor, GrammarOnly(frozenset()), dry=True)
    found = script.declared_arguments()
    if not cursor.ended:
        raise cursor.wrong()
    return found
