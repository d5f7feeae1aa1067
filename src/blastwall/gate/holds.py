"""A held statement's wait: how it ends, and what an approval is still worth when it comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import structlog

from blastwall.gate import wording
from blastwall.gate.faults import described
from blastwall.gate.ports import Approvals, Hold, Verdict
from blastwall.model.ruling import Approval, Decision, Ruling

_log = structlog.get_logger(__name__)

APPROVED, REFUSED, TIMEOUT = "approved", "refused", "timeout"
WITHDRAWN, CONTAINED = "withdrawn", "contained"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the wait ended, and what the client hears where it did not end well."""

    name: str
    by: tuple[str, ...] = ()
    reason: str = ""
    told: str = ""


async def wait(approvals: Approvals, hold: Hold, ruling: Ruling, seconds: float) -> Outcome:
    """Wait for the people, at most `seconds`. Cancelling withdraws the hold."""
    try:
        async with asyncio.timeout(seconds) as limit:
            verdict = await approvals.decide(hold)
    except TimeoutError as fault:
        if limit.expired():
            return Outcome(TIMEOUT, told=wording.timed_out(ruling, seconds))
        return _undecided(hold, fault)
    except Exception as fault:  # noqa: BLE001 - whatever goes wrong with the approvals, the statement is refused
        return _undecided(hold, fault)
    return _outcome(verdict)


def _undecided(hold: Hold, fault: Exception) -> Outcome:
    _log.error("approvals_failed", session=hold.session, number=hold.number, fault=described(fault))
    return Outcome(REFUSED, reason="approvals failed", told=wording.UNDECIDED)


def _outcome(verdict: Verdict) -> Outcome:
    if verdict.approved:
        return Outcome(APPROVED, verdict.by, verdict.reason)
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
