"""Bodies of answers: what a client gets of them, and what a recording keeps, under masking rules."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.masks import NO_MASKS, DetectRule, FieldRule, MaskRules, MaskStyle, ResultRecord
from blastwall.protocols.http.bodies.codings import codings
from blastwall.protocols.http.bodies.filter import BodyFilter, Unreadable, body_filter
from blastwall.protocols.http.bodies.heads import requested, without_body
from blastwall.protocols.http.request import Headers

KEY = b"a key that is long enough for it"
CARD = "4111111111111111"
DETECT = MaskRules(detect=(DetectRule("pii", ("email", "card"), MaskStyle.REDACT),), key=KEY)
FIELDS = MaskRules(fields=(FieldRule("..email", "..email", MaskStyle.PARTIAL),), key=KEY)
BOTH = MaskRules(detect=DETECT.detect, fields=FIELDS.fields, key=KEY)
BODY = json.dumps({"value": [{"email": "ann@example.com", "note": f"card {CARD}"}] * 50}).encode()


packed = partial(gzip.compress, mtime=0)
"""The same bytes in every process: they name tests."""


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("X-GZip", lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:])),
    ("deflate", zlib.compress),
    ("deflate", _raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.compress),
    ("zstd", lambda data: zstandard.compress(data[:100]) + zstandard.compress(data[100:])),
    ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ("identity", bytes),
]


def opened(
    kind: str,
    rules: MaskRules,
    record: ResultRecord | None = None,
    *,
    edits: Mapping[str, Callable[[str], str]] | None = None,
    reveals: bool = False,
    **fields: str,
) -> BodyFilter | None:
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    headers = Headers([*([("Content-Type", kind)] if kind else []), *named])
    return body_filter(headers, rules, edits or {}, record, reveals=reveals)


def sent(body: bytes, found: BodyFilter | None, cuts: Sequence[int] = ()) -> bytes:
    assert found is not None
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    pieces = [found.feed(body[start:end]) for start, end in pairwise(places)]
    return b"".join(pieces) + found.finish()


# ── codings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "pack"), CODINGS)
@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=6))
def test_what_is_compressed_is_masked_too(name: str, pack: Callable[[bytes], bytes], cuts: list[int]) -> None:
    out = sent(pack(BODY), opened("application/json", BOTH, content_encoding=name), cuts)
    assert json.loads(out)["value"] == [{"email": "a***@example.com", "note": "card [redacted:card]"}] * 50


@pytest.mark.parametrize(("name", "pack"), CODINGS[:-1])
@pytest.mark.parametrize("spoil", [lambda data: data[:-3], lambda data: data + b"{}", lambda data: b"{" + data])
def test_what_is_not_in_its_coding_is_not_passed(
    name: str, pack: Callable[[bytes], bytes], spoil: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(Unreadable):
        sent(spoil(pack(BODY)), opened("application/json", BOTH, content_encoding=name))


@pytest.mark.parametrize("name", ["compress", "gzip;q=1", "aes128gcm", "gzip, gzip, gzip, gzip", "dcb"])
def test_codings_that_nobody_undoes_are_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        opened("application/json", DETECT, content_encoding=name)


@pytest.mark.parametrize(
    "bomb",
    [
        ("gzip", packed(bytes(24 << 20))),
        ("br", brotli.compress(bytes(24 << 20), quality=5)),
        ("zstd", zstandard.compress(bytes(64 << 20))),
        ("gzip, gzip", packed(packed(bytes(24 << 20)))),
    ],
)
def test_bombs_end_early_and_in_little_memory(bomb: tuple[str, bytes]) -> None:
    coding = codings(bomb[0].split(","))
    assert coding is not None
    tracemalloc.start()
    with pytest.raises(Unreadable, match="times its size"):
        sum(map(len, coding.feed(bomb[1])))
    assert tracemalloc.get_traced_memory()[1] < 12 << 20
    tracemalloc.stop()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), name=st.sampled_from(["gzip", "deflate", "br", "zstd", ""]))
def test_whatever_arrives_is_masked_or_refused(data: bytes, name: str) -> None:
    for kind in ("application/json", "text/csv", "application/xml", "text/plain", "", "application/x-ndjson"):
        for body in (data, CARD.encode() + data, b'{"a": "' + data):
            try:
                out = sent(body, opened(kind, BOTH, content_encoding=name), [3, 50])
            except Unreadable:
                continue
            assert CARD.encode() not in out or data[:1].isdigit()


# ── types ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(300)


@pytest.mark.parametrize(
    ("kind", "body", "rules"),
    [
        ("image/png", PNG, DETECT),
        ("image/png", PNG, FIELDS),
        ("application/octet-stream", PNG, DETECT),
        ("", packed(BODY), DETECT),
        ("text/html", b"<!DOCTYPE html><p>ann@example.com</p>", FIELDS),
        ("text/plain", b"email: ann@example.com", FIELDS),
        ("application/javascript", b'f({"email": "ann@example.com"})', FIELDS),
        ("application/yaml", b"email: ann@example.com", FIELDS),
        ("multipart/mixed; boundary=x", b'--x\r\n\r\n{"email": "ann"}\r\n--x--', FIELDS),
        ("text/event-stream", b'data: {"email": "ann"}\n\n', FIELDS),
        ("text/csv; header=absent", b"1,ann@example.com\n", FIELDS),
        ("application/json; charset=utf-7", b"{}", FIELDS),
        ("application/xml; charset=utf-16", "<a/>".encode("utf-16"), FIELDS),
    ],
)
def test_a_form_that_cannot_be_read_is_no_way_around_a_rule(kind: str, body: bytes, rules: MaskRules) -> None:
    with pytest.raises(Unreadable):
        sent(body, opened(kind, rules))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/octet-stream", "", "text/plain, application/json", "nonsense", "text/html"]
)
@pytest.mark.parametrize(
    "body",
    [b'{"email": "ann@example.com"}', b' \n[{"email": "ann@example.com"}]', b"<a><email>ann@example.com</email></a>"],
)
def test_what_is_json_or_xml_is_read_as_such_whatever_it_says_to_be(kind: str, body: bytes) -> None:
    assert b"a***@example.com" in sent(body, opened(kind, FIELDS), range(len(body)))


def test_a_rule_lets_types_through_by_name_and_all_rules_must() -> None:
    images = ("image/*",)
    both = MaskRules(
        detect=(DetectRule("pii", ("card",), MaskStyle.REDACT, images),),
        fields=(FieldRule("..a", "..a", MaskStyle.REDACT, images),),
        key=KEY,
    )
    assert sent(PNG, opened("image/png", both)) == PNG
    with pytest.raises(Unreadable):
        sent(PNG, opened("image/png", MaskRules(detect=both.detect, fields=FIELDS.fields, key=KEY)))
    with pytest.raises(Unreadable):
        sent(PNG, opened("application/pdf", both))
    text = MaskRules(
        fields=(FieldRule("..email", "..email", MaskStyle.REDACT, ("text/*",)),), detect=DETECT.detect, key=KEY
    )
    assert sent(b"[INFO] to ann@example.com", opened("text/plain", text)) == b"[INFO] to [redacted:email]"
    assert sent(b'{"email": "x"}', opened("text/plain", text)) == b'{"email": "[redacted]"}'


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32", "iso-8859-1", "windows-1252"])
def test_other_charsets_are_read_and_sent_as_utf_8(charset: str) -> None:
    text = json.dumps({"a": f"é {CARD}"}, ensure_ascii=False)
    headers = Headers([("Content-Type", f'application/json; charset="{charset}"')])
    found = body_filter(headers, DETECT, {})
    assert found is not None
    assert found.head(headers).get("content-type") == "application/json; charset=utf-8"
    assert sent(text.encode(charset), found, [1, 2, 3]).decode().lstrip("\ufeff") == '{"a": "é [redacted:card]"}'


def test_a_byte_order_mark_is_no_disguise() -> None:
    text = f"card {CARD}\n" + "and more of it\n" * 40
    assert b"[redacted:card]" in sent(text.encode("utf-16"), opened("text/plain", DETECT), [1, 2, 3])


# ── parts, heads ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_parts_are_refused_and_a_range_that_is_the_whole_is_none() -> None:
    whole = opened("application/json", BOTH, content_range=f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
    assert CARD.encode() not in sent(BODY, whole)
    for part in ("bytes 5-9/10", "bytes 0-8/10", "bytes 0-9/*", "items 0-1/2"):
        with pytest.raises(Unreadable, match="a part"):
            opened("application/json", BOTH, content_range=part)
        assert opened("application/json", NO_MASKS, edits={"$.nextLink": str}, content_range=part) is None


def test_a_request_asks_for_nothing_that_could_not_be_read() -> None:
    asked = Headers(
        [
            ("Accept-Encoding", "gzip;q=0.5, dcb, br;q=0, ZSTD"),
            ("x-ms-range", "bytes=5-9"),
            ("If-Range", "x"),
            ("A", "b"),
        ]
    )
    assert list(requested(asked, DETECT)) == [("A", "b"), ("Accept-Encoding", "gzip, zstd")]
    assert requested(asked, NO_MASKS).get("x-ms-range") == "bytes=5-9"
    assert requested(Headers([("Range", "bytes=0-99")]), DETECT).get("range") == "bytes=0-99"
    assert "accept-encoding" not in requested(Headers([("Accept-Encoding", "*")]), NO_MASKS)


HEAD = Headers(
    [
        ("Content-Type", "application/json"),
        ("Content-Length", "9"),
        ("ETag", '"5f"'),
        ("Content-MD5", "x"),
        ("x-ms-content-crc64", "x"),
        ("x-ms-meta-email", "ann@example.com"),
        ("x-ms-meta-by", "bob@example.org"),
        ("x-ms-request-id", "1"),
    ]
)


def test_heads_tell_nothing_of_what_is_hidden() -> None:
    found = body_filter(HEAD, BOTH, {})
    assert found is not None
    shown = [
        ("Content-Type", "application/json"),
        ("x-ms-meta-email", "a***@example.com"),
        ("x-ms-meta-by", "[redacted:email]"),
        ("x-ms-request-id", "1"),
    ]
    assert list(found.head(HEAD)) == shown
    assert list(without_body(HEAD, BOTH).without(("content-length",))) == shown
    assert without_body(HEAD, NO_MASKS) is HEAD
    edited = body_filter(HEAD, NO_MASKS, {"$.nextLink": str})
    assert edited is not None
    assert edited.head(HEAD).get("etag") == '"5f"'
    assert "content-length" not in edited.head(HEAD)


def test_what_needs_no_reading_passes_untouched() -> None:
    assert opened("application/json", NO_MASKS) is None
    assert opened("image/png", NO_MASKS, edits={"$.nextLink": str}) is None
    assert opened("text/plain", MaskRules()) is None


def test_links_are_rewritten_in_compressed_pages_too() -> None:
    page = gzip.compress(b'{"value": [], "nextLink": "https://management.azure.com/x?a=b"}')
    found = opened(
        "application/json",
        NO_MASKS,
        edits={"$.nextLink": lambda link: link.replace("management.azure.com", "gw")},
        content_encoding="gzip",
    )
    assert sent(page, found, [7]) == b'{"value": [], "nextLink": "https://gw/x?a=b"}'


# ── recordings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def record(rules: MaskRules, size: int = 10_000) -> ResultRecord:
    return ResultRecord(rules, 100, size)


def test_a_recording_keeps_what_the_client_got() -> None:
    found = opened("application/json", BOTH, record(BOTH))
    out = sent(BODY, found, [9, 99])
    assert found is not None
    assert found.recorded == out.decode()
    assert found.masked == {"..email": 50, "pii": 50}


def test_nobody_is_exempt_in_a_recording() -> None:
    packed = gzip.compress(BODY)
    found = opened("application/json", NO_MASKS, record(BOTH), content_encoding="gzip")
    assert sent(packed, found, [20]) == packed
    assert found is not None
    assert found.recorded is not None
    assert json.loads(found.recorded)["value"][0] == {"email": "a***@example.com", "note": "card [redacted:card]"}
    assert found.masked == {}
    assert found.head(HEAD) is HEAD


def test_a_recording_keeps_the_beginning_and_says_so() -> None:
    found = opened("application/json", BOTH, record(BOTH, 40))
    sent(BODY, found, range(0, len(BODY), 100))
    assert found is not None
    assert found.recorded == f'{BODY[:11].decode()}{{"email": "a***@example.com",… [{len(BODY)} bytes in all]'
    unread = opened("application/json", NO_MASKS, record(DETECT, 40))
    assert sent(BODY, unread, range(0, len(BODY), 100)) == BODY
    assert unread is not None
    assert (unread.recorded or "").endswith(f"… [{len(BODY)} bytes in all]")
    assert "ann@" not in (unread.recorded or "")


@pytest.mark.parametrize("rules", [NO_MASKS, BOTH])
def test_an_answer_that_hands_out_a_credential_is_recorded_by_its_size_alone(rules: MaskRules) -> None:
    secret = b'{"value": "a secret of the vault"}'
    for kept in (NO_MASKS, rules):
        found = opened("application/json", rules, record(kept), reveals=True)
        assert sent(secret, found) == secret
        assert found is not None
        assert found.recorded == "[34 bytes: a credential]"


def test_what_cannot_be_read_for_a_recording_is_told_by_its_size() -> None:
    for kind, body, why in (
        ("image/png", PNG, "no text"),
        ("application/json", b'{"a": "' + CARD.encode(), "ends too early"),
    ):
        found = opened(kind, NO_MASKS, record(DETECT))
        assert sent(body, found) == body
        assert found is not None
        assert found.recorded is not None
        assert found.recorded.startswith(f"[{len(body)} bytes: ")
        assert why in found.recorded
    plain = opened("application/zip", NO_MASKS, record(NO_MASKS))
    assert sent(PNG, plain) == PNG
    assert plain is not None
    assert plain.recorded == f"[{len(PNG)} bytes of application/zip]"


def test_what_a_body_is_does_not_depend_on_how_it_arrives() -> None:
    late = b"text " * 60 + b"\x01 and a control character"
    whole, parted = opened("text/plain", DETECT), opened("text/plain", DETECT)
    assert sent(late, whole) == sent(late, parted, range(len(late))) == late


@pytest.mark.parametrize(
    ("kind", "streams"), [("text/event-stream", True), ("application/x-ndjson", True), ("application/json", False)]
)
def test_streams_are_known_as_such(kind: str, streams: bool) -> None:
    found = opened(kind, DETECT)
    assert found is not None
    assert found.streams is streams
