"""A session in which each request proves itself, and every way to go on with what is not good any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.gate.fakes import ALLOW, DENY, Conversation, World, a_login, a_statement, an_agent, settle

from blastwall.gate.ports import CredentialUnavailable, Identified, Verdict
from blastwall.model.credential import Credential
from blastwall.model.events import LoginAdmitted, LoginRefused, StatementRefused
from blastwall.protocols.contract import (
    Admit,
    Allow,
    Answer,
    AskWhole,
    Deny,
    Login,
    Proof,
    Renewal,
    Repeat,
    Stranger,
    Unproven,
    Withdraw,
)


def a_token(name: str = "shop-ci", *, good_for: float | None = 600.0, jti: str = "1") -> Identified:
    agent = an_agent(name)
    agent = replace(agent, claims={**agent.claims, "jti": jti})
    return Identified(agent, "token", good_for=good_for)


def a_pass(name: str, good_for: float) -> Identified:
    return Identified(an_agent(), "pass", good_for, pass_id=name, good_for=good_for)


async def proven(world: World, identified: Identified | None = None) -> Conversation:
    """Return a session that was logged in to by a token that is good for ten minutes."""
    world.identity.identified = identified or a_token()
    return await world.logged_in(proves_each=True)


def allowed(answer: Answer) -> Allow:
    assert isinstance(answer, Allow)
    return answer


# ── the proof ends ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_its_proof_has_ended_nothing_is_allowed_in_a_session() -> None:
    world = World()
    talk = await proven(world, a_token(good_for=30))
    world.now += 29
    assert isinstance(talk.ask(2, a_statement("select 1"))[0], Allow)
    world.now += 1
    (answer,) = talk.ask(3, a_statement("select 2"))
    assert isinstance(answer, Unproven)
    assert talk.kinds()[-3:] == ["StatementAsked", "StatementRuled", "StatementRefused"]
    assert talk.ended == []
    assert world.policy.asked == ["select 1"]


async def test_an_answer_does_not_stand_beyond_the_proofs_end() -> None:
    world = World()
    talk = await proven(world, a_token(good_for=30))
    standing = allowed(talk.ask(2, a_statement("select 1"))[0]).standing
    assert standing is not None
    assert isinstance(talk.ask(3, Repeat(standing))[0], Allow)
    world.now += 30
    assert talk.ask(4, Repeat(standing)) == [AskWhole()]


async def test_a_proof_without_an_end_counts_for_nothing() -> None:
    world = World()
    world.identity.identified = a_token(good_for=None)
    assert isinstance(await world.open(proves_each=True).log_in(), Deny)


async def test_a_proof_that_ends_during_its_login_admits_nobody() -> None:
    world = World()
    world.identity.identified = a_token(good_for=5)
    world.vault.wait = asyncio.Event()
    talk = world.open(proves_each=True)
    talk.ask(1, a_login())
    await settle()
    world.now += 6
    world.vault.wait.set()
    await settle()
    assert isinstance(talk.of(1)[0], Deny)
    assert isinstance(talk.ask(2, a_statement("select"))[0], Deny)


async def test_where_a_proof_opens_sessions_only_its_end_ends_nothing() -> None:
    world = World()
    world.identity.identified = a_token(good_for=30)
    talk = await world.logged_in()
    world.now += 3600
    assert isinstance(talk.ask(2, a_statement("select 1"))[0], Allow)
    assert world.vault.asked == 1


@pytest.mark.parametrize("outlived", [True, False])
async def test_what_waits_outlives_a_token_of_the_gateways_and_no_pass(*, outlived: bool) -> None:
    world = World()
    talk = await proven(world, replace(a_pass("p1", 30), outlived=outlived))
    talk.ask(2, a_statement("hold this"))
    await settle()
    assert (talk.gate.deadline is None) is outlived
    world.now += 31
    world.approvals.say(2, Verdict(approved=True, by=("ana",)))
    await settle()
    assert isinstance(talk.of(2)[-1], Allow) is outlived
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Unproven)


async def test_where_a_token_of_the_gateways_opens_sessions_its_end_ends_them() -> None:
    world = World()
    world.identity.identified = replace(a_pass("p1", 30), outlived=True)
    assert (await world.logged_in()).gate.deadline == 1030.0


async def test_a_pass_that_ends_ends_the_session_unless_another_was_shown() -> None:
    world = World()
    talk = await proven(world, a_pass("p1", 30))
    world.identity.others[b"second"] = a_pass("p2", 90)
    assert isinstance(await talk.answered(2, Proof(b"second")), Admit)
    world.now += 31
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Allow)
    assert talk.ended == []
    world.now += 60
    assert isinstance(talk.ask(4, a_statement("select 2"))[0], Unproven)


# ── another proof ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_another_proof_of_the_same_principal_goes_on_and_its_end_is_watched() -> None:
    world = World()
    talk = await proven(world, a_token(good_for=30))
    world.identity.others[b"fresh"] = a_token(good_for=100, jti="2")
    assert await talk.answered(2, Proof(b"fresh")) == Admit(Credential("app", b"upstream-secret"), "shop-ci/s1")
    admitted = [event for event in talk.record.events if isinstance(event, LoginAdmitted)]
    assert [event.claims["jti"] for event in admitted] == ["1", "2"]
    world.now += 40
    assert isinstance(await talk.answered(3, a_statement("select 1")), Allow)
    world.now += 60
    assert isinstance(await talk.answered(4, a_statement("select 1")), Unproven)


async def test_an_older_proof_shortens_what_it_comes_with() -> None:
    world = World()
    talk = await proven(world, a_token(good_for=300))
    world.identity.others[b"older"] = a_token(good_for=10, jti="0")
    await talk.answered(2, Proof(b"older"))
    world.now += 10
    assert isinstance(await talk.answered(3, a_statement("select 1")), Unproven)


@pytest.mark.parametrize(
    "other",
    [
        a_token("evil-ci"),
        replace(a_token(), principal=replace(an_agent(), subject="repo:fork")),
        replace(a_token(), principal=replace(an_agent(), groups=frozenset({"ci", "dba"}))),
        replace(a_token(), principal=replace(an_agent(), claims={"repository_id": "123", "ref": "refs/heads/x"})),
    ],
    ids=["another agent", "another subject", "other groups", "other claims"],
)
async def test_a_proof_that_is_another_principals_is_never_the_sessions(other: Identified) -> None:
    world = World()
    talk = await proven(world)
    world.identity.others[b"other"] = other
    assert await talk.answered(2, Proof(b"other")) == Stranger()
    assert talk.kinds() == ["SessionOpened", "LoginAsked", "LoginAdmitted"]
    assert world.meter.counts["admitted"] == 1
    world.now += 600
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Unproven)


async def test_a_proof_that_does_not_hold_is_refused_and_the_one_before_stands() -> None:
    world = World()
    talk = await proven(world)
    assert await talk.answered(2, Proof(b"forged")) == Deny("the token does not verify")
    assert isinstance(talk.record.events[-1], LoginRefused)
    assert "forged" not in repr(talk.record.events)
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Allow)


async def test_a_proof_from_before_a_containment_is_refused() -> None:
    world = World()
    talk = await proven(world)
    world.identity.others[b"stolen"] = a_token(jti="2")
    world.containment.worthless = "it is from before a containment"
    assert await talk.answered(2, Proof(b"stolen")) == Deny("it is from before a containment")


async def test_the_pass_that_was_shown_last_is_the_one_whose_revocation_ends_the_session() -> None:
    world = World()
    talk = await proven(world, a_pass("p1", 600))
    world.identity.others[b"second"] = a_pass("p2", 600)
    await talk.answered(2, Proof(b"second"))
    assert world.containment.live["s1"].pass_id == "p2"
    world.containment.live["s1"].end("revoked")
    assert talk.ended == ["revoked"]


async def test_a_refused_proof_leaves_the_pass_before_it_watched() -> None:
    world = World()
    talk = await proven(world, a_pass("p1", 600))
    world.identity.others[b"second"] = a_pass("p2", 600)
    world.policy.connect = world.policy.rulings["delete"]
    assert isinstance(await talk.answered(2, Proof(b"second")), Deny)
    assert world.containment.live["s1"].pass_id == "p1"


async def test_the_sessions_longest_time_counts_from_its_login() -> None:
    world = World()
    limited = replace(a_token(good_for=10_000), session_max=100.0)
    talk = await proven(world, limited)
    world.now += 60
    world.identity.others[b"fresh"] = replace(limited, good_for=20_000)
    await talk.answered(2, Proof(b"fresh"))
    assert talk.gate.deadline == 1100.0
    world.now += 40
    assert isinstance(await talk.answered(3, a_statement("select 1")), Deny)


async def test_after_a_refused_login_another_one_may_be_tried_but_not_after_an_admitted_one() -> None:
    world = World()
    world.identity.identified = a_token()
    talk = world.open(proves_each=True)
    assert isinstance(await talk.log_in(a_login(b"forged")), Deny)
    assert isinstance(await talk.log_in(a_login(), 2), Admit)
    assert isinstance(await talk.log_in(a_login(), 3), Deny)


async def test_refused_logins_take_no_place_of_a_session() -> None:
    world = World()
    world.identity.identified = replace(a_token(), max_sessions=2)
    world.identity.others[b"another"] = replace(a_token("another"), max_sessions=1)
    world.policy.connect = DENY
    talk = world.open("a", proves_each=True)
    await talk.log_in(a_login(b"another"), 1)
    for number in range(2, 6):
        assert isinstance(await talk.log_in(number=number), Deny)
    world.policy.connect = ALLOW
    assert [type(await world.open(name, proves_each=True).log_in()) for name in "bcd"] == [Admit, Admit, Deny]
    assert isinstance(await world.open("e", proves_each=True).log_in(a_login(b"another")), Admit)
    talk.gate.closed("left")
    assert isinstance(await world.open("f", proves_each=True).log_in(), Deny)


async def test_after_a_login_that_was_broken_off_nobody_else_can_be_admitted_under_its_record() -> None:
    world = World()
    world.identity.identified = replace(a_token(), max_sessions=1)
    world.identity.others[b"another"] = a_token("another")
    world.recorder.slow = True
    talk = world.open("a", proves_each=True)
    talk.ask(1, a_login())
    await settle()
    world.recorder.settle()  # the ask is durable; who was admitted is not yet
    await settle()
    assert talk.kinds()[-1] == "LoginAdmitted"
    talk.gate.withdraw(Withdraw(1))
    await settle()
    world.recorder.slow = False
    assert isinstance(await talk.log_in(a_login(b"another"), 2), Deny)
    assert talk.of(1) == []
    assert talk.kinds().count("LoginAdmitted") == 1
    assert isinstance(await world.open("b", proves_each=True).log_in(), Admit)


@pytest.mark.parametrize("question", [Proof(b"good"), Renewal()], ids=["proof", "renewal"])
@pytest.mark.parametrize("proves_each", [True, False])
async def test_before_a_login_there_is_nothing_to_go_on_with(question: Proof | Renewal, *, proves_each: bool) -> None:
    world = World()
    (answer,) = world.open(proves_each=proves_each).ask(1, question)
    assert isinstance(answer, Deny)
    assert world.vault.renewed == []


@pytest.mark.parametrize("question", [Proof(b"good"), Renewal(), a_login()], ids=["proof", "renewal", "login"])
async def test_where_a_client_proves_itself_once_it_cannot_do_so_again(question: Login | Proof | Renewal) -> None:
    talk = await World().logged_in()
    assert isinstance(talk.ask(2, question)[0], Deny)


async def test_a_withdrawn_proof_is_not_answered_and_changes_nothing() -> None:
    world = World()
    talk = await proven(world)
    world.identity.wait = asyncio.Event()
    talk.ask(2, Proof(b"good"))
    talk.gate.withdraw(Withdraw(2))
    world.identity.wait.set()
    await settle()
    assert talk.of(2) == []
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Allow)


# ── the credential changes ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_credential_that_was_rotated_comes_with_an_answer_within_a_minute() -> None:
    world = World()
    talk = await proven(world)
    world.vault.secret = b"rotated"
    assert allowed(talk.ask(2, a_statement("select 1"))[0]).upstream is None
    world.now += 61
    answer = allowed(await talk.answered(3, a_statement("select 1")))
    assert answer.upstream == Credential("app", b"rotated")
    assert answer.standing is None
    assert allowed(talk.ask(4, a_statement("select 1"))[0]).upstream is None
    assert world.vault.asked == 2


async def test_a_standing_answer_is_asked_whole_when_the_credential_may_have_changed() -> None:
    world = World()
    talk = await proven(world)
    standing = allowed(talk.ask(2, a_statement("select 1"))[0]).standing
    assert standing is not None
    world.now += 61
    world.vault.secret = b"rotated"
    assert talk.ask(3, Repeat(standing)) == [AskWhole()]
    assert allowed(await talk.answered(4, a_statement("select 1"))).upstream == Credential("app", b"rotated")
    assert isinstance(talk.ask(5, Repeat(standing))[0], Allow)


async def test_a_changed_credential_stays_due_until_an_allowed_statement_brings_it() -> None:
    world = World()
    talk = await proven(world)
    world.now += 61
    world.vault.secret = b"rotated"
    assert isinstance(await talk.answered(2, a_statement("delete orders")), Deny)
    assert allowed(talk.ask(3, a_statement("select 1"))[0]).upstream == Credential("app", b"rotated")


async def test_without_a_credential_nothing_is_sent_and_it_may_be_tried_again() -> None:
    world = World()
    talk = await proven(world)
    world.now += 61
    world.vault.error = CredentialUnavailable("the vault is shut: secret file")
    answer = await talk.answered(2, a_statement("select 1"))
    assert isinstance(answer, Deny)
    assert answer.fault
    assert "secret file" not in answer.reason
    assert talk.kinds()[-3:] == ["StatementAsked", "StatementRuled", "StatementRefused"]
    assert world.policy.asked == []
    world.vault.error = None
    assert isinstance(await talk.answered(3, a_statement("select 1")), Allow)


async def test_a_statement_that_waits_for_its_credential_can_be_withdrawn() -> None:
    world = World()
    talk = await proven(world)
    world.now += 61
    world.vault.wait = asyncio.Event()
    talk.ask(2, a_statement("select 1"))
    await settle()
    talk.gate.withdraw(Withdraw(2))
    world.vault.wait.set()
    await settle()
    assert talk.of(2) == []
    assert talk.kinds()[-2:] == ["StatementAsked", "StatementWithdrawn"]


async def test_containment_while_a_statement_waits_for_its_credential_denies_it() -> None:
    world = World()
    talk = await proven(world)
    world.now += 61
    world.vault.wait = asyncio.Event()
    talk.ask(2, a_statement("select 1"))
    await settle()
    world.containment.reason = "agent shop-ci is contained"
    world.vault.wait.set()
    await settle()
    assert talk.of(2) == [Deny("agent shop-ci is contained")]


async def test_an_approved_statement_is_sent_with_the_credential_of_then_and_outlives_its_proof() -> None:
    world = World()
    talk = await proven(world, a_token(good_for=30))
    talk.ask(2, a_statement("hold this"))
    await settle()
    world.now += 61
    world.vault.secret = b"rotated"
    world.approvals.say(2, Verdict(approved=True, by=("ana",)))
    await settle()
    assert allowed(talk.of(2)[-1]).upstream == Credential("app", b"rotated")
    assert isinstance(talk.ask(3, a_statement("select 1"))[0], Unproven)


async def test_an_approved_statement_without_a_credential_is_refused() -> None:
    world = World()
    talk = await proven(world)
    talk.ask(2, a_statement("hold this"))
    await settle()
    world.now += 61
    world.vault.error = CredentialUnavailable("the vault is shut")
    world.approvals.say(2, Verdict(approved=True, by=("ana",)))
    await settle()
    assert isinstance(talk.of(2)[-1], Deny)
    assert [type(event).__name__ for event in talk.record.events[-3:]] == [
        "HoldEnded",
        "StatementRuled",
        "StatementRefused",
    ]
    assert isinstance(talk.record.events[-1], StatementRefused)


async def test_what_the_resource_refuses_is_renewed_with_the_claims_that_it_asks_for() -> None:
    world = World()
    talk = await proven(world)
    before = talk.gate.keeper
    answer = await talk.answered(2, Renewal('{"access_token": {}}'))
    assert answer == Admit(Credential("app", b"upstream-secret+"), "shop-ci/s1")
    assert world.vault.renewed == ['{"access_token": {}}']
    assert allowed(talk.ask(3, a_statement("select 1"))[0]).upstream is None
    assert talk.gate.keeper != before


async def test_a_renewal_that_cannot_be_had_is_told_without_its_source() -> None:
    world = World()
    talk = await proven(world)
    world.vault.error = CredentialUnavailable("client secret in /etc/secret has expired")
    answer = await talk.answered(2, Renewal())
    assert isinstance(answer, Deny)
    assert "/etc/secret" not in answer.reason


async def test_nothing_is_answered_after_the_session_has_ended() -> None:
    world = World()
    talk = await proven(world)
    world.now += 61
    world.vault.wait = asyncio.Event()
    talk.ask(2, a_statement("select 1"))
    talk.ask(3, Proof(b"good"))
    await settle()
    talk.gate.closed("the client left")
    world.vault.wait.set()
    await settle()
    assert talk.of(2) == []
    assert talk.of(3) == []
    assert talk.kinds()[-3:] == ["StatementAsked", "StatementWithdrawn", "SessionClosed"]
