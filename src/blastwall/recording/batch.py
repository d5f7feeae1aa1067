"""What the sessions record in one turn of the loop: it becomes one write(2), or nothing of it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from blastwall.model.events import Event
from blastwall.recording.events import encode
from blastwall.recording.frames import build
from blastwall.recording.segments import OpenSegment
from blastwall.recording.summary import Portion


@dataclass(slots=True, eq=False)
class Stream:
    """A session's place in the log: the number and previous hash of its next record, the segments it is in."""

    ordinal: int
    session: str
    number: int = 0
    head: bytes = b""
    segments: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Noted:
    """One session's events, for the segment's portion of it."""

    stream: Stream
    first: int
    last: int
    head: bytes
    events: Sequence[Event]


class Batch:
    """Records of any sessions, chained already, that wait to be written to one segment."""

    __slots__ = ("_before", "_noted", "_parts", "events", "segment")

    def __init__(self, segment: OpenSegment) -> None:
        self.segment = segment
        self.events = 0
        self._parts: list[bytes] = []
        self._noted: list[_Noted] = []
        self._before: dict[Stream, tuple[int, bytes]] = {}

    def add(self, stream: Stream, events: Sequence[Event]) -> None:
        """Add a session's events.

        Raises:
            ValueError: one is too large for a record; none of them is added.
        """
        number, head, parts = stream.number, stream.head, []
        for event in events:
            data, head = build(stream.ordinal, number, head, encode(event), self.segment.cipher)
            parts.append(data)
            number += 1
        self._before.setdefault(stream, (stream.number, stream.head))
        self._noted.append(_Noted(stream, stream.number, number - 1, head, events))
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
        for noted in self._noted:
            self._note(noted)

    def take_back(self) -> None:
        """Nothing of it will be written: put every stream back."""
        for stream, (number, head) in self._before.items():
            stream.number, stream.head = number, head

    def _note(self, noted: _Noted) -> None:
        stream, segment = noted.stream, self.segment
        portion = segment.portions.get(stream.ordinal)
        if portion is None:
            portion = Portion(stream=stream.ordinal, session=stream.session, first=noted.first)
            segment.portions[stream.ordinal] = portion
            stream.segments.add(segment.number)
        segment.note(portion, noted.last, noted.head, noted.events)
