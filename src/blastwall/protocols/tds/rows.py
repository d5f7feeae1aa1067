"""The rows of a result: walked over without decoding, taken apart, and written anew.

Source: MS-TDS 2.2.7.20 "ROW", 2.2.7.15 "NBCROW", 2.2.5.2.3 "Data Type Dependent Data Streams". The compiled twin is
typed by `rows.pxd`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from blastwall.protocols.tds.types import LARGEST_VARIANT, MAX, Prefix, TypeInfo
from blastwall.wire.reader import Malformed

_ROW, _NBC_ROW = 0xD1, 0xD2
_FIXED, _BYTE, _EXACT, _SHORT, _LONG, _VARIANT, _PARTS, _POINTER = range(8)
_LARGEST = 0x7FFFFFFF
"""No value has more bytes (2.2.5.4.3)."""


class RowPlan:
    """How rows of some types are walked: for each value how its length is written, and the most that it may be.

    Without `compressed` no row may come with a bitmap of its NULLs.
    """

    def __init__(self, types: Sequence[TypeInfo], compressed: bool = True) -> None:
        self.count = len(types)
        self.bitmap = (len(types) + 7) // 8 if compressed else 0
        self.prefixes = array("q", [type_.prefix for type_ in types])
        self.sizes = array("q", [_most(type_) for type_ in types])
        self.nulls = tuple(type_.null if type_.nullable else b"" for type_ in types)
        self.types = tuple(types)


def _most(type_: TypeInfo) -> int:
    if type_.prefix is Prefix.VARIANT:
        return LARGEST_VARIANT  # whatever size a client says
    return _LARGEST if type_.prefix in (Prefix.LONG, Prefix.PARTS, Prefix.POINTER) else min(type_.size, MAX)


class RowWalk:
    """Walks rows that arrive in any pieces.

    After `walk`, `rows` is how many rows ended in the piece, and `whole` where the last of them did (where the piece
    began, if none). `amid` is whether a row has begun and not ended.
    """

    def __init__(self, plan: RowPlan) -> None:
        self.plan = plan
        self.rows = 0
        self.whole = 0
        self._column = -1
        self._left = 0
        self._parts = False
        self._owed = -1
        self._single = False
        self._bitmap = b""

    @property
    def amid(self) -> bool:
        return self._column >= 0

    def begin_single(self) -> None:
        """Walk the values of one row, without a token before them, and nothing behind them."""
        self._column = 0
        self._bitmap = b""
        self._single = True

    def walk(self, buffer: bytes, at: int, stop: int) -> int:
        """Walk the bytes of `buffer` from `at` to before `stop`; return where it came to.

        That is before `stop` where another token follows, or where a length is not there whole: it is to be walked
        again from there, with what follows.

        Raises:
            Malformed: a value is longer than its type, or its parts are not as many bytes as was said.
        """
        self.rows = 0
        self.whole = at
        while True:
            at = self._through(buffer, at, stop)
            if self._left or self._parts:
                return at
            if self._column == self.plan.count:
                self._end(at)
                if self._single:
                    return at
            if self._column < 0:
                begun = self._begin(buffer, at, stop)
                if begun < 0:
                    return at
                at = begun
            reached = self._values(buffer, at, stop)
            if reached < 0:
                return -1 - reached
            at = reached

    def _through(self, buffer: bytes, at: int, stop: int) -> int:
        """Walk through what is left of the value under way; return where it ends, or how far it is there."""
        data = buffer
        while self._left or self._parts:
            if self._left:
                step = min(self._left, stop - at)
                self._left -= step
                at += step
                if self._left:
                    break
            elif stop - at < 4:
                break
            else:
                self._next_part(uint32(data, at))
                at += 4
        return at

    def _end(self, at: int) -> None:
        self._column = -1
        self.rows += 1
        self.whole = at

    def _begin(self, buffer: bytes, at: int, stop: int) -> int:
        """Return where the values of the row at `at` begin; -1 where no row begins there, or not enough of it."""
        if at >= stop:
            return -1
        kind = buffer[at]
        if kind == _ROW:
            self._bitmap = b""
            at += 1
        elif kind == _NBC_ROW and self.plan.bitmap:
            if stop - at <= self.plan.bitmap:
                return -1
            self._bitmap = buffer[at + 1 : at + 1 + self.plan.bitmap]
            at += 1 + self.plan.bitmap
        else:
            return -1
        self._column = 0
        return at

    def _values(self, buffer: bytes, at: int, stop: int) -> int:
        """Walk values as long as they are there whole; return where the next step begins.

        That of a value whose bytes go on behind `stop` is `stop`, with `_left` set; where a length is not there whole,
        the place is returned as -1 - place.
        """
        data, plan, nulls = buffer, self.plan, self._bitmap
        compressed = len(self._bitmap) > 0
        prefixes, sizes, count, column = plan.prefixes, plan.sizes, plan.count, self._column
        while column < count:
            prefix = prefixes[column]
            if compressed and nulls[column >> 3] >> (column & 7) & 1:
                pass
            elif prefix == _PARTS:
                if stop - at < 8:
                    break
                self._begin_parts(data, at)
                at += 8
                if self._parts:
                    self._column = column + 1
                    return at
            else:
                head = head_of(data, at, stop, prefix)
                if head < 0:
                    break
                at += head + length_behind(data, at, head, prefix, sizes[column])
            column += 1
            if at > stop:
                self._column = column
                self._left = at - stop
                return stop
        self._column = column
        return at if column == count else -1 - at

    def _begin_parts(self, data: bytes, at: int) -> None:
        low, high = uint32(data, at), uint32(data, at + 4)
        if high == 0xFFFFFFFF and low >= 0xFFFFFFFE:
            self._parts = low == 0xFFFFFFFE
            self._owed = -1
            return
        if high or low > _LARGEST:
            raise Malformed(f"a value of 0x{high:08x}{low:08x} bytes")
        self._parts = True
        self._owed = low

    def _next_part(self, length: int) -> None:
        """Take the length of the next part, 0 at the value's end."""
        if length == 0:
            if self._owed > 0:
                raise Malformed(f"a value that ends {self._owed} bytes before what was said")
            self._parts = False
        elif length > _LARGEST or (self._owed >= 0 and length > self._owed):
            raise Malformed(f"a part of {length} bytes in a value with {self._owed} left")
        elif self._owed > 0:
            self._owed -= length
        self._left = length


