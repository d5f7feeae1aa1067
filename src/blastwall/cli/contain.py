"""`blastwall contain`: cut off an agent, a user, a resource, a session or a pass, and let it in again.

The commands work on the state database that the configuration names, so they work while a gateway is stuck; every
running gateway sees the change in under a second.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from blastwall.cli.printing import FAILED, MISUSED, console, fail, print_json, warn
from blastwall.cli.sessions import commands as sessions

if TYPE_CHECKING:
    from blastwall.config.model import Configuration
    from blastwall.control.access import Operator
    from blastwall.control.containing import Containing

T = TypeVar("T")
Config = Annotated[Path, typer.Option("-c", "--config", help="The gateway's configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lift = Annotated[bool, typer.Option("--lift", help="Let it in again.")]
Reason = Annotated[str, typer.Option(help="Why; for the record, never told to the client.")]
DEFAULT_CONFIG = Path("blastwall.yaml")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    contain = typer.Typer(no_args_is_help=True, help="Cut off an agent, resource, session or pass at once.")
    contain.command("agent")(agent)
    contain.command("user")(user)
    contain.command("resource")(resource)
    contain.command("session")(session)
    contain.command("pass")(pass_)
    contain.command("list")(list_)
    app.add_typer(contain, name="contain")
    sessions.command("kill")(session)


def agent(
    name: str, reason: Reason = "", lift: Lift = False, config: Config = DEFAULT_CONFIG, json: Json = False
) -> None:
    """End an agent's sessions and refuse it new ones, until lifted."""
    _contain("agent", name, reason, lift=lift, config=config, json=json)


def user(
    name: str, reason: Reason = "", lift: Lift = False, config: Config = DEFAULT_CONFIG, json: Json = False
) -> None:
    """End a user's sessions and refuse them new ones, until lifted."""
    _contain("user", name, reason, lift=lift, config=config, json=json)


def resource(
    name: str, reason: Reason = "", lift: Lift = False, config: Config = DEFAULT_CONFIG, json: Json = False
) -> None:
    """End every session at a resource and refuse new ones, until lifted."""
    _contain("resource", name, reason, lift=lift, config=config, json=json)


def session(name: str, reason: Reason = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """End one session for good; its agent may begin another."""
    _contain("session", name, reason, lift=False, config=config, json=json)


def pass_(name: str, reason: Reason = "", config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Revoke one pass by its id and end its sessions."""
    _contain("pass", name, reason, lift=False, config=config, json=json)


def list_(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show what is contained now."""
    found = _run(_load(config), lambda containing, operator: containing.in_force(operator))
    if json:
        print_json([{"kind": e.kind, "name": e.name, "reason": e.reason, "by": e.by, "at": e.at} for e in found])
        return
    from datetime import UTC, datetime

    from rich.table import Table

    table = Table("what", "name", "since", "by", "reason")
    for each in found:
        since = datetime.fromtimestamp(each.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        table.add_row(each.kind, each.name, since, each.by, each.reason)
    console.print(table if found else "nothing is contained")


def _contain(kind: str, name: str, reason: str, *, lift: bool, config: Path, json: bool) -> None:
    from blastwall.store.containments import Kind

    what = Kind(kind)
    configuration = _load(config)
    if lift:
        _run(configuration, lambda containing, operator: containing.lift(operator, what, name))
    else:
        if not reason:
            fail("--reason is missing: say why, others will read it", MISUSED)
        _warn_unknown(configuration, kind, name)
        _run(configuration, lambda containing, operator: containing.contain(operator, what, name, reason))
    state = "lifted" if lift else "contained"
    if json:
        print_json({"kind": kind, "name": name, "state": state})
    else:
        console.print(f"{kind} {name}: {state}", markup=False)


def _warn_unknown(configuration: Configuration, kind: str, name: str) -> None:
    """Warn of a name that the file does not know: it may be misspelt, or removed while its sessions still run."""
    names = {
        "agent": [agent.name for agent in configuration.agents],
        "user": [user.name for user in configuration.users],
        "resource": [resource.name for resource in configuration.resources],
    }
    if kind in names and name not in names[kind]:
        warn(f"the configuration has no {kind} named {name!r}; check the spelling")


def _load(config: Path) -> Configuration:
    from blastwall.config.load import ConfigurationError, load

    try:
        return load(config)
    except ConfigurationError as error:
        fail(str(error), MISUSED)


def _operator() -> Operator:
    """Return who is at this machine; in a container the user may have a number only."""
    from blastwall.control.access import Operator

    try:
        return Operator(getpass.getuser())
    except (KeyError, OSError):
        return Operator(f"uid {os.getuid()}")


def _run(configuration: Configuration, call: Callable[[Containing, Operator], Awaitable[T]]) -> T:
    import asyncio
    import time

    from blastwall.control.containing import CannotContain, Containing
    from blastwall.store import StateError, open_store
    from blastwall.store.containments import ContainmentTable
    from blastwall.store.passes import PassTable

    async def run() -> T:
        store = await open_store(configuration.state)
        try:
            return await call(Containing(ContainmentTable(store), PassTable(store), time.time), _operator())
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except (CannotContain, StateError) as error:
        fail(str(error), FAILED)
