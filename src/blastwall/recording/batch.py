"""What the sessions record in one turn of the loop: it becomes one write(2), or nothing of it is written."""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.model.events import Event, StatementFinished, StatementRepeated
from blastwall.recording import frames, quick
from blastwall.recording.events import encode
from blastwall.recording.frames import HASH, HEADER, build
from blastwall.recording.segments import OpenSegment
from blastwall.recording.streams import Stream
from blastwall.wire import memory
from blastwall.wire.native import Octets, Real, Whole

_LATEST = 1e12
"""Times beyond it, or below 0, are left to the ordinary encoder."""
_QUICK: int = HEADER + quick.ROOM + HASH
"""The most bytes that a record has which is put together in place."""
_HEADER, _HASH = HEADER, HASH
_KEPT = 1 << 20
"""Bytes of room that are kept from one batch to the next."""


class Batch:
    """Records of any sessions, chained already, that wait to be written to one segment; used again after that.

    They stand in `_room` up to `_end`, as they will in the file.
    """

    __slots__ = ("_begun", "_end", "_noted", "_room", "_size", "events", "segment")

    def __init__(self, segment: OpenSegment) -> None:
        self._room = bytearray(16 * _QUICK)
        self._size: Whole = len(self._room)
        self.begin(segment)

    def begin(self, segment: OpenSegment) -> None:
        """Begin anew, with nothing in it."""
        self.segment: OpenSegment = segment
        self.events: Whole = 0
        self._end: Whole = 0
        self._noted: list[Stream | tuple[Stream, int, Sequence[Event]]] = []
        self._begun: list[Stream] = []

    def add(self, stream: Stream, events: Sequence[Event]) -> None:
        """Add a session's events.

        Raises:
            ValueError: one is too large for a record; none of them is added.
        """
        number, head, parts = stream.number, stream.head, []
        ordinal, cipher = stream.ordinal, self.segment.cipher
        for event in events:
            data, head = build(ordinal, number, head, encode(event), cipher)
            parts.append(data)
            number += 1
        self._append(b"".join(parts))
        self._begin(stream)
        self._noted.append((stream, stream.number, events))
        self.events += len(parts)
        stream.number, stream.head = number, head

    def _append(self, data: Octets) -> None:
        size: Whole = len(data)
        self._make_room(size)
        memory.copy(self._room, self._end, data, 0, size)
        self._end += size

    def _make_room(self, size: Whole) -> None:
        """Have so many bytes behind what is there."""
        if self._size - self._end < size:
            self._room += bytes(max(size, self._size))
            self._size = len(self._room)

    def repeated(  # noqa: PLR0917 - one for each field
        self, stream: Stream, at: Real, number: Whole, first: Whole, values: tuple[str | None, ...], text: str | None
    ) -> None:
        """Add a `StatementRepeated`.

        Raises:
            ValueError: it is too large for a record; it is not added.
        """
        if self.segment.cipher is None and 0.0 <= at < _LATEST:
            self._make_room(_QUICK)
            end: Whole = quick.put_repeated(self._room, self._end + _HEADER, at, number, first, values, text)
            if end:
                self._take(stream, at, end)
                stream.statements += 1
                return
        self.add(stream, (StatementRepeated(at, number, first, values, text),))

    def plain_end(  # noqa: PLR0917 - one for each field
        self, stream: Stream, at: Real, number: Whole, rows: Whole, affected: Whole, size: Whole, seconds: Real
    ) -> None:
        """Add a `StatementFinished` that hid nothing; `affected` is below 0 where there is none."""
        if self.segment.cipher is None and 0.0 <= at < _LATEST and 0.0 <= seconds < _LATEST:
            self._make_room(_QUICK)
            end: Whole = quick.put_finished(self._room, self._end + _HEADER, at, number, rows, affected, size, seconds)
            if end:
                self._take(stream, at, end)
                stream.rows += rows
                stream.sent += size
                return
        changed = affected if affected >= 0 else None
        self.add(stream, (StatementFinished(at, number, rows, changed, size, seconds, None, {}),))

    def _take(self, stream: Stream, at: Real, end: Whole) -> None:
        """Add the record whose payload is in its place in the room."""
        if not stream.quick:
            stream.quick, stream.began, stream.first = True, at, stream.number
            self._begin(stream)
            self._noted.append(stream)
        stream.ended = at
        stream.head = frames.sealed(self._room, self._end, end, stream.ordinal, stream.number, stream.head)
        stream.number += 1
        self._end = end + _HASH
        self.events += 1

    def _begin(self, stream: Stream) -> None:
        if not stream.begun:
            stream.begin()
            self._begun.append(stream)

    def write(self) -> None:
        """Write everything.

        Raises:
            OSError: nothing was written, and every stream stands where it stood before.
        """
        try:
            self.segment.append(memory.taken(self._room, 0, self._end))
        except OSError:
            self.take_back()
            raise
        for begun in self._begun:
            stream: Stream = begun
            stream.begun = False
        for noted in self._noted:
            self._note(noted)
        self._trim()

    def take_back(self) -> None:
        """Nothing of it will be written: put every stream back."""
        for stream in self._begun:
            stream.take_back()
        self._trim()

    def _trim(self) -> None:
        if self._size > _KEPT:
            self._room = bytearray(16 * _QUICK)
            self._size = len(self._room)

    def _note(self, noted: Stream | tuple[Stream, int, Sequence[Event]]) -> None:
        """Count them; a portion's last record and head are those of the whole batch, for it is written whole."""
        if isinstance(noted, Stream):
            repeats: Stream = noted
            if repeats.quick:
                self.segment.add_quick(repeats)
        else:
            stream, first, events = noted
            if events:
                self.segment.note(stream, first, events)
