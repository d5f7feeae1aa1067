"""`blastwall demo`: a real database behind a gateway on this machine, to try by hand or to watch."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.combining import refuse_beside
from blastwall.cli.printing import FAILED, MISUSED, console, fail, print_json

if TYPE_CHECKING:
    from blastwall.testing.demo.world import World


def register(app: typer.Typer) -> None:
    """Add `demo` to the root."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    script: Annotated[bool, typer.Option("--script", help="Walk the story by itself and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print how to connect as JSON.")] = False,
) -> None:
    """Start a real PostgreSQL, an OIDC issuer and a gateway on loopback; everything is gone afterwards.

    Without --script it stays up until Ctrl-C and says what to type into psql. With --script it ends with 0 only if each
    step went as it says.
    """
    refuse_beside(context, "script", "as_json", why="the story is told in words")
    try:
        from blastwall.testing.demo.world import World
        from blastwall.testing.processes import ServerFailed
        from blastwall.testing.servers import ServerMissing
    except ModuleNotFoundError as missing:
        fail(f"the demo needs {missing.name}: pip install 'blastwall[demo]'", MISUSED)
    for each in _ENDS:
        signal.signal(each, _end)
    try:
        if not as_json:
            console.print("Starting a PostgreSQL server, an OIDC issuer and the gateway on loopback …")
        with World() as world:
            _walk(world) if script else _stay(world, as_json)
    except ServerMissing as error:
        fail(str(error), MISUSED)
    except ServerFailed as error:
        fail(str(error), FAILED)


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end(_number: int, _frame: object) -> None:
    """End once, whoever asks: Ctrl-C, `kill`, a closed terminal. What comes later does not stop the clearing up."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _walk(world: World) -> None:
    from blastwall.testing.demo.story import tell
    from blastwall.testing.demo.telling import NotAsTold

    try:
        checked = tell(world, console)
    except NotAsTold as error:
        fail(f"the demo did not go as it says: {error}\nThe gateway's log:\n{world.gateway.log}")
    console.print(f"\n[bold green]All {checked} promises of the story were kept.[/]")


def _stay(world: World, as_json: bool) -> None:
    from threading import Event

    from rich.text import Text

    from blastwall.testing.demo.instructions import instructions

    if as_json:
        print_json({"conninfo": world.client.conninfo, "password": world.token(), "control": world.gateway.control_url})
    else:
        for line in instructions(world):
            console.print(Text(line))
    with suppress(KeyboardInterrupt):
        Event().wait()
    if not as_json:
        console.print("\nStopped; nothing is left behind.")
