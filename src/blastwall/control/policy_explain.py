"""`policy explain`: what a statement would do, which policies decided each effect, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blastwall.gate.ports import Masking, Subject
from blastwall.gate.wording import approvers
from blastwall.model.effects import Effect
from blastwall.model.ruling import Decision
from blastwall.model.statement import Statement
from blastwall.policy.combine import Judgement
from blastwall.policy.entities import object_uid
from blastwall.policy.evaluation import Undecidable
from blastwall.policy.explain import near
from blastwall.policy.policy_set import EffectJudgement, PolicySet
from blastwall.policy.rules import Rule
from blastwall.protocols.kind import ProtocolKind


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """A policy that had a say, with its text."""

    id: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class EffectExplained:
    """One effect: `object` is the id to write in a policy, `changes` is what would change the decision."""

    action: str
    object: str
    kind: str
    decision: Decision
    decided_by: tuple[PolicyShown, ...]
    observed: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One statement of a text."""

    text: str
    operation: str
    filtered: bool
    filters_masked: bool
    decision: Decision
    reason: str
    version: str
    effects: tuple[EffectExplained, ...]


def classified(
    kinds: Mapping[str, ProtocolKind], subject: Subject, text: str, masking: Masking
) -> tuple[Statement, ...]:
    """Return the statements of a text as the resource's protocol classifies them offline, masked columns known."""
    found = kinds[subject.resource.kind].classify(text, subject.database, subject.resource)
    return tuple(masking.judged(subject.principal, subject.resource, one) for one in found)


def explain(policies: PolicySet, subject: Subject, statements: Sequence[Statement]) -> tuple[Explanation, ...]:
    """Explain each statement."""
    return tuple(_explain(policies, subject, statement) for statement in statements)


def _explain(policies: PolicySet, subject: Subject, statement: Statement) -> Explanation:
    ruling = policies.rule(subject, statement)
    try:
        judged = policies.judge(subject, statement) if statement.effects else []
        effects = tuple(_effect(policies, subject, statement, one) for one in judged)
        reason = ruling.reason
    except (Undecidable, ValueError) as error:
        effects, reason = (), f"{ruling.reason} ({error})"
    return Explanation(
        statement.text,
        statement.operation,
        statement.filtered,
        statement.filters_masked,
        ruling.decision,
        reason,
        ruling.version,
        effects,
    )


def _effect(policies: PolicySet, subject: Subject, statement: Statement, one: EffectJudgement) -> EffectExplained:
    uid = object_uid(subject.resource.name, one.effect.object)
    return EffectExplained(
        action=one.effect.action.value,
        object=f'{uid["type"]}::"{uid["id"]}"',
        kind=one.effect.object.kind,
        decision=one.judgement.decision,
        decided_by=tuple(
            _shown(policies.rules[identity]) for identity in one.judgement.policies if identity in policies.rules
        ),
        observed=tuple(sorted(one.observed.ids | one.observed.erring)),
        changes=tuple(_changes(policies, subject, statement, one.effect, one.judgement)),
    )


def _shown(rule: Rule) -> PolicyShown:
    return PolicyShown(rule.id, rule.source.place(), rule.source.text)


def _changes(
    policies: PolicySet, subject: Subject, statement: Statement, effect: Effect, judgement: Judgement
) -> list[str]:
    rules = [policies.rules[identity] for identity in judgement.policies if identity in policies.rules]
    if judgement.decision is Decision.ALLOW:
        return []
    if judgement.erring:
        return [f"{rule.source.place()}: {rule.id} cannot be evaluated here: repair its conditions" for rule in rules]
    if judgement.decision is Decision.HOLD:
        return [_asks(rule) for rule in rules if rule.approvals]
    if rules:
        return [_opens(rule) for rule in rules]
    if judgement.shut:
        return [_granted(policies.rules[identity]) for identity in judgement.shut]
    return _permits(policies, subject, statement, effect)


def _asks(rule: Rule) -> str:
    return f"{rule.source.place()}: {rule.id} asks for approval by {approvers(rule.approvals)}; {_exempting(rule)}"


def _granted(rule: Rule) -> str:
    longest = "" if rule.grant_max is None else f" and lasts {rule.grant_max / 60:g} minutes at most"
    return (
        f"{rule.source.place()}: {rule.id} permits it with an open grant, which needs approval by "
        f"{approvers(rule.grant)}{longest}"
    )


def _opens(rule: Rule) -> str:
    return f"{rule.source.place()}: {rule.id} forbids it; {_exempting(rule)}"


def _exempting(rule: Rule) -> str:
    if rule.pack:
        return f"`packs: [{{{rule.pack}: {{except: [{rule.id}]}}}}]` switches it off"
    return "an `unless { … }` in it would exempt this"


def _permits(policies: PolicySet, subject: Subject, statement: Statement, effect: Effect) -> list[str]:
    nearest = near(policies.rules, subject, statement, effect)
    if not nearest:
        return ["no permit comes near; one is needed for this principal, action and resource"]
    return [
        f"{one.rule.source.place()}: {one.rule.id} would permit it, but {', and '.join(one.missing)}" for one in nearest
    ]
