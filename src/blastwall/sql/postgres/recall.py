"""What texts meant before: by the text itself, or by its shape where the classifier did not look at what differs.

`shape_of` takes literals out of a text. What is left decides the tree but for the literals' values; which of them the
classifier looked at, `Looks` tells. A classification is a function of the tree, so texts of one shape that agree in
every value that was looked at mean the same, and only positions have to be worked out anew. A value that stands
elsewhere in the tree than in a constant (`CURRENT_TIMESTAMP(3)`, `float(24)`) counts as looked at.

Never used across catalogs: `Texts` belongs to one snapshot. `facts` must be all that classifying depends on besides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Generic, NamedTuple, TypeVar

from blastwall.model.statement import Literal
from blastwall.sql.postgres.catalog import Catalog
from blastwall.sql.postgres.classify import classify
from blastwall.sql.postgres.findings import Budget
from blastwall.sql.postgres.guard import Limits
from blastwall.sql.postgres.shape import DECIMAL, ESCAPED, INTEGER, STRING, shape_of
from blastwall.sql.postgres.state import NameState, goes_by_names
from blastwall.sql.postgres.statement import Classified
from blastwall.sql.postgres.watched import Looks

LONGEST = 8 * 1024
"""The longest text, in characters, that is remembered."""
SHORT = Limits(text=2048, expansion=1000)
SHORT_STEPS = 1000
"""What a text may hold, and how many steps reading it may take, to count as short: some 10 ms at worst."""
_CAPACITY = 32 << 20
_STATEMENT_WEIGHT = 2048
_LITERAL_WEIGHT = 192
"""Roughly the bytes that a remembered statement and literal take."""
_ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})
"""Other statements hold strings that are no constants (names of files, passwords, bodies): no shape speaks for them."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Found = tuple[Classified, ...]
_Place = tuple[int, int]
"""A position in characters: how many literals end before it, and how far it is from the last one's end."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a text of some shape meant: its literals' bounds, and the places of every position in `found`."""

    found: Found
    bounds: list[int]
    places: tuple[tuple[_Place, ...], ...]

    def of(self, text: str) -> Found:
        """The same in the positions of another text, which it must speak for."""
        shaped = shape_of(text)
        return self.found if shaped is None else self.at(shaped[1])

    def at(self, bounds: list[int]) -> Found:
        """The same of a text whose literals stand at `bounds`."""
        return self.found if self.bounds == bounds else moved(self, bounds)


class Alike(NamedTuple):
    """What speaks for a text, and by which literals of its shape: those at the indices `kept`.

    `kept` is None where it speaks for this very text only.
    """

    template: Template
    kept: tuple[int, ...] | None


