"""Links of the resource come back to the gateway, or do not come at all."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.http.links import (
    ForeignLink,
    link_edits,
    origin_of,
    rewritten,
    rewritten_headers,
)
from blastwall.protocols.http.request import Headers, Request

GATEWAY = "arm.gw.example:8444"
ARM = Resource("arm", "any", Address("management.azure.com", 443))
PLAIN = Resource("local", "any", Address("127.0.0.1", 10000, TlsMode.DISABLE))


def asked(path: str = "/subscriptions") -> Request:
    return Request("GET", GATEWAY, path, "api-version=1", Headers())


@pytest.mark.parametrize(
    ("link", "given_out"),
    [
        ("https://management.azure.com/a?%24skiptoken=a%2fB&x=+", f"https://{GATEWAY}/a?%24skiptoken=a%2fB&x=+"),
        ("https://management.azure.com:443/a", f"https://{GATEWAY}/a"),
        ("HTTPS://Management.Azure.COM/A", f"https://{GATEWAY}/A"),
        ("https://management.azure.com", f"https://{GATEWAY}"),
        ("https://management.azure.com?a=https://evil.example/", f"https://{GATEWAY}?a=https://evil.example/"),
        ("https://management.azure.com#x", f"https://{GATEWAY}#x"),
        ("/a/b?c=http://evil.example", "/a/b?c=http://evil.example"),
        ("?page=2", "?page=2"),
        ("next", "next"),
        ("", ""),
    ],
)
def test_own_links_lead_to_the_gateway_and_relative_ones_stay(link: str, given_out: str) -> None:
    assert rewritten(link, asked(), ARM) == given_out


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/a",
        "https://management.azure.com.evil.example/",
        "https://evil.example/?https://management.azure.com/",
        "https://management.azure.com@evil.example/",
        "https://user:secret@management.azure.com/",
        "https://management.azure.com:443@evil.example/",
        "https://management.azure.com:8443/",
        "https://management.azure.com:/a",
        "https://management.azure.com./a",
        "http://management.azure.com/a",
        "ftp://management.azure.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:management.azure.com/a",
        "https:/management.azure.com/a",
        "https:///evil.example/a",
        "//evil.example/a",
        "//management.azure.com/a",
        "\\\\evil.example\\a",
        "/\\evil.example",
        "https://management.azure.com\\@evil.example/",
        "https://management.azure.com%2f@evil.example/",
        "https://m\u0430nagement.azure.com/",
        "https://management.azure\u3002com/",
        "https://management.azure.com\uff0fevil.example",
        " https://management.azure.com/",
        "/a\r\nSet-Cookie: x",
        "/\tevil",
        "https://169.254.169.254/metadata/identity/oauth2/token",
        "https://[::1]/",
        "a:b",
    ],
)
def test_whatever_may_lead_elsewhere_is_refused_without_repeating_its_secrets(link: str) -> None:
    with pytest.raises(ForeignLink) as refused:
        rewritten(link, asked(), ARM)
    assert "secret" not in str(refused.value)


def test_a_resource_without_tls_has_its_own_port_and_scheme() -> None:
    assert (
        rewritten("http://127.0.0.1:10000/devstoreaccount1/c", asked(), PLAIN)
        == f"https://{GATEWAY}/devstoreaccount1/c"
    )
    for link in ("https://127.0.0.1:10000/", "http://127.0.0.1/", "http://localhost:10000/"):
        with pytest.raises(ForeignLink):
            rewritten(link, asked(), PLAIN)


def test_every_host_of_a_resource_is_its_own() -> None:
    two = Resource("two", "any", Address("a.example", 443), standbys=(Address("b.example", 8443),))
    assert rewritten("https://b.example:8443/x", asked(), two) == f"https://{GATEWAY}/x"


def test_origins_are_written_as_urls_have_them() -> None:
    assert origin_of(Address("a.example", 443)) == "https://a.example"
    assert origin_of(Address("::1", 8443)) == "https://[::1]:8443"
    assert origin_of(PLAIN.upstream) == "http://127.0.0.1:10000"


PIECES = [*"htps:/@\\?#.[]%", "https:", "management.azure.com", "evil.example", "//", "443", "\t", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("https://management.azure.com//evil.example/")
def test_no_link_that_is_passed_on_has_another_host(link: str) -> None:
    try:
        given_out = rewritten(link, asked(), ARM)
    except ForeignLink:
        return
    followed = urljoin(asked().url, given_out)
    assert urlsplit(followed).netloc == GATEWAY
    assert "\\" not in given_out


class TestHeaders:
    def test_each_link_that_a_client_follows_is_rewritten_and_the_rest_is_left(self) -> None:
        own = "https://management.azure.com/operations/1?api-version=2"
        fields = [
            (name, own) for name in ("Location", "Azure-AsyncOperation", "Operation-Location", "Content-Location")
        ]
        got = rewritten_headers(Headers([*fields, ("ETag", '"1"'), ("X-Ms-Request-Id", "7")]), asked(), ARM)
        assert [value for _, value in got] == [f"https://{GATEWAY}/operations/1?api-version=2"] * 4 + ['"1"', "7"]
        assert [name for name, _ in got][:2] == ["Location", "Azure-AsyncOperation"]

    @pytest.mark.parametrize("name", ["Location", "azure-asyncoperation", "Operation-Location", "Content-Location"])
    def test_a_link_that_leads_away_stops_the_answer(self, name: str) -> None:
        with pytest.raises(ForeignLink):
            rewritten_headers(Headers([(name, "https://evil.example/")]), asked(), ARM)

    def test_two_locations_are_one_too_many(self) -> None:
        with pytest.raises(ForeignLink, match="two location fields"):
            rewritten_headers(Headers([("Location", "/a"), ("location", "/b")]), asked(), ARM)

    @pytest.mark.parametrize("name", ["Refresh", "Alt-Svc", "Strict-Transport-Security", "Report-To"])
    def test_fields_that_lead_clients_elsewhere_are_not_passed_on(self, name: str) -> None:
        assert len(rewritten_headers(Headers([(name, "0; url=https://evil.example")]), asked(), ARM)) == 0

    def test_link_fields_keep_what_is_the_resources(self) -> None:
        value = (
            '<https://management.azure.com/a?p=1,2>; rel="next", <https://evil.example/>; rel="last", </b>; rel=prev'
        )
        got = rewritten_headers(Headers([("Link", value)]), asked(), ARM)
        assert got.get("link") == f'<https://{GATEWAY}/a?p=1,2>; rel="next", </b>; rel=prev'
        assert "link" not in rewritten_headers(Headers([("Link", "<https://evil.example/>; rel=next")]), asked(), ARM)

    def test_azures_own_urls_are_the_gateways_or_gone(self) -> None:
        fields = [
            ("x-ms-copy-source", "https://evil.example/a?sig=s"),
            ("x-ms-other", "https://management.azure.com/b"),
        ]
        got = rewritten_headers(Headers(fields), asked(), ARM)
        assert list(got) == [("x-ms-other", f"https://{GATEWAY}/b")]


def test_edits_of_bodies_rewrite_or_raise() -> None:
    edits = link_edits(["$.nextLink", "$.resourceLocation"], asked(), ARM)
    assert sorted(edits) == ["$.nextLink", "$.resourceLocation"]
    assert edits["$.nextLink"]("https://management.azure.com/a?b=%2F") == f"https://{GATEWAY}/a?b=%2F"
    with pytest.raises(ForeignLink):
        edits["$.nextLink"]("https://evil.example/a")
