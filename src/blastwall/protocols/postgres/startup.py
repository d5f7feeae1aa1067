"""The messages before a session is ready: requests of the startup packet's form, authentication, cancel keys.

Source: PostgreSQL documentation, "Message Formats" and "Start-up" (protocol 3.0 and 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from struct import pack, unpack_from

from blastwall.wire.reader import Malformed, Reader

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610
TLS_HANDSHAKE = 0x16
"""First byte of a TLS record: a client that starts with direct TLS (RFC 8446, section 5.1)."""
ALPN = "postgresql"

AUTH_OK, AUTH_CLEARTEXT, AUTH_MD5, AUTH_SASL, AUTH_SASL_CONTINUE, AUTH_SASL_FINAL = 0, 3, 5, 10, 11, 12


@dataclass(frozen=True, slots=True)
class Startup:
    """A StartupMessage: the protocol version asked for and the parameters in their order."""

    version: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CancelKey:
    """What identifies a backend towards a CancelRequest. Keys have 4 bytes in 3.0 and 4 to 256 in 3.2."""

    pid: int
    key: bytes = field(repr=False)

    @property
    def handle(self) -> bytes:
        """Both as one opaque value."""
        return pack("!I", self.pid) + self.key


def request_length(buffer: bytes, limit: int) -> int | None:
    """Return the length of the startup-form packet at the head of `buffer`, None where its length is not there yet."""
    if len(buffer) < 4:
        return None
    length = int(unpack_from("!i", buffer)[0])
    if not 8 <= length <= limit:
        raise Malformed(f"a startup packet of {length} bytes; 8 to {limit} are accepted")
    return length


def request_code(packet: bytes) -> int:
    return int(unpack_from("!i", packet, 4)[0])


def decode_startup(packet: bytes) -> Startup:
    reader = Reader(packet, 4)
    version = reader.int32()
    parameters: dict[str, str] = {}
    while reader.left > 1:
        name = reader.text()
        if name in parameters:
            raise Malformed(f"the startup parameter {name[:64]!r} twice")
        parameters[name] = reader.text()
    if reader.rest() != b"\0":
        raise Malformed("a startup packet without its end")
    return Startup(version, parameters)


def encode_startup(startup: Startup) -> bytes:
    body = b"".join(_cstring(name) + _cstring(value) for name, value in startup.parameters.items()) + b"\0"
    return pack("!ii", 8 + len(body), startup.version) + body


def decode_cancel(packet: bytes) -> CancelKey:
    reader = Reader(packet, 8)
    pid = reader.uint32()
    key = reader.rest()
    if not 4 <= len(key) <= 256:
        raise Malformed(f"a cancel key of {len(key)} bytes")
    return CancelKey(pid, key)


def encode_cancel(cancel: CancelKey) -> bytes:
    return pack("!iiI", 12 + len(cancel.key), CANCEL_REQUEST, cancel.pid) + cancel.key


def encode_request(code: int) -> bytes:
    """An SSLRequest or GSSENCRequest."""
    return pack("!ii", 8, code)


def encode_authentication(kind: int, data: bytes = b"") -> bytes:
    return b"R" + pack("!ii", 8 + len(data), kind) + data


def decode_authentication(body: bytes) -> tuple[int, bytes]:
    reader = Reader(body)
    return reader.int32(), reader.rest()


def encode_password(secret: bytes) -> bytes:
    if b"\0" in secret:
        raise ValueError("a password cannot hold a NUL byte")
    return b"p" + pack("!i", 5 + len(secret)) + secret + b"\0"


def decode_password(body: bytes) -> bytes:
    reader = Reader(body)
    secret = reader.cstring()
    reader.finish()
    return secret


def encode_sasl_initial(mechanism: str, data: bytes) -> bytes:
    body = _cstring(mechanism) + pack("!i", len(data)) + data
    return b"p" + pack("!i", 4 + len(body)) + body


def encode_sasl_response(data: bytes) -> bytes:
    return b"p" + pack("!i", 4 + len(data)) + data


def decode_mechanisms(data: bytes) -> tuple[str, ...]:
    reader = Reader(data)
    found: list[str] = []
    while (name := reader.text()) != "":
        found.append(name)
    reader.finish()
    return tuple(found)


def encode_negotiate(version: int, unknown: Iterable[str]) -> bytes:
    """NegotiateProtocolVersion: the newest minor version that we speak, and the options that we do not know."""
    names = [_cstring(name) for name in unknown]
    body = pack("!ii", version, len(names)) + b"".join(names)
    return b"v" + pack("!i", 4 + len(body)) + body


def encode_key(key: CancelKey) -> bytes:
    return b"K" + pack("!iI", 8 + len(key.key), key.pid) + key.key


def decode_key(body: bytes) -> CancelKey:
    reader = Reader(body)
    pid = reader.uint32()
    key = reader.rest()
    if not 4 <= len(key) <= 256:
        raise Malformed(f"a cancel key of {len(key)} bytes")
    return CancelKey(pid, key)


def _cstring(value: str) -> bytes:
    encoded = value.encode()
    if b"\0" in encoded:
        raise ValueError("a string cannot hold a NUL byte")
    return encoded + b"\0"
