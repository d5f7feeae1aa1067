"""The side connection of the gateway's own: it reads a database's catalog, once for all sessions on it.

Sessions ask it for `KNOWN` at login, which is answered by a look at the catalog's fingerprint where it was read before,
and for `CURRENT` after a statement that may have changed a definition: then everything is read again, whatever the
fingerprint says, for whoever changed it may know how fingerprints are made. A reading begins after the question that it
answers. The answer is the `View`, whose `catalog` every session reads at each statement.

A view outlives the connection that it was read by: sessions that were there before go by what the next one reads. Where
it is known that a definition has changed, or may have, and nobody could read it again, the view is forgotten: then
nothing can be resolved by it until it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, MutableMapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from blastwall.model.credential import Credential
from blastwall.protocols.contract import Answered, Close, Opening, Output
from blastwall.protocols.reaching import CatalogUnavailable, companion_place
from blastwall.protocols.slices import slice_by_slice
from blastwall.protocols.tds.answer_reading import Reply, Rows
from blastwall.protocols.tds.catalog_queries import FINGERPRINT, LOCKED, OWN, SECURE, SYSTEM
from blastwall.protocols.tds.catalog_reading import catalog_in_slices
from blastwall.protocols.tds.changing import Changing
from blastwall.protocols.tds.conversation import CURRENT
from blastwall.protocols.tds.questioner import FAULTS, Questioner
from blastwall.sql.tsql.catalog import Catalog
from blastwall.wire.reader import Malformed

KNOWN = "known"
"""The question: the catalog, as it is unless the server's own dates say that it has changed."""


_LOCKED = "an open transaction is changing a definition there; try again once it has ended"
_IS_LOCKED = "what is being changed there is locked"
LOGIN_TRIES, CHANGE_TRIES = 2, 12
"""How often a locked reading is tried, of five seconds each: for a login, whose client waits some 15 seconds, and for a
session that has changed something, which waits as it would for a lock of the server's."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class View:
    """What the sessions of one database share; `catalog` is replaced whole. `known` is false where it was forgotten.

    `changing` is what each of them does to it.
    """

    catalog: Catalog
    known: bool = True
    changing: Changing = field(default_factory=Changing)

    def forget(self) -> None:
        """A definition may have changed unseen: judge nothing by what was read before it."""
        old = self.catalog
        self.known = False
        self.catalog = Catalog(
            old.database, old.version + 1, collation=old.collation, default_schema=old.default_schema
        )

    def learn(self, catalog: Catalog) -> None:
        """Go by a new reading."""
        self.catalog, self.known = catalog, True


Views = MutableMapping[Hashable, View]
"""The views of sessions that are open, by resource and companion's name."""


class _Step(Enum):
    LOGIN = auto()
    SECURE = auto()
    SYSTEM = auto()
    FINGERPRINT = auto()
    OWN = auto()
    REST = auto()


_WAITING = frozenset({_Step.FINGERPRINT, _Step.OWN})
"""When a definition may be locked; what every database has, nobody changes."""


