"""`policy test`: cases in a YAML file, each a principal, a resource, a statement, and the ruling that is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

from blastwall.config.document import MAX_BYTES, Document, Unreadable, read
from blastwall.config.model import Configuration
from blastwall.config.types import NonEmpty, Strict
from blastwall.config.wording import problems
from blastwall.control.masks import masking_of
from blastwall.control.policy_explain import classified
from blastwall.control.policy_subject import LOOPBACK, Unknown, Who, read_effect, subject_of
from blastwall.gate.ports import Masking, Subject
from blastwall.model.effects import Action
from blastwall.model.principal import PrincipalKind
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage, Statement
from blastwall.policy.policy_set import PolicySet, connect_statement
from blastwall.protocols.kind import ProtocolKind

_SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.DENY: 2}


class CasesError(Exception):
    """A file of cases cannot be used; the text is every problem, one a line, with file and line."""


class CasePrincipal(Strict):
    """Who asks."""

    agent: NonEmpty | None = None
    user: NonEmpty | None = None
    claims: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> CasePrincipal:
        if (self.agent is None) == (self.user is None):
            raise ValueError("give either `agent` or `user`")
        return self


class Case(Strict):
    """One case. It asks by `statement`, by `effects`, or, with neither, whether the login is admitted."""

    name: NonEmpty
    principal: CasePrincipal
    resource: NonEmpty
    database: NonEmpty | None = None
    statement: NonEmpty | None = None
    effects: Annotated[list[list[str]], Field(min_length=1)] | None = None
    operation: str = ""
    filtered: bool = False
    filters_masked: bool = False
    in_transaction: bool = False
    stage: Stage = Stage.EXECUTE
    source: IPv4Address | IPv6Address = LOOPBACK
    plane: Literal["data", "control"] | None = None
    grants: list[Action] = Field(default_factory=list)
    expect: Decision
    policies: list[NonEmpty] | None = None
    reason: NonEmpty | None = None

    @model_validator(mode="after")
    def _asks_once(self) -> Case:
        if self.statement is not None and self.effects is not None:
            raise ValueError("give `statement` or `effects`, not both")
        if self.effects is None and (self.operation or self.filtered or self.filters_masked):
            raise ValueError(
                "`operation`, `filtered` and `filters_masked` go with `effects`; of a statement they are found out"
            )
        return self


class CaseFile(Strict):
    """A file of cases."""

    cases: list[Case] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went; `problems` is empty where it went as expected."""

    name: str
    where: str
    expected: Decision
    decision: Decision | None
    policies: tuple[str, ...]
    reason: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlacedCase:
    """A case and where it stands."""

    where: str
    case: Case


def read_cases(path: Path) -> tuple[PlacedCase, ...]:
    """Read a file of cases.

    Raises:
        CasesError: it cannot be used.
    """
    document = _document(path)
    try:
        found = TypeAdapter(CaseFile).validate_json(to_json(document.value), strict=True)
    except ValidationError as error:
        raise CasesError("\n".join(one.text(str(path)) for one in problems(error, document, CaseFile))) from None
    lines = [document.line(("cases", place)) for place in range(len(found.cases))]
    return tuple(PlacedCase(f"{path}:{line}", case) for line, case in zip(lines, found.cases, strict=True))


def run_cases(
    policies: PolicySet, configuration: Configuration, kinds: Mapping[str, ProtocolKind], cases: Sequence[PlacedCase]
) -> tuple[CaseResult, ...]:
    """Judge each case by the policies."""
    masking = masking_of(configuration)
    return tuple(_run(policies, configuration, kinds, placed, masking) for placed in cases)


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        return read(data.decode("utf-8"))
    except OSError as error:
        raise CasesError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CasesError(f"{path}:{error.object.count(10, 0, error.start) + 1}: not UTF-8 text") from None
    except Unreadable as error:
        raise CasesError("\n".join(one.text(str(path)) for one in error.problems)) from None


def _run(
    policies: PolicySet,
    configuration: Configuration,
    kinds: Mapping[str, ProtocolKind],
    placed: PlacedCase,
    masking: Masking,
) -> CaseResult:
    case = placed.case
    try:
        subject = _subject(configuration, kinds, case)
        statements = _statements(kinds, subject, case, masking)
    except Unknown as error:
        return CaseResult(case.name, placed.where, case.expect, None, (), "", (str(error),))
    rulings = [policies.rule(subject, statement) for statement in statements]
    ruling = max(rulings, key=lambda one: _SEVERITY[one.decision])
    return CaseResult(
        case.name,
        placed.where,
        case.expect,
        ruling.decision,
        ruling.policies,
        ruling.reason,
        tuple(_differences(case, ruling)),
    )


def _subject(configuration: Configuration, kinds: Mapping[str, ProtocolKind], case: Case) -> Subject:
    principal = case.principal
    kind = PrincipalKind.AGENT if principal.agent is not None else PrincipalKind.USER
    who = Who(kind, principal.agent or principal.user or "", principal.claims)
    return subject_of(
        configuration,
        kinds,
        who,
        resource=case.resource,
        database=case.database,
        source=case.source,
        plane=case.plane,
        granted=case.grants,
    )


def _statements(
    kinds: Mapping[str, ProtocolKind], subject: Subject, case: Case, masking: Masking
) -> tuple[Statement, ...]:
    """Return what a case asks, at least one statement."""
    if case.effects is not None:
        effects = tuple(read_effect(parts, subject.database) for parts in case.effects)
        operation = case.operation or effects[0].action.value.upper()
        by_hand = Statement(
            "", effects, operation, subject.database, filtered=case.filtered, filters_masked=case.filters_masked
        )
        asked: tuple[Statement, ...] = (by_hand,)
    elif case.statement is not None:
        asked = classified(kinds, subject, case.statement, masking)
        if not asked:
            raise Unknown("the statement is empty")
    else:
        asked = (connect_statement(subject),)
    return tuple(replace(one, in_transaction=case.in_transaction, stage=case.stage) for one in asked)


def _differences(case: Case, ruling: Ruling) -> Iterator[str]:
    if ruling.decision is not case.expect:
        yield f"expected {case.expect}, got {ruling.decision}"
    if case.policies is not None and set(case.policies) != set(ruling.policies):
        yield f"expected {_listed(case.policies)} to decide, but {_listed(ruling.policies)} did"
    if case.reason is not None and case.reason not in ruling.reason:
        yield f"expected a reason with {case.reason!r}, got {ruling.reason!r}"


def _listed(policies: Sequence[str]) -> str:
    return ", ".join(sorted(policies)) or "no policy"
