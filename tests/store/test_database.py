"""Opening the state: its files' modes, its migrations, and what is said when it cannot be used."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from blastwall.store import StateError
from blastwall.store.database import Store, open_store
from blastwall.store.schema import metadata


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with store.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    for expected in (0, 1):
        store = await open_store("sqlite:///b.db", tmp_path)
        async with store.write() as connection:
            count = (await connection.exec_driver_sql("SELECT count(*) FROM exchanged_tokens")).scalar()
            await connection.exec_driver_sql("INSERT INTO exchanged_tokens VALUES (hex(randomblob(8)), 's', 1)")
        assert count == expected
        await store.close()


async def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = await open_store("sqlite:///state/b.db", tmp_path)
    finally:
        os.umask(before)
    async with store.write() as connection:
        await connection.exec_driver_sql("INSERT INTO exchanged_tokens VALUES ('t', 's', 1)")
        assert mode(tmp_path / "state") == 0o700
        assert {file.name for file in (tmp_path / "state").iterdir()} == {"b.db", "b.db-wal", "b.db-shm"}
        assert {mode(file) for file in (tmp_path / "state").iterdir()} == {0o600}
    await store.close()


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "b.db").touch(0o644)
    await (await open_store("sqlite:///b.db", tmp_path)).close()
    assert mode(tmp_path / "b.db") == 0o600


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    await (await open_store("sqlite:///b.db", tmp_path)).close()
    with sqlite3.connect(tmp_path / "b.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(StateError, match=r"written by a newer Blastwall \(revision 9999\)"):
        await open_store("sqlite:///b.db", tmp_path)


async def test_a_locked_database_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blastwall.store.database._BUSY_SECONDS", 0)
    await (await open_store("sqlite:///b.db", tmp_path)).close()
    other = sqlite3.connect(tmp_path / "b.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StateError, match="database is locked"):
            await open_store("sqlite:///b.db", tmp_path)
    finally:
        other.close()


async def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "b.db").write_bytes(b"this is a text file, not a database" * 100)
    with pytest.raises(StateError, match="not a database"):
        await open_store("sqlite:///b.db", tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateError, match="cannot be written"):
        await open_store("sqlite:///folder", tmp_path)
    with pytest.raises(StateError, match="cannot be written"):
        await open_store("sqlite:///b.db/c.db", tmp_path)


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StateError, match=r"state database postgresql://127.0.0.1/state: "):
        await open_store("postgresql://127.0.0.1:1/state")


async def test_an_error_never_shows_what_was_being_stored(store: Store) -> None:
    with pytest.raises(StateError) as caught:
        async with store.write() as connection:
            await connection.exec_driver_sql("SELECT hunter2 FROM nowhere WHERE x = 'hunter3'")
    assert "hunter3" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_a_failed_write_leaves_nothing(store: Store) -> None:
    class Mistake(Exception):
        pass

    async def write() -> None:
        async with store.write() as connection:
            await connection.exec_driver_sql("INSERT INTO exchanged_tokens VALUES ('t', 's', 1)")
            raise Mistake

    with pytest.raises(Mistake):
        await write()
    async with store.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM exchanged_tokens")).scalar() == 0


async def test_two_nodes_that_start_together(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path}/b.db", postgres_url):
        stores = await asyncio.gather(*(open_store(url) for _ in range(3)))
        await asyncio.gather(*(store.close() for store in stores))


async def test_a_read_waits_for_no_writer(store: Store) -> None:
    async with store.write() as writing:
        await writing.exec_driver_sql("INSERT INTO exchanged_tokens VALUES ('t', 's', 1)")
        async with store.read() as reading:
            count = (await reading.exec_driver_sql("SELECT count(*) FROM exchanged_tokens")).scalar()
    assert count == 0
    async with store.read() as reading:
        assert (await reading.exec_driver_sql("SELECT count(*) FROM exchanged_tokens")).scalar() == 1
