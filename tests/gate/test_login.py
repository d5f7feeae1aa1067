"""The order of a login, and every way to break it."""

from __future__ import annotations

import asyncio

import pytest
from tests.gate.fakes import ALLOW, DENY, HOLD, World, a_login, a_statement, an_agent, settle

from blastwall.gate.ports import CredentialUnavailable, Identified
from blastwall.model.events import LoginAdmitted, LoginAsked, LoginRefused
from blastwall.protocols.contract import Admit, Allow, Deny, Withdraw


async def test_a_good_proof_is_admitted_and_recorded_before_the_answer() -> None:
    world = World()
    talk = world.open()
    answer = await talk.log_in()
    assert isinstance(answer, Admit)
    assert answer.label == "shop-ci/s1"
    assert answer.upstream.user == "app"
    assert talk.kinds() == ["SessionOpened", "LoginAsked", "LoginAdmitted"]
    admitted = talk.record.events[2]
    assert isinstance(admitted, LoginAdmitted)
    assert (admitted.principal, admitted.upstream_user, admitted.policies) == ("shop-ci", "app", ("reads",))


async def test_nothing_recorded_or_answered_holds_the_proof_or_the_secret() -> None:
    talk = World().open()
    answer = await talk.log_in(a_login(b"good"))
    assert "good" not in repr(talk.record.events)
    assert "upstream-secret" not in repr(talk.record.events) + repr(answer)


async def test_the_answer_waits_until_the_admission_is_durable() -> None:
    world = World()
    world.recorder.slow = True
    talk = world.open()
    talk.ask(1, a_login())
    for _ in range(2):  # SessionOpened, LoginAsked
        world.recorder.settle()
        await settle()
    assert talk.kinds()[-1] == "LoginAdmitted"
    assert talk.of(1) == []
    world.recorder.settle()
    await settle()
    assert isinstance(talk.of(1)[0], Admit)


async def test_a_bad_proof_is_refused_without_the_operators_reason() -> None:
    talk = World().open()
    answer = await talk.log_in(a_login(b"forged"))
    assert answer == Deny("the token does not verify")
    refused = talk.record.events[-1]
    assert isinstance(refused, LoginRefused)
    assert "key 7" in refused.reason
    assert refused.told == "the token does not verify"


@pytest.mark.parametrize("cut", [None, "agent shop-ci is contained"])
async def test_a_login_waits_until_it_can_be_known_who_is_contained(cut: str | None) -> None:
    world = World()
    world.containment.seen = asyncio.Event()
    talk = world.open()
    talk.ask(1, a_login())
    await settle()
    assert talk.of(1) == []
    world.containment.reason = cut
    world.containment.seen.set()
    await settle()
    (answer,) = talk.of(1)
    assert isinstance(answer, Admit) if cut is None else answer == Deny(cut)


async def test_a_refused_login_leaves_nobody_who_could_ask() -> None:
    world = World()
    talk = world.open()
    await talk.log_in(a_login(b"forged"))
    assert talk.ask(2, a_statement("select")) == [Deny("the gateway accepts no statement before the login is complete")]
    assert world.policy.asked == []


@pytest.mark.parametrize("moment", ["before", "during"])
async def test_a_statement_before_the_admission_is_denied_and_recorded(moment: str) -> None:
    world = World()
    world.identity.wait = asyncio.Event()
    talk = world.open()
    if moment == "during":
        talk.ask(1, a_login())
        await settle()
    (answer,) = talk.ask(2, a_statement("select hunter2"))
    assert isinstance(answer, Deny)
    assert world.policy.asked == []
    assert talk.kinds()[-2:] == ["StatementAsked", "StatementRefused"]
    assert "hunter2" not in repr(talk.record.events)
    talk.gate.closed("end")


@pytest.mark.parametrize("proof", [b"good", b"forged"])
async def test_a_second_login_is_refused_and_the_first_stands(proof: bytes) -> None:
    world = World()
    talk = await world.logged_in()
    (answer,) = talk.ask(2, a_login(proof))
    assert isinstance(answer, Deny)
    assert isinstance(talk.ask(3, a_statement("select"))[0], Allow)


async def test_a_second_proof_may_not_be_tried_after_a_refused_one() -> None:
    talk = World().open()
    await talk.log_in(a_login(b"forged"))
    assert isinstance(talk.ask(2, a_login(b"good"))[0], Deny)
    await settle()
    assert len(talk.of(2)) == 1


async def test_policy_may_deny_connect() -> None:
    world = World()
    world.policy.connect = DENY
    assert await world.open().log_in() == Deny("no deletes here")


async def test_a_login_cannot_be_held() -> None:
    world = World()
    world.policy.connect = HOLD
    answer = await world.open().log_in()
    assert isinstance(answer, Deny)
    assert "cannot wait for approval" in answer.reason


