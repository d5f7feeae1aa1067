"""Content codings (RFC 9110 8.4) undone piece by piece, within bounds of size and of growth."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import brotli
import zstandard

from blastwall.masking.documents import Unreadable

READ = ("gzip", "deflate", "br", "zstd")
"""The codings that can be undone, as `Accept-Encoding` names them."""

_PIECE = 256 << 10
_MOST_CODINGS = 3
_FREE = 4 << 20
"""So much may come out of however little; beyond it the growth counts."""
_MOST_GROWTH = 400
_ZSTD_WINDOW = 8 << 20
"""What a decoder must support, and so the most that a sender may use (RFC 9659)."""
_ZSTD_SLICE = 128
"""Bytes given at once: a block of four bytes may become 128 KiB."""
_GZIP = 31
_ZLIB = 15
_RAW = -15


class Coding(Protocol):
    """One coding being undone."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next bytes decode to, in pieces of bounded size.

        Raises:
            Unreadable: they are not in this coding, or something follows its end.
        """

    def finish(self) -> None:
        """Check that the coding ended.

        Raises:
            Unreadable: it did not.
        """


def codings(names: Sequence[str]) -> Coding | None:
    """Return what undoes the codings of an answer, in the order in which they were applied; None for none.

    Raises:
        Unreadable: one of them is not known, or they are too many.
    """
    applied = [name for name in (each.strip().lower() for each in names) if name not in ("", "identity")]
    if len(applied) > _MOST_CODINGS:
        raise Unreadable(f"it has {len(applied)} content codings, and at most {_MOST_CODINGS} are undone")
    stages = [_coding(name) for name in reversed(applied)]
    return _Bounded(stages) if stages else None


def _coding(name: str) -> Coding:
    match name:
        case "gzip" | "x-gzip":
            return _Zlib("gzip", _GZIP)
        case "deflate":
            return _Zlib("deflate", 0)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstandard()
        case _:
            raise Unreadable(f"its content coding {name[:40]!r} is not one of {', '.join(READ)}")


class _Bounded:
    """Several codings, one inside the other, that may not grow what was sent without bound."""

    def __init__(self, stages: Sequence[Coding]) -> None:
        self._stages = stages
        self._taken = self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._taken += len(data)
        for piece in self._through(0, data):
            self._given += len(piece)
            if self._given > _FREE and self._given > _MOST_GROWTH * self._taken:
                raise Unreadable(f"it grows to more than {_MOST_GROWTH} times its size when it is decompressed")
            yield piece

    def _through(self, stage: int, data: bytes) -> Iterator[bytes]:
        for piece in self._stages[stage].feed(data):
            if stage + 1 == len(self._stages):
                yield piece
            elif piece:
                yield from self._through(stage + 1, piece)

    def finish(self) -> None:
        if self._taken:
            for stage in self._stages:
                stage.finish()


class _Zlib:
    """gzip (RFC 1952), of several members too, and deflate: zlib (RFC 1950), or without its header as some send it."""

    def __init__(self, name: str, form: int) -> None:
        self._name = name
        self._form = form
        self._decoder = zlib.decompressobj(form) if form else None
        self._head = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            self._head += data
            if len(self._head) < 2:
                return
            data, self._head = self._head, b""
            first, second = data[:2]
            headed = first & 0x0F == 8 and (first << 8 | second) % 31 == 0
            self._decoder = zlib.decompressobj(_ZLIB if headed else _RAW)
        try:
            yield from self._pieces(data)
        except zlib.error as error:
            raise Unreadable(f"it is not {self._name}: {error}") from None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        decoder = self._decoder
        while decoder is not None and (data or decoder.unconsumed_tail):
            if decoder.eof:
                decoder = self._next_member(data)
            piece = decoder.decompress(data, _PIECE)
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if piece:
                yield piece
            elif not decoder.eof and not data:
                return

    def _next_member(self, data: bytes) -> zlib._Decompress:
        if self._form != _GZIP:
            raise Unreadable(f"something follows the end of its {self._name}")
        self._decoder = zlib.decompressobj(_GZIP)
        return self._decoder

    def finish(self) -> None:
        if self._decoder is None or not self._decoder.eof:
            raise Unreadable(f"its {self._name} ends too early")


class _Brotli:
    """br (RFC 7932)."""

    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            piece = self._decoder.process(data, output_buffer_limit=_PIECE)
            while piece or not self._decoder.can_accept_more_data():
                yield piece
                piece = self._decoder.process(b"", output_buffer_limit=_PIECE)
        except brotli.error:
            raise Unreadable("it is not br, or something follows its end") from None

    def finish(self) -> None:
        if not self._decoder.is_finished():
            raise Unreadable("its br ends too early")


class _Zstandard:
    """zstd (RFC 8878), of several frames too."""

    def __init__(self) -> None:
        self._decoder = self._frame()
        self._begun = False

    @staticmethod
    def _frame() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            for start in range(0, len(data), _ZSTD_SLICE):
                yield from self._slice(data[start : start + _ZSTD_SLICE])
        except zstandard.ZstdError as error:
            raise Unreadable(f"it is not zstd: {error}") from None

    def _slice(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._decoder.eof:
                self._decoder = self._frame()
            yield self._decoder.decompress(data)
            data = self._decoder.unused_data if self._decoder.eof else b""

    def finish(self) -> None:
        if not self._decoder.eof:
            raise Unreadable("its zstd ends too early")
