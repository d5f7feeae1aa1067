"""`blastwall serve`: run the gateway until it is told to end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `serve` to the root."""
    app.command("serve")(serve)


def serve(
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")] = Path("blastwall.yaml"),
) -> None:
    """Run the gateway. SIGHUP reloads the configuration, SIGTERM lets sessions finish and ends."""
    from blastwall.app.serve import serve as run

    raise typer.Exit(run(config))
