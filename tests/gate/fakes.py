"""The gate's ports, as plain objects that a test sets and looks into."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from blastwall.gate import Gate, HoldTimes
from blastwall.gate.each import Awaiting, Carrier, Cutoff, EachMeter, Purse, QuickRecord
from blastwall.gate.ports import (
    Asked,
    Hold,
    Identified,
    IPAddress,
    LiveSession,
    RecordingFailed,
    Refusal,
    Subject,
    Verdict,
)
from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import Event, StatementFinished, StatementRepeated
from blastwall.model.grant import OpenGrant
from blastwall.model.masks import NO_MASKS, MaskRules
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval, Decision, Obligations, Ruling
from blastwall.model.statement import Parameter, RedactedStatement, Stage, Statement
from blastwall.protocols.contract import Answer, Ask, Login, Proof, Renewal, Repeat

SOURCE = ip_address("10.1.2.3")
ALLOW = Ruling(Decision.ALLOW, policies=("reads",), version="v1")
DENY = Ruling(Decision.DENY, "no deletes here", ("no-deletes",), "v1")
HOLD = Ruling(Decision.HOLD, "deletes wait", ("ask",), "v1", Obligations((Approval("dba", 1),)))


def an_agent(name: str = "shop-ci") -> Principal:
    return Principal(PrincipalKind.AGENT, name, "github", "repo:shop", frozenset({"ci"}), {"repository_id": "123"})


def a_resource(name: str = "toy-prod", upstream: Address | None = None) -> Resource:
    return Resource(name, "toy", upstream or Address("127.0.0.1", 1), ("shop",))


def a_login(proof: bytes = b"good", user: str = "ci", target: str = "shop") -> Login:
    return Login(user, proof, target, "toyctl")


def a_statement(
    text: str = "delete orders", *, stage: Stage = Stage.EXECUTE, in_transaction: bool = False
) -> Statement:
    effect = Effect(Action.DELETE, Object(("shop", "public", "orders"), "table"))
    return Statement(text, (effect,), "DELETE", "shop", stage=stage, in_transaction=in_transaction)


@dataclass
class FakeIdentity:
    """Knows the proof `good`, and `others`; `wait` keeps everybody waiting."""

    identified: Identified = field(default_factory=lambda: Identified(an_agent(), "token"))
    wait: asyncio.Event | None = None
    others: dict[bytes, Identified] = field(default_factory=dict)

    async def identify(self, proof: bytes, resource: Resource, source: IPAddress) -> Identified:
        if self.wait is not None:
            await self.wait.wait()
        if proof in self.others:
            return self.others[proof]
        if proof != b"good":
            raise Refusal("signature does not verify under key 7", "the token does not verify")
        return self.identified


@dataclass
class FakePolicy:
    """Rules by the statement's first word."""

    rulings: dict[str, Ruling] = field(default_factory=dict)
    connect: Ruling = ALLOW
    version: str = "v1"
    asked: list[str] = field(default_factory=list)

    def rule(self, subject: Subject, statement: Statement) -> Ruling:
        self.asked.append(statement.text)
        return self.rulings.get(statement.text.split(" ")[0], ALLOW)

    def rule_connect(self, subject: Subject) -> Ruling:
        return self.connect


@dataclass
class FakeVault:
    """Gives `secret`; with `wait` only once that is set. `renewed` has the claims that were asked for."""

    secret: bytes = b"upstream-secret"
    error: Exception | None = None
    wait: asyncio.Event | None = None
    asked: int = 0
    renewed: list[str] = field(default_factory=list)

    async def credential(self, resource: Resource, principal: Principal | None) -> Credential:
        self.asked += 1
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error
        return Credential("app", self.secret)

    async def renew(self, resource: Resource, principal: Principal, claims: str) -> Credential:
        self.renewed.append(claims)
        if self.error is not None:
            raise self.error
        self.secret += b"+"
        return Credential("app", self.secret)


@dataclass
class FakeApprovals:
    """Decides when the test says so."""

    holds: list[Hold] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    error: Exception | None = None
    link: str = ""
    _verdicts: dict[int, asyncio.Future[Verdict]] = field(default_factory=dict)

    async def decide(self, hold: Hold, waits: Callable[[Asked], None]) -> Verdict:
        self.holds.append(hold)
        if self.error is not None:
            raise self.error
        if not hold.fails:
            waits(Asked(f"r{hold.number}", self.link, hold.until))
        verdict = self._verdicts[hold.number] = asyncio.get_running_loop().create_future()
        try:
            decided: Verdict = await verdict
            return decided
        except asyncio.CancelledError:
            self.withdrawn.append(hold.number)
            raise

    def say(self, number: int, verdict: Verdict) -> None:
        self._verdicts[number].set_result(verdict)


