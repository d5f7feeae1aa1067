"""What the sessions record in one turn of the loop: it becomes one write(2), or nothing of it is written."""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.model.events import Event, StatementFinished, StatementRepeated
from blastwall.recording import frames, quick
from blastwall.recording.events import encode
from blastwall.recording.frames import HASH, PAYLOAD, build
from blastwall.recording.segments import OpenSegment
from blastwall.recording.streams import Stream
from blastwall.wire import memory
from blastwall.wire.native import Real, Whole

_LATEST = 1e12
"""Times beyond it, or below 0, are left to the ordinary encoder."""


class Batch:
    """Records of any sessions, chained already, that wait to be written to one segment."""

    __slots__ = ("_begun", "_noted", "_parts", "_room", "events", "segment")

    def __init__(self, segment: OpenSegment) -> None:
        self.segment = segment
        self.events: Whole = 0
        self._parts: list[bytes] = []
        self._noted: list[tuple[Stream, int, Sequence[Event]]] = []
        self._room = _ROOM
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
        self._begin(stream)
        self._noted.append((stream, stream.number, events))
        self._parts += parts
        self.events += len(parts)
        stream.number, stream.head = number, head

    def repeated(  # noqa: PLR0917 - one for each field
        self, stream: Stream, at: Real, number: Whole, first: Whole, values: tuple[str | None, ...], text: str | None
    ) -> None:
        """Add a `StatementRepeated`.

        Raises:
            ValueError: it is too large for a record; it is not added.
        """
        if self.segment.cipher is None and 0.0 <= at < _LATEST:
            end: Whole = quick.put_repeated(self._room, PAYLOAD, at, number, first, values, text)
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
            end: Whole = quick.put_finished(self._room, PAYLOAD, at, number, rows, affected, size, seconds)
            self._take(stream, at, end)
            stream.rows += rows
            stream.sent += size
        else:
            changed = affected if affected >= 0 else None
            self.add(stream, (StatementFinished(at, number, rows, changed, size, seconds, None, {}),))

    def _take(self, stream: Stream, at: Real, end: Whole) -> None:
        """Add the record whose payload is in the room."""
        if not stream.quick:
            stream.quick, stream.began = True, at
            self._begin(stream)
            self._noted.append((stream, stream.number, ()))
        stream.ended = at
        stream.head = frames.sealed(self._room, end, stream.ordinal, stream.number, stream.head)
        stream.number += 1
        memory.copy(self._room, end, stream.head, 0, HASH)
        self._parts.append(memory.taken(self._room, HASH, end + HASH))
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
            self.segment.append(b"".join(self._parts))
        except OSError:
            self.take_back()
            raise
        for stream in self._begun:
            stream.begun = False
        for stream, first, events in self._noted:
            self._note(stream, first, events)

    def take_back(self) -> None:
        """Nothing of it will be written: put every stream back."""
        for stream in self._begun:
            stream.take_back()

    def _note(self, stream: Stream, first: int, events: Sequence[Event]) -> None:
        """Count them; a portion's last record and head are those of the whole batch, for it is written whole."""
        segment = self.segment
        if events:
            segment.note(stream, first, events)
        elif stream.quick:
            segment.add_quick(stream, first)


_ROOM = bytearray(PAYLOAD + quick.ROOM + HASH)
"""Where a record is put together. One at a time is: all recording is done on one loop."""
