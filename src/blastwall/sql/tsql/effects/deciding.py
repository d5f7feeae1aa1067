"""Which expressions cannot fail, and which predicates narrow: what of a text tells of values besides showing them.

Results are masked, outcomes are not. So an expression over a column is harmless only if evaluating it can neither fail
nor take noticeably longer for one value than for another. `cannot_fail` trusts the few that it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blastwall.sql.tsql import nodes as n

IsText = Callable[[n.Column], bool]

_TOTAL_FUNCTIONS = frozenset(
    """
    ascii coalesce concat concat_ws datalength first_value iif isnull last_value lag lead left len lower ltrim max min
    nullif quotename replace reverse right rtrim trim unicode upper checksum binary_checksum hashbytes
    getdate sysdatetime getutcdate sysutcdatetime newid db_name user_name suser_sname
    """.split()  # noqa: SIM905 - a word list reads better as words
)
_STRINGS = frozenset({"STRING", "NATIONAL"})
_TEXTS = frozenset({"char", "nchar", "varchar", "nvarchar", "sysname"})
_TRYING = frozenset({"TRY_CAST", "TRY_CONVERT", "TRY_PARSE"})


def cannot_fail(node: n.Node, is_text: IsText) -> bool:
    """Whether evaluating an expression neither fails nor lingers, whatever the values of its columns.

    `is_text` is asked whether a column holds text: a sum or a comparison of text with text converts nothing.
    """
    stack: list[n.Node] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, n.Query | n.Subquery):
            return False
        if not _total(current, is_text):
            return False
        if isinstance(current, n.Cast):
            stack.append(current.operand)
        elif not isinstance(current, n.Column | n.Constant | n.Variable):
            stack.extend(n.children(current))
    return True


def _total(node: n.Node, is_text: IsText) -> bool:
    match node:
        case n.Call():
            return _total_call(node, is_text)
        case n.Case():
            return _total_case(node, is_text)
        case n.Cast():
            return node.function in _TRYING or (node.type.name.last.lower() in _TEXTS and node.style is None)
        case n.Operation():
            return set(node.operators) <= {"+", "||"} and all(_text(one, is_text) for one in node.operands)
        case n.Comparison():
            return _text(node.left, is_text) and _text(node.right, is_text)
        case n.InList():
            return all(_text(one, is_text) for one in (node.operand, *node.items))
        case n.Like():
            return _text(node.operand, is_text) and isinstance(node.pattern, n.Constant)
        case n.ObjectName() | n.Identifier():
            return True
        case _:
            return isinstance(node, _TOTAL_NODES)


def _total_call(node: n.Call, is_text: IsText) -> bool:
    names = node.name.texts
    arguments = node.arguments or ()
    name = names[0].lower()
    if len(names) != 1 or name not in _TOTAL_FUNCTIONS:
        return False
    match name:
        case "coalesce" | "isnull" | "nullif":
            return all(_text(one, is_text) for one in arguments)
        case "iif":
            return _alike(arguments[1:], is_text)
        case "left" | "right":
            return len(arguments) == 2 and isinstance(arguments[1], n.Constant)
        case "lag" | "lead":
            return len(arguments) == 1
        case _:
            return True


def _total_case(node: n.Case, is_text: IsText) -> bool:
    """Values of several types are converted to one of them, which may fail for the one that is chosen."""
    values = [when.value for when in node.whens]
    compared = [node.operand, *(when.condition for when in node.whens)] if node.operand is not None else []
    ends = [*values, node.otherwise] if node.otherwise is not None else values
    return _alike(ends, is_text) and all(_text(one, is_text) for one in compared if one is not None)


def _alike(values: Sequence[n.Node], is_text: IsText) -> bool:
    """Whether values are all text, or all numbers that stand in the text of the batch."""
    if all(_text(one, is_text) for one in values):
        return True
    return all(isinstance(one, n.Constant) and one.kind in _NUMBERS for one in values)


def gives_text(node: n.Node, is_text: IsText) -> bool:
    """Whether a value is text for certain, so that becoming text converts nothing."""
    return _text(node, is_text)


_NUMBERS = frozenset({"INTEGER", "DECIMAL", "FLOAT", "MONEY", "NULL"})
_TOTAL_NODES = (n.Column, n.Constant, n.Variable, n.Star, n.When, n.Logical, n.Not, n.IsNull, n.Collate)


def _text(node: n.Node, is_text: IsText) -> bool:
    """Whether a value is text for certain."""
    match node:
        case n.Constant():
            return node.kind in _STRINGS or node.kind == "NULL"
        case n.Column():
            return is_text(node)
        case n.Collate():
            return _text(node.operand, is_text)
        case n.Call():
            name = node.name.last.lower()
            same = name in {"coalesce", "isnull", "nullif"} and bool(node.arguments)
            return name in _GIVING_TEXT or (same and all(_text(one, is_text) for one in node.arguments or ()))
        case n.Cast():
            return node.type.name.last.lower() in _TEXTS
        case n.Operation():
            return all(_text(one, is_text) for one in node.operands)
        case n.Case():
            ends = [when.value for when in node.whens]
            return all(
                _text(one, is_text) for one in (*ends, *((node.otherwise,) if node.otherwise is not None else ()))
            )
        case _:
            return False


_GIVING_TEXT = frozenset({"concat", "concat_ws", "lower", "upper", "ltrim", "rtrim", "trim", "left", "right", "replace",
                          "reverse", "quotename", "string_agg"})  # fmt: skip


def narrows(predicate: n.Node | None, names_column: Callable[[n.Column], bool]) -> bool:
    """Return whether a predicate names a column and is not constantly true: a lint for people, not a limit for thieves.

    `x IS NOT NULL`, `x = x`, `x LIKE '%'` and `… OR 1 = 1` count as constantly true.
    """
    match predicate:
        case None:
            return False
        case n.Logical(operator="AND"):
            return any(narrows(part, names_column) for part in predicate.operands)
        case n.Logical():
            return all(narrows(part, names_column) for part in predicate.operands)
        case n.Not():
            return _names(predicate, names_column) and not _never(predicate.operand)
        case n.CurrentOf():
            return True
        case n.Comparison():
            same = _same(predicate.left, predicate.right)
            return not same and _names(predicate, names_column)
        case n.Like():
            return not _matches_all(predicate) and _names(predicate, names_column)
        case n.IsNull():
            return not predicate.negated and _names(predicate, names_column)
        case _:
            return _names(predicate, names_column)


def _names(node: n.Node, names_column: Callable[[n.Column], bool]) -> bool:
    return any(isinstance(part, n.Column) and names_column(part) for part in n.walk(node))


def _never(node: n.Node) -> bool:
    """`NOT (x IS NULL)`, `NOT (x <> x)`: the negation of what never holds."""
    if isinstance(node, n.IsNull):
        return not node.negated
    return isinstance(node, n.Comparison) and _same(node.left, node.right)


def _matches_all(node: n.Like) -> bool:
    pattern = node.pattern
    return isinstance(pattern, n.Constant) and bool(pattern.text) and set(pattern.text) <= {"%"} and not node.negated


def _same(one: n.Node, other: n.Node) -> bool:
    """Whether two expressions are written alike, wherever they stand."""
    if type(one) is not type(other):
        return False
    if isinstance(one, n.Column) and isinstance(other, n.Column):
        return [part.lower() for part in one.name.texts] == [part.lower() for part in other.name.texts]
    if isinstance(one, n.Constant) and isinstance(other, n.Constant):
        return one.text == other.text
    if isinstance(one, n.Variable) and isinstance(other, n.Variable):
        return one.name.lower() == other.name.lower()
    first, second = list(n.children(one)), list(n.children(other))
    return bool(first) and len(first) == len(second) and all(map(_same, first, second))
