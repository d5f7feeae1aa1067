"""`python -m bench [--quick] [--tls]`: compare direct, PgBouncer and Blastwall in one run."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from random import Random

from bench.measure import GATEWAY, measure
from bench.memory import idle_connection
from bench.report import conditions, publish, ratios, save, table
from bench.routes import routes
from bench.workloads import BenchmarkFailed, load, workloads
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed
from blastwall.testing.servers import ServerMissing

ROUNDS, SECONDS = 5, 5.0
QUICK_ROUNDS, QUICK_SECONDS = 1, 0.5


def main() -> int:
    """Measure, save and print; return the exit code."""
    given = _arguments()
    rounds = given.rounds or (QUICK_ROUNDS if given.quick else ROUNDS)
    seconds = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    chosen = [workload for workload in workloads() if given.only in workload.name]
    try:
        with PostgresServer.start("15", tls=given.tls) as server:
            load(server)
            with routes(server, tls=given.tls) as ways:
                results = measure(chosen, ways, rounds=rounds, seconds=seconds, chance=Random(given.seed), say=_say)
                idle = idle_connection(next(way for way in ways if way.name == GATEWAY))
    except (BenchmarkFailed, ServerFailed, ServerMissing) as error:
        _say(f"bench: {error}")
        return 1
    measured = conditions(tls=given.tls, rounds=rounds, seconds=seconds, server=f"PostgreSQL {server.major}")
    measured["idle_connection_kib"] = round(idle, 1)
    name = "quick" if given.quick else f"{datetime.now(UTC):%Y-%m-%dT%H%M}{'-tls' if given.tls else ''}"
    _say(f"\n{table(results, measured)}\n\nEvery number: {save(results, measured, name)}")
    if not (given.quick or given.tls or given.only):
        publish(table(results, measured))
    print(json.dumps(ratios(results)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, under a minute")
    parser.add_argument("--tls", action="store_true", help="verified TLS on every connection, instead of none on any")
    parser.add_argument("--rounds", type=int, help=f"how many rounds; default: {ROUNDS}")
    parser.add_argument("--seconds", type=float, help=f"how long one measurement takes; default: {SECONDS:g}")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    parser.add_argument("--seed", type=int, help="repeats a run's order")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
