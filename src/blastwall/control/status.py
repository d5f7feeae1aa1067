"""Use-cases of watching the gateway: is it alive, is it ready, what does it measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, generate_latest

from blastwall.control.access import Access, Remote, UseCases, use_case


class Status(UseCases):
    """`waiting_for` names what keeps the gateway from taking new sessions; none when it is ready."""

    def __init__(self, waiting_for: Callable[[], Sequence[str]], registry: CollectorRegistry) -> None:
        self._waiting_for = waiting_for
        self._registry = registry

    @use_case(Access.PUBLIC)
    def alive(self, caller: Remote) -> None:
        """Return at all."""

    @use_case(Access.PUBLIC)
    def ready(self, caller: Remote) -> bool:
        """Whether new sessions are taken. What it waits for is not said: it is nobody's business outside."""
        return not self._waiting_for()

    @use_case(Access.OBSERVER)
    def metrics(self, caller: Remote) -> bytes:
        """Return all metrics in Prometheus' text format. They name agents and resources, so they are not public."""
        return generate_latest(self._registry)
