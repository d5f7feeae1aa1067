"""INSERT, UPDATE, DELETE, MERGE, TRUNCATE, what SELECT INTO makes, and what writing sets off."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from blastwall.model.effects import Action, Effect, Mark
from blastwall.model.statement import Column
from blastwall.sql.lineage import Columns, Lineage, OutputColumn, Sources, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.catalog import ForeignKey, Module, Relation
from blastwall.sql.tsql.effects.deciding import narrows
from blastwall.sql.tsql.effects.expressions import TEXTS
from blastwall.sql.tsql.effects.following import Following
from blastwall.sql.tsql.effects.making import rows_made
from blastwall.sql.tsql.effects.names import Target
from blastwall.sql.tsql.effects.scope import Range, Scope, merged
from blastwall.sql.tsql.effects.system_names import COMPATIBLE
from blastwall.sql.tsql.statement import ResultSet, Temporary

_EVENTS = {Action.CREATE: "INSERT", Action.UPDATE: "UPDATE", Action.DELETE: "DELETE"}
_CASCADES = {"CASCADE": None, "SET_NULL": Action.UPDATE, "SET_DEFAULT": Action.UPDATE}
_FOLLOWED = frozenset({Mark.FOLLOWED})
_PART = frozenset({Mark.FOLLOWED, Mark.PART})
_BY_KEY = frozenset({Mark.FOLLOWED, Mark.FILTERED})
_MAX_CASCADES = 200
_MERGED = {"UPDATE": Action.UPDATE, "DELETE": Action.DELETE, "INSERT": Action.CREATE}
_NOTHING: Sources = frozenset()
_CALLS = re.compile(r"\.\s*(?:\[[^\]]+\]|\w+)\s*\(")


@dataclass(slots=True)
class Written:
    """What a statement writes to: its range of columns, and the tables meant by its name."""

    row: Range
    targets: list[Target]
    variable: str = ""
    body: n.Query | None = None

    @property
    def key(self) -> str:
        """The key of a temporary table or table variable, or ""."""
        return self.variable or next((one.temporary for one in self.targets if one.temporary), "")


class Writes(Following):
    """Reads statements that change rows."""

    @abstractmethod
    def execute(self, node: n.Statement) -> list[ResultSet] | None:
        """Read EXEC as the source of an INSERT; return the result sets that it may give, None where unknown."""

    making_schema = ""
    """The schema that a CREATE SCHEMA is making: what is made inside it hides nothing."""

    # ── SELECT INTO ──────────────────────────────────────────────────────────────────────────────────────────────────

    def into(self, name: n.ObjectName, columns: Columns | None) -> None:
        """Add the table that SELECT … INTO makes."""
        target = self.created(name, "table")
        if target.temporary:
            self.connect()
            self.put_temporary(target.temporary, columns)
        else:
            self.effect(Action.DEFINE, target.object)
            self.effect(Action.CREATE, target.object)
            self.shadow(target.name)
            self.makes(rows_made(target, columns))
            self.send_on(merged(columns).sources)

    def shadow(self, name: str) -> None:
        """A table made in a default schema of one's own hides one of dbo's."""
        own = self.state.default_schema
        hides = self.catalog.knows("dbo", name) or name.lower() in COMPATIBLE or not name.isascii()
        if hides and own not in {"dbo", self.making_schema}:
            self.unsettle(own, name)

    def put_temporary(
        self, key: str, columns: Columns | None, types: tuple[str, ...] = (), *, strict: bool = False
    ) -> None:
        """Note a temporary table, with what is in it."""
        known = self.temporaries.tables.get(key)
        made = Temporary(key, columns, types, strict)
        if known is not None and known.columns is not None and columns is not None:
            if [one.name for one in known.columns] == [one.name for one in columns]:
                for at, column in enumerate(columns):
                    self.temporaries.store(key, at, column.sources)
                return
            made = Temporary(key, None)
        self.temporaries.put(key, made)

    # ── targets ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _written(self, node: n.TableSource, sources: Sequence[n.TableSource], scope: Scope) -> Written:
        """Resolve what is written to: an alias of the FROM, a common table, a table, a table variable."""
        if isinstance(node, n.TableVariable):
            return Written(self.table_variable(node), [], node.variable.name.lower())
        if isinstance(node, n.ForeignRowset):
            return Written(self.foreign_rowset(node, scope), [])
        if not isinstance(node, n.Table):
            self.concede(f"it writes to something that Blastwall cannot place ({type(node).__name__})")
            return Written(Range("", None), [])
        own = self.catalog.fold(node.name.last)
        if len(node.name.parts) == 1:
            meant = self._aliased(own, sources)
            if meant is not None and meant is not node:
                return self._through(meant, scope, own)
            level = scope.cte(own)
            if level is not None:
                bound = level.bodies.get(own)
                body = bound.query if bound is not None else None
                return Written(Range(own, level.ctes[own]), self._behind_cte(own, scope), body=body)
        target = self.target(node.name)
        self.hints(node.hints, scope)
        row = Range(
            own, self.columns_of(target), self._open(target), self.catalog.fold(target.schema), self._believed(target)
        )
        return Written(row, [target])

    def _aliased(self, own: str, sources: Sequence[n.TableSource]) -> n.TableSource | None:
        fold = self.catalog.fold
        todo, unaliased = list(sources), None
        while todo:
            node = todo.pop()
            if isinstance(node, n.Join):
                todo.extend((node.left, node.right))
                continue
            if isinstance(node, n.Pivot | n.Unpivot):
                continue
            alias = getattr(node, "alias", None)
            if isinstance(alias, n.Identifier):
                if fold(alias.text) == own:
                    return node
            elif isinstance(node, n.Table) and fold(node.name.last) == own:
                unaliased = node
        return unaliased

    def _through(self, node: n.TableSource, scope: Scope, own: str) -> Written:
        row = scope.range(own) or Range(own, None)
        match node:
            case n.Table():
                name = self.catalog.fold(node.name.last)
                if len(node.name.parts) == 1 and scope.cte(name) is not None:
                    return Written(row, self._behind_cte(name, scope))
                return Written(row, [self.target(node.name)])
            case n.TableVariable():
                return Written(row, [], node.variable.name.lower())
            case n.DerivedTable() if isinstance(node.source, n.Query):
                return Written(row, self._behind(node.source, scope), body=node.source)
            case n.ForeignRowset():
                return Written(row, [])
            case _:
                self.concede(f"it writes to something that Blastwall cannot place ({type(node).__name__})")
                return Written(row, [])

    def _behind_cte(self, name: str, scope: Scope) -> list[Target]:
        level = scope.cte(name)
        bound = level.bodies.get(name) if level is not None else None
        return self.bases_in(bound.query, bound.around) if bound is not None else []

    def _behind(self, query: n.Query, scope: Scope) -> list[Target]:
        return self.bases_in(query, scope.environment())

    def wrote(
        self, action: Action, written: Written, *, narrow: bool = True, columns: Iterable[str] | None = None
    ) -> None:
        """Add the effect of changing rows, and what that sets off; `columns` are those assigned, None: all."""
        names = None if columns is None else {self.catalog.fold(one) for one in columns}
        targets = self._meant(written, names) if action is Action.UPDATE else written.targets
        for target in targets:
            if target.temporary:
                self.connect()
                continue
            if target.system:
                self.effect(Action.ADMIN, self.database)
            marks = (
                frozenset({Mark.FILTERED}) if self.nested and narrow and action is not Action.CREATE else frozenset()
            )
            self.effect(action, target.object, marks)
            if target.relation is not None and not target.elsewhere:
                self.touch(target.relation, action, names)
        if written.variable or not targets:
            self.connect()

    def _meant(self, written: Written, names: set[str] | None) -> list[Target]:
        """Of several tables behind a common table's name, those whose columns are assigned."""
        if len(written.targets) < 2 or names is None:
            return written.targets
        tables: set[tuple[str, str]] = set()
        for name in names:
            found = written.row.find(name, self.catalog.fold)
            if found is None or found.sources is None or not found.exact:
                return written.targets
            tables |= {(column.schema, column.table) for column in found.sources}
        return [one for one in written.targets if (one.schema, one.name) in tables or one.temporary] or written.targets

    # ── what writing sets off ────────────────────────────────────────────────────────────────────────────────────────

    def touch(
        self, relation: Relation, action: Action, names: set[str] | None, seen: set[tuple[int, Action]] | None = None
    ) -> None:
        """Follow views to their tables, fire triggers, cascade along foreign keys, and run what checks call."""
        seen = set() if seen is None else seen
        if (relation.id, action) in seen or len(seen) > _MAX_CASCADES:
            return
        seen.add((relation.id, action))
        self.spend(len(relation.columns) + 1)
        instead = self._fire(relation, action)
        if relation.type.strip() == "V":
            if not instead:
                self._behind_view(relation, action, names, seen)
            return
        self._probe(relation, action, names)
        for constraint in self.catalog.constraints(relation.id) if action is not Action.DELETE else ():
            if _CALLS.search(constraint.definition):
                self.expression_of(relation, constraint.definition)
        if relation.computed and action is not Action.DELETE:
            self.stored(relation)
        if action is not Action.CREATE:
            for key in self.catalog.referring(relation.id):
                self._cascade(key, action, names, seen)

    def _fire(self, relation: Relation, action: Action) -> bool:
        event = _EVENTS.get(action)
        instead = False
        for trigger in self.catalog.triggers(relation.id):
            if not trigger.events or event in {one.upper() for one in trigger.events}:
                instead = instead or trigger.instead
                self._run_trigger(trigger, relation)
        return instead

    def _run_trigger(self, trigger: Module, relation: Relation) -> None:
        rows = self.changed_rows(relation)
        found = self.summary(trigger, {"inserted": rows, "deleted": rows})
        self.apply(found, {})
        if found.results is None:
            self.results_open = True
        else:
            self.results.extend(found.results)

    def _behind_view(
        self, view: Relation, action: Action, names: set[str] | None, seen: set[tuple[int, Action]]
    ) -> None:
        module = self.catalog.module(*view.place)
        found = self.summary(module) if module is not None else None
        if found is None or not found.bases:
            self.doubts[f"it writes through the view {view.schema}.{view.name}, which cannot be followed"] = None
            self.follow({Effect(Action.UNCLASSIFIED, self.object_of(view), _FOLLOWED)})
            return
        for base in found.bases:
            self.follow({Effect(action, base.object, _PART)})
            if base.relation is not None:
                self.touch(base.relation, action, None, seen)

    def _cascade(self, key: ForeignKey, action: Action, names: set[str] | None, seen: set[tuple[int, Action]]) -> None:
        if action is Action.UPDATE and names is not None and names.isdisjoint(map(self.catalog.fold, key.referred)):
            return
        child = self.catalog.by_id(key.table)
        if child is None:
            return
        done = key.on_delete if action is Action.DELETE else key.on_update
        if done not in _CASCADES:
            if not key.disabled:
                self.filter_by(self._columns(child, key.columns))
            return
        then = _CASCADES[done] or action
        self.follow({Effect(then, self.object_of(child), _BY_KEY)})
        self.touch(child, then, None if then is Action.DELETE else set(map(self.catalog.fold, key.columns)), seen)

    def _probe(self, relation: Relation, action: Action, names: set[str] | None) -> None:
        """Keys over the columns written are checked against other rows: a failure tells of them."""
        if action is Action.DELETE:
            return
        fold = self.catalog.fold
        for key in self.catalog.keys(relation.id):
            touched = names is None or not names.isdisjoint(map(fold, key.columns))
            if touched and any(fold(one) != fold(relation.identity) for one in key.columns):
                self.filter_by(self._columns(relation, key.columns))
        for foreign in self.catalog.foreign_keys(relation.id):
            other = self.catalog.by_id(foreign.refers)
            if other is not None and (names is None or not names.isdisjoint(map(fold, foreign.columns))):
                self.filter_by(self._columns(other, foreign.referred))

    def _columns(self, relation: Relation, names: Iterable[str]) -> Sources:
        database = self.catalog.database
        return frozenset(Column(database, relation.schema, relation.name, name) for name in names)

    # ── INSERT ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def insert(self, node: n.Insert) -> Columns | None:
        """Read INSERT; return the columns of its OUTPUT, () where it shows none."""
        scope = self.scope()
        self.with_clause(node.ctes, scope)
        self.modifies += 1
        written = self._written(node.target, (), scope)
        self.wrote(Action.CREATE, written)
        if node.top is not None:
            self.decide(node.top.count, scope)
        names = [name.last for name in node.columns]
        columns = self._targeted(written, names)
        self._from_source(node, written, columns, names, scope)
        self.hints(node.options, scope)
        return self._outputs(node.outputs, written, scope, ("inserted",))

    def _targeted(self, written: Written, names: Sequence[str]) -> list[Lineage]:
        if not names:
            return [Lineage(column.sources) for column in written.row.columns or ()]
        return [written.row.find(name, self.catalog.fold) or Lineage(None) for name in names]

    def _from_source(
        self, node: n.Insert, written: Written, columns: list[Lineage], names: Sequence[str], scope: Scope
    ) -> None:
        source = node.source
        match source:
            case n.Query():
                found = self.query(source, scope)
                self._associate_items(source, columns)
                self._store(written, names, found)
            case n.RowValues():
                for row in source.rows:
                    self._store_row(row, columns)
                self._store(written, names, self.rows(source, self.scope(scope)))
            case n.DefaultValues():
                return
            case n.Execute() | n.ExecuteText():
                results = self.execute(source)
                for result in results if results is not None else [ResultSet(None)]:
                    self._store(written, names, result.columns)
            case n.Statement():
                self._store(written, names, self.nested_rows(source))

    def _associate_items(self, query: n.Query, columns: list[Lineage]) -> None:
        if isinstance(query.body, n.Select):
            cells = [item.expression for item in query.body.items]
            self._store_row(cells, columns)

    def _store_row(self, cells: Sequence[n.Expression], columns: list[Lineage]) -> None:
        for cell, column in zip(cells, columns, strict=False):
            if column.sources and len(column.sources) == 1:
                self.associate(cell, next(iter(column.sources)))

    def _store(self, written: Written, names: Sequence[str], found: Columns | None) -> None:
        """Note where values go: into a temporary table they are followed, anywhere else they are copied."""
        key = written.key
        if not key:
            self.send_on(merged(found).sources)
            return
        table = self.temporaries.tables.get(key)
        if table is None or table.columns is None:
            self._store_unknown(key, merged(found).sources)
            return
        if found is None:
            self.temporaries.put(
                key, replace(table, columns=tuple(OutputColumn(one.name, None) for one in table.columns))
            )
            return
        for at, column in enumerate(found):
            lineage = Lineage(column.sources, column.exact)
            self._store_cell(key, names[at] if at < len(names) else "", at, lineage)

    def _store_cell(self, key: str, name: str, at: int, lineage: Lineage) -> None:
        """Put a value into a column by its name, or by its place; where an identity may shift places, into all."""
        table = self.temporaries.tables.get(key)
        if table is None or table.columns is None:
            self._store_unknown(key, lineage.sources)
            return
        if lineage.sources == _NOTHING:
            return
        fold = self.catalog.fold
        if name:
            places = [index for index, one in enumerate(table.columns) if fold(one.name) == fold(name)]
            places = places or list(range(len(table.columns)))  # the server may know one by it: names go by collation
        else:
            places = [index for index in (at, at + 1) if index < len(table.columns)]
        for place in places:
            self.temporaries.store(key, place, lineage.sources)
            self._lands(table, place, lineage)

    def _store_unknown(self, key: str, sources: Sources) -> None:
        """Note what a table variable holds whose type the catalog does not have: any column may be it."""
        if key.startswith("@"):
            self.flow.store(key, sources)

    def _lands(self, table: Temporary, place: int, lineage: Lineage) -> None:
        """Storing a value fails where a key or a check refuses it, or where the column cannot hold it."""
        target = table.types[place] if place < len(table.types) else ""
        sources = lineage.sources
        own = self.type_of(next(iter(sources))) if sources and len(sources) == 1 and lineage.exact else ""
        if table.strict or not fits(own, target):
            self.filter_by(sources)

    def stricter(self, key: str) -> None:
        """Note that a temporary table gets a unique key: what is in it decides whether that can be."""
        table = self.temporaries.tables.get(key)
        if table is not None:
            self.temporaries.put(key, replace(table, strict=True))
            self.filter_by_columns(table.columns)

    # ── UPDATE, DELETE ───────────────────────────────────────────────────────────────────────────────────────────────

    def update(self, node: n.Update) -> Columns | None:
        """Read UPDATE; return the columns of its OUTPUT, () where it shows none."""
        scope, written = self._changed(node)
        narrow = self._narrowed(node.where, node.sources, written, scope)
        names = [name for one in node.assignments if (name := _changed_column(one))]
        self._assign(node.assignments, written, scope)
        self.wrote(Action.UPDATE, written, narrow=narrow, columns=names)
        return self._outputs(node.outputs, written, scope, ("inserted", "deleted"))

    def delete(self, node: n.Delete) -> Columns | None:
        """Read DELETE; return the columns of its OUTPUT, () where it shows none."""
        scope, written = self._changed(node)
        narrow = self._narrowed(node.where, node.sources, written, scope)
        self.wrote(Action.DELETE, written, narrow=narrow)
        return self._outputs(node.outputs, written, scope, ("deleted",))

    def _changed(self, node: n.Update | n.Delete) -> tuple[Scope, Written]:
        around = self.scope()
        self.with_clause(node.ctes, around)
        scope = around.inner()
        self.modifies += 1
        for source in node.sources:
            scope.stars.append(self.source(source, scope))
        written = self._written(node.target, node.sources, scope)
        if written.row not in scope.ranges:
            scope.ranges.insert(0, written.row)
        if node.top is not None:
            self.decide(node.top.count, scope)
        self.hints(node.options, scope)
        return scope, written

    def _narrowed(
        self, where: n.Expression | None, sources: Sequence[n.TableSource], written: Written, scope: Scope
    ) -> bool:
        """Read the predicate; a join with the target narrows as well."""
        self.decide(where, scope)
        if where is not None and any(isinstance(part, n.Column) for part in n.walk(where)):
            self._read_target(written)
        only = self.scope(scope.parent)
        only.ranges.append(written.row)
        narrow = self.narrowing(where, only) or _narrows_itself(written.body)
        todo = list(sources)
        while todo and not narrow:
            join = todo.pop()
            if isinstance(join, n.Join):
                todo.extend((join.left, join.right))
                narrow = join.kind in {"INNER", "RIGHT"} and self.narrowing(join.on, only)
        if not self.nested and not all(one.temporary for one in written.targets):
            self.predicates.append(narrow)
        return narrow

    def _read_target(self, written: Written) -> None:
        """SQL Server asks for SELECT on the columns of the target that a condition or a new value reads."""
        for target in written.targets:
            if not target.temporary:
                self.read(target)

    def _assign(self, assignments: Sequence[n.Assignment], written: Written, scope: Scope) -> None:
        for one in assignments:
            mark, code = len(self.met), self.code_runs
            lineage = self.expr(one.value, scope)
            if not lineage.exact:
                self.filter_by_met(mark, code)  # what is made of a value may show it, masked, as another
            if any(isinstance(part, n.Column) for part in n.walk(one.value)):
                self._read_target(written)
            name = _changed_column(one)
            own = written.row.find(name, self.catalog.fold) if name else None
            if own is not None and own.sources and len(own.sources) == 1:
                self.associate(one.value, next(iter(own.sources)))
            if one.variable is not None:
                kept = lineage if one.column is None else union([lineage, own or Lineage(None)])
                self.assigned(one.variable.name, one.operator, one.value, kept, once=False)
            if name:
                self._moved(written, name, lineage, own)

    def _moved(self, written: Written, name: str, lineage: Lineage, own: Lineage | None) -> None:
        if written.key:
            self._store_cell(written.key, name, 0, lineage)
        else:
            self.send_on(_other(lineage.sources, own.sources if own is not None else None))

    # ── MERGE ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def merge(self, node: n.Merge) -> Columns | None:
        """Read MERGE; return the columns of its OUTPUT, () where it shows none."""
        around = self.scope()
        self.with_clause(node.ctes, around)
        scope = around.inner()
        self.modifies += 1
        written = self._written(node.target, (), scope)
        alias = getattr(node.target, "alias", None)
        if isinstance(alias, n.Identifier):
            written.row = Range(
                self.catalog.fold(alias.text), written.row.columns, written.row.open, "", written.row.believed
            )
        self._read_target(written)
        scope.stars.append(self.source(node.source, scope))
        scope.ranges.append(written.row)
        self.decide(node.on, scope)
        if node.top is not None:
            self.decide(node.top.count, scope)
        only = self.scope(around)
        only.ranges.append(written.row)
        narrow = self.narrowing(node.on, only)
        for when in node.whens:
            self._when_matched(when, written, scope, only, narrow=narrow)
        self.hints(node.options, scope)
        return self._outputs(node.outputs, written, scope, ("inserted", "deleted"))

    def _when_matched(self, when: n.MergeWhen, written: Written, scope: Scope, only: Scope, *, narrow: bool) -> None:
        self.decide(when.condition, scope)
        action = _MERGED.get(when.action)
        if action is None:
            self.concede("MERGE holds an action that Blastwall cannot place")
            return
        if when.match == "NOT MATCHED BY SOURCE":
            narrow = self.narrowing(when.condition, only)
        if action is not Action.CREATE and not self.nested and not written.key:
            self.predicates.append(narrow)
        names = [name for one in when.assignments if (name := _changed_column(one))]
        self._assign(when.assignments, written, scope)
        self.wrote(action, written, narrow=narrow, columns=names if action is Action.UPDATE else None)
        listed = [name.last for name in when.columns]
        if action is Action.CREATE and when.values is not None:
            self._store_row(when.values, self._targeted(written, listed))
            values = tuple(OutputColumn("", self.shown(value, scope).sources) for value in when.values)
            self._store(written, listed, values)

    # ── OUTPUT ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _outputs(
        self, outputs: Sequence[n.Output], written: Written, scope: Scope, rows: tuple[str, ...]
    ) -> Columns | None:
        """OUTPUT reads what is written; with INTO its rows go to a table, else to the client."""
        shown: Columns | None = ()
        for output in outputs:
            here = scope.inner()
            # Of a column's name in a view or a table, OUTPUT shows all of it.
            for name in rows:
                here.ranges.append(Range(name, written.row.columns, written.row.open, "", written.row.believed))
                here.stars.append(written.row.columns)
            self._read_target(written)
            columns = self.items(output.items, here)
            if output.into is None:
                shown = columns
                continue
            self._output_into(output, columns)
        return shown

    def _output_into(self, output: n.Output, columns: Columns | None) -> None:
        names = [name.text for name in output.columns]
        if isinstance(output.into, n.Variable):
            written = Written(Range("", None), [], output.into.name.lower())
        elif output.into is not None:
            target = self.target(output.into)
            written = Written(Range("", self.columns_of(target)), [target])
            self.wrote(Action.CREATE, written)
        else:
            return
        self._store(written, names, columns)

    def nested_rows(self, node: n.Statement) -> Columns | None:
        """Read a statement in FROM or as the source of an INSERT, and return the columns of its OUTPUT."""
        match node:
            case n.Insert():
                return self.insert(node)
            case n.Update():
                return self.update(node)
            case n.Delete():
                return self.delete(node)
            case n.Merge():
                return self.merge(node)
            case _:
                self.concede(f"it holds a statement where Blastwall cannot place one ({type(node).__name__})")
                return None

    def truncate(self, node: n.Truncate) -> None:
        """Read TRUNCATE: `drop`, as for every protocol; a temporary table's is nobody's matter."""
        target = self.target(node.name)
        if target.temporary:
            self.connect()
        else:
            self.effect(Action.DROP, target.object)


