"""Documents masked as they stream: what a reader of the answer sees, however its bytes arrive."""

from __future__ import annotations

import base64
import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from html import escape
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.masking.detection import Detection
from blastwall.masking.documents import Document, Unreadable, jsons
from blastwall.masking.documents.jsons import JsonDocument
from blastwall.masking.documents.looked import _TIME, Edit, Reading
from blastwall.masking.documents.tables import Table
from blastwall.masking.documents.texts import Text
from blastwall.masking.documents.xml import XmlDocument
from blastwall.model.masks import DetectRule, FieldRule, MaskRules, MaskStyle

KEY = b"a key that is long enough for it"
CARD = "4111111111111111"
DETECTORS = ("email", "card", "iban", "us_ssn", "phone", "jwt", "azure_key", "connection_string", "private_key")
DETECT = MaskRules(detect=(DetectRule("pii", DETECTORS, MaskStyle.REDACT),), key=KEY)
Make = Callable[[Reading], Document]
FORMS: Mapping[str, Make] = {"json": JsonDocument, "csv": Table, "xml": XmlDocument, "text": Text}


def fields(*paths: str, style: MaskStyle = MaskStyle.REDACT, detect: bool = False) -> MaskRules:
    found = DETECT.detect if detect else ()
    return MaskRules(detect=found, key=KEY, fields=tuple(FieldRule(path, path, style) for path in paths))


def masked(
    make: Make,
    text: str | bytes,
    rules: MaskRules,
    cuts: list[int] | None = None,
    edits: Mapping[str, Edit] | None = None,
) -> tuple[bytes, dict[str, int]]:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    counts: dict[str, int] = {}
    document = make(Reading(rules, edits or {}, counts))
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    out = b"".join(document.feed(data[start:end]) for start, end in pairwise(places))
    return out + document.finish(), counts


def shown(make: Make, text: str | bytes, rules: MaskRules) -> str:
    return masked(make, text, rules)[0].decode("utf-8", "surrogatepass")


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = json.dumps(
    {
        "value": [
            {
                "id": 1,
                "properties": {"email": "ann@example.com", "age": 40, "ok": True, "tags": ["a", {"b": 1}], "no": None},
            },
            {"id": 2, "properties": {"Email": "bob@example.org", "note": f"paid with {CARD}"}},
        ],
        "nextLink": "https://example.net/page?2",
    }
)


@pytest.mark.parametrize(
    ("style", "email", "age", "tags"),
    [
        (MaskStyle.REDACT, "[redacted]", None, None),
        (MaskStyle.PARTIAL, "a***@example.com", None, None),
        (MaskStyle.NULL, None, None, None),
        (MaskStyle.HASH, "hash_", "hash_", None),
        (MaskStyle.TOKEN, "tok_", "tok_", None),
    ],
)
def test_styles_on_each_type(style: MaskStyle, email: str | None, age: str | None, tags: None) -> None:
    rules = fields(*(f"$.value[*].properties.{name}" for name in ("email", "age", "ok", "tags", "no")), style=style)
    out, counts = masked(JsonDocument, PAGE, rules)
    found = json.loads(out)["value"][0]["properties"]
    for name, wanted in (("email", email), ("age", age), ("ok", age), ("tags", tags), ("no", None)):
        assert found[name] == wanted or (wanted and str(found[name]).startswith(wanted)), name
    assert counts["$.value[*].properties.email"] == 2, "in whatever case"
    assert "$.value[*].properties.no" not in counts, "null stays null"
    assert json.loads(out)["value"][1]["properties"]["note"] == f"paid with {CARD}", "no rule names it"


def test_equal_values_have_equal_tokens_and_keys_that_are_escaped_are_the_same_keys() -> None:
    out = json.loads(
        shown(JsonDocument, r'[{"e\u006dail": "x"}, {"EMAIL": "x"}]', fields("..email", style=MaskStyle.TOKEN))
    )
    assert out[0]["email"] == out[1]["EMAIL"] != "x"


def test_every_one_of_several_equal_keys_is_hidden() -> None:
    assert (
        shown(JsonDocument, '{"a": "x", "a": "y", "A": 1}', fields("$.a"))
        == '{"a": "[redacted]", "a": "[redacted]", "A": null}'
    )


