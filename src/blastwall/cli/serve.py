"""`blastwall serve`: run the gateway until it is told to end."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from blastwall.cli.printing import MISUSED, fail


def register(app: typer.Typer) -> None:
    """Add `serve` to the root."""
    app.command("serve")(serve)


def serve(
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")] = Path("blastwall.yaml"),
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that serve every port together; default: `workers`.")
    ] = None,
) -> None:
    """Run the gateway. SIGHUP reloads the configuration, SIGTERM lets sessions finish and ends."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the gateway listens to it, it must not end the process
    from blastwall.app.plan import Unusable
    from blastwall.app.serve import serve as run

    try:
        code = run(config, workers)
    except Unusable as error:
        fail(f"the configuration cannot be used\n{error}", MISUSED)
    raise typer.Exit(code)
