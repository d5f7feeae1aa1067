"""The companion that tells how many rows a table has, by the server's own statistics: for people who decide.

It reads `pg_class` alone. A plan would be closer, but planning runs code: functions declared immutable, operators and
index expressions of whoever made them. What nobody has approved is not planned either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from blastwall.model.credential import Credential
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Opening, Output, Send
from blastwall.protocols.estimating import PREFIX, EstimateFailed, TableRows
from blastwall.protocols.kind import Estimated
from blastwall.protocols.postgres.messages import encode_query
from blastwall.protocols.postgres.questioner import Questioner, Row

_QUERY = """
SELECT c.reltuples::int8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = convert_from(decode('SCHEMA', 'hex'), 'UTF8')
AND c.relname = convert_from(decode('TABLE', 'hex'), 'UTF8') AND c.relkind IN ('r', 'p')
"""
_AT_MOST = "at most, by the statistics of the whole table; triggers and cascades are not counted"


def query_of(question: TableRows) -> str:
    """Return the query. A name comes from whoever made the table, so it is sent as digits that say nothing else."""
    return _QUERY.replace("SCHEMA", question.schema.encode().hex()).replace("TABLE", question.table.encode().hex())


class PostgresEstimator(Questioner):
    """Implements `Companion`, for questions of `TableRows`. One query is under way at a time."""

    def __init__(self, opening: Opening, credential: Credential, name: str) -> None:
        database = {"database": name.removeprefix(PREFIX)}
        own = {"application_name": "blastwall estimates", "client_encoding": "UTF8"}
        super().__init__(opening, credential, {**database, **own})
        self._asked: deque[tuple[int, TableRows]] = deque()
        self._rows: list[str | None] = []
        self._answering: int | None = None
        self._busy = True

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        if not isinstance(question, TableRows):
            return [Answered(number, EstimateFailed("an unknown question"))]
        self._asked.append((number, question))
        return [] if self._busy else self._next()

    def take(self, row: Row) -> None:
        self._rows += row[:1]

    def over(self, refused: bool) -> list[Output]:
        rows, self._rows = self._rows, []
        number, self._answering = self._answering, None
        answered: list[Output] = []
        if number is not None:
            failed = EstimateFailed("the server refused the gateway's question")
            answered = [Answered(number, failed if refused else _estimated(rows))]
        return answered + self._next()

    def _next(self) -> list[Output]:
        self._busy = bool(self._asked)
        if not self._asked:
            return []
        self._answering, question = self._asked.popleft()
        return [Send(UPSTREAM, encode_query(query_of(question)))]

    def fail(self, reason: str) -> list[Output]:
        waiting = [number for number, _ in self._asked]
        if self._answering is not None:
            waiting.insert(0, self._answering)
        self._asked.clear()
        failed: list[Output] = [Answered(number, EstimateFailed(reason)) for number in waiting]
        return [*failed, Close(reason)]


def _estimated(rows: Sequence[str | None]) -> Estimated:
    """Return what `reltuples` says: -1 is a table that was never analyzed (0 before PostgreSQL 14)."""
    found = int(rows[0] or -1) if rows else -1
    if found < 0:
        return Estimated(None, "the table has no statistics: it was never analyzed")
    return Estimated(found, _AT_MOST)
