"""Row limits on changes: what a limited request changes is counted before anything commits it.

    the client is            before the request        after it, within the limit    over it, or cancelled
    outside a transaction    BEGIN TRANSACTION         COMMIT                        ROLLBACK
    in one                   SAVE TRANSACTION          (nothing)                     ROLLBACK to the savepoint; under
                                                                                     XACT_ABORT all of it, as an error
    in implicit mode         (nothing: it opens one)   (nothing)                     ROLLBACK

These are transaction manager requests of the gateway's own, whose answers nobody sees; in the first case the client's
request gets the descriptor of that transaction, and the client hears nothing of it. The answer is kept until the count
is known and the commit has succeeded. The server's DONE tokens tell the counts; where they would not, the request is
refused before it is sent (`docs/adr/0032-denial-and-limits-over-tds.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from blastwall.model.effects import Action, Effect, Mark
from blastwall.model.ruling import Obligations
from blastwall.model.statement import Stage
from blastwall.protocols.contract import CLIENT, Close, Exceeded, Output, Refused, Send
from blastwall.protocols.tds.denial import LIMIT, STOPPED, Denial, refusal, rolled_back
from blastwall.protocols.tds.headers import with_transaction, write_headers
from blastwall.protocols.tds.packets import Kind, framed
from blastwall.protocols.tds.running import INSERT_BULK, Asked, Audience, Running
from blastwall.protocols.tds.transactions import Verb, write_transaction
from blastwall.sql.tsql.statement import Classified

if TYPE_CHECKING:
    from blastwall.protocols.tds.conversation import Conversation

_ROWS = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_WHY = "limit"
_SAVEPOINT = "blastwall_limit"
_COUNTS = "SET NOCOUNT OFF"


_Then = Callable[["_Limited", str | None, list[Output]], None]


class _Scope(Enum):
    """What undoes the request."""

    OWN = auto()
    SAVEPOINT = auto()
    IMPLICIT = auto()


@dataclass(slots=True, eq=False)
class _Limited:
    """A limited request. `outside` is the descriptor of the client's transaction before it.

    `stopped` is why the gateway stops it before it is sent.
    """

    running: Running
    payload: bytes
    most: int
    scope: _Scope
    outside: int
    reason: str = ""
    stopped: str = ""

    @property
    def number(self) -> int:
        return self.running.asks[0].number


class Limiter:
    """The limited request of a session that is under way, if any."""

    def __init__(self, conversation: Conversation) -> None:
        self._shared = conversation
        self._limited: _Limited | None = None
        self.counts_told = False
        """Whether the session's NOCOUNT is off for certain: a server may have it on by default ("user options")."""

    def oblige(self, asked: Asked, obligations: Obligations) -> str | None:
        """Put limits on a statement; return why it cannot be sent under them, None where it can."""
        classified = asked.classified
        asked.limit_rows = obligations.limit_rows
        prepared = asked.statement.stage is Stage.PREPARE
        if obligations.limit_affected is None or prepared or not _changes_rows(classified):
            return None
        asked.limit_affected = obligations.limit_affected
        return None if classified.operation == INSERT_BULK else self._unlimitable(classified)

    def _unlimitable(self, classified: Classified) -> str | None:
        state = self._shared.state
        if not classified.modifies or not classified.counted or state.may_be("nocount", "on", "off"):
            return (
                "a row limit applies, and the server would not say how many rows this changes: send the INSERT, "
                "UPDATE, DELETE or MERGE by itself, outside loops and procedures, with SET NOCOUNT OFF"
            )
        if classified.transaction:
            return "a row limit applies, and this begins or ends a transaction: send that as a request of its own"
        settings = classified.changes.settings
        unsure = state.settings.get("implicit_transactions", frozenset({"off"}))
        if "implicit_transactions" in settings or len(unsure) > 1:
            return "a row limit applies: send SET IMPLICIT_TRANSACTIONS as a request of its own, without conditions"
        return None

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, running: Running, payload: bytes, outputs: list[Output]) -> bool:
        """Send a request under a limit on what it changes; false where it has none. `payload` is the client's."""
        limits = [one.limit_affected for one in running.asks if one.limit_affected is not None]
        if not limits or running.loads:
            return False
        shared = self._shared
        outside = shared.descriptor if shared.in_transaction else 0
        scope = _Scope.SAVEPOINT if outside else _Scope.OWN
        if not outside and shared.state.may_be("implicit_transactions", "on", "off"):
            scope = _Scope.IMPLICIT
        limited = self._limited = _Limited(running, payload, min(limits), scope, outside)
        running.audience, running.private = Audience.LATER, scope is _Scope.OWN
        if self.counts_told or _counts_itself(running):
            self._open(limited, None, outputs)
        else:
            self._have_counts_told(limited, outputs)
        return True

    def _have_counts_told(self, limited: _Limited, outputs: list[Output]) -> None:
        """Where it is open how many counts must come, none may be left out because of the server's defaults."""
        self.counts_told = True
        payload = write_headers(limited.outside) + _COUNTS.encode("utf-16-le")

        def after(error: str | None, out: list[Output]) -> None:
            self._open(limited, error, out)

        outputs += self._shared.inject(limited.number, payload, _COUNTS, after, why=_WHY, kind=Kind.BATCH)

    def _open(self, limited: _Limited, error: str | None, outputs: list[Output]) -> None:
        if error is not None:
            self._opened(limited, error, outputs)
        elif self._shared.attention.asked or limited.stopped:
            self._withdrawn(limited, None, outputs)
        elif limited.scope is _Scope.OWN:
            payload = write_transaction(Verb.BEGIN, 0)
            self._inject(limited, payload, "BEGIN TRANSACTION", self._opened, outputs)
        elif limited.scope is _Scope.SAVEPOINT:
            payload = write_transaction(Verb.SAVE, limited.outside, _SAVEPOINT)
            self._inject(limited, payload, f"SAVE TRANSACTION {_SAVEPOINT}", self._opened, outputs)
        else:
            self._request(limited, outputs)

    def _inject(self, limited: _Limited, payload: bytes, text: str, then: _Then, outputs: list[Output]) -> None:
        def after(error: str | None, out: list[Output]) -> None:
            then(limited, error, out)

        outputs += self._shared.inject(limited.number, payload, text, after, why=_WHY)

    def _opened(self, limited: _Limited, error: str | None, outputs: list[Output]) -> None:
        """The transaction or savepoint is there, or not; the client may have cancelled meanwhile."""
        shared = self._shared
        if error is None and limited.scope is _Scope.OWN and not shared.descriptor:
            error = "the server opened none"
        if error is not None:
            self._limited = None
            told = f"the transaction that a row limit needs could not be opened: {error}"
            self._not_sent(limited, told, outputs)
            shared.refuse(limited.number, Denial(LIMIT, f"blastwall: {told}"), _calls(limited.running), outputs)
        elif shared.attention.asked or limited.stopped:
            self._undo(limited, self._withdrawn, outputs)
        else:
            self._request(limited, outputs)

    def _request(self, limited: _Limited, outputs: list[Output]) -> None:
        payload, shared = limited.payload, self._shared
        if limited.scope is not _Scope.IMPLICIT:
            # What undoes it is in this transaction: nothing of it may run outside, whatever the client's header says.
            payload = with_transaction(payload, shared.descriptor)
        shared.send(limited.running, framed(limited.running.kind, payload, shared.packet_size), outputs)

    def stop(self, reason: str) -> None:
        """The gateway stops the request whose transaction is being opened; what is being committed is not stopped."""
        if self._limited is not None:
            self._limited.stopped = reason

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, running: Running, outputs: list[Output]) -> bool:
        """The answer to a client's request has ended; whether it was a limited one, which goes on here."""
        limited = self._limited
        if limited is None or limited.running is not running:
            return False
        limited.reason = self._over(limited)
        if limited.reason or running.cancelled:
            self._undo(limited, self._undone, outputs)
        elif limited.scope is _Scope.OWN and self._shared.descriptor:
            payload = write_transaction(Verb.COMMIT, self._shared.descriptor)
            self._inject(limited, payload, "COMMIT TRANSACTION", self._committed, outputs)
        else:
            self._conclude(limited, outputs)
        return True

    def _over(self, limited: _Limited) -> str:
        """Why the request is over its limit. Where it holds several calls, the smallest counts for all together.

        Which call a count belongs to cannot be told for certain, since procedures inside them end as calls do.
        """
        asks, most = limited.running.asks, limited.most
        changed = sum(one.affected or 0 for one in asks)
        if changed > most:
            told = f"it changes more than {most:,} rows"
        elif any(one.uncounted for one in asks):
            told = "the server did not say how many rows it changed"
        elif limited.running.spilt:
            kept = self._shared.opening.limits.backlog
            told = f"it returns more than the {kept:,} bytes that can be kept until its rows are counted"
        elif self._unseen(limited):
            told = "the server did not say of each change how many rows it changed"
        else:
            return ""
        return f"policy limits this statement to {most:,} rows: {told}; it was rolled back"

    def _unseen(self, limited: _Limited) -> bool:
        """Whether fewer counts came than changes stand in a text that runs from its beginning to its end."""
        if any(one.error is not None or not one.classified.straight for one in limited.running.asks):
            return False
        counts = sum(one.counts for one in limited.running.asks)
        return counts < sum(one.classified.modifies for one in limited.running.asks) and not limited.running.cancelled

    def _undo(self, limited: _Limited, then: _Then, outputs: list[Output]) -> None:
        """Undo what the request did, where an error has not undone it already."""
        descriptor = self._shared.descriptor
        if limited.running.committed:
            self._stands(limited, outputs)
        elif not descriptor:
            then(limited, None, outputs)
        elif limited.scope is _Scope.SAVEPOINT and not (limited.reason and self._shared.aborts):
            payload = write_transaction(Verb.ROLLBACK, descriptor, _SAVEPOINT)
            self._inject(limited, payload, f"ROLLBACK TRANSACTION {_SAVEPOINT}", then, outputs)
        else:
            self._inject(limited, write_transaction(Verb.ROLLBACK, descriptor), "ROLLBACK TRANSACTION", then, outputs)

    def _withdrawn(self, limited: _Limited, error: str | None, outputs: list[Output]) -> None:
        """The request was cancelled, or stopped by the gateway, before it was sent."""
        shared = self._shared
        if error is not None:
            self._lost(error, outputs)
            return
        self._limited = None
        self._not_sent(limited, limited.stopped or "the client cancelled it before it was sent", outputs)
        if shared.attention.asked:
            shared.say_cancelled(outputs)
        else:
            told = Denial(STOPPED, f"blastwall: {limited.stopped}")
            shared.refuse(limited.number, told, _calls(limited.running), outputs)

    def _undone(self, limited: _Limited, error: str | None, outputs: list[Output]) -> None:
        if error is not None:
            self._lost(error, outputs)
        elif limited.reason:
            self._exceeded(limited, outputs)
        else:
            self._conclude(limited, outputs)

    def _committed(self, limited: _Limited, error: str | None, outputs: list[Output]) -> None:
        if error is not None:
            self._limited = None
            told = f"it could not be committed, so nothing of it is kept: {error}"
            self._refuse(limited, told, outputs)
        elif self._shared.descriptor:
            self._lost("the server has committed nothing", outputs)
        else:
            self._conclude(limited, outputs)

    def _conclude(self, limited: _Limited, outputs: list[Output]) -> None:
        """The request stands: the client gets what was kept for it."""
        self._limited = None
        outputs += [Send(CLIENT, span) for span in limited.running.kept]
        self._shared.finish(limited.running.asks, outputs)
        self._shared.acknowledge(outputs)

    def _exceeded(self, limited: _Limited, outputs: list[Output]) -> None:
        self._limited = None
        number = next(one.number for one in limited.running.asks if one.limit_affected == limited.most)
        outputs.append(Exceeded(number, "affected", limited.most, limited.reason))
        self._refuse(limited, limited.reason, outputs)

    def _refuse(self, limited: _Limited, told: str, outputs: list[Output]) -> None:
        """Answer in the place of the resource, whose answer was kept: nothing of the request has come to stay."""
        shared = self._shared
        for one in limited.running.asks:
            one.error = f"{LIMIT}: {told}"
            one.affected = None
        shared.finish(limited.running.asks, outputs)
        ended = limited.outside and not shared.descriptor
        text = refusal(Denial(LIMIT, f"blastwall: {told}"), _calls(limited.running), shared.server)
        shared.say((rolled_back(limited.outside) if ended else b"") + text, outputs)

    def _not_sent(self, limited: _Limited, told: str, outputs: list[Output]) -> None:
        for one in limited.running.asks:
            one.finished = True
            outputs.append(Refused(one.number, told))

    def _stands(self, limited: _Limited, outputs: list[Output]) -> None:
        """It has committed what it should not have: what was forbidden for a text was done by code that it ran."""
        self._limited = None
        told = (
            "it went over its row limit or was cancelled, and had committed the transaction that it ran in: it stands"
        )
        outputs.append(Exceeded(limited.number, "affected", limited.most, told))
        for one in limited.running.asks:
            one.error = f"{LIMIT}: {told}"
        self._shared.finish(limited.running.asks, outputs)
        outputs.append(Close(told))

    def _lost(self, error: str, outputs: list[Output]) -> None:
        """What is over its limit could not be rolled back: the end of the connection does it."""
        self._limited = None
        outputs.append(Close(f"what is over its row limit is undone by the end of the session: {error}"))


def _counts_itself(running: Running) -> bool:
    """Whether it is one change, counted or failed: no error elsewhere can be why its count is missing."""
    return len(running.asks) == 1 and all(
        one.classified.straight and one.classified.operation in _COUNTED for one in running.asks
    )


def _calls(running: Running) -> int:
    return len(running.asks) if running.calls else 0


def _changes_rows(classified: Classified) -> bool:
    """Whether rows may be changed, by the text itself or by what it sets off."""
    return classified.modifies > 0 or any(_changes(effect) for effect in classified.effects)


def _changes(effect: Effect) -> bool:
    """What a trigger does besides a change that is counted is not bounded; what code does without one is."""
    return effect.action in _ROWS and effect.object.kind not in ("sequence", "") and Mark.FOLLOWED not in effect.marks
