"""Blob storage: what each request does, what the resource gets, what the client gets."""

from __future__ import annotations

import base64
from email import policy
from email.parser import BytesParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.model.credential import Credential
from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.http.blob import FLAVOUR
from blastwall.protocols.http.blob.settings import BlobSettings
from blastwall.protocols.http.flavour import Refusal, statement_text
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.tests.blob_corpus import ACCOUNT, CASES, GATEWAY, NEW, UNCLEAR, Fields, source
from blastwall.protocols.http.tests.requests import asked, told

BLOBS = Resource("shop-files", "azure-blob", Address("shopfiles.blob.core.windows.net", 443))
AZURITE = Resource(
    "local",
    "azure-blob",
    Address("127.0.0.1", 10000, TlsMode.DISABLE),
    settings=BlobSettings(account="devstoreaccount1"),
)
TOKEN = Credential("", b"azure-token", token=True)
KEY = Credential("shopfiles", base64.b64encode(b"k" * 64))


@pytest.mark.parametrize(
    ("line", "fields", "effects", "operation"), CASES, ids=[f"{case[0]} {case[2]}" for case in CASES]
)
def test_each_request_has_its_effects(line: str, fields: Fields, effects: str, operation: str) -> None:
    judged = FLAVOUR.judge(asked(line, fields), BLOBS)
    assert told(judged.effects) == effects
    assert operation in (judged.doubt if effects == UNCLEAR else judged.operation)
    assert bool(judged.doubt) == (effects == UNCLEAR)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CASES) > 150


def test_only_what_hands_out_a_key_reveals() -> None:
    assert FLAVOUR.judge(asked("POST /?restype=service&comp=userdelegationkey"), BLOBS).reveals
    assert not FLAVOUR.judge(asked("GET /shop/a"), BLOBS).reveals


@pytest.mark.parametrize(
    ("line", "effects"),
    [
        ("GET /devstoreaccount1/shop/a", "read blob/shop/a"),
        ("GET /devstoreaccount1?comp=list", "read blob"),
        ("GET /devstoreaccount1/?comp=list", "read blob"),
        ("PUT /devstoreaccount1/shop?restype=container", "define blob/shop"),
        ("GET /devstoreaccount1/a.html", "read blob/$root/a.html"),
        ("GET /devstoreaccount2/shop/a", UNCLEAR),
        ("GET /shop/a", UNCLEAR),
        ("GET /devstoreaccount1-secondary/shop/a", UNCLEAR),
    ],
)
def test_the_account_stands_in_the_path_where_the_settings_say_so(line: str, effects: str) -> None:
    assert told(FLAVOUR.judge(asked(line), AZURITE).effects) == effects


class TestText:
    def test_what_decides_is_part_of_it_and_what_changes_each_time_is_not(self) -> None:
        fields = {
            **source(f"{GATEWAY}/old/b"),
            **NEW,
            "x-ms-date": "now",
            "x-ms-client-request-id": "1",
            "Accept": "*/*",
        }
        fields |= {"Content-Length": "5", "Content-Type": "text/plain; charset=utf-8", "Content-MD5": "Q2hlY2s="}
        request = asked("PUT /shop/a", fields)
        assert statement_text(request, FLAVOUR.judge(request, BLOBS).fields).splitlines() == [
            "PUT https://shop.gw.example/shop/a",
            "if-none-match: *",
            "x-ms-blob-type: BlockBlob",
            f"x-ms-copy-source: {GATEWAY}/old/b",
            "content-type: text/plain",
            "content-length: 5",
            "content-md5: Q2hlY2s=",
        ]

    def test_reads_say_no_more_than_their_url(self) -> None:
        assert FLAVOUR.judge(asked("GET /shop/a", {"x-ms-range": "bytes=0-9"}), BLOBS).fields == ()

    @pytest.mark.parametrize(
        ("line", "fields"),
        [
            ("GET /shop/a?sv=1&sig=hush%2Fhush&se=2", {}),
            ("GET /shop/a?%73%69%67=hush", {}),
            ("PUT /shop/a", source("https://evil.example/c/b?sig=hush&x=1")),
            ("PUT /shop/a", {**source(f"{GATEWAY}/old/b"), "x-ms-copy-source-authorization": "Bearer hush"}),
            ("PUT /shop/a", {**NEW, "x-ms-encryption-key": "hush", "x-ms-source-encryption-key": "hush"}),
        ],
    )
    def test_no_secret_of_the_clients_is_left_in_it(self, line: str, fields: Fields) -> None:
        request = asked(line, fields)
        judged = FLAVOUR.judge(request, BLOBS)
        text = list(statement_text(request, judged.fields))
        for hidden in judged.secrets:
            assert hidden.secret
            text[hidden.start : hidden.end] = "*" * (hidden.end - hidden.start)
        assert "hush" not in "".join(text)
        assert "/shop/a" in "".join(text)


