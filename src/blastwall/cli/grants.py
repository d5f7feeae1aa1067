"""`blastwall grants`: ask for access, decide on it, end it; break the glass, and review that.

Everything goes through a gateway's API: as the person who is logged in, or as the agent or user whose token is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from blastwall.cli.printing import MISUSED, fail, print_json, print_table, say
from blastwall.cli.remote import CaOption, Json, ServerOption, TokenFileOption, connected

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Identity = Annotated[str, typer.Argument(help="The grant's id.")]
Resource = Annotated[str, typer.Argument(help="The resource.")]
Actions = Annotated[list[str], typer.Argument(help="The actions, such as `update delete`.")]
Why = Annotated[str, typer.Option("--reason", help="Why; whoever decides reads it.")]
Comment = Annotated[str, typer.Option("--comment", help="For the record.")]
Long = Annotated[str, typer.Option("--for", help="How long from its start: minutes or hours, such as 30m or 2h.")]
STATES = ("asked", "open", "ended", "refused", "revoked", "all")
_LONG = re.compile(r"([1-9][0-9]{0,3})(m|h)")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    grants = typer.Typer(no_args_is_help=True, help="Just-in-time access: ask, decide, revoke; break the glass.")
    grants.command("list")(list_)
    grants.command("show")(show)
    grants.command("ask")(ask)
    grants.command("approve", help="Approve access that is asked for.")(_deciding("approve"))
    grants.command("deny", help="Refuse access that is asked for.")(_deciding("deny"))
    grants.command("revoke", help="End access that is open, and what rests on it, at once.")(_deciding("revoke"))
    grants.command("break-glass")(break_glass)
    grants.command("review", help="Close the review of a broken glass; --comment says what was found.")(
        _deciding("review")
    )
    app.add_typer(grants, name="grants")


def list_(
    *,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}.")] = "all",
    resource: Annotated[str | None, typer.Option(help="Of this resource only.")] = None,
    unreviewed: Annotated[bool, typer.Option(help="Only broken glasses whose review is open.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: AsJson = False,
) -> None:
    """Show grants: what is asked for, open, and was; an agent sees its own."""
    if state not in STATES:
        fail(f"--state {state!r} is none of {', '.join(STATES)}", MISUSED)
    query = {"state": state, "resource": resource, "unreviewed": unreviewed}
    with connected(server, token_file, ca) as remote:
        found = list(remote.items("/grants", query, limit))
    if json:
        print_json(found)
        return
    if not found:
        say("no grants")
        return
    titles = ("id", "state", "who", "resource", "actions", "ends", "last used", "reason")
    print_table(titles, map(_row, found))


def show(
    grant: Identity,
    *,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: AsJson = False,
) -> None:
    """Show one grant: who asked for what and why, and who decided what."""
    with connected(server, token_file, ca) as remote:
        _tell(remote.get(f"/grants/{grant}"), json)


def ask(
    resource: Resource,
    actions: Actions,
    *,
    reason: Why,
    long: Long = "1h",
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: AsJson = False,
) -> None:
    """Ask for access for oneself: an agent with its token, a person with their login."""
    body = {"resource": resource, "actions": actions, "reason": reason, "minutes": _minutes(long)}
    with connected(server, token_file, ca) as remote:
        _tell(remote.post("/grants", body), json)


def break_glass(
    resource: Resource,
    actions: Actions,
    *,
    reason: Why,
    agent: Annotated[str, typer.Option(help="The agent that gets access.")] = "",
    user: Annotated[str, typer.Option(help="The user who gets access, instead of an agent.")] = "",
    long: Long = "30m",
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: AsJson = False,
) -> None:
    """Open access without approval, in an emergency. Everybody is told, and somebody else has to review it."""
    if bool(agent) == bool(user):
        fail("give either --agent or --user", MISUSED)
    body = {
        "kind": "agent" if agent else "user",
        "name": agent or user,
        "resource": resource,
        "actions": actions,
        "reason": reason,
        "minutes": _minutes(long),
    }
    with connected(server, token_file, ca) as remote:
        _tell(remote.post("/break-glass", body), json)


def _deciding(decision: str) -> Callable[[str], None]:
    def command(
        grant: Identity,
        *,
        comment: Comment = "",
        server: ServerOption = None,
        token_file: TokenFileOption = None,
        ca: CaOption = None,
        json: AsJson = False,
    ) -> None:
        with connected(server, token_file, ca) as remote:
            _tell(remote.post(f"/grants/{grant}/{decision}", {"comment": comment}), json)

    return command


def _minutes(text: str) -> int:
    match = _LONG.fullmatch(text)
    if match is None:
        fail(f"--for expects minutes or hours, such as 30m or 2h, not {text!r}", MISUSED)
    return int(match[1]) * (60 if match[2] == "h" else 1)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _row(grant: Json) -> tuple[str, ...]:
    names = ("id", "state")
    told = ("resource", "actions", "ends", "last_used", "reason")
    return (*(_text(grant.get(name)) for name in names), _who(grant), *(_cell(grant.get(name)) for name in told))


def _cell(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else _text(value)


def _who(grant: Json) -> str:
    principal = grant.get("principal")
    return f"{principal.get('kind')} {principal.get('name')}" if isinstance(principal, dict) else ""


def _tell(grant: Json, json: bool) -> None:
    if json:
        print_json(grant)
        return
    actions = _cell(grant.get("actions"))
    say(f"{_text(grant.get('id'))}: {_text(grant.get('state'))}")
    lines = {
        "for": f"{_who(grant)}: {actions} on {_text(grant.get('resource'))}, {_text(grant.get('minutes'))} minutes",
        "reason": _text(grant.get("reason")),
        "needs": _needs(grant),
        "ends": _text(grant.get("ends")),
        "last used": _text(grant.get("last_used")),
        "decided": "; ".join(_decision(each) for each in _dicts(grant.get("decisions"))),
        "page": _text(grant.get("link")),
    }
    for label, line in lines.items():
        if line:
            say(f"  {label}: {line}")


def _needs(grant: Json) -> str:
    needed = _dicts(grant.get("needed")) if grant.get("state") == "asked" else []
    return " and ".join(f"{each.get('count')} of {each.get('group')} ({each.get('given')} given)" for each in needed)


def _decision(said: Mapping[str, object]) -> str:
    comment = said.get("comment")
    return f"{said.get('decision')} by {said.get('by')}" + (f" ({comment})" if comment else "")


def _dicts(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
