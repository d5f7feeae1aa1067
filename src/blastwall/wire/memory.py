"""Moves bytes between buffers and looks for one; in compiled twins these are C's own, by `memory.pxd`."""

from __future__ import annotations

_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
"""Those of JSON that texts have, as it writes them."""


def copy(target: bytearray, at: int, source: bytes | bytearray, start: int, size: int) -> None:
    """Copy `size` bytes; both buffers must have them."""
    target[at : at + size] = source[start : start + size]


def taken(source: bytearray, start: int, stop: int) -> bytes:
    """Return the bytes from `start` to before `stop`; the buffer must have them."""
    return bytes(source[start:stop])


def same(source: bytes, start: int, stop: int, other: bytes) -> bool:
    """Whether the bytes from `start` to before `stop` are `other`; the buffer must have them."""
    return source[start:stop] == other


def text(source: bytes, start: int, stop: int) -> str:
    """Return the text from `start` to before `stop`, in UTF-8; the buffer must have it.

    Raises:
        UnicodeDecodeError: it is none.
    """
    return source[start:stop].decode()


def put_number(target: bytearray, at: int, size: int, number: int) -> None:
    """Write a number, not below 0, in so many bytes, at most 8, the highest first; the buffer must have them."""
    target[at : at + size] = number.to_bytes(size, "big")


def put_digits(target: bytearray, at: int, number: int) -> int:
    """Write a number, not below 0, in decimal; the buffer must have 19 bytes. Return where it ends."""
    digits = b"%d" % number
    target[at : at + len(digits)] = digits
    return at + len(digits)


def put_micros(target: bytearray, at: int, micros: int) -> int:
    """Write so many millionths, not below 0, as a decimal fraction; the buffer must have 20 bytes."""
    digits = b"%d.%06d" % divmod(micros, 1000000)
    target[at : at + len(digits)] = digits
    return at + len(digits)


def put_quoted(target: bytearray, at: int, text: str, most: int) -> int:
    """Write a text in quotes, as JSON has it; the buffer must have `most` + 2 bytes. Return where it ends.

    0 where that takes more bytes than `most`, or it is neither printable ASCII nor one of the usual escapes.
    """
    shown = text.translate(_ESCAPES)
    size = len(shown)
    if size > most or not (shown.isascii() and shown.isprintable()):
        return 0
    target[at : at + size + 2] = b'"%s"' % shown.encode()
    return at + size + 2


def find(source: bytes, byte: int, start: int, stop: int) -> int:
    """Return where `byte` first stands from `start` to before `stop`, -1 where it does not."""
    return source.find(byte, start, stop)
