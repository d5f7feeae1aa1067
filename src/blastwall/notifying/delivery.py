"""Delivery from the outbox: one task a place, so that a dead or slow one holds up no other.

A message that does not arrive is tried again, each time after a longer pause with some chance in it, until it is a day
old; then it is given up, and counted as dead. A place that failed is left alone for a while altogether.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from prometheus_client import CollectorRegistry, Counter

from blastwall.notifying.places import Place
from blastwall.notifying.posting import NotSent, post
from blastwall.store import StateError
from blastwall.store.outbox import Letter, OutboxTable

LOOK_SECONDS = 1.0
"""How often the outbox is looked into: what another process or node put there is sent after this time."""

OLDEST_SECONDS = 86_400.0
_KEEP_DEAD_SECONDS = 7 * 86_400.0
_CLAIM_SECONDS = 120.0
_AT_ONCE = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 900.0
_LONGEST_REST = 60.0
_BURY_SECONDS = 60.0

_log = structlog.get_logger("blastwall.notifying")


class Delivery:
    """Sends what the outbox holds for the configured places.

    Args:
        outbox: where messages wait.
        now: the time, in epoch seconds.
        registry: where what was sent is counted.
        unavailable: what reading a secret raises where there is none now.
        chance: a number from 0 to 1.
    """

    def __init__(
        self,
        outbox: OutboxTable,
        *,
        now: Callable[[], float],
        registry: CollectorRegistry | None = None,
        unavailable: type[Exception] = OSError,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._now = now
        self._unavailable = unavailable
        self._chance = chance
        self._by = uuid.uuid4().hex
        self._places: dict[str, Place] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._rest: dict[str, tuple[float, float]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._counts = Counter(
            "blastwall_notifications",
            "Messages to people, by where they go and what came of it: sent, failed (tried again) or dead (given up).",
            ["notification", "result"],
            registry=registry,
        )

    def reconfigure(self, places: Iterable[Place]) -> None:
        """Send to these places from now on; what waits for others stays until it is too old."""
        self._places = {place.name: place for place in places}
        self._rest.clear()
        self._wake.set()

    def wake(self) -> None:
        """Something was put into the outbox: look now."""
        self._wake.set()

    async def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="delivery")

    async def stop(self) -> None:
        """Stop sending; what is under way is given back, to be sent by another process or later."""
        tasks = [*([self._task] if self._task is not None else []), *self._sending.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StateError):
            await self._outbox.release(self._by)

    async def _run(self) -> None:
        buried = float("-inf")
        while True:
            try:
                now = self._now()
                if not 0 <= now - buried < _BURY_SECONDS:
                    buried = now
                    await self._bury(now)
                for name in await self._outbox.due(now) if self._places else ():
                    self._begin(name, now)
            except StateError as error:
                _log.warning("outbox_unreadable", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever else fails, the next look may succeed
                _log.exception("outbox_unreadable")
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)

    async def _bury(self, now: float) -> None:
        dead = await self._outbox.bury(now - OLDEST_SECONDS, now)
        if dead:
            self._counts.labels("any", "dead").inc(dead)
            _log.error("messages_given_up", count=dead, older_than_seconds=OLDEST_SECONDS)
        await self._outbox.forget(now - _KEEP_DEAD_SECONDS)

    def _begin(self, name: str, now: float) -> None:
        """Send to a place, unless that is under way, or the place rests."""
        place = self._places.get(name)
        until, _ = self._rest.get(name, (0.0, 0.0))
        if place is None or name in self._sending or now < until:
            return
        task = asyncio.create_task(self._send_all(place), name=f"notify {name}")
        self._sending[name] = task
        task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        self._sending.pop(name, None)

    async def _send_all(self, place: Place) -> None:
        """Send what is due for one place, until nothing is or the place fails."""
        try:
            while True:
                now = self._now()
                letters = await self._outbox.claim(place.name, self._by, now, now + _CLAIM_SECONDS, _AT_ONCE)
                if not letters or not await self._send_some(place, letters):
                    return
        except StateError as error:
            _log.warning("outbox_unreadable", reason=str(error))
        except Exception:  # noqa: BLE001 - one place that fails in an unforeseen way must not end the others
            _log.exception("notification_failed", notification=place.name)

    async def _send_some(self, place: Place, letters: tuple[Letter, ...]) -> bool:
        """Send letters in their order; return whether all arrived. After one that did not, the others wait."""
        for number, letter in enumerate(letters):
            try:
                await self._send(place, letter)
            except (NotSent, self._unavailable) as error:
                await self._failed(place, letter, error)
                for later in letters[number + 1 :]:
                    await self._outbox.postpone(later.id, self._by)
                return False
            await self._outbox.sent(letter.id, self._by)
            self._rest.pop(place.name, None)
            self._counts.labels(place.name, "sent").inc()
        return True

    async def _send(self, place: Place, letter: Letter) -> None:
        await post(await place.request(letter, int(self._now())), place.reach)

    async def _failed(self, place: Place, letter: Letter, error: Exception) -> None:
        asked = error.wait if isinstance(error, NotSent) else 0.0
        pause = max(asked, self._pause(_FIRST_PAUSE * 2.0 ** min(letter.attempts, 16), _LONGEST_PAUSE))
        _, last = self._rest.get(place.name, (0.0, _FIRST_PAUSE / 2))
        rest = max(asked, min(last * 2, _LONGEST_REST))
        self._rest[place.name] = (self._now() + self._pause(rest, rest), min(rest, _LONGEST_REST))
        self._counts.labels(place.name, "failed").inc()
        _log.warning("notification_not_sent", notification=place.name, reason=str(error), retry_seconds=round(pause, 1))
        await self._outbox.failed(letter.id, self._by, self._now() + pause)

    def _pause(self, seconds: float, longest: float) -> float:
        """Return a pause of at least half its length, so that nodes do not all try at once."""
        return min(seconds, longest) * (0.5 + self._chance() / 2)
