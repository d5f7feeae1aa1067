"""The node's signing key, and signed statements: a JSON text, kept as the exact text that was signed."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_CONTEXT = b"blastwall recording 1\n"
"""Signed before each statement, so that no other signature made with this key can pass for one."""


class KeyUnusable(Exception):
    """A key file cannot be used; the text names the file and what to do, never the key."""


class Signed(msgspec.Struct, frozen=True, omit_defaults=False):
    """A statement, its Ed25519 signature in hex, and the fingerprint of the key that made it."""

    statement: str
    signature: str
    key: str


class PublicKey:
    """Checks signatures. `fingerprint` is the SHA-256 of the raw key, in hex."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.fingerprint = sha256(raw).hexdigest()
        self.pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def made(self, signed: Signed) -> bool:
        """Whether the statement was signed with this key."""
        try:
            signature = bytes.fromhex(signed.signature)
            self._key.verify(signature, _CONTEXT + signed.statement.encode())
        except (InvalidSignature, ValueError):
            return False
        return signed.key == self.fingerprint and signature.hex() == signed.signature


class SigningKey:
    """Signs. Its private part never shows in `repr`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    def sign(self, statement: str) -> Signed:
        """Sign a statement's exact text."""
        signature = self._key.sign(_CONTEXT + statement.encode())
        return Signed(statement, signature.hex(), self.public.fingerprint)


def load_or_create_key(path: Path) -> SigningKey:
    """Read the key at `path`, or make it once (PKCS8 PEM, mode 600); its public part goes to `path` + `.pub`.

    Raises:
        KeyUnusable: it cannot be read or written, others may read it, or it is no Ed25519 key.
    """
    try:
        if not path.exists():
            _create(path)
        key = _load(path)
        public = path.with_name(path.name + ".pub")
        if not public.exists() or public.read_bytes() != key.public.pem:
            public.write_bytes(key.public.pem)
    except OSError as error:
        raise KeyUnusable(f"the recordings' signing key {path}: {error.strerror}; make its folder writable") from error
    return key


def load_public_key(path: Path) -> PublicKey:
    """Read a public key as PEM.

    Raises:
        KeyUnusable: the file cannot be read or holds no Ed25519 public key.
    """
    try:
        return public_key(path.read_bytes())
    except OSError as error:
        raise KeyUnusable(f"the public key {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KeyUnusable(f"{path} holds no Ed25519 public key in PEM; give the `.pub` file of the node") from error


def public_key(pem: bytes) -> PublicKey:
    """Read a public key.

    Raises:
        ValueError: it is no Ed25519 public key in PEM.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return PublicKey(key)


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike a rename, never replaces a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _load(path: Path) -> SigningKey:
    if path.stat().st_mode & 0o077:
        raise KeyUnusable(f"others may read the recordings' signing key {path}; run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path} holds no Ed25519 key in PKCS8 PEM; restore it from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} holds another kind of key than Ed25519; restore it from a backup")
    return SigningKey(key)
