"""`blastwall approvals`: see what waits for people at a running gateway, and decide as yourself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from blastwall.cli.printing import MISUSED, console, fail, print_json, say
from blastwall.cli.recorded_text import block
from blastwall.cli.remote import CaOption, ServerOption, TokenFileOption, connected
from blastwall.visible import visible

Approval = Mapping[str, object]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Identity = Annotated[str, typer.Argument(metavar="ID", help="The request's id, as `list` and its client's notice say.")]
STATES = ("waiting", "approved", "denied", "timeout", "withdrawn", "all")
_SHORT = 100
_COLOURS = {"waiting": "yellow", "approved": "green", "denied": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    approvals = typer.Typer(no_args_is_help=True, help="See what waits for approval, and approve or deny it.")
    approvals.command("list")(list_)
    approvals.command("show")(show)
    approvals.command("approve")(approve)
    approvals.command("deny")(deny)
    app.add_typer(approvals, name="approvals")


def list_(
    *,
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}.")] = "waiting",
    resource: Annotated[str | None, typer.Option(help="At this resource alone.")] = None,
    agent: Annotated[str | None, typer.Option(help="Asked for by this agent or user alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: Json = False,
) -> None:
    """List requests for approval."""
    if state not in STATES:
        fail(f"--state {state!r} is none of {', '.join(STATES)}", MISUSED)
    with connected(server, token_file, ca) as remote:
        query = {"state": state, "resource": resource, "agent": agent}
        found = list(remote.items("/approvals", query, limit))
    if json:
        print_json(found)
    elif not found:
        say("nothing waits for approval" if state == "waiting" else "there are no such requests")
    else:
        _print_list(found)


def show(
    identity: Identity,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: Json = False,
) -> None:
    """Show one request: who asks, what exactly would run, what it would do, who must approve."""
    with connected(server, token_file, ca) as remote:
        found = remote.get(f"/approvals/{identity}")
    _print(found, json=json)


def approve(
    identity: Identity,
    *,
    minutes: Annotated[
        int | None, typer.Option(min=1, help="Approve this very statement, values included, for so many minutes.")
    ] = None,
    session: Annotated[bool, typer.Option("--session", help="Approve this very statement for its session.")] = False,
    comment: Annotated[str, typer.Option(help="For the record.")] = "",
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: Json = False,
) -> None:
    """Approve a statement, once unless you say for how long."""
    if session and minutes is not None:
        raise typer.BadParameter("an approval is for minutes or for the session, not for both")
    scope = "statement" if minutes is not None else "session" if session else "once"
    body = {"scope": scope, "minutes": minutes, "comment": comment}
    with connected(server, token_file, ca) as remote:
        found = remote.post(f"/approvals/{identity}/approve", {k: v for k, v in body.items() if v is not None})
    _print_outcome(found, json=json)


def deny(
    identity: Identity,
    *,
    comment: Annotated[str, typer.Option(help="Why: the client hears it.")],
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    json: Json = False,
) -> None:
    """Deny a statement; its client hears the comment in its error."""
    with connected(server, token_file, ca) as remote:
        found = remote.post(f"/approvals/{identity}/deny", {"comment": comment})
    _print_outcome(found, json=json)


# ── printing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _print_list(found: Sequence[Approval]) -> None:
    from rich.text import Text

    for each in found:
        state, asking = str(each["state"]), _of(each, "principal")
        line = Text(visible(f"{each['id']}  "))
        line.append(visible(f"{state} {_needs(each)}"), _COLOURS.get(state, "dim"))
        line.append(f"  {_time(each['asked_at'])}  ", "dim")
        line.append(visible(f"{asking['name']} at {each['resource']}"))
        console.print(line)
        say(f"    {_shortened(each['text'])}")


def _print(found: Approval, *, json: bool) -> None:
    if json:
        print_json(found)
        return
    from rich.text import Text

    state = str(found["state"])
    say(f"{found['id']}  {state}", f"bold {_COLOURS.get(state, '')}".strip())
    for label, text in _facts(found):
        console.print(Text(visible(f"  {label:<12}"), "dim"), Text(visible(text)), sep="")
    say("")
    for line in block(str(found["text"])):
        say(line)
    mark = "$" if "$1" in str(found["text"]) else ""  # else its protocol names parameters in another way
    for number, value in enumerate(_list(found, "parameters"), 1):
        say(f"  {mark}{number} = {'NULL' if value is None else repr(value)}")


def _print_outcome(found: Approval, *, json: bool) -> None:
    if json:
        print_json(found)
        return
    state = str(found["state"])
    told = {"approved": "approved", "denied": "denied", "waiting": "waits for more approvals"}.get(state, state)
    say(f"{found['id']}  {told}, {_needs(found)}", _COLOURS.get(state, ""))


def _facts(found: Approval) -> list[tuple[str, str]]:
    asking = _of(found, "principal")
    claims = asking.get("claims")
    database = f", database {found['database']}" if found["database"] else ""
    facts = [
        ("who", f"{asking['kind']} {asking['name']} ({asking['issuer']}: {asking['subject']})"),
        ("resource", f"{found['resource']}{database}"),
        ("would", ", ".join(f"{_map(each)['action']} {_map(each)['object']}" for each in _list(found, "effects"))),
        ("rows", _preview(found)),
        ("asked by", ", ".join(str(_map(each)["id"]) for each in _list(found, "policies"))),
        ("reason", str(found["reason"])),
        ("needs", _needs(found)),
        (
            "until",
            _time(found["until"]) + (", in a transaction that keeps its locks" if found["in_transaction"] else ""),
        ),
        ("session", f"{found['session']}, statement {found['number']}, on {found['node']}"),
    ]
    facts += [(str(name), str(value)) for name, value in (claims.items() if isinstance(claims, dict) else ())]
    facts += [(str(_map(each)["decision"]), _said(_map(each))) for each in _list(found, "decisions")]
    if found["state"] == "waiting":
        facts.append(("you", "can decide this" if found["can_decide"] else f"cannot: {found['cannot_because']}"))
    return [(label, text) for label, text in facts if text]


def _said(decision: Approval) -> str:
    scope = {"once": "once", "session": "for the session", "statement": f"for {decision['minutes']} minutes"}
    said = f"{decision['by']} at {_time(decision['at'])}"
    if decision["decision"] == "approve":
        said += f", {scope[str(decision['scope'])]}"
    return f"{said}: {decision['comment']}" if decision["comment"] else said


def _needs(found: Approval) -> str:
    needed = [_map(each) for each in _list(found, "needed")]
    return ", ".join(f"{each['given']}/{each['count']} {each['group']}" for each in needed)


def _preview(found: Approval) -> str:
    preview = _of(found, "preview")
    rows, note = preview["rows"], str(preview["note"] or "")
    return note if rows is None else f"{rows} {note}".strip()


def _shortened(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"


def _time(value: object) -> str:
    moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _map(value: object) -> Approval:
    return value if isinstance(value, dict) else {}


def _of(found: Approval, name: str) -> Approval:
    return _map(found.get(name))


def _list(found: Approval, name: str) -> Sequence[object]:
    value = found.get(name)
    return value if isinstance(value, list) else []
