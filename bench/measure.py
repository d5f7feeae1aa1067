"""Measuring in rounds of random order, so that what else the machine does meets every route alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Generic, Protocol, TypeVar

GATEWAY = "blastwall"
TWO_WORKERS = "blastwall_2"


class BenchmarkFailed(Exception):
    """A workload did not run to its end; the text holds what its client said."""


class Named(Protocol):
    """One way to what is measured."""

    @property
    def name(self) -> str: ...


Way = TypeVar("Way", bound=Named)


@dataclass(frozen=True, slots=True)
class Workload(Generic[Way]):
    """One thing to measure; `run(way, seconds)` returns `unit` a second."""

    name: str
    title: str
    unit: str
    run: Callable[[Way, float], float]

    def called(self, part: str) -> bool:
        """Whether `part` is in its name or its title."""
        return part in self.name or part in self.title


@dataclass(frozen=True, slots=True)
class Result(Generic[Way]):
    """One workload's rates, by route, a number a round."""

    workload: Workload[Way]
    rates: dict[str, list[float]]
    costs: list[float] = field(default_factory=list)
    """CPU microseconds of the gateway for each unit, a number a round, where that is measured."""

    def rate(self, route: str) -> float:
        """The median rate of a route."""
        return median(self.rates[route])

    def ratio(self, of: str, to: str) -> float:
        """The median over the rounds of one route's rate divided by another's in the same round."""
        return median(mine / other for mine, other in zip(self.rates[of], self.rates[to], strict=True))

    @property
    def ratios(self) -> dict[str, float]:
        """The gateway's ratio to each other route: 1 is as fast, 0.5 half as fast; `2_to_…` with two workers."""
        others = [route for route in self.rates if not route.startswith(GATEWAY)]
        ones = {f"to_{route}": round(self.ratio(GATEWAY, route), 3) for route in others}
        if TWO_WORKERS not in self.rates:
            return ones
        return ones | {f"2_to_{route}": round(self.ratio(TWO_WORKERS, route), 3) for route in others}


def measure(
    workloads: Sequence[Workload[Way]],
    routes: Sequence[Way],
    *,
    rounds: int,
    seconds: float,
    chance: Random,
    say: Callable[[str], None],
    spent: Callable[[Way], float] | None = None,
) -> list[Result[Way]]:
    """Run every workload over every route once a round, the routes of a workload next to each other.

    `spent` says how many CPU seconds the gateway has taken so far.
    """
    results = [Result(workload, {route.name: [] for route in routes}) for workload in workloads]
    for number in range(1, rounds + 1):
        for result in chance.sample(results, len(results)):
            for route in chance.sample(list(routes), len(routes)):
                before, began = spent(route) if spent is not None else 0.0, time.monotonic()
                rate = result.workload.run(route, seconds)
                result.rates[route.name].append(rate)
                if spent is not None and route.name == GATEWAY:
                    units = rate * (time.monotonic() - began)
                    result.costs.append((spent(route) - before) / units * 1e6)
            rates = ", ".join(f"{name} {found[-1]:,.0f}" for name, found in result.rates.items())
            say(f"round {number} of {rounds}  {result.workload.name:<20} {rates} {result.workload.unit}/s")
    return results