def test_json_within_strings_is_read_as_deep_as_it_is_written() -> None:
    inner = json.dumps({"email": "ann@example.com", "more": json.dumps([{"email": "bob@example.com"}])})
    out = shown(JsonDocument, json.dumps({"body": inner}), fields("..email", style=MaskStyle.PARTIAL))
    within = json.loads(json.loads(out)["body"])
    assert within["email"] == "a***@example.com"
    assert json.loads(within["more"]) == [{"email": "b***@example.com"}]


def test_a_string_that_looks_like_json_and_is_cut_is_hidden_where_a_path_may_lead_into_it() -> None:
    text = json.dumps({"log": '{"email": "ann@example.com", "trunca', "say": '{"} is a "brace"'})
    out, counts = masked(JsonDocument, text, fields("..email"))
    assert json.loads(out)["log"] == "[redacted]"
    assert counts == {"unreadable": 2}
    assert masked(JsonDocument, text, fields("$.other"))[0].decode() == text


def test_lines_of_json_are_documents_each() -> None:
    lines = '{"email": "a@example.com"}\n{"email": "b@example.com"}\n'

    def read(reading: Reading) -> Document:
        return JsonDocument(reading, root=reading.looked.paths.row)

    for path in ("$.email", "$[*].email", "..email"):
        assert shown(read, lines, fields(path)) == '{"email": "[redacted]"}\n{"email": "[redacted]"}\n'


def test_a_link_is_edited_and_what_is_masked_is_not() -> None:
    seen: list[str] = []

    def edit(link: str) -> str:
        seen.append(link)
        return link.replace("example.net", "gw")

    out, _ = masked(JsonDocument, PAGE, DETECT, edits={"$.nextLink": edit})
    assert json.loads(out)["nextLink"] == "https://gw/page?2"
    masked(JsonDocument, PAGE, fields("..nextLink"), edits={"$.nextLink": edit})
    assert seen == ["https://example.net/page?2"]


def test_an_edit_that_refuses_stops_the_document() -> None:
    def foreign(link: str) -> str:
        raise ValueError("it leads elsewhere")

    with pytest.raises(Unreadable, match="it leads elsewhere"):
        masked(JsonDocument, PAGE, MaskRules(), edits={"$.nextLink": foreign})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1,}',
        "[1,]",
        "[,1]",
        '{"a" 1}',
        "{1:2}",
        "[1 2]",
        "}",
        "]",
        '"a',
        '"\\x"',
        '"\\u12"',
        '"a\nb"',
        "01",
        "1.",
        "-",
        "1e",
        ".5",
        "+1",
        "tru",
        "truex",
        "nul",
        "'a'",
        "{a:1}",
        "// c\n1",
        "[1]]",
        ')]}\'\n{"a":1}',
        'f({"a":1})',
    ],
)
def test_what_no_parser_reads_is_not_passed(text: str) -> None:
    for cut in (1, 3):
        with pytest.raises(Unreadable):
            masked(JsonDocument, text, fields("..email"), list(range(0, len(text), cut)))


@pytest.mark.parametrize(
    "text", ["", " \n", "1", '"a"', "null", "[NaN, -Infinity]", "{}[]", '\ufeff{"a": 1}', "-0.5e+10", '["\\ud800"]']
)
def test_what_is_hidden_nowhere_stays_byte_for_byte(text: str) -> None:
    assert shown(JsonDocument, text, fields("..email", detect=True)) == text


def test_depth_and_the_length_of_numbers_are_bounded() -> None:
    with pytest.raises(Unreadable, match="levels deep"):
        masked(JsonDocument, "[" * 100_000, fields("..a"))
    with pytest.raises(Unreadable, match="characters"):
        masked(JsonDocument, "1" * 100_000, fields("..a"))


