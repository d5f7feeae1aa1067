"""Which token a command shows: the options that say where it comes from, and what is there where none does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.printing import MISUSED, fail
from blastwall.cli.servers import Server

if TYPE_CHECKING:
    from blastwall.connecting.proofs import Proofs
    from blastwall.connecting.sources import Asked

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


def source_of(asked: Asked, name: str | None) -> Proofs:
    """Return the tokens of the source that was named, or of the first that is there; end the command where none is."""
    from blastwall.connecting.proofs import Proofs
    from blastwall.connecting.sources import NAMES, NoSource, detect, fetch_by

    if name is None:
        try:
            name = "token-file" if asked.token_file is not None else detect(asked)
        except NoSource as error:
            fail(str(error), MISUSED)
    elif name not in NAMES:
        fail(f"--token-from: {name!r} is none of {', '.join(NAMES)}", MISUSED)
    return Proofs(fetch_by(name, asked))
