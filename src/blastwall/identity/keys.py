"""An issuer's public keys: reading a JWK set (RFC 7517) and choosing the keys that may verify a token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from blastwall.identity.strictjson import Malformed, read_object

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_MOST_KEYS = 64
_RSA_BITS = range(2048, 8193)
"""RFC 7518 3.3 asks for 2048 bits or more; above 8192 a verification costs milliseconds."""


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had; the text says from where and why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key. Equal keys have equal `digest`s. `issuer` is Entra's template of whom a shared key signs for."""

    digest: bytes
    kid: str | None = field(compare=False)
    algorithm: str | None = field(compare=False)
    issuer: str | None = field(compare=False)
    public: PublicKey = field(compare=False, repr=False)

    def fits(self, algorithm: str) -> bool:
        """Whether this key may verify this algorithm: its type, its curve and what the set says it is for."""
        if self.algorithm is not None and self.algorithm != algorithm:
            return False
        if algorithm in _CURVES:
            return isinstance(self.public, EllipticCurvePublicKey) and self.public.curve.name == _CURVES[algorithm]
        if algorithm == "EdDSA":
            return isinstance(self.public, (Ed25519PublicKey, Ed448PublicKey))
        return algorithm[:2] in {"RS", "PS"} and isinstance(self.public, RSAPublicKey)


def choose(keys: Iterable[Key], kid: str | None, algorithm: str) -> list[Key]:
    """Return the keys that may verify a token: those of its `kid`, or the only fitting one where it names none."""
    fitting = [key for key in keys if key.fits(algorithm)]
    if kid is not None:
        return [key for key in fitting if key.kid == kid]
    return fitting if len(fitting) == 1 else []


def read_keys(document: bytes) -> tuple[Key, ...]:
    """Read a JWK set. Keys of unknown types, for encryption, or too short are left out, as RFC 7517 section 5 has it.

    Raises:
        Malformed: it is no JWK set.
    """
    entries = read_object(document).get("keys")
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise Malformed(f"a JWK set holds `keys`, a list of at most {_MOST_KEYS}")
    read = (_read_key(entry) for entry in entries if isinstance(entry, dict))
    return tuple(key for key in read if key is not None)


def _read_key(entry: dict[str, object]) -> Key | None:
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    public = _public(entry)
    if public is None:
        return None
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    return Key(
        hashlib.sha256(canonical).digest(), _text(entry, "kid"), _text(entry, "alg"), _text(entry, "issuer"), public
    )


def _text(entry: dict[str, object], name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) else None


def _public(entry: dict[str, object]) -> PublicKey | None:
    """Build the key. A private key in the set is somebody's mistake: the key is burnt, so it is left out."""
    if "d" in entry:
        return None
    readers = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}
    reader = readers.get(str(entry.get("kty")))
    if reader is None:
        return None
    try:
        public = reader(entry)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(public, RSAPublicKey):
        return public if public.key_size in _RSA_BITS else None
    return public if isinstance(public, (EllipticCurvePublicKey, Ed25519PublicKey, Ed448PublicKey)) else None
