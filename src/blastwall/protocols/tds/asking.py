"""What waits for the gate's answer: the statements of one request, which are sent together or not at all.

Ask ──▶ Allow of each        nothing has changed meanwhile ──▶ sent
Ask ──▶ Held                 the client hears so at once; its answer has begun
Ask ──▶ Deny of one          the request is refused, in the answer that may have begun
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from blastwall.model.ruling import Obligations
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    CLIENT,
    Allow,
    Answer,
    Ask,
    AskWhole,
    Deny,
    Held,
    Output,
    Refused,
    Send,
    Withdraw,
)
from blastwall.protocols.tds.denial import (
    BUSY,
    LIMIT,
    PERMISSION,
    UNSUPPORTED,
    Denial,
    begun,
    notice,
)
from blastwall.protocols.tds.elsewhere import Postponed
from blastwall.protocols.tds.repeating import StandingAnswers
from blastwall.protocols.tds.running import Asked
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.statement import Classified

if TYPE_CHECKING:
    from blastwall.protocols.tds.conversation import Conversation

_STALE = "policy changed while another call of the same request waited for approval; send it again"
_REDEFINED = "what it touches was defined anew while it waited for approval; send it again to have it approved anew"


class Question(NamedTuple):
    """One statement to be asked for. `again` reads it anew, to see whether it means the same once it is released."""

    statement: Statement
    classified: Classified
    again: Callable[[], Classified] | None = None


class Waiting:
    """Statements that were asked together and are sent together, by `release`, or not at all.

    `verdict` is set where they are refused whatever policy says. `stale` is set where policy has changed since some of
    them were allowed. `held` says that a person decides on one; `said` that the client was told, so that its answer has
    begun. `calls` is how many calls an RPC holds, 0 for other requests.
    """

    __slots__ = ("again", "allowed", "asks", "calls", "catalog", "held", "release", "said", "stale", "verdict")

    def __init__(
        self, asks: tuple[Asked, ...], release: Callable[[list[Output]], None], calls: int, verdict: Denial | None
    ) -> None:
        self.asks = asks
        self.release = release
        self.calls = calls
        self.verdict = verdict
        self.again: tuple[Callable[[], Classified] | None, ...] = ()
        self.catalog: ref[Catalog] | None = None
        self.allowed: set[int] = set()
        self.held = self.said = self.stale = False


class Asking:
    """The request of a session that waits for the gate, if any."""

    def __init__(self, conversation: Conversation) -> None:
        self._shared = conversation
        self.waiting: Waiting | None = None
        self._standing = StandingAnswers()

    def reconsider(self) -> None:
        """Policy has changed: what is allowed already must not be sent because of it."""
        if self.waiting is not None and self.waiting.allowed:
            self.waiting.stale = True

    def ask(
        self,
        outputs: list[Output],
        questions: Sequence[Question],
        release: Callable[[tuple[Asked, ...], list[Output]], None],
        *,
        calls: int = 0,
        verdict: Denial | None = None,
    ) -> None:
        """Raise the asks; `release` is called with what is sent once all are allowed."""
        asks = tuple(Asked(self._shared.next_number(), one.statement, one.classified) for one in questions)
        forbidden = next((one.classified.changes.forbidden for one in asks if one.classified.changes.forbidden), "")
        if forbidden and verdict is None:
            verdict = Denial(UNSUPPORTED, forbidden)
        waiting = self.waiting = Waiting(asks, lambda out: release(asks, out), calls, verdict)
        waiting.again, waiting.catalog = tuple(one.again for one in questions), ref(self._shared.catalog)
        for one, question in zip(asks, questions, strict=True):
            one.again, one.catalog = question.again, waiting.catalog
        single = len(asks) == 1 and verdict is None
        outputs += [Ask(one.number, self._standing.question(one) if single else one.statement) for one in asks]

    def answer(self, number: int, answer: Answer) -> list[Output]:
        """Take one answer; numbers that nobody waits for any more are ignored."""
        waiting = self.waiting
        one = next((one for one in waiting.asks if one.number == number), None) if waiting else None
        if waiting is None or one is None:
            return []
        outputs: list[Output] = []
        verdict = waiting.verdict
        if isinstance(answer, Held) and verdict is None:
            self._held(waiting, answer, outputs)
        elif isinstance(answer, Allow):
            self._allowed(waiting, one, answer, outputs)
        elif isinstance(answer, Deny):
            number_ = BUSY if answer.retry else PERMISSION
            self._refused(waiting, one, Denial(verdict.number if verdict else number_, answer.reason), outputs)
        elif isinstance(answer, AskWhole):
            one.number = self._shared.next_number()
            outputs.append(Ask(one.number, one.statement))
        else:
            outputs.append(Withdraw(number))
            self._refused(waiting, one, verdict or Denial(PERMISSION, "it was not allowed"), outputs)
        return outputs

    def withdraw(self, denial: Denial | None) -> list[Output]:
        """Give up what waits for an answer, and refuse it; None where the client itself has cancelled it."""
        waiting = self.waiting
        if waiting is None:
            return []
        outputs = self.withdrawn()
        if denial is None:
            self._shared.say_cancelled(outputs)
        else:
            self._shared.refuse(waiting.asks[0].number, denial, waiting.calls, outputs)
        return outputs

    def withdrawn(self) -> list[Output]:
        """Give up what waits for an answer, without a word to the client."""
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            return []
        return [
            Refused(one.number, "not sent") if one.number in waiting.allowed else Withdraw(one.number)
            for one in waiting.asks
        ]

    def _held(self, waiting: Waiting, held: Held, outputs: list[Output]) -> None:
        """Tell the client, which reads a packet as soon as it is there, whether or not it ends the answer."""
        waiting.held = waiting.said = True
        said = notice(f"blastwall: {held.notice}", self._shared.server)
        outputs.append(Send(CLIENT, begun(said, self._shared.packet_size)))

    def _allowed(self, waiting: Waiting, one: Asked, answer: Allow, outputs: list[Output]) -> None:
        waiting.allowed.add(one.number)
        one.rules, one.record, one.standing = answer.mask, answer.record, answer.standing
        if answer.standing is not None:
            self._standing.keep(one, answer.standing)
        if waiting.verdict is not None:
            self._refused(waiting, one, waiting.verdict, outputs)
            return
        reason = self._shared.responses.refusal(one) if self._shared.responses is not None else None
        if reason is not None:
            told = Denial(PERMISSION, f"masking refuses this statement: {reason}")
            self._refused(waiting, one, told, outputs)
            return
        unlimitable = self._oblige(one, answer.obligations)
        if unlimitable is not None:
            self._refused(waiting, one, Denial(LIMIT, unlimitable), outputs)
        elif len(waiting.allowed) < len(waiting.asks):
            return
        elif waiting.stale:
            self._refused(waiting, one, Denial(PERMISSION, _STALE), outputs)
        elif waiting.held and self._means_otherwise(waiting):
            self._refused(waiting, one, Denial(PERMISSION, _REDEFINED), outputs)
        else:
            self.waiting = None
            waiting.release(outputs)

    def _oblige(self, one: Asked, obligations: Obligations) -> str | None:
        return self._shared.limits.oblige(one, obligations) if obligations.limited else None

    def _means_otherwise(self, waiting: Waiting) -> bool:
        """Whether what people approved does something else by now: the catalog was read anew while they thought."""
        if waiting.catalog is not None and waiting.catalog() is self._shared.catalog:
            return False
        pairs = zip(waiting.asks, waiting.again, strict=True)
        try:
            return any(again is None or not again().means_like(one.classified) for one, again in pairs)
        except Postponed:
            self._shared.texts.withdrawn()
            return True

    def _refused(self, waiting: Waiting, one: Asked, denial: Denial, outputs: list[Output]) -> None:
        self.waiting = None
        for other in waiting.asks:
            if other.number in waiting.allowed:
                told = denial.text if other is one else "not sent: another call of the same request was refused"
                outputs.append(Refused(other.number, told))
            elif other is not one:
                outputs.append(Withdraw(other.number))
        whole = "" if len(waiting.asks) == 1 else " (nothing of the request was run)"
        said = Denial(denial.number, f"blastwall: {denial.text}{whole}", denial.severity)
        self._shared.refuse(one.number, said, waiting.calls, outputs)
