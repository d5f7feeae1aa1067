"""What stands in FROM by a name: tables, views, temporary tables, functions, and what comes from elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from blastwall.model.effects import Action, Object
from blastwall.model.statement import SOME, Column
from blastwall.sql.lineage import Columns, Lineage, OutputColumn, Sources, renamed, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.catalog import Relation
from blastwall.sql.tsql.effects.expressions import METHODS, Expressions
from blastwall.sql.tsql.effects.names import Target
from blastwall.sql.tsql.effects.scope import Range, Scope
from blastwall.sql.tsql.effects.system_names import FILE_FUNCTIONS

_JSON_COLUMNS = ("key", "value", "type")
_ONE_COLUMN = {
    "string_split": ("value", "ordinal"), "generate_series": ("value",), "regexp_split_to_table": ("value", "ordinal"),
    "regexp_matches": ("match_id", "start_position", "end_position", "match_value", "substring_matches"),
}  # fmt: skip
_OF_TABLES = frozenset({"containstable", "freetexttable", "changetable", "semantickeyphrasetable",
                        "semanticsimilaritytable", "semanticsimilaritydetailstable", "vector_search"})  # fmt: skip


class Rowsets(Expressions):
    """Reads what has a name in FROM."""

    pseudo_tables: dict[str, Columns | None]
    """`inserted` and `deleted`, where they stand for the rows of a change."""

    @abstractmethod
    def view_columns(self, target: Target) -> Columns | None:
        """Add what reading a view does; return its columns."""

    @abstractmethod
    def function_rows(self, target: Target, arguments: Sequence[Sources]) -> Columns | None:
        """Add what a user's table-valued function does; return its columns."""

    def table(self, node: n.Table, scope: Scope | None, *, reading: bool = True) -> Range:
        """Return the range of a table's name, adding the read where it is one."""
        fold = self.catalog.fold
        alias = fold(node.alias.text) if node.alias is not None else ""
        own = fold(node.name.last)
        if node.sample is not None:
            self.decide(node.sample, self.scope(scope))
        if len(node.name.parts) == 1:
            level = scope.cte(own) if scope is not None else None
            if level is not None:
                return Range(alias or own, level.ctes[own])
            if own in self.pseudo_tables:
                return Range(alias or own, self.pseudo_tables[own])
        target = self.target(node.name)
        if reading:
            self.read(target)
        columns = self.columns_of(target)
        if node.system_time is not None:
            self.hints((node.system_time,), self.scope(scope))
            columns = self._with_history(target, columns)
        return Range(
            alias or own,
            columns,
            self._open(target),
            "" if alias else fold(target.schema),
            self._believed(target),
        )

    @abstractmethod
    def hints(self, hints: tuple[n.Hint, ...], scope: Scope) -> None:
        """Read the values that hints name."""

    def _open(self, target: Target) -> Sources:
        return frozenset() if self.harmless(target) else None

    def _believed(self, target: Target) -> Column | None:
        known = target.relation is not None or target.system or target.temporary or target.elsewhere
        if not self.catalog.believes or known:
            return None
        return Column(self.catalog.database, target.schema, target.name, SOME)

    def columns_of(self, target: Target) -> Columns | None:
        """Return the columns of a table, those of a view with what is behind them."""
        if target.temporary:
            table = self.temporaries.read(target.temporary)
            return table.columns if table is not None else None
        relation = target.relation
        if relation is None or target.system or target.elsewhere:
            return None
        if relation.type.strip() == "V":
            return self.view_columns(target)
        if relation.type.strip() in {"IF", "TF", "FT"}:
            return None
        columns = self.stored(relation)
        return None if relation.id in self.catalog.loose else columns

    def changed_rows(self, relation: Relation | None) -> Columns | None:
        """Return what `inserted` and `deleted` show of a table."""
        if relation is None or relation.id in self.catalog.loose:
            return None
        return self.catalog.shown(relation)

    def stored(self, relation: Relation) -> Columns:
        """Return a table's columns, computed ones with what they are computed from, a history's with the present's."""
        columns = self.catalog.shown(relation)
        present = self.catalog.present(relation.id)
        if present is not None:
            columns = _beside(columns, self.catalog.shown(present))
        if not relation.computed:
            return columns
        made = {name: self.computed(relation, definition) for name, definition in relation.computed}
        return tuple(
            OutputColumn(one.name, union([Lineage(one.sources), Lineage(made[one.name])]).sources)
            if one.name in made
            else one
            for one in columns
        )

    @abstractmethod
    def computed(self, relation: Relation, definition: str) -> Sources:
        """Return what a computed column is made of, adding the code that it runs."""

    def _with_history(self, target: Target, columns: Columns | None) -> Columns | None:
        relation = target.relation
        history = self.catalog.by_id(relation.history) if relation is not None and relation.history else None
        if history is None or columns is None:
            return columns
        self.reads.add(history.place)
        return _beside(columns, self.catalog.shown(history))

    def table_variable(self, node: n.TableVariable) -> Range:
        """Return the range of a table variable."""
        key = node.variable.name.lower()
        table = self.temporaries.read(key)
        alias = node.alias.text if node.alias is not None else node.variable.name
        if table is None or table.columns is None:
            self.meet(self.flow.read(key))
            return self.range_of(alias, None, self.flow.read(key))
        return self.range_of(alias, table.columns)

    # ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def table_function(self, node: n.TableFunction, scope: Scope) -> Range:
        """Return the range of a function in FROM."""
        alias = node.alias.text if node.alias is not None else ""
        names = tuple(column.text for column in node.columns)
        for shape in node.shape:
            self.expr(shape.path, scope)
        call = node.call
        if not isinstance(call, n.Call):
            found = self.decide(call, scope)
            return self._shaped(node, alias, names, found.sources)
        if call.name.last.lower() in _OF_TABLES and len(call.name.parts) == 1:
            return self._over_table(call, alias, names, scope)
        if len(call.name.parts) == 1 and not self._user_function(call.name):
            return self._built_in_rows(node, call, alias, names, scope)
        return self._function_of_user(node, call, alias, names, scope)

    def _user_function(self, name: n.ObjectName) -> bool:
        schema = self._schema_of(name.last)
        return self.catalog.knows(schema, name.last)

    def _function_of_user(
        self, node: n.TableFunction, call: n.Call, alias: str, names: tuple[str, ...], scope: Scope
    ) -> Range:
        parts = call.name.texts
        column = self._method_of(parts, scope) if len(parts) > 1 else None
        if column is not None and parts[-1].lower() in METHODS and not self.catalog.knows(parts[-2], parts[-1]):
            given = self.each(call.arguments or (), scope)
            self.filter_by(column.sources)
            self.meet(column.sources)
            return self._shaped(node, alias, names, union([column, given]).sources)
        arguments = [self.decide(argument, scope).sources for argument in call.arguments or ()]
        if len(parts) > 1 and parts[-2].lower() == "sys":
            return self._system_rows(parts[-1].lower(), alias or parts[-1], names, arguments)
        target = self.target(call.name, "function")
        columns = renamed(self.function_rows(target, arguments), names)
        return self.range_of(alias or parts[-1], columns)

    def _system_rows(self, name: str, alias: str, names: tuple[str, ...], given: list[Sources]) -> Range:
        if name in FILE_FUNCTIONS:
            self.effect(Action.READ, self.file(name))
            return self.range_of(alias, None)
        target = self._system("sys", name)
        self.read(target)
        if not self.harmless(target):
            return self.range_of(alias, None)
        del names
        return self.range_of(alias, None, union(map(Lineage, given)).sources)

    def _built_in_rows(
        self, node: n.TableFunction, call: n.Call, alias: str, names: tuple[str, ...], scope: Scope
    ) -> Range:
        name = call.name.last.lower()
        found = union([self.decide(argument, scope) for argument in call.arguments or ()])
        if name == "openjson":
            shown = _JSON_COLUMNS if not node.shape else ()
            return self._shaped(node, alias or name, names or shown, found.sources)
        if name in _ONE_COLUMN:
            columns = tuple(OutputColumn(column, found.sources) for column in _ONE_COLUMN[name])
            return self.range_of(alias or name, renamed(columns, names))
        if name == "openxml":
            if node.like is not None:
                self.target(node.like)
            return self._shaped(node, alias or name, names, None)
        if name.startswith(("fn_", "dm_")):
            return self._system_rows(name, alias or name, names, [found.sources])
        self.effect(Action.EXECUTE, Object((self.catalog.database, "sys", name), "function"))
        self.code_runs += 1
        self.send_on(found.sources)
        return self._shaped(node, alias or name, names, None)

    def _shaped(self, node: n.TableFunction, alias: str, names: tuple[str, ...], sources: Sources) -> Range:
        shown = tuple(shape.name.text for shape in node.shape) or names
        if not shown:
            return self.range_of(alias, None, sources)
        return self.range_of(alias, tuple(OutputColumn(name, sources) for name in shown))

    def _over_table(self, call: n.Call, alias: str, names: tuple[str, ...], scope: Scope) -> Range:
        """Full-text searches, and CHANGETABLE, of a table that their first argument names."""
        first, *rest = call.arguments or (n.Constant(0, 0, "NULL", "NULL"),)
        found: list[Lineage] = []
        place = first.arguments[0] if isinstance(first, n.Call) and first.arguments else first
        if isinstance(place, n.Column):
            row = self.table(n.Table(place.start, place.end, place.name), scope)
            found.append(row.whole())
            self.meet(row.whole().sources)
            self.filter_by(row.whole().sources)
        else:
            self.concede(f"{call.name.last} names its table in a way that Blastwall cannot read")
        self.each([part for part in rest if not isinstance(part, n.Column | n.Star)], scope)
        del names
        return self.range_of(alias or call.name.last, None, union(found).sources)

    # ── elsewhere ────────────────────────────────────────────────────────────────────────────────────────────────────

    def foreign_rowset(self, node: n.ForeignRowset, scope: Scope) -> Range:
        """OPENROWSET, OPENQUERY and OPENDATASOURCE reach another server, or a file."""
        self.secret(True)
        self.each(node.arguments, scope)
        self.secret(False)
        first = node.arguments[0] if node.arguments else None
        if "BULK" in node.words:
            name = first.text if isinstance(first, n.Constant) else "unknown"
            self.effect(Action.READ, self.file(name))
            self.effect(Action.EXPORT, self.file(name))
        else:
            server = node.server.text if node.server is not None else node.function.lower()
            self.effect(Action.EXPORT, self.server(server))
        alias = node.alias.text if node.alias is not None else ""
        names = tuple(shape.name.text for shape in node.shape) or tuple(one.text for one in node.columns)
        columns = tuple(OutputColumn(name, None) for name in names) if names else None
        return self.range_of(alias, columns)


def _beside(columns: Columns, others: Columns) -> Columns:
    """Return the columns with those of the same place beside them: a history's rows were the present table's."""
    return (
        tuple(
            OutputColumn(one.name, union([Lineage(one.sources), Lineage(other.sources)]).sources)
            for one, other in zip(columns, others, strict=False)
        )
        + columns[len(others) :]
    )
