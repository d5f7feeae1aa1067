"""Typed access to libpg_query's JSON tree, in which a node is `{"SelectStmt": {...}}` and zero values are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from blastwall.sql.postgres.watched import Watched

Node = Mapping[str, object]
EMPTY: Node = {}


def sub(node: Node, key: str) -> Node:
    """Return the message in field `key`, or an empty one."""
    value = node.get(key)
    return value if isinstance(value, dict) else EMPTY


def items(node: Node, key: str) -> list[Node]:
    """Return the messages in the repeated field `key`."""
    value = node.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(node: Node, key: str) -> str:
    """Return the string in field `key`, or ""."""
    value = node.get(key)
    return value if isinstance(value, str) else ""


def number(node: Node, key: str, default: int = 0) -> int:
    """Return the integer in field `key`; libpg_query leaves out zeros."""
    value = node.get(key)
    return value if isinstance(value, int) else default


def flag(node: Node, key: str) -> bool:
    """Return the boolean in field `key`; libpg_query leaves out false."""
    return node.get(key) is True


def unwrap(node: Node) -> tuple[str, Node]:
    """Split `{"SelectStmt": {...}}` into its type and body; a body without its type gives ("", body)."""
    if len(node) == 1:
        for tag, body in node.items():
            if tag[:1].isupper() and isinstance(body, dict):
                return tag, body
    return "", node


def body(node: Node, tag: str) -> Node:
    """Return the body of a node of type `tag`, or an empty one where it is another type."""
    return sub(node, tag)


def words(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the strings of a list of String nodes, `*` for a star."""
    found = []
    for node in nodes:
        tag, inner = unwrap(node)
        if tag == "String":
            found.append(text(inner, "sval"))
        elif tag == "A_Star":
            found.append("*")
        elif tag in {"List", "TypeName"}:
            found.extend(words(items(inner, "items" if tag == "List" else "names")))
    return tuple(found)


def options(nodes: Iterable[Node]) -> Iterator[tuple[str, Node]]:
    """Yield name and argument of each DefElem."""
    for node in nodes:
        option = body(node, "DefElem")
        if option:
            yield text(option, "defname"), sub(option, "arg")


def scalar(node: Node) -> str | None:
    """Return a constant's text (String, Integer, Float, Boolean, A_Const, a one-name TypeName), else None."""
    tag, inner = unwrap(node)
    match tag:
        case "String":
            return text(inner, "sval")
        case "Integer":
            return str(number(inner, "ival"))
        case "Float":
            return text(inner, "fval")
        case "Boolean":
            return "true" if flag(inner, "boolval") else "false"
        case "TypeName":
            return ".".join(words(items(inner, "names")))
        case "A_Const":
            return _constant(inner)
        case "TypeCast":
            return scalar(sub(inner, "arg"))
        case _:
            return None


def _constant(inner: Node) -> str | None:
    if "sval" in inner:
        return text(sub(inner, "sval"), "sval")
    if "ival" in inner:
        return str(number(sub(inner, "ival"), "ival"))
    if "fval" in inner:
        return text(sub(inner, "fval"), "fval")
    if "boolval" in inner:
        return "true" if flag(sub(inner, "boolval"), "boolval") else "false"
    return None


def descendants(node: object) -> Iterator[tuple[str, Node]]:
    """Yield every typed node below `node`, without recursion."""
    stack: list[object] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(reversed(current))
        elif isinstance(current, dict):
            if type(current) is Watched:
                continue
            for key, value in current.items():
                if key[:1].isupper() and isinstance(value, dict):
                    yield key, value
            stack.extend(reversed(list(current.values())))


def same(one: object, other: object) -> bool:
    """Whether two trees are equal but for their locations; what tells them apart soonest is looked at first."""
    if type(one) is not type(other):
        return False
    if type(one) is Watched or not isinstance(one, dict):
        return one == other if not isinstance(one, list) else _all_same(one, other)
    if not isinstance(other, dict) or one.keys() - {"location"} != other.keys() - {"location"}:
        return False
    return all(same(value, other[key]) for key, value in one.items() if key != "location")


def _all_same(one: list[object], other: object) -> bool:
    return (
        isinstance(other, list)
        and len(one) == len(other)
        and all(same(left, right) for left, right in zip(one, other, strict=True))
    )
