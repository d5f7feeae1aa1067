"""Hash and checksum of a record where it stands; compiled twins call OpenSSL's own functions, by `hashing.pxd`.

hashlib takes ten times as long as the hash of a record does: it looks the algorithm up, makes objects and copies them.
"""

from __future__ import annotations

from hashlib import sha256
from zlib import crc32


def digest(previous: bytes, room: bytearray, start: int, stop: int) -> bytes:
    """Return the SHA-256 of `previous` with the bytes of `room` from `start` to `stop` behind it."""
    return sha256(previous + room[start:stop]).digest()


def checksum(room: bytearray, start: int, stop: int) -> int:
    """Return the CRC-32 of the bytes from `start` to `stop`."""
    return crc32(room[start:stop])
