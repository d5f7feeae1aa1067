"""A session's record, as its gate writes it: with a callback, awaited, or as a note that must not get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from blastwall.gate.each import Awaiting, QuickRecord
from blastwall.gate.faults import described
from blastwall.gate.ports import RecordingFailed, ResourceMeter, SessionRecord
from blastwall.model.events import Event
from blastwall.wire.native import Flag, Real, Whole

_log = structlog.get_logger(__name__)

Durable = Callable[[RecordingFailed | None], None]


def _failed_before() -> RecordingFailed:
    return RecordingFailed("the recording of this session failed before")


class Unrecorded(QuickRecord):
    """The record of a session whose recording could not even be begun."""

    def __init__(self, failure: RecordingFailed) -> None:
        self._failure = failure

    def write(self, events: Sequence[Event], durable: Durable) -> None:
        """See `ports.SessionRecord`."""
        durable(self._failure)

    @property
    def quick(self) -> QuickRecord:
        """See `ports.SessionRecord`."""
        return self

    def part_now(self) -> Whole:
        """See `QuickRecord`."""
        return 0

    def repeated(  # noqa: PLR0917 - as the port says
        self,
        at: Real,
        number: Whole,
        first: Whole,
        values: tuple[str | None, ...],
        text: str | None,
        awaiting: Awaiting | None,
    ) -> None:
        """See `QuickRecord`."""
        if awaiting is not None:
            awaiting.recorded(self._failure)

    def plain_end(  # noqa: PLR0917 - as the port says
        self, at: Real, number: Whole, rows: Whole, affected: Whole, size: Whole, seconds: Real, awaiting: Awaiting
    ) -> None:
        """See `QuickRecord`."""
        awaiting.unrecorded(self._failure)

    def close(self) -> None:
        """See `ports.SessionRecord`."""


class Journal:
    """Writes one session's events. A failure is counted and logged once: after it every write fails."""

    __slots__ = ("_meter", "_quick", "_record", "_session", "failed")

    def __init__(self, record: SessionRecord, session: str, meter: ResourceMeter) -> None:
        self._record = record
        self._quick: QuickRecord = record.quick
        self._session = session
        self._meter = meter
        self.failed: Flag = False

    def begin(self, event: Event) -> None:
        """Write the first event. Where that fails everything after it does, the login above all."""
        self.write([event], lambda failure: None if failure is None else self.fail(failure))

    def write(self, events: Sequence[Event], durable: Durable) -> None:
        """Append events; `durable` is called once they are durable, or with the failure. Never raises."""
        if self.failed:
            durable(_failed_before())
            return
        try:
            self._record.write(events, durable)
        except Exception as fault:  # noqa: BLE001 - what cannot be recorded, for whatever reason, must not happen
            durable(self._unwritten(fault))

    def repeated(  # noqa: PLR0917 - as the port says
        self,
        at: Real,
        number: Whole,
        first: Whole,
        values: tuple[str | None, ...],
        text: str | None,
        awaiting: Awaiting | None,
    ) -> None:
        """Append a `StatementRepeated`; see `QuickRecord`. Never raises."""
        if not self.failed:
            try:
                self._quick.repeated(at, number, first, values, text, awaiting)
            except Exception as fault:  # noqa: BLE001 - what cannot be recorded, for whatever reason, must not happen
                failure = self._unwritten(fault)
                if awaiting is not None:
                    awaiting.recorded(failure)
        elif awaiting is not None:
            awaiting.recorded(_failed_before())

    def plain_end(  # noqa: PLR0917 - as the port says
        self, at: Real, number: Whole, rows: Whole, affected: Whole, size: Whole, seconds: Real, awaiting: Awaiting
    ) -> None:
        """Append the `StatementFinished` of a plain answer; see `QuickRecord`. Never raises."""
        if self.failed:
            awaiting.unrecorded(_failed_before())
            return
        try:
            self._quick.plain_end(at, number, rows, affected, size, seconds, awaiting)
        except Exception as fault:  # noqa: BLE001 - as above
            awaiting.unrecorded(self._unwritten(fault))

    def _unwritten(self, fault: Exception) -> RecordingFailed:
        """What was to be written is not, for a fault of the gateway's own."""
        failure = RecordingFailed(f"a fault of the gateway's own: {described(fault)}")
        failure = fault if isinstance(fault, RecordingFailed) else failure
        self.fail(failure)
        return failure

    async def written(self, events: Sequence[Event]) -> None:
        """Append events and wait until they are durable.

        Raises:
            RecordingFailed: they cannot be written.
        """
        done: asyncio.Future[RecordingFailed | None] = asyncio.get_running_loop().create_future()

        def durable(failure: RecordingFailed | None) -> None:
            if not done.done():
                done.set_result(failure)

        self.write(events, durable)
        failure = await done
        if failure is not None:
            self.fail(failure)
            raise failure

    def part_now(self) -> Whole:
        """See `QuickRecord`."""
        return self._quick.part_now()

    def fail(self, failure: RecordingFailed) -> None:
        """Note that a write failed."""
        if not self.failed:
            self.failed = True
            self._meter.recording_failed()
            _log.error("recording_failed", session=self._session, reason=str(failure))

    def close(self) -> None:
        """Seal the record."""
        self._record.close()
