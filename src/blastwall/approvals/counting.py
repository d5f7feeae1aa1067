"""What approvals are worth: how many distinct people of each group gave one, and for what they are good.

| scope | good for |
| --- | --- |
| once | the statement that waits; in mode `fail`, the next time that the same statement is sent |
| statement | the same statement, by the same principal on the same resource, for some minutes |
| session | the same statement in the same session, for a day at most |

Where several people approved, the approval is good for what all of them meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from blastwall.approvals.people import People, Person
from blastwall.model.ruling import Approval
from blastwall.store.approvals import Mode, StoredDecision, StoredRequest, once

_DAY = 86_400.0


class Scope(StrEnum):
    """What an approval is good for."""

    ONCE = "once"
    STATEMENT = "statement"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Given:
    """How many people of a group are needed, and how many have approved."""

    group: str
    count: int
    given: int


def counted(needed: Iterable[Approval], approving: Sequence[Person], people: People) -> list[Given]:
    """Count the people of each group, each person once, by the groups that they are in now."""
    return [Given(each.group, each.count, _distinct(each.group, approving, people)) for each in needed]


def enough(given: Iterable[Given]) -> bool:
    """Whether every group has approved."""
    return all(each.given >= each.count for each in given)


def _distinct(group: str, approving: Iterable[Person], people: People) -> int:
    seen: set[tuple[str, ...]] = set()
    number = 0
    for person in approving:
        if group in people.groups(person):
            marks = people.marks(person)
            number += seen.isdisjoint(marks)
            seen |= marks
    return number


def person_of(decision: StoredDecision) -> Person:
    """Return who decided."""
    return Person(decision.issuer, decision.subject, decision.name)


def stands_until(request: StoredRequest, approving: Sequence[StoredDecision]) -> float | None:
    """Return until when an approval lets the same statement through again; None where it is for the held one alone."""
    if not approving:
        return None
    if once(approving):
        return max(each.at for each in approving) + request.lasts if request.mode == Mode.FAIL else None
    return min(each.at + (60.0 * each.minutes if each.scope == Scope.STATEMENT else _DAY) for each in approving)


def stands_for(ask: StoredRequest, request: StoredRequest, approving: Sequence[StoredDecision], now: float) -> bool:
    """Whether approvals of a request from before are good for an ask of the same statement."""
    until = stands_until(request, approving)
    if until is None or until <= now or ask.binding != request.binding:
        return False
    if once(approving):
        return request.used is None
    return ask.session == request.session or all(each.scope != Scope.SESSION for each in approving)
