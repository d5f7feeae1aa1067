"""Expressions: where their values come from, and what evaluating them does."""

from __future__ import annotations

from abc import abstractmethod

from blastwall.model.statement import Column
from blastwall.sql.lineage import CONSTANT, UNKNOWN, Columns, Lineage, union
from blastwall.sql.postgres.deciding import cannot_fail
from blastwall.sql.postgres.functions import Functions, takes_secrets
from blastwall.sql.postgres.scope import SYSTEM_COLUMNS, Scope
from blastwall.sql.postgres.tree import Node, flag, items, number, sub, text, unwrap, words

TRANSPARENT = frozenset(
    """
    A_ArrayExpr A_Indices BoolExpr BooleanTest CaseExpr CaseWhen CoalesceExpr CollateClause DefElem GroupingSet
    IndexElem JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor JsonBehavior JsonFormat JsonFuncExpr
    JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput JsonParseExpr JsonReturning
    JsonScalarExpr JsonSerializeExpr JsonTableColumn JsonTablePathSpec JsonValueExpr List MinMaxExpr NamedArgExpr
    NullTest PartitionBoundSpec PartitionElem PartitionRangeDatum RangeTableFuncCol RowExpr SortBy StatsElem WindowDef
    ResTarget XmlExpr XmlSerialize JsonArrayQueryConstructor InferClause ReturningOption RawStmt
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Nodes whose value depends on their parts and nothing else."""

SILENT = frozenset({"String", "Integer", "Float", "Boolean", "BitString", "A_Star", "SetToDefault", "CurrentOfExpr",
                    "MergeSupportFunc", "SQLValueFunction", "Alias", "RoleSpec", "IntList", "OidList",
                    "CaseTestExpr"})  # fmt: skip
"""Nodes that depend on no column and do nothing."""

BARE = {
    "agg_filter": "", "over": "WindowDef", "typeName": "TypeName", "argType": "TypeName", "output": "JsonOutput",
    "returning": "JsonReturning", "format": "JsonFormat", "on_empty": "JsonBehavior", "on_error": "JsonBehavior",
    "context_item": "JsonValueExpr", "constructor": "JsonAggConstructor", "arg": "", "value": "JsonValueExpr",
    "val": "JsonValueExpr", "expr": "JsonValueExpr", "pathspec": "JsonTablePathSpec", "collClause": "CollateClause",
    "infer": "InferClause", "withClause": "WithClause", "partbound": "PartitionBoundSpec",
}  # fmt: skip
"""Fields that hold a message without its type, and the type that they hold."""

_EQUAL = ("=",)
_BETWEEN = ((">=",), ("<=",), ("<",), (">",))
"""The operators that [NOT] BETWEEN [SYMMETRIC] stands for, found by the search_path as if they were written."""


class Expressions(Functions):
    """Reads expressions. `query` is the reader of SELECT's."""

    @abstractmethod
    def query(self, node: Node, scope: Scope | None) -> Columns | None:
        """Read a SELECT body and return its columns."""

    @abstractmethod
    def modify(self, tag: str, node: Node, scope: Scope | None) -> Columns | None:
        """Read an INSERT, UPDATE, DELETE or MERGE body and return its RETURNING columns."""

    def expr(self, node: object, scope: Scope) -> Lineage:
        """Return where a value comes from, adding the effects of evaluating it."""
        if isinstance(node, list):
            return union([self.expr(item, scope) for item in node])
        if not isinstance(node, dict):
            return CONSTANT
        tag, inner = unwrap(node)
        return self.typed(tag, inner, scope)

    def typed(  # noqa: C901, PLR0912 - one case a type of node
        self, tag: str, inner: Node, scope: Scope
    ) -> Lineage:
        """Return where the value of a node of known type comes from."""
        self.spend(1)
        match tag:
            case "ColumnRef":
                return self.reference(words(items(inner, "fields")), scope)
            case "A_Const":
                self.literal(inner)
                return CONSTANT
            case "SortBy":
                return union([self.operator(words(items(inner, "useOp"))), self.parts(inner, scope)])
            case "ParamRef":
                self.parameter(inner)
                return CONSTANT
            case "FuncCall":
                return self.function(inner, scope)
            case "A_Expr":
                return self._operation(inner, scope)
            case "TypeCast":
                told = self.cast_to(words(items(sub(inner, "typeName"), "names")))
                return self._computed_of(self.expr(inner.get("arg"), scope), told)
            case "TypeName":
                return self.cast_to(words(items(inner, "names")))
            case "CaseExpr":
                told = self.operator(_EQUAL) if "arg" in inner else CONSTANT
                return self._computed_of(self.parts(inner, scope), told)
            case "SubLink":
                return self._sublink(inner, scope)
            case "A_Indirection":
                return self._indirection(inner, scope)
            case "MultiAssignRef":
                return Lineage(self.expr(inner.get("source"), scope).sources)
            case "GroupingFunc":
                self.expr(inner.get("args"), scope)
                return CONSTANT
            case "SelectStmt":
                return _merged(self.query(inner, scope))
            case "":
                return self.parts(inner, scope)
            case _ if tag in TRANSPARENT:
                return self.parts(inner, scope)
            case _ if tag in SILENT:
                return CONSTANT
            case _:
                self.concede(f"it holds an expression that Blastwall cannot place ({tag})")
                return UNKNOWN

    def parts(self, inner: Node, scope: Scope) -> Lineage:
        """Return the union over a node's fields."""
        found = []
        for key, value in inner.items():
            if isinstance(value, list):
                found.append(self.expr(value, scope))
            elif isinstance(value, dict):
                tag, body = unwrap(value)
                found.append(self.typed(tag or BARE.get(key, ""), body if tag else value, scope))
        return union(found)

    def _computed_of(self, given: Lineage, told: Lineage) -> Lineage:
        """Return where a value comes from that code makes of another; what cannot be read may store it as well."""
        if told.sources is None:
            self.send_on(given.sources)
        return union([Lineage(given.sources), told])

    # ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def reference(self, fields: tuple[str, ...], scope: Scope) -> Lineage:
        """Return where a column reference comes from."""
        found = self._referred(fields, scope)
        if found.sources != frozenset():
            self.met.append(found.sources)
        return found

    def decide(self, node: object, scope: Scope) -> Lineage:
        """Read an expression on whose value it hangs which rows there are, in what order, or how many."""
        mark, code = len(self.met), self.code_runs
        found = self.expr(node, scope)
        self.filter_by_met(mark, code)
        return found

    def shown(self, node: object, scope: Scope) -> Lineage:
        """Read an expression whose value is shown or stored: it decides only where evaluating it may fail."""
        mark, code = len(self.met), self.code_runs
        found = self.expr(node, scope)
        if len(self.met) > mark and not found.exact and not cannot_fail(node):
            self.filter_by_met(mark, code)
        return found

    def _referred(self, fields: tuple[str, ...], scope: Scope) -> Lineage:
        if fields and fields[-1] == "*":
            return self._whole(fields[:-1], scope)
        match len(fields):
            case 1:
                return self._unqualified(fields[0], scope)
            case 2 | 3 | 4:
                return self._qualified(fields, scope)
            case _:
                return UNKNOWN

    def _unqualified(self, name: str, scope: Scope) -> Lineage:
        found = scope.column(name)
        if scope.hides(name):
            self.hides = self.unsettled = True
            found = scope.anywhere(name) if self.cautious else found
        row = scope.range(name)
        if row is not None:
            return union([row.whole(), found or CONSTANT])
        if found is not None:
            return found
        return CONSTANT if name in SYSTEM_COLUMNS else UNKNOWN

    def _qualified(self, fields: tuple[str, ...], scope: Scope) -> Lineage:
        if len(fields) == 4 and fields[0] != self.catalog.database:
            self.concede(f"it names another database ({fields[0]})")
        schema = fields[-3] if len(fields) > 2 else ""
        row = scope.range(fields[-2], schema) or scope.range(fields[-2])
        if row is None:
            self.attribute(fields[-1], None)
            return UNKNOWN
        found = row.find(fields[-1])
        if found is not None and row.columns is not None:
            return found
        told = self.attribute(fields[-1], row.whole().sources)
        if found is None:
            system = fields[-1] in SYSTEM_COLUMNS and not self.is_called(fields[-1])
            return CONSTANT if system else union([row.whole(), told])
        return found if told == CONSTANT else union([found, told])

    def _whole(self, qualifier: tuple[str, ...], scope: Scope) -> Lineage:
        if not qualifier:
            return union([row.whole() for row in scope.ranges])
        row = scope.range(qualifier[-1])
        return UNKNOWN if row is None else row.whole()

    def _indirection(self, inner: Node, scope: Scope) -> Lineage:
        found = [self.expr(inner.get("arg"), scope)]
        for step in items(inner, "indirection"):
            tag, body = unwrap(step)
            if tag == "String":
                found.append(self.attribute(text(body, "sval"), found[0].sources))
            else:
                found.append(self.expr(step, scope))
        return union(found)

    # ── calls, operators, sub-selects ────────────────────────────────────────────────────────────────────────────────

    def function(self, inner: Node, scope: Scope) -> Lineage:
        """Return where a call's result comes from."""
        parts = words(items(inner, "funcname"))
        arguments = items(inner, "args")
        secret = bool(parts) and takes_secrets(parts[-1].lower())
        if secret:
            self.secret(True)
        counts = parts[-1:] == ("count",) or flag(inner, "agg_distinct")
        given = union([self.decide(arguments, scope) if counts else self.expr(arguments, scope)])
        mark, code = len(self.met), self.code_runs
        rest = union([self.expr(inner.get(key), scope) for key in ("agg_order", "agg_filter")])
        over = self.typed("WindowDef", sub(inner, "over"), scope)
        self.filter_by_met(mark, code)
        if secret:
            self.secret(False)
        told = self.call(parts, arguments)
        if told is None:
            self.send_on(given.sources)
            return UNKNOWN
        return CONSTANT if parts[-1:] == ("count",) else union([given, rest, over, told])

    def _operation(self, inner: Node, scope: Scope) -> Lineage:
        left, right = inner.get("lexpr"), inner.get("rexpr")
        given = union([self.expr(left, scope), self.expr(right, scope)])
        name = words(items(inner, "name"))
        signs = _BETWEEN if "BETWEEN" in text(inner, "kind") else (name,)
        found = self._computed_of(given, union([self.operator(sign) for sign in signs]))
        for one, other in ((left, right), (right, left)):
            column = self.direct(one, scope)
            if column is not None:
                self.associate(other, column)
        return found

    def direct(self, node: object, scope: Scope) -> Column | None:
        """Return the column that an expression is, through casts; None for anything else."""
        while isinstance(node, dict):
            tag, inner = unwrap(node)
            if tag == "ColumnRef":
                fields = words(items(inner, "fields"))
                found = scope.column(fields[0]) if len(fields) == 1 else None
                row = scope.range(fields[-2]) if len(fields) > 1 else None
                found = row.find(fields[-1]) if row is not None else found
                return next(iter(found.sources)) if found and found.sources and len(found.sources) == 1 else None
            if tag == "FuncCall" and len(items(inner, "args")) == 1:
                node = items(inner, "args")[0]
            else:
                node = inner.get("arg") if tag in {"TypeCast", "CollateClause"} else None
        return None

    def associate(self, node: object, column: Column) -> None:
        """Note that the constants and parameters of `node` are compared with, or stored into, `column`."""
        stack = [node]
        while stack:
            current = stack.pop()
            if isinstance(current, list):
                stack.extend(current)
            elif isinstance(current, dict):
                tag, inner = unwrap(current)
                if tag == "A_Const":
                    self.literal(inner, column)
                elif tag == "ParamRef":
                    self.parameters.setdefault(number(inner, "number"), column)
                elif tag not in {"SelectStmt", "SubLink", "ColumnRef"}:
                    stack.extend(inner.values())

    def _sublink(self, inner: Node, scope: Scope) -> Lineage:
        test = self.expr(inner.get("testexpr"), scope)
        columns = self.expr_query(inner.get("subselect"), scope)
        kind = text(inner, "subLinkType")
        told = self.operator(words(items(inner, "operName")) or _EQUAL)
        if kind == "EXISTS_SUBLINK":
            return CONSTANT
        if columns is None:
            return UNKNOWN
        if kind == "EXPR_SUBLINK" and len(columns) == 1:
            return Lineage(columns[0].sources, columns[0].exact)
        return self._computed_of(union([test, *(Lineage(column.sources) for column in columns)]), told)

    def expr_query(self, node: object, scope: Scope | None) -> Columns | None:
        """Read a wrapped query of any kind."""
        tag, inner = unwrap(node) if isinstance(node, dict) else ("", {})
        if tag == "SelectStmt":
            return self.query(inner, scope)
        if tag in {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
            return self.modify(tag, inner, scope)
        self.concede(f"it holds a query that Blastwall cannot place ({tag or 'empty'})")
        return None


def _merged(columns: Columns | None) -> Lineage:
    return UNKNOWN if columns is None else union(Lineage(column.sources) for column in columns)
