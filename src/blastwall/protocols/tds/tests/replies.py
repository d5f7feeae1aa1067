"""Rows and replies written by the tests' own hand, so that no codec of the gateway's is held against itself."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

from blastwall.protocols.tds import types
from blastwall.protocols.tds.collations import Collation
from blastwall.protocols.tds.types import MAX, Prefix, TypeInfo

LATIN = Collation(0x00D00409, 52)
JAPANESE = Collation(0x00000411, 0)
UTF8 = Collation(0x04D00409, 0)
POINTER = b"\x10" + bytes(16) + bytes(8)

Value = bytes | None

KINDS: dict[str, TypeInfo] = {
    "int": TypeInfo(types.INT4, 4),
    "nullable int": TypeInfo(types.INTN, 4),
    "bigint": TypeInfo(types.INTN, 8),
    "guid": TypeInfo(types.GUID, 16),
    "decimal": TypeInfo(types.DECIMALN, 9, 18, 2),
    "varchar": TypeInfo(types.BIGVARCHAR, 60, collation=LATIN),
    "char": TypeInfo(types.BIGCHAR, 60, collation=LATIN),
    "nvarchar": TypeInfo(types.NVARCHAR, 60, collation=LATIN),
    "nchar": TypeInfo(types.NCHAR, 60, collation=LATIN),
    "nvarchar(max)": TypeInfo(types.NVARCHAR, MAX, collation=LATIN),
    "varchar(max)": TypeInfo(types.BIGVARCHAR, MAX, collation=JAPANESE),
    "utf8": TypeInfo(types.BIGVARCHAR, 60, collation=UTF8),
    "varbinary": TypeInfo(types.BIGVARBINARY, 60),
    "text": TypeInfo(types.TEXT, 0x7FFFFFFF, collation=LATIN, pointed=True),
    "ntext": TypeInfo(types.NTEXT, 0x7FFFFFFE, collation=LATIN, pointed=True),
    "xml": TypeInfo(types.XML, MAX),
    "json": TypeInfo(types.JSON, MAX),
    "variant": TypeInfo(types.VARIANT, 8009),
}


def encoded(type_: TypeInfo, text: str) -> bytes:
    """A text's bytes in a type, filled up with spaces where it is of a fixed length."""
    charset = type_.charset or "utf-8"
    value = text.encode(charset)
    if type_.type in (types.BIGCHAR, types.NCHAR):
        value += " ".encode(charset) * ((type_.size - len(value)) // len(" ".encode(charset)))
    return value


def field(type_: TypeInfo, value: Value, parts: int = 1) -> bytes:
    """A value as it stands in a row; one in parts is cut into so many."""
    prefix = type_.prefix
    if prefix is Prefix.FIXED:
        return value or b""
    if value is None:
        return type_.null
    if prefix in (Prefix.BYTE, Prefix.EXACT):
        return bytes((len(value),)) + value
    if prefix is Prefix.SHORT:
        return pack("<H", len(value)) + value
    if prefix is Prefix.POINTER:
        return POINTER + pack("<I", len(value)) + value
    if prefix is Prefix.PARTS:
        step = max(1, -(-len(value) // parts))
        cut = [value[at : at + step] for at in range(0, len(value), step)]
        total = len(value) if parts < 3 else 0xFFFFFFFFFFFFFFFE
        return pack("<Q", total) + b"".join(pack("<I", len(one)) + one for one in cut) + bytes(4)
    return pack("<I", len(value)) + value


def row(columns: Sequence[TypeInfo], values: Sequence[Value], *, nbc: bool = False, parts: int = 1) -> bytes:
    """A ROW, or an NBCROW."""
    if not nbc:
        return b"\xd1" + b"".join(field(*pair, parts) for pair in zip(columns, values, strict=True))
    bitmap = bytearray((len(columns) + 7) // 8)
    for index, value in enumerate(values):
        if value is None:
            bitmap[index // 8] |= 1 << index % 8
    there = (field(*pair, parts) for pair in zip(columns, values, strict=True) if pair[1] is not None)
    return b"\xd2" + bytes(bitmap) + b"".join(there)


def described(columns: Sequence[tuple[str, TypeInfo]], flags: int = 0) -> bytes:
    """A COLMETADATA."""
    text = pack("<BH", 0x81, len(columns))
    for name, type_ in columns:
        table = b"\1\1\0t\0" if type_.pointed else b""
        text += pack("<IH", 0, flags) + types.write_type(type_) + table + bytes((len(name),)) + name.encode("utf-16-le")
    return text


def done(rows: int | None = None, *, kind: int = 0xFD, more: bool = False, command: int = 0xC1, bits: int = 0) -> bytes:
    """A DONE, or its like."""
    status = bits | (0x10 if rows is not None else 0) | (1 if more else 0)
    return pack("<BHHQ", kind, status, command, rows or 0)


def said(number: int, text: str, *, kind: int = 0xAA, severity: int = 16) -> bytes:
    """An ERROR, or an INFO."""
    message = text.encode("utf-16-le")
    body = pack("<iBBH", number, 1, severity, len(message) // 2) + message + b"\3s\0r\0v\0" + b"\0" + pack("<i", 7)
    return pack("<BH", kind, len(body)) + body


def packets(payload: bytes, size: int = 512, *, number: int = 1) -> bytes:
    """A reply in packets."""
    room, sent = size - 8, b""
    starts = range(0, max(len(payload), 1), room)
    for count, start in enumerate(starts, number):
        part = payload[start : start + room]
        last = start + room >= len(payload)
        sent += pack(">BBHHBB", 4, int(last), 8 + len(part), 51, count & 255, 0) + part
    return sent


def payload_of(sent: bytes) -> bytes:
    """The payload of packets, which must be one whole reply or the beginning of one."""
    payload = b""
    while sent:
        length = int.from_bytes(sent[2:4], "big")
        assert sent[0] == 4, sent[:8]
        assert 8 < length <= len(sent), sent[:8]
        payload, sent = payload + sent[8:length], sent[length:]
    return payload
