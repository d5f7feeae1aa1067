"""`blastwall contain`: cut off an agent, a user, an issuer, a resource, a session or a pass, and let it in again.

The commands work on the state database that the configuration names, so they work while a gateway is stuck; every
running gateway sees the change in under a second. With `--server` they go through a gateway's API instead, as the
person who is logged in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from blastwall.cli.combining import refuse_beside, refuse_without
from blastwall.cli.completing import of_command
from blastwall.cli.printing import FAILED, MISUSED, fail, print_json, print_table, say, warn
from blastwall.cli.remote import CaOption, TokenFileOption, connected
from blastwall.cli.sessions import commands as sessions

if TYPE_CHECKING:
    from blastwall.config.model import Configuration
    from blastwall.control.access import Operator
    from blastwall.control.containing import Containing

T = TypeVar("T")
Name = Annotated[str, typer.Argument(autocompletion=of_command)]
Config = Annotated[Path, typer.Option("-c", "--config", help="The gateway's configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lift = Annotated[bool, typer.Option("--lift", help="Let it in again; needs a reason, too.")]
Reason = Annotated[str, typer.Option(help="Why; for the record, never told to the client.")]
Through = Annotated[
    str | None,
    typer.Option("--server", help="Act through this gateway's API, https://HOST:PORT, as you are logged in."),
]
DEFAULT_CONFIG = Path("blastwall.yaml")

_LIFTABLE = {
    "agent": "End an agent's sessions and refuse it new ones, until lifted.",
    "user": "End a user's sessions and refuse them new ones, until lifted.",
    "issuer": "End the sessions of whoever comes from an issuer and refuse new ones, until lifted.",
    "resource": "End every session at a resource and refuse new ones, until lifted.",
}
_FINAL = {
    "session": "End one session for good; its agent may begin another.",
    "pass": "Revoke one pass or gateway token by its id and end its sessions.",
}


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a command acts: on a configuration's state, or through a gateway's API."""

    context: typer.Context
    config: Path
    server: str | None
    token_file: str | None
    ca: Path | None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    contain = typer.Typer(no_args_is_help=True, help="Cut off an agent, issuer, resource, session or pass at once.")
    for kind, text in _LIFTABLE.items():
        contain.command(kind, help=text)(_liftable(kind))
    for kind, text in _FINAL.items():
        contain.command(kind, help=text)(_final(kind))
    contain.command("list")(list_)
    contain.command("history")(history)
    app.add_typer(contain, name="contain")
    sessions.command("kill", help=_FINAL["session"])(_final("session"))


def _liftable(kind: str) -> Callable[[typer.Context, str], None]:
    def command(
        context: typer.Context,
        name: Name,
        *,
        reason: Reason = "",
        lift: Lift = False,
        config: Config = DEFAULT_CONFIG,
        server: Through = None,
        token_file: TokenFileOption = None,
        ca: CaOption = None,
        json: Json = False,
    ) -> None:
        _contain(kind, name, reason, _Way(context, config, server, token_file, ca), lift=lift, json=json)

    return command


def _final(kind: str) -> Callable[[typer.Context, str], None]:
    def command(
        context: typer.Context,
        name: str,
        *,
        reason: Reason = "",
        config: Config = DEFAULT_CONFIG,
        server: Through = None,
        token_file: TokenFileOption = None,
        ca: CaOption = None,
        json: Json = False,
    ) -> None:
        _contain(kind, name, reason, _Way(context, config, server, token_file, ca), lift=False, json=json)

    return command


