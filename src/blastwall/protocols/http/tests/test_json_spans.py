"""Values are found by the names that they stand under, however these are written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.http.hidden import hidden_parts
from blastwall.protocols.http.json_spans import spans_of


def hidden(text: str, *names: str, start: int = 0) -> list[str]:
    return [text[begin:end] for begin, end in spans_of(text, start, frozenset(names))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"value": "hush", "tags": {"a": "b"}}', ['"hush"']),
        ('{"\\u0076alue": "hush"}', ['"hush"']),
        ('{"VALUE": "hush"}', ['"hush"']),
        ('{"value": "say \\"hush\\", \\\\"}', ['"say \\"hush\\", \\\\"']),
        ('{"value": ["a", {"b": 1}], "c": 2}', ['"a"', "1"]),
        ('{"value": {"value": {"x": null}}, "y": "value"}', ["null"]),
        ('[{"value": true}, {"other": [{"value": -1.5e3}]}]', ["true", "-1.5e3"]),
        ('{"a": "value", "b": ":", "value": ""}', ['""']),
        ('"value"', []),
        ("{}", []),
    ],
)
def test_values_under_a_name(text: str, found: list[str]) -> None:
    assert hidden(text, "value") == found


@pytest.mark.parametrize(
    "text", ["{'value': 'hush'}", '{"value": "hush"', "value=hush", '{"value": "a"} trailing', "[" * 5000]
)
def test_what_is_no_json_is_hidden_whole(text: str) -> None:
    assert hidden(f"PUT /x\n\n{text}", "value", start=8) == [text]


def test_more_than_anybody_would_read_is_hidden_whole() -> None:
    many = '{"a": "shown", "value": [' + ",".join(["1"] * 300) + "]}"
    assert hidden(many, "value") == [many]
    text = "GET /a?b=shown&" + "&".join(["sig=hush"] * 300)
    (one,) = hidden_parts(text)
    assert text[: one.start] == "GET /a?b=shown&sig="
    assert one.end == len(text)


def test_what_overlaps_is_one_part_and_no_authorisation_is_left_before_many() -> None:
    text = "POST /\n\nAuthorization: Bearer a?sig=b&c=d\nx: y"
    assert [text[one.start : one.end] for one in hidden_parts(text)] == ["Bearer a?sig=b&c=d"]
    many = "POST /\n\nAuthorization: hush\n" + "&".join(["?sig=hush"] * 300)
    assert "hush" not in many[: hidden_parts(many)[0].start]
    assert hidden_parts(many)[0].end == len(many)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "a", "Value", 'q"']), inner, max_size=3)
    ),
    max_leaves=12,
)


def scalars(document: object, *, under: bool = False) -> list[object]:
    """What stands under the name, read by the standard library."""
    if isinstance(document, dict):
        return [one for name, each in document.items() for one in scalars(each, under=under or name.lower() == "value")]
    if isinstance(document, list):
        return [one for each in document for one in scalars(each, under=under)]
    return [document] if under else []


@given(JSON, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_all_of_them_and_no_more(document: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert [json.loads(one) for one in hidden(text, "value")] == scalars(document)
