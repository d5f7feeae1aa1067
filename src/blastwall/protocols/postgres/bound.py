"""Read a Bind of the unnamed portal where it stands, for the fast lane.

Source: PostgreSQL documentation, "Message Formats", Bind. `messages.decode_bind` is the ordinary reader, with errors
that say what is wrong; this one concedes whatever is not plain.
"""

from __future__ import annotations


class Bound:
    """A Bind that ends at `end` of its buffer."""

    __slots__ = ("end", "formats", "results", "statement", "values")

    def __init__(
        self,
        end: int,
        statement: str,
        formats: tuple[int, ...],
        values: tuple[bytes | None, ...],
        results: tuple[int, ...],
    ) -> None:
        self.end = end
        self.statement = statement
        self.formats = formats
        self.values = values
        self.results = results


def read_bind(buffer: bytes, position: int) -> Bound | None:
    """Read the Bind at `position`; None where there is none, it is not whole, or it is not plain."""
    size = len(buffer)
    if size - position < 12 or buffer[position] != 66 or buffer[position + 5] != 0:
        return None
    end = position + 1 + _int32(buffer, position + 1)
    if end > size or end < position + 12:
        return None
    name = position + 6
    at = buffer.find(b"\0", name, end)
    if at < 0:
        return None
    statement = buffer[name:at]
    if not statement.isascii():
        return None
    formats = _formats(buffer, at + 1, end)
    if formats is None:
        return None
    at += 3 + 2 * len(formats)
    values = _values(buffer, at, end)
    if values is None or (len(formats) > 1 and len(formats) != len(values)):
        return None
    at += 2 + 4 * len(values)
    for value in values:
        if value is not None:
            at += len(value)
    results = _formats(buffer, at, end)
    if results is None or at + 2 + 2 * len(results) != end:
        return None
    return Bound(end, statement.decode(), formats, values, results)


def _int32(buffer: bytes, at: int) -> int:
    """A signed int32; the caller has seen to it that it is there."""
    data = buffer
    value = data[at]
    value = value << 8 | data[at + 1]
    value = value << 8 | data[at + 2]
    value = value << 8 | data[at + 3]
    return value - 0x100000000 if value & 0x80000000 else value


def _formats(buffer: bytes, at: int, end: int) -> tuple[int, ...] | None:
    if end - at < 2:
        return None
    data = buffer
    count = data[at] << 8 | data[at + 1]
    if count == 0:
        return ()
    if end - at < 2 + 2 * count:
        return None
    found = []
    for n in range(count):
        place = at + 2 + 2 * n
        if data[place] != 0 or data[place + 1] > 1:
            return None
        found.append(data[place + 1])
    return tuple(found)


def _values(buffer: bytes, at: int, end: int) -> tuple[bytes | None, ...] | None:
    if end - at < 2:
        return None
    data = buffer
    count = data[at] << 8 | data[at + 1]
    at += 2
    found: list[bytes | None] = []
    for _ in range(count):
        if end - at < 4:
            return None
        length = _int32(buffer, at)
        at += 4
        if length == -1:
            found.append(None)
        elif length < 0 or end - at < length:
            return None
        else:
            found.append(buffer[at : at + length])
            at += length
    return tuple(found)
