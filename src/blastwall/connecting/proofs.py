"""Tokens for logins, kept fresh: asked for when a connection needs one, and anew ahead of the end of the last one."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_ASSUMED_SECONDS = 300.0
"""How long a token is used that does not say when it ends."""


class NoProof(Exception):
    """No token can be had; the text names the source and what to do, and holds no secret.

    `passing` is whether there may be one a little later.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Proof:
    """A token, and when it ends, in epoch seconds."""

    secret: str = field(repr=False)
    ends: float


Fetch = Callable[[], Awaitable[Proof]]


class Proofs:
    """The token to show now. One question at a time is under way, whoever waits for it.

    A new one is asked for once a fifth of the old one's time is left, or a minute; where that fails, the old one does
    until its end.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = asyncio.Lock()
        self._proof: Proof | None = None
        self._renew = 0.0

    async def current(self) -> str:
        """Return a token that works now.

        Raises:
            NoProof: there is none.
        """
        return (await self.proof()).secret

    async def proof(self) -> Proof:
        """Return it with its end.

        Raises:
            NoProof: there is none.
        """
        async with self._lock:
            now = self._now()
            if self._proof is None or now >= self._renew:
                try:
                    self._take(await self._fetch(), now)
                except NoProof:
                    if self._proof is None or now >= self._proof.ends:
                        raise
            if self._proof is None:
                raise NoProof("there is no token")
            return self._proof

    def _take(self, proof: Proof, now: float) -> None:
        """Keep a token. One that is over by our clock is shown, too: the gateway's clock decides."""
        left = max(proof.ends - now, 0.0)
        self._proof = proof
        self._renew = proof.ends - max(left / 5, min(60.0, left / 2))


def proof_of(token: str, now: float) -> Proof:
    """Return a token with its end: what its `exp` says, or a few minutes where it is not one that says so."""
    return Proof(token, _expiry(token) or now + _ASSUMED_SECONDS)


def _expiry(token: str) -> float | None:
    """Read `exp` of a JWT (RFC 7519). It is only a hint when to ask again: the gateway verifies."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return float(expiry) if isinstance(expiry, int | float) else None
