"""The Azure CLI, made ready for one run: a folder of its own, in which the gateway is its cloud and its login.

What the user has under `~/.azure` is neither read nor written, but for extensions, which are looked for where they are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path

CLOUD = "Blastwall"
NAMES = frozenset(
    {
        "AZURE_CONFIG_DIR",
        "AZURE_EXTENSION_DIR",
        "AZURE_CORE_INSTANCE_DISCOVERY",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2",
        "AZURE_CORE_COLLECT_TELEMETRY",
    }
)
"""The variables that it reads in a run."""

_SECONDS = 120.0


class NotReady(Exception):
    """The Azure CLI cannot be made ready; the text is what it said."""


def variables(folder: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the CLI reads in a run whose folder is this; `environment` is the user's."""
    home = environment.get("AZURE_CONFIG_DIR") or str(Path(environment.get("HOME", "~")).expanduser() / ".azure")
    return {
        "AZURE_CONFIG_DIR": str(folder / "azure"),
        "AZURE_EXTENSION_DIR": environment.get("AZURE_EXTENSION_DIR") or str(Path(home) / "cliextensions"),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }


async def make_ready(program: Sequence[str], manager: str, environment: Mapping[str, str]) -> None:
    """Register the Resource Manager at `manager` as the CLI's cloud, and log in by managed identity.

    Raises:
        NotReady: a step fails.
    """
    await _run(program, ("cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", manager), environment)
    await asyncio.to_thread(_choose, Path(environment["AZURE_CONFIG_DIR"]))
    await _run(program, ("login", "--identity", "--allow-no-subscriptions", "--output", "none"), environment)


def _choose(folder: Path) -> None:
    """Make it the present cloud, as `az cloud set` does, which would take another second."""
    path, settings = folder / "config", ConfigParser(interpolation=None)
    settings.read(path, encoding="utf-8")
    if not settings.has_section("cloud"):
        settings.add_section("cloud")
    settings.set("cloud", "name", CLOUD)
    with path.open("w", encoding="utf-8") as file:
        settings.write(file)


async def _run(program: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *program,
            *arguments,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise NotReady(f"{program[0]} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        raise NotReady(f"`az {arguments[0]}` did not end within {_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = said.decode(errors="replace").strip()
        raise NotReady(f"`az {' '.join(arguments[:2])}` ended with code {process.returncode}: {text[-500:]}")


def program_of(command: Sequence[str]) -> tuple[str, ...]:
    """Return the words by which a command calls the Azure CLI; none where it is another command."""
    if command and os.path.basename(command[0]) == "az":  # noqa: PTH119 - a text, which may be no path
        return (command[0],)
    return tuple(command[:3]) if tuple(command[1:3]) == ("-m", "azure.cli") else ()
