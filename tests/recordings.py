"""What a running gateway has recorded: how a statement ended is written after its client has the answer.

`settled` is for whoever looks back at what clients were answered, `so_far` for whoever looks on while statements run.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.waiting import eventually

from blastwall.model.events import (
    Event,
    HoldEnded,
    SessionClosed,
    StatementAsked,
    StatementFinished,
    StatementRefused,
    StatementRuled,
    StatementWithdrawn,
)
from blastwall.model.ruling import Decision
from blastwall.recording.reader import Reader
from blastwall.recording.repetitions import whole
from blastwall.recording.summary import Summary
from blastwall.testing.gateway import Gateway

Told = list[tuple[Summary, list[Event]]]
"""Sessions, the newest first, with their events; repeated statements are told whole."""


def so_far(gateway: Gateway) -> Told:
    """Return everything that is recorded now; what was answered a moment ago may still lack its end."""
    reader = _reader(gateway)
    return [(summary, _events(reader, summary)) for summary in reader.sessions()]


def settled(gateway: Gateway) -> Told:
    """Return everything that is recorded, once all that was let through has its end there.

    Of a statement that is held, no end is expected, nor of any in a session that is over.
    """
    _settle(gateway)
    return so_far(gateway)


def words(gateway: Gateway) -> str:
    """Return every record as text, to search for what must not be there, once it is `settled`."""
    _settle(gateway)
    return words_so_far(gateway)


def words_so_far(gateway: Gateway) -> str:
    """Return every record that is there now as text."""
    reader = _reader(gateway)
    return "\n".join(repr(record) for summary in reader.sessions() for record in reader.replay(summary))


def _reader(gateway: Gateway) -> Reader:
    return Reader(gateway.folder / "state" / "recordings")


def _events(reader: Reader, summary: Summary) -> list[Event]:
    return list(whole(one.event for one in reader.replay(summary) if one.event is not None))


def _settle(gateway: Gateway) -> None:
    try:
        eventually(lambda: not _unfinished(gateway), "all that was let through has its end in the recordings")
    except AssertionError as late:
        late.add_note(f"without one are {_unfinished(gateway)}")
        raise


def _unfinished(gateway: Gateway) -> list[StatementAsked]:
    reader = _reader(gateway)
    open_ones = (summary for summary in reader.sessions() if summary.open)
    return [each for summary in open_ones for each in _running(_events(reader, summary))]


def _running(events: Iterable[Event]) -> Iterable[StatementAsked]:
    """Return what an open session was allowed and has no end."""
    asked: dict[int, StatementAsked] = {}
    running: dict[int, StatementAsked] = {}
    for event in events:
        match event:
            case StatementAsked():
                asked[event.number] = event
            case StatementRuled() if event.ruling.decision is Decision.ALLOW:
                running[event.number] = asked[event.number]
            case HoldEnded(outcome="approved"):
                running[event.number] = asked[event.number]
            case StatementFinished() | StatementRefused() | StatementWithdrawn():
                running.pop(event.number, None)
            case SessionClosed():
                running.clear()
            case _:
                pass
    return running.values()