class TestSent:
    def test_the_gateways_token_is_in_the_place_of_whatever_the_client_had(self) -> None:
        fields = {
            "Authorization": "Bearer gateway-token",
            "Cookie": "a=b",
            "x-ms-authorization-auxiliary": "Bearer other",
            "X-HTTP-Method-Override": "DELETE",
            "x-ms-version": "2026-02-06",
            "x-ms-meta-a": "b",
        }
        sent = FLAVOUR.authorise(asked("GET /shop/a", fields), BLOBS, TOKEN)
        assert dict(sent) == {"x-ms-version": "2026-02-06", "x-ms-meta-a": "b", "Authorization": "Bearer azure-token"}

    def test_a_version_that_takes_tokens_is_asked_for_where_the_client_names_none(self) -> None:
        assert FLAVOUR.authorise(asked("GET /shop/a"), BLOBS, TOKEN).get("x-ms-version") == "2017-11-09"

    def test_an_accounts_key_signs_and_is_not_sent(self) -> None:
        sent = FLAVOUR.authorise(asked("GET /shop/a", {"x-ms-date": "now", "Authorization": "Bearer t"}), BLOBS, KEY)
        assert sent.all("authorization") == (sent.get("authorization"),)
        assert sent.get("authorization").startswith("SharedKey shopfiles:")
        assert KEY.secret.decode() not in str(list(sent))

    def test_a_key_that_is_none_signs_nothing(self) -> None:
        wrong = Credential("shopfiles", b"not base64!")
        assert FLAVOUR.authorise(asked("GET /shop/a"), BLOBS, wrong).get("authorization") == "SharedKey shopfiles:"

    def test_a_source_of_the_account_is_named_as_azure_knows_it(self) -> None:
        fields = {**source(f"{GATEWAY}/old/b%20c?snapshot=1"), "x-ms-copy-source-authorization": "Bearer gateway-token"}
        sent = FLAVOUR.authorise(asked("PUT /shop/a", fields), BLOBS, TOKEN)
        assert sent.get("x-ms-copy-source") == f"{ACCOUNT}/old/b%20c?snapshot=1"
        assert sent.get("x-ms-copy-source-authorization") == "Bearer azure-token"

    def test_no_token_goes_with_a_source_elsewhere(self) -> None:
        fields = {**source("https://evil.example/c/b"), "x-ms-copy-source-authorization": "Bearer gateway-token"}
        sent = FLAVOUR.authorise(asked("PUT /shop/a", fields), BLOBS, TOKEN)
        assert sent.get("x-ms-copy-source") == "https://evil.example/c/b"
        assert "x-ms-copy-source-authorization" not in sent

    def test_no_token_of_the_clients_goes_without_a_source_or_with_a_key(self) -> None:
        fields = {"x-ms-copy-source-authorization": "Bearer gateway-token"}
        assert "x-ms-copy-source-authorization" not in FLAVOUR.authorise(asked("PUT /shop/a", fields), BLOBS, TOKEN)
        both = {**fields, **source(f"{GATEWAY}/old/b")}
        assert "x-ms-copy-source-authorization" not in FLAVOUR.authorise(asked("PUT /shop/a", both), BLOBS, KEY)


