"""Header fields that do not go on as they came: those of one connection, those that speak for a proxy, those that lie.

Names are compared as a CGI would see them: what is no letter or digit is a hyphen. `Content_Length` is
`Content-Length` to many servers behind, so it is to us.
"""

from __future__ import annotations

import re

from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.request import Headers

HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "http2-settings", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info",
    }
)  # fmt: skip
"""RFC 9110, section 7.6.1, and what HTTP/1.0 and the upgrade to HTTP/2 left behind."""

_OPTIONS = HOP_BY_HOP | {"close"}
"""What `Connection` may name. A client that has another field dropped on the way has no honest reason."""

_FORWARDING = re.compile(
    r"(?:forwarded|via|proxy|x-forwarded(?:-.*)?|x-forward-.*|x-original-(?:host|for|proto|forwarded.*)|x-host"
    r"|x-real-ip|x-client-ip|client-ip|true-client-ip|x-true-client-ip|x-cluster-client-ip|x-remote-(?:ip|addr|user)"
    r"|cf-connecting-ip|fastly-client-ip|fly-client-ip|x-originating-ip|x-azure-(?:clientip|socketip|ref|fdid)"
    r"|x-appgw-.*|x-arr-.*|x-envoy-.*|x-proxyuser-ip|x-site-deployment-id|x-ms-client-principal.*|x-ssl-.*"
    r"|x-client-cert.*|ssl-client-.*|remote-user|x-proxy-.*)\Z"
)
"""What a proxy says of the client, and servers believe. A client's own word is dropped: the gateway adds none."""

_MISLEADING = frozenset(
    {
        "x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri", "x-forwarded-uri", "x-forwarded-path",
        "x-forwarded-url", "x-request-uri", "x-http-method", "x-http-method-override", "x-method-override",
        "x-http-path-override", "x-override-url", "x-path-info",
    }
)  # fmt: skip
"""What has servers act on another path or method than the request line's: refused, for it would not be judged."""

_SINGLE = frozenset({"host", "content-length", "transfer-encoding", "authorization", "content-type", "expect"})
"""What a request may have once, since readers differ on which of two counts."""

_READ_HERE = frozenset(
    {
        "content-length", "transfer-encoding", "host", "connection", "expect", "authorization", "upgrade", "user-agent",
        "content-type", "content-encoding", "content-range", "content-md5", "range", "x-ms-range", "if-range",
        "accept-encoding", "cookie", "proxy-authorization",
    }
)  # fmt: skip
"""What is read, replaced or left out here by its name, and so may be there under no other."""

_PLAIN = re.compile(r"[A-Za-z0-9-]+\Z")
_OTHER = re.compile(r"[^a-z0-9]")

_SUSPECT = ("x-", "x_", "f", "v", "p", "c", "t", "s", "r")
"""How the names begin that `_FORWARDING` holds."""

_LEFT_HERE = HOP_BY_HOP | {"alt-svc", "content-length"}
"""What no response passes on: `Alt-Svc` would lead clients around the gateway, and a length is written anew."""

_NOT_IN_TRAILERS = frozenset(
    {
        "content-length", "transfer-encoding", "host", "content-encoding", "content-type", "content-range", "trailer",
        "set-cookie", "location", "authorization", "www-authenticate", "cache-control", "alt-svc", "te", "connection",
    }
)  # fmt: skip
"""RFC 9110, section 6.5.1: what frames, routes, authenticates or says how the body is read."""


def check_request(headers: Headers) -> None:
    """Look at the fields of a request as they came.

    Raises:
        Unreadable: one is there twice, passes for another, names what may not be named, or would not be judged.
    """
    for name in headers.names:
        plain = name if _PLAIN.match(name) is not None else _OTHER.sub("-", name)
        if plain in _MISLEADING:
            raise Unreadable(f"{plain}, which would have the resource do something else than was asked for")
        if plain is not name and (plain in _READ_HERE or plain in headers):
            raise Unreadable(f"a field name that passes for {plain}")
        if name in _SINGLE and len(headers.all(name)) > 1:
            raise Unreadable(f"more than one {name} field")
    if "connection" in headers:
        for option in connection_options(headers):
            if option not in _OPTIONS:
                raise Unreadable("a Connection field that names a field of the request")


def connection_options(headers: Headers) -> frozenset[str]:
    """Return what `Connection` says, in lower case."""
    found = headers.all("connection")
    if not found:
        return frozenset()
    return frozenset(
        option for value in found for option in (part.strip().lower() for part in value.split(",")) if option
    )


def passed_on(headers: Headers) -> Headers:
    """Return the fields of a request that go on to be judged: without proof, framing, connection and forwarding."""
    return Headers((name, value) for name, value in headers if not _dropped(name.lower()))


def _dropped(name: str) -> bool:
    if name in HOP_BY_HOP or name in _DROPPED:
        return True
    return name.startswith(_SUSPECT) and _FORWARDING.match(_OTHER.sub("-", name)) is not None


_DROPPED = frozenset({"host", "authorization", "content-length", "expect"})


def passed_back(headers: Headers) -> Headers:
    """Return the fields of a response that go on to the client, without framing and connection."""
    left = _LEFT_HERE
    if "connection" in headers:
        left |= connection_options(headers)
    return Headers([field for field in headers if field[0].lower() not in left])


def says_length(status: int, headers: Headers) -> bool:
    """Whether a response that has no body says that one follows, which some clients would wait for (RFC 9112, 6.3)."""
    return (status == 204 and "content-length" in headers) or "transfer-encoding" in headers


def verbatim(headers: Headers, back: Headers) -> bool:
    """Whether a response's fields may be sent as they came, if `back` of them are to be passed on, unchanged.

    Their framing is the same then, and "keep-alive" is as true of the client's connection.
    """
    dropped = len(headers) - len(back)
    if not dropped:
        return True
    kept = headers.all("connection")
    if kept:
        if len(kept) > 1 or kept[0].lower() != "keep-alive":
            return False
        dropped -= 1
    return dropped == (1 if "content-length" in headers or "transfer-encoding" in headers else 0)


def passed_trailer(trailer: Headers) -> Headers:
    """Return the fields of a response's trailer section that go on to the client."""
    return Headers((name, value) for name, value in trailer if name.lower() not in _NOT_IN_TRAILERS)
