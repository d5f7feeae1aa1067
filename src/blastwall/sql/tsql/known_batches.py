# ruff: noqa: S608 - shapes of text to compare with; nothing here is run
"""Batches that clients send word for word, and that mean something plain although they run text made of values.

Before a bulk copy Microsoft's drivers (SqlBulkCopy of .NET, mssql-python) ask for a table's columns by text that is
put together from those columns' own names, each in QUOTENAME. Whatever the names are, that text is a SELECT of columns
of the one table, under FMTONLY, which gives descriptions and no rows. So it is read as `SELECT * FROM table`.

Only a whole batch is known: nothing may stand before, between or after but blanks, and the table's name is one or two
names in brackets without a quote, the same in each place.
"""

from __future__ import annotations

import re

_NAMES = r"(?:\[(?:[^\]'\"\\]|\]\])+\]\.)?\[(?:[^\]'\"\\]|\]\])+\]"
_CATALOG = r"(?:(?:\[(?:[^\]'\"\\]|\]\])+\])?\.)?\[?sys\]?\.\[?all_columns\]?"
_GRAPH = (
    "IF EXISTS (SELECT TOP 1 * FROM sys.all_columns "
    "WHERE [object_id] = OBJECT_ID('sys.all_columns') AND [name] = 'graph_type')"
)
_SELECTED = "SELECT @Column_Names = COALESCE(@Column_Names + ', ', '') + QUOTENAME([name]) FROM {catalog}"
_OF_TABLE = "WHERE [object_id] = OBJECT_ID({n}'{table}')"
_NO_GRAPH = "AND COALESCE([graph_type], 0) NOT IN (1, 3, 4, 6, 7)"
_SQL_CLIENT = (
    f"SELECT @@TRANCOUNT; DECLARE @Column_Names NVARCHAR(MAX) = NULL; {_GRAPH} "
    f"BEGIN {_SELECTED} {_OF_TABLE} {_NO_GRAPH} ORDER BY [column_id] ASC; END "
    f"ELSE BEGIN {_SELECTED} {_OF_TABLE} ORDER BY [column_id] ASC; END "
)
_MSSQL_PYTHON = (
    "SELECT @@TRANCOUNT; DECLARE @Column_Names NVARCHAR(MAX) = NULL; "
    "DECLARE @object_id INT = OBJECT_ID({n}'{table}'); DECLARE @sql NVARCHAR(MAX); "
    "SET @sql = N'SELECT @CN = COALESCE(@CN + N'', '', N'''') + QUOTENAME([name]) FROM {catalog} "
    f"WHERE [object_id] = @ObjId'; {_GRAPH} SET @sql = @sql + N' {_NO_GRAPH}'; "
    "SET @sql = @sql + N' ORDER BY [column_id] ASC'; "
    "EXEC sp_executesql @sql, N'@CN NVARCHAR(MAX) OUTPUT, @ObjId INT', "
    "@CN = @Column_Names OUTPUT, @ObjId = @object_id; "
)
_ENDING = (
    "SELECT @Column_Names = COALESCE(@Column_Names, '*'); SET FMTONLY ON; "
    "EXEC({n}'SELECT ' + @Column_Names + N' FROM {table}'); SET FMTONLY OFF; "
    "EXEC {collations} N'{described}';"
)
_HOLES = {
    "{catalog}": _CATALOG,
    "{n}": "N?",
    "{collations}": r"(?:(?:\[(?:[^\]'\"\\]|\]\])+\])?\.\.)?sp_tablecollations(?:_90|_100)?",
    "{described}": rf"(?:\.?{_NAMES})",
}


def _pattern(shape: str) -> re.Pattern[str]:
    """Return what matches a shape: blanks in any number, holes by what may stand there, the table's name once."""
    made = r"\s+".join(re.escape(part) for part in shape.split())
    for hole, what in _HOLES.items():
        made = made.replace(re.escape(hole), what)
    table = re.escape("{table}")
    return re.compile(
        r"\s*" + made.replace(table, f"(?P<table>{_NAMES})", 1).replace(table, "(?P=table)") + r"\s*", re.ASCII
    )


_KNOWN = tuple(_pattern(before + _ENDING) for before in (_SQL_CLIENT, _MSSQL_PYTHON))
_LONGEST = 4_000


def plain(text: str) -> str:
    """Return the batch that means the same without text made of values; the text itself where it is none of these."""
    if len(text) > _LONGEST or "FMTONLY" not in text:
        return text
    for pattern in _KNOWN:
        found = pattern.fullmatch(text)
        if found is not None:
            return f"SELECT @@TRANCOUNT; SET FMTONLY ON; SELECT * FROM {found['table']}; SET FMTONLY OFF"
    return text
