"""SELECT, set operations, common tables and what may stand in FROM."""

from __future__ import annotations

from abc import abstractmethod

from blastwall.sql.lineage import CONSTANT, Columns, Lineage, OutputColumn, Sources, renamed, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.effects.deciding import gives_text, narrows
from blastwall.sql.tsql.effects.findings import QUERY_STEPS
from blastwall.sql.tsql.effects.rowsets import Rowsets
from blastwall.sql.tsql.effects.scope import MAX_COLUMNS, Bound, Range, Scope, merged, stacked

_MAX_PASSES = 8
_JSON = "JSON_F52E2B61-18A1-11d1-B105-00805F49916B"
_XML = "XML_F52E2B61-18A1-11d1-B105-00805F49916B"
"""The names of the one column that FOR JSON and FOR XML give."""
_BY_PURPOSE = frozenset({"identitycol", "rowguidcol"})
"""Besides `$identity` and its like: a result has the names of the columns that these are."""


class Queries(Rowsets):
    """Reads queries; each gives its columns, or None where they could not be traced as a whole."""

    shapes: dict[int, tuple[bool, ...]]
    """Of each part of a set operation, by its id(), which columns hold text for certain."""
    unlisted: Sources = None
    """Of the last select list whose columns are not all known: what is in all of them together."""

    @abstractmethod
    def assigned(self, name: str, operator: str, value: n.Expression, lineage: Lineage, *, once: bool) -> None:
        """Note what is put into a variable; `once` is false where that may happen never, or more than once."""

    @abstractmethod
    def into(self, name: n.ObjectName, columns: Columns | None) -> None:
        """Add the table that SELECT … INTO makes."""

    def query(self, node: n.Query, scope: Scope | None) -> Columns | None:
        """Read a query with all that stands around it. Raises TooComplexError."""
        self.spend(QUERY_STEPS)
        around = self.scope(scope)
        self.with_clause(node.ctes, around)
        columns, inner = self._body(node.body, around)
        self._ordered(node.order_by, inner, columns)
        self.decide(node.offset, inner)
        self.decide(node.fetch, inner)
        self.hints(node.options, inner)
        return columns if node.for_clause is None else _serialized(node.for_clause, columns)

    def hints(self, hints: tuple[n.Hint, ...], scope: Scope) -> None:
        """Read the values that hints and options name: OPTIMIZE FOR (@id = 7) holds a literal."""
        for hint in hints:
            for argument in hint.arguments:
                self.each([part for part in n.walk(argument) if isinstance(part, n.Constant | n.Variable)], scope)

    def _body(self, node: n.QueryBody, around: Scope) -> tuple[Columns | None, Scope]:
        if isinstance(node, n.Select):
            inner = around.inner()
            return self.select(node, inner), inner
        columns: Columns | None = None
        for index, branch in enumerate(node.branches):
            self.spend(QUERY_STEPS)
            found, _ = self._body(branch, around)
            if index and node.operators[index - 1] != "UNION ALL":
                self.filter_by_columns(columns)
                self.filter_by_columns(found)
            columns = stacked(columns, found) if index else found
        self._unify(node, columns, around)
        return columns, around.inner()

    def _unify(self, node: n.SetOperation, columns: Columns | None, around: Scope) -> None:
        """Columns of several types become one: values are converted, and that may fail."""
        del around
        shapes = [self.shapes.get(id(branch)) for branch in node.branches]
        for at, column in enumerate(columns or ()):
            sure = all(shape is not None and at < len(shape) and shape[at] for shape in shapes)
            if not sure:
                self.filter_by(column.sources)
        self.shapes[id(node)] = tuple(
            all(shape is not None and at < len(shape) and shape[at] for shape in shapes)
            for at in range(len(columns or ()))
        )

    def select(self, node: n.Select, scope: Scope) -> Columns | None:
        """Read one SELECT and return its columns."""
        for source in node.sources:
            scope.stars.append(self.source(source, scope))
        plain = not node.sources and node.where is None and node.top is None and node.having is None
        columns = self.items(node.items, scope, once=plain and node.group_by is None)
        if columns is not None:
            self.shapes[id(node)] = self._texts(node, columns, scope)
        self.decide(node.where, scope)
        for expression in node.group_by.expressions if node.group_by is not None else ():
            self.decide(expression, scope)
        self.decide(node.having, scope)
        for window in node.windows:
            self.expr(window, scope)
        if node.top is not None:
            self.decide(node.top.count, scope)
        if node.distinct:
            self.filter_by_columns(columns)
        if node.into is not None:
            self.into(node.into, columns)
        return columns

    def _texts(self, node: n.Select, columns: Columns, scope: Scope) -> tuple[bool, ...]:
        """Which columns hold text for certain."""
        is_text = self.text_in(scope)
        items = [item.expression for item in node.items]
        if len(items) == len(columns) and not any(isinstance(item, n.Star) for item in items):
            return tuple(gives_text(item, is_text) for item in items)
        return tuple(
            column.exact and column.sources is not None and all(map(self.holds_text, column.sources))
            for column in columns
        )

    def filter_by_columns(self, columns: Columns | None) -> None:
        """Say that whole rows are compared or measured."""
        for sources in (None,) if columns is None else [column.sources for column in columns]:
            self.filter_by(sources)

    def items(
        self, items: tuple[n.SelectItem | n.SelectAssignment, ...], scope: Scope, *, once: bool = True
    ) -> Columns | None:
        """Read a select list and return its columns; None where a `*` cannot be expanded."""
        found: list[OutputColumn] = []
        whole = True
        hidden: list[Lineage] = []
        for item in items:
            if isinstance(item, n.SelectAssignment):
                lineage = self.shown(item.expression, scope)
                self.assigned(item.variable.name, item.operator, item.expression, lineage, once=once)
                continue
            expanded = self._expanded(item.expression, scope)
            if isinstance(item.expression, n.Star):
                whole = whole and expanded is not None
                found.extend(expanded or ())
                self.spend(len(expanded or ()))
                for column in expanded or ():
                    self.meet(column.sources)
                hidden.append(CONSTANT if expanded is not None else self.expr(item.expression, scope))
            else:
                lineage = self.shown(item.expression, scope)
                found.append(OutputColumn(_name_of(item), lineage.sources, lineage.exact))
            if len(found) > MAX_COLUMNS:
                self.concede(f"a result has more than {MAX_COLUMNS} columns")
                return None
        self.unlisted = None if whole else union([*hidden, *(Lineage(one.sources) for one in found)]).sources
        return tuple(found) if whole else None

    def _expanded(self, node: n.Expression, scope: Scope) -> Columns | None:
        if not isinstance(node, n.Star):
            return None
        if node.qualifier is None:
            return scope.shown()
        parts = [self.catalog.fold(part) for part in node.qualifier.texts]
        row = scope.range(parts[-1], parts[-2] if len(parts) > 1 else "")
        return row.columns if row is not None else None

    def _ordered(self, items: tuple[n.OrderItem, ...], scope: Scope, columns: Columns | None) -> None:
        fold = self.catalog.fold
        for item in items:
            node = item.expression
            alias = fold(node.name.last) if isinstance(node, n.Column) and len(node.name.parts) == 1 else ""
            place = int(node.text) if isinstance(node, n.Constant) and node.text.isdecimal() else 0
            named = [
                one for at, one in enumerate(columns or ()) if at + 1 == place or (alias and fold(one.name) == alias)
            ]
            for column in named:
                self.filter_by(column.sources)
            if columns is None and place:
                self.filter_by(None)
            if not named or scope.column(alias or " ") is not None:
                self.decide(node, scope)

    def narrowing(self, predicate: n.Expression | None, scope: Scope) -> bool:
        """Return whether a predicate names a column of these ranges and is not constantly true."""
        fold = self.catalog.fold
        names = {row.name for row in scope.ranges}

        def names_column(node: n.Column) -> bool:
            parts = node.name.texts
            if len(parts) > 1:
                return fold(parts[-2]) in names
            return any(row.columns is None or row.find(parts[-1], fold) is not None for row in scope.ranges)

        return narrows(predicate, names_column)

    # ── common tables ────────────────────────────────────────────────────────────────────────────────────────────────

    def with_clause(self, ctes: tuple[n.CommonTable, ...], scope: Scope) -> None:
        """Read WITH and define its names in `scope`."""
        around = scope.environment()
        for cte in ctes:
            self.spend(1 + len(around) // 8)
            name = self.catalog.fold(cte.name.text)
            names = tuple(column.text for column in cte.columns)
            body = cte.query.body
            if isinstance(body, n.SetOperation) and self._names_itself(cte.query, name):
                columns = self._recursive(name, names, cte.query, body.branches[0], scope)
            else:
                columns = self.query(cte.query, scope)
            scope.ctes[name] = renamed(columns, names)
            scope.bodies[name] = Bound(cte.query, around)
            around = {**around, name: scope.bodies[name]}

    def _names_itself(self, query: n.Query, name: str) -> bool:
        return any(
            isinstance(part, n.Table) and len(part.name.parts) == 1 and self.catalog.fold(part.name.last) == name
            for part in n.walk(query)
        )

    def _recursive(
        self, name: str, names: tuple[str, ...], query: n.Query, first: n.QueryBody, scope: Scope
    ) -> Columns | None:
        """The first branch does not name it; the others are read until what they add is known."""
        columns, _ = self._body(first, scope)
        for _ in range(_MAX_PASSES):
            scope.ctes[name] = renamed(columns, names)
            step = stacked(columns, self.query(query, scope))
            if step == columns:
                return columns
            columns = step
        scope.ctes[name] = None
        return None

    # ── FROM ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def source(self, node: n.TableSource, scope: Scope) -> Columns | None:
        """Read one item of FROM into `scope`; return what `*` shows of it."""
        match node:
            case n.Table():
                return self._add(self.table(node, scope), scope)
            case n.TableVariable():
                return self._add(self.table_variable(node), scope)
            case n.Join():
                return self._join(node, scope)
            case n.DerivedTable():
                return self._add(self._derived(node, scope.parent), scope)
            case n.TableFunction():
                return self._add(self.table_function(node, scope), scope)
            case n.ForeignRowset():
                return self._add(self.foreign_rowset(node, scope), scope)
            case n.Pivot():
                return self._pivot(node, scope)
            case n.Unpivot():
                return self._unpivot(node, scope)
            case _:
                self.concede(f"FROM holds something that Blastwall cannot place ({type(node).__name__})")
                return self._add(Range("", None), scope)

    def _add(self, row: Range, scope: Scope) -> Columns | None:
        self.spend(1 + len(row.columns or ()))
        scope.ranges.append(row)
        return row.columns

    def _join(self, node: n.Join, scope: Scope) -> Columns | None:
        left = self.source(node.left, scope)
        if node.kind.endswith("APPLY") and isinstance(node.right, n.DerivedTable):
            right = self._add(self._derived(node.right, scope), scope)
        else:
            right = self.source(node.right, scope)
        self.decide(node.on, scope)
        return None if left is None or right is None else (*left, *right)

    def _derived(self, node: n.DerivedTable, around: Scope | None) -> Range:
        names = tuple(column.text for column in node.columns)
        alias = node.alias.text if node.alias is not None else ""
        if isinstance(node.source, n.Query):
            return self.range_of(alias, renamed(self.query(node.source, around), names))
        if isinstance(node.source, n.RowValues):
            return self.range_of(alias, renamed(self.rows(node.source, self.scope(around)), names))
        return self.range_of(alias, renamed(self.nested_rows(node.source), names))

    @abstractmethod
    def nested_rows(self, node: n.Statement) -> Columns | None:
        """Read a statement in FROM and return the columns of its OUTPUT."""

    def rows(self, node: n.RowValues, scope: Scope) -> Columns | None:
        """Read VALUES and return its columns, without names."""
        found: list[list[Lineage]] = []
        for row in node.rows:
            for index, cell in enumerate(row):
                if index == len(found):
                    found.append([])
                found[index].append(self.shown(cell, scope))
        is_text = self.text_in(scope)
        for at, cells in enumerate(found):
            column = [row[at] for row in node.rows if at < len(row)]
            if len(column) > 1 and not all(gives_text(cell, is_text) for cell in column):
                self.filter_by(union(cells).sources)
        return tuple(OutputColumn("", union(cells).sources) for cells in found)

    def _pivot(self, node: n.Pivot, scope: Scope) -> Columns | None:
        inner = self.scope(scope.parent)
        columns = self.source(node.source, inner)
        self.filter_by(self.reference(node.column, inner).sources)
        made = union([self.expr(call, inner) for call in node.calls])
        fold = self.catalog.fold
        used = {fold(node.column.last)}
        used |= {fold(part.name.last) for call in node.calls for part in n.walk(call) if isinstance(part, n.Column)}
        alias = node.alias.text if node.alias is not None else ""
        if columns is None:
            every = union([*(row.whole() for row in inner.ranges), made])
            return self._add(self.range_of(alias, None, every.sources), scope)
        kept = tuple(column for column in columns if fold(column.name) not in used)
        self.filter_by_columns(kept)
        values = tuple(OutputColumn(value.text, made.sources) for value in node.values)
        return self._add(self.range_of(alias, (*kept, *values)), scope)

    def _unpivot(self, node: n.Unpivot, scope: Scope) -> Columns | None:
        inner = self.scope(scope.parent)
        columns = self.source(node.source, inner)
        made: Sources = union([self.reference(name, inner) for name in node.columns]).sources
        self.filter_by(made)
        alias = node.alias.text if node.alias is not None else ""
        if columns is None:
            every = union([*(row.whole() for row in inner.ranges), Lineage(made)])
            return self._add(self.range_of(alias, None, every.sources), scope)
        used = {self.catalog.fold(name.last) for name in node.columns}
        kept = tuple(column for column in columns if self.catalog.fold(column.name) not in used)
        added = (OutputColumn(node.value.text, made), OutputColumn(node.name.text, frozenset()))
        return self._add(self.range_of(alias, (*kept, *added)), scope)


def _name_of(item: n.SelectItem) -> str:
    if item.alias is not None:
        return item.alias.text
    name = item.expression.name.last if isinstance(item.expression, n.Column) else ""
    pseudo = name.lower() in _BY_PURPOSE or (name.startswith("$") and name.lower() != "$action")
    return "" if pseudo else name


def _serialized(clause: n.ForClause, columns: Columns | None) -> Columns | None:
    """FOR JSON and FOR XML give one column that holds every value, without a name where TYPE is asked for."""
    if clause.kind == "BROWSE":
        return columns
    typed = any(option.name.upper() == "TYPE" for option in clause.options)
    name = "" if typed else _JSON if clause.kind == "JSON" else _XML
    return (OutputColumn(name, merged(columns).sources),)
