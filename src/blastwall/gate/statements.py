"""The statements of one admitted session: each is ruled on, recorded, and answered in that order.

number is   from               until
waiting     its ask            its answer is given, or it is withdrawn
holding     its HoldStarted    approved, refused, timeout, withdrawn or contained (a waiting number, too)
running     its Allow          Finished or Refused

What is repeated is `_asked` and then `_runs` (0 where there is none): what is said of `_waiting` and `_running` is so
of these, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import structlog

from blastwall import clocks
from blastwall.gate import wording
from blastwall.gate.binding import bind
from blastwall.gate.each import Awaiting, Carrier, Cutoff, EachMeter, Generation, Purse
from blastwall.gate.faults import described
from blastwall.gate.footing import Footing
from blastwall.gate.granted import Granted, remedied
from blastwall.gate.holds import APPROVED, CONTAINED, WITHDRAWN, Outcome, after_approval, declared, typed, wait
from blastwall.gate.journal import Journal
from blastwall.gate.login import Admitted
from blastwall.gate.ports import Asked, CredentialUnavailable, Hold, RecordingFailed, ResourceMeter
from blastwall.gate.shared import Facts, Shared
from blastwall.model.events import (
    BudgetSpent,
    Event,
    HoldEnded,
    HoldStarted,
    StatementAsked,
    StatementFinished,
    StatementLimited,
    StatementRefused,
    StatementRepeated,
    StatementRows,
    StatementRuled,
    StatementWithdrawn,
)
from blastwall.model.masks import MaskRules, ResultRecord
from blastwall.model.ruling import NONE, Decision, Ruling
from blastwall.model.statement import RedactedStatement, Stage, Statement, without_values
from blastwall.protocols.again import Again
from blastwall.protocols.contract import (
    Allow,
    Answer,
    AskWhole,
    Deny,
    Exceeded,
    Finished,
    Held,
    Refused,
    Repeat,
    Rows,
    Streamed,
    Unproven,
)
from blastwall.protocols.standing import Standing
from blastwall.wire.native import Flag, Real, Whole

Reply = Callable[[int, Answer], None]

_log = structlog.get_logger(__name__)
_MOST_RUNNING = 4096
"""So many allowed statements are remembered for their duration: a protocol may leave the prepared ones unfinished."""


@dataclass(frozen=True, slots=True)
class _Question:
    number: int
    statement: Statement
    reply: Reply


@dataclass(frozen=True, slots=True)
class _Waiting:
    question: _Question
    hold: Hold
    ruling: Ruling
    until: float
    """By the steady clock; the hold's own is the wall clock's, for people to read."""


class Answered(Standing):
    """An answer that stands, and what it depended on besides principal, resource and containment.

    `first` is the number of the statement whose record its repetitions refer to, in `part` of the recording. `shown`
    says that its like are recorded as they are.
    """

    __slots__ = ("allow", "first", "generation", "part", "runs", "shown", "statement")

    def __init__(  # noqa: PLR0917 - one for each
        self, first: int, statement: Statement, generation: int, part: int, mask: MaskRules, shown: bool
    ) -> None:
        self.first: Whole = first
        self.statement = statement
        self.generation: Whole = generation
        self.part: Whole = part
        self.shown: Flag = shown
        self.runs: Flag = statement.stage is Stage.EXECUTE
        self.allow = Allow(mask, standing=self)


class Statements(Awaiting):
    """Answers one session's statements."""

    def __init__(
        self,
        shared: Shared,
        facts: Facts,
        journal: Journal,
        meter: ResourceMeter,
        admitted: Admitted,
        *,
        footing: Footing | None = None,
    ) -> None:
        self._shared = shared
        self._facts = facts
        self._generation: Generation = shared.generation
        self._journal = journal
        self._meter = meter
        self._each: EachMeter = meter.each
        self._subject = admitted.subject
        self._principal = admitted.subject.principal
        self._containment = shared.containment
        self._cutoff: Cutoff = shared.containment.cutoff
        self._free: Whole = 0
        self._clock, self._steady = shared.clock, shared.steady
        self._by_wall: Flag = shared.clock is time.time
        self._granted: Granted = admitted.granted
        self._deadline = admitted.deadline
        self._over = admitted.over
        self._purse: Purse = shared.budgets.purse(admitted.subject.principal, facts.resource)
        self._streamed: dict[int, Streamed] = {}
        self._waiting: dict[int, float] = {}
        self._running: dict[int, float] = {}
        self._holds: dict[int, asyncio.Task[None]] = {}
        self._footing = footing
        self._refreshing: dict[int, tuple[asyncio.Task[None], StatementAsked]] = {}
        self._again: Again | None = None
        self._asked: Whole = 0
        self._asked_at: Real = 0.0
        self._runs: Whole = 0
        self._runs_since: Real = 0.0
        self._carrier: Carrier | None = None

    def limit(self, deadline: float | None, over: str) -> None:
        """Nothing is allowed from `deadline` on, by the steady clock; `over` is heard then."""
        self._deadline, self._over = deadline, over

    def ask(self, number: int, statement: Statement, reply: Reply) -> None:
        """Answer now where everything is at hand, else later."""
        now = self._shared.clock()
        self._waiting[number] = now
        try:
            redacted = self._shared.masking.redact(self._facts.resource, statement)
            asked = asked_event(number, statement, redacted, now)
            question = _Question(number, statement, reply)
            if self._containment.blind:
                self._later(asked, self._see_first(question, asked, redacted))
            else:
                self._answer_asked(question, asked, redacted)
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never allows
            _log.error("statement_failed", session=self._facts.session, number=number, fault=described(fault))
            self._break(number, reply)

    def _answer_asked(self, question: _Question, asked: StatementAsked, redacted: RedactedStatement) -> None:
        footing = self._footing
        if footing is None:
            self._judge(question, asked, redacted)
        elif footing.ended:
            self._refuse(question, asked, Unproven(wording.PROOF_OVER))
        elif footing.due:
            self._later(asked, self._judge_afresh(footing, question, asked, redacted))
        else:
            self._judge(question, asked, redacted)

    def _later(self, asked: StatementAsked, work: Coroutine[object, object, None]) -> None:
        """Answer when `work` has what it takes, unless it is withdrawn before."""
        task = asyncio.get_running_loop().create_task(work, name=f"what {asked.number} needs first")
        self._refreshing[asked.number] = (task, asked)

    async def _see_first(self, question: _Question, asked: StatementAsked, redacted: RedactedStatement) -> None:
        """Answer once it can be known who is contained: on a busy machine that may be late."""
        await self._containment.sight()
        self._go_on(question, lambda: self._answer_asked(question, asked, redacted))

    async def _judge_afresh(
        self, footing: Footing, question: _Question, asked: StatementAsked, redacted: RedactedStatement
    ) -> None:
        """Judge with the credential of now at hand: it may have been changed since the session got it."""
        unable = await self._refreshed(footing)
        await self._containment.sight()
        if unable is None:
            self._go_on(question, lambda: self._judge(question, asked, redacted))
        else:
            self._go_on(question, lambda: self._refuse(question, asked, Deny(unable, fault=True)))

    def _go_on(self, question: _Question, answer: Callable[[], None]) -> None:
        """Answer what had to wait, unless it was withdrawn meanwhile."""
        if self._refreshing.pop(question.number, None) is None:
            return
        try:
            answer()
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never allows
            _log.error("statement_failed", session=self._facts.session, number=question.number, fault=described(fault))
            self._break(question.number, question.reply)

    async def _refreshed_for(self, outcome: Outcome) -> str | None:
        """As `_refreshed`, where a hold ended well."""
        footing = self._footing
        if footing is None or not footing.due or outcome.name != APPROVED:
            return None
        return await self._refreshed(footing)

    async def _refreshed(self, footing: Footing) -> str | None:
        """Return why nothing can be sent, None where the credential of now is at hand."""
        try:
            await footing.refresh()
        except CredentialUnavailable as error:
            _log.warning("no_credential", session=self._facts.session, reason=str(error))
            return wording.NO_CREDENTIAL
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never allows
            _log.error("no_credential", session=self._facts.session, fault=described(fault))
            return wording.BROKEN
        return None

    def _judge(self, question: _Question, asked: StatementAsked, redacted: RedactedStatement) -> None:
        number, statement = question.number, question.statement
        ruling = self._throttled(statement) or self._rule(statement)
        self._meter.ruled(ruling.decision)
        if ruling.decision is Decision.HOLD:
            if statement.stage is Stage.EXECUTE:
                self._hold(question, asked, redacted, ruling)
                return
            ruling = replace(ruling, decision=Decision.ALLOW, reason="prepared only; execution waits for approval")
        elif ruling.decision is Decision.DENY and not ruling.retry and self._shared.watcher is not None:
            self._shared.watcher.denied(self._subject, self._facts.session, asked, ruling)
        stands = ruling.obligations == NONE and not statement.doubt and not ruling.grants
        self._answer(question, ruling, [asked, StatementRuled(asked.at, number, ruling)], stands=stands)

    def _refuse(self, question: _Question, asked: StatementAsked, answer: Deny | Unproven) -> None:
        """Refuse what policy is not asked about."""
        ruling = Ruling(Decision.DENY, answer.reason, version=self._shared.policy.version)
        self._meter.ruled(ruling.decision)
        ruled = StatementRuled(asked.at, question.number, ruling)
        refused = StatementRefused(asked.at, question.number, answer.reason)
        self._journal.write([asked, ruled, refused], partial(self._settle, question.number, question.reply, answer))

    def repeat(self, number: int, repeat: Repeat, reply: Reply) -> None:
        """Answer a statement whose answer may stand; where it does not, have it asked as a whole."""
        now = self._shared.clock()
        try:
            event = self._repeated(number, repeat, now)
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never allows
            _log.error("statement_failed", session=self._facts.session, number=number, fault=described(fault))
            event = None
        if event is None or not isinstance(repeat.standing, Answered):
            reply(number, AskWhole())
            return
        self._waiting[number] = now
        self._each.repeated(1)
        self._journal.write([event], partial(self._settle, number, reply, repeat.standing.allow))

    def _repeated(self, number: int, repeat: Repeat, now: float) -> StatementRepeated | None:
        """What is recorded of it; None where the answer does not stand, or it must wait."""
        standing = repeat.standing
        if not isinstance(standing, Answered) or not self._stands(standing) or not self._may_repeat():
            return None
        masking, resource, statement = self._shared.masking, self._facts.resource, standing.statement
        values = masking.redact_values(resource, statement.parameters, repeat.values) if repeat.values else ()
        text = None if repeat.like is None else masking.redact(resource, repeat.like).text
        return None if self._waits(statement) else StatementRepeated(now, number, standing.first, values, text)

    def _stands(self, standing: Answered) -> Flag:
        """Whether all is as it was. A part of the recording refers to itself only."""
        return standing.generation == self._generation.number and standing.part == self._journal.part_now()

    def _may_repeat(self) -> Flag:
        """Whether anything that was allowed may be sent again now."""
        return self._cut() is None and (self._footing is None or self._footing.stands)

    def carry_again(self, carrier: Carrier) -> None:
        """Have `carrier` send what `again` has recorded, once that is durable.

        Where it does not, or recording failed, it brings each number its answer.
        """
        self._carrier = carrier

    def again(self, again: Again) -> Flag:
        """Record what is repeated, where all the answers stand; the caller settles the recorder in this turn.

        False: nothing was recorded, so it must be asked for as a whole.
        """
        now: Real = self._time()
        try:
            if self._again is not None or self._carrier is None or not self._record_again(again, now):
                return False
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never allows
            _log.error("statement_failed", session=self._facts.session, fault=described(fault))
            return False
        return True

    def _time(self) -> Real:
        """When it is now, for the record of what is repeated."""
        return clocks.wall() if self._by_wall else self._clock()

    def _record_again(self, again: Again, now: Real) -> Flag:
        """Look at all that `repeat` looks at, and record; False where it must be asked for as a whole.

        What is here runs for nearly every statement of a busy session.
        """
        if not isinstance(again.standing, Answered) or not self._may_repeat():
            return False
        main: Answered = again.standing
        parse: Answered | None = again.parsing if isinstance(again.parsing, Answered) else None
        if not self._stands(main) or (again.parse and (parse is None or not self._stands(parse))):
            return False
        if main.shown and not again.opaque:
            values, text = cast("tuple[str | None, ...]", again.values), again.text
        else:
            values, text = self._redacted(again, main.statement)
        if main.runs and self._purse.ask() is not None:
            return False
        self._again = again
        self._asked, self._asked_at = again.number, now
        if parse is not None:
            self._waiting[again.parse] = now
            self._journal.repeated(now, again.parse, parse.first, (), None, None)
        self._each.repeated(1 if parse is None else 2)
        self._journal.repeated(now, again.number, main.first, values, text, self)
        return True

    def _redacted(self, again: Again, like: Statement) -> tuple[tuple[str | None, ...], str | None]:
        """The values and the text of what is repeated, as a recording may hold them."""
        masking, resource = self._shared.masking, self._facts.resource
        values = masking.redact_values(resource, like.parameters, again.values) if again.values else ()
        return values, masking.redact(resource, again.like()).text if again.like is not None else None

    def recorded(self, failure: RecordingFailed | None) -> None:
        """See `Awaiting`: what was repeated can be sent, or must be refused."""
        again: Again | None = self._again
        carrier: Carrier | None = self._carrier
        self._again = None
        if again is None or carrier is None:
            return
        if failure is not None:
            self._journal.fail(failure)
        waits, self._asked = self._asked == again.number, 0
        parse_at = self._waiting.pop(again.parse, None) if again.parse else None
        if failure is None:
            if waits:
                self._run_again(again.number)
            if parse_at is not None:
                self._run(again.parse, parse_at)
            if waits and (parse_at is not None or not again.parse) and carrier.send_granted():
                return
        if parse_at is not None:
            carrier.bring(again.parse, _told(again.parsing, failure))
        if waits:
            carrier.bring(again.number, _told(again.standing, failure))

    def _run(self, number: int, asked_at: float) -> None:
        """An allowed statement is timed from its ask on."""
        running = self._running
        running[number] = asked_at
        if len(running) > _MOST_RUNNING:
            del running[next(iter(running))]

    def _run_again(self, number: Whole) -> None:
        """As `_run`, of what is repeated: mostly no other runs, and then no dictionary is needed for it."""
        if self._runs:
            self._run(self._runs, self._runs_since)
        self._runs, self._runs_since = number, self._asked_at

    def _ran_since(self, number: Whole, now: Real) -> Real:
        """When a statement began that is over now; `now` where it does not run, or that is not known."""
        if number and number == self._runs:
            self._runs = 0
            return self._runs_since
        since: Real = self._running.pop(number, now)
        return since

    def _leave(self, number: Whole) -> Flag:
        """Neither wait for its answer nor for its end any more; whether either was waited for."""
        if number and number == self._asked:
            self._asked = 0
            return True
        if number and number == self._runs:
            self._runs = 0
            return True
        return self._waiting.pop(number, None) is not None or self._running.pop(number, None) is not None

    def _waits(self, statement: Statement) -> str | None:
        """Count a statement that is to run; where it is one too many, why it must wait."""
        return self._purse.ask() if statement.stage is Stage.EXECUTE else None

    def _throttled(self, statement: Statement) -> Ruling | None:
        """Count a statement; where it is one too many, the ruling against it."""
        wait = self._waits(statement)
        if wait is None:
            return None
        self._meter.throttled("statement")
        return Ruling(Decision.DENY, wait, version=self._shared.policy.version, retry=True)

    def _cut(self) -> str | None:
        """Why nothing is allowed now, whatever policy says: contained, a budget spent, the session's time over."""
        edition: Whole = self._cutoff.edition()
        if not edition or edition != self._free:
            cut = self._containment.against(self._principal, self._subject.resource)
            if cut is not None:
                return cut
            self._free = edition
        cut = self._purse.spent()
        if cut is None and self._deadline is not None and self._steady() >= self._deadline:
            return self._over
        return cut

    def _rule(self, statement: Statement) -> Ruling:
        shared, subject = self._shared, self._granted.subject()
        cut = self._cut()
        if cut is not None:
            return Ruling(Decision.DENY, cut, version=shared.policy.version)
        judged = shared.masking.judged(subject.principal, self._facts.resource, statement)
        ruling = remedied(shared, subject, shared.policy.rule(subject, judged))
        if statement.by_name and ruling.decision is Decision.HOLD and statement.stage is Stage.EXECUTE:
            return replace(ruling, decision=Decision.DENY, reason=wording.BY_NAME, obligations=NONE)
        return ruling

    def _answer(self, question: _Question, ruling: Ruling, events: list[Event], *, stands: bool = False) -> None:
        """Record what was ruled; once that is durable, answer. An answer that `stands` is good for its like."""
        answer: Answer
        if ruling.decision is Decision.ALLOW:
            if ruling.grants:
                self._granted.use(question.number, ruling.grants, runs=question.statement.stage is Stage.EXECUTE)
            mask = self._shared.masking.rules(self._subject.principal, self._facts.resource)
            record = self._record()
            upstream = None if self._footing is None else self._footing.changed
            if stands and record is None and upstream is None:
                generation, part = self._generation.number, self._journal.part_now()
                shown = self._shared.masking.shows(self._facts.resource, question.statement)
                like = without_values(question.statement)
                answer = Answered(question.number, like, generation, part, mask, shown).allow
            else:
                answer = Allow(mask, ruling.obligations, record=record, upstream=upstream)
        else:
            answer = Deny(wording.denied(ruling), ruling.retry)
            events.append(StatementRefused(self._shared.clock(), question.number, answer.reason))
        self._journal.write(events, partial(self._settle, question.number, question.reply, answer))

    def _record(self) -> ResultRecord | None:
        """What is recorded of results. An answer does not stand where anything is: each must say so anew."""
        resource = self._facts.resource
        results = resource.results
        if results is None:
            return None
        return ResultRecord(self._shared.masking.recorded(resource), results.rows, results.bytes)

    def _settle(self, number: int, reply: Reply, answer: Answer, failure: RecordingFailed | None) -> None:
        asked_at = self._waiting.pop(number, None)
        if failure is not None:
            self._journal.fail(failure)
            answer = Deny(wording.CANNOT_RECORD, fault=True)
        if asked_at is None:
            return
        if type(answer) is Allow:
            self._run(number, asked_at)
            if self._footing is not None and answer.upstream is not None:
                self._footing.held = answer.upstream
        reply(number, answer)

    def _break(self, number: int, reply: Reply) -> None:
        """Refuse a statement for a fault of the gateway's own, unless it has its answer."""
        if number in self._waiting:
            told = StatementRefused(self._shared.clock(), number, wording.BROKEN)
            self._journal.write([told], partial(self._settle, number, reply, Deny(wording.BROKEN, fault=True)))

    # ── holds ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hold(self, question: _Question, asked: StatementAsked, redacted: RedactedStatement, ruling: Ruling) -> None:
        hold = self._held(question, asked, redacted, ruling)
        needed = tuple(f"{approval.group}:{approval.count}" for approval in hold.approvals)
        ruled = StatementRuled(asked.at, question.number, ruling)
        started = HoldStarted(asked.at, question.number, hold.until, needed)
        until = self._shared.steady() + hold.until - asked.at
        waiting = _Waiting(question, hold, ruling, until)
        self._journal.write([asked, ruled, started], partial(self._begin_wait, waiting))

    def _held(self, question: _Question, asked: StatementAsked, redacted: RedactedStatement, ruling: Ruling) -> Hold:
        statement, times = question.statement, self._shared.hold.of(self._subject.principal)
        seconds = times.in_transaction if statement.in_transaction else times.timeout
        return Hold(
            session=self._facts.session,
            number=question.number,
            subject=self._subject,
            effects=statement.effects,
            text=redacted.text,
            parameters=typed(redacted.parameters, statement.parameters),
            approvals=ruling.obligations.approvals,
            until=asked.at + (times.lasts if times.fails else seconds),
            binding=bind(self._shared.binding_key, self._subject, statement),
            asked_at=asked.at,
            operation=statement.operation,
            in_transaction=statement.in_transaction,
            policies=ruling.policies,
            reason=ruling.reason,
            fails=times.fails,
            lasts=times.lasts,
        )

    def _begin_wait(self, waiting: _Waiting, failure: RecordingFailed | None) -> None:
        number, reply = waiting.question.number, waiting.question.reply
        if failure is not None:
            self._settle(number, reply, Deny(wording.CANNOT_RECORD, fault=True), failure)
        elif number in self._waiting:
            self._meter.held(+1)
            self._holds[number] = asyncio.get_running_loop().create_task(self._wait(waiting), name=f"hold {number}")

    async def _wait(self, waiting: _Waiting) -> None:
        number, hold = waiting.question.number, waiting.hold
        seconds = max(0.0, waiting.until - self._shared.steady())
        outcome = await wait(self._shared.approvals, hold, waiting.ruling, seconds, partial(self._tell, waiting))
        unable = await self._refreshed_for(outcome)
        await self._containment.sight()
        if self._holds.pop(number, None) is None:
            return  # withdrawn meanwhile, whatever the approvals made of that
        self._meter.held(-1)
        try:
            self._release(waiting, outcome, unable)
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never allows
            _log.error("hold_failed", session=self._facts.session, number=number, fault=described(fault))
            self._break(number, waiting.question.reply)

    def _tell(self, waiting: _Waiting, asked: Asked) -> None:
        """Tell the client that its statement waits, and where people decide."""
        if waiting.question.number in self._holds:
            waiting.question.reply(waiting.question.number, Held(wording.notice(waiting.ruling, asked)))

    def _release(self, waiting: _Waiting, outcome: Outcome, unable: str | None) -> None:
        """Rule again: between the ask and the approval policy, grants and containment may have changed."""
        question, now = waiting.question, self._shared.clock()
        cut = self._shared.containment.against(self._subject.principal, self._subject.resource)
        if cut is not None:
            outcome = Outcome(CONTAINED, outcome.by, outcome.reason, cut)
        events: list[Event] = [HoldEnded(now, question.number, outcome.name, outcome.by, outcome.reason)]
        if outcome.name == APPROVED and unable is not None:
            ruling = replace(waiting.ruling, decision=Decision.DENY, reason=unable, obligations=NONE, retry=True)
        elif outcome.name == APPROVED:
            again = self._rule(question.statement)
            ruling = after_approval(waiting.hold.approvals, outcome.by, again)
        else:
            ruling = replace(waiting.ruling, decision=Decision.DENY, reason=outcome.told)
        self._meter.ruled(ruling.decision)
        events.append(StatementRuled(now, question.number, ruling))
        self._answer(question, ruling, events)

    # ── what the session reports ─────────────────────────────────────────────────────────────────────────────────────

    def withdraw(self, number: int, *, contained: bool) -> None:
        """The client cancelled or left, or was cut off (`contained`): no answer is given any more."""
        self._granted.ran(number)
        if not self._leave(number):
            return
        self._note(self._withdrawal(number, CONTAINED if contained else WITHDRAWN))

    def _withdrawal(self, number: int, outcome: str) -> list[Event]:
        now, events = self._shared.clock(), list[Event]()
        refreshing = self._refreshing.pop(number, None)
        if refreshing is not None:
            task, asked = refreshing
            task.cancel()
            events.append(asked)
        hold = self._holds.pop(number, None)
        if hold is not None:
            hold.cancel()
            self._meter.held(-1)
            events.append(HoldEnded(now, number, outcome))
        return [*events, StatementWithdrawn(now, number)]

    def rows(self, rows: Rows) -> None:
        """Rows of the resource's answer are to be recorded."""
        self._note([StatementRows(self._shared.clock(), rows.number, rows.columns, rows.rows)])

    def finished(self, finished: Finished) -> None:
        """The resource's answer ended."""
        now = self._shared.clock()
        masked = sum(finished.masked.values()) if finished.masked else 0
        self._spend(finished.number, finished.rows, finished.affected or 0, masked, finished.bytes)
        seconds = now - self._ran_since(finished.number, now)
        if seconds < 0:
            seconds = 0.0
        self._granted.ran(finished.number)
        self._meter.finished(seconds, finished.masked)
        event = StatementFinished(
            now,
            finished.number,
            finished.rows,
            finished.affected,
            finished.bytes,
            seconds,
            finished.error,
            finished.masked,
            finished.status,
        )
        self._note([event])

    def answered(self, again: Again) -> None:
        """What was repeated has its plain answer: see `finished`, twice where a preparation came with it."""
        if again.finished is not None:
            self.finished(again.finished)
            return
        now: Real = self._time()
        if again.parse:
            self._end(again.parse, now, 0, -1, 0)
        self._end(again.number, now, again.rows, again.affected, again.size)

    def _end(self, number: Whole, now: Real, rows: Whole, affected: Whole, size: Whole) -> None:
        self._spend(number, rows, max(0, affected), 0, size)
        began: Real = self._ran_since(number, now)
        seconds: Real = now - began if now > began else 0.0
        self._granted.ran(number)
        self._each.took(seconds)
        self._journal.plain_end(now, number, rows, affected, size, seconds, self)

    def streamed(self, streamed: Streamed) -> None:
        """A part of the answer was sent."""
        self._spend(streamed.number, streamed.rows, 0, streamed.masked, streamed.bytes)
        self._streamed[streamed.number] = streamed
        if len(self._streamed) > _MOST_RUNNING:
            del self._streamed[next(iter(self._streamed))]

    def _spend(self, number: Whole, rows: Whole, affected: Whole, masked: Whole, size: Whole) -> None:
        """Charge what was sent since the last time."""
        before = self._streamed.pop(number, None) if self._streamed else None
        if before is not None:
            rows, masked, size = rows - before.rows, masked - before.masked, size - before.bytes
        told = self._purse.spend(rows, affected, masked, size)
        if told is not None:
            self._meter.throttled("budget")
            self._note([BudgetSpent(self._shared.clock(), told)])

    def exceeded(self, exceeded: Exceeded) -> None:
        """The statement went over a row limit."""
        self._meter.limited(exceeded.limit)
        event = StatementLimited(self._shared.clock(), exceeded.number, exceeded.limit, exceeded.most, exceeded.told)
        self._note([event])

    def refused(self, refused: Refused) -> None:
        """The session refused a statement that was allowed."""
        self._ran_since(refused.number, 0.0)
        self._granted.ran(refused.number)
        self._note([StatementRefused(self._shared.clock(), refused.number, refused.reason)])

    def close(self, contained: bool) -> None:
        """The session ended: withdraw what waits."""
        waiting = [*self._waiting, self._asked] if self._asked else [*self._waiting]
        self._waiting.clear()
        self._asked = self._runs = 0
        for number in waiting:
            self._journal.write(self._withdrawal(number, CONTAINED if contained else WITHDRAWN), _ignore)
        self._running.clear()

    def _note(self, events: list[Event]) -> None:
        self._journal.write(events, self._noted)

    def unrecorded(self, failure: RecordingFailed | None) -> None:
        """See `Awaiting`."""
        self._noted(failure)

    def _noted(self, failure: RecordingFailed | None) -> None:
        """What was sent cannot be recorded to its end: nothing more may happen in this session."""
        if failure is not None:
            self._journal.fail(failure)
            self._facts.end(wording.CANNOT_GO_ON)


def asked_event(number: int, statement: Statement, redacted: RedactedStatement, now: float) -> StatementAsked:
    """Return the event of an ask, as redacted."""
    return StatementAsked(
        at=now,
        number=number,
        stage=statement.stage,
        text=redacted.text,
        parameters=redacted.parameters,
        effects=statement.effects,
        operation=statement.operation,
        doubt=statement.doubt,
        declared=declared(statement.parameters),
    )


def _told(standing: Standing | None, failure: RecordingFailed | None) -> Answer:
    """What the session hears of a repetition that could not be sent at once."""
    allowed = standing.allow if failure is None and isinstance(standing, Answered) else None
    return allowed or Deny(wording.CANNOT_RECORD, fault=True)


def _ignore(failure: RecordingFailed | None) -> None:
    """Nothing depends on a record at the session's end: the head in the chain shows what is missing."""
