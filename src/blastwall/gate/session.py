"""One session's gate: its login, its statements, its end."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial

import structlog

from blastwall.gate import wording
from blastwall.gate.each import Carrier
from blastwall.gate.faults import described
from blastwall.gate.footing import Footing
from blastwall.gate.granted import Granted
from blastwall.gate.journal import Journal
from blastwall.gate.login import (
    Admitted,
    Refused,
    SlotHolder,
    check_containment,
    log_in,
    prove,
    record_of,
    rule_connect,
)
from blastwall.gate.ports import CredentialUnavailable, LiveSession, RecordingFailed, ResourceMeter
from blastwall.gate.shared import Facts, Shared, Timer
from blastwall.gate.statements import Reply, Statements, asked_event
from blastwall.model.events import LoginRefused, SessionClosed, StatementInjected, StatementRefused
from blastwall.model.statement import Statement
from blastwall.protocols import contract
from blastwall.protocols.again import Again
from blastwall.protocols.contract import (
    Admit,
    Answer,
    Ask,
    Deny,
    Exceeded,
    Finished,
    Injected,
    Login,
    Proof,
    Renewal,
    Repeat,
    Rows,
    Stranger,
    Streamed,
    Withdraw,
)
from blastwall.wire.native import Flag

_log = structlog.get_logger(__name__)
_STRIDE = 60.0
"""A deadline is looked at this often, in seconds: timers stand still while the machine sleeps."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who may have a connection that was parked: the principal, by the credential (its hash) that opened it."""

    principal: tuple[str, ...]
    credential: bytes = field(repr=False)


