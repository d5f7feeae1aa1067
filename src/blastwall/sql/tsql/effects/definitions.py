"""CREATE, ALTER, DROP, GRANT and what else administers a database or a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from blastwall.model.effects import Action, Effect, Mark, Object
from blastwall.sql.lineage import Columns, OutputColumn, Sources
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.catalog import Place, Relation
from blastwall.sql.tsql.defined import Defined, What
from blastwall.sql.tsql.effects.executing import Executing
from blastwall.sql.tsql.effects.findings import Flow
from blastwall.sql.tsql.effects.kinds import DEFINED, HARMLESS_DBCC, SECRET_KINDS, TELLING_DBCC, UTILITIES, Kind
from blastwall.sql.tsql.effects.making import cascade, change_made, module_made, table_made, types_of, view_made
from blastwall.sql.tsql.effects.names import Target, split_name
from blastwall.sql.tsql.effects.procedural import is_strict
from blastwall.sql.tsql.effects.scope import merged
from blastwall.sql.tsql.statement import ResultSet

_NOTHING: Sources = frozenset()
_OBJECTS = {
    "TABLE": "table", "VIEW": "view", "PROCEDURE": "procedure", "PROC": "procedure", "FUNCTION": "function",
    "TRIGGER": "trigger", "SYNONYM": "synonym", "SEQUENCE": "sequence", "TYPE": "type", "EXTERNAL TABLE": "table",
    "DEFAULT": "type", "RULE": "type", "AGGREGATE": "function", "QUEUE": "queue", "XML SCHEMA COLLECTION": "type",
    "OBJECT": "table", "": "table", "STATISTICS": "table",
}  # fmt: skip
_OPTIONS = frozenset(
    """
    PASSWORD DEFAULT_SCHEMA DEFAULT_DATABASE DEFAULT_LANGUAGE SID CHECK_POLICY CHECK_EXPIRATION CREDENTIAL NAME
    OLD_PASSWORD MUST_CHANGE UNLOCK HASHED TYPE OBJECT_ID NONE ON OFF LOGIN MEMBER ENABLE DISABLE USER FROM EXTERNAL
    PROVIDER WINDOWS CERTIFICATE KEY ASYMMETRIC
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Words of a definition of a user, a login or a role that name nobody."""
_BY_KEY = frozenset({Mark.FOLLOWED, Mark.FILTERED})
_GUARDING = ("TRIGGER", "CONSTRAINT", "SYSTEM_VERSIONING", "CHANGE_TRACKING")


def _listed(elements: Iterable[n.TableElement]) -> Columns:
    """Return the columns that a new table has: nothing is in them yet; what is computed may be of anything."""
    return tuple(
        OutputColumn(one.name.text, _NOTHING if one.computed is None else None)
        for one in elements
        if isinstance(one, n.ColumnDefinition)
    )


class Definitions(Executing):
    """Reads definitions."""

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def define_rows(self, elements: Sequence[n.TableElement]) -> Columns:
        """Return the columns that a table's definition lists, adding what its expressions call."""
        columns = _listed(elements)
        self.elements(elements, columns)
        return columns

    def elements(self, elements: Iterable[n.TableElement], columns: Columns | None = None) -> None:
        """Add what the expressions of a table's definition call."""
        scope = self.scope()
        scope.ranges.append(self.range_of("", columns, _NOTHING))
        for one in elements:
            if isinstance(one, n.ColumnDefinition):
                self.typed(one.type)
                for part in (one.computed, one.default, *one.checks):
                    found = self.expr(part, scope)
                    if part is not None and part is one.default:
                        self.send_on(found.sources)
            else:
                self.expr(one.condition, scope)

    def create_table(self, node: n.CreateTable) -> None:
        """Read CREATE TABLE and CREATE TYPE … AS TABLE."""
        kind = "type" if node.kind == "TYPE" else "table"
        target = self.created(node.name, kind)
        columns: Columns | None = self.define_rows(node.elements)
        if node.query is not None:
            columns = self.query(node.query, None)
            self.send_on(merged(columns).sources)
        if target.temporary:
            self.connect()
            self.put_temporary(target.temporary, columns, types_of(node.elements), strict=is_strict(node.elements))
            return
        self.effect(Action.DEFINE, target.object)
        self.shadow(target.name)
        if kind == "table":
            self.makes(table_made(target, node, self.chain.text, self._place_of))
        for related in node.related:
            if node.kind == "EXTERNAL TABLE":
                self.effect(Action.EXPORT, self.server(related.last))
            else:
                self.effect(Action.DEFINE, self.created(related, "table").object)

    def alter_table(self, node: n.AlterTable) -> None:
        """Read ALTER TABLE: what takes a guard off a table is also `entitle`."""
        target = self.target(node.name)
        if target.temporary:
            self.connect()
            for change in node.changes:
                self._alter_temporary(target.temporary, change)
            return
        self.effect(Action.DEFINE, target.object)
        for change in node.changes:
            self._change(target.object, target.schema, target.name, change)
            self._cascading(target, change)
            for made in change_made(target, change, self.chain.text, self._place_of):
                self.makes(made)
        for related in node.related:
            kept = self.created(related, "table")
            self.effect(Action.DEFINE, kept.object)
            self.makes(Defined(What.DOUBTED, kept.schema, kept.name))

    def _place_of(self, name: n.ObjectName) -> Place:
        """Return the table that a name means, without regard to what is in doubt."""
        parts = name.texts
        return self.catalog.place(parts[-2] if len(parts) > 1 and parts[-2] else self._schema_of(parts[-1]), parts[-1])

    def _cascading(self, target: Target, change: n.TableChange) -> None:
        """Who lets a table's rows go when others do is judged as if they went: they may before the catalog tells."""
        if target.relation is None:
            return
        for one in change.elements:
            for event, action in (("DELETE", Action.DELETE), ("UPDATE", Action.UPDATE)):
                done = cascade(one, event)
                if done != "NO_ACTION":
                    done_by = action if done == "CASCADE" else Action.UPDATE
                    self.follow({Effect(done_by, target.object, _BY_KEY)})

    def _alter_temporary(self, key: str, change: n.TableChange) -> None:
        self.elements(change.elements, None)
        if is_strict(change.elements) or change.verb != "ADD":
            self.stricter(key)
        table = self.temporaries.tables.get(key)
        if table is not None and table.columns is not None and change.verb != "ADD":
            return
        added = _listed(change.elements)
        if table is not None and table.columns is not None and added:
            known = {one.name.lower() for one in table.columns}
            fresh = tuple(one for one in added if one.name.lower() not in known)
            if fresh:
                self.temporaries.put(key, replace(table, columns=(*table.columns, *fresh), types=()))

    def _change(self, table: Object, schema: str, name: str, change: n.TableChange) -> None:
        relation = self.catalog.relation(schema, name)
        shown = self.changed_rows(relation)
        mark, code = len(self.met), self.code_runs
        self.elements(change.elements, shown)
        self.filter_by_met(mark, code)  # the rows that are there are checked, or fail
        if verb_checks(change):
            named = [one for element in change.elements for one in _names_in(element)]
            self._checked(shown, named)
        verb = change.verb
        options = {option.name.upper() for option in change.options}
        if verb.startswith(("NOCHECK", "DISABLE", "ENABLE TRIGGER")) or any(word in options for word in _GUARDING):
            self.effect(Action.ENTITLE, table)
        if verb.startswith("ENABLE TRIGGER"):
            self._wake(relation)
        if verb.startswith("DROP"):
            self.effect(Action.DROP, table)
        if verb == "SWITCH" and change.target is not None:
            other = self.target(change.target)
            self.effect(Action.DEFINE, other.object)
            self.renames.update({(schema, name), (other.schema, other.name)})
            self.send_on(merged(shown).sources if shown is not None else None)
        for option in change.options:
            self.hints((option,), self.scope())

    def _checked(self, columns: Columns | None, names: Sequence[str]) -> None:
        """Keys over columns, and new types of them, fail by the values that are there."""
        if columns is None:
            self.filter_by(None)
            return
        fold = self.catalog.fold
        wanted = {fold(name) for name in names}
        for column in columns:
            if fold(column.name) in wanted:
                self.filter_by(column.sources)

    # ── code ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_view(self, node: n.CreateView) -> None:
        """Read CREATE VIEW: `define`, and what its query reads."""
        target = self.created(node.name, "view")
        self.effect(Action.DEFINE, target.object)
        self.unsettle(target.schema, target.name)
        columns = self.query(node.query, None)
        self.makes(view_made(target, node, columns, self._alone(), quoted=self.quoted))

    def _alone(self) -> str:
        """Return the request's text where it is one definition and nothing else, as SQL Server wants it; else ""."""
        return self.chain.text if self.topmost and self.alone else ""

    def create_module(self, node: n.CreateModule) -> None:
        """Read CREATE PROCEDURE, FUNCTION and TRIGGER: `define`, and what the body does.

        `entitle` is added where others run it without asking: a trigger, or code that runs as its owner.
        """
        target = self.created(node.name, node.kind.lower() if node.kind in _OBJECTS else "procedure")
        kind = _OBJECTS.get(node.kind, "procedure")
        made = Object(target.object.path, kind)
        self.effect(Action.DEFINE, made)
        self.unsettle(target.schema, target.name)
        if node.execute_as not in {"", "CALLER"} or node.kind == "TRIGGER":
            self.effect(Action.ENTITLE, made)
        if node.external is not None:
            self.effect(Action.EXECUTE, self.pseudo("languages", "clr", "language"))
            self.concede("its code is not T-SQL, so Blastwall cannot read it")
        if node.kind == "TRIGGER":
            self._trigger_on(node)
        on = self._place_of(node.on) if node.on is not None else ("", "")
        self.makes(module_made(target, node, on, self._alone(), quoted=self.quoted))
        making, self.chain.making = self.chain.making, self.key(target.schema, target.name)
        self._read_body(node)
        self.chain.making = making

    def _trigger_on(self, node: n.CreateModule) -> None:
        if node.on is not None:
            self.effect(Action.DEFINE, self.target(node.on).object)
        else:
            self.effect(Action.ADMIN, self.database)

    def _read_body(self, node: n.CreateModule) -> None:
        pseudo: dict[str, Columns | None] = {}
        if node.kind == "TRIGGER" and node.on is not None:
            rows = self.changed_rows(self.target(node.on).relation)
            pseudo = {"inserted": rows, "deleted": rows}
        self.chain.open.append(-1)
        depth_kept = self.chain.lowest

        def make() -> Definitions:
            child = self.child(self.state, self.session)
            child.nested = False
            child.offsets = self.offsets
            child.offset = self.offset
            child.pseudo_tables = pseudo
            return child

        flow = Flow({one.name.lower(): _NOTHING for one in node.parameters})
        tables = {name: table for name, table in self.temporaries.tables.items() if name.startswith("#")}
        try:
            child = self.settled_reading(make, lambda reader: reader.run_body(node), flow, tables)
        finally:
            self.chain.open.pop()
            self.chain.lowest = depth_kept
        self._absorb_definition(child)

    def run_body(self, node: n.CreateModule) -> None:
        """Read a module's body as its definition shows it."""
        if node.external is None:
            self.run_definition(node)

    def _absorb_definition(self, child: Definitions) -> None:
        """What a body does is an effect of defining it; what it shows and counts is not."""
        self.effects.update(child.effects)
        self.followed.update(child.followed)
        self.doubts.update(child.doubts)
        self.reads |= child.reads
        self.predicates.extend(child.predicates)
        child.settle()
        self.literals.update(child.literals)
        self.secrets |= child.secrets
        self.send_on(child.copies)
        self.forbidden = self.forbidden or child.forbidden

    def create_index(self, node: n.CreateIndex) -> None:
        """Read CREATE INDEX: a unique one tells whether values repeat."""
        target = self.target(node.table)
        self.connect() if target.temporary else self.effect(Action.DEFINE, target.object)
        if "UNIQUE" in node.kind and not target.temporary:
            key = tuple(column.text for column in node.columns)
            self.makes(Defined(What.COLUMNS, target.schema, target.name, keys=(key,)))
        if target.temporary and "UNIQUE" in node.kind:
            self.stricter(target.temporary)
        scope = self.scope()
        scope.ranges.append(self.range_of(target.name, self.columns_of(target), None))
        self.decide(node.where, scope)
        if "UNIQUE" in node.kind:
            for column in node.columns:
                found = scope.column(column.text)
                self.filter_by(found.sources if found is not None else None)
        self.hints(node.options, self.scope())

    def create_synonym(self, node: n.CreateSynonym) -> None:
        """Read CREATE SYNONYM: another name will show what the first one has."""
        made = self.created(node.name, "synonym")
        self.effect(Action.DEFINE, Object(made.object.path, "synonym"))
        target = self.target(node.target)
        self.renames.add((target.schema, target.name))
        self.unsettle(made.schema, made.name)

    def create_schema(self, node: n.SchemaElements) -> None:
        """Read CREATE SCHEMA with what is made inside it."""
        name = node.name.text if node.name is not None else node.owner.text if node.owner is not None else "dbo"
        self.effect(Action.DEFINE, Object((self.catalog.database, self.catalog.schema(name)), "schema"))
        if node.owner is not None:
            self.effect(Action.ENTITLE, Object((self.catalog.database, self.catalog.schema(name)), "schema"))
        state = self.state
        self.state = replace(state, default_schema=name)
        self.making_schema = name
        self.body(node.statements)
        self.state, self.making_schema = state, ""

    # ── DROP ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drop(self, node: n.Drop) -> None:
        """Read DROP."""
        kind = node.kind.upper()
        if kind in _OBJECTS or kind.endswith("INDEX"):
            for name in node.names:
                self._drop_object(kind, name, node)
            return
        known = DEFINED.get(kind)
        if known is None:
            self.concede(f"it drops a kind of thing that Blastwall does not know ({kind})")
            return
        for target in self._defined(known, node.names):
            self.effect(Action.DROP, target)
            if known.actions and known.actions != (Action.DEFINE,):
                for action in known.actions:
                    self.effect(action, target)

    def _drop_object(self, kind: str, name: n.ObjectName, node: n.Drop) -> None:
        part = kind.endswith("INDEX") or kind == "STATISTICS"
        if part:
            parts = node.on.texts if node.on is not None else name.texts[:-1]
            target = self.resolved(parts or name.texts)
        else:
            target = self._unfollowed(name, _OBJECTS[kind])
            own = self.state.default_schema
            reveals = own != "dbo" and self.catalog.fold(target.schema) == self.catalog.fold(own)
            if kind == "SYNONYM" or (reveals and self.catalog.knows("dbo", target.name)):
                self.unsettle(target.schema, target.name)
        if target.temporary:
            self.connect()
            self.dropped.add(target.temporary)
            return
        self.effect(Action.DROP, target.object)
        if not part:
            self.makes(Defined(What.DROPPED, target.schema, target.name, certain=not node.if_exists))
        if kind == "TRIGGER":
            self.effect(Action.ENTITLE, target.object)

    def _unfollowed(self, name: n.ObjectName, kind: str) -> Target:
        if kind != "synonym":
            return self.named(name, kind)
        return self.created(name, kind)

    def switch_trigger(self, node: n.TriggerSwitch) -> None:
        """Read ENABLE and DISABLE TRIGGER: triggers guard a table."""
        if node.on is None:
            self.effect(Action.ADMIN, self.database)
            self.effect(Action.ENTITLE, self.database)
            self.makes(Defined(What.DOUBTED, "", ""))
            return
        target = self.target(node.on)
        self.effect(Action.DEFINE, target.object)
        self.effect(Action.ENTITLE, target.object)
        self.makes(Defined(What.DOUBTED, target.schema, target.name))
        if node.verb == "ENABLE":
            self._wake(target.relation)

    def _wake(self, relation: Relation | None) -> None:
        """Who enables a table's triggers is judged as if they fired: they may before the catalog tells."""
        for trigger in self.catalog.disabled_triggers(relation.id) if relation is not None else ():
            self.apply(self.summary(trigger, dict.fromkeys(("inserted", "deleted"), self.changed_rows(relation))), {})

    # ── GRANT and its kin ────────────────────────────────────────────────────────────────────────────────────────────

    def entitlement(self, node: n.Entitlement) -> None:
        """Read GRANT, DENY and REVOKE."""
        kind = node.kind.upper()
        if node.securable is None or kind in {"DATABASE", "SERVER"}:
            self.effect(Action.ENTITLE, self.database)
        elif kind == "SCHEMA":
            self.effect(Action.ENTITLE, self._schema(node.securable.last))
        elif kind in _OBJECTS:
            self.effect(Action.ENTITLE, self.target(node.securable, _OBJECTS[kind]).object)
        elif kind in DEFINED:
            for target in self._defined(DEFINED[kind], (node.securable,)):
                self.effect(Action.ENTITLE, target)
        else:
            self.effect(Action.ENTITLE, self.database)
        for principal in node.principals:
            self.effect(Action.ENTITLE, self.role(principal.text))

    def _schema(self, name: str) -> Object:
        return Object((self.catalog.database, self.catalog.schema(name)), "schema")

    # ── whatever has no node of its own ──────────────────────────────────────────────────────────────────────────────

    def definition(self, node: n.Definition) -> None:
        """Read a definition that is known by its kind."""
        kind = node.kind.upper()
        known = DEFINED.get(kind)
        self._literals(node.literals, secret=known is None or kind in SECRET_KINDS)
        if known is None:
            self.concede(f"it defines a kind of thing that Blastwall does not know ({node.verb} {kind})")
            return
        targets = self._defined(known, node.names)
        for target in targets:
            for action in known.actions:
                self.effect(action, target)
            if node.verb.upper() == "DROP":
                self.effect(Action.DROP, target)
        self._particulars(kind, node, targets)

    def _literals(self, literals: Iterable[n.Constant], *, secret: bool) -> None:
        self.secret(True) if secret else None
        for one in literals:
            self.literal(one)
        self.secret(False) if secret else None

    def _defined(self, known: Kind, names: Sequence[n.ObjectName]) -> list[Object]:
        listed = [name.last for name in names] or ["unknown"]
        match known.folder:
            case "":
                return [self.database]
            case "object":
                return [self.created(name, known.kind).object for name in names] or [self.database]
            case "schema":
                return [self._schema(name) for name in listed]
            case "database" if not names:
                return [self.database]
            case "database":
                return [
                    Object((self.catalog.databases.get(self.catalog.fold(name), name),), "database") for name in listed
                ]
            case folder:
                return [self.pseudo(folder, name, known.kind) for name in listed]

    def _particulars(  # noqa: C901 - one case a kind of definition
        self, kind: str, node: n.Definition, targets: Sequence[Object]
    ) -> None:
        words = set(node.words)
        if kind in {"USER", "LOGIN", "ROLE", "SERVER ROLE", "APPLICATION ROLE"}:
            for related in node.related:
                if related.last.upper() not in _OPTIONS:
                    self.effect(Action.ENTITLE, self.role(related.last))
            if "DEFAULT_SCHEMA" in words and node.verb.upper() == "ALTER":
                self.settings.setdefault("user", set()).add("?")  # it may be the session's own: names need their schema
        elif kind == "SCHEMA" and node.verb.upper() == "ALTER":
            for related in node.related:
                moved = self.named(related)
                self.effect(Action.DEFINE, moved.object)
                self.effect(Action.ADMIN, moved.object)
                self.renames.add((moved.schema, moved.name))
                self.unsettle(moved.schema, moved.name)
                for name in node.names:
                    self.unsettle(name.last, moved.name)
        elif kind == "AUTHORIZATION":
            for related in node.related:
                self.effect(Action.ENTITLE, self.role(related.last))
        elif kind == "QUEUE" and "ACTIVATION" in words:
            for target in targets:
                self.effect(Action.ENTITLE, target)
        elif kind == "DATABASE" and words & {"FOR", "ATTACH", "COPY", "FILENAME"} and node.verb.upper() == "CREATE":
            self.effect(Action.ADMIN, self.database)

    def utility(self, node: n.Utility) -> None:
        """Read BACKUP, DBCC, KILL and their like."""
        verb = node.verb.upper()
        if verb == "DBCC":
            self._dbcc(node)
            return
        self._literals(node.literals, secret=verb in {"OPEN", "BACKUP", "RESTORE"})
        for variable in node.variables:
            self.send_on(self.variable(variable.name))
            self.constants[variable.name.lower()] = None
            self.filter_by(self.flow.read(variable.name.lower()))
        if verb in {"BACKUP", "RESTORE"}:
            self._backup(verb, node)
            return
        if verb in {"OPEN", "CLOSE"}:
            self.effect(Action.REVEAL, self.pseudo("keys", _first(node.names), "pseudo")) if verb == "OPEN" else None
            self.connect()
            return
        if verb in {"RECEIVE", "GET", "SEND", "MOVE", "END", "BEGIN"}:
            self._broker(verb, node)
            return
        actions = UTILITIES.get(verb)
        if actions is None:
            self.concede(f"it is a statement that Blastwall cannot place ({verb} {node.kind})".replace(" )", ")"))
            return
        self._utility_on(verb, node, actions)

    def _utility_on(self, verb: str, node: n.Utility, actions: Sequence[Action]) -> None:
        target = self.database
        if verb == "UPDATE STATISTICS" and node.names:
            named = self.target(node.names[0])
            if named.temporary:
                self.connect()
                return
            target = named.object
        for action in actions:
            self.effect(action, target)

    def _backup(self, verb: str, node: n.Utility) -> None:
        files = [literal.text for literal in node.literals if literal.kind in {"STRING", "NATIONAL"}]
        keys = {"CERTIFICATE", "KEY"} & set(node.words) or any(word in node.kind for word in ("CERTIFICATE", "KEY"))
        self.effect(Action.REVEAL if keys else Action.EXPORT, self.database)
        for name in (files[:16] if not keys else []) or ["unknown"]:  # a key's literals may be passwords
            self.effect(Action.EXPORT if verb == "BACKUP" else Action.READ, self.file(name))
        if verb == "RESTORE":
            self.effect(Action.ADMIN, self.database)
            self.effect(Action.DROP, self.database)
            self.results_open = True

    def _broker(self, verb: str, node: n.Utility) -> None:
        """Service Broker: messages leave the database, and queues hold whatever was put into them."""
        name = _first(node.names)
        self.effect(Action.EXECUTE, self.pseudo("services", name, "pseudo"))
        if verb in {"RECEIVE", "GET"}:
            self.results.append(ResultSet(None))
            for variable in node.variables:
                self.flow.store(variable.name.lower(), None)
        if verb == "SEND":
            self.effect(Action.EXPORT, self.pseudo("services", name, "pseudo"))

    def _dbcc(self, node: n.Utility) -> None:
        command = node.kind.upper().removeprefix("DBCC").strip().split(" ")[0] or "UNKNOWN"
        self._literals(node.literals, secret=False)
        self.harmless_others = True
        if command in HARMLESS_DBCC:
            self.connect()
            return
        self.effect(Action.ADMIN, self.database)
        self._dbcc_table(command, node)
        if command in TELLING_DBCC:
            self.filters_unknown = self.results_open = True

    def _dbcc_table(self, command: str, node: n.Utility) -> None:
        if command not in {"SHOW_STATISTICS", "CHECKIDENT"}:
            return
        text = node.literals[0].text if node.literals else _first(node.names)
        parts = split_name(text) or (text,)
        target = self.resolved(parts)
        if command == "CHECKIDENT":
            self.effect(Action.DEFINE, target.object)
        else:
            self.read(target)


def verb_checks(change: n.TableChange) -> bool:
    """Whether a change of a table checks the rows that are in it."""
    return change.verb in {"ADD", "ALTER COLUMN"}


def _names_in(element: n.TableElement) -> Sequence[str]:
    if isinstance(element, n.ColumnDefinition):
        return (element.name.text,)
    return [column.text for column in element.columns]


def _first(names: Sequence[n.ObjectName]) -> str:
    return names[0].last if names else "unknown"
