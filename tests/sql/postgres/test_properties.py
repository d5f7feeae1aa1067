from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgast import pg_query_pb2
from tests.sql.postgres.shop import effects, read
from tests.sql.postgres.test_effects import BYPASSES

from blastwall.model.effects import Action
from blastwall.sql.postgres.definitions import _READERS, DATABASES, DEFINES, HARMLESS, NAMED

ELSEWHERE = set(  # noqa: C405 - the formatter made it of a word list
    [
        "SelectStmt",
        "InsertStmt",
        "UpdateStmt",
        "DeleteStmt",
        "MergeStmt",
        "TransactionStmt",
        "VariableSetStmt",
        "VariableShowStmt",
        "AlterSystemStmt",
        "CopyStmt",
        "ExplainStmt",
        "DoStmt",
        "CallStmt",
        "CreateFunctionStmt",
        "CreateTableAsStmt",
        "ViewStmt",
        "PrepareStmt",
        "ExecuteStmt",
        "DeallocateStmt",
        "DeclareCursorStmt",
        "FetchStmt",
        "ClosePortalStmt",
        "DiscardStmt",
    ]
)
INSIDE_OTHERS = {"RawStmt", "SetOperationStmt", "ReturnStmt", "PLAssignStmt", "ReplicaIdentityStmt"}
SAFE = [case["text"] for case in BYPASSES if not set("'\"$") & set(case["text"])]


def test_every_statement_of_the_grammar_is_placed() -> None:
    node = pg_query_pb2.DESCRIPTOR.message_types_by_name["Node"]
    known = {field.message_type.name for field in node.fields if field.message_type.name.endswith("Stmt")}
    placed = ELSEWHERE | set(_READERS) | set(DEFINES) | set(NAMED) | set(DATABASES) | HARMLESS
    assert known - placed - INSIDE_OTHERS == set()
    assert placed <= known


@given(st.text())
@settings(max_examples=150, deadline=None)
def test_no_text_raises(text: str) -> None:
    for statement in read(text):
        assert statement.effects
        assert 0 <= statement.start <= statement.end <= len(text)


@given(
    st.sampled_from(BYPASSES), st.integers(0, 200), st.sampled_from(["'", "$$", "(", ")", ";", "\\", "é", "--", "/*"])
)
@settings(max_examples=150, deadline=None)
def test_no_damaged_statement_raises(case: dict[str, str], at: int, damage: str) -> None:
    text = case["text"]
    for statement in read(text[:at] + damage + text[at:]):
        assert statement.effects


@pytest.mark.parametrize(
    "text",
    [
        "select name from people where id not in (1, 2)",
        "select name from people where id not between 1 and 2 and name not like 'a%'",
        "select name from people order by name nulls first, id nulls last",
        "select * from generate_series(1, 2) with ordinality",
        "select cast(now() as timestamp with time zone), cast(now() as time without time zone)",
        "delete from people where not exists (select 1)",
    ],
)
@pytest.mark.parametrize("filler", ["/* ; */ ", "-- x\n", "/*/* nested */*/", "/* é */"])
def test_words_that_belong_together_may_have_a_comment_between_them(text: str, filler: str) -> None:
    found = read(text.replace(" ", f" {filler}"))
    assert [one.effects for one in found] == [one.effects for one in read(text)]
    assert not any(effect.action is Action.UNCLASSIFIED for one in found for effect in one.effects)


@given(st.sampled_from(SAFE), st.sampled_from(["/* ; */ ", "\n", "\t", " -- x\n", "/*/* nested */*/ "]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_comments_space_and_case_change_no_effect(text: str, filler: str, upper: bool) -> None:
    changed = text.replace(" ", " " + filler)
    assert effects(changed.upper() if upper and filler.strip() in {"", "/* ; */"} else changed) == effects(text)


@given(st.sampled_from(SAFE), st.sampled_from(SAFE))
@settings(max_examples=60, deadline=None)
def test_two_statements_have_the_effects_of_both(one: str, other: str) -> None:
    assert set(effects(f"{one};{other}")) >= set(effects(one)) or "unclassified shop" in effects(f"{one};{other}")
