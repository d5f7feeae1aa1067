"""What an expression gives, as far as that can be told without Azure.

A value that depends on what only Azure knows is `UNKNOWN`. Two things are known well enough to name a resource by:

* names and ids of the scope deployed to, though not in which case their letters are;
* what `uniqueString`, `guid` and `newGuid` give: letters that nobody chooses, each written as `FRESH` here.

Texts made of them are `Derived`. Functions that pass letters on take them; to functions that look at letters they are
unknown, or a template could choose by them what it is judged as.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from blastwall.model.azure import RESOURCE_GROUP, SUBSCRIPTION, places
from blastwall.protocols.http.arm.documents import Json
from blastwall.protocols.http.arm.expressions import Constant, Node, NoExpression, Part, is_expression, parse

FRESH = "\ue000"
ENOUGH = 12
"""So many letters that nobody chooses make a name that is no other's: 60 bits of the hash of `uniqueString`."""

_PRIVATE = re.compile("[\ue000-\uf8ff]")
_HOLE = re.compile(r"\{([0-9]{1,2})\}")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LONGEST = 4096


class Unknown:
    """Only Azure can tell."""

    __slots__ = ()


UNKNOWN = Unknown()


class Derived(str):
    """A text of which not every letter, or not its case, is known."""

    __slots__ = ()


Value = Json | Unknown


class TooMuch(ValueError):
    """More is to be evaluated than anybody writes."""


@dataclass
class Budget:
    """How much may still be evaluated for one request: a template is small and what it says may not be."""

    steps: int = 20_000

    def spend(self, steps: int = 1) -> None:
        """Count what is done.

        Raises:
            TooMuch: the budget is used up.
        """
        self.steps -= steps
        if self.steps < 0:
            raise TooMuch("the template takes too long to evaluate")


@dataclass(frozen=True)
class Scope:
    """What the expressions of one template may speak of.

    `place` is the id that functions of the scope give; `given` are the parameters' values, `declared` what the template
    says of its parameters; `loop` is the index of the copy loops around, by name, "" the innermost.
    """

    place: str
    name: str
    budget: Budget
    given: Mapping[str, Value] = field(default_factory=dict)
    declared: Mapping[str, Json] = field(default_factory=dict)
    variables: Mapping[str, Json] = field(default_factory=dict)
    loop: Mapping[str, int] = field(default_factory=dict)
    depth: int = 0

    def inside(self, loop: str, index: int) -> Scope:
        """Return this in a copy loop's turn."""
        return replace(self, loop={**self.loop, "": index, loop.lower(): index})


def evaluated(value: Json, scope: Scope) -> Value:
    """Return what a value of a template is; one that is made of several is so in all of its parts.

    Raises:
        TooMuch: the budget is used up.
    """
    if isinstance(value, str):
        return _text(value, scope)
    scope.budget.spend()
    if isinstance(value, list):
        items = [evaluated(each, scope) for each in value]
        return UNKNOWN if any(isinstance(each, Unknown) for each in items) else [_known(each) for each in items]
    if isinstance(value, dict):
        if "copy" in value:
            return UNKNOWN
        found = {name: evaluated(each, scope) for name, each in value.items()}
        if any(isinstance(each, Unknown) for each in found.values()) or any(map(is_expression, found)):
            return UNKNOWN
        return {name: _known(each) for name, each in found.items()}
    return value


def resource_id(scope: str, kind: str, names: tuple[str, ...]) -> str | None:
    """Return the id of a type and its names in a scope; None where they do not fit each other."""
    namespace, *types = kind.split("/")
    if not types or len(types) != len(names):
        return None
    pairs = [part for pair in zip(types, names, strict=True) for part in pair]
    return "/".join([scope.rstrip("/"), "providers", namespace, *pairs])


def literal(value: Json) -> Value:
    """Return a value that is given as it is, and is not evaluated."""
    return UNKNOWN if _has_private(value) else value


