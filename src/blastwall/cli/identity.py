"""`blastwall identity`: the managed-identity protocols beside a client, which gets gateway tokens by them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.printing import FAILED, MISUSED, fail, print_json, say, warn
from blastwall.cli.servers import CaOption, ServerOption, find_server
from blastwall.cli.tokens import (
    AudienceOption,
    TokenFromOption,
    TokenPathOption,
    asked_for,
    gateway_tokens_for,
    source_of,
)

if TYPE_CHECKING:
    from blastwall.connecting.managed_identity import ManagedIdentity

_HEADER = "BLASTWALL_IDENTITY_HEADER"
_SHORTEST_HEADER = 20


def register(app: typer.Typer) -> None:
    """Add `identity` to the root."""
    app.command("identity")(identity)


def identity(
    *,
    server: ServerOption = None,
    ca: CaOption = None,
    listen: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need `--name`.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, show_default=False, help="Port; default: a free one.")] = 0,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name by which clients ask, besides those of loopback; may be given several times."),
    ] = None,
    metadata: Annotated[
        bool,
        typer.Option(
            "--metadata",
            help="Serve the metadata service's own path, which asks for no secret: whoever reaches this port is given "
            "tokens. On loopback alone.",
        ),
    ] = False,
    token_from: TokenFromOption = None,
    token_file: TokenPathOption = None,
    audience: AudienceOption = "blastwall",
    json: Annotated[bool, typer.Option("--json", help="Print how clients ask as JSON.")] = False,
) -> None:
    """Serve the managed-identity protocols of Azure on this machine, and give gateway tokens by them.

    Clients that know managed identities (the Azure SDKs' DefaultAzureCredential, `az login --identity`, Terraform's
    `use_msi`) get short-lived tokens of the gateway's, for the token of where this runs, and no secret. It is what
    `connect` has inside; take it where the client is in another container of the same pod. Set
    BLASTWALL_IDENTITY_HEADER to have the value of IDENTITY_HEADER chosen by you, so that both know it.
    """
    import asyncio

    from blastwall.connecting.managed_identity import LOOPBACK, ManagedIdentity

    shown = f"[{listen}]" if ":" in listen else listen
    header = os.environ.get(_HEADER, "").strip()
    if shown not in LOOPBACK and (metadata or not name):
        fail("--listen: not on loopback it needs --name, the host name that clients use, and no --metadata", MISUSED)
    if header and len(header) < _SHORTEST_HEADER:
        fail(f"{_HEADER}: it is what keeps others out; take {_SHORTEST_HEADER} characters or more", MISUSED)
    found = find_server(server, ca)
    _, proofs = source_of(asked_for(found, audience, token_file), token_from)
    served = ManagedIdentity(
        gateway_tokens_for(found, proofs),
        header=header,
        names=tuple(name or ()),
        open_metadata=metadata,
        mine=not header and shown in LOOPBACK,
        said=warn,
    )
    raise typer.Exit(asyncio.run(_serve(served, listen, port, json=json)))


async def _serve(served: ManagedIdentity, listen: str, port: int, *, json: bool) -> int:
    import asyncio

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    try:
        await served.open(listen, port)
    except OSError as error:
        fail(f"cannot listen on {listen} port {port}: {error.strerror or error}; try another --port", FAILED)
    try:
        _show(served, json=json)
        await ended.wait()
    finally:
        await served.close()
    return 0


def _show(served: ManagedIdentity, *, json: bool) -> None:
    variables = {"IDENTITY_ENDPOINT": served.endpoint, "IDENTITY_HEADER": served.header}
    metadata = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": served.metadata}
    shell = {"MSI_ENDPOINT": served.cloud_shell}
    if json:
        print_json({"port": served.port, "app_service": variables, "metadata": metadata, "cloud_shell": shell})
        return
    say(f"Managed identity is at {served.root}. One of these, for clients:")
    for title, each in (("App Service", variables), ("metadata service", metadata), ("Cloud Shell", shell)):
        say(f"  # {title}", "dim")
        say("  export " + " ".join(f"{name}={value}" for name, value in each.items()))
    say("Ctrl-C ends it.", "dim")
