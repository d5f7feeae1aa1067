"""Rows of COPY TO STDOUT in its three formats: read, masked, written back in the same form.

Source: PostgreSQL documentation, COPY, "File Formats". PostgreSQL sends one row in each CopyData message; a binary
copy's header travels with its first one. Anything else raises `Malformed`: the result is closed, not passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack
from typing import Protocol

from blastwall.masking.plan import MaskPlan
from blastwall.protocols.postgres.copy_runs import copy_places, copy_spliced, plain_rows
from blastwall.wire.reader import Malformed, Reader

Row = list[bytes | None]


class RowFormat(Protocol):
    """One of COPY's formats; `decode` gives None for a message that holds no row (a header, the trailer)."""

    def decode(self, data: bytes) -> Row | None: ...

    def encode(self, row: Sequence[bytes | None]) -> bytes: ...


_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED = {value[0]: b"\\" + name for name, value in _ESCAPES.items()} | {0x5C: b"\\\\"}


class TextFormat:
    r"""The text format: backslash escapes, `\\N` for NULL."""

    def __init__(self, delimiter: bytes = b"\t", null: bytes = b"\\N", *, header: bool = False) -> None:
        self._delimiter = delimiter
        self._null = null
        self._header = header

    @property
    def plain(self) -> bool:
        """Whether rows, and nothing else, follow in the form that PostgreSQL writes unless asked otherwise."""
        return self._delimiter == b"\t" and self._null == b"\\N" and not self._header

    def decode(self, data: bytes) -> Row | None:
        if self._header:
            self._header = False
            return None
        if not data.endswith(b"\n") or b"\n" in data[:-1]:
            raise Malformed("a COPY message that is not one row of text")
        return [None if raw == self._null else _unescape(raw) for raw in self._split(data[:-1])]

    def encode(self, row: Sequence[bytes | None]) -> bytes:
        return self._delimiter.join(self._null if v is None else self._escape(v) for v in row) + b"\n"

    def _split(self, line: bytes) -> list[bytes]:
        fields: list[bytes] = []
        for piece in line.split(self._delimiter):
            if fields and _ends_escaping(fields[-1]):
                fields[-1] += self._delimiter + piece
            else:
                fields.append(piece)
        return fields

    def _escape(self, value: bytes) -> bytes:
        escaped = b"".join(_ESCAPED.get(byte) or bytes((byte,)) for byte in value)
        return escaped if self._delimiter == b"\t" else escaped.replace(self._delimiter, b"\\" + self._delimiter)


def _ends_escaping(field: bytes) -> bool:
    return (len(field) - len(field.rstrip(b"\\"))) % 2 == 1


