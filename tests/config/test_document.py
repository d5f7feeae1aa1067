from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.config.document import MAX_BYTES, Unreadable, Value, dotted, read


def problems(text: str) -> list[str]:
    with pytest.raises(Unreadable) as refusal:
        read(text)
    return [problem.text("f.yaml") for problem in refusal.value.problems]


def test_values_and_their_lines() -> None:
    document = read("a: 1\nb:\n  - refs/heads/main\n  - {c: true, d: ~}\ne: 1.5\n")
    assert document.value == {"a": 1, "b": ["refs/heads/main", {"c": True, "d": None}], "e": 1.5}
    assert document.line(("b", 1, "c")) == 4
    assert document.line(("b", 1, "missing", "deeper")) == 4
    assert document.line(("nowhere",)) == 1


def test_empty_file() -> None:
    assert read("").value is None


@pytest.mark.parametrize("word", ["on", "off", "yes", "No", "ON"])
def test_words_that_are_booleans_to_some_readers_are_refused(word: str) -> None:
    (problem,) = problems(f"a: 1\nb: {word}\n")
    assert problem.startswith(f"f.yaml:2: b: `{word}` is a boolean to some readers and text to others;")


@pytest.mark.parametrize("number", ["0123", "0x1F", "0b11", "1:30", "1_000", "9" * 30, "1.5e+3", ".inf"])
def test_numbers_that_differ_between_readers_are_refused_without_repeating_them(number: str) -> None:
    (problem,) = problems(f"a: {number}\n")
    assert "put it in quotes" in problem
    assert number not in problem


@pytest.mark.parametrize("text", ["on", "0123", "1:30", "~", "true"])
def test_quoted_text_is_text(text: str) -> None:
    assert read(f"a: '{text}'").value == {"a": text}


def test_duplicate_key_names_both_lines() -> None:
    assert problems("a: 1\nb: 2\na: 3\n") == ["f.yaml:3: a: the key stands twice; first on line 1"]


def test_duplicate_key_in_a_list_entry() -> None:
    assert problems("a:\n  - b: 1\n    b: 2\n") == ["f.yaml:3: a[0].b: the key stands twice; first on line 2"]


def test_tab() -> None:
    (problem,) = problems("a:\n\tb: 1\n")
    assert problem.startswith("f.yaml:2: indent with spaces")


@pytest.mark.parametrize("text", ["a: [1", "a: 'x", "a: b: c", "a: *nope", "a: 1\n---\nb: 2\n", "\x00"])
def test_syntax_errors_are_one_line_each(text: str) -> None:
    (problem,) = problems(text)
    assert "not readable as YAML" in problem
    assert "\n" not in problem


def test_merge_keys_and_tags_and_odd_keys_are_refused() -> None:
    assert "merge keys" in problems("a: {<<: {b: 1}}")[0]
    assert "the tag" in problems("a: !!python/object/apply:os.system ['true']\n")[0]
    assert "a key must be a plain word" in problems("? [a]\n: 1\n")[0]


def test_python_tags_are_never_constructed() -> None:
    assert problems("a: !!python/name:os.system x") == [
        "f.yaml:1: a: the tag `tag:yaml.org,2002:python/name:os.system` is not read; leave it out"
    ]


def test_aliases_stand_for_what_they_name() -> None:
    assert read("a: &x [1]\nb: *x\n").value == {"a": [1], "b": [1]}


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = problems("\n".join(lines))
    assert "values after aliases are expanded" in problem


def test_an_alias_to_itself_is_refused() -> None:
    assert problems("a: &x [*x]") == ["f.yaml:1: a[0]: an alias refers to something that contains it"]


def test_depth_is_refused_before_anything_recurses() -> None:
    assert "nested deeper" in problems("a: " + "[" * 100_000)[0]


def test_size_is_capped() -> None:
    assert "larger than" in problems("#" * (MAX_BYTES + 1))[0]


def test_dotted() -> None:
    assert dotted(("resources", 0, "upstream", "port")) == "resources[0].upstream.port"


KEYS = st.text(st.characters(max_codepoint=0xFFFF, categories=["L", "Nd"]), min_size=1, max_size=6)
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(VALUES)
def test_json_is_read_as_what_it_says(value: Value) -> None:
    assert read(json.dumps(value)).value == value


@settings(max_examples=150)
@given(st.text(st.sampled_from("ab01:-[]{},&*!'\"#|>%@`? \n\t<~."), max_size=40))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        found = read(text).problems
    except Unreadable as refusal:
        found = list(refusal.problems)
    assert all(problem.line >= 1 and problem.message for problem in found)
