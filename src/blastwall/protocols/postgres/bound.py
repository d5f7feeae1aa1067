"""Read a Bind of the unnamed portal where it stands, for the fast lane.

Source: PostgreSQL documentation, "Message Formats", Bind. `messages.decode_bind` is the ordinary reader, with errors
that say what is wrong; this one concedes whatever is not plain.
"""

from __future__ import annotations

from blastwall.protocols.postgres.messages import format_of
from blastwall.protocols.postgres.values import recorded_value
from blastwall.wire import memory
from blastwall.wire.native import Whole

_LARGEST, _WHOLE = 0x7FFFFFFF, 1 << 32
"""The largest int32, and how much more a negative one is where it is read without its sign."""


class Bound:
    """Where the parts of a Bind stand in its buffer: one object for all of a session, since only one is under way.

    It ends at `end`. The name of its statement stands from `name` to before `name_end`; of `formats`, `values` and
    `results` there are so many, from `formats_at`, `values_at` and `results_at` on.
    """

    __slots__ = (
        "end",
        "formats",
        "formats_at",
        "name",
        "name_end",
        "results",
        "results_at",
        "values",
        "values_at",
    )

    def __init__(self) -> None:
        self.end: Whole = 0
        self.name: Whole = 0
        self.name_end: Whole = 0
        self.formats: Whole = 0
        self.formats_at: Whole = 0
        self.values: Whole = 0
        self.values_at: Whole = 0
        self.results: Whole = 0
        self.results_at: Whole = 0


def read_bind(bound: Bound, buffer: bytes, position: int) -> bool:
    """Read the Bind at `position`; False where there is none, it is not whole, or it is not plain.

    One pass, from one part to the next: `at` is where it stands.
    """
    data = buffer
    size = len(buffer)
    if size - position < 12 or data[position] != 66 or data[position + 5] != 0:
        return False
    end = position + 1 + _int32(buffer, position + 1)
    if end > size or end < position + 12:
        return False
    at = bound.name = position + 6
    while at < end and 0 < data[at] < 128:
        at += 1
    if at >= end or data[at] != 0:
        return False
    bound.end, bound.name_end, bound.formats_at = end, at, at + 3
    bound.formats = _formats(buffer, at + 1, end)
    if bound.formats < 0:
        return False
    at += 3 + 2 * bound.formats
    if end - at < 2:
        return False
    bound.values, bound.values_at = data[at] << 8 | data[at + 1], at + 2
    if bound.formats > 1 and bound.formats != bound.values:
        return False
    at = _values(buffer, at + 2, end, bound.values)
    if at < 0:
        return False
    bound.results, bound.results_at = _formats(buffer, at, end), at + 2
    return bound.results >= 0 and at + 2 + 2 * bound.results == end


def _int32(buffer: bytes, at: int) -> int:
    """A signed int32; the caller has seen to it that it is there."""
    data = buffer
    value = data[at]
    value = value << 8 | data[at + 1]
    value = value << 8 | data[at + 2]
    value = value << 8 | data[at + 3]
    return value - _WHOLE if value > _LARGEST else value


def _formats(buffer: bytes, at: int, end: int) -> int:
    """Return how many formats follow their number at `at`; -1 where they are not there, or are none."""
    if end - at < 2:
        return -1
    data = buffer
    count = data[at] << 8 | data[at + 1]
    if end - at < 2 + 2 * count:
        return -1
    for n in range(count):
        place = at + 2 + 2 * n
        if data[place] != 0 or data[place + 1] > 1:
            return -1
    return count


def _values(buffer: bytes, at: int, end: int, count: int) -> int:
    """Return where so many values end that begin at `at`; -1 where they are not there."""
    while count > 0:
        count -= 1
        if end - at < 4:
            return -1
        length = _int32(buffer, at)
        at += 4
        if length < -1 or end - at < length:
            return -1
        if length > 0:
            at += length
    return at


def numbers_at(buffer: bytes, at: int, count: int) -> tuple[int, ...]:
    """So many formats, as they were read."""
    return tuple([buffer[at + 2 * n + 1] for n in range(count)])


def values_of(bound: Bound, buffer: bytes) -> tuple[bytes | None, ...]:
    """The values of a Bind that was read."""
    at = bound.values_at
    found: list[bytes | None] = []
    for _ in range(bound.values):
        length = _int32(buffer, at)
        at += 4
        if length < 0:
            found.append(None)
        else:
            found.append(buffer[at : at + length])
            at += length
    return tuple(found)


def recorded(bound: Bound, buffer: bytes, types: tuple[int, ...]) -> tuple[str | bytes | None, ...]:
    """The values of a Bind that was read, as the record reads them."""
    if not bound.values:
        return ()
    at = bound.values_at
    if bound.values == 1 and not bound.formats:
        length = _int32(buffer, at)
        if length >= 0 and _ascii(buffer, at + 4, at + 4 + length):
            return (memory.text(buffer, at + 4, at + 4 + length),)
    count = len(types)
    formats = numbers_at(buffer, bound.formats_at, bound.formats)
    return tuple(
        [
            recorded_value(value, types[n] if n < count else 0, format_of(formats, n) if formats else 0)
            for n, value in enumerate(values_of(bound, buffer))
        ]
    )


def _ascii(buffer: bytes, at: int, end: int) -> bool:
    data = buffer
    while at < end:
        if data[at] > 127:
            return False
        at += 1
    return True
