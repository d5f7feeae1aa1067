"""A state database on SQLite, and one on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from blastwall.store.database import Store, open_store
from blastwall.store.schema import EVERY_TABLE
from blastwall.testing.ports import free_port


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start a PostgreSQL server; as root, under the account `nobody`, since PostgreSQL refuses root."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (apt install postgresql)")
    account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="blastwall-state-"))
    os.chown(folder, account.pw_uid, account.pw_gid)
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"

    def run(*command: str) -> None:
        subprocess.run(
            command, check=True, user=account.pw_uid, group=account.pw_gid, cwd=folder, stdout=subprocess.DEVNULL
        )

    run(f"{binaries}/initdb", "-A", "trust", "-U", "blastwall", "--no-sync", "-D", f"{folder}/data")
    run(f"{binaries}/pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield f"postgresql://blastwall@127.0.0.1:{port}/postgres"
    finally:
        run(f"{binaries}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty state database of either kind."""
    if request.param == "sqlite":
        opened = await open_store(f"sqlite:///{tmp_path}/state/blastwall.db")
    else:
        opened = await open_store(request.getfixturevalue("postgres_url"))
        async with opened.write() as connection:
            tables = ", ".join(f'"{table.name}"' for table in EVERY_TABLE)
            await connection.exec_driver_sql(f"TRUNCATE {tables}")
    yield opened
    await opened.close()
