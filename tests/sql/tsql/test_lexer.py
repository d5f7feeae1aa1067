from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.sql.tsql.lexer import END, name_value, string_value, tokenize
from blastwall.sql.tsql.unparsed import UnparsedError

WORDS = ["a", "SELECT", "[x y]", '"q"', "'s'", "N'n'", "1", "1.5", "0xAF", "$1", "@v", "#t", "l:", "é", "$action"]
SIGNS = ["(", ")", ";", "+", "-", "/", "*", "::", "'", '"', "[", "]", "/*", "\\", " ", "\n"]
COMMENTS = ["-- c\n", "/* c */", "/* a /* b */ c */"]
PIECES = st.sampled_from(WORDS + SIGNS + COMMENTS)


def kinds(text: str) -> list[str]:
    return [kind for kind in tokenize(text).kinds if kind != END]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a", ["SELECT", "name"]),
        ('select [a] . "b"', ["SELECT", "quoted", ".", "quoted"]),
        ("1 1. .5 1.5 1e5 1E-5 12345678901", ["integer", "decimal", "decimal", "decimal", "float", "float", "decimal"]),
        ("0x 0xAF $1.50 €5 $-1", ["binary", "binary", "money", "money", "money"]),
        ("'a''b' N'c' n'd'", ["string", "national", "national"]),
        ("@a @@b #t ##t $action", ["variable", "variable", "name", "name", "pseudo"]),
        ("l: a::b", ["label", "name", ":", ":", "name"]),
        ("(l:1) x:", ["(", "name", ":", "integer", ")", "label"]),
        ("<>=!+=", ["<", ">", "=", "!", "+", "="]),
        ("a--b\nc/*d*/e", ["name", "name", "name"]),
        ("10MB", ["size"]),
    ],
)
def test_what_a_text_is_made_of(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_double_quotes_are_names_or_strings() -> None:
    assert kinds('"a"') == ["quoted"]
    assert [kind for kind in tokenize('"a"', quoted_identifier=False).kinds if kind != END] == ["string"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [("'a''b'", "a'b"), ("N'é'", "é"), ('"a""b"', 'a"b'), ("'a\\\nb'", "ab"), ("'a\\\r\nb'", "ab"), ("'a\\b'", "a\\b")],
)
def test_the_value_of_a_string(raw: str, value: str) -> None:
    assert string_value(raw) == value


def test_the_value_of_a_quoted_name() -> None:
    assert name_value("[a]]b]") == "a]b"
    assert name_value('"a""b"') == 'a"b'


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(UnparsedError) as refused:
        tokenize("SELECT 1\n  ?")
    assert refused.value.reason == "line 2, column 3: the character '?' (U+003F) has no meaning here"
    assert refused.value.at == 11


@given(st.lists(PIECES, max_size=20).map("".join))
@settings(max_examples=200, deadline=None)
def test_tokens_cover_the_text(text: str) -> None:
    """Between tokens stand blanks and comments only; a token alone is read as the same token."""
    try:
        found = tokenize(text)
    except UnparsedError as error:
        assert 0 <= error.at <= len(text)
        return
    at = 0
    for kind, start, end in zip(found.kinds, found.starts, found.ends, strict=True):
        assert at <= start <= end <= len(text)
        assert kinds(text[at:start]) == []
        if kind != END:
            assert start < end
            assert kind == ":" or kinds(text[start:end])[0] in {kind, "label"}
        at = end


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_text_is_too_odd(text: str) -> None:
    try:
        tokenize(text)
    except UnparsedError as error:
        assert error.reason.startswith("line ")
