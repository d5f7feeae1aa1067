"""The recordings' disk is full in the middle of sessions."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from tests.chaos.load import at_work, crowd, nothing_ran_unrecorded, were_told
from tests.chaos.world import idle_files, logged_shop, no_leak, whole
from tests.e2e.conftest import Shop
from tests.e2e.opening import lets_in, metrics
from tests.waiting import eventually

from blastwall.testing.postgres import PostgresServer

SIZE = "32m"
MOST_FITTING = 40
"""A login's records take more than a hundred bytes of a page of 4 KiB."""


class Disk(Protocol):
    """A disk that can be full. `kind` is how that is brought about."""

    kind: str

    def fill(self, pid: int) -> None:
        """Take all the space that process `pid` could write to."""

    def free(self, pid: int) -> None:
        """Give it back."""


class SmallFilesystem:
    """A filesystem of its own, filled to the last block by another file."""

    kind = "a full filesystem"

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, pid: int) -> None:
        """Write until nothing more fits."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self, pid: int) -> None:
        """Delete what fills it."""
        self._ballast.unlink()


class FileSizeLimit:
    """The limit on a file's size, which fails writes as a full disk does: for where nothing may be mounted."""

    kind = "a limit on file sizes"

    def __init__(self) -> None:
        self._usual = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, pid: int) -> None:
        """Let no file grow beyond a byte."""
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, self._usual[1]))

    def free(self, pid: int) -> None:
        """Put the usual limit in force."""
        resource.prlimit(pid, resource.RLIMIT_FSIZE, self._usual)


@contextmanager
def disk_for(folder: Path) -> Iterator[Disk]:
    """Make `folder` a small filesystem, where this account may mount one."""
    folder.mkdir(parents=True)
    libc = ctypes.CDLL(None, use_errno=True)
    place = os.fsencode(folder)
    if libc.mount(b"tmpfs", place, b"tmpfs", 0, f"size={SIZE},mode=0700".encode()) != 0:
        yield FileSizeLimit()
        return
    try:
        yield SmallFilesystem(folder)
    finally:
        libc.umount2(place, 2)  # MNT_DETACH, <sys/mount.h>


def fill_the_disk(server: PostgresServer, folder: Path, times: int) -> str:
    """Fill it under load and free it again: what cannot be recorded is refused meanwhile, all is served afterwards.

    A short record may still fit, into the rest of the last page; whatever is let in with it must be recorded.
    """
    with disk_for(folder / "state" / "recordings") as disk, logged_shop(server, folder) as shop:
        before, admitted, fitted = idle_files(shop), list[str](), 0
        for number in range(times):
            clients = crowd(shop, f"disk{number}")
            eventually(at_work(clients), "every client is at work")
            disk.fill(shop.gateway.pid)
            for each in clients:
                each.join()
            were_told(clients, "cannot be recorded")
            admitted += [name for each in clients for name in each.admitted]
            admitted += (late := _refused_in_the_end(shop, f"late{number}"))
            nothing_ran_unrecorded(shop, admitted)
            fitted += len(late)
            assert shop.gateway.ready(), "the gateway goes on"
            assert metrics(shop)['blastwall_recording_failures_total{resource="pg-prod"}'] > 0
            disk.free(shop.gateway.pid)
            eventually(lambda: lets_in(shop), "there is space again: everybody may come in")
        no_leak(shop, before)
        statements = nothing_ran_unrecorded(shop, admitted)
        assert shop.gateway.terminate() == 0
        whole(shop)
    return (
        f"{times} times {disk.kind}: {statements} statements ran and {len(admitted)} logins were let in, {fitted} "
        "of them while it was full, all recorded before"
    )


def _refused_in_the_end(shop: Shop, name: str) -> list[str]:
    """Log in and ask again and again until a login is refused; return the names of the logins that were let in."""
    admitted: list[str] = []
    for number in range(MOST_FITTING):
        try:
            with closing(psycopg.connect(shop.dsn(), autocommit=True, application_name=f"{name}-{number}")) as agent:
                admitted.append(f"{name}-{number}")
                agent.execute(f"SELECT 'mark-{name}-{number}.'".encode())
        except psycopg.Error as error:
            assert "cannot be recorded" in str(error) or "can no longer be recorded" in str(error), str(error)
            if len(admitted) <= number:
                return admitted
    raise AssertionError(f"{MOST_FITTING} logins were let in: the disk is not full")
