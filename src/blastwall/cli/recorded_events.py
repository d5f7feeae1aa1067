"""How one recorded event reads in a transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastwall.cli.recorded_rows import answer
from blastwall.cli.recorded_text import block, moment
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
from blastwall.visible import visible

_SessionEvent = SessionOpened | LoginAsked | LoginAdmitted | LoginRefused | SessionClosed | BudgetSpent
_StatementEvent = (
    StatementAsked
    | StatementRepeated
    | StatementRuled
    | StatementRefused
    | StatementInjected
    | StatementLimited
    | StatementWithdrawn
)


def lines(event: Event) -> list[str]:
    """Return the event's lines, without its time; all recorded text in them is visible."""
    match event:
        case SessionOpened() | LoginAsked() | LoginAdmitted() | LoginRefused() | SessionClosed() | BudgetSpent():
            return _session(event)
        case HoldStarted():
            return [f"#{event.number} held until {moment(event.until)} for {visible(', '.join(event.approvals))}"]
        case HoldEnded():
            return [f"#{event.number} hold ended: {visible(_ending(event))}"]
        case StatementRows():
            return [f"#{event.number} answered with", *answer(event.columns, event.rows)]
        case StatementFinished():
            return [f"#{event.number} {finished(event)}"]
        case _:
            return _statement(event)


def _session(event: _SessionEvent) -> list[str]:
    match event:
        case SessionOpened():
            return [visible(f"connection from {event.source} to {event.resource} ({event.kind})")]
        case LoginAsked():
            client = f" with {event.application!r}" if event.application else ""
            whom = f" as {event.user!r} to {event.database!r}" if event.user or event.database else ""
            return [visible(f"login{whom}{client}")]
        case LoginAdmitted():
            return [visible(f"admitted: {who(event)}, by {event.proof}"), *_policies("  ", event.policies)]
        case LoginRefused():
            return [visible(f"login refused: {event.reason}"), visible(f"  told: {event.told}")]
        case SessionClosed():
            return [visible(f"closed: {event.reason}")]
        case BudgetSpent():
            return [f"budget spent; told: {visible(event.told)}"]


def _statement(event: _StatementEvent) -> list[str]:
    match event:
        case StatementAsked():
            doubt = [f"  doubt: {visible(event.doubt)}"] if event.doubt else []
            return [
                f"#{event.number} {asked(event)}",
                *block(event.text),
                *values(event.parameters, event.declared),
                *doubt,
            ]
        case StatementRepeated():
            text = [] if event.text is None else block(event.text)
            return [f"#{event.number} the same as #{event.first}, allowed as before", *text, *values(event.parameters)]
        case StatementRuled():
            return [f"#{event.number} {ruling(event.ruling)}"]
        case StatementRefused():
            return [f"#{event.number} refused; told: {visible(event.told)}"]
        case StatementInjected():
            return [f"#{event.number} the gateway sent, {visible(event.why)}:", *block(event.text)]
        case StatementLimited():
            what = "rows in its result" if event.limit == "rows" else "rows changed"
            return [f"#{event.number} over its limit of {event.most:,} {what}; told: {visible(event.told)}"]
        case StatementWithdrawn():
            return [f"#{event.number} withdrawn by the client"]


def who(event: LoginAdmitted) -> str:
    """A principal, as an auditor looks for it."""
    groups = f", groups {', '.join(event.groups)}" if event.groups else ""
    return f"{event.principal_kind} {event.principal} ({event.issuer}: {event.subject}{groups})"


def asked(event: StatementAsked) -> str:
    """What a statement would do."""
    stage = " (parse only)" if event.stage.value == "prepare" else ""
    return visible(f"{event.operation or 'statement'}{stage}: {effects(event.effects)}")


def effects(found: Sequence[Effect]) -> str:
    """Effects, each as action and object."""
    named = dict.fromkeys(f"{each.action.value} {'.'.join(each.object.names) or 'the resource'}" for each in found)
    return ", ".join(named) or "no effect"


def ruling(found: Ruling) -> str:
    """A ruling with the policies that decided."""
    text = found.decision.value
    text += f" by {', '.join(found.policies)}" if found.policies else " by default: no policy permits it"
    text += f" ({found.reason})" if found.reason else ""
    text += "".join(f"; {each.policy} would {each.decision.value}" for each in found.observed)
    return visible(text)


def finished(event: StatementFinished) -> str:
    """What came of a statement; what the protocol has a word for needs no number of rows."""
    text = event.status or f"{event.rows} rows"
    text += f", {event.affected} affected" if event.affected is not None else ""
    text += f", {event.bytes} bytes, {event.seconds:.3f} s"
    text += f", masked {masked(event.masked)}" if event.masked else ""
    text += f", error: {event.error}" if event.error is not None else ""
    return visible(text)


def masked(cells: Mapping[str, int]) -> str:
    """Hidden cells by the rule that hid them."""
    return ", ".join(f"{count} by {name}" for name, count in cells.items())


def values(parameters: Sequence[str | None], declared: Sequence[str] = ()) -> list[str]:
    """Bind values, as a line, each after what it is declared as; none for none.

    A quote within a value is doubled as in SQL, so that no value passes for several.
    """
    if not parameters:
        return []
    names = [f"{visible(each)} = " if each else "" for each in declared]
    names += [""] * (len(parameters) - len(names))
    shown = ["NULL" if each is None else "'" + visible(each).replace("'", "''") + "'" for each in parameters]
    return ["  values: " + ", ".join(f"{name}{value}" for name, value in zip(names, shown, strict=False))]


def _policies(indent: str, policies: Sequence[str]) -> list[str]:
    return [visible(f"{indent}permitted by {', '.join(policies)}")] if policies else []


def _ending(event: HoldEnded) -> str:
    return (
        event.outcome
        + (f" by {', '.join(event.by)}" if event.by else "")
        + (f" ({event.reason})" if event.reason else "")
    )
