"""The gate's recorder: the log on a loop, with durability, closing of segments, checkpoints, anchors and retention."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from blastwall.config.model import Recordings
from blastwall.gate.ports import RecordingFailed
from blastwall.model.events import Event
from blastwall.recording.anchors import Anchoring, anchors_of
from blastwall.recording.chain import Sealed, Stopped
from blastwall.recording.durability import AfterSync, AfterWrite, Durability
from blastwall.recording.files import FolderLock
from blastwall.recording.keys import SigningKey
from blastwall.recording.layout import Folder
from blastwall.recording.log import NodeLog, Stream
from blastwall.recording.recovery import recover
from blastwall.recording.retention import due, longest_open
from blastwall.recording.segments import OpenSegment, compress, index_of, publish

_log = structlog.get_logger(__name__)
_PATIENCE = 5.0
"""Seconds that stopping waits for the last checkpoint to reach its anchors."""


@dataclass(slots=True)
class Counters:
    """What happened since the start; the metrics read these."""

    sessions: int = 0
    events: int = 0
    failures: int = 0
    checkpoints: int = 0
    anchor_failures: int = 0
    segments_removed: int = 0


class Record:
    """One session's recording. Implements `gate.ports.SessionRecord`."""

    def __init__(self, recorder: Recorder, stream: Stream) -> None:
        self._recorder = recorder
        self.stream = stream
        self.failed: RecordingFailed | None = None
        self.closed = False

    def write(self, events: Sequence[Event], durable: Callable[[RecordingFailed | None], None]) -> None:
        """Append events in one write; `durable` is called once they are as durable as configured, or with the error."""
        if self.failed is None and self.closed:
            self.failed = RecordingFailed("the recording of this session is closed")
        if self.failed is not None or not events:
            durable(self.failed)
            return
        self._recorder.append(self, events, durable)

    def close(self, why: str = "") -> None:
        """Put the session's head into the node's chain, with the reason where it did not end itself."""
        if not self.closed:
            self.closed = True
            self._recorder.ended(self, str(self.failed) if self.failed is not None else why)


class Recorder:
    """Records the sessions of one node. Implements `gate.ports.Recorder`; everything is called on one loop."""

    def __init__(
        self,
        settings: Recordings,
        node: str,
        key: SigningKey,
        clock: Callable[[], float] = time.time,
        *,
        workers: int = 1,
    ) -> None:
        """Take the settings; nothing is touched until `start`. `workers` is how many chains the node has.

        Raises:
            ValueError: an anchor's URL is not allowed.
        """
        self.counters = Counters()
        self._settings = settings
        self._folder = Folder(settings.to / node)
        self._key = key
        self._clock = clock
        self._workers = workers
        self._anchors = anchors_of(settings.anchors)
        self._anchorings: list[Anchoring] = []
        self._records: dict[int, Record] = {}
        self._sealed: list[Sealed] = []
        self._sealing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._lock: FolderLock | None = None
        self._log: NodeLog | None = None
        self._durability: Durability = AfterWrite()

    async def start(self) -> None:
        """Take the folder, recover what an earlier gateway left, and begin to make checkpoints.

        Raises:
            RecordingFailed: another process writes here, the folder cannot be written, or its chain was changed.
        """
        try:
            self._folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = FolderLock(self._folder.lock)
            recovery = await asyncio.to_thread(recover, self._folder, self._key, self._clock(), self._workers)
            self._log = NodeLog(self._folder, self._key, recovery.position, self._settings.segment_size, self._clock)
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
        if self._settings.durability == "power":
            self._durability = AfterSync(asyncio.get_running_loop())
        self._anchorings = [Anchoring(anchor, self._anchor_failed) for anchor in self._anchors]
        self._spawn(self._tick())

    async def stop(self) -> None:
        """Close every session and the open segment, make the last checkpoint and let go of the folder."""
        log = self._log
        if log is None:
            return
        for record in list(self._records.values()):
            record.close("the gateway stopped")
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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
        """Write for `record`, whose `write` checked that it may."""
        if self._log is None:
            self._fail(record, "the gateway has stopped recording")
            durable(record.failed)
            return
        before = self._log.live
        try:
            segment = self._log.append(record.stream, events)
        except (OSError, ValueError, TypeError) as error:
            self._fail(record, _cannot(self._folder, error) if isinstance(error, OSError) else str(error))
            durable(record.failed)
            return
        self.counters.events += len(events)

        def done(error: OSError | None) -> None:
            if error is not None:
                self._not_synced(record, segment, error)
            durable(record.failed)

        self._durability.after((segment.file, self._log.chain.file), done)
        if before is not None and segment is not before:
            self._spawn(self._seal_ended())

    def ended(self, record: Record, why: str) -> None:
        """Put the head of `record` into the chain."""
        self._records.pop(record.stream.ordinal, None)
        if self._log is not None:
            self._log.close(record.stream, why)

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
        for each in due(self._settings, self._sealed, pinned, self._clock()):
            portions = await asyncio.to_thread(index_of, self._folder, each.sealed.segment)
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
            if log.live is not None and self._clock() - log.live.began > longest_open(self._settings):
                log.roll()
            await self._seal_ended()
            await self.retain()
            await self.checkpoint()

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

    def _not_synced(self, record: Record, segment: OpenSegment, error: OSError) -> None:
        """After a failed fsync nobody knows what the disk has: nothing more is appended to that segment."""
        self._fail(record, _cannot(self._folder, error))
        if self._log is not None and self._log.live is segment:
            self._log.roll()
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
