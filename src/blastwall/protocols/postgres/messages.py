"""The messages of a running session: one small codec each, decode beside encode.

Source: PostgreSQL documentation, "Message Formats". A message is a type byte, an int32 length that counts itself but
not the type, and a body. Bodies are passed without type and length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, pack
from sys import intern

from blastwall.wire.reader import Malformed, Reader

_COUNT = Struct("!H")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


def frame(kind: bytes, body: bytes) -> bytes:
    """Put type and length before a body."""
    return kind + pack("!i", 4 + len(body)) + body


SYNC = frame(b"S", b"")
FLUSH = frame(b"H", b"")
TERMINATE = frame(b"X", b"")


# ── from the client ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepare `query` under `name`; `types` are the parameter types that the client fixes (0: unspecified)."""

    name: str
    query: str
    types: tuple[int, ...] = ()


def decode_parse(body: bytes) -> Parse:
    reader = Reader(body)
    name, query = reader.text(), reader.text()
    types = tuple(reader.uint32() for _ in range(_count(reader)))
    reader.finish()
    return Parse(name, query, types)


def encode_parse(parse: Parse) -> bytes:
    types = pack(f"!h{len(parse.types)}I", len(parse.types), *parse.types)
    return frame(b"P", cstring(parse.name) + cstring(parse.query) + types)


@dataclass(frozen=True, slots=True)
class Bind:
    """Open `portal` on the prepared `statement` with values; `results` are the result formats (0 text, 1 binary)."""

    portal: str
    statement: str
    formats: tuple[int, ...] = ()
    values: tuple[bytes | None, ...] = ()
    results: tuple[int, ...] = ()


def decode_bind(body: bytes) -> Bind:
    reader = Reader(body)
    portal, statement = reader.text(), reader.text()
    formats = read_formats(reader)
    values = read_values(reader)
    results = read_formats(reader)
    reader.finish()
    if len(formats) not in (0, 1, len(values)):
        raise Malformed(f"Bind with {len(formats)} formats for {len(values)} values")
    return Bind(portal, statement, formats, values, results)


def encode_bind(bind: Bind) -> bytes:
    values = b"".join(pack("!i", -1) if v is None else pack("!i", len(v)) + v for v in bind.values)
    return frame(
        b"B",
        cstring(bind.portal)
        + cstring(bind.statement)
        + pack(f"!h{len(bind.formats)}h", len(bind.formats), *bind.formats)
        + pack("!h", len(bind.values))
        + values
        + pack(f"!h{len(bind.results)}h", len(bind.results), *bind.results),
    )


def format_of(formats: Sequence[int], position: int) -> int:
    """The format of one value: none given means text, one given holds for all."""
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[position]


@dataclass(frozen=True, slots=True)
class Named:
    """The body of Describe and Close: `kind` is "S" for a prepared statement, "P" for a portal."""

    kind: str
    name: str


def decode_named(body: bytes) -> Named:
    reader = Reader(body)
    kind = reader.byte()
    if kind not in (b"S", b"P"):
        raise Malformed(f"Describe or Close of {kind!r}")
    name = reader.text()
    reader.finish()
    return Named(kind.decode(), name)


def encode_describe(named: Named) -> bytes:
    return frame(b"D", named.kind.encode() + cstring(named.name))


def encode_close(named: Named) -> bytes:
    return frame(b"C", named.kind.encode() + cstring(named.name))


@dataclass(frozen=True, slots=True)
class Execute:
    """Run `portal`; at most `rows` of its rows, 0 for all."""

    portal: str
    rows: int = 0


def decode_execute(body: bytes) -> Execute:
    reader = Reader(body)
    execute = Execute(reader.text(), reader.int32())
    reader.finish()
    return execute


def encode_execute(execute: Execute) -> bytes:
    return frame(b"E", cstring(execute.portal) + pack("!i", execute.rows))


def decode_query(body: bytes) -> str:
    reader = Reader(body)
    text = reader.text()
    reader.finish()
    return text


def encode_query(text: str) -> bytes:
    return frame(b"Q", cstring(text))


def encode_copy_fail(reason: str) -> bytes:
    return frame(b"f", cstring(reason))


# ── from the server ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Field:
    """A result column: its origin (`table` OID and attribute number, 0 where it has none), type and format."""

    name: str
    table: int
    attribute: int
    type_: int
    size: int = -1
    modifier: int = -1
    format_: int = 0


