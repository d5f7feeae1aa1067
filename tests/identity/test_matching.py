"""`match:`: whole values, by exact text, glob or regular expression."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import promised

from blastwall.identity.matching import UnusableMatch, compile_match, glob_expression


def matches(wanted: str, value: str) -> bool:
    return compile_match("agent a", {"sub": wanted}).matches({"sub": (value,)})


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("repo:acme/shop", "repo:acme/shop", True),
        ("repo:acme/shop", "repo:acme/shop2", False),
        ("repo:acme/shop", "Repo:acme/shop", False),
        ("repo:acme/*", "repo:acme/shop", False),
        ("glob:repo:acme/*", "repo:acme/shop:ref:refs/heads/main", True),
        ("glob:repo:acme/*", "repo:acme-evil/shop", False),
        ("glob:repo:acme/*", "xrepo:acme/shop", False),
        ("glob:repo:acme/sho?", "repo:acme/shop", True),
        ("glob:repo:acme/sho?", "repo:acme/sho", False),
        ("glob:repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/main", True),
        ("glob:repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/main-2", False),
        ("glob:a.c", "abc", False),
        ("glob:[ab]", "a", False),
        ("glob:a*", "a\nb", True),
        (r"regex:repo:acme/\w+", "repo:acme/shop", True),
        (r"regex:repo:acme/\w+", "repo:acme/shop:ref", False),
        (r"regex:acme", "repo:acme/shop", False),
        (r"regex:a|b", "ab", False),
        (r"regex:^a$", "a\n", False),
    ],
)
def test_matching(wanted: str, value: str, expected: bool) -> None:
    assert matches(wanted, value) is expected


def test_every_claim_must_match_and_be_there() -> None:
    matcher = compile_match("agent a", {"sub": "a", "ref": "b"})
    assert matcher.matches({"sub": ("a",), "ref": ("b",)})
    assert not matcher.matches({"sub": ("a",), "ref": ("c",)})
    assert not matcher.matches({"sub": ("a",)})
    assert not compile_match("agent a", {"sub": "glob:*"}).matches({})


def test_a_list_matches_by_one_of_its_elements() -> None:
    assert compile_match("agent a", {"roles": "x"}).matches({"roles": ("y", "x")})


@pytest.mark.parametrize("value", ["", "glob:", "regex:", "regex:(", "regex:(?=a)a", r"regex:(a)\1"])
def test_what_cannot_be_used_names_its_owner(value: str) -> None:
    with pytest.raises(UnusableMatch, match=r"agent shop-ci: match: sub"):
        compile_match("agent shop-ci", {"sub": value})


@pytest.mark.parametrize("claim", ["email", "upn", "unique_name", "preferred_username", "name"])
def test_claims_that_can_change_hands_cannot_be_matched(claim: str) -> None:
    with pytest.raises(UnusableMatch, match="given to somebody else"):
        compile_match("agent a", {claim: "ana@acme.example"})


def test_an_empty_match_is_refused() -> None:
    with pytest.raises(UnusableMatch, match="every token"):
        compile_match("agent a", {})


def test_no_value_makes_an_expression_slow() -> None:
    matcher = compile_match("agent a", {"sub": "regex:(a+)+b"})
    began = time.perf_counter()
    assert not matcher.matches({"sub": ("a" * 16_000,)})
    assert time.perf_counter() - began < promised(1)


def test_a_text_that_utf8_cannot_hold_matches_nothing() -> None:
    assert not matches("glob:a*", "a\ud800")


@given(st.text("ab*?/:.\n[", max_size=8), st.text("ab/:.\n[", max_size=8))
def test_a_glob_is_shell_matching_without_brackets(glob: str, value: str) -> None:
    reference = fnmatch.translate(glob.replace("[", "[[]"))
    expected = re.fullmatch(reference, value) is not None
    assert (re2.fullmatch(glob_expression(glob), value) is not None) is expected


@given(st.text(min_size=1, max_size=20))
def test_an_exact_value_matches_itself_alone(value: str) -> None:
    if not value.startswith(("glob:", "regex:")):
        assert matches(value, value)
        assert not matches(value, value + "x")
