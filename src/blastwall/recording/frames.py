"""The layout of a record, the same in segments and in the node's chain; a few lines in any language.

    length   4 bytes   of the payload                          big-endian, as all numbers
    stream   8 bytes   whose record: 0 the node's own, else a session's ordinal
    number   8 bytes   its place in that stream, from 0
    check    4 bytes   CRC-32 of the 20 bytes before
    payload  `length` bytes of JSON; in an encrypted segment: nonce, ciphertext and tag of that (`encryption`)
    hash     32 bytes  SHA-256 over the stream's previous hash, the 24 bytes of header and the payload

The stream's first record takes `seed(stream)` as the previous hash. The check tells a torn record (the file ends within
it) from a changed length, so that no single change can pass for a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from struct import Struct
from typing import Protocol
from zlib import crc32

import msgspec
from zstandard import ZstdError

from blastwall.recording import hashing
from blastwall.wire import memory

_FIELDS = Struct(">IQQ")
_CHECK = Struct(">I")
_pack, _pack_check = _FIELDS.pack, _CHECK.pack
HEADER = _FIELDS.size + _CHECK.size
HASH = 32
_HASH, _HEADER = HASH, HEADER
NOT_JSON = (msgspec.DecodeError, ValueError, RecursionError)
"""What msgspec raises for a payload that somebody changed: bad UTF-8 is a ValueError of Python's own."""

MAX_PAYLOAD = 256 << 20
"""Bounds what a reader must hold of a file that somebody may have changed."""


@dataclass(frozen=True, slots=True)
class Record:
    """A complete record as it stands in a file; its hash is not yet checked."""

    offset: int
    stream: int
    number: int
    header: bytes
    payload: bytes
    hash: bytes

    @property
    def end(self) -> int:
        """The offset of the byte after it."""
        return self.offset + HEADER + len(self.payload) + HASH

    def follows(self, previous: bytes) -> bool:
        """Whether it is unchanged and follows the record whose hash is `previous`."""
        return sha256(previous + self.header + self.payload).digest() == self.hash


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a file stops being readable: `torn` if it ends within a record, else the header was changed.

    `stream` and `number` are None where not enough of the header is there.
    """

    offset: int
    left: int
    torn: bool
    stream: int | None = None
    number: int | None = None


def seed(stream: int) -> bytes:
    """The hash before a stream's first record."""
    return sha256(b"blastwall recording 1 stream %d" % stream).digest()


class Cipher(Protocol):
    """Encrypts payloads, which grow by `overhead` bytes."""

    @property
    def overhead(self) -> int: ...

    def encrypt(self, payload: bytes, header: bytes) -> bytes: ...


def build(
    stream: int, number: int, previous: bytes, payload: bytes, cipher: Cipher | None = None
) -> tuple[bytes, bytes]:
    """Return the record's bytes and its hash, which is over what the file holds.

    Raises:
        ValueError: the payload is larger than a record may be.
    """
    length = len(payload) if cipher is None else len(payload) + cipher.overhead
    if length > MAX_PAYLOAD:
        raise ValueError(f"an event of {length} bytes is larger than a record may be ({MAX_PAYLOAD})")
    fields = _pack(length, stream, number)
    header = fields + _pack_check(crc32(fields))
    body = header + (payload if cipher is None else cipher.encrypt(payload, header))
    digest = sha256(previous + body).digest()
    return body + digest, digest


def sealed(  # noqa: PLR0917 - one for each field
    room: bytearray, at: int, end: int, stream: int, number: int, previous: bytes
) -> bytes:
    """Make a record in place: its payload is in `room` from `at` + `HEADER` to `end`, with `HASH` bytes more behind.

    Returns its hash.

    Raises:
        IndexError: it would not be within the room.
    """
    if at < 0 or end < at + _HEADER or len(room) - end < _HASH:
        raise IndexError("a record must be within its room")
    memory.put_number(room, at, 4, end - at - _HEADER)
    memory.put_number(room, at + 4, 8, stream)
    memory.put_number(room, at + 12, 8, number)
    memory.put_number(room, at + 20, 4, hashing.checksum(room, at, at + 20))
    digest = hashing.digest(previous, room, at, end)
    memory.copy(room, end, digest, 0, _HASH)
    return digest


def parse(data: bytes | memoryview, base: int = 0) -> Iterator[Record | Broken]:
    """Yield the records in `data`, which stands at offset `base` of its file; a `Broken` is the last thing yielded."""
    view = memoryview(data)
    at = 0
    while at < len(view):
        left = len(view) - at
        if left < HEADER:
            yield Broken(base + at, left, torn=True)
            return
        header = bytes(view[at : at + HEADER])
        length, stream, number = _FIELDS.unpack_from(header)
        if crc32(header[: _FIELDS.size]) != _CHECK.unpack_from(header, _FIELDS.size)[0]:
            yield Broken(base + at, left, torn=False)
            return
        end = at + HEADER + length
        if end + HASH > len(view):
            yield Broken(base + at, left, torn=True, stream=stream, number=number)
            return
        payload, digest = bytes(view[at + HEADER : end]), bytes(view[end : end + HASH])
        yield Record(base + at, stream, number, header, payload, digest)
        at = end + HASH


class Source(Protocol):
    """A file's bytes, in order."""

    def read(self, size: int, /) -> bytes: ...


_CHUNK = 4 << 20


def read(source: Source, until: int | None = None) -> Iterator[Record | Broken]:
    """Yield a whole file's records, in bounded memory; bytes from offset `until` on are not looked at.

    A decompressor's complaint is a `Broken` too, so that no file can raise here.
    """
    held, base = b"", 0
    while True:
        wanted = _CHUNK if until is None else min(_CHUNK, until - base - len(held))
        try:
            chunk = source.read(wanted) if wanted > 0 else b""
        except (ZstdError, OSError, MemoryError):
            yield Broken(base, 0, torn=False)
            return
        held += chunk
        rest = len(held)
        for item in parse(held, base):
            if isinstance(item, Broken):
                if not chunk or not item.torn or _impossible(held, item.offset - base):
                    yield replace(item, torn=item.torn and not _impossible(held, item.offset - base))
                    return
                rest = item.offset - base
            else:
                yield item
        held, base = held[rest:], base + rest
        if not chunk:
            return


def _impossible(data: bytes, at: int) -> bool:
    """Whether the header at `at` is whole and announces more than a record may hold."""
    return len(data) - at >= HEADER and int(_FIELDS.unpack_from(data, at)[0]) > MAX_PAYLOAD
