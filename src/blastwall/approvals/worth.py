"""What the decisions of a request are worth now: sealed, by people who may still approve, enough of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from blastwall.approvals.counting import Given, counted, enough, person_of, stands_for
from blastwall.approvals.people import Asker, People, Person
from blastwall.approvals.requests import asker_of, needed_of
from blastwall.approvals.sealing import Seals
from blastwall.gate.ports import Verdict
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.ruling import Approval
from blastwall.store.approvals import Past, StoredDecision, StoredRequest

APPROVE, DENY = "approve", "deny"

Cut = Callable[[Principal, float], bool]
"""Whether somebody is contained now, or was after that time: what they did before is worth nothing any more."""


class Worth:
    """Judges decisions, at the time of the call."""

    def __init__(self, seals: Seals, people: People, cut: Cut) -> None:
        self.seals = seals
        self.people = people
        self.cut = cut

    def approving(self, past: Past, ask: StoredRequest | None = None) -> list[StoredDecision]:
        """Return the approvals that count: sealed for this very statement, by somebody who may give them now.

        With `ask` those that are good for it, too: another run of an agent may have been started by an approver.
        """
        askers = [asker_of(each) for each in (past.request, ask) if each is not None]
        binding = past.request.binding
        return [
            each
            for each in past.decisions
            if each.decision == APPROVE and self.seals.said(each, binding) and self._may(each, askers)
        ]

    def cuts(self, person: Person, at: float) -> bool:
        """Whether a person is contained now, or was after that time."""
        return self.cut(Principal(PrincipalKind.USER, person.name, person.issuer, person.subject), at)

    def _may(self, decision: StoredDecision, askers: Iterable[Asker]) -> bool:
        person = person_of(decision)
        return not self.cuts(person, decision.at) and not any(self.people.asked(person, asker) for asker in askers)

    def approvers(self, past: Past) -> list[Person]:
        """Return who has approved."""
        return [person_of(each) for each in past.decisions if each.decision == APPROVE]

    def given(self, past: Past, approving: Sequence[StoredDecision] | None = None) -> list[Given]:
        """Return how many people of each needed group have approved."""
        approving = self.approving(past) if approving is None else approving
        return counted(needed_of(past.request), [person_of(each) for each in approving], self.people)

    def covers(self, ask: StoredRequest, past: Past, now: float) -> bool:
        """Whether a request of before, with what was decided of it, is good for an ask of the same statement."""
        if not self.seals.shown(past.request):
            return False
        asker = asker_of(past.request)
        principal = Principal(PrincipalKind(asker.kind), asker.name, asker.issuer, asker.subject)
        if self.cut(principal, past.request.asked_at):
            return False
        approving = self.approving(past, ask)
        given = counted(needed_of(ask), [person_of(each) for each in approving], self.people)
        return enough(given) and stands_for(ask, past.request, approving, now)

    def verdict(self, past: Past, needed: Iterable[Approval]) -> Verdict:
        """Return what the decisions of an ended request say of the statement that waits."""
        refusing = next((each for each in past.decisions if each.decision == DENY), None)
        if refusing is not None:
            sealed = self.seals.said(refusing, past.request.binding)
            return Verdict(False, (refusing.name,) if sealed else (), refusing.comment if sealed else "")
        approving = self.approving(past)
        if not enough(counted(needed, [person_of(each) for each in approving], self.people)):
            return Verdict(False, reason="who approved it may not approve it any more")
        return Verdict(True, names(approving), f"request {past.request.id}")


def names(approving: Iterable[StoredDecision]) -> tuple[str, ...]:
    """Return who approved."""
    return tuple(dict.fromkeys(each.name for each in approving))
