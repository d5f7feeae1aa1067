"""What defining or dropping a type, and DROP … CASCADE, do to tables that the statement does not name."""

from __future__ import annotations

from collections.abc import Iterable

from blastwall.model.effects import Action, Effect, Mark
from blastwall.model.statement import SOME, Column
from blastwall.sql.postgres.catalog import TEMPORARY, Relation
from blastwall.sql.postgres.names import Target
from blastwall.sql.postgres.objects import Objects
from blastwall.sql.postgres.tree import Node, items, text, words

_FOLLOWED = frozenset({Mark.FOLLOWED})
_OF_RELATIONS = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})
_ENDS_WITH_ITSELF = frozenset(
    {"OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY", "OBJECT_EVENT_TRIGGER", "OBJECT_STATISTIC_EXT",
     "OBJECT_PUBLICATION"}
)  # fmt: skip
"""Kinds on which nothing else depends."""
_EVALUATING = frozenset({"C", "O", "V"})
"""ALTER DOMAIN … ADD CONSTRAINT, SET NOT NULL and VALIDATE CONSTRAINT look at every value there is."""


class Cascading(Objects):
    """Follows types to the tables that hold their values, and CASCADE to what depends on what is dropped."""

    def alter_domain(self, node: Node) -> None:
        """Follow ALTER DOMAIN: it binds the tables that use it, and some forms fail by the values in them."""
        holders = self.holders(words(items(node, "typeName")))
        self.touch_each(holders, Action.DEFINE)
        if text(node, "subtype") in _EVALUATING:
            self._evaluate(holders)

    def alter_row_type(self, parts: tuple[str, ...], losing: bool, evaluating: bool) -> None:
        """Follow ALTER TYPE of a row type: typed tables change with it, and so do the values that others hold."""
        holders = self.holders(parts)
        self.touch_each(holders, Action.DEFINE)
        if losing:
            self.touch_each(holders, Action.DROP)
        if evaluating:
            self._evaluate(holders)

    def _evaluate(self, holders: list[Relation]) -> None:
        """Say that every value of a type is looked at: whether the statement fails tells of them."""
        self.touch_each(holders, Action.READ)
        for relation in holders:
            self.filters.add(Column(self.catalog.database, relation.schema, relation.name, SOME))
            self.follow(self.follower.code(relation))

    def rename_attribute(self, parts: tuple[str, ...]) -> None:
        """Follow ALTER TYPE … RENAME ATTRIBUTE … CASCADE: the columns of typed tables go by another name."""
        holders = self.holders(parts)
        self.touch_each(holders, Action.DEFINE)
        self.renames.update((relation.schema, relation.name) for relation in holders)

    def cascade(self, kind: str, item: Node) -> None:
        """Follow DROP … CASCADE of one thing; anything may depend on what is not a relation."""
        parts = self.parts_of(item)
        if kind in _OF_RELATIONS:
            self.fall_with(self.relations(parts))
        elif kind not in _ENDS_WITH_ITSELF:
            self.effect(Action.DROP, self.database)
        if kind in _TYPES:
            self._lose(parts)

    def fall_with(self, targets: Iterable[Target]) -> None:
        """Follow the dropping of relations, or of parts of them, to what depends on them."""
        for target in targets:
            for relation in self.standing(target):
                self.follow(self.follower.falling(relation))
            self._lose((target.schema, target.name))

    def _lose(self, parts: tuple[str, ...]) -> None:
        holders = self.holders(parts)
        self.touch_each(holders, Action.DROP)
        for relation in holders:
            self.follow(self.follower.falling(relation))

    def holders(self, parts: tuple[str, ...]) -> list[Relation]:
        """Return the relations that hold values of the type of that name, and their partitions and heirs."""
        return self.with_heirs([one for kind in self._kinds(parts) for one in self.catalog.holding(kind)])

    def touch_each(self, relations: Iterable[Relation], action: Action) -> None:
        """Say of relations that they are defined, dropped or read without being named."""
        self.follow(Effect(action, self.catalog.object(relation), _FOLLOWED) for relation in relations)

    def _kinds(self, parts: tuple[str, ...]) -> set[int]:
        """The OIDs of the types that a name may mean; nobody knows whose a temporary one is."""
        name = parts[-1] if parts else ""
        known = self.catalog.attachments.kinds.named.get(name, ())
        found = {oid for schema, oid in known if schema.startswith(TEMPORARY) and parts[:-1][-1:] in {(), (TEMPORARY,)}}
        places = dict(known)
        paths = [(parts[-2],)] if len(parts) > 1 else self.paths()
        for path in paths:
            found.update([places[schema] for schema in path if schema in places][:1])
        return found if paths else {oid for _, oid in known}
