"""Fetching an issuer's documents over HTTP without being led anywhere else.

The operator names an issuer; its discovery document names the URL of its keys. The first is trusted to be meant, the
second is the issuer's word only, so it must not make the gateway call into its own network (server-side request
forgery):

- a URL is https, or http to this machine itself where the issuer is on this machine; it carries no user information;
- the host that the operator named may resolve to private addresses (an issuer inside the network), but to loopback
  only where it is written so; link-local addresses, where clouds keep their metadata, are never called;
- any other host must resolve to public addresses;
- redirects are not followed, proxies of the environment not used, cookies and encodings not accepted.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import aiohttp

from blastwall.identity.keys import KeysUnavailable
from blastwall.outbound import Guard, is_loopback_name, literal, never_called, unmapped

MAX_BYTES = 512 << 10
TIMEOUT = aiohttp.ClientTimeout(total=5, connect=3)
_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class Reach:
    """Where one issuer's documents may be fetched from. `host` is the one that the operator named."""

    host: str
    ca: Path | None = None

    @property
    def local(self) -> bool:
        """Whether the issuer is on this machine."""
        return is_loopback_name(self.host)

    def check_url(self, url: str) -> SplitResult:
        """Return the parts of a URL that may be fetched.

        Raises:
            KeysUnavailable: it may not.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise KeysUnavailable("the URL of its keys cannot be read") from None
        if not host or parts.username is not None or parts.password is not None or parts.fragment:
            raise KeysUnavailable("the URL of its keys must name a host, without user information or fragment")
        if parts.scheme != "https" and not (parts.scheme == "http" and self.local and is_loopback_name(host)):
            raise KeysUnavailable(f"{parts.scheme}://{host} is not https (http serves on loopback only)")
        address = literal(host)
        if (is_loopback_name(host) and not self.local) or (address is not None and not self.permits(host, address)):
            raise KeysUnavailable(f"{host} is an address that its issuer may not send the gateway to")
        return parts

    def permits(self, host: str, address: IPv4Address | IPv6Address) -> bool:
        """Whether `host` may be called at the address that it resolved to."""
        address = unmapped(address)
        if address.is_loopback or is_loopback_name(host):
            return address.is_loopback and is_loopback_name(host) and self.local
        return not never_called(address) and (host == self.host or address.is_global)


async def fetch(url: str, reach: Reach) -> bytes:
    """Return the body at `url`.

    Raises:
        KeysUnavailable: the URL may not be fetched, or did not answer 200 in time and size.
    """
    async with _calling(url, reach) as session, session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise KeysUnavailable(f"answered {response.status}, not 200 (redirects are not followed)")
        return await _body(response)


async def post_form(url: str, reach: Reach, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Post a form to `url`; return status and body of the answer, which is no redirect.

    Raises:
        KeysUnavailable: the URL may not be called, or did not answer in time and size.
    """
    async with (
        _calling(url, reach) as session,
        session.post(url, data=dict(form), headers=dict(headers), allow_redirects=False) as response,
    ):
        return response.status, await _body(response)


@asynccontextmanager
async def _calling(url: str, reach: Reach) -> AsyncIterator[aiohttp.ClientSession]:
    """Lend a client for one call of `url`; whatever fails comes out as KeysUnavailable, which names the place."""
    parts = reach.check_url(url)
    where = f"{parts.scheme}://{parts.netloc}{parts.path}"
    try:
        tls = await asyncio.to_thread(ssl.create_default_context, cafile=reach.ca and str(reach.ca))
        connector = aiohttp.TCPConnector(
            resolver=Guard(reach.permits, "its issuer"), ssl=tls, force_close=True, use_dns_cache=False
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=TIMEOUT,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as session:
            yield session
    except KeysUnavailable as error:
        raise KeysUnavailable(f"{where}: {error}") from None
    except TimeoutError:
        raise KeysUnavailable(f"{where}: no answer within {TIMEOUT.total:.0f} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise KeysUnavailable(f"{where}: {error or type(error).__name__}") from None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise KeysUnavailable("answered in an encoding that was not asked for")
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BYTES:
            raise KeysUnavailable(f"answered more than {MAX_BYTES} bytes")
    return bytes(body)
