"""Where a secret is read from. A further kind of source is another class with the same two members."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Protocol

import structlog

MAX_SECRET = 64 << 10
_log = structlog.get_logger("blastwall.vault")


class SecretUnavailable(Exception):
    """A source has no secret now; the text names the source, never the value."""


class SecretReader(Protocol):
    """One source of one secret."""

    @property
    def source(self) -> str:
        """What it is, for errors: "environment variable PG_PASSWORD". Equal sources have equal secrets."""

    async def read(self) -> bytes:
        """Return the secret as it is now; never empty.

        Raises:
            SecretUnavailable: it cannot be read, or is empty.
        """

    async def renew(self, claims: str) -> bytes:
        """Return it asked for anew, with these `claims` in it where it is a token; "" for none in particular.

        Raises:
            SecretUnavailable: its source does not give another one now.
        """


class EnvironmentReader:
    """A secret in the gateway's own environment."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def source(self) -> str:
        """Names the variable."""
        return f"environment variable {self._name}"

    async def read(self) -> bytes:
        """Return the variable's value, exactly."""
        value = os.environ.get(self._name)
        if not value:
            raise SecretUnavailable(f"{self.source} is {'not set' if value is None else 'empty'}")
        return os.fsencode(value)

    async def renew(self, _claims: str) -> bytes:
        """Return it; it is read anew each time."""
        return await self.read()


class FileReader:
    """A secret in a file, which another program may replace at any time. One trailing newline is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._warned = False

    @property
    def source(self) -> str:
        """Names the file."""
        return f"file {self._path}"

    async def read(self) -> bytes:
        """Return the file's content."""
        try:
            content, mode = await asyncio.to_thread(self._content)
        except OSError as error:
            raise SecretUnavailable(f"{self.source} cannot be read: {error.strerror or type(error).__name__}") from None
        self._warn(mode)
        if len(content) > MAX_SECRET:
            raise SecretUnavailable(f"{self.source} is longer than {MAX_SECRET} bytes, so it is no secret")
        secret = content.removesuffix(b"\n").removesuffix(b"\r")
        if not secret:
            raise SecretUnavailable(f"{self.source} is empty")
        return secret

    async def renew(self, _claims: str) -> bytes:
        """Return it; it is read anew each time."""
        return await self.read()

    def _content(self) -> tuple[bytes, int]:
        """Open without waiting, so that a FIFO in the file's place cannot stop logins."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "it is not a regular file")
            return file.read(MAX_SECRET + 2), found.st_mode

    def _warn(self, mode: int) -> None:
        if mode & stat.S_IROTH and not self._warned:
            self._warned = True
            _log.warning("secret_world_readable", source=self.source, remedy="chmod o-rwx the file")
