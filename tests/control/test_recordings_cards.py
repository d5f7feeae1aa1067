"""Events folded into statements."""

from __future__ import annotations

from blastwall.control.recordings_cards import fold
from blastwall.model.events import Event, HoldEnded, HoldStarted, StatementAsked, StatementRefused, StatementRuled
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage
from blastwall.recording.reader import Recorded


def test_interleaved_statements_become_one_card_each() -> None:
    events: list[Event] = [
        StatementAsked(1.0, 1, Stage.EXECUTE, "delete from a", (), (), "DELETE", ""),
        StatementAsked(2.0, 2, Stage.EXECUTE, "select 1", (), (), "SELECT", ""),
        StatementRuled(3.0, 1, Ruling(Decision.HOLD)),
        HoldStarted(3.0, 1, 9.0, ("dba:1",)),
        StatementRuled(4.0, 2, Ruling(Decision.DENY)),
        StatementRefused(4.0, 2, "no"),
        HoldEnded(5.0, 1, "approved", ("ana",)),
        StatementRuled(5.0, 1, Ruling(Decision.ALLOW)),
    ]
    records = [Recorded(number, event) for number, event in enumerate(events)]
    folded = fold([*records, Recorded(8, None, "it is damaged")])
    one, two = folded.cards[1], folded.cards[2]
    assert [each.ruling.decision for each in one.rulings] == [Decision.HOLD, Decision.ALLOW]
    assert one.held is not None
    assert one.released is not None
    assert one.refused is None
    assert two.refused is not None
    assert folded.problems == ["record 8: it is damaged"]
