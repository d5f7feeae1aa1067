"""The exchange and the revocation as a client of the standards sees them, and as a thief tries them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from structlog.testing import capture_logs
from tests.api.conftest import GRANT, JWT, Gateway
from tests.identity.conftest import HERE, PG, an_agent, an_issuer

from blastwall.config.model import PassSettings
from blastwall.containment import Kind
from blastwall.control.failures import BURST
from blastwall.gate.ports import Refusal

ACCESS = "urn:ietf:params:oauth:token-type:access_token"


async def test_a_token_in_a_pass_out(gateway: Gateway) -> None:
    status, answer, response = await gateway.exchange()
    assert status == 200
    assert set(answer) == {"access_token", "issued_token_type", "token_type", "expires_in", "pass_id"}
    assert answer["issued_token_type"] == ACCESS
    assert answer["token_type"] == "N_A"
    assert 590 < int(str(answer["expires_in"])) <= 600
    assert response.headers["Cache-Control"] == "no-store"
    assert "server" not in response.headers
    found = await gateway.identity.identify(str(answer["access_token"]).encode(), PG, HERE)
    assert found.principal.name == "shop-ci"
    assert found.pass_id == answer["pass_id"]
    assert len(str(answer["access_token"])) <= 100


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token_type": ACCESS},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"requested_token_type": ACCESS},
        {"resource": None, "audience": "pg-prod"},
        {"resource": "pg-prod", "audience": "pg-prod"},
        {"client_id": "anything"},
    ],
)
async def test_what_clients_may_also_send(gateway: Gateway, changes: dict[str, str | None]) -> None:
    assert (await gateway.exchange(**changes))[0] == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "junk"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": None}, "invalid_target"),
        ({"audience": "pg-other"}, "invalid_target"),
        ({"resource": "nowhere"}, "invalid_target"),
        ({"resource": "pg-other"}, "invalid_target"),
    ],
)
async def test_errors_are_those_of_the_standards(gateway: Gateway, changes: dict[str, str | None], error: str) -> None:
    status, answer, response = await gateway.exchange(**changes)
    assert (status, answer["error"]) == (400, error)
    assert response.headers["Cache-Control"] == "no-store"
    description = str(answer["error_description"])
    assert all(" " <= character <= "~" and character not in '"\\' for character in description)


async def test_resource_names_cannot_be_probed_for(gateway: Gateway) -> None:
    """`pg-other` is there, but not for this agent; `nowhere` is not there."""
    there = await gateway.exchange(resource="pg-other")
    nowhere = await gateway.exchange(resource="nowhere")
    assert there[:2] == nowhere[:2]


async def test_an_unknown_token_learns_nothing_of_resources(gateway: Gateway) -> None:
    bad = gateway.issuer.token(repository_id="9").decode()
    known = await gateway.exchange(subject_token=bad)
    unknown = await gateway.exchange(subject_token=bad, resource="nowhere")
    assert known[:2] == unknown[:2]


async def test_a_contained_agent_gets_no_pass(gateway: Gateway) -> None:
    await gateway.containment.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    status, answer, _ = await gateway.exchange()
    assert (status, answer["error"]) == (400, "invalid_request")
    assert "contained" in str(answer["error_description"])
    assert "leaked" not in str(answer["error_description"])


async def test_a_token_from_outside_its_networks_gets_no_pass(gateway: Gateway) -> None:
    gateway.identity.reconfigure(
        [an_issuer(gateway.issuer.url)], [an_agent(networks=["10.0.0.0/8"])], [], PassSettings()
    )
    assert (await gateway.exchange())[1]["error"] == "invalid_request"


async def test_forwarding_headers_do_not_move_the_source(gateway: Gateway) -> None:
    gateway.identity.reconfigure(
        [an_issuer(gateway.issuer.url)], [an_agent(networks=["10.0.0.0/8"])], [], PassSettings()
    )
    gateway.http.headers.update({"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "X-Real-IP": "10.0.0.1"})
    assert (await gateway.exchange())[0] == 400


async def test_the_same_token_twice(gateway: Gateway) -> None:
    token = gateway.issuer.token().decode()
    assert (await gateway.exchange(subject_token=token))[0] == 200
    status, answer, _ = await gateway.exchange(subject_token=token)
    assert (status, answer["error"]) == (400, "invalid_request")


async def test_an_issuer_that_is_down_is_a_reason_to_try_again(gateway: Gateway) -> None:
    gateway.issuer.down = True
    status, answer, response = await gateway.exchange()
    assert (status, answer["error"]) == (503, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) > 0


async def test_another_sites_page_keeps_nobody_out(gateway: Gateway) -> None:
    """A form needs no leave to be sent to another site; its failures would count against the visitor's address."""
    form = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": "junk", "resource": "pg-prod"}
    for _ in range(BURST + 5):
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with gateway.http.post(f"{gateway.url}/token", data=form, headers=headers) as response:
            assert response.status == 400
    assert (await gateway.exchange())[0] == 200


