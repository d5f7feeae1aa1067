"""SELECT, VALUES, set operations, CTEs and what may stand in FROM."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from blastwall.model.effects import Action
from blastwall.model.statement import SOME, Column
from blastwall.sql.lineage import CONSTANT, Columns, Lineage, OutputColumn, Sources, renamed, union
from blastwall.sql.postgres.catalog import Relation
from blastwall.sql.postgres.deciding import grouped, is_plain_distinct, removes_duplicates
from blastwall.sql.postgres.expressions import Expressions
from blastwall.sql.postgres.names import Target, harmless
from blastwall.sql.postgres.predicates import narrows
from blastwall.sql.postgres.scope import MAX_COLUMNS, Range, Scope
from blastwall.sql.postgres.tree import Node, body, flag, items, sub, text, unwrap, words

_ONE_COLUMN = frozenset(
    """
    generate_series generate_subscripts unnest regexp_split_to_table string_to_table json_array_elements
    jsonb_array_elements json_array_elements_text jsonb_array_elements_text json_object_keys jsonb_object_keys
    jsonb_path_query regexp_matches
    """.split()  # noqa: SIM905 - a word list reads better as words
)
_ELEMENTS = frozenset(
    {"json_array_elements", "jsonb_array_elements", "json_array_elements_text", "jsonb_array_elements_text"}
)
_PAIRS = frozenset({"json_each", "jsonb_each", "json_each_text", "jsonb_each_text"})
_SCALARS = frozenset(
    (name,)
    for name in (
        "bool", "int2", "int4", "int8", "numeric", "float4", "float8", "text", "varchar", "bpchar", "uuid", "date",
        "timestamp", "timestamptz", "json", "jsonb", "bytea",
    )
)  # fmt: skip
WIDE = Lineage(None)
"""Stands `beside` a column that may be several: a star over it is not expanded."""
_MAX_PASSES = 8


class Queries(Expressions):
    """Reads queries; each gives its columns, or None where they could not be traced as a whole."""

    def query(self, node: Node, scope: Scope | None) -> Columns | None:
        """Read a SELECT body. Raises TooComplexError."""
        self.count_query()
        inner = Scope(scope)
        self.with_clause(sub(node, "withClause"), inner)
        if text(node, "op") not in {"", "SETOP_NONE"}:
            columns = self._set_operation(node, inner)
        elif "valuesLists" in node:
            columns = self._values(items(node, "valuesLists"), inner)
        else:
            columns = self._select(node, inner)
        self._tail(node, inner, columns)
        into = sub(node, "intoClause")
        if into:
            self.into(into, columns)
        return columns

    @abstractmethod
    def into(self, node: Node, columns: Columns | None) -> None:
        """Add what INTO makes; the reader of writes overrides it."""

    def _select(self, node: Node, scope: Scope) -> Columns | None:
        for item in items(node, "fromClause"):
            scope.stars.append(self.from_item(item, scope))
        columns = self.targets_of(items(node, "targetList"), scope)
        for key in ("whereClause", "havingClause", "windowClause"):
            self.decide(node.get(key), scope)
        self._ordered(list(grouped(items(node, "groupClause"))), scope, columns)
        if is_plain_distinct(node):
            self.filter_by_columns(columns)
        else:
            self._ordered(items(node, "distinctClause"), scope, columns)
        return columns

    def filter_by_columns(self, columns: Columns | None) -> None:
        """Say that whole rows are compared or measured."""
        for sources in (None,) if columns is None else [column.sources for column in columns]:
            self.filter_by(sources)

    def _set_operation(self, node: Node, scope: Scope) -> Columns | None:
        left, right = self.query(sub(node, "larg"), scope), self.query(sub(node, "rarg"), scope)
        self.spend(len(left or ()))
        if removes_duplicates(node):
            self.filter_by_columns(left)
            self.filter_by_columns(right)
        return self.stacked(left, right)

    def _values(self, rows: list[Node], scope: Scope) -> Columns | None:
        found: list[list[Lineage]] = []
        spread = False
        for row in rows:
            cells = [self.shown(cell, scope) for cell in items(body(row, "List"), "items")]
            spread = spread or any(_ends_in_star(cell) for cell in items(body(row, "List"), "items"))
            for index, cell in enumerate(cells):
                if index == len(found):
                    found.append([])
                found[index].append(cell)
        if spread:  # as many columns as there are in what the star stands for
            return None
        return tuple(OutputColumn(f"column{at + 1}", union(cells).sources) for at, cells in enumerate(found))

    def _tail(self, node: Node, scope: Scope, columns: Columns | None) -> None:
        self._ordered(items(node, "sortClause"), scope, columns)
        self.decide(node.get("limitOffset"), scope)
        self.decide(node.get("limitCount"), scope)
        for clause in items(node, "lockingClause"):
            self._lock(body(clause, "LockingClause"), node, scope)

    def _ordered(self, clauses: list[Node], scope: Scope, columns: Columns | None) -> None:
        for clause in clauses:
            tag, inner = unwrap(clause)
            tag, inner = unwrap(sub(inner, "node")) if tag == "SortBy" else (tag, inner)
            names = words(items(inner, "fields")) if tag == "ColumnRef" else ()
            known = len(names) != 1 or scope.column(names[0]) is not None
            if known or columns is None:
                self.decide(clause, scope)
            else:
                mark = len(self.met)
                self.expr(clause, scope)
                del self.met[mark:]  # it is an output column's name
            place = sub(inner, "ival").get("ival") if tag == "A_Const" else None
            for index, column in enumerate(columns or ()):
                if names == (column.name,) or place == index + 1 or not (known or column.name):
                    self.filter_by(column.sources)
                    if place == index + 1:
                        self._by_number(columns or (), index)
            if place is not None and columns is None:
                self.filter_by(None)

    def _by_number(self, columns: Columns, index: int) -> None:
        """ORDER BY 3 behind a star goes by the place of a column, which may come to be another's."""
        if any(column.beside is not None for column in columns[: index + 1]):
            self.unsettled = True
            if self.cautious:
                self.filter_by(_any_of(columns).sources)

    def _lock(self, clause: Node, node: Node, scope: Scope) -> None:
        """FOR UPDATE and its kin: PostgreSQL asks for the UPDATE privilege, so the effect is `update`."""
        named = {text(body(item, "RangeVar"), "relname") for item in items(clause, "lockedRels")}
        for item in items(node, "fromClause"):
            for target in self._locked(item, named, scope):
                if not harmless(target):
                    self.effect(Action.UPDATE, self.object(target))
        self.predicates.append(True)  # a lock changes no row: queue workers take theirs without a predicate

    def _locked(self, item: Node, named: set[str], scope: Scope) -> list[Target]:
        tag, inner = unwrap(item)
        if tag == "JoinExpr":
            return [t for side in ("larg", "rarg") for t in self._locked(sub(inner, side), named, scope)]
        name = text(sub(inner, "alias"), "aliasname") or text(inner, "relname")
        if tag != "RangeVar" or (named and name not in named) or self._cte(inner, scope):
            return []
        return self.targets(inner)

    def narrowing(self, predicate: object, scope: Scope) -> bool:
        """Return whether a predicate names a column and is not constantly true."""
        return narrows(predicate, lambda node: self._names_column(node, scope))

    def _names_column(self, node: Node, scope: Scope) -> bool:
        fields = words(items(node, "fields"))
        return (
            bool(fields)
            and fields[-1] != "*"
            and any(len(fields) == 1 or row.name == fields[-2] for row in scope.ranges)
        )

    # ── CTEs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def with_clause(self, node: Node, scope: Scope) -> None:
        """Read WITH and define its names in `scope`."""
        recursive = flag(node, "recursive")
        ctes = [body(item, "CommonTableExpr") for item in items(node, "ctes")]
        if recursive:
            scope.ctes.update((text(cte, "ctename"), None) for cte in ctes)
        for cte in ctes:
            names = words(items(cte, "aliascolnames"))
            tag, inner = unwrap(sub(cte, "ctequery"))
            if recursive and tag == "SelectStmt" and text(inner, "op") not in {"", "SETOP_NONE"}:
                columns = self._recursive(text(cte, "ctename"), names, inner, scope)
            else:
                columns = self.by_place(self.expr_query(sub(cte, "ctequery"), scope), names)
            self._cycle(sub(cte, "cycle_clause"), columns, scope)
            scope.ctes[text(cte, "ctename")] = _searched(cte, columns)

    def _cycle(self, clause: Node, columns: Columns | None, scope: Scope) -> None:
        """CYCLE ends the recursion where its columns have the values of a row before: they choose rows."""
        if not clause:
            return
        named = words(items(clause, "cycle_col_list"))
        self.filter_by_columns(None if columns is None else tuple(one for one in columns if one.name in named))
        self.decide([clause.get("cycle_mark_value"), clause.get("cycle_mark_default")], scope)

    def _recursive(self, name: str, names: tuple[str, ...], node: Node, scope: Scope) -> Columns | None:
        inner = Scope(scope)
        self.with_clause(sub(node, "withClause"), inner)
        columns = self.by_place(self.query(sub(node, "larg"), inner), names)
        for _ in range(_MAX_PASSES):
            scope.ctes[name] = columns
            step = self.by_place(self.stacked(columns, self.query(sub(node, "rarg"), inner)), names)
            if removes_duplicates(node):
                self.filter_by_columns(step)
            if step == columns:
                self._tail(node, inner, columns)
                return columns
            columns = step
        return None

    def _cte(self, node: Node, scope: Scope) -> Scope | None:
        return None if text(node, "schemaname") else scope.cte(text(node, "relname"))

    # ── FROM ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def from_item(self, item: Node, scope: Scope) -> Columns | None:
        """Read one item of FROM into `scope`; return what `*` shows of it."""
        tag, inner = unwrap(item)
        match tag:
            case "RangeVar":
                return self._add(self.table(inner, scope), scope)
            case "JoinExpr":
                return self._join(inner, scope)
            case "RangeSubselect":
                around = scope if flag(inner, "lateral") else Scope(scope.parent, [], scope.ctes)
                columns = self.expr_query(sub(inner, "subquery"), around)
                return self._add(self._aliased(inner, columns), scope)
            case "RangeFunction":
                return self._add(self._table_function(inner, scope), scope)
            case "RangeTableFunc" | "JsonTable":
                return self._add(self._columns_clause(inner, scope), scope)
            case "RangeTableSample":
                self.decide(inner.get("args"), scope)
                self.decide(inner.get("repeatable"), scope)
                method = words(items(inner, "method"))
                if method not in {("bernoulli",), ("system",)}:
                    self.call(method, [])
                return self.from_item(sub(inner, "relation"), scope)
            case _:
                self.concede(f"FROM holds something that Blastwall cannot place ({tag or 'nothing'})")
                return self._add(Range("", None), scope)

    def _add(self, row: Range, scope: Scope) -> Columns | None:
        self.spend(1 + len(row.columns or ()))
        scope.ranges.append(row)
        return row.columns

    def table(self, node: Node, scope: Scope | None, reading: bool = True) -> Range:
        """Return the range of a RangeVar, adding the read where it is one."""
        level = self._cte(node, scope) if scope is not None and reading else None
        if level is not None:
            return self._aliased(node, level.ctes[text(node, "relname")])
        targets = self.targets(node)
        for target in targets if reading else ():
            self.read(target)
        columns = self.columns_of(targets[0]) if len(targets) == 1 else None
        alias, names = text(sub(node, "alias"), "aliasname"), words(items(sub(node, "alias"), "colnames"))
        doubted = any(self.may_be_altered(target.schema, target.name) for target in targets)
        return Range(
            alias or text(node, "relname"),
            None if doubted else self.by_place(columns, names),
            frozenset() if targets and all(harmless(target) for target in targets) else None,
            "" if alias else text(node, "schemaname") or (targets[0].schema if len(targets) == 1 else ""),
            self._believed(targets),
            columns or () if doubted and not names else (),
        )

    def _believed(self, targets: list[Target]) -> Column | None:
        if not self.catalog.believes or len(targets) != 1 or targets[0].relation is not None or harmless(targets[0]):
            return None
        return Column(self.catalog.database, targets[0].schema, targets[0].name, SOME)

    def columns_of(self, target: Target) -> Columns | None:
        """Return the columns of a relation, those of a view with what is behind them."""
        relation = target.relation
        if relation is None or (not harmless(target) and target.schema in {"pg_catalog", "pg_toast"}):
            return None
        if harmless(target):
            return tuple(OutputColumn(name, frozenset()) for name in relation.columns if name)
        if relation.kind in "vm":
            sources = self.catalog.view_sources(relation)
            pairs = zip(relation.columns, sources, strict=False)
            beside = union(Lineage(found) for found in sources)
            return tuple(OutputColumn(name, found, beside=beside) for name, found in pairs if name)
        shown = self.catalog.shown(relation)
        self.bare = self.bare or not shown
        return self._with_code(relation, shown)

    def _with_code(self, relation: Relation, shown: Columns) -> Columns:
        """Return a table's columns with what the code of their types tells of: a cast of the value may run it."""
        coded = self.catalog.attachments.type_code
        if coded.keys().isdisjoint(relation.types):
            return shown
        told = {
            name: union(Lineage(self.follower.told(oid)) for oid in coded.get(kind, ()))
            for name, kind in zip(relation.columns, relation.types, strict=False)
        }
        return tuple(
            column
            if (beside := told.get(column.name, CONSTANT)) == CONSTANT
            else replace(column, sources=union([Lineage(column.sources), beside]).sources, exact=False)
            for column in shown
        )

    def _join(self, node: Node, scope: Scope) -> Columns | None:
        start = len(scope.ranges)
        left = self.from_item(sub(node, "larg"), scope)
        right = self.from_item(sub(node, "rarg"), scope)
        self.decide(node.get("quals"), scope)
        merged = words(items(node, "usingClause"))
        if flag(node, "isNatural"):
            merged = _common(left, right)
        self.spend(len(left or ()) + len(right or ()))
        if merged or flag(node, "isNatural"):
            mark, code = len(self.met), self.code_runs
            self.operator(("=",))
            self.filter_by_met(mark, code)
        columns = _joined(left, right, merged)
        if flag(node, "isNatural"):
            self._joined_by_any(left, right)
            columns = None if left is None or right is None else columns
        for name in merged:
            found = scope.column(name)
            self.filter_by(found.sources if found else None)
        alias = text(sub(node, "join_using_alias"), "aliasname")
        if alias and columns is not None:
            scope.ranges.append(Range(alias, columns[: len(merged)]))
        if sub(node, "alias"):
            del scope.ranges[start:]
            columns = self._add(self._aliased(node, self.placed(columns)), scope)
        return columns

    def _joined_by_any(self, left: Columns | None, right: Columns | None) -> None:
        """NATURAL JOIN compares whatever columns have the same name by the time that it is run."""
        if any(column.beside is not None for column in (*(left or ()), *(right or ()))):
            self.unsettled = True
            if self.cautious:
                self.filter_by_columns(left)
                self.filter_by_columns(right)

    def _table_function(self, node: Node, scope: Scope) -> Range:
        columns: Columns | None = ()
        whole = flag(node, "ordinality") or len(items(node, "functions")) > 1
        sources: list[Lineage] = []
        alias = text(sub(node, "alias"), "aliasname")
        for entry in items(node, "functions"):
            parts = items(body(entry, "List"), "items")
            found = self.decide(parts[:1], scope)
            sources.append(found)
            listed = items(body(parts[1], "List"), "items") if len(parts) > 1 else items(node, "coldeflist")
            for column in listed or items(node, "coldeflist"):
                self.typed("TypeName", sub(body(column, "ColumnDef"), "typeName"), scope)
            shown = _function_columns(parts[0], listed, alias, found)
            if whole and shown is not None and any(column.beside is WIDE for column in shown):
                shown = None
            columns = None if columns is None or shown is None else columns + shown
        if columns is not None and flag(node, "ordinality"):
            columns = (*columns, OutputColumn("ordinality", frozenset()))
        name = alias or _name_of(items(node, "functions"))
        return Range(name, renamed(columns, words(items(sub(node, "alias"), "colnames"))), union(sources).sources)

    def _columns_clause(self, node: Node, scope: Scope) -> Range:
        inner = {key: value for key, value in node.items() if key not in {"columns", "alias"}}
        mark, code = len(self.met), self.code_runs
        found = union([self.parts(inner, scope), self.expr(node.get("columns"), scope)])
        self.filter_by_met(mark, code)
        return Range(text(sub(node, "alias"), "aliasname"), None, found.sources)

    # ── target lists ─────────────────────────────────────────────────────────────────────────────────────────────────

    def targets_of(self, targets: list[Node], scope: Scope) -> Columns | None:
        """Read a target list and return its columns; None where a `*` cannot be expanded."""
        found: list[OutputColumn] = []
        whole, spread = True, False
        for item in targets:
            target = body(item, "ResTarget")
            value = sub(target, "val")
            expanded = self._expanded(value, scope)
            if expanded is not None:
                spread = True
                self.spend(len(expanded))
                found.extend(expanded)
                if len(found) > MAX_COLUMNS:
                    # PostgreSQL refuses such a result; to follow it, CTEs could double it over and over.
                    self.concede(f"a result has more than {MAX_COLUMNS} columns")
                    return None
                continue
            lineage = self.shown(value, scope)
            if _ends_in_star(value):
                whole = False
            found.append(OutputColumn(text(target, "name") or derived_name(value), lineage.sources, lineage.exact))
        if any(column.beside is WIDE for column in found):
            return None
        return (self.placed(tuple(found)) if spread else tuple(found)) if whole else None

    # ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────
    # A relation may get more columns, or fewer, before the server reads the statement. What is found by its name is the
    # same then, or gone; what is found by its place may be another. A reading that is `cautious` takes it for any.

    def placed(self, columns: Columns | None) -> Columns | None:
        """Note what may come to stand at the place of each column, where some are a star's or a join's."""
        together = {id(column.beside): column.beside for column in columns or ()}
        if columns is None or not together or (len(together) == 1 and (columns[0].beside or not self.bare)):
            return columns
        beside, self.mixed = _any_of(columns), True
        self.countable = self.countable and all(column.exact for column in columns if column.beside is not None)
        return tuple(replace(column, beside=beside) for column in columns)

    def by_place(self, columns: Columns | None, names: tuple[str, ...]) -> Columns | None:
        """Return the columns under the names of an alias's list, which are given by place."""
        if columns is not None and any(column.beside is not None for column in columns[: len(names)]):
            self.unsettled = True
            if self.cautious:
                named = [_any_at(column) for column in columns[: len(names)]]
                columns = (*named, *columns[len(names) :])
        return renamed(columns, names)

    def stacked(self, left: Columns | None, right: Columns | None) -> Columns | None:
        """Return the columns of a set operation, which go by place, under the names of its left arm."""
        found = _stacked(left, right)
        both = (*(left or ()), *(right or ()))
        if found is None or all(column.beside is None for column in both):
            return found
        self.unsettled = True
        beside = _any_of(both)
        found = tuple(replace(column, beside=beside) for column in found)
        return tuple(map(_any_at, found)) if self.cautious else found

    def _aliased(self, node: Node, columns: Columns | None) -> Range:
        alias = sub(node, "alias")
        name = text(alias, "aliasname") or text(node, "relname")
        return Range(name, self.by_place(columns, words(items(alias, "colnames"))))

    def _expanded(self, value: Node, scope: Scope) -> Columns | None:
        fields = words(items(body(value, "ColumnRef"), "fields"))
        if not fields or fields[-1] != "*":
            return None
        if len(fields) > 1:
            row = scope.range(fields[-2], fields[-3] if len(fields) > 2 else "") or scope.range(fields[-2])
            return row.columns if row is not None else None
        return scope.shown()


