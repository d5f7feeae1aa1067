"""OpenID Connect's authorization code flow with PKCE, as a client of one configured issuer.

    begin   a fresh state, nonce and verifier an attempt ─▶ the issuer's authorization endpoint
    finish  state is the attempt's (RFC 6749, 10.12) ─▶ `iss` is the issuer (RFC 9207) ─▶ code and verifier to the token
            endpoint (RFC 7636, S256) ─▶ the ID token holds as every token does, and its `nonce` is the attempt's

The attempt travels in a cookie of the browser that began it: nothing else can finish it. Endpoints are those of the
issuer's discovery document, under the same rules against being led elsewhere as its keys (`identity.fetching`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from blastwall.config.callers import Issuer
from blastwall.gate.ports import Refusal
from blastwall.identity.fetching import Reach, fetch, post_form
from blastwall.identity.keys import KeysUnavailable
from blastwall.identity.refusals import Unavailable, shown
from blastwall.identity.strictjson import Malformed, read_object

FRESH_SECONDS = 600.0
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Client:
    """What the issuer knows the gateway by. `secret` is None for a public client, which PKCE alone protects."""

    id: str
    secret: bytes | None = field(repr=False)
    scopes: tuple[str, ...]
    redirect: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in that was begun."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def fresh(cls) -> Attempt:
        """Return a new one."""
        return cls(*(secrets.token_urlsafe(_BYTES) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What an issuer's discovery document says of the flow (OpenID Connect Discovery 1.0; RFC 9207)."""

    authorization: str
    token: str
    names_itself: bool
    takes_posted_secret: bool


class CodeFlow:
    """The flow at one issuer."""

    def __init__(self, issuer: Issuer, now: Callable[[], float]) -> None:
        self.issuer = issuer
        self._now = now
        self._reach = Reach(urlsplit(issuer.issuer).hostname or "", issuer.ca)
        self._endpoints: Endpoints | None = None
        self._read_at = float("-inf")

    async def begin(self, client: Client, attempt: Attempt) -> str:
        """Return the URL at the issuer that a browser is sent to.

        Raises:
            Unavailable: the issuer's endpoints cannot be had.
        """
        endpoints = await self._current()
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "response_mode": "query",
            "client_id": client.id,
            "redirect_uri": client.redirect,
            "scope": " ".join(client.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{endpoints.authorization}{'&' if '?' in endpoints.authorization else '?'}{urlencode(asked)}"

    async def finish(self, client: Client, attempt: Attempt, answered: Mapping[str, str]) -> bytes:
        """Return the ID token that the issuer gives for its answer; it is not verified yet.

        Raises:
            Refusal: the answer is another attempt's or issuer's, or an error.
            Unavailable: the issuer cannot be reached.
        """
        endpoints = await self._current()
        if not hmac.compare_digest(answered.get("state", "").encode(), attempt.state.encode()):
            raise refused("the answer belongs to another attempt (state)")
        named = answered.get("iss")
        if (named is None and endpoints.names_itself) or (named is not None and named != self.issuer.issuer):
            raise refused("the answer is not the configured issuer's (iss)")
        if "error" in answered:
            raise refused(f"the issuer answered {shown(answered['error'])}")
        if not answered.get("code"):
            raise refused("the issuer gave no code")
        return await self._redeem(endpoints, client, attempt, answered["code"])

    async def _redeem(self, endpoints: Endpoints, client: Client, attempt: Attempt, code: str) -> bytes:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect,
            "client_id": client.id,
            "code_verifier": attempt.verifier,
        }
        headers: dict[str, str] = {}
        if client.secret is not None and endpoints.takes_posted_secret:
            form["client_secret"] = client.secret.decode()
        elif client.secret is not None:
            headers["Authorization"] = _basic(client.id, client.secret.decode())
        try:
            status, body = await post_form(endpoints.token, self._reach, form, headers)
            document = read_object(body)
        except (KeysUnavailable, Malformed) as error:
            raise _unavailable(self.issuer, error) from None
        if status >= 500:
            raise _unavailable(self.issuer, KeysUnavailable(f"its token endpoint answered {status}"))
        if status != 200:
            raise refused(f"the issuer's token endpoint answered {status}: {shown(str(document.get('error')))}")
        token = document.get("id_token")
        if not isinstance(token, str):
            raise refused("the issuer gave no ID token; ask for the scope openid")
        return token.encode()

    async def _current(self) -> Endpoints:
        if self._endpoints is None or not 0 <= self._now() - self._read_at <= FRESH_SECONDS:
            try:
                self._endpoints = await self._discover()
            except (KeysUnavailable, Malformed) as error:
                raise _unavailable(self.issuer, error) from None
            self._read_at = self._now()
        return self._endpoints

    async def _discover(self) -> Endpoints:
        url = self.issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = read_object(await fetch(url, self._reach))
        if document.get("issuer") != self.issuer.issuer:
            raise KeysUnavailable(f"{url}: its `issuer` is not exactly the configured one")
        authorization, token = document.get("authorization_endpoint"), document.get("token_endpoint")
        if not isinstance(authorization, str) or not isinstance(token, str):
            raise KeysUnavailable(f"{url}: it names no authorization and token endpoint")
        self._reach.check_url(authorization)
        methods = document.get("token_endpoint_auth_methods_supported")
        return Endpoints(
            authorization,
            token,
            document.get("authorization_response_iss_parameter_supported") is True,
            isinstance(methods, list) and "client_secret_post" in methods,
        )


def check_nonce(token: bytes, attempt: Attempt, client: Client) -> None:
    """Let an ID token go on that was verified: it is this attempt's, and made for this client.

    Raises:
        Refusal: it is another's (OpenID Connect Core 1.0, section 3.1.3.7).
    """
    part = token.split(b".")[1]
    claims = read_object(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
        raise refused("the ID token belongs to another attempt (nonce)")
    if claims.get("azp", client.id) != client.id:
        raise refused("the ID token was made for another application (azp)")


def refused(why: str) -> Refusal:
    """Refuse a sign-in."""
    return Refusal(f"sign-in refused: {why}", f"the sign-in is refused: {why}; begin again")


def _basic(user: str, secret: str) -> str:
    """Return HTTP Basic as RFC 6749, section 2.3.1, has it: both parts are form-encoded first."""
    pair = f"{quote(user, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _unavailable(issuer: Issuer, error: Exception) -> Unavailable:
    return Unavailable(
        f"sign-in at issuer {issuer.name} is not possible now: {error}",
        "the gateway cannot reach the issuer that people sign in with; try again in a minute",
    )
