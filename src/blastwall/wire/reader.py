"""Read the fields of one message body: bounds are checked, and what is left over is the sender's mistake."""

from __future__ import annotations

from struct import Struct

_INT16 = Struct("!h")
_INT32 = Struct("!i")
_UINT32 = Struct("!I")


class Malformed(Exception):
    """The peer broke the protocol: its connection must be closed. The text names the message and the fault."""


class Reader:
    """A cursor over one message's body.

    Every method raises `Malformed` where the body ends too early.
    """

    __slots__ = ("_body", "_end", "_position")

    def __init__(self, body: bytes, start: int = 0, end: int | None = None) -> None:
        self._body = body
        self._position = start
        self._end = len(body) if end is None else end

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self._position

    def int16(self) -> int:
        return int(_INT16.unpack_from(self._body, self._take(2))[0])

    def int32(self) -> int:
        return int(_INT32.unpack_from(self._body, self._take(4))[0])

    def uint32(self) -> int:
        return int(_UINT32.unpack_from(self._body, self._take(4))[0])

    def byte(self) -> bytes:
        start = self._take(1)
        return self._body[start : start + 1]

    def take(self, count: int) -> bytes:
        if count < 0:
            raise Malformed(f"a length of {count}")
        start = self._take(count)
        return self._body[start : start + count]

    def rest(self) -> bytes:
        return self.take(self.left)

    def cstring(self) -> bytes:
        """Bytes up to the next NUL, which is consumed."""
        end = self._body.find(b"\0", self._position, self._end)
        if end < 0:
            raise Malformed("a string without its end")
        value = self._body[self._position : end]
        self._position = end + 1
        return value

    def text(self) -> str:
        """A `cstring` that must be UTF-8."""
        return decode(self.cstring())

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.left:
            raise Malformed(f"{self.left} bytes after its end")

    def _take(self, count: int) -> int:
        start = self._position
        if start + count > self._end:
            raise Malformed("it ends too early")
        self._position = start + count
        return start


def decode(value: bytes) -> str:
    """Decode UTF-8 strictly: what cannot be read cannot be judged."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"text that is not UTF-8 at byte {error.start}") from None
