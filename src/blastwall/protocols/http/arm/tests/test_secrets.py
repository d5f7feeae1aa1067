"""Secrets in requests are marked, so that no recording and nobody who approves sees them."""

from __future__ import annotations

import pytest

from blastwall.protocols.http.arm.judging import judge
from blastwall.protocols.http.arm.tests.asking import ARM, GROUP, Body, request
from blastwall.protocols.http.flavour import statement_text

SITE = f"{GROUP}/providers/Microsoft.Web/sites/w"
SERVER = f"{GROUP}/providers/Microsoft.Sql/servers/s"


def hidden(method: str, path: str, body: Body = None, query: str = "api-version=1", **fields: str) -> str:
    """Return the statement's text as a recording has it, with `*` in place of each secret."""
    one = request(method, path, body, query=query, **fields)
    text = statement_text(one)
    for secret in sorted(judge(one, ARM).secrets, key=lambda secret: secret.start, reverse=True):
        assert secret.secret
        text = text[: secret.start] + "*" + text[secret.end :]
    return text


@pytest.mark.parametrize(
    "properties",
    [
        {"administratorLoginPassword": "hunter2"},
        {"osProfile": {"adminPassword": "hunter2"}},
        {"connectionString": "hunter2"},
        {"primaryKey": "hunter2"},
        {"key1": "hunter2"},
        {"storageAccountAccessKey": "hunter2"},
        {"protectedSettings": {"anything": ["hunter2", {"x": "hunter2"}]}},
        {"secrets": [{"name": "s", "value": "hunter2"}]},
        {"environmentVariables": [{"name": "e", "secureValue": "hunter2"}]},
        {"customData": "hunter2"},
        {"sasToken": "hunter2"},
        {"clientSecret": "hunter2"},
        {"CLIENTSECRET": "hunter2"},
        {"pfxBlob": "hunter2"},
        {"siteConfig": {"appSettings": [{"name": "x", "value": "hunter2"}]}},
        {"pin": 1, "passCode": 4711},
    ],
)
def test_values_by_the_names_of_secrets_are_hidden(properties: dict[str, object]) -> None:
    text = hidden("PUT", SERVER, {"location": "westeurope", "properties": properties})
    assert "hunter2" not in text
    assert "4711" not in text
    assert "westeurope" in text


def test_a_name_may_be_escaped() -> None:
    assert "hunter2" not in hidden("PUT", SERVER, '{"properties": {"client\\u0053ecret": "hunter2"}}')


def test_what_only_speaks_of_a_secret_is_shown() -> None:
    shown = {"secretName": "db", "keyVaultId": "v", "tokenExpiration": "1h", "passwordPolicy": "strict"}
    text = hidden("PUT", SERVER, {"properties": shown})
    assert all(f'"{value}"' in text for value in shown.values())


def test_settings_and_secrets_as_resources_hide_their_values() -> None:
    assert "hunter2" not in hidden("PUT", f"{SITE}/config/appsettings", {"properties": {"DATABASE": "hunter2"}})
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/v/secrets/s"
    assert "hunter2" not in hidden("PUT", vault, {"properties": {"value": "hunter2"}})


def test_secure_parameters_are_hidden_and_others_are_shown() -> None:
    template = {
        "parameters": {
            "entry": {"type": "SecureString", "defaultValue": "default2"},
            "whole": {"type": "secureObject"},
            "place": {"type": "string"},
        },
        "resources": [],
    }
    parameters = {
        "ENTRY": {"value": "hunter2"},
        "whole": {"value": {"a": ["hunter2"]}},
        "place": {"value": "westeurope"},
    }
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": parameters}}
    text = hidden("PUT", f"{GROUP}/providers/Microsoft.Resources/deployments/d", body)
    assert "hunter2" not in text
    assert "default2" not in text
    assert '"westeurope"' in text
    assert '"SecureString"' in text


def test_a_signature_in_the_address_is_hidden() -> None:
    text = hidden("GET", SITE, query="api-version=1&sig=hunter2&Code=hunter2&%24skiptoken=kept")
    assert text == f"GET https://arm.gw.example{SITE}?api-version=1&sig=*&Code=*&%24skiptoken=kept"


@pytest.mark.parametrize("body", [b'{"a": "hunter2"', b"hunter2", b'{"a": 1, "A": "hunter2"}'])
def test_of_a_body_that_is_not_understood_nothing_is_shown(body: bytes) -> None:
    assert hidden("PUT", SITE, body) == f"PUT https://arm.gw.example{SITE}?api-version=1\n\n*"


def test_where_there_are_too_many_values_to_look_at_each_nothing_is_shown() -> None:
    body = '{"password": "hunter2", "list": [' + "1," * 30_000 + "1]}"
    assert hidden("PUT", SITE, body) == f"PUT https://arm.gw.example{SITE}?api-version=1\n\n*"


def test_secrets_in_a_batch_are_hidden() -> None:
    one = {"httpMethod": "PUT", "url": SERVER, "content": {"properties": {"administratorLoginPassword": "hunter2"}}}
    assert "hunter2" not in hidden("POST", "/batch", {"requests": [one]})


def test_what_hands_out_a_credential_is_marked() -> None:
    assert judge(request("POST", f"{GROUP}/providers/Microsoft.Storage/storageAccounts/x/listKeys"), ARM).reveals
    assert not judge(request("GET", GROUP), ARM).reveals
    result = "/subscriptions/s1/operationresults/eyJqb2JJZCI6IlJFU09VUkNFR1JPVVBERUxFVElPTiJ9"
    assert judge(request("GET", result), ARM).reveals
