"""What the expressions of a template read: keys of others (`listKeys`), and the state of resources (`reference`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from blastwall.model.effects import Action
from blastwall.protocols.http.arm.documents import Json
from blastwall.protocols.http.arm.effects import Found, identity
from blastwall.protocols.http.arm.evaluation import ENOUGH, FRESH, Scope, node_value
from blastwall.protocols.http.arm.expressions import Call, NoExpression, calls, parse
from blastwall.protocols.http.arm.paths import Unplaced

_MAY_READ = re.compile(r"(?:list[a-z0-9]*|references?|getsecret|pickzones)\s*\(", re.IGNORECASE)
_INDEX = re.compile(r"\[[0-9]+\]$")


def uses(found: Found, scope: Scope, place: str, value: Json, made: Mapping[str, str]) -> None:
    """Note what the expressions in a value read. `made` are the ids of what the template deploys, by symbol or name.

    Raises:
        TooMuch: evaluating it takes too long.
    """
    for text in _texts(value):
        scope.budget.spend(1 + len(text) // 32)
        if "[" not in text or not _MAY_READ.search(text):
            continue
        try:
            called = list(calls(parse(text.strip())))
        except NoExpression:
            found.unclear("an expression of the template cannot be read", place)
            continue
        for call in called:
            _call(found, scope, place, call, made)


def _call(found: Found, scope: Scope, place: str, call: Call, made: Mapping[str, str]) -> None:
    if call.function.startswith("list") or call.function == "getsecret":
        found.add((Action.REVEAL,), _target(scope, call, made) or place)
    elif call.function in {"reference", "references"}:
        target = _target(scope, call, made)
        if target is None:
            found.unclear("what reference() in the template reads can only be told by Azure", place)
            return
        try:
            found.asked("GET", target)
        except Unplaced as unplaced:
            found.unclear(str(unplaced), place)


def _target(scope: Scope, call: Call, made: Mapping[str, str]) -> str | None:
    """Return the id of what a function reads; None where that cannot be told."""
    value = node_value(call.arguments[0], scope) if call.arguments else None
    if not isinstance(value, str):
        return None
    if not value.startswith("/"):
        return made.get(_INDEX.sub("", value).rsplit("/", 1)[-1].lower())
    if FRESH in value:
        start, _, _ = value.partition(FRESH)
        return _collection(start) if value.count(FRESH) >= ENOUGH else None
    try:
        return identity(value)
    except Unplaced:
        return None


def _collection(start: str) -> str | None:
    """Return the id of the collection that a fresh name is in."""
    try:
        return identity(start.rpartition("/")[0])
    except Unplaced:
        return None


def _texts(value: Json) -> Iterator[str]:
    waiting: list[Json] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
