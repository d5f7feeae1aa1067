"""Secrets that are asked for over the network: kept ahead of their end in the background, so that no login waits.

lease         what a read does
valid         returns it; the background task asks anew from `renew` on, with growing pauses after failures
over, or none asks, at most `_PATIENCE` seconds, together with whoever else waits
withdrawn     fails: the source has said that the secret is not the gateway's any more

Where a resource takes a secret no more before its end, `renew` asks anew at once, unless somebody did so just now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from blastwall.clocks import steady
from blastwall.vault.readers import SecretUnavailable

_log = structlog.get_logger("blastwall.vault")
_PATIENCE = 8.0
"""A login must be complete within `limits.handshake` (15 s), and the resource needs some of that."""
_FIRST_PAUSE, _LONGEST_PAUSE, _LOGINS_PAUSE = 0.5, 300.0, 5.0
_SAME_AGAIN = 60.0
"""Where asking anew gives what there was (managed identities cache their tokens), the next try is so much later."""
_JUST_NOW = 30.0
"""Seconds in which a secret that was asked for is not asked for once more because a resource refuses it."""
_STEP = 60.0
"""Timers stand still while the machine sleeps, the steady clock does not: it is looked at this often."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A secret for a time: `renew` is when a newer one is asked for, `ends` when this one must no longer be used.

    Both are seconds since the epoch.
    """

    value: bytes = field(repr=False)
    renew: float
    ends: float


class FetchFailed(SecretUnavailable):
    """A source did not give its secret.

    `again` is in how many seconds asking once more may help: 0 for soon, None where somebody must mend something first.
    `withdrawn` means that the source was reached and refuses: what was had before must not be used any more.
    """

    def __init__(self, reason: str, *, again: float | None = None, withdrawn: bool = False) -> None:
        super().__init__(reason)
        self.again = again
        self.withdrawn = withdrawn


def _shifted(lease: Lease, by: float) -> Lease:
    return replace(lease, renew=lease.renew + by, ends=lease.ends + by)


class LeaseSource(Protocol):
    """Where one secret is asked for."""

    @property
    def source(self) -> str:
        """What it is, for errors. Equal sources have equal secrets."""

    async def fetch(self, claims: str = "", /) -> Lease:
        """Ask for it now; a token with these `claims`, whatever is cached elsewhere.

        Raises:
            FetchFailed: it cannot be had.
        """


class RenewedReader:
    """Implements `SecretReader`. `start` keeps it fresh; without it each read asks where nothing valid is there.

    A lease's times are the wall clock's, which may jump, so they are turned into the steady clock's when it comes.
    """

    def __init__(
        self,
        origin: LeaseSource,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._origin = origin
        self._wall = wall
        self._clock = clock
        self._lease: Lease | None = None
        self._failure: FetchFailed | None = None
        self._failures = 0
        self._not_before = float("-inf")
        self._next = float("-inf")
        self._fetched = float("-inf")
        self._claims = ""
        self._fetching: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def source(self) -> str:
        """See `SecretReader`."""
        return self._origin.source

    async def read(self) -> bytes:
        """See `SecretReader`."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            lease = self._valid()
            if lease is not None:
                return lease.value
            await self._wait(deadline)
            await self._attempt()
            if self._failure is not None and self._failure.again is None and self._valid() is None:
                raise self._failure

    async def renew(self, claims: str) -> bytes:
        """See `SecretReader`. The secret in force stays, for whoever it serves, until there is another one."""
        while not self._had_just_now(claims):
            if self._failure is not None and self._clock() < self._not_before:
                raise self._failure
            if self._fetching is None:
                await self._attempt(claims)
            else:
                await asyncio.shield(self._fetching)  # perhaps for other claims
        return await self.read()

    def _had_just_now(self, claims: str) -> bool:
        return self._clock() - self._fetched < _JUST_NOW and claims in {"", self._claims}

    def start(self) -> None:
        """Ask now, and keep asking ahead of each end."""
        if self._keeping is None:
            self._keeping = asyncio.get_running_loop().create_task(self._keep(), name=f"renew {self.source}")

    def stop(self) -> None:
        """Ask ahead no more; who reads still asks."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()

    async def close(self) -> None:
        """Stop, and give up what is being asked."""
        pending = [task for task in (self._keeping, self._fetching) if task is not None]
        self._keeping = None
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _valid(self) -> Lease | None:
        lease = self._lease
        return lease if lease is not None and self._clock() < lease.ends else None

    async def _wait(self, deadline: float) -> None:
        """Wait until the source may be asked again.

        Raises:
            FetchFailed: that is later than a login can wait, or waiting does not help.
        """
        pause = self._not_before - self._clock()
        if pause <= 0 or self._failure is None or self._fetching is not None:
            return
        if self._failure.again is None or asyncio.get_running_loop().time() + pause > deadline:
            raise self._failure
        await asyncio.sleep(pause)

    async def _attempt(self, claims: str = "") -> None:
        """Ask once, together with whoever else does; what came of it is in `_lease` and `_failure`."""
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch(claims), name=f"fetch {self.source}")
        await asyncio.shield(self._fetching)

    async def _fetch(self, claims: str) -> None:
        try:
            lease = await self._origin.fetch(claims)
        except FetchFailed as failure:
            self._failed(failure)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it must not end the renewing
            self._failed(FetchFailed(f"{self.source}: a fault of the gateway's own ({type(fault).__name__})"))
        else:
            self._claims = claims
            self._renewed(_shifted(lease, self._clock() - self._wall()))
        finally:
            self._fetching = None

    def _renewed(self, lease: Lease) -> None:
        now = self._clock()
        if lease.ends <= now:
            self._failed(FetchFailed(f"{self.source} is over already; set this machine's clock"))
            return
        if self._failures:
            _log.info("secret_renewed", source=self.source)
        self._lease, self._failure, self._failures, self._fetched = lease, None, 0, now
        self._next = lease.renew if lease.renew > now else now + min(_SAME_AGAIN, (lease.ends - now) / 4)

    def _failed(self, failure: FetchFailed) -> None:
        self._failures += 1
        if failure.withdrawn:
            self._lease = None
        pause = max(failure.again or 0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 12)))
        now = self._clock()
        self._failure, self._next = failure, now + pause
        self._not_before = now + max(failure.again or 0.0, min(pause, _LOGINS_PAUSE))
        usable = self._valid()
        _log.warning(
            "secret_not_renewed",
            source=self.source,
            reason=str(failure),
            next_try=round(pause, 1),
            last_one_is_used_for=round(usable.ends - now) if usable is not None else 0,
        )

    async def _keep(self) -> None:
        while True:
            left = self._next - self._clock()
            if left <= 0:
                await self._attempt()
            else:
                await asyncio.sleep(min(left, _STEP))
