"""Encryption at rest: every segment has a data key of its own, which a key of the configuration's wraps.

Records and indexes are AES-256-GCM. The data key stands wrapped in the chain, where the segment begins, beside the id
of the key that wraps it; a new key is used from the next segment on, an old one still opens what it wrapped.
Hashes are over what the files hold, so that who has no key can still prove that nothing was changed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Mapping, Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = 32
_NONCE, _TAG = 12, 16
_CONTEXT = b"blastwall recording 1 "
_ID_DIGITS = 16
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{64}")
HOW_TO_MAKE = "make one with: openssl rand -hex 32"


class NoKey(Exception):
    """A segment is encrypted with a key that is not at hand; the text names it by its id."""


class Undecryptable(ValueError):
    """Bytes that were not encrypted with their segment's key, or were changed since."""


class Wrapped(msgspec.Struct, frozen=True):
    """A segment's data key as the chain keeps it: the id of the key that wraps it, and nonce and ciphertext in hex."""

    key: str
    data: str


def parse_key(secret: bytes, source: str) -> bytes:
    """Read a key of 32 bytes, written as 64 hexadecimal digits or as base64.

    Raises:
        ValueError: it is neither; the text names the source, never the key.
    """
    text = secret.strip()
    try:
        key = bytes.fromhex(text.decode()) if _HEXADECIMAL.fullmatch(text) else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY:
        raise ValueError(f"{source} holds no key of 32 bytes in hexadecimal or base64; {HOW_TO_MAKE}")
    return key


def id_of(key: bytes) -> str:
    """Return the id that a key is named by; it tells nothing of the key."""
    return hmac.digest(key, _CONTEXT + b"key id", "sha256").hex()[:_ID_DIGITS]


class SegmentCipher:
    """Encrypts and decrypts one segment's records and its index. Its key never shows in `repr`."""

    __slots__ = ("_index", "_next", "_records")
    overhead = _NONCE + _TAG

    def __init__(self, key: bytes) -> None:
        self._records = AESGCM(key)
        self._index = AESGCM(hmac.digest(key, _CONTEXT + b"index", "sha256"))
        self._next = 0

    def encrypt(self, payload: bytes, header: bytes) -> bytes:
        """Encrypt a record's payload, bound to its header. Nonces are counted, also for records never written."""
        nonce = self._next.to_bytes(_NONCE, "big")
        self._next += 1
        return nonce + self._records.encrypt(nonce, payload, header)

    def decrypt(self, payload: bytes, header: bytes) -> bytes:
        """Return a record's payload in the clear.

        Raises:
            Undecryptable: it was not encrypted so.
        """
        return _open(self._records, payload, header)

    def encrypt_index(self, index: bytes) -> bytes:
        """Encrypt the segment's index; it may be made several times, so its nonce is random."""
        nonce = os.urandom(_NONCE)
        return nonce + self._index.encrypt(nonce, index, None)

    def decrypt_index(self, index: bytes) -> bytes:
        """Return the segment's index in the clear.

        Raises:
            Undecryptable: it was not encrypted so.
        """
        return _open(self._index, index, None)


def _open(cipher: AESGCM, data: bytes, bound: bytes | None) -> bytes:
    try:
        return cipher.decrypt(data[:_NONCE], data[_NONCE:], bound)
    except (InvalidTag, ValueError) as error:
        raise Undecryptable("it was not encrypted with its segment's key") from error


class Keyring:
    """The keys that wrap segments' keys: the first wraps new ones, all of them open. None: nothing is encrypted."""

    __slots__ = ("_current", "_keys")

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = {id_of(key): AESGCM(key) for key in keys}
        self._current = id_of(keys[0]) if keys else None

    @property
    def ids(self) -> tuple[str, ...]:
        """The keys' ids, the one for new segments first."""
        return tuple(self._keys)

    def begin(self, node: str, segment: int) -> tuple[SegmentCipher, Wrapped] | None:
        """Make a segment's data key; None where nothing is encrypted."""
        if self._current is None:
            return None
        key, nonce = os.urandom(KEY), os.urandom(_NONCE)
        data = nonce + self._keys[self._current].encrypt(nonce, key, _place(node, segment))
        return SegmentCipher(key), Wrapped(self._current, data.hex())

    def cipher(self, node: str, segment: int, wrapped: Wrapped | None) -> SegmentCipher | None:
        """Return what opens a segment; None where it is not encrypted.

        Raises:
            NoKey: the key that wraps its key is not here, or does not open it.
        """
        if wrapped is None:
            return None
        key = self._keys.get(wrapped.key)
        if key is None:
            raise NoKey(f"encrypted with the key {wrapped.key}, which is not at hand")
        try:
            return SegmentCipher(_open(key, bytes.fromhex(wrapped.data), _place(node, segment)))
        except ValueError as error:
            raise NoKey(
                f"the key {wrapped.key} does not open segment {segment}: its wrapped key was changed"
            ) from error


def _place(node: str, segment: int) -> bytes:
    return _CONTEXT + b"segment %d of " % segment + node.encode()


NO_KEYS = Keyring()


class SegmentCiphers:
    """What opens the segments of one node, each unwrapped once."""

    def __init__(self, keyring: Keyring, node: str, wrapped: Mapping[int, Wrapped]) -> None:
        self._keyring = keyring
        self._node = node
        self._wrapped = wrapped
        self._ciphers: dict[int, SegmentCipher | None] = {}

    def of(self, segment: int) -> SegmentCipher | None:
        """Return what opens a segment; None where it is not encrypted.

        Raises:
            NoKey: its key is not at hand.
        """
        if segment not in self._ciphers:
            self._ciphers[segment] = self._keyring.cipher(self._node, segment, self._wrapped.get(segment))
        return self._ciphers[segment]

    def learn(self, segment: int, cipher: SegmentCipher | None) -> None:
        """Take what opens a segment that was begun since."""
        self._ciphers[segment] = cipher

    def key_of(self, segment: int) -> str:
        """Return the id of the key that a segment needs; empty where it is not encrypted."""
        wrapped = self._wrapped.get(segment)
        return "" if wrapped is None else wrapped.key
