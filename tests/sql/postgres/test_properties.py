from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from postgast import pg_query_pb2
from tests.sql.postgres.shop import effects, read
from tests.sql.postgres.test_effects import BYPASSES

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


@given(st.sampled_from(SAFE), st.sampled_from(["/* ; */ ", "\n", "\t", " -- x\n", "/*/* nested */*/ "]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_comments_space_and_case_change_no_effect(text: str, filler: str, upper: bool) -> None:
    changed = text.replace(" ", " " + filler)
    assert effects(changed.upper() if upper and filler.strip() in {"", "/* ; */"} else changed) == effects(text)


@given(st.sampled_from(SAFE), st.sampled_from(SAFE))
@settings(max_examples=60, deadline=None)
def test_two_statements_have_the_effects_of_both(one: str, other: str) -> None:
    assert set(effects(f"{one};{other}")) >= set(effects(one)) or "unclassified shop" in effects(f"{one};{other}")
