"""What the two halves of an admitted session share: what is asked and owed, how a statement is sent or refused.

    client half (`requests`)  ── Ask ──▶ gate ── answer ──▶ here: forward the very bytes, or refuse
    server half (`responses`) ── settles names, counts rows, masks

A refusal is a deliberately failing statement in the place of the refused one; its error is replaced by ours. So the
server itself gives the transaction its native behaviour: an earlier INSERT of the pipeline rolls back, an open
transaction fails, and there is exactly one ReadyForQuery for each Sync (`docs/adr/0004-postgres-denial-and-cancel.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from blastwall.model.masks import NO_MASKS, MaskRules
from blastwall.model.statement import Column, Literal, Parameter, Stage, Statement
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Allow,
    Answer,
    Ask,
    Deny,
    Finished,
    Held,
    Injected,
    Lookup,
    Opening,
    Output,
    Refused,
    Send,
    Vacate,
    Withdraw,
)
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.catalog import CURRENT, Snapshot, View
from blastwall.protocols.postgres.changing import Party
from blastwall.protocols.postgres.elsewhere import Elsewhere, Postponed
from blastwall.protocols.postgres.errors import encode_error, encode_notice
from blastwall.protocols.postgres.kept import Kept
from blastwall.protocols.postgres.limited import oblige
from blastwall.protocols.postgres.limiting import Limiter
from blastwall.protocols.postgres.messages import Parse, encode_parse, encode_query
from blastwall.protocols.postgres.naming import Names
from blastwall.protocols.postgres.pipeline import Entry, Moment, Owed, Pipeline, Running
from blastwall.protocols.postgres.present import Present
from blastwall.protocols.postgres.results import ResultGuard
from blastwall.protocols.postgres.warm import spoils
from blastwall.sql.postgres import Classified, NameState, OverBudgetError, facts
from blastwall.wire.native import Flag, Octets

FAILING = "blastwall: this statement was refused by policy"
"""Text that PostgreSQL cannot parse, in any state of a transaction. It also tells whoever reads the server's log."""
FAILING_PARSE = encode_parse(Parse("blastwall_refused", FAILING))
FAILING_QUERY = encode_query(FAILING)

_STALE = "policy changed while another statement of the same query waited for approval; send it again"
_USED = (
    "another session is using {}, whose name or column would mean that of another relation once this has run: send it "
    "again in a moment"
)
_REDEFINED = "what it touches was defined anew while it waited for approval; send it again to have it approved anew"

Release = Callable[[list[Output]], None]


class Waiting:
    """Statements that were asked together and are sent together, by `release`, or not at all.

    `verdict` is set where the statement is refused whatever policy says, to (SQLSTATE, reason). `stale` is set where
    policy has changed since some of them were allowed, while others wait for people. `held` says that one of them does.
    """

    __slots__ = ("allowed", "extended", "held", "release", "running", "stale", "verdict")

    def __init__(
        self,
        running: tuple[Running, ...],
        release: Release,
        extended: bool,
        verdict: tuple[str, str] | None = None,
    ) -> None:
        self.running = running
        self.release = release
        self.extended = extended
        self.verdict = verdict
        self.allowed: set[int] = set()
        self.held: Flag = False
        self.stale: Flag = False


