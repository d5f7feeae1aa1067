"""The gate's recorder: the log on a loop, with durability, closing of segments, checkpoints, anchors and retention."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial

import structlog

from blastwall.clocks import steady
from blastwall.config.model import Recordings
from blastwall.gate.each import Awaiting, QuickRecord
from blastwall.gate.ports import RecordingFailed
from blastwall.model.events import Event
from blastwall.recording.anchors import Anchoring, anchors_of
from blastwall.recording.batch import Batch
from blastwall.recording.chain import Sealed, Stopped
from blastwall.recording.durability import AfterSync, AfterWrite, Durability
from blastwall.recording.encryption import NO_KEYS, Keyring
from blastwall.recording.files import FolderLock
from blastwall.recording.keys import SigningKey
from blastwall.recording.layout import Folder
from blastwall.recording.log import NodeLog
from blastwall.recording.recovery import portions_of, recover
from blastwall.recording.retention import Steadiness, due, longest_open, patience
from blastwall.recording.segments import OpenSegment, compress, publish
from blastwall.recording.streams import Stream
from blastwall.wire.native import Flag, Real, Whole

_log = structlog.get_logger(__name__)
_PATIENCE = 5.0
"""Seconds that stopping waits for the last checkpoint to reach its anchors."""


class Counters:
    """What happened since the start; the metrics read these."""

    __slots__ = ("anchor_failures", "checkpoints", "events", "failures", "segments_removed", "sessions")

    def __init__(self) -> None:
        self.sessions: Whole = 0
        self.events: Whole = 0
        self.failures: Whole = 0
        self.checkpoints: Whole = 0
        self.anchor_failures: Whole = 0
        self.segments_removed: Whole = 0


_NOTED_WITHIN = 0.02
"""Seconds after which notes are written that nobody waits for, where nothing else was written meanwhile."""

_Waiting = tuple["Record", Callable[[RecordingFailed | None], None]]


class Told:
    """Who is to be told of what one write takes; one object for many writes.

    `waiting` are told whatever comes of it, and so is each `awaiting`, of the one of `expected` in its place. Each
    `noting`, of the one of `noted` in its place, hears of a failure only (`lost`).
    """

    __slots__ = ("awaiting", "expected", "lost", "noted", "noting", "waiting")

    def __init__(self) -> None:
        self.waiting: list[_Waiting] = []
        self.expected: list[Record] = []
        self.awaiting: list[Awaiting] = []
        self.noted: list[Record] = []
        self.noting: list[Awaiting] = []
        self.lost: Flag = False

    def nobody(self) -> Flag:
        """Whether there is nobody to be told of anything."""
        return not (len(self.expected) or len(self.noted) or len(self.waiting))

    def records(self) -> Iterable[Record]:
        """The record of each."""
        return [record for record, _ in self.waiting] + self.expected + self.noted

    def clear(self) -> None:
        """Everybody was told."""
        self.waiting.clear()
        self.expected.clear()
        self.awaiting.clear()
        self.noted.clear()
        self.noting.clear()
        self.lost = False


class Record(QuickRecord):
    """One session's recording. Implements `gate.ports.SessionRecord`."""

    def __init__(self, recorder: Recorder, stream: Stream) -> None:
        self.recorder = recorder
        self.stream = stream
        self.failed: RecordingFailed | None = None
        self.closed: Flag = False

    def write(self, events: Sequence[Event], durable: Callable[[RecordingFailed | None], None]) -> None:
        """Append events, in one write with all that this turn of the loop records.

        `durable` is called once they are as durable as configured, or with the error.
        """
        if self.failed is None and self.closed:
            self.failed = RecordingFailed("the recording of this session is closed")
        if self.failed is not None or not events:
            durable(self.failed)
            return
        self.recorder.append(self, events, durable)

    def repeated(  # noqa: PLR0917 - one for each field
        self,
        at: Real,
        number: Whole,
        first: Whole,
        values: tuple[str | None, ...],
        text: str | None,
        awaiting: Awaiting | None,
    ) -> None:
        """Append a `StatementRepeated`, which `write_awaited` writes; see `QuickRecord`."""
        recorder: Recorder = self.recorder
        log: NodeLog | None = self._place()
        if log is not None:
            before = log.live
            try:
                log.repeated(self.stream, at, number, first, values, text)
            except (OSError, ValueError, TypeError) as error:
                recorder.fail(self, error)
                log = None
            else:
                recorder.took(before)
        if awaiting is not None and (log is None or self.failed is not None):
            awaiting.recorded(self.failed)
        elif awaiting is not None:
            recorder.expect(self, awaiting)

    def plain_end(  # noqa: PLR0917 - one for each field
        self,
        at: Real,
        number: Whole,
        rows: Whole,
        affected: Whole,
        size: Whole,
        seconds: Real,
        awaiting: Awaiting,
    ) -> None:
        """Append the `StatementFinished` of a plain answer, within `_NOTED_WITHIN`; only a failure is told."""
        recorder: Recorder = self.recorder
        log: NodeLog | None = self._place()
        if log is not None:
            before = log.live
            try:
                log.plain_end(self.stream, at, number, rows, affected, size, seconds)
            except (OSError, ValueError, TypeError) as error:
                recorder.fail(self, error)
            else:
                recorder.took(before)
                recorder.note(self, awaiting)
        if self.failed is not None:
            awaiting.unrecorded(self.failed)

    def _place(self) -> NodeLog | None:
        """Where to write, None where this must not; `failed` says why."""
        if self.failed is None and self.closed:
            self.failed = RecordingFailed("the recording of this session is closed")
        return self.recorder.ready(self) if self.failed is None else None

    @property
    def quick(self) -> QuickRecord:
        """See `gate.ports.SessionRecord`."""
        return self

    def part_now(self) -> Whole:
        """The number of the segment that the next record comes into, also where it is not begun yet."""
        return self.recorder.part_now()

    def close(self, why: str = "") -> None:
        """Put the session's head into the node's chain, with the reason where it did not end itself."""
        if not self.closed:
            self.closed = True
            self.recorder.ended(self, why)


