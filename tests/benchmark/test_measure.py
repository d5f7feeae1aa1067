"""The benchmark's ratios are what they say, and its table stands where the documentation has its marks."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from bench import __main__ as program
from bench import report
from bench.measure import Result, Workload, measure
from bench.routes import Route
from bench.workloads import workloads

WAYS = tuple(Route(name, 1, 1, "secret") for name in ("direct", "pgbouncer", "blastwall", "blastwall_2"))
CONDITIONS = report.conditions(tls=False, rounds=3, seconds=1, server="PostgreSQL 15") | {"idle_connection_kib": 12}


def fake(name: str, rates: dict[str, float]) -> Workload[Route]:
    return Workload(name, name, "rows", lambda route, _seconds: rates[route.name])


def quiet(_line: str) -> None:
    pass


def test_a_ratio_is_the_median_of_each_round_s_ratio() -> None:
    rates = {"direct": [100.0, 10.0, 50.0], "pgbouncer": [1.0, 1.0, 1.0], "blastwall": [50.0, 10.0, 10.0]}
    result = Result(fake("a", {}), rates)
    assert result.ratios == {"to_direct": 0.5, "to_pgbouncer": 10.0}
    assert result.rate("direct") == 50


def test_every_route_is_measured_once_a_round_in_an_order_that_the_seed_gives() -> None:
    seen: list[str] = []

    def run(route: Route, _seconds: float) -> float:
        seen.append(route.name)
        return 1.0

    spy = Workload("spy", "spy", "rows", run)
    [result] = measure([spy], WAYS, rounds=4, seconds=1, chance=Random(7), say=quiet)
    assert {name: len(rates) for name, rates in result.rates.items()} == {way.name: 4 for way in WAYS}
    rounds = [tuple(seen[start : start + 4]) for start in range(0, 16, 4)]
    assert all(sorted(each) == sorted(way.name for way in WAYS) for each in rounds)
    assert len(set(rounds)) > 1


def test_the_keys_are_those_that_are_promised() -> None:
    names = {workload.name for workload in workloads()}
    assert {f"select_{p}_{n}" for p in ("simple", "extended", "prepared") for n in (1, 8, 64)} < names
    assert {"copy_1m", "masked_select_1000"} < names
    results = measure(
        [fake("select_simple_8", {"direct": 10, "pgbouncer": 8, "blastwall": 6, "blastwall_2": 8})],
        WAYS, rounds=1, seconds=1, chance=Random(1), say=quiet,
    )  # fmt: skip
    assert json.loads(json.dumps(report.ratios(results))) == {
        "select_simple_8": {"to_direct": 0.6, "to_pgbouncer": 0.75, "2_to_direct": 0.8, "2_to_pgbouncer": 1.0}
    }


def test_a_run_is_saved_and_its_table_put_between_the_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    results = measure(
        [fake("a", {way.name: 2 for way in WAYS})], WAYS, rounds=3, seconds=1, chance=Random(1), say=quiet
    )
    saved = report.save(report.ratios(results), report.rates(results), CONDITIONS, "run").read_text()
    assert json.loads(saved)["rates"]["a"]["rounds"]["direct"] == [2, 2, 2]
    assert "secret" not in saved
    report.publish(f"{report.introduction(CONDITIONS)}\n\n{report.table(results, 'pgbouncer', 'PgBouncer')}")
    text = page.read_text()
    assert "| a | 2 | 2 | 2 | 1.00 | 1.00 | 2 | 1.00 |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")


def test_the_documentation_has_the_marks() -> None:
    text = report.PAGE.read_text()
    assert text.index(report.BEGIN) < text.index(report.END)


def test_a_filter_that_means_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--only", "selects"])
    assert program.main() == 2
    assert "--only 'selects' is in no workload's name or title; there are select_simple_1" in capsys.readouterr().err
