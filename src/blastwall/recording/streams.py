"""A session's place in the log, and what of it is counted but not yet in its portion of the segment."""

from __future__ import annotations

from blastwall.wire.native import Flag, Octets, Real, Whole


class Stream:
    """A session's place in the log: the number and previous hash of its next record, the segments it is in.

    What is `quick` in the batch that waits is counted here until it is written, and then `kept` here until somebody
    needs the segment's portion, or an event of another kind is counted.
    """

    def __init__(self, ordinal: int, session: str, head: bytes) -> None:
        self.ordinal: Whole = ordinal
        self.session = session
        self.number: Whole = 0
        self.head: Octets = head
        self.segments: set[int] = set()
        self.begun: Flag = False
        self.written: Whole = 0
        self.written_head: Octets = head
        self.clear()
        self.forget()

    def begin(self) -> None:
        """A batch has records of this session: where it stood before."""
        self.begun = True
        self.written, self.written_head = self.number, self.head

    def take_back(self) -> None:
        """Nothing of the batch was written."""
        self.begun = False
        self.number, self.head = self.written, self.written_head
        self.clear()

    def clear(self) -> None:
        """Nothing quick waits."""
        self.quick: Flag = False
        self.first: Whole = 0
        self.began: Real = 0.0
        self.ended: Real = 0.0
        self.statements: Whole = 0
        self.rows: Whole = 0
        self.sent: Whole = 0

    def forget(self) -> None:
        """Nothing is kept that is not in a portion."""
        self.kept: Flag = False
        self.kept_first: Whole = 0
        self.kept_last: Whole = -1
        self.kept_head: Octets = b""
        self.kept_began: Real = 0.0
        self.kept_ended: Real = 0.0
        self.kept_statements: Whole = 0
        self.kept_rows: Whole = 0
        self.kept_sent: Whole = 0

    def add_quick(self) -> None:
        """What is quick was written, from the record `first` on."""
        if not self.kept:
            self.kept, self.kept_first, self.kept_began = True, self.first, self.began
        self.kept_last, self.kept_head = self.number - 1, self.head
        self.kept_ended = self.ended
        self.kept_statements += self.statements
        self.kept_rows += self.rows
        self.kept_sent += self.sent
        self.clear()
