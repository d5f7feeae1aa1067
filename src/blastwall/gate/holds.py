"""A held statement's wait: how it ends, and what an approval is still worth when it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from blastwall.gate import wording
from blastwall.gate.faults import described
from blastwall.gate.ports import Approvals, Asked, Hold, Verdict
from blastwall.model.ruling import Approval, Decision, Ruling
from blastwall.model.statement import Parameter

_log = structlog.get_logger(__name__)

APPROVED, REFUSED, TIMEOUT = "approved", "refused", "timeout"
WITHDRAWN, CONTAINED = "withdrawn", "contained"
ASKED = "asked"
_GRACE = 0.5
"""Seconds, at most a tenth of the wait, that the approvals have beyond it to hear of a last decision."""

_PLAIN = frozenset({"", "boolean", "smallint", "integer", "bigint", "numeric", "text", "character varying"})
"""Declared types whose values are what they look like."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the wait ended, and what the client hears where it did not end well."""

    name: str
    by: tuple[str, ...] = ()
    reason: str = ""
    told: str = ""


def declared(parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    """Return what parameters are declared as where that tells more than their values do; empty where none does."""
    found = tuple("" if one.declared in _PLAIN else one.declared for one in parameters)
    return found if any(found) else ()


def typed(values: tuple[str | None, ...], parameters: tuple[Parameter, ...]) -> tuple[str | None, ...]:
    """Return bind values as who approves sees them: with the declared type where a number or text could be more.

    What is declared with its name stands before the value, as it would be written: `@id int = 7`.
    """
    return tuple(_typed(value, one.declared) for value, one in zip(values, parameters, strict=True))


def _typed(value: str | None, declared: str) -> str | None:
    if value is None or declared in _PLAIN:
        return value
    return f"{declared} = {value}" if declared.startswith("@") else f"{value}::{declared}"


async def wait(
    approvals: Approvals, hold: Hold, ruling: Ruling, seconds: float, waits: Callable[[Asked], None]
) -> Outcome:
    """Wait for the people, some `seconds`; `waits` is called once they are asked. Cancelling withdraws the hold."""
    try:
        async with asyncio.timeout(seconds + min(_GRACE, seconds / 10)) as limit:
            verdict = await approvals.decide(hold, waits)
    except TimeoutError as fault:
        if limit.expired():
            return Outcome(TIMEOUT, told=wording.timed_out(ruling, seconds))
        return _undecided(hold, fault)
    except Exception as fault:  # noqa: BLE001 - whatever goes wrong with the approvals, the statement is refused
        return _undecided(hold, fault)
    return _outcome(verdict, ruling, seconds)


def _undecided(hold: Hold, fault: Exception) -> Outcome:
    _log.error("approvals_failed", session=hold.session, number=hold.number, fault=described(fault))
    return Outcome(REFUSED, reason="approvals failed", told=wording.UNDECIDED)


def _outcome(verdict: Verdict, ruling: Ruling, seconds: float) -> Outcome:
    if verdict.approved:
        return Outcome(APPROVED, verdict.by, verdict.reason)
    if verdict.asked is not None:
        return Outcome(ASKED, reason=f"request {verdict.asked.request}", told=wording.asked(ruling, verdict.asked))
    if verdict.late:
        return Outcome(TIMEOUT, told=wording.timed_out(ruling, seconds))
    return Outcome(REFUSED, verdict.by, verdict.reason, wording.disapproved(verdict.reason))


def after_approval(given: tuple[Approval, ...], by: tuple[str, ...], again: Ruling) -> Ruling:
    """Return what the ruling of now makes of the approvals that were given under the ruling of then."""
    if again.decision is not Decision.HOLD:
        return again
    if all(any(_covers(one, needed) for one in given) for needed in again.obligations.approvals):
        return replace(again, decision=Decision.ALLOW, reason=f"approved by {', '.join(by)}" if by else "approved")
    return replace(again, decision=Decision.DENY, reason=wording.CHANGED)


def _covers(given: Approval, needed: Approval) -> bool:
    return given.group == needed.group and given.count >= needed.count
