"""The way from a text to its statements: guard, parse, read each, say what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Literal
from blastwall.sql.postgres.catalog import Catalog
from blastwall.sql.postgres.findings import QUERY_STEPS, Budget, OverBudgetError, TooComplexError
from blastwall.sql.postgres.guard import Limits, refusal
from blastwall.sql.postgres.literals import Tokens, character_offsets, spans, strings
from blastwall.sql.postgres.parse import UnparsedError, parse
from blastwall.sql.postgres.reader import Reader, operation_of
from blastwall.sql.postgres.state import NameState, before
from blastwall.sql.postgres.statement import Classified
from blastwall.sql.postgres.tree import Node, number, sub, unwrap
from blastwall.sql.postgres.watched import Looks

UNPARSED = "UNPARSED"
_DEFAULT_LIMITS = Limits()
_HOLD_SECRETS = frozenset(
    {"CreateRoleStmt", "AlterRoleStmt", "CreateUserMappingStmt", "AlterUserMappingStmt", "CreateForeignServerStmt",
     "AlterForeignServerStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt", "CreateFdwStmt", "AlterFdwStmt",
     "AlterSystemStmt", "AlterRoleSetStmt", "AlterDatabaseSetStmt"}
)  # fmt: skip
"""Statements in which every string counts as a secret: their options hold passwords and connection strings."""
_HOLD_CODE = frozenset({"CreateFunctionStmt", "DoStmt"})
_CODE_SECRETS = ("password", "user mapping", "connection", "dblink", "pgp_", "crypt")


def classify(
    text: str,
    catalog: Catalog,
    state: NameState,
    *,
    limits: Limits = _DEFAULT_LIMITS,
    looks: Looks | None = None,
    budget: Budget | None = None,
) -> tuple[Classified, ...]:
    """Return the statements of a text with their effects; () where it is empty or holds comments only.

    What cannot be read gives one statement whose effect is `unclassified` and whose doubt says why.
    Statements of one text are read one after another, each in the states that those before it may have left. `looks`
    is told which of the text's constants were looked at. With a `budget` what exceeds it or the limits is not answered.

    Raises:
        OverBudgetError: only with a `budget`.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return (_unparsed(text, b"", catalog, "the text is not valid Unicode"),)
    reason = refusal(text, data, limits)
    if reason:
        if budget is not None and (len(data) > limits.text or not refusal(text, data, _DEFAULT_LIMITS)):
            raise OverBudgetError
        return (_unparsed(text, data, catalog, reason),)
    try:
        trees = parse(data)
    except UnparsedError as error:
        return (_unparsed(text, data, catalog, str(error)),)
    if budget is not None:
        budget.spend(QUERY_STEPS * len(trees))
    if len(trees) > limits.statements:
        return (_unparsed(text, data, catalog, f"the text holds more than {limits.statements} statements"),)
    if looks is not None:
        looks.watch(trees)
    place = _Place(data, character_offsets(text, data), Tokens(data), budget)
    found = []
    for tree in trees:
        one = _statement(tree, place, catalog, state, limits)
        found.append(one)
        if len(trees) > 1:
            state = before(state, one)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Place:
    """The text as bytes, its character offsets, its tokens, and the steps that are left for it."""

    data: bytes
    character: Callable[[int], int]
    tokens: Tokens
    budget: Budget | None


def _statement(tree: Node, place: _Place, catalog: Catalog, state: NameState, limits: Limits) -> Classified:
    start = number(tree, "stmt_location")
    end = start + (number(tree, "stmt_len") or len(place.data) - start)
    node = sub(tree, "stmt")
    tag, inner = unwrap(node)
    reader = Reader(catalog, state, limits)
    reader.data, reader.budget = place.data[start:end], place.budget
    reason = ""
    try:
        reader.statement(tag, inner)
        if reader.unsettled or reader.by_places:
            cautious = Reader(catalog, state, limits)
            cautious.data, cautious.budget, cautious.cautious = reader.data, place.budget, True
            cautious.statement(tag, inner)
            reader.reconsider(cautious)
    except TooComplexError:
        reason = f"the statement holds more than {limits.queries} sub-selects: split it"
    except RecursionError:
        reason = "expressions or sub-selects are nested too deeply: split the statement"
    if reason:
        reader = Reader(catalog, state, limits)
        reader.concede(reason)
        reader.copies, reader.returns_rows = None, True
    literals = spans(place.data, reader.literals, reader.secrets, place.character, place.tokens)
    literals = _with_secrets(literals, tag, place, start, end)
    return reader.classified(place.character(start), place.character(end), operation_of(tag, inner), node, literals)


def _with_secrets(literals: tuple[Literal, ...], tag: str, place: _Place, start: int, end: int) -> tuple[Literal, ...]:
    if tag in _HOLD_CODE:
        lowered = place.data[start:end].lower()
        if not any(word.encode() in lowered for word in _CODE_SECRETS):
            return literals
    elif tag not in _HOLD_SECRETS:
        return literals
    secret = [Literal(place.character(a), place.character(b), None, True) for a, b in strings(place.data, start, end)]
    known = {literal.start for literal in secret}
    return tuple(sorted([*secret, *(one for one in literals if one.start not in known)], key=lambda one: one.start))


def unread(text: str, catalog: Catalog, reason: str) -> Classified:
    """Return what is said of a text that nobody could read; nobody knows where its strings are either."""
    database = Object((catalog.database,), "database")
    return Classified(
        0, len(text), UNPARSED, (Effect(Action.UNCLASSIFIED, database),), doubt=reason, returns_rows=True, copies=None
    )


def _unparsed(text: str, data: bytes, catalog: Catalog, reason: str) -> Classified:
    """Nobody knows which of its strings are passwords, so each of them is a secret."""
    character = character_offsets(text, data)
    if data:
        literals = tuple(Literal(character(a), character(b), None, True) for a, b in strings(data, 0, len(data)))
    else:
        literals = (Literal(0, len(text), None, True),)
    database = Object((catalog.database,), "database")
    return Classified(
        0, len(text), UNPARSED, (Effect(Action.UNCLASSIFIED, database),), doubt=reason, literals=literals,
        returns_rows=True, copies=None, filters=None,
    )  # fmt: skip
