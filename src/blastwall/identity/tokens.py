"""Verifying a token: what RFC 8725 (JSON Web Token Best Current Practices) asks, in this order.

    size, three parts, strict base64url and JSON
    header: a listed algorithm, no `crit` or `b64`, a `typ` that is a JWT's; `jku`, `jwk`, `x5u`, `x5c` are not read
    the unverified `iss` and `aud` choose one configured issuer, by equality
    signature, under a key of that issuer which fits the algorithm
    the verified claims: `iss`, `aud`, `exp`, `iat`, `nbf`, lifetime, `sub`

`aud` is our audience, or a list of nothing else: a token made for several services could be shown here by any one of
them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from blastwall.config.callers import Issuer
from blastwall.gate.ports import Refusal
from blastwall.identity.claims import Flat, ForeignTenant, flatten, is_guid
from blastwall.identity.keycache import KeyCache
from blastwall.identity.keys import Key, KeysUnavailable
from blastwall.identity.moments import TokenTime
from blastwall.identity.refusals import Unavailable, shown
from blastwall.identity.strictjson import Malformed, read_object

MAX_TOKEN = 16 << 10
_FORM = re.compile(rb"[A-Za-z0-9_-]{1,}\.[A-Za-z0-9_-]{1,}\.[A-Za-z0-9_-]{1,}")
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_MOST_CANDIDATES = 4
_LAST_TIME = 253_402_300_800  # year 10000: beyond it a time is a mistake or an attack on arithmetic


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that holds. `accepted_until` is `expires`, its `exp`, and the issuer's skew; `issued` is its `iat`.

    `id` is its digest.
    """

    issuer: Issuer
    claims: Flat
    expires: float
    accepted_until: float
    issued: float
    id: str = field(repr=False)
    key: Key = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Parts:
    header: Mapping[str, object]
    claims: Mapping[str, object]
    signed: bytes


def malformed(why: str) -> Refusal:
    """Refuse what is no token that could be checked."""
    return Refusal(f"proof refused: {why}", f"this is no token that the gateway accepts: {why}")


class TokenVerifier:
    """Verifies tokens of the configured issuers; `caches` has the keys of each by its configured name."""

    def __init__(self, issuers: Iterable[Issuer], caches: Mapping[str, KeyCache], now: TokenTime) -> None:
        self._issuers = tuple(issuers)
        self._caches = caches
        self._now = now

    async def verify(self, token: bytes) -> Verified:
        """Return what a token says, once everything about it holds.

        Raises:
            Refusal: it does not.
            Unavailable: its issuer's keys cannot be had now.
        """
        parts = _read(token)
        algorithm, kid = _check_header(parts.header)
        issuer = self._issuer_of(parts.claims)
        if algorithm not in issuer.algorithms:
            raise malformed(f"its issuer's tokens are not accepted with algorithm {shown(algorithm)}")
        key = await self._verify_signature(token, issuer, algorithm, kid, parts.claims)
        return self._check_claims(parts, issuer, key)

    def still_holds(self, verified: Verified) -> bool:
        """Whether a token verified before needs no second look."""
        return self._now() < verified.accepted_until and self._caches[verified.issuer.name].holds(verified.key)

    def _issuer_of(self, claims: Mapping[str, object]) -> Issuer:
        named = [issuer for issuer in self._issuers if issuer.issuer == claims.get("iss")]
        if not named:
            text = shown(str(claims.get("iss")))
            raise Refusal(
                f"token of an unknown issuer: {text}",
                f"the token is refused: its issuer '{text}' is not configured here",
            )
        fitting = [issuer for issuer in named if claims.get("aud") in (issuer.audience, [issuer.audience])]
        if len(fitting) != 1:
            text = shown(str(claims.get("aud")))
            raise Refusal(
                f"token of issuer {named[0].name} for another audience: {text}",
                f"the token is refused: it was made for the audience '{text}'; request one for this gateway alone",
            )
        return fitting[0]

    async def _verify_signature(
        self, token: bytes, issuer: Issuer, algorithm: str, kid: str | None, claims: Mapping[str, object]
    ) -> Key:
        try:
            candidates = await self._caches[issuer.name].candidates(kid, algorithm)
        except KeysUnavailable as error:
            raise Unavailable(
                f"the keys of issuer {issuer.name} cannot be had: {error}",
                "the gateway cannot reach the keys of the token's issuer now; try again in a minute",
            ) from None
        signers = [key for key in candidates if _may_sign(key, claims)][:_MOST_CANDIDATES]
        for key in signers:
            if _signed_by(token, key, algorithm):
                return key
        why = "no key of its issuer verifies its signature" if signers else "its signing key is unknown to its issuer"
        raise Refusal(
            f"token of issuer {issuer.name} refused: {why} (kid {shown(str(kid))})",
            f"the token is refused: {why}; request a fresh one",
        )

    def _check_claims(self, parts: _Parts, issuer: Issuer, key: Key) -> Verified:
        claims = parts.claims
        skew = issuer.skew.total_seconds()
        expires, issued = _time(claims, "exp"), _time(claims, "iat")
        starts = _time(claims, "nbf") if "nbf" in claims else issued
        now = self._now()
        if now >= expires + skew:
            raise _untimely(issuer, f"it expired {now - expires:.0f} s ago", "request a fresh one")
        if max(starts, issued) > now + skew:
            raise _untimely(issuer, "it is not valid yet", "check the clocks of issuer and gateway")
        if not 0 < expires - issued <= issuer.max_lifetime.total_seconds():
            raise _untimely(issuer, "it lives longer than the gateway accepts", "request a shorter-lived one")
        if not (isinstance(claims.get("sub"), str) and claims["sub"]):
            raise malformed("it has no `sub`")
        try:
            flat = flatten(claims)
        except ForeignTenant as error:
            raise malformed(str(error)) from None
        self._now.learn(issued)
        return Verified(issuer, flat, expires, expires + skew, issued, _identifier(parts), key)


