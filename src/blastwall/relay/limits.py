"""Bounds on waits and connections, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from blastwall.config.model import LimitSettings


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Bounds of every session; what is configured comes from `limits:`.

    `connections` is a number of clients at once. `dial` bounds connecting to a resource; `lookup` how long a companion
    may be silent that owes a reply, its login included; `linger` how long closing waits for a peer that does not take
    its last bytes; `companion_idle` how long an unused side connection is kept, and `companion_again` after how long
    one is asked anew what sessions go by. `tick` is how often clocks are read.
    """

    connections: int = 10_000
    handshake: float = 15.0
    idle: float = 8 * 3600.0
    statement: float | None = None
    dial: float = 10.0
    lookup: float = 15.0
    linger: float = 5.0
    companion_idle: float = 600.0
    companion_again: float = 5.0
    tick: float = 1.0

    @classmethod
    def of(cls, settings: LimitSettings) -> RelayLimits:
        """Return the limits that a configuration sets."""
        return cls(
            connections=settings.connections,
            handshake=settings.handshake.total_seconds(),
            idle=settings.idle.total_seconds(),
            statement=settings.statement.total_seconds() if settings.statement is not None else None,
        )
