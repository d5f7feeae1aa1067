"""`python -m bench [--quick] [--tls]`: compare direct, PgBouncer or nginx, and Blastwall in one run."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from bench.http_routes import http_routes
from bench.http_workloads import http_workloads, latency
from bench.measure import GATEWAY, BenchmarkFailed, Workload, measure
from bench.memory import idle_connection
from bench.report import conditions, introduction, pairs, publish, rates, ratios, save, table
from bench.routes import Route, routes
from bench.tds_routes import tds_routes
from bench.tds_workloads import tds_workloads
from bench.workloads import load, workloads
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed
from blastwall.testing.servers import ServerMissing

ROUNDS, SECONDS = 5, 5.0
QUICK_ROUNDS, QUICK_SECONDS = 1, 0.5


@dataclass(slots=True)
class Run:
    """What is measured, and what came of it so far."""

    rounds: int
    seconds: float
    tls: bool
    only: str
    chance: Random
    measured: dict[str, object] = field(default_factory=dict)
    rates: dict[str, object] = field(default_factory=dict)
    ratios: dict[str, dict[str, float]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)


def main() -> int:
    """Measure, save and print; return the exit code."""
    given = _arguments()
    rounds = given.rounds or (QUICK_ROUNDS if given.quick else ROUNDS)
    seconds = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    names = _names()
    if not any(given.only in name or given.only in title for name, title in names.items()):
        _say(f"bench: --only {given.only!r} is in no workload's name or title; there are {', '.join(names)}")
        return 2
    run = Run(rounds, seconds, given.tls, given.only, Random(given.seed))
    run.measured = conditions(tls=given.tls, rounds=rounds, seconds=seconds, server="PostgreSQL 15")
    try:
        _databases(run)
        _http(run)
        _tds(run)
    except (BenchmarkFailed, ServerFailed, ServerMissing) as error:
        _say(f"bench: {error}")
        return 1
    text = "\n\n".join([introduction(run.measured), *run.tables])
    name = "quick" if given.quick else f"{datetime.now(UTC):%Y-%m-%dT%H%M}{'-tls' if given.tls else ''}"
    _say(f"\n{text}\n\nEvery number: {save(run.ratios, run.rates, run.measured, name)}")
    if not (given.quick or given.tls or given.only):
        publish(text)
    print(json.dumps(run.ratios))
    return 0


def _databases(run: Run) -> None:
    """Measure PostgreSQL's workloads."""
    chosen: list[Workload[Route]] = [one for one in workloads() if one.called(run.only)]
    if not chosen:
        return
    with PostgresServer.start("15", tls=run.tls) as server:
        load(server)
        with routes(server, tls=run.tls) as ways:
            results = measure(chosen, ways, rounds=run.rounds, seconds=run.seconds, chance=run.chance, say=_say)
            idle = idle_connection(next(way for way in ways if way.name == GATEWAY))
    run.measured["server"] = f"PostgreSQL {server.major}"
    run.measured["idle_connection_kib"] = round(idle, 1)
    run.rates |= rates(results)
    run.ratios |= ratios(results)
    run.tables.append(table(results, "pgbouncer", "PgBouncer"))


def _http(run: Run) -> None:
    """Measure the workloads over HTTP, and how long a small request takes."""
    chosen = [one for one in http_workloads() if one.called(run.only)]
    if not chosen:
        return
    with http_routes(tls=run.tls) as ways:
        results = measure(chosen, ways, rounds=run.rounds, seconds=run.seconds, chance=run.chance, say=_say)
        took = {way.name: latency(way, run.seconds) for way in ways}
    run.measured["http_latency_ms"] = took
    run.rates |= rates(results)
    run.ratios |= ratios(results)
    said = ", ".join(f"{name} {found['p50']:.2f} and {found['p99']:.2f}" for name, found in took.items())
    run.tables.append(table(results, "nginx", "nginx"))
    run.tables.append(f"Milliseconds of a GET of 1,024 bytes over 16 connections, median and 99th percentile: {said}.")


def _tds(run: Run) -> None:
    """Measure the workloads over TDS, always with TLS: nothing stands between but the gateway."""
    chosen = [one for one in tds_workloads() if one.called(run.only)]
    if not chosen:
        return
    with tds_routes() as ways:
        results = measure(
            chosen,
            ways,
            rounds=run.rounds,
            seconds=run.seconds,
            chance=run.chance,
            say=_say,
            spent=lambda way: way.spent,
        )
    run.rates |= rates(results)
    run.ratios |= ratios(results)
    run.tables.append(pairs(results))


def _names() -> dict[str, str]:
    """Return every workload's title, by its name."""
    databases = {one.name: one.title for one in workloads()}
    return (
        databases | {one.name: one.title for one in http_workloads()} | {one.name: one.title for one in tds_workloads()}
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, about a minute")
    parser.add_argument("--tls", action="store_true", help="verified TLS on every connection, instead of none on any")
    parser.add_argument("--rounds", type=int, help=f"how many rounds; default: {ROUNDS}")
    parser.add_argument("--seconds", type=float, help=f"how long one measurement takes; default: {SECONDS:g}")
    parser.add_argument(
        "--only", default="", help="only workloads whose name or title contains this (`http`, `select`)"
    )
    parser.add_argument("--seed", type=int, help="repeats a run's order")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
