"""Addresses that are never called, and a resolver that dials only what was checked."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

IPAddress = IPv4Address | IPv6Address
Permits = Callable[[str, IPAddress], bool]
"""Whether a host may be called at the address that it resolved to."""

_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))
"""IPv6 that stands for an IPv4 address (NAT64, RFC 6052 and 8215; 6to4): never the address of a public host."""


def unmapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv4-mapped IPv6 address is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def never_called(address: IPAddress) -> bool:
    """Whether an address is no host's to call: link-local, where clouds keep their metadata, multicast, unspecified."""
    embeds = isinstance(address, IPv6Address) and any(address in network for network in _EMBEDDING)
    return address.is_link_local or address.is_multicast or address.is_unspecified or embeds


def literal(host: str) -> IPAddress | None:
    """Return the address that a host is written as, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_loopback_name(host: str) -> bool:
    """Whether a host is written as this machine itself."""
    address = literal(host)
    return host == "localhost" or (address is not None and unmapped(address).is_loopback)


class Guard(AbstractResolver):
    """Resolves as the system does, and keeps only what is permitted: what was checked is what is dialled."""

    def __init__(self, permits: Permits, whose: str) -> None:
        """Take what is permitted, and who may not send the gateway elsewhere, for the error."""
        self._permits = permits
        self._whose = whose
        self._system = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)  # type: ignore[arg-type]  # aiohttp's own default
        kept = [result for result in found if self._permits(host, ip_address(result["host"].partition("%")[0]))]
        if not kept:
            raise OSError(None, f"{host} resolves to addresses that {self._whose} may not send the gateway to")
        return kept

    async def close(self) -> None:
        await self._system.close()
