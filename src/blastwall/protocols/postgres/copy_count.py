r"""How many rows have come in by COPY FROM STDIN, as they stream by: never more than the server will count.

Source: PostgreSQL documentation, COPY, "File Formats". The count ends a COPY early; the server's own count, in its
command tag, has the last word. So what cannot be told exactly is counted as none: a COPY with WHERE, or one that skips
bad rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from blastwall.sql.postgres import Copy

_SIGNATURE = 11
"""Bytes of a binary copy's signature; its flags and the length of its extension follow, four bytes each."""
_HEADER = _SIGNATURE + 8
_TRAILER = b"\xff\xff"


class CopyCounter(Protocol):
    """Counts the rows of a stream that comes in pieces, cut anywhere."""

    def count(self, data: bytes) -> int:
        """Take the next piece; return how many whole rows came so far."""


class Uncounted:
    """Counts nothing."""

    def count(self, data: bytes) -> int:
        return 0


class TextCounter:
    r"""Rows of the text format: lines; a line end after a backslash is data. `\.` alone ends the data."""

    def __init__(self, *, header: bool) -> None:
        self._rows = -1 if header else 0
        self._line = b""
        self._ended = False

    def count(self, data: bytes) -> int:
        if self._ended:
            return max(0, self._rows)
        lines = (self._line + data).split(b"\n")
        self._line = _short(lines.pop())
        for line in lines:
            if line.rstrip(b"\r") == b"\\.":
                self._ended = True
                break
            if (len(line) - len(line.rstrip(b"\\"))) % 2 == 0:
                self._rows += 1
        return max(0, self._rows)


def _short(line: bytes) -> bytes:
    r"""Keep of an unfinished line what matters: whether it may be `\.`, and whether its end is escaped."""
    if len(line) <= len(b"\\."):
        return line
    return b"..." + b"\\" * ((len(line) - len(line.rstrip(b"\\"))) % 2)


class CsvCounter:
    """Rows of the CSV format: line ends outside quotes."""

    def __init__(self, quote: bytes, escape: bytes, *, header: bool) -> None:
        self._quote, self._escape = quote[0], escape[0]
        self._rows = -1 if header else 0
        self._quoted = self._escaped = False

    def count(self, data: bytes) -> int:
        if not self._quoted and not self._escaped and bytes((self._quote,)) not in data:
            self._rows += data.count(b"\n")
            return max(0, self._rows)
        for byte in data:
            if self._escaped:
                self._escaped = False
            elif self._quoted and byte == self._escape and self._escape != self._quote:
                self._escaped = True
            elif byte == self._quote:
                self._quoted = not self._quoted
            elif byte == 0x0A and not self._quoted:
                self._rows += 1
        return max(0, self._rows)


class BinaryCounter:
    """Rows of the binary format: each is a count of fields, then for each field its length and bytes."""

    def __init__(self) -> None:
        self._carry = b""
        self._skip = 0
        self._fields = 0
        self._rows = 0
        self._wanted = _HEADER
        self._next: Callable[[bytes], None] = self._header

    def count(self, data: bytes) -> int:
        data, position = self._carry + data, 0
        while self._wanted:
            skipped = min(self._skip, len(data) - position)
            position, self._skip = position + skipped, self._skip - skipped
            end = position + self._wanted
            if self._skip or end > len(data):
                break
            self._next(data[position:end])
            position = end
        self._carry = data[position:]
        return self._rows

    def _header(self, head: bytes) -> None:
        self._skip = int.from_bytes(head[-4:], "big")
        self._wanted, self._next = 2, self._row

    def _row(self, fields: bytes) -> None:
        self._fields = int.from_bytes(fields, "big", signed=True)
        self._rows += self._fields == 0
        if self._fields < 0:
            self._wanted = 0  # the trailer: what comes after it is ignored
        elif self._fields:
            self._wanted, self._next = 4, self._field

    def _field(self, length: bytes) -> None:
        self._skip = max(0, int.from_bytes(length, "big", signed=True))
        self._fields -= 1
        if not self._fields:
            self._rows += 1
            self._wanted, self._next = 2, self._row


def counter(copy: Copy) -> CopyCounter:
    """Return what counts the rows of a COPY FROM STDIN."""
    if not copy.stores_all:
        return Uncounted()
    if copy.format == "binary":
        return BinaryCounter()
    if copy.format == "csv":
        return CsvCounter(copy.quote.encode(), copy.escape.encode(), header=copy.header)
    return TextCounter(header=copy.header)


def is_row(copy: Copy, body: bytes, *, first: bool) -> bool:
    """Whether a CopyData message of the server's holds a row; one row comes in each, `first` says of its place."""
    if copy.format != "binary":
        return not (first and copy.header)
    start = _HEADER + int.from_bytes(body[_SIGNATURE + 4 : _HEADER], "big") if first else 0
    return body[start:] not in (b"", _TRAILER)
