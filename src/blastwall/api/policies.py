"""GET /policies, and the playground: what they say of a statement, and how cases go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

from blastwall.api.frame import Answer, Body, Endpoint, InCaller, InControl, NamedThing
from blastwall.control.playground import Judged, Playground, Question
from blastwall.control.policy_cases import Case, CaseResult
from blastwall.control.policy_explain import EffectExplained
from blastwall.control.policy_subject import Unknown, Who
from blastwall.control.reading import Busy
from blastwall.model.principal import PrincipalKind
from blastwall.model.ruling import Decision

_SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.DENY: 2}
_Decided = Literal["allow", "hold", "deny"]
_MOST_CASES = 200


class Unfit(Exception):
    """A case cannot be used."""


class Policy(Answer):
    """One policy in force."""

    id: str = Field(description="Its id.")
    effect: str = Field(description="`permit` or `forbid`.")
    where: str = Field(description="File and line, or the default pack.")
    mode: str = Field(description="`enforce` or `observe`.")
    approvals: list[str] = Field(description="Who must approve: `group:count`.")
    source_text: str = Field(description="Its text.")


class Pack(Answer):
    """One default pack in force."""

    name: str = Field(description="Its name.")
    excepted: list[str] = Field(description="Its policies that are switched off.")


class Policies(Answer):
    """What is in force."""

    version: str = Field(description="A digest of it.")
    policies: list[Policy] = Field(description="The policies.")
    packs: list[Pack] = Field(description="The default packs.")
    warnings: list[str] = Field(description="What may surprise; nothing of it is an error.")


class Subject(Body):
    """Who asks: one of `agent` and `user`."""

    agent: NamedThing | None = Field(None, description="An agent's name.")
    user: NamedThing | None = Field(None, description="A user's name.")
    claims: dict[str, str] = Field(
        default_factory=dict, max_length=50, description="Claims beyond those that the configuration fixes."
    )

    @model_validator(mode="after")
    def _one(self) -> Subject:
        if (self.agent is None) == (self.user is None):
            raise ValueError("give either `agent` or `user`")
        return self

    @property
    def who(self) -> Who:
        """Who it is."""
        kind = PrincipalKind.USER if self.agent is None else PrincipalKind.AGENT
        return Who(kind, self.agent or self.user or "", self.claims)


class Explain(Body):
    """A question to the policies."""

    principal: Subject = Field(description="Who asks.")
    resource: NamedThing = Field(description="Of which resource.")
    database: str | None = Field(None, min_length=1, max_length=200, description="Which database; default: its first.")
    statement: str = Field("", max_length=8192, description="The statement; left out, the login is judged.")


class PolicyShown(Answer):
    """A policy that had a say."""

    id: str = Field(description="Its id.")
    where: str = Field(description="File and line, or the default pack.")
    source_text: str = Field(description="Its text.")


class Effect(Answer):
    """One effect and how it is judged."""

    action: str = Field(description="The action.")
    object: str = Field(description="The object, as policies name it.")
    kind: str = Field(description="What the object is.")
    decision: _Decided = Field(description="How it is judged.")
    policies: list[PolicyShown] = Field(description="The policies that decided.")
    observed: list[str] = Field(description="Policies in observe mode that apply.")
    changes: list[str] = Field(description="What would change the decision.")


class Obligations(Answer):
    """What an allowed statement must still obey."""

    approvals: list[str] = Field(description="Who must approve: `group:count`.")
    limit_rows: int | None = Field(description="The most rows that the client may get.")
    limit_affected: int | None = Field(description="The most rows that it may change.")


class Observation(Answer):
    """What a policy in observe mode would have decided."""

    policy: str = Field(description="Its id.")
    decision: _Decided = Field(description="What it would have led to.")


class Ruling(Answer):
    """What is ruled of one statement."""

    text: str = Field(description="The statement; empty for a login.")
    operation: str = Field(description="The protocol's own verb.")
    decision: _Decided = Field(description="The ruling.")
    reason: str = Field(description="What the client would hear.")
    effects: list[Effect] = Field(description="What it would do.")
    policies: list[PolicyShown] = Field(description="The policies that decided.")
    obligations: Obligations = Field(description="What it must still obey.")
    observed: list[Observation] = Field(description="What policies in observe mode would have decided.")


class Explanation(Ruling):
    """What is ruled of a text: of its statement, or of the most restricted of several."""

    version: str = Field(description="A digest of the policies.")
    statements: list[Ruling] = Field(description="Each statement of the text.")


class Test(Body):
    """Cases as in a file of `policy test`."""

    cases: list[dict[str, object]] = Field(
        min_length=1, max_length=_MOST_CASES, description="The cases; see docs/policy.md for their keys."
    )


class Result(Answer):
    """How one case went."""

    name: str = Field(description="Its name.")
    passed: bool = Field(description="Whether it went as expected.")
    expected: _Decided = Field(description="The expected ruling.")
    decision: _Decided | None = Field(description="The ruling; null where the case cannot be asked.")
    policies: list[str] = Field(description="The policies that decided.")
    reason: str = Field(description="What the client would hear.")
    problems: list[str] = Field(description="What did not go as expected.")


class Results(Answer):
    """How cases went."""

    passed: bool = Field(description="Whether all went as expected.")
    results: list[Result] = Field(description="Each case.")


async def policies(control: InControl, caller: InCaller) -> Policies:
    """Read the policies in force, with their texts."""
    report, found = await control.playground.policies(caller)
    return Policies(
        version=report.version,
        policies=[
            Policy(
                id=line.id,
                effect=line.effect,
                where=line.where,
                mode=line.mode,
                approvals=list(line.approvals),
                source_text=found.rules[line.id].source.text,
            )
            for line in report.policies
        ],
        packs=[Pack(name=pack.name, excepted=list(pack.excepted)) for pack in report.packs],
        warnings=list(report.warnings),
    )


async def explain(control: InControl, caller: InCaller, body: Explain) -> Explanation:
    """Ask what would be ruled of a statement, and why. Nothing is sent, held or recorded.

    It is judged as `policy explain` does: without the resource's catalog, and with the claims that the configuration
    fixes.
    """
    question = Question(body.principal.who, body.resource, body.database, body.statement)
    judged = await control.playground.explain(caller, question)
    worst = max(judged, key=lambda one: _SEVERITY[one.ruling.decision])
    shown = [_ruling(one) for one in judged]
    return Explanation(**dict(shown[judged.index(worst)]), version=worst.explanation.version, statements=shown)


async def test(control: InControl, caller: InCaller, body: Test) -> Results:
    """Run cases against the policies in force."""
    found = [_result(each) for each in await control.playground.test(caller, _cases(body))]
    return Results(passed=all(each.passed for each in found), results=found)


def _cases(body: Test) -> list[Case]:
    try:
        return TypeAdapter(list[Case]).validate_json(to_json(body.cases), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unfit(f"cases.{place}: {first['msg']}") from None


def _ruling(judged: Judged) -> Ruling:
    explanation, ruling = judged.explanation, judged.ruling
    effects = [_effect(each) for each in explanation.effects]
    had_say = {policy.id: policy for effect in effects for policy in effect.policies}
    obligations = ruling.obligations
    return Ruling(
        text=explanation.text,
        operation=explanation.operation,
        decision=explanation.decision.value,
        reason=explanation.reason,
        effects=effects,
        policies=[had_say[identity] for identity in ruling.policies if identity in had_say],
        obligations=Obligations(
            approvals=[f"{each.group}:{each.count}" for each in obligations.approvals],
            limit_rows=obligations.limit_rows,
            limit_affected=obligations.limit_affected,
        ),
        observed=[Observation(policy=each.policy, decision=each.decision.value) for each in ruling.observed],
    )


def _effect(effect: EffectExplained) -> Effect:
    return Effect(
        action=effect.action,
        object=effect.object,
        kind=effect.kind,
        decision=effect.decision.value,
        policies=[PolicyShown(id=each.id, where=each.where, source_text=each.text) for each in effect.decided_by],
        observed=list(effect.observed),
        changes=list(effect.changes),
    )


def _result(found: CaseResult) -> Result:
    return Result(
        name=found.name,
        passed=not found.problems,
        expected=found.expected.value,
        decision=None if found.decision is None else found.decision.value,
        policies=list(found.policies),
        reason=found.reason,
        problems=list(found.problems),
    )


ENDPOINTS = (
    Endpoint("GET", "/policies", policies, Playground.policies),
    Endpoint("POST", "/policies/explain", explain, Playground.explain, {Unknown: 422, Busy: 503}),
    Endpoint("POST", "/policies/test", test, Playground.test, {Unknown: 422, Unfit: 422, Busy: 503}),
)
