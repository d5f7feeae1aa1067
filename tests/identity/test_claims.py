"""The tokens that real issuers send, and what becomes of their claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.identity.conftest import HERE, PG, MakeIdentity, an_agent, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, jwks, rsa_key

from blastwall.gate.ports import Refusal
from blastwall.identity.claims import MUTABLE, flatten, identifying

TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
OID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
APP = "bbbbbbbb-cccc-dddd-eeee-ffffffffffff"

ENTRA_V1 = {
    "iss": f"https://sts.windows.net/{TENANT}/",
    "sub": OID,
    "oid": OID,
    "tid": TENANT,
    "appid": APP,
    "appidacr": "2",
    "idtyp": "app",
    "uti": "v1-uti",
    "ver": "1.0",
}
ENTRA_V2 = {
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "sub": OID,
    "oid": OID,
    "tid": TENANT,
    "azp": APP,
    "azpacr": "2",
    "idtyp": "app",
    "uti": "v2-uti",
    "ver": "2.0",
    "roles": ["db.read"],
}
GITHUB = {
    "iss": "https://token.actions.githubusercontent.com",
    "sub": "repo:acme/shop:ref:refs/heads/main",
    "repository": "acme/shop",
    "repository_id": "123",
    "repository_owner_id": "45",
    "ref": "refs/heads/main",
    "job_workflow_ref": "acme/shop/.github/workflows/ci.yml@refs/heads/main",
    "event_name": "push",
    "runner_environment": "github-hosted",
    "run_id": "77",
    "jti": "gh",
}
GITHUB_BY_ID = {**GITHUB, "sub": "repo:acme@45/shop@123:environment:prod%3Aeu", "environment": "prod:eu"}
DEVOPS_OLD = {
    "iss": f"https://vstoken.dev.azure.com/{TENANT}",
    "sub": "sc://acme/shop/pg-prod",
}
DEVOPS_NEW = {
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "sub": "/eid1/c/pub/t/ERERESIiMzNERFVVVVVVVQ/a/u7u7u8zM3d3u7v____8/sc/acme/pg-prod",
}
GITLAB = {
    "iss": "https://gitlab.acme.example",
    "sub": "project_path:acme/shop:ref_type:branch:ref:main",
    "project_id": "9",
    "project_path": "acme/shop",
    "namespace_id": "3",
    "namespace_path": "acme",
    "ref": "main",
    "ref_type": "branch",
    "ref_protected": "true",
    "user_email": "ana@acme.example",
}
KUBERNETES = {
    "iss": f"https://westeurope.oic.prod-aks.azure.com/{TENANT}/{OID}/",
    "sub": "system:serviceaccount:shop:ci",
    "kubernetes.io": {
        "namespace": "shop",
        "serviceaccount": {"name": "ci", "uid": OID},
        "pod": {"name": "ci-1", "uid": APP},
    },
}


@pytest.mark.parametrize(
    ("claims", "match", "tag"),
    [
        (ENTRA_V1, {"tid": TENANT, "oid": OID}, ("uti", "v1-uti")),
        (ENTRA_V1, {"appid": APP}, ("appid", APP)),
        (ENTRA_V2, {"tid": TENANT, "oid": OID}, ("oid", OID)),
        (ENTRA_V2, {"azp": APP, "roles": "db.read"}, ("azp", APP)),
        (GITHUB, {"repository_id": "123", "ref": "refs/heads/main"}, ("run_id", "77")),
        (GITHUB, {"sub": "glob:repo:acme/*:ref:refs/heads/*"}, ("repository", "acme/shop")),
        (GITHUB_BY_ID, {"sub": "repo:acme@45/shop@123:environment:prod%3Aeu"}, ("environment", "prod:eu")),
        (GITHUB_BY_ID, {"sub": r"regex:repo:acme@\d+/shop@123:.*", "event_name": "push"}, ("repository_id", "123")),
        (DEVOPS_OLD, {"sub": "sc://acme/shop/pg-prod"}, ("sub", "sc://acme/shop/pg-prod")),
        (DEVOPS_NEW, {"sub": "glob:/eid1/c/pub/t/*/a/*/sc/acme/pg-prod"}, ("sub", DEVOPS_NEW["sub"])),
        (GITLAB, {"project_id": "9", "ref_type": "branch", "ref_protected": "true"}, ("project_path", "acme/shop")),
        (KUBERNETES, {"sub": "system:serviceaccount:shop:ci"}, ("kubernetes.io/namespace", "shop")),
        (
            KUBERNETES,
            {"kubernetes.io/namespace": "shop", "kubernetes.io/serviceaccount/uid": OID},
            ("kubernetes.io/serviceaccount/name", "ci"),
        ),
    ],
)
async def test_each_issuers_tokens_are_matched(
    make_identity: MakeIdentity,
    tmp_path: Path,
    clock: Clock,
    claims: dict[str, object],
    match: dict[str, str],
    tag: tuple[str, str],
) -> None:
    (tmp_path / "keys.json").write_text(jwks(rsa_key().jwk()))
    url = str(claims["iss"])
    identity = make_identity([an_issuer(url, jwks=f"file:{tmp_path}/keys.json")], [an_agent(match=match)])
    token = rsa_key().sign(LoopbackIssuer(clock, url).claims(jti=None, repository_id=None, ref=None) | claims)
    principal = (await identity.identify(token, PG, HERE)).principal
    assert principal.name == "shop-ci"
    assert principal.claims[tag[0]] == tag[1]
    assert not MUTABLE & principal.claims.keys()


async def test_a_users_token_from_an_agents_application_is_not_the_agent(
    make_identity: MakeIdentity, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "keys.json").write_text(jwks(rsa_key().jwk()))
    url = str(ENTRA_V2["iss"])
    identity = make_identity([an_issuer(url, jwks=f"file:{tmp_path}/keys.json")], [an_agent(match={"azp": APP})])
    for kind in ("user", None):
        claims = LoopbackIssuer(clock, url).claims() | ENTRA_V2 | {"idtyp": kind}
        with pytest.raises(Refusal, match="matches no agent"):
            await identity.identify(rsa_key().sign(claims), PG, HERE)


async def test_a_token_that_names_another_tenant(make_identity: MakeIdentity, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "keys.json").write_text(jwks(rsa_key().jwk()))
    url = str(ENTRA_V2["iss"])
    identity = make_identity([an_issuer(url, jwks=f"file:{tmp_path}/keys.json")], [an_agent(match={"oid": OID})])
    for tenant in (OTHER_TENANT, "", 7, TENANT[:-1], "v2.0"):
        claims = LoopbackIssuer(clock, url).claims() | ENTRA_V2 | {"tid": tenant}
        with pytest.raises(Refusal, match="tenant"):
            await identity.identify(rsa_key().sign(claims), PG, HERE)


def test_values_become_texts() -> None:
    flat = flatten(
        {
            "text": "a",
            "yes": True,
            "no": False,
            "number": 42,
            "half": 0.5,
            "nothing": None,
            "object": {"a": "b"},
            "list": ["a", 1, True, None, ["b"], {"c": "d"}],
            "empty": [],
            "aud": "blastwall",
            "exp": 1,
        }
    )
    assert flat == {"text": ("a",), "yes": ("true",), "no": ("false",), "number": ("42",), "list": ("a", "1", "true")}


def test_an_object_outside_kubernetes_is_not_flattened() -> None:
    """Otherwise the claim `{"a": {"b": …}}` could imitate the claim `a/b`."""
    assert flatten({"kubernetes.io/namespace": "real", "other": {"namespace": "x"}}) == {
        "kubernetes.io/namespace": ("real",)
    }


def test_a_claim_with_several_texts_identifies_nobody() -> None:
    assert identifying({"sub": ("a",), "oid": ("x", "y")}) == {"sub": "a"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["sub", "email", "kubernetes.io", "x"]) | st.text(max_size=5), json_values))
def test_whatever_claims_hold_their_texts_are_texts(claims: dict[str, object]) -> None:
    flat = flatten(claims)
    assert all(isinstance(text, str) for texts in flat.values() for text in texts)
    assert all(flat.values())
    assert not MUTABLE & flat.keys()
