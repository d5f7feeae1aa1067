"""What the two halves of a TDS session share: what names mean, what waits for an answer, what is under way.

Statements are asked and wait here until the gate has answered. What is allowed is sent as it came, packets and all; a
request that is refused is answered here, and nothing of it reaches the resource (`denial.py`).

    client's half   requests.py    ask, send, attention, reset
    server's half   responses.py   calls `changed` for an ENVCHANGE, `acknowledged` for an attention's DONE, and
                                   `ended` at an answer's end
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from blastwall.model.effects import Action
from blastwall.model.statement import Parameter, Stage, Statement
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Answer,
    Finished,
    Injected,
    Lookup,
    Opening,
    Output,
    Send,
)
from blastwall.protocols.tds.asking import Asking
from blastwall.protocols.tds.attention import Attention
from blastwall.protocols.tds.bulk_load import Load
from blastwall.protocols.tds.changing import Changing
from blastwall.protocols.tds.denial import (
    STOPPED,
    Denial,
    acknowledgement,
    ignored,
    refusal,
    rolled_back,
)
from blastwall.protocols.tds.elsewhere import Texts
from blastwall.protocols.tds.handles import Handles, within_call
from blastwall.protocols.tds.learned import Learned
from blastwall.protocols.tds.limiting import Limiter
from blastwall.protocols.tds.packets import RESET, RESET_SKIP, Kind, Message, framed
from blastwall.protocols.tds.running import After, Asked, Running, surely_ran
from blastwall.protocols.tds.tokens import (
    ENV_BEGIN,
    ENV_COMMIT,
    ENV_DATABASE,
    ENV_ENDED,
    ENV_ENHANCED_ROUTING,
    ENV_ENLIST,
    ENV_MANAGER,
    ENV_MIRROR,
    ENV_PACKET_SIZE,
    ENV_PROMOTE,
    ENV_ROLLBACK,
    ENV_ROUTING,
    EnvChange,
)
from blastwall.protocols.tds.transactions import Verb, write_transaction
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.pending import Pending
from blastwall.sql.tsql.state import NameState, before, reset, settled
from blastwall.sql.tsql.statement import Classified
from blastwall.wire.reader import Malformed

_ENDED = frozenset({ENV_COMMIT, ENV_ROLLBACK, ENV_ENDED})
_NEVER = frozenset(
    {ENV_ENLIST, ENV_PROMOTE, ENV_MANAGER, ENV_PACKET_SIZE, ENV_ROUTING, ENV_ENHANCED_ROUTING, ENV_MIRROR}
)
"""Changes that only a login, or a request for a distributed transaction, brings about."""

_DESCRIPTOR = 8
"""Bytes of a transaction descriptor (MS-TDS 2.2.7.9, type 8)."""

CURRENT = "current"
"""The question to the companion: the catalog as it is now."""

_DEFINES = frozenset({Action.DEFINE, Action.DROP, Action.EXECUTE, Action.UNCLASSIFIED})
"""What may change the catalog."""


class View(Protocol):
    """The newest reading of the database's catalog; replaced whole."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def changing(self) -> Changing: ...


class Answering(Protocol):
    """What the client's half needs of the server's."""

    def begin(self, running: Running) -> None:
        """Its answer comes next."""

    def refusal(self, asked: Asked) -> str | None:
        """Why masking refuses an allowed statement; None where it does not."""


