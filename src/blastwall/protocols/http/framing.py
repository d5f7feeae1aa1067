"""Where a body ends (RFC 9112, section 6), and how it is passed on.

    framing    from the head                    the end
    NONE       no length, or none is possible   at once
    LENGTH     Content-Length: n                after n bytes
    CHUNKED    Transfer-Encoding: chunked       after the chunk of size 0 and the trailer section
    CLOSE      a response without either        where the connection ends

A head that gives two answers, or one in an unusual spelling, is refused: that is what request smuggling is made of.
A chunked body is passed on chunk by chunk, as its sender cut it, in a spelling of the gateway's own.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.heads import MOST_BYTES, read_trailer
from blastwall.protocols.http.request import Headers

_LENGTH = re.compile(r"(?:0|[1-9][0-9]{0,17})\Z")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}\Z")
_MOST_SIZE_LINE = 17


class Framing(Enum):
    """How a body's end is told."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


def _declared(headers: Headers) -> tuple[Framing, int] | None:
    """What length fields say; None where there are none.

    Raises:
        Unreadable: they say more than one thing, or none that is certain.
    """
    lengths, codings = headers.all("content-length"), headers.all("transfer-encoding")
    if lengths and codings:
        raise Unreadable("both Content-Length and Transfer-Encoding")
    if codings:
        if len(codings) != 1 or codings[0].lower() != "chunked":
            raise Unreadable("a Transfer-Encoding other than chunked", 501)
        return Framing.CHUNKED, 0
    if not lengths:
        return None
    if len(lengths) != 1 or _LENGTH.match(lengths[0]) is None:
        raise Unreadable("a Content-Length that is not one plain number")
    return Framing.LENGTH, int(lengths[0])


def request_body(headers: Headers) -> Body:
    """Return the reader of a request's body.

    Raises:
        Unreadable: where it ends is not certain.
    """
    declared = _declared(headers)
    if declared is None or declared == (Framing.LENGTH, 0):
        return Body(Framing.NONE, 0, told=declared is not None)
    return Body(*declared)


def response_body(method: str, status: int, headers: Headers, minor: int) -> Body:
    """Return the reader of a final response's body, by what was asked.

    Raises:
        Unreadable: where it ends is not certain.
    """
    declared = _declared(headers)
    if minor == 0 and declared is not None and declared[0] is Framing.CHUNKED:
        raise Unreadable("Transfer-Encoding in a response of HTTP/1.0")
    if method == "HEAD" or status in (204, 304):
        return Body(Framing.NONE, 0)
    if declared is None:
        return Body(Framing.CLOSE, 0)
    return Body(*declared) if declared != (Framing.LENGTH, 0) else Body(Framing.NONE, 0, told=True)