def test_a_string_that_is_too_long_is_hidden_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsons, "LONGEST_STRING", 1 << 16)
    counts: dict[str, int] = {}
    document = JsonDocument(Reading(fields("..a", detect=True), {}, counts))
    pieces = [
        b'{"a": {"x": [1, "',
        *[b"A" * 4096] * 64,
        b'"]}, "b": "',
        *[b"A" * 4093 + b"\\u0041"] * 64,
        b'", "c": 1}',
    ]
    tracemalloc.start()
    out = b"".join(map(document.feed, pieces)) + document.finish()
    assert tracemalloc.get_traced_memory()[1] < 8 << 16
    tracemalloc.stop()
    assert json.loads(out) == {"a": None, "b": "[redacted]", "c": 1}
    assert counts == {"..a": 1, "unreadable": 1}


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([CARD, "a@b.co", int(CARD), '{"b": ["a@b.co"]}']),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "émail", "A\n"]) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    value=JSONS,
    ascii_only=st.booleans(),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    style=st.sampled_from(list(MaskStyle)),
)
def test_json_comes_out_the_same_however_it_arrives(
    value: object, ascii_only: bool, cuts: list[int], style: MaskStyle
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    rules = fields("$.a", "..b", style=style, detect=True)
    whole = masked(JsonDocument, text, rules)
    assert masked(JsonDocument, text, rules, cuts) == whole
    assert masked(JsonDocument, text, rules, list(range(len(text)))) == whole
    json.loads(whole[0])
    assert masked(JsonDocument, text, fields("..never"), cuts)[0] == text


@settings(max_examples=200, deadline=None)
@given(
    digits=st.text(alphabet="0123456789", min_size=30, max_size=30),
    fraction=st.integers(0, 9),
    zone=st.sampled_from(["", "Z", "+", "-"]),
)
def test_times_are_passed_over_since_no_detector_finds_anything_in_one(digits: str, fraction: int, zone: str) -> None:
    year, month, day, hour, minute, second, rest = (digits[a:b] for a, b in pairwise((0, 4, 6, 8, 10, 12, 14, 30)))
    end = f"{zone}{rest[9:11]}:{rest[11:13]}" if zone in ("+", "-") else zone
    time = f"{year}-{month}-{day}T{hour}:{minute}:{second}" + (f".{rest[:fraction]}" if fraction else "") + end
    assert _TIME.fullmatch(time.encode())
    assert Detection(DETECT).find(time) == []


def test_names_that_a_resource_makes_up_fill_no_memory() -> None:
    reading = Reading(fields("..email", detect=True), {}, {})
    tracemalloc.start()
    for number in range(300):
        document = JsonDocument(reading)
        document.feed(json.dumps({f"é{number}" + "x" * 20_000: 1}, ensure_ascii=False).encode())
    assert tracemalloc.get_traced_memory()[0] < 2 << 20
    tracemalloc.stop()


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rows(text: str, parting: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=parting))


def test_columns_of_csv_are_fields() -> None:
    text = 'id,"E-Mail",note\r\n1,ann@example.com,"a, ""b"""\r\n2,"bob@example.com",\r\n'
    assert rows(shown(Table, text, fields("$['e-mail']", style=MaskStyle.PARTIAL))) == [
        ["id", "E-Mail", "note"],
        ["1", "a***@example.com", 'a, "b"'],
        ["2", "b***@example.com", ""],
    ]


@pytest.mark.parametrize("parting", [",", ";", "\t", "|"])
def test_detectors_read_each_field_and_the_names(parting: str) -> None:
    text = (
        parting.join(("id", "ann@example.com", "x"))
        + "\n"
        + parting.join(("1", f'"say ""{CARD[:4]} {CARD[4:8]} {CARD[8:]}"""', CARD))
        + "\n"
    )
    assert rows(shown(Table, text, DETECT), parting) == [
        ["id", "[redacted:email]", "x"],
        ["1", 'say "[redacted:card]"', "[redacted:card]"],
    ]


@pytest.mark.parametrize("text", ["# a comment\nemail,id\na@b.co,1\n", "sep=;\nid;email\n1;a@b.co\n", "email\nx,y\n"])
def test_a_first_line_that_has_no_names_is_no_way_around_a_rule(text: str) -> None:
    for step in (1, len(text)):
        document = Table(Reading(fields("$.email"), {}, {}))
        out = b""
        with pytest.raises(Unreadable):
            for at in range(0, len(text), step):
                out += document.feed(text[at : at + step].encode())
        assert b"a@b.co" not in out
    assert shown(Table, "a,b\n1,2,a@b.co\n", DETECT) == "a,b\n1,2,[redacted:email]\n"


