"""psycopg2's suite runs with all tests; longer ones only where BLASTWALL_SUITES=all, as `make drivers` sets it."""

from __future__ import annotations

import os

LONGER = ["test_asyncpg.py", "test_pg8000.py"]

collect_ignore = [] if os.environ.get("BLASTWALL_SUITES") == "all" else LONGER