class TestAnswered:
    def test_a_sources_signature_is_not_shown(self) -> None:
        headers = Headers([("x-ms-copy-source", f"{ACCOUNT}/old/b?sig=hush"), ("ETag", "1")])
        answer = FLAVOUR.answered(asked("HEAD /shop/a"), BLOBS, 200, headers)
        assert answer.headers.get("x-ms-copy-source") == f"{GATEWAY}/old/b"
        assert answer.refused == ""
        assert answer.renew is None

    def test_a_refused_credential_is_the_gateways_matter(self) -> None:
        challenge = Headers([("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/t")])
        answer = FLAVOUR.answered(asked("GET /shop/a"), BLOBS, 401, challenge)
        assert (answer.renew, "shop-files" in answer.refused) == ("", True)
        assert "www-authenticate" not in answer.headers

    @pytest.mark.parametrize(("status", "code"), [(403, "AuthenticationFailed"), (400, "InvalidAuthenticationInfo")])
    def test_so_is_a_refused_signature(self, status: int, code: str) -> None:
        answer = FLAVOUR.answered(asked("GET /shop/a"), BLOBS, status, Headers([("x-ms-error-code", code)]))
        assert (answer.renew, "shop-files" in answer.refused) == ("", True)

    def test_what_the_account_forbids_is_the_clients_to_read(self) -> None:
        headers = Headers([("x-ms-error-code", "AuthorizationPermissionMismatch")])
        answer = FLAVOUR.answered(asked("GET /shop/a"), BLOBS, 403, headers)
        assert (answer.renew, answer.refused, answer.headers) == (None, "", headers)

    def test_throttling_is_passed_on(self) -> None:
        headers = Headers([("Retry-After", "7"), ("x-ms-error-code", "ServerBusy")])
        assert FLAVOUR.answered(asked("GET /shop/a"), BLOBS, 429, headers).headers == headers

    def test_a_refusal_is_an_error_of_the_services_kind(self) -> None:
        response = FLAVOUR.refusal(asked("GET /shop/a"), BLOBS, Refusal(403, "no <b> & c", "https://gw/x"))
        root = ET.fromstring(response.body)
        assert root.findtext("Code") == response.headers.get("x-ms-error-code") == "AuthorizationPermissionMismatch"
        assert root.findtext("Message") == "no <b> & c\nhttps://gw/x"

    def test_a_challenge_names_no_authority(self) -> None:
        response = FLAVOUR.challenge(asked("GET /shop/a"), BLOBS, "the token has expired")
        assert response.status == 401
        assert "authorization_uri" not in response.headers.get("www-authenticate")
        assert b"the token has expired" in response.body


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("PUT /shop/a", 0),
        ("PUT /shop/a?comp=block", 0),
        ("PUT /shop/a?comp=blocklist", 0),
        ("POST /?comp=batch", 4 << 20),
        ("POST /?COMP=Batch", 4 << 20),
        ("PUT /shop?restype=container&comp=acl", 256 << 10),
        ("PUT /shop/a?comp=tags", 256 << 10),
        ("GET /shop/a", 0),
        ("POST /?comp=batch&comp=x", 0),
    ],
)
def test_what_is_stored_is_not_read_and_what_says_something_is(line: str, read: int) -> None:
    assert FLAVOUR.wants(asked(line), BLOBS) == read


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────

MIXED: Fields = {"Content-Type": "multipart/mixed; boundary=batch_1"}


def batch(*requests: str, boundary: str = "batch_1", about: str = "Content-Type: application/http") -> bytes:
    parts = [f"--{boundary}\r\n{about}\r\nContent-ID: {n}\r\n\r\n{one}\r\n" for n, one in enumerate(requests)]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode()


def part(line: str, *fields: str) -> str:
    return "\r\n".join([f"{line} HTTP/1.1", "Content-Length: 0", "Authorization: Bearer gateway-token", *fields, ""])


