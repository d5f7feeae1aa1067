"""One record of a session as the timeline shows it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from blastwall.api.frame import Answer, time_of
from blastwall.control.archive import Told
from blastwall.model.effects import Effect
from blastwall.model.events import (
    BudgetSpent,
    Event,
    HoldEnded,
    HoldStarted,
    LoginAdmitted,
    LoginAsked,
    LoginRefused,
    SessionClosed,
    SessionOpened,
    StatementAsked,
    StatementFinished,
    StatementInjected,
    StatementLimited,
    StatementRefused,
    StatementRepeated,
    StatementRows,
    StatementRuled,
    StatementWithdrawn,
)
from blastwall.model.ruling import Ruling
from blastwall.recording.summary import Summary


class EffectShown(Answer):
    """What a statement would do."""

    action: str = Field(description="The action.")
    object: str = Field(description="The id of the object, as policies name it.")


class Moment(Answer):
    """One record. `type` says which of the other fields it has; the rest is null."""

    record: int = Field(description="Its number in the session.")
    type: str = Field(
        description="`opened`, `login`, `admitted`, `login_refused`, `asked`, `repeated`, `ruled`, `held`, "
        "`hold_ended`, `refused`, `withdrawn`, `injected`, `limited`, `budget_spent`, `rows`, `finished`, `closed` or "
        "`unreadable`."
    )
    at: str | None = Field(None, description="When.")
    offset: float | None = Field(None, description="Seconds since the session began.")
    number: int | None = Field(None, description="The statement's number in the session.")
    text: str | None = Field(None, description="The statement.")
    parameters: list[str | None] | None = Field(None, description="Its bind values.")
    declared: list[str] | None = Field(
        None, description="What they are declared as, with their names; empty where that is open."
    )
    effects: list[EffectShown] | None = Field(None, description="What it would do.")
    operation: str | None = Field(None, description="The protocol's own verb.")
    decision: str | None = Field(None, description="`allow`, `hold` or `deny`.")
    reason: str | None = Field(None, description="Why.")
    policies: list[str] | None = Field(None, description="The policies that decided.")
    needed: list[str] | None = Field(None, description="Who must approve: `group:count`.")
    until: str | None = Field(None, description="Until when it waits.")
    outcome: str | None = Field(None, description="How the wait ended.")
    by: list[str] | None = Field(None, description="Who decided.")
    told: str | None = Field(None, description="What the client heard.")
    rows: int | None = Field(None, description="Rows that the client got.")
    affected: int | None = Field(None, description="Rows that were changed.")
    bytes: int | None = Field(None, description="Bytes of the answer.")
    seconds: float | None = Field(None, description="From the ask to the end of the answer.")
    error: str | None = Field(None, description="The resource's error.")
    status: str | None = Field(None, description="What the protocol itself says of the answer (`403 Forbidden`).")
    masked: dict[str, int] | None = Field(None, description="Cells that were hidden, by rule.")
    columns: list[str] | None = Field(None, description="Columns of recorded rows.")
    values: list[list[str | None]] | None = Field(None, description="Recorded rows, masked.")
    detail: dict[str, str] | None = Field(None, description="What else is known, by name.")


_Fields = Mapping[str, object]
_SessionEvent = SessionOpened | LoginAsked | LoginAdmitted | LoginRefused | SessionClosed | BudgetSpent
_AnswerEvent = (
    StatementRefused | StatementWithdrawn | StatementInjected | StatementLimited | StatementRows | StatementFinished
)


def moment_of(summary: Summary, told: Told) -> Moment:
    """Return a record as the timeline shows it."""
    record = told.record
    if record.event is None:
        return Moment(record=record.number, type="unreadable", reason=record.problem)
    event = record.event
    kind, fields = _fields(event, summary.resource)
    if isinstance(event, StatementRepeated) and told.first is not None:
        fields = {**_asked(told.first, summary.resource), **fields, "text": event.text or told.first.text}
    offset = max(0.0, round(event.at - summary.started, 6))
    given = {"record": record.number, "type": kind, "at": time_of(event.at), "offset": offset, **fields}
    return Moment.model_validate(given)


def _fields(event: Event, resource: str) -> tuple[str, _Fields]:
    match event:
        case SessionOpened() | LoginAsked() | LoginAdmitted() | LoginRefused() | SessionClosed() | BudgetSpent():
            return _session_fields(event)
        case StatementAsked():
            return "asked", _asked(event, resource)
        case StatementRepeated():
            decided = {"decision": "allow", "detail": {"repeats": str(event.first)}}
            return "repeated", {"number": event.number, "parameters": list(event.parameters), **decided}
        case StatementRuled():
            return "ruled", {"number": event.number, **_ruled(event.ruling)}
        case HoldStarted():
            until = time_of(event.until)
            return "held", {"number": event.number, "until": until, "needed": list(event.approvals)}
        case HoldEnded():
            ending = {"outcome": event.outcome, "by": list(event.by), "reason": event.reason}
            return "hold_ended", {"number": event.number, **ending}
        case _:
            return _answer_fields(event)


def _session_fields(event: _SessionEvent) -> tuple[str, _Fields]:
    match event:
        case SessionOpened():
            return "opened", {"detail": {"resource": event.resource, "kind": event.kind, "source": event.source}}
        case LoginAsked():
            detail = {"user": event.user, "database": event.database, "application": event.application}
            return "login", {"detail": detail}
        case LoginAdmitted():
            who = {"kind": event.principal_kind, "principal": event.principal, "issuer": event.issuer}
            more = {"subject": event.subject, "proof": event.proof, "upstream_user": event.upstream_user}
            claims = {f"claim {name}": value for name, value in event.claims.items()}
            return "admitted", {"policies": list(event.policies), "detail": {**who, **more, **claims}}
        case LoginRefused():
            return "login_refused", {"reason": event.reason, "told": event.told}
        case SessionClosed():
            return "closed", {"reason": event.reason}
        case BudgetSpent():
            return "budget_spent", {"told": event.told}


def _answer_fields(event: _AnswerEvent) -> tuple[str, _Fields]:
    match event:
        case StatementRefused():
            return "refused", {"number": event.number, "told": event.told}
        case StatementWithdrawn():
            return "withdrawn", {"number": event.number}
        case StatementInjected():
            return "injected", {"number": event.number, "text": event.text, "reason": event.why}
        case StatementLimited():
            detail = {"limit": event.limit, "most": str(event.most)}
            return "limited", {"number": event.number, "told": event.told, "detail": detail}
        case StatementRows():
            values = [list(row) for row in event.rows]
            return "rows", {"number": event.number, "columns": list(event.columns), "values": values}
        case StatementFinished():
            names = ("number", "rows", "affected", "bytes", "seconds", "error", "status")
            return "finished", {**{name: getattr(event, name) for name in names}, "masked": dict(event.masked)}


def _asked(event: StatementAsked, resource: str) -> _Fields:
    return {
        "number": event.number,
        "text": event.text,
        "parameters": list(event.parameters),
        "declared": list(event.declared),
        "effects": [_effect(effect, resource) for effect in event.effects],
        "operation": event.operation,
        "detail": {"stage": event.stage.value, **({"doubt": event.doubt} if event.doubt else {})},
    }


def _effect(effect: Effect, resource: str) -> dict[str, str]:
    return {"action": effect.action.value, "object": effect.object.id_below(resource)}


def _ruled(ruling: Ruling) -> _Fields:
    needed = [f"{approval.group}:{approval.count}" for approval in ruling.obligations.approvals]
    return {
        "decision": ruling.decision.value,
        "reason": ruling.reason,
        "policies": list(ruling.policies),
        "needed": needed,
        "detail": {"version": ruling.version},
    }
