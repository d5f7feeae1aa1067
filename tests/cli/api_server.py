"""An https server that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.waiting import SOON

from blastwall.testing.certificates import CertificateAuthority


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


@dataclass
class ApiServer:
    """`answers` gives statuses and bodies by `METHOD /path`, used up in turn, the last one again and again."""

    url: str
    ca: Path
    answers: dict[str, list[tuple[int, object]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    drop: int = 0

    def answer(self, what: str, *replies: tuple[int, object]) -> None:
        self.answers[what] = list(replies)


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Serve on loopback, with a certificate for localhost of a throw-away CA."""
    authority = CertificateAuthority()
    certificate, key = authority.issue().write(folder, "api")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = _Server(("127.0.0.1", 0), _Request)
    port = server.server_port
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api = ApiServer(f"https://localhost:{port}", authority.write(folder))
    server.api = api
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: ApiServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that does not trust this server is what some tests are about."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = SOON

    def _answer(self) -> None:
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        api.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        if api.drop:
            api.drop -= 1
            self.close_connection = True
            return
        replies = api.answers.get(f"{self.command} {self.path}") or [(404, b"nothing here")]
        status, answer = replies.pop(0) if len(replies) > 1 else replies[0]
        sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in api.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing."""
