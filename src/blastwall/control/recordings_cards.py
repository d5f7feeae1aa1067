"""A session's events folded into one card a statement: what was asked, what was ruled, what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from blastwall.model.events import (
    Event,
    HoldEnded,
    HoldStarted,
    LoginAdmitted,
    LoginRefused,
    StatementAsked,
    StatementFinished,
    StatementInjected,
    StatementLimited,
    StatementRefused,
    StatementRepeated,
    StatementRows,
    StatementRuled,
    StatementWithdrawn,
)
from blastwall.recording.reader import Recorded
from blastwall.recording.repetitions import Repetitions


@dataclass(slots=True)
class Card:
    """One statement; a part is None where it did not happen (or is not recorded yet)."""

    number: int
    asked: StatementAsked | None = None
    rulings: list[StatementRuled] = field(default_factory=list)
    held: HoldStarted | None = None
    released: HoldEnded | None = None
    refused: StatementRefused | None = None
    injected: list[StatementInjected] = field(default_factory=list)
    limited: StatementLimited | None = None
    rows: list[StatementRows] = field(default_factory=list)
    finished: StatementFinished | None = None
    withdrawn: bool = False


@dataclass(slots=True)
class Folded:
    """A whole session: its login, its statements by number, and what could not be read.

    `own` are statements of the gateway's that belong to none of the client's: a warm connection's.
    """

    admitted: LoginAdmitted | None = None
    refused: LoginRefused | None = None
    cards: dict[int, Card] = field(default_factory=dict)
    own: list[StatementInjected] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def fold(records: Iterable[Recorded]) -> Folded:
    """Fold a session's records."""
    folded, repetitions = Folded(), Repetitions()
    for record in records:
        if record.event is None:
            folded.problems.append(f"record {record.number}: {record.problem}")
        elif isinstance(record.event, LoginAdmitted):
            folded.admitted = record.event
        elif isinstance(record.event, LoginRefused):
            folded.refused = record.event
        elif isinstance(record.event, StatementRepeated):
            _card(folded.cards, record.event.number)
            for event in repetitions.tell(record.event):
                _put(folded.cards, event)
        elif isinstance(record.event, StatementInjected) and record.event.number not in folded.cards:
            folded.own.append(record.event)
        else:
            repetitions.tell(record.event)
            _put(folded.cards, record.event)
    return folded


def _put(cards: dict[int, Card], event: Event) -> None:
    match event:
        case StatementAsked():
            _card(cards, event.number).asked = event
        case StatementRuled():
            _card(cards, event.number).rulings.append(event)
        case HoldStarted():
            _card(cards, event.number).held = event
        case HoldEnded():
            _card(cards, event.number).released = event
        case StatementRefused():
            _card(cards, event.number).refused = event
        case StatementInjected():
            _card(cards, event.number).injected.append(event)
        case StatementLimited():
            _card(cards, event.number).limited = event
        case StatementRows() | StatementFinished():
            _put_answer(_card(cards, event.number), event)
        case StatementWithdrawn():
            _card(cards, event.number).withdrawn = True
        case _:
            pass


def _put_answer(card: Card, event: StatementRows | StatementFinished) -> None:
    if isinstance(event, StatementRows):
        card.rows.append(event)
    else:
        card.finished = event


def _card(cards: dict[int, Card], number: int) -> Card:
    return cards.setdefault(number, Card(number))
