"""Remote procedure calls: one or several in a message, each with its parameters.

Source: MS-TDS 2.2.6.6 "RPC Request". Since TDS 7.2 calls are parted by 0xFF; 0x80, which parted them before, is taken
neither for that nor for the length of a name: a server might take it for the other. 0xFE, which asks for the call
before it not to be run, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from struct import pack

from blastwall.protocols.tds import types
from blastwall.protocols.tds.fields import Fields, Short, b_varchar, us_varchar
from blastwall.protocols.tds.headers import Headers, read_headers
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.tvp import read_table
from blastwall.protocols.tds.types import TypeInfo, read_type, write_type
from blastwall.wire.reader import Malformed

RECOMPILE, NO_METADATA, REUSE_METADATA = 0x01, 0x02, 0x04
"""Options of a call: plan it anew; do not tell the result's columns; they are as they were."""
BY_REFERENCE, DEFAULT, ENCRYPTED = 0x01, 0x02, 0x08
"""Flags of a parameter: its value comes back, it is left at its default, its value is encrypted."""
_NUMBERED = 0xFFFF
_NEXT, _NOT_RUN, _OLD_NEXT = 0xFF, 0xFE, 0x80
_LONGEST_NAME = 127
_NAME = re.compile(r"[\w@$#]*")
"""A parameter's name, or none. People approve it as they read it: one with other characters could show them another."""
_LONGEST_PROCEDURE = 523
"""Characters: 1046 bytes (2.2.6.6, ProcName)."""
_MOST_PARAMETERS = 4200
"""Twice what SQL Server takes (2,100)."""
MOST_CALLS = 5_000
"""The most calls in one request: each is asked for by itself."""
MOST_TOGETHER = 50_000
"""The most parameters of all calls of a request: they are read on the data loop, ten microseconds or more for each."""
_REFUSED = frozenset(
    {types.NULL, types.CHAR, types.VARCHAR, types.BINARY, types.VARBINARY, types.DECIMAL, types.NUMERIC}
)
"""Types of clients before TDS 7: of some of them it is not written down whether a collation follows."""


class TooManyCalls(Exception):
    """A request holds more calls, or more parameters, than are read of one; the text says how many."""


@dataclass(frozen=True, slots=True)
class RpcParameter:
    """One parameter. `field` is the value with its length, as it stands in a row: see `values.py`.

    Of a table `type` is TVP, with its type's name in `names`; `field` is all of it, and `rows` how many it has.
    """

    name: str
    flags: int
    type: TypeInfo
    field: bytes = field(repr=False)
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call: of a system procedure by its number, or by a name.

    `options_at` is where its options stand in the message, `begins` where each of its parameters does.
    """

    procedure: str | int
    options: int
    parameters: tuple[RpcParameter, ...]
    options_at: int = field(default=0, compare=False)
    begins: tuple[int, ...] = field(default=(), compare=False, repr=False)


def read_rpcs(payload: bytes) -> tuple[Headers, tuple[Rpc, ...]]:
    """Read the headers and calls of a message.

    Raises:
        Malformed: it is not of its form, holds no call, or something that could be read in two ways.
        TooManyCalls: it holds so much that it is not read to its end.
    """
    headers = read_headers(payload)
    fields = Fields(payload, headers.size)
    calls: list[Rpc] = []
    parameters = 0
    try:
        while fields.left:
            if len(calls) == MOST_CALLS:
                raise TooManyCalls(f"more than {MOST_CALLS:,} calls in one request; send less at once")
            calls.append(_call(fields))
            parameters += len(calls[-1].parameters)
            if parameters > MOST_TOGETHER:
                raise TooManyCalls(f"more than {MOST_TOGETHER:,} parameters in one request; send less at once")
    except Short:
        raise Malformed("a call that ends too early") from None
    if not calls:
        raise Malformed("an RPC message without a call")
    return headers, tuple(calls)


def with_metadata(payload: bytes, calls: Iterable[Rpc]) -> bytes | None:
    """Return the payload with each call's result described anew; None where that is asked for already."""
    asked = [one for one in calls if one.options & (NO_METADATA | REUSE_METADATA)]
    if not asked:
        return None
    changed = bytearray(payload)
    for one in asked:
        changed[one.options_at] = one.options & RECOMPILE
    return bytes(changed)


