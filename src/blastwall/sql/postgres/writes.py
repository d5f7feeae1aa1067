"""INSERT, UPDATE, DELETE, MERGE and what SELECT INTO makes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from blastwall.model.effects import Action
from blastwall.sql.lineage import Columns, Lineage, Sources, union
from blastwall.sql.postgres.catalog import Relation
from blastwall.sql.postgres.deciding import reads_columns
from blastwall.sql.postgres.query import Queries
from blastwall.sql.postgres.scope import Range, Scope
from blastwall.sql.postgres.tree import Node, body, items, sub, text

_MERGE = {"CMD_INSERT": Action.CREATE, "CMD_UPDATE": Action.UPDATE, "CMD_DELETE": Action.DELETE}


class Writes(Queries):
    """Reads statements that change rows; each gives its RETURNING columns."""

    modifies = 0

    def modify(self, tag: str, node: Node, scope: Scope | None) -> Columns | None:
        """Read an INSERT, UPDATE, DELETE or MERGE body."""
        self.count_query()
        self.modifies += 1
        inner = Scope(scope)
        self.with_clause(sub(node, "withClause"), inner)
        match tag:
            case "InsertStmt":
                return self._insert(node, inner)
            case "UpdateStmt":
                return self._update(node, inner)
            case "DeleteStmt":
                return self._delete(node, inner)
            case _:
                return self._merge(node, inner)

    def into(self, node: Node, columns: Columns | None) -> None:
        """Add the table that SELECT INTO or CREATE TABLE AS makes."""
        relation = sub(node, "rel")
        self.make(relation, "table")
        self.send_on(_all(columns))

    def make(self, relation: Node, kind: str) -> None:
        """Add `define` for the relation that a CREATE names."""
        temporary = text(relation, "relpersistence") == "t" or text(relation, "schemaname").startswith("pg_temp")
        schema, name = text(relation, "schemaname"), text(relation, "relname")
        for created in self.created((schema, name) if schema else (name,), kind, temporary):
            self.effect(Action.DEFINE, created)
        if temporary:
            self.temporary(name)

    @abstractmethod
    def temporary(self, name: str) -> None:
        """Note a name that now may mean a temporary relation; the reader of utility statements overrides it."""

    def _target(self, node: Node, action: Action) -> Range:
        relation = sub(node, "relation")
        for target in self.targets(relation):
            self.effect(action, self.object(target))
            self.touch(target, action)
            if target.schema == "pg_catalog":
                self.system_write(target.name)
        return self.table(relation, None, reading=False)

    def system_write(self, name: str) -> None:
        """Add what writing to the system catalog does: whoever may do that administers the server.

        An UPDATE of pg_settings is a SET by another name (its rule calls set_config).
        """
        self.effect(Action.ADMIN, self.database)
        if name == "pg_settings":
            self.concede("it changes settings by way of pg_settings: write SET")
            self.names_unknown()

    @abstractmethod
    def names_unknown(self) -> None:
        """Note that the search_path may be anything from now on; the reader of settings overrides it."""

    def _insert(self, node: Node, scope: Scope) -> Columns | None:
        row = self._target(node, Action.CREATE)
        given = body(sub(node, "selectStmt"), "SelectStmt")
        columns = self._inserted(items(node, "cols"), row, scope)
        listed = [text(body(item, "ResTarget"), "name") for item in items(node, "cols")]
        self.probe(node, listed if listed or "selectStmt" not in node else None, new=True)
        if given:
            result = self.query(given, scope)
            self._store(given, columns)
            self.send_on(_all(result))
        elif "selectStmt" in node:
            self.concede("INSERT holds a source that Blastwall cannot place")
        here = Scope(scope, [row])
        conflict = sub(node, "onConflictClause")
        if conflict:
            self._on_conflict(conflict, node, row, here)
        return self._returning(node, here, row)

    def _inserted(self, targets: list[Node], row: Range, scope: Scope) -> list[Lineage]:
        for target in targets:
            self.expr(body(target, "ResTarget").get("indirection"), scope)
        if not targets:
            return [Lineage(column.sources) for column in row.columns or ()]
        names = [text(body(target, "ResTarget"), "name") for target in targets]
        return [(row.find(name) if row.columns is not None else None) or Lineage(None) for name in names]

    def _store(self, given: Node, columns: list[Lineage]) -> None:
        rows = [items(body(line, "List"), "items") for line in items(given, "valuesLists")]
        rows = rows or [[sub(body(item, "ResTarget"), "val") for item in items(given, "targetList")]]
        for cells in rows:
            for cell, column in zip(cells, columns, strict=False):
                self._stored(cell, column)

    def _stored(self, value: object, column: Lineage | None) -> None:
        if column is not None and column.sources and len(column.sources) == 1:
            self.associate(value, next(iter(column.sources)))

    def _on_conflict(self, conflict: Node, node: Node, row: Range, scope: Scope) -> None:
        self.expr(conflict.get("infer"), scope)
        infer = sub(conflict, "infer")
        self.expr(infer.get("indexElems"), scope)
        self.expr(infer.get("whereClause"), scope)
        if text(conflict, "action") != "ONCONFLICT_UPDATE":
            return
        self._target(node, Action.UPDATE)
        self.predicates.append(True)
        here = Scope(scope, [_same(row, "excluded"), row])
        self._assign(items(conflict, "targetList"), row, here, node)
        self.decide(conflict.get("whereClause"), here)
        if reads_columns(conflict.get("whereClause")):
            self._read_target(node)

    def _read_target(self, node: Node) -> None:
        """PostgreSQL asks for SELECT on the columns of the target that a condition or a new value reads."""
        for target in self.targets(sub(node, "relation")):
            self.read(target)

    def probe(self, node: Node, names: Iterable[str] | None, *, new: bool) -> None:
        """Constraints over the columns written are checked against other rows and columns: a failure tells of them.

        So does one of what code is run for the row: checks, those of domains, expressions of keys.
        """
        listed = None if names is None else frozenset(names)
        for target in self.targets(sub(node, "relation")):
            for relation in self.standing(target):
                self._probe(relation, listed, new=new)

    def _probe(self, relation: Relation, names: frozenset[str] | None, *, new: bool) -> None:
        if relation.kind == "v":
            for base, columns in self._behind(relation, self._written(relation, names, new=new)):
                self._probe(base, columns, new=new)
            return
        for one in self.with_heirs((relation,)):
            written = self._written(one, names, new=new)
            for oid in self._run_for(one):
                self.filter_by(self.follower.told(oid))
            for check in self.catalog.checks(one) if one is relation or relation.kind == "p" or not new else ():
                if (check.others or not new) and (written is None or not check.written.isdisjoint(written)):
                    self.filter_by(check.compared)

    def _behind(self, view: Relation, names: frozenset[str] | None) -> Iterator[tuple[Relation, frozenset[str] | None]]:
        """Yield the tables behind a view, with the columns of theirs that stand behind those of its own."""
        pairs = zip(view.columns, self.catalog.view_sources(view), strict=False)
        shown = [sources for name, sources in pairs if name and (names is None or name in names)]
        for base in self.catalog.base_relations(view):
            if any(sources is None for sources in shown):
                yield base, None
            else:
                place = (base.schema, base.name)
                columns = union(Lineage(sources) for sources in shown).sources or ()
                yield base, frozenset(one.column for one in columns if (one.schema, one.table) == place)

    def _written(self, relation: Relation, names: frozenset[str] | None, *, new: bool) -> frozenset[str] | None:
        """Return the columns that get a value: those that are named, what is made of them, and defaults of a new row.

        None stands for all: which columns have a default, nobody knows of a table that is being altered.
        """
        if names is None or (new and self.may_be_altered(relation.schema, relation.name)):
            return None
        made = (name for name, made_of in relation.generated if new or not made_of.isdisjoint(names))
        return names.union(made, relation.defaults if new else ())

    def _run_for(self, relation: Relation) -> Iterator[int]:
        """Yield the functions that writing a row runs."""
        yield from self.catalog.attached(relation.oid).written
        for kind in relation.types:
            yield from self.catalog.attachments.type_code.get(kind, ())

    def _assign(self, targets: list[Node], row: Range, scope: Scope, node: Node) -> None:
        self.probe(node, [text(body(item, "ResTarget"), "name") for item in targets], new=False)
        for item in targets:
            target = body(item, "ResTarget")
            self.expr(target.get("indirection"), scope)
            own = row.find(text(target, "name")) if row.columns is not None else None
            value = sub(target, "val")
            mark, code = len(self.met), self.code_runs
            lineage = self.expr(value, scope)
            if not lineage.exact:
                self.filter_by_met(mark, code)  # what is made of a value may show it, masked, as another
            if reads_columns(value):
                self._read_target(node)
            self._stored(value, own)
            self.send_on(_other(lineage.sources, own.sources if own else None))

    def _update(self, node: Node, scope: Scope) -> Columns | None:
        row = self._target(node, Action.UPDATE)
        scope.ranges.append(row)
        scope.stars.append(row.columns)
        for item in items(node, "fromClause"):
            scope.stars.append(self.from_item(item, scope))
        self._assign(items(node, "targetList"), row, scope, node)
        self._where(node, row, scope)
        return self._returning(node, scope, row)

    def _delete(self, node: Node, scope: Scope) -> Columns | None:
        row = self._target(node, Action.DELETE)
        scope.ranges.append(row)
        scope.stars.append(row.columns)
        for item in items(node, "usingClause"):
            scope.stars.append(self.from_item(item, scope))
        self._where(node, row, scope)
        return self._returning(node, scope, row)

    def _where(self, node: Node, row: Range, scope: Scope) -> None:
        self.decide(node.get("whereClause"), scope)
        if reads_columns(node.get("whereClause")):
            self._read_target(node)
        only = Scope(None, [row]) if row.columns is not None and len(scope.ranges) > 1 else scope
        self.predicates.append(self.narrowing(node.get("whereClause"), only))

    def _merge(self, node: Node, scope: Scope) -> Columns | None:
        row = self.table(sub(node, "relation"), None, reading=False)
        for target in self.targets(sub(node, "relation")):
            self.read(target)
        source = self.from_item(sub(node, "sourceRelation"), scope)
        scope.ranges.append(row)
        scope.stars.extend((source, row.columns))
        self.decide(node.get("joinCondition"), scope)
        if reads_columns(node.get("joinCondition")):
            self._read_target(node)
        self.predicates.append(self.narrowing(node.get("joinCondition"), Scope(None, [row])))
        for item in items(node, "mergeWhenClauses"):
            self._when(body(item, "MergeWhenClause"), node, row, scope)
        return self._returning(node, scope, row)

    def _when(self, clause: Node, node: Node, row: Range, scope: Scope) -> None:
        self.decide(clause.get("condition"), scope)
        action = _MERGE.get(text(clause, "commandType"))
        if action is None:
            if text(clause, "commandType") != "CMD_NOTHING":
                self.concede("MERGE holds an action that Blastwall cannot place")
            return
        self._target(node, action)
        if action is Action.UPDATE:
            self._assign(items(clause, "targetList"), row, scope, node)
        columns = self._inserted(items(clause, "targetList"), row, scope) if action is Action.CREATE else []
        if action is Action.CREATE:
            listed = [text(body(item, "ResTarget"), "name") for item in items(clause, "targetList")]
            self.probe(node, listed if listed or "values" not in clause else None, new=True)
        for index, value in enumerate(items(clause, "values")):
            self.send_on(self.shown(value, scope).sources)
            self._stored(value, columns[index] if index < len(columns) else None)

    def _returning(self, node: Node, scope: Scope, row: Range) -> Columns | None:
        """RETURNING reads the target: PostgreSQL asks for SELECT on the columns that it names."""
        clause = sub(node, "returningClause")
        if not clause:
            return ()
        for target in self.targets(sub(node, "relation")):
            self.read(target)
        here = Scope(scope, [*scope.ranges], {}, [*scope.stars] or [row.columns])
        for option in items(clause, "options"):
            here.ranges.append(_same(row, text(body(option, "ReturningOption"), "value")))
        here.ranges.extend(_same(row, name) for name in ("old", "new") if scope.range(name) is None)
        return self.targets_of(items(clause, "exprs"), here)


def _same(row: Range, name: str) -> Range:
    return Range(name, row.columns, row.open, doubted=row.doubted)


def _all(columns: Columns | None) -> Sources:
    return None if columns is None else union(Lineage(column.sources) for column in columns).sources


def _other(sources: Sources, own: Sources) -> Sources:
    """A column's own value put back into it moves nothing."""
    return sources if sources is None or own is None else sources - own
