"""Moves bytes between buffers and looks for one; in compiled twins these are C's own, by `memory.pxd`."""

from __future__ import annotations


def copy(target: bytearray, at: int, source: bytes | bytearray, start: int, size: int) -> None:
    """Copy `size` bytes; both buffers must have them."""
    target[at : at + size] = source[start : start + size]


def taken(source: bytearray, start: int, stop: int) -> bytes:
    """Return the bytes from `start` to before `stop`; the buffer must have them."""
    return bytes(source[start:stop])


def same(source: bytes, at: int, other: bytes) -> bool:
    """Whether the bytes from `at` on begin with `other`, which may reach beyond their end."""
    return source.startswith(other, at)


def text(source: bytes, start: int, stop: int) -> str:
    """Return the text from `start` to before `stop`, in UTF-8; the buffer must have it.

    Raises:
        UnicodeDecodeError: it is none.
    """
    return source[start:stop].decode()


def find(source: bytes, byte: int, start: int, stop: int) -> int:
    """Return where `byte` first stands from `start` to before `stop`, -1 where it does not."""
    return source.find(byte, start, stop)
