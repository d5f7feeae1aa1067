"""A held statement: how its wait ends, and that the world may have changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.gate.fakes import ALLOW, DENY, HOLD, Conversation, World, a_statement, settle
from tests.waiting import until

from blastwall.gate import HoldTimes, wording
from blastwall.gate.holds import typed
from blastwall.gate.ports import Asked, Hold, Verdict
from blastwall.model.events import HoldEnded, HoldStarted, StatementAsked, StatementRuled
from blastwall.model.ruling import Approval, Decision, Obligations
from blastwall.model.statement import Parameter, Stage
from blastwall.protocols.contract import Allow, Deny, Held, Withdraw


async def held(world: World, *, in_transaction: bool = False) -> Conversation:
    talk = await world.logged_in()
    talk.ask(2, a_statement("hold orders", in_transaction=in_transaction))
    await settle()
    return talk


def ended(talk: Conversation) -> HoldEnded:
    (event,) = [event for event in talk.record.events if isinstance(event, HoldEnded)]
    return event


def final(talk: Conversation) -> object:
    held_answer, answer = talk.of(2)
    assert isinstance(held_answer, Held)
    return answer


async def test_the_client_hears_who_may_approve_and_until_when() -> None:
    talk = await held(World())
    (answer,) = talk.of(2)
    assert answer == Held("deletes wait; it waits for approval by 1 of dba, until 00:17:40 UTC")
    assert talk.kinds()[3:] == ["StatementAsked", "StatementRuled", "HoldStarted"]


async def test_the_client_hears_where_people_decide() -> None:
    world = World()
    world.approvals.link = "https://gate/#/approvals/r2"
    talk = await held(world)
    (answer,) = talk.of(2)
    assert isinstance(answer, Held)
    assert answer.notice.endswith("until 00:17:40 UTC: https://gate/#/approvals/r2")


async def test_the_client_hears_nothing_before_people_are_asked() -> None:
    world = World()
    talk = await world.logged_in()

    async def covered(hold: Hold, waits: Callable[[Asked], None]) -> Verdict:
        return Verdict(True, ("ana",), "request r1, approved before")

    world.approvals.decide = covered  # type: ignore[method-assign]
    talk.ask(2, a_statement("hold orders"))
    await settle()
    (answer,) = talk.of(2)
    assert isinstance(answer, Allow)
    assert (ended(talk).outcome, ended(talk).reason) == ("approved", "request r1, approved before")


async def test_who_cannot_wait_is_refused_with_the_request() -> None:
    world = World(HoldTimes(60, 30, fails=True, lasts=600))
    talk = await held(world)
    (hold,) = world.approvals.holds
    assert (hold.fails, hold.until, hold.lasts) == (True, world.now + 600, 600)
    asked = Asked("r2", "https://gate/#/approvals/r2", hold.until)
    world.approvals.say(2, Verdict(False, asked=asked))
    await settle()
    assert talk.of(2) == [
        Deny(
            "deletes wait; it waits for approval by 1 of dba; people have been asked (request r2, "
            "https://gate/#/approvals/r2): send the same statement again once it is approved, they can until "
            "00:26:40 UTC"
        )
    ]
    assert (ended(talk).outcome, ended(talk).reason) == ("asked", "request r2")


def test_who_approves_sees_the_declared_type_of_a_value_that_could_be_more_than_it_looks() -> None:
    values = ("1000", "1000", "1000", None, "7")
    declared = ("", "integer", "interval", "interval", "@id int")
    parameters = tuple(Parameter(value, declared=one) for value, one in zip(values, declared, strict=True))
    assert typed(values, parameters) == ("1000", "1000", "1000::interval", None, "@id int = 7")


async def test_the_recording_says_what_values_are_declared_as() -> None:
    values = (Parameter("7", declared="@id int"), Parameter("x", declared="text"), Parameter(None))
    world = World()
    talk = await world.logged_in()
    for number, given in ((2, values), (3, values[1:])):
        talk.ask(number, replace(a_statement("select orders"), parameters=given))
    await settle()
    found = [one.declared for one in talk.record.events if isinstance(one, StatementAsked)]
    assert found == [("@id int", "", ""), ()]


async def test_what_says_by_a_name_alone_what_would_run_is_refused() -> None:
    """Whoever approved it would not have seen it, and the name could mean something else the next time."""
    world = World()
    talk = await world.logged_in()
    talk.ask(2, replace(a_statement("hold orders"), by_name=True))
    talk.ask(3, replace(a_statement("hold orders", stage=Stage.PREPARE), by_name=True))
    await settle()
    assert talk.of(2) == [Deny(wording.BY_NAME)]
    assert isinstance(talk.of(3)[0], Allow)
    assert not world.approvals.holds


async def test_an_agent_may_wait_in_another_way_than_the_others() -> None:
    world = World(HoldTimes(60, 30, agents={"shop-ci": HoldTimes(9, 9, fails=True)}))
    await held(world)
    assert world.approvals.holds[0].fails


async def test_a_wait_that_is_over_sounds_like_one_that_the_gate_ended() -> None:
    world = World()
    talk = await held(world)
    world.approvals.say(2, Verdict(False, late=True))
    await settle()
    assert final(talk) == Deny("nobody approved this statement within 60 seconds (needed: 1 of dba)")
    assert ended(talk).outcome == "timeout"


async def test_the_notice_does_not_name_the_approvers_twice() -> None:
    world = World()
    world.policy.rulings["hold"] = replace(HOLD, reason="policy holds this; it waits for approval by 1 of dba")
    talk = await held(world)
    (answer,) = talk.of(2)
    assert isinstance(answer, Held)
    assert answer.notice.count("1 of dba") == 1


async def test_an_approved_statement_is_ruled_again_and_allowed() -> None:
    world = World()
    talk = await held(world)
    assert world.meter.counts["held"] == 1
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    assert isinstance(final(talk), Allow)
    assert world.policy.asked == ["hold orders", "hold orders"]
    assert (ended(talk).outcome, ended(talk).by) == ("approved", ("ana",))
    ruled = talk.record.events[-1]
    assert isinstance(ruled, StatementRuled)
    assert (ruled.ruling.decision, ruled.ruling.reason) == (Decision.ALLOW, "approved by ana")
    assert world.meter.counts["held"] == 0


async def test_the_approval_is_recorded_before_the_answer() -> None:
    world = World()
    talk = await held(world)
    world.recorder.slow = True
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    assert len(talk.of(2)) == 1
    world.recorder.settle()
    assert isinstance(final(talk), Allow)


async def test_an_approval_that_cannot_be_recorded_denies() -> None:
    world = World()
    talk = await held(world)
    world.recorder.failing = True
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    assert isinstance(final(talk), Deny)


async def test_a_hold_that_cannot_be_recorded_asks_nobody() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.failing = True
    (answer,) = talk.ask(2, a_statement("hold orders"))
    await settle()
    assert isinstance(answer, Deny)
    assert world.approvals.holds == []


async def test_a_refused_approval_denies_with_its_reason() -> None:
    world = World()
    talk = await held(world)
    world.approvals.say(2, Verdict(False, ("ana",), "not on a Friday"))
    await settle()
    assert final(talk) == Deny("approval was refused: not on a Friday")
    assert ended(talk).outcome == "refused"


async def test_policy_that_denies_meanwhile_wins_over_the_approval() -> None:
    world = World()
    talk = await held(world)
    world.policy.rulings["hold"] = DENY
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    assert final(talk) == Deny("no deletes here")


async def test_policy_that_allows_meanwhile_allows_with_its_own_obligations() -> None:
    world = World()
    talk = await held(world)
    world.policy.rulings["hold"] = replace(ALLOW, obligations=Obligations(limit_rows=1))
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    answer = final(talk)
    assert isinstance(answer, Allow)
    assert answer.obligations.limit_rows == 1


@pytest.mark.parametrize(
    "needed", [(Approval("security", 1),), (Approval("dba", 2),), (Approval("dba", 1), Approval("security", 1))]
)
async def test_approvals_that_policy_asks_for_anew_deny(needed: tuple[Approval, ...]) -> None:
    world = World()
    talk = await held(world)
    world.policy.rulings["hold"] = replace(HOLD, obligations=Obligations(needed))
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    answer = final(talk)
    assert isinstance(answer, Deny)
    assert "policy changed while the statement waited" in answer.reason


async def test_containment_that_comes_during_the_wait_wins_over_the_approval() -> None:
    world = World()
    talk = await held(world)
    world.containment.reason = "agent shop-ci is contained"
    world.approvals.say(2, Verdict(True, ("ana",)))
    await settle()
    assert final(talk) == Deny("agent shop-ci is contained")
    assert ended(talk).outcome == "contained"


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_nobody_decides_in_time(in_transaction: bool) -> None:
    times = HoldTimes(9, 0.02) if in_transaction else HoldTimes(0.02, 9)
    world = World(times)
    talk = await held(world, in_transaction=in_transaction)
    started = next(event for event in talk.record.events if isinstance(event, HoldStarted))
    assert started.until == pytest.approx(world.now + 0.02)
    await until(lambda: len(talk.of(2)) == 2, "the time is over")
    assert final(talk) == Deny("nobody approved this statement within 0.02 seconds (needed: 1 of dba)")
    assert ended(talk).outcome == "timeout"
    assert world.approvals.withdrawn == [2]


async def test_a_hold_of_no_time_is_refused_at_once() -> None:
    talk = await held(World(HoldTimes(0, 0)))
    await until(lambda: talk.of(2) and isinstance(final(talk), Deny), "it is refused")


async def test_a_client_that_leaves_withdraws_its_hold() -> None:
    world = World()
    talk = await held(world)
    talk.gate.withdraw(Withdraw(2))
    await settle()
    assert len(talk.of(2)) == 1
    assert world.approvals.withdrawn == [2]
    assert ended(talk).outcome == "withdrawn"
    assert talk.kinds()[-1] == "StatementWithdrawn"
    assert world.meter.counts["held"] == 0


async def test_an_approval_that_ignores_its_withdrawal_is_worth_nothing() -> None:
    world = World()
    talk = await world.logged_in()

    async def stubborn(hold: Hold, waits: Callable[[Asked], None]) -> Verdict:
        waits(Asked("r2", "", hold.until))
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return Verdict(True, ("ana",))
        raise AssertionError

    world.approvals.decide = stubborn  # type: ignore[method-assign]
    talk.ask(2, a_statement("hold orders"))
    await settle()
    talk.gate.withdraw(Withdraw(2))
    await settle()
    assert len(talk.of(2)) == 1
    assert ended(talk).outcome == "withdrawn"
    assert world.meter.counts["held"] == 0


async def test_a_statement_withdrawn_before_its_hold_is_durable_asks_nobody() -> None:
    world = World()
    talk = await world.logged_in()
    world.recorder.slow = True
    talk.ask(2, a_statement("hold orders"))
    talk.gate.withdraw(Withdraw(2))
    world.recorder.settle()
    await settle()
    assert talk.of(2) == []
    assert world.approvals.holds == []


async def test_the_sessions_end_withdraws_its_holds() -> None:
    world = World()
    talk = await held(world)
    talk.gate.closed("the client left")
    await settle()
    assert world.approvals.withdrawn == [2]
    assert talk.kinds()[-3:] == ["HoldEnded", "StatementWithdrawn", "SessionClosed"]


async def test_a_hold_ended_by_containment_says_so() -> None:
    world = World()
    talk = await held(world)
    world.containment.live["s1"].end("agent shop-ci is contained")
    assert talk.ended == ["agent shop-ci is contained"]
    talk.gate.closed("agent shop-ci is contained")
    await settle()
    assert ended(talk).outcome == "contained"


@pytest.mark.parametrize("error", [RuntimeError("secret detail"), TimeoutError("of the approvals' own")])
async def test_approvals_that_fail_deny(error: Exception) -> None:
    world = World()
    world.approvals.error = error
    talk = await held(world)
    (answer,) = talk.of(2)
    assert isinstance(answer, Deny)
    assert "could not be asked for" in answer.reason
    assert "secret" not in answer.reason


async def test_other_statements_go_on_meanwhile() -> None:
    talk = await held(World())
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Allow)


async def test_the_hold_carries_the_redacted_text_and_never_shows_its_binding() -> None:
    world = World()
    talk = await world.logged_in()
    talk.ask(2, a_statement("hold hunter2"))
    await settle()
    (hold,) = world.approvals.holds
    assert hold.text == "hold ***"
    assert len(hold.binding) == 32
    assert repr(hold.binding) not in repr(hold)


async def test_every_hold_sees_new_waiting_times() -> None:
    world = World()
    world.gate.set_hold(HoldTimes(7, 3))
    await held(world)
    assert world.approvals.holds[0].until == world.now + 7
