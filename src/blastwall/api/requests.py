"""Reading a request: its form, its bearer token, its source. Nothing in a query string is ever read."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from urllib.parse import parse_qsl

from fastapi import Request

from blastwall.api.problems import Unacceptable
from blastwall.gate.ports import IPAddress
from blastwall.identity.strictjson import Malformed, read_object

MAX_BODY = 64 << 10
_BODY_SECONDS = 10.0
_MOST_FIELDS = 32
_FORM = "application/x-www-form-urlencoded"
_OWN = frozenset({"same-origin", "none"})


def is_from_elsewhere(request: Request) -> bool:
    """Whether a browser says that another site's page made it send this (Fetch Metadata); other clients say nothing."""
    return request.headers.get("sec-fetch-site", "none") not in _OWN


class BadRequest(Exception):
    """The request cannot be read; the text says what is wrong with it, and repeats none of it."""


async def read_form(request: Request) -> dict[str, str]:
    """Return a form's fields (RFC 6749, section 3.2: each at most once, the body only).

    Raises:
        BadRequest: it is no such form, is too long, or too slow, or another site's page had a visitor's browser send
            it: its failures would count against the visitor's address.
    """
    if is_from_elsewhere(request):
        raise BadRequest("another site's page sent this")
    if request.url.query:
        raise BadRequest("send parameters in the body, never in the URL, which ends up in logs")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise BadRequest(f"send the parameters as {_FORM}")
    try:
        pairs = parse_qsl(
            (await _body(request)).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise BadRequest("the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest("a parameter is given twice")
    return fields


async def _body(request: Request) -> bytes:
    try:
        return await _bounded(request)
    except Unacceptable as error:
        raise BadRequest(str(error)) from None


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Unacceptable(413, f"the body is longer than {MAX_BODY} bytes")
    except TimeoutError:
        raise Unacceptable(400, f"the body did not arrive within {_BODY_SECONDS:.0f} s") from None
    return bytes(body)


class StrictRequest(Request):
    """A request whose body is bounded, and is the one JSON object that everybody reads alike."""

    _bytes: bytes | None = None
    _object: dict[str, object] | None = None

    async def check(self, *, takes_body: bool) -> None:
        """Read and check the body.

        Raises:
            Unacceptable: there is one where none is taken, or it is no JSON object of text that can be stored.
        """
        body = await self.body()
        if not body:
            return
        if not takes_body:
            raise Unacceptable(400, "this takes no body")
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Unacceptable(415, "send the body as application/json")
        try:
            self._object = read_object(body)
        except Malformed as error:
            raise Unacceptable(400, f"the body cannot be read: {error}") from None
        refuse_unstorable(self._object)

    async def body(self) -> bytes:
        """Return the body, which is read once.

        Raises:
            Unacceptable: it is too long or too slow.
        """
        if self._bytes is None:
            self._bytes = await _bounded(self)
        return self._bytes

    async def json(self) -> dict[str, object]:
        """Return the body as `check` read it."""
        return self._object or {}


def refuse_unstorable(value: object) -> None:
    """Let text go on that every database can hold.

    Raises:
        Unacceptable: a text in it holds NUL or half of a surrogate pair.
    """
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Unacceptable(400, "a text holds a character that is none (NUL or a lone surrogate)")
    elif isinstance(value, dict):
        for name, inner in value.items():
            refuse_unstorable(name)
            refuse_unstorable(inner)
    elif isinstance(value, list):
        for inner in value:
            refuse_unstorable(inner)


def bearer_of(request: Request) -> bytes | None:
    """Return the token of `Authorization: Bearer` (RFC 6750, section 2.1), None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def source_of(request: Request) -> IPAddress:
    """Return the address of the connection's other end; forwarding headers are anybody's claim, so never read."""
    if request.client is None:
        raise BadRequest("the connection has no address")
    return ip_address(request.client.host)
