"""`blastwall policy check|test|explain`: what the policies of a configuration say, without a gateway running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.printing import FAILED, MISUSED, fail, print_json, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blastwall.config.model import Configuration
    from blastwall.policy.policy_set import PolicySet

_COLOURS = {"allow": "green", "hold": "yellow", "deny": "red"}

ConfigurationFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add `policy` with its commands."""
    policy = typer.Typer(name="policy", help="Check, test and explain policies.", no_args_is_help=True)
    policy.command("check")(check)
    policy.command("test")(test)
    policy.command("explain")(explain)
    app.add_typer(policy)


def check(config: ConfigurationFile = Path("blastwall.yaml"), as_json: AsJson = False) -> None:
    """Validate the policies and packs, and list what is in force."""
    from dataclasses import asdict

    from blastwall.control import policy
    from blastwall.policy.load import PolicyError

    try:
        report = policy.check(_configuration(config))
    except PolicyError as error:
        fail(str(error), MISUSED)
    if as_json:
        print_json(asdict(report))
        return
    _list_policies(report)
    for warning in report.warnings:
        warn(warning)


def test(
    cases: Annotated[list[Path], typer.Argument(help="YAML files of cases.")],
    config: ConfigurationFile = Path("blastwall.yaml"),
    as_json: AsJson = False,
) -> None:
    """Run cases: principal, resource and statement, with the ruling that is expected."""
    from dataclasses import asdict

    from blastwall.control.policy_cases import CasesError, read_cases, run_cases
    from blastwall.protocols.discover import discover

    configuration = _configuration(config)
    policies = _policies(configuration)
    try:
        placed = [case for path in cases for case in read_cases(path)]
    except CasesError as error:
        fail(str(error), MISUSED)
    results = run_cases(policies, configuration, discover(), placed)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        _show_results(results)
    if any(result.problems for result in results):
        raise typer.Exit(FAILED)


def explain(
    statement: Annotated[str, typer.Argument(help="The statement; left out, the login is explained.")] = "",
    *,
    resource: Annotated[str, typer.Option("--resource", "-r", help="The resource's name.")],
    agent: Annotated[str, typer.Option("--agent", "-a", help="The agent that asks.")] = "",
    user: Annotated[str, typer.Option("--user", "-u", help="The user who asks, instead of an agent.")] = "",
    database: Annotated[str | None, typer.Option("--database", "-d", help="Default: the resource's first.")] = None,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", help="NAME=VALUE of the token; may be repeated.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The client's address.")] = "127.0.0.1",
    config: ConfigurationFile = Path("blastwall.yaml"),
    as_json: AsJson = False,
) -> None:
    """Say what a statement would do, which policies decide it, and what would change that. Runs nothing."""
    from dataclasses import asdict
    from ipaddress import ip_address

    from blastwall.control.policy_explain import classified
    from blastwall.control.policy_explain import explain as explained
    from blastwall.control.policy_subject import Unknown, Who, subject_of
    from blastwall.model.principal import PrincipalKind
    from blastwall.policy.policy_set import connect_statement
    from blastwall.protocols.discover import discover

    if bool(agent) == bool(user):
        fail("give either --agent or --user", MISUSED)
    configuration = _configuration(config)
    who = Who(PrincipalKind.AGENT if agent else PrincipalKind.USER, agent or user, _claims(claim or []))
    try:
        address = ip_address(source)
        subject = subject_of(configuration, discover(), who, resource=resource, database=database, source=address)
    except (Unknown, ValueError) as error:
        fail(str(error), MISUSED)
    asked = classified(discover(), subject, statement) if statement.strip() else (connect_statement(subject),)
    explanations = explained(_policies(configuration), subject, asked)
    if as_json:
        print_json([asdict(one) for one in explanations])
    else:
        for one in explanations:
            _show_explanation(one)


def _configuration(path: Path) -> Configuration:
    from blastwall.config.load import ConfigurationError, load

    try:
        return load(path)
    except ConfigurationError as error:
        fail(str(error), MISUSED)


def _policies(configuration: Configuration) -> PolicySet:
    from blastwall.control.policy import load_policies
    from blastwall.policy.load import PolicyError

    try:
        return load_policies(configuration)
    except PolicyError as error:
        fail(str(error), MISUSED)


def _claims(given: Sequence[str]) -> dict[str, str]:
    claims: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            fail(f"--claim expects NAME=VALUE, not {one!r}", MISUSED)
        claims[name] = value
    return claims
