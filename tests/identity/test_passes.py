"""Passes: given once for a token, good for one resource, and never more than their agent is today."""

from __future__ import annotations

import asyncio
import base64
import re
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.identity.conftest import HERE, OTHER, PG, MakeIdentity, an_agent, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, base64url, ec_key

from blastwall.config.model import PassSettings
from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity import IssuedPass, OidcIdentity, Unavailable
from blastwall.store.database import Store

ELSEWHERE = ip_address("203.0.113.9")


async def exchange(
    identity: OidcIdentity, token: bytes, resource: str = "pg-prod", source: IPAddress = HERE
) -> IssuedPass:
    claimant = await identity.verify(token, source)
    return await identity.issue(claimant, resource)


async def use(identity: OidcIdentity, issued: IssuedPass, source: IPAddress = HERE) -> str:
    found = await identity.identify(issued.secret.encode(), PG, source)
    return found.principal.name


async def test_a_pass_is_its_agent(identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock) -> None:
    token = issuer.token()
    by_token = await identity.identify(token, PG, HERE)
    issued = await exchange(identity, token)
    found = await identity.identify(issued.secret.encode(), PG, HERE)
    assert found.principal == by_token.principal
    assert found.proof == "pass"
    assert found.pass_id == issued.id
    assert found.lasts == found.good_for == issued.ends - clock() == 600


