"""What a name means: through the search paths that may be in force, and the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from blastwall.model.effects import Action, Object
from blastwall.sql.lineage import Sources
from blastwall.sql.postgres.builtin_names import HARMLESS_RELATIONS, SYSTEM_RELATIONS
from blastwall.sql.postgres.catalog import TEMPORARY, Relation
from blastwall.sql.postgres.findings import Findings
from blastwall.sql.postgres.hanging import EVERYTHING, formerly, function_place, hangs
from blastwall.sql.postgres.tree import Node, text

_REVEALING = frozenset(
    {"pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_foreign_server", "pg_foreign_data_wrapper",
     "pg_subscription", "pg_foreign_table"}
)  # fmt: skip
_REVEALING_VIEWS = frozenset(
    {"user_mapping_options", "_pg_user_mappings", "foreign_server_options", "_pg_foreign_servers",
     "foreign_data_wrapper_options", "_pg_foreign_data_wrappers", "foreign_table_options", "_pg_foreign_tables"}
)  # fmt: skip
_SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_toast"})


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a relation's name may mean; `relation` is None where the catalog does not know it."""

    schema: str
    name: str
    relation: Relation | None = None


class Names(Findings):
    """Resolves names; several candidates mean that all of them are meant."""

    def paths(self) -> list[tuple[str, ...]]:
        """Return the search paths that may be in force, "$user" put in, or none where they are unknown."""
        users = sorted({self.state.user, *self.state.users})
        found: dict[tuple[str, ...], None] = {}
        for path in self.state.search_paths:
            for user in users if "$user" in path else users[:1]:
                found[tuple(user if part == "$user" else part for part in path)] = None
        return list(found)

    def targets(self, node: Node) -> list[Target]:
        """Return what a RangeVar may mean; concedes what cannot be known."""
        name, schema, database = text(node, "relname"), text(node, "schemaname"), text(node, "catalogname")
        if database and database != self.catalog.database:
            self.concede(f"it names another database ({database})")
            return []
        return self.relations((schema, name) if schema else (name,))

    def relations(self, parts: tuple[str, ...]) -> list[Target]:
        """Return what a possibly qualified relation name may mean."""
        if (len(parts) == 3 and parts[0] != self.catalog.database) or not 0 < len(parts) < 4:
            self.concede(f"it names another database ({parts[0] if parts else ''})")
            return []
        name = parts[-1]
        if len(parts) > 1:
            schema = TEMPORARY if parts[-2].startswith("pg_temp") else parts[-2]
            return [Target(schema, name, self.catalog.relation(schema, name))]
        found = {Target(TEMPORARY, name): None} if name in self.state.temp else {}
        for path in self._known_paths(name):
            standing = self._standing(path, name)
            found.update(dict.fromkeys(standing))
            if not found:
                found[Target(self.creation_schema(path), name)] = None
        return list(found)

    def _known_paths(self, name: str) -> list[tuple[str, ...]]:
        paths = self.paths()
        if not paths:
            self.concede(f"the search_path in force is not known: write {name} with its schema")
        return paths

    def _standing(self, path: tuple[str, ...], name: str) -> list[Target]:
        """Return what a name means on a path: the first of its relations, and those behind it where it may be gone."""
        found: list[Target] = []
        for schema in path if "pg_catalog" in path else ("pg_catalog", *path):
            relation = self.catalog.relation(schema, name)
            if relation is not None or (schema == "pg_catalog" and name in SYSTEM_RELATIONS):
                found.append(Target(schema, name, relation))
                unheard = not self.state.alone and schema not in _SYSTEM
                if not (unheard or self._may_be_gone(schema, name)):
                    break
            elif self.state.lost and self._hangs(schema, name):
                found.append(Target(schema, name))
        return found

    def _hangs(self, schema: str, name: str) -> bool:
        """Whether there is something of that name which the catalog does not have yet."""
        lost = self.state.lost
        return bool(hangs(lost, (schema, name))) or any(
            self.catalog.relation(*place) is not None for place in formerly(lost, (schema, name))
        )

    def made(self, schema: str, name: str) -> bool:
        """Whether a function of that name was made or changed since the catalog was read."""
        lost = self.state.lost
        return bool(lost) and (
            bool(hangs(lost, function_place(schema, name)))
            or any(self.catalog.functions(*place) for place in formerly(lost, (schema, name)))
        )

    def _may_be_gone(self, schema: str, name: str) -> bool:
        schemas = self.catalog.schemas
        if schemas and schema not in schemas and schema != "pg_catalog":
            return True  # without USAGE it is passed by
        return self.may_be_altered(schema, name)

    def may_be_altered(self, schema: str, name: str) -> bool:
        """Return whether what the catalog has under that name may be another relation, or have other columns."""
        lost = self.state.lost
        return bool(lost) and not lost.isdisjoint(((schema, name), (schema, ""), EVERYTHING))

    def creation_schema(self, path: tuple[str, ...]) -> str:
        """Return the schema in which an unqualified name would be created."""
        return self._creation_schemas(path)[0]

    def _creation_schemas(self, path: tuple[str, ...]) -> list[str]:
        """Return the same, and those behind it where it may be gone."""
        usable = [part for part in path if part != "pg_catalog"]
        existing = [part for part in usable if part in self.catalog.schemas or part.startswith("pg_temp")]
        certain = next((at for at, part in enumerate(existing) if not self._may_be_gone(part, "")), len(existing))
        return existing[: certain + 1] or usable[-1:] or ["public"]

    def created(self, parts: tuple[str, ...], kind: str, temporary: bool = False) -> list[Object]:
        """Return the objects that a CREATE of this name may make."""
        if len(parts) > 1:
            return [self.object(Target(parts[-2], parts[-1]), kind)]
        if not parts:
            return []
        if temporary:
            return [self.object(Target(TEMPORARY, parts[0]), kind)]
        paths = self._known_paths(parts[0])
        schemas = dict.fromkeys(schema for path in paths for schema in self._creation_schemas(path))
        return [self.object(Target(schema, parts[0]), kind) for schema in schemas]

    def object(self, target: Target, kind: str = "") -> Object:
        """Return the object of a target; its kind is the catalog's, where known."""
        if target.relation is not None:
            return self.catalog.object(replace(target.relation, schema=target.schema))
        return Object((self.catalog.database, target.schema, target.name), kind or "table")

    def read(self, target: Target) -> None:
        """Add the effect of reading a relation: harmless, revealing or plain."""
        self.reads.add((target.schema, target.name))
        if target.relation is not None and target.relation.kind in "vm":
            self.reads.update((base.schema, base.name) for base in self.catalog.base_relations(target.relation))
        if harmless(target):
            self.connect()
        elif revealing(target):
            self.effect(Action.REVEAL, self.object(target))
        else:
            self.effect(Action.READ, self.object(target))
            self.touch(target, Action.READ)

    def touch(self, target: Target, action: Action) -> None:
        """Add what reading or changing a relation's rows sets off."""
        for relation in self.standing(target):
            self.follow(self.follower.relation(relation, action))
        if self.state.lost:
            self.follow(self.follower.hung((target.schema, target.name), action))

    def standing(self, target: Target) -> Sequence[Relation]:
        """Return what the catalog has of a name outside the system's schemas, temporary relations too."""
        if target.schema.startswith(TEMPORARY):
            return self.catalog.temporary(target.name)
        return () if target.relation is None or target.schema in _SYSTEM else (target.relation,)

    def keeps(self, target: Target) -> None:
        """Say what is kept of a view whose query is replaced: materialized views hold what it showed before."""
        for relation in self.standing(target):
            for stored in self.follower.stored_over(relation):
                for sources in self.catalog.view_sources(stored):
                    self._keeps(stored, sources)

    def keeps_of_code(self, place: tuple[str, str]) -> None:
        """Say the same of a function whose body is replaced: of the columns that it may have told of."""
        for function in self.catalog.functions(*place):
            told = self.follower.told(function.oid)
            for stored in self.catalog.views() if told != frozenset() else ():
                for sources in self.catalog.view_sources(stored) if stored.kind == "m" else ():
                    self._keeps(stored, _in_both(told, sources))

    def _keeps(self, stored: Relation, sources: Sources) -> None:
        if sources != frozenset():
            self.reads.add((stored.schema, stored.name))
            self.reads.update((column.schema, column.table) for column in sources or ())
            self.send_on(sources)

    def with_heirs(self, relations: Iterable[Relation]) -> list[Relation]:
        """Return relations with all of their partitions and heirs, however many."""
        found: dict[int, Relation] = {}
        todo = list(relations)
        while todo:
            relation = todo.pop()
            if relation.oid not in found:
                found[relation.oid] = relation
                children = map(self.catalog.by_oid, self.catalog.attached(relation.oid).children)
                todo.extend(child for child in children if child is not None)
        return sorted(found.values(), key=lambda relation: (relation.schema, relation.name))

    def functions(self, parts: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return (schema, name) of user functions that a call may reach; every schema of a path takes part.

        PostgreSQL picks the overload that fits best over the whole path, so pg_catalog's coming first decides nothing.
        """
        if len(parts) > 1:
            return [] if parts[-2] == "pg_catalog" else [(parts[-2], parts[-1])]
        found: dict[tuple[str, str], None] = {}
        for path in self.paths():
            for schema in path:
                if schema != "pg_catalog" and (
                    self.catalog.functions(schema, parts[-1]) or self.made(schema, parts[-1])
                ):
                    found[schema, parts[-1]] = None
        return list(found)


def _in_both(told: Sources, shown: Sources) -> Sources:
    """Return the columns that code tells of and a view shows; what nobody knows of the one comes from the other."""
    if told is None or shown is None:
        return None if told is shown else frozenset()
    return told & shown


def harmless(target: Target) -> bool:
    """Whether a relation is one of the system catalog's that show structure only."""
    if target.schema == "information_schema":
        return target.name not in _REVEALING_VIEWS
    return target.schema == "pg_catalog" and target.name in HARMLESS_RELATIONS and target.name not in _REVEALING


def revealing(target: Target) -> bool:
    """Whether a relation of the system catalog hands out credentials."""
    return (target.schema == "pg_catalog" and target.name in _REVEALING) or (
        target.schema == "information_schema" and target.name in _REVEALING_VIEWS
    )
