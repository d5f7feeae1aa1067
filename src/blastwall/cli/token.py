"""`blastwall token`: exchange a token for a pass at a running gateway."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from blastwall.cli.printing import FAILED, MISUSED, fail, print_json

if TYPE_CHECKING:
    import ssl

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_TIMEOUT_SECONDS = 30
_MOST_BYTES = 64 << 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("token")(token)


def token(
    *,
    gateway: Annotated[str, typer.Option(help="The gateway's control port: https://HOST:PORT.")],
    resource: Annotated[str, typer.Option(help="The resource that the pass is for.")],
    token_file: Annotated[
        str | None, typer.Option(help="File that holds the OIDC token; `-` reads standard input.")
    ] = None,
    token_env: Annotated[
        str, typer.Option(help="Environment variable that holds the OIDC token, where no file is given.")
    ] = "BLASTWALL_TOKEN",  # noqa: S107 - the name of a variable
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the CA of the gateway's certificate; default: the system's.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the gateway's whole answer as JSON.")] = False,
) -> None:
    """Exchange an OIDC token for a pass and print the pass.

    The token is read from a file, standard input or the environment, never from the command line, which every process
    on the machine can read.
    """
    import asyncio

    url = _endpoint(gateway)
    proof = _read_token(token_file, token_env)
    answer = asyncio.run(_exchange(url, resource, proof, _trust(ca)))
    if json:
        print_json(answer)
    else:
        typer.echo(answer["access_token"])


def _endpoint(gateway: str) -> str:
    try:
        parts = urlsplit(gateway)
        host = parts.hostname
    except ValueError:
        fail("--gateway: this is no URL; write https://HOST:PORT", MISUSED)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        fail("--gateway: a URL must not carry user, password or parameters; write https://HOST:PORT", MISUSED)
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in {"127.0.0.1", "::1"})):
        fail("--gateway: write https://HOST:PORT (http only to 127.0.0.1), so that the token stays secret", MISUSED)
    return gateway.rstrip("/") + "/token"


def _read_token(file: str | None, variable: str) -> str:
    if file is None:
        found, source = os.environ.get(variable, ""), f"environment variable {variable}"
    elif file == "-":
        found, source = sys.stdin.read(_MOST_BYTES), "standard input"
    else:
        source = f"file {file}"
        try:
            with Path(file).open(encoding="utf-8") as opened:
                found = opened.read(_MOST_BYTES)
        except (OSError, UnicodeDecodeError):
            fail(f"{source} cannot be read as text", MISUSED)
    if not found.strip():
        fail(f"{source} holds no token; give --token-file FILE, --token-file - or --token-env NAME", MISUSED)
    return found.strip()


def _trust(ca: Path | None) -> ssl.SSLContext:
    import ssl

    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError):
        fail(f"--ca: {ca} cannot be read as PEM certificates", MISUSED)


async def _exchange(url: str, resource: str, proof: str, trust: ssl.SSLContext) -> dict[str, object]:
    import aiohttp

    form = {"grant_type": _GRANT, "subject_token_type": _JWT, "subject_token": proof, "resource": resource}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)) as session,
            session.post(url, data=form, ssl=trust, allow_redirects=False) as response,
        ):
            body = await response.content.read(_MOST_BYTES)
            return _answer(body, response.status)
    except (aiohttp.ClientError, OSError) as error:
        fail(f"the gateway cannot be reached: {error}", FAILED)
    except TimeoutError:
        fail(f"the gateway did not answer within {_TIMEOUT_SECONDS} s", FAILED)


def _answer(body: bytes, status: int) -> dict[str, object]:
    from json import loads

    try:
        answer = loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        fail(f"this is no Blastwall gateway: it answered {status} without JSON", FAILED)
    if status != 200:
        fail(f"the gateway refused: {answer.get('error_description') or answer.get('error') or status}", FAILED)
    if not isinstance(answer.get("access_token"), str):
        fail("this is no Blastwall gateway: its answer holds no pass", FAILED)
    return answer