def _stacked(left: Columns | None, right: Columns | None) -> Columns | None:
    if left is None or right is None or len(left) != len(right):
        return None
    return tuple(
        OutputColumn(one.name, union([Lineage(one.sources), Lineage(other.sources)]).sources)
        for one, other in zip(left, right, strict=True)
    )


def _searched(cte: Node, columns: Columns | None) -> Columns | None:
    """SEARCH and CYCLE add columns of their own, made of the columns that they name."""
    if columns is None:
        return None
    every: Sources = union(Lineage(column.sources) for column in columns).sources
    search, cycle = sub(cte, "search_clause"), sub(cte, "cycle_clause")
    names = [text(search, "search_seq_column")] if search else []
    names += [text(cycle, "cycle_mark_column"), text(cycle, "cycle_path_column")] if cycle else []
    return (*columns, *(OutputColumn(name, every) for name in names))


def _any_of(columns: Columns) -> Lineage:
    """Where a value comes from that may be any of these columns'."""
    return union({id(one): one for one in (column.beside or Lineage(column.sources) for column in columns)}.values())


def _any_at(column: OutputColumn) -> OutputColumn:
    """Return the column as what may come to stand at its place."""
    return column if column.beside is None else replace(column, sources=column.beside.sources, exact=False)


def _common(left: Columns | None, right: Columns | None) -> tuple[str, ...]:
    if left is None or right is None:
        return ()
    names = {column.name for column in right}
    return tuple(column.name for column in left if column.name in names)


