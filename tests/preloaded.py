"""Gateways and commands of the tests in forks of one Python that has imported Blastwall: an import takes seconds.

`Preloaded` is a `Launch` of `blastwall.testing`. Run as a program, this is the process that forks. What acts on a new
Python itself (`PYTHONPATH`, `LD_PRELOAD`, …) is given to a Python of its own, by which tests also ask for one.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from blastwall.testing.launching import Process, in_an_own_python

OWN_PYTHON = {"PYTHONUNBUFFERED": "1"}
"""The environment of a gateway that needs a Python of its own, because a test looks at how it was started."""

_LONGEST = 1 << 20  # octets of what is asked for: arguments and environment
_IMPORTED = (
    "blastwall.app.serve",
    "blastwall.app.worker",
    "blastwall.app.supervisor",
    "blastwall.cli.local",
    "blastwall.cli.printing",
    "blastwall.control.recordings_query",
    "blastwall.store.migrate",
    "aiosqlite",
    "pydantic.v1",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.dialects.postgresql.asyncpg",
)


class Forked:
    """A forked command. `Process` says what it can do."""

    def __init__(self, told: BinaryIO, arguments: Sequence[str]) -> None:
        """Take the pipe on which the process's id comes first, and its exit code when it has ended."""
        self._told = told
        self._arguments = list(arguments)
        self._lock = threading.Lock()
        self._code: int | None = None
        self.pid = int(told.readline())

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        with self._lock:
            if self._code is None:
                if not select.select([self._told], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
                self._code = int(self._told.readline())
                self._told.close()
            return self._code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Preloaded:
    """Starts commands in forks of a process that is started with the first, and ends at `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours: socket.socket | None = None
        self._forks: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the process that forks; what it forked goes on."""
        if self._ours is not None and self._forks is not None:
            self._ours.close()
            self._forks.wait()
            self._ours = None

    def __call__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: BinaryIO, err: BinaryIO
    ) -> Process:
        if any(name.startswith(("PYTHON", "LD_")) for name in environment):
            return in_an_own_python(arguments, folder, environment, out, err)
        told, tells = os.pipe()
        with os.fdopen(tells, "wb") as end:
            asked = json.dumps([list(arguments), str(folder), {**os.environ, **environment}]).encode()
            socket.send_fds(self._server(), [asked], [out.fileno(), err.fileno(), end.fileno()])
        return Forked(os.fdopen(told, "rb"), arguments)

    def _server(self) -> socket.socket:
        with self._lock:
            if self._ours is None:
                self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    command = [sys.executable, "-P", __file__]
                    self._forks = subprocess.Popen(command, stdin=theirs.fileno(), start_new_session=True)
            return self._ours


def _serve(asking: socket.socket) -> list[str] | None:
    """Fork for what is asked, to the end of the connection; in a fork, return its arguments."""
    while True:
        asked, fds, _, _ = socket.recv_fds(asking, _LONGEST, 3)
        if not asked:
            return None
        out, err, tells = fds
        minder = os.fork()
        if minder == 0:
            arguments, folder, environment = json.loads(asked)
            if _minded(tells):
                asking.close()
                _become(folder, environment, out, err)
                return [str(each) for each in arguments]
        for fd in fds:
            os.close(fd)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _minded(tells: int) -> bool:
    """Fork once more; true in the command's process. The other one tells of it, and ends with it."""
    command = os.fork()
    if command == 0:
        os.close(tells)
        return True
    os.write(tells, f"{command}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    os.write(tells, f"{code}\n".encode())
    os._exit(0)


def _become(folder: str, environment: Mapping[str, str], out: int, err: int) -> None:
    """Be as a process that was started for the command."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(ours, theirs)
        os.close(ours)


def _main() -> None:
    for name in (*_IMPORTED, "blastwall.cli.main"):
        import_module(name)
    from typer.main import get_command

    from blastwall.cli.main import build
    from blastwall.protocols.discover import discover

    command = get_command(build())
    discover()
    gc.freeze()
    asking = socket.socket(fileno=os.dup(0))
    arguments = _serve(asking)
    if arguments is not None:
        sys.argv = ["blastwall", *arguments]
        command()


if __name__ == "__main__":
    _main()
