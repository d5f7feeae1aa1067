"""Any API: what its methods, paths and rules do, and how its credential is shown."""

from __future__ import annotations

import base64
import json
import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blastwall.model.credential import Credential
from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource
from blastwall.protocols.http.blob import FLAVOUR as BLOB
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.flavour import Flavour, Refusal, statement_text
from blastwall.protocols.http.keyvault import FLAVOUR as VAULT
from blastwall.protocols.http.kind import HttpKind
from blastwall.protocols.http.normalise import normal_path
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.rest import FLAVOUR
from blastwall.protocols.http.rest.settings import RestSettings
from blastwall.protocols.http.tests.requests import asked, told

UNCLEAR = "unclassified paths"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = Credential("shop", b"s3cret")
TOKEN = Credential("", b"azure-token", token=True)


def api(**settings: object) -> Resource:
    read = RestSettings.model_validate_json(json.dumps(settings), strict=True)
    return Resource("crm", "http", Address("crm.example", 443), settings=read)


PLAIN = api()
RULED = api(
    rules=[
        {"match": "GET /users/{id}/token", "action": "reveal", "operation": "users.token"},
        {"match": "POST /search/**", "action": "read"},
        {"match": "POST /tokens", "action": ["create", "reveal"]},
        {"match": "PUT|PATCH /orders/*/state", "action": "execute"},
        {"match": "GET /jobs/run", "action": "execute"},
        {"match": "* /admin/**", "action": "admin"},
        {"match": "DELETE /", "action": "drop"},
        {"match": "PURGE /cache/**", "action": "delete"},
    ],
    methods={"POST": "update", "PROPFIND": "read"},
)


@pytest.mark.parametrize(
    ("line", "effects"),
    [
        ("GET /", "read paths"),
        ("GET /v1", "read paths/v1"),
        ("GET /v1/orders", "read paths/v1/orders"),
        ("GET /v1/orders/", "read paths/v1/orders"),
        ("GET /v1/Orders/17?expand=lines", "read paths/v1/orders/17"),
        ("HEAD /v1/orders", "read paths/v1/orders"),
        ("OPTIONS /v1/orders", "read paths/v1/orders"),
        ("POST /v1/orders", "create paths/v1/orders"),
        ("PUT /v1/orders/17", "update paths/v1/orders/17"),
        ("PATCH /v1/orders/17", "update paths/v1/orders/17"),
        ("DELETE /v1/orders/17", "delete paths/v1/orders/17"),
        ("GET /caf%C3%A9", "read paths/café"),
        ("GET /a%20b", "read paths/a b"),
        ("PROPFIND /v1", "unclassified paths/v1"),
        ("PURGE /v1", "unclassified paths/v1"),
        ("get /v1", "unclassified paths/v1"),
        ("GET /v1//orders", UNCLEAR),
        ("GET /v1/orders//", UNCLEAR),
        ("GET //evil.example/v1", UNCLEAR),
        ("GET /v1/../admin", UNCLEAR),
        ("GET /v1/%2e%2e/admin", UNCLEAR),
        ("GET /v1/..%2fadmin", UNCLEAR),
        ("GET /v1%2Fadmin", UNCLEAR),
        ("GET /v1%5Cadmin", UNCLEAR),
        ("GET /v1/%252e%252e/admin", UNCLEAR),
        ("GET /v1;/admin", UNCLEAR),
        ("GET /v1;a=b/admin", UNCLEAR),
        ("GET /v1%3B/admin", UNCLEAR),
        ("GET /admin.", UNCLEAR),
        ("GET /admin%20", UNCLEAR),
        ("GET /admin%00", UNCLEAR),
        ("GET /admin%FF", UNCLEAR),
        ("GET /admin%zz", UNCLEAR),
        ("POST /v1/orders?_method=DELETE", UNCLEAR),
        ("POST /v1/orders?a=b&_METHOD=DELETE", UNCLEAR),
        ("POST /v1/orders?a=b;_method=DELETE", UNCLEAR),
        ("POST /v1/orders?%5Fmethod=DELETE", UNCLEAR),
        ("POST /v1/orders?X-HTTP-Method-Override=DELETE", UNCLEAR),
        ("GET /v1?a=1&a=2&_methods=x", "read paths/v1"),
        ("GET /v1?a=%zz", "read paths/v1"),
        ("GET /v1?%zz=a", UNCLEAR),
        ("GET /" + "a/" * 80, UNCLEAR),
    ],
)
def test_methods_do_what_they_say_and_what_is_unclear_is_unclassified(line: str, effects: str) -> None:
    judged = FLAVOUR.judge(asked(line), PLAIN)
    assert told(judged.effects) == effects
    assert bool(judged.doubt) == effects.startswith("unclassified")


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"]
)
def test_no_field_changes_method_or_path(name: str) -> None:
    request = asked("POST /v1/orders", {name: "DELETE"})
    assert told(FLAVOUR.judge(request, PLAIN).effects) == UNCLEAR
    assert name.lower() not in FLAVOUR.authorise(request, PLAIN, SECRET)


