"""Telling people: whatever happens is put into the outbox of the state, from which it is sent.

Nobody who tells waits for a place where people read, and nothing fails because it cannot be told: what cannot be put
into the outbox is logged and counted. Of what one principal causes, so many a minute are told and the rest is counted
in the next message, so that an agent cannot bury people in messages.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Metric

from blastwall.config.notifications import Notification
from blastwall.gate.ports import Subject
from blastwall.model.events import StatementAsked
from blastwall.model.ruling import Ruling
from blastwall.model.told import Told, Topic
from blastwall.store import StateError
from blastwall.store.outbox import Letter, OutboxTable

A_MINUTE: Mapping[Topic, int] = {Topic.DENIED: 5}
"""How many messages a minute one principal can cause."""

_OTHERS_A_MINUTE = 30
_MOST_WAITING = 10_000
_MOST_QUEUED = 256
_MOST_COUNTED = 10_000
_EFFECTS_SHOWN = 8

_log = structlog.get_logger("blastwall.control")


class Telling:
    """Puts messages into the outbox, for every notification that wants them.

    Args:
        outbox: where messages wait.
        notifications: those in force, at the time of the call.
        now: the time, in epoch seconds.
        registry: where what is told is counted.
        wake: called when something was put into the outbox.
    """

    def __init__(
        self,
        outbox: OutboxTable,
        notifications: Callable[[], Sequence[Notification]],
        *,
        now: Callable[[], float],
        registry: CollectorRegistry | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        self._outbox = outbox
        self._notifications = notifications
        self._now = now
        self._wake = wake
        self._counts = Metric(
            "blastwall_told",
            "What people were to be told of, by topic and what came of it: put into the outbox, over the limit of a "
            "minute, or lost since there was no room or no state.",
            ["topic", "result"],
            registry=registry,
        )
        self._minute = _Minute()
        self._queue: asyncio.Queue[Told] = asyncio.Queue(_MOST_QUEUED)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write what `note` takes."""
        self._task = asyncio.create_task(self._drain(), name="telling")

    async def stop(self) -> None:
        """Write what was noted, as long as the state can be written, and end."""
        if self._task is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), 5.0)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def tell(self, told: Told) -> None:
        """Put a message into the outbox. Never raises: what happened has happened, whether or not it is told."""
        wanting = self._wanting(told)
        if not wanting:
            return
        passed = self._minute.count(told, self._now())
        if passed is None:
            self._counted(told, "limited", len(wanting))
            return
        if passed:
            told = msgspec.structs.replace(told, facts=(*told.facts, ("not told", f"{passed} more like this")))
        body = msgspec.json.encode(told).decode()
        letters = [Letter(uuid.uuid4().hex, each.called, body, self._now()) for each in wanting]
        try:
            left_out = await self._outbox.put(letters, _MOST_WAITING)
        except StateError as error:
            _log.error("not_told", topic=told.topic.value, about=told.id, reason=str(error))
            self._counted(told, "lost", len(letters))
            return
        self._counted(told, "lost", left_out)
        self._counted(told, "put", len(letters) - left_out)
        if self._wake is not None:
            self._wake()

    def note(self, told: Told) -> None:
        """Tell soon. Returns at once, so that a statement may call it; where there is no room the message is lost."""
        if not self._wanting(told):
            return
        try:
            self._queue.put_nowait(told)
        except asyncio.QueueFull:
            self._counted(told, "lost", 1)

    def denied(self, subject: Subject, session: str, asked: StatementAsked, ruling: Ruling) -> None:
        """See `gate.ports.Watcher`."""
        if any(Topic.DENIED.value in each.for_ for each in self._notifications()):
            self.note(refusal(subject, session, asked, ruling))

    def _wanting(self, told: Told) -> list[Notification]:
        return [each for each in self._notifications() if each.wants(told.topic, told.resource)]

    def _counted(self, told: Told, result: str, count: int) -> None:
        if count:
            self._counts.labels(told.topic.value, result).inc(count)

    async def _drain(self) -> None:
        while True:
            told = await self._queue.get()
            try:
                await self.tell(told)
            except Exception:  # noqa: BLE001 - one message that cannot be told must not end the telling of others
                _log.exception("not_told", topic=told.topic.value, about=told.id)
            finally:
                self._queue.task_done()


class _Minute:
    """Counts messages by topic and who caused them, in whole minutes."""

    def __init__(self) -> None:
        self._began = 0
        self._told: Counter[tuple[Topic, str]] = Counter()
        self._passed: OrderedDict[tuple[Topic, str], int] = OrderedDict()

    def count(self, told: Told, now: float) -> int | None:
        """Return how many were passed over since the last one that was told; None where this one is, too."""
        minute = int(now // 60)
        if minute != self._began:
            self._began = minute
            self._told.clear()
        key = (told.topic, told.who)
        if self._told[key] >= A_MINUTE.get(told.topic, _OTHERS_A_MINUTE):
            self._passed[key] = self._passed.pop(key, 0) + 1
            if len(self._passed) > _MOST_COUNTED:
                self._passed.popitem(last=False)
            return None
        self._told[key] += 1
        return self._passed.pop(key, 0)


def containment_told(kind: str, name: str, state: str, reason: str, by: str) -> Told:
    """Return the message of what was contained or lifted."""
    return Told(
        topic=Topic.CONTAINMENT,
        id=f"{kind} {name}",
        title=f"{kind} {name} was {state}",
        facts=(("by", by), ("reason", reason)),
        resource=name if kind == "resource" else "",
        link="#/containment",
        who=by,
    )


def refusal(subject: Subject, session: str, asked: StatementAsked, ruling: Ruling) -> Told:
    """Return the message of a statement that policy refused."""
    principal, resource = subject.principal, subject.resource
    shown = [f"{effect.action} {effect.object.id_below(resource.name)}" for effect in asked.effects[:_EFFECTS_SHOWN]]
    more = len(asked.effects) - len(shown)
    facts = [
        ("who", f"{principal.kind} {principal.name}"),
        ("from", str(subject.source)),
        ("resource", f"{resource.name}, database {subject.database}" if subject.database else resource.name),
        ("would", ", ".join(shown) + (f" and {more} more" if more else "")),
        ("refused by", ", ".join(ruling.policies) or "no policy permits it"),
        ("reason", ruling.reason),
        ("session", session),
    ]
    return Told(
        topic=Topic.DENIED,
        id=f"{session}/{asked.number}",
        title=f"{principal.name} was refused at {resource.name}",
        facts=tuple((label, value) for label, value in facts if value),
        text=asked.text,
        resource=resource.name,
        link=f"#/sessions/{session}",
        who=f"{principal.kind} {principal.name}",
    )
