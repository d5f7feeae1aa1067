"""`blastwall policy check|test|explain`: what the policies of a configuration say, without a gateway running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.completing import names
from blastwall.cli.printing import FAILED, MISUSED, console, fail, print_json, shown, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blastwall.config.model import Configuration
    from blastwall.control.policy import CheckReport, PolicyLine
    from blastwall.control.policy_cases import CaseResult
    from blastwall.control.policy_explain import EffectExplained, Explanation
    from blastwall.policy.policy_set import PolicySet

_COLOURS = {"allow": "green", "hold": "yellow", "deny": "red", "permit": "green", "forbid": "red"}

ConfigurationFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add `policy` with its commands."""
    policy = typer.Typer(name="policy", help="Check, test and explain policies.", no_args_is_help=True)
    policy.command("check")(_check)
    policy.command("test")(_test)
    policy.command("explain")(_explain)
    app.add_typer(policy)


def _check(config: ConfigurationFile = Path("blastwall.yaml"), as_json: AsJson = False) -> None:
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


def _test(
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


def _explain(
    statement: Annotated[str, typer.Argument(help="The statement; left out, the login is explained.")] = "",
    *,
    resource: Annotated[
        str, typer.Option("--resource", "-r", help="The resource's name.", autocompletion=names("resources"))
    ],
    agent: Annotated[
        str, typer.Option("--agent", "-a", help="The agent that asks.", autocompletion=names("agents"))
    ] = "",
    user: Annotated[
        str,
        typer.Option("--user", "-u", help="The user who asks, instead of an agent.", autocompletion=names("users")),
    ] = "",
    database: Annotated[str | None, typer.Option("--database", "-d", help="Default: the resource's first.")] = None,
    claim: Annotated[list[str] | None, typer.Option("--claim", help="NAME=VALUE of its token; repeatable.")] = None,
    source: Annotated[str, typer.Option("--source", help="The client's address.")] = "127.0.0.1",
    granted: Annotated[
        list[str] | None, typer.Option("--granted", help="An action for which a grant is open; repeatable.")
    ] = None,
    config: ConfigurationFile = Path("blastwall.yaml"),
    as_json: AsJson = False,
) -> None:
    """Say what a statement would do, which policies decide it, and what would change that. Runs nothing."""
    from dataclasses import asdict
    from ipaddress import ip_address

    from blastwall.control.masks import masking_of
    from blastwall.control.policy_explain import classified, explain
    from blastwall.control.policy_subject import Unknown, Who, actions, subject_of
    from blastwall.model.principal import PrincipalKind
    from blastwall.policy.policy_set import connect_statement
    from blastwall.protocols.discover import discover

    if bool(agent) == bool(user):
        fail("give either --agent or --user", MISUSED)
    configuration = _configuration(config)
    who = Who(PrincipalKind.AGENT if agent else PrincipalKind.USER, agent or user, _claims(claim or []))
    try:
        subject = subject_of(
            configuration,
            discover(),
            who,
            resource=resource,
            database=database,
            source=ip_address(source),
            granted=actions(granted or ()),
        )
    except (Unknown, ValueError) as error:
        fail(str(error), MISUSED)
    masking = masking_of(configuration)
    asked = classified(discover(), subject, statement, masking) if statement.strip() else (connect_statement(subject),)
    explanations = explain(_policies(configuration), subject, asked)
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


def _coloured(word: str) -> str:
    return f"[{_COLOURS[word]}]{word}[/]"


def _list_policies(report: CheckReport) -> None:
    for one in report.policies:
        notes = [f"approval by {shown(', '.join(one.approvals))}"] if one.approvals else []
        notes += [_grant_note(one)] if one.grant else []
        notes += ["observed only"] if one.mode == "observe" else []
        said = f" ({'; '.join(notes)})" if notes else ""
        console.print(f"{_coloured(one.effect)} [bold]{shown(one.id)}[/]{said}  [dim]{shown(one.where)}[/]")
    for pack in report.packs:
        without = f" except {', '.join(pack.excepted)}" if pack.excepted else ""
        console.print(f"pack [bold]{shown(pack.name)}[/]{shown(without)}")
    console.print(f"{len(report.policies)} policies, version {report.version}")


def _grant_note(one: PolicyLine) -> str:
    longest = "" if one.grant_max is None else f", {one.grant_max / 60:g} minutes at most"
    return f"with a grant by {shown(', '.join(one.grant))}{longest}"


def _show_results(results: Sequence[CaseResult]) -> None:
    for result in results:
        mark = "[red]FAILED[/]" if result.problems else "[green]ok[/]    "
        console.print(f"{mark} {shown(result.name)}  [dim]{shown(result.where)}[/]")
        for problem in result.problems:
            console.print(f"       {shown(problem)}")
        if result.problems and result.reason:
            console.print(f"       the client is told: {shown(result.reason)}")
    failed = sum(bool(result.problems) for result in results)
    console.print(f"{len(results) - failed} of {len(results)} cases went as expected")


def _show_explanation(one: Explanation) -> None:
    for line in (one.text or one.operation).splitlines():
        console.print(f"[bold]{shown(line)}[/]")
    console.print(f"{_coloured(one.decision)}{shown(': ' + one.reason if one.reason else '')}")
    if one.filters_masked:
        console.print("a masked column decides rows, their order or number, or a failure (context.filters_masked)")
    for effect in one.effects:
        _show_effect(effect)
    console.print(f"[dim]policy version {one.version}[/]")


def _show_effect(effect: EffectExplained) -> None:
    what = f"{effect.action} {effect.object} ({effect.kind})"
    console.print(f"\n  {_coloured(effect.decision)}  {shown(what)}")
    for policy in effect.decided_by:
        console.print(f"    decided by [bold]{shown(policy.id)}[/]  [dim]{shown(policy.where)}[/]")
        for line in policy.text.splitlines():
            console.print(f"      [dim]{shown(line)}[/]")
    for change in effect.changes:
        console.print(f"    what would change it: {shown(change)}")
    for identity in effect.observed:
        console.print(f"    observed: {shown(identity)} applies")
