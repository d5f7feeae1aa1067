"""Reading a request: its form, its bearer token, its source. Nothing in a query string is ever read."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from urllib.parse import parse_qsl

from fastapi import Request

from blastwall.gate.ports import IPAddress

MAX_BODY = 64 << 10
_BODY_SECONDS = 10.0
_MOST_FIELDS = 32
_FORM = "application/x-www-form-urlencoded"


class BadRequest(Exception):
    """The request cannot be read; the text says what is wrong with it, and repeats none of it."""


async def read_form(request: Request) -> dict[str, str]:
    """Return a form's fields (RFC 6749, section 3.2: each at most once, the body only).

    Raises:
        BadRequest: it is no such form, is too long, or too slow.
    """
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
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise BadRequest(f"the body is longer than {MAX_BODY} bytes")
    except TimeoutError:
        raise BadRequest(f"the body did not arrive within {_BODY_SECONDS:.0f} s") from None
    return bytes(body)


def bearer_of(request: Request) -> bytes | None:
    """Return the token of `Authorization: Bearer` (RFC 6750, section 2.1), None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def source_of(request: Request) -> IPAddress:
    """Return the address of the connection's other end; forwarding headers are anybody's claim, so never read."""
    if request.client is None:
        raise BadRequest("the connection has no address")
    return ip_address(request.client.host)
