"""One statement under a row limit: whether its rows can be counted, what is withheld, and whether it went over.

The server's command tag says how many rows a statement changed. It is believed only where the statement is one INSERT,
UPDATE, DELETE, MERGE or COPY FROM; of a change inside WITH, EXPLAIN ANALYZE or code it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blastwall.model.effects import Action, Effect, Mark
from blastwall.model.ruling import Obligations
from blastwall.protocols.postgres.copy_count import CopyCounter, counter, is_row
from blastwall.protocols.postgres.pipeline import Portal, Running
from blastwall.protocols.postgres.portions import Store
from blastwall.sql.postgres import Classified
from blastwall.wire.reader import Malformed

_ROWS = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


def oblige(running: Running, obligations: Obligations) -> str | None:
    """Put limits on a statement; return why it cannot be sent under them, None where it can."""
    classified = running.classified
    if obligations.limit_affected is not None:
        if _changes_unseen(classified):
            return (
                "a row limit applies, and the server would not say how many rows this changes; "
                "write the INSERT, UPDATE, DELETE or MERGE as a statement of its own"
            )
        if _changes_rows(classified):
            running.limit_affected = obligations.limit_affected
    copy = classified.copy
    if obligations.limit_rows is not None and (
        classified.returns_rows or (copy is not None and copy.direction == "out")
    ):
        running.limit_rows = obligations.limit_rows
    return None


def _changes_unseen(classified: Classified) -> bool:
    """Whether rows are changed of which the command tag says nothing.

    What triggers and functions do besides a change that is counted is not bounded; what they do without one is refused.
    """
    if classified.modifies:
        seen = classified.operation in _CHANGES or classified.executes is not None
        return classified.modifies > 1 or not seen
    if not classified.runs or _changes_rows(classified):
        return False
    return any(_changes(effect) and Mark.FOLLOWED in effect.marks for effect in classified.effects)


def _changes_rows(classified: Classified) -> bool:
    if classified.operation == "COPY":
        return any(_changes(effect) and Mark.FOLLOWED not in effect.marks for effect in classified.effects)
    return classified.operation in _CHANGES or classified.modifies > 0


def _changes(effect: Effect) -> bool:
    return effect.action in _ROWS and effect.object.kind != "sequence"


@dataclass(slots=True, eq=False)
class Limited:
    """A run of a statement under a limit. `wanted` are the rows that the client asked for at once (0: all).

    `given` is how many rows the client got of it, or of its cursor, before; `reason` is set once it is over a limit,
    `limit` says which ("rows" or "affected") and `most` what it is.
    """

    running: Running
    portal: Portal
    wanted: int = 0
    given: int = 0
    backlog: int = 0
    taken: int = 0
    limit: str = ""
    most: int = 0
    reason: str = ""
    _held: list[bytes] = field(default_factory=list)
    _size: int = 0
    _copy: CopyCounter | None = None
    _first: bool = True

    @property
    def most_rows(self) -> int:
        """What to ask the server for at once, 0 for all: one row more than may be given shows that there are more."""
        running = self.running
        if running.limit_affected is not None or running.limit_rows is None:
            return 0
        room = running.limit_rows - self.given
        return self.wanted if 0 < self.wanted <= room else room + 1

    def take(self, message: bytes, copied: bytes | None) -> bytes | None:
        """Take one row's message; return what passes in its place, None where it passes as it is.

        `copied` is the body of a CopyData message as the server sent it, None for a DataRow.
        """
        if self.reason:
            return b""
        copy = self.running.classified.copy
        first, self._first = self._first, False
        if copied is not None and copy is not None and not is_row(copy, copied, first=first):
            return None
        self.taken += 1
        running = self.running
        if running.limit_rows is not None and self.given + self.taken > running.limit_rows:
            self._over("rows", running.limit_rows, f"its result has more than {running.limit_rows:,} rows")
        elif running.limit_affected is not None:
            self._withhold(message, running.limit_affected)
        else:
            return None
        return b""

    def _withhold(self, message: bytes, most: int) -> None:
        self._size += len(message)
        if self.taken > most:
            self._over("affected", most, _too_many(most))
        elif self._size > self.backlog:
            kept = f"it returns more than the {self.backlog:,} bytes that can be kept until its rows are counted"
            self._over("affected", most, kept)
        else:
            self._held.append(message)

    def copied_in(self, body: bytes) -> bool:
        """Count the rows in a CopyData message of the client's; whether they are still within the limit."""
        most, copy = self.running.limit_affected, self.running.classified.copy
        if most is None or copy is None or self.reason:
            return not self.reason
        if self._copy is None:
            self._copy = counter(copy)
        if self._copy.count(body) > most:
            self._over("affected", most, _too_many(most))
        return not self.reason

    def end(self, message: bytes, tag: str, affected: int | None) -> bytes:
        """The server is done; return the rows and completion for the client, nothing where it is over the limit.

        `message` is the server's CommandComplete, `tag` what it says, `affected` the count in that.
        """
        store = self.portal.store
        if store is not None:
            return store.portion(self.wanted)
        most = self.running.limit_affected
        if most is not None and affected is None:
            self._over("affected", most, "the server did not say how many rows it changed")
        elif most is not None and affected is not None and affected > most:
            self._over("affected", most, _too_many(most))
        if self.reason:
            return b""
        if self.wanted and most is not None:
            self.portal.store = Store(tag.rsplit(" ", 1)[0], self._held)
            return self.portal.store.portion(self.wanted)
        return b"".join((*self._held, message))

    def suspended(self) -> None:
        """The server has given as many rows as it was asked for at once.

        Raises:
            Malformed: it was asked for all, or for more.
        """
        if not self.reason and self.taken != self.most_rows:
            raise Malformed("a portal suspended before the rows that were asked for")

    def _over(self, limit: str, most: int, reason: str) -> None:
        self._held.clear()
        if not self.reason:
            self.limit, self.most = limit, most
            self.reason = f"policy limits this statement to {most:,} rows: {reason}; it was rolled back"


def _too_many(most: int) -> str:
    return f"it changes more than {most:,} rows"
