"""Appending to a file so that what is there is always whole, and replacing a file so that it is never half there."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from blastwall.wire.native import Flag, Octets, Whole


class AppendFile:
    """A file that only grows by whole appends. What a failed append left behind is cut off again."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """Open `path`, made with mode 600 if it is not there; with `new` it must not be.

        Raises:
            OSError: it cannot be opened.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_EXCL if new else 0)
        self.path = path
        self.descriptor: Whole = os.open(path, flags, 0o600)
        self.size: Whole = os.fstat(self.descriptor).st_size
        self._ragged: Flag = False
        self._nameless: Flag = new
        self.unsynced: Flag = new

    def append(self, data: Octets) -> None:
        """Append all of `data`, or nothing; returns after write(2).

        Raises:
            OSError: it cannot be written (the disk is full); the file is as before.
        """
        if self._ragged:
            self._cut()
        size: Whole = len(data)
        written: Whole = 0
        try:
            while written < size:
                written += os.write(self.descriptor, data[written:] if written else data)
        except OSError:
            self._cut()
            raise
        self.size += size
        self.unsynced = True

    def _cut(self) -> None:
        self._ragged = True
        os.ftruncate(self.descriptor, self.size)
        self._ragged = False

    def sync(self) -> None:
        """Wait until the disk has everything appended before, and the file's name. May run in a thread.

        Raises:
            OSError: the disk failed; what it has is not known.
        """
        if not self.unsynced:
            return
        self.unsynced = False  # first, so that an append meanwhile sets it again
        try:
            os.fsync(self.descriptor)
            if self._nameless:
                sync_folder(self.path.parent)
                self._nameless = False
        except OSError:
            self.unsynced = True
            raise

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class FolderLock:
    """Held by the one process that writes a folder; the kernel releases it when that process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            BlockingIOError: another process holds it.
            OSError: the file cannot be opened.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        os.close(self._descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_private(path: Path) -> BinaryIO:
    """Open a file to be written from its start, mode 600 if it is new."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file durably under another name and then give it its own, so that no reader sees a part of it."""
    draft = path.with_name(path.name + ".new")
    with create_private(draft) if private else draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