class TdsCompanion(Questioner):
    """The side connection of one resource and database. One batch is under way at a time."""

    def __init__(self, opening: Opening, credential: Credential, name: str, views: Views) -> None:
        self._database, hosts = companion_place(opening.resource, name)
        super().__init__(opening, credential, self._database, "blastwall catalog", hosts=hosts)
        self._asked: list[tuple[int, bool]] = []
        """Questions that no reading has begun for: number, and whether it must be a reading."""
        self._tries: Counter[int] = Counter()
        """How often the catalog was locked for a question, by its number."""
        self._reading: list[tuple[int, bool]] = []
        self._step = _Step.LOGIN
        self._system: Sequence[Rows] = ()
        self._fingerprint: Rows = []
        self._views = views
        self._key = (opening.resource.name, *map(str, opening.resource.hosts), name)
        self._view = views.get(self._key)

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        self._asked.append((number, question == CURRENT))
        return self._next() if self._step is _Step.REST else []

    def over(self, reply: Reply) -> list[Output]:
        results, error = reply
        if error is not None and error.number == LOCKED and self._step in _WAITING:
            return self._locked()
        if error is not None:
            raise Malformed(f"the error {error.number}: {error.message[:500]}")
        match self._step:
            case _Step.LOGIN:
                return self._go(_Step.SECURE, SECURE)
            case _Step.SECURE:
                return self._go(_Step.SYSTEM, ";".join(SYSTEM))
            case _Step.SYSTEM:
                self._system = _counted(results, len(SYSTEM))
                return self._next()
            case _Step.FINGERPRINT:
                return self._compare(_counted(results, 1)[0])
            case _:
                return self._read(_counted(results, len(OWN)))

    def _locked(self) -> list[Output]:
        """Try again, for those who have not waited long enough to give up."""
        self._fingerprint = []  # what it told is not read
        waiting = [*self._reading, *self._asked]
        self._tries.update(number for number, _ in waiting)
        over = {number for number, must in waiting if self._tries[number] >= (CHANGE_TRIES if must else LOGIN_TRIES)}
        if any(must for number, must in waiting if number in over):
            return self.fail(_IS_LOCKED, _LOCKED)
        self._reading, self._asked = [], [one for one in waiting if one[0] not in over]
        given_up = CatalogUnavailable(f"the catalog of {self._database} cannot be read: {_IS_LOCKED}", _LOCKED)
        for number in over:
            del self._tries[number]
        return [*(Answered(number, given_up) for number in sorted(over)), *self._next()]

    def _go(self, step: _Step, text: str) -> list[Output]:
        self._step = step
        return [self.ask(text)]

    def _next(self) -> list[Output]:
        """Begin with what was asked: the fingerprint first, which says what the reading will be at least."""
        if not self._asked:
            self._step = _Step.REST
            return []
        self._reading, self._asked = self._asked, []
        return self._go(_Step.FINGERPRINT, FINGERPRINT)

    def _compare(self, fingerprint: Rows) -> list[Output]:
        unknown = self._view is None or not self._view.known
        anew = unknown or any(must for _, must in self._reading) or fingerprint != self._fingerprint
        self._fingerprint = fingerprint
        return self._go(_Step.OWN, ";".join(OWN)) if anew else self._answer()

    def _read(self, results: Sequence[Rows]) -> list[Output]:
        version = self._view.catalog.version + 1 if self._view is not None else 1
        work = catalog_in_slices(version, self._system, results)
        return slice_by_slice(work, self._learn, lambda error: self.fail(str(error)), FAULTS)

    def _learn(self, catalog: Catalog) -> list[Output]:
        if catalog.fold(catalog.database) != catalog.fold(self._database):
            return self.fail(f"the catalog of another database ({catalog.database[:200]!r})")
        if self._view is None:
            self._view = self._views[self._key] = View(catalog)
        else:
            self._view.learn(catalog)
        return self._answer()

    def _answer(self) -> list[Output]:
        reading, self._reading = self._reading, []
        for number, _ in reading:
            self._tries.pop(number, None)
        return [*(Answered(number, self._view) for number, _ in reading), *self._next()]

    def fail(self, reason: str, told: str = "") -> list[Output]:
        reason = f"the catalog of {self._database} cannot be read: {reason}"
        waiting = [*self._reading, *self._asked]
        self._reading, self._asked = [], []
        if self._view is not None and any(must for _, must in waiting):
            self._view.forget()
        failed: list[Output] = [Answered(number, CatalogUnavailable(reason, told)) for number, _ in waiting]
        return [*failed, Close(reason)]


def _counted(results: Sequence[Rows], count: int) -> Sequence[Rows]:
    """Check that as many results came as were asked for: a catalog with a part missing would judge wrongly."""
    if len(results) != count:
        raise Malformed(f"{len(results)} results, of {count}")
    return results