class Conversation:
    """The state of one admitted session."""

    def __init__(self, opening: Opening, database: str, view: View, names: Names, numbers: Iterator[int]) -> None:
        self.opening = opening
        self.database = database
        self.companion = database
        self.names = names
        self.elsewhere = Elsewhere(numbers)
        self.pipeline = Pipeline()
        self.status: Octets = b"I"
        self.waiting: Waiting | None = None
        self.discarding: Flag = False
        self.refreshing: int | None = None
        self.cancelling: Flag = False
        self.touched: Flag = False
        self.keeps = False
        """Whether rows of any statement were asked for, for the recording."""
        self.limits = Limiter(self)
        self.rules: MaskRules = NO_MASKS
        self.label = ""
        self.application = ""
        self.exchange: Callable[[], Classified | None] = _none
        """What the fast lane has under way."""
        self.present: Present = view.present
        self.party = Party(view.changing, self.under_way, self.guards)
        """This session among the others of its database."""
        names.join(view.present, self.party.beside)
        self._view = view
        self._numbers = numbers
        self._guard: ResultGuard | None = None
        self.spoiled = False
        """Whether a statement was asked for after which nobody else may have the connection."""
        self._read_under: NameState | None = None
        self._facts: tuple[object, ...] = ()

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def snapshot(self) -> Snapshot:
        """The newest reading of the catalog."""
        return self._view.snapshot

    @property
    def forgotten(self) -> bool:
        """Whether the catalog must be read before anything is judged: another session left amid a change of it."""
        return not self._view.known

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, or will be once what was sent has run."""
        return self.status != b"I" or self.pipeline.begins

    def under_way(self) -> list[Classified]:
        """What the server may be running for this session, or may be sent any moment."""
        exchange = self.exchange()
        found = [one.classified for one in self.waiting.running] if self.waiting is not None else []
        found += [one.classified for entry in self.pipeline for one in entry.running if not one.done]
        return found if exchange is None else [*found, exchange]

    def guards(self, classified: Classified) -> bool:
        """Whether the masking rules that hold are about what a statement of this session touches."""
        return bool(self.rules) and self.guard(self.rules).touches(classified)

    def settle_changes(self) -> None:
        """Where nothing of it is under way, what this session has changed is in the catalog as it was read."""
        if self.status == b"I" and not any(one.lost for one in self.under_way()):
            self.party.settle()
            self.names.recover()

    def guard(self, rules: MaskRules) -> ResultGuard:
        """The masking rules over the newest snapshot."""
        known = self._guard
        if known is None or known.rules is not rules or known.mark is not self.snapshot.mark:
            known = self._guard = ResultGuard(rules, self.snapshot)
        return known

    def classify(self, text: str, state: NameState | None = None) -> tuple[Classified, ...]:
        """Classify a text under the names as they may be now, or as they were in `state`.

        Raises:
            Postponed: it must be read elsewhere first.
        """
        state, snapshot = state or self.names.meaning(), self.snapshot
        if state is not self._read_under:
            self._read_under, self._facts = state, facts(state)
        found = snapshot.texts.find(text, self._facts)
        if found is None:
            found = self.elsewhere.found(text, snapshot, state, self._facts)
        if found is not None:
            return found
        try:
            return snapshot.texts.classify(text, snapshot.catalog, state, self._facts)
        except OverBudgetError:
            raise Postponed(self.elsewhere.order(text, snapshot, state, self._facts)) from None

    def statement(
        self, text: str, classified: Classified, stage: Stage, parameters: tuple[Parameter, ...] = ()
    ) -> Statement:
        """Put a classified text, or its part, in the gate's words."""
        filters = self.snapshot.deciding(classified)
        return stated(
            text, classified, self.database, stage, parameters, in_transaction=self.in_transaction, filters=filters
        )

    def next_number(self) -> int:
        """A number for an ask of this session."""
        return next(self._numbers)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(
        self,
        outputs: list[Output],
        statements: Sequence[tuple[Statement, Classified]],
        release: Callable[[tuple[Running, ...], list[Output]], None],
        *,
        extended: bool,
        text: str = "",
        verdict: tuple[str, str] | None = None,
    ) -> None:
        """Raise the asks; `release` is called with what runs once all are allowed."""
        moment = Moment(self.snapshot.mark, facts(self.names.meaning()), self.in_transaction)
        running = tuple(Running(self.next_number(), classified, text, moment=moment) for _, classified in statements)
        forbidden = next((one.classified.changes.forbidden for one in running if one.classified.changes.forbidden), "")
        if forbidden and verdict is None:
            verdict = (errors.FEATURE_NOT_SUPPORTED, forbidden)
        verdict = verdict or self._announce(running)
        self.waiting = Waiting(running, lambda out: release(running, out), extended, verdict=verdict)
        self.spoiled = self.spoiled or any(spoils(classified) for _, classified in statements)
        for (statement, _), one in zip(statements, running, strict=True):
            outputs.append(Ask(one.number, statement))

    def _announce(self, running: tuple[Running, ...]) -> tuple[str, str] | None:
        """Tell other sessions what is about to be changed; return why it cannot be: one is using that by its name."""
        lost = frozenset(place for one in running for place in one.classified.lost)
        if not lost:
            return None
        self.party.begin(lost)
        used = self.party.used(lost, self.snapshot.catalog)
        return (errors.OBJECT_IN_USE, _USED.format(used)) if used else None

    def answer(self, number: int, answer: Answer) -> list[Output]:
        """Take one answer; numbers that nobody waits for any more are ignored."""
        waiting = self.waiting
        one = next((one for one in waiting.running if one.number == number), None) if waiting else None
        if waiting is None or one is None:
            return []
        outputs: list[Output] = []
        if isinstance(answer, Held) and waiting.verdict is None:
            waiting.held = True
            outputs.append(Send(CLIENT, encode_notice(f"blastwall: {answer.notice}")))
        elif isinstance(answer, Allow):
            self._allowed(waiting, one, answer, outputs)
        elif isinstance(answer, Deny):
            refused = errors.CONFIGURATION_LIMIT if answer.retry else errors.INSUFFICIENT_PRIVILEGE
            code = waiting.verdict[0] if waiting.verdict else refused
            self._refused(waiting, one, code, answer.reason, outputs)
        else:
            outputs.append(Withdraw(number))
            self._refused(waiting, one, *(waiting.verdict or ("", "")), outputs)
        return outputs

    def withdraw(self, code: str, reason: str) -> list[Output]:
        """Give up what waits for an answer, and refuse it with an error of this code."""
        if self.waiting is None:
            return []
        waiting, outputs = self.waiting, self.withdrawn()
        self.deny(waiting.running[0].number, encode_error(code, reason), outputs, extended=waiting.extended)
        return outputs

    def reconsider(self) -> None:
        """Policy has changed: nothing that was allowed before may be sent because of it."""
        if self.waiting is not None and self.waiting.allowed:
            self.waiting.stale = True
        for portal in self.names.portals():
            portal.stale = True

    def let_go(self) -> None:
        """The session is over: what it was to do, and had prepared, is kept no longer."""
        self.names.let_go()
        self.pipeline = Pipeline()
        self.waiting = None
        self.exchange = _none
        self._guard = None

    def withdrawn(self) -> list[Output]:
        """Give up what waits for an answer or is read elsewhere, without a word to the client."""
        if self.waiting is None:
            return self.elsewhere.withdrawn()
        waiting, self.waiting = self.waiting, None
        return [
            Refused(one.number, "not sent") if one.number in waiting.allowed else Withdraw(one.number)
            for one in waiting.running
        ]

    def deny(self, number: int, error: bytes, outputs: list[Output], *, extended: bool) -> None:
        """Send the failing statement in the place of a refused one, or of what would follow one over its limit."""
        outputs.append(Injected(number, FAILING, "refusal"))
        outputs.append(Send(UPSTREAM, FAILING_PARSE if extended else FAILING_QUERY))
        self.pipeline.push(Entry(Owed.PARSE if extended else Owed.QUERY, self.pipeline.segment, refusal=error))
        self.discarding = extended

    def send(self, message: bytes, own: str | None, running: tuple[Running, ...], outputs: list[Output]) -> None:
        """Send what was allowed; `own` is the text where the gateway has put its own in the place of the client's."""
        if own is not None:
            outputs.append(Injected(running[0].number, own, "application_name"))
        outputs.append(Send(UPSTREAM, message))

    def refuse_allowed(self, running: Running, reason: str, outputs: list[Output]) -> None:
        """Refuse a simple statement that policy allowed, before it is sent."""
        outputs.append(Refused(running.number, reason))
        running.done = True
        error = encode_error(errors.INSUFFICIENT_PRIVILEGE, f"blastwall: {reason}")
        self.deny(running.number, error, outputs, extended=False)

    def refuse_unasked(self, code: str, message: str, outputs: list[Output]) -> None:
        """Refuse a message of the extended protocol that names what does not exist: the server's own error."""
        outputs.append(Send(UPSTREAM, FAILING_PARSE))
        self.pipeline.push(Entry(Owed.PARSE, self.pipeline.segment, refusal=encode_error(code, message)))
        self.discarding = True

    def refresh(self, outputs: list[Output]) -> None:
        """Ask for the catalog as it is now; the client's next statements wait for it."""
        self.refreshing = next(self._numbers)
        outputs.append(Lookup(self.refreshing, self.companion, CURRENT))

    def finish(
        self, running: Running, outputs: list[Output], affected: int | None = None, error: str | None = None
    ) -> None:
        """Close a statement's record, once."""
        self.names.answered(running)
        if running.done:
            return
        running.done = True
        if running.kept is not None:
            outputs += running.kept.taken(running.number)
        masked = dict(running.plan.counts) if running.plan is not None else {}
        if running.copy is not None:
            masked = dict(running.copy.plan.counts)
        outputs.append(Finished(running.number, running.rows, affected, running.bytes, error, masked))

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _allowed(self, waiting: Waiting, one: Running, answer: Allow, outputs: list[Output]) -> None:
        waiting.allowed.add(one.number)
        one.rules, one.standing = answer.mask, answer.standing
        self.rules = answer.mask
        if answer.record is not None:
            one.kept, self.keeps = Kept(answer.record), True
        if waiting.verdict is not None:
            self._refused(waiting, one, *waiting.verdict, outputs)
            return
        if answer.mask is not NO_MASKS and answer.mask:
            guard = self.guard(answer.mask)
            reason = guard.refusal(one.classified)
            if reason is not None:
                self._refused(
                    waiting, one, errors.INSUFFICIENT_PRIVILEGE, f"masking refuses this statement: {reason}", outputs
                )
                return
            one.guarded = guard.touches(one.classified)
            self.touched |= one.guarded
        unlimitable = oblige(one, answer.obligations) if answer.obligations.limited else None
        if unlimitable is not None:
            self._refused(waiting, one, errors.PROGRAM_LIMIT, unlimitable, outputs)
        elif len(waiting.allowed) == len(waiting.running) and waiting.stale:
            self._refused(waiting, one, errors.INSUFFICIENT_PRIVILEGE, _STALE, outputs)
        elif len(waiting.allowed) == len(waiting.running) and waiting.held and self._means_otherwise(waiting):
            self._refused(waiting, one, errors.INSUFFICIENT_PRIVILEGE, _REDEFINED, outputs)
        elif len(waiting.allowed) == len(waiting.running):
            self.waiting = None
            outputs += [Vacate(place) for each in waiting.running for place in sorted(each.classified.frees)]
            waiting.release(outputs)

    def _means_otherwise(self, waiting: Waiting) -> bool:
        """Whether what people approved does something else by now: the catalog was read anew while they thought."""
        first, snapshot = waiting.running[0], self.snapshot
        if first.moment is None or first.moment.mark is snapshot.mark:
            return False
        state = self.names.meaning()
        try:
            found = snapshot.texts.classify(first.text, snapshot.catalog, state, facts(state))
        except OverBudgetError:
            return True
        return [one.effects for one in found] != [one.classified.effects for one in waiting.running]

    def _refused(self, waiting: Waiting, one: Running, code: str, reason: str, outputs: list[Output]) -> None:
        self.waiting = None
        for other in waiting.running:
            if other.number in waiting.allowed:
                told = reason if other is one else "not sent: another statement of the same query was refused"
                outputs.append(Refused(other.number, told))
            elif other is not one:
                outputs.append(Withdraw(other.number))
        message = reason if len(waiting.running) == 1 else f"{reason} (the whole query was not run)"
        self.deny(one.number, encode_error(code, f"blastwall: {message}"), outputs, extended=waiting.extended)


def _none() -> Classified | None:
    return None


def stated(
    text: str,
    classified: Classified,
    database: str,
    stage: Stage = Stage.EXECUTE,
    parameters: tuple[Parameter, ...] = (),
    *,
    in_transaction: bool = False,
    filters: frozenset[Column] | None = frozenset(),
) -> Statement:
    """Put a classified text, or its part, in the gate's words: offsets count from the part's own start."""
    start, end = classified.start, classified.end
    literals = classified.literals
    if start:
        literals = tuple(Literal(one.start - start, one.end - start, one.column, one.secret) for one in literals)
    return Statement(
        text=text[start:end],
        effects=classified.effects,
        operation=classified.operation,
        database=database,
        parameters=parameters,
        literals=literals,
        stage=stage,
        filtered=classified.filtered,
        in_transaction=in_transaction,
        doubt=classified.doubt,
        filters=filters,
        by_name=classified.executes is not None,
    )
