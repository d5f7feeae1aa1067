"""How long statements have been running, for the limit on it."""

from __future__ import annotations

from blastwall.model.statement import Stage, Statement
from blastwall.protocols.contract import Allow, Answer, Ask, AskWhole, Repeat


class Stopwatch:
    """Times one session's statements. They run one after the other, so a pipelined one starts when the one before ends.

    `limit` is in seconds; without one nothing is timed.
    """

    __slots__ = ("_asked", "_limit", "_running", "_turn")

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._asked: set[int] = set()
        self._running: dict[int, float] = {}
        self._turn = 0.0

    @property
    def limited(self) -> bool:
        """Whether anything is timed."""
        return self._limit is not None

    def ask(self, ask: Ask) -> None:
        """A question was asked. What is repeated is over by its own end, at whatever stage it is."""
        if self._limit is None:
            return
        question = ask.question
        if isinstance(question, Repeat) or (isinstance(question, Statement) and question.stage is Stage.EXECUTE):
            self._asked.add(ask.number)

    def answer(self, number: int, answer: Answer, now: float) -> None:
        """It was answered; an allowed statement runs from now on."""
        if number in self._asked and isinstance(answer, Allow | AskWhole):
            self._asked.discard(number)
            if isinstance(answer, Allow):
                self._running[number] = now

    def end(self, number: int, now: float) -> None:
        """The statement is over, or was never allowed. It gives way to the next only if it was its turn."""
        if self._limit is None:
            return
        self._asked.discard(number)
        if number == next(iter(self._running), None):
            self._turn = now
        self._running.pop(number, None)

    def overdue(self, now: float) -> bool:
        """Whether the statement under way has run longer than it may; again so only after as long a time."""
        if self._limit is None or not self._running:
            return False
        started = next(iter(self._running.values()))
        if now - max(started, self._turn) <= self._limit:
            return False
        self._turn = now
        return True
