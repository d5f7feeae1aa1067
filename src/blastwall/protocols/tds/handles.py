"""What the resource's numbers stand for: prepared statements and cursors, each by the text that it was made of.

The resource gives the numbers, in RETURNVALUEs of the call that makes them. What is executed by a number is asked for
with the text behind it; a number that nobody has heard of is refused, and so is one that was given out twice while it
was in use: then what it stands for is not certain. All end with the session's reset.

| made by | kind | ended by |
| --- | --- | --- |
| sp_prepare, sp_prepexec, sp_prepexecrpc | STATEMENT | sp_unprepare |
| sp_cursorprepare, sp_cursorprepexec | TEMPLATE | sp_cursorunprepare |
| sp_cursoropen, sp_cursorexecute, sp_cursorprepexec | CURSOR | sp_cursorclose, the end of its rows |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from sys import getsizeof

from blastwall.protocols.tds.declarations import Declared
from blastwall.protocols.tds.tokens import ReturnValue
from blastwall.sql.tsql.state import DEFAULTS, NameState, merged
from blastwall.sql.tsql.statement import Classified

MOST_HANDLES = 5_000
MOST_BYTES = 32 << 20
"""What a session's prepared statements and cursors may take, in bytes: their texts, declarations and states."""
_ENTRY = 200
"""Bytes of a parameter's declaration besides its name and type; and of what a state holds of one name, about."""


class Named(Enum):
    """The kinds of things with a number; each has numbers of its own."""

    STATEMENT = auto()
    TEMPLATE = auto()
    CURSOR = auto()


@dataclass(slots=True, eq=False)
class Source:
    """A text with a number.

    `declared` are its parameters; `procedure` is set in place of a text where a procedure's call was prepared; `state`
    is what names meant then. `given` counts the rows of a cursor; `opened` is the catalog's version when
    it was opened, and a fingerprint of what it showed then: some cursors keep their rows whatever becomes of the names
    in their text.
    """

    text: str
    state: NameState
    declared: tuple[Declared, ...] = ()
    procedure: tuple[str, ...] = ()
    certain: bool = True
    given: int = 0
    opened: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """What it takes in bytes, about."""
        state = self.state
        entries = len(self.declared) + len(state.temporary) + len(state.cursors) + len(state.unsettled)
        named = sum(2 * (len(one.name) + len(one.type)) for one in self.declared)
        return getsizeof(self.text) + sum(map(getsizeof, self.procedure)) + named + entries * _ENTRY


class Handles:
    """The numbers of one session."""

    __slots__ = ("_known", "_size")

    def __init__(self) -> None:
        self._known: dict[tuple[Named, int], Source] = {}
        self._size = 0

    def find(self, kind: Named, number: int) -> Source | None:
        """Return what a number stands for; None where that is not known for certain."""
        found = self._known.get((kind, number))
        return found if found is not None and found.certain else None

    def give(self, kind: Named, number: int, source: Source) -> None:
        """The resource gave a number to this."""
        known = self._known.get((kind, number))
        if known is not None and known is not source:
            known.certain = False
            return
        if known is None:
            self._known[kind, number] = source
            self._size += source.size

    def end(self, kind: Named, number: int) -> None:
        """The resource was told to forget this number."""
        known = self._known.pop((kind, number), None)
        if known is not None:
            self._size -= known.size

    def clear(self) -> None:
        """The session is reset."""
        self._known.clear()
        self._size = 0

    def full(self, source: Source) -> bool:
        """Whether there is no room for one more, of this."""
        return len(self._known) >= MOST_HANDLES or self._size + source.size > MOST_BYTES

    def taker(self, wanted: Mapping[int, Named], source: Source) -> Callable[[ReturnValue], None]:
        """Return what takes a call's RETURNVALUEs: by its ordinal, one is the number of that kind of thing.

        The ordinal is the parameter's position in the call, from 0 (MS-TDS 2.2.7.19).
        """

        def take(value: ReturnValue) -> None:
            kind = wanted.get(value.ordinal)
            number = handle_of(value.field)
            if kind is not None and number is not None:
                self.give(kind, number, source)

        return take


def handle_of(value: bytes) -> int | None:
    """Read a handle as it stands in a row: an INTN of four bytes (MS-TDS 2.2.5.2.3); None for NULL and 0."""
    if len(value) != 5 or value[0] != 4:
        return None
    return int.from_bytes(value[1:], "little", signed=True) or None


def either(one: NameState, other: NameState) -> NameState:
    """Return a state in which names mean what they mean in the one or in the other."""
    if one is other or one == other:
        return one
    temporary = dict(one.temporary)
    for name, table in other.temporary.items():
        known = temporary.get(name)
        temporary[name] = table if known is None else merged(known, table)
    cursors = dict(one.cursors)
    for name, columns in other.cursors.items():
        cursors[name] = columns if cursors.get(name, columns) == columns else None
    settings = dict(one.settings)
    nothing: frozenset[str] = frozenset()
    for name in {*one.settings, *other.settings}:
        usual = DEFAULTS.get(name, nothing)
        settings[name] = one.settings.get(name, usual) | other.settings.get(name, usual)
    return replace(one, temporary=temporary, cursors=cursors, settings=settings)


def within_call(classified: Classified) -> Classified:
    """Return what of a call's changes outlives it: SET options end with it, temporary tables of the caller's do not."""
    changes = classified.changes
    if not changes.settings and not changes.dropped:
        return classified
    return replace(classified, changes=replace(changes, settings={}, dropped=frozenset()))
