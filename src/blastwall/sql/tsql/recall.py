"""What texts of one shape mean, where they agree in every value that the classifier looked at.

`shape_of` takes strings and numbers out of a text; which of them were looked at while it was read, `Looks` tells. A
classification is a function of the tree, so only where its literals stand has to be worked out anew. A value that is no
constant of the tree (a type's size, a name in quotes) counts as looked at.

Never used across catalogs: `Shapes` belongs to one snapshot. `facts` must be all that classifying depends on besides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blastwall.model.statement import Literal
from blastwall.sql.tsql.shape import shape_of
from blastwall.sql.tsql.watched import Looks

if TYPE_CHECKING:
    from blastwall.sql.tsql.statement import Classified

_MOST = 2_000
_MOST_CHARACTERS = 1_000_000
"""How many texts are remembered, and how many characters of shapes and values at most."""
_ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})
_Place = tuple[int, int]
"""A position in characters: how many literals end before it, and how far it is from the last one's end."""


@dataclass(frozen=True, slots=True)
class _Template:
    found: Classified
    places: tuple[tuple[_Place, _Place], ...]


class Shapes:
    """Remembers the shapes of one catalog."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[int, ...]] = {}
        self._templates: dict[Hashable, _Template] = {}
        self._size = 0

    def find(self, shaped: tuple[str, list[int]], text: str, facts: Hashable) -> Classified | None:
        """Return what the text means, or None where that is not known."""
        shape, bounds = shaped
        kept = self._kept.get((shape, facts))
        if kept is None:
            return None
        template = self._templates.get((shape, facts, kept, _values(text, bounds, kept)))
        return None if template is None else _moved(template, bounds)

    def learn(self, shaped: tuple[str, list[int]], text: str, facts: Hashable, found: Classified, looks: Looks) -> bool:
        """Remember what a text means; return whether its shape can speak for others."""
        shape, bounds = shaped
        changes = found.changes
        if found.operation not in _ROWS or found.doubt or changes or changes.made or changes.opened:
            return False
        places = [(_place(one.start, bounds), _place(one.end, bounds)) for one in found.literals]
        known = tuple([(start, end) for start, end in places if start is not None and end is not None])
        if changes.forbidden or len(known) < len(places):
            return False
        pairs = enumerate(zip(bounds[::2], bounds[1::2], strict=True))
        looked = {index for index, bound in pairs if looks.matters(*bound)}
        kept = tuple(sorted(looked.union(self._kept.get((shape, facts), ()))))
        self._make_room(2 * len(shape) + len(text))
        self._kept[(shape, facts)] = kept
        self._templates[(shape, facts, kept, _values(text, bounds, kept))] = _Template(found, known)
        return True

    def _make_room(self, characters: int) -> None:
        if len(self._templates) >= _MOST or self._size + characters > _MOST_CHARACTERS:
            self._kept.clear()
            self._templates.clear()
            self._size = 0
        self._size += characters


def shaped(text: str) -> tuple[tuple[str, list[int]], Looks] | None:
    """Return a text's shape, and what watches its values while it is read; None where it has no shape."""
    found = shape_of(text)
    return None if found is None else (found, Looks())


def _values(text: str, bounds: Sequence[int], kept: tuple[int, ...]) -> tuple[str, ...]:
    return tuple([text[bounds[2 * index] : bounds[2 * index + 1]] for index in kept])


def _place(position: int, bounds: Sequence[int]) -> _Place | None:
    """Return where a position stands among the literals; None where that is within one."""
    ends = bounds[1::2]
    before = bisect_left(ends, position + 1)
    if before < len(ends) and bounds[2 * before] < position:
        return None
    return before, position - (ends[before - 1] if before else 0)


def _moved(template: _Template, bounds: Sequence[int]) -> Classified:
    def at(place: _Place) -> int:
        before, rest = place
        return (bounds[2 * before - 1] if before else 0) + rest

    pairs = zip(template.found.literals, template.places, strict=True)
    literals = [Literal(at(start), at(end), one.column, one.secret) for one, (start, end) in pairs]
    return replace(template.found, literals=tuple(literals))
