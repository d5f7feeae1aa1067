"""One issuer's keys, kept and renewed.

    age of the keys      what a token's arrival does
    ───────────────────  ──────────────────────────────────────────────────────────────────────
    under SOON           uses them
    SOON to FRESH        uses them, and renews them in the background
    FRESH to stale       renews them first; where that fails, uses them and waits before the next try
    over stale           renews them first; where that fails, refuses

An unknown `kid` renews them too, but at most once in UNKNOWN seconds: a thief's invented kids cost the issuer one
request in that time, and a key that the issuer has just rotated in is known that much later at worst. All who need
keys at once share one request, which goes on when one of them leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from blastwall.clocks import steady
from blastwall.identity.keys import Key, KeysUnavailable, choose
from blastwall.identity.loaders import Loader

SOON = 600.0
FRESH = 900.0
UNKNOWN = 10.0
RETRY_FIRST = 2.0
RETRY_MOST = 60.0


class KeyCache:
    """The keys of one issuer. Times are seconds of `now`, a clock that never jumps."""

    def __init__(self, loader: Loader, stale: float, now: Callable[[], float] = steady) -> None:
        self.stale = stale
        self._loader = loader
        self._now = now
        self._keys: tuple[Key, ...] = ()
        self._loaded = float("-inf")
        self._failure: KeysUnavailable | None = None
        self._retry_at = float("-inf")
        self._retry_wait = RETRY_FIRST
        self._unknown_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def candidates(self, kid: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may verify a token with this header.

        Raises:
            KeysUnavailable: no keys are known, or only ones older than `stale`.
        """
        await self._make_current()
        found = choose(self._keys, kid, algorithm)
        if not found and self._now() - self._unknown_at >= UNKNOWN:
            self._unknown_at = self._now()
            await self._renew()
            found = choose(self._keys, kid, algorithm)
        return found

    def holds(self, key: Key) -> bool:
        """Whether a token that this key verified needs no second look: the keys are fresh and it is among them."""
        age = self._now() - self._loaded
        if age > FRESH or self._loader.changed():
            return False
        if age > SOON:
            self._begin()
        return key in self._keys

    async def close(self) -> None:
        """Stop a renewal under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _make_current(self) -> None:
        age = self._now() - self._loaded
        if age > FRESH or self._loader.changed():
            await self._renew()
            if self._now() - self._loaded > max(self.stale, FRESH):
                raise self._failure or KeysUnavailable("its keys were never loaded")
        elif age > SOON:
            self._begin()

    async def _renew(self) -> None:
        task = self._begin()
        if task is not None:
            await asyncio.shield(task)

    def _begin(self) -> asyncio.Task[None] | None:
        """Start a renewal, or join the one under way; None while a failure is too recent to try again."""
        if self._task is None or self._task.done():
            if self._now() < self._retry_at and not self._loader.changed():
                return None
            self._task = asyncio.create_task(self._load(), name="renew issuer keys")
        return self._task

    async def _load(self) -> None:
        try:
            keys = await self._loader.load()
        except KeysUnavailable as failure:
            self._failure = failure
            self._retry_at = self._now() + self._retry_wait
            self._retry_wait = min(self._retry_wait * 2, RETRY_MOST)
            return
        self._keys, self._loaded = keys, self._now()
        self._failure, self._retry_at, self._retry_wait = None, float("-inf"), RETRY_FIRST
