"""What bulk copies of Microsoft's drivers ask before they load, and what only looks like it."""

from __future__ import annotations

import pytest
from tests.sql.tsql.shop import effects, read, sources

PYTHON = """SELECT @@TRANCOUNT;

DECLARE @Column_Names NVARCHAR(MAX) = NULL;
DECLARE @object_id INT = OBJECT_ID(N'[orders]');
DECLARE @sql NVARCHAR(MAX);
SET @sql = N'SELECT @CN = COALESCE(@CN + N'', '', N'''') + QUOTENAME([name]) FROM sys.all_columns WHERE [object_id] = @ObjId';
IF EXISTS (SELECT TOP 1 * FROM sys.all_columns WHERE [object_id] = OBJECT_ID('sys.all_columns') AND [name] = 'graph_type')
    SET @sql = @sql + N' AND COALESCE([graph_type], 0) NOT IN (1, 3, 4, 6, 7)';
SET @sql = @sql + N' ORDER BY [column_id] ASC';
EXEC sp_executesql @sql, N'@CN NVARCHAR(MAX) OUTPUT, @ObjId INT', @CN = @Column_Names OUTPUT, @ObjId = @object_id;

SELECT @Column_Names = COALESCE(@Column_Names, '*');

SET FMTONLY ON;
EXEC(N'SELECT ' + @Column_Names + N' FROM [orders]');
SET FMTONLY OFF;

EXEC sp_tablecollations_100 N'[orders]';"""  # noqa: E501 - as the driver sends it
DOT_NET = """
SELECT @@TRANCOUNT;

DECLARE @Column_Names NVARCHAR(MAX) = NULL;
IF EXISTS (SELECT TOP 1 * FROM sys.all_columns WHERE [object_id] = OBJECT_ID('sys.all_columns') AND [name] = 'graph_type')
BEGIN
    SELECT @Column_Names = COALESCE(@Column_Names + ', ', '') + QUOTENAME([name]) FROM .[sys].[all_columns] WHERE [object_id] = OBJECT_ID('[dbo].[orders]') AND COALESCE([graph_type], 0) NOT IN (1, 3, 4, 6, 7) ORDER BY [column_id] ASC;
END
ELSE
BEGIN
    SELECT @Column_Names = COALESCE(@Column_Names + ', ', '') + QUOTENAME([name]) FROM .[sys].[all_columns] WHERE [object_id] = OBJECT_ID('[dbo].[orders]') ORDER BY [column_id] ASC;
END

SELECT @Column_Names = COALESCE(@Column_Names, '*');

SET FMTONLY ON;
EXEC(N'SELECT ' + @Column_Names + N' FROM [dbo].[orders]');
SET FMTONLY OFF;

EXEC ..sp_tablecollations_100 N'[dbo].[orders]';
"""  # noqa: E501 - as the driver sends it


@pytest.mark.parametrize("text", [PYTHON, DOT_NET, DOT_NET.replace("\n", "\r\n")])
def test_a_bulk_copys_question_reads_the_table(text: str) -> None:
    found = read(text)
    assert effects(text) == ["connect shop", "read dbo.orders"]
    assert not found.doubt
    assert not found.literals
    assert sources(text)[-1] == [f"{name}! < orders.{name}" for name in ("id", "customer_id", "total", "note")]


@pytest.mark.parametrize(
    "text",
    [
        PYTHON + " DROP TABLE orders",
        "DROP TABLE orders " + PYTHON,
        PYTHON.replace("FROM [orders]')", "FROM [customers]')"),
        PYTHON.replace("'[orders]'", "'[customers]'"),
        PYTHON.replace(" FROM [orders]')", " FROM [orders]; DROP TABLE x')"),
        PYTHON.replace("[orders]", "[orders]; DROP TABLE [x]"),
        PYTHON.replace("[orders]", "[orders'; DROP TABLE x--]"),
        PYTHON.replace("QUOTENAME([name])", "[name]"),
        PYTHON.replace(
            "SELECT @Column_Names = COALESCE(@Column_Names, '*');", "SET @Column_Names = '1; DROP TABLE x';"
        ),
        PYTHON.replace("sys.all_columns WHERE [object_id] = @ObjId", "dbo.names WHERE [object_id] = @ObjId"),
        PYTHON.replace("@sql + N' ORDER", "@sql + N' x ORDER"),
        PYTHON.replace("\n", "\u2028"),
        DOT_NET.replace(".[sys].[all_columns]", "[dbo].[all_columns]"),
        DOT_NET.replace("SET FMTONLY ON", "SET FMTONLY OFF"),
        f"/* {PYTHON} */ EXEC (N'{PYTHON}",
    ],
)
def test_what_is_not_word_for_word_is_read_like_any_other(text: str) -> None:
    assert any(effect.startswith(("unclassified", "drop")) for effect in effects(text)), text
