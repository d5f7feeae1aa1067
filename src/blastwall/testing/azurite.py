"""Azurite, Microsoft's emulator of Azure Storage, on loopback with TLS; it takes tokens of Entra's form."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.ports import free_port
from blastwall.testing.processes import ServerFailed, until_it_answers
from blastwall.testing.servers import find_azurite, find_program

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has, with its key: both are in Microsoft's documentation of it."""

_START_SECONDS = 60.0


class Azurite(Closing):
    """Serves blobs, with bearer tokens (`--oauth basic`, which checks no signature) and with Shared Key."""

    def __init__(self, authority: CertificateAuthority) -> None:
        """Start it in a folder of its own.

        Raises:
            ServerMissing: it, or Node.js, is not installed.
            ServerFailed: it does not start.
        """
        node, script = find_program("node", "nodejs"), find_azurite()
        self.folder = Path(tempfile.mkdtemp(prefix="blastwall-azurite-"))
        certificate, key = authority.issue().write(self.folder)
        self.port = free_port()
        ports = {"blob": self.port, "queue": free_port(), "table": free_port()}
        places = [word for name, port in ports.items() for word in (f"--{name}Port", str(port))]
        command: list[str | Path] = [
            node, script, "--location", self.folder, "--oauth", "basic", "--cert", certificate, "--key", key,
            "--skipApiVersionCheck", "--disableTelemetry", "--silent", *places,
        ]  # fmt: skip
        with (self.folder / "azurite.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        try:
            until_it_answers("Azurite", self.port, self._process, self.folder / "azurite.log", _START_SECONDS)
        except ServerFailed:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The account's URL: its name is the first part of the path."""
        return f"https://localhost:{self.port}/{ACCOUNT}"

    def close(self) -> None:
        """Stop it and delete its folder."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
