"""What the sessions record in one turn of the loop: it becomes one write(2), or nothing of it is written."""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.model.events import Event
from blastwall.recording.events import encode
from blastwall.recording.frames import build
from blastwall.recording.segments import OpenSegment
from blastwall.recording.summary import Portion


class Stream:
    """A session's place in the log: the number and previous hash of its next record, the segments it is in."""

    def __init__(self, ordinal: int, session: str, head: bytes) -> None:
        self.ordinal = ordinal
        self.session = session
        self.number = 0
        self.head = head
        self.segments: set[int] = set()


class Batch:
    """Records of any sessions, chained already, that wait to be written to one segment."""

    __slots__ = ("_before", "_noted", "_parts", "events", "segment")

    def __init__(self, segment: OpenSegment) -> None:
        self.segment = segment
        self.events = 0
        self._parts: list[bytes] = []
        self._noted: list[tuple[Stream, int, Sequence[Event]]] = []
        self._before: dict[Stream, tuple[int, bytes]] = {}

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
        if stream not in self._before:
            self._before[stream] = (stream.number, stream.head)
        self._noted.append((stream, stream.number, events))
        self._parts += parts
        self.events += len(parts)
        stream.number, stream.head = number, head

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
        for stream, first, events in self._noted:
            self._note(stream, first, events)

    def take_back(self) -> None:
        """Nothing of it will be written: put every stream back."""
        for stream, (number, head) in self._before.items():
            stream.number, stream.head = number, head

    def _note(self, stream: Stream, first: int, events: Sequence[Event]) -> None:
        """Count them; a portion's last record and head are those of the whole batch, for it is written whole."""
        segment = self.segment
        portion = segment.portions.get(stream.ordinal)
        if portion is None:
            portion = Portion(stream=stream.ordinal, session=stream.session, first=first)
            segment.portions[stream.ordinal] = portion
            stream.segments.add(segment.number)
        segment.note(portion, stream.number - 1, stream.head, events)
