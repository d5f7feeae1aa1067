"""`blastwall policy …` as it is typed, over the example that ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from blastwall.cli import policy

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = ("-c", str(EXAMPLES / "blastwall.yaml"))
CASES = EXAMPLES / "policy-tests" / "shop.yaml"


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    policy.register(app)
    return CliRunner().invoke(app, ["policy", *arguments])


def test_check_lists_policies_and_packs() -> None:
    result = run("check", *CONFIG)
    assert result.exit_code == 0
    assert "permit ci-deletes-need-a-dba (approval by dba:1)" in result.stdout
    assert "pack postgres\n" in result.stdout


def test_check_as_json_says_the_same() -> None:
    report = json.loads(run("check", *CONFIG, "--json").stdout)
    assert report["packs"] == [{"name": "postgres", "excepted": []}]
    assert {"id", "effect", "where", "mode", "approvals", "grant", "grant_max"} == set(report["policies"][0])
    assert "approvers" in report["warnings"][0]


def test_a_mistake_in_a_policy_ends_with_2_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "blastwall.yaml").write_text((EXAMPLES / "blastwall.yaml").read_text())
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.cedar").write_text('\n@id("x") @aproval("dba:1") permit (principal, action, resource);')
    for command in (["check"], ["test", str(CASES)], ["explain", "-r", "pg-prod", "-a", "shop-ci"]):
        result = run(*command, "-c", str(tmp_path / "blastwall.yaml"))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "p.cedar:2: @aproval: no such annotation; did you mean 'approval'?" in result.stderr


def test_the_shipped_cases_go_as_expected() -> None:
    result = run("test", str(CASES), *CONFIG)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "11 of 11 cases went as expected")


def test_a_failing_case_ends_with_1(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES.read_text().replace("expect: hold", "expect: allow"))
    result = run("test", str(cases), *CONFIG)
    assert result.exit_code == 1
    assert "FAILED deleting an order waits for a dba" in result.stdout
    assert "expected allow, got hold" in result.stdout
    failed = [one for one in json.loads(run("test", str(cases), *CONFIG, "--json").stdout) if one["problems"]]
    assert [(one["expected"], one["decision"]) for one in failed] == [("allow", "hold")] * 2


def test_cases_that_cannot_be_read_end_with_2(tmp_path: Path) -> None:
    result = run("test", str(tmp_path / "none.yaml"), *CONFIG)
    assert (result.exit_code, "none.yaml: cannot be read" in result.stderr) == (2, True)


def test_explain_names_decision_object_and_way_out() -> None:
    result = run("explain", "DELETE FROM orders", "-r", "pg-prod", "-a", "shop-ci", *CONFIG)
    assert result.exit_code == 0
    assert "deny: policy does not permit DELETE on shop.public.orders" in result.stdout
    assert 'delete Object::"pg-prod/shop/public/orders" (table)' in result.stdout
    assert "ci-deletes-need-a-dba would permit it, but `when { context.filtered }` does not hold" in result.stdout


def test_explain_without_a_statement_explains_the_login() -> None:
    [one] = json.loads(run("explain", "-r", "pg-prod", "-a", "shop-ci", *CONFIG, "--json").stdout)
    assert (one["decision"], one["operation"]) == ("allow", "CONNECT")
    assert one["effects"][0]["decided_by"][0]["id"] == "ci-reads-the-shop"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "give either --agent or --user"),
        (("-a", "shop-ci", "-u", "ana"), "give either --agent or --user"),
        (("-a", "shop"), "no agent is named 'shop'"),
        (("-a", "shop-ci", "--claim", "ref"), "--claim expects NAME=VALUE"),
        (("-a", "shop-ci", "--source", "here"), "'here' does not appear to be"),
        (("-a", "shop-ci", "-d", "stock"), "has no database 'stock'"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], complaint: str) -> None:
    result = run("explain", "SELECT 1", "-r", "pg-prod", *arguments, *CONFIG)
    assert (result.exit_code, complaint in result.stderr) == (2, True)


def test_markup_in_a_statement_is_printed_as_it_is() -> None:
    result = run("explain", "SELECT '[red]x[/]' FROM orders", "-r", "pg-prod", "-a", "shop-ci", *CONFIG)
    assert "SELECT '[red]x[/]' FROM orders" in result.stdout
