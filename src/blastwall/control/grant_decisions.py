"""Who may decide on a grant, and what their decision makes of it. Pure: called while the grant's row is locked.

Quorums and who counts as the one who asks are those of approvals (`approvals.people`, `approvals.counting`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blastwall.approvals.counting import Given, counted, enough
from blastwall.approvals.people import Asker, People, Person
from blastwall.model.principal import PrincipalKind
from blastwall.model.ruling import Approval
from blastwall.store.grants import GrantChange, GrantDecision, GrantKind, GrantState, GrantStory, StoredGrant

Cut = Callable[[Person, float], bool]
"""Whether a person is contained now, or was after that time."""

APPROVE, DENY, REVOKE, REVIEW = "approve", "deny", "revoke", "review"


class CannotDecide(Exception):
    """This person may not decide this; the text says why."""


class Settled(Exception):
    """There is nothing to decide any more, or not yet; the text says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person decides, and when."""

    person: Person
    comment: str
    at: float


def needed_of(grant: StoredGrant) -> tuple[Approval, ...]:
    """Return the approvals that a grant needs."""
    return tuple(Approval(group, count) for group, count in json.loads(grant.needed))


def given(story: GrantStory, people: People, cut: Cut) -> list[Given]:
    """Count what was given of what is needed."""
    return counted(needed_of(story.grant), _counting(story, cut), people)


def check_decision(story: GrantStory, person: Person, people: People, now: float) -> None:
    """Let a person approve or deny.

    Raises:
        Settled: it was decided, or nobody did in time.
        CannotDecide: it is this person's own, or none of the groups that are asked is theirs.
    """
    grant = story.grant
    state = grant.state_at(now)
    if state is not GrantState.ASKED:
        raise Settled(f"this is {_STATES[state]} already" if state is not GrantState.ENDED else "its time is over")
    own = people.asked(person, _asker(grant))
    if own:
        raise CannotDecide(f"{own}, so somebody else must decide")
    groups = [each.group for each in needed_of(grant)]
    if people.groups(person).isdisjoint(groups):
        raise CannotDecide(f"you are not in the group {' or '.join(groups)}, whose members may decide this")


def approve(story: GrantStory, said: Said, people: People, cut: Cut) -> GrantChange:
    """Take an approval; the one that completes what is needed opens the grant, and its time begins.

    Raises:
        Settled, CannotDecide: as `check_decision`; or this person has approved before.
    """
    check_decision(story, said.person, people, said.at)
    marks = people.marks(said.person)
    if any(not marks.isdisjoint(people.marks(each)) for each in _approving(story)):
        raise Settled("you have approved this already; others must, too")
    decision = _decision(story, APPROVE, said)
    if not enough(counted(needed_of(story.grant), [*_counting(story, cut), said.person], people)):
        return GrantChange(decision)
    ends = said.at + 60.0 * story.grant.minutes
    return GrantChange(decision, {"state": GrantState.OPEN.value, "starts": said.at, "ends": ends})


def deny(story: GrantStory, said: Said, people: People) -> GrantChange:
    """Take a refusal; one is enough.

    Raises:
        Settled, CannotDecide: as `check_decision`.
    """
    check_decision(story, said.person, people, said.at)
    return GrantChange(_decision(story, DENY, said), {"state": GrantState.REFUSED.value, "closed_at": said.at})


def revoke(story: GrantStory, said: Said) -> GrantChange:
    """End what is open, or asked for.

    Raises:
        Settled: it is neither.
    """
    state = story.grant.state_at(said.at)
    if state not in {GrantState.OPEN, GrantState.ASKED}:
        raise Settled(f"this is {_STATES[state]} already")
    return GrantChange(_decision(story, REVOKE, said), {"state": GrantState.REVOKED.value, "closed_at": said.at})


def check_review(story: GrantStory, person: Person, people: People, now: float) -> None:
    """Let a person close the review of a broken glass.

    Raises:
        Settled: there is no review to close, or the access is still open.
        CannotDecide: this person broke the glass, or it was broken for them.
    """
    grant = story.grant
    if grant.kind != GrantKind.BREAK_GLASS or not grant.unreviewed:
        raise Settled("no review is open here")
    if grant.state_at(now) is GrantState.OPEN:
        raise Settled("the access is still open: revoke it, or review it when it has ended")
    opener = Asker(PrincipalKind.USER, *_opener(grant))
    served = Asker(grant.who, grant.principal, grant.issuer, "")
    if any(people.asked(person, each) for each in (opener, served)):
        raise CannotDecide("you broke this glass, or it was broken for you, so somebody else must review it")


def review(story: GrantStory, said: Said, people: People) -> GrantChange:
    """Close a review.

    Raises:
        Settled, CannotDecide: as `check_review`.
    """
    check_review(story, said.person, people, said.at)
    return GrantChange(_decision(story, REVIEW, said), {"unreviewed": False})


_STATES = {
    GrantState.ASKED: "asked for",
    GrantState.OPEN: "open",
    GrantState.ENDED: "over",
    GrantState.REFUSED: "refused",
    GrantState.REVOKED: "revoked",
}


def _approving(story: GrantStory) -> Sequence[Person]:
    return [_person(each) for each in story.decisions if each.decision == APPROVE and each.sealed]


def _counting(story: GrantStory, cut: Cut) -> Sequence[Person]:
    """Return whose approval counts: a thief may have given that of somebody who was contained since."""
    approvals = [each for each in story.decisions if each.decision == APPROVE and each.sealed]
    return [_person(each) for each in approvals if not cut(_person(each), each.at)]


def _person(decision: GrantDecision) -> Person:
    return Person(decision.issuer, decision.subject, decision.name)


def _asker(grant: StoredGrant) -> Asker:
    return Asker(grant.who, grant.principal, grant.issuer, grant.subject, json.loads(grant.claims))


def _opener(grant: StoredGrant) -> tuple[str, str, str]:
    """Return name, issuer and subject of who broke the glass, as they were written down."""
    opener = json.loads(grant.claims)
    return opener["name"], opener["issuer"], grant.subject


def _decision(story: GrantStory, decision: str, said: Said) -> GrantDecision:
    person = said.person
    return GrantDecision(
        story.grant.id, decision, person.issuer, person.subject, person.name, said.comment.strip(), said.at
    )
