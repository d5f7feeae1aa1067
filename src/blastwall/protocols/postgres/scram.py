"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the client's side (RFC 5802, RFC 7677, RFC 5929 `tls-server-end-point`)."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import pbkdf2_hmac, sha256
from stringprep import in_table_b1, in_table_c12
from unicodedata import normalize

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, Hash, HashAlgorithm
from cryptography.x509 import load_der_x509_certificate

PLAIN = "SCRAM-SHA-256"
PLUS = "SCRAM-SHA-256-PLUS"
MAX_ITERATIONS = 1_000_000
"""A hostile server may ask for endless hashing; PostgreSQL's default is 4,096."""


class ScramFailed(Exception):
    """The exchange cannot go on, or the server could not prove that it knows the password."""


class Scram:
    """One exchange: `first()`, then `answer(server_first)`, then `verify(server_final)`.

    `certificate` is the server's in DER where TLS is up, empty without TLS. `nonce` is unguessable.
    """

    def __init__(self, password: bytes, nonce: bytes, offered: tuple[str, ...], certificate: bytes) -> None:
        self._password = _saslprep(password)
        self._nonce = b64encode(nonce)
        self.mechanism, self._gs2, self._binding = _choose(offered, certificate)
        self._first_bare = b"n=,r=" + self._nonce
        self._server_signature = b""

    def first(self) -> bytes:
        return self._gs2 + self._first_bare

    def answer(self, server_first: bytes) -> bytes:
        """Return the client's final message.

        Raises:
            ScramFailed: the server's message is malformed or its nonce is not an extension of ours.
        """
        nonce, salt, iterations = self._read_first(server_first)
        salted = pbkdf2_hmac("sha256", self._password, salt, iterations)
        client_key = _hmac(salted, b"Client Key")
        bare = b"c=" + b64encode(self._gs2 + self._binding) + b",r=" + nonce
        signed = self._first_bare + b"," + server_first + b"," + bare
        signature = _hmac(sha256(client_key).digest(), signed)
        self._server_signature = _hmac(_hmac(salted, b"Server Key"), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return bare + b",p=" + b64encode(proof)

    def verify(self, server_final: bytes) -> None:
        """Check the server's proof.

        Raises:
            ScramFailed: it does not know the password.
        """
        expected = b"v=" + b64encode(self._server_signature)
        if not self._server_signature or not hmac.compare_digest(server_final.split(b",")[0], expected):
            raise ScramFailed("the server could not prove that it knows the password")

    def _read_first(self, message: bytes) -> tuple[bytes, bytes, int]:
        parts = message.split(b",")
        if len(parts) < 3 or not (parts[0][:2], parts[1][:2], parts[2][:2]) == (b"r=", b"s=", b"i="):
            raise ScramFailed("the server's first SCRAM message is malformed")
        nonce = parts[0][2:]
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise ScramFailed("the server's SCRAM nonce does not extend ours")
        try:
            salt, iterations = b64decode(parts[1][2:], validate=True), int(parts[2][2:])
        except (Base64Error, ValueError):
            raise ScramFailed("the server's first SCRAM message is malformed") from None
        if not 1 <= iterations <= MAX_ITERATIONS or not salt:
            raise ScramFailed(f"the server asks for {iterations} SCRAM iterations")
        return nonce, salt, iterations


def _choose(offered: tuple[str, ...], certificate: bytes) -> tuple[str, bytes, bytes]:
    """Return mechanism, GS2 header and channel-binding data: bound to the TLS channel wherever the server can."""
    if certificate and PLUS in offered:
        return PLUS, b"p=tls-server-end-point,,", end_point_hash(certificate)
    if PLAIN in offered:
        # "y": we could bind; a server that can as well detects a man in the middle who removed the offer (RFC 5802, 6).
        return PLAIN, b"y,," if certificate else b"n,,", b""
    raise ScramFailed(f"the server offers {', '.join(offered) or 'nothing'}; {PLAIN} is needed")


def end_point_hash(certificate: bytes) -> bytes:
    """Hash a DER certificate as RFC 5929, section 4.1, says (MD5 and SHA-1 become SHA-256)."""
    try:
        algorithm: HashAlgorithm | None = load_der_x509_certificate(certificate).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        algorithm = None
    if algorithm is None:
        raise ScramFailed("the server's certificate has no signature hash to bind the channel with")
    if isinstance(algorithm, MD5 | SHA1):
        algorithm = SHA256()
    digest = Hash(algorithm)
    digest.update(certificate)
    return digest.finalize()


def _saslprep(password: bytes) -> bytes:
    """RFC 4013's mapping and normalisation; like PostgreSQL, what is not UTF-8 is used as it is."""
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return password
    if text.isascii():
        return password
    mapped = "".join(" " if in_table_c12(c) else c for c in text if not in_table_b1(c))
    return normalize("NFKC", mapped).encode()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
