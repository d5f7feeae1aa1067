"""The gateway's metrics. Counting is an addition to a plain number; the exposition is made when somebody reads it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from blastwall.gate.each import EachMeter
from blastwall.model.ruling import Decision
from blastwall.wire.native import Flag, Real, Whole

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the buckets of statements' durations."""
_SWIFT, _BRISK, *_SLOWER = _SECONDS


class ResourceMetrics(EachMeter):
    """One resource's numbers. Implements `gate.ports.ResourceMeter`."""

    __slots__ = (
        "adoptions",
        "brisk",
        "bytes_from_client",
        "bytes_from_resource",
        "dial_failures",
        "holds",
        "limits",
        "logins",
        "masked",
        "recording_failures",
        "repetitions",
        "rulings",
        "seconds",
        "sessions",
        "sessions_total",
        "slower",
        "swift",
        "throttled_by",
        "warm",
    )

    def __init__(self) -> None:
        self.sessions = self.sessions_total = self.holds = 0
        self.bytes_from_client: Whole = 0
        self.bytes_from_resource: Whole = 0
        self.recording_failures = self.dial_failures = 0
        self.warm = self.adoptions = 0
        self.logins: Counter[str] = Counter()
        self.rulings: Counter[Decision] = Counter()
        self.masked: Counter[str] = Counter()
        self.limits: Counter[str] = Counter()
        self.throttled_by: Counter[str] = Counter()
        self.slower: list[int] = [0] * (len(_SLOWER) + 1)
        self.seconds: Real = 0.0
        self.repetitions: Whole = 0
        self.swift: Whole = 0
        self.brisk: Whole = 0
        """How many statements took no longer than the first two bounds, counted as C; `slower` has all others."""

    @property
    def each(self) -> EachMeter:
        """See `gate.ports.ResourceMeter`."""
        return self

    def opened(self) -> None:
        self.sessions += 1
        self.sessions_total += 1

    def closed(self) -> None:
        self.sessions -= 1

    def login(self, outcome: str) -> None:
        self.logins[outcome] += 1

    def ruled(self, decision: Decision) -> None:
        self.rulings[decision] += 1

    def repeated(self, count: Whole) -> None:
        self.repetitions += count

    def ruled_all(self) -> Counter[Decision]:
        """Statements by ruling; what was repeated was allowed."""
        repeated = Counter({Decision.ALLOW: self.repetitions}) if self.repetitions else Counter[Decision]()
        return self.rulings + repeated

    def held(self, change: int) -> None:
        self.holds += change

    def finished(self, seconds: float, masked: Mapping[str, int]) -> None:
        self.took(seconds)
        if masked:
            self.masked.update(masked)

    def took(self, seconds: Real) -> None:
        if seconds <= _SWIFT:
            self.swift += 1
        elif seconds <= _BRISK:
            self.brisk += 1
        else:
            self.slower[bisect_left(_SLOWER, seconds)] += 1
        self.seconds += seconds

    def limited(self, limit: str) -> None:
        self.limits[limit] += 1

    def throttled(self, what: str) -> None:
        self.throttled_by[what] += 1

    def recording_failed(self) -> None:
        self.recording_failures += 1

    def received(self, from_client: Flag, count: Whole) -> None:
        if from_client:
            self.bytes_from_client += count
        else:
            self.bytes_from_resource += count

    def dial_failed(self) -> None:
        self.dial_failures += 1

    def parked(self, change: int) -> None:
        self.warm += change

    def adopted(self) -> None:
        self.adoptions += 1


class Metrics(Collector):
    """All resources' numbers. Implements `gate.ports.Meter`; `registry` is what an exposition reads."""

    def __init__(self) -> None:
        self._resources: dict[str, ResourceMetrics] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def of(self, resource: str) -> ResourceMetrics:
        """Return the numbers of one resource, the same ones each time."""
        found = self._resources.get(resource)
        if found is None:
            found = self._resources[resource] = ResourceMetrics()
        return found

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its labels."""
        for name, text, labels, read in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=("resource", *labels))
            self._fill(counter, read)
            yield counter
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=("resource",))
            self._fill(gauge, read)
            yield gauge
        yield self._durations()

    def _fill(self, family: CounterMetricFamily | GaugeMetricFamily, read: _Read) -> None:
        for resource, numbers in tuple(self._resources.items()):
            for labels, value in read(numbers):
                family.add_metric((resource, *labels), value)

    def _durations(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "blastwall_statement_seconds",
            "How long statements took, waits for approval included.",
            labels=("resource",),
        )
        for resource, numbers in tuple(self._resources.items()):
            total, buckets = 0, list[tuple[str, float]]()
            counts = (numbers.swift, numbers.brisk, *numbers.slower)
            for bound, count in zip((*map(str, _SECONDS), "+Inf"), counts, strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric((resource,), buckets, numbers.seconds)
        return family


_Read = Callable[[ResourceMetrics], Iterable[tuple[tuple[str, ...], float]]]


def _one(value: float) -> Iterable[tuple[tuple[str, ...], float]]:
    return (((), value),)


def _each(values: Mapping[Decision, int] | Mapping[str, int]) -> Iterable[tuple[tuple[str, ...], float]]:
    return [((str(key),), value) for key, value in tuple(values.items())]


_COUNTERS: tuple[tuple[str, str, tuple[str, ...], _Read], ...] = (
    ("blastwall_sessions_opened", "Client connections accepted.", (), lambda of: _one(of.sessions_total)),
    ("blastwall_logins", "Logins by outcome.", ("outcome",), lambda of: _each(of.logins)),
    ("blastwall_statements", "Statements by ruling.", ("ruling",), lambda of: _each(of.ruled_all())),
    ("blastwall_masked_cells", "Cells hidden, by rule.", ("rule",), lambda of: _each(of.masked)),
    ("blastwall_limited_statements", "Statements over a row limit.", ("limit",), lambda of: _each(of.limits)),
    ("blastwall_throttled", "Refusals by quotas, and budgets spent.", ("what",), lambda of: _each(of.throttled_by)),
    (
        "blastwall_received_bytes",
        "Bytes received, by where they came from.",
        ("from",),
        lambda of: _each({"client": of.bytes_from_client, "resource": of.bytes_from_resource}),
    ),
    ("blastwall_recording_failures", "Sessions whose recording failed.", (), lambda of: _one(of.recording_failures)),
    ("blastwall_dial_failures", "Failures to reach the resource.", (), lambda of: _one(of.dial_failures)),
    ("blastwall_warm_adopted", "Sessions that took over a warm connection.", (), lambda of: _one(of.adoptions)),
)

_GAUGES: tuple[tuple[str, str, _Read], ...] = (
    ("blastwall_sessions", "Sessions open now.", lambda of: _one(of.sessions)),
    ("blastwall_holds", "Statements that wait for approval now.", lambda of: _one(of.holds)),
    ("blastwall_warm_connections", "Upstream connections that are parked now.", lambda of: _one(of.warm)),
)
