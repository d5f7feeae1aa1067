"""One statement from its tree: which reader it goes to, what it returns, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from blastwall.model.effects import Action, Effect, Mark
from blastwall.model.statement import Literal
from blastwall.sql.lineage import Columns, OutputColumn
from blastwall.sql.postgres.deciding import analyses
from blastwall.sql.postgres.definitions import Definitions
from blastwall.sql.postgres.following import CURSORS
from blastwall.sql.postgres.hanging import ANY_DEFINITION, ANY_STATEMENT, EVERYTHING, Hung, of_definitions
from blastwall.sql.postgres.parse import Source
from blastwall.sql.postgres.scope import Scope
from blastwall.sql.postgres.statement import Classified
from blastwall.sql.postgres.tree import Node, flag, sub, text, unwrap

_ROWS = {
    "SelectStmt": "SELECT",
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
}
_VERBS = {
    "CopyStmt": "COPY", "DoStmt": "DO", "CallStmt": "CALL", "VariableShowStmt": "SHOW", "AlterSystemStmt": "ALTER SYSTEM",  # noqa: E501 - a table
    "ExplainStmt": "EXPLAIN", "PrepareStmt": "PREPARE", "ExecuteStmt": "EXECUTE", "DeallocateStmt": "DEALLOCATE",
    "DeclareCursorStmt": "DECLARE", "ClosePortalStmt": "CLOSE", "DiscardStmt": "DISCARD", "ListenStmt": "LISTEN",
    "UnlistenStmt": "UNLISTEN", "NotifyStmt": "NOTIFY", "ConstraintsSetStmt": "SET CONSTRAINTS", "LoadStmt": "LOAD",
    "LockStmt": "LOCK", "TruncateStmt": "TRUNCATE", "CheckPointStmt": "CHECKPOINT", "ClusterStmt": "CLUSTER",
    "ReindexStmt": "REINDEX", "CommentStmt": "COMMENT", "SecLabelStmt": "SECURITY LABEL", "ViewStmt": "CREATE VIEW",
    "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW", "CreateStmt": "CREATE TABLE", "IndexStmt": "CREATE INDEX",
    "RuleStmt": "CREATE RULE", "CreateTrigStmt": "CREATE TRIGGER", "CreateSeqStmt": "CREATE SEQUENCE",
    "AlterSeqStmt": "ALTER SEQUENCE", "ReassignOwnedStmt": "REASSIGN OWNED", "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE", "CompositeTypeStmt": "CREATE TYPE", "CreateEnumStmt": "CREATE TYPE",
    "CreateRangeStmt": "CREATE TYPE", "AlterEnumStmt": "ALTER TYPE", "CreatePLangStmt": "CREATE LANGUAGE",
    "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER", "AlterFdwStmt": "ALTER FOREIGN DATA WRAPPER",
    "CreateForeignServerStmt": "CREATE SERVER", "AlterForeignServerStmt": "ALTER SERVER", "CreateAmStmt": "CREATE ACCESS METHOD",  # noqa: E501 - a table
    "CreateEventTrigStmt": "CREATE EVENT TRIGGER", "AlterEventTrigStmt": "ALTER EVENT TRIGGER",
    "CreateTableSpaceStmt": "CREATE TABLESPACE", "DropTableSpaceStmt": "DROP TABLESPACE",
    "AlterTableSpaceOptionsStmt": "ALTER TABLESPACE", "CreateStatsStmt": "CREATE STATISTICS",
    "AlterStatsStmt": "ALTER STATISTICS", "AlterRoleSetStmt": "ALTER ROLE", "AlterDatabaseSetStmt": "ALTER DATABASE",
    "AlterDatabaseRefreshCollStmt": "ALTER DATABASE", "AlterDefaultPrivilegesStmt": "ALTER DEFAULT PRIVILEGES",
    "DropOwnedStmt": "DROP OWNED", "DefineStmt": "CREATE",
}  # fmt: skip

_HOLDING = frozenset({"@extensions", "@roles"})
"""What holds relations anywhere: DROP OWNED and DROP EXTENSION take them along."""
_FIRING = frozenset({Action.DEFINE, Action.DROP, Action.ENTITLE})
"""What event triggers hear of."""
_HEARD = frozenset(
    {"ReindexStmt", "CreatePublicationStmt", "AlterPublicationStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt"}
)
"""Statements of which they hear besides."""
_RUNNING = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "CALL", "DO", "EXECUTE", "FETCH", "MOVE", "SELECT INTO"}
)
"""Statements that run code, and define nothing by themselves."""
_EVALUATING = frozenset({"EXPLAIN", "CREATE TABLE AS", "CREATE MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW"})
"""Statements that run a query, and are no query."""
_DEFINING = frozenset({Action.DEFINE, Action.ADMIN})
_SILENT = frozenset({"DoStmt", "CreateFunctionStmt", "RuleStmt", "CreateSchemaStmt", "CreateTableAsStmt"})
"""Statements that hold others whose rows go nowhere."""


class Reader(Definitions):
    """Reads one statement of any type."""

    operation = ""
    outputs: Columns | None = None
    returns_rows = False
    otherwise: Columns | None = None
    spreads = False
    runs = True
    by_code = False

    def statement(self, tag: str, node: Node) -> None:
        """Read a statement; an unknown type is conceded."""
        if tag in _ROWS:
            self._rows(tag, node)
            if _has_into(node):
                self._heard()
            return
        self._utility(tag, node)
        if tag in _HEARD or any(effect.action in _FIRING for effect in self.effects):
            self._heard()
        if tag in _SILENT:
            self.outputs, self.returns_rows = None, False

    def _heard(self) -> None:
        """Event triggers hear of it."""
        for function in self.catalog.attachments.event_triggers:
            self.follow(self.follower.run(function))
        if self.state.lost:
            self.follow(self.follower.hung(ANY_DEFINITION, Action.UPDATE))

    def _utility(  # noqa: C901 - one case a type of statement
        self, tag: str, node: Node
    ) -> None:
        match tag:
            case "TransactionStmt":
                self.transaction_statement(node)
            case "VariableSetStmt":
                self.set_statement(node)
            case "VariableShowStmt":
                self._returns(self.show_statement(node))
            case "AlterSystemStmt":
                self.alter_system(node)
            case "CopyStmt":
                self.copy_statement(node)
            case "ExplainStmt":
                self._explain(node)
            case "DoStmt":
                self.do_statement(node)
            case "CallStmt":
                self.call_statement(node)
                self._returns(None)
            case "CreateFunctionStmt":
                self.create_function(node)
            case "CreateTableAsStmt":
                self.create_table_as(node)
            case "ViewStmt":
                self.create_view(node)
            case _ if not (self._session(tag, node) or self.define(tag, node)):
                self.concede(f"it is a statement that Blastwall cannot place ({tag or 'empty'})")

    def _session(self, tag: str, node: Node) -> bool:
        match tag:
            case "PrepareStmt":
                self._prepare(node)
            case "ExecuteStmt":
                self._execute_prepared(node)
            case "DeallocateStmt":
                self.deallocates = text(node, "name")
                self.connect()
            case "DeclareCursorStmt":
                self._declare(node)
            case "FetchStmt":
                self._fetch(node)
            case "ClosePortalStmt":
                self.closes = text(node, "portalname")
                self.connect()
            case "DiscardStmt":
                self._discard(node)
            case _:
                return False
        return True

    def _returns(self, columns: Columns | None) -> None:
        self.outputs, self.returns_rows = columns, True

    def _rows(self, tag: str, node: Node) -> None:
        if tag == "SelectStmt":
            columns = self.query(node, None)
            rows = not _has_into(node)
        else:
            columns = self.modify(tag, node, None)
            rows = "returningClause" in node
        if rows:
            self._returns(columns)
        if not self.effects:
            self.connect()

    def _explain(self, node: Node) -> None:
        """Plain EXPLAIN has the effects of its statement too: planning runs functions that say they are immutable."""
        changed, nested, declared = self.modifies, bool(self.effects), self.declares
        tag, inner = unwrap(sub(node, "query"))
        self.statement(tag, inner)
        self.declares = declared  # a cursor whose plan is shown is not opened
        if analyses(node):
            self.filter_by_met(0, self.code_runs)
            self.filter_by_columns(self.outputs if self.returns_rows else ())
        else:
            self.modifies, self.runs = changed, self.runs and nested
        self._returns((OutputColumn("QUERY PLAN", self.told),))  # a plan shows what code is worked out in planning
        self.predicates = self.predicates or [False]

    def _prepare(self, node: Node) -> None:
        changed, nested = self.modifies, bool(self.effects)
        tag, inner = unwrap(sub(node, "query"))
        self.statement(tag, inner)
        inside = self.classified(0, 0, operation_of(tag, inner), sub(node, "query"))
        self.prepares = (text(node, "name"), (inside,))
        self.changes = replace(self.changes, certain=False)
        self.outputs, self.returns_rows, self.modifies, self.runs = None, False, changed, nested

    def _execute_prepared(self, node: Node) -> None:
        name = text(node, "name")
        self.executes = name
        given = self.expr(node.get("params"), Scope())
        self._again(self.state.prepared.get(name, ()), f"no statement named {name} was prepared in this session")
        if given.sources != frozenset():
            self.send_on(given.sources)
            self.outputs = None

    def _again(self, known: tuple[Classified, ...], unknown: str, *, opened: bool = False) -> None:
        """Read prepared statements anew, or those of `opened` cursors, for names may mean something else by now."""
        if not known:
            self.concede(unknown)
            self._returns(None)
            return
        outputs: list[Columns | None] = []
        rows = False
        for one in known:
            tag, inner = unwrap(_tree_of(one))
            self.outputs, self.returns_rows = None, False
            kept = (dict(self.literals), set(self.secrets), dict(self.parameters), set(self.secret_parameters))
            self.statement(tag, inner)
            self.literals, self.secrets, self.parameters, self.secret_parameters = kept
            outputs.append(self.outputs)
            rows = rows or self.returns_rows
        if opened and not self.cautious and outputs != [one.outputs for one in known]:
            outputs.append(None)  # its rows are of another time than the catalog
            self.by_code = True
        if opened and any(one.by_code for one in known):
            outputs.append(None)
            self.by_code = rows = True
        self.outputs = outputs[0] if all(found == outputs[0] for found in outputs) else None
        self.returns_rows = rows

    def _declare(self, node: Node) -> None:
        self.statement(*unwrap(sub(node, "query")))
        inside = self.classified(0, 0, "SELECT", sub(node, "query"))
        self.declares = (text(node, "portalname"), (inside,))
        self.outputs, self.returns_rows = None, False

    def _fetch(self, node: Node) -> None:
        name = text(node, "portalname")
        unknown = f"no cursor named {name} was declared in this session"
        self._again(self.state.cursors.get(name, ()), unknown, opened=True)
        self.fetches = name
        if flag(node, "ismove"):
            self.outputs, self.returns_rows = None, False

    def _discard(self, node: Node) -> None:
        self.connect()
        if text(node, "target") in {"", "DISCARD_ALL"}:
            self.deallocates = self.closes = ""
            self.reset_all()

    def classified(
        self, start: int, end: int, operation: str, tree: Node, literals: tuple[Literal, ...] = ()
    ) -> Classified:
        """Return what was found."""
        if not self.effects:
            self.concede("Blastwall found nothing that it does")
        if self.state.lost:
            self._anywhere(operation)
        returns, found = self.returns_rows, self.all_effects()
        effects = tuple(effect for effect in found if not _of_cursors(effect))
        return Classified(
            start,
            end,
            operation,
            effects,
            filtered=bool(self.predicates) and all(self.predicates),
            doubt="; ".join(self.doubts),
            literals=literals,
            parameters=dict(self.parameters),
            secret_parameters=frozenset(self.secret_parameters),
            outputs=self.outputs if returns else None,
            returns_rows=returns,
            reads=frozenset(self.reads),
            renames=frozenset(self.renames),
            copies=self.copies,
            filters=self.filtering(),
            copy=self.copy,
            transaction=self.transaction,
            modifies=self.modifies,
            fetches=self.fetches,
            runs=self.runs,
            prepares=self.prepares,
            executes=self.executes,
            deallocates=self.deallocates,
            declares=self.declares,
            closes=self.closes,
            changes=self.changes,
            hides=self.hides,
            otherwise=self.otherwise,
            spreads=self.spreads,
            countable=self.countable,
            lost=frozenset((*self._lost(creates=operation.startswith("CREATE")), *self.hung, *self._hung(operation))),
            frees=self.frees,
            opens=bool(self.doubts) or len(effects) < len(found),
            by_code=self.by_code,
            tree=tree,
        )

    @property
    def given(self) -> Columns | None:
        """The columns that go to the client, by COPY too; None where they cannot be traced."""
        if self.copy is not None:
            return self.copy.columns if self.copy.direction == "out" else ()
        return self.outputs if self.returns_rows else ()

    @property
    def by_places(self) -> bool:
        """Whether it hangs on places what the columns are that go to the client.

        Of one table's own columns, in its own order, the server says whence they come.
        """
        given = self.given or ()
        plain = self.copy is None and not self.mixed and all(column.exact for column in given)
        return not plain and any(column.beside is not None for column in given)

    def reconsider(self, cautious: Reader) -> None:
        """Take what the same statement may do, were relations altered before it is run."""
        untraced = tuple(OutputColumn(column.name, None) for column in self.given or ())
        self.otherwise = untraced if cautious.given is None else cautious.given
        self.copies, self.spreads = cautious.copies, self.by_places
        if not self.state.alone:  # another worker's sessions may alter them unheard
            self.filters |= cautious.filters
            self.filters_open |= cautious.filters_open
            self.filters_by_code |= cautious.filters_by_code

    def _anywhere(self, operation: str) -> None:
        """Add what any statement may run by what was defined before; a definition may do so too (ALTER … USING)."""
        found = self.follower.hung(ANY_STATEMENT, Action.UPDATE)
        if operation in _RUNNING | _EVALUATING:
            self.follow(found)
        elif any(effect.action in _DEFINING for effect in self.effects):
            self.follow(effect for effect in found if effect.action is not Action.UNCLASSIFIED)

    def _hung(self, operation: str) -> Iterator[Hung]:
        """Yield what code hangs that ran in a statement which is no definition itself."""
        if operation in _RUNNING:
            found = [one for one in self.all_effects() if Mark.FOLLOWED in one.marks and Mark.PART not in one.marks]
            yield from of_definitions((one.action.value, one.object.path, one.object.kind) for one in found)

    def _lost(self, *, creates: bool) -> Iterator[tuple[str, str]]:
        """Yield the places whose relations may be gone, renamed, moved or out of sight once this has run.

        Of such relations the columns are in doubt as well. What CREATE defines stays where it is. A schema without
        USAGE is passed by.
        """
        for effect in self.all_effects():
            path, action = effect.object.path[1:], effect.action
            if action not in _FIRING or (action is Action.ENTITLE and len(path) != 1):
                continue
            if creates and action is Action.DEFINE and Mark.FOLLOWED not in effect.marks:
                continue
            if len(path) == 2 and not path[0].startswith("@"):
                yield from (path,) if self.catalog.relation(*path) else ()
            elif len(path) == 1 and not path[0].startswith("@"):
                yield from ((path[0], ""),) if path[0] in self.catalog.schemas else ()
            elif not path or path[0] in _HOLDING:
                yield EVERYTHING


def _of_cursors(effect: Effect) -> bool:
    return effect.object.path[1:2] == (CURSORS,)


def _tree_of(one: Classified) -> Node:
    tree = one.tree.tree() if isinstance(one.tree, Source) else one.tree
    return tree if isinstance(tree, dict) else {}


def _has_into(node: Node) -> bool:
    """SELECT INTO may stand in the first arm of a set operation."""
    while "intoClause" not in node and "larg" in node:
        node = sub(node, "larg")
    return "intoClause" in node


def operation_of(tag: str, node: Node) -> str:  # noqa: C901, PLR0912 - one case a type of statement
    """Return PostgreSQL's own words for a statement, as its command tag says them where it has one."""
    if tag in _ROWS:
        return "SELECT INTO" if tag == "SelectStmt" and _has_into(node) else _ROWS[tag]
    match tag:
        case "TransactionStmt":
            return text(node, "kind").removeprefix("TRANS_STMT_").replace("_", " ") or "TRANSACTION"
        case "VariableSetStmt":
            return "RESET" if "RESET" in text(node, "kind") else "SET"
        case "FetchStmt":
            return "MOVE" if flag(node, "ismove") else "FETCH"
        case "VacuumStmt":
            return "VACUUM" if flag(node, "is_vacuumcmd") else "ANALYZE"
        case "CreateFunctionStmt":
            return "CREATE PROCEDURE" if flag(node, "is_procedure") else "CREATE FUNCTION"
        case "GrantStmt" | "GrantRoleStmt":
            return "GRANT" if flag(node, "is_grant") else "REVOKE"
        case "DropStmt":
            return "DROP " + _kind(text(node, "removeType"))
        case "CreateTableAsStmt":
            matview = text(node, "objtype") == "OBJECT_MATVIEW"
            return "CREATE MATERIALIZED VIEW" if matview else "CREATE TABLE AS"
        case "AlterTableStmt" | "AlterFunctionStmt":
            return "ALTER " + _kind(text(node, "objtype"))
        case "RenameStmt":
            return "ALTER " + _kind(text(node, "renameType"))
        case "AlterOwnerStmt" | "AlterObjectSchemaStmt" | "AlterObjectDependsStmt":
            return "ALTER " + _kind(text(node, "objectType"))
        case _:
            return _VERBS.get(tag) or _spelled(tag)


def _kind(object_type: str) -> str:
    name = object_type.removeprefix("OBJECT_").replace("_", " ")
    return {"MATVIEW": "MATERIALIZED VIEW", "": "TABLE"}.get(name, name)


def _spelled(tag: str) -> str:
    """`CreateUserMappingStmt` is CREATE USER MAPPING."""
    name = tag.removesuffix("Stmt") or "UNKNOWN"
    return "".join(" " + letter if letter.isupper() and at else letter for at, letter in enumerate(name)).upper()
