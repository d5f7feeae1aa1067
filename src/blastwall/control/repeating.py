"""Use-cases of requests that may be sent twice and must be done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from blastwall.control.access import Access, Remote, UseCases, use_case
from blastwall.store.idempotency import IdempotencyTable


class KeyReused(Exception):
    """The caller used this key for another request."""


class StillRunning(Exception):
    """A request with this key is being worked on."""


@dataclass(frozen=True, slots=True)
class Done:
    """A request's answer: its status and its JSON."""

    status: int
    body: bytes


class Repeating(UseCases):
    """Keys are a caller's own: another's key is another key, so it tells nothing and blocks nothing."""

    def __init__(self, table: IdempotencyTable, now: Callable[[], float]) -> None:
        self._table = table
        self._now = now

    @use_case(Access.AGENT)
    async def begin(self, caller: Remote, key: str, fingerprint: str) -> Done | None:
        """Claim a key for a request; return the answer where it was done before.

        Raises:
            KeyReused: the key was another request's.
            StillRunning: the same request is being worked on.
            StateError: the state cannot be used.
        """
        before = await self._table.claim(caller.name, _digest(key), fingerprint, self._now())
        if before is None:
            return None
        if before.fingerprint != fingerprint:
            raise KeyReused("this Idempotency-Key was used for another request; take a new one")
        if before.status is None or before.body is None:
            raise StillRunning("a request with this Idempotency-Key is being worked on; ask again in a moment")
        return Done(before.status, before.body.encode())

    @use_case(Access.AGENT)
    async def finish(self, caller: Remote, key: str, done: Done) -> None:
        """Keep the answer of a request that was done.

        Raises:
            StateError: the state cannot be written.
        """
        await self._table.keep(caller.name, _digest(key), done.status, done.body.decode())

    @use_case(Access.AGENT)
    async def forget(self, caller: Remote, key: str) -> None:
        """Let go of a key whose request was not done.

        Raises:
            StateError: the state cannot be written.
        """
        await self._table.forget(caller.name, _digest(key))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
