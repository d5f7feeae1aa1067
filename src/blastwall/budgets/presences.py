"""How many sessions agents have at other nodes, so that `max_sessions` holds over all of them.

A node says so when it changes, and every few seconds: in 250 ms the others know. Two nodes that are asked for the last
place in that time may both give it. Whether a node still speaks is judged by what it says changing, against this node's
steady clock: nodes' clocks need not agree, and may be set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from blastwall.clocks import steady
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.store.spending import Presence, SpendingTable

PRESENT_SECONDS = 30.0
"""A node that has not said anything for so long is taken to have no sessions: it is down."""
_SAY_SECONDS = 5.0
_FORGET_SECONDS = 600.0
"""What a node said that has been down for so long is deleted."""


@dataclass(slots=True)
class _Heard:
    """When a node said what it said last, by its own clock, and when that was first read here, by the steady one."""

    at: float
    since: float


class Presences:
    """What one node says and hears.

    Args:
        table: where it is written.
        node: this node's name.
        count: how many sessions an agent has at this node, in all of its processes.
        now: the time, in epoch seconds.
        speaks: whether this process is the one that says so for its node.
        steady: a clock that never jumps.
    """

    def __init__(
        self,
        table: SpendingTable,
        node: str,
        count: Callable[[str], int],
        now: Callable[[], float],
        *,
        speaks: bool,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._table = table
        self._node = node
        self._count = count
        self._now = now
        self._steady = steady
        self._speaks = speaks
        self._agents: frozenset[str] = frozenset()
        self._said: dict[str, int] = {}
        self._said_at = float("-inf")
        self._heard: dict[str, _Heard] = {}
        self._elsewhere: dict[str, int] = {}

    def reconfigure(self, agents: Collection[str]) -> None:
        """Speak of these agents, whose sessions are limited."""
        self._agents = frozenset(agents)

    def elsewhere(self, principal: Principal) -> int:
        """How many sessions a principal has at other nodes."""
        return self._elsewhere.get(principal.name, 0) if principal.kind is PrincipalKind.AGENT else 0

    async def refresh(self) -> None:
        """Say what has changed here, and read what others say.

        Raises:
            StateError: the state cannot be written or read.
        """
        if self._speaks and (self._agents or self._said):
            await self._say()
        if self._agents:
            await self._listen()

    async def _say(self) -> None:
        present = {name: count for name in self._agents if (count := self._count(name)) > 0}
        now = self._steady()
        if present != self._said or (present and now - self._said_at >= _SAY_SECONDS):
            await self._table.say(self._node, present, self._now())
            self._said, self._said_at = present, now

    async def _listen(self) -> None:
        now, total = self._steady(), dict[str, int]()
        found = await self._table.elsewhere(self._node)
        self._heard = {each.node: self._hear(each, now) for each in found}
        for each in found:
            if now - self._heard[each.node].since <= PRESENT_SECONDS:
                total[each.name] = total.get(each.name, 0) + each.sessions
        self._elsewhere = total
        if self._speaks:
            for node, heard in self._heard.items():
                if now - heard.since > _FORGET_SECONDS:
                    await self._table.forget_node(node, heard.at)

    def _hear(self, presence: Presence, now: float) -> _Heard:
        heard = self._heard.get(presence.node)
        return heard if heard is not None and heard.at == presence.at else _Heard(presence.at, now)
