"""A policy set in force: it judges statements, and remembers what it ruled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from blastwall.gate.ports import Subject
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.grant import OpenGrant
from blastwall.model.ruling import NONE, Decision, Observation, Ruling
from blastwall.model.statement import Statement
from blastwall.policy import wording
from blastwall.policy.combine import Judgement, judge, most_restrictive, with_observed
from blastwall.policy.evaluation import Asker, Satisfied, compile_all
from blastwall.policy.recent import Recent
from blastwall.policy.rules import Rule
from blastwall.policy.tags import tags_read

MAX_EFFECTS = 512
"""A statement with more effects is refused: judging them would stall the other sessions for 50 ms and more."""

Granted = tuple[OpenGrant, ...]

_log = logging.getLogger("blastwall.policy")

_SUBJECTS = 4096
_RULINGS_WEIGHT = 32 << 20
_EFFECT_WEIGHT = 512
"""Rulings are remembered within some 32 MiB: a client chooses how many effects and how long names a key holds."""


@dataclass(frozen=True, slots=True)
class EffectJudgement:
    """One effect with what it satisfies and how it was judged."""

    effect: Effect
    satisfied: Satisfied
    observed: Satisfied
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A ruling and what its reason speaks of. The reason itself depends on the text, so it is made anew."""

    ruling: Ruling
    judgement: Judgement
    effect: Effect


