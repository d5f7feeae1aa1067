"""Variables, control of flow, messages, cursors, transactions, SET."""

from __future__ import annotations

from abc import abstractmethod

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.executes import Executes
from blastwall.sql.tsql.lexer import LABEL, NAME, QUOTED, STRING, VARIABLE
from blastwall.sql.tsql.words import NO_ALIAS

_SWITCHES = frozenset(
    """
    ANSI_DEFAULTS ANSI_NULL_DFLT_OFF ANSI_NULL_DFLT_ON ANSI_NULLS ANSI_PADDING ANSI_WARNINGS ARITHABORT ARITHIGNORE
    CONCAT_NULL_YIELDS_NULL CURSOR_CLOSE_ON_COMMIT FMTONLY FORCEPLAN IMPLICIT_TRANSACTIONS NOCOUNT NOEXEC NO_BROWSETABLE
    NUMERIC_ROUNDABORT PARSEONLY QUOTED_IDENTIFIER REMOTE_PROC_TRANSACTIONS SHOWPLAN_ALL SHOWPLAN_TEXT SHOWPLAN_XML
    XACT_ABORT RESULT_SET_CACHING DISABLE_DEF_CNST_CHK
    """.strip().split()
)
_SETTINGS = frozenset(
    """
    CONTEXT_INFO DATEFIRST DATEFORMAT DEADLOCK_PRIORITY ERRLVL FIPS_FLAGGER LANGUAGE LOCK_TIMEOUT
    QUERY_GOVERNOR_COST_LIMIT ROWCOUNT TEXTSIZE
    """.strip().split()
)
_STATISTICS = ("IO", "TIME", "PROFILE", "XML")
_ISOLATION = (
    ("READ", "COMMITTED"),
    ("READ", "UNCOMMITTED"),
    ("REPEATABLE", "READ"),
    ("SNAPSHOT",),
    ("SERIALIZABLE",),
)
_CURSOR_WORDS = frozenset(
    """
    INSENSITIVE SCROLL LOCAL GLOBAL FORWARD_ONLY STATIC KEYSET DYNAMIC FAST_FORWARD READ_ONLY SCROLL_LOCKS OPTIMISTIC
    TYPE_WARNING
    """.strip().split()
)
_VALUE_STARTS = frozenset(
    {"string", "national", "binary", "integer", "decimal", "float", "money", "NULL", NAME, QUOTED, VARIABLE}
    | {"(", "-", "+", "~", "CASE", "COALESCE", "NULLIF", "CONVERT", "TRY_CONVERT", "LEFT", "RIGHT", "{", "pseudo"}
    | {"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"}
)


