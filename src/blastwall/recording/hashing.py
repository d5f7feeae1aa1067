"""Hash and checksum of a record where it stands; compiled twins call OpenSSL's own functions, by `hashing.pxd`.

hashlib takes ten times as long as the hash of a record does: it looks the algorithm up, makes objects and copies them.
"""

from __future__ import annotations

from hashlib import sha256
from zlib import crc32


def digest(room: bytearray, end: int) -> bytes:
    """Return the SHA-256 of the first `end` bytes."""
    return sha256(room[:end]).digest()


def checksum(room: bytearray, start: int, stop: int) -> int:
    """Return the CRC-32 of the bytes from `start` to `stop`."""
    return crc32(room[start:stop])
