"""What a recording holds: one event for each thing that happened in a session, in the order in which it happened.

Texts and parameters in events are already redacted. Times are seconds since the epoch, UTC, from the gate's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from blastwall.model.effects import Effect
from blastwall.model.ruling import Ruling
from blastwall.model.statement import Stage


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A client connection was accepted on a resource's listener; nobody is identified yet."""

    at: float
    session: str
    resource: str
    kind: str
    azure: str
    source: str


@dataclass(frozen=True, slots=True)
class LoginAsked:
    """The client showed a proof. The proof itself is never recorded; `user` is free text of the client's."""

    at: float
    user: str
    database: str
    application: str


@dataclass(frozen=True, slots=True)
class LoginAdmitted:
    """The proof held and policy permits `connect`. `claims` are the identifying ones.

    Another one follows where the same principal went on with another proof, in a session that proves each request.
    """

    at: float
    principal_kind: str
    principal: str
    issuer: str
    subject: str
    groups: tuple[str, ...]
    claims: Mapping[str, str]
    proof: str
    upstream_user: str
    policies: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The login was refused. `reason` is the operator's version; `told` is what the client heard."""

    at: float
    reason: str
    told: str
    principal: str = ""


@dataclass(frozen=True, slots=True)
class StatementAsked:
    """The client asked for a statement. Written with its ruling or its hold, before anything else comes of it.

    `declared` is what each parameter is declared as, with its name where the protocol gives it one (`@id int`), and ""
    where that is open or tells nothing; empty where it is so for all of them.
    """

    at: float
    number: int
    stage: Stage
    text: str
    parameters: tuple[str | None, ...]
    effects: tuple[Effect, ...]
    operation: str
    doubt: str
    declared: tuple[str, ...] = ()


class StatementRepeated(Struct, frozen=True):
    """Statement `first` of this session was asked for again and allowed by the same ruling, with these values.

    `text` is set where other literals stand in its text than in that of `first`. It stands for a `StatementAsked` and a
    `StatementRuled`, and is written where they would be.
    """

    at: float
    number: int
    first: int
    parameters: tuple[str | None, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class StatementRuled:
    """Policy's ruling. Written before any byte of the statement is on the wire."""

    at: float
    number: int
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class HoldStarted:
    """The statement waits for approval until `until`."""

    at: float
    number: int
    until: float
    approvals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """How the wait ended: "approved", "refused", "timeout", "withdrawn" or "contained"; `by` names the approvers."""

    at: float
    number: int
    outcome: str
    by: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StatementRefused:
    """The statement was answered with a refusal in the client's protocol; `told` is what the client heard."""

    at: float
    number: int
    told: str


@dataclass(frozen=True, slots=True)
class StatementWithdrawn:
    """The client cancelled or left before the answer."""

    at: float
    number: int


@dataclass(frozen=True, slots=True)
class StatementInjected:
    """A statement of the gateway's own was sent, for the sake of statement `number` (a denial's, a limit's)."""

    at: float
    number: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class StatementLimited:
    """The statement went over a row limit of policy's and was undone; `told` is what the client heard.

    `limit` is "rows" (that the client may get) or "affected" (that the statement may change), `most` the limit.
    """

    at: float
    number: int
    limit: str
    most: int
    told: str


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """What this session took has spent its agent's budget: the agent is contained. `told` is what the client hears."""

    at: float
    told: str


class StatementRows(Struct, frozen=True):
    """Rows of the answer, masked whoever got them; several follow one another. None is a value that is not there."""

    at: float
    number: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


class StatementFinished(Struct, frozen=True):
    """The resource's answer ended. `seconds` counts from the ask; `masked` is cells hidden, by rule name.

    `status` is the protocol's own word for what came of it ("403 Forbidden"), empty where it has none.
    """

    at: float
    number: int
    rows: int
    affected: int | None
    bytes: int
    seconds: float
    error: str | None
    masked: Mapping[str, int]
    status: str = ""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session ended; `reason` says who ended it and why."""

    at: float
    reason: str


Event = (
    SessionOpened
    | LoginAsked
    | LoginAdmitted
    | LoginRefused
    | StatementAsked
    | StatementRepeated
    | StatementRuled
    | HoldStarted
    | HoldEnded
    | StatementRefused
    | StatementWithdrawn
    | StatementInjected
    | StatementLimited
    | BudgetSpent
    | StatementRows
    | StatementFinished
    | SessionClosed
)
