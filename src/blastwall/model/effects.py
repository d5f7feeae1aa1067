"""Effects: what a statement would do, as (action, object), in the same few words for every protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from blastwall.model.ids import join, segment


class Action(StrEnum):
    """What is done to an object. Policy reads these, never SQL or URLs."""

    CONNECT = "connect"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    DEFINE = "define"
    DROP = "drop"
    ENTITLE = "entitle"
    REVEAL = "reveal"
    EXECUTE = "execute"
    EXPORT = "export"
    ADMIN = "admin"
    UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True)
class Object:
    """A thing that an effect touches, by its path below the resource or by its id in Azure.

    `()` is the resource itself, `(database,)` a database, `(database, schema)` a schema or container, and
    `(database, schema, name)` an object in it. Names are exact and unescaped. Things that live in no schema stand in a
    pseudo-schema whose name starts with `@`: `("shop", "@roles", "dba")`; a real schema named so is escaped in `id`.
    `kind` says what it is: "table", "view", "function", "sequence", "role", "setting", "database", "resource", …

    What Azure itself keeps (`azure`) has no path: its id is Azure's, lower-case, and starts with `/`, which no other id
    does. Its kind is its Azure type, lower-case ("microsoft.compute/virtualmachines"); no other kind has a `/`.
    """

    path: tuple[str, ...]
    kind: str
    azure: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What people are shown, and what is stored beside the kind: the path, or the Azure id as one name."""
        return (self.azure,) if self.azure else self.path

    def id_below(self, resource: str) -> str:
        """Return the full id of this object on the resource named `resource`."""
        if self.azure:
            return self.azure
        segments = [segment(resource)]
        for position, name in enumerate(self.path):
            pseudo = position == 1 and self.pseudo
            segments.append("@" + segment(name[1:]) if pseudo else segment(name))
        if self.kind == "function" and len(self.path) == 3:
            segments[-1] += "()"
        return join(segments)

    @property
    def pseudo(self) -> bool:
        """Whether the object stands in one of the classifier's own pseudo-schemas."""
        return len(self.path) > 1 and self.path[1].startswith("@") and self.kind in PSEUDO_KINDS


def object_of(names: Sequence[str], kind: str) -> Object:
    """Return the object whose `names` and `kind` these are."""
    return Object((), kind, names[0]) if "/" in kind else Object(tuple(names), kind)


PSEUDO_KINDS = frozenset(
    {"role", "setting", "file", "program", "extension", "language", "server", "publication", "pseudo"}
)
"""Kinds of object that live in no schema. A real table in a schema named `@roles` has another kind, so another id."""


class Mark(StrEnum):
    """How an effect comes about, where the statement's text does not say it.

    FOLLOWED: a definition that stands in the resource sets it off (a view, a rule, a trigger, a function's body).
    DEFINER: it is done with the rights of a function's owner (SECURITY DEFINER).
    PART: the object is a part of what the statement names, or stands behind it, so that its predicate counts.
    FILTERED: a followed update or delete has a predicate of its own.
    """

    FOLLOWED = "followed"
    DEFINER = "definer"
    PART = "part"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a statement would do, and how it comes about."""

    action: Action
    object: Object
    marks: frozenset[Mark] = frozenset()
