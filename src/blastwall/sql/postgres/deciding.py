"""What of a statement tells something of values besides showing them: which rows there are, their order, a failure.

Results are masked, outcomes are not. So an expression over a column is harmless only if evaluating it can neither fail
nor take noticeably longer for one value than for another. `cannot_fail` trusts the few that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from blastwall.sql.postgres.tree import Node, body, descendants, flag, items, sub, text, unwrap, words

SAMPLES = frozenset(
    ("pg_catalog", name)
    for name in (
        "pg_statistic", "pg_stats", "pg_statistic_ext_data", "pg_stats_ext", "pg_stats_ext_exprs",
        "pg_stat_activity", "pg_stat_statements", "pg_prepared_statements", "pg_cursors", "pg_prepared_xacts",
    )
)  # fmt: skip
"""Relations of pg_catalog that hold samples of every table's values, or other sessions' statements with theirs."""

_TOTAL_FUNCTIONS = frozenset(
    """
    btrim char_length character_length concat concat_ws count first_value initcap json_agg json_build_array jsonb_agg
    jsonb_build_array last_value left length lower ltrim max md5 min octet_length quote_literal quote_nullable reverse
    right row_to_json rtrim starts_with string_agg strpos to_json to_jsonb upper
    """.split()  # noqa: SIM905 - a word list reads better as words
)
_TOTAL_OPERATORS = frozenset({"=", "<>", "<", ">", "<=", ">=", "||", "~~", "!~~", "~~*", "!~~*"})
_TOTAL_NODES = frozenset(
    {"ColumnRef", "A_Const", "ParamRef", "BoolExpr", "NullTest", "BooleanTest", "CoalesceExpr", "CaseExpr", "CaseWhen",
     "MinMaxExpr", "RowExpr", "List", "String", "A_Star", "SQLValueFunction", "TypeName", "FuncCall",
     "A_Expr", "TypeCast", "Integer", "Float", "Boolean"}
)  # fmt: skip
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
_COMPARISONS = frozenset({"AEXPR_OP", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_NULLIF", "AEXPR_IN"})
_PATTERNS = frozenset({"AEXPR_LIKE", "AEXPR_ILIKE"})
_EVALUATED = frozenset({"AT_SetNotNull", "AT_AlterColumnType"})


def cannot_fail(node: object) -> bool:
    """Whether evaluating an expression neither fails nor lingers, whatever the values of its columns."""
    return all(_total(tag, inner) for tag, inner in descendants(node))


def _total(tag: str, inner: Node) -> bool:
    match tag:
        case "FuncCall":
            return _built_in(words(items(inner, "funcname")), _TOTAL_FUNCTIONS)
        case "A_Expr":
            kind = text(inner, "kind")
            sure = kind in _COMPARISONS or (kind in _PATTERNS and "A_Const" in sub(inner, "rexpr"))
            return sure and _built_in(words(items(inner, "name")), _TOTAL_OPERATORS)
        case "TypeCast":
            target = sub(inner, "typeName")
            return "arrayBounds" not in target and _built_in(words(items(target, "names")), _TEXTS)
        case _:
            return tag in _TOTAL_NODES


def _built_in(name: tuple[str, ...], known: frozenset[str]) -> bool:
    return name[-1:] != () and name[-1] in known and name[:-1] in {(), ("pg_catalog",)}


def reads_columns(node: object) -> bool:
    """Whether an expression names a column."""
    return any(tag == "ColumnRef" for tag, _ in descendants(node))


def defined_over(node: Node) -> Iterator[str]:
    """Yield the names of a table's columns that a definition on it evaluates: keys, checks, predicates, expressions."""
    for tag, inner in descendants(node):
        match tag:
            case "ColumnRef":
                yield words(items(inner, "fields"))[-1]
            case "IndexElem" if text(inner, "name"):
                yield text(inner, "name")
            case "Constraint":
                yield from words(items(inner, "keys"))
                yield from words(items(inner, "fk_attrs"))
            case "AlterTableCmd" if text(inner, "subtype") in _EVALUATED:
                yield text(inner, "name")


def references(node: Node) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Yield the tables that foreign keys of a definition refer to, with the columns named there."""
    for tag, inner in descendants(node):
        if tag == "Constraint" and sub(inner, "pktable"):
            yield sub(inner, "pktable"), words(items(inner, "pk_attrs"))


def removes_duplicates(node: Node) -> bool:
    """Whether a set operation compares rows: all of them do but UNION ALL."""
    return text(node, "op") != "SETOP_UNION" or not flag(node, "all")


def is_plain_distinct(node: Node) -> bool:
    """Whether a query has DISTINCT without ON."""
    clause = node.get("distinctClause")
    return isinstance(clause, list) and not any(items(node, "distinctClause"))


def analyses(node: Node) -> bool:
    """Whether an EXPLAIN runs its statement, and then tells sizes, times and counts of what it met."""
    return any(text(body(option, "DefElem"), "defname").lower() == "analyze" for option in items(node, "options"))


def grouped(clauses: list[Node]) -> Iterator[Node]:
    """Yield the expressions of GROUP BY, those in grouping sets too."""
    for clause in clauses:
        tag, inner = unwrap(clause)
        if tag == "GroupingSet":
            yield from grouped(items(inner, "content"))
        else:
            yield clause
