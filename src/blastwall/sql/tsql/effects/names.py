"""What a name means: through the default schema, synonyms, temporary tables and the catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import normalize

from blastwall.model.effects import Action, Mark, Object
from blastwall.sql.tsql.catalog import Module, Relation
from blastwall.sql.tsql.defined import EVERYTHING, Defined, What
from blastwall.sql.tsql.effects.findings import Findings
from blastwall.sql.tsql.effects.system_names import (
    COMPATIBLE,
    MASTER_TABLES,
    OTHER_DATABASES,
    REVEALING_VIEWS,
    STRUCTURE_VIEWS,
    TELLTALE_VIEWS,
)
from blastwall.sql.tsql.nodes import ObjectName

_MAX_SYNONYMS = 8
_WORD = re.compile(r"[\w$#@ -]+")
_MOST_PARTS = 4
_OF_TABLES = frozenset({What.TABLE, What.COLUMNS})
_ADMIN_ONLY = frozenset({"sys", "information_schema"})


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a name means.

    `temporary` is the key of a temporary table, lower-case with its sign. `system` is "sys" or "INFORMATION_SCHEMA" for
    the server's own. `elsewhere` is true of what lies in another database or on another server: nothing is known of it.
    """

    object: Object
    schema: str = ""
    name: str = ""
    relation: Relation | None = None
    module: Module | None = None
    temporary: str = ""
    system: str = ""
    elsewhere: bool = False


