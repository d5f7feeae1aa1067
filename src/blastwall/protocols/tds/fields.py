"""Read and write the fields of MS-TDS: little-endian numbers, and strings behind their lengths.

Source: MS-TDS 2.2.5.1 "General Rules", 2.2.5.2 "Data Stream Types".
"""

from __future__ import annotations

from struct import Struct

from blastwall.wire.reader import Malformed

_UINT16 = Struct("<H")
_INT32 = Struct("<i")
_UINT32 = Struct("<I")
_UINT64 = Struct("<Q")


class Short(Malformed):
    """The bytes end before the field does: more must come, or, where all are there, the sender broke the protocol."""


class Fields:
    """A cursor over bytes that hold fields one behind the other.

    Every method raises `Short` where the bytes end too early.
    """

    __slots__ = ("_end", "at", "data")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self._end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self.at

    def byte(self) -> int:
        return self.data[self._skip(1)]

    def uint16(self) -> int:
        return int(_UINT16.unpack_from(self.data, self._skip(2))[0])

    def int32(self) -> int:
        return int(_INT32.unpack_from(self.data, self._skip(4))[0])

    def uint32(self) -> int:
        return int(_UINT32.unpack_from(self.data, self._skip(4))[0])

    def uint64(self) -> int:
        return int(_UINT64.unpack_from(self.data, self._skip(8))[0])

    def take(self, count: int) -> bytes:
        start = self._skip(count)
        return self.data[start : start + count]

    def rest(self) -> bytes:
        return self.take(self.left)

    def characters(self, count: int) -> str:
        """So many UTF-16 code units."""
        return text_of(self.take(2 * count))

    def b_varchar(self) -> str:
        """Text behind the number of its code units in a byte."""
        return self.characters(self.byte())

    def us_varchar(self) -> str:
        """Text behind the number of its code units in two bytes."""
        return self.characters(self.uint16())

    def b_varbyte(self) -> bytes:
        """Bytes behind their number in a byte."""
        return self.take(self.byte())

    def finish(self, what: str) -> None:
        """Check that nothing is left over.

        Raises:
            Malformed: bytes are.
        """
        if self.left:
            raise Malformed(f"{self.left} bytes after the end of {what}")

    def _skip(self, count: int) -> int:
        start = self.at
        if start + count > self._end:
            raise Short("it ends too early")
        self.at = start + count
        return start


def text_of(value: bytes) -> str:
    """Decode UTF-16LE strictly: what cannot be read cannot be judged.

    Raises:
        Malformed: it is no such text.
    """
    try:
        return value.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise Malformed(f"text that is not UTF-16 at byte {error.start}") from None


def lenient_text(value: bytes) -> str:
    """Decode UTF-16LE that nothing is judged by: a lone surrogate, which SQL Server allows, is shown as U+FFFD."""
    return value.decode("utf-16-le", "replace")


def b_varchar(text: str) -> bytes:
    """Write text behind the number of its code units in a byte; what is longer is cut."""
    encoded = text.encode("utf-16-le")[:510]
    return bytes((len(encoded) // 2,)) + encoded


def us_varchar(text: str) -> bytes:
    """Write text behind the number of its code units in two bytes; what is longer is cut."""
    encoded = text.encode("utf-16-le")[: 2 * 0xFFFF]
    return _UINT16.pack(len(encoded) // 2) + encoded


def b_varbyte(value: bytes) -> bytes:
    """Write up to 255 bytes behind their number."""
    return bytes((len(value),)) + value
