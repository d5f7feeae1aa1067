"""What happens to a statement: ruled, recorded, answered, in that order and never otherwise."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import pytest
from tests.gate.fakes import ALLOW, SOURCE, FakeCarrier, World, a_resource, a_statement, settle

from blastwall.gate import Gate
from blastwall.gate.ports import RecordingFailed
from blastwall.model.events import (
    StatementAsked,
    StatementFinished,
    StatementRefused,
    StatementRuled,
    StatementWithdrawn,
)
from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.model.ruling import Decision, Obligations
from blastwall.model.statement import Stage
from blastwall.protocols.again import Again
from blastwall.protocols.contract import (
    Allow,
    Ask,
    AskWhole,
    Deny,
    Finished,
    Injected,
    Refused,
    Repeat,
    Streamed,
    Withdraw,
)


async def test_an_allowed_statement_is_answered_at_once_and_recorded_before() -> None:
    world = World()
    talk = await world.logged_in()
    seen: list[list[str]] = []
    talk.gate.ask(
        ask := _ask(2, "select 1"),
        lambda number, answer: seen.append([str(number), type(answer).__name__, *talk.kinds()[3:]]),
    )
    assert seen == [[str(ask.number), "Allow", "StatementAsked", "StatementRuled"]]


async def test_the_masks_and_limits_in_force_come_with_the_answer() -> None:
    world = World()
    world.masking.masks = MaskRules((ColumnRule("m1", "public.customers.email", MaskStyle.REDACT),))
    limited = Obligations(limit_rows=5)
    world.policy.rulings["select"] = replace(ALLOW, obligations=limited)
    talk = await world.logged_in()
    assert talk.ask(2, a_statement("select 1")) == [Allow(world.masking.masks, limited)]


async def test_a_denied_statement_is_told_its_reason() -> None:
    talk = await World().logged_in()
    assert talk.ask(2, a_statement("delete orders")) == [Deny("no deletes here")]
    assert talk.kinds()[3:] == ["StatementAsked", "StatementRuled", "StatementRefused"]
    refused = talk.record.events[-1]
    assert isinstance(refused, StatementRefused)
    assert refused.told == "no deletes here"


async def test_only_the_redacted_text_is_recorded() -> None:
    talk = await World().logged_in()
    talk.ask(2, a_statement("alter role x password 'hunter2'"))
    assert "hunter2" not in repr(talk.record.events)
    assert any(isinstance(event, StatementAsked) and "***" in event.text for event in talk.record.events)


async def test_no_answer_before_the_ruling_is_durable() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.slow = True
    assert talk.ask(2, a_statement("select 1")) == []
    world.recorder.settle()
    assert talk.of(2) == [Allow()]


async def test_what_cannot_be_recorded_is_denied() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.failing = True
    for number in (2, 3):
        (answer,) = talk.ask(number, a_statement("select 1"))
        assert isinstance(answer, Deny)
        assert "cannot be recorded" in answer.reason
    assert world.meter.counts["recording failed"] == 1


async def test_a_record_that_fails_later_denies_too() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.slow = True
    talk.ask(2, a_statement("select 1"))
    world.recorder.pending.clear()
    world.recorder.late_failures = True
    talk.ask(3, a_statement("select 1"))
    assert talk.of(3) == []
    world.recorder.settle()
    assert isinstance(talk.of(3)[0], Deny)
    world.recorder.late_failures = world.recorder.slow = False
    (answer,) = talk.ask(4, a_statement("select 1"))
    assert isinstance(answer, Deny), "after a failure nothing is written any more"


@pytest.mark.parametrize("error", [RecordingFailed("the disk is full"), ValueError("cannot encode hunter2")])
async def test_a_recorder_that_raises_denies(error: Exception) -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.error = error
    (answer,) = talk.ask(2, a_statement("select 1"))
    assert isinstance(answer, Deny)
    assert "cannot be recorded" in answer.reason
    talk.gate.finished(Finished(2, 0, None, 0))
    talk.gate.closed("the client left")
    assert world.gate.sessions == 0


async def test_a_fault_while_judging_denies() -> None:
    world = World()
    talk = await world.logged_in()
    world.masking.error = RuntimeError("re2 failed on hunter2")
    (answer,) = talk.ask(2, a_statement("select 1"))
    assert isinstance(answer, Deny)
    assert "hunter2" not in answer.reason
    assert world.policy.asked == []


async def test_containment_denies_the_next_statement_whatever_policy_says() -> None:
    world = World()
    talk = await world.logged_in()
    world.containment.reason = "agent shop-ci is contained"
    assert talk.ask(2, a_statement("select 1")) == [Deny("agent shop-ci is contained")]
    ruled = talk.record.events[4]
    assert isinstance(ruled, StatementRuled)
    assert ruled.ruling.decision is Decision.DENY


@pytest.mark.parametrize("cut", [None, "agent shop-ci is contained"])
async def test_a_statement_waits_until_it_can_be_known_who_is_contained(cut: str | None) -> None:
    world = World()
    talk = await world.logged_in()
    world.containment.seen = asyncio.Event()
    for number in (2, 3):
        assert talk.ask(number, a_statement("select 1")) == []
    talk.gate.withdraw(Withdraw(3))
    await settle()
    assert talk.of(2) == []
    world.containment.reason = cut
    world.containment.seen.set()
    await settle()
    assert talk.of(2) == ([Allow()] if cut is None else [Deny(cut)])
    assert talk.of(3) == []
    assert talk.kinds().count("StatementWithdrawn") == 1


async def test_what_is_repeated_is_asked_as_a_whole_from_the_moment_of_a_containment_or_a_spent_budget_on() -> None:
    world = World()
    talk = await world.logged_in()
    (answer,) = talk.ask(2, a_statement("select 1"))
    assert isinstance(answer, Allow)
    standing = answer.standing
    assert standing is not None
    talk.gate.carry_again(FakeCarrier())
    numbers = count(3)

    def goes_again() -> bool:
        recorded = talk.kinds().count("StatementRepeated")
        went = bool(talk.gate.again(Again(next(numbers), standing)))
        assert talk.kinds().count("StatementRepeated") == recorded + went
        assert talk.ask(next(numbers), Repeat(standing)) == [answer if went else AskWhole()]
        return went

    assert goes_again()
    world.containment.reason = "agent shop-ci is contained"
    assert not goes_again()
    world.containment.reason = None
    assert goes_again()
    world.budgets.over = "budget reads: all is spent"
    assert not goes_again()
    world.budgets.over = None
    world.containment.seen = asyncio.Event()
    assert not goes_again(), "nobody can know who is contained"


async def test_what_is_repeated_is_withdrawn_ended_and_timed_as_any_other() -> None:
    world = World()
    talk = await world.logged_in()
    (answer,) = talk.ask(2, a_statement("select 1"))
    assert isinstance(answer, Allow)
    assert answer.standing is not None
    went: list[int] = []

    def go() -> bool:
        went.append(1)
        return True

    carrier = FakeCarrier(go)
    talk.gate.carry_again(carrier)
    for number in (3, 4):
        assert talk.gate.again(Again(number, answer.standing))
        world.now += 1.5
    for number in (4, 3):
        talk.gate.answered(Again(number, answer.standing))
        ended = talk.record.events[-1]
        assert isinstance(ended, StatementFinished)
        assert (ended.number, ended.seconds) == (number, {4: 1.5, 3: 3.0}[number]), "each from its own ask on"
    assert talk.gate.again(Again(5, answer.standing))
    talk.gate.withdraw(Withdraw(5))
    talk.gate.withdraw(Withdraw(5))
    world.recorder.slow = True
    assert talk.gate.again(Again(6, answer.standing))
    talk.gate.withdraw(Withdraw(6))
    world.recorder.settle()
    assert talk.gate.again(Again(7, answer.standing))
    talk.gate.closed("the client left")
    world.recorder.settle()
    withdrawn = [event.number for event in talk.record.events if isinstance(event, StatementWithdrawn)]
    assert (withdrawn, len(went), carrier.brought) == ([5, 6, 7], 3, []), (
        "withdrawn once each, and neither sent nor answered"
    )


async def test_a_withdrawn_statement_is_never_answered() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.slow = True
    talk.ask(2, a_statement("select 1"))
    talk.gate.withdraw(Withdraw(2))
    world.recorder.settle()
    assert talk.of(2) == []
    assert talk.kinds()[-1] == "StatementWithdrawn"


async def test_withdrawing_what_nobody_asked_records_nothing() -> None:
    talk = await World().logged_in()
    before = talk.kinds()
    talk.gate.withdraw(Withdraw(99))
    assert talk.kinds() == before


async def test_preparing_what_would_be_held_is_allowed_and_says_so() -> None:
    world = World()
    talk = await world.logged_in()
    (answer,) = talk.ask(2, a_statement("hold orders", stage=Stage.PREPARE))
    assert isinstance(answer, Allow)
    assert world.approvals.holds == []
    ruled = talk.record.events[-1]
    assert isinstance(ruled, StatementRuled)
    assert (ruled.ruling.decision, "execution waits" in ruled.ruling.reason) == (Decision.ALLOW, True)


async def test_preparing_what_is_denied_is_denied() -> None:
    talk = await World().logged_in()
    assert talk.ask(2, a_statement("delete orders", stage=Stage.PREPARE)) == [Deny("no deletes here")]


async def test_durations_count_from_the_ask() -> None:
    world = World()
    talk = await world.logged_in()
    talk.ask(2, a_statement("select 1"))
    world.now += 2.5
    talk.gate.finished(Finished(2, 10, None, 100, None, {"m1": 3}))
    finished = talk.record.events[-1]
    assert isinstance(finished, StatementFinished)
    assert (finished.seconds, finished.rows, finished.masked) == (2.5, 10, {"m1": 3})


async def test_a_clock_that_was_set_back_gives_no_negative_duration() -> None:
    world = World()
    talk = await world.logged_in()
    talk.ask(2, a_statement("select 1"))
    world.now -= 100
    talk.gate.finished(Finished(2, 0, None, 0))
    finished = talk.record.events[-1]
    assert isinstance(finished, StatementFinished)
    assert finished.seconds == 0


async def test_a_session_whose_end_of_statement_cannot_be_recorded_is_ended() -> None:
    world = World()
    talk = await world.logged_in()
    talk.ask(2, a_statement("select 1"))
    world.recorder.failing = True
    talk.gate.finished(Finished(2, 1, None, 1))
    assert len(talk.ended) == 1
    assert "cannot be recorded" in talk.ended[0]


async def test_a_statement_of_the_gateways_own_that_cannot_be_recorded_ends_the_session() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.failing = True
    talk.gate.injected(Injected(2, "rollback", "a refusal"))
    assert len(talk.ended) == 1


async def test_refusals_and_injections_of_the_session_are_recorded() -> None:
    talk = await World().logged_in()
    talk.ask(2, a_statement("select 1"))
    talk.gate.injected(Injected(2, "select 1/0", "a refusal"))
    talk.gate.refused(Refused(2, "a masked column cannot be traced"))
    assert talk.kinds()[-2:] == ["StatementInjected", "StatementRefused"]


async def test_statements_that_never_finish_are_not_remembered_for_ever() -> None:
    world = World()
    talk = await world.logged_in()
    for number in range(2, 5002):
        talk.ask(number, a_statement("select 1", stage=Stage.PREPARE))
    assert talk.gate._statements is not None
    assert len(talk.gate._statements._running) == 4096
    assert len(talk.gate._statements._waiting) == 0


async def test_after_the_end_nothing_is_answered_or_recorded() -> None:
    world = World()
    talk = await world.logged_in()
    talk.gate.closed("the client left")
    recorded = talk.kinds()
    assert talk.ask(2, a_statement("select 1")) == []
    talk.gate.finished(Finished(2, 0, None, 0))
    talk.gate.injected(Injected(2, "x", "y"))
    talk.gate.closed("again")
    assert talk.kinds() == recorded
    assert recorded[-1] == "SessionClosed"
    assert talk.record.closed == 1
    assert world.meter.counts["open"] == 0


async def test_policy_changes_reach_every_session_though_one_fails() -> None:
    world = World()

    def fail() -> None:
        raise RuntimeError

    world.gate.open("s0", a_resource(), SOURCE, lambda _: None, fail)
    talk = await world.logged_in()
    world.gate.policy_changed()
    assert talk.reconsidered == 1


def _ask(number: int, text: str) -> Ask:
    return Ask(number, a_statement(text))


@pytest.mark.parametrize("key", [b"", b"short"])
def test_a_short_binding_key_is_refused(key: bytes) -> None:
    world = World()
    with pytest.raises(ValueError, match="32 bytes"):
        Gate(
            world.identity,
            world.policy,
            world.vault,
            world.approvals,
            world.masking,
            world.containment,
            world.recorder,
            world.budgets,
            hold=world.gate._shared.hold,
            clock=lambda: 0,
            binding_key=key,
            meter=world.meter,
        )


# ── budgets and quotas ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_statement_over_its_quota_is_refused_for_now() -> None:
    world = World()
    talk = await world.logged_in()
    world.budgets.no_statement = "wait and try again"
    assert talk.ask(2, a_statement("select")) == [Deny("wait and try again", retry=True)]
    assert talk.ask(3, a_statement("select", stage=Stage.PREPARE)) == [Allow()]
    assert world.budgets.asked == 1
    world.budgets.no_statement = None
    assert talk.ask(4, a_statement("select")) == [Allow()]
    assert world.meter.counts["throttled statement"] == 1


async def test_nothing_is_allowed_whose_budget_is_spent() -> None:
    world = World()
    talk = await world.logged_in()
    world.budgets.over = "spent"
    assert talk.ask(2, a_statement("select")) == [Deny("spent")]


async def test_what_was_streamed_is_charged_once() -> None:
    world = World()
    talk = await world.logged_in()
    talk.ask(2, a_statement("select"))
    talk.gate.streamed(Streamed(2, 10, 1000, 1))
    talk.gate.streamed(Streamed(2, 25, 2500, 3))
    talk.gate.finished(Finished(2, 30, 4, 3000, masked={"emails": 4}))
    assert world.budgets.amounts == [(10, 0, 1, 1000), (15, 0, 2, 1500), (5, 4, 1, 500)]


async def test_a_budget_that_is_spent_is_recorded_where_it_was() -> None:
    world = World()
    talk = await world.logged_in()
    talk.ask(2, a_statement("select"))
    world.budgets.told = "agent shop-ci has spent its budget"
    talk.gate.finished(Finished(2, 30, None, 3000))
    assert "BudgetSpent" in talk.kinds()
    assert world.meter.counts["throttled budget"] == 1


async def test_a_login_over_its_quota_is_refused_for_now() -> None:
    world = World()
    world.budgets.no_login = "wait and try again"
    assert await world.open().log_in() == Deny("wait and try again", retry=True)


async def test_sessions_at_other_nodes_take_places() -> None:
    world = World()
    world.identity.identified = replace(world.identity.identified, max_sessions=3)
    world.budgets.others = 2
    await world.logged_in()
    answer = await world.open("s2").log_in()
    assert isinstance(answer, Deny)
    assert answer.retry
