"""How satisfied policies combine into a ruling. Pure: no Cedar, no entities.

In this order: a satisfied unconditional forbid, or a policy that could not be evaluated, is Deny; no satisfied permit
is Deny; any approval among the satisfied policies is Hold, all of them asked; the rest is Allow. Of several effects
the most restrictive judgement wins, and of all limits the smallest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from blastwall.model.ruling import Approval, Decision, Obligations
from blastwall.policy.evaluation import Satisfied
from blastwall.policy.rules import Rule

_SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.DENY: 2}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy says of one effect. `policies` are the ids that decided; `erring` says that evaluation failed."""

    decision: Decision
    approvals: tuple[Approval, ...] = ()
    policies: tuple[str, ...] = ()
    erring: bool = False
    limit_rows: int | None = None
    limit_affected: int | None = None

    @property
    def obligations(self) -> Obligations:
        """What a statement judged so must obey."""
        return Obligations(self.approvals, self.limit_rows, self.limit_affected)


def judge(satisfied: Satisfied, rules: Mapping[str, Rule]) -> Judgement:
    """Judge one effect. `rules` holds every policy by id, in the order of their files."""
    if satisfied.erring:
        return Judgement(Decision.DENY, policies=tuple(sorted(satisfied.erring)), erring=True)
    held = [rules[identity] for identity in satisfied.ids]
    forbids = [rule.id for rule in held if rule.forbids and not rule.approvals]
    if forbids:
        return Judgement(Decision.DENY, policies=tuple(sorted(forbids)))
    if all(rule.forbids for rule in held):
        return Judgement(Decision.DENY)
    approvals = all_of(approval for rule in held for approval in rule.approvals)
    deciding = tuple(sorted(rule.id for rule in held))
    return Judgement(
        Decision.HOLD if approvals else Decision.ALLOW,
        approvals,
        deciding,
        limit_rows=_smallest(rule.limit_rows for rule in held),
        limit_affected=_smallest(rule.limit_affected for rule in held),
    )


def _smallest(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def all_of(approvals: Iterable[Approval]) -> tuple[Approval, ...]:
    """Return the approvals that satisfy every one asked: of one group, the largest count."""
    counts: dict[str, int] = {}
    for approval in approvals:
        counts[approval.group] = max(approval.count, counts.get(approval.group, 0))
    return tuple(Approval(group, counts[group]) for group in sorted(counts))


def most_restrictive(judgements: Sequence[Judgement]) -> Judgement:
    """Combine the judgements of a statement's effects (at least one)."""
    decision = max((one.decision for one in judgements), key=_SEVERITY.__getitem__)
    deciding = [one for one in judgements if one.decision is decision]
    return Judgement(
        decision,
        all_of(approval for one in deciding for approval in one.approvals),
        tuple(sorted({identity for one in deciding for identity in one.policies})),
        any(one.erring for one in deciding),
        _smallest(one.limit_rows for one in judgements),
        _smallest(one.limit_affected for one in judgements),
    )


def with_observed(enforced: Satisfied, observed: Satisfied, identity: str) -> Satisfied:
    """Return what an effect would satisfy if the observed policy `identity` were in force."""
    return Satisfied(enforced.ids | (observed.ids & {identity}), enforced.erring | (observed.erring & {identity}))
