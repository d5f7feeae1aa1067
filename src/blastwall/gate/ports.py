"""What the gate needs of others. Each port is implemented in a folder of its own; `app.py` joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from blastwall.gate.each import Cutoff, EachMeter, Purse, QuickRecord
from blastwall.model.credential import Credential
from blastwall.model.effects import Effect
from blastwall.model.events import Event, StatementAsked
from blastwall.model.grant import OpenGrant
from blastwall.model.masks import MaskRules
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.model.ruling import Approval, Decision, Ruling
from blastwall.model.statement import Parameter, RedactedStatement, Statement

IPAddress = IPv4Address | IPv6Address


class Refusal(Exception):
    """A login cannot be admitted.

    `told` is what the client hears: enough for an honest agent's owner to act on, nothing that helps a thief. The
    exception's own text is the operator's version, for log and recording.
    """

    def __init__(self, reason: str, told: str) -> None:
        super().__init__(reason)
        self.told = told


class RecordingFailed(Exception):
    """The recording cannot be written: the statement must not be sent."""


class CredentialUnavailable(Exception):
    """The vault has no credential for this resource and principal now; the text names the source, never the value."""


# ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Identified:
    """A proof that held.

    `good_for` is in how many seconds the proof itself ends: a token's `exp`, with its issuer's skew, or a pass's end.
    Where each request proves itself one without an end counts for nothing.
    `lasts` is in how many seconds the session must end with its proof (a pass's end; None for a token, which opens
    sessions and ends none); `session_max` is in seconds, `max_sessions` how many the agent may have open at once; None
    where it has no limit.
    With `outlived`, what runs or waits when the proof ends may go on where each request proves itself.
    `proof` says what was shown, for the record: "token", "pass" or "gateway_token"; `pass_id` is the public handle of
    the latter two (never the secret), by which they can be revoked. `issued` is when the proof was made, in epoch
    seconds: a token's `iat`, when its pass was given, or the age of what its gateway token was given for.
    """

    principal: Principal
    proof: str
    lasts: float | None = None
    session_max: float | None = None
    pass_id: str | None = None
    max_sessions: int | None = None
    issued: float = 0.0
    good_for: float | None = None
    outlived: bool = False


class Identity(Protocol):
    """Who is asking."""

    async def identify(self, proof: bytes, resource: Resource, source: IPAddress) -> Identified:
        """Verify a token or pass shown for `resource` from `source`.

        Raises:
            Refusal: it does not hold, matches no agent or several, comes from outside the agent's networks, or is a
                pass for another resource.
        """


# ── policy ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything that a ruling depends on besides the statement; `granted` are the principal's grants that are open."""

    principal: Principal
    resource: Resource
    database: str
    source: IPAddress
    plane: str = "data"
    granted: tuple[OpenGrant, ...] = ()


class Policy(Protocol):
    """What is permitted. Rulings are cached inside, keyed by everything that they read."""

    @property
    def version(self) -> str:
        """A digest of policies, packs and annotations in force."""

    def rule(self, subject: Subject, statement: Statement) -> Ruling:
        """Judge each effect and return the most restrictive ruling; an evaluation error is DENY. Never raises."""

    def rule_connect(self, subject: Subject) -> Ruling:
        """Judge the effect ("connect", the database), as at login."""


# ── grants ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Grants(Protocol):
    """Just-in-time access. Everything reads memory only; the gate is told when something opens or ends."""

    def open(self, subject: Subject) -> tuple[OpenGrant, ...]:
        """The grants of the subject's principal on its resource that are open at this instant."""

    def used(self, grants: tuple[str, ...]) -> None:
        """Note that something was allowed by these grants."""

    def remedy(self, subject: Subject, actions: tuple[str, ...]) -> str:
        """What a client reads of how to ask for a grant of these actions."""