def _joined(left: Columns | None, right: Columns | None, merged: tuple[str, ...]) -> Columns | None:
    if left is None or right is None:
        return None
    if len(left) + len(right) > MAX_COLUMNS:
        return None
    both = (*left, *right)
    first = []
    for name in merged:
        same = tuple(column for column in both if column.name == name)
        beside = _any_of(same) if any(column.beside is not None for column in same) else None
        first.append(
            OutputColumn(
                name, union(Lineage(column.sources) for column in same).sources if same else None, beside=beside
            )
        )
    return (*first, *(column for column in both if column.name not in merged))


def _function_columns(call: Node, listed: list[Node], alias: str, found: Lineage) -> Columns | None:
    if listed:
        return tuple(OutputColumn(text(body(item, "ColumnDef"), "colname"), found.sources) for item in listed)
    function = body(call, "FuncCall")
    name = words(items(function, "funcname"))[-1:]
    if not name:
        return (OutputColumn(alias or derived_name(call), found.sources),)
    if name[0] in _PAIRS:
        return (OutputColumn("key", found.sources), OutputColumn("value", found.sources))
    if name[0] in _ONE_COLUMN and len(items(function, "args")) <= (1 if name[0] == "unnest" else 9):
        beside = WIDE if name[0] == "unnest" and not _of_scalars(items(function, "args")) else None
        return (OutputColumn(alias or ("value" if name[0] in _ELEMENTS else name[0]), found.sources, beside=beside),)
    return None


