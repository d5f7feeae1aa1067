"""Transaction manager requests: how drivers begin, commit and roll back without SQL.

Source: MS-TDS 2.2.6.9 "Transaction Manager Request". Names are B_VARBYTE: bytes of UTF-16 text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from blastwall.protocols.tds.fields import Fields, Short, text_of
from blastwall.protocols.tds.headers import Headers, read_headers, write_headers
from blastwall.wire.reader import Malformed


class Verb(IntEnum):
    """What is asked for. The first two and PROMOTE are distributed transactions' (DTC)."""

    ADDRESS = 0
    PROPAGATE = 1
    BEGIN = 5
    PROMOTE = 6
    COMMIT = 7
    ROLLBACK = 8
    SAVE = 9


_VERBS = {int(verb): verb for verb in Verb}
DISTRIBUTED = frozenset({Verb.ADDRESS, Verb.PROPAGATE, Verb.PROMOTE})
ISOLATIONS = ("", "read uncommitted", "read committed", "repeatable read", "serializable", "snapshot")
"""Isolation levels by number; 0 keeps the one in force."""
_BEGINS = 0x01


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `name` is that of the transaction or savepoint, or "".

    After COMMIT and ROLLBACK a transaction may begin at once: `begins`, with `begun` as its name. `isolation` is that
    of the one that begins. `data` is what a distributed transaction is told by.
    """

    headers: Headers
    verb: Verb
    name: str = ""
    isolation: int = 0
    begins: bool = False
    begun: str = ""
    data: bytes = b""


def read_transaction(payload: bytes) -> Request:
    """Read a request.

    Raises:
        Malformed: it is of an unknown type, or not of its form.
    """
    headers = read_headers(payload)
    fields = Fields(payload, headers.size)
    try:
        number = fields.uint16()
        verb = _VERBS.get(number)
        if verb is None:
            raise Malformed(f"a transaction request of the unknown type {number}")
        request = _request(headers, verb, fields)
    except Short:
        raise Malformed("a transaction request that ends too early") from None
    fields.finish("a transaction request")
    return request


def _request(headers: Headers, verb: Verb, fields: Fields) -> Request:
    if verb in (Verb.ADDRESS, Verb.PROPAGATE):
        return Request(headers, verb, data=fields.take(fields.uint16()))
    if verb is Verb.PROMOTE:
        return Request(headers, verb)
    if verb is Verb.BEGIN:
        isolation = _isolation(fields)
        return Request(headers, verb, _name(fields), isolation)
    name = _name(fields)
    if verb is Verb.SAVE:
        if not name:
            raise Malformed("a savepoint without a name")
        return Request(headers, verb, name)
    flags = fields.byte()
    if flags & ~_BEGINS:
        raise Malformed(f"a transaction request with the unknown flags {flags:#x}")
    if not flags:
        return Request(headers, verb, name)
    isolation = _isolation(fields)
    return Request(headers, verb, name, isolation, begins=True, begun=_name(fields))


def _isolation(fields: Fields) -> int:
    level = fields.byte()
    if level >= len(ISOLATIONS):
        raise Malformed(f"the unknown isolation level {level}")
    return level


def _name(fields: Fields) -> str:
    return text_of(fields.b_varbyte())


def write_transaction(verb: Verb, transaction: int, name: str = "", isolation: int = 0) -> bytes:
    """Write a BEGIN, COMMIT, ROLLBACK or SAVE of the gateway's own; `transaction` is the descriptor in force."""
    encoded = name.encode("utf-16-le")
    named = bytes((len(encoded),)) + encoded
    head = write_headers(transaction) + int(verb).to_bytes(2, "little")
    if verb is Verb.BEGIN:
        return head + bytes((isolation,)) + named
    return head + named + (b"" if verb is Verb.SAVE else b"\0")
