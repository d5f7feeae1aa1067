"""Whether a predicate narrows anything: a lint for people, not a limit for thieves."""

from __future__ import annotations

from collections.abc import Callable

from blastwall.sql.postgres.tree import Node, descendants, items, same, scalar, sub, text, unwrap

NamesColumn = Callable[[Node], bool]


def narrows(predicate: object, names_column: NamesColumn) -> bool:
    """Return whether the predicate names a column and is not constantly true.

    `names_column` is asked of a ColumnRef's body. `x IS NOT NULL`, `x = x`, `x LIKE '%'` and `… OR TRUE` count as
    constantly true.
    """
    if not isinstance(predicate, dict):
        return False
    tag, inner = unwrap(predicate)
    if tag == "BoolExpr":
        parts = items(inner, "args")
        match text(inner, "boolop"):
            case "AND_EXPR":
                return any(narrows(part, names_column) for part in parts)
            case "OR_EXPR":
                return all(narrows(part, names_column) for part in parts)
            case _:
                return bool(parts) and _names(parts[0], names_column) and not _never(parts[0])
    if tag == "CurrentOfExpr":
        return True
    if tag == "A_Expr" and (_same(inner) or _matches_all(inner)):
        return False
    if tag == "NullTest" and text(inner, "nulltesttype") == "IS_NOT_NULL":
        return False
    return _names(predicate, names_column)


def _names(node: object, names_column: NamesColumn) -> bool:
    return any(tag == "ColumnRef" and names_column(inner) for tag, inner in descendants(node))


def _same(inner: Node) -> bool:
    return same(inner.get("lexpr"), inner.get("rexpr"))


def _never(node: Node) -> bool:
    """`NOT (x IS NULL)`, `NOT (x <> x)`: the negation of what never holds."""
    tag, inner = unwrap(node)
    return tag == "NullTest" or (tag == "A_Expr" and _same(inner))


def _matches_all(inner: Node) -> bool:
    if text(inner, "kind") not in {"AEXPR_LIKE", "AEXPR_ILIKE"}:
        return False  # it must not even look at the value: see `recall`
    pattern = scalar(sub(inner, "rexpr"))
    return pattern is not None and set(pattern) <= {"%"}
