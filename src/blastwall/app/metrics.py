"""The gateway's metrics beside its resources': recordings, reloads, and whether it can see who is contained."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from blastwall import __version__
from blastwall.recording.recorder import Counters


class GatewayMetrics(Collector):
    """Reads at exposition what the parts count for themselves.

    Args:
        counters: the recorder's.
        generation: how many configurations were put in force since the start.
        blind: whether the state cannot be read, so that everybody is refused.
        refused_reloads: how many reloads were refused.
        restarts: how often this worker was started again after a crash.
        overdue: how many broken glasses have waited for their review for more than a day.
    """

    def __init__(
        self,
        counters: Counters,
        generation: Callable[[], int],
        blind: Callable[[], bool],
        refused_reloads: Callable[[], int],
        restarts: int = 0,
        *,
        overdue: Callable[[], int] = int,
    ) -> None:
        self._counters = counters
        self._generation = generation
        self._blind = blind
        self._refused_reloads = refused_reloads
        self._restarts = restarts
        self._overdue = overdue

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        of = self._counters
        yield InfoMetricFamily("blastwall_build", "The running version.", {"version": __version__})
        yield _gauge("blastwall_generation", "Configurations put in force since the start.", self._generation())
        yield _counter("blastwall_reloads_refused", "Reloads that were refused.", self._refused_reloads())
        yield _gauge("blastwall_state_unreadable", "1 while the state cannot be read: all are refused.", self._blind())
        yield _gauge("blastwall_reviews_overdue", "Broken glasses not reviewed for more than a day.", self._overdue())
        yield _counter("blastwall_worker_restarts", "Times that this worker ended by itself.", self._restarts)
        yield _counter("blastwall_recorded_events", "Events written to recordings.", of.events)
        yield _counter("blastwall_recording_errors", "Writes to recordings that failed.", of.failures)
        yield _counter("blastwall_checkpoints", "Signed checkpoints made.", of.checkpoints)
        yield _counter("blastwall_anchor_failures", "Checkpoints that an anchor did not take.", of.anchor_failures)
        yield _counter("blastwall_segments_removed", "Recording files deleted by retention.", of.segments_removed)


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
