"""What both ends say before a login: how it is encrypted, and whether by a Microsoft Entra token.

What clients say of encryption, and what they hear (MS-TDS 2.2.6.5). That the login alone is encrypted does not exist:

    client           listener with TLS             loopback listener in plain text
    off              required                      not supported: all is in plain text
    on, required     required                      required
    not supported    required; a LOGIN7 that       not supported
                     comes anyway is refused
"""

from __future__ import annotations

from blastwall.protocols.tds.prelogin import (
    ENCRYPTION,
    FEDAUTH_REQUIRED,
    INSTANCE,
    MARS,
    THREAD,
    VERSION,
    Encryption,
    Prelogin,
)
from blastwall.wire.reader import Malformed

ALPN = "tds/8.0"
"""What a client that begins with TLS names (MS-TDS 3.2.5.1, TDS 8.0)."""
TLS_HANDSHAKE = 0x16
"""The first byte of a TLS record that holds a ClientHello (RFC 8446, section 5.1)."""
_SPOKEN = bytes((12, 0, 0x07, 0xD0, 0, 0))
"""Version 12, which Azure SQL says of itself; LOGINACK tells the resource's own."""


def prelogin_of(encryption: Encryption, *, fedauth: bool) -> Prelogin:
    """Return what this end says: without MARS, and the instance is always the right one."""
    options = [
        (VERSION, _SPOKEN),
        (ENCRYPTION, bytes((encryption,))),
        (INSTANCE, b"\0"),
        (THREAD, b""),
        (MARS, b"\0"),
    ]
    return Prelogin((*options, (FEDAUTH_REQUIRED, b"\x01")) if fedauth else tuple(options))


def asked_encryption(prelogin: Prelogin) -> Encryption:
    """Return what a client asks for; one that says nothing cannot encrypt.

    Raises:
        Malformed: it is nothing that is known, such as a client certificate.
    """
    said = prelogin.encryption
    try:
        return Encryption.NOT_SUPPORTED if said is None else Encryption(said)
    except ValueError:
        raise Malformed(f"the encryption {said:#x}, which is not known here (a client certificate?)") from None


def answered_encryption(asked: Encryption, *, plain_text: bool) -> Encryption:
    """Return what a client hears: see the table above."""
    if plain_text and asked in (Encryption.OFF, Encryption.NOT_SUPPORTED):
        return Encryption.NOT_SUPPORTED
    return Encryption.REQUIRED
