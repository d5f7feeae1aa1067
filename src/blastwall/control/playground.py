"""Use-cases of policies in force: read them, ask what they say of a statement, run cases against them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blastwall.control.access import Access, Caller, UseCases, use_case
from blastwall.control.masks import masking_of
from blastwall.control.overview import InForce
from blastwall.control.policy import CheckReport, report
from blastwall.control.policy_cases import Case, CaseResult, PlacedCase, run_cases
from blastwall.control.policy_explain import Explanation, classified, explain
from blastwall.control.policy_subject import Unknown, Who, subject_of
from blastwall.control.reading import Desk
from blastwall.model.ruling import Ruling
from blastwall.model.statement import Statement
from blastwall.policy.policy_set import PolicySet, connect_statement

LONGEST = 8 << 10
"""Characters of a statement that is judged here: a thread of the gateway reads it, beside the sessions."""
MOST_STATEMENTS = 50


@dataclass(frozen=True, slots=True)
class Question:
    """What would be ruled of a statement of somebody's; without one, of their login."""

    who: Who
    resource: str
    database: str | None = None
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What policies say of a statement."""

    explanation: Explanation
    ruling: Ruling


class Playground(UseCases):
    """Policies in force, apart from the sessions: nothing asked here is recorded, sent or remembered."""

    def __init__(self, plan: Callable[[], InForce]) -> None:
        self._plan = plan
        self._desk = Desk()

    @use_case(Access.VIEWER)
    async def policies(self, caller: Caller) -> tuple[CheckReport, PolicySet]:
        """Return what is in force: a report of it, and the policies with their texts."""
        plan = self._plan()
        return report(plan.configuration, plan.policies, plan.packs), plan.policies

    @use_case(Access.VIEWER)
    async def explain(self, caller: Caller, question: Question) -> list[Judged]:
        """Return what would be ruled of each statement of a text.

        Raises:
            Unknown: the question names something that is not configured, or is too long.
            Busy: too many ask.
        """
        if len(question.statement) > LONGEST:
            raise Unknown(f"a statement of more than {LONGEST} characters is not judged here")
        return await self._desk.run(_judge, self._plan(), question)

    @use_case(Access.VIEWER)
    async def test(self, caller: Caller, cases: Sequence[Case]) -> tuple[CaseResult, ...]:
        """Return how cases go by the policies in force.

        Raises:
            Unknown: a statement in them is too long.
            Busy: too many ask.
        """
        if any(len(case.statement or "") > LONGEST for case in cases):
            raise Unknown(f"a statement of more than {LONGEST} characters is not judged here")
        return await self._desk.run(_test, self._plan(), cases)


def _apart(plan: InForce) -> PolicySet:
    """Return the policies in force as a set of their own: the sessions' is used by the loop at the same time."""
    return PolicySet(tuple(plan.policies.rules.values()), plan.policies.version)


def _judge(plan: InForce, question: Question) -> list[Judged]:
    subject = subject_of(
        plan.configuration, plan.kinds, question.who, resource=question.resource, database=question.database
    )
    asked: Sequence[Statement] = (connect_statement(subject),)
    if question.statement.strip():
        asked = classified(plan.kinds, subject, question.statement, masking_of(plan.configuration))
    if not 0 < len(asked) <= MOST_STATEMENTS:
        raise Unknown(f"the text has {len(asked)} statements; 1 to {MOST_STATEMENTS} are judged at once")
    policies = _apart(plan)
    explained = explain(policies, subject, asked)
    return [Judged(each, policies.rule(subject, one)) for each, one in zip(explained, asked, strict=True)]


def _test(plan: InForce, cases: Sequence[Case]) -> tuple[CaseResult, ...]:
    placed = [PlacedCase(f"cases[{place}]", case) for place, case in enumerate(cases)]
    return run_cases(_apart(plan), plan.configuration, plan.kinds, placed)
