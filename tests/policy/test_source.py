"""Policies are cut where Cedar would cut them."""

from __future__ import annotations

import cedarpy
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.policy.source import split

pieces = st.sampled_from(
    [
        "permit (principal, action, resource);",
        '@reason("a; \\" // b")\nforbid (principal, action, resource);',
        '@id("\\\\") permit (principal, action, resource) when { "//;" == ";" };',
        "// a comment; \" with 'signs'\n",
        "\n",
        "  ",
    ]
)


@given(st.lists(pieces, max_size=8))
@settings(max_examples=80, deadline=None)
def test_as_many_as_cedar_finds_and_each_by_itself(drawn: list[str]) -> None:
    text = "".join(drawn)
    cut = list(split("f", text))
    assert len(cut) == len(cedarpy.PolicySet.from_str(text))
    for source in cut:
        assert len(cedarpy.PolicySet.from_str(source.text)) == 1
        assert text.splitlines()[source.line - 1].find(source.text.split("\n")[0]) >= 0


@given(st.text(alphabet='";/\\\n {}p', max_size=40))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_whatever_the_text(text: str) -> None:
    position = 0
    for source in split("f", text):
        position = text.index(source.text, position) + len(source.text)
    assert not list(split("f", text[position:]))
