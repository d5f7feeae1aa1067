"""ALL_HEADERS: what stands before the body of a batch, an RPC and a transaction manager request.

Source: MS-TDS 2.2.5.3 "Packet Data Stream Headers - ALL_HEADERS Rule Definition".
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack

from blastwall.protocols.tds.fields import Fields, Short
from blastwall.wire.reader import Malformed

NOTIFICATION, TRANSACTION, TRACE = 1, 2, 3
_NAMES = {NOTIFICATION: "query notification", TRANSACTION: "transaction", TRACE: "trace activity"}
_SMALLEST = 6
_LARGEST = 64 << 10
"""No honest header is near this many bytes: the largest holds two names (2.2.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of a request.

    `transaction` is the descriptor of the transaction that it belongs to, 0 for none; `outstanding` how many requests
    the client has under way on the connection, 0 where neither is said. `notification` and `trace` are the data of
    those headers, where they are there. `size` is that of all headers in bytes.
    """

    transaction: int = 0
    outstanding: int = 0
    notification: bytes | None = None
    trace: bytes | None = None
    size: int = 0


def read_headers(payload: bytes) -> Headers:
    """Read the headers at the beginning of a request's payload.

    Raises:
        Malformed: lengths do not agree, a header is unknown, comes twice, or is not of its form.
    """
    try:
        total = Fields(payload).uint32()
    except Short:
        raise Malformed("a request without its headers") from None
    if not 4 <= total <= min(len(payload), _LARGEST):
        raise Malformed(f"headers of {total} bytes in a request of {len(payload)}")
    found: dict[int, bytes] = {}
    fields = Fields(payload, 4, total)
    while fields.left:
        kind, data = _read_one(fields)
        if kind in found:
            raise Malformed(f"a {_NAMES[kind]} header that comes twice")
        found[kind] = data
    descriptor, outstanding = _transaction(found.get(TRANSACTION))
    return Headers(descriptor, outstanding, found.get(NOTIFICATION), found.get(TRACE), total)


def _read_one(fields: Fields) -> tuple[int, bytes]:
    try:
        length = fields.uint32()
        if length < _SMALLEST:
            raise Malformed(f"a header of {length} bytes")
        kind = fields.uint16()
        data = fields.take(length - _SMALLEST)
    except Short:
        raise Malformed("a header that is longer than all headers") from None
    if kind not in _NAMES:
        raise Malformed(f"a header of the unknown type {kind}")
    return kind, data


def _transaction(data: bytes | None) -> tuple[int, int]:
    if data is None:
        return 0, 0
    fields = Fields(data)
    if fields.left != 12:
        raise Malformed(f"a transaction header with {fields.left} bytes of data, of 12")
    return fields.uint64(), fields.uint32()


def write_headers(transaction: int, outstanding: int = 1) -> bytes:
    """Write a transaction header alone: what a driver sends before each request."""
    return pack("<IIHQI", 22, 18, TRANSACTION, transaction, outstanding)


def with_transaction(payload: bytes, transaction: int) -> bytes:
    """Return a request's payload with another transaction descriptor.

    Raises:
        Malformed: it has no transaction header, or its headers cannot be read.
    """
    read_headers(payload)
    at = 4
    total = int.from_bytes(payload[:4], "little")
    while at < total:
        if int.from_bytes(payload[at + 4 : at + 6], "little") == TRANSACTION:
            return payload[: at + 6] + transaction.to_bytes(8, "little") + payload[at + 14 :]
        at += int.from_bytes(payload[at : at + 4], "little")
    raise Malformed("a request without a transaction header")
