"""The readers alone: what they take has one reading, whatever it looks like and however it is cut."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import brotli
import httptools
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.protocols.http.codings import decoded
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import check_request, passed_back, passed_on, verbatim
from blastwall.protocols.http.framing import Body, Framing, request_body, response_body
from blastwall.protocols.http.heads import head_end, read_request, read_response, write_fields
from blastwall.protocols.http.normalise import (
    STRICT,
    PathRule,
    decoded_segments,
    normal_authority,
    normal_path,
    split_target,
)
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.tests.ambiguous import REQUESTS
from blastwall.protocols.http.writing import response_head

LAX = PathRule(slashes=True, parameters=True)

# ── heads ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PARTS = st.sampled_from(
    [b"GET ", b"POST ", b"/a", b"?b=c", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"Host: a", b"Content-Length: 5", b": ",
     b":",
     b" ", b"\t", b"\x00", b"\xff",
     b"X", b"Transfer-Encoding: chunked", b"\r\n\r\n", b"0\r\n", b"5\r\n", b"abcde"]
)  # fmt: skip


class Seen:
    """What llhttp makes of a request."""

    def __init__(self, data: bytes) -> None:
        self.fields: list[tuple[str, str]] = []
        self.url = b""
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.method = parser.get_method().decode()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode("latin-1"), value.decode("latin-1").strip("\t ")))


@settings(max_examples=400, deadline=None)
@given(parts=st.lists(PARTS, max_size=12))
def test_a_head_that_is_taken_is_taken_for_the_same_by_llhttp(parts: list[bytes]) -> None:
    data = b"".join([b"GET /a HTTP/1.1\r\nHost: a\r\n", *parts, b"\r\n\r\n"])
    try:
        end = head_end(data)
        head = read_request(data[:end])
        check_request(head.headers)
        request_body(head.headers)
    except Unreadable:
        return
    seen = Seen(data[:end])
    assert (head.method, head.target, list(head.headers)) == (seen.method, seen.url.decode(), seen.fields)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_noise(data: bytes) -> None:
    for read in (read_request, read_response):
        try:
            read(data)
        except Unreadable:
            continue


@given(
    fields=st.lists(
        st.tuples(st.text("AXz-_!", min_size=1, max_size=5), st.text(st.characters(max_codepoint=300), max_size=20)),
        max_size=5,
    )
)
def test_fields_are_written_so_that_they_are_read_as_the_same_or_not_at_all(fields: list[tuple[str, str]]) -> None:
    try:
        written = write_fields(Headers(fields))
    except ValueError:
        return
    read = read_response(b"HTTP/1.1 200 OK\r\n" + written + b"\r\n").headers
    assert list(read) == [(name, value.strip("\t ")) for name, value in fields]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x00b", "a\u0100b", "a\x1bb"])
def test_no_line_can_be_put_into_a_field(value: str) -> None:
    with pytest.raises(ValueError, match="read as something else"):
        response_head(200, "OK", Headers([("X", value)]), Framing.LENGTH, 0, close=False)
    with pytest.raises(ValueError, match="read as something else"):
        response_head(200, "OK", Headers([(f"X{value}", "y")]), Framing.LENGTH, 0, close=False)


def test_the_corpus_only_grows() -> None:
    assert len(REQUESTS) >= 138


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def framed(body: bytes, cuts: list[int], trailer: bytes = b"") -> bytes:
    pieces, rest = [], body
    for cut in cuts:
        if rest:
            pieces.append(rest[:cut])
            rest = rest[cut:]
    pieces += [rest] if rest else []
    return b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n" + trailer + b"\r\n"


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=300),
    chunks=st.lists(st.integers(1, 40), max_size=10),
    cuts=st.lists(st.integers(1, 9), max_size=120),
    trailer=st.sampled_from([b"", b"X: y\r\n"]),
)
def test_chunks_are_read_the_same_however_they_arrive(
    body: bytes, chunks: list[int], cuts: list[int], trailer: bytes
) -> None:
    data = framed(body, chunks, trailer) + b"GET /next"
    whole, pieces = Body(Framing.CHUNKED, 0), Body(Framing.CHUNKED, 0)
    whole.framed = pieces.framed = True
    once, end = whole.feed(data)
    assert data[end:] == b"GET /next"
    found, position = [], 0
    for cut in [*cuts, len(data)]:
        if not pieces.done:
            got, taken = pieces.feed(data[position : position + cut])
            found += got
            position += taken
    assert (b"".join(found), position, pieces.read) == (b"".join(once), end, len(body))
    assert len(pieces.trailer) == bool(trailer)
    again = Body(Framing.CHUNKED, 0)
    read, _ = again.feed(b"".join(once) + b"0\r\n\r\n")
    assert b"".join(read) == body


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60), start=st.sampled_from([b"", b"5\r\nabcde", b"0\r\n", b"1\r\na\r\n"]))
def test_no_noise_breaks_a_body(data: bytes, start: bytes) -> None:
    body = Body(Framing.CHUNKED, 0)
    try:
        _, end = body.feed(start + data)
    except Unreadable:
        return
    assert 0 <= end <= len(start + data)
    assert body.done or end == len(start + data)


@pytest.mark.parametrize(
    ("method", "status", "fields", "framing"),
    [
        ("GET", 200, [("Content-Length", "5")], Framing.LENGTH),
        ("GET", 200, [("Transfer-Encoding", "Chunked")], Framing.CHUNKED),
        ("GET", 200, [], Framing.CLOSE),
        ("HEAD", 200, [("Content-Length", "5")], Framing.NONE),
        ("HEAD", 200, [("Transfer-Encoding", "chunked")], Framing.NONE),
        ("GET", 204, [], Framing.NONE),
        ("GET", 304, [("Content-Length", "5")], Framing.NONE),
        ("GET", 200, [("Content-Length", "0")], Framing.NONE),
    ],
)
def test_where_an_answer_ends(method: str, status: int, fields: list[tuple[str, str]], framing: Framing) -> None:
    assert response_body(method, status, Headers(fields), 1).framing is framing


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_small_body_does_not_become_a_large_one(coding: str) -> None:
    zeros = bytes(64 << 20)
    bomb = brotli.compress(zeros, quality=1) if coding == "br" else zstandard.compress(zeros)
    with pytest.raises(Unreadable, match="more than 1000"):
        decoded(bomb, coding, 1000)
    for broken in (bomb[:-1], bomb + b"x"):
        with pytest.raises(Unreadable):
            decoded(broken, coding, 65 << 20)


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_said_for_a_client_is_dropped_and_everything_else_passes() -> None:
    ours = [("Accept", "a"), ("Accept", "b"), ("x-ms-version", "1"), ("Cookie", "c"), ("X-Forwards", "d")]
    theirs = [("X-Forwarded-For", "e"), ("VIA", "f"), ("X-Real-Ip", "g"), ("Authorization", "h"), ("TE", "i")]
    assert list(passed_on(Headers([*ours, *theirs]))) == ours


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ([("A", "b"), ("Content-Length", "5")], True),
        ([("A", "b"), ("Content-Length", "5"), ("Connection", "keep-alive")], True),
        ([("A", "b"), ("Content-Length", "5"), ("Connection", "close")], False),
        ([("A", "b"), ("Connection", "keep-alive, A")], False),
        ([("A", "b"), ("Alt-Svc", 'h3="evil:443"')], False),
        ([("A", "b"), ("Keep-Alive", "timeout=5")], False),
        ([("A", "b"), ("Content-Length", "5"), ("Upgrade", "h2")], False),
    ],
)
def test_a_head_passes_as_it_is_only_where_nothing_is_taken_from_it(fields: list[tuple[str, str]], same: bool) -> None:
    headers = Headers(fields)
    assert verbatim(headers, passed_back(headers)) is same


# ── paths and hosts ──────────────────────────────────────────────────────────────────────────────────────────────────

PIECES = st.sampled_from(
    ["/", "a", "b", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", "%25", "%252e", ";x", "%41", "%c3%a4", "%ff", "%00",
     "~",
     ":", "@", "%3b", "//", "%", "%0a",
     "+", "%20", "é"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(pieces=st.lists(PIECES, max_size=8), rule=st.sampled_from([STRICT, LAX]))
def test_a_path_that_is_taken_is_in_its_form_for_good(pieces: list[str], rule: PathRule) -> None:
    sent = "/" + "".join(pieces)
    try:
        path = normal_path(sent, rule)
    except Unreadable:
        return
    assert normal_path(path, rule) == path
    assert not {".", ".."} & {part for segment in decoded_segments(path) for part in segment.split("/")}
    if rule is STRICT:
        again = unquote(path)
        resolved = posixpath.normpath(again)
        assert resolved == again.rstrip("/") or again == "/"
        assert unquote(again) == again or "%25" in path
        assert posixpath.normpath(unquote(again)).rstrip("/") == unquote(again).rstrip("/")


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/a/../b", "/b"),
        ("/a/./b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        ("/%7Euser/%41", "/~user/A"),
        ("/%c3%a4", "/%C3%A4"),
        ("/a%20b", "/a%20b"),
        ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="),
        ("/100%25", "/100%25"),
        ("/", "/"),
    ],
)
def test_paths_in_their_form(sent: str, path: str) -> None:
    assert normal_path(sent) == path


@pytest.mark.parametrize("sent", ["/a%2fb", "/a//b", "/a/b%252e", "/a;b", "/a%2F..b"])
def test_names_of_blobs_are_left_as_they_are(sent: str) -> None:
    assert normal_path(sent, LAX).lower() == sent.lower()
    with pytest.raises(Unreadable):
        normal_path(sent)


@pytest.mark.parametrize("sent", ["/%25%41a", "/%25%34%31", "/%25a%41", "/%%32%35%34%31"])
def test_an_escape_that_appears_by_unescaping_is_refused(sent: str) -> None:
    with pytest.raises(Unreadable):
        normal_path(sent)


@pytest.mark.parametrize("sent", ["//a", "/../a", "/a%2f..%2fb", "/a/..;x", "/a%2f.", "/a%5cb", "/a/..//b"])
def test_what_is_a_way_out_is_refused_there_too(sent: str) -> None:
    with pytest.raises(Unreadable):
        normal_path(sent, LAX)


@pytest.mark.parametrize(
    ("sent", "authority"),
    [
        ("API.gw.Example", "api.gw.example"),
        ("api:443", "api"),
        ("api:80", "api:80"),
        ("127.0.0.1:8443", "127.0.0.1:8443"),
        ("[::1]:443", "[::1]"),
        ("[0:0::1]:8443", "[::1]:8443"),
    ],
)
def test_hosts_in_their_form(sent: str, authority: str) -> None:
    assert normal_authority(sent, "https") == authority


def test_the_query_passes_as_it_came() -> None:
    assert split_target("/a?b=%2f..&c=<d>?e", "api", "https") == ("/a", "b=%2f..&c=<d>?e")
    assert split_target("https://API/a?b", "api", "https") == ("/a", "b")
    assert split_target("https://api", "api", "https") == ("/", None)
    assert split_target("/a?", "api", "https") == ("/a", "")
