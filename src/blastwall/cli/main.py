"""The root command. Each module of a command adds itself by its `register`."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Protocol, cast

import typer

from blastwall import __version__

COMMANDS = (
    "serve",
    "check",
    "demo",
    "login",
    "connect",
    "identity",
    "token",
    "sessions",
    "approvals",
    "grants",
    "audit",
    "policy",
    "contain",
)
"""The modules beside this file whose commands there are, in the order in which help shows them."""


class CommandModule(Protocol):
    """What a module in `COMMANDS` exports."""

    def register(self, app: typer.Typer) -> None:
        """Add the module's commands to the root."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"blastwall {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A Layer 7 gateway between automated callers and Azure resources: judges every command, masks, records."""


def build() -> typer.Typer:
    """Return the root command with every command registered."""
    app = typer.Typer(
        name="blastwall",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in COMMANDS:
        cast("CommandModule", import_module(f"blastwall.cli.{name}")).register(app)
    return app


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    build()()
