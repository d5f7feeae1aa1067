"""Where a server may send the gateway's login on to.

Azure SQL's gateways answer a login with ENVCHANGE 20: log in there instead (MS-TDS 2.2.7.9). Whoever is named there
gets the credential, so the routed server must prove that name by the same `tls` and the same authorities as the
configured one, and the name must lie under the configured host's own domain, or one that the resource's `routes` name:
else a server that is taken over could have the credential shown to whom it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from blastwall.model.resource import Address, TlsMode

MOST_HOPS = 5
"""Azure's redirect is one; drivers follow about as many (SqlClient: 10, JDBC: 5)."""
_PRIVATE_LINK = "privatelink"


class RouteRefused(Exception):
    """The server sends the login on to where it may not go; the text says why."""


def routed(address: Address, host: str, port: int, routes: Sequence[str]) -> Address:
    """Return where to log in instead of at `address`, secured and verified in the same way.

    `routes` are domains under which a routed host may be, besides the one that `address` is in.

    Raises:
        RouteRefused: it is not to be trusted, or no host at all.
    """
    name = host.partition("\\")[0].rstrip(".").lower()
    if not name or not 0 < port < 65536 or not _plain(name):
        raise RouteRefused(f"the server sends the login on to {host[:200]!r}, port {port}, which is no host")
    if name != address.host.lower() and not _allowed(address, name, routes):
        raise RouteRefused(
            f"the server sends the login on to {name}, which is outside its own domain; "
            "name the domain in the resource's settings (routes) if it is to be trusted"
        )
    return replace(address, host=name, port=port)


def _allowed(address: Address, name: str, routes: Sequence[str]) -> bool:
    if address.tls is not TlsMode.VERIFY_FULL:
        return False  # nothing would prove that whoever answers there has that name
    domains = (*(one.lower() for one in routes), *_own_domain(address.host.lower()))
    return any(name.endswith("." + domain) for domain in domains)


def _own_domain(host: str) -> tuple[str, ...]:
    """Return the domain that a host is in: `x.database.windows.net`, with or without private link, is in the rest."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.rstrip(".").split(".")[1:]
        if labels[:1] == [_PRIVATE_LINK]:
            labels = labels[1:]
        return (".".join(labels),) if len(labels) > 1 else ()
    return ()


def _plain(name: str) -> bool:
    return name.isascii() and len(name) <= 253 and all(one.isalnum() or one in "-._:" for one in name)
