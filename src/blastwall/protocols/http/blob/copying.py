"""Server-side copies: where `x-ms-copy-source` leads, and how it is sent on."""

from __future__ import annotations

import re

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.http.blob.places import Level, Place, place_of
from blastwall.protocols.http.blob.settings import settings_of
from blastwall.protocols.http.links import origin_of
from blastwall.protocols.http.parts import Unclear, parameters
from blastwall.protocols.http.passing import bearer
from blastwall.protocols.http.request import Headers, Request

SOURCE = "x-ms-copy-source"
SOURCE_AUTHORIZATION = "x-ms-copy-source-authorization"

_URL = re.compile(r"(https?://[A-Za-z0-9.\-\[\]:]+)(/[^?#\s\\]*)(?:\?([^#\s\\]*))?", re.IGNORECASE)
_VERSIONS = frozenset({"snapshot", "versionid"})


def copied_from(request: Request, resource: Resource) -> Place | None:
    """Return the blob of the same account that a request copies; None where Azure would fetch it from elsewhere.

    Raises:
        Unclear: the source cannot be read, or has a signature of its own.
    """
    origin, path, query = _read(request)
    if origin not in _origins(request, resource):
        if _account(origin) == _account(origin_of(resource.upstream)):
            raise Unclear("its copy source names this account by another host: name it as the request does")
        return None
    if not parameters(query).keys() <= _VERSIONS:
        raise Unclear("its copy source has parameters besides snapshot and versionid: leave a signature (SAS) out")
    source = place_of(path, settings_of(resource).account, container=False)
    if source.level is not Level.BLOB:
        raise Unclear("its copy source is no blob")
    return source


def with_source(headers: Headers, request: Request, resource: Resource, credential: Credential) -> Headers:
    """Return the fields with the source as Azure knows it, and with the gateway's token where the client had shown one.

    `headers` are what is left of the client's, without its token. A token goes with a source of the same account alone.
    """
    if SOURCE not in headers:
        return headers
    try:
        origin, path, query = _read(request)
    except Unclear:
        return headers.without([SOURCE])
    if origin not in _origins(request, resource):
        return headers
    source = origin_of(resource.upstream) + path + ("" if query is None else f"?{query}")
    shown = credential.token and SOURCE_AUTHORIZATION in request.headers
    return headers.having((SOURCE, source), *([(SOURCE_AUTHORIZATION, bearer(credential)[1])] if shown else []))


def _read(request: Request) -> tuple[str, str, str | None]:
    """Return the source's origin in lower case, its path and its query."""
    found = _URL.fullmatch(request.headers.get(SOURCE))
    if found is None:
        raise Unclear("its copy source is no plain https URL")
    origin = found[1].lower()
    default = ":443" if origin.startswith("https:") else ":80"
    return origin.removesuffix(default), found[2], found[3]


def _account(origin: str) -> str:
    """Return the account in a host's first label: what follows a hyphen (`-secondary`, `-ipv6`) is no part of it."""
    return origin.partition("://")[2].partition(".")[0].partition("-")[0]


def _origins(request: Request, resource: Resource) -> tuple[str, str]:
    return request.origin, origin_of(resource.upstream).lower()
