"""EXECUTE in its forms: procedures, dynamic text, other principals."""

from __future__ import annotations

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import INTEGER, NAME, NATIONAL, QUOTED, STRING, VARIABLE
from blastwall.sql.tsql.words import NO_ALIAS
from blastwall.sql.tsql.writes import Writes

_VALUES = frozenset(
    {VARIABLE, STRING, NATIONAL, INTEGER, NAME, QUOTED}
    | {"decimal", "float", "money", "binary", "NULL", "DEFAULT", "-", "+"}
)


class Executes(Writes):
    """Reads EXEC statements."""

    def execute(self) -> nodes.Statement:
        """Read `EXEC …`. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        kind = self.kinds[self.at]
        if kind == "AS":
            return self._execute_as(start)
        if kind == "(":
            return self._execute_text(start)
        status = None
        if kind == VARIABLE and self.kinds[self.at + 1] == "=":
            status = self.variable()
            self.at += 1
        if self.kinds[self.at] == VARIABLE:
            return self.procedure_call(start, self.variable(), status)
        return self.procedure_call(start, self.object_name(4, "a procedure"), status)

    def procedure_call(
        self, start: int, procedure: nodes.ObjectName | nodes.Variable, status: nodes.Variable | None
    ) -> nodes.Execute:
        """Read a procedure's number, arguments and options. Raises UnparsedError."""
        if self.kinds[self.at] == ";" and self.kinds[self.at + 1] == INTEGER:
            self.at += 2
        arguments = self._call_arguments()
        options = self._execute_options()
        return nodes.Execute(start, self.end, procedure, arguments, status, options)

    def _call_arguments(self) -> tuple[nodes.Argument, ...]:
        if self.kinds[self.at] not in _VALUES:
            return ()
        found = [self._call_argument()]
        while self.taken(","):
            found.append(self._call_argument())
        return tuple(found)

    def _call_argument(self) -> nodes.Argument:
        start = self.starts[self.at]
        name = None
        if self.kinds[self.at] == VARIABLE and self.kinds[self.at + 1] == "=":
            name = self.variable().name
            self.at += 1
        value = self._call_value()
        output = bool(self.maybe("OUTPUT", "OUT"))
        return nodes.Argument(start, self.end, name, value, output)

    def _call_value(self) -> nodes.Expression:
        at = self.at
        kind = self.kinds[at]
        if kind == VARIABLE:
            return self.variable()
        if kind in ("-", "+"):
            self.at += 1
            number = self.expression_constant()
            return nodes.Unary(self.starts[at], number.end, kind, number)
        if kind in (NAME, QUOTED):
            if self.words[at] in NO_ALIAS:
                raise self.unexpected("an argument in quotes, or a semicolon")
            word = self.identifier()
            return nodes.Constant(word.start, word.end, "WORD", word.text)
        if kind not in _VALUES:
            raise self.unexpected("an argument")
        return self.expression_constant()

    def _execute_options(self) -> tuple[str, ...]:
        if self.kinds[self.at] != "WITH":
            return ()
        self.at += 1
        found = []
        while True:
            if self.phrase("RECOMPILE"):
                found.append("RECOMPILE")
            else:
                self.expect_phrase("RESULT", "SETS")
                found.append("RESULT SETS")
                if not self.maybe("UNDEFINED", "NONE"):
                    self.expect("(")
                    self.scraps([], (")",))
                    self.expect(")")
            if not self.taken(","):
                return tuple(found)

    # EXEC ('…')

    def _execute_text(self, start: int) -> nodes.Statement:
        self.expect("(")
        parts = [self._text_part()]
        while self.taken("+"):
            parts.append(self._text_part())
        arguments = []
        while self.taken(","):
            arguments.append(self._call_argument())
        self.expect(")")
        kind = ""
        principal = server = source = None
        if self.taken("AS"):
            kind, principal = self._principal()
        if self.words[self.at] == "AT":
            self.at += 1
            if self.phrase("DATA_SOURCE"):
                source = self.identifier("a data source")
            else:
                server = self.identifier("a linked server")
        options = self._execute_options()
        return nodes.ExecuteText(
            start, self.end, tuple(parts), tuple(arguments), kind, principal, server, source, options
        )

    def _text_part(self) -> nodes.Expression:
        if self.kinds[self.at] == VARIABLE:
            return self.variable()
        if self.kinds[self.at] not in (STRING, NATIONAL):
            raise self.unexpected("a string or a variable")
        return self.expression_constant()

    def _principal(self) -> tuple[str, nodes.Expression]:
        kind = self.one_of("USER", "LOGIN")
        self.expect("=")
        return kind, self._text_part()

    # EXECUTE AS, REVERT, SETUSER

    def _execute_as(self, start: int) -> nodes.Statement:
        self.at += 1
        cookie = None
        no_revert = False
        if self.phrase("CALLER"):
            return nodes.ExecuteAs(start, self.end, "CALLER", None)
        kind, principal = self._principal()
        if self.taken("WITH"):
            if self.phrase("NO", "REVERT"):
                no_revert = True
            else:
                self.expect_phrase("COOKIE", "INTO")
                cookie = self.variable()
        return nodes.ExecuteAs(start, self.end, kind, principal, cookie, no_revert)

    def revert(self) -> nodes.Statement:
        """Read REVERT. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        cookie = None
        if self.taken("WITH"):
            self.expect_phrase("COOKIE")
            self.expect("=")
            cookie = self.variable()
        return nodes.Revert(start, self.end, cookie)

    def setuser(self) -> nodes.Statement:
        """Read SETUSER. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        principal = None
        if self.kinds[self.at] in (STRING, NATIONAL, VARIABLE):
            principal = self._text_part()
            if self.phrase("WITH", "NORESET"):
                return nodes.ExecuteAs(start, self.end, "SETUSER", principal, None, no_revert=True)
        return nodes.ExecuteAs(start, self.end, "SETUSER", principal)