GOOD = batch(
    part("DELETE /shop/a"),
    part("DELETE /old/b%20c?versionid=1"),
    part("PUT /shop/c?comp=tier", "x-ms-access-tier: Cool"),
)


class TestBatches:
    @pytest.mark.parametrize("line", ["POST /?comp=batch", "POST /shop?restype=container&comp=batch"])
    def test_every_part_is_judged(self, line: str) -> None:
        judged = FLAVOUR.judge(asked(line, MIXED, GOOD), BLOBS)
        assert told(judged.effects) == "delete blob/shop/a; delete blob/old/b c; update blob/shop/c"
        assert judged.operation == "Microsoft.Storage/storageAccounts/blobServices/batch/action"

    def test_no_token_of_the_clients_is_recorded(self) -> None:
        request = asked("POST /?comp=batch", MIXED, GOOD)
        judged = FLAVOUR.judge(request, BLOBS)
        text = statement_text(request, judged.fields)
        assert [text[one.start : one.end] for one in judged.secrets] == ["Bearer gateway-token"] * 3

    def test_every_part_gets_the_gateways_credential(self) -> None:
        body = FLAVOUR.body(asked("POST /?comp=batch", MIXED, GOOD), BLOBS, TOKEN)
        assert body is not None
        assert b"gateway-token" not in body
        read = BytesParser(policy=policy.HTTP).parsebytes(
            b"Content-Type: multipart/mixed; boundary=batch_1\r\n\r\n" + body
        )
        inner = [one.get_payload(decode=True) for one in read.iter_parts()]
        assert inner[1] == (
            b"DELETE /old/b%20c?versionid=1 HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: Bearer azure-token\r\n\r\n"
        )
        assert [one["Content-ID"] for one in read.iter_parts()] == ["0", "1", "2"]

    def test_every_part_is_signed_with_the_accounts_key(self) -> None:
        body = FLAVOUR.body(
            asked("POST /?comp=batch", MIXED, batch(part("DELETE /shop/a", "x-ms-date: now"))), BLOBS, KEY
        )
        assert body is not None
        signed = FLAVOUR.authorise(
            asked("DELETE /shop/a", {"Content-Length": "0", "x-ms-date": "now", "x-ms-version": ""}), BLOBS, KEY
        )
        assert b"Authorization: SharedKey shopfiles:" in body
        assert signed.get("authorization").encode() not in body, (
            "a part has no version, so its signature is another one"
        )

    def test_other_bodies_are_left_as_they_are(self) -> None:
        assert FLAVOUR.body(asked("PUT /shop/a?comp=tags", {}, b"<Tags/>"), BLOBS, TOKEN) is None

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (batch(part("PUT /shop/a", "x-ms-blob-type: BlockBlob")), "neither a delete"),
            (batch(part("DELETE /shop?restype=container")), "something else than a blob"),
            (batch(part("PUT /shop?restype=container&comp=acl")), "DELETE or PUT|neither a delete"),
            (batch(part("GET /shop/a")), "no DELETE or PUT"),
            (batch(part("POST /?comp=batch")), "no DELETE or PUT"),
            (batch(part("DELETE https://evil.example/a")), "no DELETE or PUT"),
            (batch(part("DELETE /shop/a#b")), "character"),
            (batch(part("DELETE /shop/../old/a")), "dot segment"),
            (batch(part("DELETE /shop/a?sig=x")), "signature"),
            (batch(part("DELETE /shop/a", "x-ms-version: 2026-02-06")), "version of its own"),
            (batch(part("DELETE /shop/a", "X-HTTP-Method-Override: PUT")), "x-http-method-override"),
            (batch(part("DELETE /shop/a", "x-ms-copy-source: https://evil.example/b")), "no meaning"),
            (batch(part("DELETE /shop/a", "x-ms-date: 1", "x-ms-date: 2")), "comes twice"),
            (batch(part("DELETE /shop/a", " folded")), "header of its batch"),
            (batch(part("DELETE /shop/a") + "\r\nbody"), "has a body"),
            (batch(part("DELETE /shop/a") + "\r\nDELETE /shop/b HTTP/1.1"), "has a body"),
            (batch(part("DELETE /shop/a"), about="Content-Type: text/plain"), "no request"),
            (batch(part("DELETE /shop/a"), about="Content-Type: application/http\r\nX-A: b"), "no request"),
            (batch(part("DELETE /shop/a"), boundary="batch_12"), "cannot be read"),
            (batch(part("DELETE /shop/a"))[:-5], "cannot be read"),
            (b"DELETE /x\r\n" + batch(part("DELETE /shop/a")), "cannot be read"),
            (batch(part("DELETE /shop/a")) + b"DELETE /x", "cannot be read"),
            (batch(part("DELETE /shop/a\rX: y")), "cannot be read"),
            (batch(), "no part"),
            (batch(*[part("DELETE /shop/a")] * 257), "more than 256"),
            (b"", "cannot be read"),
        ],
    )
    def test_a_batch_that_hides_something_is_unclassified(self, body: bytes, why: str) -> None:
        request = asked("POST /?comp=batch", MIXED, body)
        judged = FLAVOUR.judge(request, BLOBS)
        assert told(judged.effects) == UNCLEAR
        assert any(one in judged.doubt for one in why.split("|")), judged.doubt

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"Content-Type": "application/xml"},
            {"Content-Type": "multipart/mixed"},
            {"Content-Type": 'multipart/mixed; boundary="batch_1"; charset=utf-7'},
            {**MIXED, "Content-Encoding": "gzip"},
        ],
    )
    def test_a_batch_of_another_type_is_unclassified_and_sent_empty(self, fields: Fields) -> None:
        request = asked("POST /?comp=batch", fields, GOOD)
        assert told(FLAVOUR.judge(request, BLOBS).effects) == UNCLEAR
        assert FLAVOUR.body(request, BLOBS, TOKEN) == b""


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────────