@pytest.mark.parametrize(
    ("line", "effects", "operation"),
    [
        ("GET /users/7/token", "reveal paths/users/7/token", "users.token"),
        ("HEAD /users/7/token", "reveal paths/users/7/token", "users.token"),
        ("GET /USERS/7/TOKEN/", "reveal paths/users/7/token", "users.token"),
        ("GET /users/7/8/token", "read paths/users/7/8/token", "GET"),
        ("GET /users/token", "read paths/users/token", "GET"),
        ("POST /search", "read paths/search", "POST"),
        ("POST /search/orders/open", "read paths/search/orders/open", "POST"),
        ("POST /searches", "update paths/searches", "POST"),
        ("PUT /search/x", "update paths/search/x", "PUT"),
        ("POST /tokens", "create paths/tokens; reveal paths/tokens", "POST"),
        ("PATCH /orders/1/state", "execute paths/orders/1/state", "PATCH"),
        ("GET /orders/1/state", "read paths/orders/1/state", "GET"),
        ("HEAD /jobs/run", "execute paths/jobs/run", "HEAD"),
        ("GET /admin", "admin paths/admin", "GET"),
        ("BREW /admin/x/y", "admin paths/admin/x/y", "BREW"),
        ("GET /administrators", "read paths/administrators", "GET"),
        ("DELETE /", "drop paths", "DELETE"),
        ("DELETE /a", "delete paths/a", "DELETE"),
        ("PURGE /cache/a", "delete paths/cache/a", "PURGE"),
        ("PURGE /a", "unclassified paths/a", "PURGE"),
        ("POST /orders", "update paths/orders", "POST"),
        ("PROPFIND /orders", "read paths/orders", "PROPFIND"),
        ("GET /admin;/users", UNCLEAR, "GET"),
        ("GET /users/%2e%2e/admin", UNCLEAR, "GET"),
    ],
)
def test_rules_come_first(line: str, effects: str, operation: str) -> None:
    judged = FLAVOUR.judge(asked(line), RULED)
    assert (told(judged.effects), judged.operation) == (effects, operation)
    assert judged.reveals == ("reveal" in effects)


def test_policies_are_tried_with_the_resources_own_rules() -> None:
    (statement,) = HttpKind(FLAVOUR).classify("GET /users/7/token", "", RULED)
    assert (told(statement.effects), statement.operation) == ("reveal paths/users/7/token", "users.token")


def test_case_is_kept_where_the_api_keeps_it_and_rules_ignore_it_all_the_same() -> None:
    keeps = api(ignore_case=False, rules=[{"match": "* /admin/**", "action": "admin"}])
    assert told(FLAVOUR.judge(asked("GET /v1/Orders"), keeps).effects) == "read paths/v1/Orders"
    assert told(FLAVOUR.judge(asked("GET /Admin/x"), keeps).effects) == "admin paths/Admin/x"


