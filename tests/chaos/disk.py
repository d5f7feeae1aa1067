"""The recordings' disk is full in the middle of sessions."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.chaos.load import at_work, crowd, nothing_ran_unrecorded, were_told
from tests.chaos.world import idle_files, logged_shop, no_leak, whole
from tests.e2e.opening import eventually, lets_in, metrics

from blastwall.testing.postgres import PostgresServer

SIZE = "32m"


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
    """Fill it under load and free it again: everybody is refused meanwhile, and served afterwards."""
    with disk_for(folder / "state" / "recordings") as disk, logged_shop(server, folder) as shop:
        before = idle_files(shop)
        for number in range(times):
            clients = crowd(shop, f"disk{number}")
            eventually(at_work(clients), "every client is at work")
            disk.fill(shop.gateway.pid)
            for each in clients:
                each.join()
            were_told(clients, "cannot be recorded")
            assert not lets_in(shop), "nobody may come in unrecorded"
            assert shop.gateway.ready(), "the gateway goes on"
            assert metrics(shop)['blastwall_recording_failures_total{resource="pg-prod"}'] > 0
            disk.free(shop.gateway.pid)
            eventually(lambda: lets_in(shop), "there is space again: everybody may come in")
        no_leak(shop, before)
        statements = nothing_ran_unrecorded(shop)
        assert shop.gateway.terminate() == 0
        whole(shop)
    return f"{times} times {disk.kind}: {statements} statements ran, all recorded before"
