"""What serves the server: BACKUP, DBCC, keys, statistics, conversations; and BULK INSERT. Much is read loosely."""

from __future__ import annotations

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import LABEL
from blastwall.sql.tsql.modules import Modules
from blastwall.sql.tsql.words import STARTS


class Utilities(Modules):
    """Reads what serves the server."""

    def utility(self) -> nodes.Statement:
        """Read BACKUP, RESTORE, DBCC, KILL, SHUTDOWN, RECONFIGURE, CHECKPOINT or LINENO. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        if verb in ("SHUTDOWN", "RECONFIGURE"):
            word = "NOWAIT" if verb == "SHUTDOWN" else "OVERRIDE"
            words = ("WITH", word) if self.phrase("WITH", word) else ()
            return nodes.Utility(start, self.end, verb, words=words)
        if verb in ("CHECKPOINT", "LINENO"):
            self.taken("integer")
            return nodes.Utility(start, self.end, verb)
        kind = ""
        if self.words[self.at] and verb != "KILL":
            kind = self.words[self.at]
            if kind in STARTS or self.kinds[self.at] == LABEL:
                raise self.unexpected("what it is for")
            self.at += 1
        return self._loose(start, verb, kind)

    def _loose(self, start: int, verb: str, kind: str) -> nodes.Statement:
        tail = self.tail()
        return nodes.Utility(start, self.end, verb, kind, tail.names, tail.literals, tail.variables, tail.words)

    def use(self) -> nodes.Statement:
        """Read USE. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        database = self.identifier("a database")
        return nodes.Use(start, self.end, database)

    def update_statistics(self) -> nodes.Statement:
        """Read UPDATE STATISTICS. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 2
        table = self.object_name(3)
        tail = self.tail()
        names = (table, *tail.names)
        return nodes.Utility(start, self.end, "UPDATE STATISTICS", "", names, tail.literals, tail.variables, tail.words)

    def add(self) -> nodes.Statement:
        """Read ADD SIGNATURE or ADD SENSITIVITY CLASSIFICATION. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        found = self.signature(start, "ADD")
        if found is None:
            raise self.unexpected("`SIGNATURE` or `SENSITIVITY CLASSIFICATION`")
        return found

    # keys, and cursors that open and close like them

    def open_close(self) -> nodes.Statement:
        """Read OPEN or CLOSE, of a key or a cursor. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        for words in (("MASTER", "KEY"), ("SYMMETRIC", "KEY"), ("ALL", "SYMMETRIC", "KEYS")):
            if tuple(self.words[self.at + 1 : self.at + 1 + len(words)]) == words:
                self.at += 1 + len(words)
                return self._loose(start, verb, " ".join(words))
        return self.cursor_command()

    # conversations

    def begin_any(self) -> nodes.Statement:
        """Read what begins with BEGIN. Raises UnparsedError."""
        start, word, following = self.starts[self.at], self.words[self.at + 1], self.words[self.at + 2]
        if (word == "DIALOG" and following) or (word == "CONVERSATION" and following == "TIMER"):
            self.at += 2
            return self._loose(start, "BEGIN", word)
        if word == "DIALOG" and self.kinds[self.at + 2] == "variable":
            self.at += 2
            return self._loose(start, "BEGIN", word)
        return self.begin()

    def end_conversation(self) -> nodes.Statement:
        """Read END CONVERSATION. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        self.expect_phrase("CONVERSATION")
        return self._loose(start, "END", "CONVERSATION")

    def broker(self, word: str, following: str) -> nodes.Statement | None:
        """Read SEND, RECEIVE, GET or MOVE CONVERSATION, if one stands here. Raises UnparsedError."""
        start = self.starts[self.at]
        if word == "SEND" and following == "ON":
            self.at += 1
            return self._loose(start, "SEND", "")
        if word == "RECEIVE" and (self.at > 0 or self.kinds[1] in ("*", "TOP")):
            self.at += 1
            return self._receive(start)
        if word in ("GET", "MOVE") and following == "CONVERSATION":
            self.at += 2
            return self._conversation(start, word)
        return None

    def _conversation(self, start: int, verb: str) -> nodes.Statement:
        """`GET CONVERSATION GROUP @g FROM queue`, `MOVE CONVERSATION @h TO @g`."""
        if verb == "GET":
            self.expect("GROUP")
        handle = self.variable()
        if verb == "GET":
            self.expect("FROM")
            queue = self.object_name(3)
            return nodes.Utility(start, self.end, verb, "CONVERSATION", (queue,), (), (handle,))
        self.expect("TO")
        group = self.variable()
        return nodes.Utility(start, self.end, verb, "CONVERSATION", (), (), (handle, group))

    def _receive(self, start: int) -> nodes.Statement:
        if self.kinds[self.at] == "TOP":
            self.top()
        first = self.at
        while True:
            if self.kinds[self.at] == "variable" and self.kinds[self.at + 1] == "=":
                self.at += 2
            self.item()
            if not self.taken(","):
                break
        self.expect("FROM")
        queue = self.object_name(3)
        if self.taken("INTO"):
            self.variable()
        if self.taken("WHERE"):
            self.condition()
        variables = tuple(
            nodes.Variable(self.starts[at], self.ends[at], self.raw(at))
            for at in range(first, self.at)
            if self.kinds[at] == "variable"
        )
        return nodes.Utility(start, self.end, "RECEIVE", "", (queue,), (), variables)

    # bulk loads

    def bulk_insert(self) -> nodes.Statement:
        """Read BULK INSERT. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        self.expect("INSERT")
        name = self.object_name(3)
        self.expect("FROM")
        file = self.expression_constant()
        options: tuple[nodes.Hint, ...] = ()
        if self.taken("WITH"):
            options = self.hints()
        return nodes.BulkInsert(start, self.end, name, file, (), options)

    def insert_bulk(self) -> nodes.Statement:
        """Read INSERT BULK, which bulk loads begin with. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 2
        name = self.object_name(3)
        columns: list[nodes.ColumnDefinition] = []
        if self.taken("("):
            columns.append(self.column_definition())
            while self.taken(","):
                columns.append(self.column_definition())
            self.expect(")")
        options: tuple[nodes.Hint, ...] = ()
        if self.taken("WITH"):
            options = self.hints()
        return nodes.BulkInsert(start, self.end, name, None, tuple(columns), options)
