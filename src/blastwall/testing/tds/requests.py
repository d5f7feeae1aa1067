"""The client's messages, read: PRELOGIN, LOGIN7, RPC and transaction manager requests, bulk loads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.decoding import BadRequest, Reader, read_type, read_value

PROCEDURES = {
    1: "sp_cursor", 2: "sp_cursoropen", 3: "sp_cursorprepare", 4: "sp_cursorexecute", 5: "sp_cursorprepexec",
    6: "sp_cursorunprepare", 7: "sp_cursorfetch", 8: "sp_cursoroption", 9: "sp_cursorclose", 10: "sp_executesql",
    11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 14: "sp_prepexecrpc", 15: "sp_unprepare",
}  # fmt: skip
"""ProcIDs (MS-TDS 2.2.6.6)."""

BEGIN_TRANSACTION, COMMIT_TRANSACTION, ROLLBACK_TRANSACTION, SAVE_TRANSACTION = 5, 7, 8, 9

FEATURE_FEDAUTH, FEATURE_UTF8 = 2, 0x0A
SECURITY_TOKEN, ADAL = 1, 2


@dataclass(frozen=True, slots=True)
class Login:
    """What LOGIN7 says (MS-TDS 2.2.6.4)."""

    version: int
    packet_size: int
    host: str
    user: str
    password: str = field(repr=False)
    application: str
    server: str
    library: str
    language: str
    database: str
    sspi: bool
    features: dict[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an RPC. `kind` is its type's id on the wire."""

    name: str
    type: SqlType
    value: object
    output: bool
    default: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One procedure of an RPC request."""

    procedure: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """A transaction manager request (MS-TDS 2.2.6.9). `begin` follows a commit or rollback."""

    kind: int
    name: str = ""
    isolation: int = 0
    begin: bool = False


def read_prelogin(payload: bytes) -> dict[int, bytes]:
    """Return PRELOGIN's options (MS-TDS 2.2.6.5)."""
    options, at = {}, 0
    while at < len(payload) and payload[at] != 0xFF:
        kind, offset, length = struct.unpack_from(">BHH", payload, at)
        options[kind] = payload[offset : offset + length]
        at += 5
    return options


def prelogin(options: dict[int, bytes]) -> bytes:
    """Return a PRELOGIN message."""
    offset = 5 * len(options) + 1
    head, data = b"", b""
    for kind, value in options.items():
        head += struct.pack(">BHH", kind, offset + len(data), len(value))
        data += value
    return head + b"\xff" + data


def read_login(payload: bytes) -> Login:
    """Return what LOGIN7 says.

    Raises:
        BadRequest: it is none.
    """
    if len(payload) < 94 or struct.unpack_from("<I", payload)[0] != len(payload):
        raise BadRequest("LOGIN7 is not as long as it says")

    def text(at: int) -> str:
        offset, length = struct.unpack_from("<HH", payload, at)
        return payload[offset : offset + 2 * length].decode("utf-16-le")

    offset, length = struct.unpack_from("<HH", payload, 44)
    hidden = payload[offset : offset + 2 * length]
    clear = bytes(((byte ^ 0xA5) << 4 | (byte ^ 0xA5) >> 4) & 0xFF for byte in hidden).decode("utf-16-le")
    version, size = struct.unpack_from("<II", payload, 4)
    return Login(
        version=version, packet_size=size, host=text(36), user=text(40), password=clear, application=text(48),
        server=text(52), library=text(60), language=text(64), database=text(68), sspi=bool(payload[25] & 0x80),
        features=_features(payload) if payload[27] & 0x10 else {},
    )  # fmt: skip


def _features(payload: bytes) -> dict[int, bytes]:
    """FeatureExt: the extension's offset leads to a DWORD, which is the offset of the features."""
    (extension,) = struct.unpack_from("<H", payload, 56)
    (at,) = struct.unpack_from("<I", payload, extension)
    reader, features = Reader(payload, at), {}
    while (kind := reader.number(1)) != 0xFF:
        features[kind] = reader.take(reader.number(4))
    return features


