"""Calls of sp_executesql and sp_execute, as far as they must be read where all but their values is known already.

`values_begin` finds where the values may begin; what stands before is compared byte for byte with a call that was read
whole, so a wrong guess finds nothing. The values are read as every call's are.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.protocols.tds.fields import Fields, Short
from blastwall.protocols.tds.rpc import DEFAULT, RpcParameter, read_parameter
from blastwall.protocols.tds.values import decoded
from blastwall.wire.reader import Malformed

_EXECUTESQL, _EXECUTE = 2, 1
"""How many parameters stand before the values: the text and the declarations; the handle."""
_BEFORE = {
    b"\xff\xff\x0a\0": _EXECUTESQL,
    b"\xff\xff\x0c\0": _EXECUTE,
    b"\x0d\0" + "sp_executesql".encode("utf-16-le"): _EXECUTESQL,
    b"\x0a\0" + "sp_execute".encode("utf-16-le"): _EXECUTE,
}
"""The same by the procedure as it stands in a call: by its number (MS-TDS 2.2.6.6), or by its name."""
_NUMBERED = 0xFFFF
_OUTSTANDING, _OPTIONS = 4, 2
_NVARCHAR, _INTN = 0xE7, 0x26
_PARTS = 0xFFFF


def values_begin(data: bytes, at: int) -> int:
    """Return where the values begin of a call in a packet whose transaction descriptor ends at `at`; 0 for any other.

    The text and the declarations must be nvarchar, the handle an integer, as drivers send them.
    """
    at += _OUTSTANDING
    size = len(data)
    length = int.from_bytes(data[at : at + 2], "little")
    end = at + 2 + 2 * (1 if length == _NUMBERED else length)
    count = _BEFORE.get(data[at:end])
    if count is None:
        return 0
    at = end + _OPTIONS
    for _ in range(count):
        if at >= size:
            return 0
        at += 2 + 2 * data[at]  # the name behind its length, and the flags
        kind = data[at] if at + 10 < size else 0
        if kind == _INTN:
            at += 3 + data[at + 2]
        elif kind == _NVARCHAR:
            at = _behind_text(data, at)
        else:
            return 0
        if not at:
            return 0
    return at if at <= size else 0


def _behind_text(data: bytes, at: int) -> int:
    """Return where the nvarchar ends whose type stands at `at`; 0 where it comes in more than one part."""
    largest, at = data[at + 1] | data[at + 2] << 8, at + 8
    if largest != _PARTS:
        length = int.from_bytes(data[at : at + 2], "little")
        return at + 2 + (0 if length == _PARTS else length)
    part = int.from_bytes(data[at + 8 : at + 12], "little")
    end = at + 12 + part
    if not part:
        return end
    return end + 4 if data[end : end + 4] == b"\0\0\0\0" else 0


def other_values(data: bytes, at: int, given: Sequence[RpcParameter]) -> tuple[str | bytes | None, ...] | None:
    """Return the values from `at` to the packet's end; None where they are not of the same names, flags and types."""
    fields = Fields(data, at)
    values: list[str | bytes | None] = []
    try:
        for known in given:
            one = read_parameter(fields)
            if one.name != known.name or one.flags != known.flags or one.type != known.type:
                return None
            values.append(None if one.flags & DEFAULT else decoded(one.field, one.type))
    except (Short, Malformed):
        return None
    return None if fields.left else tuple(values)
