"""What rests on a grant ends with it: logins, statements that run, statements that wait, and answers that stood."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.gate.fakes import (
    ALLOW,
    HOLD,
    SOURCE,
    Conversation,
    FakePolicy,
    World,
    a_login,
    a_resource,
    a_statement,
    settle,
)

from blastwall.gate.ports import Subject, Verdict
from blastwall.model.effects import Action
from blastwall.model.events import StatementRuled
from blastwall.model.grant import OpenGrant
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage, Statement
from blastwall.protocols.contract import Admit, Allow, Answer, Ask, AskWhole, Deny, Finished, Held, Repeat
from blastwall.protocols.standing import Standing

REFUSED = Ruling(Decision.DENY, "needs a grant", version="v1", grantable=("delete",))
OVER = "the grant that this session rested on has ended; ask for another one"


def a_grant(name: str = "g1", ends: float = 1600.0) -> OpenGrant:
    return OpenGrant(name, frozenset({Action.DELETE}), (), 600.0, ends)


class GrantedPolicy(FakePolicy):
    """`repair …` needs a grant, `held …` a grant and an approval; so does the login where `login` is set."""

    login = False

    def rule(self, subject: Subject, statement: Statement) -> Ruling:
        word = statement.text.split(" ")[0]
        if word in {"repair", "held"}:
            return self._granted(subject, HOLD if word == "held" else ALLOW)
        return super().rule(subject, statement)

    def rule_connect(self, subject: Subject) -> Ruling:
        return self._granted(subject, ALLOW) if self.login else ALLOW

    def _granted(self, subject: Subject, ruling: Ruling) -> Ruling:
        if not subject.granted:
            return REFUSED
        return replace(ruling, grants=(max(subject.granted, key=lambda each: each.ends).id,))


def a_world(*grants: OpenGrant, login: bool = False) -> World:
    policy = GrantedPolicy()
    policy.login = login
    world = World(policy=policy)
    world.grants.held = grants
    return world


def at(world: World, now: float) -> None:
    """Let time pass; the grants' view tells the gate of an end when it comes."""
    world.now = now
    world.gate.grants_changed()


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_says_how_to_ask_and_a_grant_mends_it_at_once() -> None:
    world = a_world()
    talk = await world.logged_in()
    assert talk.ask(2, a_statement("repair orders")) == [Deny("needs a grant; ask for delete at https://gateway")]
    world.grants.held = (a_grant(),)
    assert isinstance(talk.ask(3, a_statement("repair orders"))[0], Allow)
    assert world.grants.uses == ["g1"]
    [ruled] = [event for event in talk.record.events if isinstance(event, StatementRuled) and event.number == 3]
    assert ruled.ruling.grants == ("g1",)


async def test_a_statement_is_refused_from_the_instant_of_the_end_whoever_has_noticed_it() -> None:
    world = a_world(a_grant(ends=1600.0))
    talk = await world.logged_in()
    world.now = 1599.999
    assert isinstance(talk.ask(2, a_statement("repair orders"))[0], Allow)
    world.now = 1600.0
    assert isinstance(talk.ask(3, a_statement("repair orders"))[0], Deny)


async def test_a_statement_that_runs_on_after_its_grant_ends_with_its_session() -> None:
    world = a_world(a_grant())
    talk = await world.logged_in()
    talk.ask(2, a_statement("repair orders"))
    at(world, 1599.0)
    assert talk.ended == []
    at(world, 1600.0)
    assert talk.ended == [OVER]


@pytest.mark.parametrize("how", ["finished", "only prepared", "not by the grant"])
async def test_a_session_outlives_a_grant_on_which_nothing_of_it_rests(how: str) -> None:
    world = a_world(a_grant())
    talk = await world.logged_in()
    if how == "not by the grant":
        talk.ask(2, a_statement("select 1"))
    else:
        talk.ask(2, a_statement("repair orders", stage=Stage.PREPARE if how == "only prepared" else Stage.EXECUTE))
    if how == "finished":
        talk.gate.finished(Finished(2, 1, 1, 1, None))
    at(world, 1600.0)
    assert talk.ended == []
    assert talk.reconsidered == 1, "what was prepared under the grant is asked again before it runs"


