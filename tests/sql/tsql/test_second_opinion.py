"""Simple statements are read as sqlglot reads them: the same kind, tables, columns, literals and variables."""

from __future__ import annotations

import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.parse import parse

NAMES = st.sampled_from(["orders", "[order items]", "dbo.customers", "shop..notes", "#temp"])
COLUMNS = st.sampled_from(["id", "o.total", "[group]", "note", "x.[user]"])
SIMPLE = st.one_of(
    COLUMNS,
    st.integers(0, 9999).map(str),
    st.sampled_from(["@id", "N'it''s'", "'text'", "NULL", "1.5", "GETDATE()", "@other"]),
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "%", "&"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"CAST({text} AS nvarchar(20))"),
        inner.map(lambda text: f"CONVERT(decimal(10, 2), {text})"),
        st.tuples(inner, inner).map(lambda pair: f"COALESCE({pair[0]}, {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"CASE WHEN {pair[0]} = 1 THEN {pair[1]} ELSE 0 END"),
    )


VALUES = st.recursive(SIMPLE, compound, max_leaves=5)
TESTS = st.one_of(
    st.tuples(VALUES, st.sampled_from(["=", "<>", "<", ">=", "LIKE", "NOT LIKE"]), VALUES).map(" ".join),
    VALUES.map(lambda text: f"{text} IS NOT NULL"),
    st.tuples(VALUES, VALUES).map(lambda pair: f"{pair[0]} IN ({pair[1]}, 2)"),
    st.tuples(VALUES, VALUES).map(lambda pair: f"{pair[0]} BETWEEN 1 AND {pair[1]}"),
)
CONDITIONS = st.lists(TESTS, min_size=1, max_size=3).flatmap(
    lambda tests: st.sampled_from([" AND ".join(tests), " OR ".join(tests), f"NOT ({' AND '.join(tests)})"])
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    items = draw(st.lists(st.one_of(VALUES, VALUES.map(lambda text: f"{text} AS a")), min_size=1, max_size=3))
    text = f"SELECT {draw(st.sampled_from(['', 'DISTINCT ', 'TOP (5) ']))}{', '.join(items)} FROM {draw(NAMES)} AS o"
    for kind in draw(st.lists(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT OUTER JOIN"]), max_size=2)):
        text += f" {kind} {draw(NAMES)} AS x ON {draw(CONDITIONS)}"
    if draw(st.booleans()):
        text += f" WHERE {draw(CONDITIONS)}"
    if draw(st.booleans()):
        text += " ORDER BY 1 DESC"
    return text


STATEMENTS = st.one_of(
    queries(),
    st.tuples(queries(), queries()).map(lambda pair: f"SELECT * FROM ({pair[0].split(' ORDER BY')[0]}) AS d"),
    st.tuples(NAMES, VALUES, VALUES).map(lambda it: f"INSERT INTO {it[0]} (id, note) VALUES ({it[1]}, {it[2]})"),
    st.tuples(NAMES, queries()).map(lambda it: f"INSERT INTO {it[0]} (id, note) {it[1]}"),
    st.tuples(NAMES, VALUES, CONDITIONS).map(lambda it: f"UPDATE {it[0]} SET note = {it[1]} WHERE {it[2]}"),
    st.tuples(NAMES, CONDITIONS).map(lambda it: f"DELETE FROM {it[0]} WHERE {it[1]}"),
    st.tuples(queries(), NAMES).map(lambda it: f"WITH c AS ({it[0].split(' ORDER BY')[0]}) SELECT id FROM c, {it[1]}"),
)

KINDS = {
    nodes.SelectStatement: exp.Select,
    nodes.Insert: exp.Insert,
    nodes.Update: exp.Update,
    nodes.Delete: exp.Delete,
}


def ours(statement: nodes.Statement) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"tables": [], "columns": [], "strings": [], "variables": []}
    for node in nodes.walk(statement):
        if isinstance(node, nodes.Table):
            found["tables"].append(node.name.last)
        elif isinstance(node, nodes.Column):
            found["columns"].append(node.name.last)
        elif isinstance(node, nodes.Constant) and node.kind in {"STRING", "NATIONAL"}:
            found["strings"].append(node.text)
        elif isinstance(node, nodes.Variable):
            found["variables"].append(node.name)
    return {key: sorted(values) for key, values in found.items()}


def theirs(tree: exp.Expression) -> dict[str, list[str]]:
    targets = tree.find(exp.Schema)
    skipped = {id(each) for each in (targets.find_all(exp.Column) if targets else ())}
    assigned = {id(each.this) for each in tree.args.get("expressions") or () if isinstance(tree, exp.Update)}
    return {
        "tables": sorted(
            ("#" if each.this.args.get("temporary") else "") + each.name for each in tree.find_all(exp.Table)
        ),
        "columns": sorted(each.name for each in tree.find_all(exp.Column) if id(each) not in skipped | assigned),
        "strings": sorted(
            each.name
            for each in tree.find_all(exp.Literal, exp.National)
            if isinstance(each, exp.National) or each.is_string
        ),
        "variables": sorted("@" + each.name for each in tree.find_all(exp.Parameter)),
    }


@given(STATEMENTS)
@settings(max_examples=60, deadline=None)
def test_simple_statements_are_read_alike(text: str) -> None:
    batch = parse(text)
    assert len(batch.statements) == 1
    other = sqlglot.parse_one(text, read="tsql")
    assert isinstance(other, KINDS[type(batch.statements[0])])
    assert ours(batch.statements[0]) == theirs(other)
