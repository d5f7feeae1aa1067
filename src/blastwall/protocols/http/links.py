"""Links of a resource's answers, rewritten so that a client that follows them comes back to the gateway.

Clients send the proof that the gateway gave them to wherever a link leads. So a link to the resource's own host becomes
one to the authority by which the client came, with path and query as they were; a relative one stays; everything else
is refused: another host, scheme or port, a user in it, and whatever two parsers may read as two hosts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.http.request import Headers, Request

LINK_HEADERS = frozenset({"location", "content-location", "azure-asyncoperation", "operation-location"})
"""Header fields that are one link which clients follow (RFC 9110 10.2.2 and 8.7, ARM's asynchronous operations)."""

LED_AWAY = frozenset({"refresh", "alt-svc", "alternates", "public-key-pins", "strict-transport-security", "nel",
                      "report-to", "reporting-endpoints", "sourcemap"})  # fmt: skip
"""Header fields that send a client elsewhere, or bind it to what the resource's host says: never passed on."""

_LINKED = LINK_HEADERS | LED_AWAY | {"link"}

_DEFAULT_PORTS = {"https": 443, "http": 80}
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"//([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?=[/?#]|$)")
_TARGET = re.compile(r"<([^<>]*)>([^<>]*)")
_BETWEEN = re.compile(r",\s*(?=<)")


class ForeignLink(ValueError):
    """A link that leads away from the gateway, or might; the text says why, without the link."""


def rewritten(link: str, request: Request, resource: Resource) -> str:
    """Return a link of the resource's as the client that sent `request` gets it.

    Raises:
        ForeignLink: it leads elsewhere, or cannot be read with certainty.
    """
    if _UNSAFE.search(link):
        raise ForeignLink("the resource answered with a link that has a space, backslash or control character in it")
    absolute = _ABSOLUTE.fullmatch(link)
    if absolute is None:
        if link.startswith("//"):
            raise ForeignLink("the resource answered with a link that names a host but no scheme")
        return link
    scheme, rest = absolute[1].lower(), absolute[2]
    authority = _AUTHORITY.match(rest)
    if authority is None:
        raise ForeignLink(f"the resource answered with a link of the scheme {scheme!r} whose host cannot be read")
    host, port = authority[1].lower(), int(authority[2] or _DEFAULT_PORTS.get(scheme, 0))
    if not any(_leads_to(each, scheme, host, port) for each in resource.hosts):
        raise ForeignLink(f"the resource answered with a link to {scheme}://{host}:{port}, which is not the resource")
    return request.origin + rest[authority.end() :]


def rewritten_headers(headers: Headers, request: Request, resource: Resource) -> Headers:
    """Return an answer's header fields with their links rewritten, without those that lead away.

    Links that clients follow by themselves must be the resource's. Of a `Link` field and of other fields of Azure's
    (`x-ms-copy-source`) only what is the resource's stays.

    Raises:
        ForeignLink: a redirect or a status link leads elsewhere, or there are two of them.
    """
    if _LINKED.isdisjoint(headers.names) and not any("://" in value for _, value in headers):
        return headers
    for name in LINK_HEADERS:
        if len(headers.all(name)) > 1:
            raise ForeignLink(f"the resource answered with two {name} fields")
    kept = ((name, _header(name.lower(), value, request, resource)) for name, value in headers)
    return Headers((name, value) for name, value in kept if value is not None)


def link_edits(paths: Iterable[str], request: Request, resource: Resource) -> Mapping[str, Callable[[str], str]]:
    """Return edits (`Answer.edits`) that rewrite the links at these paths of a body; each raises `ForeignLink`."""

    def edit(link: str) -> str:
        return rewritten(link, request, resource)

    return dict.fromkeys(paths, edit)


def scheme_of(address: Address) -> str:
    """Return how an address is spoken to: `https`, or `http` where the configuration has no TLS."""
    return "http" if address.tls is TlsMode.DISABLE else "https"


def origin_of(address: Address) -> str:
    """Return scheme and authority of an address, the port left out where it is the scheme's own."""
    scheme = scheme_of(address)
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{scheme}://{host}" + ("" if address.port == _DEFAULT_PORTS[scheme] else f":{address.port}")


def _leads_to(address: Address, scheme: str, host: str, port: int) -> bool:
    return (scheme_of(address), address.host.lower(), address.port) == (scheme, host.strip("[]"), port)


def _header(name: str, value: str, request: Request, resource: Resource) -> str | None:
    """Return a field's value as it is passed on; None where the field is not."""
    if name in LINK_HEADERS:
        return rewritten(value, request, resource)
    if name in LED_AWAY:
        return None
    if name == "link":
        return _links(value, request, resource) or None
    if name.startswith("x-ms-") and _ABSOLUTE.fullmatch(value) and "://" in value:
        return _or_none(value, request, resource)
    return value


def _links(value: str, request: Request, resource: Resource) -> str:
    """Return a `Link` field (RFC 8288) with the link values whose target is the resource's or relative."""
    kept = []
    for one in _BETWEEN.split(value.strip()):
        found = _TARGET.fullmatch(one)
        target = None if found is None else _or_none(found[1], request, resource)
        if found is not None and target is not None:
            kept.append(f"<{target}>{found[2]}")
    return ", ".join(kept)


def _or_none(link: str, request: Request, resource: Resource) -> str | None:
    try:
        return rewritten(link, request, resource)
    except ForeignLink:
        return None
