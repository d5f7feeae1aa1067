"""How many failed proofs one source may show. Only failures count, so whose proofs are good never notices."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_network

from blastwall.gate.ports import IPAddress

BURST = 20
SECONDS_EACH = 3.0
_MOST_SOURCES = 10_000


class TooManyFailures(Exception):
    """The source has failed too often; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"too many failed attempts; wait {wait:.0f} s")
        self.wait = wait


class FailureLimit:
    """Counts failures by source: 20 at once, then one in 3 seconds. An IPv6 source is its /64, which one host owns.

    A source is an address, or a person's name where they are known.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._clear_at: OrderedDict[str, float] = OrderedDict()

    def check(self, source: IPAddress | str) -> None:
        """Let a source try.

        Raises:
            TooManyFailures: it has failed too often.
        """
        over = self._clear_at.get(_key(source), 0.0) - self._now() - (BURST - 1) * SECONDS_EACH
        if over > 0:
            raise TooManyFailures(over)

    def failed(self, source: IPAddress | str) -> None:
        """Count a failure."""
        key, now = _key(source), self._now()
        self._clear_at[key] = max(self._clear_at.pop(key, now), now) + SECONDS_EACH
        if len(self._clear_at) > _MOST_SOURCES:
            self._clear_at.popitem(last=False)


def _key(source: IPAddress | str) -> str:
    if not isinstance(source, IPv6Address):
        return str(source)
    if source.ipv4_mapped is not None:
        return str(source.ipv4_mapped)
    return str(ip_network((int(source), 64), strict=False))
