"""`blastwall connect`: a local port that needs no password, or a client with the right variables beside it."""

from __future__ import annotations

import getpass
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from shutil import which
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.combining import refuse_beside, refuse_without
from blastwall.cli.completing import names
from blastwall.cli.printing import FAILED, MISUSED, fail, print_json, say, warn
from blastwall.cli.servers import CaOption, Server, ServerOption, find_server
from blastwall.cli.tokens import (
    AudienceOption,
    TokenFromOption,
    TokenPathOption,
    asked_for,
    gateway_tokens_for,
    passes_for,
    source_of,
)

if TYPE_CHECKING:
    from blastwall.connecting.direct import Run
    from blastwall.connecting.managed_identity import Tokens
    from blastwall.connecting.proofs import Proofs
    from blastwall.model.resource import Address
    from blastwall.protocols.kind import ClientAddress, ProtocolKind

_HTTPS = 443


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
    hosts: tuple[str, ...]


def connect(
    context: typer.Context,
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
    az: Annotated[
        bool,
        typer.Option(
            "--az",
            help="Make the Azure CLI ready, for a COMMAND or shell that calls it; where COMMAND is az, it always is.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print how to connect as JSON.")] = False,
) -> None:
    """Open a local port to RESOURCE that needs no password, or run a client that uses it.

    The port is on 127.0.0.1 and for you alone. Each connection is passed on to the gateway over verified TLS, with a
    fresh token that comes from where this runs: GitHub Actions, Azure Pipelines, a workload or managed identity, the
    Azure CLI, or your `blastwall login`. With `-- COMMAND` the command is run with the right variables, and its exit
    code is this one's; without, the port stays open until Ctrl-C.

    Clients of Azure (`az`, the SDKs, Terraform) also find a managed identity that gives them tokens of the gateway's,
    so that `blastwall connect arm -- az group list` needs no login; what is under `~/.azure` stays as it is.
    """
    import asyncio

    refuse_beside(context, "command", "json", why="what is printed is the command's own")
    if not az:
        refuse_without(context, "command", "keep_tokens", why="there is no environment of a command's")
    found = find_server(server, ca)
    if not found.secure:
        fail("--server: connect speaks to gateways over https alone", MISUSED)
    source, proofs = source_of(asked_for(found, audience, token_file), token_from)
    tokens = gateway_tokens_for(found, proofs)
    session = _Session(found, resource, host, database, tokens, keep_tokens=keep_tokens, az=az, json=json)
    shown = passes_for(found, proofs, resource) if source == "login" else proofs
    raise typer.Exit(asyncio.run(session.run(proofs, shown, port, tuple(command or ()), unix=unix)))


