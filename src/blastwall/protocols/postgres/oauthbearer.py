"""OAUTHBEARER, the server's side (RFC 7628), as PostgreSQL 18 speaks it: the token as SASL, not as a password.

client                                            server
                                                  AuthenticationSASL: OAUTHBEARER
n,,^Aauth=Bearer TOKEN^A^A                        (the gate) AuthenticationOk
                                                  or AuthenticationSASLContinue with JSON: why not, where to ask
n,,^Aauth=^A^A (no token yet: section 4.3)        the same JSON
^A (section 3.2.3)                                ErrorResponse, and the end
"""

from __future__ import annotations

import json
import re

from blastwall.wire.reader import Malformed, Reader

MECHANISM = "OAUTHBEARER"
_SEPARATOR = b"\x01"
ACKNOWLEDGED = _SEPARATOR
"""What the client answers to the error document (section 3.2.3)."""

_KEY = re.compile(rb"[A-Za-z]+")
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")
"""RFC 6750, section 2.1: b64token; the scheme's case does not count."""


def encode_offer() -> bytes:
    """The data of AuthenticationSASL: one mechanism, and the end of the list."""
    return MECHANISM.encode() + b"\0\0"


def decode_initial(body: bytes) -> bytes:
    """Read a SASLInitialResponse and return its token, empty where the client only asks where to get one.

    Raises:
        Malformed: another mechanism, or not the client's first message of RFC 7628, section 3.1.
    """
    reader = Reader(body)
    if reader.text() != MECHANISM:
        raise Malformed("another SASL mechanism than the one that was offered")
    if reader.int32() != reader.left:
        raise Malformed("a SASL message whose length is another than it says")
    return _token(reader.rest())


def _token(message: bytes) -> bytes:
    header, separator, rest = message.partition(_SEPARATOR)
    if header == b"p=" or header.startswith(b"p="):
        raise Malformed("channel binding, which OAUTHBEARER has not")
    if header not in (b"n,,", b"y,,"):
        raise Malformed("a SASL header with an authorization identity, or none that can be read")
    if not separator or not rest.endswith(_SEPARATOR * 2):
        raise Malformed("an OAUTHBEARER message without its end")
    fields: dict[bytes, bytes] = {}
    for pair in rest[:-2].split(_SEPARATOR):
        key, equals, value = pair.partition(b"=")
        if not equals or _KEY.fullmatch(key) is None or key in fields:
            raise Malformed("an OAUTHBEARER field that cannot be read, or one twice")
        fields[key] = value
    if b"auth" not in fields:
        raise Malformed("an OAUTHBEARER message without `auth`")
    if not fields[b"auth"]:
        return b""
    match = _BEARER.fullmatch(fields[b"auth"])
    if match is None:
        raise Malformed("an OAUTHBEARER field `auth` that is no bearer token")
    return match[1]


def encode_failure(configuration: str, scope: str) -> bytes:
    """The error document (section 3.2.2): where a token can be had, and for what; what is not known is left out."""
    document = {"status": "invalid_token", "openid-configuration": configuration, "scope": scope}
    return json.dumps({key: value for key, value in document.items() if value}).encode()