async def test_failures_are_limited_by_source_and_good_tokens_are_not(gateway: Gateway) -> None:
    for _ in range(BURST + 5):
        assert (await gateway.exchange())[0] == 200
    for _ in range(BURST):
        assert (await gateway.exchange(subject_token="junk"))[0] == 400
    status, answer, response = await gateway.exchange(subject_token="junk")
    assert (status, answer["error"]) == (429, "temporarily_unavailable")
    gateway.clock.at += int(response.headers["Retry-After"])
    assert (await gateway.exchange())[0] == 200


async def test_parameters_in_the_url_are_refused(gateway: Gateway) -> None:
    token = gateway.issuer.token().decode()
    form = {"grant_type": GRANT, "subject_token_type": JWT, "resource": "pg-prod"}
    for query in (f"?subject_token={token}", "?resource=pg-prod"):
        async with gateway.http.post(f"{gateway.url}/token{query}", data={**form, "subject_token": token}) as response:
            assert response.status == 400
            assert "never in the URL" in (await response.json())["error_description"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"grant_type": "x"}', "application/json"),
        (b"a=1", ""),
        (b"a=1&a=2", "application/x-www-form-urlencoded"),
        (b"a", "application/x-www-form-urlencoded"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % number for number in range(40)), "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
    ],
)
async def test_a_form_that_cannot_be_read(gateway: Gateway, body: bytes, kind: str) -> None:
    for path in ("/token", "/revoke"):
        async with gateway.http.post(f"{gateway.url}{path}", data=body, headers={"Content-Type": kind}) as response:
            assert response.status == 400
            assert (await response.json())["error"] == "invalid_request"


async def test_a_holder_gives_a_pass_back(gateway: Gateway) -> None:
    answer = (await gateway.exchange())[1]
    secret = str(answer["access_token"])
    async with gateway.http.post(f"{gateway.url}/revoke", data={"token": secret}) as response:
        assert (response.status, await response.read()) == (200, b"")
    with pytest.raises(Refusal, match="was revoked"):
        await gateway.identity.identify(secret.encode(), PG, HERE)


async def test_revocation_tells_nothing_of_what_is_known(gateway: Gateway) -> None:
    answer = (await gateway.exchange())[1]
    for token in ("bwp_unknown", "junk", gateway.issuer.token().decode(), str(answer["pass_id"])):
        async with gateway.http.post(f"{gateway.url}/revoke", data={"token": token}) as response:
            assert (response.status, await response.read()) == (200, b"")
    assert await gateway.identity.identify(str(answer["access_token"]).encode(), PG, ip_address("127.0.0.1"))
    async with gateway.http.post(f"{gateway.url}/revoke", data={"other": "x"}) as response:
        assert response.status == 400


async def test_nothing_logged_or_measured_holds_a_secret(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    token = gateway.issuer.token().decode()
    bad = gateway.issuer.token(repository_id="9").decode()
    with capture_logs() as logs, caplog.at_level("DEBUG"):
        issued = str((await gateway.exchange(subject_token=token))[1]["access_token"])
        await gateway.exchange(subject_token=token)
        await gateway.exchange(subject_token=bad)
        await gateway.exchange(subject_token=issued)
        async with gateway.http.post(f"{gateway.url}/revoke", data={"token": issued}):
            pass
        async with gateway.http.get(f"{gateway.url}/metrics") as response:
            metrics = await response.text()
    assert {log["event"] for log in logs} >= {"pass_issued", "exchange_refused", "pass_given_back"}
    assert 'blastwall_exchanges_total{result="issued"} 1.0' in metrics
    shown = f"{logs} {caplog.text} {metrics}"
    for secret in (issued, token, bad, token.rpartition(".")[2], bad.rpartition(".")[2]):
        assert secret not in shown
