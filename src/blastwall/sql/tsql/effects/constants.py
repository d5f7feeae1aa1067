"""Texts that a variable can only be: constants, put together in straight lines, as the server would put them together.

`EXEC (@sql)` is judged by its text where all of it stands in the batch. What is not known for certain (a value of a
table, a loop, a conversion that may change characters, a length that may cut) is None: then nobody knows the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from blastwall.sql.tsql import nodes as n

MAX_ALTERNATIVES = 4
_NODES_A_STEP = 8
_SHORT = 4000
"""Characters to which nvarchar, concatenated of parts none of which is (max), is cut."""
_DEFAULT_LENGTH = {"DECLARE": 1, "CAST": 30}
_TYPES = frozenset({"varchar", "nvarchar", "sysname", "nchar", "char"})


@dataclass(frozen=True, slots=True)
class Known:
    """A text, and where each of its characters stands in the request's text; `places` has one more for its end."""

    text: str
    places: tuple[int, ...] | None


Texts = frozenset[Known] | None
"""What a variable may be; None where that is not known."""


def joined(one: Texts, other: Texts) -> Texts:
    """Return what a variable may be that is the one or the other."""
    if one is None or other is None:
        return None
    both = one | other
    return both if len(both) <= MAX_ALTERNATIVES else None


def either(one: Mapping[str, Texts], other: Mapping[str, Texts]) -> dict[str, Texts]:
    """Return what variables may be after one of two ways."""
    return {name: joined(one.get(name), other.get(name)) for name in {*one, *other}}


def folded(node: n.Node, variables: Mapping[str, Texts], offset: int | None) -> Texts:
    """Return the texts that an expression can be; `offset` is added to each place, None: places mean nothing."""
    match node:
        case n.Constant(kind="STRING" | "NATIONAL"):
            if node.kind == "STRING" and not node.text.isascii():
                return None  # it is converted to a code page first, and a character may become a quote there
            return frozenset({Known(node.text, None if offset is None else _places(node, offset))})
        case n.Variable():
            return variables.get(node.name.lower())
        case n.Operation() if set(node.operators) <= {"+"}:
            return _concatenated([folded(part, variables, offset) for part in node.operands])
        case n.Cast(function="CAST" | "CONVERT", style=None):
            return fitted(folded(node.operand, variables, offset), node.type, "CAST")
        case n.Call():
            return _called(node, variables, offset)
        case _:
            return None


def _places(node: n.Constant, offset: int) -> tuple[int, ...] | None:
    """Quotes within are doubled in the text, so each takes two places."""
    start = node.start + (2 if node.kind == "NATIONAL" else 1)
    places: list[int] = []
    at = start + offset
    for character in node.text:
        places.append(at)
        at += 2 if character == "'" else 1
    places.append(at)
    return tuple(places) if at + 1 - offset == node.end else None


def _concatenated(parts: list[Texts]) -> Texts:
    found: list[Known] = [Known("", ())]
    for part in parts:
        if part is None or len(found) * len(part) > MAX_ALTERNATIVES:
            return None
        found = [_glued(one, other) for one in found for other in part]
    if any(len(one.text) > _SHORT for one in found):
        return None
    return frozenset(found)


def _glued(one: Known, other: Known) -> Known:
    text = one.text + other.text
    if one.places is None or other.places is None:
        return Known(text, None)
    return Known(text, (*one.places[:-1], *other.places) if one.text else other.places)


def fitted(texts: Texts, kind: n.DataType | None, where: str) -> Texts:
    """Return texts as a variable or cast of that type holds them: cut to its length."""
    if texts is None or kind is None:
        return texts if kind is not None else None
    name = kind.name.last.lower()
    if name not in _TYPES or (name in {"varchar", "char"} and not all(one.text.isascii() for one in texts)):
        return None
    if kind.arguments and kind.arguments[0].lower() == "max":
        return texts
    given = kind.arguments[0] if kind.arguments else ""
    length = 128 if name == "sysname" else int(given) if given.isdecimal() else _DEFAULT_LENGTH[where]
    if name in {"char", "nchar"} and any(len(one.text) < length for one in texts):
        return None
    return frozenset(_cut(one, length) for one in texts)


def _cut(one: Known, length: int) -> Known:
    if len(one.text) <= length:
        return one
    return Known(one.text[:length], None if one.places is None else one.places[: length + 1])


def _made(node: n.Call, text: str, offset: int | None) -> Known:
    """A text that a call makes stands where the call does, as a whole."""
    if offset is None:
        return Known(text, None)
    return Known(text, (*(node.start + offset for _ in text), node.end + offset))


def _called(node: n.Call, variables: Mapping[str, Texts], offset: int | None) -> Texts:
    names = node.name.texts
    arguments = node.arguments or ()
    if len(names) != 1 or len(arguments) != 1:
        return None
    name = names[0].lower()
    argument = arguments[0]
    if name in {"char", "nchar"} and isinstance(argument, n.Constant) and argument.text.isdecimal():
        code = int(argument.text)
        return frozenset({_made(node, chr(code), offset)}) if 0 < code < 128 else None
    if name == "quotename":
        inner = folded(argument, variables, offset)
        if inner is None or any(len(one.text) > 128 for one in inner):
            return None
        return frozenset(_made(node, "[" + one.text.replace("]", "]]") + "]", offset) for one in inner)
    return None


def assigned_in(root: n.Node) -> tuple[dict[str, int], int]:
    """Return how often each variable is assigned anywhere in a statement, and how many steps it took to see."""
    found: dict[str, int] = {}
    nodes = 0
    for node in n.walk(root):
        nodes += 1
        for name in _assigned(node):
            found[name] = found.get(name, 0) + 1
    return found, nodes // _NODES_A_STEP


def _assigned(node: n.Node) -> Iterable[str]:
    match node:
        case n.SetVariable() | n.SelectAssignment() | n.SetCursor():
            return (node.variable.name.lower(),)
        case n.Assignment() if node.variable is not None:
            return (node.variable.name.lower(),)
        case n.CursorCommand():
            return [variable.name.lower() for variable in node.into]
        case n.Argument() if isinstance(node.value, n.Variable):
            return (node.value.name.lower(),) if node.output else ()
        case n.Execute() if node.status is not None:
            return (node.status.name.lower(),)
        case n.VariableDeclaration():
            return (node.name.lower(),)
        case n.Utility():
            return [variable.name.lower() for variable in node.variables]
        case _:
            return ()
