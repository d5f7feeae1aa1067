"""The companion that tells how many rows a table has, by the server's own count: for people who decide.

It reads `sys.partitions` alone. A plan would be closer, but planning may run code of whoever made the tables; what
nobody has approved is not planned either. The names of tables never go into a query: the counts of all are read.
"""

from __future__ import annotations

from collections.abc import Hashable

from blastwall.model.credential import Credential
from blastwall.protocols.contract import Answered, Close, Opening, Output
from blastwall.protocols.estimating import PREFIX, EstimateFailed, TableRows
from blastwall.protocols.kind import Estimated
from blastwall.protocols.tds.answer_reading import Reply, Rows
from blastwall.protocols.tds.catalog_queries import ROW_COUNTS, SECURE
from blastwall.protocols.tds.questioner import Questioner
from blastwall.wire.reader import Malformed

_AT_MOST = "at most, by the server's count of the whole table; triggers and cascades are not counted"


class TdsEstimator(Questioner):
    """Implements `Companion`, for questions of `TableRows`. Several are answered by one look."""

    def __init__(self, opening: Opening, credential: Credential, name: str) -> None:
        super().__init__(opening, credential, name.removeprefix(PREFIX), "blastwall estimates")
        self._asked: list[tuple[int, TableRows]] = []
        self._answering: list[tuple[int, TableRows]] = []
        self._prepared = False
        self._busy = True

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        if not isinstance(question, TableRows):
            return [Answered(number, EstimateFailed("an unknown question"))]
        self._asked.append((number, question))
        return [] if self._busy else self._next()

    def over(self, reply: Reply) -> list[Output]:
        results, error = reply
        if not self._prepared:
            self._prepared = True
            return [self.ask(SECURE)]
        answering, self._answering = self._answering, []
        if answering and error is None and len(results) != 1:
            raise Malformed(f"{len(results)} results, of 1")
        answered: list[Output] = []
        for number, question in answering:
            failed = EstimateFailed("the server refused the gateway's question")
            answered.append(Answered(number, failed if error is not None else _estimated(results[0], question)))
        return answered + self._next()

    def _next(self) -> list[Output]:
        self._answering, self._asked = self._asked, []
        self._busy = bool(self._answering)
        return [self.ask(ROW_COUNTS)] if self._answering else []

    def fail(self, reason: str, told: str = "") -> list[Output]:
        waiting = [*self._answering, *self._asked]
        self._answering, self._asked = [], []
        failed: list[Output] = [Answered(number, EstimateFailed(reason)) for number, _ in waiting]
        return [*failed, Close(reason)]


def _estimated(rows: Rows, question: TableRows) -> Estimated:
    """Add up a table's partitions."""
    counts = [int(count or 0) for schema, table, count in rows if (schema, table) == (question.schema, question.table)]
    if not counts:
        return Estimated(None, "the server does not tell how many rows the table has")
    return Estimated(sum(counts), _AT_MOST)
