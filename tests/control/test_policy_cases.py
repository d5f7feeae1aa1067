"""`policy test`: what a file of cases may say, and how a case fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.control.policy_world import Words, write_world

from blastwall.config.load import load
from blastwall.control.policy import load_policies
from blastwall.control.policy_cases import CaseResult, CasesError, read_cases, run_cases
from blastwall.protocols.kind import ProtocolKind

KINDS: Mapping[str, ProtocolKind] = {"words": Words()}
Run = Callable[[str], CaseResult]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    configuration = load(write_world(tmp_path), KINDS)
    policies = load_policies(configuration, KINDS)

    def run_one(case: str) -> CaseResult:
        path = tmp_path / "cases.yaml"
        path.write_text("cases:\n  - " + "\n    ".join(f"name: it\nresource: desk\n{case}".splitlines()) + "\n")
        [result] = run_cases(policies, configuration, KINDS, read_cases(path))
        return result

    return run_one


AS_EXPECTED = [
    "principal: {agent: shop-ci}\nstatement: read public.orders\nexpect: allow\npolicies: [ci-reads]",
    "principal: {agent: shop-ci}\nexpect: allow",
    "principal: {agent: shop-ci}\ndatabase: stock\nexpect: deny\npolicies: []",
    "principal: {user: ana}\nstatement: read public.orders\nexpect: deny",
    "principal: {agent: shop-ci}\nstatement: delete public.orders!\nexpect: hold\nreason: 1 of dba",
    "principal: {agent: shop-ci}\nstatement: delete public.orders\nexpect: deny",
    "principal: {agent: shop-ci}\nstatement: read public.orders; drop public.orders\nexpect: deny",
    "principal: {agent: shop-ci}\nstatement: reveal public.keys\nexpect: deny\npolicies: [no-secrets]\nreason: never",
    "principal: {agent: shop-ci}\neffects: [[read, public.orders], [connect]]\nexpect: allow",
    "principal: {agent: shop-ci}\neffects: [[delete, public.orders, view]]\nfiltered: true\nexpect: hold",
    "principal: {agent: shop-ci}\neffects: [[read, '@roles.dba', role]]\nexpect: allow",
]


@pytest.mark.parametrize("case", AS_EXPECTED)
def test_a_case_that_goes_as_expected(run: Run, case: str) -> None:
    assert run(case).problems == ()


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("principal: {agent: shop-ci}\nstatement: drop public.orders\nexpect: hold", "expected hold, got deny"),
        (
            "principal: {agent: shop-ci}\nstatement: read public.a\nexpect: allow\npolicies: [other]",
            "expected other to decide, but ci-reads did",
        ),
        (
            "principal: {agent: shop-ci}\nstatement: reveal public.a\nexpect: deny\nreason: because",
            "expected a reason with 'because', got 'agents get access, never secrets'",
        ),
        ("principal: {agent: shopci}\nexpect: allow", "no agent is named 'shopci'; did you mean 'shop-ci'?"),
        ("principal: {user: shop-ci}\nexpect: allow", "no user is named 'shop-ci'"),
        ("principal: {agent: shop-ci}\ndatabase: shp\nexpect: deny", "no database 'shp'; did you mean 'shop'?"),
        ("principal: {agent: shop-ci}\neffects: [[reed, public.a]]\nexpect: deny", "no action is named 'reed'"),
        ("principal: {agent: shop-ci}\neffects: [[read, a.b.c]]\nexpect: deny", "is not SCHEMA.NAME"),
        ("principal: {agent: shop-ci}\neffects: [[]]\nexpect: deny", "an effect is [ACTION]"),
        ("principal: {agent: shop-ci}\nstatement: ';'\nexpect: deny", "the statement is empty"),
    ],
)
def test_a_case_that_does_not(run: Run, case: str, problem: str) -> None:
    result = run(case)
    assert any(problem in one for one in result.problems)
    assert result.where.endswith("cases.yaml:2")


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        ("principal: {agent: shop-ci}\nexpect: maybe", "expect"),
        ("principal: {agent: shop-ci, user: ana}\nexpect: deny", "give either `agent` or `user`"),
        ("principal: {agent: shop-ci}\nexpct: deny", "expct"),
        ("principal: {agent: shop-ci}\nstatement: read a.b\neffects: [[read]]\nexpect: deny", "not both"),
        ("principal: {agent: shop-ci}\nstatement: read a.b\nfiltered: true\nexpect: deny", "go with `effects`"),
        ("principal: {agent: shop-ci}\nplane: both\nexpect: deny", "plane"),
    ],
)
def test_a_file_that_cannot_be_used(run: Run, case: str, complaint: str) -> None:
    with pytest.raises(CasesError, match=r"cases\.yaml:\d+: ") as refused:
        run(case)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff", b"cases: [", b"cases: []", b"", b"- 1"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cases.yaml"
    path.write_bytes(content)
    with pytest.raises(CasesError, match=r"cases\.yaml:[12]: "):
        read_cases(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match=r"none\.yaml: cannot be read: No such file"):
        read_cases(tmp_path / "none.yaml")


def test_claims_that_a_match_fixes_are_the_principals(tmp_path: Path) -> None:
    policies = (
        '@id("main") permit (principal == Agent::"shop-ci", action, resource in Resource::"desk")\n'
        'when { principal.hasTag("ref") && principal.getTag("ref") == "refs/heads/main" };\n'
    )
    configuration = load(write_world(tmp_path, policies), KINDS)
    path = tmp_path / "cases.yaml"
    path.write_text(
        "cases:\n"
        "  - {name: main, principal: {agent: shop-ci}, resource: desk, expect: allow}\n"
        "  - {name: other, principal: {agent: shop-ci, claims: {ref: x}}, resource: desk, expect: deny}\n"
    )
    results = run_cases(load_policies(configuration, KINDS), configuration, KINDS, read_cases(path))
    assert [result.problems for result in results] == [(), ()]