@pytest.mark.parametrize("text", ['a,b\n"x"y,1\n', 'a,b\n"x', 'a,b\n1,"'])
def test_csv_that_two_readers_read_in_two_ways_is_not_passed(text: str) -> None:
    with pytest.raises(Unreadable):
        masked(Table, text, fields("$.a"))


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(
        st.lists(st.text(alphabet='ab,;"\r\n é1', max_size=6) | st.just(CARD), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    ),
    cuts=st.lists(st.integers(0, 500), max_size=10),
)
def test_csv_comes_out_the_same_however_it_arrives(table: list[list[str]], cuts: list[int]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["a", "email", "c"], *table])
    text = out.getvalue()
    whole = masked(Table, text, fields("$.email", detect=True))
    assert masked(Table, text, fields("$.email", detect=True), cuts) == whole
    hidden = ["[redacted]" if email else "" for _, email, _ in table]
    assert [row[1] for row in rows(whole[0].decode())[1:]] == hidden
    assert masked(Table, text, fields("$.other"), cuts)[0].decode() == text


# ── XML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

LISTING = (
    '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob><Name>a &amp; b</Name>'
    '<Properties><Owner x="1">ann@<!-- c -->example.com</Owner><Size>7</Size></Properties></Blob></Blobs>'
    "<NextMarker /></EnumerationResults>"
)


def test_elements_and_attributes_are_fields() -> None:
    out = shown(
        XmlDocument,
        LISTING,
        fields("$.EnumerationResults.Blobs.Blob.Properties.Owner", "..@x", style=MaskStyle.PARTIAL),
    )
    owner = ET.fromstring(out).find("Blobs/Blob/Properties/Owner")
    assert owner is not None
    assert (owner.text, owner.get("x")) == ("a***@example.com", "****")
    assert shown(XmlDocument, LISTING, fields("..never")) == LISTING


def test_an_element_is_hidden_whole_and_prefixes_do_not_count() -> None:
    out = shown(
        XmlDocument, '<r xmlns:p="u"><p:owner>a<b>c</b><c/>d</p:owner><z/></r>', fields("..owner", style=MaskStyle.NULL)
    )
    assert out == '<r xmlns:p="u"><p:owner></p:owner><z/></r>'


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        "<a>&e;</a>",
        "<a>&#0;</a>",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "x<a/>",
        "<a/>x",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<a>\x01</a>",
        '<?xml version="1.0" encoding="utf-16"?><a/>',
        "<a><![CDATA[x</a>",
        "<a><!-- -- --></a>",
        "<!doctype html><p>",
        "<" + "a" * 20,
        b"<a>\xff</a>",
    ],
)
def test_xml_that_is_more_than_it_looks_is_not_passed(text: str | bytes) -> None:
    with pytest.raises(Unreadable):
        masked(XmlDocument, text, fields("..a"))


def test_xml_nests_within_bounds() -> None:
    with pytest.raises(Unreadable, match="levels deep"):
        masked(XmlDocument, "<a>" * 100_000, fields("..b"))


