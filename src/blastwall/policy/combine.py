"""How satisfied policies combine into a ruling. Pure: no Cedar, no entities.

In this order: a satisfied unconditional forbid, or a policy that could not be evaluated, is Deny; no satisfied permit
is Deny; any approval among the satisfied policies is Hold, all of them asked; the rest is Allow. Of several effects
the most restrictive judgement wins, and of all limits the smallest. A permit with `@grant` counts as satisfied only
while an open grant serves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from blastwall.model.effects import Action
from blastwall.model.grant import OpenGrant
from blastwall.model.ruling import Approval, Decision, Obligations
from blastwall.policy.evaluation import Satisfied
from blastwall.policy.rules import Rule

_SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.DENY: 2}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy says of one effect. `policies` are the ids that decided; `erring` says that evaluation failed.

    `grants` are the open grants that it rests on; `shut` the permits that would decide instead, had they an open grant.
    """

    decision: Decision
    approvals: tuple[Approval, ...] = ()
    policies: tuple[str, ...] = ()
    erring: bool = False
    limit_rows: int | None = None
    limit_affected: int | None = None
    grants: tuple[str, ...] = ()
    shut: tuple[str, ...] = ()

    @property
    def obligations(self) -> Obligations:
        """What a statement judged so must obey."""
        return Obligations(self.approvals, self.limit_rows, self.limit_affected)


def judge(
    satisfied: Satisfied, rules: Mapping[str, Rule], action: Action, granted: Sequence[OpenGrant] = ()
) -> Judgement:
    """Judge one effect of `action`.

    `rules` holds every policy by id, in the order of their files; `granted` are the open grants of the principal on the
    resource.
    """
    if satisfied.erring:
        return Judgement(Decision.DENY, policies=tuple(sorted(satisfied.erring)), erring=True)
    applying = [rules[identity] for identity in satisfied.ids]
    opened = {rule.id: grant for rule in applying if rule.grant for grant in [_opening(rule, action, granted)] if grant}
    held = [rule for rule in applying if not rule.grant or rule.id in opened]
    forbids = [rule.id for rule in held if rule.forbids and not rule.approvals]
    if forbids:
        return Judgement(Decision.DENY, policies=tuple(sorted(forbids)))
    if all(rule.forbids for rule in held):
        return Judgement(Decision.DENY, shut=tuple(sorted(rule.id for rule in applying if not rule.forbids)))
    approvals = all_of(approval for rule in held for approval in rule.approvals)
    deciding = tuple(sorted(rule.id for rule in held))
    return Judgement(
        Decision.HOLD if approvals else Decision.ALLOW,
        approvals,
        deciding,
        limit_rows=_smallest(rule.limit_rows for rule in held),
        limit_affected=_smallest(rule.limit_affected for rule in held),
        grants=_resting_on(held, opened),
    )


def _opening(rule: Rule, action: Action, granted: Sequence[OpenGrant]) -> OpenGrant | None:
    """Return the grant that opens a rule, of several the one that ends last."""
    serving = [grant for grant in granted if grant.serves(action, rule.grant, rule.grant_max)]
    return max(serving, key=lambda grant: grant.ends, default=None)


def _resting_on(held: Sequence[Rule], opened: Mapping[str, OpenGrant]) -> tuple[str, ...]:
    """Return the grant without which nothing among `held` would permit; nothing where a plain permit does."""
    if not opened or any(not rule.forbids and not rule.grant for rule in held):
        return ()
    return (max(opened.values(), key=lambda grant: grant.ends).id,)


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
        tuple(sorted({identity for one in judgements for identity in one.grants})),
        tuple(sorted({identity for one in deciding for identity in one.shut})) if _all_shut(deciding) else (),
    )


def _all_shut(deciding: Iterable[Judgement]) -> bool:
    """Whether grants would mend each of these judgements, and not only some."""
    return all(one.shut for one in deciding)


def with_observed(enforced: Satisfied, observed: Satisfied, identity: str) -> Satisfied:
    """Return what an effect would satisfy if the observed policy `identity` were in force."""
    return Satisfied(enforced.ids | (observed.ids & {identity}), enforced.erring | (observed.erring & {identity}))
