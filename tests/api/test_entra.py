"""The token endpoint as Microsoft's clients see it, and as a thief tries it."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_address
from typing import cast

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ClientAssertionCredential
from structlog.testing import capture_logs
from tests.api.conftest import ARM, TENANT, VAULT, Gateway
from tests.identity.conftest import HERE, OTHER, PG

from blastwall.api.entra import ASSERTION
from blastwall.containment import Kind
from blastwall.control.failures import BURST
from blastwall.gate.ports import Refusal
from blastwall.identity.logins import LoginKind

V2, V1 = f"/{TENANT}/oauth2/v2.0/token", f"/{TENANT}/oauth2/token"
MANAGEMENT = "https://management.azure.com/.default"


async def ask(
    gateway: Gateway, path: str = V2, changes: dict[str, str | None] | None = None, **more: str | None
) -> tuple[int, dict[str, object]]:
    """Post a good request with changes; None takes a field out."""
    changes = {**(changes or {}), **more}
    form: dict[str, str | None] = {
        "client_id": "whatever",
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": gateway.issuer.token().decode() if "client_assertion" not in changes else None,
        "scope": MANAGEMENT,
        **changes,
    }
    sent = {name: value for name, value in form.items() if value is not None}
    async with gateway.http.post(gateway.url + path, data=sent) as response:
        return response.status, await response.json()


def claims_of(answer: dict[str, object]) -> dict[str, object]:
    body = str(answer["access_token"]).split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


@pytest.fixture(autouse=True)
def permitted(gateway: Gateway) -> None:
    gateway.policy.permitted |= {ARM.name, VAULT.name}


# ── what Microsoft's clients do ──────────────────────────────────────────────────────────────────────────────────────


async def test_azure_identity_gets_one_and_prints_a_refusal(gateway: Gateway) -> None:
    token = gateway.issuer.token().decode()

    async def get(scope: str, assertion: str) -> str:
        async with ClientAssertionCredential(
            TENANT,
            "00000000-0000-0000-0000-000000000001",
            lambda: assertion,
            authority=gateway.url,
            disable_instance_discovery=True,
            connection_verify=str(gateway.ca),
        ) as credential:
            return (await credential.get_token(scope)).token

    secret = await get("https://vault.azure.net/.default", token)
    assert (await gateway.identity.identify(secret.encode(), VAULT, HERE)).principal.name == "shop-ci"
    with pytest.raises(ClientAuthenticationError, match=r"AADSTS700027: .*it expired"):
        await get(MANAGEMENT, gateway.issuer.token(exp=int(gateway.clock()) - 60).decode())


async def test_the_first_version_answers_in_text(gateway: Gateway) -> None:
    status, answer = await ask(gateway, V1, scope=None, resource="https://management.core.windows.net/")
    assert status == 200
    assert answer["resource"] == "https://management.core.windows.net/"
    assert int(str(answer["expires_on"])) == int(gateway.clock()) + 600
    assert claims_of(answer)["tid"] == TENANT


async def test_discovery_leads_to_the_keys_that_verify(gateway: Gateway) -> None:
    _, answer = await ask(gateway, "/common/oauth2/v2.0/token")
    async with gateway.http.get(f"{gateway.url}/{TENANT.upper()}/v2.0/.well-known/openid-configuration") as response:
        document = await response.json()
    assert document["issuer"] == claims_of(answer)["iss"] == f"{gateway.url}/{TENANT}/v2.0"
    assert document["token_endpoint"] == gateway.url + V2
    async with gateway.http.get(document["jwks_uri"]) as response:
        keys = await response.json()
    assert all("d" not in key for key in keys["keys"])
    (key,) = keys["keys"]
    assert jwt.PyJWS().decode(str(answer["access_token"]), jwt.PyJWK(key), algorithms=["ES256"])
    async with gateway.http.get(f"{gateway.url}/common/.well-known/openid-configuration") as response:
        assert (await response.json())["token_endpoint"] == gateway.url + V1
    async with gateway.http.get(f"{gateway.url}/common/discovery/instance?api-version=1.1") as response:
        found = await response.json()
    assert found["tenant_discovery_endpoint"].startswith(f"{gateway.url}/{TENANT}/")


# ── what is asked for ────────────────────────────────────────────────────────────────────────────────────────────────


STANDS_FOR: dict[str, tuple[list[str], list[str]]] = {
    "https://management.azure.com/.default": (["azure-arm"], []),
    "https://management.azure.com//.default": (["azure-arm"], []),
    "https://MANAGEMENT.core.windows.net//.default": (["azure-arm"], []),
    "https://arm.gw.example/.default": ([], ["arm"]),
    "https://arm.gw.example:8444/.default": ([], ["arm"]),
    "https://vault.gw.example/.default": ([], ["kv"]),
    "https://kv.vault.azure.net/.default": ([], ["kv"]),
    "https://localhost:15432/.default": ([], ["pg-prod"]),
    "blastwall:pg-prod": ([], ["pg-prod"]),
    "https://ossrdbms-aad.database.windows.net/.default": (["postgres"], []),
}


async def test_what_a_scope_stands_for(gateway: Gateway) -> None:
    for asked, expected in STANDS_FOR.items():
        status, answer = await ask(gateway, scope=asked)
        assert status == 200, asked
        given = claims_of(answer)["blastwall"]
        assert isinstance(given, dict)
        assert (given["kinds"], given["resources"]) == expected, asked


NOT_HERE = (
    "https://graph.microsoft.com/.default",
    "https://example/.default",
    "http://arm.gw.example/.default",
    "https://[/.default",
    "https://arm.gw.example.evil/.default",
    "https://localhost:15433/.default",
    "blastwall:pg-other",
    "blastwall:nowhere",
    "azure-arm",
    "/.default",
    ".default",
)


async def test_what_is_not_here_and_what_an_agent_may_not_reach_look_alike(gateway: Gateway) -> None:
    for asked in NOT_HERE:
        status, answer = await ask(gateway, scope=asked)
        assert (status, answer["error"], answer["error_codes"]) == (400, "invalid_resource", [500011]), asked


async def test_a_token_for_one_resource_is_no_proof_at_another(gateway: Gateway) -> None:
    _, answer = await ask(gateway)
    secret = str(answer["access_token"]).encode()
    for resource in (VAULT, PG, OTHER):
        with pytest.raises(Refusal, match="not for"):
            await gateway.identity.identify(secret, resource, HERE)


# ── errors, limits and attacks ───────────────────────────────────────────────────────────────────────────────────────


ERRORS: tuple[tuple[dict[str, str | None], int, str], ...] = (
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"grant_type": None}, 400, "unsupported_grant_type"),
    ({"client_secret": "s3cret"}, 401, "invalid_client"),
    ({"client_assertion_type": None}, 400, "invalid_request"),
    ({"client_assertion": None}, 400, "invalid_request"),
    ({"client_assertion": "junk"}, 401, "invalid_client"),
    ({"scope": None}, 400, "invalid_request"),
    ({"scope": "a/.default b/.default"}, 400, "invalid_scope"),
    ({"resource": "https://management.azure.com/", "scope": None}, 400, "invalid_request"),
)


async def test_errors_are_in_entras_form(gateway: Gateway) -> None:
    for changes, status, error in ERRORS:
        got, answer = await ask(gateway, V2, changes)
        assert (got, answer["error"]) == (status, error), changes
        (code,) = cast("list[int]", answer["error_codes"])
        assert str(answer["error_description"]).startswith(f"AADSTS{code}: ")
        assert "s3cret" not in json.dumps(answer)


async def test_another_tenants_address_is_refused(gateway: Gateway) -> None:
    for tenant in ("00000000-0000-4000-8000-000000000000", "contoso.example", "organizations"):
        status, answer = await ask(gateway, f"/{tenant}/oauth2/v2.0/token")
        assert (status, answer["error_codes"]) == (400, [90002])
        async with gateway.http.get(f"{gateway.url}/{tenant}/discovery/v2.0/keys") as response:
            assert response.status == 400


async def test_a_gateway_token_buys_nothing_here(gateway: Gateway) -> None:
    _, answer = await ask(gateway)
    secret = str(answer["access_token"])
    for path in (V2, V1):
        status, refused = await ask(
            gateway, path, client_assertion=secret, resource="https://management.azure.com/", scope=MANAGEMENT
        )
        assert (status, refused["error"]) == (401, "invalid_client")
    status, refused, _ = await gateway.exchange(subject_token=secret)
    assert (status, refused["error"]) == (400, "invalid_request")
    headers = {"Authorization": f"Bearer {secret}"}
    async with gateway.http.get(f"{gateway.url}/api/v1/me", headers=headers) as response:
        assert response.status == 401


async def test_a_pass_buys_none(gateway: Gateway) -> None:
    _, answer, _ = await gateway.exchange()
    status, refused = await ask(gateway, client_assertion=str(answer["access_token"]))
    assert (status, refused["error"]) == (401, "invalid_client")


async def test_an_assertion_shown_from_another_address_is_worth_nothing(gateway: Gateway) -> None:
    token = gateway.issuer.token()
    assert (await ask(gateway, client_assertion=token.decode()))[0] == 200
    thief = await gateway.identity.verify(token, ip_address("203.0.113.9"))
    with pytest.raises(Refusal, match="another address"):
        await gateway.identity.issue(thief, PG.name)
    assert (await ask(gateway, client_assertion=token.decode()))[0] == 200, "its agent goes on"


async def test_containment_ends_it_and_bars_the_exchange(gateway: Gateway) -> None:
    token = gateway.issuer.token().decode()
    _, answer = await ask(gateway, client_assertion=token)
    gateway.clock.at += 5
    await gateway.containment.contain(Kind.AGENT, "shop-ci", "stolen", "ana")
    status, refused = await ask(gateway, client_assertion=token)
    assert (status, refused["error"]) == (401, "invalid_client")
    assert await gateway.containment.lift(Kind.AGENT, "shop-ci", "found", "ana")
    assert (await ask(gateway, client_assertion=token))[0] == 401, "the token is from before"
    found = await gateway.identity.identify(str(answer["access_token"]).encode(), ARM, HERE)
    assert gateway.containment.spoiled(found.principal, found.issued) is not None
    gateway.clock.at += 5
    assert (await ask(gateway))[0] == 200


async def test_a_contained_issuer_gives_nobody_one(gateway: Gateway) -> None:
    await gateway.containment.contain(Kind.ISSUER, "github", "compromised", "ana")
    status, refused = await ask(gateway)
    assert (status, refused["error"]) == (401, "invalid_client")


async def test_a_persons_login_gives_one_that_ends_with_it(gateway: Gateway) -> None:
    claimant = await gateway.identity.verify(gateway.issuer.token(oid="5f1c", repository_id=None), HERE)
    login = await gateway.identity.sign_in(LoginKind.CLI, claimant.person, HERE, idle=60, lifetime=600)
    page = await gateway.identity.sign_in(LoginKind.WEB, claimant.person, HERE, idle=60, lifetime=600)
    status, answer = await ask(gateway, client_assertion=login.secret)
    assert status == 200, answer
    assert claims_of(answer)["idtyp"] == "user"
    secret = str(answer["access_token"]).encode()
    assert (await gateway.identity.identify(secret, ARM, HERE)).principal.name == "ana"
    assert (await ask(gateway, client_assertion=page.secret))[0] == 401, "a page's cookie is for the page"
    await gateway.identity.sign_out(login.id, "user ana")
    await gateway.containment._poll()
    with pytest.raises(Refusal, match="was revoked"):
        await gateway.identity.identify(secret, ARM, HERE)
    assert (await ask(gateway, client_assertion=login.secret))[0] == 401


async def test_who_gives_it_back_ends_it(gateway: Gateway) -> None:
    _, answer = await ask(gateway)
    secret = str(answer["access_token"])
    async with gateway.http.post(f"{gateway.url}/revoke", data={"token": secret}) as response:
        assert response.status == 200
    await gateway.containment._poll()
    with pytest.raises(Refusal, match="was revoked"):
        await gateway.identity.identify(secret.encode(), ARM, HERE)


async def test_failures_are_limited_together_with_those_of_passes(gateway: Gateway) -> None:
    for _ in range(BURST // 2):
        await ask(gateway, client_assertion="junk")
        await gateway.exchange(subject_token="junk")
    status, answer = await ask(gateway)
    assert (status, answer["error"], answer["error_codes"]) == (429, "temporarily_unavailable", [90055])


async def test_what_was_given_is_logged_without_the_token(gateway: Gateway) -> None:
    with capture_logs() as logs:
        _, answer = await ask(gateway)
    (issued,) = [each for each in logs if each["event"] == "gateway_token_issued"]
    assert (issued["principal"], issued["targets"]) == ("shop-ci", "kind:azure-arm")
    assert issued["token_id"] == claims_of(answer)["jti"]
    assert str(answer["access_token"]) not in str(logs)


async def test_parameters_in_the_address_are_refused(gateway: Gateway) -> None:
    status, answer = await ask(gateway, f"{V2}?client_assertion=x")
    assert (status, answer["error"]) == (400, "invalid_request")
