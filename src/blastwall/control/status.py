"""Use-cases of watching the gateway: is it alive, is it ready, what does it measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest

from blastwall.control.access import Access, Caller, Remote, UseCases, use_case
from blastwall.control.exposition import merged
from blastwall.recording.recorder import Counters
from blastwall.workers import Member

METRICS = "metrics"
READY = "ready"


@dataclass(frozen=True, slots=True)
class Workers:
    """How many processes serve this node, and how many of them take new sessions now."""

    of: int
    ready: int


@dataclass(frozen=True, slots=True)
class Inside:
    """What people may know of the running gateway; the counters are the recorder's.

    `reviews_overdue` counts broken glasses whose review has been open for more than a day.
    """

    generation: int = 0
    policies_version: str = ""
    containment_blind: bool = False
    recordings: Counters = field(default_factory=Counters)
    reviews_overdue: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """How the gateway is."""

    waiting_for: tuple[str, ...]
    workers: Workers
    generation: int
    policies_version: str
    containment_blind: bool
    recordings: Counters
    reviews_overdue: int


class Status(UseCases):
    """`waiting_for` names what keeps the gateway from taking new sessions; none when it is ready.

    `member` is which of the node's processes this is: the answers are about all of them; `inside` tells of this one.
    """

    def __init__(
        self,
        waiting_for: Callable[[], Sequence[str]],
        registry: CollectorRegistry,
        member: Member | None = None,
        inside: Callable[[], Inside] = Inside,
    ) -> None:
        self._waiting_for = waiting_for
        self._registry = registry
        self._inside = inside
        self._member = member if member is not None else Member()

    @use_case(Access.PUBLIC)
    def alive(self, caller: Remote) -> Workers:
        """Return at all, and how many workers there are."""
        return self._workers()

    def _workers(self) -> Workers:
        return Workers(self._member.of, self._member.counts.total(READY))

    @use_case(Access.VIEWER)
    def health(self, caller: Caller) -> Health:
        """Return how the gateway is, what it waits for included."""
        inside = self._inside()
        return Health(
            tuple(self._waiting_for()),
            self._workers(),
            inside.generation,
            inside.policies_version,
            inside.containment_blind,
            inside.recordings,
            inside.reviews_overdue,
        )

    @use_case(Access.PUBLIC)
    def ready(self, caller: Remote) -> bool:
        """Whether new sessions are taken. What it waits for is not said: it is nobody's business outside."""
        return not self._waiting_for()

    @use_case(Access.OBSERVER)
    async def metrics(self, caller: Remote) -> bytes:
        """Return all metrics in Prometheus' text format. They name agents and resources, so they are not public.

        Where the node has several workers, each of them is asked, and its metrics have the label `worker`.
        """
        own = generate_latest(self._registry)
        if self._member.bus is None:
            return own
        replies = await self._member.bus.ask(METRICS)
        return merged({self._member.number: own, **replies}, self._member.of)


def share_metrics(registry: CollectorRegistry, member: Member) -> None:
    """Let the worker that serves the control port have this one's metrics."""
    if member.bus is not None:
        member.bus.answer(METRICS, lambda _: generate_latest(registry))
