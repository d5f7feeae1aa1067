"""Telling people: the outbox, what puts messages into it, and what sends them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from blastwall.config.credentials import SecretSource
from blastwall.config.model import Configuration
from blastwall.config.notifications import Notification
from blastwall.containment import StoredContainment
from blastwall.control.changes import Changes
from blastwall.control.telling import Telling, containment_told
from blastwall.notifying import Delivery, Place, place_of
from blastwall.notifying.places import Read
from blastwall.store.containments import Kind
from blastwall.store.database import Store
from blastwall.store.outbox import OutboxTable
from blastwall.vault import SecretUnavailable, reader_for
from blastwall.workers import Member


class Notifier:
    """Both halves, and the notifications in force. The first worker of a node sends; every one tells."""

    def __init__(self, configuration: Configuration, store: Store, registry: CollectorRegistry) -> None:
        outbox = OutboxTable(store)
        self._notifications: Sequence[Notification] = ()
        self.delivery = Delivery(outbox, now=time.time, registry=registry, unavailable=SecretUnavailable)
        self.telling = Telling(
            outbox, lambda: self._notifications, now=time.time, registry=registry, wake=self.delivery.wake
        )
        self.reconfigure(configuration)

    def reconfigure(self, configuration: Configuration) -> None:
        """Put a configuration's notifications in force."""
        self._notifications = tuple(configuration.notifications)
        self.delivery.reconfigure(places(configuration))

    async def start(self, stack: AsyncExitStack, member: Member) -> None:
        """Begin; `stack` ends it."""
        if member.first:
            await self.delivery.start()
            stack.push_async_callback(self.delivery.stop)
        await self.telling.start()
        stack.push_async_callback(self.telling.stop)


class Alarm:
    """Contains what has spent its budget, which nobody asked for, and tells everybody."""

    def __init__(self, containment: StoredContainment, changes: Changes, telling: Telling) -> None:
        self._containment = containment
        self._changes = changes
        self._telling = telling

    async def contain(self, kind: Kind, name: str, reason: str, by: str) -> None:
        """Cut something off, and tell.

        Raises:
            StateError: the state cannot be written; nothing is cut off.
        """
        await self._containment.contain(kind, name, reason, by)
        self._changes.publish("containment", f"{kind.value} {name}", {"state": "contained"})
        await self._telling.tell(containment_told(kind.value, name, "contained", reason, by))


def places(configuration: Configuration) -> tuple[Place, ...]:
    """Return where a configuration's messages go."""
    return tuple(place_of(each, configuration.control.url, _read) for each in configuration.notifications)


def _read(source: SecretSource) -> Read:
    return reader_for(source).read
