from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.parse import parse

SPOKEN = (Path(__file__).parent / "spoken.sql").read_text().splitlines()
"""One line of T-SQL each, of all that Azure SQL's clients and administrators write."""

T = TypeVar("T", bound=nodes.Node)


def only(text: str, kind: type[T]) -> T:
    """The one node of a kind in a text."""
    (found,) = (node for node in nodes.walk(parse(text)) if isinstance(node, kind))
    return found


def names(text: str, kind: type[nodes.Table | nodes.Column]) -> list[str]:
    return [".".join(node.name.texts) for node in nodes.walk(parse(text)) if isinstance(node, kind)]


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_what_is_spoken_is_read(text: str) -> None:
    assert parse(text).statements


def test_chains_are_wide_and_bind_as_the_reference_says() -> None:
    found = only("SELECT 1 WHERE a = 1 OR b = 2 AND c = 3 OR NOT d = 4", nodes.Select).where
    assert isinstance(found, nodes.Logical)
    assert (found.operator, len(found.operands)) == ("OR", 3)
    assert isinstance(found.operands[1], nodes.Logical)
    assert isinstance(found.operands[2], nodes.Not)
    value = only("SELECT a + b * c - d", nodes.SelectItem).expression
    assert isinstance(value, nodes.Operation)
    assert value.operators == ("+", "-")
    assert isinstance(value.operands[1], nodes.Operation)


def test_intersect_binds_tighter_than_union() -> None:
    body = only("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4", nodes.Query).body
    assert isinstance(body, nodes.SetOperation)
    assert body.operators == ("UNION", "EXCEPT")
    assert isinstance(body.branches[1], nodes.SetOperation)


def test_names_keep_their_parts() -> None:
    assert names("SELECT * FROM a, [b c].d, shop..e, srv.db.dbo.f, ..g, #h", nodes.Table) == [
        "a",
        "b c.d",
        "shop..e",
        "srv.db.dbo.f",
        "..g",
        "#h",
    ]
    assert names("SELECT a, t.b, dbo.t.[c.d], $identity FROM t", nodes.Column) == ["a", "t.b", "dbo.t.c.d", "$identity"]


def test_an_alias_is_told_from_an_assignment() -> None:
    items = only("SELECT a = 1, 'b' = 2, @c = 3, @d += 4, 5 e, 6 AS 'f', 7 [g] FROM t", nodes.Select).items
    aliases = [item.alias.text for item in items if isinstance(item, nodes.SelectItem) and item.alias]
    assert aliases == ["a", "b", "e", "f", "g"]
    assigned = [item for item in items if isinstance(item, nodes.SelectAssignment)]
    assert [(item.variable.name, item.operator) for item in assigned] == [("@c", "="), ("@d", "+=")]


def test_a_call_keeps_its_arguments() -> None:
    call = only("EXEC @r = dbo.p 'a', @b = N'c', @d OUTPUT, @e = DEFAULT, @f = word, @g = -1", nodes.Execute)
    assert isinstance(call.procedure, nodes.ObjectName)
    assert call.procedure.texts == ("dbo", "p")
    assert [(one.name, one.output) for one in call.arguments] == [
        (None, False),
        ("@b", False),
        (None, True),
        ("@e", False),
        ("@f", False),
        ("@g", False),
    ]
    kinds = [one.value.kind for one in call.arguments if isinstance(one.value, nodes.Constant)]
    assert kinds == ["STRING", "NATIONAL", "DEFAULT", "WORD"]


def test_dynamic_text_keeps_its_parts() -> None:
    found = only("EXEC (N'DROP ' + @t, @a OUTPUT) AS LOGIN = 'x' AT srv", nodes.ExecuteText)
    assert [type(part) for part in found.parts] == [nodes.Constant, nodes.Variable]
    assert found.server is not None
    assert (found.kind, found.server.text, found.arguments[0].output) == ("LOGIN", "srv", True)


def test_an_update_says_what_it_sets() -> None:
    found = only("UPDATE x SET a = b, @v = c = d, e.WRITE('f', 0, 1), g += 1 FROM t x WHERE CURRENT OF k", nodes.Update)
    assert [one.column.last if one.column else None for one in found.assignments] == ["a", "c", None, "g"]
    assert isinstance(found.assignments[2].value, nodes.Call)
    assert isinstance(found.where, nodes.CurrentOf)


def test_a_merge_says_what_it_does() -> None:
    found = only(
        "MERGE t USING s ON t.a = s.a WHEN MATCHED AND s.b = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET b = 2"
        " WHEN NOT MATCHED BY TARGET THEN INSERT (a) VALUES (s.a) WHEN NOT MATCHED BY SOURCE THEN DELETE;",
        nodes.Merge,
    )
    assert [(when.match, when.action) for when in found.whens] == [
        ("MATCHED", "DELETE"),
        ("MATCHED", "UPDATE"),
        ("NOT MATCHED", "INSERT"),
        ("NOT MATCHED BY SOURCE", "DELETE"),
    ]


def test_a_table_says_what_it_refers_to() -> None:
    found = only(
        "CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES u (b) ON DELETE CASCADE, c AS dbo.f(a), d int DEFAULT 1,"
        " CHECK (a > 1)) WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = dbo.h, DATA_CONSISTENCY_CHECK = ON))",
        nodes.CreateTable,
    )
    columns = [one for one in found.elements if isinstance(one, nodes.ColumnDefinition)]
    assert columns[1].references is not None
    assert (columns[1].references.last, columns[1].cascades) == ("u", ("DELETE CASCADE",))
    assert isinstance(columns[2].computed, nodes.Call)
    assert isinstance(columns[3].default, nodes.Constant)
    assert [name.texts for name in found.related] == [("dbo", "h")]


def test_a_definition_keeps_its_names_and_literals() -> None:
    found = only("CREATE LOGIN [a b] WITH PASSWORD = 'secret', DEFAULT_DATABASE = shop", nodes.Definition)
    assert [name.last for name in found.names] == ["a b"]
    assert [literal.text for literal in found.literals] == ["secret"]
    assert "shop" in [name.last for name in found.related]


def test_a_permission_is_told_from_its_securable() -> None:
    found = only(
        "GRANT VIEW DEFINITION, SELECT (a, b) ON SCHEMA::dbo TO c, public WITH GRANT OPTION", nodes.Entitlement
    )
    assert [(one.name, len(one.columns)) for one in found.permissions] == [("VIEW DEFINITION", 0), ("SELECT", 2)]
    assert found.securable is not None
    assert (found.kind, found.securable.last, found.grantable) == ("SCHEMA", "dbo", True)
    assert [one.text for one in found.principals] == ["c", "public"]
