"""Views, procedures, functions and triggers: each is alone in its batch, which its body fills."""

from __future__ import annotations

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.definitions import Definitions
from blastwall.sql.tsql.lexer import NAME, QUOTED, VARIABLE

_EVENTS = ("INSERT", "UPDATE", "DELETE")


class Modules(Definitions):
    """Reads modules."""

    def module(self, start: int, verb: str) -> nodes.Statement | None:
        """Read a view, procedure, function or trigger, if one of them is defined here. Raises UnparsedError."""
        kind = self.kinds[self.at]
        if kind not in ("VIEW", "PROC", "PROCEDURE", "FUNCTION", "TRIGGER"):
            return None
        if start != self.starts[0]:
            raise self.refused(f"`{kind}`: a view, procedure, function or trigger must be alone in its batch")
        self.at += 1
        if kind == "VIEW":
            found = self._view(start, verb)
        elif kind == "FUNCTION":
            found = self._function_module(start, verb)
        elif kind == "TRIGGER":
            found = self._trigger(start, verb)
        else:
            found = self._procedure(start, verb)
        while self.taken(";"):
            pass
        if self.kinds[self.at] != "end":
            raise self.unexpected("the end of the batch")
        return found

    # views

    def _view(self, start: int, verb: str) -> nodes.Statement:
        name = self.object_name(2)
        columns = self.names_in_brackets() if self.kinds[self.at] == "(" else ()
        options = []
        if self.taken("WITH"):
            options.append(self.one_of("ENCRYPTION", "SCHEMABINDING", "VIEW_METADATA"))
            while self.taken(","):
                options.append(self.one_of("ENCRYPTION", "SCHEMABINDING", "VIEW_METADATA"))
        self.expect("AS")
        query = self.table_query()
        if self.phrase("WITH", "CHECK", "OPTION"):
            options.append("CHECK OPTION")
        return nodes.CreateView(start, self.end, verb, name, columns, query, tuple(options))

    def table_query(self) -> nodes.Query:
        """Read a query with its common tables and OPTION. Raises UnparsedError."""
        start = self.starts[self.at]
        ctes = self.common_tables() if self.kinds[self.at] == "WITH" else ()
        return self.with_options(self.query(ctes, start))

    # procedures

    def _procedure(self, start: int, verb: str) -> nodes.Statement:
        name = self.object_name(2)
        if self.kinds[self.at] == ";" and self.kinds[self.at + 1] == "integer":
            self.at += 2
        parameters: tuple[nodes.Parameter, ...] = ()
        if self.kinds[self.at] == VARIABLE:
            parameters = self._parameters()
        elif self.taken("("):
            parameters = self._parameters()
            self.expect(")")
        options, execute_as = self._module_options()
        if self.phrase("FOR", "REPLICATION"):
            options += ("FOR REPLICATION",)
        self.expect("AS")
        external, body = self._module_body()
        return nodes.CreateModule(
            start,
            self.end,
            verb,
            "PROCEDURE",
            name,
            parameters,
            body,
            execute_as=execute_as,
            external=external,
            options=options,
        )

    def _parameters(self) -> tuple[nodes.Parameter, ...]:
        found = [self._parameter()]
        while self.taken(","):
            found.append(self._parameter())
        return tuple(found)

    def _parameter(self) -> nodes.Parameter:
        variable = self.variable()
        self.taken("AS")
        kind = self.data_type()
        self.taken("VARYING")
        if not self.phrase("NOT", "NULL"):
            self.taken("NULL")
        default = None
        if self.taken("="):
            default = self._call_value()
        output = readonly = False
        while word := self.maybe("OUT", "OUTPUT", "READONLY"):
            output, readonly = output or word != "READONLY", readonly or word == "READONLY"
        return nodes.Parameter(variable.start, self.end, variable.name, kind, default, output, readonly)

    def _module_options(self) -> tuple[tuple[str, ...], str]:
        if not self.taken("WITH"):
            return (), ""
        found = []
        execute_as = ""
        while True:
            if self.kinds[self.at] in ("EXEC", "EXECUTE"):
                self.at += 1
                self.expect("AS")
                execute_as = self._executor()
            elif self.phrase("RETURNS", "NULL", "ON", "NULL", "INPUT"):
                found.append("RETURNS NULL ON NULL INPUT")
            elif self.phrase("CALLED", "ON", "NULL", "INPUT"):
                found.append("CALLED ON NULL INPUT")
            elif self.phrase("INLINE"):
                self.expect("=")
                found.append("INLINE " + self.one_of("ON", "OFF"))
            else:
                found.append(self.one_of("RECOMPILE", "ENCRYPTION", "SCHEMABINDING", "NATIVE_COMPILATION"))
            if not self.taken(","):
                return tuple(found), execute_as

    def _executor(self) -> str:
        if self.kinds[self.at] in ("string", "national"):
            return self.expression_constant().text
        return self.one_of("CALLER", "SELF", "OWNER")

    def _external_name(self) -> nodes.ObjectName | None:
        if self.kinds[self.at] != "EXTERNAL":
            return None
        self.expect_phrase("EXTERNAL", "NAME")
        return self.object_name(3)

    def _module_body(self) -> tuple[nodes.ObjectName | None, tuple[nodes.Statement, ...]]:
        """Read what EXTERNAL NAME names, or else the statements."""
        external = self._external_name()
        body = self.statements() if external is None else ()
        if external is None and not body:
            raise self.unexpected("a statement")
        return external, body

    # functions

    def _function_module(self, start: int, verb: str) -> nodes.Statement:
        name = self.object_name(2)
        self.expect("(")
        parameters = self._parameters() if self.kinds[self.at] == VARIABLE else ()
        self.expect(")")
        self.expect_phrase("RETURNS")
        returns, table, rows = self._returns()
        options, execute_as = self._module_options()
        self.taken("AS")
        inline = None
        body: tuple[nodes.Statement, ...] = ()
        external = self._external_name()
        if external is None:
            if returns is None and not rows:
                inline = self._inline()
            else:
                body = self._function_body()
        return nodes.CreateModule(
            start,
            self.end,
            verb,
            "FUNCTION",
            name,
            parameters,
            body,
            returns,
            table,
            inline,
            execute_as=execute_as,
            external=external,
            options=options,
        )

    def _returns(self) -> tuple[nodes.DataType | None, tuple[nodes.TableElement, ...], bool]:
        """Return a scalar's type, the columns of a table, and whether there is a body that fills it."""
        if self.kinds[self.at] == VARIABLE:
            self.at += 1
            self.expect("TABLE")
            return None, self.table_elements(), True
        if self.taken("TABLE"):
            return (None, self.table_elements(), False) if self.kinds[self.at] == "(" else (None, (), False)
        return self.data_type(), (), True

    def _inline(self) -> nodes.Query:
        self.expect("RETURN")
        brackets = 0
        while self.kinds[self.at] == "(" and self.kinds[self.at + 1] in ("WITH", "("):
            self.at += 1
            brackets += 1
        query = self.table_query()
        for _ in range(brackets):
            self.expect(")")
        return query

    def _function_body(self) -> tuple[nodes.Statement, ...]:
        if self.kinds[self.at] != "BEGIN":
            raise self.unexpected("`BEGIN`")
        block = self.begin()
        return (block,)

    # triggers

    def _trigger(self, start: int, verb: str) -> nodes.Statement:
        name = self.object_name(2)
        self.expect("ON")
        on = None
        scope: tuple[str, ...] = ()
        if self.phrase("ALL", "SERVER"):
            scope = ("ALL SERVER",)
        elif self.taken("DATABASE"):
            scope = ("DATABASE",)
        else:
            on = self.object_name(3)
        options, execute_as = self._module_options()
        timing = "INSTEAD OF" if self.phrase("INSTEAD", "OF") else "AFTER"
        if timing == "AFTER":
            self.one_of("FOR", "AFTER")
        events = self._events(on)
        self.phrase("WITH", "APPEND")
        self.phrase("NOT", "FOR", "REPLICATION")
        self.expect("AS")
        external, body = self._module_body()
        return nodes.CreateModule(
            start,
            self.end,
            verb,
            "TRIGGER",
            name,
            body=body,
            on=on,
            timing=timing,
            events=events,
            execute_as=execute_as,
            external=external,
            options=scope + options,
        )

    def _events(self, on: nodes.ObjectName | None) -> tuple[str, ...]:
        found = []
        while True:
            if on is None:
                if self.kinds[self.at] not in (NAME, QUOTED):
                    raise self.unexpected("an event")
                found.append(self.identifier().text.upper())
            else:
                found.append(self.one_of(*_EVENTS))
            if not self.taken(","):
                return tuple(found)
