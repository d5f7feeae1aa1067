"""The node's log: its chain and its open segment, kept in step. Knows nothing of loops and threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from blastwall.model.events import Event
from blastwall.recording.batch import Batch
from blastwall.recording.chain import (
    Begun,
    ChainWriter,
    Checkpoint,
    Checkpointed,
    Closed,
    Ended,
    Entry,
    Opened,
    Removal,
    Removed,
    Sealed,
    statement_text,
)
from blastwall.recording.encryption import Keyring, SegmentCiphers
from blastwall.recording.frames import seed
from blastwall.recording.keys import Signed, SigningKey
from blastwall.recording.layout import Folder
from blastwall.recording.segments import OpenSegment
from blastwall.recording.streams import Stream
from blastwall.recording.summary import Portion
from blastwall.wire.native import Real, Whole


@dataclass(slots=True)
class Position:
    """Where a log goes on; what recovery found."""

    stream: int = 1
    segment: int = 1
    sequence: int = 1
    entries: int = 0
    head: bytes | None = None
    ciphers: SegmentCiphers | None = None


class NodeLog:
    """Appends sessions' events and the chain's entries. Every method either happens whole or raises OSError."""

    def __init__(
        self,
        folder: Folder,
        key: SigningKey,
        position: Position,
        *,
        segment_size: int,
        clock: Callable[[], float],
        keyring: Keyring,
    ) -> None:
        self.chain = ChainWriter(folder.chain, position.entries, position.head)
        self.live: OpenSegment | None = None
        self._folder = folder
        self._key = key
        self._limit: Whole = segment_size
        self._clock = clock
        self._next = position
        self._keyring = keyring
        self.ciphers = position.ciphers or SegmentCiphers(keyring, folder.node, {})
        self._batch: Batch | None = None
        self._spare: Batch | None = None
        self._owed: list[Entry] = []
        self._covered: tuple[int, int, int] | None = None
        self.ended: list[OpenSegment] = []
        """Segments that nothing is appended to any more; whoever closes them takes them from here."""

    def open(self, session: str) -> Stream:
        """Begin a session: the chain names it before any record of it exists."""
        self.pay()
        stream = Stream(self._next.stream, session, seed(self._next.stream))
        segment = self.live.number if self.live is not None else self._next.segment
        self.chain.append(Opened(self._clock(), stream.ordinal, session, segment))
        self._next.stream += 1
        return stream

    def add(self, stream: Stream, events: Sequence[Event]) -> None:
        """Take a session's events for the next `write`.

        Raises:
            OSError, ValueError: none of them was taken.
        """
        batch: Batch = self._gather()
        batch.add(stream, events)
        self._batch = batch

    def repeated(  # noqa: PLR0917 - one for each field
        self, stream: Stream, at: Real, number: Whole, first: Whole, values: tuple[str | None, ...], text: str | None
    ) -> None:
        """Take a `StatementRepeated`; see `add`."""
        batch: Batch = self._gather()
        batch.repeated(stream, at, number, first, values, text)
        self._batch = batch

    def plain_end(  # noqa: PLR0917 - one for each field
        self, stream: Stream, at: Real, number: Whole, rows: Whole, affected: Whole, size: Whole, seconds: Real
    ) -> None:
        """Take the `StatementFinished` of a plain answer; see `add`."""
        batch: Batch = self._gather()
        batch.plain_end(stream, at, number, rows, affected, size, seconds)
        self._batch = batch

    def _gather(self) -> Batch:
        """What is taken now goes into this one; it waits to be written once something is in it."""
        batch: Batch | None = self._batch
        if batch is not None:
            return batch
        batch, self._spare = self._spare, None
        room = self._room()
        if batch is None:
            return Batch(room)
        batch.begin(room)
        return batch

    def part_now(self) -> Whole:
        """The number of the segment that the next record comes into, also where it is not begun yet."""
        live: OpenSegment | None = self.live
        if live is None or (self._batch is None and live.size >= self._limit):
            number: Whole = self._next.segment
            return number
        return live.number

    def write(self) -> Batch | None:
        """Write everything that was added since the last call, in one write; None where that was nothing.

        What is returned is used again for what is added next.

        Raises:
            OSError: nothing of it was written, and every stream stands where it stood before.
        """
        batch: Batch | None = self._batch
        self._batch = None
        if batch is not None:
            self._spare = batch
            batch.write()
        return batch

    def take_back(self) -> None:
        """What was added since the last `write` will not be written."""
        if self._batch is not None:
            self._batch.take_back()
            self._batch = None

    def close(self, stream: Stream, why: str = "") -> None:
        """Put the session's head into the chain; while the chain cannot be written, it is owed."""
        self._owed.append(Closed(self._clock(), stream.ordinal, stream.session, stream.number, stream.head.hex(), why))
        with suppress(OSError):
            self.pay()

    def pay(self) -> None:
        """Append the entries that could not be appended when they were due."""
        while self._owed:
            self.chain.append(self._owed[0])
            del self._owed[0]

    def roll(self) -> None:
        """End the open segment, to which nothing waits to be written; the next record begins another."""
        segment = self.live
        if segment is None:
            return
        if self._batch is not None:
            raise RuntimeError("a segment cannot end before what waits for it is written")
        segment.settle()
        self._owed.append(Ended(self._clock(), segment.number, segment.file.size, segment.digest.hexdigest()))
        self.ended.append(segment)
        self.live = None
        with suppress(OSError):
            self.pay()

    def seal(self, sealed: Sealed) -> None:
        """Say in the chain which files hold an ended segment."""
        self.pay()
        self.chain.append(sealed)

    def checkpoint(self) -> tuple[Signed, Checkpoint] | None:
        """Sign what is there now and put it into the chain; None where nothing came since the last one."""
        self.pay()
        live = self.live
        if self._covered == self._extent():
            return None
        checkpoint = Checkpoint(
            node=self._folder.node,
            sequence=self._next.sequence,
            at=self._clock(),
            entries=self.chain.number,
            head=self.chain.head.hex(),
            segment=live.number if live is not None else 0,
            size=live.file.size if live is not None else 0,
            digest=live.digest.hexdigest() if live is not None else "",
        )
        signed = self._key.sign(statement_text(checkpoint))
        self.chain.append(Checkpointed(checkpoint.at, signed))
        self._next.sequence += 1
        self._covered = self._extent()
        return signed, checkpoint

    def remove(self, sealed: Sealed, why: str, portions: Sequence[Portion]) -> None:
        """Say in the chain, signed, that retention deletes a segment. Its files are deleted afterwards."""
        removal = Removal(
            node=self._folder.node,
            at=self._clock(),
            entry=self.chain.number,
            segment=sealed.segment,
            digest=sealed.digest,
            why=why,
            continues={str(portion.stream): (portion.last, portion.head) for portion in portions if not portion.closed},
        )
        self.chain.append(Removed(removal.at, self._key.sign(statement_text(removal))))

    def _extent(self) -> tuple[int, int, int]:
        live = self.live
        return (self.chain.number, live.number, live.file.size) if live is not None else (self.chain.number, 0, 0)

    def _room(self) -> OpenSegment:
        """A segment is closed once it has reached its size: by what one write holds it may be larger."""
        if self.live is not None and self.live.size >= self._limit:
            self.roll()
        if self.live is None:
            self.live = self._begin()
        return self.live

    def _begin(self) -> OpenSegment:
        self.pay()
        number = self._next.segment
        cipher, wrapped = self._keyring.begin(self._folder.node, number) or (None, None)
        segment = OpenSegment(self._folder, number, self._clock(), cipher)
        try:
            self.chain.append(Begun(segment.began, number, wrapped))
        except OSError:
            segment.file.close()
            segment.file.path.unlink(missing_ok=True)
            raise
        self._next.segment += 1
        self.ciphers.learn(number, cipher)
        return segment
