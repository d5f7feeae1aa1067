"""What the gate asks of others for each statement, also for one that is only repeated.

These are classes and not typing Protocols, so that compiled twins call them as C; whoever implements them inherits.
Each call is a few additions and look-ups in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastwall.wire.native import Flag, Real, Whole

if TYPE_CHECKING:
    from blastwall.gate.ports import RecordingFailed
    from blastwall.protocols.contract import Answer

_UNSAID = "a class that inherits says this"


class Generation:
    """Counts the changes of policies, masking rules and open grants: an answer stands within one."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number: Whole = 0


class EachMeter:
    """Counts what happens to each statement at one resource; of itself it counts nothing."""

    def repeated(self, count: Whole) -> None:
        """So many statements were allowed by answers that stand."""

    def took(self, seconds: Real) -> None:
        """A statement's answer ended, with nothing hidden in it."""

    def received(self, from_client: Flag, count: Whole) -> None:
        """`count` bytes came from the client, or from the resource."""


class Cutoff:
    """What cuts somebody off, whatever policy says; this one is asked each time."""

    def edition(self) -> Whole:
        """A number that changes whenever something else is cut off; 0 where `against` must be asked each time.

        That is so too where nobody can know what is cut off: this looks, at each call, how old the knowledge is.
        """
        return 0


class Purse:
    """What one session spends."""

    def ask(self) -> str | None:
        """Count a statement; return why the agent may run none now, None where it may.

        A reason means that it may try again later: what was refused is not counted.
        """
        raise TypeError(_UNSAID)

    def spent(self) -> str | None:
        """The reason for which nothing is allowed any more, None where the budget lasts."""
        raise TypeError(_UNSAID)

    def spend(self, rows_read: Whole, rows_changed: Whole, masked_cells: Whole, bytes_out: Whole) -> str | None:
        """Count what was taken; return what the client hears where a budget is spent by that."""
        raise TypeError(_UNSAID)


class Awaiting:
    """Whoever repeats statements, as far as the record of them is concerned."""

    def recorded(self, failure: RecordingFailed | None) -> None:
        """What was repeated is in the record, as durable as configured, or cannot be."""
        raise TypeError(_UNSAID)

    def unrecorded(self, failure: RecordingFailed | None) -> None:
        """An answer's end, for which nobody waited, cannot be recorded; None where it can, which is not told."""
        raise TypeError(_UNSAID)


class Carrier:
    """Whoever carries out what the gate allows."""

    def send_granted(self) -> Flag:
        """Send what was repeated, which is recorded; False where the session must be told by `bring`."""
        raise TypeError(_UNSAID)

    def bring(self, number: Whole, answer: Answer) -> None:
        """Bring the session an answer, the ordinary way."""
        raise TypeError(_UNSAID)


class QuickRecord:
    """One session's recording, as far as it is written for nearly every statement of a busy session."""

    def part_now(self) -> Whole:
        """The part of the recording that is written now; what a part refers to must be in it."""
        raise TypeError(_UNSAID)

    def repeated(  # noqa: PLR0917 - one for each field
        self,
        at: Real,
        number: Whole,
        first: Whole,
        values: tuple[str | None, ...],
        text: str | None,
        awaiting: Awaiting | None,
    ) -> None:
        """Append a `StatementRepeated`; `Recorder.write_awaited` has it written, and `awaiting` is told.

        With none another follows at once, and who awaits that one is told for both.
        """
        raise TypeError(_UNSAID)

    def plain_end(  # noqa: PLR0917 - one for each field
        self,
        at: Real,
        number: Whole,
        rows: Whole,
        affected: Whole,
        size: Whole,
        seconds: Real,
        awaiting: Awaiting,
    ) -> None:
        """Append the `StatementFinished` of a plain answer, soon; `affected` is below 0 where there is none.

        Nobody waits for it, so `awaiting` is told only where that fails (`unrecorded`).
        """
        raise TypeError(_UNSAID)
