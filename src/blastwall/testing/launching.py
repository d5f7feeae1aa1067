"""How a throw-away gateway's commands are started: as its users start them, or as the tests' `preloaded` does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol


class Process(Protocol):
    """A command that was started: what `subprocess.Popen` has of this."""

    @property
    def pid(self) -> int:
        """The process's id."""

    def poll(self) -> int | None:
        """Return the exit code, below 0 for the signal that ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code; TimeoutExpired where it does not end in so many seconds."""

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""


class Launch(Protocol):
    """Starts `blastwall` with arguments, in a session of its own, with nothing to read."""

    def __call__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: BinaryIO, err: BinaryIO
    ) -> Process:
        """Start it in `folder`, with `environment` beside this process's own."""


def in_an_own_python(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: BinaryIO, err: BinaryIO
) -> Process:
    """Start `python -m blastwall`, as users do."""
    return subprocess.Popen(
        [sys.executable, "-m", "blastwall", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
