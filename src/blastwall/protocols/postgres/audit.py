"""The companion of `check --dial`: asks a server who else may log in, from where, and what our role may do.

Each question may be refused (`pg_hba_file_rules` is a superuser's); then it is said that it was not answered.
"""

from __future__ import annotations

from collections.abc import Hashable

from blastwall.model.credential import Credential
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Opening, Output, Send
from blastwall.protocols.postgres.audit_findings import QUESTIONS, Rows, findings
from blastwall.protocols.postgres.messages import TERMINATE, encode_query
from blastwall.protocols.postgres.questioner import Questioner, Row
from blastwall.wire.reader import Malformed

MAX_ROWS = 10_000


class AuditFailed(Exception):
    """The server cannot be asked; the text says why."""


class PostgresAuditor(Questioner):
    """Implements `Companion`, for one `AUDIT`."""

    def __init__(self, opening: Opening, credential: Credential, database: str) -> None:
        super().__init__(opening, credential, {"database": database, "application_name": "blastwall check"})
        self._rows: Rows = []
        self._answers: list[Rows | None] = []
        """The rows of each question, in the order of `QUESTIONS`; None for one that was refused."""
        self._number: int | None = None

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        self._number = number
        return self._finish() if len(self._answers) > len(QUESTIONS) else []

    def take(self, row: Row) -> None:
        if len(self._rows) >= MAX_ROWS:
            raise Malformed(f"more than {MAX_ROWS} rows")
        self._rows.append(row)

    def over(self, refused: bool) -> list[Output]:
        self._answers.append(None if refused else self._rows)
        self._rows = []
        if len(self._answers) <= len(QUESTIONS):
            return [Send(UPSTREAM, encode_query(QUESTIONS[len(self._answers) - 1]))]
        return self._finish()

    def _finish(self) -> list[Output]:
        if self._number is None:
            return []
        replies = dict(zip(QUESTIONS, self._answers[1:], strict=True))
        return [Answered(self._number, findings(replies)), Send(UPSTREAM, TERMINATE), Close("asked")]

    def fail(self, reason: str) -> list[Output]:
        failed: list[Output] = [] if self._number is None else [Answered(self._number, AuditFailed(reason))]
        return [*failed, Close(reason)]