@dataclass
class FakeMasking:
    masks: MaskRules = NO_MASKS
    error: Exception | None = None

    def rules(self, principal: Principal, resource: Resource) -> MaskRules:
        return self.masks

    def recorded(self, resource: Resource) -> MaskRules:
        return self.masks

    def judged(self, principal: Principal, resource: Resource, statement: Statement) -> Statement:
        return statement

    def redact(self, resource: Resource, statement: Statement) -> RedactedStatement:
        if self.error is not None:
            raise self.error
        return RedactedStatement(statement.text.replace("hunter2", "***"), ())

    def shows(self, resource: Resource, statement: Statement) -> bool:
        return False

    def redact_values(
        self, resource: Resource, parameters: tuple[Parameter, ...], values: tuple[str | bytes | None, ...]
    ) -> tuple[str | None, ...]:
        if self.error is not None:
            raise self.error
        return tuple(str(value).replace("hunter2", "***") for value in values)


@dataclass
class FakeBudgets(Purse):
    """Lets everybody spend; a test sets what is refused, and reads what was spent."""

    no_login: str | None = None
    no_statement: str | None = None
    over: str | None = None
    told: str | None = None
    others: int = 0
    asked: int = 0
    amounts: list[tuple[int, int, int, int]] = field(default_factory=list)

    def login(self, principal: Principal) -> str | None:
        return self.no_login

    def elsewhere(self, principal: Principal) -> int:
        return self.others

    def purse(self, principal: Principal, resource: Resource) -> FakeBudgets:
        return self

    def ask(self) -> str | None:
        self.asked += 1
        return self.no_statement

    def spent(self) -> str | None:
        return self.over

    def spend(self, rows_read: int, rows_changed: int, masked_cells: int, bytes_out: int) -> str | None:
        self.amounts.append((rows_read, rows_changed, masked_cells, bytes_out))
        return self.told


@dataclass
class FakeContainment:
    reason: str | None = None
    worthless: str | None = None
    live: dict[str, LiveSession] = field(default_factory=dict)
    seen: asyncio.Event | None = None
    """Set once the state is read again; until then nobody can be known to be free."""

    @property
    def blind(self) -> bool:
        return self.seen is not None and not self.seen.is_set()

    async def sight(self) -> None:
        if self.seen is not None:
            await self.seen.wait()

    @property
    def cutoff(self) -> Cutoff:
        return Cutoff()

    def against(self, principal: Principal, resource: Resource | None = None) -> str | None:
        return "nobody can know" if self.blind else self.reason

    def spoiled(self, principal: Principal, issued: float) -> str | None:
        return self.worthless

    def watch(self, live: LiveSession) -> None:
        self.live[live.session] = live

    def unwatch(self, session: str) -> None:
        self.live.pop(session, None)


@dataclass
class FakeGrants:
    """Everybody's grants: those in `held` that have not ended."""

    now: Callable[[], float]
    held: tuple[OpenGrant, ...] = ()
    uses: list[str] = field(default_factory=list)

    def open(self, subject: Subject) -> tuple[OpenGrant, ...]:
        return tuple(each for each in self.held if each.ends > self.now())

    def used(self, grants: tuple[str, ...]) -> None:
        self.uses += grants

    def remedy(self, subject: Subject, actions: tuple[str, ...]) -> str:
        return f"ask for {', '.join(actions)} at https://gateway"


class FakeCarrier(Carrier):
    """Sends at once, as `sends` says, which is called each time; what it brought is in `brought`."""

    def __init__(self, sends: Callable[[], bool] = lambda: True) -> None:
        self._sends = sends
        self.brought: list[tuple[int, Answer]] = []

    def send_granted(self) -> bool:
        return self._sends()

    def bring(self, number: int, answer: Answer) -> None:
        self.brought.append((number, answer))


class FakeRecord(QuickRecord):
    def __init__(self, recorder: FakeRecorder) -> None:
        self._recorder = recorder
        self.events: list[Event] = []
        self.closed = 0

    @property
    def quick(self) -> QuickRecord:
        return self

    def part_now(self) -> int:
        return 1

    def write(self, events: Sequence[Event], durable: Callable[[RecordingFailed | None], None]) -> None:
        recorder = self._recorder
        if recorder.error is not None:
            raise recorder.error
        if recorder.failing:
            durable(RecordingFailed("the disk is full"))
            return
        self.events += events
        if recorder.slow:
            failure = RecordingFailed("the disk went away") if recorder.late_failures else None
            recorder.pending.append(lambda: durable(failure))
        else:
            durable(None)

    def repeated(
        self,
        at: float,
        number: int,
        first: int,
        values: tuple[str | None, ...],
        text: str | None,
        awaiting: Awaiting | None,
    ) -> None:
        durable = awaiting.recorded if awaiting is not None else (lambda _failure: None)
        self.write([StatementRepeated(at, number, first, values, text)], durable)

    def plain_end(
        self,
        at: float,
        number: int,
        rows: int,
        affected: int,
        size: int,
        seconds: float,
        awaiting: Awaiting,
    ) -> None:
        event = StatementFinished(at, number, rows, affected if affected >= 0 else None, size, seconds, None, {})
        self.write([event], lambda failure: None if failure is None else awaiting.unrecorded(failure))

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeRecorder:
    """With `slow` nothing is durable before `settle`; with `failing` nothing can be written."""

    slow: bool = False
    failing: bool = False
    late_failures: bool = False
    refusing: bool = False
    error: Exception | None = None
    records: dict[str, FakeRecord] = field(default_factory=dict)
    pending: list[Callable[[], None]] = field(default_factory=list)

    def open(self, session: str) -> FakeRecord:
        if self.refusing:
            raise RecordingFailed("the disk is full")
        return self.records.setdefault(session, FakeRecord(self))

    def write_awaited(self) -> None:
        """Nothing waits for it."""

    def settle(self) -> None:
        pending, self.pending = self.pending, []
        for durable in pending:
            durable()