class Texts:
    """Remembers within `capacity` bytes, roughly; what was not asked for lately is forgotten first."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._whole: Generations[tuple[str, Hashable], Found] = Generations(capacity // 2)
        self._kept: Generations[tuple[str, Hashable], tuple[int, ...]] = Generations(capacity // 8)
        self._templates: Generations[tuple[str, Hashable, tuple[int, ...], tuple[str, ...]], Template]
        self._templates = Generations(capacity // 2)

    def find(self, text: str, facts: Hashable) -> Found | None:
        """Return what the text means, or None where that is not known."""
        found = self._whole.get((text, facts))
        if found is not None:
            return found
        shaped = shape_of(text)
        alike = self._by_shape(text, facts, shaped) if shaped is not None else None
        return None if alike is None or shaped is None else alike.template.at(shaped[1])

    def alike(self, text: str, facts: Hashable) -> Alike | None:
        """Return what speaks for a text, as `find` has it; its template may be asked for other texts later."""
        found, shaped = self._whole.get((text, facts)), shape_of(text)
        if found is not None:
            return Alike(Template(found, shaped[1] if shaped is not None else [], ()), None)
        return self._by_shape(text, facts, shaped) if shaped is not None else None

    def _by_shape(self, text: str, facts: Hashable, shaped: tuple[str, list[int]]) -> Alike | None:
        shape, bounds = shaped
        kept = self._kept.get((shape, facts)) if bounds else None
        if kept is None:
            return None
        template = self._templates.get((shape, facts, kept, _values(text, bounds, kept)))
        return None if template is None else Alike(template, kept)

    def classify(self, text: str, catalog: Catalog, state: NameState, facts: Hashable) -> Found:
        """Classify a short text that is not known, and remember what it means.

        Raises:
            OverBudgetError: it is not short: it must be read elsewhere.
        """
        found, looked = watched(text, catalog, state, SHORT, Budget(SHORT_STEPS))
        self.learn(text, facts, found, looked)
        return found

    def learn(self, text: str, facts: Hashable, found: Found, looked: Collection[int] | None) -> None:
        """Remember what a text means; `looked` are the literals that matter, None where the text has no shape."""
        if len(text) > LONGEST or any(goes_by_names(one) for one in found):
            return
        shaped = shape_of(text)
        if shaped is None or looked is None or not self._learn(text, facts, found, shaped, looked):
            weight = _weight(text, found)
            self._whole.put((text, facts), tuple(replace(one, tree=None) for one in found), weight)

    def _learn(
        self, text: str, facts: Hashable, found: Found, shaped: tuple[str, list[int]], looked: Collection[int]
    ) -> bool:
        """Remember the shape; return whether it speaks for the text."""
        shape, bounds = shaped
        if not found or any(one.operation not in _ROWS or one.doubt for one in found):
            return False
        places = tuple(_places(one, bounds) for one in found)
        if any(one is None for one in places):
            return False
        kept = tuple(sorted({*looked, *(self._kept.get((shape, facts)) or ())}))
        self._kept.put((shape, facts), kept, _STATEMENT_WEIGHT + len(shape))
        template = Template(
            tuple(replace(one, tree=None) for one in found),
            bounds,
            tuple(one for one in places if one is not None),
        )
        self._templates.put((shape, facts, kept, _values(text, bounds, kept)), template, _weight(shape, found))
        return True


def watched(
    text: str, catalog: Catalog, state: NameState, limits: Limits, budget: Budget | None = None
) -> tuple[Found, set[int] | None]:
    """Classify a text and return which literals of its shape matter, None where it has no shape.

    Raises:
        OverBudgetError: only with a `budget`.
    """
    shaped = shape_of(text)
    looks = Looks() if shaped is not None and shaped[1] else None
    found = classify(text, catalog, state, limits=limits, looks=looks, budget=budget)
    if shaped is None or looks is None:
        return found, None
    return found, looked_at(text, *shaped, looks)


def _weight(text: str, found: Found) -> int:
    inside = any(one.prepares is not None or one.declares is not None for one in found)
    literals = sum(len(one.literals) for one in found)
    return (60 if inside else 2) * len(text) + _STATEMENT_WEIGHT * (1 + len(found)) + _LITERAL_WEIGHT * literals


def _values(text: str, bounds: Sequence[int], kept: tuple[int, ...]) -> tuple[str, ...]:
    return tuple([text[bounds[2 * index] : bounds[2 * index + 1]] for index in kept]) if kept else ()


# ── which literals matter ────────────────────────────────────────────────────────────────────────────────────────────


def looked_at(text: str, shape: str, bounds: Sequence[int], looks: Looks) -> set[int]:
    """Return the indices of the literals whose values matter: looked at, or not found as a constant of the tree."""
    marks = [shape[at : at + 2] for at in range(len(shape)) if shape[at] == "\0"]
    offsets = _byte_offsets(text, bounds)
    matter: set[int] = set()
    signs = _signed(text, marks, offsets, looks)
    for index, mark in enumerate(marks):
        if mark not in {STRING, ESCAPED, INTEGER, DECIMAL}:
            continue
        start = offsets[2 * index] - (mark == ESCAPED)
        locations = [start, *signs.get(index, ())]
        constants = [one for location in locations for one in looks.constants.get(location, ())]
        value = _value(mark, text[bounds[2 * index] : bounds[2 * index + 1]])
        untraced = not constants or any(_plain(mark, one.value()) != value for one in constants)
        if untraced or not looks.seen.isdisjoint(locations):
            matter.add(index)
    return matter


def _byte_offsets(text: str, bounds: Sequence[int]) -> Sequence[int]:
    if text.isascii():
        return bounds
    return [len(text[:bound].encode()) for bound in bounds]


def _signed(text: str, marks: list[str], offsets: Sequence[int], looks: Looks) -> dict[int, list[int]]:
    """PostgreSQL makes one constant of a minus and its number (`doNegate`), and it stands where the minus does."""
    numbers = [index for index, mark in enumerate(marks) if mark in {INTEGER, DECIMAL}]
    starts = [offsets[2 * index] for index in numbers]
    data = text.encode()
    found: dict[int, list[int]] = {}
    for location in looks.constants:
        after = bisect_left(starts, location)
        if data[location : location + 1] == b"-" and after < len(starts):
            found.setdefault(numbers[after], []).append(location)
    return found


def _value(mark: str, literal: str) -> object:
    if mark == INTEGER:
        return int(literal)
    if mark == DECIMAL:
        return literal
    inside = literal[1:-1].replace("''", "'")
    if mark == STRING:
        return inside
    pieces = inside.split("\\\\")
    for sign, meant in _ESCAPES.items():
        pieces = [piece.replace("\\" + sign, meant) for piece in pieces]
    return "\\".join(pieces)


def _plain(mark: str, value: object) -> object:
    """Return a constant's value without its sign; libpg_query leaves out zero and the empty string."""
    if mark == INTEGER:
        return abs(value) if isinstance(value, int) else 0 if value is None else value
    if mark == DECIMAL:
        return value.removeprefix("-") if isinstance(value, str) else value
    return "" if value is None else value


