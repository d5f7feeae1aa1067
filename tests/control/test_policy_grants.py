"""`policy check`, `test` and `explain` know permits that count only with an open grant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.control.policy_world import POLICIES, Words, write_world
from typer.testing import CliRunner

from blastwall.cli.main import build
from blastwall.config.load import load
from blastwall.config.model import Configuration
from blastwall.control.masks import masking_of
from blastwall.control.policy import check, load_policies
from blastwall.control.policy_cases import CasesError, read_cases, run_cases
from blastwall.control.policy_explain import Explanation, classified, explain
from blastwall.control.policy_subject import Unknown, Who, actions, subject_of
from blastwall.model.effects import Action
from blastwall.model.principal import PrincipalKind
from blastwall.model.ruling import Decision
from blastwall.protocols.kind import ProtocolKind

KINDS: Mapping[str, ProtocolKind] = {"words": Words()}
CI = Who(PrincipalKind.AGENT, "shop-ci")
WITH_GRANT = (
    POLICIES
    + """
@id("ci-updates")
@grant("dba:1")
@grant_max("90m")
permit (principal in Group::"ci", action == Action::"update", resource in Database::"desk/shop");
"""
)


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return load(write_world(tmp_path, WITH_GRANT), KINDS)


def explained(configuration: Configuration, granted: Sequence[Action] = ()) -> Explanation:
    subject = subject_of(configuration, KINDS, CI, resource="desk", granted=granted)
    asked = classified(KINDS, subject, "update public.orders", masking_of(configuration))
    [one] = explain(load_policies(configuration, KINDS), subject, asked)
    return one


def test_check_says_who_opens_a_grant(configuration: Configuration) -> None:
    [line] = [one for one in check(configuration, KINDS).policies if one.id == "ci-updates"]
    assert (line.grant, line.grant_max, line.approvals) == (("dba:1",), 5400.0, ())


def test_check_warns_where_nobody_can_open_a_grant(tmp_path: Path) -> None:
    few = load(write_world(tmp_path, WITH_GRANT.replace('@grant("dba:1")', '@grant("dba:2")')), KINDS)
    assert any("2 of the group 'dba'" in warning for warning in check(few, KINDS).warnings)


def test_explain_says_that_a_grant_would_do_and_who_gives_it(configuration: Configuration) -> None:
    one = explained(configuration)
    assert one.decision is Decision.DENY
    [change] = one.effects[0].changes
    assert "ci-updates permits it with an open grant, which needs approval by 1 of dba" in change
    assert "lasts 90 minutes at most" in change


def test_explain_judges_as_if_a_grant_were_open(configuration: Configuration) -> None:
    one = explained(configuration, [Action.UPDATE])
    assert (one.decision, one.effects[0].decided_by[0].id) == (Decision.ALLOW, "ci-updates")
    assert explained(configuration, [Action.DELETE]).decision is Decision.DENY


@pytest.mark.parametrize(("grants", "expect"), [("[update]", "allow"), ("[delete, read]", "deny"), ("[]", "deny")])
def test_a_case_may_state_grants(configuration: Configuration, tmp_path: Path, grants: str, expect: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(
        "cases: [{name: it, resource: desk, principal: {agent: shop-ci}, statement: update public.orders, "
        f"grants: {grants}, expect: {expect}}}]"
    )
    [result] = run_cases(load_policies(configuration, KINDS), configuration, KINDS, read_cases(path))
    assert result.problems == ()


def test_a_misspelt_action_in_a_case_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text("cases:\n  - {name: it, resource: desk, principal: {agent: a}, expect: deny, grants: [reed]}")
    with pytest.raises(CasesError, match=r"cases\.yaml:2: .*grants"):
        read_cases(path)


def test_explain_refuses_a_misspelt_action() -> None:
    with pytest.raises(Unknown, match="no action is named 'reed'; did you mean 'read'"):
        actions(["reed"])
    example = str(Path(__file__).parents[2] / "examples" / "blastwall.yaml")
    result = CliRunner().invoke(
        build(), ["policy", "explain", "-c", example, "-r", "pg-prod", "-a", "shop-ci", "--granted", "reed"]
    )
    assert (result.exit_code, "no action is named 'reed'" in result.stderr) == (2, True)
