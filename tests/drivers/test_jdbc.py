"""A walk through what users of pgjdbc do, directly and through the gateway.

The driver is Debian's, which has no tests in it, so the walk is ours: jdbc/Walk.java. No difference but those listed,
and none at all in what the driver tells of a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.drivers.comparing import HERE, SECONDS, Outcomes, differences, spoken, stale, unlisted
from tests.drivers.ends import End, both_ends

from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import ServerMissing, find_java, find_pgjdbc

DATABASE = "jdbc_walk"
WALK = HERE / "jdbc" / "Walk.java"
_HEAP = "-Xmx512m"

pytestmark = pytest.mark.timeout(3 * SECONDS)


@dataclass(frozen=True, slots=True)
class Jdbc:
    """The walk, which Java compiles as it starts. What the driver tells of the database is kept by the port."""

    java: Path
    driver: Path
    folder: Path
    told: dict[int, str] = field(default_factory=dict)

    def run(self, end: End, *chosen: str) -> Outcomes:
        """Run all of it, which takes seconds; the outcomes are of those that are `chosen`."""
        results, told = self.folder / "results.tsv", self.folder / "told.txt"
        results.unlink(missing_ok=True)
        said = spoken(
            [self.java, _HEAP, "-cp", self.driver, WALK, results, told], HERE, {**end.libpq(), "PGDATABASE": DATABASE}
        )
        assert results.exists(), said
        self.told[end.port] = told.read_text()
        lines = (line.split("\t") for line in results.read_text().splitlines())
        found = {name: (outcome, why) for name, outcome, why in lines}
        return {name: found[name] for name in chosen or found}


@dataclass(frozen=True, slots=True)
class Walked:
    """What differs, and what the driver tells of the database at either end."""

    found: Mapping[str, str]
    told: tuple[str, str]


@pytest.fixture(scope="module")
def walked(suites_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    try:
        suite = Jdbc(find_java(), find_pgjdbc(), tmp_path_factory.mktemp("jdbc"))
    except ServerMissing as missing:
        pytest.skip(str(missing))
    suites_server.create_database(DATABASE)
    with both_ends(suites_server, suite.folder, DATABASE) as ends:
        found = differences(suite, ends, fewest=184)
        return Walked(found, (suite.told[ends.direct.port], suite.told[ends.through().port]))


def test_nothing_differs_but_what_is_listed(walked: Walked) -> None:
    assert unlisted("jdbc", walked.found) == {}


def test_what_is_listed_still_differs_and_shows_why(walked: Walked) -> None:
    assert stale("jdbc", walked.found) == {}


def test_the_driver_tells_the_same_of_the_database(walked: Walked) -> None:
    direct, through = (told.splitlines() for told in walked.told)
    assert len(direct) > 500
    assert through == direct