async def test_a_contained_agent_is_refused() -> None:
    world = World()
    world.containment.reason = "agent shop-ci is contained"
    talk = world.open()
    assert await talk.log_in() == Deny("agent shop-ci is contained")


async def test_containment_that_comes_while_the_credential_is_fetched_is_noticed() -> None:
    world = World()
    fetch = world.vault.credential

    async def contained_meanwhile(*arguments: object) -> object:
        world.containment.reason = "agent shop-ci is contained"
        return await fetch(*arguments)  # type: ignore[arg-type]

    world.vault.credential = contained_meanwhile  # type: ignore[assignment,method-assign]
    assert await world.open().log_in() == Deny("agent shop-ci is contained")


async def test_without_a_credential_the_client_learns_nothing_of_its_source() -> None:
    world = World()
    world.vault.error = CredentialUnavailable("environment variable PG_SECRET is not set")
    talk = world.open()
    answer = await talk.log_in()
    assert isinstance(answer, Deny)
    assert "PG_SECRET" not in answer.reason
    assert "PG_SECRET" in repr(talk.record.events[-1])


async def test_a_fault_in_a_port_refuses() -> None:
    world = World()
    world.vault.error = ZeroDivisionError("secret detail")
    answer = await world.open().log_in()
    assert isinstance(answer, Deny)
    assert "secret detail" not in answer.reason


@pytest.mark.parametrize("how", ["refusing", "failing"])
async def test_a_recording_that_cannot_be_begun_refuses_the_login(how: str) -> None:
    world = World()
    setattr(world.recorder, how, True)
    talk = world.open()
    answer = await talk.log_in()
    assert isinstance(answer, Deny)
    assert "cannot be recorded" in answer.reason
    talk.gate.closed("the client left")
    assert world.gate.sessions == 0
    assert world.meter.counts["open"] == 0


async def test_a_login_that_cannot_be_recorded_is_refused() -> None:
    world = World()
    talk = world.open()
    world.recorder.failing = True
    answer = await talk.log_in()
    assert isinstance(answer, Deny)
    assert "cannot be recorded" in answer.reason


async def test_an_agents_sessions_are_counted_and_given_back() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "token", max_sessions=2)
    first, second, third = world.open("a"), world.open("b"), world.open("c")
    assert isinstance(await first.log_in(), Admit)
    assert isinstance(await second.log_in(), Admit)
    answer = await third.log_in()
    assert isinstance(answer, Deny)
    assert "2 sessions" in answer.reason
    third.gate.closed("refused")
    first.gate.closed("left")
    first.gate.closed("left again")
    assert isinstance(await world.open("d").log_in(), Admit)
    assert isinstance(await world.open("e").log_in(), Deny)


async def test_a_login_that_fails_after_it_was_counted_gives_its_place_back() -> None:
    world = World()
    world.identity.identified = Identified(an_agent(), "token", max_sessions=1)
    world.policy.connect = DENY
    first = world.open("a")
    await first.log_in()
    first.gate.closed("refused")
    world.policy.connect = ALLOW
    assert isinstance(await world.open("b").log_in(), Admit)


async def test_a_withdrawn_login_is_not_answered() -> None:
    world = World()
    world.identity.wait = asyncio.Event()
    talk = world.open()
    talk.ask(1, a_login())
    await settle()
    talk.gate.withdraw(Withdraw(1))
    world.identity.wait.set()
    await settle()
    assert talk.of(1) == []
    assert isinstance(talk.ask(2, a_statement("select"))[0], Deny)


async def test_a_session_closed_during_its_login_is_not_answered_and_not_watched() -> None:
    world = World()
    world.identity.wait = asyncio.Event()
    talk = world.open()
    talk.ask(1, a_login())
    await settle()
    talk.gate.closed("the client left")
    world.identity.wait.set()
    await settle()
    assert talk.of(1) == []
    assert world.containment.live == {}
    assert talk.kinds()[-1] == "SessionClosed"


async def test_a_token_in_the_wrong_field_is_not_recorded() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjaSJ9.c2lnbmF0dXJl"
    talk = World().open()
    await talk.log_in(a_login(user=token, target="bwp_0123456789abcdef"))
    asked = talk.record.events[1]
    assert isinstance(asked, LoginAsked)
    assert "eyJ" not in asked.user
    assert "bwp_" not in asked.database


async def test_a_long_label_keeps_the_session_whole() -> None:
    world = World()
    world.identity.identified = Identified(an_agent("a" * 63), "token")
    answer = await world.open("0123456789abcdefghjk").log_in()
    assert isinstance(answer, Admit)
    assert len(answer.label) == 63
    assert answer.label.endswith("a/0123456789abcdefghjk")
