"""Expressions: where their values come from, and what evaluating them does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence

from blastwall.model.effects import Action, Object
from blastwall.model.statement import Column as Place
from blastwall.sql.lineage import CONSTANT, UNKNOWN, Columns, Lineage, Sources, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.effects.deciding import cannot_fail
from blastwall.sql.tsql.effects.findings import CALL_STEPS
from blastwall.sql.tsql.effects.names import Names, Target
from blastwall.sql.tsql.effects.scope import Range, Scope, merged
from blastwall.sql.tsql.effects.system_names import (
    COUNTING,
    DATE_PARTS,
    FILE_FUNCTIONS,
    KEYED_FUNCTIONS,
    PURE,
    REVEALING_FUNCTIONS,
    SECRET_FUNCTIONS,
    SOURCELESS,
)

ERROR = "\0error"
"""The variable that stands for what ERROR_MESSAGE() may quote: any value that was met."""
_CLR_TYPES = frozenset({"geometry", "geography", "hierarchyid", "xml", "vector", "json"})
TEXTS = ("char", "nchar", "varchar", "nvarchar", "text", "ntext", "sysname")
"""How the names of character types begin."""
METHODS = frozenset(
    """
    value query exist nodes modify write tostring parse getancestor getdescendant getlevel isdescendantof
    getreparentedvalue read getroot starea stasbinary stastext stboundary stbuffer stcentroid stcontains stconvexhull
    stcrosses stcurven stcurvetoline stdifference stdimension stdisjoint stdistance stendpoint stenvelope stequals
    stexteriorring stgeometryn stgeometrytype stinteriorringn stintersection stintersects stisclosed stisempty stisring
    stissimple stisvalid stlength stnumcurves stnumgeometries stnuminteriorring stnumpoints stoverlaps stpointn
    stpointonsurface strelate stsrid ststartpoint stsymdifference sttouches stunion stwithin stx sty asgml astextzm
    asbinaryzm bufferwithcurves bufferwithtolerance envelopeangle envelopecenter filter hasm hasz instanceof
    isnull isvaliddetailed lat long m makevalid minimumdbcompatibilitylevel numrings reduce reorientobject ringn
    shortestlineto z curvetolinewithtolerance
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Methods of the server's own types: what else follows a column and a dot is a function of the schema of that name."""
_OF_NAMES = frozenset({"update", "identity"})
"""Functions whose arguments are names, not values."""
_OWN_COLUMNS = frozenset({"$action", "$cuid"})
"""Columns by names that belong to no table; `$identity`, `$rowguid` and their old forms are a table's own column."""


