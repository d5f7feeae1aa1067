"""Where the gateway keeps what it makes for itself: beside its state, readable by its user alone."""

from __future__ import annotations

import os
import re
import secrets
import socket
from pathlib import Path

from blastwall.config.model import Configuration
from blastwall.store.address import SqliteFile, parse_address

_KEY_BYTES = 32
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class KeyFileUnusable(Exception):
    """A key that the gateway made for itself cannot be read or written; the text names the file and what to do."""


def state_folder(configuration: Configuration) -> Path:
    """Return the folder of the state file; beside the recordings where the state is a server's."""
    address = parse_address(configuration.state)
    return address.path.parent if isinstance(address, SqliteFile) else configuration.recordings.to.parent


def signing_key_path(configuration: Configuration) -> Path:
    """Return where the key is that signs the recordings' checkpoints; its public part stands beside it as `.pub`."""
    return state_folder(configuration) / "recording.key"


def node_name(configuration: Configuration) -> str:
    """Return this node's name: the configured one, or the host's in the letters that a name may have."""
    if configuration.node is not None:
        return configuration.node
    return _NOT_IN_A_NAME.sub("-", socket.gethostname()).strip("-._")[:63] or "node"


def key_once(path: Path) -> bytes:
    """Return the key kept at `path`; the first call makes it, mode 600.

    Raises:
        KeyFileUnusable: it cannot be made or read, is not a key, or others may read it.
    """
    try:
        _make(path)
        if path.stat().st_mode & 0o077:
            raise KeyFileUnusable(f"others may read the key {path}; run: chmod 600 {path}")
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise KeyFileUnusable(f"the key {path} cannot be read or made: {error.strerror}") from None
    except ValueError:
        raise KeyFileUnusable(f"{path} does not hold a key; restore it from a backup") from None
    if len(key) < _KEY_BYTES:
        raise KeyFileUnusable(f"{path} holds less than {_KEY_BYTES} bytes of key; restore it from a backup")
    return key


def _make(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    write_private(draft, secrets.token_bytes(_KEY_BYTES).hex().encode())
    try:
        os.link(draft, path)  # never replaces a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only the gateway's user may read, from its first byte on.

    Raises:
        OSError: it cannot be written.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
