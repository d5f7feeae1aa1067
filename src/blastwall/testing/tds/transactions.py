"""Transactions as SQL Server has them, on an engine that gives up a transaction at its first error.

DuckDB knows no savepoints, and an error ends its transaction; in SQL Server most errors end their statement alone. So
what a transaction changed is kept, and done again in a new one where a statement failed or a savepoint is returned to.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress

import duckdb

from blastwall.testing.tds.engine import Engine
from blastwall.testing.tds.errors import SqlError, Violation, translated, unsupported

_POLL_SECONDS = 0.05
Values = Mapping[str, object]


class Transactions:
    """One session's connection to DuckDB and its transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.count = 0
        """@@TRANCOUNT."""
        self.doomed = False
        self.descriptor = b"\0" * 8
        self.poll: Callable[[], None] = lambda: None
        """Called while DuckDB works; it raises to stop it."""
        self._duck = engine.connection()
        self._worker = ThreadPoolExecutor(1)
        self._log: list[tuple[str, Values]] = []
        self._undo: list[Callable[[], None]] = []
        self._savepoints: dict[str, tuple[int, int]] = {}
        self._fickle = False
        self._atomic = False

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def select(self, sql: str, values: Values) -> duckdb.DuckDBPyConnection:
        """Run a query; fetch from what comes back before the next one.

        Raises:
            SqlError: it failed.
        """
        try:
            return self._execute(sql, values)
        except duckdb.Error as error:
            self._recover()
            failed = translated(error)
            raise SqlError.raised(50001, 16, 1, str(failed)) if isinstance(failed, Violation) else failed from error

    def change(self, sql: str, values: Values, *, fickle: bool = False) -> duckdb.DuckDBPyConnection:
        """Run what changes something.

        Raises:
            SqlError: it failed.
            Violation: a constraint is violated.
        """
        if self.doomed:
            raise SqlError(3930)
        try:
            result = self._execute(sql, values)
        except duckdb.Error as error:
            if not self._atomic:
                self._recover()
            raise translated(error) from error
        if self.count or self._atomic:
            self._log.append((sql, dict(values)))
            self._fickle = self._fickle or fickle
        return result

    def rows(self, sql: str, values: Values) -> list[tuple[object, ...]]:
        """Run a query and return its rows."""
        found: list[tuple[object, ...]] = self.select(sql, values).fetchall()
        return found

    def _execute(self, sql: str, values: Values) -> duckdb.DuckDBPyConnection:
        used = {key: value for key, value in values.items() if f"${key}" in sql}
        future = (
            self._worker.submit(self._duck.execute, sql, used) if used else self._worker.submit(self._duck.execute, sql)
        )
        while True:
            try:
                return future.result(_POLL_SECONDS)
            except NotYet:
                if future.done():
                    raise
            try:
                self.poll()
            except BaseException:
                self._duck.interrupt()
                with suppress(duckdb.Error):
                    future.result()
                if self.count:
                    self._recover()
                raise

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Do all of the block or nothing: the steps of one statement."""
        if self._atomic:
            yield
            return
        mark, undo, own = len(self._log), len(self._undo), not self.count
        if own:
            self._duck.execute("BEGIN")
        self._atomic = True
        try:
            yield
        except BaseException:
            self._atomic = False
            del self._log[mark:]
            self._unwind(undo)
            if own:
                self._roll_back_duck()
            else:
                self._recover()
            raise
        self._atomic = False
        if own:
            self._commit_duck()
            self._log.clear()
            self._undo.clear()

    # ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> bool:
        """Begin a transaction, or nest in one; return whether it is the outermost."""
        if not self.count:
            self._duck.execute("BEGIN")
            self.descriptor = secrets.token_bytes(8)
        self.count += 1
        return self.count == 1

    def commit(self) -> bool:
        """Commit; return whether it was the outermost.

        Raises:
            SqlError: there is no transaction, it cannot be committed, or it conflicts with another.
        """
        if not self.count:
            raise SqlError(3902)
        if self.doomed:
            raise SqlError(3930)
        self.count -= 1
        if self.count:
            return False
        self._forget()
        self._commit_duck()
        return True

    def roll_back(self) -> bool:
        """Roll the whole transaction back; return whether there was one."""
        if not self.count:
            return False
        self._unwind(0)
        self._forget()
        self.count, self.doomed = 0, False
        self._roll_back_duck()
        return True

    def save(self, name: str) -> None:
        """Make a savepoint."""
        if not self.count:
            raise SqlError.raised(628, 16, 1, "Cannot issue SAVE TRANSACTION when there is no active transaction.")
        self._savepoints[name.lower()] = (len(self._log), len(self._undo))

    def roll_back_to(self, name: str) -> None:
        """Return to a savepoint.

        Raises:
            SqlError: there is none of that name.
        """
        mark = self._savepoints.get(name.lower())
        if mark is None:
            raise SqlError(6401, name)
        del self._log[mark[0] :]
        self._unwind(mark[1])
        self._recover()

    def on_undo(self, action: Callable[[], None]) -> None:
        """Call `action` if what happens now is rolled back."""
        if self.count or self._atomic:
            self._undo.append(action)

    def _unwind(self, mark: int) -> None:
        for action in reversed(self._undo[mark:]):
            action()
        del self._undo[mark:]

    def _forget(self) -> None:
        self._log.clear()
        self._undo.clear()
        self._savepoints.clear()
        self._fickle = False

    def _recover(self) -> None:
        """Do again what the transaction did before the error."""
        if not self.count:
            return
        self._roll_back_duck()
        if self._fickle:
            self.doomed = True
            self._duck.execute("BEGIN")
            self._fickle = False
            raise unsupported("Going on after an error in a transaction that used NEWID or RAND")
        self._duck.execute("BEGIN")
        for sql, values in self._log:
            used = {key: value for key, value in values.items() if f"${key}" in sql}
            self._duck.execute(sql, used)

    def _commit_duck(self) -> None:
        try:
            self._duck.execute("COMMIT")
        except duckdb.Error as error:
            self._roll_back_duck()
            failed = translated(error)
            raise failed if isinstance(failed, SqlError) else SqlError(3960, "the database") from error

    def _roll_back_duck(self) -> None:
        with suppress(duckdb.Error):
            self._duck.execute("ROLLBACK")

    def reset(self) -> None:
        """Start anew: temporary tables go with the connection."""
        self._duck.close()
        self._duck = self.engine.connection()

    def close(self) -> None:
        """Roll back and let go."""
        self.roll_back()
        self._worker.shutdown()
        self._duck.close()