class TestBodies:
    READS = api(bodies=4096)

    @pytest.mark.parametrize(
        ("line", "read"), [("POST /a", 4096), ("PUT /a", 4096), ("DELETE /a", 4096), ("GET /a", 0), ("HEAD /a", 0)]
    )
    def test_are_read_where_the_settings_say_so(self, line: str, read: int) -> None:
        assert FLAVOUR.wants(asked(line), self.READS) == read
        assert FLAVOUR.wants(asked(line), PLAIN) == 0

    @pytest.mark.parametrize(
        "body", [b"_method=DELETE", b"a=b&_method=DELETE", b"%5Fmethod=DELETE", b"a=1;_METHOD=PUT", b"+_method=x"]
    )
    def test_a_form_cannot_change_the_method(self, body: bytes) -> None:
        assert told(FLAVOUR.judge(asked("POST /a", FORM, body), self.READS).effects) == UNCLEAR

    def test_an_ordinary_form_may_pass(self) -> None:
        assert (
            told(FLAVOUR.judge(asked("POST /a", FORM, b"name=a%20b&name=c&n=1"), self.READS).effects)
            == "create paths/a"
        )

    def test_one_that_is_not_read_is_described_by_its_fields(self) -> None:
        fields = {"Content-Type": "multipart/form-data; boundary=1", "Content-Length": "7", "X-Other": "a"}
        request = asked("POST /a", fields)
        text = statement_text(request, FLAVOUR.judge(request, PLAIN).fields)
        assert text == "POST https://shop.gw.example/a\ncontent-type: multipart/form-data\ncontent-length: 7"
        assert FLAVOUR.judge(asked("GET /a", fields), PLAIN).fields == ()
        assert FLAVOUR.judge(asked("POST /a", fields, b"x"), PLAIN).fields == (("content-type", "multipart/form-data"),)

    @pytest.mark.parametrize(
        ("fields", "body"),
        [
            (
                {"Content-Type": "application/json"},
                b'{"user": "ann", "password": "hush", "a": [{"client_secret": "hush"}]}',
            ),
            ({"Content-Type": "application/vnd.api+json"}, b'{"user": "ann", "token": "hush"}'),
            (FORM, b"user=ann&password=hush&x=1"),
            (FORM, b"password=hush&user=ann"),
        ],
    )
    def test_no_credential_in_one_is_left(self, fields: dict[str, str], body: bytes) -> None:
        request = asked("POST /login?access_token=hush", fields, body)
        judged = FLAVOUR.judge(request, self.READS)
        text = list(statement_text(request, judged.fields))
        for one in judged.secrets:
            text[one.start : one.end] = "*" * (one.end - one.start)
        assert "hush" not in "".join(text)
        assert "ann" in "".join(text)


class TestSent:
    def test_a_bearer(self) -> None:
        fields = {"Authorization": "Bearer gateway-token", "Cookie": "session=1", "Accept": "*/*"}
        assert dict(FLAVOUR.authorise(asked("GET /", fields), PLAIN, TOKEN)) == {
            "Accept": "*/*",
            "Authorization": "Bearer azure-token",
        }

    def test_a_name_and_password(self) -> None:
        sent = FLAVOUR.authorise(asked("GET /"), api(auth="basic"), SECRET).get("authorization")
        assert base64.b64decode(sent.removeprefix("Basic ")) == b"shop:s3cret"

    def test_a_field_whatever_the_client_sends_in_it(self) -> None:
        keyed = api(auth="header", header="X-Api-Key")
        sent = FLAVOUR.authorise(asked("GET /", {"x-api-key": "mine", "Authorization": "Bearer t"}), keyed, SECRET)
        assert list(sent) == [("X-Api-Key", "s3cret")]

    def test_the_line_end_of_a_file_is_not_sent(self) -> None:
        sent = FLAVOUR.authorise(asked("GET /"), PLAIN, Credential("", b"s3cret\r\n"))
        assert sent.get("authorization") == "Bearer s3cret"

    def test_cookies_pass_where_the_settings_say_so(self) -> None:
        lets = api(cookies=True)
        assert FLAVOUR.authorise(asked("GET /", {"Cookie": "a=b"}), lets, SECRET).get("cookie") == "a=b"
        headers = Headers([("Set-Cookie", "a=b"), ("WWW-Authenticate", "Basic")])
        assert list(FLAVOUR.answered(asked("GET /"), lets, 200, headers).headers) == [("Set-Cookie", "a=b")]
        assert list(FLAVOUR.answered(asked("GET /"), PLAIN, 200, headers).headers) == []