async def test_an_answer_by_a_grant_never_stands() -> None:
    world = a_world(a_grant())
    talk = await world.logged_in()
    [answer] = talk.ask(2, a_statement("repair orders"))
    assert isinstance(answer, Allow)
    assert answer.standing is None


async def test_an_answer_that_stands_is_asked_again_when_grants_change() -> None:
    world = a_world()
    talk = await world.logged_in()
    [answer] = talk.ask(2, a_statement("select 1"))
    assert isinstance(answer, Allow)
    assert isinstance(answer.standing, Standing)
    assert isinstance(repeat(talk, 3, answer.standing), Allow)
    world.grants.held = (a_grant(),)
    at(world, 1001.0)
    assert isinstance(repeat(talk, 4, answer.standing), AskWhole)


def repeat(talk: Conversation, number: int, standing: Standing) -> Answer:
    answers: list[Answer] = []
    talk.gate.ask(Ask(number, Repeat(standing)), lambda _, answer: answers.append(answer))
    return answers[0]


async def test_a_held_statement_is_refused_where_its_grant_ended_before_the_approval() -> None:
    world = a_world(a_grant(ends=1010.0))
    talk = await world.logged_in()
    talk.ask(2, a_statement("held orders"))
    await settle()
    assert isinstance(talk.of(2)[0], Held)
    world.now = 1010.0
    world.approvals.say(2, Verdict(approved=True, by=("ana",)))
    await settle()
    assert talk.of(2)[-1] == Deny("needs a grant; ask for delete at https://gateway")


# ── logins ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_login_without_its_grant_hears_how_to_ask() -> None:
    world = a_world(login=True)
    talk = world.open()
    assert await talk.log_in() == Deny("needs a grant; ask for delete at https://gateway")


async def test_a_session_ends_with_the_grant_that_admitted_it_however_often_one_reconnects() -> None:
    world = a_world(a_grant(ends=1600.0), login=True)
    talks: list[Conversation] = []
    for number in range(5):
        world.now = 1000.0 + 149 * number
        talks.append(await world.logged_in(f"s{number}"))
    at(world, 1599.9)
    assert [talk.ended for talk in talks] == [[]] * 5
    at(world, 1600.0)
    assert [talk.ended for talk in talks] == [[OVER]] * 5
    late = world.open("late")
    assert isinstance(await late.log_in(), Deny)


async def test_a_session_lives_on_where_another_grant_follows() -> None:
    world = a_world(a_grant("g1", 1600.0), login=True)
    talk = await world.logged_in()
    world.grants.held = (a_grant("g1", 1600.0), a_grant("g2", 2000.0))
    at(world, 1600.0)
    assert talk.ended == []
    at(world, 2000.0)
    assert talk.ended == [OVER]


async def test_a_session_that_needed_no_grant_is_left_alone() -> None:
    world = a_world(a_grant())
    talk = await world.logged_in()
    at(world, 1600.0)
    assert talk.ended == []


async def test_a_revocation_ends_the_session_at_once() -> None:
    world = a_world(a_grant(), login=True)
    talk = await world.logged_in()
    world.grants.held = ()
    world.gate.grants_changed()
    assert talk.ended == [OVER]


async def test_a_grant_that_ends_during_the_login_admits_nobody() -> None:
    world = a_world(a_grant(), login=True)
    world.recorder.slow = True
    talk = world.open()
    talk.ask(1, a_login())
    for _ in range(3):
        world.recorder.settle()
        await settle()
    world.recorder.slow = False
    world.recorder.settle()
    await settle()
    assert isinstance(talk.of(1)[0], Admit)
    world.grants.held = ()
    world.gate.grants_changed()
    assert talk.ended == [OVER]


async def test_one_session_that_fails_to_end_keeps_no_other_alive() -> None:
    world = a_world(a_grant(), login=True)

    def fail(reason: str) -> None:
        raise RuntimeError(reason)

    world.gate.open("s1", a_resource(), SOURCE, fail).ask(Ask(1, a_login()), lambda _, __: None)
    await settle()
    other = await world.logged_in("s2")
    at(world, 1600.0)
    assert other.ended == [OVER]
