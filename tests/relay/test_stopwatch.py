"""How long a statement has been running."""

from __future__ import annotations

import pytest
from tests.gate.fakes import a_login, a_statement

from blastwall.model.statement import Stage
from blastwall.protocols.contract import Allow, Ask, Deny, Held
from blastwall.relay.stopwatch import Stopwatch


def running(*numbers: int) -> Stopwatch:
    watch = Stopwatch(10)
    for number in numbers:
        watch.ask(Ask(number, a_statement()))
        watch.answer(number, Allow(), 100)
    return watch


def test_only_what_runs_too_long_is_overdue_and_again_after_as_long() -> None:
    watch = running(1)
    assert [watch.overdue(now) for now in (110, 110.5, 111, 120.6, 121)] == [False, True, False, True, False]
    watch.end(1, 121)
    assert not watch.overdue(1000)


def test_pipelined_statements_run_one_after_the_other() -> None:
    watch = running(1, 2)
    watch.end(1, 109)
    assert not watch.overdue(118)
    assert watch.overdue(119.5)


def test_what_ends_or_is_refused_beside_a_statement_gives_it_no_more_time() -> None:
    watch = running(1, 2)
    watch.end(2, 109)
    watch.end(3, 109)
    assert watch.overdue(111)


@pytest.mark.parametrize("answer", [Held("wait"), Deny("no")])
def test_what_is_not_allowed_does_not_run(answer: Held | Deny) -> None:
    watch = Stopwatch(10)
    watch.ask(Ask(1, a_statement()))
    watch.answer(1, answer, 0)
    assert not watch.overdue(1000)


def test_a_held_statement_runs_from_its_approval() -> None:
    watch = Stopwatch(10)
    watch.ask(Ask(1, a_statement()))
    watch.answer(1, Held("wait"), 0)
    watch.answer(1, Allow(), 500)
    assert not watch.overdue(505)
    assert watch.overdue(511)


def test_logins_and_preparing_are_not_timed_nor_anything_without_a_limit() -> None:
    watch, free = Stopwatch(10), Stopwatch(None)
    watch.ask(Ask(1, a_login()))
    watch.ask(Ask(2, a_statement(stage=Stage.PREPARE)))
    free.ask(Ask(3, a_statement()))
    for number in (1, 2):
        watch.answer(number, Allow(), 0)
    free.answer(3, Allow(), 0)
    assert not watch.overdue(1000)
    assert not free.overdue(1000)