class Recorder:
    """Records the sessions of one node. Implements `gate.ports.Recorder`; everything is called on one loop."""

    def __init__(
        self,
        settings: Recordings,
        node: str,
        key: SigningKey,
        clock: Callable[[], float] = time.time,
        *,
        steady: Callable[[], float] = steady,
        workers: int = 1,
        keyring: Keyring = NO_KEYS,
    ) -> None:
        """Take the settings; nothing is touched until `start`. `workers` is how many chains the node has.

        Raises:
            ValueError: an anchor's URL is not allowed.
        """
        self.counters: Counters = Counters()
        self._settings = settings
        self._folder = Folder(settings.to / node)
        self._key = key
        self._clock = clock
        self._steady = steady
        self._trusted = Steadiness(clock, steady, patience(settings))
        self._begun = (0, 0.0)
        self._workers = workers
        self._keyring = keyring
        self._anchors = anchors_of(settings.anchors)
        self._anchorings: list[Anchoring] = []
        self._records: dict[int, Record] = {}
        self._told: Told = Told()
        self._spare: Told | None = None
        self._ending: deque[tuple[Record, str]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sealed: list[Sealed] = []
        self._sealing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._lock: FolderLock | None = None
        self._log: NodeLog | None = None
        self._durability: Durability = AfterWrite()
        self._at_once: Flag = True
        self._called: Flag = False
        self._wanted: Flag = False
        self._noted: Flag = False

    @property
    def segment(self) -> int:
        """The number of the open segment; 0 where none is."""
        live = self._log.live if self._log is not None else None
        return live.number if live is not None else 0

    def part_now(self) -> Whole:
        """See `Record.part_now`."""
        return self._log.part_now() if self._log is not None else 0

    async def start(self) -> None:
        """Take the folder, recover what an earlier gateway left, and begin to make checkpoints.

        Raises:
            RecordingFailed: another process writes here, the folder cannot be written, or its chain was changed.
        """
        try:
            self._folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = FolderLock(self._folder.lock)
            recovery = await asyncio.to_thread(
                recover, self._folder, self._key, self._clock(), self._keyring, self._workers
            )
            self._log = NodeLog(
                self._folder,
                self._key,
                recovery.position,
                segment_size=self._settings.segment_size,
                clock=self._clock,
                keyring=self._keyring,
            )
        except BlockingIOError as error:
            raise RecordingFailed(
                f"another gateway writes recordings to {self._folder.path}; stop it, or give this one its own node name"
            ) from error
        except (OSError, RecordingFailed) as error:
            self._unlock()
            if isinstance(error, RecordingFailed):
                raise
            raise RecordingFailed(_cannot(self._folder, error)) from error
        self._sealed = list(recovery.sealed)
        self._loop = asyncio.get_running_loop()
        if self._settings.durability == "power":
            self._durability = AfterSync(self._loop)
        self._at_once = self._durability.at_once
        self._anchorings = [Anchoring(anchor, self._anchor_failed) for anchor in self._anchors]
        self._spawn(self._tick())

    async def stop(self) -> None:
        """Close every session and the open segment, make the last checkpoint and let go of the folder."""
        log = self._log
        if log is None:
            return
        for record in list(self._records.values()):
            record.close("the gateway stopped")
        self.flush()
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.flush()
        log.roll()
        await self._seal_ended()
        await self._durability.drain()
        try:
            log.chain.append(Stopped(self._clock()))
        except OSError as error:
            _log.error("recordings not stopped in order", reason=_cannot(self._folder, error))
        await self.checkpoint()
        await asyncio.gather(*(anchoring.stop(_PATIENCE) for anchoring in self._anchorings))
        self._log = None
        log.chain.file.close()
        self._unlock()

    def open(self, session: str) -> Record:
        """Begin a session's recording.

        Raises:
            RecordingFailed: the place cannot be written.
        """
        if self._log is None:
            raise RecordingFailed("recordings are not being written: the gateway starts or stops")
        try:
            stream = self._log.open(session)
        except OSError as error:
            self.counters.failures += 1
            raise RecordingFailed(_cannot(self._folder, error)) from error
        record = Record(self, stream)
        self._records[stream.ordinal] = record
        self.counters.sessions += 1
        return record

    def append(
        self, record: Record, events: Sequence[Event], durable: Callable[[RecordingFailed | None], None]
    ) -> None:
        """Take events for `record`, whose `write` checked that it may; the end of the loop's turn writes them."""
        log = self.ready(record)
        if log is None:
            durable(record.failed)
            return
        before = log.live
        try:
            log.add(record.stream, events)
        except (OSError, ValueError, TypeError) as error:
            self.fail(record, error)
            durable(record.failed)
            return
        self.took(before)
        self.wait(record, durable)

    def ready(self, record: Record) -> NodeLog | None:
        """Return what is written to; None, and the record has failed, where nothing is."""
        if self._log is None or self._loop is None:
            self._fail(record, "the gateway has stopped recording")
            return None
        return self._log

    def fail(self, record: Record, error: Exception) -> None:
        """What was to be appended to `record` cannot be."""
        self._fail(record, _cannot(self._folder, error) if isinstance(error, OSError) else str(error))

    def took(self, before: OpenSegment | None) -> None:
        """Something was taken; `before` it, this segment was open."""
        log = self._log
        if before is not None and log is not None and log.live is not before:
            self._spawn(self._seal_ended())

    def wait(self, record: Record, durable: Callable[[RecordingFailed | None], None]) -> None:
        """Somebody waits for what was taken: write it by the end of the loop's turn."""
        self._wanted = True
        self._told.waiting.append((record, durable))
        if not self._called and self._loop is not None:
            self._called = True
            self._loop.call_soon(self._flush_soon)

    def expect(self, record: Record, awaiting: Awaiting) -> None:
        """Somebody waits for what was taken, and calls `write_awaited` in this turn of the loop."""
        self._wanted = True
        self._told.expected.append(record)
        self._told.awaiting.append(awaiting)
        self._arm()

    def note(self, record: Record, awaiting: Awaiting) -> None:
        """Nobody waits for what was taken: it is written with what comes next, or a little later."""
        self._told.noted.append(record)
        self._told.noting.append(awaiting)
        self._arm()

    def _arm(self) -> None:
        if not self._noted and self._loop is not None:
            self._noted = True
            self._loop.call_later(_NOTED_WITHIN, self._flush_noted)

    def _flush_noted(self) -> None:
        self._noted = False
        self.flush()

    def write_awaited(self) -> None:
        """Write now what was taken, where anybody waits for it."""
        if self._wanted:
            self.flush()

    def _flush_soon(self) -> None:
        """The end of the loop's turn, where nobody has flushed before."""
        self._called = False
        self.flush()

    def flush(self) -> None:
        """Write now what was taken since the last time, in one write(2), and tell whoever waits for it."""
        log: NodeLog | None = self._log
        told: Told = self._told
        if log is None or told.nobody():
            return
        spare: Told | None = self._spare
        self._told, self._spare = Told() if spare is None else spare, None
        self._wanted = False
        batch: Batch | None = None
        try:
            batch = log.write()
        except OSError as error:
            self._fail_all(told, error)
        if self._ending:
            self._end_sessions(log)
        if batch is not None:
            self.counters.events += batch.events
        if batch is None or self._at_once:
            self._tell(told)
        else:
            files = (batch.segment.file, log.chain.file)
            self._durability.after(files, partial(self._written, batch.segment, told))

    def _written(self, segment: OpenSegment, told: Told, error: OSError | None) -> None:
        if error is not None:
            self._fail_all(told, error)
            self._leave(segment, error)
        self._tell(told)

    def _tell(self, told: Told) -> None:
        """Tell all whom it concerns; a fault of one of them keeps the answer from no other.

        Whoever is told is taken out before, so that it is told once.
        """
        place: Whole = 0
        try:
            while place < len(told.expected):
                record: Record = told.expected[place]
                awaiting: Awaiting = told.awaiting[place]
                place += 1
                awaiting.recorded(record.failed)
            while told.waiting:
                record, durable = told.waiting.pop(0)
                durable(record.failed)
            while told.lost and told.noted:
                record, awaiting = told.noted.pop(0), told.noting.pop(0)
                awaiting.unrecorded(record.failed)
            place = 0
            told.clear()
            self._spare = told
        finally:
            if not told.nobody() and self._loop is not None:
                del told.expected[:place], told.awaiting[:place]
                self._loop.call_soon(self._tell_rest, told)

    def _tell_rest(self, told: Told) -> None:
        """As `_tell`, which one of them has broken off."""
        self._tell(told)

    def ended(self, record: Record, why: str) -> None:
        """Put the head of `record` into the chain, after what was taken for it."""
        self._records.pop(record.stream.ordinal, None)
        self._ending.append((record, why))
        if self._log is not None and self._told.nobody():
            self._end_sessions(self._log)

    def _end_sessions(self, log: NodeLog) -> None:
        while self._ending:
            record, why = self._ending.popleft()
            log.close(record.stream, str(record.failed) if record.failed is not None else why)

    async def checkpoint(self) -> None:
        """Sign what is there, make sure that a power cut cannot take it back, then offer it to the anchors."""
        log = self._log
        if log is None:
            return
        try:
            made = log.checkpoint()
            if made is None:
                return
            live = log.live
            if live is not None:
                await asyncio.to_thread(live.file.sync)
            await asyncio.to_thread(log.chain.file.sync)
        except OSError as error:
            _log.error("no checkpoint", reason=_cannot(self._folder, error))
            return
        self.counters.checkpoints += 1
        for anchoring in self._anchorings:
            anchoring.offer(*made)

    async def retain(self) -> None:
        """Delete what the limits say; the chain says so, signed, before a file is gone."""
        log = self._log
        if log is None:
            return
        pinned = {segment for record in self._records.values() for segment in record.stream.segments}
        now = self._clock() if self._trusted() else None
        for each in due(self._settings, self._sealed, pinned, now):
            portions = await asyncio.to_thread(portions_of, self._folder, each.sealed.segment, log.ciphers)
            try:
                log.remove(each.sealed, each.why, portions)
                await asyncio.to_thread(log.chain.file.sync)
                self._folder.sealed(each.sealed.segment).unlink(missing_ok=True)
                self._folder.index(each.sealed.segment).unlink(missing_ok=True)
            except OSError as error:
                _log.error("recordings not deleted", reason=_cannot(self._folder, error))
                return
            self._sealed.remove(each.sealed)
            self.counters.segments_removed += 1

    async def _tick(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._settings.checkpoint.total_seconds())
            log = self._log
            if self._stopping.is_set() or log is None:
                return
            if self._open_for(self.segment) > longest_open(self._settings):
                self.flush()
                log.roll()
            await self._seal_ended()
            await self.retain()
            await self.checkpoint()

    def _open_for(self, segment: int) -> float:
        """For how many seconds a segment has been the open one, as far as this was asked."""
        if self._begun[0] != segment:
            self._begun = (segment, self._steady())
        return self._steady() - self._begun[1]

    async def _seal_ended(self) -> None:
        """Compress the segments that ended. What fails (a full disk) stays as it is and is tried again."""
        log = self._log
        if log is None:
            return
        async with self._sealing:
            while log.ended:
                segment = log.ended[0]
                try:
                    sealed = await asyncio.to_thread(compress, self._folder, segment.content(), self._clock())
                    log.seal(sealed)
                    await asyncio.to_thread(log.chain.file.sync)
                    publish(self._folder, sealed)
                except OSError as error:
                    _log.error("segment not compressed", reason=_cannot(self._folder, error))
                    return
                log.ended.remove(segment)
                self._durability.retire(segment.file)
                self._sealed.append(sealed)

    def _fail(self, record: Record, reason: str) -> None:
        self.counters.failures += 1
        record.failed = record.failed or RecordingFailed(reason)

    def _fail_all(self, told: Told, error: OSError) -> None:
        told.lost = True
        for record in told.records():
            self._fail(record, _cannot(self._folder, error))

    def _leave(self, segment: OpenSegment, error: OSError) -> None:
        """After a failed fsync nobody knows what the disk has: nothing more is appended to that segment."""
        if self._log is None or self._log.live is not segment:
            return
        told, self._told = self._told, Told()
        self._wanted = False
        self._fail_all(told, error)
        self._log.take_back()
        self._log.roll()
        self._end_sessions(self._log)
        self._tell(told)
        self._spawn(self._seal_ended())

    def _anchor_failed(self) -> None:
        self.counters.anchor_failures += 1

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _cannot(folder: Folder, error: OSError) -> str:
    return f"the recordings in {folder.path} cannot be written: {error.strerror or error}"
