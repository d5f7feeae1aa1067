"""pg8000's own test suite, directly and through the gateway: no difference but those listed in pg8000.yaml."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.drivers.comparing import PACKAGES, SECONDS, PytestSuite, differences, stale, unlisted
from tests.drivers.ends import End, both_ends

from blastwall.testing.postgres import PostgresServer

TRUSTING = """
import os, ssl, pg8000.core as core

begin = core.CoreConnection.__init__

def begin_with_tls(self, *arguments, **named):
    if named.get("ssl_context") is None:
        named["ssl_context"] = ssl.create_default_context(cafile=os.environ["SUITE_CA"])
    begin(self, *arguments, **named)

core.CoreConnection.__init__ = begin_with_tls
"""
"""The suite connects without TLS; a gateway's password is a token, so it demands it. Both ends are tried with TLS."""

pytestmark = pytest.mark.timeout(3 * SECONDS)


@pytest.fixture(scope="module")
def found(suites_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What differs."""
    suites_server.execute("CREATE EXTENSION IF NOT EXISTS hstore")
    folder = tmp_path_factory.mktemp("pg8000")
    (folder / "sitecustomize.py").write_text(TRUSTING)

    def environment(end: End) -> Mapping[str, str]:
        return {
            "PGHOST": "localhost", "PGPORT": str(end.port), "PGPASSWORD": end.password, "SUITE_CA": str(end.ca),
            "PYTHONPATH": f"{folder}:{PACKAGES}",
        }  # fmt: skip

    tests = ("test/dbapi", "test/legacy", "test/native")
    suite = PytestSuite("pg8000", folder, tests, environment, ("--benchmark-disable",))
    with both_ends(suites_server, folder, "postgres") as ends:
        return differences(suite, ends, fewest=680)


def test_nothing_differs_but_what_is_listed(found: Mapping[str, str]) -> None:
    assert unlisted("pg8000", found) == {}


def test_what_is_listed_still_differs_and_shows_why(found: Mapping[str, str]) -> None:
    assert stale("pg8000", found) == {}
