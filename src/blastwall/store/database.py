"""Opening the state database and lending its connections.

SQLite runs in WAL mode with full synchronisation: a containment that was confirmed outlives a power cut. Reads run
outside transactions, so that the containment poll never waits for a writer; writes begin with BEGIN IMMEDIATE, so
that a read inside one cannot be overtaken (https://www.sqlite.org/lang_transaction.html).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Protocol, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from blastwall.store.address import PostgresServer, SqliteFile, StateError, parse_address, prepare_file
from blastwall.store.migrate import MIGRATION_LOCK, NewerState, upgrade
from blastwall.store.sealing import Seal

__all__ = ["Store", "open_store"]

T = TypeVar("T")
_BUSY_SECONDS = 5
_TIMEOUT_SECONDS = 10
_READS = "blastwall_reads"
"""The option of connections that are lent for reading."""
_OUTSIDE: Mapping[str, Mapping[str, object]] = {
    "sqlite": {_READS: True},
    "postgresql": {"isolation_level": "AUTOCOMMIT"},
}
"""What keeps reads out of transactions. SQLite's connections begin none that we do not begin ourselves."""


class Store:
    """An open state database. Every failure of the database comes out as StateError.

    `seal` seals its rows. Until a gateway puts its own there, it is one to which no row is sealed that others wrote.
    """

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**_OUTSIDE[engine.dialect.name])
        self._pending: set[asyncio.Task[object]] = set()
        self.name = name
        self.seal = Seal()

    @property
    def sqlite(self) -> bool:
        """Whether the state is a file of this node alone."""
        return self._engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for reading, outside a transaction."""
        with _failures(self.name):
            async with self._reading.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection inside one transaction, committed at the end, rolled back on an exception."""
        with _failures(self.name):
            async with self._engine.begin() as connection:
                yield connection

    async def whole(self, operation: Coroutine[object, object, T]) -> T:
        """Run an operation to its end, also where the caller is cancelled."""
        task = asyncio.create_task(operation)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Let operations under way end and close all connections."""
        await asyncio.gather(*self._pending, return_exceptions=True)
        await self._engine.dispose()


class _failures:  # noqa: N801 - reads as a phrase at its uses
    """Turn a database's failure into StateError, without the statement's parameters."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError):
            raise StateError(f"state database {self._name}: {_cause(error.orig)}") from None
        if isinstance(
            error,
            (SQLAlchemyError, sqlite3.Error, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError),
        ):
            raise StateError(f"state database {self._name}: {_cause(error)}") from None


def _cause(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


async def open_store(url: str, folder: Path | None = None) -> Store:
    """Open the state database that `url` names, making or migrating its tables.

    Args:
        url: the configuration's `state:`.
        folder: what a relative file is relative to; default: the working directory.

    Raises:
        StateError: it cannot be reached, read or written, is locked, or was written by a newer Blastwall.
    """
    address = parse_address(url, folder)
    if isinstance(address, SqliteFile):
        prepare_file(address.path)
        with _failures(str(address)):
            await asyncio.to_thread(_use_wal, address.path)
        engine = _sqlite_engine(address)
    else:
        engine = _postgres_engine(address)
    store = Store(engine, str(address))
    try:
        await _migrate(store)
    except BaseException:
        await store.close()
        raise
    return store


async def _migrate(store: Store) -> None:
    async with store.write() as connection:
        if not store.sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        try:
            await connection.run_sync(upgrade)
        except NewerState as newer:
            raise StateError(
                f"state database {store.name} was written by a newer Blastwall (revision {newer.revision}): "
                "start that version, or name another database in `state`"
            ) from None


class _DbapiCursor(Protocol):
    def execute(self, statement: str) -> object: ...
    def close(self) -> None: ...


class _DbapiConnection(Protocol):
    isolation_level: str | None

    def cursor(self) -> _DbapiCursor: ...
    def close(self) -> None: ...


def _use_wal(path: Path) -> None:
    """Put the file into WAL mode, which it keeps. SQLite does not wait for another that does the same, so we do."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.02)


def _sqlite_engine(file: SqliteFile) -> AsyncEngine:
    url = URL.create("sqlite+aiosqlite", database=str(file.path))
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS})

    def connected(connection: _DbapiConnection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
            cursor.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()  # the pool does not know it yet, so nobody else would
            raise
        cursor.close()

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Begin a transaction of SQLite's for a write. SQLAlchemy also says this of a read, which has none."""
    if not connection.get_execution_options().get(_READS):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgres_engine(server: PostgresServer) -> AsyncEngine:
    """Asyncpg reads the URL itself, so libpq's parameters and environment variables (PGPASSWORD, …) work as known."""

    async def connect() -> object:
        return await asyncpg.connect(
            server.dsn,
            timeout=_TIMEOUT_SECONDS,
            command_timeout=_TIMEOUT_SECONDS,
            server_settings={"application_name": "blastwall"},
        )

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, hide_parameters=True, pool_pre_ping=True)
