"""The side connection of the gateway's own: it reads a database's catalog, once for all sessions on it.

Sessions ask it for `KNOWN` at login, which is answered by a look at the catalog's fingerprint where it was read before,
and for `CURRENT` after a statement that may have changed a definition: then everything is read again, whatever the
fingerprint says, for whoever changed it may know how fingerprints are made. A reading begins after the question that it
answers. The answer is the `View`, whose `catalog` every session reads at each statement.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from blastwall.model.credential import Credential
from blastwall.protocols.contract import Answered, Close, Opening, Output
from blastwall.protocols.tds.answer_reading import Reply, Rows
from blastwall.protocols.tds.catalog_queries import FINGERPRINT, OWN, SECURE, SYSTEM
from blastwall.protocols.tds.catalog_reading import catalog_of
from blastwall.protocols.tds.conversation import CURRENT
from blastwall.protocols.tds.hosts import companion_place
from blastwall.protocols.tds.questioner import Questioner
from blastwall.sql.tsql.catalog import Catalog
from blastwall.wire.reader import Malformed

KNOWN = "known"
"""The question: the catalog, as it is unless the server's own dates say that it has changed."""


class CatalogUnavailable(Exception):
    """The catalog cannot be read: nothing can be classified on this database.

    `told` is what of the reason a client may hear: nothing that names the credential.
    """

    def __init__(self, reason: str, told: str = "") -> None:
        super().__init__(reason)
        self.told = told


@dataclass(slots=True)
class View:
    """What the sessions of one database share; `catalog` is replaced whole."""

    catalog: Catalog


class _Step(Enum):
    LOGIN = auto()
    SECURE = auto()
    SYSTEM = auto()
    FINGERPRINT = auto()
    OWN = auto()
    REST = auto()


class TdsCompanion(Questioner):
    """The side connection of one resource and database. One batch is under way at a time."""

    def __init__(self, opening: Opening, credential: Credential, name: str) -> None:
        self._database, hosts = companion_place(opening.resource, name)
        super().__init__(opening, credential, self._database, "blastwall catalog", hosts=hosts)
        self._asked: list[tuple[int, bool]] = []
        """Questions that no reading has begun for: number, and whether it must be a reading."""
        self._reading: list[tuple[int, bool]] = []
        self._step = _Step.LOGIN
        self._system: Sequence[Rows] = ()
        self._fingerprint: Rows = []
        self._version = 0
        self._view: View | None = None

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        self._asked.append((number, question == CURRENT))
        return self._next() if self._step is _Step.REST else []

    def over(self, reply: Reply) -> list[Output]:
        results, error = reply
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
        anew = self._view is None or any(must for _, must in self._reading) or fingerprint != self._fingerprint
        self._fingerprint = fingerprint
        return self._go(_Step.OWN, ";".join(OWN)) if anew else self._answer()

    def _read(self, results: Sequence[Rows]) -> list[Output]:
        self._version += 1
        catalog = catalog_of(self._version, self._system, results)
        if catalog.fold(catalog.database) != catalog.fold(self._database):
            raise Malformed(f"the catalog of another database ({catalog.database[:200]!r})")
        if self._view is None:
            self._view = View(catalog)
        else:
            self._view.catalog = catalog
        return self._answer()

    def _answer(self) -> list[Output]:
        reading, self._reading = self._reading, []
        return [*(Answered(number, self._view) for number, _ in reading), *self._next()]

    def fail(self, reason: str, told: str = "") -> list[Output]:
        reason = f"the catalog of {self._database} cannot be read: {reason}"
        waiting = [*self._reading, *self._asked]
        self._reading, self._asked = [], []
        failed: list[Output] = [Answered(number, CatalogUnavailable(reason, told)) for number, _ in waiting]
        return [*failed, Close(reason)]


def _counted(results: Sequence[Rows], count: int) -> Sequence[Rows]:
    """Check that as many results came as were asked for: a catalog with a part missing would judge wrongly."""
    if len(results) != count:
        raise Malformed(f"{len(results)} results, of {count}")
    return results
