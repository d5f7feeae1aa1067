"""Key Vault: what each request does, what is never recorded, how clients are asked for a token."""

from __future__ import annotations

import json

import pytest
from azure.keyvault.secrets._shared.http_challenge import HttpChallenge
from hypothesis import given
from hypothesis import strategies as st

from blastwall.model.credential import Credential
from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource
from blastwall.protocols.http.flavour import Refusal, statement_text
from blastwall.protocols.http.keyvault import FLAVOUR
from blastwall.protocols.http.keyvault.settings import KeyVaultSettings
from blastwall.protocols.http.links import ForeignLink
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.tests.keyvault_corpus import CASES, UNCLEAR, VERSION
from blastwall.protocols.http.tests.requests import asked, told

VAULT = Resource("shop-kv", "azure-keyvault", Address("shop.vault.azure.net", 443))
TENANT = "9a1b2c3d-0000-4000-8000-000000000001"
TOKEN = Credential("", b"azure-token", token=True)


@pytest.mark.parametrize(("line", "effects", "operation"), CASES, ids=[f"{case[0][:60]} {case[1]}" for case in CASES])
def test_each_request_has_its_effects(line: str, effects: str, operation: str) -> None:
    judged = FLAVOUR.judge(asked(line), VAULT)
    assert told(judged.effects) == effects
    assert operation in (judged.doubt if effects == UNCLEAR else judged.operation)
    assert bool(judged.doubt) == (effects == UNCLEAR)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CASES) > 130


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Original-URL", "X-HTTP-Method"])
def test_no_field_changes_what_is_asked(name: str) -> None:
    assert told(FLAVOUR.judge(asked("GET /keys/db", {name: "DELETE"}), VAULT).effects) == UNCLEAR


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("GET /secrets/db", True),
        ("PUT /secrets/db", True),
        (f"POST /keys/db/{VERSION}/decrypt", True),
        (f"POST /keys/db/{VERSION}/unwrapkey", True),
        (f"POST /keys/db/{VERSION}/release", True),
        ("POST /secrets/db/backup", True),
        ("GET /secrets", False),
        ("GET /secrets/db/versions", False),
        ("GET /keys/db", False),
        (f"POST /keys/db/{VERSION}/sign", False),
    ],
)
def test_answers_with_secrets_are_never_recorded(line: str, secret: bool) -> None:
    assert FLAVOUR.judge(asked(line), VAULT).reveals is secret


class TestBodies:
    def left(self, request: Request) -> str:
        """What a recording may hold of a request's text."""
        judged = FLAVOUR.judge(request, VAULT)
        text = list(statement_text(request, judged.fields))
        for one in judged.secrets:
            assert one.secret
            text[one.start : one.end] = "*" * (one.end - one.start)
        return "".join(text)

    @pytest.mark.parametrize(
        ("line", "body"),
        [
            ("PUT /secrets/db", {"value": "hush", "contentType": "text/plain", "tags": {"env": "prod"}}),
            ("PUT /secrets/db", {"Value": "hush", "tags": {"env": "prod"}}),
            ("PUT /keys/db", {"key": {"kty": "RSA", "n": "prod", "d": "hush", "p": "hush", "qi": "hush", "k": "hush"}}),
            ("POST /certificates/web/import", {"value": "hush", "pwd": "hush", "tags": {"env": "prod"}}),
            ("POST /secrets/restore", {"value": "hush", "x": "prod"}),
            (f"POST /keys/db/{VERSION}/encrypt", {"alg": "prod", "value": "hush", "aad": "hush"}),
            ("PUT /certificates/issuers/digi", {"credentials": {"account_id": "prod", "pwd": "hush"}}),
        ],
    )
    def test_no_secret_is_left_and_the_rest_is(self, line: str, body: dict[str, object]) -> None:
        left = self.left(asked(line, {}, json.dumps(body).encode()))
        assert "hush" not in left
        assert "prod" in left

    @pytest.mark.parametrize(
        "body",
        [
            b'{"value": "hush"',
            b"value=hush",
            b'{"\\u0076alue": "hush"}',
            b'{"value": "a", "value": "hush"}',
            b'["hush"',
            b"\xef\xbb\xbfhush",
        ],
    )
    def test_what_cannot_be_read_is_hidden_whole(self, body: bytes) -> None:
        assert "hush" not in self.left(asked("PUT /secrets/db", {}, body))

    def test_what_is_not_utf_8_is_unclassified(self) -> None:
        request = asked("PUT /secrets/db", {}, '{"value": "hush"}'.encode("utf-16"))
        judged = FLAVOUR.judge(request, VAULT)
        assert told(judged.effects) == UNCLEAR
        assert statement_text(request, judged.fields).endswith("/secrets/db")

    def test_an_unclassified_request_hides_its_secrets_too(self) -> None:
        assert "hush" not in self.left(asked("PUT /secret/db", {}, b'{"value": "hush"}'))

    def test_who_approves_a_signature_sees_of_what(self) -> None:
        assert "digest" in self.left(asked(f"POST /keys/db/{VERSION}/sign", {}, b'{"alg": "RS256", "value": "digest"}'))

    @pytest.mark.parametrize(
        ("line", "read"), [("GET /secrets/db", 0), ("DELETE /secrets/db", 0), ("PUT /secrets/db", 1 << 20)]
    )
    def test_bodies_are_part_of_what_is_asked(self, line: str, read: int) -> None:
        assert FLAVOUR.wants(asked(line), VAULT) == read


