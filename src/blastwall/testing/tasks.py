"""Tasks for a sandbox, most of which misbehave; a process of its own can import them from here."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Echo:
    """Tell what the context is, and who does."""

    word: str

    def __call__(self, context: object) -> bytes:
        """Return word, context and process id."""
        return f"{self.word} {context} {os.getpid()}".encode()


def crash(_context: object) -> bytes:
    """Read what is not there."""
    ctypes.string_at(0)
    return b""


def spin(_context: object) -> bytes:
    """Compute for ever."""
    while True:
        pass


def sleep(_context: object) -> bytes:
    """Wait for a minute."""
    time.sleep(60)
    return b""


def nap(_context: object) -> bytes:
    """Wait for a moment."""
    time.sleep(0.3)
    return b"rested"


def swell(_context: object) -> bytes:
    """Want 4 GiB."""
    return b"x" * (4 << 30)


def environment(_context: object) -> bytes:
    """Tell the environment, and the inodes of what is open besides the standard three."""
    return json.dumps([dict(os.environ), [found for at in range(3, 256) for found in _inode(at)]]).encode()


def _inode(descriptor: int) -> list[int]:
    try:
        return [os.fstat(descriptor).st_ino]
    except OSError:
        return []


def write(_context: object) -> bytes:
    """Write a file."""
    Path("/tmp/blastwall-sandbox").write_bytes(b"x")
    return b"written"


def connect(_context: object) -> bytes:
    """Open a socket."""
    with socket.socket():
        return b"opened"


def start(_context: object) -> bytes:
    """Start a program, without the pipes to it that could not be opened either."""
    return str(os.posix_spawn("/bin/echo", ["echo", "started"], {})).encode()


def fail(_context: object) -> bytes:
    """Raise."""
    raise ValueError("a value")


def babble(_context: object) -> bytes:
    """Write to standard output."""
    os.write(1, b"R" * 100)
    return b"done"