class Names(Findings):
    """Resolves names."""

    defining = False
    """Whether a name is read that a statement gives a new meaning to: it still has its old one there."""

    def named(self, name: ObjectName, kind: str = "table") -> Target:
        """Return what a name means that is defined, renamed, moved or dropped here."""
        self.defining = True
        found = self.target(name, kind)
        self.defining = False
        return found

    def target(self, name: ObjectName, kind: str = "table") -> Target:
        """Return what a name means; concedes what cannot be known. `kind` is what an unknown name is taken for."""
        return self.resolved(name.texts, kind)

    def resolved(self, parts: tuple[str, ...], kind: str = "table", depth: int = 0) -> Target:
        """Return what a name of one to four parts means."""
        if not 0 < len(parts) <= _MOST_PARTS or not parts[-1]:
            self.concede("it names something by a name that Blastwall cannot read")
            return Target(self.database, elsewhere=True)
        padded = ("",) * (_MOST_PARTS - len(parts)) + parts
        server, database, schema, name = padded
        if name.startswith("#"):
            return self._temporary(name)
        if server:
            return self._linked(server, parts)
        if database and self.catalog.fold(database) != self.catalog.fold(self.catalog.database):
            return self._foreign(database, schema, name)
        return self._here(schema, name, kind, depth)

    def _temporary(self, name: str) -> Target:
        """One that starts with ## is seen by every session: what is in it, nobody here knows."""
        key = name.rstrip(" ").lower()  # the server compares names so
        plain = normalize("NFKC", name) == name and name.casefold() == name.lower() and _WORD.fullmatch(name)
        if not name.isascii() and not plain:
            self.forbid(f"the server may take the name {name} for that of another temporary table: use plain letters")
        if key.startswith("##"):
            return Target(Object((self.catalog.database, "tempdb", key), "table"), "tempdb", key)
        return Target(Object((self.catalog.database, "tempdb", key), "table"), "tempdb", key, temporary=key)

    def _linked(self, server: str, parts: tuple[str, ...]) -> Target:
        self.effect(Action.EXPORT, self.server(server))
        return Target(Object((self.catalog.database, "@servers", server), "server"), elsewhere=True)

    def _foreign(self, database: str, schema: str, name: str) -> Target:
        fold = database.lower()
        lowered = name.lower()
        if fold in OTHER_DATABASES:
            if schema.lower() in _ADMIN_ONLY or (schema.lower() in {"", "dbo"} and lowered in COMPATIBLE):
                return self._system(schema, lowered)
            if fold == "master" and lowered in MASTER_TABLES:
                return Target(self.database, "sys", lowered, system="sys")
        spelled = self.catalog.databases.get(self.catalog.fold(database), database)
        self.concede(f"it names another database ({spelled}): open a connection to that one")
        return Target(Object((spelled, schema or "dbo", name), "table"), elsewhere=True)

    def _system(self, schema: str, lowered: str) -> Target:
        system = "INFORMATION_SCHEMA" if schema.lower() == "information_schema" else "sys"
        return Target(Object((self.catalog.database, system, lowered), "view"), system, lowered, system=system)

    def _here(self, schema: str, name: str, kind: str, depth: int) -> Target:
        catalog = self.catalog
        lowered = name.rstrip(" ").lower()
        if schema.lower() in _ADMIN_ONLY:
            return self._system(schema, lowered)
        if not self.defining:
            self._settled(schema, name)
        if not schema:
            if self.state.settings.get("user"):
                self.concede(
                    f"the session runs as another user, whose default schema is not known: write {name} with its schema"
                )
            schema = self._schema_of(name)
            if not catalog.knows(schema, name) and lowered in COMPATIBLE:
                return self._system("sys", lowered)
        elif catalog.fold(schema) == "dbo" and lowered in COMPATIBLE and not catalog.knows(schema, name):
            return self._system("sys", lowered)
        synonym = catalog.synonym(schema, name)
        if synonym is not None:
            return self._synonym(synonym.base, kind, depth)
        return self._found(schema, name, kind)

    def unsettle(self, schema: str, name: str) -> None:
        """Note a name whose meaning changes in this request."""
        self.chain.unsettled.add(self.key(schema, name))

    def makes(self, one: Defined) -> None:
        """Note what is defined here, for later requests; of what other code defines no more than that it may be."""
        if self.topmost:
            self.made.append(one)
        elif one.what not in _OF_TABLES or self.catalog.knows(one.schema, one.name):
            what = What.ALTERED if one.what in _OF_TABLES else one.what
            altered = Defined(what, one.schema, one.name, on=one.on, certain=False, derived=one.derived)
            self.chain.altered[altered] = None

    def key(self, schema: str, name: str) -> str:
        """Return a name as unsettled names are kept."""
        return self.catalog.key(schema, name)

    def _settled(self, schema: str, name: str) -> None:
        doubted = self.catalog.doubted
        for key in {self.key(one, name) for one in ((schema,) if schema else (self.state.default_schema, "dbo"))}:
            if key in self.chain.unsettled and key != self.chain.making:
                self.concede(f"what {name} means changes in this text: send the part that uses it by itself")
            elif key in doubted or EVERYTHING in doubted:
                self.concede((doubted.get(key) or doubted[EVERYTHING]).replace("{name}", name))
            elif self._unsettled(key):
                self.concede(f"this session may have changed what {name} means, and the catalog does not know it yet")

    def _unsettled(self, key: str) -> bool:
        known, version = self.state.unsettled, self.catalog.version
        return version in (known.get(key), known.get(EVERYTHING))

    def _schema_of(self, name: str) -> str:
        own = self.state.default_schema
        if self.catalog.knows(own, name) or not self.catalog.knows("dbo", name):
            return own
        return "dbo"

    def _synonym(self, base: str, kind: str, depth: int) -> Target:
        parts = split_name(base)
        if not parts or depth >= _MAX_SYNONYMS:
            self.concede("it names a synonym that Blastwall cannot follow")
            return Target(self.database, elsewhere=True)
        return self.resolved(parts, kind, depth + 1)

    def _found(self, schema: str, name: str, kind: str) -> Target:
        catalog = self.catalog
        if not (name.isascii() and schema.isascii() and name.isprintable()) and not catalog.knows(schema, name):
            self.concede(
                f"it names {name!r}, which is not plain ASCII and which the catalog does not know by that spelling"
            )
        place = catalog.place(schema, name)
        return Target(
            catalog.object(schema, name, kind),
            *place,
            relation=catalog.relation(schema, name),
            module=catalog.module(schema, name),
        )

    def created(self, name: ObjectName, kind: str) -> Target:
        """Return what a CREATE of this name makes: in the default schema, where none is written."""
        parts = name.texts
        if parts[-1].startswith("#"):
            return self._temporary(parts[-1])
        if len(parts) > 1 or not parts[-1] or self.state.settings.get("user"):
            return self.named(name, kind)
        schema, spelled = self.catalog.place(self.state.default_schema, parts[-1])
        return Target(Object((self.catalog.database, schema, spelled), kind), schema, spelled,
                      self.catalog.relation(schema, spelled), self.catalog.module(schema, spelled))  # fmt: skip

    def read(self, target: Target, marks: frozenset[Mark] = frozenset()) -> None:
        """Add the effect of reading what a name means: harmless, revealing or plain."""
        if target.elsewhere:
            if target.object.kind != "server":
                self.effect(Action.READ, target.object, marks)
            return
        if target.temporary:
            self.connect()
            return
        if not target.system:
            self.reads.add((target.schema, target.name))
            self.effect(Action.READ, target.object, marks)
            return
        if target.system == "INFORMATION_SCHEMA" or target.name in STRUCTURE_VIEWS or target.name in MASTER_TABLES:
            self.connect()
            return
        self.reads.add((target.system, target.name))
        if target.name in REVEALING_VIEWS:
            self.effect(Action.REVEAL, target.object, marks)
        elif target.name in TELLTALE_VIEWS:
            self.effect(Action.ADMIN, target.object, marks)
        else:
            self.effect(Action.READ, target.object, marks)

    def harmless(self, target: Target) -> bool:
        """Whether what a name means is the server's own and shows structure only."""
        if not target.system:
            return False
        return target.system == "INFORMATION_SCHEMA" or target.name in STRUCTURE_VIEWS or target.name in MASTER_TABLES


def split_name(text: str) -> tuple[str, ...]:
    """Split a name written as text ("[my db].dbo.orders", '"a".b', "db..t"); () where it is malformed."""
    parts: list[str] = []
    position = 0
    for match in _PART.finditer(text):
        if match.start() != position:
            return ()
        position = match.end()
        parts.append(unquoted(match))
        if not match["dot"]:
            return tuple(parts) if position == len(text) else ()
    return ()


_PART = re.compile(
    r"""\s*(?:\[(?P<bracket>(?:[^\]]|\]\])*)\]|"(?P<quote>(?:[^"]|"")*)"|(?P<plain>[^\s.\[\]"']*))\s*(?P<dot>\.|$)"""
)


def unquoted(match: re.Match[str]) -> str:
    """Return a name that matched as `bracket`, `quote` or `plain`, without its marks."""
    if match["bracket"] is not None:
        return match["bracket"].replace("]]", "]")
    if match["quote"] is not None:
        return match["quote"].replace('""', '"')
    return match["plain"]
