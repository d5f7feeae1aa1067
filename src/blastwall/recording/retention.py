"""Which closed segments are deleted: those past `keep`, then the oldest beyond `max_size`, never one in use.

Deleted evidence never comes back, so `keep` does not trust a clock that has just jumped: it waits until the wall clock
has kept step with the steady one for a while (`Steadiness`), and takes a segment to be as young as those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from blastwall.config.model import Recordings
from blastwall.recording.chain import Sealed

_log = structlog.get_logger(__name__)
_DAY = 86_400.0
_PARTS = 8
"""A segment is closed after this part of `keep` at the latest, so that nothing outlives `keep` by more than that."""
_PATIENCE = 21_600.0
_STEP = 30.0
"""Seconds by which the wall clock may leave the steady one; beyond that it jumped."""


class Steadiness:
    """Whether the wall clock has gone along with the steady one for `patience` seconds: since the start, or a jump."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float], patience: float) -> None:
        self._wall = wall
        self._steady = steady
        self._patience = patience
        self._since = steady()
        self._apart = wall() - self._since

    def __call__(self) -> bool:
        """Look now; called often, so that a jump back and forth does not go unseen."""
        now = self._steady()
        apart = self._wall() - now
        if abs(apart - self._apart) > _STEP:
            _log.warning("clock_jumped", seconds=round(apart - self._apart), nothing_is_past_keep_for=self._patience)
            self._since, self._apart = now, apart
        return now - self._since >= self._patience


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to delete, and which limit says so."""

    sealed: Sealed
    why: str


def due(settings: Recordings, sealed: Sequence[Sealed], pinned: Collection[int], now: float | None) -> list[Due]:
    """Return what is to be deleted, oldest first. `pinned` segments hold records of sessions that still run.

    `now` is None while nobody knows what time it is: then nothing is past `keep`.
    """
    free = [each for each in sealed if each.segment not in pinned]
    gone: dict[int, Due] = {}
    if settings.keep is not None and now is not None:
        limit, ended = now - settings.keep.total_seconds(), ends(sealed, now)
        gone = {each.segment: Due(each, "keep") for each in free if ended[each.segment] < limit}
    if settings.max_size is not None:
        total = sum(each.stored for each in sealed if each.segment not in gone)
        for each in free:
            if total <= settings.max_size:
                break
            if each.segment not in gone:
                gone[each.segment] = Due(each, "max_size")
                total -= each.stored
    return sorted(gone.values(), key=lambda due: due.sealed.segment)


def ends(sealed: Sequence[Sealed], now: float) -> Mapping[int, float]:
    """Return when each segment's last record was, at the latest, by the times of all of them.

    Segments follow one another. So one is not older than one before it, whatever its own times say; and one that ended
    in the future, by a clock that was ahead, ended before the next one did.
    """
    found: dict[int, float] = {}
    ahead: list[int] = []
    latest = float("-inf")
    for each in sorted(sealed, key=lambda each: each.segment):
        if each.last_at > now:
            ahead.append(each.segment)
            continue
        latest = max(latest, each.last_at)
        found |= dict.fromkeys([*ahead, each.segment], latest)
        ahead.clear()
    return found | dict.fromkeys(ahead, now)


def longest_open(settings: Recordings) -> float:
    """How many seconds a segment stays open at most, so that `keep` can be kept on a quiet node."""
    return _DAY if settings.keep is None else min(_DAY, settings.keep.total_seconds() / _PARTS)


def patience(settings: Recordings) -> float:
    """For how many seconds the clock must have gone right before anything is past `keep`."""
    return _PATIENCE if settings.keep is None else min(_PATIENCE, settings.keep.total_seconds() / _PARTS)
