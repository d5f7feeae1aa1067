"""Signatures equal those of Microsoft's own signer, for whatever its clients send."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Protocol, cast
from urllib.parse import urlsplit

import pytest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.shared_key import shared_key, string_to_sign

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(bytes(range(64))).decode()


@dataclass
class Sent:
    """What the signer reads of a request."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]


class Policy(Protocol):
    """What of the signer is called here."""

    def on_request(self, request: Pipeline) -> None: ...


class Signer(Protocol):
    """The signer's class; its library has no types."""

    def __call__(self, account: str, key: str) -> Policy: ...


@dataclass
class Context:
    transport: object = None


@dataclass
class Pipeline:
    http_request: Sent
    context: Context = field(default_factory=Context)


def theirs(method: str, target: str, headers: dict[str, str]) -> str:
    query = {
        name: value for name, _, value in (piece.partition("=") for piece in urlsplit(target).query.split("&") if piece)
    }
    sent = Sent(method, f"https://{ACCOUNT}.blob.core.windows.net{target}", dict(headers), query)
    cast("Signer", SharedKeyCredentialPolicy)(ACCOUNT, KEY).on_request(Pipeline(sent))
    return sent.headers["Authorization"]


def ours(method: str, target: str, headers: dict[str, str]) -> str:
    return shared_key(ACCOUNT, KEY.encode(), request(method, target, Headers(headers.items())))


def request(method: str, target: str, headers: Headers) -> Request:
    path, mark, query = target.partition("?")
    return Request(method, "gw.example", path, query if mark else None, headers)


STAMPS = {"x-ms-date": "Thu, 26 Nov 2026 15:00:00 GMT", "x-ms-version": "2026-02-06"}


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/?comp=list&include=metadata%2Cdeleted", {}),
        ("GET", "/shop?restype=container&comp=list&prefix=a%2Fb%20c&marker=2%21MDAw%2B", {}),
        ("PUT", "/shop?restype=container", {"x-ms-meta-b": "2", "x-ms-meta-a": "1", "Content-Length": "0"}),
        (
            "PUT",
            "/shop/2026/r%C3%A9sum%C3%A9%20%231.pdf",
            {
                "Content-Length": "1024",
                "Content-Type": "application/octet-stream",
                "Content-MD5": "Q2hlY2s=",
                "Content-Encoding": "gzip",
                "Content-Language": "en",
                "If-None-Match": "*",
                "x-ms-blob-type": "BlockBlob",
                "x-ms-blob-content-type": "application/pdf",
            },
        ),
        ("GET", "/shop/a", {"x-ms-range": "bytes=0-1023", "If-Match": '"0x1"', "x-ms-if-tags": "\"a\" = 'b'"}),
        (
            "GET",
            "/shop/a?snapshot=2026-01-01T00%3A00%3A00.0000000Z",
            {"If-Modified-Since": "Thu, 26 Nov 2026 15:00:00 GMT"},
        ),
        (
            "PUT",
            "/shop/a",
            {"x-ms-copy-source": f"https://{ACCOUNT}.blob.core.windows.net/shop/b", "Content-Length": "0"},
        ),
        ("POST", "/?comp=batch", {"Content-Type": "multipart/mixed; boundary=batch_1", "Content-Length": "300"}),
        (
            "PUT",
            "/shop/a?comp=metadata",
            {"x-ms-meta-a1": "x", "x-ms-meta-a_": "y", "x-ms-meta-a": "", "Content-Length": "0"},
        ),
        ("DELETE", "/shop/a%2Fb?versionid=2026-01-01", {"x-ms-delete-snapshots": "include"}),
    ],
)
def test_the_clients_own_signer_signs_the_same(method: str, target: str, headers: dict[str, str]) -> None:
    assert ours(method, target, {**STAMPS, **headers}) == theirs(method, target, {**STAMPS, **headers})


NAMES = st.text(alphabet="ab19_-", min_size=1, max_size=5).map("x-ms-meta-".__add__)
VALUES = st.text(alphabet="abc 1%/", max_size=6).map(str.strip)
PARAMETERS = st.dictionaries(
    st.sampled_from(["comp", "restype", "prefix", "marker", "timeout"]),
    st.sampled_from(["a", "%41%2f", "a%20b", "%C3%A9"]),
    max_size=4,
)


@given(st.dictionaries(NAMES, VALUES, max_size=6), PARAMETERS, st.sampled_from(["/", "/a", "/a/b%20c", "/a/b/c"]))
def test_whatever_its_fields_and_parameters_are(fields: dict[str, str], query: dict[str, str], path: str) -> None:
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
    assert ours("GET", target, {**STAMPS, **fields}) == theirs("GET", target, {**STAMPS, **fields})


def test_what_is_signed_is_as_the_reference_has_it() -> None:
    headers = Headers(
        [("Date", "ignored"), ("X-Ms-Date", "now"), ("x-ms-version", "2026-02-06"), ("Range", "bytes=0-9")]
    )
    text = string_to_sign("acct", request("GET", "/c?restype=container&comp=list&Include=b&include=a", headers))
    assert text == (
        b"GET\n"
        + b"\n" * 10
        + b"bytes=0-9\nx-ms-date:now\nx-ms-version:2026-02-06\n/acct/c\ncomp:list\ninclude:a,b\nrestype:container"
    )


def test_bytes_of_a_field_are_signed_as_they_are_sent() -> None:
    text = string_to_sign("acct", request("GET", "/c", Headers([("x-ms-meta-a", "caf\xc3\xa9")])))
    assert b"x-ms-meta-a:caf\xc3\xa9\n" in text


def test_a_key_that_is_no_base64_signs_nothing() -> None:
    with pytest.raises(ValueError, match="base64"):
        shared_key("acct", b"not base64!", request("GET", "/c", Headers()))
