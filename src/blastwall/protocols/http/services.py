"""What the flavours have in common where they do not say otherwise."""

from __future__ import annotations

from dataclasses import replace

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.http.flavour import Refusal, Response
from blastwall.protocols.http.normalise import STRICT, PathRule
from blastwall.protocols.http.request import Headers, Request


class Service:
    """A data plane on HTTPS' own port that changes to no other protocol. Each flavour adds its own to it."""

    port = 443
    plane = "data"
    scope = ""
    upgrades = False
    path: PathRule = STRICT
    strays: frozenset[str] = frozenset()

    def local(self, request: Request, resource: Resource) -> Response | None:
        """Answer nothing to anybody."""
        return None

    def body(self, request: Request, resource: Resource, credential: Credential) -> bytes | None:
        """Send a body as it was read."""
        return None


def challenged(refused: Response, challenge: str) -> Response:
    """Return a refusal that says what proof is wanted (`WWW-Authenticate`)."""
    return replace(refused, headers=Headers([*refused.headers, ("WWW-Authenticate", challenge)]))


PLAIN_CHALLENGE = 'Bearer realm="blastwall", error="invalid_token"'
"""A challenge that names no authority: clients that follow those would ask it for a token."""


def message(refusal: Refusal) -> str:
    """Return why a request is refused, and in a line of its own where people decide on it."""
    return f"{refusal.reason}\n{refusal.link}" if refusal.link else refusal.reason