def _of_scalars(arguments: list[Node]) -> bool:
    """Whether what is unnested is an array of scalars for certain: of composites each attribute is a column."""
    tag, inner = unwrap(arguments[0]) if arguments else ("", {})
    match tag:
        case "A_ArrayExpr":
            elements = items(inner, "elements")
            return bool(elements) and all(unwrap(one)[0] == "A_Const" for one in elements)
        case "TypeCast":
            type_ = sub(inner, "typeName")
            return bool(items(type_, "arrayBounds")) and words(items(type_, "names"))[-1:] in _SCALARS
        case "FuncCall":
            return words(items(inner, "funcname")) in {("string_to_array",), ("regexp_split_to_array",)}
        case _:
            return False


def _name_of(functions: list[Node]) -> str:
    if not functions:
        return ""
    parts = items(body(functions[0], "List"), "items")
    return derived_name(parts[0]) if parts else ""


def _ends_in_star(value: Node) -> bool:
    tag, inner = unwrap(value)
    steps = words(items(inner, "fields" if tag == "ColumnRef" else "indirection"))
    return tag in {"ColumnRef", "A_Indirection"} and steps[-1:] == ("*",)


def derived_name(value: Node) -> str:
    """Return the name that PostgreSQL gives an unnamed column (FigureColname), or "" where that is not simple."""
    tag, inner = unwrap(value)
    match tag:
        case "ColumnRef":
            return words(items(inner, "fields"))[-1]
        case "FuncCall":
            return words(items(inner, "funcname"))[-1]
        case "TypeCast":
            inside = derived_name(sub(inner, "arg"))
            return inside or (words(items(sub(inner, "typeName"), "names")) or ("",))[-1]
        case "CollateClause":
            return derived_name(sub(inner, "arg"))
        case "CoalesceExpr":
            return "coalesce"
        case "CaseExpr":
            return "" if sub(inner, "defresult") else "case"
        case _:
            return ""
