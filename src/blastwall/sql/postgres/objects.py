"""The things that DROP, COMMENT, GRANT, ALTER … OWNER and their kin name."""

from __future__ import annotations

from blastwall.model.effects import Object
from blastwall.sql.postgres.routines import Routines
from blastwall.sql.postgres.tree import Node, items, scalar, sub, text, unwrap, words

_RELATIONS = {
    "TABLE": "table", "VIEW": "view", "MATVIEW": "view", "INDEX": "index", "SEQUENCE": "sequence",
    "FOREIGN_TABLE": "table",
}  # fmt: skip
_PARTS_OF_RELATIONS = frozenset({"COLUMN", "TABCONSTRAINT", "TRIGGER", "RULE", "POLICY", "ATTRIBUTE"})
_ROUTINES = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"})
_PSEUDO = {
    "ROLE": ("roles", "role"), "EXTENSION": ("extensions", "extension"), "LANGUAGE": ("languages", "language"),
    "FOREIGN_SERVER": ("servers", "server"), "FDW": ("servers", "server"), "USER_MAPPING": ("servers", "server"),
    "PUBLICATION": ("publications", "publication"), "SUBSCRIPTION": ("publications", "publication"),
    "PUBLICATION_REL": ("publications", "publication"), "PUBLICATION_NAMESPACE": ("publications", "publication"),
    "EVENT_TRIGGER": ("triggers", "pseudo"), "TABLESPACE": ("tablespaces", "pseudo"),
    "ACCESS_METHOD": ("methods", "pseudo"), "CAST": ("casts", "pseudo"), "TRANSFORM": ("casts", "pseudo"),
    "LARGEOBJECT": ("largeobjects", "pseudo"), "DEFACL": ("roles", "role"), "PARAMETER_ACL": ("settings", "setting"),
}  # fmt: skip
_TYPES = frozenset(
    """
    TYPE DOMAIN DOMCONSTRAINT COLLATION CONVERSION OPERATOR OPCLASS OPFAMILY STATISTIC_EXT TSCONFIGURATION
    TSDICTIONARY TSPARSER TSTEMPLATE AMOP AMPROC DEFAULT
    """.split()  # noqa: SIM905 - a word list reads better as words
)


class Objects(Routines):
    """Turns the names in utility statements into objects."""

    def named(self, object_type: str, node: Node) -> list[Object]:
        """Return the objects that a node names; concedes a kind that it does not know."""
        kind = object_type.removeprefix("OBJECT_")
        parts = self.parts_of(node)
        if kind in _RELATIONS:
            return self.relation_objects(node, parts, _RELATIONS[kind])
        if kind in _PARTS_OF_RELATIONS:
            return self.relation_objects(node, parts[:-1] if len(parts) > 1 else parts, "table")
        if kind in _ROUTINES:
            return self.routine_objects(parts)
        if kind == "SCHEMA":
            return [Object((self.catalog.database, parts[-1]), "schema")] if parts else []
        if kind == "DATABASE":
            return [Object((parts[-1],), "database")] if parts else []
        if kind in _PSEUDO:
            folder, what = _PSEUDO[kind]
            return [self.pseudo(folder, ".".join(parts), what)]
        if kind in _TYPES:
            return self.created(parts, "type")
        self.concede(f"it names a kind of object that Blastwall does not know ({kind.lower()})")
        return []

    def parts_of(self, node: Node) -> tuple[str, ...]:
        """Return the name in a node, in parts."""
        tag, inner = unwrap(node)
        match tag:
            case "List":
                return words(items(inner, "items"))
            case "ObjectWithArgs":
                return words(items(inner, "objname"))
            case "TypeName":
                return words(items(inner, "names"))
            case "RangeVar":
                return tuple(part for part in (text(inner, "schemaname"), text(inner, "relname")) if part)
            case "RoleSpec":
                return (role_name(inner),)
            case "AccessPriv":
                return (text(inner, "priv_name"),)
            case "":
                return tuple(part for part in (text(node, "schemaname"), text(node, "relname")) if part)
            case _:
                found = scalar(node)
                return (found,) if found is not None else ()

    def relation_objects(self, node: Node, parts: tuple[str, ...], kind: str) -> list[Object]:
        """Return the objects of a relation's name, conceding another database's."""
        tag, inner = unwrap(node)
        if tag in {"RangeVar", ""} and text(inner, "relname"):
            return [self.object(target, kind) for target in self.targets(inner)]
        return [self.object(target, kind) for target in self.relations(parts)] if parts else []

    def routine_objects(self, parts: tuple[str, ...]) -> list[Object]:
        """Return the objects of a function's name."""
        found = [Object((self.catalog.database, *user), "function") for user in self.functions(parts)]
        return found or self.created(parts, "function")

    def roles(self, nodes: list[Node]) -> list[Object]:
        """Return the objects of a list of RoleSpec or AccessPriv."""
        return [self.pseudo("roles", ".".join(self.parts_of(node)), "role") for node in nodes]

    def relation(self, node: Node, key: str = "relation") -> list[Object]:
        """Return the objects of a bare RangeVar field."""
        return [self.object(target) for target in self.targets(sub(node, key))] if sub(node, key) else []


def role_name(spec: Node) -> str:
    """Return a RoleSpec's name; `public`, `current_user` and the like in words, `all` where there is none."""
    return text(spec, "rolename") or text(spec, "roletype").removeprefix("ROLESPEC_").lower() or "all"
