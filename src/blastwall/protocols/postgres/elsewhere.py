"""A text that is too long, or too much work, to be read on the data loop: it is read in a process of its own.

At most one text of a session is. The message that it came in waits, and so does what the client sent after it; when
the answer is there the message is handled from its beginning. An answer counts only while names mean what they meant
when the text was sent there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from blastwall.protocols.contract import Isolate, Output, Withdraw
from blastwall.protocols.postgres.catalog import Snapshot
from blastwall.sql.postgres import Classified, NameState, UnreadableReply, decode, goes_by_names, reading, unread


class Postponed(Exception):
    """A message cannot be handled before `order` is answered."""

    def __init__(self, order: Isolate) -> None:
        super().__init__("a text is read elsewhere")
        self.order = order


@dataclass(slots=True, eq=False)
class _Question:
    text: str
    snapshot: Snapshot
    state: NameState
    facts: Hashable
    found: tuple[Classified, ...] = ()


class Elsewhere:
    """The text of a session that is read elsewhere, and what was found."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self.waiting: int | None = None
        self._numbers = numbers
        self._question: _Question | None = None

    def order(self, text: str, snapshot: Snapshot, state: NameState, facts: Hashable) -> Isolate:
        """Send a text away."""
        self.waiting = next(self._numbers)
        self._question = _Question(text, snapshot, state, facts)
        return Isolate(self.waiting, reading(text, state), snapshot.catalog)

    def answered(self, reply: object) -> None:
        """Take the reply; what could not be read is unclassified, with the reason."""
        question, self.waiting = self._question, None
        if question is None:
            return
        problem: object = reply
        if isinstance(reply, bytes):
            try:
                question.found, looked = decode(reply)
            except UnreadableReply as unreadable:
                problem = unreadable
            else:
                question.snapshot.texts.learn(question.text, question.facts, question.found, looked)
                return
        reason = f"it could not be read: {problem}"
        question.found = (unread(question.text, question.snapshot.catalog, reason),)

    def found(self, text: str, snapshot: Snapshot, state: NameState, facts: Hashable) -> tuple[Classified, ...] | None:
        """Return what was found of this text under these names, if that was asked."""
        question = self._question
        if question is None or question.text != text or question.snapshot is not snapshot or question.facts != facts:
            return None
        asked = question.state
        if asked is not state and any(goes_by_names(one) for one in question.found):
            return question.found if (asked.prepared, asked.cursors) == (state.prepared, state.cursors) else None
        return question.found

    def withdrawn(self) -> list[Output]:
        """Give it up."""
        number, self.waiting, self._question = self.waiting, None, None
        return [Withdraw(number)] if number is not None else []

    def forget(self) -> None:
        """The message was handled."""
        self._question = None
