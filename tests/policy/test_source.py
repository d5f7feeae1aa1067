"""Policies are cut where Cedar would cut them."""

from __future__ import annotations

import re

import cedarpy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blastwall.policy.source import PolicyText, split

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
@example("\n;")
@example("//;\n;")
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_whatever_the_text(text: str) -> None:
    position = 0
    for source in split("f", text):
        begin = _place(text, source, position)
        assert re.fullmatch(r"(?:\s|//[^\n]*\n)*", text[position:begin])
        position = begin + len(source.text)
    assert re.fullmatch(r"(?:\s|//[^\n]*(?:\n|$))*", text[position:])


def _place(text: str, source: PolicyText, position: int) -> int:
    """Where a policy stands: at the first occurrence in its line, for a comment before it may hold the same text."""
    begin = text.index(source.text, position)
    while text.count("\n", 0, begin) != source.line - 1:
        begin = text.index(source.text, begin + 1)
    return begin
