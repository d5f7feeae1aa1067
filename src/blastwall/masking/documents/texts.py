"""Text of no known form, read by detectors: line by line, but nothing that they find may straddle two readings.

Where text is parted depends on the text alone, never on how it arrives. Two lines are parted unless the word before
and the word after could belong to one number; the lines of a private key are not parted; of a line without an end a
part is settled that ends between two words and in no find.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

from blastwall.masking.documents import Unreadable
from blastwall.masking.documents.looked import Reading
from blastwall.masking.documents.writing import spliced
from blastwall.masking.fast.cells import Cells
from blastwall.masking.styles import REDACTED

_LINE_END = re.compile(rb"\n|\r(?!\n)")
_RUNS_ON = re.compile(
    rb"(?:[0-9][0-9A-Za-z]{0,33}|(?<![0-9A-Za-z])[A-Z]{1,4})[^0-9A-Za-z]{0,8}[\r\n][^0-9A-Za-z]{0,8}"
    rb"(?=[0-9A-Za-z]{0,33}[0-9]|[A-Z]{1,4}(?![0-9A-Za-z]))"
)
"""Two lines of which the number at the end of one may go on in the other."""
_BEFORE, _AFTER = 44, 48
_EVENT_END = re.compile(rb"\n\n|\r\n\r\n|\r\r")
"""What ends an event of `text/event-stream`, which must not wait for the next."""
_KEY_BEGINS, _KEY_ENDS = b"PRIVATE KEY", b"-----END"
_LONGEST = 64 << 10
_AHEAD = 1024
"""More than any find is long but those without a bound."""
_SPACE = re.compile(rb"[ \t\r\n](?=[^ \t\r\n]*\Z)")


class Text:
    """One text. Implements `Document`."""

    def __init__(self, reading: Reading, *, events: bool = False) -> None:
        """Read it in lines, or as a stream of events."""
        self._reading = reading
        self._events = events
        self._rest = b""
        self._looked = 0

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        if b"\0" in data:
            raise Unreadable("it is no text: there is a zero byte in it")
        return self._read(self._rest + data, final=False)

    def finish(self) -> bytes:
        """See `Document`."""
        return self._read(self._rest, final=True)

    def _read(self, buffer: bytes, *, final: bool) -> bytes:
        places = array("q")
        at = 0
        for end in self._ends(buffer, final):
            places.extend((at, end - at))
            at = end
        self._rest = buffer[at:]
        return self._masked(buffer, places, at)

    def _ends(self, buffer: bytes, final: bool) -> Iterator[int]:
        """Yield where what is read as one ends."""
        start, stop = 0, len(buffer)
        search = (_EVENT_END if self._events else _LINE_END).finditer(buffer, self._looked)
        for found in search:
            end = found.end()
            if not self._events and not final and end + _AFTER > stop:
                break
            while end - start > _LONGEST:
                start = self._within(buffer, start)
                yield start
            self._looked = end
            if self._parts(buffer, start, found.start(), end):
                yield end
                start = end
        while stop - start > _LONGEST:
            start = self._within(buffer, start)
            yield start
        self._looked = max(self._looked - start, 0) if start else self._looked
        if final and start < stop:
            yield stop

    def _parts(self, buffer: bytes, start: int, at: int, end: int) -> bool:
        """Whether a line that ends here is parted from what follows."""
        begun = buffer.rfind(_KEY_BEGINS, start, at)
        if begun >= 0 and buffer.find(_KEY_ENDS, start, at) < 0:
            return False
        if self._events:
            return True
        return not any(
            found.end() >= end for found in _RUNS_ON.finditer(buffer, max(start, at - _BEFORE), end + _AFTER)
        )

    def _within(self, buffer: bytes, start: int) -> int:
        """Return where a part of what is too long ends."""
        piece = buffer[start : start + _LONGEST].decode("utf-8", "surrogateescape")
        head = buffer[start : start + _LONGEST - _AHEAD]
        space = _SPACE.search(head)
        cut = space.end() if space is not None else len(head)
        while cut < len(head) and 0x80 <= head[cut] < 0xC0:
            cut -= 1
        characters = len(head[:cut].decode("utf-8", "surrogateescape"))
        for hit in self._reading.detection.find(piece):
            if hit.start < characters < hit.end:
                characters = hit.start
        if characters <= 0:
            raise Unreadable(f"a value in its text is longer than {_LONGEST} bytes")
        return start + len(piece[:characters].encode("utf-8", "surrogateescape"))

    def _masked(self, buffer: bytes, places: array[int], stop: int) -> bytes:
        if not places:
            return b""
        cells, reading = Cells(buffer, places, 1), self._reading
        for cell in reading.scan(cells):
            value = cells.value(cell).decode("utf-8", "surrogateescape")
            shown = reading.detected(value)
            text = REDACTED + value[len(value.rstrip("\r\n")) :] if shown is None else shown
            cells.show(cell, text.encode("utf-8", "surrogateescape"))
        return spliced(cells, stop, REDACTED.encode() + b"\n")