def head_of(data: bytes, at: int, stop: int, prefix: int) -> int:
    """Return how many bytes stand before the value at `at`, -1 where they are not all there. Not for parts."""
    left = stop - at
    if prefix == _FIXED:
        return 0
    if prefix == _SHORT:
        return 2 if left >= 2 else -1
    if prefix <= _EXACT:
        return 1 if left >= 1 else -1
    if prefix != _POINTER:
        return 4 if left >= 4 else -1
    if left < 1:
        return -1
    pointer = data[at]
    if pointer == 0:
        return 1
    return 13 + pointer if left >= 13 + pointer else -1


def length_behind(data: bytes, at: int, head: int, prefix: int, size: int) -> int:
    """Return how many bytes the value at `at` has behind its `head`; none for NULL too.

    Raises:
        Malformed: it is longer than its type allows.
    """
    if prefix == _FIXED:
        return size
    length = data[at]
    if prefix == _SHORT:
        length |= data[at + 1] << 8
        if length == 0xFFFF:
            return 0
    elif head >= 4:
        length = uint32(data, at + head - 4)
        if length == 0xFFFFFFFF and prefix != _VARIANT:
            return 0
    if length > size or (prefix == _EXACT and length != size and length):
        raise Malformed(f"a value of {length} bytes, of at most {size}")
    return length


def uint32(data: bytes, at: int) -> int:
    """Return four bytes as a number; the caller has seen to it that they are there."""
    value = data[at + 3]
    value = value << 8 | data[at + 2]
    value = value << 8 | data[at + 1]
    return value << 8 | data[at]
