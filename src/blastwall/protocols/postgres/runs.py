"""Whole rows, a run of them at a time: found, and masked by splicing, without an object a row or a value that stays.

Source: PostgreSQL documentation, "Message Formats", DataRow. The compiled twin is typed by `runs.pxd`.
"""

from __future__ import annotations

from blastwall.masking.plan import Hidden
from blastwall.wire.reader import Malformed

_HEADER = 5
_NULL = b"\xff\xff\xff\xff"
_SMALL = 2048
_SIZES = [size.to_bytes(4, "big") for size in range(_SMALL)]
_HEADS = [b"D" + size for size in _SIZES]
"""Length fields, and heads of rows, of the lengths that are met again and again."""


def run_of_rows(buffer: bytes, position: int, kind: int) -> tuple[int, int]:
    """Return where the whole messages of `kind` that begin at `position` end, and how many they are."""
    data = buffer
    size = len(buffer)
    rows = 0
    while size - position >= _HEADER and data[position] == kind:
        at = position + 1
        length = uint32(buffer, at)
        if length > size - at or length < 6:
            break
        position = at + length
        rows += 1
    return position, rows


def columns_of(buffer: bytes, position: int, end: int, wanted: tuple[int, ...], width: int) -> list[bytes]:
    """Return the values of some columns, ascending, of all rows from `position` to `end`; none for NULL.

    Raises:
        Malformed: a row is not one of `width` values.
    """
    data = buffer
    values: list[bytes] = []
    while position < end:
        at = position + 1
        stop = at + uint32(buffer, at)
        at = position + 7
        if data[position + 5] << 8 | data[position + 6] != width:
            raise Malformed("a row of another width than its description")
        column = 0
        for index in wanted:
            at = skip(buffer, at, index - column, stop)
            length = length_at(buffer, at, stop)
            if length >= 0:
                values.append(buffer[at + 4 : at + 4 + length])
                at += length
            at += 4
            column = index + 1
        if skip(buffer, at, width - column, stop) != stop:
            raise Malformed("bytes after a row's end")
        position = stop
    return values


def mask_run(buffer: bytes, position: int, end: int, hidden: list[Hidden], width: int) -> tuple[list[bytes], list[int]]:
    """Mask some columns, ascending, of all rows from `position` to `end`.

    Returns the new rows in pieces, and how many values of each column were hidden.

    Raises:
        Malformed: a row is not one of `width` values.
    """
    data = buffer
    pieces: list[bytes] = []
    counts = [0] * len(hidden)
    while position < end:
        at = position + 1
        stop = at + uint32(buffer, at)
        if data[position + 5] << 8 | data[position + 6] != width:
            raise Malformed("a row of another width than its description")
        kept = position + 5
        at = position + 7
        column = 0
        head = len(pieces)
        pieces.append(b"")
        grown = 0
        for place, (index, cell, for_null) in enumerate(hidden):
            at = skip(buffer, at, index - column, stop)
            length = length_at(buffer, at, stop)
            column = index + 1
            if length < 0 and for_null is None:
                at += 4
                continue
            shown = for_null if length < 0 else cell(buffer[at + 4 : at + 4 + length])
            length = max(length, 0)
            counts[place] += 1
            pieces.append(buffer[kept:at])
            if shown is None:
                pieces.append(_NULL)
                grown -= length
            else:
                size = len(shown)
                pieces.append(_SIZES[size] if size < _SMALL else size.to_bytes(4, "big"))
                pieces.append(shown)
                grown += size - length
            at = kept = at + 4 + length
        if skip(buffer, at, width - column, stop) != stop:
            raise Malformed("bytes after a row's end")
        pieces.append(buffer[kept:stop])
        size = stop - position - 1 + grown
        pieces[head] = _HEADS[size] if size < _SMALL else b"D" + size.to_bytes(4, "big")
        position = stop
    return pieces, counts


def uint32(buffer: bytes, at: int) -> int:
    """Return four bytes as a number; the caller has seen to it that they are there."""
    data = buffer
    value = data[at]
    value = value << 8 | data[at + 1]
    value = value << 8 | data[at + 2]
    return value << 8 | data[at + 3]


def skip(buffer: bytes, at: int, count: int, stop: int) -> int:
    """Return where the value after `count` more values begins."""
    while count > 0:
        length = length_at(buffer, at, stop)
        at += 4 + length if length > 0 else 4
        count -= 1
    return at


def length_at(buffer: bytes, at: int, stop: int) -> int:
    """Return the length of the value at `at`, -1 for NULL.

    Raises:
        Malformed: it does not end before `stop`.
    """
    if at + 4 > stop:
        raise Malformed("a row that ends too early")
    length = uint32(buffer, at)
    if length == 0xFFFFFFFF:
        return -1
    if length > stop - at - 4:
        raise Malformed("a row that ends too early")
    return length
