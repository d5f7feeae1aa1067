"""Posting a message: over https, to where the operator meant, and nowhere else.

Redirects are not followed, proxies of the environment not used; a host must resolve to public addresses unless the
configuration says `private`, and never to the link-local ones where clouds keep their metadata. The URL is a secret:
no error, log or metric holds more of it than its host.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from blastwall.config.notifications import https_url
from blastwall.outbound import Guard, is_loopback_name, literal, never_called, unmapped

TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_LONGEST_WAIT = 3600.0


class NotSent(Exception):
    """A message did not arrive; the text names the place without its secret. `wait` is what the place asked for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Post:
    """One request."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses a place may be at."""

    private: bool = False
    ca: Path | None = None

    def permits(self, host: str, address: IPv4Address | IPv6Address) -> bool:
        """Whether `host` may be called at the address that it resolved to."""
        address = unmapped(address)
        if never_called(address):
            return False
        if address.is_loopback:
            return self.private and is_loopback_name(host)
        return self.private or address.is_global


async def post(request: Post, reach: Reach) -> None:
    """Post once; an answer 2xx means that it arrived.

    Raises:
        NotSent: it did not, or may not be sent there.
    """
    host = _host(request.url)
    address = literal(host)
    if address is not None and not reach.permits(host, address):
        raise NotSent(f"{host} is an address that messages are not sent to (see `private`)")
    try:
        status, retry_after = await _answer(request, reach)
    except TimeoutError:
        raise NotSent(f"{host} did not answer within {TIMEOUT.total:.0f} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise NotSent(f"{host} cannot be reached ({_cause(error)})") from None
    if not 200 <= status < 300:
        raise NotSent(f"{host} answered {status}", _seconds(retry_after) if status in {429, 503} else 0.0)


async def _answer(request: Post, reach: Reach) -> tuple[int, str]:
    tls = await asyncio.to_thread(ssl.create_default_context, cafile=reach.ca and str(reach.ca))
    connector = aiohttp.TCPConnector(
        resolver=Guard(reach.permits, "a notification"), ssl=tls, force_close=True, use_dns_cache=False
    )
    async with (
        aiohttp.ClientSession(
            connector=connector, timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session,
        session.post(
            request.url,
            data=request.body,
            headers={"Content-Type": "application/json", "User-Agent": "blastwall", **request.headers},
            allow_redirects=False,
        ) as response,
    ):
        return response.status, response.headers.get("Retry-After", "")


def _host(url: str) -> str:
    try:
        return urlsplit(https_url(url)).hostname or ""
    except ValueError as error:
        raise NotSent(f"its URL cannot be used: {error}") from None


def _cause(error: Exception) -> str:
    """Return what went wrong, without the URL that some errors carry."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate does not verify: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or str(error.os_error)
    return type(error).__name__


def _seconds(retry_after: str) -> float:
    return min(float(retry_after), _LONGEST_WAIT) if retry_after.isdecimal() else 0.0
