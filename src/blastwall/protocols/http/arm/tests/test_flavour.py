"""What the gateway says by itself, what the resource gets, and what the client gets of its answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.http.arm.settings import ArmSettings
from blastwall.protocols.http.arm.tests.asking import ARM, FLAVOUR, GROUP, HOST, request
from blastwall.protocols.http.flavour import Refusal
from blastwall.protocols.http.links import ForeignLink
from blastwall.protocols.http.request import Headers

TOKEN = Credential("", b"azure-token", token=True)
SIGN_IN = replace(ARM, sign_in="https://gw.example:8443")


@pytest.mark.parametrize("path", ["/metadata/endpoints", "/metadata/endpoints/", "/Metadata/Endpoints"])
def test_clients_learn_where_to_go_before_they_log_in(path: str) -> None:
    answer = FLAVOUR.local(request("GET", path, query="api-version=2022-09-01"), SIGN_IN)
    assert answer is not None
    document = json.loads(answer.body)
    assert document["resourceManager"] == f"https://{HOST}"
    assert document["authentication"]["loginEndpoint"] == "https://gw.example:8443"
    assert document["name"]
    assert document["microsoftGraphResourceId"]
    assert "https://management.azure.com/" in document["authentication"]["audiences"]


@pytest.mark.parametrize("version", ["2019-05-01", "2020-06-01", "2018-05-01"])
def test_terraform_gets_a_list(version: str) -> None:
    answer = FLAVOUR.local(request("GET", "/metadata/endpoints", query=f"api-version={version}"), SIGN_IN)
    assert answer is not None
    [document] = json.loads(answer.body)
    assert document["resourceManager"] == f"https://{HOST}"


def test_the_oldest_form_has_other_names() -> None:
    answer = FLAVOUR.local(request("GET", "/metadata/endpoints", query="api-version=2015-01-01"), SIGN_IN)
    assert answer is not None
    assert json.loads(answer.body)["authentication"]["loginEndpoint"] == "https://gw.example:8443/"


def test_a_setting_says_where_to_log_in_and_how_vaults_are_named() -> None:
    settings = ArmSettings(login="https://login.gw.example", keyvault="vault.gw.example", storage="gw.example")
    asked = request("GET", "/metadata/endpoints", query=None)
    answer = FLAVOUR.local(asked, replace(SIGN_IN, settings=settings))
    assert answer is not None
    document = json.loads(answer.body)
    assert document["authentication"]["loginEndpoint"] == "https://login.gw.example"
    assert (document["suffixes"]["keyVaultDns"], document["suffixes"]["storage"]) == ("vault.gw.example", "gw.example")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/metadata/endpoints"), ("GET", "/metadata/endpoints/x"), ("GET", "/metadata"), ("GET", GROUP)],
)
def test_nothing_else_is_answered_without_a_proof(method: str, path: str) -> None:
    assert FLAVOUR.local(request(method, path), ARM) is None


def test_a_request_without_a_proof_is_challenged_by_the_gateway_alone() -> None:
    answer = FLAVOUR.challenge(request("GET", GROUP), ARM, 'no "proof"\r\nX: y')
    asks = answer.headers.get("www-authenticate")
    assert (answer.status, "login.microsoftonline" in asks, "\r" in asks, asks.count('"')) == (401, False, False, 6)
    assert json.loads(answer.body)["error"]["code"] == "InvalidAuthenticationToken"


def test_a_refusal_is_worded_as_azure_words_it() -> None:
    refusal = Refusal(403, "it waits for approval", "https://gw.example/#/approvals/7")
    answer = FLAVOUR.refusal(request("DELETE", GROUP), ARM, refusal)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (403, "AuthorizationFailed")
    assert error["message"] == "it waits for approval (https://gw.example/#/approvals/7)"
    assert answer.headers.get("content-type").startswith("application/json")
    assert json.loads(FLAVOUR.refusal(None, ARM, Refusal(400, "x")).body)["error"]["message"] == "x"


def test_the_resource_gets_the_gateways_token_and_nothing_of_the_clients_identity() -> None:
    asked = request(
        "GET",
        GROUP,
        Cookie="session=1",
        x_ms_authorization_auxiliary="Bearer other",
        X_HTTP_Method_Override="DELETE",
        X_Original_URL="/x",
        x_ms_client_request_id="7",
    )
    sent = FLAVOUR.authorise(asked, ARM, TOKEN)
    assert sent.all("authorization") == ("Bearer azure-token",)
    assert sent.get("x-ms-client-request-id") == "7"
    for name in ("cookie", "x-ms-authorization-auxiliary", "x-http-method-override", "x-original-url"):
        assert name not in sent


def test_links_lead_back_to_the_gateway() -> None:
    fields = {
        "Location": "https://management.azure.com/subscriptions/s1/operationresults/x?api-version=1&t=%2B",
        "Azure-AsyncOperation": "https://MANAGEMENT.azure.com:443/subscriptions/s1/operations/x?c=%20a",
        "Retry-After": "1",
    }
    answer = FLAVOUR.answered(request("DELETE", GROUP), ARM, 202, Headers(fields.items()))
    assert answer.refused == ""
    assert answer.headers.get("location") == f"https://{HOST}/subscriptions/s1/operationresults/x?api-version=1&t=%2B"
    assert answer.headers.get("azure-asyncoperation") == f"https://{HOST}/subscriptions/s1/operations/x?c=%20a"
    next_link = answer.edits["$.nextLink"]
    assert next_link("https://management.azure.com/x?$skiptoken=2") == f"https://{HOST}/x?$skiptoken=2"
    with pytest.raises(ForeignLink):
        next_link("https://elsewhere.example/x")


@pytest.mark.parametrize("name", ["Location", "Azure-AsyncOperation", "Operation-Location"])
def test_a_link_to_elsewhere_is_not_passed_on(name: str) -> None:
    answer = FLAVOUR.answered(request("DELETE", GROUP), ARM, 202, Headers([(name, "https://elsewhere.example/x")]))
    assert "elsewhere.example" in answer.refused


def test_pages_in_a_batch_lead_back_too() -> None:
    edits = FLAVOUR.answered(request("POST", "/batch"), ARM, 200, Headers()).edits
    assert edits["$.responses[*].content.nextLink"]("https://management.azure.com/x") == f"https://{HOST}/x"


def test_claims_that_azure_asks_for_are_brought_by_the_gateway() -> None:
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/common", error="insufficient_claims", '
        'claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    )
    answer = FLAVOUR.answered(request("GET", GROUP), ARM, 401, Headers([("WWW-Authenticate", challenge)]))
    assert answer.renew == '{"access_token":{}}'
    assert "www-authenticate" not in answer.headers


def test_only_an_entra_token_will_do() -> None:
    assert FLAVOUR.credential_fault(ArmSettings(), user=False, token=True) == ""
    assert "entra" in FLAVOUR.credential_fault(ArmSettings(), user=True, token=False)


def test_every_body_is_read_before_it_is_judged() -> None:
    assert {FLAVOUR.wants(request(method, GROUP), ARM) for method in ("GET", "PUT", "POST", "DELETE")} == {1 << 20}


def test_a_loopback_emulator_is_spoken_to_as_it_is_configured() -> None:
    local = replace(ARM, upstream=Address("127.0.0.1", 8080, TlsMode.DISABLE))
    answer = FLAVOUR.answered(request("GET", GROUP), local, 202, Headers([("Location", "http://127.0.0.1:8080/x")]))
    assert answer.headers.get("location") == f"https://{HOST}/x"
