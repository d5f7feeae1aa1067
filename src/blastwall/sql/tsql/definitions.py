"""CREATE, ALTER and DROP of what is not a table or a module, and permissions."""

from __future__ import annotations

from abc import abstractmethod

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import LABEL, NAME, QUOTED
from blastwall.sql.tsql.tables import Tables

KINDS: dict[tuple[str, ...], int] = {
    ("LOGIN",): 1,
    ("USER",): 1,
    ("ROLE",): 1,
    ("SERVER", "ROLE"): 1,
    ("APPLICATION", "ROLE"): 1,
    ("DATABASE",): 1,
    ("DATABASE", "SCOPED", "CREDENTIAL"): 1,
    ("DATABASE", "SCOPED", "CONFIGURATION"): 0,
    ("DATABASE", "ENCRYPTION", "KEY"): 0,
    ("DATABASE", "AUDIT", "SPECIFICATION"): 1,
    ("SERVER", "AUDIT", "SPECIFICATION"): 1,
    ("SERVER", "AUDIT"): 1,
    ("SERVER", "CONFIGURATION"): 0,
    ("CREDENTIAL",): 1,
    ("MASTER", "KEY"): 0,
    ("SERVICE", "MASTER", "KEY"): 0,
    ("SYMMETRIC", "KEY"): 1,
    ("ASYMMETRIC", "KEY"): 1,
    ("COLUMN", "MASTER", "KEY"): 1,
    ("COLUMN", "ENCRYPTION", "KEY"): 1,
    ("CERTIFICATE",): 1,
    ("CRYPTOGRAPHIC", "PROVIDER"): 1,
    ("ASSEMBLY",): 1,
    ("AGGREGATE",): 3,
    ("SEQUENCE",): 3,
    ("RULE",): 3,
    ("DEFAULT",): 3,
    ("STATISTICS",): 1,
    ("EXTERNAL", "DATA", "SOURCE"): 1,
    ("EXTERNAL", "FILE", "FORMAT"): 1,
    ("EXTERNAL", "LANGUAGE"): 1,
    ("EXTERNAL", "LIBRARY"): 1,
    ("EXTERNAL", "MODEL"): 1,
    ("EXTERNAL", "RESOURCE", "POOL"): 1,
    ("RESOURCE", "POOL"): 1,
    ("RESOURCE", "GOVERNOR"): 0,
    ("WORKLOAD", "GROUP"): 1,
    ("WORKLOAD", "CLASSIFIER"): 1,
    ("FULLTEXT", "CATALOG"): 1,
    ("FULLTEXT", "STOPLIST"): 1,
    ("SEARCH", "PROPERTY", "LIST"): 1,
    ("PARTITION", "FUNCTION"): 1,
    ("PARTITION", "SCHEME"): 1,
    ("XML", "SCHEMA", "COLLECTION"): 2,
    ("MESSAGE", "TYPE"): 1,
    ("CONTRACT",): 1,
    ("QUEUE",): 3,
    ("SERVICE",): 1,
    ("ROUTE",): 1,
    ("REMOTE", "SERVICE", "BINDING"): 1,
    ("BROKER", "PRIORITY"): 1,
    ("EVENT", "NOTIFICATION"): 1,
    ("EVENT", "SESSION"): 1,
    ("ENDPOINT",): 1,
    ("AVAILABILITY", "GROUP"): 1,
    ("AUTHORIZATION",): 0,
}
"""The kinds that are read loosely after their name, and the most parts of it (0: it has none)."""

