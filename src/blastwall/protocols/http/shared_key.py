"""Azure Storage's Shared Key: a request signed with an account's key, instead of a token in it.

What is signed is "Authorize with Shared Key" of Microsoft's reference, for the services of blobs, queues and files from
version 2015-02-21 on: method, eleven standard fields, every `x-ms-` field, the path as it is sent below the account's
name, and the query's parameters decoded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from blastwall.protocols.http.request import Headers, Request

_STANDARD = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
"""The standard fields that are signed, in their order."""


def shared_key(account: str, key: bytes, request: Request) -> str:
    """Return the value of `Authorization` for a request with the fields that will be sent. `key` is in base64.

    Of fields that come twice the first is signed: whoever judges refuses them.

    Raises:
        ValueError: the key is not base64.
    """
    text = string_to_sign(account, request)
    digest = hmac.new(base64.b64decode(key, validate=True), text, hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"


def string_to_sign(account: str, request: Request) -> bytes:
    """Return what is signed. Header values are bytes as sent (ISO 8859-1 here), the rest is UTF-8."""
    headers = request.headers
    lines = [request.method.encode(), *(_standard(name, headers).encode("latin-1") for name in _STANDARD)]
    return b"\n".join([*lines, *_azure_fields(headers), *_resource(account, request.path, request.query)])


def _standard(name: str, headers: Headers) -> str:
    """Return a standard field's value: a length of 0 is signed as nothing, and a date only where Azure's own is not."""
    value = headers.get(name)
    if (name == "content-length" and value == "0") or (name == "date" and "x-ms-date" in headers):
        return ""
    return value


def _azure_fields(headers: Headers) -> Iterator[bytes]:
    names = sorted({name.lower() for name, _ in headers if name.lower().startswith("x-ms-")}, key=_collated)
    for name in names:
        yield f"{name}:{headers.get(name)}".encode("latin-1")


def _collated(name: str) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Order names as the service does, by words: hyphens count only between equals, `_` comes before digits."""
    letters = tuple(0 if each == "_" else ord(each) for each in name if each != "-")
    return letters, tuple(each == "-" for each in name)


def _resource(account: str, path: str, query: str | None) -> Iterator[bytes]:
    yield f"/{account}{path}".encode()
    found: dict[bytes, list[bytes]] = {}
    for piece in filter(None, (query or "").split("&")):
        name, _, value = piece.partition("=")
        found.setdefault(unquote_to_bytes(name).lower(), []).append(unquote_to_bytes(value))
    for key in sorted(found):
        yield key + b":" + b",".join(sorted(found[key]))
