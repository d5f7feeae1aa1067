"""psycopg2's own test suite, directly and through the gateway: no difference but those listed in psycopg2.yaml."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from tests.drivers.ends import End, Ends, both_ends

from blastwall.testing.postgres import SUPERUSER, PostgresServer
from blastwall.testing.servers import CHECKOUT, ServerMissing, find_suite

Outcomes = Mapping[str, tuple[str, str]]
HERE = Path(__file__).parent
DATABASE = "psycopg2_test"
SECONDS = 400

pytestmark = pytest.mark.timeout(2 * SECONDS + 60)


@pytest.fixture(scope="module")
def suite() -> Path:
    try:
        return find_suite("psycopg2")
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="module")
def server(postgres15: PostgresServer) -> PostgresServer:
    """The one behind the gateway."""
    return with_database(postgres15)


@pytest.fixture(scope="module")
def other_server() -> Iterator[PostgresServer]:
    """One like it, for the suite that runs beside the other: some of its names are known to a whole server."""
    with PostgresServer.start("15") as started:
        yield with_database(started)


def with_database(server: PostgresServer) -> PostgresServer:
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    server.create_database(DATABASE, "CREATE EXTENSION IF NOT EXISTS hstore")
    return server


@pytest.fixture(scope="module")
def ends(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    with both_ends(server, tmp_path_factory.mktemp("drivers"), DATABASE) as ends:
        yield ends


@dataclass(frozen=True)
class Runs:
    """Runs the suite against one end."""

    suite: Path
    folder: Path

    def run(self, end: End, *tests: str) -> Outcomes:
        results = self.folder / "results.json"
        results.unlink(missing_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "PSYCOPG2_TESTDB": DATABASE,
            "PSYCOPG2_TESTDB_HOST": "localhost",
            "PSYCOPG2_TESTDB_PORT": str(end.port),
            "PSYCOPG2_TESTDB_USER": SUPERUSER,
            "PSYCOPG2_TESTDB_PASSWORD": end.password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(end.ca),
        }
        command: list[str | Path] = [sys.executable, HERE / "run_suite.py", self.suite, results, *tests]
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert results.exists(), done.stdout + done.stderr
        found: Outcomes = {name: (one[0], one[1]) for name, one in json.loads(results.read_text()).items()}
        return found


@pytest.fixture(scope="module")
def differences(
    suite: Path, other_server: PostgresServer, ends: Ends, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """What a test shows through the gateway where its outcome differs.

    What differs once but not twice is chance, and so is what is listed and does not differ once.
    """
    straight, around = (Runs(suite, tmp_path_factory.mktemp(name)) for name in ("direct", "through"))
    direct_end = End(other_server.port, other_server.ca, other_server.password)

    def both(*tests: str) -> tuple[Outcomes, Outcomes]:
        with ThreadPoolExecutor(1) as beside:
            other = beside.submit(around.run, ends.through(), *tests)
            return straight.run(direct_end, *tests), other.result()

    direct, first = both()
    assert len(direct) > 700
    assert sum(outcome == "passed" for outcome, _ in direct.values()) > 700
    once = differing(direct, first)
    twice = differing(*both(*once, *listed()))
    chance = (once.keys() ^ twice.keys()) - listed().keys()
    return {name: said for name, said in {**once, **twice}.items() if name not in chance}


def differing(direct: Outcomes, through: Outcomes) -> Mapping[str, str]:
    """What tests show through the gateway whose outcomes differ."""
    found = {name: through.get(name, ("missing", "it did not run")) for name in direct}
    return {name: said for name, (outcome, said) in found.items() if outcome != direct[name][0]}


def listed() -> Mapping[str, tuple[str, str]]:
    """The differences that are right: by test what it must show, and why."""
    entries = yaml.safe_load((HERE / "psycopg2.yaml").read_text())
    return {test: (entry["says"], entry["why"]) for entry in entries for test in entry["tests"]}


def test_the_suite_is_that_of_the_installed_version() -> None:
    locked = (CHECKOUT / "requirements" / "suites.txt").read_text()
    assert f"psycopg2=={version('psycopg2-binary')} " in locked


def test_nothing_differs_but_what_is_listed(differences: Mapping[str, str]) -> None:
    assert {name: said for name, said in differences.items() if name not in listed()} == {}


def test_what_is_listed_still_differs_and_shows_why(differences: Mapping[str, str]) -> None:
    stale = {name: differences.get(name, "it does not differ") for name, (says, _) in listed().items()
             if not re.search(says, differences.get(name, ""))}  # fmt: skip
    assert stale == {}
