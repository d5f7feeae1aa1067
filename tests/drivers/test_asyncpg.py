"""asyncpg's own test suite, directly and through the gateway: no difference but those listed in asyncpg.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import pytest
from tests.drivers.comparing import SECONDS, PytestSuite, differences, stale, unlisted
from tests.drivers.ends import End, both_ends

from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import CHECKOUT

pytestmark = pytest.mark.timeout(3 * SECONDS)


@pytest.fixture(scope="module")
def found(suites_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What differs."""
    folder = tmp_path_factory.mktemp("asyncpg")
    suite = PytestSuite("asyncpg", folder, ("tests",), End.libpq)
    with both_ends(suites_server, folder, "postgres") as ends:
        return differences(suite, ends, fewest=290)


def test_the_suite_is_that_of_the_installed_version() -> None:
    locked = (CHECKOUT / "requirements" / "drivers-suites.txt").read_text()
    assert f"asyncpg=={version('asyncpg')} " in locked


def test_nothing_differs_but_what_is_listed(found: Mapping[str, str]) -> None:
    assert unlisted("asyncpg", found) == {}


def test_what_is_listed_still_differs_and_shows_why(found: Mapping[str, str]) -> None:
    assert stale("asyncpg", found) == {}