def _untimely(issuer: Issuer, what: str, remedy: str) -> Refusal:
    return Refusal(f"token of issuer {issuer.name} refused: {what}", f"the token is refused: {what}; {remedy}")


def _read(token: bytes) -> _Parts:
    if len(token) > MAX_TOKEN:
        raise malformed(f"it is longer than {MAX_TOKEN} bytes")
    if _FORM.fullmatch(token) is None:
        raise malformed("it is neither a signed JWT (three parts joined by dots) nor a pass")
    signed, _, _ = token.rpartition(b".")
    header, _, claims = signed.partition(b".")
    try:
        return _Parts(read_object(_decode(header)), read_object(_decode(claims)), signed)
    except Malformed as error:
        raise malformed(f"it cannot be read: {error}") from None


def _decode(part: bytes) -> bytes:
    try:
        data = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        raise Malformed("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part:
        raise Malformed("not canonical base64url")
    return data


def _check_header(header: Mapping[str, object]) -> tuple[str, str | None]:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise malformed("its header names no algorithm, or no readable key")
    if "crit" in header or "b64" in header:
        raise malformed("its header asks for extensions that are not supported (`crit`)")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise malformed("its `typ` is not that of an identity or access token")
    return algorithm, kid


def _may_sign(key: Key, claims: Mapping[str, object]) -> bool:
    """Whether a key that its set restricts to an issuer may sign for this one (Entra's shared key sets)."""
    if key.issuer is None or key.issuer == claims.get("iss"):
        return True
    tenant = claims.get("tid")
    return is_guid(tenant) and key.issuer.replace("{tenantid}", str(tenant)) == claims.get("iss")


def _signed_by(token: bytes, key: Key, algorithm: str) -> bool:
    try:
        PyJWS().decode_complete(token, key.public, algorithms=[algorithm])
    except PyJWTError:
        return False
    return True


def _time(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LAST_TIME:
        raise malformed(f"its `{name}` is missing or no time")
    return float(value)


def _identifier(parts: _Parts) -> str:
    """What one token is known by, across its possible spellings: issuer and `jti` or `uti`, else what was signed.

    A signature is no part of it, since an ECDSA signature has a second valid form.
    """
    for name in ("jti", "uti"):
        value = parts.claims.get(name)
        if isinstance(value, str) and value:
            return hashlib.sha256(f"{name}\0{parts.claims['iss']}\0{value}".encode(errors="replace")).hexdigest()
    return hashlib.sha256(parts.signed).hexdigest()
