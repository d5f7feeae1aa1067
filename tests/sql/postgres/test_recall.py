"""A remembered shape says of a text exactly what reading the text says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.postgres.shop import CATALOG, STATE
from tests.sql.postgres.test_effects import BYPASSES, HARMLESS

from blastwall.sql.postgres import Classified, Limits, NameState, OverBudgetError, Texts, classify, facts
from blastwall.sql.postgres.recall import LONGEST, Generations, watched
from blastwall.sql.postgres.shape import DECIMAL, ESCAPED, INTEGER, STRING, shape_of

ORDINARY = [text for text in Path(__file__).with_name("ordinary.sql").read_text().split(";\n") if text]
CORPUS = [*ORDINARY, *(case["text"] for case in BYPASSES), *HARMLESS]
STRINGS = [
    "",
    "a",
    "%",
    "%%",
    "orders",
    "secret.orders",
    "orders_id_seq",
    "role",
    "search_path",
    "public",
    "é",
    "it''s",
]
STRINGS += ["select 1; drop table orders", "\\", "2020-01-01", "$.a", "ssn", "a) x", "year"]
VALUES = {
    STRING: [f"'{value}'" for value in STRINGS],
    ESCAPED: ["''", "'a'", "'a\\\\b'", "'\\n'", "'orders'", "'%'"],
    INTEGER: ["0", "1", "2", "3", "5", "007", "99", "123456789", "2147483647"],
    DECIMAL: ["0.0", "1.5", ".5", "1e3", "2147483648", "99999999999"],
    "\0*": ["/**/", "/* x */", "/* /* é */ */"],
    "\0-": ["--", "-- x", "-- é '"],
}


def marks(shape: str) -> list[str]:
    return [shape[at : at + 2] for at in range(len(shape)) if shape[at] == "\0"]


def filled(shape: str, values: list[str]) -> str:
    pieces: list[str] = []
    at = 0
    for value in values:
        mark = shape.index("\0", at)
        pieces += (shape[at:mark], value)
        at = mark + 2
    return "".join([*pieces, shape[at:]])


@st.composite
def texts_of_one_shape(draw: st.DrawFn) -> list[str]:
    text = draw(st.sampled_from(CORPUS))
    shaped = shape_of(text)
    kinds = marks(shaped[0]) if shaped is not None else []
    others = draw(st.lists(st.tuples(*(st.sampled_from(VALUES[kind]) for kind in kinds)), min_size=1, max_size=6))
    return [text, *(filled(shaped[0], list(values)) for values in others if shaped is not None)]


def remembered(texts: Texts, text: str, state: NameState = STATE) -> tuple[Classified, ...]:
    found = texts.find(text, facts(state))
    if found is not None:
        return found
    try:
        return texts.classify(text, CATALOG, state, facts(state))
    except OverBudgetError:
        found, looked = watched(text, CATALOG, state, Limits())
        texts.learn(text, facts(state), found, looked)
        return found


def bare(found: tuple[Classified, ...]) -> tuple[Classified, ...]:
    return tuple(replace(one, tree=None) for one in found)


@given(texts_of_one_shape())
@settings(max_examples=1500, deadline=None)
def test_a_shape_says_what_reading_says(texts: list[str]) -> None:
    memory = Texts()
    for text in [*texts, *texts]:
        assert bare(remembered(memory, text)) == bare(classify(text, CATALOG, STATE))


@given(st.sampled_from(ORDINARY), st.sampled_from(ORDINARY), st.sampled_from("'\"\\;()-/*0e$ "), st.integers(0, 200))
@settings(max_examples=500, deadline=None)
def test_damaged_texts_are_not_taken_for_others(text: str, other: str, damage: str, at: int) -> None:
    memory = Texts()
    for one in (text, other, text[:at] + damage + text[at:], other + damage + text):
        assert bare(remembered(memory, one)) == bare(classify(one, CATALOG, STATE))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("select name from customers where id = 1", "select name from customers where id = 22"),
        ("insert into orders(id, note) values (1, 'a')", "insert into orders(id, note) values (-5, 'it''s')"),
        ("update orders set note = 'a' where id = 1", "update orders set note = 'longer' where id = 2"),
        ("select 1 /* trace=1 */", "select 1 /* trace=2222 */"),
        ("delete from orders where id = 1 and note <> 'x'", "delete from orders where id = 1 and note <> '1 = 1'"),
    ],
)
def test_values_that_nobody_looks_at_cost_one_reading(first: str, second: str) -> None:
    memory = Texts()
    memory.classify(first.replace("(1,", "(-1,"), CATALOG, STATE, facts(STATE))
    assert memory.find(second, facts(STATE)) == bare(classify(second, CATALOG, STATE))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("delete from orders where 1 = 2", "delete from orders where 1 = 1"),
        ("delete from orders where note like 'a'", "delete from orders where note like '%'"),
        ("select nextval('orders_id_seq')", "select nextval('secret.orders')"),
        ("select set_config('timezone', 'utc', false)", "select set_config('role', 'utc', false)"),
        ("select * from customers order by 1", "select * from customers order by 3"),
        ("select current_timestamp(3)", "select current_timestamp(4)"),
        ("set role 'a'", "set role 'b'"),
        ("create role a password 'b'", "create role a password 'c'"),
        ("copy orders to '/tmp/a'", "copy orders to '/tmp/b'"),
        ("do 'begin end'", "do 'begin drop table orders; end'"),
        ("select 1 from public.orders", "select 1 from secret.orders"),
        ("select dblink('a', 'select 1')", "select dblinkk('a', 'select 1')"),
        ("create database a template 'b'", "create database a template 'c'"),
    ],
)
def test_values_that_matter_keep_texts_apart(first: str, second: str) -> None:
    memory = Texts()
    memory.classify(first, CATALOG, STATE, facts(STATE))
    assert memory.find(first, facts(STATE)) is not None
    assert memory.find(second, facts(STATE)) is None


def test_what_goes_by_names_is_never_remembered() -> None:
    memory = Texts()
    for text in ("execute a(1)", "fetch all from c"):
        memory.classify(text, CATALOG, STATE, facts(STATE))
        assert memory.find(text, facts(STATE)) is None


def test_other_names_are_other_texts() -> None:
    memory, text = Texts(), "select k from orders where id = 1"
    elsewhere = NameState((("secret",),), "app")
    assert remembered(memory, text) != remembered(memory, text, elsewhere)
    assert bare(remembered(memory, text, elsewhere)) == bare(classify(text, CATALOG, elsewhere))


def test_long_texts_are_not_kept() -> None:
    memory, text = Texts(), "select 'a" + "a" * LONGEST + "'"
    remembered(memory, text)
    assert memory.find(text, facts(STATE)) is None


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    memory: Generations[int, str] = Generations(100)
    for number in range(1000):
        memory.put(number, "x", 5)
        assert memory.get(0) == "x"
    assert len(memory) <= 20
    assert memory.get(1) is None
    assert memory.get(999) == "x"


HEAVY = {
    "long": "select 1" + ", 1" * 1000,
    "wide": "with a as (select " + "id, " * 400 + "id from orders) " + "union all ".join(["select * from a "] * 60),
    "doubling": "with a0 as (select * from orders)"
    + "".join(f", a{at + 1} as (select * from a{at} x, a{at} y)" for at in range(9))
    + " select * from a9",
    "many calls": "select " + ", ".join(["leak(1)"] * 200),
    "many statements": "select 1;" * 60,
    "repeated": "update orders set " + ", ".join(["(id, note, total) = (select 1, 'a', 2)"] * 40),
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=lambda text: text[:30])
def test_what_takes_long_is_not_read_at_once(text: str) -> None:
    with pytest.raises(OverBudgetError):
        Texts().classify(text, CATALOG, STATE, facts(STATE))


def test_what_no_limit_would_let_pass_is_refused_at_once() -> None:
    (found,) = Texts().classify("select 'a\0b'", CATALOG, STATE, facts(STATE))
    assert "NUL" in found.doubt
