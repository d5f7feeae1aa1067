"""What has changed, for whoever watches: one feed over all nodes and processes.

    publish ─▶ table `changes` of the state ─▶ every process that has subscribers reads it, each POLL_SECONDS
                                              (at once where it was published here) ─▶ their queues

A subscriber's queue is bounded: one that does not read is cut off, and may come back with the last number that it saw.
Where too much was missed, it hears `reset` first: everything may have changed. Without subscribers nothing is read.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from blastwall.store import StateError
from blastwall.store.changes import ChangeTable, NewChange, StoredChange

Kind = Literal["approval", "grant", "containment", "session", "notification", "health", "reset"]
Value = str | int | float | bool | None

POLL_SECONDS = 0.5
MOST_EACH = 8
MOST_SUBSCRIBERS = 256
_MOST_QUEUED = 256
_MOST_MISSED = 200
_MOST_UNWRITTEN = 1000
_MOST_READ = 500
_LOOK_BACK = 100
_log = structlog.get_logger("blastwall.control")


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed. `number` is its place in the feed; None for what only this process tells."""

    kind: str
    id: str
    data: Mapping[str, Value]
    number: int | None = None


class TooManySubscribers(Exception):
    """The caller, or everybody together, watches too often."""


class Subscription:
    """One watcher's queue."""

    def __init__(self, who: str, most: int) -> None:
        self.who = who
        self.ended = False
        self._most = most
        self._queue: deque[Change] = deque()
        self._seen: set[int] = set()
        self._woken = asyncio.Event()

    async def next(self, seconds: float) -> Change | None:
        """Return the next change; None where there is none for so many seconds, or no more at all (`ended`)."""
        if not self._queue and not self.ended:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        return self._queue.popleft() if self._queue else None

    def put(self, change: Change) -> None:
        """Take a change, once; a queue that is full ends."""
        if self.ended or (change.number is not None and change.number in self._seen):
            return
        if len(self._queue) >= self._most:
            self.end()
            return
        if change.number is not None:
            self._seen.add(change.number)
            if len(self._seen) > 4 * _LOOK_BACK:
                self._seen = set(sorted(self._seen)[-2 * _LOOK_BACK :])
        self._queue.append(change)
        self._woken.set()

    def pass_over(self, numbers: Collection[int]) -> None:
        """Take what has these numbers as heard."""
        self._seen.update(numbers)
        self._queue = deque(change for change in self._queue if change.number not in self._seen)

    def end(self) -> None:
        """Let it hear nothing more."""
        self.ended = True
        self._woken.set()


class Changes:
    """The feed as one process sees it. Everything is called on one loop."""

    def __init__(self, table: ChangeTable, now: Callable[[], float]) -> None:
        self._table = table
        self._now = now
        self._unwritten: deque[NewChange] = deque(maxlen=_MOST_UNWRITTEN)
        self._writing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_now = asyncio.Event()
        self._subscriptions: set[Subscription] = set()
        self._highest = 0
        self._closed = False

    # ── publishing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, kind: Kind, id: str, data: Mapping[str, Value] | None = None) -> None:  # noqa: A002 - as events name it
        """Tell every watcher on every node that something changed; it was written before.

        Never waits and never fails: where the feed cannot be written, watchers learn it when they look again.
        """
        self._unwritten.append(NewChange(self._now(), kind, id, json.dumps(dict(data or {}))))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="write changes")

    def tell(self, kind: Kind, id: str, data: Mapping[str, Value] | None = None) -> None:  # noqa: A002 - as events name it
        """Tell the watchers of this process something that has no place in the feed."""
        self._put(Change(kind, id, dict(data or {})))

    async def _write(self) -> None:
        while self._unwritten:
            batch = tuple(self._unwritten)
            self._unwritten.clear()
            try:
                await self._table.add(batch)
            except StateError as error:
                _log.warning("changes_not_told", changes=len(batch), reason=str(error))
            self._read_now.set()

    def end(self) -> None:
        """End all subscriptions, and take no more."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()

    async def close(self) -> None:
        """Write what is unwritten, and read no more."""
        self.end()
        if self._writing is not None:
            await self._writing
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    # ── subscribing ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def watched(self) -> bool:
        """Whether anybody watches here."""
        return bool(self._subscriptions)

    async def subscribe(self, who: str, after: int | None = None, most: int = _MOST_QUEUED) -> Subscription:
        """Begin to watch; `after` is the number of the last change that was seen.

        Raises:
            TooManySubscribers: `who` watches MOST_EACH times already, or MOST_SUBSCRIBERS do together.
            StateError: the feed cannot be read.
        """
        self._make_room(who)
        subscription = Subscription(who, most)
        self._subscriptions.add(subscription)
        try:
            begun = await self._begin()
            if after is None:
                await self._leave_out_the_past(subscription, begun)
            else:
                await self._catch_up(subscription, after)
        except BaseException:
            self.unsubscribe(subscription)
            raise
        if self._closed:
            subscription.end()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop watching."""
        subscription.end()
        self._subscriptions.discard(subscription)
        if not self._subscriptions and self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _make_room(self, who: str) -> None:
        if len(self._subscriptions) >= MOST_SUBSCRIBERS:
            raise TooManySubscribers("too many people watch this gateway; try again later")
        if sum(each.who == who for each in self._subscriptions) >= MOST_EACH:
            raise TooManySubscribers(f"{who} watches {MOST_EACH} times already; close a page")

    async def _begin(self) -> set[int] | None:
        """Begin to read where nobody watched; return what stands in the feed, None where it was not looked at."""
        if self._reading is not None:
            return None
        highest, newest = await self._by_now()
        if self._reading is None:
            self._highest = highest
            known = {number for number in newest if number <= highest}
            self._reading = asyncio.create_task(self._read_forever(known), name="read changes")
        return newest

    async def _leave_out_the_past(self, subscription: Subscription, begun: set[int] | None) -> None:
        """Tell it nothing that stands in the feed by now: this process may still have to read that for the others."""
        newest = (await self._by_now())[1] if begun is None else begun
        subscription.pass_over(newest)

    async def _catch_up(self, subscription: Subscription, after: int) -> None:
        lowest, highest = await self._table.ends()
        if after > highest or after + 1 < lowest or highest - after > _MOST_MISSED:
            subscription.put(Change("reset", "", {}, highest))
            return
        for stored in await self._table.after(after, _MOST_MISSED):
            subscription.put(_change(stored))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _read_forever(self, delivered: set[int]) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._read_now.wait()
            self._read_now.clear()
            try:
                found = await self._newest(self._highest)
            except StateError as error:
                _log.warning("changes_unreadable", reason=str(error))
                continue
            for each in found:
                if each.number not in delivered:
                    self._put(_change(each))
                    self._highest = max(self._highest, each.number)
            delivered = {number for number in delivered if number > self._highest - 2 * _LOOK_BACK}
            delivered |= {each.number for each in found}

    async def _by_now(self) -> tuple[int, set[int]]:
        """Return the feed's highest number, and the numbers a little way back of it and beyond."""
        _, highest = await self._table.ends()
        return highest, {each.number for each in await self._newest(highest)}

    async def _newest(self, highest: int) -> tuple[StoredChange, ...]:
        return await self._table.after(highest - _LOOK_BACK, _MOST_READ)

    def _put(self, change: Change) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.put(change)


def _change(stored: StoredChange) -> Change:
    return Change(stored.kind, stored.thing, json.loads(stored.data), stored.number)
