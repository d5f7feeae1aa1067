"""DROP, GRANT, administration, and whatever defines something else than a table: the effects of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from blastwall.model.effects import Action, Object
from blastwall.model.statement import SOME, Column
from blastwall.sql.lineage import Lineage, union
from blastwall.sql.postgres.catalog import TEMPORARY
from blastwall.sql.postgres.databases import must_be_free
from blastwall.sql.postgres.deciding import defined_over, references
from blastwall.sql.postgres.names import Target
from blastwall.sql.postgres.objects import role_name
from blastwall.sql.postgres.pending import operator_classes
from blastwall.sql.postgres.tables import Tables, anything
from blastwall.sql.postgres.tree import Node, body, descendants, flag, items, sub, text, unwrap, words

_WITH_CHILDREN = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})
_COLUMNS: frozenset[str] = frozenset({"OBJECT_COLUMN", "OBJECT_ATTRIBUTE"})
_IN_RELATIONS = _COLUMNS | {"OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY"}
_ROUTINE_KINDS = frozenset({"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE"})
_CALLS = frozenset({"OBJECT_OPERATOR", "CreateOpClassStmt", "AlterOpFamilyStmt", "CreateRangeStmt"})
"""Definitions after which ordinary statements call a function without naming it."""
_DROPS_ENTITLE = frozenset({"OBJECT_POLICY", "OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_EVENT_TRIGGER", "OBJECT_ROLE"})

DEFINES: dict[str, tuple[str, str]] = {
    "AlterCollationStmt": ("collname", "type"),
    "AlterEnumStmt": ("typeName", "type"), "AlterOpFamilyStmt": ("opfamilyname", "type"),
    "AlterStatsStmt": ("defnames", "type"), "AlterTSConfigurationStmt": ("cfgname", "type"),
    "AlterTSDictionaryStmt": ("dictname", "type"), "AlterTypeStmt": ("typeName", "type"),
    "CreateConversionStmt": ("conversion_name", "type"), "CreateDomainStmt": ("domainname", "type"),
    "CreateEnumStmt": ("typeName", "type"), "CreateOpClassStmt": ("opclassname", "type"),
    "CreateOpFamilyStmt": ("opfamilyname", "type"), "CreateRangeStmt": ("typeName", "type"),
    "CreateStatsStmt": ("defnames", "type"), "DefineStmt": ("defnames", "type"),
}  # fmt: skip
"""Statements that define what their field names."""

NAMED: dict[str, tuple[tuple[Action, ...], str, str, str]] = {
    "CreateExtensionStmt": ((Action.DEFINE, Action.EXECUTE), "extname", "extensions", "extension"),
    "AlterExtensionStmt": ((Action.DEFINE, Action.EXECUTE), "extname", "extensions", "extension"),
    "AlterExtensionContentsStmt": ((Action.DEFINE, Action.ADMIN), "extname", "extensions", "extension"),
    "CreateFdwStmt": ((Action.DEFINE, Action.EXECUTE), "fdwname", "servers", "server"),
    "AlterFdwStmt": ((Action.DEFINE, Action.EXECUTE), "fdwname", "servers", "server"),
    "CreateForeignServerStmt": ((Action.DEFINE, Action.EXPORT), "servername", "servers", "server"),
    "AlterForeignServerStmt": ((Action.DEFINE, Action.EXPORT), "servername", "servers", "server"),
    "CreateUserMappingStmt": ((Action.ENTITLE, Action.EXPORT), "servername", "servers", "server"),
    "AlterUserMappingStmt": ((Action.ENTITLE, Action.EXPORT), "servername", "servers", "server"),
    "DropUserMappingStmt": ((Action.ENTITLE, Action.DROP), "servername", "servers", "server"),
    "ImportForeignSchemaStmt": ((Action.DEFINE, Action.EXPORT), "server_name", "servers", "server"),
    "CreatePublicationStmt": ((Action.ADMIN, Action.EXPORT), "pubname", "publications", "publication"),
    "AlterPublicationStmt": ((Action.ADMIN, Action.EXPORT), "pubname", "publications", "publication"),
    "CreateSubscriptionStmt": ((Action.ADMIN, Action.EXPORT), "subname", "publications", "publication"),
    "AlterSubscriptionStmt": ((Action.ADMIN, Action.EXPORT), "subname", "publications", "publication"),
    "DropSubscriptionStmt": ((Action.ADMIN, Action.DROP), "subname", "publications", "publication"),
    "CreatePLangStmt": ((Action.DEFINE, Action.EXECUTE), "plname", "languages", "language"),
    "CreateAmStmt": ((Action.DEFINE, Action.EXECUTE), "amname", "methods", "pseudo"),
    "CreateEventTrigStmt": ((Action.ADMIN, Action.DEFINE, Action.EXECUTE), "trigname", "triggers", "pseudo"),
    "AlterEventTrigStmt": ((Action.ADMIN, Action.ENTITLE), "trigname", "triggers", "pseudo"),
    "CreateTableSpaceStmt": ((Action.ADMIN, Action.DEFINE), "tablespacename", "tablespaces", "pseudo"),
    "DropTableSpaceStmt": ((Action.ADMIN, Action.DROP), "tablespacename", "tablespaces", "pseudo"),
    "AlterTableSpaceOptionsStmt": ((Action.ADMIN,), "tablespacename", "tablespaces", "pseudo"),
    "AlterTableMoveAllStmt": ((Action.ADMIN,), "orig_tablespacename", "tablespaces", "pseudo"),
    "CreateRoleStmt": ((Action.ENTITLE,), "role", "roles", "role"),
    "LoadStmt": ((Action.EXECUTE,), "filename", "files", "file"),
    "NotifyStmt": ((Action.EXECUTE,), "conditionname", "channels", "pseudo"),
}
"""Statements about things that live in no schema: actions, the field with the name, pseudo-schema and kind."""

DATABASES: dict[str, tuple[Action, ...]] = {
    "CreatedbStmt": (Action.DEFINE, Action.ADMIN), "DropdbStmt": (Action.DROP,), "AlterDatabaseStmt": (Action.ADMIN,),
    "AlterDatabaseRefreshCollStmt": (Action.ADMIN,), "AlterDatabaseSetStmt": (Action.ADMIN,),
}  # fmt: skip
HARMLESS = frozenset({"ConstraintsSetStmt", "ListenStmt", "UnlistenStmt"})


class Definitions(Tables):
    """Reads data definition, privileges and administration."""

    def define(self, tag: str, node: Node) -> bool:
        """Read a statement of this family; return False where its type is not one."""
        reader, called = _READERS.get(tag), set(self.called)
        if reader is not None:
            reader(self, node)
        elif tag in DEFINES:
            self._define(tag, node)
        elif tag in NAMED:
            actions, field, folder, kind = NAMED[tag]
            self._each(actions, [self.pseudo(folder, text(node, field), kind)])
            self._published(node)
            if tag == "AlterTableMoveAllStmt":
                self.effect(Action.DEFINE, self.database)  # whatever is kept there is written anew
        elif tag in DATABASES:
            self._each(DATABASES[tag], [Object((text(node, "dbname"),), "database")])
        elif tag in HARMLESS:
            self.connect()
        else:
            return False
        self.frees = must_be_free(tag, node)
        before, self.told = self.told, frozenset()
        self.sweep(node, anything())
        self.send_on(self.told)  # defaults store what code tells, checks and policies decide by it
        self.told = union([Lineage(before), Lineage(self.told)]).sources
        for named in operator_classes(node):
            self.cast_to(named)
        self._evaluated(node)
        self.pend(tag, node, called)
        return True

    def _evaluated(self, node: Node) -> None:
        """Keys, checks, predicates and policies are evaluated over a table's rows: the definition fails by them."""
        own = (sub(node, "relation") or sub(node, "table"), tuple(defined_over(node)))
        referred = [(table, names or (SOME,)) for table, names in references(node)]
        for table, names in (own, *referred) if text(own[0], "relname") else referred:
            for target in self.targets(table) if names else ():
                database = self.catalog.database
                self.filters.update(Column(database, target.schema, target.name, name) for name in names)

    def _published(self, node: Node) -> None:
        for tag, inner in descendants(items(node, "pubobjects")):
            if tag != "PublicationObjSpec":
                continue
            table = sub(inner, "pubtable")
            if table:
                self._each((Action.EXPORT,), self.relation(table))
                self._family(self.targets(sub(table, "relation")), Action.EXPORT)
            elif text(inner, "pubobjtype") == "PUBLICATIONOBJ_TABLES_IN_CUR_SCHEMA":
                named = {made.path[1] for made in self.created(("any",), "table")}
                self._each(
                    (Action.EXPORT,), (Object((self.catalog.database, name), "schema") for name in sorted(named))
                )
            else:
                self.effect(Action.EXPORT, Object((self.catalog.database, text(inner, "name")), "schema"))

    def domain(self, node: Node) -> None:
        """Read ALTER DOMAIN."""
        self._each((Action.DEFINE,), self._defined(node, "typeName", "type"))
        self.alter_domain(node)

    def _define(self, tag: str, node: Node) -> None:
        targets = self._defined(node, *DEFINES[tag])
        aggregate = text(node, "kind") == "OBJECT_AGGREGATE"
        name = words(items(node, "defnames"))[-1:]
        for relation in items(node, "relations") if tag == "CreateStatsStmt" else ():
            self._each((Action.DEFINE,), self.relation_objects(relation, (), "table"))
        hidden = tag in _CALLS or text(node, "kind") in _CALLS or (aggregate and self.stands_in("".join(name)))
        self._each((Action.DEFINE, Action.ENTITLE) if hidden else (Action.DEFINE,), targets)
        for target in targets if aggregate and flag(node, "replace") else ():
            self.keeps_of_code((target.path[1], target.path[2]))

    def _defined(self, node: Node, field: str, kind: str) -> list[Object]:
        if text(node, "kind") in {"OBJECT_AGGREGATE", "OBJECT_OPERATOR"}:
            kind = "function"
        return self.created(words(items(node, field)), kind)

    def create_schema(self, node: Node) -> None:
        """Read CREATE SCHEMA with its elements."""
        for name in [text(node, "schemaname")] if text(node, "schemaname") else self._own_schema(sub(node, "authrole")):
            self.effect(Action.DEFINE, Object((self.catalog.database, name), "schema"))
            if "authrole" in node:
                self.effect(Action.ENTITLE, Object((self.catalog.database, name), "schema"))
            for element in items(node, "schemaElts"):
                tag, inner = unwrap(element)
                self.statement(tag, _in_schema(inner, name))

    def _own_schema(self, role: Node) -> list[str]:
        """AUTHORIZATION alone names the schema after the role; CURRENT_USER and its kin are one of the session's."""
        named = text(role, "rolename")
        return [named] if named else sorted({self.state.user, *self.state.users})

    # ── functions, casts ─────────────────────────────────────────────────────────────────────────────────────────────

    def alter_function(self, node: Node) -> None:
        """Read ALTER FUNCTION: SECURITY DEFINER and SET change whose rights and names it runs with."""
        targets = self.routine_objects(words(items(sub(node, "func"), "objname")))
        self._each((Action.DEFINE, Action.ENTITLE), targets)
        for target in targets:
            self.keeps_of_code((target.path[1], target.path[2]))

    def cast(self, node: Node) -> None:
        """Read CREATE CAST and CREATE TRANSFORM: they make ordinary statements run functions."""
        name = ".".join(words(items(sub(node, "sourcetype") or sub(node, "type_name"), "names")))
        self._each((Action.DEFINE, Action.ENTITLE), [self.pseudo("casts", name, "pseudo")])

    def alter_operator(self, node: Node) -> None:
        """Read ALTER OPERATOR."""
        self._each((Action.DEFINE,), self.routine_objects(words(items(sub(node, "opername"), "objname"))))

    # ── any kind of object ───────────────────────────────────────────────────────────────────────────────────────────

    def drop(self, node: Node) -> None:
        """Read DROP."""
        kind = text(node, "removeType")
        for item in items(node, "objects"):
            targets = self.named(kind, item)
            self._each((Action.DROP, Action.ENTITLE) if kind in _DROPS_ENTITLE else (Action.DROP,), targets)
            if kind in _WITH_CHILDREN:
                self._family(self.relations(self.parts_of(item)), Action.DROP)
            if text(node, "behavior") == "DROP_CASCADE":
                self.cascade(kind, item)

    def truncate(self, node: Node) -> None:
        """Read TRUNCATE."""
        cascade = text(node, "behavior") == "DROP_CASCADE"
        for item in items(node, "relations"):
            self._each((Action.DROP,), self.relation_objects(item, (), "table"))
            for target in self.targets(body(item, "RangeVar")):
                self.touch(target, Action.DROP)
                for relation in self.standing(target) if cascade else ():
                    self.follow(self.follower.truncated(relation))

    def comment(self, node: Node) -> None:
        """Read COMMENT."""
        self._each((Action.DEFINE,), self.named(text(node, "objtype"), sub(node, "object")))

    def label(self, node: Node) -> None:
        """Read SECURITY LABEL: label providers decide who sees what."""
        self._each((Action.ENTITLE,), self.named(text(node, "objtype"), sub(node, "object")))

    def rename(self, node: Node) -> None:
        """Read ALTER … RENAME: a name that policy or masking rules on will mean another thing."""
        kind = text(node, "renameType")
        if "relation" in node:
            targets = self.relation(node)
            if kind in _COLUMNS:
                self._columns_renamed(self.targets(sub(node, "relation")))
            elif kind not in _IN_RELATIONS:
                self._renamed(sub(node, "relation"))
                if any(target.schema.startswith(TEMPORARY) for target in self.targets(sub(node, "relation"))):
                    self.temporary(text(node, "newname"))
        elif kind in {"OBJECT_SCHEMA", "OBJECT_DATABASE", "OBJECT_ROLE", "OBJECT_TABLESPACE"}:
            targets = self.named(kind, {"String": {"sval": text(node, "subname")}})
        else:
            targets = self.named(kind, sub(node, "object"))
        if kind == "OBJECT_SCHEMA":
            self.renames.add((text(node, "subname"), ""))
            self._each((Action.ENTITLE,), targets)
        self._each((Action.ENTITLE,) if kind == "OBJECT_ROLE" else (Action.DEFINE,), targets)
        if kind not in _IN_RELATIONS:
            renamed = [Object((*target.path[:-1], text(node, "newname")), target.kind) for target in targets]
            self._each((Action.ENTITLE,) if kind == "OBJECT_ROLE" else (Action.DEFINE,), renamed)
        if kind in _ROUTINE_KINDS:
            self._routine_named(text(node, "newname"), targets)

    def _columns_renamed(self, targets: list[Target]) -> None:
        """Columns of heirs, partitions and typed tables go by the new name as well."""
        self.renames.update((target.schema, target.name) for target in targets)
        for target in targets:
            self.rename_attribute((target.schema, target.name))
            heirs = self.with_heirs(self.standing(target))
            self.renames.update((relation.schema, relation.name) for relation in heirs)
        self._family(targets, Action.DEFINE)

    def _routine_named(self, name: str, targets: list[Object]) -> None:
        self.function_made(name)
        if self.stands_in(name):
            self._each((Action.ENTITLE,), targets)

    def move(self, node: Node) -> None:
        """Read ALTER … SET SCHEMA and … DEPENDS ON EXTENSION."""
        kind = text(node, "objectType")
        targets = self.relation(node) if "relation" in node else self.named(kind, sub(node, "object"))
        self._each((Action.DEFINE,), targets)
        if "relation" in node and "newschema" in node:
            self._renamed(sub(node, "relation"))
        elif kind in _ROUTINE_KINDS and targets:
            self._routine_named(targets[0].path[-1], targets)
        if "newschema" in node:
            self.effect(Action.DEFINE, Object((self.catalog.database, text(node, "newschema")), "schema"))

    def owner(self, node: Node) -> None:
        """Read ALTER … OWNER TO."""
        kind = text(node, "objectType")
        targets = self.relation(node) if "relation" in node else self.named(kind, sub(node, "object"))
        self._each((Action.ENTITLE,), [*targets, self.pseudo("roles", role_name(sub(node, "newowner")), "role")])

    # ── privileges ───────────────────────────────────────────────────────────────────────────────────────────────────

    def grant(self, node: Node) -> None:
        """Read GRANT and REVOKE on objects."""
        kind = text(node, "objtype")
        if text(node, "targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
            kind = "OBJECT_SCHEMA"
        for item in items(node, "objects"):
            self._each((Action.ENTITLE,), self.named(kind, item))
        self._each((Action.ENTITLE,), self.roles(items(node, "grantees")))

    def grant_role(self, node: Node) -> None:
        """Read GRANT and REVOKE of roles."""
        self._each((Action.ENTITLE,), self.roles([*items(node, "granted_roles"), *items(node, "grantee_roles")]))

    def default_privileges(self, node: Node) -> None:
        """Read ALTER DEFAULT PRIVILEGES."""
        self.effect(Action.ENTITLE, self.database)
        self._each((Action.ENTITLE,), self.roles(items(sub(node, "action"), "grantees")))

    def alter_role(self, node: Node) -> None:
        """Read ALTER ROLE in its forms."""
        self._each((Action.ENTITLE,), [self.pseudo("roles", role_name(sub(node, "role")), "role")])

    def several_roles(self, node: Node) -> None:
        """Read DROP ROLE, DROP OWNED and REASSIGN OWNED."""
        targets = self.roles(items(node, "roles"))
        self._each((Action.ENTITLE, Action.DROP) if "newrole" not in node else (Action.ENTITLE,), targets)
        if "behavior" in node:
            self.effect(Action.DROP, self.database)
        if "newrole" in node:
            self._each((Action.DEFINE, Action.ENTITLE), [self.database])  # whatever they own in it
            self._each((Action.ENTITLE,), [self.pseudo("roles", role_name(sub(node, "newrole")), "role")])

    # ── administration ───────────────────────────────────────────────────────────────────────────────────────────────

    def maintain(self, node: Node) -> None:
        """Read VACUUM, ANALYZE, CLUSTER, REINDEX and LOCK."""
        targets = self.relation(node)
        if text(node, "kind") == "REINDEX_OBJECT_INDEX":
            targets = [self.object(target, "index") for target in self.targets(sub(node, "relation"))]
        self._computed(self.targets(sub(node, "relation")) if targets else ())
        for item in [*items(node, "rels"), *items(node, "relations")]:
            inner = body(item, "VacuumRelation")
            targets += self.relation(inner) if inner else self.relation_objects(item, (), "table")
            named = sub(inner, "relation") if inner else body(item, "RangeVar")
            self._computed(self.targets(named) if named else ())
            self._family(self.targets(named) if named else (), Action.ADMIN)
            self._locked_below(self.targets(named) if named else ())
        if not targets:
            self.follow(self.follower.all_code())
        self._each((Action.ADMIN,), targets or [self.database])

    def _locked_below(self, targets: Iterable[Target]) -> None:
        """LOCK of a view locks all that its query reads, through views below it (lockcmds.c, LockViewRecurse)."""
        for target in targets:
            if target.relation is not None and target.relation.kind == "v":
                below = self.follower.view(target.relation)
                self.follow(effect for effect in below if effect.action is Action.UNCLASSIFIED)
                self.follow(replace(effect, action=Action.ADMIN) for effect in below if effect.action is Action.READ)

    def load_server_code(self, node: Node) -> None:
        """Read CHECKPOINT and what else concerns the whole server."""
        self.effect(Action.ADMIN, self.database)


def _in_schema(node: Node, schema: str) -> Node:
    """Elements of CREATE SCHEMA are made in that schema."""
    qualified = dict(node)
    for key in ("relation", "view", "sequence"):
        relation = sub(node, key)
        if relation and not text(relation, "schemaname"):
            qualified[key] = {**relation, "schemaname": schema}
    return qualified


Reader = Callable[[Definitions, Node], object]
_READERS: dict[str, Reader] = {
    "AlterDefaultPrivilegesStmt": Definitions.default_privileges, "AlterDomainStmt": Definitions.domain,
    "AlterFunctionStmt": Definitions.alter_function,
    "AlterObjectDependsStmt": Definitions.move, "AlterObjectSchemaStmt": Definitions.move,
    "AlterOperatorStmt": Definitions.alter_operator, "AlterOwnerStmt": Definitions.owner,
    "AlterPolicyStmt": Definitions.policy, "AlterRoleSetStmt": Definitions.alter_role,
    "AlterRoleStmt": Definitions.alter_role, "AlterSeqStmt": Definitions.sequence,
    "AlterTableStmt": Definitions.alter_table, "CheckPointStmt": Definitions.load_server_code,
    "ClusterStmt": Definitions.maintain, "CommentStmt": Definitions.comment,
    "CompositeTypeStmt": Definitions.composite, "CreateCastStmt": Definitions.cast,
    "CreateForeignTableStmt": Definitions.create_table, "CreatePolicyStmt": Definitions.policy,
    "CreateSchemaStmt": Definitions.create_schema,
    "CreateSeqStmt": Definitions.sequence, "CreateStmt": Definitions.create_table,
    "CreateTransformStmt": Definitions.cast, "CreateTrigStmt": Definitions.create_trigger,
    "DropOwnedStmt": Definitions.several_roles, "DropRoleStmt": Definitions.several_roles,
    "DropStmt": Definitions.drop, "GrantRoleStmt": Definitions.grant_role, "GrantStmt": Definitions.grant,
    "IndexStmt": Definitions.on_relation, "LockStmt": Definitions.maintain,
    "ReassignOwnedStmt": Definitions.several_roles, "RefreshMatViewStmt": Definitions.on_relation,
    "ReindexStmt": Definitions.maintain, "RenameStmt": Definitions.rename, "RuleStmt": Definitions.create_rule,
    "SecLabelStmt": Definitions.label, "TruncateStmt": Definitions.truncate, "VacuumStmt": Definitions.maintain,
}  # fmt: skip
