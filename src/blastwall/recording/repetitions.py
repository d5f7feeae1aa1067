"""Repeated statements, told whole: what a repetition refers to is put in its place.

A repetition (`StatementRepeated`) has its own values, and its own text where that differs; what it does and how it was
ruled is that of the first one, which stands before it in the same part of the recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from blastwall.model.events import Event, StatementAsked, StatementRepeated, StatementRuled


class Repetitions:
    """Tells one session's events in their order."""

    def __init__(self) -> None:
        self._asked: dict[int, StatementAsked] = {}
        self._ruled: dict[int, list[StatementRuled]] = {}

    def tell(self, event: Event) -> Iterable[Event]:
        """Return what an event says: itself, or what was asked and ruled; nothing where retention deleted that."""
        match event:
            case StatementRepeated():
                return self._repeated(event)
            case StatementAsked():
                self._asked[event.number] = event
            case StatementRuled():
                self._ruled.setdefault(event.number, []).append(event)
            case _:
                pass
        return (event,)

    def _repeated(self, event: StatementRepeated) -> Iterable[Event]:
        first = self._asked.get(event.first)
        if first is None:
            return ()
        at, number = event.at, event.number
        text = first.text if event.text is None else event.text
        asked = replace(first, at=at, number=number, text=text, parameters=event.parameters)
        return (asked, *(replace(ruled, at=at, number=number) for ruled in self._ruled.get(event.first, ())))


def whole(events: Iterable[Event]) -> Iterator[Event]:
    """Tell a session's events, each repetition whole."""
    repetitions = Repetitions()
    for event in events:
        yield from repetitions.tell(event)