def _has_private(value: Json) -> bool:
    if isinstance(value, str):
        return not value.isascii() and bool(_PRIVATE.search(value))
    if isinstance(value, dict):
        return any(_has_private(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(_has_private, value))


def _known(value: Value) -> Json:
    return None if isinstance(value, Unknown) else value


def _text(text: str, scope: Scope) -> Value:
    scope.budget.spend(1 + len(text) // 32)
    if not is_expression(text):
        odd = text.lstrip().startswith("[") and not text.startswith("[[")
        if odd or (not text.isascii() and _PRIVATE.search(text)):
            return UNKNOWN
        return text[1:] if text.startswith("[[") else text
    try:
        return node_value(parse(text), scope)
    except NoExpression:
        return UNKNOWN


def node_value(node: Node, scope: Scope) -> Value:
    """Return what a tree gives.

    Raises:
        TooMuch: the budget is used up.
    """
    scope.budget.spend()
    if isinstance(node, Constant):
        if isinstance(node.value, str) and _PRIVATE.search(node.value):
            return UNKNOWN
        return node.value
    if isinstance(node, Part):
        return _part(node_value(node.whole, scope), node_value(node.key, scope))
    if node.function == "if" and len(node.arguments) == 3:
        chosen = node_value(node.arguments[0], scope)
        return node_value(node.arguments[1 if chosen else 2], scope) if isinstance(chosen, bool) else UNKNOWN
    arguments = [node_value(each, scope) for each in node.arguments]
    if any(isinstance(each, Unknown) for each in arguments) and node.function not in _MAKES_LETTERS:
        return UNKNOWN
    known = [_known(each) for each in arguments]
    of_scope = _OF_SCOPE.get(node.function)
    if of_scope is not None:
        return of_scope(known, scope)
    plain = _FUNCTIONS.get(node.function)
    if plain is None or (node.function not in _PASSES_ON and any(map(_derived, known))):
        return UNKNOWN
    if node.function not in _TAKES_ANY and not all(map(_plain_letters, known)):
        return UNKNOWN
    try:
        return _bounded(plain(known), any(map(_derived, known)))
    except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError, AttributeError):
        return UNKNOWN


def _bounded(value: Value, derived: bool) -> Value:
    if isinstance(value, str):
        if len(value) > _LONGEST:
            return UNKNOWN
        return Derived(value) if derived else value
    return value


def _plain_letters(value: Json) -> bool:
    if isinstance(value, list):
        return all(map(_plain_letters, value))
    if isinstance(value, dict):
        return all(map(_plain_letters, value.values()))
    return not isinstance(value, str) or value.isascii() or value.replace(FRESH, "").isascii()


def _derived(value: Json) -> bool:
    if isinstance(value, list):
        return any(map(_derived, value))
    if isinstance(value, dict):
        return any(map(_derived, value.values()))
    return isinstance(value, Derived)


def _part(whole: Value, key: Value) -> Value:
    if isinstance(whole, dict) and isinstance(key, str) and not isinstance(key, Derived):
        return whole.get(key.lower(), UNKNOWN)
    if isinstance(whole, list) and isinstance(key, int) and 0 <= key < len(whole):
        return whole[key]
    return UNKNOWN


# ── of the scope ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _parameters(arguments: list[Json], scope: Scope) -> Value:
    name = _only_text(arguments)
    if name is None or scope.depth > 24:
        return UNKNOWN
    if name in scope.given:
        return scope.given[name]
    declared = scope.declared.get(name)
    if not isinstance(declared, dict) or "defaultvalue" not in declared:
        return UNKNOWN
    return evaluated(declared["defaultvalue"], replace(scope, depth=scope.depth + 1, loop={}))


def _variables(arguments: list[Json], scope: Scope) -> Value:
    name = _only_text(arguments)
    if name is None or name not in scope.variables or scope.depth > 24:
        return UNKNOWN
    return evaluated(scope.variables[name], replace(scope, depth=scope.depth + 1))


def _copy_index(arguments: list[Json], scope: Scope) -> Value:
    offset = arguments[-1] if arguments and isinstance(arguments[-1], int) else 0
    named = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    index = scope.loop.get(named.lower())
    return UNKNOWN if index is None else index + offset


def _group(arguments: list[Json], scope: Scope) -> Value:
    found = next((each for each in places(scope.place) if each.kind == RESOURCE_GROUP and not each.collection), None)
    if arguments or found is None:
        return UNKNOWN
    return {"id": Derived(found.id), "name": Derived(found.id.rsplit("/", 1)[-1])}


def _subscription(arguments: list[Json], scope: Scope) -> Value:
    found = next((each for each in places(scope.place) if each.kind == SUBSCRIPTION and not each.collection), None)
    if arguments or found is None:
        return UNKNOWN
    return {"id": Derived(found.id), "subscriptionid": Derived(found.id.rsplit("/", 1)[-1])}


def _deployment(arguments: list[Json], scope: Scope) -> Value:
    return UNKNOWN if arguments else {"name": Derived(scope.name)}


def _resource_id(arguments: list[Json], scope: Scope) -> Value:
    """`resourceId([subscription], [group], type, names…)`, in the scope unless it says otherwise."""
    texts = _texts(arguments)
    place = next((at for at, each in enumerate(texts) if "/" in each), -1) if texts else -1
    if texts is None or not 0 <= place <= 2:
        return UNKNOWN
    scopes = places(scope.place)
    subscription = next((each.id for each in scopes if each.kind == SUBSCRIPTION), "")
    base = scope.place if places(scope.place)[0].kind in {RESOURCE_GROUP, SUBSCRIPTION} else ""
    if place == 2:
        base = f"/subscriptions/{texts[0]}/resourceGroups/{texts[1]}"
    elif place == 1 and _GUID.fullmatch(texts[0]):
        return UNKNOWN
    elif place == 1:
        base = f"{subscription}/resourceGroups/{texts[0]}" if places(scope.place)[0].kind == RESOURCE_GROUP else ""
        base = base or f"/subscriptions/{texts[0]}"
    return _made(base, texts[place:])


def _subscription_resource_id(arguments: list[Json], scope: Scope) -> Value:
    texts = _texts(arguments)
    place = next((at for at, each in enumerate(texts) if "/" in each), -1) if texts else -1
    if texts is None or not 0 <= place <= 1:
        return UNKNOWN
    own = next((each.id for each in places(scope.place) if each.kind == SUBSCRIPTION), "")
    return _made(f"/subscriptions/{texts[0]}" if place else own, texts[place:])


def _tenant_resource_id(arguments: list[Json], _scope: Scope) -> Value:
    texts = _texts(arguments)
    return _made("", texts) if texts else UNKNOWN


def _extension_resource_id(arguments: list[Json], _scope: Scope) -> Value:
    texts = _texts(arguments)
    return _made(texts[0], texts[1:]) if texts and len(texts) > 1 else UNKNOWN


def _made(base: str, texts: list[str]) -> Value:
    found = resource_id(base, texts[0], tuple(texts[1:]))
    return UNKNOWN if found is None or len(found) > _LONGEST else Derived(found)


def _texts(arguments: list[Json]) -> list[str] | None:
    texts = [each for each in arguments if isinstance(each, str)]
    return texts if len(texts) == len(arguments) else None


def _only_text(arguments: list[Json]) -> str | None:
    if len(arguments) != 1 or not isinstance(arguments[0], str) or isinstance(arguments[0], Derived):
        return None
    return arguments[0].lower()


_OF_SCOPE: Mapping[str, Callable[[list[Json], Scope], Value]] = {
    "parameters": _parameters,
    "variables": _variables,
    "copyindex": _copy_index,
    "resourcegroup": _group,
    "subscription": _subscription,
    "deployment": _deployment,
    "resourceid": _resource_id,
    "subscriptionresourceid": _subscription_resource_id,
    "tenantresourceid": _tenant_resource_id,
    "extensionresourceid": _extension_resource_id,
}


# ── plain functions ──────────────────────────────────────────────────────────────────────────────────────────────────


def _concat(arguments: list[Json]) -> Value:
    if all(isinstance(each, list) for each in arguments):
        return [item for each in arguments if isinstance(each, list) for item in each]
    return "".join([_shown(each) for each in arguments])


def _format(arguments: list[Json]) -> Value:
    pattern = _shown(arguments[0])
    if "{" in _HOLE.sub("", pattern) or "}" in _HOLE.sub("", pattern):
        raise ValueError("a format with more than places")
    return _HOLE.sub(lambda match: _shown(arguments[1 + int(match[1])]), pattern)


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("a value whose text only Azure knows")


def _take(arguments: list[Json]) -> Value:
    whole, count = arguments
    if not isinstance(whole, str | list) or not isinstance(count, int):
        raise TypeError("nothing to take of")
    return whole[: max(count, 0)]


def _substring(arguments: list[Json]) -> Value:
    whole, start, *length = arguments
    count = length[0] if length else None
    if not isinstance(whole, str) or not isinstance(start, int) or not (count is None or isinstance(count, int)):
        raise TypeError("no text")
    if start < 0 or start > len(whole) or (count is not None and (count < 0 or start + count > len(whole))):
        raise IndexError("beyond the text")
    return whole[start:] if count is None else whole[start : start + count]


def _replace(arguments: list[Json]) -> Value:
    whole, old, new = (_shown(each) for each in arguments)
    if not old:
        raise ValueError("nothing to replace")
    return whole.replace(old, new)


def _split(arguments: list[Json]) -> Value:
    whole, sign = arguments
    if not isinstance(whole, str) or not isinstance(sign, str) or not sign:
        raise TypeError("no text")
    return list[Json](whole.split(sign))


def _array(arguments: list[Json]) -> Value:
    return arguments


def _item(place: int) -> Callable[[list[Json]], Value]:
    def item(arguments: list[Json]) -> Value:
        [whole] = arguments
        if not isinstance(whole, str | list) or not whole:
            raise TypeError("nothing to take of")
        return whole[place]

    return item


def _pad(arguments: list[Json]) -> Value:
    whole, width, *sign = arguments
    if not isinstance(width, int) or width > _LONGEST:
        raise TypeError("no width")
    return _shown(whole).rjust(width, _shown(sign[0]) if sign else " ")


def _decoded(arguments: list[Json]) -> Value:
    try:
        return base64.b64decode(_shown(arguments[0]), validate=True).decode()
    except binascii.Error:
        raise ValueError("no base64") from None


def _equal(arguments: list[Json]) -> Value:
    one, other = arguments
    if type(one) is not type(other) or not isinstance(one, str | int):
        raise TypeError("values that only Azure compares")
    return one == other


def _whole(arguments: list[Json], function: Callable[[int, int], int]) -> int:
    one, other = arguments
    if not isinstance(one, int) or not isinstance(other, int) or abs(one) > 1 << 62 or abs(other) > 1 << 62:
        raise TypeError("no numbers")
    return function(one, other)


def _true(arguments: list[Json]) -> bool:
    if not all(isinstance(each, bool) for each in arguments):
        raise TypeError("no truth values")
    return all(arguments)


_FUNCTIONS: Mapping[str, Callable[[list[Json]], Value]] = {
    "concat": _concat,
    "format": _format,
    "string": lambda arguments: _shown(arguments[0]),
    "tolower": lambda arguments: _shown(arguments[0]).lower(),
    "toupper": lambda arguments: _shown(arguments[0]).upper(),
    "take": _take,
    "substring": _substring,
    "createarray": _array,
    "uniquestring": lambda _: Derived(FRESH * 13),
    "guid": lambda _: Derived(FRESH * 36),
    "newguid": lambda _: Derived(FRESH * 36),
    "trim": lambda arguments: _shown(arguments[0]).strip(" \t\r\n"),
    "replace": _replace,
    "split": _split,
    "first": _item(0),
    "last": _item(-1),
    "padleft": _pad,
    "length": lambda arguments: len(arguments[0]) if isinstance(arguments[0], str | list) else UNKNOWN,
    "base64": lambda arguments: base64.b64encode(_shown(arguments[0]).encode()).decode(),
    "base64tostring": _decoded,
    "equals": _equal,
    "not": lambda arguments: not _true(arguments),
    "and": _true,
    "true": lambda _: True,
    "false": lambda _: False,
    "null": lambda _: None,
    "int": lambda arguments: int(_shown(arguments[0])),
    "add": lambda arguments: _whole(arguments, lambda one, other: one + other),
    "sub": lambda arguments: _whole(arguments, lambda one, other: one - other),
    "mul": lambda arguments: _whole(arguments, lambda one, other: one * other),
    "range": lambda arguments: list(range(_range(arguments)[0], sum(_range(arguments)))),
}
_PASSES_ON = frozenset(
    {
        "concat",
        "format",
        "string",
        "tolower",
        "toupper",
        "take",
        "substring",
        "createarray",
        "uniquestring",
        "guid",
        "newguid",
    }
)
_TAKES_ANY = frozenset({"concat", "format", "string", "createarray", "uniquestring", "guid", "newguid"})
"""Others count, compare or change letters, which beyond ASCII Azure does in its own way: UTF-16, its own case."""

_MAKES_LETTERS = frozenset({"uniquestring", "guid", "newguid"})
"""These give letters that nobody chooses, whatever they are given."""


def _range(arguments: list[Json]) -> tuple[int, int]:
    start, count = arguments
    if not isinstance(start, int) or not isinstance(count, int) or not 0 <= count <= 800:
        raise TypeError("no range")
    return start, count
