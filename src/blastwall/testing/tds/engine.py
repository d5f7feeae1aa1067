"""The databases of one server: DuckDB's instance, what they hold, and who may log in."""

from __future__ import annotations

import threading
from datetime import datetime

import duckdb

from blastwall.testing.tds.catalog import Database, quoted

_SYSTEM = ("master", "tempdb", "model", "msdb")


class Engine:
    """Everything that sessions share."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held while a statement changes the catalog or draws identity values."""
        self.version = 0
        """Goes up with each change of any catalog."""
        self.databases: dict[str, Database] = {}
        self.members: dict[str, set[str]] = {}
        self.repeats: dict[str, tuple[int, list[bytes]]] | None = None
        """Where not None, encoded results by their query: for benchmarks over data that nobody changes."""
        self.started = datetime.now().astimezone().replace(tzinfo=None)
        self._duck = duckdb.connect()
        self._duck.execute("SET GLOBAL default_collation = 'nocase'")
        self._duck.execute("SET GLOBAL TimeZone = 'UTC'")
        self._duck.execute("SET GLOBAL threads = 1")
        for name in _SYSTEM:
            self.create(name)

    def create(self, name: str) -> Database:
        """Create a database with schema dbo."""
        with self.lock:
            database = Database(name, len(self.databases) + 1)
            self._duck.execute(f"ATTACH ':memory:' AS {quoted(name)}")
            self._duck.execute(f'CREATE SCHEMA {quoted(name)}."dbo"')
            self.databases[name.lower()] = database
            self.changed()
            return database

    def connection(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to DuckDB: a transaction's scope."""
        return self._duck.cursor()

    def changed(self) -> None:
        """Say that a catalog changed."""
        self.version += 1

    def close(self) -> None:
        """Let everything go."""
        self._duck.close()
