"""What each definition hangs on relations, functions and types before the catalog is read again; see `hanging`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from blastwall.model.effects import Action
from blastwall.sql.postgres.cascading import Cascading
from blastwall.sql.postgres.hanging import (
    ANY_DEFINITION,
    ANY_STATEMENT,
    MAX_DEFINITION,
    OPERATORS,
    Hung,
    Place,
    Touch,
    function_place,
)
from blastwall.sql.postgres.tree import Node, body, descendants, items, options, scalar, sub, text, words

_NOTHING = Hung("", "")
_READ = frozenset({Action.READ, Action.UPDATE, Action.DELETE})
_ROWS = frozenset({Action.READ, Action.CREATE, Action.UPDATE, Action.DELETE})
_EVENTS = {"CMD_SELECT": Action.READ, "CMD_INSERT": Action.CREATE, "CMD_UPDATE": Action.UPDATE,
           "CMD_DELETE": Action.DELETE}  # fmt: skip
_CASCADING = {"c": Action.DELETE, "n": Action.UPDATE, "d": Action.UPDATE}
_WAKING = ("EnableTrig", "EnableAlwaysTrig", "EnableReplicaTrig", "EnableRule", "EnableAlwaysRule", "EnableReplicaRule")
_JOINING = frozenset({"AT_AttachPartition", "AT_AddInherit"})
_ROUTINES = frozenset({"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE"})
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})
_ANYWHERE = frozenset(
    {"AlterDomainStmt", "AlterEventTrigStmt", "AlterOpFamilyStmt", "AlterOperatorStmt", "AlterTypeStmt",
     "CreateCastStmt", "CreateEventTrigStmt", "CreateDomainStmt", "CreateOpClassStmt", "CreateRangeStmt",
     "CreateTransformStmt", "DefineStmt"}
)  # fmt: skip
"""Definitions after which code may run in statements that name nothing of it."""


class Pending(Cascading):
    """Reads off a definition what touching what it defines sets off from now on."""

    def pend(self, tag: str, node: Node, called: set[Place]) -> None:
        """Hang what a definition leaves; `called` are functions that were called by what stood before it."""
        calls = frozenset(self.called - called)
        match tag:
            case "CreateStmt" | "CreateForeignTableStmt":
                self._pend_table(sub(node, "base") or node, calls)
            case "AlterTableStmt":
                self._pend_alteration(node, calls)
            case "CreateTrigStmt" | "IndexStmt":
                what = Hung("", "", calls=calls, runs=self._of_types(node), reading=tag == "IndexStmt")
                self._hang(self._places(sub(node, "relation")), what)
            case "CreatePolicyStmt" | "AlterPolicyStmt":
                self._hang(self._places(sub(node, "table")), Hung("", "", calls=calls, reading=True))
            case "RuleStmt":
                self._pend_rule(node, calls)
            case "RenameStmt":
                self._pend_name(text(node, "renameType"), node, new=text(node, "newname"))
            case "AlterObjectSchemaStmt":
                self._pend_name(text(node, "objectType"), node, schema=text(node, "newschema"))
            case "AlterFunctionStmt":
                self._pend_function(node)
            case _ if tag in _ANYWHERE:
                self._pend_anywhere(tag, node, calls)
        self._pend_keys(node)

    def _hang(self, places: Iterable[Place], what: Hung) -> None:
        if replace(what, reading=False) != _NOTHING:
            self.hung.update(replace(what, schema=schema, name=name) for schema, name in places)

    def _places(self, relation: Node) -> list[Place]:
        return [(target.schema, target.name) for target in self.targets(relation)] if relation else []

    def _made(self, relation: Node) -> list[Place]:
        """The places that a CREATE makes."""
        temporary = text(relation, "relpersistence") == "t" or text(relation, "schemaname").startswith("pg_temp")
        parts = tuple(part for part in (text(relation, "schemaname"), text(relation, "relname")) if part)
        if text(relation, "schemaname").startswith("pg_temp"):
            parts = parts[-1:]
        return [(made.path[1], made.path[2]) for made in self.created(parts, "table", temporary)]

    # ── relations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pend_table(self, node: Node, calls: frozenset[Place]) -> None:
        parents = [place for parent in items(node, "inhRelations") for place in self._places(body(parent, "RangeVar"))]
        templates = [
            place
            for tag, inner in descendants(items(node, "tableElts"))
            if tag == "TableLikeClause"
            for place in self._places(sub(inner, "relation"))
        ]
        made = self._made(sub(node, "relation"))
        bears = frozenset((*parents, *templates))
        parted = "partspec" in node or "partbound" in node  # to leave out partitions, a query compares keys
        self._hang(made, Hung("", "", calls=calls, runs=self._of_types(node), bears=bears, reading=parted))
        self._hang(parents, Hung("", "", touches=frozenset(Touch("", "", *place) for place in made)))

    def _of_types(self, node: Node) -> frozenset[int]:
        """Code of the types that columns are declared with, and of the operator classes of keys."""
        named = [
            words(items(sub(inner, "typeName"), "names")) for tag, inner in descendants(node) if tag == "ColumnDef"
        ]
        named.append(words(items(sub(node, "ofTypename"), "names")))
        named.extend(operator_classes(node))
        return self._code_named(named)

    def _code_named(self, named: Iterable[tuple[str, ...]]) -> frozenset[int]:
        """Code of the types and operator classes of these names, whatever their schema."""
        known = self.catalog.attachments.types
        return frozenset(oid for parts in named if parts for oid in known.get(parts[-1], ()))

    def _pend_alteration(self, node: Node, calls: frozenset[Place]) -> None:
        places = self._places(sub(node, "relation"))
        kinds = [text(body(command, "AlterTableCmd"), "subtype") for command in items(node, "cmds")]
        wakes = any(word in kind for kind in kinds for word in _WAKING)
        self._hang(places, Hung("", "", calls=calls, runs=self._of_types(node), unknown=wakes, reading=wakes))
        for command in items(node, "cmds"):
            inner = body(command, "AlterTableCmd")
            if text(inner, "subtype") not in _JOINING:
                continue
            definition = sub(inner, "def")
            other = body(definition, "RangeVar") or sub(body(definition, "PartitionCmd"), "name")
            others = self._places(other)
            below, above = (others, places) if "Partition" in text(inner, "subtype") else (places, others)
            self._hang(above, Hung("", "", touches=frozenset(Touch("", "", *place) for place in below)))
            self._hang(below, Hung("", "", bears=frozenset(above)))

    def pend_view(self, view: Node, query: Node, called: set[Place]) -> None:
        """Hang what reading a view reads, and what writing to it writes to."""
        own = self._made(view)
        read = {Touch(on.value, Action.READ.value, *place) for place in self._touched({Action.READ}) for on in _READ}
        places = items(query, "fromClause")
        base = body(places[0], "RangeVar") if len(places) == 1 else {}
        written = {
            Touch(on.value, "", *place)
            for place in (self._places(base) if base else ())
            for on in _ROWS - {Action.READ}
        }
        calls = frozenset(self.called - called)
        self._hang(own, Hung("", "", touches=frozenset(read | written), calls=calls, reading=True))

    def _pend_rule(self, node: Node, calls: frozenset[Place]) -> None:
        on = _EVENTS.get(text(node, "event"), Action.READ).value
        touches = frozenset(Touch(on, action.value, *place) for action in _ROWS for place in self._touched({action}))
        self._hang(
            self._places(sub(node, "relation")), Hung("", "", touches=touches, calls=calls, reading=on == "read")
        )

    def _touched(self, actions: set[Action]) -> Iterator[Place]:
        for effect in self.all_effects():
            if effect.action in actions and len(effect.object.path) == 3 and not effect.object.path[1].startswith("@"):
                yield effect.object.path[1], effect.object.path[2]

    def _pend_keys(self, node: Node) -> None:
        """A foreign key that changes the referencing table with the referenced one."""
        referring = sub(node, "relation") or sub(sub(node, "base"), "relation")
        for tag, inner in descendants(node):
            if tag != "Constraint" or "pktable" not in inner:
                continue
            deleted = _CASCADING.get(text(inner, "fk_del_action"))
            updated = Action.UPDATE if text(inner, "fk_upd_action") in {"c", "n", "d"} else None
            own = [*self._places(referring), *self._made(referring)] if referring else []
            touches = {
                Touch(on.value, does.value, *place)
                for on, does in ((Action.DELETE, deleted), (Action.UPDATE, updated))
                if does is not None
                for place in own
            }
            self._hang(self._places(sub(inner, "pktable")), Hung("", "", touches=frozenset(touches)))

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pend_name(self, kind: str, node: Node, *, new: str = "", schema: str = "") -> None:
        """What was renamed or moved brings along what hangs on it."""
        parts = self.parts_of(sub(node, "object"))
        if kind == "OBJECT_SCHEMA":
            old_schema = text(node, "subname")
            self._hang([(new, "")], Hung("", "", like=frozenset({(old_schema, "")})))
            for sign in self.catalog.attachments.operators:
                self._pend_operator(sign, old_schema)
        elif kind == "OBJECT_OPERATOR" and parts:
            self._pend_operator(parts[-1])
        elif kind in _ROUTINES:
            for old in self._routines(parts):
                place = function_place(schema or old[0], new or old[1])
                self._hang([place], Hung("", "", calls=frozenset({old}), reading=True))
        elif kind in _TYPES and parts:
            runs = frozenset(self.catalog.attachments.types.get(parts[-1], ()))
            self._hang([ANY_STATEMENT], Hung("", "", runs=runs))
        elif "relation" in node and text(node, "renameType") not in {"OBJECT_COLUMN", "OBJECT_ATTRIBUTE"}:
            for old in self._places(sub(node, "relation")):
                self._hang([(schema or old[0], new or old[1])], Hung("", "", like=frozenset({old})))

    def _pend_operator(self, sign: str, schema: str = "") -> None:
        """An operator goes by another schema's name from now on."""
        known = self.catalog.attachments.operators.get(sign, ())
        runs = frozenset(one.function for one in known if schema in {"", one.schema})
        if runs:
            self._hang([(OPERATORS, sign)], Hung("", "", runs=runs, reading=True))

    def _routines(self, parts: tuple[str, ...]) -> list[Place]:
        return [(one.path[1], one.path[2]) for one in self.routine_objects(parts)] if parts else []

    # ── code ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def pend_definition(self, places: Iterable[Place], definition: str, given: Mapping[str, Node]) -> None:
        """Hang a function's text, to be read when it is called."""
        long = len(definition) > MAX_DEFINITION
        definer = scalar(given.get("security", {})) == "true"
        what = Hung("", "", definition="" if long else definition, definer=definer, unknown=long, reading=True)
        self._hang([function_place(*place) for place in places], what)

    def _pend_function(self, node: Node) -> None:
        """SECURITY DEFINER, and SET, by which the names in a body mean something else."""
        given = dict(options(items(node, "actions")))
        places = self._routines(words(items(sub(node, "func"), "objname")))
        what = Hung("", "", definer=scalar(given.get("security", {})) == "true", unknown="set" in given, reading=True)
        self._hang([function_place(*place) for place in places], what)

    def _pend_event_trigger(self, node: Node) -> None:
        """Its function runs with whatever is defined next; of a disabled one the catalog does not say which it is."""
        calls = frozenset(self.functions(words(items(node, "funcname")))) if "funcname" in node else frozenset()
        wakes = "funcname" not in node and text(node, "tgenabled") != "D"
        self._hang([ANY_DEFINITION], Hung("", "", calls=calls, unknown=wakes, reading=True))

    def _pend_anywhere(self, tag: str, node: Node, calls: frozenset[Place]) -> None:
        if tag.endswith("EventTrigStmt"):
            self._pend_event_trigger(node)
            return
        calls |= frozenset(self._functions_named(node))
        runs = self._code_named(_names_in(node))
        kind = text(node, "kind")
        name = words(items(node, "defnames"))
        if kind == "OBJECT_OPERATOR" or tag == "AlterOperatorStmt":
            sign = name or words(items(sub(node, "opername"), "objname"))
            self._hang([(OPERATORS, sign[-1] if sign else "")], Hung("", "", calls=calls, reading=True))
        elif kind == "OBJECT_AGGREGATE":
            places = [(made.path[1], made.path[2]) for made in self.created(name, "function")]
            self._hang([function_place(*one) for one in places], Hung("", "", calls=calls, runs=runs, reading=True))
        elif calls or runs:
            self._hang([ANY_STATEMENT], Hung("", "", calls=calls, runs=runs, reading=True))

    def _functions_named(self, node: Node) -> Iterator[Place]:
        for parts in _names_in(node):
            if parts:
                yield from self.functions(parts)


def operator_classes(node: Node) -> Iterator[tuple[str, ...]]:
    """Yield the names of the operator classes that keys of indexes, constraints and partitions are given."""
    for tag, inner in descendants(node):
        if tag in {"IndexElem", "PartitionElem"}:
            yield words(items(inner, "opclass"))


def _names_in(node: Node) -> Iterator[tuple[str, ...]]:
    """What may be functions' names in a definition that gives them as such."""
    named = [sub(node, key) for key in ("func", "fromsql", "tosql")]
    for tag, inner in descendants(node):
        if tag == "TypeName":
            yield words(items(inner, "names"))
        elif tag == "ObjectWithArgs":
            named.append(inner)
        elif tag == "CreateOpClassItem":
            named.append(sub(inner, "name"))
    yield from (words(items(one, "objname")) for one in named)
