"""A server with a database for the regression scripts, and the scripts in their order."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg import sql
from tests.classification.observer import SETUP
from tests.classification.run import Runner, Tally

from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import find_regression

QUICK: Sequence[str] = (
    "test_setup", "select", "insert_conflict", "returning", "with", "subselect", "truncate", "temp",
)  # fmt: skip
"""What the tests run each time."""
LEFT_OUT: Mapping[str, str] = {"numeric_big": "arithmetic on constants alone, for minutes"}
"""Scripts of the directory that `make classification` does not run, and why. Name one after it to run it."""


def all_scripts() -> Sequence[str]:
    """Return what `make classification` runs: every script that is there but those left out, `QUICK` first."""
    there = sorted(path.stem for path in (find_regression() / "sql").glob("*.sql"))
    return (*QUICK, *(name for name in there if name not in {*QUICK, *LEFT_OUT}))


_LIMITS = "-c statement_timeout=20s"


def run_scripts(names: Sequence[str], progress: TextIO | None = None) -> Tally:
    """Run scripts against a new PostgreSQL 15 server and return what was found.

    `test_setup` makes what the others find: each of those has a copy of its database to itself.

    Raises:
        ServerMissing: the server or the scripts are not installed.
    """
    source = find_regression()
    tally = Tally()
    with PostgresServer.start("15") as server, tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "regress"
        shutil.copytree(source, files)
        for path in (Path(folder), files, *files.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o644)
        server.execute("CREATE DATABASE regression")
        with psycopg.connect(server.dsn("regression"), autocommit=True) as connection:
            connection.execute(SETUP)
        for name in names:
            began = time.monotonic()
            database = "regression"
            if name != "test_setup":
                database = "script"
                server.execute("DROP DATABASE IF EXISTS script WITH (FORCE)")
                server.execute("CREATE DATABASE script TEMPLATE regression")
            _run(server.dsn(database), files, name, tally)
            if progress is not None:
                progress.write(f"{name}: {time.monotonic() - began:.1f} s\n")
    return tally


def _run(place: str, files: Path, name: str, tally: Tally) -> None:
    with (
        psycopg.connect(place, autocommit=True, prepare_threshold=None, options=_LIMITS) as connection,
        psycopg.connect(place, autocommit=True) as side,
    ):
        Runner(connection, side, files, tally).script(files / "sql" / f"{name}.sql")
        left = side.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()").fetchall()
        for (gid,) in left:
            side.execute(sql.SQL("ROLLBACK PREPARED {}").format(gid))
