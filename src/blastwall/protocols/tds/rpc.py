"""Remote procedure calls: one or several in a message, each with its parameters.

Source: MS-TDS 2.2.6.6 "RPC Request". Since TDS 7.2 calls are parted by 0xFF; 0x80, which parted them before, is taken
for neither that nor the length of a name, and 0xFE, which asks for a call without running it, is not understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from blastwall.protocols.tds.fields import Fields, Short
from blastwall.protocols.tds.headers import Headers, read_headers
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.types import TypeInfo, read_type
from blastwall.wire.reader import Malformed

NO_METADATA, REUSE_METADATA = 0x02, 0x04
"""Options of a call: its result's columns are not to be told, or as they were."""
_KNOWN_OPTIONS = 0x07
BY_REFERENCE, DEFAULT, ENCRYPTED = 0x01, 0x02, 0x08
"""Flags of a parameter: its value comes back, it is left at its default, its value is encrypted."""
_NUMBERED = 0xFFFF
_NEXT = 0xFF
_LONGEST_NAME = 127


@dataclass(frozen=True, slots=True)
class RpcParameter:
    """One parameter. `field` is the value with its length, as it stands in a row: see `values.py`."""

    name: str
    flags: int
    type: TypeInfo
    field: bytes


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call: of a system procedure by its number, or by a name."""

    procedure: str | int
    options: int
    parameters: tuple[RpcParameter, ...]


def read_rpcs(payload: bytes) -> tuple[Headers, tuple[Rpc, ...]]:
    """Read the headers and calls of a message.

    Raises:
        Malformed: it is not of its form, or holds no call.
    """
    headers = read_headers(payload)
    fields = Fields(payload, headers.size)
    calls: list[Rpc] = []
    try:
        while fields.left:
            calls.append(_call(fields))
    except Short:
        raise Malformed("a call that ends too early") from None
    if not calls:
        raise Malformed("an RPC message without a call")
    return headers, tuple(calls)


def _call(fields: Fields) -> Rpc:
    length = fields.uint16()
    procedure: str | int = fields.uint16() if length == _NUMBERED else fields.characters(length)
    options = fields.uint16()
    if options & ~_KNOWN_OPTIONS:
        raise Malformed(f"a call with the unknown options {options:#x}")
    parameters: list[RpcParameter] = []
    while fields.left:
        length = fields.byte()
        if length == _NEXT:
            break
        parameters.append(_parameter(length, fields))
    return Rpc(procedure, options, tuple(parameters))


def _parameter(length: int, fields: Fields) -> RpcParameter:
    if length > _LONGEST_NAME:
        raise Malformed(f"a parameter with a name of {length} characters")
    name, flags = fields.characters(length), fields.byte()
    if flags & ENCRYPTED:
        raise Malformed("an encrypted parameter, which was not negotiated")
    type_ = read_type(fields, request=True)
    return RpcParameter(name, flags, type_, _field(type_, fields))


def _field(type_: TypeInfo, fields: Fields) -> bytes:
    walk = RowWalk(_plan(type_))
    walk.begin_single()
    start, end = fields.at, walk.walk(fields.data, fields.at, len(fields.data))
    if not walk.rows:
        raise Short("it ends too early")
    return fields.take(end - start)


@lru_cache(maxsize=512)
def _plan(type_: TypeInfo) -> RowPlan:
    return RowPlan((type_,))
