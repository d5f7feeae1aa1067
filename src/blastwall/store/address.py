"""From the configuration's `state:` to what SQLAlchemy opens: a file of our own, or a PostgreSQL server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_SECRET_PARAMETERS = frozenset({"password", "sslpassword"})


class StateError(Exception):
    """The state database cannot be used; the text says which, why and what to do. It never holds a password."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A state file on this machine."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL database that several nodes share. `dsn` is passed on as it was written; it holds no password."""

    dsn: str

    def __str__(self) -> str:
        parts = urlsplit(self.dsn)
        return f"postgresql://{parts.hostname or ''}{parts.path}"


def parse_address(url: str, folder: Path | None = None) -> SqliteFile | PostgresServer:
    """Read a `state:` value; a relative file is taken from `folder`, by default the working directory.

    Raises:
        StateError: the value is neither form, or carries a password.
    """
    if url.startswith("sqlite:///"):
        return _sqlite(url.removeprefix("sqlite:///"), folder)
    if url.startswith(("postgresql://", "postgres://")):
        return _postgres(url)
    raise StateError("state: write `sqlite:///PATH` (a file) or `postgresql://HOST/DATABASE`")


def _sqlite(path: str, folder: Path | None) -> SqliteFile:
    if not path or path.startswith(":") or "?" in path or "\0" in path:
        raise StateError("state: `sqlite:///` needs the path of a file, without parameters")
    return SqliteFile((folder or Path()) / path)


def _postgres(url: str) -> PostgresServer:
    try:
        parts = urlsplit(url)
        parameters = parse_qs(parts.query, keep_blank_values=True)
        carries = parts.password is not None or not _SECRET_PARAMETERS.isdisjoint(parameters)
    except ValueError:
        raise StateError("state: the `postgresql://` URL cannot be read") from None
    if carries:
        raise StateError(
            "state: a URL must not carry a password, since URLs end up in logs; set PGPASSWORD or PGPASSFILE instead"
        )
    return PostgresServer(url)


def prepare_file(path: Path) -> None:
    """Make the folder (mode 700) and the file (mode 600), so that SQLite's side files get the same mode.

    Raises:
        StateError: they cannot be made, or the file is not ours to write.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StateError(
            f"state: {path} cannot be written ({error.strerror}); give the gateway's user a folder that it may write"
        ) from None
