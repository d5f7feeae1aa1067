"""The form of a gateway token: its claims, its signature, and reading both back.

Clients of Azure read `tid`, `oid`, `appid`, `exp` and the like; what the gateway itself goes by is one claim of its
own, `blastwall`. Of the token that it was given for it holds only the claims that a match may name.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID, uuid5

import msgspec
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from blastwall.gate.ports import Refusal
from blastwall.identity.claims import Flat
from blastwall.identity.own_keys import ALGORITHM, OwnKey, header_of
from blastwall.identity.tokens import MAX_TOKEN
from blastwall.model.principal import PrincipalKind
from blastwall.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Targets:
    """What a gateway token is good for: resources of these kinds, and resources of these names."""

    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def cover(self, resource: Resource) -> bool:
        """Whether a resource is among them."""
        return resource.kind in self.kinds or resource.name in self.names

    def __bool__(self) -> bool:
        return bool(self.kinds or self.names)

    def __str__(self) -> str:
        return ", ".join([*(f"kind:{kind}" for kind in self.kinds), *self.names])


@dataclass(frozen=True, slots=True)
class GatewayToken:
    """What a gateway token that holds says. `proven` is when the proof that it was given for was made."""

    id: str
    kind: str
    principal: str
    issuer: str
    trust: str = field(repr=False)
    claims: Flat = field(repr=False)
    targets: Targets
    proven: float
    starts: float
    ends: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where tokens are made and for whom: the tenant that they name. Their audience is this gateway alone."""

    tenant: str

    @property
    def audience(self) -> str:
        """Whom they are made for: nothing that Azure knows."""
        return f"api://blastwall/{self.tenant}"

    def issuer_at(self, url: str) -> str:
        """Return the issuer's name in tokens of a gateway whose control port is at `url`."""
        return f"{url}/{self.tenant}/v2.0"

    def is_issuer(self, name: str) -> bool:
        """Whether a name is an issuer's of this tenant; nodes may be reached by different URLs."""
        return name.endswith(f"/{self.tenant}/v2.0")


class Given(msgspec.Struct, frozen=True):
    """The gateway's own claim: whom a token was given to, for what, and by which proof."""

    kind: str
    name: str
    issuer: str
    trust: str
    claims: dict[str, tuple[str, ...]]
    kinds: tuple[str, ...]
    resources: tuple[str, ...]
    proven: float


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    aud: str
    exp: int
    nbf: int
    jti: str
    tid: str
    blastwall: Given


@dataclass(frozen=True, slots=True)
class Stamp:
    """A new token's public handle, and from when to when it works, in epoch seconds."""

    id: str
    issued: int
    ends: int


def claims_of(place: Place, given: Given, url: str, stamp: Stamp) -> dict[str, object]:
    """Return the claims of a token; `url` is the control port's."""
    person = str(uuid5(UUID(place.tenant), f"{given.kind} {given.name}"))
    return {
        "iss": place.issuer_at(url),
        "aud": place.audience,
        "iat": stamp.issued,
        "nbf": stamp.issued,
        "exp": stamp.ends,
        "jti": stamp.id,
        "uti": stamp.id,
        "ver": "2.0",
        "tid": place.tenant,
        "oid": person,
        "sub": person,
        "appid": person,
        "azp": person,
        "idtyp": "user" if given.kind == PrincipalKind.USER else "app",
        "blastwall": msgspec.to_builtins(given),
    }


def sign(key: OwnKey, claims: dict[str, object]) -> str:
    """Return the signed token.

    Raises:
        Refusal: it would be longer than what is accepted.
    """
    signed = header_of(key.id) + b"." + _segment(msgspec.json.encode(claims))
    signature = PyJWS().get_algorithm_by_name(ALGORITHM).sign(signed, key.private)
    token = (signed + b"." + _segment(signature)).decode()
    if len(token) > MAX_TOKEN:
        raise Refusal(
            f"no gateway token: with its token's claims it would be longer than {MAX_TOKEN} bytes",
            f"the token has so many claims that a gateway token would be longer than {MAX_TOKEN} bytes; "
            "request one with fewer, such as one without groups",
        )
    return token


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def verify(proof: bytes, key: OwnKey, place: Place) -> GatewayToken:
    """Return what a token says that `key` signed for this place; whether it is in time is not asked.

    Raises:
        Refusal: it did not, or it is another place's.
    """
    try:
        body = PyJWS().decode_complete(proof, key.public, algorithms=[ALGORITHM])["payload"]
        claims = msgspec.json.decode(body, type=_Claims)
    except (PyJWTError, msgspec.MsgspecError, ValueError):
        raise refused("its signature does not verify") from None
    if claims.tid != place.tenant or claims.aud != place.audience or not place.is_issuer(claims.iss):
        raise refused("it was made for another gateway")
    given = claims.blastwall
    return GatewayToken(
        claims.jti,
        given.kind,
        given.name,
        given.issuer,
        given.trust,
        given.claims,
        Targets(given.kinds, given.resources),
        given.proven,
        claims.nbf,
        claims.exp,
    )


def refused(why: str) -> Refusal:
    """Refuse what is no gateway token that holds."""
    return Refusal(
        f"gateway token refused: {why}", f"the gateway token is refused: {why}; exchange a token for a new one"
    )


def targets_of(kinds: Iterable[str], names: Iterable[str]) -> Targets:
    """Return targets in one order, whichever way they were found."""
    return Targets(tuple(sorted(set(kinds))), tuple(sorted(set(names))))