def _narrows_itself(body: n.Query | None) -> bool:
    """Whether the common table or derived one that is written through has a predicate of its own."""
    where = body.body.where if body is not None and isinstance(body.body, n.Select) else None
    return narrows(where, lambda column: bool(column.name.last))


def fits(own: str, target: str) -> bool:
    """Whether a value of one type can always be stored as another; types as in "nvarchar(50)", "" where not known."""
    base = target.partition("(")[0]
    if base.startswith(TEXTS) and target.endswith("(max)"):
        return True
    if not own or not target:
        return False
    if own.startswith(TEXTS) and base.startswith(TEXTS):
        return _length(own) <= _length(target)
    return own == target


def _length(kind: str) -> int:
    given = kind.partition("(")[2].rstrip(")")
    if given == "max" or kind.startswith(("text", "ntext")):
        return 1 << 31
    return int(given) if given.isdecimal() else 128 if kind.startswith("sysname") else 1


def _other(sources: Sources, own: Sources) -> Sources:
    """A column's own value put back into it moves nothing."""
    return sources if sources is None or own is None else sources - own


def _changed_column(one: n.Assignment) -> str:
    """The column that an assignment changes, also by a method (`SET note.WRITE(…)`); "" where it is a variable."""
    if one.column is not None:
        return one.column.last
    method = one.value if one.variable is None and isinstance(one.value, n.Call) else None
    return method.name.texts[-2] if method is not None and len(method.name.texts) > 1 else ""
