"""A constant of the tree that notes who looks at its value.

The classifier means the same by two texts that differ in values which it never looked at. So the values of a parsed
text's constants are watched while it is read, and `recall` keeps apart only the texts whose *looked at* values differ.
Whatever can tell one value from another counts as a look: length, truth and equality too.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import cast

_VALUES = ("sval", "ival", "fval")


class Watched(dict[str, object]):  # noqa: PLW1641 - a dict has no hash
    """The message that holds a constant's value, such as `{"sval": "x"}`; zero values are left out of it."""

    __slots__ = ("_looks", "location")

    def __init__(self, value: dict[str, object], location: int, looks: set[int]) -> None:
        super().__init__(value)
        self.location = location
        self._looks = looks

    def value(self) -> object:
        """Return the value without that counting as a look: a string, an integer, or None for the zero value."""
        return next(iter(super().values()), None)

    def get(self, key: str, default: object = None) -> object:
        self._looks.add(self.location)
        return super().get(key, default)

    def __getitem__(self, key: str) -> object:
        self._looks.add(self.location)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._looks.add(self.location)
        return super().__contains__(key)

    def __len__(self) -> int:
        self._looks.add(self.location)
        return super().__len__()

    def __iter__(self) -> Iterator[str]:
        self._looks.add(self.location)
        return super().__iter__()

    def __eq__(self, other: object) -> bool:
        self._looks.add(self.location)
        if isinstance(other, Watched):
            self._looks.add(other.location)
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        self._looks.add(self.location)
        return super().__repr__()

    def keys(self) -> KeysView[str]:  # type: ignore[override] # a set-like view of the same keys
        self._looks.add(self.location)
        return cast("KeysView[str]", super().keys())

    def values(self) -> ValuesView[object]:  # type: ignore[override] # as keys
        self._looks.add(self.location)
        return cast("ValuesView[object]", super().values())

    def items(self) -> ItemsView[str, object]:  # type: ignore[override] # as keys
        self._looks.add(self.location)
        return cast("ItemsView[str, object]", super().items())


class Looks:
    """The constants of one text, by their location in bytes, and which of them somebody looked at."""

    def __init__(self) -> None:
        self.constants: dict[int, list[Watched]] = {}
        self.seen: set[int] = set()

    def watch(self, tree: object) -> None:
        """Put every constant of a tree under watch, in place."""
        stack = [tree]
        while stack:
            current = stack.pop()
            if isinstance(current, list):
                stack.extend(current)
            elif isinstance(current, dict) and type(current) is not Watched:
                constant = current.get("A_Const")
                if isinstance(constant, dict):
                    self._watch(constant)
                stack.extend(current.values())

    def _watch(self, constant: dict[str, object]) -> None:
        location = constant.get("location", 0)
        for key in _VALUES:
            value = constant.get(key)
            if isinstance(value, dict) and isinstance(location, int) and not isinstance(value, Watched):
                watched = Watched(value, location, self.seen)
                constant[key] = watched
                self.constants.setdefault(location, []).append(watched)
