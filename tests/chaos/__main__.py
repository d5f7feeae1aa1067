"""Break everything at length (`python -m tests.chaos`), or break nothing for long (`--soak SECONDS`)."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.changes import drain_with_open_transactions, reload_under_load
from tests.chaos.disk import fill_the_disk
from tests.chaos.kills import kill_the_gateway
from tests.chaos.outages import lose_the_database, lose_the_issuer, start_without_the_issuer
from tests.chaos.soak import soak
from tests.chaos.tds import kill_over_tds
from tests.preloaded import Preloaded

from blastwall.testing.gateway import Gateway
from blastwall.testing.postgres import PostgresServer

Trial = Callable[[PostgresServer, Path], str]


def trials(kills: int, seconds: float) -> dict[str, Trial]:
    """What breaks, by name; `seconds` bound the kills, the rest takes a few minutes."""
    return {
        "gateway": lambda server, folder: kill_the_gateway(server, folder, kills, seconds=seconds),
        "database": lambda server, folder: lose_the_database(server, folder, 10),
        "disk": lambda server, folder: fill_the_disk(server, folder, 5),
        "issuer": lose_the_issuer,
        "issuer-at-start": start_without_the_issuer,
        "reload": lambda server, folder: reload_under_load(server, folder, 20),
        "drain": drain_with_open_transactions,
        "tds": lambda _server, folder: kill_over_tds(folder, max(2, kills // 10), seconds=seconds / 4),
    }


def main() -> int:
    """Run what was chosen, say what came of each, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often the gateway is killed (default: 200)")
    parser.add_argument("--minutes", type=float, default=45, help="no further kill after so long (default: 45)")
    parser.add_argument("--only", choices=list(trials(0, 0)), action="append", help="this alone; may be repeated")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="mixed load for so long, and nothing else")
    chosen = parser.parse_args()
    found = trials(chosen.kills, chosen.minutes * 60)
    if chosen.only:
        found = {name: found[name] for name in chosen.only}
    if chosen.soak:
        found = {"soak": lambda server, folder: soak(server, folder, chosen.soak)}
    Gateway.launch = preloaded = Preloaded()  # most of the time would go into starting it anew
    try:
        return max([_run(name, trial) for name, trial in found.items()])
    finally:
        preloaded.close()


def _run(name: str, trial: Trial) -> int:
    """Run one trial on a server of its own; return 1 where it found something."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="blastwall-chaos-") as folder, PostgresServer.start("newest") as server:
        try:
            said, code = trial(server, Path(folder) / "gateway"), 0
        except AssertionError as failure:
            said, code = f"FAILED: {failure}", 1
    sys.stdout.write(f"{name} ({time.monotonic() - began:.0f} s): {said}\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    raise SystemExit(main())
