"""`blastwall check`: can this configuration be used, and with `--dial`, can what it names be reached?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from blastwall.cli.combining import refuse_without
from blastwall.cli.printing import FAILED, MISUSED, console, fail, print_json, shown, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blastwall.app.advice import SecretState
    from blastwall.app.dial import Dialled
    from blastwall.app.plan import Plan
    from blastwall.policy.known import PackSource

Summary = dict[str, object]


def register(app: typer.Typer) -> None:
    """Add `check` to the root."""
    app.command("check")(check)


def check(
    context: typer.Context,
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")] = Path("blastwall.yaml"),
    dial: Annotated[
        bool, typer.Option("--dial", help="Log in to each resource, look for ways around it, fetch keys.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 also where --dial finds a way around the gateway.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Validate the configuration, its policies, packs, masking rules, certificates and secrets.

    Ends with 2 if the configuration cannot be used, with 1 if something cannot be reached. A way around the gateway
    (public network access, other logins with rights, too powerful a credential) is a warning; with `--strict` it ends
    with 1 too.
    """
    from blastwall.app.advice import cautions, secrets
    from blastwall.app.plan import Unusable, prepare

    refuse_without(context, "dial", "strict", why="nothing looks for ways around the gateway")
    try:
        plan = prepare(config)
    except Unusable as error:
        _unusable(str(error), as_json)
    states = tuple(secrets(plan.configuration))
    warnings = [
        *cautions(plan),
        *(f"{state.owner}: {state.source}: {state.problem}" for state in states if state.problem),
    ]
    dialled = _dial(plan) if dial else ()
    if dial:
        warnings += _in_the_state(plan)
    if as_json:
        print_json({**_summary(plan, states, warnings), "dialled": [_as_json(each) for each in dialled]})
    else:
        _show(plan, dialled)
        for warning in warnings:
            warn(warning)
    around = any(finding.weight == "warning" for each in dialled for finding in each.findings)
    if any(not each.reached for each in dialled) or (strict and around):
        raise typer.Exit(FAILED)


def _unusable(problems: str, as_json: bool) -> None:
    if as_json:
        print_json({"usable": False, "problems": problems.splitlines()})
        raise typer.Exit(MISUSED)
    fail(f"the configuration cannot be used\n{problems}", MISUSED)


def _dial(plan: Plan) -> Sequence[Dialled]:
    import asyncio

    from blastwall.app.dial import dial_all
    from blastwall.app.logs import set_up
    from blastwall.config.model import Logging

    set_up(Logging(level="warning", format="console"))
    return asyncio.run(dial_all(plan))


def _in_the_state(plan: Plan) -> Sequence[str]:
    """Return what the state says that somebody should look at."""
    import asyncio
    import time

    from blastwall.app.advice import in_the_state
    from blastwall.app.places import KeyFileUnusable
    from blastwall.store import StateError
    from blastwall.vault import SecretUnavailable

    try:
        return asyncio.run(in_the_state(plan.configuration, time.time()))
    except (KeyFileUnusable, SecretUnavailable, StateError) as error:
        return [str(error)]


def _summary(plan: Plan, states: Sequence[SecretState], warnings: Sequence[str]) -> Summary:
    configuration = plan.configuration
    return {
        "usable": True,
        "problems": [],
        "warnings": list(warnings),
        "listen": configuration.listen,
        "control_port": configuration.control.port,
        "issuers": [issuer.name for issuer in configuration.issuers],
        "agents": [agent.name for agent in configuration.agents],
        "users": [user.name for user in configuration.users],
        "resources": [_resource(plan, name) for name in plan.resources],
        "policies": {"version": plan.policies.version, "own": _own_policies(plan)},
        "packs": [{"name": pack.name, "except": list(pack.except_ids)} for pack in plan.packs],
        "masking_rules": len(plan.masks),
        "secrets": [{"owner": state.owner, "source": state.source, "problem": state.problem} for state in states],
    }