_DROPS: dict[tuple[str, ...], int] = {
    **{words: parts for words, parts in KINDS.items() if parts},
    ("TABLE",): 3,
    ("EXTERNAL", "TABLE"): 3,
    ("VIEW",): 3,
    ("PROC",): 3,
    ("PROCEDURE",): 3,
    ("FUNCTION",): 3,
    ("TRIGGER",): 3,
    ("SYNONYM",): 3,
    ("SCHEMA",): 1,
    ("SECURITY", "POLICY"): 3,
    ("TYPE",): 2,
    ("STATISTICS",): 4,
}
_INDEX_WORDS = (
    "UNIQUE",
    "CLUSTERED",
    "NONCLUSTERED",
    "COLUMNSTORE",
    "PRIMARY",
    "XML",
    "SPATIAL",
    "FULLTEXT",
    "JSON",
    "VECTOR",
    "SELECTIVE",
)
_LONGEST = 3


class Definitions(Tables):
    """Reads definitions and permissions."""

    @abstractmethod
    def module(self, start: int, verb: str) -> nodes.Statement | None:
        """Read a view, procedure, function or trigger, if one of them is defined here."""

    # CREATE, ALTER, DROP

    def create(self) -> nodes.Statement:
        """Read CREATE …, ALTER … or CREATE OR ALTER …. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        if verb == "CREATE" and self.phrase("OR", "ALTER"):
            verb = "CREATE OR ALTER"
        module = self.module(start, verb)
        if module is not None:
            return module
        if self.phrase("SECURITY", "POLICY"):
            return self._security_policy(start, verb)
        special = self._alter_special(start) if verb == "ALTER" else None
        if verb == "CREATE":
            special = self._create_special(start)
        return self._definition(start, verb) if special is None else special

    def _alter_special(self, start: int) -> nodes.Statement | None:
        if self.taken("TABLE"):
            return self.alter_table(start)
        if self.kinds[self.at] == "INDEX":
            return self._alter_index(start)
        if self.ahead("FULLTEXT", "INDEX"):
            return self._alter_full_text(start)
        if self.kinds[self.at] == "SCHEMA":
            return self._alter_schema(start)
        return None

    def _create_special(self, start: int) -> nodes.Statement | None:
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind == "TABLE":
            self.at += 1
            return self.create_table(start, "TABLE")
        if self.phrase("EXTERNAL", "TABLE"):
            return self.create_table(start, "EXTERNAL TABLE")
        if kind in ("UNIQUE", "CLUSTERED", "NONCLUSTERED", "INDEX", "PRIMARY") or self._at_index():
            return self._create_index(start)
        if word == "SYNONYM":
            self.at += 1
            name = self.object_name(2)
            self.expect("FOR")
            target = self.object_name(4)
            return nodes.CreateSynonym(start, self.end, name, target)
        if word == "TYPE":
            self.at += 1
            return self._create_type(start)
        if kind == "SCHEMA":
            self.at += 1
            return self._create_schema(start)
        if kind == "STATISTICS":
            self.at += 1
            return self._create_statistics(start)
        if kind == "RULE":
            self.at += 1
            name = self.object_name(2)
            self.expect("AS")
            self.condition()
            return nodes.Definition(start, self.end, "CREATE", "RULE", (name,))
        return None

    def _create_statistics(self, start: int) -> nodes.Statement:
        name = self.object_name(1)
        self.expect("ON")
        table = self.object_name(3)
        found: list[nodes.Expression] = []
        self.expect("(")
        self.scraps(found)
        self.expect(")")
        if self.taken("WHERE"):
            found.append(self.condition())
        tail = self.tail()
        literals = tuple(each for one in found for each in nodes.walk(one) if isinstance(each, nodes.Constant))
        return nodes.Definition(
            start, self.end, "CREATE", "STATISTICS", (name,), (table,), literals + tail.literals, tail.words
        )

    def _definition(self, start: int, verb: str) -> nodes.Statement:
        kind, parts = self._kind()
        names: tuple[nodes.ObjectName, ...] = ()
        first: tuple[str, ...] = ()
        self.phrase("IF", "EXISTS")
        if parts and self.kinds[self.at] == "CURRENT":
            self.at += 1
            first = ("CURRENT",)
        elif parts and not (kind == "DATABASE" and self.ahead("SCOPED")):
            names = (self.object_name(parts),)
        tail = self.tail(kind if verb == "ALTER" else "")
        return nodes.Definition(start, self.end, verb, kind, names, tail.names, tail.literals, first + tail.words)

    def _kind(self) -> tuple[str, int]:
        for length in range(_LONGEST, 0, -1):
            words = tuple(self.words[self.at : self.at + length])
            if words in KINDS:
                self.at += length
                return " ".join(words), KINDS[words]
        raise self.unexpected("a kind of object")

    def _create_type(self, start: int) -> nodes.Statement:
        name = self.object_name(2)
        if self.taken("AS"):
            self.expect("TABLE")
            elements = self.table_elements()
            options = self.index_options()
            return nodes.CreateTable(start, self.end, name, elements, "TYPE", options)
        if self.taken("FROM"):
            base = self.data_type()
            if not self.phrase("NOT", "NULL"):
                self.taken("NULL")
            return nodes.Definition(start, self.end, "CREATE", "TYPE", (name,), (base.name,))
        self.expect_phrase("EXTERNAL", "NAME")
        related = self.object_name(3)
        return nodes.Definition(start, self.end, "CREATE", "TYPE", (name,), (related,), (), ("EXTERNAL", "NAME"))

    def _create_schema(self, start: int) -> nodes.Statement:
        name = None if self.kinds[self.at] == "AUTHORIZATION" else self.identifier()
        owner = self.identifier() if self.taken("AUTHORIZATION") else None
        found = []
        while True:
            kind, following = self.kinds[self.at], self.kinds[self.at + 1]
            if kind in ("GRANT", "DENY", "REVOKE"):
                found.append(self.entitlement())
            elif kind == "CREATE" and following == "TABLE":
                found.append(self.create())
            elif kind == "CREATE":
                raise self.unexpected("CREATE TABLE, GRANT, DENY, REVOKE or a semicolon")
            else:
                return nodes.SchemaElements(start, self.end, name, owner, tuple(found))

    def _security_policy(self, start: int, verb: str) -> nodes.Statement:
        first = self.at
        name = self.object_name(2)
        related: list[nodes.ObjectName] = []
        while word := self.maybe("ADD", "ALTER", "DROP"):
            if not self.phrase("NOT", "FOR", "REPLICATION"):
                self._predicate_of_policy(word, related)
            if not self.taken(","):
                break
        if self.taken("WITH"):
            self.hints()
        self.phrase("NOT", "FOR", "REPLICATION")
        words = tuple(word for word in self.words[first : self.at] if word)
        return nodes.Definition(start, self.end, verb, "SECURITY POLICY", (name,), tuple(related), (), words)

    def _predicate_of_policy(self, word: str, related: list[nodes.ObjectName]) -> None:
        """`FILTER PREDICATE f(column) ON table`, `BLOCK PREDICATE f(column) ON table AFTER INSERT`."""
        self.maybe("FILTER", "BLOCK")
        self.expect_phrase("PREDICATE")
        if word != "DROP":
            function = self.object_name(3)
            related.append(function)
            self.call(function)
        self.expect("ON")
        related.append(self.object_name(3))
        if self.phrase("AFTER"):
            self.one_of("INSERT", "UPDATE")
        elif self.phrase("BEFORE"):
            self.one_of("UPDATE", "DELETE")

    def _alter_schema(self, start: int) -> nodes.Statement:
        self.at += 1
        name = self.object_name(1)
        self.expect_phrase("TRANSFER")
        words = ["TRANSFER", *self.securable_class().split()]
        moved = self.object_name(3)
        return nodes.Definition(start, self.end, "ALTER", "SCHEMA", (name,), (moved,), (), tuple(words))

    # indexes

    def _at_index(self) -> bool:
        word, following = self.words[self.at], self.words[self.at + 1]
        if word in ("XML", "SPATIAL", "FULLTEXT", "JSON", "VECTOR", "COLUMNSTORE"):
            return following == "INDEX"
        return self.ahead("SELECTIVE", "XML", "INDEX")

    def _create_index(self, start: int) -> nodes.Statement:
        kinds = []
        while self.words[self.at] and self.kinds[self.at] != "INDEX":
            kinds.append(self.one_of(*_INDEX_WORDS))
        self.expect("INDEX")
        kind = " ".join(kinds)
        name = None if self.kinds[self.at] == "ON" else self.identifier("an index")
        self.expect("ON")
        table = self.object_name(3)
        if kind in ("FULLTEXT", "SPATIAL", "XML", "PRIMARY XML", "SELECTIVE XML", "JSON", "VECTOR"):
            return self._loose_index(start, name, table, kind)
        columns = self.index_columns() if self.kinds[self.at] == "(" else ()
        if self.phrase("INCLUDE"):
            columns += self.names_in_brackets()
        if self.kinds[self.at] == "ORDER" and self.kinds[self.at + 1] == "(":
            self.at += 1
            columns += self.names_in_brackets()
        where = self.condition() if self.taken("WHERE") else None
        options = self.index_options()
        return nodes.CreateIndex(start, self.end, name, table, kind, columns, where, options)

    def _loose_index(
        self, start: int, name: nodes.Identifier | None, table: nodes.ObjectName, kind: str
    ) -> nodes.Statement:
        columns = []
        if self.kinds[self.at + 1] != "SELECT" and self.taken("("):
            found: list[nodes.Expression] = []
            self.scraps(found)
            self.expect(")")
            columns = [part for each in found if isinstance(each, nodes.Column) for part in each.name.parts if part]
        self.tail()
        return nodes.CreateIndex(start, self.end, name, table, kind, tuple(columns))

    def _alter_index(self, start: int) -> nodes.Statement:
        self.at += 1
        name = None if self.taken("ALL") else self.object_name(1)
        self.expect("ON")
        table = self.object_name(3)
        tail = self.tail("INDEX")
        related = (table, *tail.names)
        names = () if name is None else (name,)
        return nodes.Definition(start, self.end, "ALTER", "INDEX", names, related, tail.literals, tail.words)

    def _alter_full_text(self, start: int) -> nodes.Statement:
        self.at += 2
        self.expect("ON")
        table = self.object_name(3)
        tail = self.tail("FULLTEXT INDEX")
        return nodes.Definition(
            start, self.end, "ALTER", "FULLTEXT INDEX", (), (table, *tail.names), tail.literals, tail.words
        )

    # DROP

    def drop(self) -> nodes.Statement:
        """Read DROP …. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        if self.kinds[self.at] == "INDEX":
            return self._drop_index(start)
        if self.phrase("FULLTEXT", "INDEX", "ON"):
            table = self.object_name(3)
            return nodes.Drop(start, self.end, "FULLTEXT INDEX", (), table)
        signature = self.signature(start, "DROP")
        if signature is not None:
            return signature
        for words in (("MASTER", "KEY"), ("DATABASE", "ENCRYPTION", "KEY")):
            if self.phrase(*words):
                return nodes.Drop(start, self.end, " ".join(words), ())
        return self._drop_named(start)

    def _drop_named(self, start: int) -> nodes.Statement:
        for length in range(_LONGEST, 0, -1):
            words = tuple(self.words[self.at : self.at + length])
            if words in _DROPS:
                self.at += length
                break
        else:
            raise self.unexpected("a kind of object")
        kind = "PROCEDURE" if words == ("PROC",) else " ".join(words)
        if_exists = self.phrase("IF", "EXISTS")
        names = self.object_names(_DROPS[words])
        on = None
        if kind == "TRIGGER" and self.taken("ON"):
            if not self.phrase("ALL", "SERVER") and not self.taken("DATABASE"):
                on = self.object_name(3)
        elif words in KINDS and self.kinds[self.at] not in ("end", ";"):
            self.tail()
        return nodes.Drop(start, self.end, kind, names, on, if_exists)

    def _drop_index(self, start: int) -> nodes.Statement:
        self.at += 1
        self.phrase("IF", "EXISTS")
        found = []
        while True:
            name = self.object_name(4)
            if self.taken("ON"):
                table = self.object_name(3)
                name = nodes.ObjectName(name.start, self.end, table.parts + name.parts)
            self.index_options()
            found.append(name)
            if not self.taken(","):
                return nodes.Drop(start, self.end, "INDEX", tuple(found))

    def signature(self, start: int, verb: str) -> nodes.Statement | None:
        """Read ADD or DROP of a signature or a sensitivity classification, if one stands here. Raises UnparsedError."""
        for words in (("COUNTER", "SIGNATURE"), ("SIGNATURE",), ("SENSITIVITY", "CLASSIFICATION")):
            if self.phrase(*words):
                tail = self.tail()
                return nodes.Definition(
                    start, self.end, verb, " ".join(words), (), tail.names, tail.literals, tail.words
                )
        return None

    # triggers on and off

    def trigger_switch(self) -> nodes.Statement:
        """Read `ENABLE TRIGGER … ON …`. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.words[self.at]
        self.at += 1
        self.expect("TRIGGER")
        names = () if self.taken("ALL") else self.object_names(2)
        self.expect("ON")
        if self.phrase("ALL", "SERVER"):
            return nodes.TriggerSwitch(start, self.end, verb, names, None, "ALL SERVER")
        if self.taken("DATABASE"):
            return nodes.TriggerSwitch(start, self.end, verb, names, None, "DATABASE")
        on = self.object_name(3)
        return nodes.TriggerSwitch(start, self.end, verb, names, on)

    # permissions

    def entitlement(self) -> nodes.Statement:
        """Read GRANT, DENY or REVOKE. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        grantable = verb == "REVOKE" and self.phrase("GRANT", "OPTION", "FOR")
        permissions = [self._permission()]
        while self.taken(","):
            permissions.append(self._permission())
        kind = ""
        securable = None
        columns: tuple[nodes.Identifier, ...] = ()
        if self.taken("ON"):
            kind = self.securable_class()
            securable = self.object_name(3)
            if self.kinds[self.at] == "(":
                columns = self.names_in_brackets()
        self.one_of(*(("TO", "FROM") if verb == "REVOKE" else ("TO",)))
        principals = [self._grantee()]
        while self.taken(","):
            principals.append(self._grantee())
        if verb == "GRANT" and self.phrase("WITH", "GRANT", "OPTION"):
            grantable = True
        elif verb != "GRANT":
            self.taken("CASCADE")
        if self.taken("AS"):
            self.identifier()
        return nodes.Entitlement(
            start, self.end, verb, tuple(permissions), kind, securable, columns, tuple(principals), grantable
        )

    def _permission(self) -> nodes.Permission:
        start = self.starts[self.at]
        words = []
        while self.words[self.at] and self.kinds[self.at] not in ("ON", "TO", "FROM", LABEL):
            words.append(self.words[self.at])
            self.at += 1
        if not words:
            raise self.unexpected("a permission")
        columns = self.names_in_brackets() if self.kinds[self.at] == "(" else ()
        name = "ALL" if words == ["ALL", "PRIVILEGES"] else " ".join(words)
        return nodes.Permission(start, self.end, name, columns)

    def securable_class(self) -> str:
        """Read `SCHEMA::` and its like, if it stands here; return its words. Raises UnparsedError."""
        at = self.at
        while self.words[at] and at - self.at < _LONGEST + 1 and self.kinds[at] != LABEL:
            at += 1
            if self.kinds[at] == ":" and self.kinds[at + 1] == ":":
                words = " ".join(self.words[self.at : at])
                self.at = at + 2
                return words
        return ""

    def _grantee(self) -> nodes.Identifier:
        if self.kinds[self.at] in (NAME, QUOTED):
            return self.identifier()
        if self.kinds[self.at] in ("PUBLIC", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "NULL"):
            return self._pseudo()
        raise self.unexpected("a principal")
