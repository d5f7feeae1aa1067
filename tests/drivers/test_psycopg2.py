"""psycopg2's own test suite, directly and through the gateway: no difference but those listed in psycopg2.yaml."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import SUPERUSER, PostgresServer
from blastwall.testing.servers import CHECKOUT, ServerMissing, find_suite

Outcomes = Mapping[str, tuple[str, str]]
HERE = Path(__file__).parent
DATABASE = "psycopg2_test"
SECONDS = 400
EVERYTHING = """
@id("everything")
permit (principal, action, resource in Resource::"pg-prod");
"""

pytestmark = pytest.mark.timeout(2 * SECONDS + 60)


@pytest.fixture(scope="module")
def suite() -> Path:
    try:
        return find_suite("psycopg2")
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="module")
def server(postgres15: PostgresServer) -> PostgresServer:
    postgres15.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    postgres15.create_database(DATABASE, "CREATE EXTENSION IF NOT EXISTS hstore")
    return postgres15


@pytest.fixture(scope="module")
def issuer() -> Iterator[DevIssuer]:
    with DevIssuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def gateway(server: PostgresServer, issuer: DevIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that permits everything, with the server's superuser behind it and no pack."""
    configuration = {
        "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
        "resources": [
            {
                "name": "pg-prod",
                "kind": "postgres",
                "upstream": {"host": "localhost", "port": server.port, "database": DATABASE, "ca": str(server.ca)},
                "credential": {"user": SUPERUSER, "password": {"env": "PG_PASSWORD"}},
            }
        ],
        "policies": ["*.cedar"],
        "packs": [],
    }
    with Gateway(
        configuration,
        policies={"everything.cedar": EVERYTHING},
        environment={"PG_PASSWORD": server.password},
        folder=tmp_path_factory.mktemp("drivers"),
    ) as gateway:
        yield gateway


class Runs:
    """Runs the suite against one end or the other."""

    def __init__(self, suite: Path, folder: Path) -> None:
        self._suite = suite
        self._folder = folder

    def run(self, port: int, ca: Path | None, password: str, *tests: str) -> Outcomes:
        results = self._folder / "results.json"
        results.unlink(missing_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "PSYCOPG2_TESTDB": DATABASE,
            "PSYCOPG2_TESTDB_HOST": "localhost",
            "PSYCOPG2_TESTDB_PORT": str(port),
            "PSYCOPG2_TESTDB_USER": SUPERUSER,
            "PSYCOPG2_TESTDB_PASSWORD": password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(ca),
        }
        command: list[str | Path] = [sys.executable, HERE / "run_suite.py", self._suite, results, *tests]
        done = subprocess.run(
            command, env=environment, cwd=self._folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert results.exists(), done.stdout + done.stderr
        found: Outcomes = {name: (one[0], one[1]) for name, one in json.loads(results.read_text()).items()}
        return found


@pytest.fixture(scope="module")
def differences(
    suite: Path, server: PostgresServer, gateway: Gateway, issuer: DevIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """What a test shows through the gateway where its outcome differs; what differs once but not twice is chance."""
    runs = Runs(suite, tmp_path_factory.mktemp("suite"))

    def through(*tests: str) -> Outcomes:
        token = issuer.token("ci", claims={"repository_id": "42"}, lifetime=3600)
        return runs.run(gateway.port(), gateway.ca, token, *tests)

    direct, first = runs.run(server.port, server.ca, server.password), through()
    assert len(direct) > 700
    assert sum(outcome == "passed" for outcome, _ in direct.values()) > 700
    differ = [name for name, (outcome, _) in direct.items() if first.get(name, ("", ""))[0] != outcome]
    again = through(*differ) if differ else {}
    found = {name: again.get(name, ("missing", "it did not run")) for name in differ}
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
