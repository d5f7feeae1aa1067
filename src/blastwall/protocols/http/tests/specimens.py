"""What the protocol shows of itself to the conformance suite."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.contract import Admit, Limits, Lookup, Opening
from blastwall.protocols.http.framing import response_body
from blastwall.protocols.http.heads import head_end, read_response
from blastwall.protocols.http.session import HttpSession
from blastwall.protocols.http.tests.plain import REFUSED, PlainFlavour
from blastwall.protocols.http.tests.server import TinyServer
from blastwall.testing.conformance import Exchange

RESOURCE = Resource("api", "plain", Address("127.0.0.1", 8080, TlsMode.DISABLE))
TOKEN = b"the-agents-token"


def opening(**changes: object) -> Opening:
    """A plain-text opening, reached by any name."""
    return Opening(
        "s-1",
        RESOURCE,
        lambda size: b"e" * size,
        Limits(statement=4096),
        plain_text=True,
        reached=lambda _name: RESOURCE.name,
    )


def request(line: str, *fields: str, body: bytes = b"", token: bytes = TOKEN, host: str = "api.gw.example") -> bytes:
    """A request with its token; `line` is method and target."""
    lines = [
        f"{line} HTTP/1.1",
        f"Host: {host}",
        *([f"Authorization: Bearer {token.decode()}"] if token else []),
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def with_body(line: str, body: bytes, kind: str = "application/json", *fields: str) -> bytes:
    """A request with a body of a length that is told."""
    return request(line, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields, body=body)


def chunked(line: str, body: bytes, kind: str = "application/octet-stream", *fields: str) -> bytes:
    """A request with a body in chunks of seven bytes."""
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return request(line, f"Content-Type: {kind}", "Transfer-Encoding: chunked", *fields, body=framed)


class HttpSpecimens:
    """Implements `Specimens`."""

    admit = Admit(Credential("", b"upstream-secret"), "ci/s-1")
    login = request("GET /login")
    exchanges: Mapping[str, Exchange] = {
        "get": Exchange(request("GET /simple?a=b"), b"simple"),
        "judged": Exchange(with_body("POST /items", b'{"name": "judged-item"}'), b"judged-item"),
        "judged in chunks": Exchange(chunked("POST /items", b'{"name": "chunky"}', "application/json"), b"chunky"),
        "streamed": Exchange(with_body("PUT /files/streamed", b"x" * 9000, "text/plain"), b"streamed"),
        "streamed in chunks": Exchange(chunked("PUT /files/chunks", b"y" * 500), b"/files/chunks"),
        "head": Exchange(request("HEAD /headed"), b"headed"),
        "delete": Exchange(request("DELETE /deleted"), b"deleted"),
    }
    after_refusal = Exchange(request("GET /afterwards"), b"afterwards")
    pipelined = (
        Exchange(with_body("POST /first", b"{}"), b"first"),
        Exchange(with_body("POST /second", b"{}"), b"second"),
    )
    unreadable: Sequence[bytes] = (
        b"\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        request("POST /x", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        request("CONNECT a:443"),
    )
    unreadable_start: Sequence[bytes] = (
        *(data for data in unreadable if data[:1] != b"\x16"),
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"GET /a/../../b HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    oversized = Exchange(with_body("POST /x", b'"' + b"x" * 20_000 + b'"'), b"xxxxxxxx")
    goodbye = b""
    injects = False
    tries_again = True

    def session(self) -> HttpSession:
        return HttpSession(opening(), PlainFlavour())

    def warm_session(self) -> None:
        """Nothing is parked."""
        return

    def server(self) -> TinyServer:
        return TinyServer()

    def look_up(self, lookup: Lookup) -> object:
        raise AssertionError(f"nothing is looked up, but {lookup} was")

    def written(self, text: str) -> bytes:
        return text.encode()

    def forwarded(self, sent: bytes) -> bytes:
        """The gateway writes heads itself, and frames a body anew that it has judged."""
        head, _, body = sent.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        judged = b"Transfer-Encoding" in head and b"json" in head
        if judged:
            body = re.sub(rb"[0-9a-f]+\r\n(.*?)\r\n", rb"\1", body, flags=re.DOTALL)
        framing = [f for f in fields if f.startswith((b"Content-Length", b"Transfer-Encoding"))]
        kept = [f for f in fields if not f.startswith((b"Host", b"Authorization", *framing))]
        if not framing and line.startswith((b"POST", b"PUT")):
            framing = [b"Content-Length: 0"]
        if judged:
            framing = [b"Content-Length: %d" % len(body)]
        own = [b"Host: 127.0.0.1:8080", b"Authorization: Bearer upstream-secret", b"User-Agent: blastwall (ci/s-1)"]
        return b"\r\n".join((line, *kept, *own, *framing)) + b"\r\n\r\n" + body

    def refusals(self, to_client: bytes) -> int:
        return list(self.answers(to_client)).count("refused")

    def answers(self, to_client: bytes) -> Sequence[str]:
        found: list[str] = []
        while end := head_end(to_client):
            head = read_response(to_client[:end])
            heads_only = REFUSED in head.headers and len(to_client) == end
            body = response_body("HEAD" if heads_only else "GET", head.status, head.headers, head.minor)
            pieces, after = body.feed(to_client, end)
            found.append("refused" if REFUSED in head.headers else b"".join(pieces).decode())
            to_client = to_client[after:]
        return found


SPECIMENS = HttpSpecimens()