class TestAnswered:
    def test_links_of_json_answers_lead_to_the_gateway(self) -> None:
        headers = Headers([("Content-Type", "application/json; charset=utf-8")])
        edits = FLAVOUR.answered(asked("GET /a"), PLAIN, 200, headers).edits
        assert edits["$.nextLink"]("https://crm.example/a?page=2") == "https://shop.gw.example/a?page=2"
        assert set(edits) == {"$.nextLink", "$['@odata.nextLink']"}
        assert FLAVOUR.answered(asked("GET /a"), api(links=[]), 200, headers).edits == {}
        assert FLAVOUR.answered(asked("GET /a"), PLAIN, 200, Headers([("Content-Type", "text/csv")])).edits == {}

    def test_a_redirect_elsewhere_is_refused(self) -> None:
        answer = FLAVOUR.answered(asked("GET /a"), PLAIN, 302, Headers([("Location", "https://evil.example/")]))
        assert "evil.example" in answer.refused
        assert FLAVOUR.answered(asked("GET /a"), PLAIN, 302, Headers([("Location", "/b")])).refused == ""

    def test_a_refused_credential_is_renewed_once_and_then_the_gateways_fault(self) -> None:
        answer = FLAVOUR.answered(asked("GET /a"), PLAIN, 401, Headers([("WWW-Authenticate", "Bearer")]))
        assert (answer.renew, "crm" in answer.refused) == ("", True)
        assert FLAVOUR.answered(asked("GET /a"), PLAIN, 403, Headers()).renew is None

    def test_a_refusal_is_a_problem(self) -> None:
        response = FLAVOUR.refusal(asked("GET /a"), PLAIN, Refusal(403, "no", "https://gw/1"))
        assert response.headers.get("content-type") == "application/problem+json"
        assert json.loads(response.body) == {
            "title": "Forbidden",
            "status": 403,
            "detail": "no",
            "instance": "https://gw/1",
        }
        assert "instance" not in json.loads(FLAVOUR.refusal(None, PLAIN, Refusal(431, "no")).body)

    def test_a_challenge_asks_for_a_bearer(self) -> None:
        response = FLAVOUR.challenge(asked("GET /a"), PLAIN, "show a token")
        assert (response.status, response.headers.get("www-authenticate")[:6]) == (401, "Bearer")


