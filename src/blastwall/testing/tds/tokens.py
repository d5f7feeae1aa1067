"""The tokens of a reply, each with its section of MS-TDS."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from blastwall.testing.tds.datatypes import COLLATION, SqlType
from blastwall.testing.tds.encoding import Encoder, b_varchar, encoder, type_info, us_varchar

DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF
MORE, ERROR, IN_TRANSACTION, COUNT, ATTENTION_ACKNOWLEDGED, SERVER_ERROR = 1, 2, 4, 0x10, 0x20, 0x100

DATABASE, LANGUAGE, PACKET_SIZE, SQL_COLLATION, BEGIN, COMMIT, ROLLBACK = 1, 2, 4, 7, 8, 9, 10
RESET_DONE, ROUTING = 18, 20

SELECT_COMMAND, INSERT_COMMAND, DELETE_COMMAND, UPDATE_COMMAND, MERGE_COMMAND = 0xC1, 0xC3, 0xC4, 0xC5, 0x117
_TABLE_OF_TEXT = ("text", "ntext", "image")


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result."""

    name: str
    type: SqlType
    nullable: bool = True
    identity: bool = False
    updatable: bool = False


def done(kind: int, status: int, command: int = 0, rows: int = 0) -> bytes:
    """DONE, DONEPROC, DONEINPROC (MS-TDS 2.2.7.6 to 2.2.7.8)."""
    return struct.pack("<BHHQ", kind, status, command, rows)


def message(number: int, state: int, severity: int, text: str, *, server: str, procedure: str, line: int) -> bytes:
    """ERROR (2.2.7.10) from class 11 on, INFO (2.2.7.13) below."""
    body = struct.pack("<iBB", number, state, severity) + us_varchar(text[:4000])
    body += b_varchar(server) + b_varchar(procedure) + struct.pack("<i", line)
    return struct.pack("<BH", 0xAA if severity > 10 else 0xAB, len(body)) + body


def env_change(kind: int, new: bytes, old: bytes) -> bytes:
    """ENVCHANGE (2.2.7.9) with its values as they travel, lengths included."""
    body = bytes((kind,)) + new + old
    return struct.pack("<BH", 0xE3, len(body)) + body


def env_text(kind: int, new: str, old: str) -> bytes:
    """ENVCHANGE of a name."""
    return env_change(kind, b_varchar(new), b_varchar(old))


def env_bytes(kind: int, new: bytes, old: bytes) -> bytes:
    """ENVCHANGE of bytes: a collation, a transaction's descriptor."""
    return env_change(kind, bytes((len(new),)) + new, bytes((len(old),)) + old)


def routing(host: str, port: int) -> bytes:
    """ENVCHANGE 20: go there instead, over TCP."""
    value = b"\0" + struct.pack("<H", port) + us_varchar(host)
    return env_change(ROUTING, struct.pack("<H", len(value)) + value, b"\0\0")


def collation_change() -> bytes:
    """ENVCHANGE 7."""
    return env_bytes(SQL_COLLATION, COLLATION, b"")


def login_ack(version: int, program: str = "Microsoft SQL Server") -> bytes:
    """LOGINACK (2.2.7.14), as of SQL Server 16.0.1000 (Azure SQL answers 12.0.2000)."""
    body = b"\x01" + version.to_bytes(4, "big") + b_varchar(program) + bytes((12, 0, 0x07, 0xD0))
    return struct.pack("<BH", 0xAD, len(body)) + body


def feature_ext_ack(features: Sequence[tuple[int, bytes]]) -> bytes:
    """FEATUREEXTACK (2.2.7.11): only what the client asked for."""
    if not features:
        return b""
    body = b"".join(bytes((kind,)) + struct.pack("<I", len(data)) + data for kind, data in features)
    return b"\xae" + body + b"\xff"


def fed_auth_info(sts_url: str, spn: str) -> bytes:
    """FEDAUTHINFO (2.2.7.12): where the client gets a token, and what for."""
    values = [(1, sts_url.encode("utf-16-le")), (2, spn.encode("utf-16-le"))]
    offset = 4 + 9 * len(values)
    options, data = b"", b""
    for kind, value in values:
        options += struct.pack("<BII", kind, len(value), offset + len(data))
        data += value
    body = struct.pack("<I", len(values)) + options + data
    return b"\xee" + struct.pack("<I", len(body)) + body


def return_status(value: int) -> bytes:
    """RETURNSTATUS (2.2.7.18)."""
    return struct.pack("<Bi", 0x79, value)


def return_value(ordinal: int, name: str, type_: SqlType, value: object) -> bytes:
    """RETURNVALUE (2.2.7.19) of an output parameter."""
    head = struct.pack("<BH", 0xAC, ordinal) + b_varchar(name) + b"\x01" + struct.pack("<IH", 0, 1)
    return head + type_info(type_) + encoder(type_)(value)


def order(ordinals: Sequence[int]) -> bytes:
    """ORDER (2.2.7.17)."""
    return struct.pack("<BH", 0xA9, 2 * len(ordinals)) + b"".join(struct.pack("<H", one) for one in ordinals)


def col_metadata(columns: Sequence[ResultColumn]) -> bytes:
    """COLMETADATA (2.2.7.4)."""
    if not columns:
        return b"\x81\xff\xff"
    parts = [struct.pack("<BH", 0x81, len(columns))]
    for column in columns:
        flags = column.nullable | (0x04 if column.updatable else 0x08) | (0x10 if column.identity else 0)
        parts.append(struct.pack("<IH", 0, flags) + type_info(column.type, nullable=column.nullable))
        if column.type.name in _TABLE_OF_TEXT:
            parts.append(b"\x01" + us_varchar("table"))
        parts.append(b_varchar(column.name[:128]))
    return b"".join(parts)


class RowEncoder:
    """ROW (2.2.7.20), or NBCROW (2.2.7.16) where a null is in it."""

    def __init__(self, columns: Sequence[ResultColumn]) -> None:
        self._encoders: list[Encoder] = [encoder(one.type, nullable=one.nullable) for one in columns]
        self._bitmap = (len(columns) + 7) // 8

    def encode(self, row: Sequence[object]) -> bytes:
        """Return one row."""
        if None not in row:
            return b"\xd1" + b"".join([one(value) for one, value in zip(self._encoders, row, strict=True)])
        bits = bytearray(self._bitmap)
        parts = []
        for index, (one, value) in enumerate(zip(self._encoders, row, strict=True)):
            if value is None:
                bits[index >> 3] |= 1 << (index & 7)
            else:
                parts.append(one(value))
        return b"\xd2" + bytes(bits) + b"".join(parts)
