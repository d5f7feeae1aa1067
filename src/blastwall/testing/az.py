"""The Azure CLI as its users have it: a process with a home of its own, and with names of the test's own.

Names such as `shop.vault.gw.example` resolve nowhere; a real network's DNS would lead them to the gateway. Here
Python's own start-up hook (`sitecustomize`) does, in az and nowhere else.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blastwall.testing.servers import find_az

_PATIENCE = 100.0
_NAMES = """
import socket

_resolve = socket.getaddrinfo


def getaddrinfo(host, *arguments, **named):
    name = host.decode() if isinstance(host, bytes) else host
    return _resolve("127.0.0.1" if name and name.endswith({suffix!r}) else host, *arguments, **named)


socket.getaddrinfo = getaddrinfo
"""

SUFFIX = ".gw.example"
"""Names that end so lead to loopback."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    said: str
    error: str

    @property
    def json(self) -> object:
        """What it printed, read as JSON."""
        return json.loads(self.said)


class Az:
    """Runs az in a home of its own; `environment` is set for every command, with None to unset."""

    def __init__(self, folder: Path, authorities: Sequence[Path], environment: Mapping[str, str] | None = None) -> None:
        """Prepare it, trusting the certificates in `authorities` alone.

        Raises:
            ServerMissing: it is not installed.
        """
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.program = _program(folder / "bin")
        bundle = folder / "authorities.pem"
        bundle.write_bytes(b"".join(path.read_bytes() for path in authorities))
        names = folder / "names"
        names.mkdir()
        (names / "sitecustomize.py").write_text(_NAMES.format(suffix=SUFFIX))
        steering = ("AZURE_", "ARM_", "IDENTITY_", "MSI_", "REQUESTS_", "HTTP", "http", "PYTHON", "BLASTWALL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
        self.environment = {
            **kept,
            "HOME": str(folder),
            "PATH": f"{self.program.parent}:{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(names),
            "AZURE_CONFIG_DIR": str(folder / "config"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_NO_COLOR": "yes",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "no",
            "AZURE_CORE_OUTPUT": "json",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "REQUESTS_CA_BUNDLE": str(bundle),
            **(environment or {}),
        }

    def run(self, *arguments: str, through: Sequence[str] = ()) -> Done:
        """Run a command to its end, whatever that is; `through` are the words of what starts az."""
        done = subprocess.run(
            [*through, "az" if through else self.program, *arguments],
            env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_PATIENCE, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def __call__(self, *arguments: str, through: Sequence[str] = ()) -> Done:
        """Run a command that must succeed.

        Raises:
            AssertionError: it did not; the text holds what it said.
        """
        done = self.run(*arguments, through=through)
        if done.code:
            raise AssertionError(f"`az {' '.join(arguments)}` ended with code {done.code}:\n{done.error}")
        return done

    def register(self, resource_manager: str, name: str = "Gateway") -> None:
        """Make a cloud of that Resource Manager the present one."""
        self("cloud", "register", "-n", name, "--endpoint-resource-manager", resource_manager)
        self("cloud", "set", "-n", name)


def _program(folder: Path) -> Path:
    """Make a program `az` in a folder, as its packages put it on the path.

    Raises:
        ServerMissing: it is not installed.
    """
    folder.mkdir()
    program = folder / "az"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(find_az()))} -m azure.cli "$@"\n')
    program.chmod(0o755)
    return program