# ── positions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _places(one: Classified, bounds: Sequence[int]) -> tuple[_Place, ...] | None:
    positions = [one.start, one.end]
    for literal in one.literals:
        positions += (literal.start, literal.end)
    ends = bounds[1::2]
    found = []
    for position in positions:
        before = bisect_left(ends, position + 1)
        if before < len(ends) and bounds[2 * before] < position:
            return None
        found.append((before, position - (ends[before - 1] if before else 0)))
    return tuple(found)


_OTHERS = tuple(
    (getattr(Classified, field.name).__get__, getattr(Classified, field.name).__set__)
    for field in fields(Classified)
    if field.name not in {"start", "end", "literals"}
)
_NEW = object.__new__
_SET = object.__setattr__
_START, _END, _COLUMN, _SECRET = (getattr(Literal, name).__set__ for name in ("start", "end", "column", "secret"))
"""A frozen dataclass's own constructor takes several times as long as this, and a text may hold many literals."""


def moved(template: Template, bounds: Sequence[int]) -> Found:
    """Return what a template says, for a text whose literals stand at `bounds`."""
    found = []
    for one, places in zip(template.found, template.places, strict=True):
        at = [(bounds[2 * before - 1] if before else 0) + rest for before, rest in places]
        copy = _NEW(Classified)
        for read, write in _OTHERS:
            write(copy, read(one))
        _SET(copy, "start", at[0])
        _SET(copy, "end", at[1])
        _SET(copy, "literals", tuple([_moved(literal, at, 2 * n + 2) for n, literal in enumerate(one.literals)]))
        found.append(copy)
    return tuple(found)


def _moved(literal: Literal, at: Sequence[int], index: int) -> Literal:
    copy = _NEW(Literal)
    _START(copy, at[index])
    _END(copy, at[index + 1])
    _COLUMN(copy, literal.column)
    _SECRET(copy, literal.secret)
    return copy


class Generations(Generic[Key, Value]):
    """A map bounded by weight: a new generation begins when the young one is full, and the one before is forgotten."""

    __slots__ = ("_half", "_old", "_weight", "_young")

    def __init__(self, capacity: int) -> None:
        self._half = capacity // 2
        self._young: dict[Key, tuple[Value, int]] = {}
        self._old: dict[Key, tuple[Value, int]] = {}
        self._weight = 0

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Key) -> Value | None:
        """Return the value of a key, None where there is none; what is asked for stays young."""
        entry = self._young.get(key)
        if entry is not None:
            return entry[0]
        entry = self._old.get(key)
        if entry is None:
            return None
        self.put(key, *entry)
        return entry[0]

    def put(self, key: Key, value: Value, weight: int) -> None:
        """Keep a value."""
        known = self._young.get(key)
        self._weight += weight - (known[1] if known is not None else 0)
        if self._weight > self._half:
            self._old, self._young, self._weight = self._young, {}, weight
        self._young[key] = (value, weight)