@dataclass(frozen=True, slots=True)
class _Session:
    """One run of the command."""

    server: Server
    name: str
    host: str | None
    database: str | None
    tokens: Tokens
    keep_tokens: bool
    az: bool
    json: bool

    async def run(self, proofs: Proofs, shown: Proofs, port: int, command: tuple[str, ...], *, unix: bool) -> int:
        """Open the port and stay, or run the command; return the exit code.

        `proofs` are for the control port, `shown` for the resource's listener.
        """
        from blastwall.connecting.port import LocalPort
        from blastwall.model.resource import Address

        resource = await self._look_up(proofs)
        protocol = _protocol(resource.kind)
        host = self.host or next(iter(resource.hosts), self.server.host)
        gateway = Address(host, resource.port, ca=None if self.server.ca is None else str(self.server.ca))
        local = LocalPort(protocol, gateway, shown.current, warn)
        try:
            await local.open(port, unix=unix)
        except OSError as error:
            fail(f"the local port cannot be opened: {error.strerror or error}; try another --port", FAILED)
        try:
            async with self._way(protocol, gateway) as way:
                address = self._address(local.host, local.port, resource, way)
                if command:
                    return await self._client(protocol, address, command, way)
                return await self._stay(protocol, address, way)
        finally:
            await local.close()

    @asynccontextmanager
    async def _way(self, protocol: ProtocolKind, gateway: Address) -> AsyncIterator[Run | None]:
        """Serve an identity beside clients that can go to the gateway by themselves; None where they cannot."""
        from blastwall.connecting.direct import direct_way
        from blastwall.connecting.proofs import NoProof

        if not protocol.proves_each or not protocol.scope:
            yield None
            return
        host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
        url = f"https://{host}" if gateway.port == _HTTPS else f"https://{host}:{gateway.port}"
        async with AsyncExitStack() as stack:
            opening = direct_way(url, self.name, self.tokens, self.server.ca, warn)
            try:
                way = await stack.enter_async_context(opening)
            except NoProof as error:
                fail(str(error), FAILED)
            except OSError as error:
                fail(f"the identity for clients cannot be served: {error.strerror or error}", FAILED)
            yield way

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
        hosts = answer.get("hosts")
        reached = tuple(map(str, hosts)) if isinstance(hosts, list) else ()
        try:
            return _Resource(self.name, str(answer["kind"]), int(str(answer["port"])), names, reached)
        except (KeyError, ValueError):
            fail("the gateway's answer cannot be read; is it newer than this command?", FAILED)

    def _address(self, host: str, port: int, resource: _Resource, way: Run | None) -> ClientAddress:
        from blastwall.protocols.kind import ClientAddress

        database = self.database or next(iter(resource.databases), "")
        direct = None if way is None else way.direct
        return ClientAddress(host, port, database, _user(), "", plain_text=True, direct=direct)

    async def _client(
        self, protocol: ProtocolKind, address: ClientAddress, command: tuple[str, ...], way: Run | None
    ) -> int:
        from blastwall.connecting.child import NotStarted, run

        environment = self._environment(protocol, address, way)
        if way is not None and protocol.plane == "control":
            await self._make_az_ready(way, environment, command)
        try:
            return await run(command, environment)
        except NotStarted as error:
            fail(str(error), error.code)

    async def _make_az_ready(self, way: Run, environment: Mapping[str, str], command: tuple[str, ...] = ()) -> None:
        """Make the Azure CLI ready where the command is it, or was said to call it."""
        from blastwall.connecting import azure_cli
        from blastwall.connecting.child import Terminated, tidily

        program = azure_cli.program_of(command) or ((which("az") or "az",) if self.az else ())
        try:
            if program:
                with tidily():
                    await azure_cli.make_ready(program, way.direct.url, environment)
        except Terminated as ended:
            raise typer.Exit(ended.code) from None
        except azure_cli.NotReady as error:
            fail(f"the Azure CLI cannot be made ready: {error}", FAILED)

    def _environment(self, protocol: ProtocolKind, address: ClientAddress, way: Run | None) -> Mapping[str, str]:
        """The command's: ours, without what would lead it elsewhere, and without the rights to tokens."""
        from blastwall.connecting.sources import SECRET_VARIABLES

        dropped = protocol.strays | (frozenset() if self.keep_tokens else SECRET_VARIABLES)
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, **self._variables(protocol, address, way)}

    def _variables(self, protocol: ProtocolKind, address: ClientAddress, way: Run | None) -> Mapping[str, str]:
        """What is set for clients. No proxy may hear of what stays on this machine."""
        from blastwall.connecting import azure_cli

        if way is None:
            return protocol.environment(address)
        cli = azure_cli.variables(way.folder, os.environ) if protocol.plane == "control" else {}
        direct = {name: _without_proxy(os.environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")}
        return {**direct, **cli, **protocol.environment(address)}

    async def _stay(self, protocol: ProtocolKind, address: ClientAddress, way: Run | None) -> int:
        import asyncio

        from blastwall.connecting import azure_cli

        variables = dict(self._variables(protocol, address, way))
        if way is not None and protocol.plane == "control":
            if self.az:
                await self._make_az_ready(way, self._environment(protocol, address, way))
            else:
                variables = {name: value for name, value in variables.items() if name not in azure_cli.NAMES}
        self._show(protocol, address, variables)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, ended.set)
        await ended.wait()
        return 0

    def _show(self, protocol: ProtocolKind, address: ClientAddress, variables: Mapping[str, str]) -> None:
        from shlex import quote

        if self.json:
            print_json({
                "resource": self.name, "host": address.host, "port": address.port, "database": address.database,
                "user": address.user, "environment": dict(variables),
            })  # fmt: skip
            return
        say(f"{self.name} is at {address.host} port {address.port}, without a password.")
        say("  " + " ".join(map(quote, protocol.command(address))), "bold")
        say("Or, in a shell:")
        settings = [f"{name}={quote(value)}" for name, value in variables.items()]
        for line in settings if address.direct is not None else [" ".join(settings)]:
            say(f"  export {line}")
        say("Ctrl-C ends it.", "dim")


def _without_proxy(names: str) -> str:
    """Return a list of hosts that no proxy is asked for, with this machine's own address among them."""
    return ",".join(dict.fromkeys([*filter(None, names.split(",")), "127.0.0.1"]))


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