class PolicySet:
    """Policies and packs that passed every check. `version` is a digest of them; only caches change inside."""

    def __init__(self, rules: Sequence[Rule], version: str) -> None:
        self.version = version
        self.rules = {rule.id: rule for rule in rules}
        enforced = [rule.tree for rule in rules if not rule.observe]
        observed = [rule.tree for rule in rules if rule.observe]
        self._enforced = compile_all(enforced)
        self._observed = compile_all(observed) if observed else None
        self._tags = tags_read(rule.tree for rule in rules)
        self._askers: Recent[tuple[object, ...], Asker] = Recent(_SUBJECTS)
        self._seen: Recent[tuple[object, ...], tuple[Subject, Asker]] = Recent(_SUBJECTS)
        self._rulings: Recent[tuple[object, ...], _Remembered] = Recent(_RULINGS_WEIGHT)

    @property
    def askers(self) -> int:
        """For how many sets of facts about a subject something is remembered."""
        return len(self._askers)

    def rule(self, subject: Subject, statement: Statement) -> Ruling:
        """Judge each effect and return the most restrictive ruling; what cannot be decided is Deny. Never raises."""
        try:
            return self._rule(subject, statement)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic in Cedar is no Exception; whatever it is, Deny
            _log.error("a statement for %s could not be judged and is denied: %r", subject.resource.name, error)
            return Ruling(Decision.DENY, wording.UNDECIDABLE, version=self.version)

    def rule_connect(self, subject: Subject) -> Ruling:
        """Judge the effect ("connect", the database), as at login."""
        return self.rule(subject, connect_statement(subject))

    def judge(self, subject: Subject, statement: Statement) -> list[EffectJudgement]:
        """Judge each effect of a statement by itself, without the cache.

        Raises:
            Undecidable, ValueError: Cedar could not be asked.
        """
        effects = list(dict.fromkeys(statement.effects))
        return self._judge(self._asker(subject), statement, effects, subject.granted)

    def _rule(self, subject: Subject, statement: Statement) -> Ruling:
        refusal = _refusal(statement)
        if refusal:
            return Ruling(Decision.DENY, refusal, version=self.version)
        asker = self._asker(subject)
        key = (
            asker.number,
            statement.effects,
            statement.operation,
            statement.filtered,
            statement.filters_masked,
            statement.in_transaction,
            statement.stage,
            statement.database,
            subject.granted,
        )
        remembered = self._rulings.get(key)
        if remembered is None:
            remembered = self._decide(asker, statement, subject.granted)
            self._rulings.put(key, remembered, _weight(statement))
        return self._told(remembered, subject, statement)

    def _decide(self, asker: Asker, statement: Statement, granted: Granted) -> _Remembered:
        judged = self._judge(asker, statement, list(dict.fromkeys(statement.effects)), granted)
        whole = most_restrictive([one.judgement for one in judged])
        deciding = [one for one in judged if one.judgement.decision is whole.decision]
        first = next(one for one in deciding if whole.shut or not one.judgement.shut)
        ruling = Ruling(
            whole.decision,
            policies=whole.policies,
            version=self.version,
            obligations=NONE if whole.decision is Decision.DENY else whole.obligations,
            observed=self._observations(judged, granted),
            grants=() if whole.decision is Decision.DENY else whole.grants,
            grantable=tuple(sorted({one.effect.action.value for one in deciding})) if whole.shut else (),
        )
        return _Remembered(
            ruling, replace(first.judgement, approvals=whole.approvals, erring=whole.erring), first.effect
        )

    def _judge(
        self, asker: Asker, statement: Statement, effects: Sequence[Effect], granted: Granted
    ) -> list[EffectJudgement]:
        enforced = asker.ask(self._enforced, statement, effects)
        nothing = [Satisfied(frozenset())] * len(effects)
        observed = asker.ask(self._observed, statement, effects) if self._observed is not None else nothing
        return [
            EffectJudgement(effect, by_force, by_watch, judge(by_force, self.rules, effect.action, granted))
            for effect, by_force, by_watch in zip(effects, enforced, observed, strict=True)
        ]

    def _observations(self, judged: Sequence[EffectJudgement], granted: Granted) -> tuple[Observation, ...]:
        """Return, for each observed policy that applies, the decision that it would have led to if in force."""
        applying = sorted({identity for one in judged for identity in one.observed.ids | one.observed.erring})
        return tuple(Observation(identity, self._would_be(judged, identity, granted)) for identity in applying)

    def _would_be(self, judged: Sequence[EffectJudgement], identity: str, granted: Granted) -> Decision:
        judgements = [
            judge(with_observed(one.satisfied, one.observed, identity), self.rules, one.effect.action, granted)
            for one in judged
        ]
        return most_restrictive(judgements).decision

    def _told(self, remembered: _Remembered, subject: Subject, statement: Statement) -> Ruling:
        if remembered.ruling.decision is Decision.ALLOW:
            return remembered.ruling
        say = wording.denial if remembered.ruling.decision is Decision.DENY else wording.hold
        reason = say(remembered.judgement, remembered.effect, statement, subject.resource.name, self.rules)
        return replace(remembered.ruling, reason=reason)

    def _asker(self, subject: Subject) -> Asker:
        """Return the asker of everybody with the same facts.

        A session keeps its principal and resource objects, so their identity finds it quickly; the entry holds them,
        which keeps their identity theirs.
        """
        key = (id(subject.principal), id(subject.resource), subject.source, subject.plane)
        seen = self._seen.get(key)
        if seen is not None:
            return seen[1]
        told = self._telling(subject)
        facts = _facts(told)
        asker = self._askers.get(facts)
        if asker is None:
            asker = Asker(told)
            self._askers.put(facts, asker)
        self._seen.put(key, (subject, asker))
        return asker

    def _telling(self, subject: Subject) -> Subject:
        """Return the subject with no other claims than policies read.

        A token has some of its own each time (`jti`, `iat`); by those, nothing ruled for one would serve another.
        """
        if self._tags is None:
            return subject
        claims = {name: value for name, value in subject.principal.claims.items() if name in self._tags}
        return replace(subject, principal=replace(subject.principal, claims=claims))


def connect_statement(subject: Subject) -> Statement:
    """Return the statement that a login is judged as."""
    path = (subject.database,) if subject.database else ()
    place = Object(path, "database" if path else "resource")
    return Statement("", (Effect(Action.CONNECT, place),), "CONNECT", subject.database)


def _weight(statement: Statement) -> int:
    """Return roughly how many bytes it takes to remember a ruling of this statement."""
    names = sum(len(name) for effect in statement.effects for name in effect.object.names)
    return _EFFECT_WEIGHT * (1 + len(statement.effects)) + 4 * (names + len(statement.operation))


def _refusal(statement: Statement) -> str:
    if not statement.effects:
        return wording.NO_EFFECT
    if len(statement.effects) > MAX_EFFECTS:
        return f"the statement touches {len(statement.effects)} things; policy judges at most {MAX_EFFECTS} at once"
    return ""


def _facts(subject: Subject) -> tuple[object, ...]:
    """Return everything of a subject that an evaluation reads (its database is the statement's)."""
    principal, resource = subject.principal, subject.resource
    return (
        principal.key,
        principal.groups,
        frozenset(principal.claims.items()),
        (resource.name, resource.kind, resource.azure, frozenset(resource.tags.items())),
        subject.source,
        subject.plane,
    )