class _Part(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()


class Body:
    """Reads one body as it arrives. `length` counts bytes; `told` is whether a length of 0 was said.

    `feed` gives the entity's bytes, and with `framed` set the same bytes in the framing in which they are passed on.
    """

    __slots__ = ("_carry", "_left", "_part", "done", "framed", "framing", "length", "read", "told", "trailer")

    def __init__(self, framing: Framing, length: int, *, told: bool = False) -> None:
        self.framing = framing
        self.length = length
        self.told = told
        self.done = framing is Framing.NONE
        self.framed = False
        self.read = 0
        """Bytes of the entity so far."""
        self.trailer = Headers()
        self._left = length
        self._part = _Part.SIZE
        self._carry = b""

    @classmethod
    def frames(cls, length: int | None) -> Body:
        """Return the reader of a body that comes in frames of its own (HTTP/2), by `take`; None: of no told length."""
        return cls(Framing.CHUNKED, 0) if length is None else cls(Framing.LENGTH, length)

    def take(self, data: bytes, *, last: bool) -> list[bytes]:
        """Take a frame's bytes; return the pieces as `feed` does.

        Raises:
            Unreadable: it is not as long as was told.
        """
        self.read += len(data)
        other = self.read > self.length or (last and self.read < self.length)
        if self.framing is Framing.LENGTH and other:
            raise Unreadable("a body of another length than its Content-Length")
        self.done = last
        if not data:
            return []
        chunked = self.framed and self.framing is Framing.CHUNKED
        return [b"%x\r\n%b\r\n" % (len(data), data)] if chunked else [data]

    @classmethod
    def opaque(cls) -> Body:
        """Return the reader of what follows a change of protocol: all there is until the connection ends."""
        return cls(Framing.CLOSE, 0)

    def feed(self, data: bytes, start: int = 0) -> tuple[list[bytes], int]:
        """Take bytes from `start` on; return the pieces, and where what follows the body begins.

        Raises:
            Unreadable: a chunk is none that every reader takes for the same.
        """
        if self.framing is Framing.CHUNKED:
            return self._chunked(data, start)
        if self.done:
            return [], start
        end = len(data)
        if self.framing is Framing.LENGTH:
            end = min(end, start + self._left)
            self._left -= end - start
            self.done = self._left == 0
        self.read += end - start
        piece = data if start == 0 and end == len(data) else data[start:end]
        return [piece] if piece else [], end

    def ended(self) -> bool:
        """The connection has ended; return whether the body is whole."""
        if self.framing is Framing.CLOSE:
            self.done = True
        return self.done

    def _chunked(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        before = len(self._carry) - start
        if self._carry:
            data, start, self._carry = self._carry + data[start:], 0, b""
        else:
            before = 0
        pieces: list[bytes] = []
        position = start
        while not self.done:
            taken = self._step(data, position, pieces)
            if taken < 0:
                self._carry = data[position:]
                position = len(data)
                break
            position = taken
        return pieces, position - before

    def _step(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """Take the next part of a chunk; return the position behind it, -1 where more must come."""
        if self._part is _Part.DATA:
            end = min(len(data), position + self._left)
            if end == position:
                return -1
            pieces.append(data[position:end])
            self._left -= end - position
            self.read += end - position
            if not self._left:
                self._part = _Part.DATA_END
            return end
        if self._part is _Part.DATA_END:
            return self._data_end(data, position, pieces)
        return self._size(data, position, pieces) if self._part is _Part.SIZE else self._trailer(data, position)

    def _data_end(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        found = data[position : position + 2]
        if not b"\r\n".startswith(found):
            raise Unreadable("a chunk that is longer than its size")
        if len(found) < 2:
            return -1
        if self.framed:
            pieces.append(b"\r\n")
        self._part = _Part.SIZE
        return position + 2

    def _size(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        end = data.find(b"\r\n", position, position + _MOST_SIZE_LINE)
        line = data[position : end if end >= 0 else position + _MOST_SIZE_LINE]
        if _SIZE.match(line if end >= 0 else line.removesuffix(b"\r") or b"0") is None:
            raise Unreadable("a chunk size that is not one plain hexadecimal number, or has an extension")
        if end < 0:
            return -1
        self._left = int(line, 16)
        self._part = _Part.DATA if self._left else _Part.TRAILER
        if self.framed and self._left:
            pieces.append(b"%x\r\n" % self._left)
        return end + 2

    def _trailer(self, data: bytes, position: int) -> int:
        if data.startswith(b"\r\n", position):
            self.done = True
            return position + 2
        end = data.find(b"\r\n\r\n", position)
        if end < 0 or end - position > MOST_BYTES:
            if len(data) - position > MOST_BYTES:
                raise Unreadable(f"a trailer section of more than {MOST_BYTES} bytes", 431)
            if data.count(b"\n", position) != data.count(b"\r\n", position):
                raise Unreadable("a line that ends in LF without CR")
            return -1
        self.trailer = read_trailer(data[position : end + 4])
        self.done = True
        return end + 4
