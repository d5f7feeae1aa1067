"""Heads as the gateway writes them, to both sides."""

from __future__ import annotations

from http import HTTPStatus

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.http.flavour import Response
from blastwall.protocols.http.framing import Framing
from blastwall.protocols.http.heads import write_fields
from blastwall.protocols.http.request import Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n"
_FEW = 6

_UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_FRAMING_FIELDS = frozenset({"content-length", "transfer-encoding", "connection", "trailer", "keep-alive"})


def phrase(status: int) -> str:
    """Return the usual words for a status, "" where there are none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def host_of(address: Address) -> str:
    """Return the `Host` field by which a resource knows itself."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    usual = 80 if address.tls is TlsMode.DISABLE else 443
    return host if address.port == usual else f"{host}:{address.port}"


def request_head(
    method: str, target: str, headers: Headers, framing: Framing, length: int, *, upgrade: bool = False
) -> bytes:
    """Return a request's head; with `upgrade` it asks for WebSocket.

    Raises:
        ValueError: a field would be read as something else.
    """
    fields = write_fields(headers.without(_FRAMING_FIELDS))
    ends = _UPGRADE if upgrade else b""
    return f"{method} {target} HTTP/1.1\r\n".encode() + fields + _framing(framing, length) + ends + b"\r\n"


def response_head(status: int, reason: str, headers: Headers, framing: Framing, length: int, *, close: bool) -> bytes:
    """Return a final response's head; `length` is -1 where it must not be told.

    Raises:
        ValueError: a field would be read as something else.
    """
    fields = write_fields(headers.without(_FRAMING_FIELDS))
    line = f"HTTP/1.1 {status} {reason}\r\n".encode("latin-1")
    ends = b"Connection: close\r\n" if close else b""
    return line + fields + _framing(framing, length) + ends + b"\r\n"


def switching_head(headers: Headers) -> bytes:
    """Return the head that says that what follows is WebSocket.

    Raises:
        ValueError: a field would be read as something else.
    """
    return b"HTTP/1.1 101 Switching Protocols\r\n" + write_fields(headers.without(_FRAMING_FIELDS)) + _UPGRADE + b"\r\n"


def _framing(framing: Framing, length: int) -> bytes:
    if framing is Framing.CHUNKED:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length: %d\r\n" % length if length >= 0 and framing is not Framing.CLOSE else b""


def whole_response(response: Response, method: str, *, close: bool) -> bytes:
    """Return an answer of the gateway's own as it is sent.

    Raises:
        ValueError: a field would be read as something else.
    """
    length = -1 if response.status in (204, 304) else len(response.body)
    head = response_head(
        response.status, phrase(response.status), response.headers, Framing.LENGTH, length, close=close
    )
    return head if method == "HEAD" or length < 0 else head + response.body


def few(pieces: list[bytes]) -> list[bytes]:
    """Return pieces as at most a few: a body in thousands of tiny chunks is not worth as many writes."""
    return pieces if len(pieces) <= _FEW else [b"".join(pieces)]


def chunk(data: bytes) -> bytes:
    """Return data as one chunk; nothing for nothing, which would be the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailer: Headers) -> bytes:
    """Return the end of a chunked body."""
    return LAST_CHUNK + write_fields(trailer) + b"\r\n"
