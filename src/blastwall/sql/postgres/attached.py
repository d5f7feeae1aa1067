"""What hangs on the relations, types and operators of a database and runs without being named in a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INSERTS, DELETES, UPDATES, TRUNCATES, INSTEAD = 4, 8, 16, 32, 64
"""Bits of pg_trigger.tgtype."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that is not disabled: its pg_trigger.tgtype, and the OID of its function."""

    events: int
    function: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is no view's: pg_rewrite.ev_type (2 update, 3 insert, 4 delete) and pg_get_ruledef's text."""

    event: str
    definition: str


@dataclass(frozen=True, slots=True)
class Cascade:
    """A foreign key that changes the referencing table `child` with the referenced one.

    `on_delete` and `on_update` are pg_constraint's letters (c cascade, n set null, d set default, a and r nothing);
    `on_move` is that of an update which moves a row out of the referenced partition. To a key that refers to this very
    partition that is a deletion; one that refers to the whole table it updates, from PostgreSQL 15 on.
    """

    child: int
    on_delete: str
    on_update: str
    on_move: str


@dataclass(frozen=True, slots=True)
class Attached:
    """What hangs on one relation. Functions and relations are OIDs.

    `written` are functions that run when a row is written (defaults, checks, domains, generated columns, indexes,
    partition keys), `seen` those that run when it is read or written (row security, virtual columns), `consulted`
    relations that row security reads, `sequences` those of defaults that are not the column's own, `server` the
    foreign server of a foreign table, `children` partitions and inheriting tables, direct ones only. `checked` says
    that a view has a CHECK OPTION: its query judges rows that are inserted by way of it. `analyzed` are functions of
    extended statistics, which ANALYZE runs.
    """

    triggers: tuple[Trigger, ...] = ()
    rules: tuple[Rule, ...] = ()
    cascades: tuple[Cascade, ...] = ()
    written: tuple[int, ...] = ()
    seen: tuple[int, ...] = ()
    consulted: tuple[int, ...] = ()
    sequences: tuple[int, ...] = ()
    server: str = ""
    children: tuple[int, ...] = ()
    checked: bool = False
    analyzed: tuple[int, ...] = ()


NOTHING = Attached()


@dataclass(frozen=True, slots=True)
class Types:
    """The types of a database that are not PostgreSQL's own, row types of tables among them.

    `named` maps a name to each (schema, OID) that has it, `within` the OID of a type to those of the types made of it
    (domains, arrays, ranges, row types), `rows` the OID of a row type to the relations whose rows are of it.
    """

    named: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    within: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    rows: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def made_of(self, kind: int) -> frozenset[int]:
        """Return the OIDs of a type and of every type that holds values of it, however deep inside."""
        found, todo = {kind}, [kind]
        while todo:
            for outer in self.within.get(todo.pop(), ()):
                if outer not in found:
                    found.add(outer)
                    todo.append(outer)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Operator:
    """A row of pg_operator outside pg_catalog: the schema that it is found in, and the OID of its function."""

    schema: str
    function: int


@dataclass(frozen=True, slots=True)
class Attachments:
    """What hangs on everything in one database.

    `types` maps the name of a type, and `type_code` its OID, to the functions that values of it may run: those of casts
    to and from it and of its operator classes, a domain's checks, also of the types inside of it. Operator classes
    stand among them by their names, with the functions that compare. `implied` maps
    the OID of a function to those that calling it may run besides: what its parameters' and its result's types run, the
    functions that an aggregate is made of. `operators` are by their sign. `event_triggers` are functions that run when
    something is defined. `kinds` are the types themselves.
    """

    relations: Mapping[int, Attached] = field(default_factory=dict)
    operators: Mapping[str, tuple[Operator, ...]] = field(default_factory=dict)
    types: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    type_code: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    event_triggers: tuple[int, ...] = ()
    kinds: Types = field(default_factory=Types)
    implied: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def of(self, relation: int) -> Attached:
        """Return what hangs on the relation with that OID."""
        return self.relations.get(relation, NOTHING)


NO_ATTACHMENTS = Attachments()
