"""Which tags policies read: of a token's claims only these bear on a ruling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

from cedarpy import pst


def tags_read(trees: Iterable[pst.Template]) -> frozenset[str] | None:
    """Return the names of all tags that policies look at; None where a name is computed, so that it may be any.

    Cedar reads a tag by `hasTag` and `getTag` alone (Cedar Policy Language Guide, "Operators").
    """
    found: set[str] = set()
    for tree in trees:
        for node in nodes(tree.clauses):
            if isinstance(node, pst.BinaryOp) and node.op in {"get_tag", "has_tag"}:
                if not isinstance(node.right, pst.StringLit):
                    return None
                found.add(node.right.value)
    return frozenset(found)


def nodes(root: object) -> Iterator[object]:
    """Yield every node of a policy's tree. Cedar bounds its depth at 100."""
    if isinstance(root, Mapping):
        for value in root.values():
            yield from nodes(value)
    elif isinstance(root, tuple):
        for value in root:
            yield from nodes(value)
    elif is_dataclass(root):
        yield root
        for field in fields(root):
            yield from nodes(getattr(root, field.name))