class Flow(Executes):
    """Reads statements that hold or order others, and those of variables, cursors and transactions."""

    @abstractmethod
    def statement(self, *, separated: bool) -> nodes.Statement:
        """Read one statement; `separated`: a WITH may stand here."""

    @abstractmethod
    def table_elements(self) -> tuple[nodes.TableElement, ...]:
        """Read the columns and constraints of a table, in brackets."""

    @abstractmethod
    def quoting(self, value: nodes.Expression) -> None:
        """Note that QUOTED_IDENTIFIER changes from here on."""

    def statements(self) -> tuple[nodes.Statement, ...]:
        """Read statements up to an END or the end of the text. Raises UnparsedError."""
        found: list[nodes.Statement] = []
        separated = True
        while True:
            while self.taken(";"):
                separated = True
            kind = self.kinds[self.at]
            if kind == "end" or (kind == "END" and self.words[self.at + 1] != "CONVERSATION"):
                return tuple(found)
            one = self.statement(separated=separated)
            found.append(one)
            separated = isinstance(one, nodes.Jump) and one.verb == "LABEL"

    def begin(self) -> nodes.Statement:
        """Read a block, TRY … CATCH or BEGIN TRANSACTION. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind in ("TRAN", "TRANSACTION", "DISTRIBUTED"):
            return self._begin_transaction(start)
        if kind == NAME and word == "TRY":
            return self._try(start)
        atomic = kind == NAME and word == "ATOMIC" and self.kinds[self.at + 1] == "WITH"
        if atomic:
            self.at += 2
            self.hints()
        self.deepen()
        found = self.statements()
        self.rise()
        self._expect_end(found)
        return nodes.Block(start, self.end, found, atomic)

    def _expect_end(self, found: tuple[nodes.Statement, ...]) -> None:
        if not found and self.kinds[self.at - 1] != ";":
            raise self.unexpected("a statement")
        self.expect("END")

    def _try(self, start: int) -> nodes.Statement:
        self.at += 1
        self.deepen()
        attempt = self.statements()
        self.expect("END")
        self.expect_phrase("TRY")
        self.expect("BEGIN")
        self.expect_phrase("CATCH")
        catch = self.statements()
        self.expect("END")
        self.expect_phrase("CATCH")
        self.rise()
        return nodes.TryCatch(start, self.end, attempt, catch)

    def if_(self) -> nodes.Statement:
        """Read `IF … ELSE …`; an ELSE goes with the nearest IF. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        self.deepen()
        condition = self.condition()
        then = self.statement(separated=True)
        if self.kinds[self.at] == ";" and self.kinds[self.at + 1] == "ELSE":
            self.at += 1
        otherwise = self.statement(separated=True) if self.taken("ELSE") else None
        self.rise()
        return nodes.If(start, self.end, condition, then, otherwise)

    def while_(self) -> nodes.Statement:
        """Read `WHILE …`. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        self.deepen()
        condition = self.condition()
        body = self.statement(separated=True)
        self.rise()
        return nodes.While(start, self.end, condition, body)

    def jump(self) -> nodes.Statement:
        """Read BREAK, CONTINUE, GOTO or a label. Raises UnparsedError."""
        start, kind = self.starts[self.at], self.kinds[self.at]
        if kind == LABEL:
            label = self.label()
            return nodes.Jump(start, self.end, "LABEL", label)
        self.at += 1
        target = self.identifier("a label") if kind == "GOTO" else None
        return nodes.Jump(start, self.end, kind, target)

    def return_(self) -> nodes.Statement:
        """Read RETURN with its value, if one follows. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        value = None
        if self.kinds[self.at] in _VALUE_STARTS:
            if self.words[self.at] in NO_ALIAS:
                raise self.unexpected("a semicolon")
            value = self.expression()
        return nodes.Return(start, self.end, value)

    # messages and waiting

    def print_(self) -> nodes.Statement:
        """Read PRINT. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        value = self.expression()
        return nodes.Message(start, self.end, "PRINT", (value,))

    def raiserror(self) -> nodes.Statement:
        """Read `RAISERROR (…) WITH …`. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        arguments = self._arguments()
        options = []
        if self.taken("WITH"):
            options.append(self.one_of("LOG", "NOWAIT", "SETERROR"))
            while self.taken(","):
                options.append(self.one_of("LOG", "NOWAIT", "SETERROR"))
        return nodes.Message(start, self.end, "RAISERROR", arguments, tuple(options))

    def throw(self) -> nodes.Statement:
        """Read THROW. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        arguments = []
        if self.kinds[self.at] in ("integer", VARIABLE):
            arguments.append(self._operand())
            for _ in range(2):
                self.expect(",")
                arguments.append(self._operand())
        return nodes.Message(start, self.end, "THROW", tuple(arguments))

    def waitfor(self) -> nodes.Statement:
        """Read WAITFOR. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        if self.kinds[self.at] != "(":
            kind = self.one_of("DELAY", "TIME")
            value = self._operand()
            return nodes.WaitFor(start, self.end, kind, value)
        self.at += 1
        inner = self.statement(separated=False)
        if not isinstance(inner, nodes.Utility):
            raise self.unexpected("RECEIVE or GET CONVERSATION GROUP")
        self.expect(")")
        timeout = None
        if self.taken(","):
            self.expect_phrase("TIMEOUT")
            timeout = self._operand()
        return nodes.WaitFor(start, self.end, inner.verb, timeout, inner)

    # variables

    def declare(self) -> nodes.Statement:
        """Read DECLARE of variables or of a cursor. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        if self.kinds[self.at] != VARIABLE:
            return self._declare_cursor(start)
        found = [self._declared()]
        while self.taken(","):
            found.append(self._declared())
        return nodes.Declare(start, self.end, tuple(found))

    def _declared(self) -> nodes.VariableDeclaration:
        variable = self.variable()
        self.taken("AS")
        if self.taken("TABLE"):
            elements = self.table_elements()
            return nodes.VariableDeclaration(variable.start, self.end, variable.name, None, None, elements)
        kind = self.data_type()
        if self.taken("NOT"):
            self.expect("NULL")
        else:
            self.taken("NULL")
        value = self.expression() if self.taken("=") else None
        return nodes.VariableDeclaration(variable.start, self.end, variable.name, kind, value)

    def _declare_cursor(self, start: int) -> nodes.Statement:
        name = self.identifier("a variable or a cursor")
        options = self._cursor_words()
        self.expect("CURSOR")
        options += self._cursor_words()
        query, update_of = self._cursor_query()
        return nodes.DeclareCursor(start, self.end, name, tuple(options), query, update_of)

    def _cursor_words(self) -> list[str]:
        found = []
        while self.words[self.at] in _CURSOR_WORDS:
            found.append(self.words[self.at])
            self.at += 1
        return found

    def _cursor_query(self) -> tuple[nodes.Query, tuple[nodes.ObjectName, ...]]:
        self.expect("FOR")
        start = self.starts[self.at]
        ctes = self.common_tables() if self.kinds[self.at] == "WITH" else ()
        query = self.with_options(self.query(ctes, start))
        if not self.taken("FOR"):
            return query, ()
        if self.taken("READ"):
            self.expect_phrase("ONLY")
            return query, ()
        self.expect("UPDATE")
        return query, self.object_names(5) if self.taken("OF") else ()

    # SET

    def set_(self) -> nodes.Statement:
        """Read SET of a variable or of options. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        if self.kinds[self.at] == VARIABLE:
            return self._set_variable_statement(start)
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind in ("TRAN", "TRANSACTION"):
            return self._set_isolation(start)
        if kind == "IDENTITY_INSERT":
            self.at += 1
            table = self.object_name(3)
            value = self._on_off()
            return nodes.SetOption(start, self.end, ("IDENTITY_INSERT",), value, table)
        if kind == "OFFSETS":
            return self._set_offsets(start)
        if kind == "STATISTICS":
            return self._set_statistics(start)
        if word in _SETTINGS:
            self.at += 1
            setting = self._setting_value()
            return nodes.SetOption(start, self.end, (word,), setting)
        return self._set_switches(start)

    def _set_switches(self, start: int) -> nodes.Statement:
        names = [self._switch()]
        while self.taken(","):
            names.append(self._switch())
        value = self._on_off()
        if "QUOTED_IDENTIFIER" in names or "ANSI_DEFAULTS" in names:
            self.quoting(value)
        return nodes.SetOption(start, self.end, tuple(names), value)

    def _switch(self) -> str:
        word = self.words[self.at]
        if word not in _SWITCHES:
            raise self.unexpected("an option of SET")
        self.at += 1
        return word

    def _on_off(self) -> nodes.Constant:
        at = self.at
        word = self.one_of("ON", "OFF")
        return nodes.Constant(self.starts[at], self.ends[at], "WORD", word)

    def _setting_value(self) -> nodes.Expression:
        at = self.at
        kind = self.kinds[at]
        if kind in (NAME, QUOTED, "OFF"):
            self.at += 1
            return nodes.Constant(self.starts[at], self.ends[at], "WORD", self.raw(at))
        if kind == "-":
            self.at += 1
            number = self.expression_constant()
            return nodes.Unary(self.starts[at], number.end, "-", number)
        return self.variable() if kind == VARIABLE else self.expression_constant()

    def _set_isolation(self, start: int) -> nodes.Statement:
        self.at += 1
        self.expect_phrase("ISOLATION", "LEVEL")
        at = self.at
        for words in _ISOLATION:
            if self.phrase(*words):
                value = nodes.Constant(self.starts[at], self.end, "WORD", " ".join(words))
                return nodes.SetOption(start, self.end, ("TRANSACTION ISOLATION LEVEL",), value)
        raise self.unexpected("an isolation level")

    def _set_statistics(self, start: int) -> nodes.Statement:
        self.at += 1
        names = ["STATISTICS " + self.one_of(*_STATISTICS)]
        while self.taken(","):
            names.append("STATISTICS " + self.one_of(*_STATISTICS))
        value = self._on_off()
        return nodes.SetOption(start, self.end, tuple(names), value)

    def _set_offsets(self, start: int) -> nodes.Statement:
        self.at += 1
        while self.words[self.at] and self.words[self.at] not in ("ON", "OFF"):
            self.at += 1
            self.taken(",")
        value = self._on_off()
        return nodes.SetOption(start, self.end, ("OFFSETS",), value)

    def _set_variable_statement(self, start: int) -> nodes.Statement:
        variable = self.variable()
        if self.kinds[self.at] == ".":
            return self._set_member(start, variable)
        operator = self.assignment_operator()
        if operator == "=" and self.kinds[self.at] == "CURSOR":
            self.at += 1
            options = self._cursor_words()
            query, _ = self._cursor_query()
            return nodes.SetCursor(start, self.end, variable, tuple(options), query)
        value = self.expression()
        return nodes.SetVariable(start, self.end, variable, operator, value)

    def _set_member(self, start: int, variable: nodes.Variable) -> nodes.Statement:
        if self.kinds[self.at + 2] == "(":
            value = self._members(variable)
            return nodes.SetVariable(start, self.end, variable, "", value)
        self.at += 1
        member = self.identifier()
        operator = self.assignment_operator()
        value = self.expression()
        return nodes.SetVariable(start, self.end, variable, operator, value, member)

    # cursors

    def cursor_command(self) -> nodes.Statement:
        """Read OPEN, CLOSE, DEALLOCATE or FETCH of a cursor. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        offset = self._fetch_from() if verb == "FETCH" else None
        cursor = self.cursor_name()
        into: list[nodes.Variable] = []
        if verb == "FETCH" and self.taken("INTO"):
            into.append(self.variable())
            while self.taken(","):
                into.append(self.variable())
        return nodes.CursorCommand(start, self.end, verb, cursor, tuple(into), offset)

    def _fetch_from(self) -> nodes.Expression | None:
        offset = None
        following = self.kinds[self.at + 1]
        if following == "FROM" and self.maybe("NEXT", "PRIOR", "FIRST", "LAST"):
            self.expect("FROM")
        elif following in (VARIABLE, "integer", "-") and self.maybe("ABSOLUTE", "RELATIVE"):
            offset = self._operand()
            self.expect("FROM")
        else:
            self.taken("FROM")
        return offset

    # transactions

    def _begin_transaction(self, start: int) -> nodes.Statement:
        distributed = self.taken("DISTRIBUTED")
        self.one_of("TRAN", "TRANSACTION")
        name = self._transaction_name()
        if self.phrase("WITH", "MARK") and self.kinds[self.at] in (STRING, "national", VARIABLE):
            self.at += 1
        return nodes.Transaction(start, self.end, "BEGIN", name, distributed)

    def transaction(self) -> nodes.Statement:
        """Read COMMIT, ROLLBACK or SAVE. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        name = None
        if verb == "SAVE":
            self.one_of("TRAN", "TRANSACTION")
            name = self._transaction_name()
            if name is None:
                raise self.unexpected("a savepoint's name")
        elif self.maybe("TRAN", "TRANSACTION"):
            name = self._transaction_name()
        else:
            self.phrase("WORK")
        if verb == "COMMIT" and self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
            self.at += 1
            self.hints()
        return nodes.Transaction(start, self.end, verb, name)

    def _transaction_name(self) -> nodes.Identifier | nodes.Variable | None:
        if self.kinds[self.at] == VARIABLE:
            return self.variable()
        return self.identifier() if self.is_name(self.at) else None
