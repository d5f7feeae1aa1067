"""What a run leaves behind: a JSON file with every number, and the table in docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.measure import Result, Way

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- results: written by `make bench` -->"
END = "<!-- end of results -->"


def conditions(*, tls: bool, rounds: int, seconds: float, server: str) -> dict[str, object]:
    """Say what the numbers were measured on and how."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "server": server,
        "tls": tls,
        "rounds": rounds,
        "seconds": seconds,
    }


def ratios(results: Sequence[Result[Way]]) -> dict[str, dict[str, float]]:
    """Return each workload's ratios."""
    return {result.workload.name: result.ratios for result in results}


def rates(results: Sequence[Result[Way]]) -> dict[str, object]:
    """Return each workload's rates, a number a round."""
    return {
        result.workload.name: {"unit": f"{result.workload.unit}/s", "rounds": result.rates}
        | ({"cpu_microseconds": result.costs} if result.costs else {})
        for result in results
    }


def save(
    found: dict[str, dict[str, float]], measured_rates: dict[str, object], measured: dict[str, object], name: str
) -> Path:
    """Write every number into bench/results/ and return the file."""
    document = {"conditions": measured, "ratios": found, "rates": measured_rates}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def introduction(measured: dict[str, object]) -> str:
    """Say what a run was measured on, as Markdown."""
    tls = "with TLS on every connection" if measured["tls"] else "without TLS"
    text = (
        f"Measured at {measured['at']} on {measured['cores']} cores ({measured['machine']}), {measured['server']}, "
        f"Python {measured['python']}, {tls}; medians of {measured['rounds']} rounds of {measured['seconds']:g} s."
    )
    if "idle_connection_kib" in measured:
        text += f" An idle connection takes {measured['idle_connection_kib']} KiB of the gateway's memory."
    return text


def table(results: Sequence[Result[Way]], peer: str, title: str) -> str:
    """Return the results as Markdown, compared with the route `peer`, which is called `title`."""
    lines = [
        f"| workload | direct | {title} | Blastwall | to direct | to {title} | two workers | to {title} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for result in results:
        each = " | ".join(f"{result.rate(route):,.0f}" for route in ("direct", peer, "blastwall"))
        found = result.ratios
        ratios_ = " | ".join(f"{found[name]:.2f}" for name in ("to_direct", f"to_{peer}"))
        two = f"{result.rate('blastwall_2'):,.0f} | {found[f'2_to_{peer}']:.2f}"
        unit = f", {result.workload.unit}/s" if result.workload.unit == "MiB" else ""
        lines.append(f"| {result.workload.title}{unit} | {each} | {ratios_} | {two} |")
    return "\n".join(lines)


def pairs(results: Sequence[Result[Way]]) -> str:
    """Return the results as Markdown where nothing but the gateway stands between, with what a unit costs it."""
    lines = ["| workload | direct | Blastwall | to direct | CPU, µs each |", "| --- | ---: | ---: | ---: | ---: |"]
    for result in results:
        each = " | ".join(f"{result.rate(route):,.0f}" for route in ("direct", "blastwall"))
        title, cost = f"{result.workload.title}, {result.workload.unit}/s", median(result.costs)
        told = f"{cost:,.0f}" if cost >= 10 else f"{cost:.1f}"
        lines.append(f"| {title} | {each} | {result.ratios['to_direct']:.2f} | {told} |")
    return "\n".join(lines)


def publish(text: str) -> None:
    """Put the table into docs/benchmarks.md, between its marks."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
