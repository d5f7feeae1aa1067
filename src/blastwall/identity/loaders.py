"""The three places that an issuer's keys come from: a file, a URL, or discovery."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from blastwall.config.callers import Issuer
from blastwall.identity.fetching import MAX_BYTES, Reach, fetch
from blastwall.identity.keys import Key, KeysUnavailable, read_keys
from blastwall.identity.strictjson import Malformed, read_object


class Loader(Protocol):
    """Gets the keys anew."""

    async def load(self) -> tuple[Key, ...]:
        """Return the keys.

        Raises:
            KeysUnavailable: they cannot be had.
        """

    def changed(self) -> bool:
        """Whether the place is known to hold other keys than at the last load."""


class FileLoader:
    """Keys in a JWK set file, which another program may replace at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether the file was replaced or written since the last load."""
        return self._stamp() != self._seen

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    async def load(self) -> tuple[Key, ...]:
        """Read the file."""
        self._seen = self._stamp()
        try:
            data = await asyncio.to_thread(_read, self._path)
        except OSError as error:
            raise KeysUnavailable(f"file {self._path} cannot be read: {error.strerror}") from None
        return _parse(data, f"file {self._path}")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


class UrlLoader:
    """Keys at a URL that the operator wrote."""

    def __init__(self, url: str, ca: Path | None) -> None:
        self._url = url
        self._reach = Reach(_host(url), ca)

    def changed(self) -> bool:
        """Never known beforehand."""
        return False

    async def load(self) -> tuple[Key, ...]:
        """Fetch the JWK set."""
        return _parse(await fetch(self._url, self._reach), self._url)


class DiscoveryLoader:
    """Keys at the place that the issuer's discovery document names (OpenID Connect Discovery 1.0, section 4)."""

    def __init__(self, issuer: str, ca: Path | None) -> None:
        self._issuer = issuer
        self._reach = Reach(_host(issuer), ca)

    def changed(self) -> bool:
        """Never known beforehand."""
        return False

    async def load(self) -> tuple[Key, ...]:
        """Fetch the discovery document, check whose it is, and fetch the keys that it names."""
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            document = read_object(await fetch(url, self._reach))
        except Malformed as error:
            raise KeysUnavailable(f"{url}: {error}") from None
        if document.get("issuer") != self._issuer:
            raise KeysUnavailable(f"{url}: its `issuer` is not exactly the configured one")
        keys_url = document.get("jwks_uri")
        if not isinstance(keys_url, str):
            raise KeysUnavailable(f"{url}: it names no `jwks_uri`")
        return _parse(await fetch(keys_url, self._reach), keys_url)


def loader_for(issuer: Issuer) -> Loader:
    """Return the loader that an issuer's `jwks` asks for."""
    if issuer.jwks is None:
        return DiscoveryLoader(issuer.issuer, issuer.ca)
    if issuer.jwks.startswith("file:"):
        return FileLoader(Path(issuer.jwks.removeprefix("file:")))
    return UrlLoader(issuer.jwks, issuer.ca)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _parse(data: bytes, where: str) -> tuple[Key, ...]:
    try:
        keys = read_keys(data)
    except Malformed as error:
        raise KeysUnavailable(f"{where}: {error}") from None
    if not keys:
        raise KeysUnavailable(f"{where}: it holds no key that could verify a token")
    return keys
