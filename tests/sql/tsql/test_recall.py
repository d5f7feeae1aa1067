"""A remembered shape says of a text exactly what reading the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.tsql.shop import CATALOG, STATE, catalog
from tests.sql.tsql.test_effects import BYPASSES, HARMLESS, ORDINARY

from blastwall.sql.tsql.catalog import Catalog, Memory
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.lexer import DECIMAL, INTEGER, NATIONAL, STRING, tokenize
from blastwall.sql.tsql.recall import Shapes
from blastwall.sql.tsql.shape import shape_of
from blastwall.sql.tsql.statement import Classified
from blastwall.sql.tsql.unparsed import UnparsedError

HERE = Path(__file__).parent
SPOKEN = (HERE / "spoken.sql").read_text().splitlines()
ENDINGS = [str(case["text"]) for case in yaml.safe_load((HERE / "endings.yaml").read_text())]
EXTRA = [
    "select name from customers where id = 1 and email = 'a' order by 2",
    "insert into orders (note) values (N'a'), ('b'), (-5), (.5)",
    "update orders set note = 'a' /* 1 */ where id in (1, 2, 3) -- '4'",
    "declare @sql nvarchar(100) = N'select 1'; exec (@sql); select 1",
    "select 1; exec ('select 2')",
    "select * from customers for xml path('a'), root('b')",
    "select top (5) email from customers order by 1 offset 1 rows fetch next 2 rows only option (maxdop 1)",
    "select cast('a' as nvarchar(20)), convert(varchar(10), 1, 101), 'x' as 'y', 'z' = 3",
    "delete from orders where note like '%' or 1 = 1 or 'a' = 'b'",
    "select x.value('(/a)[1]', 'int') from (select cast('<a/>' as xml) as x) t",
    "select json_value('{}', '$.a'), datepart(year, '2020'), openjson('[1]')",
    "if 1 = 1 select 'a' else delete from orders where id = 0x1",
]
CORPUS = [*SPOKEN, *ENDINGS, *HARMLESS, *EXTRA, *(str(case["text"]) for case in [*BYPASSES, *ORDINARY])]
SHAPED = sorted({text for text in CORPUS if shape_of(text) is not None})
TEXTS = ["", "a", "%", "%%", "orders", "hr.staff", "dbo.customers", "it''s", "é", "email", "1 = 1", "--", "/*", "year"]
TEXTS += [
    "select 1; delete dbo.orders",
    "delete from orders",
    "sql:column(e)",
    "on",
    "int",
    "$.a",
    "0",
    "; drop table x",
]
VALUES = {
    "\0s": [f"'{text}'" for text in TEXTS],
    "\0n": [f"N'{text}'" for text in TEXTS],
    "\0i": ["0", "1", "2", "3", "5", "007", "100", "2147483647"],
    "\0d": ["0.0", "1.5", ".5", "2.", "99999999999"],
}
MARK = re.compile("\0.")


def fresh() -> Catalog:
    """The shop, of which nothing was read yet."""
    found = catalog()
    found.memory = Memory()
    return found


def read_alone(text: str) -> Classified:
    """What reading the text says, whatever was read before."""
    CATALOG.memory.texts.clear()
    CATALOG.memory.shapes = Shapes()
    return classify(text, CATALOG, STATE)


@st.composite
def texts_of_one_shape(draw: st.DrawFn) -> list[str]:
    text = draw(st.sampled_from(SHAPED))
    shaped = shape_of(text)
    assert shaped is not None
    shape = shaped[0]

    def filled() -> str:
        return MARK.sub(lambda mark: draw(st.sampled_from(VALUES[mark[0]])), shape)

    return [text, *(filled() for _ in range(draw(st.integers(1, 4))))]


@given(texts_of_one_shape())
@settings(max_examples=120, deadline=None)
def test_a_shape_says_what_reading_says(texts: list[str]) -> None:
    remembering = fresh()
    for text in [*texts, *texts]:
        assert classify(text, remembering, STATE) == read_alone(text), text


@given(st.sampled_from(SHAPED), st.sampled_from("'\"\\;()-/*0e$.[]N@# "), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_a_damaged_text_is_not_taken_for_another(text: str, damage: str, at: int) -> None:
    remembering = fresh()
    for one in (text, text[:at] + damage + text[at:]):
        assert classify(one, remembering, STATE) == read_alone(one), one


@given(st.lists(st.sampled_from([*"'\"\\;()-/*0eE$.[]N@#:x \n", "''", "--", "/*", "*/", "0x", "1.5"])).map("".join))
@settings(max_examples=300, deadline=None)
def test_a_shape_cuts_where_the_lexer_cuts(text: str) -> None:
    shaped = shape_of(text)
    try:
        tokens = tokenize(text)
    except UnparsedError:
        return
    if shaped is not None:
        literals = (STRING, NATIONAL, INTEGER, DECIMAL)
        places = zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
        found = [bound for kind, *bounds in places if kind in literals for bound in bounds]
        assert shaped[1] == found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("select name from customers where id = 1", "select name from customers where id = 22"),
        ("select name from customers where email = 'a'", "select name from customers where email = 'it''s'"),
        ("insert into orders (note) values (N'a')", "insert into orders (note) values (N'longer')"),
        ("update orders set note = 'a' where id = 1", "update orders set note = 'longer' where id = 2"),
        ("delete from orders where id = 1 and note <> 'x'", "delete from orders where id = 1 and note <> '1 = 1'"),
    ],
)
def test_values_that_nobody_looks_at_cost_one_reading(first: str, second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remembering, said = fresh(), read_alone(second)
    classify(first, remembering, STATE)
    monkeypatch.setattr("blastwall.sql.tsql.classify.parse", None)
    assert classify(second, remembering, STATE) == said


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("select 1; exec ('select 1')", "select 1; exec ('delete dbo.orders')"),
        ("select * from customers order by 1", "select * from customers order by 3"),
        ("delete from orders where 1 = 2", "delete from orders where 1 = 1"),
        ("select 1 as 'a'", "select 1 as 'b'"),
        ("select cast(1 as varchar(5))", "select cast(1 as varchar(6))"),
        ("select * from openquery(far, 'select 1')", "select * from openquery(far, 'delete x')"),
    ],
)
def test_values_that_matter_keep_texts_apart(first: str, second: str) -> None:
    remembering = fresh()
    classify(first, remembering, STATE)
    assert classify(second, remembering, STATE) == read_alone(second)


@pytest.mark.parametrize(
    "text", ['select "a"', "select 1e5", "select $1", "select 1x", "select 'a", "select N", "é = 1"]
)
def test_what_is_not_sure_has_no_shape(text: str) -> None:
    assert shape_of(text) is None
