"""The web page: static files alone, without a build step, served beside the API that they are a face of.

The files are read once into a table by the path of their URL, so that no path can climb out of the folder. They hold no
secret and need no login; what they show comes from the API, under the reader's own roles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}
"""What every file is answered with. Trusted Types forbid the sinks that would turn text into markup or script."""

_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_FOLDER = "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is answered; `etag` changes with its bytes."""

    body: bytes
    content_type: str
    etag: str


def asset(path: str) -> Asset | None:
    """Return the file behind a URL's path, `/` or `/static/…`; None where there is none."""
    return assets().get(path)


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file by its URL's path."""
    root = files(__name__) / _FOLDER
    return {_address(path): _asset(file) for path, file in _walk(root, "")}


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            yield prefix + entry.name, entry


def _address(path: str) -> str:
    return "/" if path == "index.html" else f"/static/{path}"


def _asset(file: Traversable) -> Asset:
    body = file.read_bytes()
    return Asset(body, _TYPES[file.name.rpartition(".")[2]], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
