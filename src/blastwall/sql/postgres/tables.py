"""CREATE and ALTER of tables and views, with their indexes, triggers, rules, policies and sequences."""

from __future__ import annotations

from collections.abc import Iterable

from blastwall.model.effects import Action, Object
from blastwall.model.statement import Column
from blastwall.sql.lineage import Columns, Lineage, union
from blastwall.sql.postgres.catalog import TEMPORARY
from blastwall.sql.postgres.expressions import SILENT, TRANSPARENT
from blastwall.sql.postgres.names import Target
from blastwall.sql.postgres.pending import Pending
from blastwall.sql.postgres.scope import Range, Scope
from blastwall.sql.postgres.tree import Node, body, descendants, flag, items, options, sub, text, unwrap, words

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_EXPRESSIONS = frozenset(
    {"ColumnRef", "A_Const", "ParamRef", "FuncCall", "A_Expr", "TypeCast", "SubLink", "A_Indirection", "GroupingFunc",
     "MultiAssignRef"}
)  # fmt: skip
_STRUCTURE = frozenset({"DefElem", "List", "IndexElem", "PartitionElem", "StatsElem", "PartitionBoundSpec"})
_ENTITLING = ("Trig", "Rule", "RowSecurity", "ChangeOwner")
_LOSING = frozenset({"AT_DropColumn", "AT_DetachPartition", "AT_DetachPartitionFinalize"})
_EVALUATED = frozenset({"AT_AlterColumnType"})
_RELATING = frozenset(
    {"AT_AddInherit", "AT_DropInherit", "AT_AttachPartition", "AT_DetachPartition", "AT_DetachPartitionFinalize"}
)
"""What lets a table's rows be read by another table's name, or no longer so."""