def decode_row_description(body: bytes) -> tuple[Field, ...]:
    reader = Reader(body)
    fields = tuple(
        Field(
            reader.text(),
            reader.uint32(),
            reader.int16(),
            reader.uint32(),
            reader.int16(),
            reader.int32(),
            reader.int16(),
        )
        for _ in range(_count(reader))
    )
    reader.finish()
    return fields


def encode_row_description(fields: Iterable[Field]) -> bytes:
    rows = [
        cstring(f.name) + pack("!IhIhih", f.table, f.attribute, f.type_, f.size, f.modifier, f.format_) for f in fields
    ]
    return frame(b"T", pack("!h", len(rows)) + b"".join(rows))


def decode_data_row(body: bytes) -> list[bytes | None]:
    """Read a row's values, None for NULL. Written out, since it runs for every row under a mask plan."""
    size = len(body)
    if size < _COUNT.size:
        raise Malformed("it ends too early")
    row: list[bytes | None] = []
    position = _COUNT.size
    for _ in range(_COUNT.unpack_from(body)[0]):
        start = position + _LENGTH.size
        if start > size:
            raise Malformed("it ends too early")
        length = _LENGTH.unpack_from(body, position)[0]
        if length == -1:
            row.append(None)
            position = start
            continue
        position = start + length
        if length < 0 or position > size:
            raise Malformed("it ends too early")
        row.append(body[start:position])
    if position != size:
        raise Malformed(f"{size - position} bytes after its end")
    return row


def encode_data_row(row: Sequence[bytes | None]) -> bytes:
    """Write a row's values. Written out, for the same reason."""
    parts = [_COUNT.pack(len(row))]
    for value in row:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH.pack(len(value)))
            parts.append(value)
    return frame(b"D", b"".join(parts))


def decode_parameter_types(body: bytes) -> tuple[int, ...]:
    reader = Reader(body)
    types = tuple(reader.uint32() for _ in range(_count(reader)))
    reader.finish()
    return types


def decode_parameter_status(body: bytes) -> tuple[str, str]:
    reader = Reader(body)
    name, value = intern(reader.text()), intern(reader.text())  # every session is told the same
    reader.finish()
    return name, value


def encode_parameter_status(name: str, value: str) -> bytes:
    return frame(b"S", cstring(name) + cstring(value))


def decode_command_tag(body: bytes) -> str:
    reader = Reader(body)
    tag = reader.text()
    reader.finish()
    return tag


def affected_rows(tag: str) -> int | None:
    """The rows that a command changed, None for one that changes none: "INSERT 0 5" gives 5."""
    words = tag.split(" ")
    if words[0] in ("INSERT", "UPDATE", "DELETE", "MERGE") and words[-1].isdigit():
        return int(words[-1])
    return None


@lru_cache(maxsize=256)
def affected_by(body: bytes) -> int | None:
    """The rows that a command changed, by the body of its CommandComplete; see `affected_rows`."""
    return affected_rows(decode_command_tag(body))


def tag_rows(tag: str) -> int | None:
    """The count at a command tag's end, whatever it counts: "COPY 12" gives 12."""
    word = tag.rsplit(" ", 1)[-1]
    return int(word) if word.isdigit() else None


def encode_ready(status: bytes) -> bytes:
    return frame(b"Z", status)


def decode_ready(body: bytes) -> bytes:
    if body not in (b"I", b"T", b"E"):
        raise Malformed(f"ReadyForQuery with the status {body[:8]!r}")
    return body


def cstring(value: str) -> bytes:
    encoded = value.encode()
    if b"\0" in encoded:
        raise ValueError("a string cannot hold a NUL byte")
    return encoded + b"\0"


def _count(reader: Reader) -> int:
    """A count of an array. PostgreSQL reads it as unsigned 16 bits (65,535 parameters are possible)."""
    return reader.int16() & 0xFFFF


def read_values(reader: Reader) -> tuple[bytes | None, ...]:
    """The values of Bind and FunctionCall, None for NULL."""
    values: list[bytes | None] = []
    for _ in range(_count(reader)):
        length = reader.int32()
        values.append(None if length == -1 else reader.take(length))
    return tuple(values)


def read_formats(reader: Reader) -> tuple[int, ...]:
    """The formats of Bind and FunctionCall: 0 text, 1 binary."""
    formats = tuple(reader.int16() for _ in range(_count(reader)))
    if any(value not in (0, 1) for value in formats):
        raise Malformed("a format that is neither text nor binary")
    return formats
