"""`blastwall token`: exchange a token for a pass at a running gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from blastwall.cli.combining import refuse_beside
from blastwall.cli.completing import names
from blastwall.cli.printing import FAILED, MISUSED, fail, print_json
from blastwall.cli.servers import CaOption, Server, find_server
from blastwall.cli.tokens import AudienceOption, TokenFromOption, asked_for, exchange, refuse_other_than_file, source_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("token")(token)


def token(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RESOURCE", help="The resource that the pass is for.", autocompletion=names("resources")
        ),
    ] = None,
    *,
    resource: Annotated[str | None, typer.Option(help="The same, as an option.")] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            "--server",
            "--gateway",
            envvar="BLASTWALL_SERVER",
            show_envvar=False,
            help="The gateway's control port, https://HOST:PORT; default: `BLASTWALL_SERVER`, or where you logged in.",
        ),
    ] = None,
    ca: CaOption = None,
    token_from: TokenFromOption = None,
    token_file: Annotated[str | None, typer.Option(help="File that holds the token; `-` reads standard input.")] = None,
    token_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the token, such as MY_TOKEN.")
    ] = None,
    audience: AudienceOption = "blastwall",
    json: Annotated[bool, typer.Option("--json", help="Print the gateway's whole answer as JSON.")] = False,
) -> None:
    """Exchange a token for a pass and print the pass.

    The token comes from a file, standard input, the environment, or where this runs, as with `connect`; never from the
    command line, which every process on the machine can read.
    """
    import asyncio

    from blastwall.cli.remote import RemoteFailed
    from blastwall.connecting.proofs import NoProof

    refuse_beside(context, "name", "resource", why="a pass is for one resource")
    refuse_beside(context, "token_env", "token_file", "token_from", why="one token is exchanged")
    wanted = name or resource
    if not wanted:
        fail("which resource? `blastwall token RESOURCE`", MISUSED)
    server = find_server(gateway, ca)
    try:
        proof = asyncio.run(_proof(server, token_file, token_env, token_from, audience))
        answer = exchange(server, proof, wanted)
    except NoProof as error:
        fail(str(error), FAILED)
    except RemoteFailed as error:
        fail(str(error), error.code)
    if json:
        print_json(answer)
    else:
        typer.echo(answer["access_token"])


async def _proof(server: Server, file: str | None, variable: str | None, source: str | None, audience: str) -> str:
    from blastwall.cli.remote import as_token, read_token

    if file == "-":
        refuse_other_than_file(source)
        return read_token(file)
    if variable is not None:
        return as_token(os.environ.get(variable, "").strip(), f"environment variable {variable}")
    path = Path(file) if file is not None else None
    if path is not None and not path.is_file():
        fail(f"file {path} cannot be read: there is no such file", MISUSED)
    _, proofs = source_of(asked_for(server, audience, path), source)
    return await proofs.current()
