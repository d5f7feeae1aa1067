"""CREATE, ALTER and DROP of what is not a table or a module, and permissions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import LABEL, NAME, QUOTED
from blastwall.sql.tsql.tables import Tables
from blastwall.sql.tsql.words import STARTS

_STOPS = frozenset(
    """
    SELECT INSERT DECLARE IF WHILE EXEC EXECUTE PRINT RAISERROR RETURN COMMIT TRUNCATE GOTO USE BEGIN END ELSE FETCH CLOSE
    DEALLOCATE WAITFOR CONTINUE BREAK
    """.strip().split()
)
"""Reserved words that begin a statement and stand in no definition outside brackets: they end one."""

_CHANGES = frozenset({"ADD", "ALTER", "DROP", "SET", "ENABLE", "DISABLE", "MOVE"})
_NONE: frozenset[str] = frozenset()

KINDS: dict[tuple[str, ...], tuple[int, frozenset[str]]] = {
    ("LOGIN",): (1, _CHANGES),
    ("USER",): (1, _NONE),
    ("ROLE",): (1, _CHANGES),
    ("SERVER", "ROLE"): (1, _CHANGES),
    ("APPLICATION", "ROLE"): (1, _NONE),
    ("DATABASE",): (1, _CHANGES | {"ROLLBACK", "GET", "LOAD"}),
    ("DATABASE", "SCOPED", "CREDENTIAL"): (1, _NONE),
    ("DATABASE", "SCOPED", "CONFIGURATION"): (0, _CHANGES),
    ("DATABASE", "ENCRYPTION", "KEY"): (0, _CHANGES),
    ("DATABASE", "AUDIT", "SPECIFICATION"): (1, _CHANGES),
    ("SERVER", "AUDIT", "SPECIFICATION"): (1, _CHANGES),
    ("SERVER", "AUDIT"): (1, _CHANGES),
    ("SERVER", "CONFIGURATION"): (0, _CHANGES),
    ("CREDENTIAL",): (1, _NONE),
    ("MASTER", "KEY"): (0, _CHANGES),
    ("SERVICE", "MASTER", "KEY"): (0, _CHANGES),
    ("SYMMETRIC", "KEY"): (1, _CHANGES),
    ("ASYMMETRIC", "KEY"): (1, _CHANGES),
    ("COLUMN", "MASTER", "KEY"): (1, _NONE),
    ("COLUMN", "ENCRYPTION", "KEY"): (1, _CHANGES),
    ("CERTIFICATE",): (1, _CHANGES),
    ("CRYPTOGRAPHIC", "PROVIDER"): (1, _CHANGES),
    ("ASSEMBLY",): (1, _CHANGES),
    ("AGGREGATE",): (3, _NONE),
    ("SEQUENCE",): (3, _NONE),
    ("RULE",): (3, _NONE),
    ("DEFAULT",): (3, _NONE),
    ("STATISTICS",): (1, _NONE),
    ("EXTERNAL", "DATA", "SOURCE"): (1, _CHANGES),
    ("EXTERNAL", "FILE", "FORMAT"): (1, _NONE),
    ("EXTERNAL", "LANGUAGE"): (1, _CHANGES),
    ("EXTERNAL", "LIBRARY"): (1, _CHANGES),
    ("EXTERNAL", "MODEL"): (1, _CHANGES),
    ("EXTERNAL", "RESOURCE", "POOL"): (1, _NONE),
    ("RESOURCE", "POOL"): (1, _NONE),
    ("RESOURCE", "GOVERNOR"): (0, _CHANGES | {"RECONFIGURE"}),
    ("WORKLOAD", "GROUP"): (1, _NONE),
    ("WORKLOAD", "CLASSIFIER"): (1, _NONE),
    ("SECURITY", "POLICY"): (2, _CHANGES | {"UPDATE", "DELETE", "INSERT"}),
    ("FULLTEXT", "CATALOG"): (1, _NONE),
    ("FULLTEXT", "STOPLIST"): (1, _CHANGES),
    ("SEARCH", "PROPERTY", "LIST"): (1, _CHANGES),
    ("PARTITION", "FUNCTION"): (1, frozenset({"MERGE"})),
    ("PARTITION", "SCHEME"): (1, _NONE),
    ("XML", "SCHEMA", "COLLECTION"): (2, frozenset({"ADD"})),
    ("MESSAGE", "TYPE"): (1, _NONE),
    ("CONTRACT",): (1, _NONE),
    ("QUEUE",): (3, _CHANGES),
    ("SERVICE",): (1, _NONE),
    ("ROUTE",): (1, _NONE),
    ("REMOTE", "SERVICE", "BINDING"): (1, _NONE),
    ("BROKER", "PRIORITY"): (1, frozenset({"SET"})),
    ("EVENT", "NOTIFICATION"): (1, _NONE),
    ("EVENT", "SESSION"): (1, _CHANGES),
    ("ENDPOINT",): (1, _NONE),
    ("AVAILABILITY", "GROUP"): (1, _CHANGES | {"GRANT", "DENY", "CREATE"}),
    ("AUTHORIZATION",): (0, _NONE),
}
"""What is read loosely after its name: its kind's words, the most parts of its name (0: it has none) and the words that begin
a statement elsewhere and may stand in it."""

_DROPS: dict[tuple[str, ...], int] = {
    **{words: parts for words, (parts, _) in KINDS.items() if parts},
    ("TABLE",): 3,
    ("EXTERNAL", "TABLE"): 3,
    ("VIEW",): 3,
    ("PROC",): 3,
    ("PROCEDURE",): 3,
    ("FUNCTION",): 3,
    ("TRIGGER",): 3,
    ("SYNONYM",): 3,
    ("SCHEMA",): 1,
    ("TYPE",): 2,
    ("STATISTICS",): 4,
}
_LONGEST = 3


@dataclass(slots=True)
class Tail:
    """What a loosely read part holds."""

    names: list[nodes.ObjectName] = field(default_factory=list)
    literals: list[nodes.Constant] = field(default_factory=list)
    variables: list[nodes.Variable] = field(default_factory=list)
    words: tuple[str, ...] = ()


class Definitions(Tables):
    """Reads definitions and permissions."""

    @abstractmethod
    def module(self, start: int, verb: str) -> nodes.Statement | None:
        """Read a view, procedure, function or trigger, if one of them is defined here."""

    def tail(self, allowed: frozenset[str] = _NONE) -> Tail:
        """Read to the statement's end: a semicolon, the text's end, or a word that only begins or ends a statement.

        Another word that may begin a statement, and is not `allowed` here, is refused, so that none hides in it.
        """
        first = self.at
        found: list[nodes.Expression] = []
        while not self._at_stop(allowed):
            if self.kinds[self.at] == "(":
                self._bracket_of_tail(found)
            elif self.kinds[self.at] in (")", "}", "!", "<", ">", ":") and not self._doubled_colon():
                self.refuse("the statement's end")
            else:
                self.scrap(found)
        tail = Tail(words=tuple(word for word in self.words[first : self.at] if word))
        for each in found:
            if isinstance(each, nodes.Constant):
                tail.literals.append(each)
            elif isinstance(each, nodes.Variable):
                tail.variables.append(each)
            elif isinstance(each, nodes.Column):
                tail.names.append(each.name)
        return tail

    def _doubled_colon(self) -> bool:
        return self.kinds[self.at] == ":" and ":" in (self.kinds[self.at + 1], self.kinds[self.at - 1])

    def _at_stop(self, allowed: frozenset[str]) -> bool:
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind in ("end", ";", LABEL):
            return True
        if not word or word not in STARTS or word == "WITH":
            return False
        if word in allowed:
            if self.kinds[self.at + 1] == "TRIGGER":
                self.refuse("a semicolon before this statement")
            return False
        if word in _STOPS and kind == word:
            return True
        self.refuse("the statement's end, or a semicolon")

    def _bracket_of_tail(self, found: list[nodes.Expression]) -> None:
        at = self.at
        while self.kinds[at] == "(":
            at += 1
        if self.kinds[at] == "SELECT" and self.words[self.at - 1] not in ("ADD", "DROP", ","):
            self.refuse("no query")
        self.at += 1
        self.scraps_inside(found)
        self.expect(")")

    def scraps_inside(self, found: list[nodes.Expression]) -> None:
        """Read up to the closing bracket that belongs to the one before. Raises UnparsedError."""
        depth = 0
        while True:
            kind = self.kinds[self.at]
            if kind in ("end", ";"):
                self.refuse("`)`")
            if kind == ")":
                if depth == 0:
                    return
                depth -= 1
            depth += kind == "("
            if kind == LABEL:
                self.refuse("an option")
            self.scrap(found)

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
        if verb == "CREATE":
            special = self._create_special(start)
            if special is not None:
                return special
        elif verb == "ALTER":
            if self.taken("TABLE"):
                return self.alter_table(start)
            if self.kinds[self.at] == "INDEX":
                return self._alter_index(start)
            if self.ahead("FULLTEXT", "INDEX"):
                return self._alter_full_text(start)
            if self.kinds[self.at] == "SCHEMA":
                return self._alter_schema(start)
        return self._definition(start, verb)

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
        return None

    def _definition(self, start: int, verb: str) -> nodes.Statement:
        kind, parts, allowed = self._kind(KINDS)
        names: tuple[nodes.ObjectName, ...] = ()
        first: tuple[str, ...] = ()
        self.phrase("IF", "EXISTS")
        if parts and self.kinds[self.at] == "CURRENT":
            self.at += 1
            first = ("CURRENT",)
        elif parts and not (kind == "DATABASE" and self.ahead("SCOPED")):
            names = (self.object_name(parts),)
        tail = self.tail(allowed)
        return nodes.Definition(
            start, self.end, verb, kind, names, tuple(tail.names), tuple(tail.literals), first + tail.words
        )

    def _kind(self, kinds: dict[tuple[str, ...], tuple[int, frozenset[str]]]) -> tuple[str, int, frozenset[str]]:
        for length in range(_LONGEST, 0, -1):
            words = tuple(self.words[self.at : self.at + length])
            if words in kinds:
                self.at += length
                parts, allowed = kinds[words]
                return " ".join(words), parts, allowed
        self.refuse("a kind of object")

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
                self.refuse("CREATE TABLE, GRANT, DENY, REVOKE or a semicolon")
            else:
                return nodes.SchemaElements(start, self.end, name, owner, tuple(found))

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
            kinds.append(
                self.one_of(
                    "UNIQUE", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "PRIMARY", "XML", "SPATIAL", "FULLTEXT", "JSON",
                    "VECTOR", "SELECTIVE",
                )
            )  # fmt: skip
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
        if self.taken("("):
            found: list[nodes.Expression] = []
            self.scraps_inside(found)
            self.expect(")")
            columns = [part for each in found if isinstance(each, nodes.Column) for part in each.name.parts if part]
        self.tail()
        return nodes.CreateIndex(start, self.end, name, table, kind, tuple(columns))

    def _alter_index(self, start: int) -> nodes.Statement:
        self.at += 1
        name = None if self.taken("ALL") else self.object_name(1)
        self.expect("ON")
        table = self.object_name(3)
        tail = self.tail(_CHANGES)
        related = (table, *tail.names)
        names = () if name is None else (name,)
        return nodes.Definition(start, self.end, "ALTER", "INDEX", names, related, tuple(tail.literals), tail.words)

    def _alter_full_text(self, start: int) -> nodes.Statement:
        self.at += 2
        self.expect("ON")
        table = self.object_name(3)
        tail = self.tail(_CHANGES)
        return nodes.Definition(
            start, self.end, "ALTER", "FULLTEXT INDEX", (), (table, *tail.names), tuple(tail.literals), tail.words
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
            self.refuse("a kind of object")
        kind = "PROCEDURE" if words == ("PROC",) else " ".join(words)
        self.phrase("IF", "EXISTS")
        names = self.object_names(_DROPS[words])
        on = None
        if kind == "TRIGGER" and self.taken("ON"):
            if not self.phrase("ALL", "SERVER") and not self.taken("DATABASE"):
                on = self.object_name(3)
        elif words in KINDS and self.kinds[self.at] not in ("end", ";"):
            self.tail()
        return nodes.Drop(start, self.end, kind, names, on)

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
                    start, self.end, verb, " ".join(words), (), tuple(tail.names), tuple(tail.literals), tail.words
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
            self.refuse("a permission")
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
        self.refuse("a principal")
