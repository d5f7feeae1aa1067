"""Federated authentication: a token of Entra's in the login, or after the server has said where to get one.

Source: MS-TDS 2.2.6.4 (feature FEDAUTH), 2.2.6.3 "Federated Authentication Token", 2.2.7.12 "FEDAUTHINFO".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import pack

from blastwall.protocols.tds.fields import Fields, Short, text_of
from blastwall.wire.reader import Malformed

SECURITY_TOKEN, ADAL = 1, 2
"""Libraries: the login has the token; or the client (ADAL, MSAL) gets one once it was told where."""
STS_URL, SPN = 1, 2
"""What a FEDAUTHINFO tells: the authority, and the resource that the token is to be for."""
_NONCE = 32
_LONGEST = 64 << 10
"""Characters of a token: Entra's have a few thousand."""


@dataclass(frozen=True, slots=True)
class FedAuth:
    """How a client authenticates.

    `echo` repeats whether the server's PRELOGIN required it. `token` comes with the library SECURITY_TOKEN, `workflow`
    with ADAL. `nonce` is that of the server's PRELOGIN, b"" where it had none.
    """

    library: int
    echo: bool
    token: str = field(default="", repr=False)
    workflow: int = 0
    nonce: bytes = b""


def read_fedauth(data: bytes) -> FedAuth:
    """Read the data of the feature FEDAUTH.

    Raises:
        Malformed: it is of another library, or not of its form.
    """
    try:
        fields = Fields(data)
        options = fields.byte()
        library, echo = options >> 1, bool(options & 1)
        if library == SECURITY_TOKEN:
            token = _token(fields)
            found = FedAuth(library, echo, token, nonce=_nonce(fields))
        elif library == ADAL:
            found = FedAuth(library, echo, workflow=fields.byte())
        else:
            raise Malformed(f"a federated login by the library {library}; this gateway knows 1 and 2")
    except Short:
        raise Malformed("a federated login that ends too early") from None
    fields.finish("a federated login")
    return found


def write_fedauth(fedauth: FedAuth) -> bytes:
    """Write the data of the feature FEDAUTH."""
    options = bytes((fedauth.library << 1 | fedauth.echo,))
    if fedauth.library == ADAL:
        return options + bytes((fedauth.workflow,))
    token = fedauth.token.encode("utf-16-le")
    return options + pack("<I", len(token)) + token + fedauth.nonce


def read_token(payload: bytes) -> tuple[str, bytes]:
    """Read a message of type FEDAUTH: the token, and the nonce or b"".

    Raises:
        Malformed: lengths do not agree, or the token is no text.
    """
    try:
        fields = Fields(payload)
        total = fields.uint32()
        if total != fields.left:
            raise Malformed(f"a token message that says it has {total} bytes, of {fields.left}")
        token, nonce = _token(fields), _nonce(fields)
    except Short:
        raise Malformed("a token message that ends too early") from None
    fields.finish("a token message")
    return token, nonce


def write_token(token: str, nonce: bytes = b"") -> bytes:
    """Write the payload of a message of type FEDAUTH."""
    encoded = token.encode("utf-16-le")
    return pack("<II", 4 + len(encoded) + len(nonce), len(encoded)) + encoded + nonce


def _token(fields: Fields) -> str:
    length = fields.uint32()
    if not 0 < length <= 2 * _LONGEST:
        raise Malformed(f"a token of {length} bytes")
    return text_of(fields.take(length))


def _nonce(fields: Fields) -> bytes:
    return fields.take(_NONCE) if fields.left else b""