TEXT = st.text(alphabet=st.sampled_from("ab/.%25eEfF\\$?&=#;: é\x00*"), max_size=16)
PLACES = st.lists(TEXT, max_size=4).map(lambda names: "/" + "/".join(names))
QUERIES = st.dictionaries(st.sampled_from(["comp", "restype", "sig", "snapshot", "COMP"]), TEXT, max_size=3)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "FOO"])
FIELDS = st.dictionaries(
    st.sampled_from(["x-ms-copy-source", "x-ms-blob-type", "x-ms-lease-action", "x-ms-x"]), TEXT, max_size=2
)


@given(METHODS, PLACES, QUERIES, FIELDS, st.binary(max_size=40))
def test_judging_never_raises_and_no_effect_leaves_the_account(
    method: str, path: str, query: dict[str, str], fields: dict[str, str], body: bytes
) -> None:
    line = f"{method} {path.replace('?', '')}?" + "&".join(f"{name}={value}" for name, value in query.items())
    request = asked(line, fields, body)
    judged = FLAVOUR.judge(request, BLOBS)
    assert judged.effects
    assert all(effect.object.path[0] == "blob" for effect in judged.effects)
    assert (judged.effects[0].action is Action.UNCLASSIFIED) == bool(judged.doubt)
    for one in judged.effects:
        assert not {".", "..", "\x00"} & set(one.object.path), "a name that Azure would read as another"
    FLAVOUR.authorise(request, BLOBS, TOKEN)
    FLAVOUR.body(request, BLOBS, KEY)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_blobs_name_is_judged_as_itself_or_not_at_all(names: list[str]) -> None:
    from urllib.parse import quote

    name = "/".join(names)
    try:
        quoted = quote(name, safe="/")
    except UnicodeEncodeError:
        return
    judged = FLAVOUR.judge(asked(f"GET /shop/{quoted}"), BLOBS)
    if not judged.doubt:
        assert judged.effects[0].object.path == ("blob", "shop", *name.split("/"))
