"""What was defined and is in no reading of the catalog yet: a transaction of the session's own sees it, nobody else.

A view made in an open transaction can be written to in it, a trigger fires in it, a partition has its parent's
triggers. So until the catalog is read again the state of names carries what each definition has hung where, and
whoever touches that place is followed there as if the catalog had it. Functions are carried as their text, and read
under the names of whoever calls them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

Place = tuple[str, str]
"""A schema and a relation in it; a name that ends in () is a function's, none stands for the whole schema."""

EVERYTHING: Place = ("", "")
ANY_STATEMENT: Place = ("@statements", "")
"""Where hangs what no name leads to: casts, for one."""
ANY_DEFINITION: Place = ("@definitions", "")
"""Where hangs what runs when something is defined: event triggers."""
OPERATORS = "@operators"
_OF_FOLDERS = {"@casts": ANY_STATEMENT, "@triggers": ANY_DEFINITION}
MAX_LOST = 4096
MAX_DEFINITION = 16 * 1024
"""The longest text of a function, in characters, that is carried; a call of a longer one is not known."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Doing `on` ("" anything) to one relation does `does` ("" the same) to another. Both are words of `Action`."""

    on: str
    does: str
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Hung:
    """What a definition has hung on a place.

    `touches` are relations that are touched too, `calls` functions that run, `runs` those known by OID. Touching it
    is like touching the relations `like`, and runs the code that hangs on the relations `bears`. `definition` is the
    CREATE of a function, `definer` whether it may run with its owner's rights. `unknown` is whether more may happen
    than can be told. Only what is written counts unless `reading`.
    """

    schema: str
    name: str
    touches: frozenset[Touch] = frozenset()
    calls: frozenset[Place] = frozenset()
    runs: frozenset[int] = frozenset()
    like: frozenset[Place] = frozenset()
    bears: frozenset[Place] = frozenset()
    definition: str = ""
    definer: bool = False
    unknown: bool = False
    reading: bool = False


Lost = Place | Hung
"""A place whose relation may be gone or altered, or what hangs on one."""

ALL_LOST: frozenset[Lost] = frozenset({EVERYTHING, Hung(*ANY_STATEMENT, unknown=True, reading=True)})


def joined(one: frozenset[Lost], other: frozenset[Lost]) -> frozenset[Lost]:
    """Return what is lost by both; too much of it is everything."""
    both = one | other
    return both if len(both) <= MAX_LOST else ALL_LOST


def function_place(schema: str, name: str) -> Place:
    """Return where a function's definition hangs."""
    return schema, name + "()"


@lru_cache(maxsize=256)
def hanging(lost: frozenset[Lost]) -> Mapping[Place, tuple[Hung, ...]]:
    """Return what hangs where."""
    found: dict[Place, tuple[Hung, ...]] = {}
    for one in lost:
        if isinstance(one, Hung):
            found[one.schema, one.name] = (*found.get((one.schema, one.name), ()), one)
    return found


def hangs(lost: frozenset[Lost], place: Place) -> tuple[Hung, ...]:
    """Return what hangs on a place."""
    return hanging(lost).get(place, ()) if lost else ()


def formerly(lost: frozenset[Lost], place: Place) -> Iterator[Place]:
    """Yield the places that this one was, where its schema goes by another name than the catalog has."""
    for one in hangs(lost, (place[0], "")):
        yield from ((schema, place[1]) for schema, _ in one.like)


def of_definitions(effects: Iterable[tuple[str, tuple[str, ...], str]]) -> Iterator[Hung]:
    """Yield what code hangs that defines something while it runs: (action, path, kind of object) of what it does."""
    for action, path, kind in effects:
        if len(path) != 3 or action not in {"define", "entitle"}:
            continue
        if path[1] in _OF_FOLDERS and kind == "pseudo":
            yield Hung(*_OF_FOLDERS[path[1]], unknown=True, reading=True)
        elif path[1].startswith("@"):
            continue
        elif kind == "function":
            yield Hung(*function_place(*path[1:]), unknown=True, reading=True)
            yield Hung(OPERATORS, path[2], unknown=True, reading=True)
        elif kind == "type" and action == "entitle":
            yield Hung(*ANY_STATEMENT, unknown=True, reading=True)
        elif action == "entitle" or kind == "view":
            yield Hung(path[1], path[2], unknown=True, reading=True)
