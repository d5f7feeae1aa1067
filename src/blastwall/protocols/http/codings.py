"""Content codings of a request's body that is judged: undone within a limit, or refused.

What is sent on is what was judged: the decoded bytes, without `Content-Encoding`. So no decoder behind can read the
same bytes otherwise (a second member, bytes after the end, another coding inside).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

from blastwall.protocols.http.faults import Unreadable

_STEP = 64 * 1024
_ZSTD_WINDOW = 8 << 20
"""The most that RFC 9659 lets a content coding ask for."""
_BROKEN = "a body that its Content-Encoding does not describe"


def decoded(body: bytes, coding: str, most: int) -> bytes:
    """Return a whole body without its coding, at most `most` bytes of it.

    Raises:
        Unreadable: the coding is not known (415), the body is not in it (400), or more comes of it (413).
    """
    name = coding.lower()
    if name in ("", "identity"):
        return body
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise Unreadable("a body in a coding other than gzip, deflate, br or zstd", 415)
    result = decoder(body, most)
    if len(result) > most:
        raise Unreadable(f"a body of more than {most} bytes once it is decoded", 413)
    return result


def _zlib(bits: int) -> Callable[[bytes, int], bytes]:
    def undone(body: bytes, most: int) -> bytes:
        undo = zlib.decompressobj(bits)
        try:
            result = undo.decompress(body, most + 1)
        except zlib.error:
            raise Unreadable(_BROKEN) from None
        if len(result) <= most and (not undo.eof or undo.unused_data):
            raise Unreadable(_BROKEN)
        return result

    return undone


def _brotli(body: bytes, most: int) -> bytes:
    undo = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        part = undo.process(body, output_buffer_limit=_STEP)
        while part or not undo.can_accept_more_data():
            parts.append(part)
            size += len(part)
            if size > most:
                return b"".join(parts)
            part = undo.process(b"", output_buffer_limit=_STEP)
    except brotli.error:
        raise Unreadable(_BROKEN) from None
    if not undo.is_finished():
        raise Unreadable(_BROKEN)
    return b"".join(parts)


def _zstd(body: bytes, most: int) -> bytes:
    undo = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    parts: list[bytes] = []
    size = 0
    try:
        for start in range(0, len(body), 256):
            part = undo.decompress(body[start : start + 256])
            parts.append(part)
            size += len(part)
            if size > most:
                return b"".join(parts)
            if undo.eof and (undo.unused_data or start + 256 < len(body)):
                raise Unreadable(_BROKEN)
    except zstandard.ZstdError:
        raise Unreadable(_BROKEN) from None
    if not undo.eof:
        raise Unreadable(_BROKEN)
    return b"".join(parts)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _zlib(31),
    "x-gzip": _zlib(31),
    "deflate": _zlib(15),
    "br": _brotli,
    "zstd": _zstd,
}