class Conversation:
    """The state of one admitted session."""

    def __init__(
        self,
        opening: Opening,
        view: View,
        numbers: Iterator[int],
        *,
        companion: str,
        packet_size: int,
        server: str = "blastwall",
    ) -> None:
        """`packet_size` is what both sides agreed to, in bytes; `server` the name that errors come from."""
        self.opening = opening
        self.companion = companion
        self.packet_size = packet_size
        self.server = server
        self.state = NameState(view.catalog.default_schema)
        self.handles = Handles()
        self.attention = Attention()
        self.limits = Limiter(self)
        self.asking = Asking(self)
        self.texts = Texts(numbers)
        self.learned = Learned()
        self.postponed: Message | None = None
        """A request whose text is read elsewhere."""
        self.responses: Answering | None = None
        self.running: Running | None = None
        self.refreshing: int | None = None
        self.descriptor = 0
        """The open transaction, as the resource names it; 0 for none."""
        self.pending_reset = 0
        """RESET or RESET_SKIP of a request that was refused: it goes with the next one that is sent."""
        self.loading: Asked | None = None
        """The INSERT BULK that the resource has agreed to and whose rows must come next."""
        self.load: Load | None = None
        """The bulk load whose rows are coming."""
        self._view = view
        self._numbers = numbers
        self._altered = False
        self._pending = Pending()

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def catalog(self) -> Catalog:
        """The newest reading of the catalog, with what the open transaction has defined, without what others change."""
        return self._pending.over(self._view.changing.seen(self, self._view.catalog))

    @property
    def database(self) -> str:
        """The database that the session is in: no request may leave it."""
        return self._view.catalog.database

    @property
    def in_transaction(self) -> bool:
        """Whether the next request runs in a transaction that the client has opened."""
        return bool(self.descriptor) and not self.pending_reset & RESET

    @property
    def aborts(self) -> bool:
        """Whether an error may undo the whole transaction (SET XACT_ABORT ON)."""
        return self.state.may_be("xact_abort", "on", "off")

    @property
    def busy(self) -> bool:
        """Whether the client's next request must wait."""
        waits = (self.asking.waiting, self.running, self.refreshing, self.texts.waiting)
        return any(one is not None for one in waits)

    @property
    def altering(self) -> bool:
        """Whether definitions may have changed, or may be changing now, that the catalog does not tell yet."""
        asks = self.running.asks if self.running is not None else ()
        changes = any(effect.action in _DEFINES for one in asks for effect in one.classified.effects)
        return self.refreshing is not None or changes or (self._altered and self.running is not None)

    def classify(
        self, text: str, state: NameState | None = None, parameters: Mapping[str, str] | None = None
    ) -> Classified:
        """What a text does, as names are now, or as they are in `state`.

        Raises:
            Postponed: it must be read elsewhere first.
        """
        return self.texts.classify(text, self.catalog, state or self.state, parameters or {})

    def statement(
        self,
        text: str,
        classified: Classified,
        stage: Stage = Stage.EXECUTE,
        parameters: tuple[Parameter, ...] = (),
        *,
        by_name: bool = False,
    ) -> Statement:
        """Put a classified text in the gate's words."""
        return Statement(
            text=text,
            effects=classified.effects,
            operation=classified.operation,
            database=self.database,
            parameters=parameters,
            literals=classified.literals,
            stage=stage,
            filtered=classified.filtered,
            in_transaction=self.in_transaction,
            doubt=classified.doubt,
            filters=classified.filters,
            by_name=by_name,
        )

    def next_number(self) -> int:
        """A number for an ask of this session."""
        return next(self._numbers)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, number: int, answer: Answer) -> list[Output]:
        """Take the gate's answer; numbers that nobody waits for any more are ignored."""
        return self.asking.answer(number, answer)

    def give_up(self, denial: Denial | None) -> list[Output]:
        """Refuse the request whose text is read elsewhere; None where the client itself has cancelled it."""
        outputs, message = self.texts.withdrawn(), self.postponed
        self.postponed = None
        if message is None:
            return outputs
        if denial is None:
            self.say_cancelled(outputs)
        else:
            self.refuse(self.next_number(), denial, int(message.kind is Kind.RPC), outputs)
        return outputs

    def withdrawn(self) -> list[Output]:
        """Give up what waits, without a word to the client."""
        return self.asking.withdrawn() + self.texts.withdrawn()

    def left(self) -> list[Output]:
        """The session ends: nothing waits any more, and what was announced does not come."""
        outputs = self.withdrawn()
        self.left_loading(outputs)
        return outputs

    def reconsider(self) -> None:
        """Policy has changed: nothing that was allowed before may be sent because of it."""
        self.asking.reconsider()
        if self.loading is not None:
            self.loading.stale = True
        if self.running is not None and self.running.own:
            self.limits.stop("policy changed before it was sent; send it again")

    def interrupt(self, reason: str) -> list[Output]:
        """The gateway stops what the session does; the caller has told the server's half why."""
        if self.asking.waiting is not None:
            return self.asking.withdraw(Denial(STOPPED, f"blastwall: {reason}"))
        if self.postponed is not None:
            return self.give_up(Denial(STOPPED, f"blastwall: {reason}"))
        outputs: list[Output] = []
        if self.load is not None and self.load.passing:
            self.load.stop(reason, outputs)
        elif self.running is not None and self.running.own:
            self.limits.stop(reason)
        elif self.running is not None:
            self.attention.send(outputs)
        return outputs

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def transmit(self, running: Running, payload: bytes, raw: bytes, outputs: list[Output]) -> None:
        """Send a request of the client's: its packets as they came, or its payload under a limit."""
        if not self.limits.send(running, payload, outputs):
            self.send(running, raw, outputs)

    def send(self, running: Running, raw: bytes, outputs: list[Output]) -> None:
        """Send a whole request, with the reset that is pending."""
        self.start(running)
        outputs.append(Send(UPSTREAM, self.reset_with(raw)))

    def start(self, running: Running) -> None:
        """This request is under way from now on."""
        self.running = running
        for one in running.asks:
            self._view.changing.begin(self, one.classified.changes.opened)
        if self.responses is not None:
            self.responses.begin(running)

    def reset_with(self, raw: bytes) -> bytes:
        """Put the pending reset on a request's first packet, and take off what it may have of its own."""
        status = raw[1] & ~(RESET | RESET_SKIP) | self.pending_reset
        if self.pending_reset & RESET:
            self.descriptor = 0
        self.pending_reset = 0
        return raw if raw[1] == status else raw[:1] + bytes((status,)) + raw[2:]

    def inject(
        self, number: int, payload: bytes, own: str, after: After, *, why: str, kind: Kind = Kind.TRANSACTION
    ) -> list[Output]:
        """Send a request of the gateway's own, for statement `number`; `after` is called at its answer's end."""
        outputs: list[Output] = [Injected(number, own, why)]
        self.send(Running(kind, (), own=own, after=after), framed(kind, payload, self.packet_size), outputs)
        return outputs

    def refuse(self, number: int, denial: Denial, calls: int, outputs: list[Output]) -> None:
        """Answer a request with a refusal. Under XACT_ABORT an error undoes the transaction, so this one does too."""
        text = refusal(denial, calls, self.server)
        if not self.in_transaction or not self.aborts:
            self.say(text, outputs)
            return
        descriptor = self.descriptor

        def undone(_error: str | None, out: list[Output]) -> None:
            gone = not self.descriptor
            self.say((rolled_back(descriptor) if gone else b"") + text, out)

        payload = write_transaction(Verb.ROLLBACK, descriptor)
        outputs += self.inject(number, payload, "ROLLBACK TRANSACTION", undone, why="refusal")

    def say(self, payload: bytes, outputs: list[Output]) -> None:
        """Give the client a whole answer of the gateway's own, and the acknowledgement that it may wait for besides."""
        outputs.append(Send(CLIENT, framed(Kind.REPLY, payload, self.packet_size)))
        self.acknowledge(outputs)

    def say_cancelled(self, outputs: list[Output]) -> None:
        """End the answer to a request that its client has cancelled before anything was sent, and acknowledge that.

        The answer and the acknowledgement are messages of their own: tedious reads the one and waits for the other.
        """
        self.attention.asked = True
        self.say(ignored(), outputs)

    def acknowledge(self, outputs: list[Output]) -> None:
        """Acknowledge an attention that the resource was not sent, since nothing of the client's ran there."""
        if self.attention.asked and not self.attention.owed:
            self.attention.asked = False
            outputs.append(Send(CLIENT, framed(Kind.REPLY, acknowledgement(), self.packet_size)))

    def reset(self, bits: int) -> None:
        """The client resets its session: what it had named is gone as of the request that says so."""
        both = self.pending_reset | bits
        self.pending_reset = RESET if both & RESET else both
        self.state = reset(self.state)
        self._pending.doubt()
        self.limits.counts_told = False
        self.handles.clear()

    # ── the server's half calls these ────────────────────────────────────────────────────────────────────────────────

    def changed(self, change: EnvChange) -> bool:
        """Take an ENVCHANGE; whether the client gets to see it.

        Raises:
            Malformed: it is none that a request of this session's can bring about.
        """
        if self.running is not None and change.type == ENV_COMMIT:
            self.running.committed = True
        if change.type == ENV_BEGIN and len(change.new) != _DESCRIPTOR:
            raise Malformed(f"a transaction descriptor of {len(change.new)} bytes")
        if change.type == ENV_BEGIN or change.type in _ENDED:
            self.descriptor = int.from_bytes(change.new, "little") if change.type == ENV_BEGIN else 0
            return self.running is None or not self.running.private
        if change.type in _NEVER:
            raise Malformed(f"a change of the environment of type {change.type} in the middle of a session")
        fold = self.catalog.fold
        if change.type == ENV_DATABASE and fold(change.new_text) != fold(self.database):
            raise Malformed(f'a change to the database "{change.new_text}", of which nothing can be judged')
        return True

    def acknowledged(self) -> None:
        """A DONE with the attention bit came."""
        self.attention.acknowledged()
        if self.running is not None:
            self.running.cancelled = True

    def ended(self, running: Running, outputs: list[Output]) -> None:
        """The answer to a request has come to its end, and to the acknowledgement of an attention that was sent."""
        if self.running is not running:
            return
        self.running = None
        self._settle(running)
        if running.loads and running.asks[0].error is None and not running.cancelled:
            self.loading = running.asks[0]
        if running.after is not None:
            running.after(running.outcome, outputs)
        elif not self.limits.ended(running, outputs):
            self.finish(running.asks, outputs)
        if self.running is None and self._altered and not self.in_transaction:
            self._altered = False
            self._pending.clear()
            self.refresh(outputs)

    def finish(self, asks: Sequence[Asked], outputs: list[Output]) -> None:
        """Close the statements' records, each once."""
        for one in asks:
            if not one.finished and one is not self.loading:
                one.finished = True
                if one.cursor is not None:
                    one.cursor.given += one.rows
                outputs.append(Finished(one.number, one.rows, one.affected, one.bytes, one.error, dict(one.masked)))

    def left_loading(self, outputs: list[Output]) -> None:
        """The client asks for something else than the bulk load that it has announced, or is gone."""
        announced, self.loading = self.loading, None
        if announced is not None:
            self.finish([announced], outputs)

    def refresh(self, outputs: list[Output]) -> None:
        """Ask for the catalog as it is now; the client's next requests wait for it."""
        self.refreshing = self.next_number()
        outputs.append(Lookup(self.refreshing, self.companion, CURRENT))

    def refreshed(self) -> None:
        """The catalog is read, or never will be for this session."""
        self.refreshing = None
        if not self.in_transaction:
            self._view.changing.settle(self)

    def _settle(self, running: Running) -> None:
        """What the request may have changed holds from now on."""
        for one in running.asks:
            classified = within_call(one.classified) if running.calls else one.classified
            if one.error is None and not running.cancelled:
                self.state = settled(self.state, classified, lasting=not self.descriptor)
            else:
                self.state = before(self.state, classified)
            changes = one.classified.changes
            defines = any(effect.action in _DEFINES for effect in one.classified.effects)
            self._altered = self._altered or defines or bool(changes.made or changes.opened)
            if self.in_transaction:
                self._pending.note(one.classified, self._view.catalog, certain=surely_ran(one, running, self.state))
