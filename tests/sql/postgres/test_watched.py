"""Nobody learns a watched constant's value unnoticed: length, truth and equality tell of it too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blastwall.sql.postgres.tree import Node, descendants, same, scalar, text
from blastwall.sql.postgres.watched import Looks, Watched

LOOKS: dict[str, Callable[[Watched], object]] = {
    "get": lambda one: one.get("sval"),
    "item": lambda one: one["sval"],
    "contains": lambda one: "sval" in one,
    "length": len,
    "truth": bool,
    "iteration": list,
    "equality": lambda one: one == {"sval": "a"},
    "reflected equality": lambda one: {"sval": "a"} == one,  # noqa: SIM300 - the other side's comparison
    "inequality": lambda one: one != {"sval": "b"},
    "keys": lambda one: one.keys(),
    "values": lambda one: one.values(),
    "items": lambda one: one.items(),
    "repr": repr,
    "copy": dict,
    "unpacking": lambda one: {**one},
    "text": lambda one: text(one, "sval"),
}


def tree() -> dict[str, object]:
    return {"A_Const": {"sval": {"sval": "a"}, "location": 7}}


def watched() -> tuple[Looks, Node]:
    looks, node = Looks(), tree()
    looks.watch([{"stmt": node}])
    return looks, node


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_each_look_is_noticed(look: Callable[[Watched], object]) -> None:
    looks, _ = watched()
    look(looks.constants[7][0])
    assert looks.seen == {7}


def test_reading_a_constant_is_a_look() -> None:
    looks, node = watched()
    assert scalar(node) == "a"
    assert looks.seen == {7}


def test_walking_past_one_is_none() -> None:
    looks, node = watched()
    assert [tag for tag, _ in descendants([node])] == ["A_Const"]
    assert looks.constants[7][0].value() == "a"
    assert looks.seen == set()


def test_trees_are_compared_by_values_last() -> None:
    looks, node = watched()
    assert not same(node, {"ColumnRef": {"location": 7}})
    assert looks.seen == set()
    other = tree()
    Looks().watch(other)
    assert same(node, other)
    assert looks.seen == {7}