# ── approvals ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hold:
    """A statement that needs approval.

    `binding` is the keyed hash of its exact bytes, which an approval is bound by. With `fails` nobody waits: the
    statement is refused at once and may be sent again, for `lasts` seconds after its approval. `policies` are those
    that ask, `reason` why they do.
    """

    session: str
    number: int
    subject: Subject
    effects: tuple[Effect, ...]
    text: str
    parameters: tuple[str | None, ...]
    approvals: tuple[Approval, ...]
    until: float
    binding: bytes = field(repr=False)
    asked_at: float = 0.0
    operation: str = ""
    in_transaction: bool = False
    policies: tuple[str, ...] = ()
    reason: str = ""
    fails: bool = False
    lasts: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """People have been asked: by which request, where they find it, and until when they can decide."""

    request: str
    link: str
    until: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a hold ended: approved by the people in `by`, or refused with a reason.

    `late` is set where nobody decided in time, `asked` where the statement does not wait and is to be sent again.
    """

    approved: bool
    by: tuple[str, ...] = ()
    reason: str = ""
    late: bool = False
    asked: Asked | None = None


class Approvals(Protocol):
    """Where people approve. The gate limits the wait; cancelling `decide` withdraws the hold."""

    async def decide(self, hold: Hold, waits: Callable[[Asked], None]) -> Verdict:
        """Return what people decide. `waits` is called once they are asked, if the statement has to wait for them."""


# ── vault ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Vault(Protocol):
    """The credentials. Asked anew for each login, and again in a long session, so that a rotation is picked up."""

    async def credential(self, resource: Resource, principal: Principal | None) -> Credential:
        """Return the credential for a principal's groups; for None, the one for the gateway's own side connections.

        Raises:
            CredentialUnavailable: none is configured for these groups, or its source cannot be read.
        """

    async def renew(self, resource: Resource, principal: Principal, claims: str) -> Credential:
        """Have its source asked anew, for a token that carries these `claims`; "" for none in particular.

        What was asked for just now is not asked for again.

        Raises:
            CredentialUnavailable: as in `credential`, or the source does not give another one now.
        """


# ── masking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Masking(Protocol):
    """Which masking rules apply, and what a recording may hold."""

    def rules(self, principal: Principal, resource: Resource) -> MaskRules:
        """The rules in force for this principal; groups in a rule's `except` are exempt from it."""

    def judged(self, principal: Principal, resource: Resource, statement: Statement) -> Statement:
        """The statement as policies judge it: with `filters_masked`, by the rules in force for this principal."""

    def recorded(self, resource: Resource) -> MaskRules:
        """The rules for rows in recordings: all of the resource's, since nobody is exempt there."""

    def redact(self, resource: Resource, statement: Statement) -> RedactedStatement:
        """Redact secrets, literals and values of masked columns and whatever a detector finds; nobody is exempt."""

    def redact_values(
        self, resource: Resource, parameters: tuple[Parameter, ...], values: tuple[str | bytes | None, ...]
    ) -> tuple[str | None, ...]:
        """Redact other values of the same parameters, as `redact` does."""

    def shows(self, resource: Resource, statement: Statement) -> bool:
        """Whether `redact` leaves text and values as they are, in whatever differs from this one in those only.

        Values that are no text are not meant.
        """


# ── containment ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that containment, revocation or an operator may end at once by calling `end(reason)`."""

    session: str
    resource: Resource
    principal: Principal
    pass_id: str | None
    end: Callable[[str], None] = field(repr=False)