@settings(max_examples=80, deadline=None)
@given(
    texts=st.lists(
        st.text(alphabet="ab é&<>\"'1]-", max_size=6) | st.sampled_from([CARD, "a@b.co"]), min_size=1, max_size=5
    ),
    cuts=st.lists(st.integers(0, 500), max_size=10),
)
def test_xml_comes_out_the_same_however_it_arrives(texts: list[str], cuts: list[int]) -> None:
    text = (
        "<r>"
        + "".join(f'<a t="{escape(each)}">{escape(each)}</a><b>{escape(each)}<![CDATA[x]]></b>' for each in texts)
        + "</r>"
    )
    rules = fields("$.r.b", style=MaskStyle.TOKEN, detect=True)
    whole = masked(XmlDocument, text, rules)
    assert masked(XmlDocument, text, rules, cuts) == whole
    ET.fromstring(whole[0])
    assert masked(XmlDocument, text, fields("..never"), cuts)[0].decode() == text


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=80, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            [
                f" {CARD} ",
                "4111",
                " 1111",
                "\n",
                "\r\n",
                "a@b.co",
                "word ",
                "é",
                "-",
                "12",
                "DE89 3704 0044 0532 0130 00",
            ]
        ),
        max_size=40,
    ),
    cuts=st.lists(st.integers(0, 500), max_size=10),
)
def test_text_comes_out_the_same_however_it_arrives(pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    whole = masked(Text, text, DETECT)
    assert masked(Text, text, DETECT, cuts) == whole
    assert masked(Text, text, DETECT, list(range(len(text.encode())))) == whole
    assert f" {CARD} " not in whole[0].decode()


def test_text_without_an_end_is_passed_on_part_by_part_and_nothing_straddles() -> None:
    unit = "filler words and more of them " * 100
    text = (unit + f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]} ") * 60
    document = Text(Reading(DETECT, {}, {}))
    data = text.encode()
    first = b"".join(document.feed(data[at : at + 997]) for at in range(0, len(data), 997))
    assert len(first) > len(data) - (200 << 10), "it does not wait for the end"
    assert "1111" not in (first + document.finish()).decode()


def test_a_private_key_is_hidden_whole_and_one_without_an_end_is_not_passed() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "QUJD\n" * 200 + "-----END PRIVATE KEY-----\nafter\n"
    assert shown(Text, "before\n" + key, DETECT) == "before\n[redacted:private_key]\nafter\n"
    with pytest.raises(Unreadable):
        masked(Text, "-----BEGIN PRIVATE KEY-----\n" + "QUJD\n" * 100_000, DETECT)


def test_events_do_not_wait_for_the_next() -> None:
    document = Text(Reading(DETECT, {}, {}), events=True)
    assert document.feed(b"data: ann@example.com 35\n\n") == b"data: [redacted:email] 35\n\n"


# ── disguises ────────────────────────────────────────────────────────────────────────────────────────────────────────


def escaped(text: str, form: str = "\\u%04x") -> str:
    return "".join(form % ord(char) for char in text)