def _unescape(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw
    parts = raw.split(b"\\")
    value = parts[0]
    position = 1
    while position < len(parts):
        part = parts[position]
        if part:
            value += _ESCAPES.get(part[:1], part[:1]) + part[1:]
        elif position + 1 < len(parts):
            position += 1
            value += b"\\" + parts[position]
        position += 1
    return value


class CsvFormat:
    """The CSV format: NULL is the unquoted null string; quotes are doubled or escaped."""

    def __init__(
        self,
        delimiter: bytes = b",",
        null: bytes = b"",
        quote: bytes = b'"',
        escape: bytes = b'"',
        *,
        header: bool = False,
    ) -> None:
        self._delimiter, self._null, self._quote, self._escape = delimiter, null, quote, escape
        self._header = header

    def decode(self, data: bytes) -> Row | None:
        if self._header:
            self._header = False
            return None
        if not data.endswith(b"\n"):
            raise Malformed("a COPY message that is not one row of CSV")
        line, row, position = data[:-1], [], 0
        while True:
            value, position = self._field(line, position)
            row.append(value)
            if position >= len(line):
                return row
            position += 1
            if position == len(line):
                row.append(None if self._null == b"" else b"")
                return row

    def encode(self, row: Sequence[bytes | None]) -> bytes:
        return self._delimiter.join(self._null if v is None else self._quoted(v) for v in row) + b"\n"

    def _field(self, line: bytes, position: int) -> tuple[bytes | None, int]:
        if line[position : position + 1] != self._quote:
            end = line.find(self._delimiter, position)
            end = len(line) if end < 0 else end
            raw = line[position:end]
            return (None if raw == self._null else raw), end
        value = bytearray()
        position += 1
        while position < len(line):
            character, following = line[position : position + 1], line[position + 1 : position + 2]
            if character == self._escape and following in (self._quote, self._escape) and following:
                value += following
                position += 2
            elif character == self._quote:
                return self._after_quote(bytes(value), line, position + 1)
            else:
                value += character
                position += 1
        raise Malformed("a CSV field without its closing quote")

    def _after_quote(self, value: bytes, line: bytes, position: int) -> tuple[bytes, int]:
        if position < len(line) and line[position : position + 1] != self._delimiter:
            raise Malformed("bytes after a CSV field's closing quote")
        return value, position

    def _quoted(self, value: bytes) -> bytes:
        special = (self._delimiter, self._quote, self._escape, b"\n", b"\r")
        if value != self._null and value not in (b"", b"\\.") and not any(s in value for s in special):
            return value
        escaped = value
        if self._escape != self._quote:
            escaped = escaped.replace(self._escape, self._escape * 2)
        return self._quote + escaped.replace(self._quote, self._escape + self._quote) + self._quote


_SIGNATURE = b"PGCOPY\n\xff\r\n\0"


class BinaryFormat:
    """The binary format: a signature with the first row, then counted fields; -1 ends it."""

    def __init__(self) -> None:
        self._started = False
        self._header = b""

    def decode(self, data: bytes) -> Row | None:
        reader = Reader(data)
        self._header = b""
        if not self._started:
            self._header = self._read_header(reader, data)
            self._started = True
            if not reader.left:
                return None
        count = reader.int16()
        if count == -1:
            reader.finish()
            return None
        row: Row = []
        for _ in range(count):
            length = reader.int32()
            row.append(None if length == -1 else reader.take(length))
        reader.finish()
        return row

    def encode(self, row: Sequence[bytes | None]) -> bytes:
        values = b"".join(b"\xff\xff\xff\xff" if v is None else pack("!i", len(v)) + v for v in row)
        return self._header + pack("!h", len(row)) + values

    @staticmethod
    def _read_header(reader: Reader, data: bytes) -> bytes:
        if reader.take(len(_SIGNATURE)) != _SIGNATURE:
            raise Malformed("a binary COPY without its signature")
        reader.uint32()
        reader.take(reader.int32())
        return data[: len(data) - reader.left]


@dataclass(slots=True, eq=False)
class CopyMask:
    """Masks one COPY TO STDOUT: message body in, message body out."""

    format_: RowFormat
    plan: MaskPlan
    columns: int

    def mask_run(self, buffer: bytes, position: int) -> tuple[bytes | None, int, int]:
        """Mask the run of plain rows at `position`.

        Returns what replaces it (None: it passes as it is), where it ends, and how many rows it has: none where the row
        there must be read by itself.
        """
        if not isinstance(self.format_, TextFormat) or not self.format_.plain:
            return None, position, 0
        end, rows = plain_rows(buffer, position, self.columns)
        if not rows:
            return None, position, 0
        cells = self.plan.mask_cells(buffer, copy_places(buffer, position, rows, self.plan.wanted))
        return copy_spliced(buffer, position, end, cells), end, rows

    def mask(self, data: bytes) -> bytes:
        """Return the message's body as the client may see it.

        Raises:
            Malformed: it is not one row of the expected number of columns.
        """
        row = self.format_.decode(data)
        if row is None:
            return data
        if len(row) != self.columns:
            raise Malformed(f"a COPY row of {len(row)} columns where {self.columns} were expected")
        return self.format_.encode(row) if self.plan.mask(row) else data
