"""A statement as the gate judges and records it: its exact text, its values and its effects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from blastwall.model.effects import Effect


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, by exact names; `database` is the one that the session is in."""

    database: str
    schema: str
    table: str
    column: str


SOME = "*"
"""A column of this name stands for one that is not known."""


class Stage(StrEnum):
    """PREPARE: the statement is only parsed by the resource. EXECUTE: it runs."""

    PREPARE = "prepare"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal in a statement's text, so that the recording can redact it.

    `start` and `end` count characters of `Statement.text`. `column` is the column that the value is stored into or
    compared with, where that is known. `secret` marks what no recording may hold (`PASSWORD '…'`).
    """

    start: int
    end: int
    column: Column | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A bind value, as text where it could be decoded, as bytes where not, None for NULL.

    `declared` is the type that the client says it has, in the protocol's own words; empty where it leaves that open.
    """

    value: str | bytes | None
    column: Column | None = None
    secret: bool = False
    declared: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that the client asks for.

    `operation` is the protocol's own verb ("DELETE"). `filtered` is true only if the predicate names a column of the
    target and is not constantly true: a lint, not a limit. `doubt` says why an effect is `unclassified`, in words that
    the agent's owner can act on.

    `filters` are the columns whose values decide what can be seen of the statement besides values: which rows it
    gives or changes, their order and number, whether it fails. A column `*` stands for some column of its table that
    is not known; None means that any column may decide. `filters_masked` is whether one of them is masked for whom
    asks; masking settles it, and policies read it.

    `by_name` is set where the text says by a name alone what is to run (EXECUTE of a prepared statement).
    """

    text: str
    effects: tuple[Effect, ...]
    operation: str
    database: str
    parameters: tuple[Parameter, ...] = ()
    literals: tuple[Literal, ...] = ()
    stage: Stage = Stage.EXECUTE
    filtered: bool = False
    in_transaction: bool = False
    doubt: str = ""
    filters: frozenset[Column] | None = frozenset()
    filters_masked: bool = False
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class RedactedStatement:
    """A statement's text and values as a recording may hold them."""

    text: str
    parameters: tuple[str | None, ...]


def without_values(statement: Statement) -> Statement:
    """Return the like of a statement that may be kept for long: its bind values may be of any size."""
    if not statement.parameters:
        return statement
    return replace(statement, parameters=tuple([replace(one, value=None) for one in statement.parameters]))
