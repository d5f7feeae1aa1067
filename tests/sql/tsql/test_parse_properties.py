from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.tsql.outline import outline

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import tokenize
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.parse import parse
from blastwall.sql.tsql.unparsed import UnparsedError
from blastwall.sql.tsql.words import RESERVED, STARTS

CASES = yaml.safe_load((Path(__file__).parent / "endings.yaml").read_text())
READ = [str(case["text"]) for case in CASES if "reads" in case and case.get("quoted", True)]
WORDS = [
    *sorted(RESERVED | STARTS),
    "a",
    "b",
    "t",
    "@x",
    "1",
    "'s'",
    "(",
    ")",
    ",",
    ".",
    ";",
    "=",
    "*",
    "+",
    "[q]",
    "x:",
]
SPOKEN = (Path(__file__).parent / "spoken.sql").read_text().splitlines()
NAMED = ["after", "before", "start", "population", "range", "secondary", "conversation", "session", "member", "event"]
FOLLOWING = [
    "DELETE FROM t",
    "UPDATE population SET a = 1",
    "MERGE range USING s ON 1 = 1 WHEN MATCHED THEN DELETE;",
    "GRANT CREATE TABLE TO a",
    "DROP EVENT SESSION s ON SERVER",
    "INSERT t VALUES (1)",
    "TRUNCATE TABLE t",
]


def well_placed(node: nodes.Node, text: str) -> None:
    """Every node lies in its parent, and none is inside out."""
    stack: list[tuple[nodes.Node, int, int]] = [(node, 0, len(text))]
    while stack:
        current, first, last = stack.pop()
        assert first <= current.start <= current.end <= last, type(current)
        stack.extend((child, current.start, current.end) for child in nodes.children(current))


@pytest.mark.parametrize("text", READ, ids=range(len(READ)))
def test_positions_are_those_of_the_text(text: str) -> None:
    batch = parse(text)
    well_placed(batch, text)
    ends = [statement.end for statement in batch.statements]
    starts = [statement.start for statement in batch.statements]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
@settings(max_examples=250, deadline=None)
def test_no_words_are_too_odd(text: str) -> None:
    try:
        batch = parse(text)
    except UnparsedError as error:
        assert 0 <= error.at <= len(text)
        return
    well_placed(batch, text)


@given(
    st.sampled_from(READ), st.integers(0, 200), st.sampled_from(["'", "[", "]", "(", ")", ";", "--", "/*", '"', "é"])
)
@settings(max_examples=120, deadline=None)
def test_a_disturbed_text_is_read_or_refused(text: str, at: int, sign: str) -> None:
    disturbed = text[:at] + sign + text[at:]
    try:
        batch = parse(disturbed)
    except UnparsedError:
        return
    well_placed(batch, disturbed)


@given(st.sampled_from(READ), st.sampled_from(READ))
@settings(max_examples=120, deadline=None)
def test_a_semicolon_parts_what_is_read(first: str, second: str) -> None:
    """What is read of two batches in one is what is read of each, but for what must stand first."""
    text = f"{first}\n;{second}"
    try:
        together = outline(text)
    except UnparsedError:
        return
    assert together == f"{outline(first)}, {outline(second)}"


@given(st.sampled_from(READ), st.sampled_from(READ))
@settings(max_examples=150, deadline=None)
def test_nothing_is_swallowed_without_a_semicolon(first: str, second: str) -> None:
    """What follows without a semicolon is read as by itself, or refused; but a call without EXEC must stand first."""
    if outline(second).startswith("Execute ") and not second.upper().startswith("EXEC"):
        return
    try:
        together = outline(f"{first}\n{second}")
    except UnparsedError:
        return
    assert together == f"{outline(first)}, {outline(second)}"


