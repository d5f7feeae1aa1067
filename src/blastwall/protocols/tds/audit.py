"""The companion of `check --dial`: asks a server who else may log in, from where, and what our own user may do.

Each question may be refused (firewall rules are an administrator's); then it is said that it was not answered.
"""

from __future__ import annotations

from collections.abc import Hashable

from blastwall.model.credential import Credential
from blastwall.protocols.contract import Answered, Close, Opening, Output
from blastwall.protocols.tds.answer_reading import Reply, Rows
from blastwall.protocols.tds.audit_findings import QUESTIONS, findings
from blastwall.protocols.tds.catalog_queries import SECURE
from blastwall.protocols.tds.questioner import Questioner


class AuditFailed(Exception):
    """The server cannot be asked; the text says why."""


class TdsAuditor(Questioner):
    """Implements `Companion`, for one `AUDIT`."""

    def __init__(self, opening: Opening, credential: Credential, database: str) -> None:
        super().__init__(opening, credential, database, "blastwall check")
        self._answers: list[Rows | None] = []
        """The rows of each question, in the order of `QUESTIONS`; None for one that was refused."""
        self._prepared = 0
        self._number: int | None = None

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        self._number = number
        return self._finish() if len(self._answers) == len(QUESTIONS) else []

    def over(self, reply: Reply) -> list[Output]:
        results, error = reply
        if self._prepared == 0:
            self._prepared = 1
            return [self.ask(SECURE)]
        if self._prepared == 1:
            self._prepared = 2
        else:
            self._answers.append(None if error is not None or len(results) != 1 else results[0])
        if len(self._answers) < len(QUESTIONS):
            return [self.ask(QUESTIONS[len(self._answers)])]
        return self._finish()

    def _finish(self) -> list[Output]:
        if self._number is None:
            return []
        replies = dict(zip(QUESTIONS, self._answers, strict=True))
        return [Answered(self._number, findings(replies)), Close("asked")]

    def fail(self, reason: str, told: str = "") -> list[Output]:
        failed: list[Output] = [] if self._number is None else [Answered(self._number, AuditFailed(reason))]
        return [*failed, Close(reason)]