class TestChallenge:
    @pytest.mark.parametrize(
        ("authority", "resource"),
        [
            ("shop.vault.gw.example", "https://vault.gw.example"),
            ("shop.vault.gw.example:8443", "https://vault.gw.example:8443"),
            ("localhost:8443", "https://localhost:8443"),
            ("127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
        ],
    )
    def test_the_sdk_takes_it_for_its_vaults(self, authority: str, resource: str) -> None:
        vault = Resource("shop-kv", "azure-keyvault", VAULT.upstream, settings=KeyVaultSettings(tenant=TENANT))
        request = Request("GET", authority, "/secrets/db", "api-version=7.6", Headers())
        response = FLAVOUR.challenge(request, vault, "show a token")
        read = HttpChallenge(request.url, response.headers.get("www-authenticate"))
        assert response.status == 401
        assert (read.tenant_id, read.get_resource()) == (TENANT, resource)
        assert read.get_authorization_server() == f"https://{authority}/{TENANT}"
        if "gw.example" in authority:
            assert authority.endswith("." + resource.removeprefix("https://")), "which is what the SDKs check"

    def test_it_names_nobody_but_the_gateway(self) -> None:
        text = FLAVOUR.challenge(asked("GET /secrets"), VAULT, "show a token").headers.get("www-authenticate")
        assert "azure" not in text
        assert "microsoft" not in text

    def test_the_vaults_own_never_reaches_a_client(self) -> None:
        theirs = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
        answer = FLAVOUR.answered(asked("GET /secrets"), VAULT, 401, Headers([("WWW-Authenticate", theirs)]))
        assert "www-authenticate" not in answer.headers
        assert (answer.renew, bool(answer.refused)) == ("", True)

    def test_claims_that_the_vault_wants_are_asked_for(self) -> None:
        theirs = 'Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
        answer = FLAVOUR.answered(asked("GET /secrets"), VAULT, 401, Headers([("WWW-Authenticate", theirs)]))
        assert answer.renew == '{"access_token":{}}'

    @pytest.mark.parametrize("claims", ["%%%", "eyJ", "/w==", ""])
    def test_claims_that_cannot_be_read_are_none(self, claims: str) -> None:
        theirs = f'Bearer error="insufficient_claims", claims="{claims}"'
        assert FLAVOUR.answered(asked("GET /secrets"), VAULT, 401, Headers([("WWW-Authenticate", theirs)])).renew == ""


class TestPassing:
    def test_a_vault_gets_the_gateways_token_and_nothing_that_the_client_had(self) -> None:
        fields = {"Authorization": "Bearer gateway-token", "Cookie": "a", "Accept": "application/json"}
        sent = FLAVOUR.authorise(asked("GET /secrets", fields), VAULT, TOKEN)
        assert dict(sent) == {"Accept": "application/json", "Authorization": "Bearer azure-token"}
        assert FLAVOUR.body(asked("PUT /secrets/a", {}, b"{}"), VAULT, TOKEN) is None

    def test_names_and_next_pages_lead_to_the_gateway(self) -> None:
        edits = FLAVOUR.answered(asked("GET /secrets"), VAULT, 200, Headers()).edits
        own = "https://shop.vault.azure.net/secrets?api-version=7.6&$skiptoken=a%2B"
        assert edits["$.nextLink"](own) == "https://shop.gw.example/secrets?api-version=7.6&$skiptoken=a%2B"
        assert edits["$.value[*].id"]("https://shop.vault.azure.net/secrets/db") == "https://shop.gw.example/secrets/db"
        assert edits["$.key.kid"]("https://shop.vault.azure.net/keys/db/1") == "https://shop.gw.example/keys/db/1"

    def test_a_next_page_elsewhere_is_refused_and_a_name_stays_a_name(self) -> None:
        edits = FLAVOUR.answered(asked("GET /secrets"), VAULT, 200, Headers()).edits
        with pytest.raises(ForeignLink):
            edits["$.nextLink"]("https://evil.example/secrets")
        assert edits["$.id"]("https://other.vault.azure.net/secrets/db") == "https://other.vault.azure.net/secrets/db"

    def test_a_refusal_is_an_error_of_the_vaults_kind(self) -> None:
        response = FLAVOUR.refusal(
            asked("GET /secrets/db"), VAULT, Refusal(403, "agents get access, never secrets", "https://gw/1")
        )
        error = json.loads(response.body)["error"]
        assert (response.status, error["code"]) == (403, "Forbidden")
        assert error["message"] == "agents get access, never secrets\nhttps://gw/1"

    def test_only_tokens_are_taken(self) -> None:
        settings = KeyVaultSettings()
        assert FLAVOUR.credential_fault(settings, user=False, token=True) == ""
        assert "entra" in FLAVOUR.credential_fault(settings, user=True, token=False)


WORDS = st.sampled_from(
    [
        "secrets",
        "keys",
        "deletedsecrets",
        "restore",
        "db",
        "DB",
        "versions",
        "decrypt",
        VERSION,
        "",
        "..",
        "%2F",
        "*",
        "é",
    ]
)


@given(st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE"]), st.lists(WORDS, max_size=5), st.binary(max_size=20))
def test_judging_never_raises_and_no_secret_is_read_as_less(method: str, words: list[str], body: bytes) -> None:
    request = asked(f"{method} /{'/'.join(words)}", {}, body)
    judged = FLAVOUR.judge(request, VAULT)
    assert (judged.effects[0].action is Action.UNCLASSIFIED) == bool(judged.doubt)
    assert all(effect.object.path[0] == "vault" for effect in judged.effects)
    if method == "GET" and len(words) >= 2 and words[0] == "secrets" and words[1].lower() == "db" and not judged.doubt:
        assert judged.reveals or words[2:] in (["versions"], ["versions", ""])
