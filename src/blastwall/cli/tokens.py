"""Which token a command shows: the options that say where it comes from, and what is there where none does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.printing import MISUSED, fail
from blastwall.cli.servers import Server
from blastwall.visible import visible

if TYPE_CHECKING:
    from blastwall.cli.remote import Json
    from blastwall.connecting.managed_identity import Tokens
    from blastwall.connecting.proofs import Proof, Proofs
    from blastwall.connecting.sources import Asked

_LOGIN = "bwl_"
"""How a login at the command line begins."""

TokenFromOption = Annotated[
    str | None,
    typer.Option(
        help="Where the token comes from: token-file, token (the variable BLASTWALL_TOKEN), github, azure-devops, "
        "workload-identity, managed-identity, login or az; default: the first of them that is there."
    ),
]
TokenPathOption = Annotated[
    Path | None, typer.Option(help="File that holds the token; it is read anew for each new connection.")
]
AudienceOption = Annotated[
    str,
    typer.Option(
        envvar="BLASTWALL_AUDIENCE",
        show_envvar=False,
        help="What the token is made for, as the gateway's issuer has it: its `audience`; with Azure the client id or "
        "URI of the gateway's app registration. Or `BLASTWALL_AUDIENCE`.",
    ),
]


def asked_for(server: Server | None, audience: str, token_file: Path | None) -> Asked:
    """Return what a token is wanted for, in this environment."""
    from blastwall.connecting.proofs import Proof
    from blastwall.connecting.sources import Asked

    login = server.login if server is not None else None
    kept = None if login is None else Proof(login.token, login.ends)
    return Asked(audience, os.environ, token_file, kept)


def source_of(asked: Asked, name: str | None) -> tuple[str, Proofs]:
    """Return the source that was named, or the first that is there, with its tokens; end the command where none is."""
    from blastwall.connecting.proofs import Proofs
    from blastwall.connecting.sources import NAMES, NoSource, detect, fetch_by

    if name is None:
        try:
            name = "token-file" if asked.token_file is not None else detect(asked)
        except NoSource as error:
            fail(str(error), MISUSED)
    elif name not in NAMES:
        fail(f"--token-from: {name!r} is none of {', '.join(NAMES)}", MISUSED)
    elif asked.token_file is not None:
        refuse_other_than_file(name)
    return name, Proofs(fetch_by(name, asked))


def refuse_other_than_file(source: str | None) -> None:
    """End the command where a file with the token is given, and `source` says that the token comes from elsewhere."""
    if source is not None and source != "token-file":
        fail(f"--token-file would do nothing beside --token-from {source}: give one of them", MISUSED)


def exchange(server: Server, token: str, resource: str) -> Json:
    """Exchange a token, or a login, for a pass to a resource (RFC 8693); return the gateway's answer.

    Raises:
        RemoteFailed: the gateway refuses or cannot be reached.
    """
    from blastwall.cli.remote import Remote, RemoteFailed

    kind = "access_token" if token.startswith(_LOGIN) else "jwt"
    fields = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": f"urn:ietf:params:oauth:token-type:{kind}",
        "subject_token": token,
        "resource": resource,
    }
    status, answer = Remote(server).form("/token", fields)
    if status != 200:
        said = visible(str(answer.get("error_description") or answer.get("error") or status))
        raise RemoteFailed(f"the gateway refused: {said}", status=status, problem=answer)
    if not isinstance(answer.get("access_token"), str):
        raise RemoteFailed("this is no Blastwall gateway: its answer holds no pass", status=status)
    return answer


def gateway_tokens_for(server: Server, proofs: Proofs) -> Tokens:
    """Return what gives gateway tokens for what is asked for, each for the token, or login, of that moment."""
    import asyncio

    from blastwall.connecting.proofs import Proofs

    def of(resource: str) -> Proofs:
        async def fetch() -> Proof:
            return await asyncio.to_thread(_gateway_token, server, await proofs.current(), resource)

        return Proofs(fetch)

    return of


def _gateway_token(server: Server, token: str, resource: str) -> Proof:
    """Exchange a token, or a login, for a gateway token (RFC 7523, at the endpoint that Azure's clients know).

    Raises:
        NoProof: the gateway refuses or cannot be reached.
    """
    import time

    from blastwall.cli.remote import Remote, RemoteFailed
    from blastwall.connecting.proofs import NoProof, Proof

    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": token,
        "resource": resource,
    }
    try:
        status, answer = Remote(server).form("/common/oauth2/token", fields)
    except RemoteFailed as error:
        raise NoProof(str(error), passing=error.status is None) from None
    given, lasts = answer.get("access_token"), str(answer.get("expires_in", ""))
    if status == 200 and isinstance(given, str) and lasts.isdecimal():
        return Proof(given, time.time() + int(lasts))
    said = visible(str(answer.get("error_description") or answer.get("error") or status)).partition(" Trace ID:")[0]
    raise NoProof(f"the gateway gives no token for {resource}: {said}", passing=status in {429, 503})


def passes_for(server: Server, login: Proofs, resource: str) -> Proofs:
    """Return passes to a resource for a login, which is itself no proof there."""
    import asyncio
    import time

    from blastwall.cli.remote import RemoteFailed
    from blastwall.connecting.proofs import NoProof, Proof, Proofs

    async def fetch() -> Proof:
        token = await login.current()
        try:
            answer = await asyncio.to_thread(exchange, server, token, resource)
        except RemoteFailed as error:
            raise NoProof(str(error)) from None
        lasts = answer.get("expires_in")
        return Proof(str(answer["access_token"]), time.time() + (lasts if isinstance(lasts, int | float) else 60.0))

    return Proofs(fetch)