class TestSettings:
    @pytest.mark.parametrize(
        ("rule", "told_why"),
        [
            ("GET", "is no `METHOD /path`"),
            ("/orders", "is no `METHOD /path`"),
            ("get /orders", "is no `METHOD /path`"),
            ("GET orders", "is no `METHOD /path`"),
            ("GET|/orders", "is no `METHOD /path`"),
            ("GET /a b", "is no `METHOD /path`"),
            ("GET /a/**/b", "is no segment"),
            ("GET /a/{id", "is no segment"),
            ("GET /a/x*", "is no segment"),
            ("GET /a//b", "is no segment"),
            ("GET /a/../b", "is no segment"),
            ("GET /a?b=c", "is no segment"),
            ("GET /a%20b", "is no segment"),
        ],
    )
    def test_a_rule_that_can_never_match_is_refused(self, rule: str, told_why: str) -> None:
        with pytest.raises(ValidationError) as refused:
            api(rules=[{"match": "GET /", "action": "read"}, {"match": rule, "action": "read"}])
        assert refused.value.errors()[0]["loc"] == ("rules", 1, "match")
        assert told_why in str(refused.value)

    @pytest.mark.parametrize(
        "settings",
        [
            {"rules": [{"match": "GET /", "action": "peek"}]},
            {"rules": [{"match": "GET /", "action": []}]},
            {"rules": [{"match": "GET /"}]},
            {"rules": [{"match": "GET /", "action": "read", "reveals": True}]},
            {"methods": {"post": "read"}},
            {"methods": {"POST": "nothing"}},
            {"auth": "header"},
            {"header": "X-Api-Key"},
            {"auth": "header", "header": "a b"},
            {"auth": "header", "header": "Host"},
            {"auth": "header", "header": "X-A\r\nX-B"},
            {"auth": "digest"},
            {"bodies": -1},
            {"bodies": 1 << 30},
            {"links": ["nextLink"]},
        ],
    )
    def test_what_would_do_nothing_or_harm_is_refused(self, settings: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            api(**settings)

    @pytest.mark.parametrize(
        ("auth", "user", "token", "part"),
        [
            ("basic", True, False, ""),
            ("basic", False, False, "give `user`"),
            ("basic", True, True, "auth: bearer"),
            ("bearer", False, False, ""),
            ("bearer", False, True, ""),
        ],
    )
    def test_the_credential_fits(self, auth: str, user: bool, token: bool, part: str) -> None:
        settings = api(auth=auth).settings
        assert settings is not None
        fault = FLAVOUR.credential_fault(settings, user=user, token=token)
        assert bool(fault) == bool(part)
        assert part in fault


SEGMENTS = st.lists(st.text(alphabet=st.sampled_from("aA.%25eE/;\\ é\x00*{}"), max_size=6), max_size=5)


@given(st.sampled_from(["GET", "POST", "BREW"]), SEGMENTS, st.text(max_size=12), st.binary(max_size=20))
def test_judging_never_raises_and_stays_below_the_api(method: str, names: list[str], query: str, body: bytes) -> None:
    request = asked(f"{method} /{'/'.join(names)}?{query}", FORM, body)
    for resource in (PLAIN, RULED, TestBodies.READS):
        judged = FLAVOUR.judge(request, resource)
        assert all(effect.object.path[0] == "paths" for effect in judged.effects)
        assert (Action.UNCLASSIFIED in {effect.action for effect in judged.effects}) == bool(judged.doubt)
        assert not any({".", "..", ""} & set(effect.object.path) for effect in judged.effects)


PATHS = st.lists(
    st.sampled_from(
        ["a", "A", "/", "/", ".", "..", "%2e", "%2F", "%5C", "%25", "2e", "%41", "%C3%A9", ";", "%20", "*", "//"]
    ),
    max_size=10,
)


@given(PATHS.map("".join), st.sampled_from([FLAVOUR, BLOB, VAULT]))
def test_no_path_that_is_judged_is_another_one_once_it_is_decoded(raw: str, flavour: Flavour) -> None:
    """What a lenient server makes of the path that is sent (decoded, dot segments resolved) is what was judged."""
    try:
        path = normal_path(f"/{raw}", flavour.path)
    except Unreadable:
        return
    judged = flavour.judge(
        asked(f"GET {path}"), PLAIN if flavour is FLAVOUR else Resource("r", flavour.kind, PLAIN.upstream)
    )
    if judged.doubt:
        return
    names = judged.effects[0].object.path[1:]
    read = posixpath.normpath(unquote(path)).lower().split("/")
    served = tuple(part for part in read if part)
    if flavour is BLOB:
        assert tuple(name.lower() for name in names if name) in (served, ("$root", *served))
    elif flavour is VAULT:
        assert names[0] in served[0]
    else:
        assert names == served
