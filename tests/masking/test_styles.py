from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.masking.styles import partial, restyle, whole
from blastwall.model.masks import MaskStyle

KEY = b"a key that is long enough for it"
KEYED = [MaskStyle.HASH, MaskStyle.TOKEN]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ann@example.com", "a***@example.com"),
        ("a@example.com", "***@example.com"),
        ("o'brien@example.com", "o***@example.com"),
        ("4111 1111 1111 1111", "****1111"),
        ("378282246310005", "****0005"),
        ("DE89 3704 0044 0532 0130 00", "DE****3000"),
        ("+49 170 1234567", "****567"),
        ("123-45-6789", "****89"),
        ("Alexander", "****er"),
        ("Jo Smith", "****th"),
        ("Johanna", "****"),
        ("", "****"),
        ("x" * 10_000, "****xxxx"),
        ("Müller-Lüdenscheidt", "****eidt"),
        ("ann\u200b\u200b\u200b\u200b\u200b", "****"),
        ('secret "}{,\\', "*******"),
    ],
)
def test_partial(value: str, shown: str) -> None:
    assert partial(value) == shown


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_partial_shows_at_most_a_quarter_and_nothing_unsafe(value: str) -> None:
    shown = partial(value)
    assert re.fullmatch(r"[A-Za-z0-9._@*-]*", shown)
    if "@" not in shown:
        kept = shown.removeprefix("****")
        assert len(kept) <= 4
        assert shown == "****" or len(value) >= 8


@pytest.mark.parametrize("style", KEYED)
@settings(max_examples=100, deadline=None)
@given(one=st.text(max_size=20), other=st.text(max_size=20))
def test_keyed_styles_are_equal_exactly_for_equal_values(style: MaskStyle, one: str, other: str) -> None:
    show = restyle(style, KEY)
    assert (show(one) == show(other)) == (one == other)
    assert show(one) == restyle(style, KEY)(one)


@pytest.mark.parametrize("style", KEYED)
@settings(max_examples=100, deadline=None)
@given(value=st.text(max_size=200))
def test_keyed_styles_show_hmac(style: MaskStyle, value: str) -> None:
    own = hmac.digest(KEY, b"blastwall masking " + style.encode(), "sha256")
    said = hmac.digest(own, value.encode("utf-8", "surrogatepass"), "sha256")
    assert restyle(style, KEY)(value).partition("_")[2] == said[:16].hex()


def test_hash_and_token_cannot_be_matched_with_each_other_or_across_keys() -> None:
    hashed, token = (restyle(style, KEY)("ann@example.com") for style in KEYED)
    assert re.fullmatch(r"hash_[0-9a-f]{32}", hashed)
    assert re.fullmatch(r"tok_[0-9a-f]{32}", token)
    assert restyle(MaskStyle.TOKEN, KEY[::-1])("ann@example.com") != token


@pytest.mark.parametrize("style", KEYED)
@pytest.mark.parametrize("key", [b"", b"short"])
def test_keyed_styles_refuse_a_key_that_protects_nothing(style: MaskStyle, key: bytes) -> None:
    with pytest.raises(ValueError, match="set `masking_key`"):
        restyle(style, key)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("{a,b}", "{x}"), ("[2:3]={a,b}", "{x}"), ("{", "x"), ("a}", "x"), ("[a}", "x"), ("(a,b)", "x")],
)
def test_an_array_literal_stays_one(value: str, shown: str) -> None:
    assert whole("x", value) == shown
