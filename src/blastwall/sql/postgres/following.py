"""From a relation or a function to what touching it sets off, by the definitions that stand in the catalog.

Views are followed to what they read, rules and triggers to what they do, foreign keys to the tables that they change,
tables to their partitions and servers, functions to what their bodies touch. What a body does is known only where all
of it can be read: otherwise the effect is `execute` on the function, never less.

What was found is kept with the catalog's snapshot, by what names mean in the session. Definitions may go in circles:
what depends on one that is still being followed is right for the asker, but is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from blastwall.model.effects import Action, Effect, Mark, Object
from blastwall.model.statement import Column
from blastwall.sql.lineage import Lineage, Sources, union
from blastwall.sql.postgres.attached import DELETES, INSERTS, INSTEAD, TRUNCATES, UPDATES, Attached
from blastwall.sql.postgres.builtin_names import HARMLESS_FUNCTIONS, HARMLESS_TRIGGERS
from blastwall.sql.postgres.dangers import danger
from blastwall.sql.postgres.hanging import Hung, Place, formerly, function_place, hangs
from blastwall.sql.postgres.parse import UnparsedError, parse
from blastwall.sql.postgres.state import NameState, facts
from blastwall.sql.postgres.tree import Node, items, sub, text, unwrap

if TYPE_CHECKING:
    from blastwall.sql.postgres.catalog import Catalog, Function, Relation
    from blastwall.sql.postgres.guard import Limits
    from blastwall.sql.postgres.reader import Reader

Found = frozenset[Effect]
_NONE: Found = frozenset()
_FOLLOWED = frozenset({Mark.FOLLOWED})
_PART = frozenset({Mark.FOLLOWED, Mark.PART})
_BY_KEY = frozenset({Mark.FOLLOWED, Mark.FILTERED})
_ROWS = frozenset({Action.UPDATE, Action.DELETE})
_EVENTS = {Action.CREATE: INSERTS, Action.UPDATE: UPDATES, Action.DELETE: DELETES, Action.DROP: TRUNCATES}
_RULES = {Action.UPDATE: "2", Action.CREATE: "3", Action.DELETE: "4"}
_COMPILED = frozenset({"c", "internal"})
_STORES = frozenset({Action.CREATE, Action.UPDATE})
_UNREADABLE = frozenset({Action.UNCLASSIFIED, Action.REVEAL})
CURSORS = "@cursors"
"""Stands among effects for that code may open cursors by names; what a statement is known to do leaves it out."""
_CASCADING = {"c": Action.DELETE, "n": Action.UPDATE, "d": Action.UPDATE}
MAX_CHILDREN = 64
MAX_DEPTH = 24
MAX_BODIES = 300
MAX_KEPT = 20_000


@dataclass(slots=True)
class Memory:
    """What was followed under one snapshot: `open` is under way, `lowest` the outermost of those met again."""

    kept: dict[Hashable, Found | None] = field(default_factory=dict)
    told: dict[Hashable, Sources] = field(default_factory=dict)
    open: list[Hashable] = field(default_factory=list)
    lowest: int = MAX_DEPTH
    bodies: int = 0


class Follower:
    """Follows definitions for one reading of a statement."""

    def __init__(self, catalog: Catalog, state: NameState, limits: Limits) -> None:
        self._catalog = catalog
        self._state = state
        self._limits = limits

    def relation(self, relation: Relation, action: Action) -> Found:
        """Return what reading or changing a relation's rows sets off; `drop` means TRUNCATE."""
        key = ("relation", relation.oid, action, facts(self._state))
        found = self._once(key, lambda: frozenset(self._of_relation(relation, action)))
        return frozenset({self._unknown()}) if found is None else found

    def hung(self, place: Place, action: Action) -> Found:
        """Return what reading or changing a relation's rows sets off by definitions that the catalog has not."""
        key = ("hung", place, action, facts(self._state))
        found = self._once(key, lambda: frozenset(self._of_hung(place, action)))
        return frozenset({self._unknown()}) if found is None else found

    def made(self, schema: str, name: str) -> Found:
        """Return what calling a function does by definitions that the catalog does not have."""
        if not self._state.lost:
            return _NONE
        key = ("made", schema, name, facts(self._state))
        found = self._once(key, lambda: frozenset(self._of_made((schema, name))))
        return frozenset({self._unknown()}) if found is None else found

    def called(self, place: Place) -> Found:
        """Return what it sets off that a function of this name is called which the statement does not name."""
        known = self._catalog.functions(*place)
        found = frozenset(effect for function in known for effect in self.run(function.oid))
        return found if known else self.made(*place)

    def code(self, relation: Relation) -> Found:
        """Return what computing a relation's checks, indexes, statistics and generated columns sets off."""
        attached = self._catalog.attached(relation.oid)
        functions = (*attached.written, *attached.seen, *attached.analyzed, *self._of_columns(relation))
        return frozenset(effect for oid in dict.fromkeys(functions) for effect in self.run(oid))

    def all_code(self) -> Found:
        """Return what computing every relation's checks, indexes and statistics sets off: a database's maintenance."""
        found = self._once(("all code", facts(self._state)), lambda: frozenset(self._of_all()))
        return frozenset({self._unknown()}) if found is None else found

    def _of_all(self) -> Iterator[Effect]:
        every = self._catalog.attachments.relations.values()
        functions = {oid for one in every for oid in (*one.written, *one.seen, *one.analyzed)}
        functions.update(*self._catalog.attachments.type_code.values())
        for oid in sorted(functions):
            yield from self.run(oid)

    def implied(self, function: int) -> Found:
        """Return what calling a function sets off besides its body: checks and casts of types, an aggregate's steps."""
        others = self._catalog.attachments.implied.get(function, ())
        if not others:
            return _NONE
        key = ("implied", function, facts(self._state))
        found = self._once(key, lambda: frozenset(effect for oid in others for effect in self.run(oid)))
        return frozenset({self._unknown()}) if found is None else found

    def view(self, relation: Relation) -> Found:
        """Return what the query of a view does."""
        found = self._once(("view", relation.oid, self._state.lost), lambda: self._query(relation.definition))
        return frozenset({self._unknown()}) if found is None else found

    def function(self, function: Function) -> Found | None:
        """Return what a function's body does, or None where that cannot be known."""
        if not function.definition:
            return None
        key = ("function", function.oid, facts(self._state))
        return self._once(key, lambda: self._body(function))

    def run(self, oid: int) -> Found:
        """Return what it sets off that a function is called which the statement does not name."""
        function = self._catalog.function(oid)
        if function is None:
            return frozenset({self._unknown()})
        if function.schema == "pg_catalog":
            return self._built_in(function)
        besides = self.implied(oid) | self.made(function.schema, function.name)
        if function.language in {"c", "internal"} and function.volatility == "i":
            return besides  # superusers alone can make such a function, and it says that it computes only
        found = self.function(function)
        if found is None:
            besides |= self.unread(function)
        if found is None or function.security_definer:
            return (found or _NONE) | besides | {self._execute(function)}
        return found | besides

    def unread(self, function: Function) -> Found:
        """Return what must be reckoned with in a body that cannot be read; what is compiled works on values alone."""
        return _NONE if function.language in _COMPILED else self.unknown_cursors()

    def unknown_cursors(self) -> Found:
        """Return what says that cursors may be opened, or closed, by names that nobody knows."""
        return frozenset({Effect(Action.READ, Object((self._catalog.database, CURSORS, ""), "pseudo"), _FOLLOWED)})

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def told(self, oid: int) -> Sources:
        """Return the columns that a function's result may tell of besides its arguments.

        None is for what nobody can say: its body cannot be read, or it stores what it is given. That a function says of
        itself that it is immutable proves nothing.
        """
        memory = self._catalog.memory
        key = (oid, facts(self._state))
        if key in memory.told:
            return memory.told[key]
        found = self._told(oid)
        if not memory.open:
            if len(memory.told) >= MAX_KEPT:
                memory.told.clear()
            memory.told[key] = found
        return found

    def _told(self, oid: int) -> Sources:
        function = self._catalog.function(oid)
        if function is None:
            return None
        effects = self.implied(oid) | self.made(function.schema, function.name)
        if function.schema == "pg_catalog":
            effects |= self._built_in(function)
        elif function.language not in _COMPILED:
            body = self.function(function)
            if body is None:
                return None
            effects |= body
        return union(Lineage(self._told_by(effect)) for effect in effects).sources

    def _told_by(self, effect: Effect) -> Sources:
        kind, path = effect.object.kind, effect.object.path
        if kind == "function":
            return frozenset() if effect.action is Action.EXECUTE and self._is_known((path[1], path[2])) else None
        if effect.action in _UNREADABLE or effect.action is Action.EXECUTE:
            return None
        if kind not in {"table", "view"}:
            return frozenset()
        relation = self._catalog.relation(path[1], path[2])
        if relation is None or effect.action in _STORES:
            return None
        if relation.kind in "vm":
            return union(map(Lineage, self._catalog.view_sources(relation))).sources
        return frozenset(Column(path[0], path[1], path[2], name) for name in relation.columns if name)

    def _is_known(self, place: Place) -> bool:
        """Whether what a function does stands among the effects of whatever calls it."""
        found = self._catalog.functions(*place)
        return bool(found) and all(one.language in _COMPILED or self.function(one) is not None for one in found)

    # ── relations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _of_relation(self, relation: Relation, action: Action) -> Iterator[Effect]:
        attached = self._catalog.attached(relation.oid)
        if relation.kind == "v" and relation.definition:
            if action is not Action.CREATE or attached.checked:
                yield from self.view(relation)
            yield from self._behind(relation, action, attached)
        yield from self._children(attached, action)
        if action is Action.UPDATE and relation.kind == "p":
            yield from self._moved(attached)
        for oid in attached.consulted:
            yield from self._touch(oid, Action.READ, _FOLLOWED)
        functions = dict.fromkeys((*attached.seen, *self._of_columns(relation)))
        if attached.server:
            path = (self._catalog.database, "@servers", attached.server)
            yield Effect(Action.EXPORT, Object(path, "server"), _FOLLOWED)
        if action is not Action.READ:
            functions.update(dict.fromkeys(self._functions(attached, action)))
            yield from self._written(attached, action)
        for oid in functions:
            yield from self.run(oid)
        if self._state.lost:
            yield from self.hung((relation.schema, relation.name), action)

    def _of_columns(self, relation: Relation) -> Iterator[int]:
        for kind in relation.types:
            yield from self._catalog.attachments.type_code.get(kind, ())

    def _behind(self, view: Relation, action: Action, attached: Attached) -> Iterator[Effect]:
        """Writing to a view writes to the table behind it, unless a trigger does something instead."""
        event = _EVENTS.get(action, 0)
        if action is Action.READ or any(one.events & INSTEAD and one.events & event for one in attached.triggers):
            return
        behind = self._single(view.definition)
        if behind is not None:
            yield from self._touch(behind.oid, action, _PART)

    def _single(self, definition: str) -> Relation | None:
        """The one relation in FROM of a view that can be written to; PostgreSQL knows no other such view."""
        try:
            trees = parse(definition.encode())
        except UnparsedError:
            return None
        query = sub(sub(trees[0], "stmt"), "SelectStmt") if trees else {}
        places = items(query, "fromClause")
        place = sub(places[0], "RangeVar") if len(places) == 1 else {}
        return self._catalog.relation(text(place, "schemaname"), text(place, "relname"))

    def _children(self, attached: Attached, action: Action) -> Iterator[Effect]:
        for oid in attached.children[:MAX_CHILDREN]:
            yield from self._touch(oid, action, _PART)
            if action is Action.UPDATE:
                # An update that moves a row to another partition fires the triggers of a deletion and an insertion.
                for trigger in self._catalog.attached(oid).triggers:
                    if trigger.events & (INSERTS | DELETES):
                        yield from self.run(trigger.function)

    def _moved(self, attached: Attached) -> Iterator[Effect]:
        """An update may move a row out of a partition: to foreign keys that refer to the partition, it is deleted."""
        for oid in attached.children[:MAX_CHILDREN]:
            for cascade in self._catalog.attached(oid).cascades:
                done = _CASCADING.get(cascade.on_move)
                if done is not None:
                    yield from self._touch(cascade.child, done, _BY_KEY)

    def _functions(self, attached: Attached, action: Action) -> Iterator[int]:
        event = _EVENTS.get(action, 0)
        yield from (trigger.function for trigger in attached.triggers if trigger.events & event)
        if action in {Action.CREATE, Action.UPDATE}:
            yield from attached.written

    def _written(self, attached: Attached, action: Action) -> Iterator[Effect]:
        for rule in attached.rules:
            if rule.event == _RULES.get(action):
                yield from self._rule(rule.definition)
        for oid in attached.sequences if action is Action.CREATE else ():
            yield from self._touch(oid, Action.UPDATE, _FOLLOWED)
        for cascade in attached.cascades:
            letter = {Action.DELETE: cascade.on_delete, Action.UPDATE: cascade.on_update}.get(action, "")
            done = Action.UPDATE if action is Action.UPDATE and letter == "c" else _CASCADING.get(letter)
            if done is not None:
                yield from self._touch(cascade.child, done, _BY_KEY)

    def truncated(self, relation: Relation) -> Found:
        """Return what TRUNCATE … CASCADE sets off: every table that refers to this one is emptied as well."""
        key = ("truncate", relation.oid, facts(self._state))
        found = self._once(key, lambda: frozenset(self._referring(relation)))
        return frozenset({self._unknown()}) if found is None else found

    def _referring(self, relation: Relation) -> Iterator[Effect]:
        for cascade in self._catalog.attached(relation.oid).cascades:
            child = self._catalog.by_oid(cascade.child)
            if child is not None:
                yield from self._touch(child.oid, Action.DROP, _FOLLOWED)
                yield from self.truncated(child)

    def descendants(self, relation: Relation, action: Action) -> Found:
        """Return what defining or dropping a table does to its partitions and heirs."""
        found: dict[int, Effect] = {}
        todo = [*self._catalog.attached(relation.oid).children]
        while todo and len(found) < MAX_CHILDREN:
            oid = todo.pop()
            child = self._catalog.by_oid(oid)
            if child is not None and oid not in found:
                found[oid] = Effect(action, self._catalog.object(child), _PART)
                todo.extend(self._catalog.attached(oid).children)
        return frozenset(found.values())

    def falling(self, relation: Relation) -> Found:
        """Return what CASCADE takes with a table or a part of it: views, foreign keys, and policies that read it."""
        read = self._catalog.object(relation)
        views = [view for view in self._catalog.views() if any(effect.object == read for effect in self.view(view))]
        found = {Effect(Action.DROP, self._catalog.object(view), _FOLLOWED) for view in views}
        keyed = [cascade.child for cascade in self._catalog.attached(relation.oid).cascades]
        for oid in keyed:
            child = self._catalog.by_oid(oid)
            if child is not None and child.oid != relation.oid:
                found.add(Effect(Action.DEFINE, self._catalog.object(child), _FOLLOWED))
        for oid, attached in self._catalog.attachments.relations.items():
            judged = self._catalog.by_oid(oid) if relation.oid in attached.consulted else None
            if judged is not None and oid != relation.oid:
                found.update(
                    Effect(action, self._catalog.object(judged), _FOLLOWED)
                    for action in (Action.DEFINE, Action.ENTITLE)
                )
        return frozenset(found)

    def stored_over(self, relation: Relation) -> list[Relation]:
        """Return the materialized views that were filled through a view, by way of others too."""
        found: dict[int, Relation] = {}
        above, before = {self._catalog.object(relation)}, -1
        while before < len(found):
            before = len(found)
            for view in self._catalog.views():
                if view.oid not in found and any(self._reaches(effect, above) for effect in self.view(view)):
                    found[view.oid] = view
                    above.add(self._catalog.object(view))
        return [view for view in found.values() if view.kind == "m"]

    @staticmethod
    def _reaches(effect: Effect, objects: set[Object]) -> bool:
        return effect.object in objects or effect.action is Action.UNCLASSIFIED

    def _touch(self, oid: int, action: Action, marks: frozenset[Mark]) -> Iterator[Effect]:
        relation = self._catalog.by_oid(oid)
        if relation is None:
            yield self._unknown()
            return
        yield Effect(action, self._catalog.object(relation), marks)
        yield from self.relation(relation, action)

    # ── what the catalog does not have ───────────────────────────────────────────────────────────────────────────────

    def _of_hung(self, place: Place, action: Action) -> Iterator[Effect]:
        for one in hangs(self._state.lost, place):
            for touch in one.touches:
                if touch.on in {"", action.value}:
                    does = Action(touch.does) if touch.does else action
                    yield from self._at((touch.schema, touch.name), does)
            for other in one.like:
                yield from self._as_if(other, action)
            if one.reading or action is not Action.READ:
                yield from self._code_of(one, action)
        for other in formerly(self._state.lost, place):
            yield from self._as_if(other, action)

    def _code_of(self, one: Hung, action: Action) -> Iterator[Effect]:
        if one.unknown:
            yield self._unknown()
        for called in one.calls:
            yield from self.called(called)
        for oid in one.runs:
            yield from self.run(oid)
        for other in one.bears:
            yield from self._borne(other, action)

    def _at(self, place: Place, action: Action) -> Iterator[Effect]:
        known = self._standing(place)
        for relation in known:
            yield from self._touch(relation.oid, action, _PART)
        if not known:
            yield Effect(action, Object((self._catalog.database, *place), "table"), _PART)
            yield from self.hung(place, action)

    def _as_if(self, place: Place, action: Action) -> Iterator[Effect]:
        known = self._standing(place)
        for relation in known:
            yield from self.relation(relation, action)
        if not known:
            yield from self.hung(place, action)

    def _standing(self, place: Place) -> Sequence[Relation]:
        if place[0] == "pg_temp":
            return self._catalog.temporary(place[1])
        found = self._catalog.relation(*place)
        return () if found is None else (found,)

    def _borne(self, place: Place, action: Action) -> Iterator[Effect]:
        """What a relation has of another that it was made after: checks, defaults, triggers."""
        for relation in self._standing(place):
            attached = self._catalog.attached(relation.oid)
            for oid in dict.fromkeys((*attached.seen, *self._of_columns(relation), *self._functions(attached, action))):
                yield from self.run(oid)
            for oid in attached.sequences if action is Action.CREATE else ():
                yield from self._touch(oid, Action.UPDATE, _FOLLOWED)
        yield from (one for one in self.hung(place, action) if Mark.PART not in one.marks)

    def _of_made(self, place: Place) -> Iterator[Effect]:
        for one in hangs(self._state.lost, function_place(*place)):
            body = self._made_body(one.definition) if one.definition else _NONE
            if one.definer or body is None:
                marks = _FOLLOWED | {Mark.DEFINER} if one.definer else _FOLLOWED
                yield Effect(Action.EXECUTE, Object((self._catalog.database, *place), "function"), marks)
            if body is None:
                yield from self.unknown_cursors()
            if one.definer:
                body = frozenset(replace(effect, marks=effect.marks | {Mark.DEFINER}) for effect in body or ())
            yield from body or ()
            yield from self._code_of(one, Action.READ)
        for other in formerly(self._state.lost, place):
            yield from self.called(other)

    def _made_body(self, definition: str) -> Found | None:
        found = self._reading(definition, "CreateFunctionStmt", lambda reader, node: reader.function_body(node))
        if found is None or any(effect.action is Action.UNCLASSIFIED for effect in found):
            return None
        return found

    # ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rule(self, definition: str) -> Found:
        found = self._reading(definition, "RuleStmt", lambda reader, node: reader.rule_actions(node))
        return frozenset({self._unknown()}) if found is None else found

    def _query(self, definition: str) -> Found | None:
        hung = frozenset(one for one in self._state.lost if isinstance(one, Hung))
        state = NameState((self._catalog.default_search_path,), "", lost=hung)
        return self._reading(definition, "SelectStmt", lambda reader, node: reader.statement("SelectStmt", node), state)

    def _body(self, function: Function) -> Found | None:
        found = self._made_body(function.definition)
        if found is not None and function.security_definer:
            return frozenset(replace(effect, marks=effect.marks | {Mark.DEFINER}) for effect in found)
        return found

    def _reading(
        self, definition: str, tag: str, read: Callable[[Reader, Node], None], state: NameState | None = None
    ) -> Found | None:
        """Return what reading a definition finds, as effects that follow; None where it cannot be read."""
        from blastwall.sql.postgres.findings import TooComplexError
        from blastwall.sql.postgres.guard import refusal
        from blastwall.sql.postgres.reader import Reader

        data = definition.encode()
        if refusal(definition, data, self._limits):
            return None
        try:
            trees = parse(data)
            found, node = unwrap(sub(trees[0], "stmt")) if len(trees) == 1 else ("", {})
            if found != tag:
                return None
            reader = Reader(self._catalog, state or self._state, self._limits)
            reader.data = data
            read(reader, node)
        except (UnparsedError, TooComplexError, RecursionError):
            return None
        if reader.changes:
            return None
        return frozenset(_following(reader.all_effects(), all(reader.predicates)))

    def _once(self, key: Hashable, find: Callable[[], Found | None]) -> Found | None:
        memory = self._catalog.memory
        if key in memory.kept:
            return memory.kept[key]
        if key in memory.open:
            memory.lowest = min(memory.lowest, memory.open.index(key))
            return _NONE
        if not memory.open:
            memory.bodies, memory.lowest = 0, MAX_DEPTH
        memory.bodies += 1
        if len(memory.open) >= MAX_DEPTH or memory.bodies > MAX_BODIES:
            memory.lowest = 0
            return None
        place = len(memory.open)
        memory.open.append(key)
        try:
            found = find()
        finally:
            memory.open.pop()
        if memory.lowest >= place:
            memory.lowest = MAX_DEPTH
            if len(memory.kept) >= MAX_KEPT:
                memory.kept.clear()
            memory.kept[key] = found
        return found

    # ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _built_in(self, function: Function) -> Found:
        known = danger(function.name)
        if known is not None and known.runs_text:
            return frozenset({self._unknown()})
        if known is not None:
            target = Object((self._catalog.database, "pg_catalog", function.name), "function")
            return frozenset(Effect(action, target, _FOLLOWED) for action in known.actions)
        if function.volatility != "v" or function.name in HARMLESS_FUNCTIONS | HARMLESS_TRIGGERS:
            return _NONE
        return frozenset({self._execute(function)})

    def _execute(self, function: Function) -> Effect:
        marks = _FOLLOWED | {Mark.DEFINER} if function.security_definer else _FOLLOWED
        return Effect(
            Action.EXECUTE, Object((self._catalog.database, function.schema, function.name), "function"), marks
        )

    def _unknown(self) -> Effect:
        return Effect(Action.UNCLASSIFIED, Object((self._catalog.database,), "database"), _FOLLOWED)


def _following(effects: Iterable[Effect], filtered: bool) -> Iterator[Effect]:
    """What a definition does by itself follows for whoever sets it off."""
    for effect in effects:
        if effect.action is Action.CONNECT:
            continue
        own = Mark.FOLLOWED not in effect.marks or Mark.PART in effect.marks
        marks = (effect.marks - {Mark.PART}) | _FOLLOWED
        if own and filtered and effect.action in _ROWS:
            marks |= {Mark.FILTERED}
        yield replace(effect, marks=marks)