@given(st.sampled_from(READ + SPOKEN), st.integers(0, 20), st.sampled_from(NAMED), st.sampled_from(FOLLOWING))
@settings(max_examples=250, deadline=None)
def test_a_name_that_is_a_word_of_a_definition_hides_nothing(text: str, at: int, name: str, following: str) -> None:
    tokens = tokenize(text)
    places = [index for index, kind in enumerate(tokens.kinds) if kind == "name"]
    if not places:
        return
    place = places[at % len(places)]
    text = f"{text[: tokens.starts[place]]}{name}{text[tokens.ends[place] :]}"
    try:
        alone, together = outline(text), outline(f"{text}\n{following}")
    except UnparsedError:
        return
    assert together == f"{alone}, {outline(following)}"


@given(st.sampled_from(READ))
@settings(max_examples=100, deadline=None)
def test_letters_case_changes_nothing(text: str) -> None:
    assert outline(text.swapcase()).lower() == outline(text).lower()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 50_000 + "1" + ")" * 50_000,
        "SELECT " + "- " * 50_000 + "1",
        "SELECT " + "~" * 50_000 + "1",
        "SELECT 1 WHERE " + "NOT " * 50_000 + "1 = 1 AND (" * 300,
        "SELECT * FROM " + "(" * 50_000 + "SELECT 1",
        "SELECT * FROM " + "(SELECT * FROM " * 20_000,
        "SELECT " + "CASE WHEN 1 = 1 THEN " * 20_000,
        "SELECT " + "f(" * 50_000,
        "IF 1 = 1 " * 20_000 + "SELECT 1",
        "IF 1 = 1 SELECT 1 ELSE " * 20_000 + "SELECT 1",
        "BEGIN " * 50_000,
        "BEGIN TRY " * 50_000,
        "WHILE 1 = 1 " * 20_000 + "SELECT 1",
        "SELECT 1 FROM a " + "JOIN b " * 20_000,
        "SELECT 1 " + "/*" * 100_000,
        "SELECT 1 " + "/* */" * 100_000 + "'",
        "SELECT " + "'a''" * 100_000,
        "SELECT " + "[a]]" * 100_000,
        "SELECT " + "a." * 100_000 + "b",
        "SELECT a AT TIME ZONE " * 20_000,
        "GRANT " + "a " * 100_000,
        "SELECT JSON_OBJECT(" + "a:1," * 10_000 + "a:1",
        "x: " * 50_000 + "?",
        "SELECT (" + "x: " * 50_000,
    ],
    ids=range(24),
)
def test_a_deep_or_long_text_is_refused_soon(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(UnparsedError):
        parse(text, limits=Limits())
    assert time.process_time() - begun < 10


def test_a_long_chain_is_wide_not_deep() -> None:
    text = "SELECT 1 WHERE " + " OR ".join(["a = 1"] * 5_000) + " UNION ALL SELECT " + "+".join(["1"] * 5_000)
    assert outline(text) == "Select"


def test_the_limits_hold() -> None:
    with pytest.raises(UnparsedError, match="longer than 10 characters"):
        parse("SELECT 1234", limits=Limits(text=10))
    with pytest.raises(UnparsedError, match="too many statements"):
        parse("SELECT 1 " * 11, limits=Limits(statements=10))
    with pytest.raises(UnparsedError, match="nested too deeply"):
        parse("SELECT ((((1))))", limits=Limits(depth=3))


def test_reserved_words_are_names_only_when_quoted() -> None:
    for word in sorted(RESERVED - {"NULL", "DEFAULT", "IDENTITYCOL", "ROWGUIDCOL"}):
        assert outline(f"SELECT [{word}] AS [{word}] FROM [{word}] AS [{word}]") == "Select"
        for text in (
            f"SELECT 1 AS {word}",
            f"SELECT a.{word}",
            f"SELECT * FROM a AS {word}",
            f"UPDATE t SET {word} = 1",
        ):
            with pytest.raises(UnparsedError):
                parse(text)


def test_a_word_that_may_begin_a_statement_is_no_alias() -> None:
    for word in sorted(STARTS):
        for text in (f"SELECT 1 {word}", f"SELECT * FROM a {word}", f"SELECT * FROM (SELECT 1 a) {word}"):
            try:
                statements = parse(text).statements
            except UnparsedError:
                continue
            assert len(statements) == 2, text
