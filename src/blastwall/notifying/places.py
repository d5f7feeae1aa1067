"""The places that messages are sent to, made of the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from blastwall.config.credentials import SecretSource
from blastwall.config.notifications import Notification
from blastwall.model.told import Told
from blastwall.notifying import signed, slack, teams
from blastwall.notifying.posting import NotSent, Post, Reach
from blastwall.store.outbox import Letter

Read = Callable[[], Awaitable[bytes]]
"""Reads a secret as it is now."""

Reader = Callable[[SecretSource], Read]

Write = Callable[[Letter, Told, str, int], Awaitable[Post]]
"""Makes the request of a letter, with its full link, at a time in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """One destination. `public` is the URL under which people reach the control port."""

    name: str
    reach: Reach
    public: str
    write: Write = field(repr=False)

    async def request(self, letter: Letter, now: int) -> Post:
        """Return what is posted for a letter.

        Raises:
            NotSent: it cannot be read, or the place's secret not be used.
        """
        try:
            told = msgspec.json.decode(letter.body, type=Told)
        except (msgspec.MsgspecError, ValueError):
            raise NotSent("the message in the outbox cannot be read by this version") from None
        link = f"{self.public}/{told.link}" if told.link else ""
        return await self.write(letter, told, link, now)


def place_of(notification: Notification, public: str, reader: Reader) -> Place:
    """Return the place that a notification names; `reader` gives the reader of a secret."""
    reach = Reach(notification.private, notification.ca)
    return Place(notification.called, reach, public, _writer(notification, reader))


def _writer(notification: Notification, reader: Reader) -> Write:
    if notification.slack is not None:
        return _by_secret_url(reader(notification.slack), slack.write)
    if notification.teams is not None:
        return _by_secret_url(reader(notification.teams), teams.write)
    if notification.webhook is None or notification.secret is None:
        raise ValueError("the configuration's model lets no notification without a place, or key, pass")
    return _signed(notification.webhook, reader(notification.secret))


def _by_secret_url(read: Read, body: Callable[[Told, str], bytes]) -> Write:
    async def write(_letter: Letter, told: Told, link: str, _now: int) -> Post:
        url = (await read()).decode("utf-8", "replace").strip()
        return Post(url, body(told, link))

    return write


def _signed(url: str, read: Read) -> Write:
    async def write(letter: Letter, told: Told, link: str, now: int) -> Post:
        body = signed.write(told, link, letter.at)
        try:
            headers = signed.sign(await read(), letter.id, now, body)
        except signed.WeakKey as weak:
            raise NotSent(str(weak)) from None
        return Post(url, body, headers)

    return write