async def test_its_form(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    assert re.fullmatch(r"bwp_[0-9A-Za-z]{40}", issued.secret)
    assert issued.secret not in repr(issued)
    assert issued.id not in issued.secret
    assert (await exchange(identity, issuer.token())).secret != issued.secret


@pytest.mark.parametrize(("lifetime", "expected"), [("5m", 300), ("1h", 600)])
async def test_it_lives_no_longer_than_configured_nor_than_its_token(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, clock: Clock, lifetime: str, expected: int
) -> None:
    identity = make_identity(passes=PassSettings.model_validate({"lifetime": lifetime}))
    issued = await exchange(identity, issuer.token())
    assert issued.lifetime == expected
    clock.at += expected - 1
    assert await use(identity, issued) == "shop-ci"
    clock.at += 1
    with pytest.raises(Refusal, match="has ended"):
        await use(identity, issued)


@pytest.mark.parametrize("jump", [-7200.0, -86_400.0])
async def test_a_wall_clock_set_back_makes_no_ended_pass_good(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock, jump: float
) -> None:
    issued = await exchange(identity, issuer.token())
    clock.jump = jump
    clock.at += 599
    assert (await identity.identify(issued.secret.encode(), PG, HERE)).lasts == 1
    clock.at += 1
    with pytest.raises(Refusal, match="has ended"):
        await use(identity, issued)


async def test_a_token_in_its_skew_gives_no_pass(identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock) -> None:
    token = issuer.token()
    clock.at += 605
    with pytest.raises(Refusal, match="has expired"):
        await exchange(identity, token)


async def test_it_is_for_one_resource(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    with pytest.raises(Refusal) as caught:
        await identity.identify(issued.secret.encode(), OTHER, HERE)
    assert "pg-prod" not in caught.value.told


async def test_the_state_holds_no_pass_and_no_token(
    identity: OidcIdentity, issuer: LoopbackIssuer, store: Store, tmp_path: Path
) -> None:
    token = issuer.token(email="ana@acme.example", name="Ana Anders")
    issued = await exchange(identity, token)
    await identity.give_back(issued.secret.encode())
    for file in (tmp_path / "state").iterdir():
        content = file.read_bytes()
        for secret in (issued.secret, issued.secret[4:], token.decode(), token.decode().rpartition(".")[2]):
            assert secret.encode() not in content
        assert b"ana@acme" not in content
        assert b"Anders" not in content


async def test_what_is_no_pass(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    secret = issued.secret.encode()
    for proof in (
        b"bwp_",
        b"bwp_" + b"0" * 40,
        secret[:-1],
        secret + b"0",
        secret + b"\0",
        b"bwp_\xff",
        secret.upper(),
    ):
        with pytest.raises(Refusal):
            await identity.identify(proof, PG, HERE)


async def test_a_pass_is_no_proof_at_the_exchange(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    with pytest.raises(Refusal, match="neither a signed JWT"):
        await identity.verify(issued.secret.encode(), HERE)


# ── exchanging again ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_token_gives_one_pass_a_resource(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    token = issuer.token()
    first = await exchange(identity, token)
    with pytest.raises(Refusal, match="still works") as caught:
        await exchange(identity, token)
    assert "works for another 600 s" in caught.value.told
    assert await exchange(identity, token, "pg-other")
    assert await use(identity, first) == "shop-ci"


async def test_a_token_may_renew_a_pass_that_ended(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    identity = make_identity(passes=PassSettings.model_validate({"lifetime": "1m"}))
    token = issuer.token()
    await exchange(identity, token)
    clock.at += 60
    second = await exchange(identity, token)
    assert await identity.give_back(second.secret.encode())
    assert await exchange(identity, token)


async def test_a_token_copied_to_another_machine_gives_nothing(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    await exchange(identity, token)
    for resource in ("pg-prod", "pg-other"):
        with pytest.raises(Refusal, match="another address") as caught:
            await exchange(identity, token, resource, ELSEWHERE)
        assert str(HERE) not in caught.value.told


async def test_the_same_machine_over_ipv6(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    await exchange(identity, token, "pg-prod", ip_address("10.0.0.1"))
    assert await exchange(identity, token, "pg-other", ip_address("::ffff:10.0.0.1"))


async def test_exchanges_at_the_same_moment_have_one_winner(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    claimant = await identity.verify(token, HERE)
    results = await asyncio.gather(*(identity.issue(claimant, "pg-prod") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, IssuedPass) for result in results) == 1
    assert sum(isinstance(result, Refusal) for result in results) == 7


@pytest.mark.parametrize("claims", [{"jti": None, "uti": "entra"}, {"jti": None}, {"jti": ""}, {"jti": 7}])
async def test_a_token_is_known_again_by_uti_or_by_itself(
    identity: OidcIdentity, issuer: LoopbackIssuer, claims: dict[str, object]
) -> None:
    token = issuer.keys[0].sign(issuer.claims(**claims))
    await exchange(identity, token)
    with pytest.raises(Refusal, match="still works"):
        await exchange(identity, token)
    assert await exchange(identity, issuer.token(jti=None, uti="another"))


async def test_an_ecdsa_signatures_second_form_is_the_same_token(
    make_identity: MakeIdentity, issuer: LoopbackIssuer
) -> None:
    issuer.keys = [ec_key()]
    identity = make_identity([an_issuer(issuer.url, algorithms=["ES256"])])
    token = issuer.token(jti=None)
    await exchange(identity, token)
    signed, _, signature = token.rpartition(b".")
    with pytest.raises(Refusal, match="still works"):
        await exchange(identity, signed + b"." + _other_form(signature))


def _other_form(signature: bytes) -> bytes:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    raw = base64.urlsafe_b64decode(signature + b"==")
    return base64url(raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32))


# ── revocation and changed configurations ────────────────────────────────────────────────────────────────────────────


async def test_a_pass_that_was_given_back(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    assert await identity.give_back(issued.secret.encode())
    assert not await identity.give_back(issued.secret.encode())
    assert not await identity.give_back(b"bwp_unknown")
    assert not await identity.give_back(issuer.token())
    with pytest.raises(Refusal, match="was revoked"):
        await use(identity, issued)


async def test_a_pass_follows_its_agents_groups(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    identity.reconfigure([an_issuer(issuer.url)], [an_agent(groups=["readers"], session_max="1h")], [], PassSettings())
    found = await identity.identify(issued.secret.encode(), PG, HERE)
    assert found.principal.groups == {"readers"}
    assert found.session_max == 3600


async def test_a_pass_ends_with_what_it_relied_on(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await exchange(identity, issuer.token())
    good = an_issuer(issuer.url)
    for issuers, agents in (
        ([good], [an_agent(name="other")]),
        ([good], [an_agent(match={"repository_id": "123", "ref": "refs/heads/release"})]),
        ([good], [an_agent(), an_agent(name="second", match={"ref": "glob:*"})]),
        ([an_issuer(issuer.url, audience="other")], [an_agent()]),
        ([an_issuer("https://other.example")], [an_agent()]),
        ([an_issuer(issuer.url, name="renamed")], [an_agent(issuer="renamed")]),
    ):
        identity.reconfigure(issuers, agents, [], PassSettings())
        with pytest.raises(Refusal, match="configuration has changed"):
            await use(identity, issued)
    identity.reconfigure([good], [an_agent()], [], PassSettings())
    assert await use(identity, issued) == "shop-ci"


async def test_networks_bind_passes_at_each_use(make_identity: MakeIdentity, issuer: LoopbackIssuer) -> None:
    identity = make_identity(agents=[an_agent(networks=["127.0.0.0/8", "10.20.0.0/16"])])
    issued = await exchange(identity, issuer.token())
    assert await use(identity, issued, ip_address("::ffff:10.20.0.1")) == "shop-ci"
    with pytest.raises(Refusal, match="outside its `networks`") as caught:
        await use(identity, issued, ELSEWHERE)
    assert "10.20" not in caught.value.told


async def test_a_state_that_cannot_be_read_is_nobodys_fault(
    identity: OidcIdentity, issuer: LoopbackIssuer, store: Store
) -> None:
    issued = await exchange(identity, issuer.token())
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE passes RENAME TO gone")
    with pytest.raises(Unavailable) as caught:
        await use(identity, issued)
    assert "gone" not in caught.value.told
    assert issued.secret not in str(caught.value)
    with pytest.raises(Unavailable):
        await exchange(identity, issuer.token())


async def test_a_claimant_shows_no_secret(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    claimant = await identity.verify(token, HERE)
    assert "Verified(" not in repr(claimant)
    assert token.decode() not in repr(claimant) + repr(claimant.verified)