@dataclass
class FakeMeter(EachMeter):
    """One meter for every resource."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def each(self) -> EachMeter:
        return self

    def of(self, resource: str) -> FakeMeter:
        return self

    def opened(self) -> None:
        self.counts["open"] += 1

    def closed(self) -> None:
        self.counts["open"] -= 1

    def login(self, outcome: str) -> None:
        self.counts[outcome] += 1

    def ruled(self, decision: Decision) -> None:
        self.counts[decision] += 1

    def repeated(self, count: int) -> None:
        self.counts[Decision.ALLOW] += count

    def held(self, change: int) -> None:
        self.counts["held"] += change

    def finished(self, seconds: float, masked: Mapping[str, int]) -> None:
        self.counts["finished"] += 1

    def took(self, seconds: float) -> None:
        self.counts["finished"] += 1

    def limited(self, limit: str) -> None:
        self.counts["limited " + limit] += 1

    def throttled(self, what: str) -> None:
        self.counts["throttled " + what] += 1

    def recording_failed(self) -> None:
        self.counts["recording failed"] += 1

    def received(self, from_client: bool, count: int) -> None:
        self.counts["client bytes" if from_client else "resource bytes"] += count

    def parked(self, change: int) -> None:
        """Connections are the relay's."""

    def adopted(self) -> None:
        """Connections are the relay's."""

    def dial_failed(self) -> None:
        self.counts["dial failed"] += 1


class World:
    """A gate with all its ports faked, and clocks that the test moves: `jump` is by how much the wall clock was set."""

    def __init__(self, hold: HoldTimes | None = None, policy: FakePolicy | None = None) -> None:
        self.identity = FakeIdentity()
        self.policy = policy or FakePolicy({"delete": DENY, "hold": HOLD})
        self.vault = FakeVault()
        self.approvals = FakeApprovals()
        self.masking = FakeMasking()
        self.containment = FakeContainment()
        self.recorder = FakeRecorder()
        self.budgets = FakeBudgets()
        self.meter = FakeMeter()
        self.grants = FakeGrants(lambda: self.now)
        self.now = 1000.0
        self.jump = 0.0
        self.gate = Gate(
            self.identity,
            self.policy,
            self.vault,
            self.approvals,
            self.masking,
            self.containment,
            self.recorder,
            self.budgets,
            hold=hold or HoldTimes(60, 30),
            clock=lambda: self.now + self.jump,
            steady=lambda: self.now,
            binding_key=b"k" * 32,
            meter=self.meter,
            grants=self.grants,
        )

    def open(self, session: str = "s1", resource: Resource | None = None, *, proves_each: bool = False) -> Conversation:
        return Conversation(self, session, resource or a_resource(), proves_each=proves_each)

    async def logged_in(self, session: str = "s1", *, proves_each: bool = False) -> Conversation:
        talk = self.open(session, proves_each=proves_each)
        await talk.log_in()
        return talk


class Conversation:
    """One session, as its pump sees it."""

    def __init__(self, world: World, session: str, resource: Resource, *, proves_each: bool = False) -> None:
        self.world = world
        self.ended: list[str] = []
        self.reconsidered = 0
        self.answers: dict[int, list[Answer]] = {}
        self.gate = world.gate.open(
            session, resource, SOURCE, self.ended.append, self._reconsider, proves_each=proves_each
        )
        self.record = world.recorder.records.get(session) or FakeRecord(world.recorder)

    def _reconsider(self) -> None:
        self.reconsidered += 1

    def _reply(self, number: int, answer: Answer) -> None:
        self.answers.setdefault(number, []).append(answer)

    def ask(self, number: int, question: Login | Proof | Renewal | Repeat | Statement) -> list[Answer]:
        self.gate.ask(Ask(number, question), self._reply)
        return self.of(number)

    def of(self, number: int) -> list[Answer]:
        return self.answers.get(number, [])

    async def log_in(self, login: Login | None = None, number: int = 1) -> Answer:
        return await self.answered(number, login or a_login())

    async def answered(self, number: int, question: Login | Proof | Renewal | Repeat | Statement) -> Answer:
        """Ask, and return the one answer that comes when everything has happened that can happen now."""
        self.ask(number, question)
        await settle()
        (answer,) = self.of(number)
        return answer

    def kinds(self) -> list[str]:
        """What was recorded, by name."""
        return [type(event).__name__ for event in self.record.events]


async def settle() -> None:
    """Let everything happen that can happen now."""
    for _ in range(12):
        await asyncio.sleep(0)
