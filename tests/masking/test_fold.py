from __future__ import annotations

import re
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.masking import fold as folding
from blastwall.masking.fold import LETTER, OTHER, fold, fold_character, readings, space_or_dash_bytes, special_bytes


def test_nothing_outside_the_blocks_folds() -> None:
    inside = {point for block in folding._FOLDING_BLOCKS for point in block}
    outside = set(range(0x80, sys.maxunicode + 1)) - inside - set(range(0xD800, 0xE000))
    assert all(fold_character(chr(point)) in (LETTER, OTHER) for point in outside)


def test_the_probes_patterns_match_the_characters_and_only_them() -> None:
    special, spaces = re.compile(special_bytes()), re.compile(space_or_dash_bytes())
    for char, folded in folding._folding():
        relevant = not folded or any(chr(byte).isalnum() or byte in b"@%&#;=+" for byte in folded)
        assert bool(special.fullmatch(char.encode())) is relevant, hex(ord(char))
        assert bool(spaces.fullmatch(char.encode())) is (folded in (b" ", b"-"))
    for ordinary in "aé中—“”€\u00a0":
        assert not special.search(ordinary.encode())


def test_reads_look_alikes_and_skips_what_does_not_show() -> None:
    assert fold("４1\u200b①\u0301 \u2013é\u4e2d。＠").data == b"411 -" + LETTER + LETTER + b".@"
    assert fold("ﬁ").data == b"fi"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_spans_lead_back_to_the_characters_they_came_from(text: str) -> None:
    folded = fold(text)
    for at in range(len(folded.data)):
        start, end = folded.span(at, at + 1)
        assert end == start + 1
        assert folded.data[at : at + 1] in fold_character(text[start])


def test_an_escape_is_read_both_ways() -> None:
    escaped, plain = readings("a\\u0040b")
    assert escaped.data == b"a@b"
    assert escaped.span(1, 2) == (1, 7)
    assert plain.data == b"a\\u0040b"
    assert readings("\\\\u0040")[0].data == b"@"


def test_the_table_of_folded_characters_is_bounded() -> None:
    fold("".join(chr(point) for point in range(0x4E00, 0x9FFF)) * 2 + "\u200b")
    assert len(folding._TABLE) <= folding._REMEMBERED
    assert len(folding._SAME_LENGTH) <= folding._REMEMBERED
