"""Which agent or user a token is, from where, and what is remembered."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.identity.conftest import HERE, PG, MakeIdentity, a_user, an_agent, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, rsa_key

from blastwall.config.model import PassSettings
from blastwall.gate.ports import Refusal
from blastwall.identity import OidcIdentity, UnusableMatch
from blastwall.identity.directory import Directory
from blastwall.model.principal import PrincipalKind


async def test_a_token_that_matches_nobody_tells_its_owner_only_of_itself(
    make_identity: MakeIdentity, issuer: LoopbackIssuer
) -> None:
    identity = make_identity(agents=[an_agent(name="secret-agent", match={"repository_id": "999"})])
    with pytest.raises(Refusal) as caught:
        await identity.identify(issuer.token(), PG, HERE)
    assert "matches no configured agent" in caught.value.told
    assert "repo:acme/shop:ref:refs/heads/main" in caught.value.told
    for hidden in ("secret-agent", "999", "repository_id", "github"):
        assert hidden not in caught.value.told
    assert "repository_id=123" in str(caught.value)


async def test_a_token_that_matches_several_is_refused(make_identity: MakeIdentity, issuer: LoopbackIssuer) -> None:
    for agents, users in (
        ([an_agent(), an_agent(name="second", match={"ref": "glob:refs/*"})], []),
        ([an_agent()], [a_user(match={"ref": "refs/heads/main"})]),
    ):
        identity = make_identity(agents=agents, users=users)
        with pytest.raises(Refusal, match="matches several: agent shop-ci, ") as caught:
            await identity.identify(issuer.token(), PG, HERE)
        assert "more than one" in caught.value.told
        assert "shop-ci" not in caught.value.told


async def test_an_agent_of_another_issuer_is_not_matched(make_identity: MakeIdentity, issuer: LoopbackIssuer) -> None:
    issuers = [an_issuer(issuer.url), an_issuer("https://other.example", name="other")]
    identity = make_identity(issuers, [an_agent(issuer="other")])
    with pytest.raises(Refusal, match="matches no agent"):
        await identity.identify(issuer.token(), PG, HERE)


async def test_a_user_is_a_user(make_identity: MakeIdentity, issuer: LoopbackIssuer) -> None:
    identity = make_identity(users=[a_user()])
    token = issuer.token(oid="5f1c", repository_id=None)
    principal = (await identity.identify(token, PG, HERE)).principal
    assert (principal.kind, principal.name, principal.groups) == (PrincipalKind.USER, "ana", frozenset({"dba"}))


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("10.20.255.255", True),
        ("::ffff:10.20.0.1", True),
        ("10.21.0.0", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::10.20.0.1", False),
    ],
)
async def test_networks(make_identity: MakeIdentity, issuer: LoopbackIssuer, source: str, accepted: bool) -> None:
    identity = make_identity(agents=[an_agent(networks=["10.20.0.0/16", "2001:db8::/32"])])
    if accepted:
        assert await identity.identify(issuer.token(), PG, ip_address(source))
    else:
        with pytest.raises(Refusal, match="outside its `networks`") as caught:
            await identity.identify(issuer.token(), PG, ip_address(source))
        assert "10.20.0.0" not in caught.value.told
        assert "shop-ci" not in caught.value.told


async def test_a_token_is_good_until_its_end_and_its_issuers_skew(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    identity = make_identity([an_issuer(issuer.url, skew="10s")])
    found = await identity.identify(issuer.token(exp=clock() + 300), PG, HERE)
    assert (found.good_for, found.lasts) == (310, None)


async def test_a_token_is_verified_once_while_it_and_its_key_last(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    token = issuer.token()
    first = await identity.verify(token, HERE)
    assert (await identity.verify(token, HERE)).verified is first.verified
    identity.reconfigure([an_issuer(issuer.url)], [an_agent()], [], PassSettings())
    assert (await identity.verify(token, HERE)).verified is not first.verified
    clock.at += 631
    with pytest.raises(Refusal, match="expired"):
        await identity.verify(token, HERE)
    assert not identity._remembered


async def test_the_memory_of_tokens_is_bounded(
    identity: OidcIdentity, issuer: LoopbackIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blastwall.identity.identity._REMEMBERED", 3)
    tokens = [issuer.token() for _ in range(5)]
    for token in tokens:
        await identity.verify(token, HERE)
    assert len(identity._remembered) == 3
    assert not any(token in bytes(repr(identity._remembered), "utf-8") for token in tokens)


async def test_a_remembered_token_obeys_a_new_configuration(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    assert await identity.identify(token, PG, HERE)
    identity.reconfigure([an_issuer(issuer.url)], [an_agent(match={"repository_id": "9"})], [], PassSettings())
    with pytest.raises(Refusal, match="matches no agent"):
        await identity.identify(token, PG, HERE)
    identity.reconfigure([an_issuer(issuer.url, audience="other")], [an_agent()], [], PassSettings())
    with pytest.raises(Refusal, match="audience"):
        await identity.identify(token, PG, HERE)


async def test_a_reload_keeps_the_keys(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    await identity.identify(issuer.token(), PG, HERE)
    identity.reconfigure([an_issuer(issuer.url, max_lifetime="1h")], [an_agent()], [], PassSettings())
    await identity.identify(issuer.token(), PG, HERE)
    assert issuer.fetched() == 1


async def test_a_bad_reload_changes_nothing(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    with pytest.raises(UnusableMatch, match="agent shop-ci: match: email"):
        identity.reconfigure([an_issuer(issuer.url)], [an_agent(match={"email": "a@b"})], [], PassSettings())
    assert await identity.identify(issuer.token(), PG, HERE)


@pytest.mark.parametrize(("claim", "value"), [("actor", "ana"), ("user_login", "ana"), ("actor_id", "glob:7*")])
def test_who_stands_behind_agents_is_told_by_what_is_kept_of_their_tokens(claim: str, value: str) -> None:
    """What is never found would let them approve what their own run asks for."""
    with pytest.raises(UnusableMatch, match=f"user .*: behind_agents: {claim}"):
        Directory([], [a_user().model_copy(update={"behind_agents": {claim: value}})])
    Directory([], [a_user().model_copy(update={"behind_agents": {"actor_id": "7"}})])


async def test_a_key_that_the_issuer_withdrew_ends_remembered_tokens(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    token = issuer.token(exp=int(clock()) + 7200)
    assert await identity.identify(token, PG, HERE)
    issuer.keys = [rsa_key("rsa-2")]
    clock.at += 901
    with pytest.raises(Refusal, match="unknown to its issuer"):
        await identity.identify(token, PG, HERE)


async def test_a_subject_cannot_write_into_messages(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token(repository_id="x", sub="a\r\nSet-Cookie: x\x1b[31m" + "é" * 500)
    with pytest.raises(Refusal) as caught:
        await identity.identify(token, PG, HERE)
    for text in (caught.value.told, str(caught.value)):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 700
