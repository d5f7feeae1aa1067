"""The end of a session: its time, its pass, its containment."""

from __future__ import annotations

import asyncio

import pytest
from tests.gate.fakes import World, a_statement, an_agent
from tests.waiting import until

from blastwall.gate import HoldTimes
from blastwall.gate.ports import Identified
from blastwall.protocols.contract import Admit, Allow, Deny, Held


async def test_a_session_ends_within_a_second_of_its_longest_time() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "token", session_max=0.05)
    loop = asyncio.get_running_loop()
    started = loop.time()
    world.gate._shared.steady = lambda: 1000 + loop.time() - started
    talk = await world.logged_in()
    assert talk.gate.deadline is not None
    assert talk.ended == []
    await until(lambda: talk.ended, "its time is over")
    assert talk.ended == ["the session has reached the end of its permitted time; log in again"]


async def test_a_session_ends_with_its_pass_where_that_is_sooner() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "pass", lasts=10.0, session_max=60, pass_id="p1")
    talk = await world.logged_in()
    assert talk.gate.deadline == 1010.0
    assert world.containment.live["s1"].pass_id == "p1"


async def test_a_pass_that_ends_during_the_login_opens_nothing() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "pass", lasts=-1.0)
    answer = await world.open().log_in()
    assert isinstance(answer, Deny)
    assert "pass has ended" in answer.reason


async def test_past_its_end_no_statement_runs_though_the_timer_is_late() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "token", session_max=60)
    talk = await world.logged_in()
    assert isinstance(talk.ask(2, a_statement("select 1"))[0], Allow)
    world.now += 60
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Deny)


async def test_the_timer_follows_the_steady_clock_which_goes_on_in_a_sleep() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "token", session_max=3600)
    waits: list[float] = []
    timers: list[object] = []

    class Timer:
        def cancel(self) -> None:
            timers.append(self)

    def later(seconds: float, callback: object) -> Timer:
        waits.append(seconds)
        due.append(callback)
        return Timer()

    due: list[object] = []
    world.gate._shared.later = later
    talk = await world.logged_in()
    assert waits == [60]
    world.now += 3599
    assert callable(due[-1])
    due[-1]()
    assert waits == [60, 1]
    talk.gate.closed("left")
    assert len(timers) == 1


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
async def test_a_session_gets_no_more_and_no_less_time_from_a_wall_clock_that_is_set(jump: float) -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "pass", lasts=60, session_max=90, pass_id="p1")
    talk = await world.logged_in()
    world.jump = jump
    world.now += 59
    assert isinstance(talk.ask(2, a_statement("select 1"))[0], Allow)
    world.now += 1
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Deny)


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
async def test_a_hold_waits_as_long_as_configured_though_the_wall_clock_is_set(jump: float) -> None:
    world = World(HoldTimes(0.2, 0.2))
    talk = await world.logged_in()
    world.recorder.slow = True
    talk.ask(2, a_statement("hold"))
    world.jump = jump
    world.recorder.slow = False
    world.recorder.settle()
    began = asyncio.get_running_loop().time()
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if len(talk.of(2)) == 2:
            break
    assert [type(answer) for answer in talk.of(2)] == [Held, Deny]
    assert asyncio.get_running_loop().time() - began >= 0.19


async def test_a_session_without_limits_has_no_deadline_and_its_token_may_end() -> None:
    world = World()
    talk = world.open()
    assert isinstance(await talk.log_in(), Admit)
    assert talk.gate.deadline is None


async def test_the_end_is_recorded_once_and_unwatched() -> None:
    world = World()
    talk = await world.logged_in()
    assert list(world.containment.live) == ["s1"]
    talk.gate.closed("the client left")
    talk.gate.closed("again")
    assert world.containment.live == {}
    assert talk.kinds().count("SessionClosed") == 1
    assert world.gate.sessions == 0
