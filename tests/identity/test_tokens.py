"""What a thief might send for a token, and what an honest issuer sends."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.identity.conftest import HERE, PG, MakeIdentity, an_agent, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, base64url, ec_key, ed_key, jwks, rsa_key

from blastwall.gate.ports import Refusal
from blastwall.identity import OidcIdentity, Unavailable


async def refused(identity: OidcIdentity, token: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await identity.identify(token, PG, HERE)
    return caught.value


async def test_a_good_token_is_its_agent(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    found = await identity.identify(issuer.token(), PG, HERE)
    assert found.proof == "token"
    assert found.lasts is None
    assert found.pass_id is None
    assert found.principal.name == "shop-ci"
    assert found.principal.issuer == "github"
    assert found.principal.subject == "repo:acme/shop:ref:refs/heads/main"
    assert found.principal.groups == {"ci"}
    assert found.principal.claims["repository_id"] == "123"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"iss": "https://evil.example"}, "is not configured"),
        ({"iss": None}, "is not configured"),
        ({"iss": ["a"]}, "is not configured"),
        ({"aud": "https://other.example"}, "was made for the audience"),
        ({"aud": None}, "was made for the audience"),
        ({"aud": "Blastwall"}, "was made for the audience"),
        ({"aud": ["blastwall", "other"]}, "was made for the audience"),
        ({"aud": []}, "was made for the audience"),
        ({"exp": None}, "`exp` is missing"),
        ({"exp": "1999999999"}, "`exp` is missing or no time"),
        ({"exp": True}, "`exp` is missing or no time"),
        ({"exp": 1e300}, "`exp` is missing or no time"),
        ({"iat": None}, "`iat` is missing"),
        ({"nbf": "soon"}, "`nbf` is missing or no time"),
        ({"sub": None}, "no `sub`"),
        ({"sub": ""}, "no `sub`"),
        ({"sub": 7}, "no `sub`"),
    ],
)
async def test_claims_that_do_not_hold(
    identity: OidcIdentity, issuer: LoopbackIssuer, claims: dict[str, object], told: str
) -> None:
    signed = issuer.claims()
    for name, value in claims.items():
        signed.pop(name) if value is None else signed.update({name: value})
    payload = json.dumps(signed).encode()
    token = rsa_key().sign_raw(b'{"alg":"RS256","kid":"rsa-1"}', payload)
    assert told in (await refused(identity, token)).told


async def test_an_audience_list_of_ours_alone_holds(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    assert (await identity.identify(issuer.token(aud=["blastwall"]), PG, HERE)).principal.name == "shop-ci"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"crit": ["exp"]}, "extensions"),
        ({"typ": "logout+jwt"}, "`typ`"),
        ({"typ": "dpop+jwt"}, "`typ`"),
        ({"kid": "other"}, "unknown to its issuer"),
    ],
)
async def test_headers_that_do_not_hold(
    identity: OidcIdentity, issuer: LoopbackIssuer, header: dict[str, object], told: str
) -> None:
    head = json.dumps({"alg": "RS256", "kid": "rsa-1", **header}).encode()
    token = rsa_key().sign_raw(head, json.dumps(issuer.claims()).encode())
    assert told in (await refused(identity, token)).told


async def test_an_access_token_type_holds(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    assert (await identity.identify(issuer.token(header={"typ": "at+jwt"}), PG, HERE)).principal.name == "shop-ci"


async def test_without_kid_only_where_one_key_fits(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    token = issuer.token(header={"kid": None})
    assert "kid" not in jwt.get_unverified_header(token.decode())
    assert (await identity.identify(token, PG, HERE)).principal.name == "shop-ci"
    issuer.keys.append(rsa_key("rsa-2"))
    clock.at += 1000
    assert "unknown to its issuer" in (await refused(identity, issuer.token(header={"kid": None}))).told


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
async def test_unsigned_tokens(identity: OidcIdentity, issuer: LoopbackIssuer, algorithm: str) -> None:
    head = base64url(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode())
    body = base64url(json.dumps(issuer.claims()).encode())
    assert "no token" in (await refused(identity, head + b"." + body + b".")).told
    assert "algorithm" in (await refused(identity, head + b"." + body + b".AAAA")).told


async def test_the_public_key_as_hmac_secret(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    public = rsa_key().private.public_key()
    for encoding, form in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    ):
        secret = public.public_bytes(encoding, form)
        head = base64url(json.dumps({"alg": "HS256", "kid": "rsa-1"}).encode())
        body = base64url(json.dumps(issuer.claims()).encode())
        mac = base64url(hmac.new(secret, head + b"." + body, sha256).digest())
        assert "algorithm HS256" in (await refused(identity, head + b"." + body + b"." + mac)).told


async def test_keys_carried_by_the_token_are_not_read(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    thief = rsa_key("thief")
    for header in (
        {"kid": "rsa-1", "jwk": thief.jwk()},
        {"kid": "rsa-1", "jku": f"{issuer.url}/thief"},
        {"kid": "rsa-1", "x5u": f"{issuer.url}/thief"},
        {"kid": "rsa-1", "x5c": ["AAAA"]},
    ):
        refusal = await refused(identity, thief.sign(issuer.claims(), header))
        assert "no key of its issuer verifies its signature" in refusal.told
    assert "/thief" not in issuer.requests


async def test_another_issuers_key_does_not_sign_for_this_one(
    make_identity: MakeIdentity, issuer: LoopbackIssuer
) -> None:
    issuer.keys = [rsa_key(), ec_key()]
    identity = make_identity()
    assert "algorithm ES256" in (await refused(identity, issuer.token(key=ec_key()))).told


@pytest.mark.parametrize("key", [ec_key(), ed_key()], ids=["ES256", "EdDSA"])
async def test_algorithms_that_an_issuer_lists(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, key: object
) -> None:
    issuer.keys = [ec_key(), ed_key()]
    identity = make_identity([an_issuer(issuer.url, algorithms=["ES256", "EdDSA"])])
    signer = next(each for each in issuer.keys if each is key)
    assert (await identity.identify(issuer.token(key=signer), PG, HERE)).principal.name == "shop-ci"


async def test_an_algorithm_on_a_key_of_another_type(make_identity: MakeIdentity, issuer: LoopbackIssuer) -> None:
    identity = make_identity([an_issuer(issuer.url, algorithms=["RS256", "ES256"])])
    token = ec_key().sign(issuer.claims(), {"kid": "rsa-1"})
    assert "unknown to its issuer" in (await refused(identity, token)).told


async def test_time(identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock) -> None:
    token = issuer.token()
    clock.at += 600 + 29
    assert await identity.identify(token, PG, HERE)
    clock.at += 1
    assert "expired" in (await refused(identity, token)).told
    assert "not valid yet" in (await refused(identity, issuer.token(nbf=int(clock()) + 31))).told
    assert (
        "not valid yet"
        in (await refused(identity, issuer.token(iat=int(clock()) + 31, nbf=None, exp=int(clock()) + 600))).told
    )
    assert await identity.identify(issuer.token(nbf=int(clock()) + 29), PG, HERE)


async def test_a_wall_clock_set_back_makes_no_expired_token_good_and_refuses_no_fresh_one(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    stolen = issuer.token()
    clock.at += 7200
    assert await identity.identify(issuer.token(), PG, HERE)
    clock.jump = -7200.0
    assert "expired" in (await refused(identity, stolen)).told
    assert await identity.identify(issuer.token(), PG, HERE)
    clock.at += 600
    assert await identity.identify(issuer.token(), PG, HERE)


async def test_a_wall_clock_that_was_ahead_refuses_nobody_once_it_is_right(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    """Neither by itself, nor by the token of an issuer whose clock was ahead with it."""
    identity = make_identity([an_issuer(issuer.url, max_lifetime="1d")])
    clock.jump = 7200.0
    assert await identity.identify(issuer.token(exp=int(clock()) + 80_000), PG, HERE)
    clock.jump = 0.0
    assert await identity.identify(issuer.token(), PG, HERE)
    assert await identity.identify(issuer.token(iat=int(clock()) + 29, nbf=None), PG, HERE)
    assert "not valid yet" in (await refused(identity, issuer.token(nbf=int(clock()) + 40))).told


async def test_a_lifetime_over_the_cap(make_identity: MakeIdentity, issuer: LoopbackIssuer, clock: Clock) -> None:
    identity = make_identity([an_issuer(issuer.url, max_lifetime="10m")])
    now = int(clock())
    assert await identity.identify(issuer.token(exp=now + 600), PG, HERE)
    assert "lives longer" in (await refused(identity, issuer.token(exp=now + 601))).told
    assert "lives longer" in (await refused(identity, issuer.token(iat=now, nbf=now, exp=now))).told


async def test_size_is_capped_before_anything_is_read(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    assert "longer than" in (await refused(identity, issuer.token(padding="x" * 20_000))).told
    assert not issuer.requests


async def test_a_name_twice_in_a_header_or_in_claims(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    body = json.dumps(issuer.claims()).encode()
    twice = body[:-1] + b',"aud":"blastwall"}'
    for header, claims in ((b'{"alg":"RS256","kid":"rsa-1"}', twice), (b'{"alg":"none","alg":"RS256"}', body)):
        assert "a name stands twice" in (await refused(identity, rsa_key().sign_raw(header, claims))).told


async def test_two_issuers_of_one_url_are_told_apart_by_audience(
    make_identity: MakeIdentity, issuer: LoopbackIssuer
) -> None:
    identity = make_identity(
        [an_issuer(issuer.url), an_issuer(issuer.url, name="second", audience="other")],
        [an_agent(), an_agent(name="other-ci", issuer="second")],
    )
    assert (await identity.identify(issuer.token(), PG, HERE)).principal.name == "shop-ci"
    assert (await identity.identify(issuer.token(aud="other"), PG, HERE)).principal.name == "other-ci"
    assert "audience" in (await refused(identity, issuer.token(aud=["blastwall", "other"]))).told
    assert issuer.fetched() == 1


async def test_a_changed_byte_anywhere_is_refused(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    assert await identity.identify(token, PG, HERE)
    for position in range(0, len(token), 7):
        changed = bytearray(token)
        changed[position] = ord("A") if changed[position] != ord("A") else ord("B")
        await refused(identity, bytes(changed))


@given(st.binary(max_size=200) | st.from_regex(rb"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,10}"))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
async def test_junk_is_refused_and_never_repeated(identity: OidcIdentity, junk: bytes) -> None:
    refusal = await refused(identity, junk)
    assert len(junk) < 12 or junk.decode("latin-1") not in refusal.told + str(refusal)


async def test_keys_that_cannot_be_had_are_nobodys_fault(identity: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issuer.down = True
    refusal = await refused(identity, issuer.token())
    assert isinstance(refusal, Unavailable)
    assert "try again" in refusal.told
    assert issuer.url not in refusal.told
    assert "503" in str(refusal)


async def test_a_shared_key_signs_only_for_the_tenant_of_its_template(
    make_identity: MakeIdentity, tmp_path: Path, clock: Clock
) -> None:
    """Entra's common keys: the template's tenant must be the token's, and the token's that of `iss`."""
    tenant = "11111111-2222-3333-4444-555555555555"
    url = f"https://login.microsoftonline.com/{tenant}/v2.0"
    path = tmp_path / "keys.json"
    own = rsa_key().jwk(issuer="https://login.microsoftonline.com/{tenantid}/v2.0")
    foreign = rsa_key("rsa-2").jwk(issuer="https://login.microsoftonline.com/9999/v2.0")
    path.write_text(jwks(own, foreign))
    identity = make_identity([an_issuer(url, jwks=f"file:{path}")], [an_agent(match={"oid": "7"})])
    claims = {**LoopbackIssuer(clock, url).claims(), "tid": tenant, "oid": "7"}
    assert (await identity.identify(rsa_key().sign(claims), PG, HERE)).principal.name == "shop-ci"
    assert "unknown" in (await refused(identity, rsa_key("rsa-2").sign(claims))).told
    other = {**claims, "tid": "99999999-2222-3333-4444-555555555555"}
    assert "unknown" in (await refused(identity, rsa_key().sign(other))).told


@pytest.mark.parametrize("change", [{"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "RS512"}, {"d": "AAAA"}])
async def test_a_key_that_is_for_something_else_or_burnt(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, change: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(jwks(rsa_key().jwk(**change), ec_key().jwk()))
    identity = make_identity([an_issuer(issuer.url, jwks=f"file:{path}")])
    assert "unknown to its issuer" in (await refused(identity, issuer.token())).told


async def test_a_short_rsa_key_verifies_nothing(make_identity: MakeIdentity, issuer: LoopbackIssuer) -> None:
    issuer.keys = [rsa_key("short", 1024), ec_key()]
    identity = make_identity()
    token = rsa_key("short", 1024).sign_raw(b'{"alg":"RS256","kid":"short"}', json.dumps(issuer.claims()).encode())
    assert "unknown" in (await refused(identity, token)).told
