"""Where a server may send the gateway's login on to.

Azure SQL's gateways answer a login with ENVCHANGE 20: log in there instead (MS-TDS 2.2.7.9). Whoever is named there
gets the credential, so the routed server must prove that name by the same `tls` and the same authorities as the
configured one, and it must be a name that no stranger can get: the configured host itself, a node of Azure SQL's
(`ab12.tr3.westeurope1-a.worker.database.windows.net`) where the configured host is Azure SQL's, or what the resource's
`routes` name. A neighbour in the same domain is not enough: anybody may have `evil.database.windows.net`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from blastwall.model.resource import Address, TlsMode

MOST_HOPS = 5
"""Azure's redirect is one; drivers follow about as many (SqlClient: 10, JDBC: 5)."""
_AZURE = (
    "database.windows.net", "database.usgovcloudapi.net", "database.chinacloudapi.cn", "database.cloudapi.de",
    "sql.azuresynapse.net",
)  # fmt: skip
"""Domains of Azure SQL, Managed Instance and Synapse in Azure's clouds."""
_NODE = re.compile(r"[a-z0-9-]+\.tr[0-9]+\.[a-z0-9-]+\.worker(\.vnet)?\.")
"""A node's name, before its cloud's domain: a node, its tenant ring and cluster. `vnet` is within a Managed Instance's
network. Servers of customers have one label there, and managed instances two.
"""


class RouteRefused(Exception):
    """The server sends the login on to where it may not go; the text says why."""


def routed(address: Address, host: str, port: int, routes: Sequence[str]) -> Address:
    """Return where to log in instead of at `address`, secured and verified in the same way.

    `routes` are hosts, and domains with all that is in them, that are trusted besides.

    Raises:
        RouteRefused: it is not to be trusted, or no host at all.
    """
    name = host.partition("\\")[0].rstrip(".").lower()
    if not name or not 0 < port < 65536 or not _plain(name):
        raise RouteRefused(f"the server sends the login on to {host[:200]!r}, port {port}, which is no host")
    if name != address.host.lower() and not _allowed(address, name, routes):
        raise RouteRefused(
            f"the server sends the login on to {name}, which is neither the configured host nor known to be a node of "
            "it; name it in the resource's settings (routes) if it may have the credential"
        )
    return replace(address, host=name, port=port)


def _allowed(address: Address, name: str, routes: Sequence[str]) -> bool:
    if address.tls is not TlsMode.VERIFY_FULL:
        return False  # nothing would prove that whoever answers there has that name
    if any(name == one or name.endswith("." + one) for one in map(str.lower, routes)):
        return True
    host = address.host.lower().rstrip(".")
    domain = next((one for one in _AZURE if host.endswith("." + one)), "")
    return bool(domain and name.endswith("." + domain) and _NODE.fullmatch(name.removesuffix(domain)))


def _plain(name: str) -> bool:
    return name.isascii() and len(name) <= 253 and all(one.isalnum() or one in "-._:" for one in name)
