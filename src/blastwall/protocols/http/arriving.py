"""A request as it arrives: its head read, checked and normalised, its proof set apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import check_request, connection_options, passed_on
from blastwall.protocols.http.framing import Body, Framing, request_body
from blastwall.protocols.http.heads import read_request
from blastwall.protocols.http.normalise import PathRule, normal_authority, normal_path, split_target
from blastwall.protocols.http.request import Headers, Request

_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request whose head was read: what it asks, how its body is framed, what it proves itself with.

    `proof` is None where it shows nothing that could be one. `last` is whether the client ends the connection after it,
    `upgrade` whether it wants to go on in WebSocket. `raw` is the head as it came.
    """

    request: Request
    body: Body
    proof: bytes | None = field(repr=False)
    expects: bool
    last: bool
    upgrade: bool
    raw: bytes = field(repr=False)


def read_arrived(head: bytes, rule: PathRule, *, secure: bool) -> Arrived:
    """Read and normalise a request's head; `rule` is that of the kind's paths, `secure` whether the client has TLS.

    Raises:
        Unreadable: it has more than one reading, or is one that no gateway may pass on.
    """
    method, target, headers = read_request(head)
    check_request(headers)
    return arrived(method, target, headers, request_body(headers), head, rule, secure=secure)


def arrived(  # noqa: PLR0917 - one place for each
    method: str, target: str, headers: Headers, body: Body, raw: bytes, rule: PathRule, *, secure: bool
) -> Arrived:
    """Normalise a request whose fields were checked; `raw` is what its head came as, empty in HTTP/2.

    Raises:
        Unreadable: see `read_arrived`.
    """
    if method in ("CONNECT", "TRACE", "TRACK"):
        raise Unreadable(f"the method {method}, which is not passed on", 501)
    scheme = "https" if secure else "http"
    hosts = headers.all("host")
    if len(hosts) != 1:
        raise Unreadable("no Host field, or more than one")
    authority = normal_authority(hosts[0], scheme)
    path, query = split_target(target, authority, scheme)
    path = normal_path(path, rule)
    fields = passed_on(headers)
    if body.framing is Framing.LENGTH:
        fields = fields.having(("Content-Length", str(body.length)))
    request = Request(method, authority, path, query, fields, None, secure)
    options = connection_options(headers)
    upgrade = "upgrade" in options and headers.get("upgrade").lower() == "websocket" and body.done
    return Arrived(request, body, _proof(headers), _expects(headers), "close" in options, upgrade, raw)


def _proof(headers: Headers) -> bytes | None:
    shown = headers.get("authorization")
    if shown[: len(_BEARER)].lower() != _BEARER:
        return None
    return shown[len(_BEARER) :].strip().encode("latin-1") or None


def _expects(headers: Headers) -> bool:
    """Whether the client waits with its body (RFC 9110, section 10.1.1)."""
    expected = headers.get("expect").lower()
    if expected not in ("", "100-continue"):
        raise Unreadable("an expectation other than 100-continue", 417)
    return bool(expected)
