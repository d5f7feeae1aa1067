"""What of a request's and an answer's header fields is passed on at a data plane, whichever it is."""

from __future__ import annotations

import base64
import json
import re

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.http.flavour import Answer
from blastwall.protocols.http.links import ForeignLink, rewritten_headers
from blastwall.protocols.http.parts import OVERRIDES
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.kind import ClientAddress

OWN_IDENTITY = frozenset(
    {"authorization", "cookie", "cookie2", "x-ms-authorization-auxiliary", "x-ms-copy-source-authorization"}
)
"""Request fields by which the client would be somebody at the resource: none but the gateway's credential is passed."""

KEPT_FROM_CLIENTS = frozenset({"www-authenticate", "authentication-info", "set-cookie", "set-cookie2"})
"""Answer fields that ask the client for a credential of the resource's, or give it one."""

_OF_BODIES = ("content-type", "content-length", "content-md5", "content-digest", "repr-digest")

_SENT = OWN_IDENTITY | OVERRIDES
_SENT_WITH_COOKIES = _SENT - {"cookie"}
_PASSED_WITH_COOKIES = KEPT_FROM_CLIENTS - {"set-cookie"}

_CLAIMS = re.compile(r'\bclaims="([A-Za-z0-9+/=_-]+)"')
_REFUSED = "the resource refuses the gateway's credential; its owner must look at the credential of {name!r}"


def sent_headers(request: Request, *own: tuple[str, str], cookies: bool = False) -> Headers:
    """Return the request's fields with `own` in place of whatever the client could be known by, or override with."""
    return _less(request.headers, _SENT_WITH_COOKIES if cookies else _SENT).having(*own)


def _less(headers: Headers, names: frozenset[str]) -> Headers:
    return headers if names.isdisjoint(headers.names) else headers.without(names)


def bearer(credential: Credential) -> tuple[str, str]:
    """Return the field that shows an access token (RFC 6750)."""
    return "Authorization", f"Bearer {credential.secret.decode('latin-1').strip()}"


def passed_on(
    request: Request, resource: Resource, status: int, headers: Headers, *, refused: bool = False, cookies: bool = False
) -> Answer:
    """Return how an answer's head is passed on: links rewritten, nothing in it that asks for or gives credentials.

    A 401, or what else says that the credential is `refused`, has it renewed; after that it is the gateway's fault.
    """
    kept = _less(headers, _PASSED_WITH_COOKIES if cookies else KEPT_FROM_CLIENTS)
    if status == 401 or refused:
        wrong = _REFUSED.format(name=resource.name)
        return Answer(kept, refused=wrong, renew=claims_challenge(headers))
    try:
        return Answer(rewritten_headers(kept, request, resource))
    except ForeignLink as error:
        return Answer(kept, refused=str(error))


def body_fields(request: Request) -> tuple[tuple[str, str], ...]:
    """Return what a request's fields say of its body, for its text: the type, and of one that is not read all there is.

    An approval stands for the text, so another body at least has the same type and length, and the same digest if the
    client gives one that the resource checks.
    """
    names = ("content-type",) if request.body is not None else _OF_BODIES
    found = ((name, request.headers.get(name)) for name in names if name in request.headers)
    return tuple((name, value.partition(";")[0].strip() if name == "content-type" else value) for name, value in found)


def local_url(address: ClientAddress) -> str:
    """Return the URL by which a client reaches a listener, or the port that `connect` opens."""
    return f"{'http' if address.plain_text else 'https'}://{address.host}:{address.port}"


def service_url(address: ClientAddress) -> str:
    """Return the URL that clients with tokens of their own use: the gateway's, since they show those over TLS alone."""
    return local_url(address) if address.direct is None else address.direct.url


def claims_challenge(headers: Headers) -> str:
    """Return the claims that the resource wants in a token (continuous access evaluation); empty for none."""
    for challenge in headers.all("www-authenticate"):
        found = _CLAIMS.search(challenge)
        if found is None:
            continue
        encoded = found[1].replace("-", "+").replace("_", "/").rstrip("=")
        try:
            claims = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
            if isinstance(json.loads(claims), dict):
                return claims
        except (ValueError, RecursionError):  # no base64, no UTF-8, no JSON
            continue
    return ""