class Expressions(Names):
    """Reads expressions."""

    @abstractmethod
    def query(self, node: n.Query, scope: Scope | None) -> Columns | None:
        """Read a query and return its columns."""

    @abstractmethod
    def called(self, target: Target, arguments: Sequence[Sources]) -> Lineage:
        """Add what a user's scalar function does; return where its result comes from."""

    def scope(self, parent: Scope | None = None) -> Scope:
        """Return a new level of names."""
        return Scope(self.catalog.fold, parent)

    def expr(  # noqa: C901, PLR0912 - one case a type of node
        self, node: n.Node | None, scope: Scope
    ) -> Lineage:
        """Return where a value comes from, adding the effects of evaluating it."""
        if node is None:
            return CONSTANT
        self.spend(1)
        match node:
            case n.Constant():
                self.literal(node)
                if not node.reaches:
                    return CONSTANT
                self.meet(None)
                return UNKNOWN
            case n.Column():
                return self.reference(node.name, scope)
            case n.Variable():
                return Lineage(self.variable(node.name))
            case n.Call():
                return self._call(node, scope)
            case n.Comparison() | n.Between() | n.InList() | n.Like():
                return self._comparison(node, scope)
            case n.Operation() | n.Unary() | n.Logical() | n.Not() | n.IsNull() | n.AtTimeZone() | n.When():
                return self._parts(node, scope)
            case n.OrderItem():
                return self._parts(node, scope)
            case n.Case():
                return self._case(node, scope)
            case n.Cast():
                return self._cast(node, scope)
            case n.Collate():
                return Lineage(self.expr(node.operand, scope).sources)
            case n.Star():
                return self._star(node, scope)
            case _:
                return self._rarer(node, scope)

    def _rarer(self, node: n.Node, scope: Scope) -> Lineage:
        match node:
            case n.Subquery():
                return self._subquery(node, scope)
            case n.Exists():
                self.query(node.query, scope)
                return CONSTANT
            case n.InQuery() | n.Quantified():
                return self._with_query(node, scope)
            case n.FullText():
                return self._full_text(node, scope)
            case n.Window():
                return self._window(node, scope)
            case n.Method():
                return Lineage(self.each((node.operand, *(node.arguments or ())), scope).sources)
            case n.StaticMethod():
                return self._static(node, scope)
            case n.NextValue():
                return self._next_value(node, scope)
            case n.CurrentOf():
                return CONSTANT
            case _:
                self.concede(f"it holds an expression that Blastwall cannot place ({type(node).__name__})")
                return UNKNOWN

    def each(self, nodes: Iterable[n.Node | None], scope: Scope) -> Lineage:
        """Return the union over several."""
        return union([self.expr(node, scope) for node in nodes])

    def decide(self, node: n.Node | None, scope: Scope) -> Lineage:
        """Read an expression on whose value it hangs which rows there are, in what order, or how many."""
        mark, code = len(self.met), self.code_runs
        found = self.expr(node, scope)
        self.filter_by_met(mark, code)
        return found

    def shown(self, node: n.Node | None, scope: Scope) -> Lineage:
        """Read an expression whose value is shown or stored: it decides only where evaluating it may fail."""
        mark, code = len(self.met), self.code_runs
        found = self.expr(node, scope)
        if node is not None and len(self.met) > mark and not found.exact and not cannot_fail(node, self.text_in(scope)):
            self.filter_by_met(mark, code)
        return found

    def text_in(self, scope: Scope) -> Callable[[n.Column], bool]:
        """Return whether a column holds text, as far as the catalog says so."""

        def is_text(node: n.Column) -> bool:
            return self.holds_text(self.direct(node, scope))

        return is_text

    def holds_text(self, column: Place | None) -> bool:
        """Whether a column is of a character type."""
        return column is not None and self.type_of(column).startswith(TEXTS)

    def convert(self, lineage: Lineage, kind: str) -> None:
        """Say that a value becomes one of another type, which may fail; what becomes a text is at most cut."""
        if lineage.sources == frozenset():
            return
        own = self.type_of(next(iter(lineage.sources))) if lineage.sources and lineage.exact else ""
        same = bool(own) and own.partition("(")[0] == kind.partition("(")[0]
        if not same and not kind.startswith((*TEXTS, "sql_variant")):
            self.filter_by(lineage.sources)

    def type_of(self, column: Place) -> str:
        """Return a column's type as the catalog has it, lower-case; "" where that is not known."""
        relation = self.catalog.relation(column.schema, column.table)
        if relation is None or column.column not in relation.columns:
            return ""
        at = relation.columns.index(column.column)
        return relation.types[at].lower() if at < len(relation.types) else ""

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def meet(self, sources: Sources) -> None:
        """Note that a value was looked at: it may decide, and an error message may quote it."""
        if sources != frozenset():
            self.met.append(sources)
            self.flow.store(ERROR, sources)

    def reference(self, name: n.ObjectName, scope: Scope) -> Lineage:
        """Return where a column reference comes from."""
        found = self._referred(name.texts, scope)
        self.meet(found.sources)
        return found

    def _referred(self, parts: tuple[str, ...], scope: Scope) -> Lineage:
        fold = self.catalog.fold
        last = parts[-1]
        if len(parts) == 1:
            found = scope.column(last)
            if found is not None:
                return found
            return CONSTANT if last.lower() in _OWN_COLUMNS else UNKNOWN
        schema = fold(parts[-3]) if len(parts) > 2 else ""
        row = scope.range(fold(parts[-2]), schema)
        if row is None:
            return UNKNOWN
        found = row.find(last, fold)
        if found is not None:
            return found
        return CONSTANT if last.lower() in _OWN_COLUMNS else row.whole()

    def direct(self, node: n.Node | None, scope: Scope) -> Place | None:
        """Return the column that an expression is, through casts and simple functions; None for anything else."""
        while node is not None:
            if isinstance(node, n.Column):
                parts = node.name.texts
                row = scope.range(self.catalog.fold(parts[-2])) if len(parts) > 1 else None
                found = row.find(parts[-1], self.catalog.fold) if row is not None else scope.column(parts[-1])
                return next(iter(found.sources)) if found and found.sources and len(found.sources) == 1 else None
            if isinstance(node, n.Cast | n.Collate):
                node = node.operand
            elif isinstance(node, n.Call) and node.arguments and node.name.last.lower() in _WRAPPING:
                node = node.arguments[0]
            else:
                return None
        return None

    def associate(self, node: n.Node, column: Place) -> None:
        """Note that the constants and variables of `node` are compared with, or stored into, `column`."""
        stack: list[n.Node] = [node]
        while stack:
            current = stack.pop()
            if isinstance(current, n.Constant):
                self.literal(current, column)
            elif isinstance(current, n.Variable):
                self.compared.setdefault(current.name.lower(), column)
            elif not isinstance(current, n.Query | n.Subquery | n.Column | n.Exists | n.InQuery | n.Quantified):
                stack.extend(n.children(current))

    def compare(self, sides: Sequence[n.Node], scope: Scope) -> None:
        """Note which constants are compared with which column."""
        for one in sides:
            column = self.direct(one, scope)
            if column is not None:
                for other in sides:
                    if other is not one:
                        self.associate(other, column)

    # ── leaves ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def variable(self, name: str) -> Sources:
        """Return what a variable may hold."""
        if name.startswith("@@"):
            return frozenset()
        key = name.lower()
        self.variable_met(key)
        found = self.flow.read(key)
        self.meet(found)
        return found

    def _star(self, node: n.Star, scope: Scope) -> Lineage:
        row = scope.range(self.catalog.fold(node.qualifier.last)) if node.qualifier is not None else None
        rows = [row] if row is not None else scope.ranges
        found = union([one.whole() for one in rows])
        self.meet(found.sources)
        return found

    # ── made of parts ────────────────────────────────────────────────────────────────────────────────────────────────

    def _parts(self, node: n.Node, scope: Scope) -> Lineage:
        return Lineage(self.each(n.children(node), scope).sources)

    def _window(self, node: n.Window, scope: Scope) -> Lineage:
        """A window's order and partition decide which row a value is taken from."""
        for part in (*node.partition, *(item.expression for item in node.order_by), *node.bounds):
            self.decide(part, scope)
        return CONSTANT

    def _cast(self, node: n.Cast, scope: Scope) -> Lineage:
        found = self.each((node.operand, node.style), scope)
        self.typed(node.type)
        return Lineage(found.sources)

    def typed(self, kind: n.DataType | None) -> None:
        """Add what naming a type does: a type of the CLR runs code when a value is made of it."""
        parts = kind.name.texts if kind is not None else ()
        if len(parts) > 1 and parts[-2].lower() not in {"sys", ""}:
            self.resolved(parts, "type")

    def _comparison(self, node: n.Node, scope: Scope) -> Lineage:
        found = self._parts(node, scope)
        self.compare([part for part in n.children(node) if isinstance(part, n.Expression)], scope)
        return found

    def _case(self, node: n.Case, scope: Scope) -> Lineage:
        found = self._parts(node, scope)
        if node.operand is not None:
            self.compare((node.operand, *(when.condition for when in node.whens)), scope)
        return found

    def _subquery(self, node: n.Subquery, scope: Scope) -> Lineage:
        columns = self.query(node.query, scope)
        if columns is not None and len(columns) == 1:
            return Lineage(columns[0].sources, columns[0].exact)
        return merged(columns)

    def _with_query(self, node: n.InQuery | n.Quantified, scope: Scope) -> Lineage:
        tested = node.operand if isinstance(node, n.InQuery) else node.left
        found = self.expr(tested, scope)
        columns = self.query(node.query, scope)
        self.filter_by(merged(columns).sources)
        return Lineage(union([found, merged(columns)]).sources)

    def _full_text(self, node: n.FullText, scope: Scope) -> Lineage:
        found = [self.reference(name, scope) for name in node.columns if name.last != "*"]
        if len(found) < max(1, len(node.columns)):
            found.extend(one.whole() for one in scope.ranges)
            for one in found:
                self.meet(one.sources)
        self.each(node.arguments, scope)
        whole = union(found)
        self.filter_by(whole.sources)
        return Lineage(whole.sources)

    def _next_value(self, node: n.NextValue, scope: Scope) -> Lineage:
        target = self.target(node.sequence, "sequence")
        self.effect(Action.UPDATE, target.object)
        if node.over is not None:
            self._window(node.over, scope)
        return CONSTANT

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, node: n.Call, scope: Scope) -> Lineage:
        self.spend(CALL_STEPS)
        parts = node.name.texts
        if len(parts) > 1:
            return self._qualified_call(node, scope)
        name = parts[0].lower()
        if name in {"error_message", "formatmessage"}:
            found = self.each(node.arguments or (), scope)
            quoted = self.flow.read(ERROR) if name == "error_message" else frozenset()
            self.meet(quoted)
            return union([found, Lineage(quoted)])
        found = self._arguments(node, name, scope)
        return self._built_in(name, found)

    def _arguments(self, node: n.Call, name: str, scope: Scope) -> Lineage:
        arguments = node.arguments or ()
        secret = name in SECRET_FUNCTIONS
        self.secret(True) if secret else None
        if name in DATE_PARTS:
            arguments = arguments[1:]
        if name in COUNTING or node.distinct:
            found = union([self._counted(argument, scope) for argument in arguments])
        else:
            found = self.each(arguments, scope)
        self.secret(False) if secret else None
        mark, code = len(self.met), self.code_runs
        ordered = self.each((item.expression for item in node.within_group), scope)
        self.filter_by_met(mark, code)
        if node.over is not None:
            self._window(node.over, scope)
        if name in {"nullif", "isnull", "coalesce", "charindex", "patindex"} and len(arguments) > 1:
            self.compare(arguments, scope)
        return union([found, ordered])

    def _counted(self, argument: n.Node, scope: Scope) -> Lineage:
        """COUNT(x) and aggregates over DISTINCT values tell how many there are; COUNT(*) tells of no column."""
        return CONSTANT if isinstance(argument, n.Star) else self.decide(argument, scope)

    def _built_in(self, name: str, found: Lineage) -> Lineage:
        if name in COUNTING:
            return CONSTANT
        if name in PURE:
            return Lineage(found.sources)
        if name in _OF_NAMES or name.startswith("@@"):
            return CONSTANT
        if name in SOURCELESS:
            return Lineage(found.sources)  # COL_NAME(…, ASCII(email)) tells a letter
        if name in REVEALING_FUNCTIONS:
            self.effect(Action.REVEAL, self._system_function(name))
            return Lineage(found.sources)
        if name in KEYED_FUNCTIONS:
            return Lineage(found.sources)
        self.code_runs += 1
        self.effect(Action.EXECUTE, self._system_function(name))
        self.send_on(found.sources)
        return UNKNOWN

    def _system_function(self, name: str) -> Object:
        return Object((self.catalog.database, "sys", name), "function")

    def _qualified_call(self, node: n.Call, scope: Scope) -> Lineage:
        parts = node.name.texts
        given = [self.expr(argument, scope) for argument in node.arguments or ()]
        for item in node.within_group:
            self.decide(item.expression, scope)
        if node.over is not None:
            self._window(node.over, scope)
        column = self._method_of(parts, scope)
        if column is not None:
            self.meet(column.sources)
            if parts[-1].lower() in METHODS and not self.catalog.knows(parts[-2], parts[-1]):
                return Lineage(union([column, *given]).sources)
        if parts[-2].lower() == "sys":
            return self.system_function(parts[-1].lower(), given)
        target = self.target(node.name, "function")
        found = self.called(target, [one.sources for one in given])
        return found if column is None else union([found, column, *given])

    def _method_of(self, parts: tuple[str, ...], scope: Scope) -> Lineage | None:
        """The column in `column.method(…)`, where there is one of that name."""
        fold = self.catalog.fold
        if len(parts) == 2:
            return scope.column(parts[0])
        row = scope.range(fold(parts[-3]), fold(parts[-4]) if len(parts) > 3 else "")
        return row.find(parts[-2], fold) if row is not None else None

    def system_function(self, name: str, given: Sequence[Lineage]) -> Lineage:
        """Read a scalar function of the schema sys."""
        if name in FILE_FUNCTIONS:
            self.effect(Action.READ, self.file(name))
            return UNKNOWN
        target = self._system("sys", name)
        self.read(target)
        return union(given) if self.harmless(target) else UNKNOWN

    def _static(self, node: n.StaticMethod, scope: Scope) -> Lineage:
        found = self.each(node.arguments or (), scope)
        if node.type.last.lower() in _CLR_TYPES:
            return Lineage(found.sources)
        target = self.target(node.type, "type")
        self.effect(Action.EXECUTE, target.object)
        self.concede(f"{node.type.last} is a type of the CLR, whose code Blastwall cannot read")
        return UNKNOWN

    def range_of(self, name: str, columns: Columns | None, sources: Sources = None) -> Range:
        """Return an item of FROM under a name."""
        return Range(self.catalog.fold(name), columns, sources)


_WRAPPING = frozenset({"lower", "upper", "ltrim", "rtrim", "trim", "isnull", "coalesce"})
