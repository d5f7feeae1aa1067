"""Running servers that refuse to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from blastwall.testing.ports import answers
from blastwall.testing.servers import ServerMissing, belongings, environment


class ServerFailed(Exception):
    """A throw-away server did not start or stop; the text holds the end of its log."""


def until_it_answers(name: str, port: int, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    """Wait until a server that was just started takes connections on loopback.

    Raises:
        ServerFailed: it ended, or takes none after so many seconds; the text holds the end of its log.
    """
    deadline = time.monotonic() + seconds
    while not answers(port):
        if time.monotonic() > deadline or process.poll() is not None:
            raise ServerFailed(f"{name} did not start:\n{tail(log.read_text(errors='replace'))}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that servers run as; None stands for the present one."""

    uid: int | None
    gid: int | None

    def own(self, *paths: Path) -> None:
        """Make this account the owner of `paths`."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def run(self, command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> str:
        """Run a command to its end as this account and return its output.

        Raises:
            ServerFailed: it ended with another code than 0.
        """
        process = subprocess.Popen(
            command, user=self.uid, group=self.gid, extra_groups=self.groups, cwd=cwd, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # its children too, or they go on writing into a deleted folder
            process.communicate()
            raise
        if process.returncode:
            raise ServerFailed(f"{Path(command[0]).name} ended with code {process.returncode}:\n{tail(output)}")
        return output

    def start(
        self, command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a server as this account in a process group of its own, so that Ctrl-C does not reach it."""
        with log.open("ab") as output:
            return subprocess.Popen(
                command, user=self.uid, group=self.gid, extra_groups=self.groups, cwd=cwd, env=env,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def groups(self) -> list[int] | None:
        """No further groups for another account; the present one keeps its own."""
        return None if self.uid is None else []


@cache
def unprivileged() -> Account:
    """Return the present account, or where that is root `postgres` or `nobody`: PostgreSQL never runs as root.

    Raises:
        ServerMissing: root has no other account to use.
    """
    if os.geteuid() != 0:
        return Account(None, None)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ServerMissing("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")


def reachable(folder: Path) -> bool:
    """Whether another account may enter `folder`."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.resolve().parents))


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder of programs that the unprivileged account can run, with the environment that they need."""

    bindir: Path
    environment: dict[str, str]


def within_reach(bindir: Path, folder: Path) -> Programs:
    """Return `bindir` itself where the unprivileged account can run what is in it, else a copy of it in `folder`."""
    if unprivileged().uid is None or reachable(bindir):
        return Programs(bindir, environment())
    root, needed = belongings(bindir)
    for path in needed:
        if path.is_dir():
            shutil.copytree(path, folder / path.name, symlinks=True)
    return Programs(folder / bindir.relative_to(root), environment(folder))


def tail(text: str, lines: int = 30) -> str:
    """Return the last lines of a log."""
    return "\n".join(text.splitlines()[-lines:])
