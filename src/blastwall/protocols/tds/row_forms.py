"""Whole rows, and where the values in them end; `rows` walks rows that need not be read and may arrive in pieces.

Source: MS-TDS 2.2.5.2 "Packet Data Stream Types", 2.2.7.15 "NBCROW", 2.2.7.20 "ROW". The compiled twin is typed by
`row_forms.pxd`.
"""

from __future__ import annotations

from blastwall.protocols.tds.rows import RowPlan
from blastwall.protocols.tds.types import Prefix
from blastwall.wire.reader import Malformed

ROW, NBC_ROW = 0xD1, 0xD2
_ROW, _NBC = ROW, NBC_ROW
_FIXED, _EXACT, _SHORT = map(int, (Prefix.FIXED, Prefix.EXACT, Prefix.SHORT))
_VARIANT, _PARTS, _POINTER = map(int, (Prefix.VARIANT, Prefix.PARTS, Prefix.POINTER))
LENGTHS = bytes((0, 1, 1, 2, 4, 4, 8, 4))
"""By `Prefix`: the bytes of the length that stands before a value."""
_LENGTHS = LENGTHS
_NO_SHORT = 0xFFFF
_STAMP = 8
"""Bytes of the timestamp behind a text pointer."""
_ONES, _ONES_BUT_ONE = 0xFFFFFFFF, 0xFFFFFFFE


def whole_rows(plan: RowPlan, buffer: bytes, position: int, most: int) -> tuple[int, int, int]:
    """Return where the whole rows that begin at `position` end, how many they are, and what the next one needs.

    That is the least size of the buffer in which the row after them could be whole; 0 where no row follows, or `most`
    were found.

    Raises:
        Malformed: a length is greater than its column allows.
    """
    stop = len(buffer)
    data = buffer
    rows = needed = 0
    while rows < most and position < stop and (data[position] == _ROW or data[position] == _NBC):
        end = row_end(plan, data, position, stop)
        if end < 0:
            needed = -end
            break
        position = end
        rows += 1
    return position, rows, needed


def row_end(plan: RowPlan, data: bytes, position: int, stop: int) -> int:
    """Return where the row at `position` ends; the negated size that the buffer must have where it does not."""
    at = position + 1
    bitmap = 0
    if data[position] == _NBC:
        bitmap = at
        at += plan.bitmap
        if at > stop:
            return -at
    for column in range(plan.count):
        if bitmap and data[bitmap + (column >> 3)] >> (column & 7) & 1:
            continue
        at = value_end(plan, data, column, at, stop)
        if at < 0:
            return at
    return at


def value_end(plan: RowPlan, data: bytes, column: int, at: int, stop: int) -> int:
    """Return where the value at `at` ends; the negated size that the buffer must have where it does not.

    Raises:
        Malformed: its length is greater than its column allows.
    """
    form, most = plan.prefixes[column], plan.sizes[column]
    if form == _PARTS:
        return parts_end(data, at, stop, most)
    end = at + most
    if form != _FIXED:
        head = head_end(data, form, at, stop)
        if head < 0:
            return head
        size = value_size(data, form, at, head)
        if size < 0:
            return head
        if size > most or (form == _EXACT and size != most):
            raise Malformed(f"a value of {size} bytes in a column of {most}")
        end = head + size
    return end if end <= stop else -end


def head_end(data: bytes, form: int, at: int, stop: int) -> int:
    """Return where what stands before a value ends; the negated size that the buffer must have where it does not."""
    end = at + _LENGTHS[form]
    if form == _POINTER:
        if at >= stop:
            return -(at + 1)
        end = at + 1 if data[at] == 0 else end + 1 + data[at] + _STAMP
    return end if end <= stop else -end


def value_size(data: bytes, form: int, at: int, head: int) -> int:
    """Return the length that is told between `at` and `head`, -1 for NULL."""
    if form == _SHORT:
        size = data[at] | data[at + 1] << 8
        return -1 if size == _NO_SHORT else size
    if head == at + 1:
        # A byte of length, or a text pointer that is none.
        size = data[at]
        return -1 if size == 0 else size
    size = uint32(data, head - 4)
    return -1 if size == (0 if form == _VARIANT else _ONES) else size


def parts_end(data: bytes, at: int, stop: int, most: int) -> int:
    """Return where a value in parts ends (MS-TDS 2.2.5.2.3); as `value_end`.

    Raises:
        Malformed: its parts are not as long together as it says, or longer than may be.
    """
    if at + 8 > stop:
        return -(at + 8)
    low, high = uint32(data, at), uint32(data, at + 4)
    at += 8
    if high == _ONES and low == _ONES:
        return at
    known = not (high == _ONES and low == _ONES_BUT_ONE)
    if known and (high or low > most):
        raise Malformed("a value longer than may be")
    begin = at
    total = 0
    while True:
        if at + 4 > stop:
            # What is still to come must at least hold the rest of the value.
            return -(at + 4 + low - total) if known and total < low else -(at + 4)
        size = uint32(data, at)
        at += 4
        if size == 0:
            break
        total += size
        if total > most or (known and total > low):
            raise Malformed("a value longer than it says")
        at += size
        if at > stop:
            return -(at + 4 + low - total) if known else -(at + 4)
    if known and total != low:
        raise Malformed(f"a value of another length than it says, at {begin}")
    return at


def uint32(data: bytes, at: int) -> int:
    """Return four bytes as a number; the caller has seen to it that they are there."""
    value = data[at + 3]
    value = value << 8 | data[at + 2]
    value = value << 8 | data[at + 1]
    return value << 8 | data[at]
