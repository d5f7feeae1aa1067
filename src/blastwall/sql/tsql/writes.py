"""INSERT, UPDATE, DELETE, MERGE with their OUTPUT, and what else writes rows."""

from __future__ import annotations

from abc import abstractmethod

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import VARIABLE
from blastwall.sql.tsql.sources import Sources

_ASSIGN_SIGNS = ("=", "+", "-", "*", "/", "%", "&", "|", "^")


class Writes(Sources):
    """Reads the statements that change rows."""

    @abstractmethod
    def execute(self) -> nodes.Statement:
        """Read an EXEC statement."""

    def write(self, ctes: tuple[nodes.CommonTable, ...], start: int) -> nodes.Statement:
        """Read an INSERT, UPDATE, DELETE or MERGE with its OPTION. Raises UnparsedError."""
        kind = self.kinds[self.at]
        self.at += 1
        if kind == "INSERT":
            return self._insert(ctes, start)
        if kind == "UPDATE":
            return self._update(ctes, start)
        if kind == "DELETE":
            return self._delete(ctes, start)
        return self._merge(ctes, start)

    def nested_write(self) -> nodes.Statement:
        """Read an INSERT, UPDATE, DELETE or MERGE inside FROM. Raises UnparsedError."""
        return self.write((), self.starts[self.at])

    def _top(self) -> nodes.Top | None:
        return self.top() if self.kinds[self.at] == "TOP" else None

    # INSERT

    def _insert(self, ctes: tuple[nodes.CommonTable, ...], start: int) -> nodes.Statement:
        top = self._top()
        self.taken("INTO")
        target = self.target()
        columns: tuple[nodes.ObjectName, ...] = ()
        if self.kinds[self.at] == "(" and self.kinds[self.at + 1] not in ("SELECT", "("):
            columns = self._insert_columns()
        outputs = self.outputs()
        source = self._insert_source()
        options = self.options()
        return nodes.Insert(start, self.end, target, columns, source, ctes, top, outputs, options)

    def _insert_columns(self) -> tuple[nodes.ObjectName, ...]:
        self.expect("(")
        found = [self._insert_column()]
        while self.taken(","):
            found.append(self._insert_column())
        self.expect(")")
        return tuple(found)

    def _insert_column(self) -> nodes.ObjectName:
        if self.kinds[self.at] in ("pseudo", "IDENTITYCOL", "ROWGUIDCOL"):
            return self._word_name()
        return self._dotted()

    def _insert_source(self) -> nodes.Query | nodes.RowValues | nodes.DefaultValues | nodes.Statement:
        kind = self.kinds[self.at]
        if kind == "VALUES":
            return self.row_values()
        if kind in ("SELECT", "("):
            return self.query(())
        if kind in ("EXEC", "EXECUTE"):
            return self.execute()
        if kind == "DEFAULT" and self.kinds[self.at + 1] == "VALUES":
            self.at += 2
            return nodes.DefaultValues(self.starts[self.at - 2], self.end)
        raise self.unexpected("`VALUES`, `SELECT`, `EXEC` or `DEFAULT VALUES`")

    # UPDATE and DELETE

    def _update(self, ctes: tuple[nodes.CommonTable, ...], start: int) -> nodes.Statement:
        top = self._top()
        target = self.target()
        assignments = self._assignments()
        outputs = self.outputs()
        sources = self.sources() if self.taken("FROM") else ()
        where = self._where()
        options = self.options()
        return nodes.Update(start, self.end, target, assignments, sources, where, ctes, top, outputs, options)

    def _delete(self, ctes: tuple[nodes.CommonTable, ...], start: int) -> nodes.Statement:
        top = self._top()
        self.taken("FROM")
        target = self.target()
        outputs = self.outputs()
        sources = self.sources() if self.taken("FROM") else ()
        where = self._where()
        options = self.options()
        return nodes.Delete(start, self.end, target, sources, where, ctes, top, outputs, options)

    def _where(self) -> nodes.Expression | None:
        start = self.starts[self.at]
        if not self.taken("WHERE"):
            return None
        if self.kinds[self.at] == "CURRENT" and self.kinds[self.at + 1] == "OF":
            self.at += 2
            cursor = self.cursor_name()
            return nodes.CurrentOf(start, self.end, cursor)
        return self.condition()

    def cursor_name(self) -> nodes.Identifier:
        """Read a cursor's name, `GLOBAL name` or a variable. Raises UnparsedError."""
        if self.kinds[self.at] == VARIABLE:
            variable = self.variable()
            return nodes.Identifier(variable.start, variable.end, variable.name)
        if self.words[self.at] == "GLOBAL" and self.is_name(self.at + 1):
            self.at += 1
        return self.identifier("a cursor")

    def _assignments(self) -> tuple[nodes.Assignment, ...]:
        self.expect("SET")
        found = [self._set()]
        while self.taken(","):
            found.append(self._set())
        return tuple(found)

    def _set(self) -> nodes.Assignment:
        start = self.starts[self.at]
        if self.kinds[self.at] == VARIABLE:
            return self._set_variable(start)
        column = self._insert_column()
        if self.kinds[self.at] == "(":
            call = self.call(column)
            return nodes.Assignment(start, self.end, None, None, "", call)
        operator = self.assignment_operator()
        value = self.expression()
        return nodes.Assignment(start, self.end, column, None, operator, value)

    def _set_variable(self, start: int) -> nodes.Assignment:
        variable = self.variable()
        operator = self.assignment_operator()
        value = self.expression()
        column = None
        if type(value) is nodes.Column and self.kinds[self.at] in _ASSIGN_SIGNS:
            column = value.name
            operator = self.assignment_operator()
            value = self.expression()
        return nodes.Assignment(start, self.end, column, variable, operator, value)

    # MERGE

    def _merge(self, ctes: tuple[nodes.CommonTable, ...], start: int) -> nodes.Statement:
        top = self._top()
        self.taken("INTO")
        target = self._merge_target()
        self.expect_phrase("USING")
        source = self.joined()
        self.expect("ON")
        condition = self.condition()
        whens = []
        while self.kinds[self.at] == "WHEN":
            whens.append(self._merge_when())
        if not whens:
            raise self.unexpected("`WHEN`")
        outputs = self.outputs()
        options = self.options()
        return nodes.Merge(start, self.end, target, source, condition, tuple(whens), ctes, top, outputs, options)

    def _merge_target(self) -> nodes.TableSource:
        found = self.target()
        alias = None
        if self.kinds[self.at] == "AS" or self.words[self.at] != "USING":
            alias = self.alias()
        if isinstance(found, nodes.Table):
            hints = found.hints or self.table_hints()
            return nodes.Table(found.start, self.end, found.name, alias, hints)
        if isinstance(found, nodes.TableVariable):
            return nodes.TableVariable(found.start, self.end, found.variable, alias)
        return found

    def _merge_when(self) -> nodes.MergeWhen:
        start = self.starts[self.at]
        self.at += 1
        match = "MATCHED"
        if self.taken("NOT"):
            match = "NOT MATCHED"
        self.expect_phrase("MATCHED")
        if match == "NOT MATCHED" and self.taken("BY") and self.one_of("TARGET", "SOURCE") == "SOURCE":
            match = "NOT MATCHED BY SOURCE"
        condition = self.condition() if self.taken("AND") else None
        self.expect("THEN")
        if self.taken("DELETE"):
            return nodes.MergeWhen(start, self.end, match, condition, "DELETE")
        if self.taken("UPDATE"):
            assignments = self._assignments()
            return nodes.MergeWhen(start, self.end, match, condition, "UPDATE", assignments)
        self.expect("INSERT")
        columns = self._insert_columns() if self.kinds[self.at] == "(" else ()
        values = None
        if self.taken("DEFAULT"):
            self.expect("VALUES")
        else:
            self.expect("VALUES")
            values = self._row()
        return nodes.MergeWhen(start, self.end, match, condition, "INSERT", (), columns, values)

    # OUTPUT

    def outputs(self) -> tuple[nodes.Output, ...]:
        """Read the OUTPUT clauses that stand here, two at most. Raises UnparsedError."""
        found: list[nodes.Output] = []
        while len(found) < 2 and self.words[self.at] == "OUTPUT":
            found.append(self._output())
        return tuple(found)

    def _output(self) -> nodes.Output:
        start = self.starts[self.at]
        self.at += 1
        items = [self.item()]
        while self.taken(","):
            items.append(self.item())
        if not self.taken("INTO"):
            return nodes.Output(start, self.end, tuple(items))
        into = self.variable() if self.kinds[self.at] == VARIABLE else self.object_name()
        columns: tuple[nodes.Identifier, ...] = ()
        if self.kinds[self.at] == "(" and self.kinds[self.at + 1] not in ("SELECT", "("):
            columns = self.names_in_brackets()
        return nodes.Output(start, self.end, tuple(items), into, columns)

    # TRUNCATE, BULK INSERT, texts

    def truncate(self) -> nodes.Statement:
        """Read TRUNCATE TABLE. Raises UnparsedError."""
        start = self.starts[self.at]
        self.at += 1
        self.expect("TABLE")
        name = self.object_name()
        if self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
            self.at += 2
            self.expect_phrase("PARTITIONS")
            self.expect("(")
            self.scraps([], (")",))
            self.expect(")")
            self.expect(")")
        return nodes.Truncate(start, self.end, name)

    def text_access(self) -> nodes.Statement:
        """Read READTEXT, WRITETEXT or UPDATETEXT. Raises UnparsedError."""
        start, verb = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        self.taken("BULK")
        column = self.object_name(5)
        arguments = [self.expression()]
        source = None
        if verb != "WRITETEXT":
            arguments += [self.expression(), self.expression()]
        if verb == "READTEXT":
            self.taken("HOLDLOCK")
        else:
            self.phrase("WITH", "LOG")
        if verb == "WRITETEXT":
            arguments.append(self.expression())
        elif verb == "UPDATETEXT":
            source = self._update_text_source(arguments)
        return nodes.TextAccess(start, self.end, verb, column, tuple(arguments), source)

    def _update_text_source(self, arguments: list[nodes.Expression]) -> nodes.ObjectName | None:
        if self.is_name(self.at):
            source = self.object_name(5)
            arguments.append(self.expression())
            return source
        if self.kinds[self.at] in (VARIABLE, "string", "national", "binary", "NULL"):
            arguments.append(self.expression())
        return None
