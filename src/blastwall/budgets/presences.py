"""How many sessions agents have at other nodes, so that `max_sessions` holds over all of them.

A node says so when it changes, and every few seconds: in 250 ms the others know. Two nodes that are asked for the last
place in that time may both give it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from blastwall.model.principal import Principal, PrincipalKind
from blastwall.store.spending import SpendingTable

PRESENT_SECONDS = 30.0
"""A node that has not said anything for so long is taken to have no sessions: it is down."""
_SAY_SECONDS = 5.0


class Presences:
    """What one node says and hears.

    Args:
        table: where it is written.
        node: this node's name.
        count: how many sessions an agent has at this node, in all of its processes.
        now: the time, in epoch seconds.
        speaks: whether this process is the one that says so for its node.
    """

    def __init__(
        self, table: SpendingTable, node: str, count: Callable[[str], int], now: Callable[[], float], *, speaks: bool
    ) -> None:
        self._table = table
        self._node = node
        self._count = count
        self._now = now
        self._speaks = speaks
        self._agents: frozenset[str] = frozenset()
        self._said: Mapping[str, int] = {}
        self._said_at = float("-inf")
        self._elsewhere: Mapping[str, int] = {}

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
        now = self._now()
        if self._speaks and (self._agents or self._said):
            present = {name: count for name in self._agents if (count := self._count(name)) > 0}
            if present != self._said or (present and now - self._said_at >= _SAY_SECONDS):
                await self._table.say(self._node, present, now)
                self._said, self._said_at = present, now
        if self._agents:
            self._elsewhere = await self._table.elsewhere(self._node, now - PRESENT_SECONDS)