class SessionGate:
    """What the relay asks on behalf of one session. No method blocks; none raises."""

    def __init__(
        self,
        shared: Shared,
        facts: Facts,
        journal: Journal,
        meter: ResourceMeter,
        forget: Callable[[str], None],
    ) -> None:
        self._shared = shared
        self._facts = facts
        self._journal = journal
        self._meter = meter
        self._forget = forget
        self._slot = SlotHolder(shared)
        self._answering: dict[int, asyncio.Task[Answer]] = {}
        self._tried = self._broken_off = False
        self._admitted: Admitted | None = None
        self._footing: Footing | None = None
        self._statements: Statements | None = None
        self._granted: Granted | None = None
        self._timer: Timer | None = None
        self._contained = False
        self._closed = False

    @property
    def session(self) -> str:
        """The session's id."""
        return self._facts.session

    @property
    def caller(self) -> Hashable:
        """Who asks: what its sessions share, and no other agent's; a stranger is a caller by itself."""
        return self._facts.session if self._admitted is None else self._admitted.subject.principal.key

    @property
    def deadline(self) -> float | None:
        """When the session must end, by the steady clock; None before the login and where nothing limits it."""
        return None if self._admitted is None else self._admitted.deadline

    @property
    def keeper(self) -> Keeper | None:
        """Who may have this session's upstream connection after it; None before the login."""
        admitted = self._admitted
        if admitted is None:
            return None
        principal = admitted.subject.principal
        credential = admitted.credential if self._footing is None else self._footing.held
        text = b"\0".join((credential.user.encode(), b"token" if credential.token else b"", credential.secret))
        return Keeper(principal.key, hmac.digest(self._shared.binding_key, text, "sha256"))

    def keep(self, end: Callable[[str], None]) -> Callable[[], None]:
        """Have `end` called once this session's principal or resource is contained, also after the session.

        Returns what ends that. Raises RuntimeError before the login.
        """
        if self._admitted is None:
            raise RuntimeError("nobody is logged in")
        name = f"{self.session} (warm)"
        self._shared.containment.watch(
            LiveSession(name, self._facts.resource, self._admitted.subject.principal, None, end)
        )
        return partial(self._shared.containment.unwatch, name)

    def ask(self, ask: Ask, reply: Callable[[int, Answer], None]) -> None:
        """Answer a question by `reply`, now where everything is at hand, else later; not at all once withdrawn."""
        question = ask.question
        if isinstance(question, Repeat):
            if self._statements is not None and not self._closed:
                self._statements.repeat(ask.number, question, reply)
        elif isinstance(question, Login):
            self._ask_login(ask.number, question, reply)
        elif isinstance(question, Proof | Renewal):
            self._ask_further(ask.number, question, reply)
        elif self._closed:
            return
        elif self._statements is not None:
            self._statements.ask(ask.number, question, reply)
        else:
            self._refuse_stranger(ask.number, question, reply)

    def carry_again(self, carrier: Carrier) -> None:
        """See `Statements.carry_again`; once somebody is logged in."""
        if self._statements is not None:
            self._statements.carry_again(carrier)

    def again(self, again: Again) -> Flag:
        """See `Statements.again`."""
        return self._statements is not None and not self._closed and self._statements.again(again)

    def answered(self, again: Again) -> None:
        """See `Statements.answered`."""
        if self._statements is not None and not self._closed:
            self._statements.answered(again)

    def _refuse_stranger(self, number: int, statement: Statement, reply: Reply) -> None:
        try:
            redacted = self._shared.masking.redact(self._facts.resource, statement)
            now = self._shared.clock()
            asked = asked_event(number, statement, redacted, now)
            refused = StatementRefused(now, number, wording.NOT_LOGGED_IN)
            self._journal.write([asked, refused], self._count_failure)
        except Exception as fault:  # noqa: BLE001 - the refusal stands, whatever recording it meets
            _log.error("statement_failed", session=self.session, number=number, fault=described(fault))
        reply(number, Deny(wording.NOT_LOGGED_IN))

    # ── the login ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask_login(self, number: int, login: Login, reply: Reply) -> None:
        if self._closed:
            return
        if self._tried and not self._may_try_again:
            refused = LoginRefused(self._shared.clock(), "a second login in one session", wording.LOGGED_IN_ALREADY)
            self._journal.write([refused], self._count_failure)
            reply(number, Deny(wording.LOGGED_IN_ALREADY))
            return
        self._tried = True
        self._work_out(number, self._whatever_comes(partial(self._admit, login)), reply)

    @property
    def _may_try_again(self) -> bool:
        """Whether another login may be tried: where each request proves itself, the next one may do better.

        Not after one that was broken off: its record may name whom it was about to admit.
        """
        waits = bool(self._answering) or self._broken_off
        return self._facts.proves_each and self._admitted is None and not waits

    def _ask_further(self, number: int, question: Proof | Renewal, reply: Reply) -> None:
        """Another proof, or another credential, where each request proves itself."""
        admitted, footing = self._admitted, self._footing
        if self._closed:
            return
        if admitted is None:
            reply(number, Deny(wording.NOT_LOGGED_IN))
        elif footing is None:
            reply(number, Deny(wording.PROVEN_ONCE))
        elif isinstance(question, Proof):
            self._work_out(number, self._whatever_comes(partial(self._prove, admitted, footing, question.proof)), reply)
        else:
            self._work_out(number, self._renew(admitted, footing, question.claims), reply)

    def _work_out(self, number: int, work: Coroutine[None, None, Answer], reply: Reply) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"answer {number} of {self.session}")
        self._answering[number] = task
        task.add_done_callback(partial(self._worked_out, number, reply))

    def _worked_out(self, number: int, reply: Reply, task: asyncio.Task[Answer]) -> None:
        self._answering.pop(number, None)
        if task.cancelled() or self._closed:
            return
        answer = task.result()
        if isinstance(answer, Admit) and self._footing is not None:
            self._footing.held = answer.upstream
        reply(number, answer)

    async def _whatever_comes(self, admission: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer of a login or another proof, whatever happens."""
        try:
            answer = await admission()
        except Refused as refused:
            answer = await self._refuse(refused)
        except RecordingFailed:
            answer = Deny(wording.CANNOT_RECORD, fault=True)
        except Exception as fault:  # noqa: BLE001 - a fault closes, it never admits
            _log.error("login_failed", session=self.session, fault=described(fault))
            answer = await self._refuse(
                Refused("a fault of the gateway's own, see the log", wording.BROKEN, fault=True)
            )
        if not isinstance(answer, Stranger):
            self._meter.login("admitted" if isinstance(answer, Admit) else "refused")
        return answer

    async def _admit(self, login: Login) -> Answer:
        try:
            admitted = await log_in(self._shared, self._facts, self._journal, self._slot, login)
            self._granted = admitted.granted
            await self._stand(admitted)
        except BaseException:
            self._slot.release()
            raise
        if self._facts.proves_each:
            self._footing = Footing(self._shared, admitted)
        self._statements = Statements(
            self._shared, self._facts, self._journal, self._meter, admitted, footing=self._footing
        )
        self._keep_time()
        name = admitted.subject.principal.name
        _log.info("login_admitted", session=self.session, resource=self._facts.resource.name, principal=name)
        return Admit(admitted.credential, admitted.label)

    async def _stand(self, admitted: Admitted) -> None:
        """Watch whom it is that was admitted, look once more, and record it."""
        self._watch(admitted)
        await self._shared.containment.sight()
        check_containment(self._shared, admitted.subject, admitted.identified)
        ruling = rule_connect(self._shared, admitted.subject)
        admitted.granted.login = ruling.grants
        await self._journal.written([record_of(admitted, ruling, self._shared.clock())])
        self._admitted = admitted

    def _watch(self, admitted: Admitted) -> None:
        principal, pass_id = admitted.subject.principal, admitted.identified.pass_id
        self._shared.containment.watch(
            LiveSession(self.session, self._facts.resource, principal, pass_id, self._contain)
        )

    async def _prove(self, admitted: Admitted, footing: Footing, proof: bytes) -> Answer:
        proven = await prove(self._shared, self._facts, admitted, proof)
        if proven is None:
            return Stranger()
        try:
            await self._stand(proven)
        except BaseException:
            if not self._closed:
                self._watch(admitted)  # it stands on the proof before: on that one's pass, above all
            raise
        footing.stand_on(proven)
        if self._statements is not None:
            self._statements.limit(proven.deadline, proven.over)
        if self._timer is not None:
            self._timer.cancel()
        self._keep_time()
        _log.info("proof_accepted", session=self.session, resource=self._facts.resource.name)
        return Admit(footing.credential, proven.label)

    async def _renew(self, admitted: Admitted, footing: Footing, claims: str) -> Answer:
        where = {"session": self.session, "resource": self._facts.resource.name}
        try:
            await footing.renew(claims)
        except CredentialUnavailable as error:
            _log.warning("credential_not_renewed", reason=str(error), **where)
            return Deny(wording.NO_CREDENTIAL, fault=True)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the session goes on with what it has
            _log.error("credential_not_renewed", fault=described(fault), **where)
            return Deny(wording.BROKEN, fault=True)
        _log.info("credential_renewed", **where)
        return Admit(footing.credential, admitted.label)

    async def _refuse(self, refused: Refused) -> Answer:
        reason = str(refused)
        if refused.retry:
            self._meter.throttled("login")
        _log.info(
            "login_refused",
            session=self.session,
            resource=self._facts.resource.name,
            source=str(self._facts.source),
            principal=refused.principal,
            reason=reason,
        )
        event = LoginRefused(self._shared.clock(), reason, refused.told, refused.principal)
        try:
            await self._journal.written([event])
        except RecordingFailed:
            return Deny(wording.CANNOT_RECORD, fault=True)
        return Deny(refused.told, refused.retry, refused.fault)

    # ── what the session reports ─────────────────────────────────────────────────────────────────────────────────────

    def withdraw(self, withdraw: Withdraw) -> None:
        """The client cancelled or left before the answer."""
        answering = self._answering.get(withdraw.number)
        if answering is not None:
            answering.cancel()
            self._broken_off = self._broken_off or self._admitted is None
        elif self._statements is not None:
            self._statements.withdraw(withdraw.number, contained=self._contained)

    def rows(self, rows: Rows) -> None:
        """The session gives rows of an answer, for the record."""
        if self._statements is not None and not self._closed:
            self._statements.rows(rows)

    def finished(self, finished: Finished) -> None:
        """The resource's answer to a statement ended."""
        if self._statements is not None and not self._closed:
            self._statements.finished(finished)

    def refused(self, refused: contract.Refused) -> None:
        """The session refused a statement that was allowed."""
        if self._statements is not None and not self._closed:
            self._statements.refused(refused)

    def streamed(self, streamed: Streamed) -> None:
        """A part of a statement's answer was sent."""
        if self._statements is not None and not self._closed:
            self._statements.streamed(streamed)

    def exceeded(self, exceeded: Exceeded) -> None:
        """A statement went over a row limit, and is undone."""
        if self._statements is not None and not self._closed:
            self._statements.exceeded(exceeded)

    def injected(self, injected: Injected) -> None:
        """The session sends a statement of the gateway's own."""
        if not self._closed:
            event = StatementInjected(self._shared.clock(), injected.number, injected.text, injected.why)
            self._journal.write([event], self._end_unrecorded)

    def reconsider(self) -> None:
        """Policy changed."""
        if self._facts.reconsider is not None and not self._closed:
            self._facts.reconsider()

    def grants_changed(self) -> None:
        """Grants were opened or have ended, of whomever: what rested on an ended one ends."""
        granted = self._granted
        if granted is None or self._closed:
            return
        if granted.outlived() or not granted.may_stay():
            self._facts.end(wording.GRANT_OVER)
        elif granted.changed():
            self.reconsider()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def closed(self, reason: str) -> None:
        """The session ended; nothing is answered after it. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for answering in self._answering.values():
            answering.cancel()
        self._shared.containment.unwatch(self.session)
        self._slot.release()
        if self._statements is not None:
            self._statements.close(self._contained)
        self._journal.write([SessionClosed(self._shared.clock(), reason)], self._count_failure)
        self._journal.close()
        self._meter.closed()
        self._forget(self.session)

    def _contain(self, reason: str) -> None:
        self._contained = True
        self._facts.end(reason)

    def _keep_time(self) -> None:
        """Look at the deadline again by its time, and every now and then before."""
        admitted = self._admitted
        if admitted is None or admitted.deadline is None or self._closed:
            return
        left = admitted.deadline - self._shared.steady()
        if left <= 0:
            self._facts.end(admitted.over)
        else:
            self._timer = self._shared.later(min(left, _STRIDE), self._keep_time)

    def _end_unrecorded(self, failure: RecordingFailed | None) -> None:
        if failure is not None:
            self._journal.fail(failure)
            self._facts.end(wording.CANNOT_GO_ON)

    def _count_failure(self, failure: RecordingFailed | None) -> None:
        if failure is not None:
            self._journal.fail(failure)
