"""A batch to statements: their grammar is checked before any of them runs, names are looked up when each runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blastwall.testing.tds.definitions import Definitions
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Scope, Variable
from blastwall.testing.tds.lexer import NAME, NUMBER, STRING, SYSTEM, VARIABLE
from blastwall.testing.tds.queries import STARTERS
from blastwall.testing.tds.typed import UNKNOWN

_OPTIONS_WORDS = """
    NOCOUNT XACT_ABORT QUOTED_IDENTIFIER ANSI_NULLS ANSI_WARNINGS ANSI_PADDING ANSI_NULL_DFLT_ON ANSI_DEFAULTS
    ARITHABORT CONCAT_NULL_YIELDS_NULL CURSOR_CLOSE_ON_COMMIT IMPLICIT_TRANSACTIONS NUMERIC_ROUNDABORT
    NO_BROWSETABLE FMTONLY ARITHIGNORE ANSI_NULL_DFLT_OFF FORCEPLAN NOEXEC PARSEONLY
"""
_OPTIONS = frozenset(_OPTIONS_WORDS.split())
_VALUES = frozenset(
    ["ROWCOUNT", "TEXTSIZE", "LOCK_TIMEOUT", "DATEFIRST", "DATEFORMAT", "LANGUAGE", "DEADLOCK_PRIORITY", "CONTEXT_INFO"]
)


@dataclass(slots=True)
class Node:
    """A statement: its kind, where it starts among the tokens, what is inside it."""

    kind: str
    at: int
    line: int
    name: str = ""
    text: str = ""
    parts: tuple[str, ...] = ()
    body: list[Node] = field(default_factory=list)
    other: list[Node] = field(default_factory=list)
    spots: tuple[int, ...] = ()
    """Where its expressions are."""


class Script(Definitions):
    """Reads statements."""

    def batch(self) -> list[Node]:
        """Read a whole batch.

        Raises:
            SqlError: its grammar is wrong, or not supported here.
        """
        nodes: list[Node] = []
        while not self.cursor.ended:
            if self.cursor.accept(";"):
                continue
            if (
                not nodes
                and self.cursor.token.kind == NAME
                and self.cursor.word not in STARTERS
                and self.cursor.is_name()
            ):
                nodes.append(self._call(self.cursor.at))
                continue
            nodes.append(self._statement())
        return nodes

    def _statement(self) -> Node:
        cursor, at = self.cursor, self.cursor.at
        line, word = cursor.line, cursor.word
        try:
            node = self._of(word, at)
        except SqlError as error:
            if error.line == 1:
                error.line = cursor.line
            raise
        node.line = line
        cursor.accept(";") if node.kind != "IF" else None
        return node

    def _of(self, word: str, at: int) -> Node:
        readers: dict[str, Callable[[int], Node]] = {
            "SELECT": self._query_node, "(": self._query_node, "WITH": self._with, "INSERT": self._change_node,
            "UPDATE": self._change_node, "DELETE": self._change_node, "MERGE": self._change_node, "BEGIN": self._begin,
            "IF": self._if, "WHILE": self._while, "DECLARE": self._declare, "SET": self._set, "PRINT": self._print,
            "RAISERROR": self._raiserror, "THROW": self._throw, "EXEC": self._exec, "EXECUTE": self._exec,
            "RETURN": self._return, "BREAK": self._word, "CONTINUE": self._word, "WAITFOR": self._waitfor,
            "COMMIT": self._transaction, "ROLLBACK": self._transaction, "SAVE": self._transaction, "USE": self._use,
            "CREATE": self._define, "ALTER": self._define, "DROP": self._drop, "TRUNCATE": self._truncate,
            "GRANT": self._permission, "DENY": self._permission, "REVOKE": self._permission, "REVERT": self._word,
        }  # fmt: skip
        if word not in readers:
            if word in STARTERS and word not in ("ELSE", "END"):
                raise unsupported(word)
            if self.cursor.token.kind == NAME and word == "KILL":
                raise unsupported(word)
            raise self.cursor.wrong()
        return readers[word](at)

    # ── queries and changes ──────────────────────────────────────────────────────────────────────────────────────────

    def _query_node(self, at: int) -> Node:
        self.query(top=True)
        return Node("SELECT", at, 0)

    def _with(self, at: int) -> Node:
        self._assigns, self._into = [], ()
        self.with_clause(None)
        word = self.cursor.word
        self.cursor.at = at
        self.ctes = []
        return self._query_node(at) if word in ("SELECT", "(") else self._change_node(at, word)

    def _change_node(self, at: int, word: str = "") -> Node:
        kind = word or self.cursor.word
        readers = {"INSERT": self.insert, "UPDATE": self.update, "DELETE": self.delete, "MERGE": self.merge}
        if kind not in readers:
            raise self.cursor.wrong()
        change = readers[kind]()
        body = [self._exec(self.cursor.at)] if change.procedure >= 0 else []
        return Node(kind, at, 0, body=body)

    # ── control flow ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _block(self, *ends: tuple[str, ...]) -> list[Node]:
        nodes: list[Node] = []
        while not any(self._at(end) for end in ends):
            if self.cursor.ended:
                raise self.cursor.wrong()
            if self.cursor.accept(";"):
                continue
            nodes.append(self._statement())
        return nodes

    def _at(self, words: tuple[str, ...]) -> bool:
        return all(self.cursor.ahead(offset) == word for offset, word in enumerate(words))

    def _begin(self, at: int) -> Node:
        cursor = self.cursor
        cursor.expect("BEGIN")
        if cursor.word in ("TRAN", "TRANSACTION"):
            cursor.advance()
            return Node("BEGIN TRANSACTION", at, 0, name=self._transaction_name())
        if cursor.word == "DISTRIBUTED":
            raise unsupported("BEGIN DISTRIBUTED TRANSACTION")
        if cursor.accept("TRY"):
            body = self._block(("END", "TRY"))
            cursor.expect("END", "TRY")
            cursor.accept(";")
            cursor.expect("BEGIN", "CATCH")
            other = self._block(("END", "CATCH"))
            cursor.expect("END", "CATCH")
            return Node("TRY", at, 0, body=body, other=other)
        body = self._block(("END",))
        cursor.expect("END")
        return Node("BLOCK", at, 0, body=body)

    def _if(self, at: int) -> Node:
        self.cursor.expect("IF")
        spot = self.cursor.at
        self.condition(Scope())
        body = [self._statement()]
        other = []
        if self.cursor.accept("ELSE"):
            other = [self._statement()]
        return Node("IF", at, 0, body=body, other=other, spots=(spot,))

    def _while(self, at: int) -> Node:
        self.cursor.expect("WHILE")
        spot = self.cursor.at
        self.condition(Scope())
        return Node("WHILE", at, 0, body=[self._statement()], spots=(spot,))

    def _word(self, at: int) -> Node:
        return Node(self.cursor.advance().word, at, 0)

    def _return(self, at: int) -> Node:
        cursor = self.cursor
        cursor.expect("RETURN")
        if cursor.ended or cursor.word in STARTERS or cursor.word == ";":
            return Node("RETURN", at, 0)
        spot = cursor.at
        self.value(Scope())
        return Node("RETURN", at, 0, spots=(spot,))

    # ── variables and options ────────────────────────────────────────────────────────────────────────────────────────

    def _declare(self, at: int) -> Node:
        self.cursor.expect("DECLARE")
        items = [self._declared()]
        while self.cursor.accept(","):
            items.append(self._declared())
        return Node("DECLARE", at, 0, body=items)

    def _declared(self) -> Node:
        cursor, at = self.cursor, self.cursor.at
        if cursor.token.kind != VARIABLE:
            raise unsupported("DECLARE CURSOR")
        name = cursor.advance().text
        cursor.accept("AS")
        if name.lower() in self.facts.variables:
            raise SqlError(134, name)
        if cursor.accept("TABLE"):
            self.table_body("dbo", name)
            self.facts.variables[name.lower()] = Variable(UNKNOWN)
            return Node("TABLE", at, 0, name=name, spots=(at,))
        if cursor.word == "CURSOR":
            raise unsupported("A cursor variable")
        spot = cursor.at
        type_ = self.type()
        self.facts.variables[name.lower()] = Variable(type_)
        spots: tuple[int, ...] = (spot,)
        if cursor.accept("="):
            spots = (spot, cursor.at)
            self.value(Scope())
        return Node("VARIABLE", at, 0, name=name, spots=spots)

    def _set(self, at: int) -> Node:
        cursor = self.cursor
        cursor.expect("SET")
        if cursor.token.kind == VARIABLE:
            return self._assignment(at)
        if cursor.accept("TRANSACTION", "ISOLATION", "LEVEL"):
            words = [cursor.advance().word]
            while cursor.word in ("COMMITTED", "UNCOMMITTED", "READ"):
                words.append(cursor.advance().word)
            return Node("ISOLATION", at, 0, text=" ".join(words))
        if cursor.accept("IDENTITY_INSERT"):
            parts = cursor.dotted()
            return Node("IDENTITY_INSERT", at, 0, parts=parts, text=self._switch())
        if cursor.word in _VALUES:
            return Node("OPTION", at, 0, name=cursor.advance().word, text=self._option_value())
        return self._set_switches(at)

    def _assignment(self, at: int) -> Node:
        name, operator = self.cursor.advance().text, self.cursor.advance().word
        if operator not in ("=", "+=", "-=", "*=", "/=", "%="):
            raise self.cursor.wrong()
        if name.lower() not in self.facts.variables:
            raise SqlError(137, name)
        spot = self.cursor.at
        self.value(Scope())
        return Node("ASSIGN", at, 0, name=name, text=operator, spots=(spot,))

    def _set_switches(self, at: int) -> Node:
        cursor, names = self.cursor, [self.cursor.advance().word]
        while cursor.accept(","):
            names.append(cursor.advance().word)
        if cursor.word not in ("ON", "OFF"):
            raise cursor.wrong()
        for name in names:
            if name not in _OPTIONS:
                raise unsupported(f"SET {name}")
        return Node("OPTION", at, 0, text=self._switch(), parts=tuple(names))

    def _switch(self) -> str:
        word = self.cursor.advance().word
        if word not in ("ON", "OFF"):
            raise self.cursor.wrong()
        return word

    def _option_value(self) -> str:
        sign = "-" if self.cursor.accept("-") else ""
        token = self.cursor.advance()
        return sign + token.value

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _print(self, at: int) -> Node:
        self.cursor.expect("PRINT")
        spot = self.cursor.at
        self.value(Scope())
        return Node("PRINT", at, 0, spots=(spot,))

    def _raiserror(self, at: int) -> Node:
        cursor = self.cursor
        cursor.expect("RAISERROR", "(")
        spots = [cursor.at]
        self.value(Scope())
        while cursor.accept(","):
            spots.append(cursor.at)
            self.value(Scope())
        cursor.expect(")")
        options = []
        if cursor.accept("WITH"):
            options = [cursor.advance().word]
            while cursor.accept(","):
                options.append(cursor.advance().word)
        return Node("RAISERROR", at, 0, spots=tuple(spots), parts=tuple(options))

    def _throw(self, at: int) -> Node:
        cursor = self.cursor
        cursor.expect("THROW")
        if cursor.ended or cursor.word in STARTERS or cursor.word == ";":
            return Node("THROW", at, 0)
        spots = [cursor.at]
        self.value(Scope())
        for _ in range(2):
            cursor.expect(",")
            spots.append(cursor.at)
            self.value(Scope())
        return Node("THROW", at, 0, spots=tuple(spots))

    def _waitfor(self, at: int) -> Node:
        cursor = self.cursor
        cursor.expect("WAITFOR")
        if cursor.word != "DELAY":
            raise unsupported(f"WAITFOR {cursor.word}")
        cursor.advance()
        spot = cursor.at
        self.value(Scope())
        return Node("WAITFOR", at, 0, spots=(spot,))

    # ── procedures ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _exec(self, at: int) -> Node:
        cursor = self.cursor
        cursor.advance()
        if cursor.accept("AS"):
            kind = cursor.advance().word
            if kind not in ("USER", "LOGIN"):
                raise unsupported(f"EXECUTE AS {kind}")
            cursor.expect("=")
            return Node("EXECUTE AS", at, 0, text=cursor.advance().value)
        if cursor.accept("("):
            spot = cursor.at
            self.value(Scope())
            cursor.expect(")")
            if cursor.word in ("AT", "AS"):
                raise unsupported(f"EXEC (…) {cursor.word}")
            return Node("EXEC TEXT", at, 0, spots=(spot,))
        return self._call(at)

    def _call(self, at: int) -> Node:
        cursor, result = self.cursor, ""
        if cursor.token.kind == VARIABLE and cursor.ahead() == "=":
            result = cursor.advance().text
            cursor.advance()
        if cursor.token.kind == VARIABLE:
            raise unsupported("EXEC @procedure")
        parts = cursor.dotted()
        arguments: list[Node] = []
        if not (cursor.ended or cursor.word == ";" or cursor.word in STARTERS or cursor.word == "WITH"):
            arguments.append(self._argument())
            while cursor.accept(","):
                arguments.append(self._argument())
        if cursor.accept("WITH"):
            if cursor.word != "RECOMPILE":
                raise unsupported(f"EXEC … WITH {cursor.word}")
            cursor.advance()
        return Node("EXEC", at, 0, name=result, parts=parts, body=arguments)

    def _argument(self) -> Node:
        cursor, at = self.cursor, self.cursor.at
        name = ""
        if cursor.token.kind == VARIABLE and cursor.ahead() == "=":
            name = cursor.advance().text
            cursor.advance()
        spot = cursor.at
        if cursor.accept("DEFAULT"):
            return Node("DEFAULT", at, 0, name=name)
        token = cursor.token
        if token.kind == NAME and cursor.is_name():
            cursor.advance()
            return Node("WORD", at, 0, name=name, text=token.value)
        if (
            token.kind not in (VARIABLE, STRING, NUMBER, SYSTEM)
            and token.word not in ("-", "NULL", "+")
            and not token.text[:2].lower() == "0x"
        ):
            raise cursor.wrong()
        self._unary(Scope())
        target = token.text if token.kind == VARIABLE and (cursor.accept("OUTPUT") or cursor.accept("OUT")) else ""
        return Node("VALUE", at, 0, name=name, text=target, spots=(spot,))

    # ── transactions and the rest ────────────────────────────────────────────────────────────────────────────────────

    def _transaction_name(self) -> str:
        cursor = self.cursor
        if cursor.token.kind == VARIABLE:
            raise unsupported("A transaction's name in a variable")
        return cursor.name() if cursor.is_name() else ""

    def _transaction(self, at: int) -> Node:
        cursor = self.cursor
        kind = cursor.advance().word
        if not (cursor.accept("TRANSACTION") or cursor.accept("TRAN") or cursor.accept("WORK")) and kind == "SAVE":
            raise cursor.wrong()
        return Node(f"{kind} TRANSACTION", at, 0, name=self._transaction_name())

    def _use(self, at: int) -> Node:
        self.cursor.expect("USE")
        return Node("USE", at, 0, name=self.cursor.name())

    def _permission(self, at: int) -> Node:
        cursor = self.cursor
        state = cursor.advance().word
        permissions = [self._permission_word()]
        while cursor.accept(","):
            permissions.append(self._permission_word())
        parts: tuple[str, ...] = ()
        scope = ""
        if cursor.accept("ON"):
            if cursor.ahead() == "::":
                scope = cursor.advance().word
                cursor.advance()
            parts = cursor.dotted()
        if not cursor.accept("TO"):
            cursor.expect("FROM")
        principal = cursor.name()
        return Node("PERMISSION", at, 0, name=principal, text=f"{state}|{scope}|{','.join(permissions)}", parts=parts)

    def _permission_word(self) -> str:
        words = [self.cursor.advance().word]
        while self.cursor.word not in (",", "ON", "TO", "FROM", "(") and not self.cursor.ended:
            words.append(self.cursor.advance().word)
        if self.cursor.word == "(":
            raise unsupported("A permission on columns")
        return " ".join(words)

    def _truncate(self, at: int) -> Node:
        self.cursor.expect("TRUNCATE", "TABLE")
        return Node("TRUNCATE", at, 0, parts=self.cursor.dotted())

    def _define(self, at: int) -> Node:
        from blastwall.testing.tds.defining import read_definition

        return read_definition(self, at)

    def _drop(self, at: int) -> Node:
        from blastwall.testing.tds.defining import read_drop

        return read_drop(self, at)
