"""Which closed segments are deleted: those past `keep`, then the oldest beyond `max_size`, never one in use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from blastwall.config.model import Recordings
from blastwall.recording.chain import Sealed

_DAY = 86_400.0
_PARTS = 8
"""A segment is closed after this part of `keep` at the latest, so that nothing outlives `keep` by more than that."""


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to delete, and which limit says so."""

    sealed: Sealed
    why: str


def due(settings: Recordings, sealed: Sequence[Sealed], pinned: Collection[int], now: float) -> list[Due]:
    """Return what is to be deleted, oldest first. `pinned` segments hold records of sessions that still run."""
    free = [each for each in sealed if each.segment not in pinned]
    gone: dict[int, Due] = {}
    if settings.keep is not None:
        limit = now - settings.keep.total_seconds()
        gone = {each.segment: Due(each, "keep") for each in free if each.last_at < limit}
    if settings.max_size is not None:
        total = sum(each.stored for each in sealed if each.segment not in gone)
        for each in free:
            if total <= settings.max_size:
                break
            if each.segment not in gone:
                gone[each.segment] = Due(each, "max_size")
                total -= each.stored
    return sorted(gone.values(), key=lambda due: due.sealed.segment)


def longest_open(settings: Recordings) -> float:
    """How many seconds a segment stays open at most, so that `keep` can be kept on a quiet node."""
    return _DAY if settings.keep is None else min(_DAY, settings.keep.total_seconds() / _PARTS)
