"""What a gateway token is asked for: an Azure service, the address of a resource here, or a resource by its name.

| asked for | good for |
| --- | --- |
| a kind's scope (`https://management.azure.com/.default`), also by Azure's older name | every resource of the kind |
| the address of a resource here (`https://arm.gw.example`), or one that it lies one label below | those resources |
| the resource's own address (`https://kv.vault.azure.net`) | that resource |
| `blastwall:NAME` | the resource of this name |

Asking for an address one label above is what Key Vault's clients do: for a vault at `v.vault.gw.example` they ask for
`https://vault.gw.example`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from blastwall.identity import Targets
from blastwall.model.resource import Resource

_BY_NAME = "blastwall:"
_ALL = "/.default"
_HTTPS = 443
_ONE_SERVICE = {
    "https://management.core.windows.net": "https://management.azure.com",
    "https://management.core.usgovcloudapi.net": "https://management.usgovcloudapi.net",
    "https://management.core.chinacloudapi.cn": "https://management.chinacloudapi.cn",
}
"""Azure's older names of a service, for which its clients still ask."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """A resource, the scope of its kind, and where clients reach it: by these names, on this port.

    Without names it is reached by any.
    """

    resource: Resource
    scope: str
    hosts: tuple[str, ...]
    port: int


def targets(asked: str, reachable: Sequence[Reachable]) -> tuple[Targets, tuple[Resource, ...]]:
    """Return what `asked` stands for, and the resources that this is now; nothing where it stands for none."""
    wanted = _plain(asked)
    by_kind = [each.resource for each in reachable if each.scope and _plain(each.scope) == wanted]
    if by_kind:
        kinds = tuple(sorted({resource.kind for resource in by_kind}))
        return Targets(kinds), tuple(by_kind)
    named = [each.resource for each in reachable if _is(each, wanted)]
    return Targets((), tuple(sorted(resource.name for resource in named))), tuple(named)


def _plain(asked: str) -> str:
    """Return the resource that a scope or resource identifier names (Entra: `RESOURCE/.default`), in one spelling."""
    plain = asked.removesuffix(_ALL).rstrip("/")
    if plain.startswith(_BY_NAME):
        return plain
    plain = plain.lower()
    return _ONE_SERVICE.get(plain, plain)


def _is(each: Reachable, wanted: str) -> bool:
    if wanted.startswith(_BY_NAME):
        return wanted.removeprefix(_BY_NAME) == each.resource.name
    place = _place(wanted)
    if place is None:
        return False
    host, port = place
    if (host, port) == (each.resource.upstream.host.lower(), each.resource.upstream.port):
        return True
    if not each.hosts:
        return port == each.port
    known = {name.lower() for name in each.hosts}
    return host in known or host in {name.partition(".")[2] for name in known}


def _place(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        return (parts.hostname, parts.port or _HTTPS) if parts.scheme == "https" and parts.hostname else None
    except ValueError:
        return None
