"""Names for the shell's completion: those of the configuration at hand, read quickly and without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

Complete = Callable[[typer.Context, str], list[str]]


def names(*sections: str) -> Complete:
    """Return what completes the names of the configuration's sections, such as `resources`.

    The configuration is the one that `-c` names so far, or `blastwall.yaml`. Where there is none nothing is offered.
    """

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        given = context.params.get("config")
        path = given if isinstance(given, Path) else Path(str(given or "blastwall.yaml"))
        found = [name for section in sections for name in _names(path, section)]
        return [name for name in found if name.startswith(incomplete)]

    return complete


def _names(path: Path, section: str) -> list[str]:
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            document = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    entries = document.get(section) if isinstance(document, dict) else None
    listed = entries if isinstance(entries, list) else []
    return [str(each["name"]) for each in listed if isinstance(each, dict) and "name" in each]


def of_command(context: typer.Context, incomplete: str) -> list[str]:
    """Complete what the command is named after: `contain agent` the agents, `contain resource` the resources."""
    return names(f"{context.info_name}s")(context, incomplete)
