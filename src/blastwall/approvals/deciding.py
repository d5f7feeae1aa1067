"""What a person decides of a request, and why they may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blastwall.approvals.counting import Scope, enough, stands_until
from blastwall.approvals.people import Person
from blastwall.approvals.requests import asker_of, needed_of
from blastwall.approvals.worth import APPROVE, DENY, Worth
from blastwall.store.approvals import ApprovalTable, Conclusion, Past, State, StoredDecision

LONGEST_COMMENT = 1000
MOST_MINUTES = 24 * 60


class Senseless(Exception):
    """What was said makes no sense, whoever says it; the text says why."""


class CannotDecide(Exception):
    """This person may not decide this request; the text says why."""


class Ended(CannotDecide):
    """The request has ended, or this person has said all that they can."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says. `minutes` is for the scope `statement`, and nothing else has any."""

    decision: str
    scope: Scope = Scope.ONCE
    minutes: int = 0
    comment: str = ""

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            Senseless: always said so that the person can mend it.
        """
        if (self.scope is Scope.STATEMENT) != bool(self.minutes):
            raise Senseless("`minutes` belong to the scope `statement`, which needs them; no other scope has any")
        if not 0 <= self.minutes <= MOST_MINUTES:
            raise Senseless(f"`minutes` must be from 1 to {MOST_MINUTES}")
        if len(self.comment) > LONGEST_COMMENT:
            raise Senseless(f"a comment has at most {LONGEST_COMMENT} characters")
        if not all(character.isprintable() or character == "\n" for character in self.comment):
            raise Senseless("a comment is plain text, without control characters")
        if self.decision == DENY and not self.comment.strip():
            raise Senseless("say why, as a comment: whoever asked will read it")


class Deciding:
    """Takes decisions, from whatever process people reach.

    Args:
        table: where requests are kept.
        worth: what decisions are worth.
        now: the time, in epoch seconds.
        decided: hears the id of each request that is decided here, and its state.
    """

    def __init__(
        self, table: ApprovalTable, worth: Worth, now: Callable[[], float], decided: Callable[[str, str], None]
    ) -> None:
        self._table = table
        self._worth = worth
        self._now = now
        self._decided = decided

    def cannot(self, past: Past, person: Person) -> str:
        """Return why a person cannot decide this request now; nothing where they can."""
        try:
            self._check(past, person)
            self._check_new(past, person)
        except CannotDecide as reason:
            return str(reason)
        return ""

    async def decide(self, identity: str, person: Person, said: Said) -> Past:
        """Take a decision.

        Raises:
            CannotDecide: this person may not decide it, or (`Ended`) nobody can any more.
            NoSuchRequest: there is none.
            StateError: the state cannot be written; nothing was decided.
        """
        past = await self._table.decide(identity, lambda past: self._conclude(past, person, said))
        self._decided(identity, past.request.state)
        return past

    def _conclude(self, past: Past, person: Person, said: Said) -> Conclusion:
        self._check(past, person)
        if said.decision == APPROVE:
            self._check_new(past, person)
        request, now = past.request, self._now()
        new = StoredDecision(
            approval=request.id,
            decision=said.decision,
            issuer=person.issuer,
            subject=person.subject,
            name=person.name,
            scope=said.scope.value,
            minutes=said.minutes,
            comment=said.comment.strip(),
            at=now,
        )
        new = self._worth.seals.decision(new, request.binding)
        if said.decision == DENY:
            return Conclusion(new, State.DENIED)
        approving = [*self._worth.approving(past), new]
        if not enough(self._worth.given(past, approving)):
            return Conclusion(new)
        return Conclusion(new, State.APPROVED, stands_until(request, approving))

    def _check(self, past: Past, person: Person) -> None:
        """Let a decision go on.

        Raises:
            CannotDecide: it may not.
        """
        request, worth = past.request, self._worth
        state = request.state_at(self._now())
        if state is not State.WAITING:
            raise Ended(_over(past, state))
        if not worth.seals.shown(request):
            raise CannotDecide(
                "this request does not verify with this node's key: either nodes have different keys (see `hold.key`), "
                "or somebody has altered the state"
            )
        own = worth.people.asked(person, asker_of(request))
        if own:
            raise CannotDecide(f"{own}, so somebody else must decide")
        groups = worth.people.groups(person)
        if groups.isdisjoint(each.group for each in needed_of(request)):
            needed = " or ".join(each.group for each in needed_of(request))
            raise CannotDecide(f"you are not in the group {needed}, whose members may decide this")
        if worth.cuts(person, self._now()):
            raise CannotDecide("you are contained by the gateway's operator")

    def _check_new(self, past: Past, person: Person) -> None:
        """Let an approval go on.

        Raises:
            CannotDecide: this person has given one, by whichever of their identities.
        """
        worth = self._worth
        marks = worth.people.marks(person)
        if any(not marks.isdisjoint(worth.people.marks(each)) for each in worth.approvers(past)):
            raise Ended("you have approved this already; others must, too")


def _over(past: Past, state: State) -> str:
    said = APPROVE if state is State.APPROVED else DENY
    by = ", ".join(dict.fromkeys(each.name for each in past.decisions if each.decision == said))
    return {
        State.APPROVED: f"it was approved already, by {by}",
        State.DENIED: f"it was denied already, by {by}",
        State.TIMEOUT: "its time is over: nobody decided",
        State.WITHDRAWN: "it was withdrawn: whoever asked has left",
    }[state]