class Tables(Pending):
    """Reads what defines relations, and every expression inside a definition."""

    def _each(self, actions: Iterable[Action], targets: Iterable[Object]) -> None:
        found = list(targets)
        for action in actions:
            for target in found:
                self.effect(action, target)

    def sweep(self, node: object, scope: Scope) -> None:
        """Read every expression and query that stands anywhere in a definition: DEFAULT, CHECK, WHEN or USING."""
        if isinstance(node, list):
            for item in node:
                self.sweep(item, scope)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key in _QUERIES and isinstance(value, dict):
                    self.expr_query({key: value}, scope)
                elif key in _EXPRESSIONS or (key in TRANSPARENT and key not in _STRUCTURE):
                    self.expr({key: value}, scope)
                elif key not in SILENT:
                    self.sweep(value, scope)

    def create_table(self, node: Node) -> None:
        """Read CREATE TABLE and CREATE FOREIGN TABLE."""
        base = sub(node, "base") or node
        self.make(sub(base, "relation"), "table")
        if "servername" in node:
            self.effect(Action.EXPORT, self.pseudo("servers", text(node, "servername"), "server"))
        for parent in items(base, "inhRelations"):
            self._each((Action.DEFINE,), self.relation_objects(parent, (), "table"))
            if "partbound" in base:
                self._computed(self.targets(body(parent, "RangeVar")))  # its bounds are compared with the others'
                self._divided(self.targets(body(parent, "RangeVar")))
        self._mentioned(base)

    def _divided(self, targets: Iterable[Target]) -> None:
        """Rows that are there already are compared with a new partition's bounds: it fails by those in the default."""
        for target in targets:
            for relation in self.standing(target):
                place = (self.catalog.database, relation.schema, relation.name)
                self.filters.update(Column(*place, name) for name in relation.key)

    def _mentioned(self, node: Node) -> None:
        """Tables that a definition refers to: LIKE copies structure, REFERENCES lets rows be probed."""
        for tag, inner in descendants(node):
            for key in ("pktable", "relation") if tag in {"Constraint", "TableLikeClause"} else ():
                for target in self.targets(sub(inner, key)) if sub(inner, key) else ():
                    self.read(target)

    def create_table_as(self, node: Node) -> Columns | None:
        """Read CREATE TABLE AS and CREATE MATERIALIZED VIEW."""
        tag, inner = unwrap(sub(node, "query"))
        columns: Columns | None = None
        if tag == "ExecuteStmt":
            self.statement(tag, inner)
        else:
            columns = self.expr_query(sub(node, "query"), None)
        self.into(sub(node, "into"), columns)
        return columns

    def create_view(self, node: Node) -> None:
        """Read CREATE VIEW: `define`, and the reads of its query, for whoever may read the view reads those."""
        called = set(self.called)
        for target in self.targets(sub(node, "view")) if flag(node, "replace") else ():
            self.keeps(target)
        self.make(sub(node, "view"), "view")
        columns = self.expr_query(sub(node, "query"), None)
        if any(schema.startswith(TEMPORARY) for schema, _ in self.reads):
            # PostgreSQL makes a view of a temporary table temporary, though nothing says so.
            temporary = {**sub(node, "view"), "schemaname": "", "relpersistence": "t"}
            self.make(temporary, "view")
            self.pend_view(temporary, body(sub(node, "query"), "SelectStmt"), called)
        self.pend_view(sub(node, "view"), body(sub(node, "query"), "SelectStmt"), called)
        found = union(Lineage(column.sources) for column in columns) if columns is not None else Lineage(None)
        self.send_on(found.sources)

    def alter_table(self, node: Node) -> None:
        """Read ALTER TABLE; triggers, rules, row security and owners decide who may do what: `entitle`."""
        kind = "index" if text(node, "objtype") == "OBJECT_INDEX" else ""
        targets = [self.object(target, kind) for target in self.targets(sub(node, "relation"))]
        self._each((Action.DEFINE,), targets)
        self._computed(self.targets(sub(node, "relation")))
        self._family(self.targets(sub(node, "relation")), Action.DEFINE)
        for command in items(node, "cmds"):
            inner = body(command, "AlterTableCmd")
            kind = text(inner, "subtype")
            self.cast_to(words(items(sub(body(sub(inner, "def"), "ColumnDef"), "typeName"), "names")))
            self._beyond(kind, inner, node)
            if any(word in kind for word in _ENTITLING):
                self._each((Action.ENTITLE,), targets)
            if kind in _LOSING:
                self._each((Action.DROP,), targets)
            self._stored_by(kind, inner, node)
            if kind == "AT_DropExpression":  # its values stay, and nothing says any more what they are made of
                heirs = self.with_heirs(
                    one for target in self.targets(sub(node, "relation")) for one in self.standing(target)
                )
                self.renames.update((relation.schema, relation.name) for relation in heirs)
            tag, definition = unwrap(sub(inner, "def"))
            other = definition if tag == "RangeVar" else sub(definition, "name")
            if text(other, "relname"):
                self._each((Action.DEFINE,), self.relation_objects({"RangeVar": other}, (), "table"))
            if kind == "AT_AttachPartition":
                self._divided(self.targets(sub(node, "relation")))
            if kind in _RELATING:
                self._renamed(other if "Partition" in kind else sub(node, "relation"))
        self._mentioned(node)

    def _beyond(self, kind: str, command: Node, node: Node) -> None:
        """A column goes from heirs too, an attribute from wherever its type is used; CASCADE takes what depends."""
        targets = self.targets(sub(node, "relation"))
        if kind == "AT_DropColumn":
            self._family(targets, Action.DROP)
        if text(node, "objtype") == "OBJECT_TYPE":
            for target in targets:
                self.alter_row_type((target.schema, target.name), kind in _LOSING, kind in _EVALUATED)
        elif text(command, "behavior") == "DROP_CASCADE":
            self.fall_with(targets)

    def _renamed(self, relation: Node) -> None:
        """Policies and masking rules go by names: whoever changes what they mean decides who may do what."""
        targets = self.targets(relation)
        self.renames.update((target.schema, target.name) for target in targets)
        self._each((Action.ENTITLE,), [self.object(target) for target in targets])

    def _stored_by(self, kind: str, command: Node, node: Node) -> None:
        """USING and GENERATED store what they compute from other columns of the row."""
        definition = sub(command, "def")
        column = body(definition, "ColumnDef")
        match kind:
            case "AT_AlterColumnType":
                computed: list[object] = [column.get("raw_default")]
            case "AT_AddColumn":
                computed = [body(item, "Constraint").get("raw_expr") for item in items(column, "constraints")]
            case "AT_SetExpression":
                computed = [definition]
            case _:
                return
        row = self.table(sub(node, "relation"), None, reading=False)
        own = row.find(text(command, "name")) if row.columns is not None or row.doubted else None
        found = union([self.expr(one, Scope(None, [row])) for one in computed if one])
        if found.sources is None or own is None or own.sources is None:
            self.send_on(found.sources)
        else:
            self.send_on(found.sources - own.sources)

    def _family(self, targets: Iterable[Target], action: Action) -> None:
        for target in targets:
            for relation in self.standing(target):
                self.follow(self.follower.descendants(relation, action))

    def sequence(self, node: Node) -> None:
        """Read CREATE SEQUENCE and ALTER SEQUENCE; OWNED BY ties it to a table."""
        self.make(sub(node, "sequence"), "sequence")
        for name, value in options(items(node, "options")):
            column = words(items(body(value, "List"), "items"))
            if name == "owned_by" and len(column) > 1:
                self._each((Action.DEFINE,), [self.object(target) for target in self.relations(column[:-1])])

    def on_relation(self, node: Node) -> None:
        """Read CREATE INDEX and REFRESH MATERIALIZED VIEW."""
        self._each((Action.DEFINE,), self.relation(node))
        self._family(self.targets(sub(node, "relation")), Action.DEFINE)
        self._computed(self.targets(sub(node, "relation")))

    def _computed(self, targets: Iterable[Target]) -> None:
        """Whatever reads or rewrites a whole table computes its indexes, checks and columns; a view is filled anew."""
        for target in targets:
            for relation in self.with_heirs(self.standing(target)):
                self.follow(self.follower.code(relation))
                if relation.kind == "m":
                    self.follow(self.follower.view(relation))

    def create_trigger(self, node: Node) -> None:
        """Read CREATE TRIGGER: its function will run."""
        self._each((Action.DEFINE, Action.ENTITLE), self.relation(node))
        self.call(words(items(node, "funcname")), [])

    def create_rule(self, node: Node) -> None:
        """Read CREATE RULE with what it will do instead; of SELECT it is what a view shows."""
        for target in self.targets(sub(node, "relation")) if text(node, "event") == "CMD_SELECT" else ():
            self.keeps(target)
        self._each((Action.DEFINE, Action.ENTITLE), self.relation(node))
        self.rule_actions(node)

    def rule_actions(self, node: Node) -> None:
        """Read what a rule does instead or as well."""
        self.sweep(node.get("whereClause"), anything())
        for action in items(node, "actions"):
            tag, inner = unwrap(action)
            self.statement(tag, inner)

    def policy(self, node: Node) -> None:
        """Read CREATE POLICY and ALTER POLICY."""
        self._each((Action.DEFINE, Action.ENTITLE), self.relation(node, "table"))

    def composite(self, node: Node) -> None:
        """Read CREATE TYPE of a row type."""
        self.make(sub(node, "typevar"), "type")


def anything() -> Scope:
    """Definitions name columns of what they define, which holds no values yet that they could give away."""
    return Scope(None, [Range("", None, frozenset())])
