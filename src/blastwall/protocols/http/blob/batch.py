"""Storage's batch: one POST with a multipart/mixed body, each part a request of its own (RFC 2046, "Blob Batch").

A batch is read strictly, and written anew from what was read: what is judged is what the service gets. Each part has an
`Authorization` of its own, which the gateway puts in the place of the client's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from blastwall.protocols.http.parts import Unclear
from blastwall.protocols.http.request import Headers, Request

MOST_PARTS = 256
"""The service's own limit ("Blob Batch", remarks)."""

_TYPE = re.compile(r'multipart/mixed\s*;\s*boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?', re.IGNORECASE)
_LINE = re.compile(r"(DELETE|PUT) (/[!-~]*) HTTP/1\.1")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch, with its `Content-ID`."""

    number: str
    method: str
    path: str
    query: str | None
    headers: Headers


def parts_of(request: Request) -> tuple[Part, ...]:
    """Return the requests in a batch's body.

    Raises:
        Unclear: it cannot be read with certainty.
    """
    boundary = _boundary(request)
    text = (request.body or b"").decode("latin-1").replace("\r\n", "\n")
    opening, *rest = ("\n" + text).split(f"\n--{boundary}")
    if opening.strip() or not rest or rest[-1].strip() != "--" or "\r" in text:
        raise Unclear("its batch cannot be read")
    if not 1 < len(rest) <= MOST_PARTS + 1:
        raise Unclear(f"its batch has no part, or more than {MOST_PARTS}")
    return tuple(map(_part, rest[:-1]))


def rewritten_batch(request: Request, headers: Callable[[Request], Headers]) -> bytes:
    """Return a batch's body with the header fields of each part as `headers` gives them.

    Raises:
        Unclear: it cannot be read with certainty.
    """
    boundary = _boundary(request)
    return _written([_with(part, request, headers) for part in parts_of(request)], boundary)


def _with(part: Part, request: Request, headers: Callable[[Request], Headers]) -> Part:
    inner = replace(request, method=part.method, path=part.path, query=part.query, headers=part.headers, body=None)
    return replace(part, headers=headers(inner))


def _boundary(request: Request) -> str:
    types = request.headers.all("content-type")
    found = _TYPE.fullmatch(types[0].strip()) if len(types) == 1 else None
    if found is None or "content-encoding" in request.headers:
        raise Unclear("its batch is no multipart/mixed body with a boundary")
    return found[1]


def _part(text: str) -> Part:
    """Read one part: its own fields, a blank line, a request line, the request's fields, a blank line, no body."""
    if not text.startswith("\n"):
        raise Unclear("a part of its batch cannot be read")
    outer, blank, inner = text[1:].partition("\n\n")
    fields = _fields(outer.split("\n"))
    about = {name.lower() for name, _ in fields}
    if fields.get("content-type").lower() != "application/http" or not blank or not about <= _PART_FIELDS:
        raise Unclear("a part of its batch is no request")
    head, _, body = inner.partition("\n\n")
    line, *rest = head.rstrip("\n").split("\n")
    found = _LINE.fullmatch(line)
    if found is None or body.strip():
        raise Unclear("a part of its batch is no DELETE or PUT, or has a body")
    path, mark, query = found[2].partition("?")
    return Part(fields.get("content-id"), found[1], path, query if mark else None, _fields(rest))


_PART_FIELDS = frozenset({"content-type", "content-transfer-encoding", "content-id", "content-length", "mime-version"})


def _fields(lines: Sequence[str]) -> Headers:
    found = [_FIELD.fullmatch(line) for line in lines]
    if not all(found):
        raise Unclear("a header of its batch cannot be read")
    fields = [(each[1], each[2]) for each in found if each]
    if len({name.lower() for name, _ in fields}) != len(fields):
        raise Unclear("a header in its batch comes twice")
    return Headers(fields)


def _written(parts: Sequence[Part], boundary: str) -> bytes:
    lines: list[str] = []
    for part in parts:
        lines += [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
        lines += [f"Content-ID: {part.number}"] if part.number else []
        target = part.path if part.query is None else f"{part.path}?{part.query}"
        lines += ["", f"{part.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in part.headers]
        lines += ["", ""]
    return "\r\n".join([*lines, f"--{boundary}--", ""]).encode("latin-1")
