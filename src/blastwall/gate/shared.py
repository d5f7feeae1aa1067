"""What a session's gate is given: the ports and times that all sessions share, and the session's own facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from blastwall.gate.each import Generation
from blastwall.gate.ports import (
    Approvals,
    Budgets,
    Containment,
    Grants,
    Identity,
    IPAddress,
    Masking,
    Policy,
    Vault,
    Watcher,
)
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.workers import Counts


class Timer(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None: ...


Scheduler = Callable[[float, Callable[[], None]], Timer]
"""Calls back after so many seconds."""


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """How many seconds a held statement waits, outside a transaction and inside one, whose locks the wait keeps.

    With `fails` it does not wait: it is refused, and may be sent again once it is approved; people may decide for
    `lasts` seconds, and the approval is good for as many. `agents` has what differs for an agent, by its name.
    """

    timeout: float
    in_transaction: float
    fails: bool = False
    lasts: float = 3600.0
    agents: Mapping[str, HoldTimes] = field(default_factory=dict)

    def of(self, principal: Principal) -> HoldTimes:
        """Return what holds for a principal."""
        return self.agents.get(principal.name, self) if principal.kind is PrincipalKind.AGENT else self


class Slots:
    """How many sessions each principal has open on this node, in all of its processes."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def take(self, principal: Principal, most: int | None) -> bool:
        """Count one more session, unless there are `most` already."""
        who = counted(principal.kind, principal.name)
        taken = self._counts.add(who, +1)
        if most is None or taken <= most:
            return True
        self._counts.add(who, -1)
        return False

    def release(self, principal: Principal) -> None:
        """Count one less."""
        self._counts.add(counted(principal.kind, principal.name), -1)


def counted(kind: PrincipalKind, name: str) -> str:
    """The name by which a principal's sessions are counted over a node's processes."""
    return f"sessions of {kind.value} {name}"


@dataclass(slots=True)
class Shared:
    """What all sessions share. Only `hold` changes, and the number in `generation`.

    `clock` says when something was, in epoch seconds, for records; `steady` measures how long something may last.
    """

    identity: Identity
    policy: Policy
    vault: Vault
    approvals: Approvals
    masking: Masking
    budgets: Budgets
    containment: Containment
    grants: Grants
    hold: HoldTimes
    clock: Callable[[], float]
    steady: Callable[[], float]
    binding_key: bytes = field(repr=False)
    later: Scheduler
    slots: Slots
    watcher: Watcher | None = None
    generation: Generation = field(default_factory=Generation)


@dataclass(frozen=True, slots=True)
class Facts:
    """One session's facts, known when its connection is accepted.

    `proves_each`: each request carries a proof, which counts only as long as it lasts.
    """

    session: str
    resource: Resource
    source: IPAddress
    end: Callable[[str], None] = field(repr=False)
    reconsider: Callable[[], None] | None = field(repr=False)
    proves_each: bool = False
