"""psycopg2's suite runs with all tests; longer ones only where BLASTWALL_SUITES=all, as `make drivers` sets it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from blastwall.testing.postgres import PostgresServer

LONGER = [f"test_{suite}.py" for suite in ("asyncpg", "django", "jdbc", "node", "pg8000", "sqlalchemy")]

collect_ignore = [] if os.environ.get("BLASTWALL_SUITES") == "all" else LONGER


@pytest.fixture(scope="module")
def suites_server() -> Iterator[PostgresServer]:
    """A PostgreSQL 15 of a suite's own: it may leave roles and databases there."""
    with PostgresServer.start("15") as server:
        yield server
