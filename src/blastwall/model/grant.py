"""A grant that is open: time-bound access of one principal to one resource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blastwall.model.effects import Action
from blastwall.model.ruling import Approval


@dataclass(frozen=True, slots=True)
class OpenGrant:
    """A grant as a ruling reads it; its principal and resource are those of the ruling's subject.

    `given` are the approvals that opened it, None where break-glass did, without any. `seconds` is its whole length,
    `ends` its end in epoch seconds.
    """

    id: str
    actions: frozenset[Action]
    given: tuple[Approval, ...] | None
    seconds: float
    ends: float

    def serves(self, action: Action, needed: Iterable[Approval], longest: float | None) -> bool:
        """Whether it opens a permit that asks for `needed` and lasts `longest` seconds at most.

        A policy that asks more than those people gave, or grants less time, stays closed: it was changed since, or is
        another one of the same action.
        """
        if action not in self.actions or (longest is not None and self.seconds > longest):
            return False
        return self.given is None or covers(self.given, needed)


def covers(given: Iterable[Approval], needed: Iterable[Approval]) -> bool:
    """Whether the approvals that were given are all that is needed."""
    counts = {approval.group: approval.count for approval in given}
    return all(counts.get(approval.group, 0) >= approval.count for approval in needed)