class Containment(Protocol):
    """Cutting a principal, a session, a pass or a resource off at once."""

    @property
    def cutoff(self) -> Cutoff:
        """Whether `against` must be asked again."""

    def against(self, principal: Principal, resource: Resource | None = None) -> str | None:
        """The reason for which this principal or resource is cut off now, None where it is not. Reads memory only."""

    @property
    def blind(self) -> bool:
        """Whether nobody can know now who is cut off, so that all are."""

    async def sight(self) -> None:
        """Where that is so, wait until it is known again, or cannot be: some seconds at most.

        Whoever waited asks `against` in the same turn: it refuses where it is not known still.
        """

    def spoiled(self, principal: Principal, issued: float) -> str | None:
        """The reason for which a proof of that age (epoch seconds) is worth nothing, None where it is good.

        Its principal or issuer was contained after it was issued, whether or not that was lifted. Reads memory only.
        """

    def watch(self, live: LiveSession) -> None:
        """Call `live.end` in under a second after it is contained, killed or its pass is revoked."""

    def unwatch(self, session: str) -> None: ...


# ── budgets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Budgets(Protocol):
    """How much each principal may take in all, over all of its sessions, processes and nodes."""

    def login(self, principal: Principal) -> str | None:
        """Count a login; return why the principal may not log in now, None where it may. A refused one counts not."""

    def elsewhere(self, principal: Principal) -> int:
        """How many sessions the principal has at other nodes, as they last said."""

    def purse(self, principal: Principal, resource: Resource) -> Purse:
        """What a session of this principal's spends from."""


# ── recording ────────────────────────────────────────────────────────────────────────────────────────────────────────


class SessionRecord(Protocol):
    """One session's recording."""

    def write(self, events: Sequence[Event], durable: Callable[[RecordingFailed | None], None]) -> None:
        """Append events in their order; call `durable(None)` once they are as durable as configured.

        With durability `process` that is after write(2) returned, possibly before `write` returns. On failure
        `durable` gets the error and every later write fails too.
        """

    @property
    def quick(self) -> QuickRecord:
        """The same, for what is written most."""

    def close(self) -> None:
        """Seal the session: its head joins the node's chain."""


class Recorder(Protocol):
    """Where recordings are written."""

    def open(self, session: str) -> SessionRecord:
        """Begin a session's recording.

        Raises:
            RecordingFailed: the place cannot be written.
        """

    def write_awaited(self) -> None:
        """Write now what was taken since the last time, if anybody waits for it."""


# ── telling people ───────────────────────────────────────────────────────────────────────────────────────────────────


class Watcher(Protocol):
    """Somebody who wants to know of refusals."""

    def denied(self, subject: Subject, session: str, asked: StatementAsked, ruling: Ruling) -> None:
        """A statement was refused, by policy or containment. Returns at once: the statement's answer waits for it."""


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class ResourceMeter(Protocol):
    """Counts what happens at one resource. Called on the hot path: each call is a few additions."""

    @property
    def each(self) -> EachMeter:
        """The same, for what is counted most."""

    def opened(self) -> None:
        """A client connection was accepted."""

    def closed(self) -> None:
        """Its session ended."""

    def login(self, outcome: str) -> None:
        """A login was "admitted" or "refused"."""

    def ruled(self, decision: Decision) -> None:
        """A statement was ruled on; a held one counts once as held, and once more as what it was ruled afterwards."""

    def held(self, change: int) -> None:
        """`change` more (or, negative, fewer) statements wait for approval."""

    def finished(self, seconds: float, masked: Mapping[str, int]) -> None:
        """A statement's answer ended; `masked` counts hidden cells by rule."""

    def limited(self, limit: str) -> None:
        """A statement went over a row limit: "rows" or "affected"."""

    def throttled(self, what: str) -> None:
        """A quota refused a "login" or "statement"; or a "budget" was spent here."""

    def recording_failed(self) -> None:
        """A record could not be written."""

    def dial_failed(self) -> None:
        """The resource could not be reached."""

    def parked(self, change: int) -> None:
        """`change` more (or, negative, fewer) upstream connections are parked."""

    def adopted(self) -> None:
        """A session took over a parked connection."""


class Meter(Protocol):
    """Where everything is counted."""

    def of(self, resource: str) -> ResourceMeter:
        """Return the counters of one resource, the same ones each time."""
