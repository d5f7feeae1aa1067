"""The keys that sign gateway tokens: made here, kept sealed in the state, shared by the nodes that share it.

    made ── known to all ── signs ──▶ made + rotate ── verifies only ──▶ ends = made + rotate + a token's lifetime

A successor is made ahead of time, and signs once every node has read it: no node meets a token whose key it does not
know, but for the very first one. A key verifies until its last token has ended, and no token outlives its key.

A public key is taken from nowhere but the private one that opens under the gateway's sealing key, which the state does
not hold: a row that somebody else wrote opens for nobody, and so verifies nothing.

A token's header is one exact text a key. It is compared as a whole, never read: no algorithm, key id, key or address
of a key in a token's header can mean anything here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm

from blastwall.store import StateError
from blastwall.store.signing_keys import SigningKeyTable, StoredKey

ALGORITHM = "ES256"
TYPE = "gateway+jwt"
"""RFC 8725, section 3.11: whoever verifies tokens of issuers takes none of this type for one of theirs."""

_FRESH_SECONDS = 60.0
_AGAIN_SECONDS = 1.0
"""After so long at the soonest the state is asked again because of a header that is not known."""

_KNOWN_SECONDS = 90.0
"""A key that is so old is known to every node that reads the state at all."""

_AHEAD_SECONDS = 300.0

_NONCE = 12
_log = structlog.get_logger("blastwall.identity")


def header_of(kid: str) -> bytes:
    """Return the header segment of every token that the key `kid` signs."""
    header = json.dumps({"typ": TYPE, "alg": ALGORITHM, "kid": kid}, separators=(",", ":"))
    return base64.urlsafe_b64encode(header.encode()).rstrip(b"=")


PREFIX = header_of("")[:46]
"""How every gateway token begins: the segment up to the key's id."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One signing key. Times are in epoch seconds."""

    id: str
    made: int
    ends: int
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: ec.EllipticCurvePublicKey = field(repr=False)

    @property
    def jwk(self) -> dict[str, object]:
        """The public part as a key set holds it (RFC 7517)."""
        numbers = ECAlgorithm.to_jwk(self.public, as_dict=True)
        return {"kty": "EC", "crv": "P-256", "x": numbers["x"], "y": numbers["y"], **self._what_for()}

    def _what_for(self) -> dict[str, object]:
        return {"kid": self.id, "use": "sig", "alg": ALGORITHM}


class OwnKeys:
    """The keys of a gateway.

    Args:
        table: where they are kept.
        sealing: 32 bytes that the state does not hold, the same on every node.
        now: the time, in epoch seconds.
        steady: a clock that never jumps, for how old the view of the state is.
    """

    def __init__(
        self, table: SigningKeyTable, sealing: bytes, now: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        self._table = table
        self._seal = AESGCM(sealing)
        self._now = now
        self._steady = steady
        self._by_header: Mapping[bytes, OwnKey] = {}
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def signer(self, rotate: float, lifetime: float) -> OwnKey:
        """Return the key to sign with for tokens of this lifetime; times are in seconds.

        Raises:
            StateError: there is none at hand and the state cannot be used.
        """
        async with self._lock:
            await self._refresh(_FRESH_SECONDS)
            if self._is_due(rotate, lifetime):
                await self._refresh(0.0)  # another node may have made one meanwhile
            if self._is_due(rotate, lifetime):
                await self._make(rotate, lifetime)
            fresh = self._fresh(rotate, lifetime)
            known = [key for key in fresh if self._now() >= key.made + _KNOWN_SECONDS]
            return max(known or fresh, key=lambda key: (key.made, key.id))

    def _fresh(self, rotate: float, lifetime: float) -> list[OwnKey]:
        """Return the keys that may sign tokens of this lifetime now."""
        now = self._now()
        return [key for key in self._by_header.values() if now < key.made + rotate and now + lifetime <= key.ends]

    def _is_due(self, rotate: float, lifetime: float) -> bool:
        """Whether the keys at hand will not sign much longer."""
        soon = self._now() + min(_AHEAD_SECONDS, rotate / 2)
        return not any(soon < key.made + rotate for key in self._fresh(rotate, lifetime))

    async def _make(self, rotate: float, lifetime: float) -> None:
        made = int(self._now())
        private = ec.generate_private_key(ec.SECP256R1())
        key = OwnKey(secrets.token_hex(12), made, int(made + rotate + lifetime) + 1, private, private.public_key())
        await self._table.add(StoredKey(key.id, key.made, key.ends, self._sealed(key)))
        self._by_header = {**self._by_header, header_of(key.id): key}
        _log.info("signing_key_made", key=key.id)

    async def find(self, header: bytes) -> OwnKey | None:
        """Return the key whose tokens have this header segment; None where there is none, or it has ended.

        Raises:
            StateError: the state cannot be read, and nothing is known of it yet.
        """
        stale = _FRESH_SECONDS if header in self._by_header else _AGAIN_SECONDS
        if self._steady() - self._read_at >= stale:
            async with self._lock:
                await self._refresh(stale)
        key = self._by_header.get(header)
        return None if key is None or self._now() >= key.ends else key

    async def published(self) -> tuple[dict[str, object], ...]:
        """Return the public parts of the keys whose tokens may still be good.

        Raises:
            StateError: the state cannot be read, and nothing is known of it yet.
        """
        async with self._lock:
            await self._refresh(_FRESH_SECONDS)
        return tuple(key.jwk for key in self._by_header.values() if self._now() < key.ends)

    async def _refresh(self, stale: float) -> None:
        """Read the keys where what is known is so old. Where they cannot be read, those that are known still do."""
        if self._steady() - self._read_at < stale:
            return
        try:
            stored = await self._table.working(self._now())
        except StateError:
            if not self._by_header:
                raise
            self._read_at = max(self._read_at, self._steady() - _FRESH_SECONDS + _AGAIN_SECONDS)  # no storm of attempts
            return
        known = {key.id: key for key in self._by_header.values()}
        keys = (known.get(each.id) or self._opened(each) for each in stored)
        self._by_header = {header_of(key.id): key for key in keys if key is not None}
        self._read_at = self._steady()

    # ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sealed(self, key: OwnKey) -> str:
        private = key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce = os.urandom(_NONCE)
        return (nonce + self._seal.encrypt(nonce, private, _bound(key.id, key.made, key.ends))).hex()

    def _opened(self, stored: StoredKey) -> OwnKey | None:
        try:
            sealed = bytes.fromhex(stored.sealed)
            bound = _bound(stored.id, stored.made, stored.ends)
            private = load_der_private_key(self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound), None)
        except (InvalidTag, ValueError):
            private = None
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return OwnKey(stored.id, stored.made, stored.ends, private, private.public_key())
        _log.warning(
            "signing_key_not_ours",
            key=stored.id,
            remedy="it was sealed with another `hold.key`, or written by somebody else; its tokens are refused here",
        )
        return None


def _bound(kid: str, made: int, ends: int) -> bytes:
    """What is sealed with a key: whoever changes a row's name or times opens nothing."""
    return f"{kid} {made} {ends}".encode()
