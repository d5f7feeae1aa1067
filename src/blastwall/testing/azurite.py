"""Azurite, Microsoft's emulator of Azure Storage, on loopback with TLS; it takes tokens of Entra's form."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.ports import answers, free_port
from blastwall.testing.processes import ServerFailed, tail
from blastwall.testing.servers import find_azurite, find_program

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has, with its key: both are in Microsoft's documentation of it."""

_START_SECONDS = 60.0


class Azurite:
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
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self.port):
            if time.monotonic() > deadline or self._process.poll() is not None:
                said = tail((self.folder / "azurite.log").read_text(errors="replace"))
                self.close()
                raise ServerFailed(f"Azurite did not start:\n{said}")
            time.sleep(0.05)

    @property
    def url(self) -> str:
        """The account's URL: its name is the first part of the path."""
        return f"https://localhost:{self.port}/{ACCOUNT}"

    def close(self) -> None:
        """Stop it and delete its folder."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
