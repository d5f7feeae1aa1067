"""What the ordinary way has shown the fast lane: messages whose answer stands. Bounded, one session's own."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TypeVar

from blastwall.model.effects import Action
from blastwall.model.statement import Literal
from blastwall.protocols.postgres.pipeline import Known, Prepared, Running
from blastwall.sql.postgres import Alike, Classified, Template, goes_by_names
from blastwall.wire.native import Octets

CHANGES_CATALOG = frozenset({Action.DEFINE, Action.DROP, Action.EXECUTE, Action.UNCLASSIFIED})
"""What may change the catalog, so that it is read anew afterwards."""
_MOST = 128
_LONGEST = 4096
"""So many messages are remembered of each kind, of so many bytes at most."""
_TRANSACTION = frozenset({"", "begin", "commit"})
_SHARED = tuple(
    attrgetter(field.name) for field in fields(Classified) if field.name not in {"start", "end", "literals", "tree"}
)

_Shaped = tuple[bytes, list[int]]
_Values = tuple[bytes, tuple[int, ...], tuple[bytes, ...]]
"""A shape, the indices of its literals that matter, and these literals as they are written."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Similar:
    """A known statement that speaks for texts of one shape, and what puts it in the positions of each."""

    __slots__ = ("known", "template")

    def __init__(self, known: Known, template: Template) -> None:
        self.known = known
        self.template = template


class Learned:
    """Messages that were allowed, as they were sent: simple Queries, Parses of the unnamed statement, and its Binds."""

    __slots__ = ("binds", "kept", "parses", "queries", "shapes", "similar")

    def __init__(self) -> None:
        self.queries: dict[bytes, Known] = {}
        self.parses: dict[bytes, Known] = {}
        self.binds: dict[bytes, Known] = {}
        self.shapes: dict[int, Known] = {}
        self.kept: dict[bytes, tuple[int, ...]] = {}
        self.similar: dict[bytes | _Values, Similar] = {}

    def query(self, message: bytes, running: Running) -> None:
        """A simple Query of one statement was allowed, and is about to be sent."""
        known = _known(running)
        if known is not None and len(message) <= _LONGEST:
            _remember(self.queries, message, known)
            _remember(self.shapes, id(known.classified.effects), known)

    def parse(self, message: bytes, prepared: Prepared, running: Running) -> None:
        """A Parse was allowed, and is about to be sent; only one of the unnamed statement is of use."""
        if prepared.name or len(message) > _LONGEST:
            return
        known = _known(running)
        prepared.message = message
        if known is not None:
            _remember(self.parses, message, known)

    def bind(self, prepared: Prepared, running: Running) -> None:
        """A Bind was allowed, and is about to be sent."""
        known = prepared.known = _known(running)
        if known is not None:
            known.types = prepared.types
            if prepared.message:
                _remember(self.binds, prepared.message, known)

    def forget(self) -> None:
        """What was learned does not hold: the ordinary way will show it anew."""
        self.queries.clear()
        self.parses.clear()
        self.binds.clear()
        self.shapes.clear()
        self.kept.clear()
        self.similar.clear()

    def alike(self, message: Octets, shaped: _Shaped) -> Similar | None:
        """Return what was found to speak for the text of this message; it does while its known statement holds.

        A text means what another of its shape does if they agree in the literals that reading the other looked at.
        """
        kept = self.kept.get(shaped[0])
        if kept is None:
            return None
        return self.similar.get(_key(message, shaped, kept) if kept else shaped[0])

    def note_alike(self, message: Octets, shaped: _Shaped, alike: Alike, one: Similar) -> None:
        """What speaks for the text of this message, which holds now, speaks for others that agree with it."""
        kept = alike.kept
        if kept is not None and len(message) <= _LONGEST:
            _remember(self.kept, shaped[0], kept)
            _remember(self.similar, _key(message, shaped, kept) if kept else shaped[0], one)

    def like(self, one: Classified) -> Known | None:
        """Return what is known of a text that means the same but for literals that were not looked at.

        Such texts share all that the classifier said of the first one (`sql.postgres.recall`), by identity.
        """
        known = self.shapes.get(id(one.effects))
        if known is None:
            return None
        first = known.classified
        for read in _SHARED:
            if read(first) is not read(one):
                return None
        return known if _alike(first.literals, one.literals) else None


def _alike(some: tuple[Literal, ...], others: tuple[Literal, ...]) -> bool:
    """Whether literals are recorded in the same way: the gate knows that of the first text only."""
    if len(some) != len(others):
        return False
    for one, other in zip(some, others, strict=True):
        if one.column != other.column or one.secret != other.secret:
            return False
    return True


def _known(running: Running) -> Known | None:
    standing, moment = running.standing, running.moment
    if standing is None or moment is None or not _plain(running.classified):
        return None
    if running.classified.otherwise is not None and (running.guarded or running.kept is not None):
        return None  # its columns are told each time anew
    return Known(standing, running, moment)


def _key(message: bytes, shaped: _Shaped, kept: tuple[int, ...]) -> _Values:
    shape, bounds = shaped
    return shape, kept, tuple([message[bounds[2 * index] : bounds[2 * index + 1]] for index in kept])


def _remember(known: dict[Key, Value], key: Key, one: Value) -> None:
    if len(known) >= _MOST:
        known.clear()
    known[key] = one


def _plain(classified: Classified) -> bool:
    """Whether a statement changes nothing that later ones are understood by, but for a transaction's begin and end."""
    return (
        classified.transaction in _TRANSACTION
        and classified.copy is None
        and not classified.changes
        and not classified.lost
        and classified.changes.application is None
        and classified.executes is None
        and classified.prepares is None
        and classified.declares is None
        and classified.deallocates is None
        and classified.closes is None
        and not classified.opens
        and not goes_by_names(classified)
        and not any(effect.action in CHANGES_CATALOG for effect in classified.effects)
    )
