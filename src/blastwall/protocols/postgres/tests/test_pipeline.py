"""What is asked of everything that the server owes is right, and does not get dearer with how much that is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NoReturn

from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.postgres.pipeline import Entry, Owed, Pipeline, Portal, Prepared, Running
from blastwall.sql.postgres import Catalog, Classified, NameState, classify

NOTHING = Catalog("", 0, (), (), ())
TEXTS = {
    text: classify(text, NOTHING, NameState(((),), ""))[0]
    for text in ("SELECT 1", "BEGIN", "COPY t FROM STDIN", "COPY t TO STDOUT")
}
KINDS = st.sampled_from([Owed.QUERY, Owed.PARSE, Owed.BIND, Owed.DESCRIBE, Owed.EXECUTE, Owed.CLOSE, Owed.SYNC])
STEPS = st.lists(st.tuples(KINDS, st.sampled_from(sorted(TEXTS)), st.booleans()) | st.sampled_from(["pop", "drop"]))


def running(classified: Classified, *, done: bool = False) -> Running:
    one = Running(1, classified)
    one.done = done
    return one


def entry_of(pipeline: Pipeline, owed: Owed, classified: Classified, *, done: bool) -> Entry:
    statements = [running(classified, done=done)] if owed in (Owed.QUERY, Owed.PARSE, Owed.BIND, Owed.EXECUTE) else []
    portal = Portal("", Prepared("", "", classified), running(classified)) if owed is Owed.BIND else None
    return Entry(owed, pipeline.segment, running=statements, portal=portal)


def copies_in(one: Running) -> bool:
    return one.classified.copy is not None and one.classified.copy.direction == "in" and not one.done


@given(STEPS)
def test_what_is_counted_is_what_is_there(steps: list[tuple[Owed, str, bool] | str]) -> None:
    pipeline = Pipeline()
    portals: list[Portal] = []
    for step in steps:
        if step == "drop":
            pipeline.drop_to_sync()
        elif isinstance(step, str):
            if len(pipeline):
                pipeline.pop()
        else:
            entry = entry_of(pipeline, step[0], TEXTS[step[1]], done=step[2])
            portals += [entry.portal] if entry.portal else []
            pipeline.push(entry)
        there = list(pipeline)
        statements = [(entry, one) for entry in there for one in entry.running]
        assert pipeline.begins == any(one.classified.transaction == "begin" for _, one in statements)
        assert pipeline.copies_in == any(
            entry.owed in (Owed.QUERY, Owed.EXECUTE) and copies_in(one) for entry, one in statements
        )
        assert pipeline.unsettled() == any(
            entry.segment < pipeline.segment and entry.owed is not Owed.SYNC for entry in there
        )
        assert [pipeline.owes(one) for one in portals] == [any(e.portal is one for e in there) for one in portals]


class Unwalked(deque[Entry]):
    """Entries that nobody may go through from the oldest on, but for the first one."""

    def __iter__(self) -> Iterator[Entry]:
        yield self[0]
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise AssertionError("all that is owed was gone through")


def test_a_long_pipeline_is_not_gone_through_for_each_message() -> None:
    pipeline = Pipeline()
    for _ in range(2):
        entry = entry_of(pipeline, Owed.BIND, TEXTS["SELECT 1"], done=False)
        pipeline.push(entry)
    pipeline._entries = Unwalked(pipeline._entries)
    assert not pipeline.begins
    assert not pipeline.copies_in
    assert not pipeline.copy_is_open
    assert not pipeline.unsettled()
    assert entry.portal is not None
    assert pipeline.owes(entry.portal)
