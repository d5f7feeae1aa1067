"""SQLAlchemy's tests of its PostgreSQL dialect, directly and through the gateway: no difference but those listed.

Its tests of reflection are left out: they make and drop tables for most of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import pytest
from tests.drivers.comparing import SECONDS, PytestSuite, differences, stale, unlisted
from tests.drivers.ends import End, both_ends

from blastwall.testing.postgres import SUPERUSER, PostgresServer
from blastwall.testing.servers import CHECKOUT

DATABASE = "sqlalchemy_test"
WANTED = """
CREATE SCHEMA test_schema;
CREATE SCHEMA test_schema_2;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
"""
"""What its own tests ask a database to have."""
TESTS = ("test_dialect", "test_on_conflict", "test_query")

pytestmark = pytest.mark.timeout(3 * SECONDS)


@pytest.fixture(scope="module")
def found(suites_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What differs."""
    folder = tmp_path_factory.mktemp("sqlalchemy")
    suites_server.create_database(DATABASE, WANTED)
    reached = f"--dburi=postgresql+psycopg://{SUPERUSER}@localhost/{DATABASE}"
    options = ("-p", "no:warnings", "-p", "no:logging", reached)
    tests = tuple(f"test/dialect/postgresql/{name}.py" for name in TESTS)
    suite = PytestSuite("sqlalchemy", folder, tests, End.libpq, options, r"_postgresql\+\w+")
    with both_ends(suites_server, folder, DATABASE) as ends:
        return differences(suite, ends, fewest=280)


def test_the_suite_is_that_of_the_installed_version() -> None:
    locked = (CHECKOUT / "requirements" / "drivers-suites.txt").read_text()
    assert f"sqlalchemy=={version('sqlalchemy')} " in locked


def test_nothing_differs_but_what_is_listed(found: Mapping[str, str]) -> None:
    assert unlisted("sqlalchemy", found) == {}


def test_what_is_listed_still_differs_and_shows_why(found: Mapping[str, str]) -> None:
    assert stale("sqlalchemy", found) == {}
