"""Paths of values in documents: a small part of JSONPath (RFC 9535), read once and followed step by step.

    $.value[*].properties.email     members by name; `[*]` and `.*` are every member and every element
    $['odd.name']                   a name with signs in it, in quotes
    $..email                        at any depth; `..email` is the same

Names are compared without regard to case, so that a rule spelt `Email` does not miss `email`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_STEP = re.compile(
    r"(?P<deep>\.\.)(?:(?P<found>[^.\[\]*'\"\s]+)|(?P<every>\*)|(?=\[))"
    r"|\.(?:(?P<name>[^.\[\]*'\"\s]+)|(?P<any>\*))"
    r"|\[(?:(?P<all>\*)|'(?P<single>[^']+)'|\"(?P<double>[^\"]+)\")\]"
)
_MOST_STEPS = 32
_MOST_STATES = 4096
_MOST_NAMES, _LONGEST_NAME = 1024, 256
"""So many names of each state are remembered, of so many characters."""

DEAD = 0
"""The state from which no path can be reached any more."""


class TooEntangled(Exception):
    """A document and the paths that are looked for in it have too many combinations to be followed."""


class Step(NamedTuple):
    """One step: to what has `name`, folded, or to everything where that is None; `deep`: at any depth."""

    name: str | None
    deep: bool


def parse_path(text: str) -> tuple[Step, ...]:
    """Read a path.

    Raises:
        ValueError: the text is no path of this kind.
    """
    steps = tuple(_steps(text))
    if not steps:
        raise _unreadable(text)
    if len(steps) > _MOST_STEPS:
        raise ValueError(f"field {text!r} has more than {_MOST_STEPS} steps")
    return steps


def _steps(text: str) -> Iterator[Step]:
    at = 1 if text.startswith("$") else 0
    if at == 0 and not text.startswith(".."):
        raise _unreadable(text)
    deep = False
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise _unreadable(text)
        at = step.end()
        deep = deep or step["deep"] is not None
        name = step["found"] or step["name"] or step["single"] or step["double"]
        if name is None and not (step["every"] or step["any"] or step["all"]):
            continue
        yield Step(None if name is None else name.casefold(), deep)
        deep = False
    if deep:
        raise _unreadable(text)


def _unreadable(text: str) -> ValueError:
    return ValueError(
        f"field {text!r} cannot be read: write `$.value[*].properties.email`, `$..email` for any depth, `*` for every "
        "member or element, and `['odd.name']` for a name with signs in it; places by number are not supported"
    )


class Paths:
    """Several paths followed at once. States are numbers, made as documents need them, for all documents together."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Take the paths.

        Raises:
            ValueError: one of them cannot be read.
        """
        self._paths = tuple(parse_path(path) for path in paths)
        self._places: list[frozenset[tuple[int, int]]] = [frozenset()]
        self._numbers: dict[frozenset[tuple[int, int]], int] = {frozenset(): DEAD}
        self._named: list[dict[str, int]] = [{}]
        self._elements: list[int] = [DEAD]
        self._reached: list[tuple[int, ...]] = [()]
        self.root = self._state(frozenset((path, 0) for path in range(len(self._paths))))
        """Where a document begins."""

        self.row = self._state(self._places[self.root] | self._places[self.element(self.root)])
        """Where one of several documents begins that are also the elements of a list (lines of JSON, rows of CSV)."""

    def member(self, state: int, name: str) -> int:
        """Return the state of the member of that name, in whatever case.

        Raises:
            TooEntangled: there would be too many states.
        """
        known = self._named[state]
        found = known.get(name)
        if found is None:
            found = self._state(frozenset(self._moves(state, name.casefold())))
            if len(known) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
                known[name] = found
        return found

    def element(self, state: int) -> int:
        """Return the state of an array's elements.

        Raises:
            TooEntangled: there would be too many states.
        """
        found = self._elements[state]
        if found < 0:
            found = self._elements[state] = self._state(frozenset(self._moves(state, None)))
        return found

    def names(self, state: int) -> frozenset[str]:
        """Return the names, folded, of the members that lead anywhere else than to where any element does."""
        found = (self._paths[path][place] for path, place in self._places[state] if place < len(self._paths[path]))
        return frozenset(step.name for step in found if step.name is not None)

    def reached(self, state: int) -> tuple[int, ...]:
        """Return the numbers of the paths that lead exactly here, in their order."""
        return self._reached[state]

    def _moves(self, state: int, name: str | None) -> Iterator[tuple[int, int]]:
        for path, place in self._places[state]:
            steps = self._paths[path]
            if place == len(steps):
                continue
            if steps[place].deep:
                yield path, place
            if steps[place].name is None or (name is not None and steps[place].name == name):
                yield path, place + 1

    def _state(self, places: frozenset[tuple[int, int]]) -> int:
        number = self._numbers.get(places)
        if number is not None:
            return number
        if len(self._places) >= _MOST_STATES:
            raise TooEntangled
        number = self._numbers[places] = len(self._places)
        self._places.append(places)
        self._named.append({})
        self._elements.append(-1)
        self._reached.append(tuple(sorted(path for path, place in places if place == len(self._paths[path]))))
        return number
