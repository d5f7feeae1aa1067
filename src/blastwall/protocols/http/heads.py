"""Heads of requests and responses, read strictly: one expression says what a head is, and all else is refused.

    request   method SP target SP HTTP/1.1 CRLF *(name ":" value CRLF) CRLF       (RFC 9112, sections 3 and 5)
    response  HTTP/1.x SP status [SP reason] CRLF *(name ":" value CRLF) CRLF      (RFC 9112, section 4)

Where the RFC lets a recipient be lenient (a bare LF, white space around a name, folded lines, empty lines before a
request) two readers of the same bytes may come to different messages, which is how requests are smuggled. So nothing of
that is taken: a head is what the expression matches whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.request import Headers

MOST_FIELDS = 128
"""More are refused: Apache takes 100 by default, nginx as many as fit."""
MOST_BYTES = 48 * 1024
"""Of a whole head. Tokens of Entra's reach 6 KiB, and a request may carry several; IIS takes 16 KiB, nginx 33."""
MOST_TARGET = 16 * 1024
"""Of a target: SAS queries and OData filters are long, but IIS and ARM take no more than that."""

END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_FIELDS = rb"((?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+)\r\n"
_OURS = rb"((?:" + _TOKEN + rb":[\x20-\x7e\x80-\xff]*+\r\n)*+)\r\n"
"""A request's fields have no tabs: around a value readers differ on them, and no client sends any."""
_REQUEST = re.compile(rb"([A-Z](?:[A-Z-]{0,22}[A-Z])?) ([\x21-\x7e]++) HTTP/1\.1\r\n" + _OURS)
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n" + _FIELDS)
_TRAILER = re.compile(_FIELDS)
_LINE = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+")
_STARTED = re.compile(rb"[A-Z][!-~]*+ ?")
_WRITABLE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")


class RequestHead(NamedTuple):
    """A request's head as it was sent."""

    method: str
    target: str
    headers: Headers


class ResponseHead(NamedTuple):
    """A response's head as it was sent, and in its bytes; `minor` is 0 or 1, of its version 1.x."""

    status: int
    reason: str
    headers: Headers
    minor: int
    raw: bytes = b""


def head_end(data: bytes | bytearray, start: int = 0) -> int:
    """Return where the head that begins at `start` ends, behind its empty line; 0 where it is not complete.

    Raises:
        Unreadable: it is too long, or has a line that does not end in CRLF.
    """
    end = data.find(END, start)
    if end >= 0 and end - start <= MOST_BYTES:
        return end + 4
    if end >= 0 or len(data) - start > MOST_BYTES:
        raise Unreadable(f"a head of more than {MOST_BYTES} bytes", 431)
    if data.count(b"\n", start) != data.count(b"\r\n", start):
        raise Unreadable("a line that ends in LF without CR")
    return 0


def check_start(data: bytes | bytearray) -> None:
    """Look at the first bytes of a request whose head is not complete: what is no HTTP need not be waited for.

    Raises:
        Unreadable: no request begins like that.
    """
    if _STARTED.match(data) is None:
        raise Unreadable("something that does not begin as an HTTP request")


def read_request(head: bytes) -> RequestHead:
    """Read a whole head.

    Raises:
        Unreadable: it is no request that every reader takes for the same.
    """
    found = _REQUEST.fullmatch(head)
    if found is None:
        raise _why_no_request(head)
    method, target, fields = found.groups()
    if len(target) > MOST_TARGET:
        raise Unreadable(f"a target of more than {MOST_TARGET} bytes", 414)
    return RequestHead(method.decode(), target.decode(), _headers(fields))


def read_response(head: bytes) -> ResponseHead:
    """Read a whole head.

    Raises:
        Unreadable: it is no response that every reader takes for the same.
    """
    found = _RESPONSE.fullmatch(head)
    if found is None:
        raise Unreadable(f"{_why_no_fields(head)} in a response's head, or a status line that is none")
    minor, status, reason, fields = found.groups()
    told = (reason or b"").decode("latin-1").strip("\t ")
    return ResponseHead(int(status), told, _headers(fields), int(minor), head)


def read_trailer(section: bytes) -> Headers:
    """Read a trailer section with its empty line.

    Raises:
        Unreadable: it holds anything but fields.
    """
    found = _TRAILER.fullmatch(section)
    if found is None:
        raise Unreadable(f"{_why_no_fields(b'-' + section)} in a trailer section")
    return _headers(found.group(1))


def _headers(fields: bytes) -> Headers:
    lines = fields.decode("latin-1").split("\r\n")
    if len(lines) > MOST_FIELDS + 1:
        raise Unreadable(f"more than {MOST_FIELDS} header fields", 431)
    pairs = []
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            pairs.append((name, value.strip("\t ")))
    return Headers(pairs)


def _why_no_request(head: bytes) -> Unreadable:
    line = head.partition(b"\r\n")[0]
    version = line.rpartition(b" ")[2]
    if re.fullmatch(rb"HTTP/[0-9]+(\.[0-9]+)?", version) and version != b"HTTP/1.1":
        return Unreadable("an HTTP version other than HTTP/1.1", 505)
    if re.fullmatch(rb"[A-Z](?:[A-Z-]{0,22}[A-Z])? [\x21-\x7e]+ HTTP/1\.1", line) is None:
        return Unreadable("a request line other than METHOD target HTTP/1.1")
    return Unreadable(f"{_why_no_fields(head)} in a request's head")


def _why_no_fields(head: bytes) -> str:
    if head.count(b"\n") != head.count(b"\r\n") or head.count(b"\r") != head.count(b"\r\n"):
        return "a CR or LF that ends no line"
    for line in head.split(b"\r\n")[1:-2]:
        if _LINE.fullmatch(line) is not None:
            continue
        if line[:1] in b" \t":
            return "a folded line"
        name, colon, value = line.partition(b":")
        if not colon:
            return "a line without a colon"
        if re.fullmatch(_TOKEN, name) is None:
            return "a field name with white space or a character that none may have"
        return "a control character in a field's value" if value else "a field that is none"
    return "a tab in a field's value"


def write_fields(fields: Headers) -> bytes:
    """Return fields as they are sent, without an empty line.

    Raises:
        ValueError: a name or value is none that may be sent; it is not shown.
    """
    lines = []
    for name, value in fields:
        if _WRITABLE.match(name) is None or _VALUE.match(value) is None:
            raise ValueError("a header field that would be read as something else")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")
