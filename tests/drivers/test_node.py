"""A walk through what users of Node.js's drivers and their ORMs do, directly and through the gateway.

Their own suites are in no package registry, so the walk is ours: node/walk.test.mjs. No difference but those listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.drivers.comparing import HERE, SECONDS, Outcomes, differences, spoken, stale, unlisted
from tests.drivers.ends import End, both_ends

from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import find_node_drivers, find_program

DATABASE = "node_walk"
WALK = HERE / "node" / "walk.test.mjs"

pytestmark = pytest.mark.timeout(3 * SECONDS)


@dataclass(frozen=True, slots=True)
class Node:
    """The walk, run by Node.js's own test runner."""

    folder: Path

    def run(self, end: End, *chosen: str) -> Outcomes:
        """Run all of it, which takes seconds; the outcomes are of those that are `chosen`."""
        results = self.folder / "results.xml"
        results.unlink(missing_ok=True)
        said = spoken(
            [
                *(find_program("node", "nodejs"), "--test", "--test-reporter=junit"),
                *(f"--test-reporter-destination={results}", WALK),
            ],
            HERE,
            {**end.libpq(), "PGDATABASE": DATABASE, "NODE_PACKAGES": str(find_node_drivers())},
        )
        assert results.exists(), said
        found = dict(_outcomes(ET.parse(results).getroot()))
        return {name: found[name] for name in chosen or found}


def _outcomes(root: ET.Element) -> list[tuple[str, tuple[str, str]]]:
    """Return each test by `driver: what is tried`."""
    return [
        (f"{driver.get('name')}: {case.get('name')}", _outcome(case))
        for driver in root.iter("testsuite")
        for case in driver.iter("testcase")
    ]


def _outcome(case: ET.Element) -> tuple[str, str]:
    failed = case.find("failure")
    return ("passed", "") if failed is None else ("failed", failed.text or "")


@pytest.fixture(scope="module")
def found(suites_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What differs."""
    folder = tmp_path_factory.mktemp("node")
    suites_server.create_database(DATABASE)
    with both_ends(suites_server, folder, DATABASE) as ends:
        return differences(Node(folder), ends, fewest=31)


def test_nothing_differs_but_what_is_listed(found: Mapping[str, str]) -> None:
    assert unlisted("node", found) == {}


def test_what_is_listed_still_differs_and_shows_why(found: Mapping[str, str]) -> None:
    assert stale("node", found) == {}