def list_(config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show what is contained now."""
    found = _run(_load(config), lambda containing, operator: containing.in_force(operator))
    if json:
        print_json([{"kind": e.kind, "name": e.name, "reason": e.reason, "by": e.by, "at": e.at} for e in found])
        return
    rows = [(each.kind.value, each.name, _moment(each.at), each.by, each.reason) for each in found]
    _show(("what", "name", "since", "by", "reason"), rows, "nothing is contained")


def history(
    config: Config = DEFAULT_CONFIG,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    json: Json = False,
) -> None:
    """Show what was contained, by whom and why, and who lifted it."""
    found = _run(_load(config), lambda containing, operator: containing.history(operator, limit))
    if json:
        shown = ("kind", "name", "reason", "by", "at")
        print_json(
            [
                {
                    **{name: getattr(each.contained, name) for name in shown},
                    "lifted": each.lifted,
                    "lifted_by": each.lifted_by,
                    "lift_reason": each.lift_reason,
                }
                for each in found
            ]
        )
        return
    rows = []
    for each in found:
        one = each.contained
        lifted = "" if each.lifted is None else f"{_moment(each.lifted)} by {each.lifted_by}: {each.lift_reason}"
        rows.append((one.kind.value, one.name, _moment(one.at), one.by, one.reason, lifted))
    _show(("what", "name", "since", "by", "reason", "lifted"), rows, "nothing was ever contained")


def _show(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], nothing: str) -> None:
    if rows:
        print_table(heads, rows)
    else:
        say(nothing)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _contain(kind: str, name: str, reason: str, way: _Way, *, lift: bool, json: bool) -> None:
    if not reason.strip():
        fail("--reason is missing: say why, others will read it", MISUSED)
    refuse_beside(way.context, "server", "config", why="the gateway there has its own configuration")
    refuse_without(way.context, "server", "token_file", "ca", why="the command works on the state itself")
    if way.server is not None:
        with connected(way.server, way.token_file, way.ca) as remote:
            remote.post("/containment/lift" if lift else "/containment", {"kind": kind, "name": name, "reason": reason})
    else:
        _contain_here(kind, name, reason, way.config, lift=lift)
    state = "lifted" if lift else "contained"
    if json:
        print_json({"kind": kind, "name": name, "state": state})
    else:
        say(f"{kind} {name}: {state}")


def _contain_here(kind: str, name: str, reason: str, config: Path, *, lift: bool) -> None:
    from blastwall.store.containments import Kind

    what, configuration = Kind(kind), _load(config)
    if lift:
        _run(configuration, lambda containing, operator: containing.lift(operator, what, name, reason))
    else:
        _warn_unknown(configuration, kind, name)
        _run(configuration, lambda containing, operator: containing.contain(operator, what, name, reason))
        if kind == "session":
            _warn_unrecorded(configuration, name)


def _warn_unknown(configuration: Configuration, kind: str, name: str) -> None:
    """Warn of a name that the file does not know: it may be misspelt, or removed while its sessions still run."""
    names = {
        "agent": [agent.name for agent in configuration.agents],
        "user": [user.name for user in configuration.users],
        "issuer": [issuer.name for issuer in configuration.issuers],
        "resource": [resource.name for resource in configuration.resources],
    }
    if kind in names and name not in names[kind]:
        warn(f"the configuration has no {kind} named {name!r}; check the spelling")


def _warn_unrecorded(configuration: Configuration, session: str) -> None:
    """Warn of an id that no session here has, once it is contained: looking takes time where much is recorded."""
    from blastwall.cli.local import operator
    from blastwall.control.recordings import Recordings, Shelf
    from blastwall.recording.reader import NoRecordings, Query

    try:
        found = Recordings(Shelf(configuration.recordings.to)).find(operator(), Query())
    except NoRecordings:
        return
    if session not in {each.session for each in found}:
        warn(f"no session here has the id {session!r}; `blastwall sessions list --open` shows those that run")


def _load(config: Path) -> Configuration:
    from blastwall.config.load import ConfigurationError, load

    try:
        return load(config)
    except ConfigurationError as error:
        fail(str(error), MISUSED)


def _run(configuration: Configuration, call: Callable[[Containing, Operator], Awaitable[T]]) -> T:
    from blastwall.cli.local import operator, run_here
    from blastwall.control.containing import CannotContain, NotContained
    from blastwall.store import StateError

    try:
        return run_here(configuration, lambda here: call(here.containing, operator()))
    except (CannotContain, NotContained, StateError) as error:
        fail(str(error), FAILED)