def _call(fields: Fields) -> Rpc:
    length = fields.uint16()
    procedure: str | int = fields.uint16() if length == _NUMBERED else _procedure(length, fields)
    options_at, options = fields.at, fields.uint16()
    if options & ~(RECOMPILE | NO_METADATA | REUSE_METADATA):
        raise Malformed(f"a call with the unknown options {options:#x}")
    parameters: list[RpcParameter] = []
    begins: list[int] = []
    while fields.left and (mark := fields.byte()) != _NEXT:
        if len(parameters) == _MOST_PARAMETERS:
            raise Malformed(f"a call with more than {_MOST_PARAMETERS} parameters")
        begins.append(fields.at - 1)
        parameters.append(_parameter(mark, fields))
    return Rpc(procedure, options, tuple(parameters), options_at, tuple(begins))


def read_parameter(fields: Fields) -> RpcParameter:
    """Read one parameter.

    Raises:
        Malformed: it is none; another call begins there, above all.
        Short: it ends too early.
    """
    return _parameter(fields.byte(), fields)


def _procedure(length: int, fields: Fields) -> str:
    if not 0 < length <= _LONGEST_PROCEDURE:
        raise Malformed(f"a call of a procedure with a name of {length} characters")
    return fields.characters(length)


def _parameter(length: int, fields: Fields) -> RpcParameter:
    if length == _NOT_RUN:
        raise Malformed("a call that is not to be run")
    if length > _LONGEST_NAME:
        raise Malformed(f"a parameter with a name of {length} characters, or an old client's next call")
    name, flags = fields.characters(length), fields.byte()
    if not _NAME.fullmatch(name):
        raise Malformed("a parameter with a name that T-SQL does not allow")
    if flags & ~(BY_REFERENCE | DEFAULT):
        what = "encrypted, which was not negotiated" if flags == ENCRYPTED else f"of the unknown flags {flags:#x}"
        raise Malformed(f"a parameter that is {what}")
    if fields.left and fields.data[fields.at] == types.TVP:
        return _table(name, flags, fields)
    type_ = read_type(fields, request=True)
    if type_.type in _REFUSED:
        raise Malformed(f"a parameter of an old client's type {type_.declared} ({type_.type:#04x})")
    return RpcParameter(name, flags, type_, _value(type_, fields))


def _table(name: str, flags: int, fields: Fields) -> RpcParameter:
    if flags:
        raise Malformed("a table that comes back, or is left at its default")
    start = fields.at
    table = read_table(fields)
    return RpcParameter(name, flags, table.type, fields.data[start : fields.at], table.rows)


def _value(type_: TypeInfo, fields: Fields) -> bytes:
    walk = RowWalk(_plan(type_))
    walk.begin_single()
    start, end = fields.at, walk.walk(fields.data, fields.at, fields.at + fields.left)
    if not walk.rows:
        raise Short("it ends too early")
    return fields.take(end - start)


@lru_cache(maxsize=512)
def _plan(type_: TypeInfo) -> RowPlan:
    return RowPlan((type_,))


def write_rpcs(headers: bytes, calls: Iterable[Rpc]) -> bytes:
    """Write the payload of a message of calls, behind its headers."""
    return headers + bytes((_NEXT,)).join(map(_written, calls))


def _written(rpc: Rpc) -> bytes:
    numbered = isinstance(rpc.procedure, int)
    head = pack("<HH", _NUMBERED, rpc.procedure) if numbered else us_varchar(str(rpc.procedure))
    return head + pack("<H", rpc.options) + b"".join(map(_written_parameter, rpc.parameters))


def _written_parameter(one: RpcParameter) -> bytes:
    type_ = b"" if one.type.type == types.TVP else write_type(one.type, request=True)
    return b_varchar(one.name) + bytes((one.flags,)) + type_ + one.field
