"""`blastwall connect`: a local port that needs no password, or a client with the right variables beside it."""

from __future__ import annotations

import getpass
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.completing import names
from blastwall.cli.printing import FAILED, MISUSED, console, fail, print_json, warn
from blastwall.cli.servers import CaOption, Server, ServerOption, find_server
from blastwall.cli.tokens import AudienceOption, TokenFromOption, TokenPathOption, asked_for, passes_for, source_of

if TYPE_CHECKING:
    from blastwall.connecting.proofs import Proofs
    from blastwall.protocols.contract import ClientAddress, ProtocolKind


def register(app: typer.Typer) -> None:
    """Add `connect` to the root."""
    app.command("connect")(connect)


@dataclass(frozen=True, slots=True)
class _Resource:
    """What the gateway says of the resource."""

    name: str
    kind: str
    port: int
    databases: tuple[str, ...]


def connect(
    resource: Annotated[
        str, typer.Argument(metavar="RESOURCE", help="The resource's name.", autocompletion=names("resources"))
    ],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND", help="A client to run, after `--`; it needs no password."),
    ] = None,
    *,
    server: ServerOption = None,
    ca: CaOption = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, show_default=False, help="Local port; default: a free one.")
    ] = 0,
    unix: Annotated[
        bool, typer.Option("--unix", help="Open a socket in a folder of yours instead of a port on loopback.")
    ] = False,
    database: Annotated[str | None, typer.Option("--database", "-d", help="Default: the resource's first.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Where the resource's listener is; default: the control port's host.")
    ] = None,
    token_from: TokenFromOption = None,
    token_file: TokenPathOption = None,
    audience: AudienceOption = "blastwall",
    keep_tokens: Annotated[
        bool, typer.Option("--keep-tokens", help="Leave the variables that give tokens in COMMAND's environment.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print how to connect as JSON.")] = False,
) -> None:
    """Open a local port to RESOURCE that needs no password, or run a client that uses it.

    The port is on 127.0.0.1 and for you alone. Each connection is passed on to the gateway over verified TLS, with a
    fresh token that comes from where this runs: GitHub Actions, Azure Pipelines, a workload or managed identity, the
    Azure CLI, or your `blastwall login`. With `-- COMMAND` the command is run with the right variables, and its exit
    code is this one's; without, the port stays open until Ctrl-C.
    """
    import asyncio

    found = find_server(server, ca)
    if not found.secure:
        fail("--server: connect speaks to gateways over https alone", MISUSED)
    session = _Session(found, resource, host or found.host, database, keep_tokens=keep_tokens, json=json)
    source, proofs = source_of(asked_for(found, audience, token_file), token_from)
    shown = passes_for(found, proofs, resource) if source == "login" else proofs
    raise typer.Exit(asyncio.run(session.run(proofs, shown, port, tuple(command or ()), unix=unix)))


@dataclass(frozen=True, slots=True)
class _Session:
    """One run of the command."""

    server: Server
    name: str
    host: str
    database: str | None
    keep_tokens: bool
    json: bool

    async def run(self, proofs: Proofs, shown: Proofs, port: int, command: tuple[str, ...], *, unix: bool) -> int:
        """Open the port and stay, or run the command; return the exit code.

        `proofs` are for the control port, `shown` for the resource's listener.
        """
        from blastwall.connecting.port import LocalPort
        from blastwall.model.resource import Address

        resource = await self._look_up(proofs)
        protocol = _protocol(resource.kind)
        gateway = Address(self.host, resource.port, ca=None if self.server.ca is None else str(self.server.ca))
        local = LocalPort(protocol, gateway, shown.current, warn)
        try:
            await local.open(port, unix=unix)
        except OSError as error:
            fail(f"the local port cannot be opened: {error.strerror or error}; try another --port", FAILED)
        try:
            address = self._address(local.host, local.port, resource)
            return await self._client(protocol, address, command) if command else await self._stay(protocol, address)
        finally:
            await local.close()

    async def _look_up(self, proofs: Proofs) -> _Resource:
        """Ask the gateway where the listener is, which also shows that the token is good."""
        import asyncio

        from blastwall.cli.remote import Remote, RemoteFailed
        from blastwall.connecting.proofs import NoProof

        try:
            token = await proofs.current()
            answer = await asyncio.to_thread(Remote(self.server, token).get, f"/connect/{self.name}")
        except NoProof as error:
            fail(str(error), FAILED)
        except RemoteFailed as error:
            fail(str(error), error.code)
        databases = answer.get("databases")
        names = tuple(map(str, databases)) if isinstance(databases, list) else ()
        try:
            return _Resource(self.name, str(answer["kind"]), int(str(answer["port"])), names)
        except (KeyError, ValueError):
            fail("the gateway's answer cannot be read; is it newer than this command?", FAILED)

    def _address(self, host: str, port: int, resource: _Resource) -> ClientAddress:
        from blastwall.protocols.contract import ClientAddress

        database = self.database or next(iter(resource.databases), "")
        return ClientAddress(host, port, database, _user(), "", plain_text=True)

    async def _client(self, protocol: ProtocolKind, address: ClientAddress, command: tuple[str, ...]) -> int:
        from blastwall.connecting.child import NotStarted, run

        try:
            return await run(command, self._environment(protocol, address))
        except NotStarted as error:
            fail(str(error), error.code)

    def _environment(self, protocol: ProtocolKind, address: ClientAddress) -> Mapping[str, str]:
        """The command's: ours, without what would lead it elsewhere, and without the rights to tokens."""
        from blastwall.connecting.sources import SECRET_VARIABLES

        dropped = protocol.strays | (frozenset() if self.keep_tokens else SECRET_VARIABLES)
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, **protocol.environment(address)}

    async def _stay(self, protocol: ProtocolKind, address: ClientAddress) -> int:
        import asyncio

        self._show(protocol, address)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, ended.set)
        await ended.wait()
        return 0

    def _show(self, protocol: ProtocolKind, address: ClientAddress) -> None:
        from shlex import quote

        variables = protocol.environment(address)
        if self.json:
            print_json({
                "resource": self.name, "host": address.host, "port": address.port, "database": address.database,
                "user": address.user, "environment": dict(variables),
            })  # fmt: skip
            return
        console.print(f"{self.name} is at {address.host} port {address.port}, without a password.", markup=False)
        console.print("  " + " ".join(map(quote, protocol.command(address))), markup=False, style="bold")
        console.print("Or, in a shell:", markup=False)
        console.print(
            "  export " + " ".join(f"{name}={quote(value)}" for name, value in variables.items()), markup=False
        )
        console.print("Ctrl-C ends it.", style="dim")


def _protocol(kind: str) -> ProtocolKind:
    from blastwall.protocols.discover import discover

    protocol = discover().get(kind)
    if protocol is None:
        fail(f"the resource speaks {kind}, which this version of blastwall does not; update it", FAILED)
    return protocol


def _user() -> str:
    """Return what the session's record says of who connects: free text, for people."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"
