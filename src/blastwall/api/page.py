"""The web page's files, and the headers that a browser is told to keep to.

The files are read once, at the start, and served by their exact names, so no path leads out of their folder. Nothing
of the page is inline: the content security policy lets no script or style run that is not one of these files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import blastwall

FOLDER = Path(blastwall.__file__).parent / "web" / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
_HSTS = "max-age=31536000"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes = field(repr=False)
    media_type: str
    etag: str


def content_policy(sign_in: str | None) -> str:
    """Return the content security policy; `sign_in` is the origin of the issuer that people sign in with."""
    form = "'self'" + (f" {sign_in}" if sign_in else "")
    return (
        f"default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; form-action {form}; "
        "require-trusted-types-for 'script'; trusted-types 'none'"  # no text can be made markup or script
    )


class BrowserHeaders:
    """Adds what every answer of the control port tells a browser."""

    def __init__(self, app: ASGIApp, sign_in: Callable[[], str | None]) -> None:
        self._app = app
        self._sign_in = sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), Request(scope).url.hostname or "", self._sign_in())
            await send(message)

        await self._app(scope, receive, told)


def _add(headers: MutableHeaders, host: str, sign_in: str | None) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", content_policy(sign_in))
    if not _is_local(host):
        headers.setdefault("Strict-Transport-Security", _HSTS)


def _is_local(host: str) -> bool:
    """Whether a name is this machine's: a browser would hold every other server on it to https, too."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def mount(app: FastAPI, folder: Path = FOLDER) -> None:
    """Serve the page's files under `/static/`, and its `index.html` at `/`."""
    files = {f"/static/{name}": file for name, file in _files(folder).items()}
    if "/static/index.html" in files:
        files["/"] = files["/static/index.html"]
    for path, file in files.items():
        app.router.routes.append(Route(path, _served(file), methods=["GET", "HEAD"]))


def _files(folder: Path) -> dict[str, _File]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[path.relative_to(folder).as_posix()] = _File(content, _TYPES[path.suffix], etag)
    return found


def _served(file: _File) -> Callable[[Request], Awaitable[Response]]:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}

    async def serve(request: Request) -> Response:
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if file.etag in known:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)

    return serve
