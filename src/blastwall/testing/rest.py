"""A throw-away https server on loopback that speaks REST: what the small Azure services are built on."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import web

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.processes import ServerFailed

Document = dict[str, object]

_START_SECONDS = 30.0
_LENIENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|\b[A-Za-z_]\w*(?=:)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived. Header and query names are in lower case; `target` is path and query as sent."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def bearer(self) -> str:
        """The token that was shown; empty where none was."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    @property
    def document(self) -> Document:
        """The JSON object in the body; empty where there is none.

        Comments are left out, and a name may stand without quotes: `az deployment` sends a template's text so.
        """
        try:
            found = json.loads(_LENIENT.sub(_strictly, self.body.decode()))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: `document` is sent as JSON, or `body` as it is."""

    status: int
    document: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Service(Protocol):
    """What answers the requests of a server."""

    def respond(self, asked: Asked) -> Answer:
        """Answer one request; called in the server's thread."""


class RestServer(Closing):
    """Serves a service over TLS until it is closed. `asked` keeps every request, the oldest first."""

    def __init__(self, service: Service, authority: CertificateAuthority) -> None:
        """Start in a thread of its own.

        Raises:
            ServerFailed: it does not start.
        """
        self.asked: list[Asked] = []
        self.port = 0
        self._service = service
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._started = threading.Event()
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            self._tls.load_cert_chain(*authority.issue().write(Path(folder)))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._started.wait(_START_SECONDS) or not self.port:
            raise ServerFailed("a small Azure service did not start")

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"https://localhost:{self.port}"

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            finally:
                self._started.set()

    async def _serve(self) -> None:
        server = web.Server(self._respond, access_log=None)
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = int(runner.addresses[0][1])
        self._started.set()
        await self._ending.wait()
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()  # a client that keeps its connection is not waited for
        await runner.cleanup()

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        body = await request.content.read()
        path, _, query = request.raw_path.partition("?")
        asked = Asked(
            request.method,
            request.raw_path,
            path,
            {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)},
            {name.lower(): value for name, value in request.headers.items()},
            body,
        )
        self.asked.append(asked)
        return _written(self._service.respond(asked))


def _strictly(found: re.Match[str]) -> str:
    """Return a string as it is, a comment as nothing and a bare name in quotes."""
    text = found[0]
    if text.startswith('"'):
        return text
    return "" if text.startswith("/") else f'"{text}"'


def _written(answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    body = answer.body
    if answer.document is not None:
        body = json.dumps(answer.document).encode()
        headers.setdefault("Content-Type", "application/json; charset=utf-8")
    return web.Response(status=answer.status, body=body, headers=headers)
