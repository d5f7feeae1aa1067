"""`blastwall login` and `logout`: a person's identity at a gateway, confirmed on its web page (RFC 8628)."""

from __future__ import annotations

import socket
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.combining import refuse_beside
from blastwall.cli.logins import Login, read_logins, write_logins
from blastwall.cli.printing import FAILED, fail, print_json, say, warn
from blastwall.cli.servers import CaOption, Server, ServerOption, find_server
from blastwall.visible import visible

if TYPE_CHECKING:
    from blastwall.cli.remote import Json, Remote

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_SECONDS = 5.0
"""What `slow_down` adds to the interval (RFC 8628, section 3.5)."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("login")(login)
    app.command("logout")(logout)


def login(
    server: ServerOption = None,
    ca: CaOption = None,
    *,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in your browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print who is logged in as JSON.")] = False,
) -> None:
    """Log in at a gateway: open its page, compare the code, confirm.

    What you may do then is what your groups and roles give you. The login is kept in a file that only you can read,
    and is used by `connect` and the other commands that act at this gateway, until it ends or you log out.
    """
    from blastwall.cli.remote import connected_to

    found = find_server(server, ca)
    with connected_to(found) as remote:
        status, asked = remote.form("/auth/device", {"client_id": f"blastwall on {socket.gethostname()}"})
        if status != 200:
            fail(f"the gateway does not let you log in: {_said(asked, status)}", FAILED)
        _show(asked, browser=browser, quiet=json)
        given = _wait(remote, asked)
    _keep(found, ca, given, json=json)


def _show(asked: Json, *, browser: bool, quiet: bool) -> None:
    """Say where to go; on standard error where standard output is for JSON."""
    page, code = visible(str(asked.get("verification_uri"))), visible(str(asked.get("user_code")))
    lines = (f"Open {page} and confirm the code {code}.", "Confirm only if the page shows this very code.")
    for line in lines:
        typer.echo(line, err=quiet)
    complete = str(asked.get("verification_uri_complete", ""))
    if browser and complete.startswith("https://"):
        import webbrowser

        webbrowser.open(complete)


def _wait(remote: Remote, asked: Json) -> Json:
    """Ask for the login token until the person has decided; return the answer that holds it."""
    from blastwall.cli.remote import RemoteFailed

    interval, ends = _number(asked.get("interval"), 5.0), time.monotonic() + _number(asked.get("expires_in"), 600.0)
    fields = {"grant_type": _GRANT, "device_code": str(asked.get("device_code"))}
    while time.monotonic() < ends:
        time.sleep(interval)
        try:
            status, answer = remote.form("/auth/device/token", fields)
        except RemoteFailed as error:
            if error.status is not None:
                raise
            continue  # a network that is down for a moment must not cost the person another confirmation
        if status == 200 and isinstance(answer.get("access_token"), str):
            return answer
        interval += _SLOWER_SECONDS if answer.get("error") == "slow_down" else 0.0
        if answer.get("error") not in {"authorization_pending", "slow_down", "temporarily_unavailable"}:
            fail(f"you are not logged in: {_said(answer, status)}", FAILED)
    return fail("nobody has confirmed the code in time; run `blastwall login` again", FAILED)


def _keep(server: Server, ca: Path | None, given: Json, *, json: bool) -> None:
    from blastwall.cli.remote import connected_to

    token, ends = str(given["access_token"]), time.time() + _number(given.get("expires_in"), 3600.0)
    with connected_to(server, token) as remote:
        me = remote.get("/me")
    trusted = ca if ca is not None else server.ca
    kept = Login(server.url, token, ends, str(me.get("name", "")), None if trusted is None else str(trusted.absolute()))
    write_logins(read_logins().having(kept))
    roles = me.get("roles")
    named = ", ".join(map(str, roles)) if isinstance(roles, list) and roles else "no roles"
    if json:
        print_json({"server": server.url, "name": kept.name, "roles": roles, "ends": _moment(ends)})
    else:
        say(f"Logged in at {server.url} as {kept.name} ({named}), until {_moment(ends)}.")


def logout(
    context: typer.Context,
    server: ServerOption = None,
    ca: CaOption = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Log out of every gateway.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """End your login at a gateway, and what it opened: its sessions end, too."""
    refuse_beside(context, "every", "server", why="it logs out of every gateway")
    kept = read_logins()
    if not kept.logins and server is None:
        fail("you are not logged in anywhere", FAILED)
    urls = [each.server for each in kept.logins] if every else [find_server(server, ca).url]
    for url in urls:
        found = find_server(url, ca)
        if found.login is None:
            warn(f"you are not logged in at {url}")
            continue
        _end(found)
        kept = kept.without(url)
        write_logins(kept)
    if json:
        print_json({"logged_out": urls})
    else:
        for url in urls:
            say(f"Logged out of {url}.")


def _end(server: Server) -> None:
    """Tell the gateway; where it cannot hear, the login is forgotten here, and ends there by itself."""
    from blastwall.cli.remote import Remote, RemoteFailed

    if server.login is None or server.login.ends <= time.time():
        return
    try:
        Remote(server, server.login.token).post("/logout", prefix="/auth")
    except RemoteFailed as error:
        if error.status != 401:
            warn(f"{error}; the login is forgotten here, and ends there at {_moment(server.login.ends)}")


def _said(answer: Json, status: int) -> str:

    return visible(str(answer.get("error_description") or answer.get("error") or status))


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else default


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="minutes")
