"""Whatever the text, there is an answer; what it hides, or how it is dressed, changes nothing."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.tsql.shop import effects_of, read

from blastwall.model.effects import Action
from blastwall.sql.tsql.lexer import QUOTED, STRING, tokenize
from blastwall.sql.tsql.unparsed import UnparsedError

BYPASSES = [case["text"] for case in yaml.safe_load((Path(__file__).parent / "bypasses.yaml").read_text())]
SOME_SQL = """
    select from where delete orders customers email id = 1 'x' ; ( ) , begin end if else while exec insert into values
    update set @x declare int union all with as c join on try catch go top order by drop table * + and not exists in
    output deleted merge using when matched then -- /* */ [ ] " N' ' return print dbo . sp_executesql xp_cmdshell #t
"""
WORDS = SOME_SQL.split()
CARRIERS = (
    "{}", "select 1 {}", "select 1; {}", "if 1 = 0 {}", "if 1 = 0 select 1 else {}", "while 1 = 0 {}", "begin {} end",
    "begin try {} end try begin catch end catch", "begin try select 1 end try begin catch {} end catch",
    "declare @x int = 1 {}", "set nocount on {}", "begin tran {} rollback", "select 1 as a into #t {}",
    "print 'x' {}", "create procedure p as {}", "waitfor delay '0' {}", "exec get_customer 1, null {}",
    "/* x */ {} -- x",
    "select '{{' {}", "select 1 where 1 = 0 {}", "insert orders (note) values ('x') {}", "a: {} goto a",
)  # fmt: skip


def text_of(carriers: list[str]) -> str:
    text = "delete dbo.orders"
    for carrier in carriers:
        text = carrier.format(text)
    return text


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    found = read(text)
    assert found.effects
    assert bool(found.doubt) is any(effect.action is Action.UNCLASSIFIED for effect in found.effects)
    assert all(0 <= one.start < one.end <= len(text) for one in found.literals)


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_characters_have_an_answer(text: str) -> None:
    assert read(text).effects


@given(st.lists(st.sampled_from(CARRIERS), max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_delete_is_seen_wherever_it_hides(carriers: list[str]) -> None:
    found = effects_of(read(text_of(carriers)))
    assert "delete dbo.orders" in found or any(one.startswith("unclassified") for one in found)


@given(st.lists(st.sampled_from(CARRIERS), max_size=2))
@settings(max_examples=50, deadline=None)
def test_a_delete_is_seen_in_constant_text(carriers: list[str]) -> None:
    text = "exec (N'" + text_of(carriers).replace("'", "''") + "')"
    found = effects_of(read(text))
    assert "delete dbo.orders" in found or any(one.startswith("unclassified") for one in found)


@given(st.sampled_from(BYPASSES), st.sampled_from([" ", "\n", "\t", " /* ' */ ", " -- [\n", " /* /* x */ ; */ "]))
@settings(max_examples=200, deadline=None)
def test_blanks_and_comments_change_nothing(text: str, between: str) -> None:
    try:
        tokens = tokenize(text)
    except UnparsedError:
        return
    parts = list(zip(tokens.starts, tokens.ends, tokens.kinds, strict=True))
    dressed = between
    last = 0
    for start, end, kind in parts:
        if kind == "end" or end <= start:
            break
        gap = text[last:start]
        glued = not gap or kind in {":", "."} or dressed.endswith((":", ".", "<", ">", "!", "+", "-", "*", "/", "|"))
        dressed += (gap if glued else between) + text[start:end]
        last = end
    assert effects_of(read(dressed)) == effects_of(read(text))


@given(st.sampled_from(BYPASSES), st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_case_of_words_changes_nothing(text: str, upper: bool) -> None:
    try:
        tokens = tokenize(text)
    except UnparsedError:
        return
    places = zip(tokens.starts, tokens.ends, strict=True)
    variables = {text[start:end] for start, end in places if text[start : start + 1] == "@"}
    if len({name.lower() for name in variables}) < len(variables):
        return  # names that only their case tells apart, where the collation does
    changed = text
    for start, end, kind in zip(tokens.starts, tokens.ends, tokens.kinds, strict=True):
        if kind not in {STRING, "national", QUOTED, "end"}:
            word = text[start:end]
            changed = changed[:start] + (word.upper() if upper else word.lower()) + changed[end:]
    same = [one.lower() for one in effects_of(read(text))]
    assert [one.lower() for one in effects_of(read(changed))] == same