def read_headers(payload: bytes) -> tuple[int, Reader]:
    """Read ALL_HEADERS (MS-TDS 2.2.5.3); return the transaction's descriptor and a reader of what follows."""
    reader = Reader(payload)
    total, descriptor = reader.number(4), 0
    end = total
    if total < 4 or total > len(payload):
        raise BadRequest("ALL_HEADERS is not as long as it says")
    while reader.at < end:
        size, kind = reader.number(4), reader.number(2)
        data = Reader(reader.take(size - 6))
        if kind == 2:
            descriptor = data.number(8)
    return descriptor, reader


def read_batch(payload: bytes) -> tuple[int, str]:
    """Return a batch's transaction descriptor and text."""
    descriptor, reader = read_headers(payload)
    return descriptor, reader.take(reader.left).decode("utf-16-le", "surrogatepass")


def read_calls(payload: bytes) -> tuple[int, list[Call]]:
    """Return an RPC request's transaction descriptor and calls (MS-TDS 2.2.6.6)."""
    descriptor, reader = read_headers(payload)
    calls = []
    while reader.left:
        length = reader.number(2)
        if length == 0xFFFF:
            number = reader.number(2)
            if number not in PROCEDURES:
                raise BadRequest(f"there is no system procedure with number {number}")
            name = PROCEDURES[number]
        else:
            name = reader.take(2 * length).decode("utf-16-le")
        reader.number(2)
        calls.append(Call(name, tuple(_parameters(reader))))
    return descriptor, calls


def _parameters(reader: Reader) -> Iterator[Parameter]:
    while reader.left:
        length = reader.number(1)
        if length in (0x80, 0xFE, 0xFF):
            return
        name, status = reader.take(2 * length).decode("utf-16-le"), reader.number(1)
        type_, kind = read_type(reader)
        yield Parameter(name, type_, read_value(reader, type_, kind), bool(status & 1), bool(status & 2))


def read_transaction(payload: bytes) -> TransactionRequest:
    """Return a transaction manager request."""
    _, reader = read_headers(payload)
    kind = reader.number(2)
    if kind == BEGIN_TRANSACTION:
        isolation = reader.number(1)
        return TransactionRequest(kind, _name(reader), isolation)
    if kind in (COMMIT_TRANSACTION, ROLLBACK_TRANSACTION):
        name = _name(reader)
        return TransactionRequest(kind, name, begin=bool(reader.left and reader.number(1) & 1))
    if kind == SAVE_TRANSACTION:
        return TransactionRequest(kind, _name(reader))
    raise BadRequest(f"transaction manager request {kind} is not supported by the test server")


def _name(reader: Reader) -> str:
    return reader.take(reader.number(1)).decode("utf-16-le") if reader.left else ""


def read_bulk(payload: bytes) -> tuple[list[tuple[str, SqlType]], list[list[object]]]:
    """Return the columns and rows of a bulk load (MS-TDS 2.2.6.1)."""
    reader = Reader(payload)
    if reader.number(1) != 0x81:
        raise BadRequest("a bulk load starts with COLMETADATA")
    columns, kinds = [], []
    for _ in range(reader.number(2)):
        reader.take(6)
        type_, kind = read_type(reader)
        if kind in (0x22, 0x23, 0x63):
            reader.us_varchar()
        columns.append((reader.b_varchar(), type_))
        kinds.append(kind)
    return columns, list(_bulk_rows(reader, columns, kinds))


def _bulk_rows(reader: Reader, columns: list[tuple[str, SqlType]], kinds: list[int]) -> Iterator[list[object]]:
    while reader.left:
        token = reader.number(1)
        if token == 0xD1:
            yield [_bulk_value(reader, type_, kind) for (_, type_), kind in zip(columns, kinds, strict=True)]
        elif token == 0xD2:
            bits = reader.take((len(columns) + 7) // 8)
            yield [
                None if bits[index >> 3] >> (index & 7) & 1 else _bulk_value(reader, type_, kinds[index])
                for index, (_, type_) in enumerate(columns)
            ]
        elif token in (0xFD, 0xFE, 0xFF):
            return
        else:
            raise BadRequest(f"token 0x{token:02X} in a bulk load")


def _bulk_value(reader: Reader, type_: SqlType, kind: int) -> object:
    if kind in (0x22, 0x23, 0x63):  # a row holds a text pointer before the value
        pointer = reader.number(1)
        if not pointer:
            return None
        reader.take(pointer + 8)
    return read_value(reader, type_, kind)