SPACED = f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}"
DASHED = SPACED.replace(" ", "-")
WIDE = "".join(chr(ord(char) + 0xFEE0) for char in CARD)
ARABIC = "".join(chr(0x660 + int(char)) for char in CARD)
BOLD = "".join(chr(0x1D7CE + int(char)) for char in CARD)
WRITTEN = [
    CARD,
    SPACED,
    DASHED,
    SPACED.replace(" ", "\t"),
    SPACED.replace(" ", "."),
    SPACED.replace(" ", "\u00a0"),
    SPACED.replace(" ", "\u2009"),
    DASHED.replace("-", "\u2013"),
    DASHED.replace("-", " - "),
    WIDE,
    ARABIC,
    BOLD,
    "\u200b".join(CARD),
    "\u00ad".join(CARD),
    "\u2060".join(CARD),
    f"x{SPACED}",
    f"n° {CARD}.",
    f"({CARD})",
    f"{CARD}/12/29",
    "5500-0000-0000-0004",
    "3782 822463 10005",
    "6011000990139424",
]
DISGUISES: list[tuple[str, str]] = [
    *(("json", json.dumps({"a": each})) for each in WRITTEN),
    *(("json", json.dumps([each], ensure_ascii=False)) for each in WRITTEN[5:15]),
    *(("csv", f'a,b\n1,"{each}"\n') for each in WRITTEN),
    *(("xml", f"<a><b>{each}</b></a>") for each in WRITTEN),
    *(("text", f"line\n{each}\nline\n") for each in WRITTEN),
    ("json", f'{{"a": "{escaped(CARD)}"}}'),
    ("json", f'{{"a": "4111{escaped("11111111")}1111"}}'),
    ("json", f'{{"a": "{SPACED.replace(" ", chr(92) + "n")}"}}'),
    ("json", f'{{"a": "{SPACED.replace(" ", chr(92) + "/")}"}}'),
    ("json", f'{{"a": {CARD}}}'),
    ("json", f'{{"a": {CARD}.0}}'),
    ("json", '{"a": 4.111111111111111e15}'),
    ("json", '{"a": 4111111111111111000e-3}'),
    ("json", f'{{"{CARD}": 1}}'),
    ("json", f'{{"{escaped(CARD)}": 1}}'),
    ("json", f'"{CARD}"'),
    ("json", f'{{"a": "x"}}\n{{"a": "{CARD}"}}'),
    ("json", json.dumps({"a": json.dumps({"b": CARD})})),
    ("json", json.dumps({"a": json.dumps({"b": json.dumps({"c": SPACED})})})),
    ("json", json.dumps({"a": json.dumps({"b": escaped(CARD, "\\u%04X")})})),
    ("json", '{"a": "' + json.dumps(json.dumps(f"{CARD}"))[1:-1] + '"}'),
    ("csv", f"{CARD},b\n1,2\n"),
    ("csv", 'a\n"' + SPACED.replace(" ", '""') + '"\n'),
    ("csv", f"a\n{SPACED}"),
    ("xml", f"<a><![CDATA[{CARD}]]></a>"),
    ("xml", f"<a>{CARD[:8]}<![CDATA[{CARD[8:]}]]></a>"),
    ("xml", f"<a>{CARD[:8]}<!-- x -->{CARD[8:]}</a>"),
    ("xml", f"<a>{CARD[:8]}<?p i?>{CARD[8:]}</a>"),
    ("xml", "<a>" + escaped(CARD, "&#%d;") + "</a>"),
    ("xml", "<a>" + escaped(CARD, "&#x%x;") + "</a>"),
    ("xml", f'<a b="{CARD}"/>'),
    ("xml", "<a b='" + escaped(CARD, "&#%d;") + "'/>"),
    ("xml", f"<a><!-- {CARD} --></a>"),
    ("xml", f"<a><?p {CARD} ?></a>"),
    ("text", f"{SPACED[:9]}\n{SPACED[10:]}\n"),
    ("text", SPACED.replace(" ", "\r\n")),
    ("text", escaped(CARD)),
    ("text", f'{{"a": "{escaped(CARD)}"'),
]


def plain(text: str) -> str:
    """What a person reads: digits alone, of whatever script, whatever stands between them."""
    text = "".join(str(int(char)) if char.isdecimal() else char for char in text)
    return "".join(char for char in text if char in "0123456789")


@pytest.mark.parametrize(("form", "text"), DISGUISES)
def test_a_planted_card_never_comes_out(form: str, text: str) -> None:
    data = text.encode()
    for step in (1, 5, len(data)):
        out, counts = masked(FORMS[form], data, DETECT, list(range(0, len(data), step)))
        assert counts.get("pii"), out
        left = plain(out.decode().replace("\\u003", "").replace("&#x3", "").replace("&#4", "").replace("&#5", ""))
        assert CARD not in left
        assert "11111111" not in left
        assert "0000000000" not in left


def test_what_is_documented_to_pass() -> None:
    coded = base64.b64encode(f"a card {CARD}".encode()).decode()
    assert coded in shown(JsonDocument, json.dumps({"a": coded}), DETECT)
    assert shown(JsonDocument, json.dumps([CARD[:8], CARD[8:]]), DETECT) == json.dumps([CARD[:8], CARD[8:]])


@pytest.mark.parametrize("form", FORMS)
def test_no_text_takes_long(form: str) -> None:
    """Whatever repeats itself without an end: a minute at the least, were any expression not linear."""
    for unit in (
        "a",
        " ",
        '"',
        '""',
        'a"',
        "<",
        "<a ",
        "<a b='",
        "&",
        "-",
        "<!--",
        "<!-- -",
        "%",
        "1",
        "1 ",
        "@",
        "a@",
        "\\",
        "'",
        "[",
        "{",
        ",",
        ";a=",
        "\n",
    ):
        with suppress(Unreadable):
            masked(FORMS[form], unit * (20_000 // len(unit)), fields("..a", detect=True))