def _resource(plan: Plan, name: str) -> Summary:
    resource = plan.resources[name]
    settings = next(each for each in plan.configuration.resources if each.name == name)
    return {
        "name": name,
        "kind": resource.kind,
        "port": settings.listen,
        "hosts": settings.hosts,
        "upstream": ", ".join(map(str, resource.hosts)),
        "tls": str(resource.upstream.tls),
        "databases": list(resource.databases),
    }


def _own_policies(plan: Plan) -> list[str]:
    return sorted(rule.id for rule in plan.policies.rules.values() if not rule.pack)


def _as_json(dialled: Dialled) -> Summary:
    return {
        "what": dialled.what,
        "reached": dialled.reached,
        "milliseconds": round(dialled.seconds * 1000),
        "detail": dialled.detail,
        "exposure": [{"weight": str(one.weight), "what": one.what, "remedy": one.remedy} for one in dialled.findings],
    }


def _show(plan: Plan, dialled: Sequence[Dialled]) -> None:
    console.print(f"{shown(str(plan.path))} [bold green]can be used[/]\n")
    rows = [*_facts(plan), ("", ""), *(("resource", _line(_resource(plan, name))) for name in plan.resources)]
    rows += [("", "")] * bool(dialled)
    rows += [("reached" if each.reached else "[bold red]NOT reached[/]", _outcome(each)) for each in dialled]
    width = max(len(Text.from_markup(label)) for label, _ in rows)
    for label, text in rows:
        padding = " " * (width - len(Text.from_markup(label)))
        console.print(f"  [cyan]{label}[/]{padding}  {shown(text)}" if label else "")
    _show_exposure(dialled)
    if not dialled:
        console.print("\nNothing was dialled; `--dial` logs in to each resource and fetches each issuer's keys.")


_MARKS = {"good": "[green]good[/]   ", "note": "[cyan]note[/]   ", "warning": "[bold yellow]warning[/]"}


def _show_exposure(dialled: Sequence[Dialled]) -> None:
    """Print whether each resource can be reached around the gateway: what is wrong first, with what to do."""
    for each in dialled:
        if each.findings:
            console.print(f"\n  [cyan]around the gateway[/]  {shown(each.what)}")
        order = {weight: place for place, weight in enumerate(reversed(_MARKS))}
        for finding in sorted(each.findings, key=lambda one: order[one.weight]):
            console.print(f"    {_MARKS[finding.weight]}  {shown(finding.what)}")
            if finding.remedy:
                console.print(f"             [dim]→ {shown(finding.remedy)}[/]")


def _facts(plan: Plan) -> list[tuple[str, str]]:
    configuration = plan.configuration
    return [
        ("issuers", ", ".join(issuer.name for issuer in configuration.issuers)),
        ("agents", ", ".join(agent.name for agent in configuration.agents)),
        ("users", ", ".join(user.name for user in configuration.users) or "none"),
        ("policies", f"{len(_own_policies(plan))} of your own (version {plan.policies.version[:12]})"),
        ("packs", "; ".join(_pack(plan, pack) for pack in plan.packs) or "none"),
        ("masking", f"{len(plan.masks)} rules"),
        ("control", f"port {configuration.control.port}"),
    ]


def _pack(plan: Plan, pack: PackSource) -> str:
    count = sum(rule.pack == pack.name for rule in plan.policies.rules.values())
    off = f", off: {', '.join(pack.except_ids)}" if pack.except_ids else ""
    return f"{pack.name} ({count} policies{off})"


def _line(resource: Summary) -> str:
    hosts = resource["hosts"]
    named = f" as {' and '.join(map(str, hosts))}" if isinstance(hosts, list) and hosts else ""
    return f"{{name}} ({{kind}}) on port {{port}}{named} → {{upstream}}, tls {{tls}}".format_map(resource)


def _outcome(dialled: Dialled) -> str:
    return f"{dialled.what} in {dialled.seconds * 1000:.0f} ms: {dialled.detail}"
