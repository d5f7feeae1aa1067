"""What stands in FROM, and the targets of statements that change rows."""

from __future__ import annotations

from abc import abstractmethod

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import NAME, QUOTED, STRING, VARIABLE
from blastwall.sql.tsql.queries import SET_WORDS, Queries
from blastwall.sql.tsql.words import NO_ALIAS

_JOINS = ("INNER", "LEFT", "RIGHT", "FULL", "JOIN", "CROSS", "OUTER")
_MOST_JOINS = 250
_FOREIGN = ("OPENROWSET", "OPENQUERY", "OPENDATASOURCE")
_FUNCTIONS = (
    "OPENXML",
    "CONTAINSTABLE",
    "FREETEXTTABLE",
    "SEMANTICKEYPHRASETABLE",
    "SEMANTICSIMILARITYDETAILSTABLE",
    "SEMANTICSIMILARITYTABLE",
)
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")
TABLE_HINTS = frozenset(
    """
    FORCESCAN FORCESEEK HOLDLOCK INDEX KEEPDEFAULTS KEEPIDENTITY IGNORE_CONSTRAINTS IGNORE_TRIGGERS NOEXPAND NOLOCK
    NOWAIT PAGLOCK READCOMMITTED READCOMMITTEDLOCK READPAST READUNCOMMITTED REPEATABLEREAD ROWLOCK SERIALIZABLE SNAPSHOT
    SPATIAL_WINDOW_MAX_CELLS TABLOCK TABLOCKX UPDLOCK XLOCK FASTFIRSTROW FORCE_ANN_ONLY
    """.strip().split()
)


class Sources(Queries):
    """Reads table sources."""

    @abstractmethod
    def nested_write(self) -> nodes.Statement:
        """Read an INSERT, UPDATE, DELETE or MERGE inside FROM."""

    def sources(self) -> tuple[nodes.TableSource, ...]:
        """Read what stands in FROM, after that word. Raises UnparsedError."""
        found = [self.joined()]
        while self.taken(","):
            found.append(self.joined())
        return tuple(found)

    def joined(self) -> nodes.TableSource:
        """Read one source with all that is joined to it. Raises UnparsedError."""
        return self._joined_to(self._source())

    def _joined_to(self, found: nodes.TableSource) -> nodes.TableSource:
        joins = 0
        while True:
            kind = self.kinds[self.at]
            if kind in _JOINS:
                joins += 1
                if joins > _MOST_JOINS:
                    raise self.refused(f"more than {_MOST_JOINS} joins in one FROM")
                found = self._join(found)
            elif kind == "PIVOT":
                found = self._pivot(found)
            elif kind == "UNPIVOT":
                found = self._unpivot(found)
            else:
                return found

    def _join(self, left: nodes.TableSource) -> nodes.TableSource:
        kind = self.kinds[self.at]
        self.at += 1
        if kind in ("CROSS", "OUTER"):
            apply = self.one_of("APPLY") if kind == "OUTER" else self.one_of("APPLY", "JOIN")
            right = self._source()
            name = "CROSS" if apply == "JOIN" else f"{kind} APPLY"
            return nodes.Join(left.start, self.end, name, left, right)
        if kind == "JOIN":
            kind = "INNER"
        else:
            if kind != "INNER":
                self.taken("OUTER")
            self.maybe("LOOP", "HASH", "MERGE", "REMOTE")
            self.expect("JOIN")
        self.deepen()
        right = self._source()
        while self.kinds[self.at] in _JOINS:
            right = self._join(right)
        self.rise()
        self.expect("ON")
        condition = self.condition()
        return nodes.Join(left.start, self.end, kind, left, right, condition)

    def _source(self) -> nodes.TableSource:
        kind = self.kinds[self.at]
        if kind is NAME or kind is QUOTED or kind == ".":
            return self._named_source()
        if kind == "(":
            return self._in_brackets()
        if kind == VARIABLE:
            return self._variable_source()
        if kind in _FOREIGN:
            return self.foreign(aliased=True)
        if kind in _FUNCTIONS:
            return self._function(self._special_function())
        if kind == ":" and self.kinds[self.at + 1] == ":":
            self.at += 2
            return self._function(self.call(self.object_name(1)))
        raise self.unexpected("a table")

    # tables

    def _named_source(self) -> nodes.TableSource:
        name = self._source_name()
        if self.kinds[self.at] == "(" and not self._at_hints():
            return self._function(self._members(self._source_call(name)))
        system_time = self._system_time()
        sample = self._sample()
        hints = self.table_hints() if self.kinds[self.at] == "(" else ()
        alias = self.alias()
        if system_time is None:
            system_time = self._system_time()
        if sample is None:
            sample = self._sample()
        hints = hints or self.table_hints()
        if self.kinds[self.at] == "FOR" and self.words[self.at + 1] == "PATH":  # a table of a graph's pattern
            self.at += 2
            alias = self.alias()
        return nodes.Table(name.start, self.end, name, alias, hints, system_time, sample)

    def _source_name(self) -> nodes.ObjectName:
        name = self._dotted()
        if len(name.parts) > 4 and self.kinds[self.at] != "(":
            raise self.refused("a name of more than 4 parts")
        return name

    def _source_call(self, name: nodes.ObjectName) -> nodes.Expression:
        word = name.last.upper() if len(name.parts) == 1 else ""
        if word == "CHANGETABLE":
            return self._changetable(name)
        if word in ("PREDICT", "VECTOR_SEARCH") and self.kinds[self.at + 2] == "=":
            return self._named_arguments(name)
        return self.call(name)

    def _changetable(self, name: nodes.ObjectName) -> nodes.Expression:
        self.expect("(")
        self.one_of("CHANGES", "VERSION")
        table = self.object_name()
        arguments: list[nodes.Expression] = [nodes.Column(table.start, table.end, table)]
        self.expect(",")
        self.scraps(arguments)
        self.expect(")")
        return nodes.Call(name.start, self.end, name, tuple(arguments))

    def _named_arguments(self, name: nodes.ObjectName) -> nodes.Expression:
        """`PREDICT (MODEL = …, DATA = t AS d)`, `VECTOR_SEARCH (TABLE = t AS s, COLUMN = …)`."""
        self.expect("(")
        arguments: list[nodes.Expression] = []
        while self.kinds[self.at + 1] == "=" and self.words[self.at]:
            self.at += 2
            arguments.append(self.expression())
            if self.taken("AS"):
                self.identifier()
            if not self.taken(","):
                break
        self.expect(")")
        return nodes.Call(name.start, self.end, name, tuple(arguments))

    def _at_hints(self) -> bool:
        """Whether the bracket here holds hints, as in `orders (NOLOCK)`, and not arguments."""
        return self.words[self.at + 1] in TABLE_HINTS and self.kinds[self.at + 2] in (")", ",", "(", "=")

    def table_hints(self) -> tuple[nodes.Hint, ...]:
        """Read `WITH (hints)` or `(hints)` if they stand here. Raises UnparsedError."""
        if self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
            self.at += 1
        elif self.kinds[self.at] != "(" or not self._at_hints():
            return ()
        found = self.hints()
        for hint in found:
            if any(word not in TABLE_HINTS for word in hint.name.split()):
                raise self.refused(f"`{hint.name}` is no hint for a table")
        return found

    def alias(self) -> nodes.Identifier | None:
        """Read `AS name` or `name` if it stands here. Raises UnparsedError."""
        if self.taken("AS"):
            return self.identifier("an alias")
        kind = self.kinds[self.at]
        if kind is NAME:
            if self.at_window():
                return None
            if self.words[self.at] in NO_ALIAS:
                raise self.refused(f"`{self.raw(self.at)}` may begin a statement: write AS before an alias")
            return self.identifier()
        return self.identifier() if kind is QUOTED else None

    def _system_time(self) -> nodes.Hint | None:
        start = self.starts[self.at]
        if not self.phrase("FOR", "SYSTEM_TIME"):
            return None
        arguments = []
        if self.phrase("AS", "OF"):
            name = "AS OF"
            arguments.append(self.expression())
        elif self.taken("ALL"):
            name = "ALL"
        elif self.taken("FROM"):
            name = "FROM"
            arguments.append(self.expression())
            self.expect("TO")
            arguments.append(self.expression())
        elif self.taken("BETWEEN"):
            name = "BETWEEN"
            arguments.append(self.expression())
            self.expect("AND")
            arguments.append(self.expression())
        else:
            self.expect_phrase("CONTAINED", "IN")
            name = "CONTAINED IN"
            arguments.extend(self._arguments())
        return nodes.Hint(start, self.end, name, tuple(arguments))

    def _sample(self) -> nodes.Expression | None:
        if not self.taken("TABLESAMPLE"):
            return None
        self.phrase("SYSTEM")
        self.expect("(")
        size = self.expression()
        if not self.taken("PERCENT"):
            self.maybe("ROWS")
        self.expect(")")
        if self.phrase("REPEATABLE"):
            self.expect("(")
            self.expression()
            self.expect(")")
        return size

    def _variable_source(self) -> nodes.TableSource:
        variable = self.variable()
        if self.kinds[self.at] == ".":
            return self._function(self._members(variable))
        alias = self.alias()
        hints = self.table_hints()
        return nodes.TableVariable(variable.start, self.end, variable, alias, hints)

    # functions

    def _function(self, call: nodes.Expression) -> nodes.TableSource:
        shape: tuple[nodes.ColumnShape, ...] = ()
        like = None
        hints: tuple[nodes.Hint, ...] = ()
        if self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
            if self.words[self.at + 2] in TABLE_HINTS:
                hints = self.table_hints()
            else:
                shape = self._shape()
        elif self.kinds[self.at] == "WITH" and self.is_name(self.at + 1) and _is_call(call, "OPENXML"):
            self.at += 1
            like = self.object_name()
        alias = self.alias()
        columns = self._alias_columns(alias)
        hints = hints or self.table_hints()
        return nodes.TableFunction(call.start, self.end, call, alias, columns, shape, like, hints)

    def _alias_columns(self, alias: nodes.Identifier | None) -> tuple[nodes.Identifier, ...]:
        if alias is None or self.kinds[self.at] != "(" or self._at_hints():
            return ()
        return self.names_in_brackets()

    def _special_function(self) -> nodes.Expression:
        name = self._word_name()
        self.expect("(")
        arguments: list[nodes.Expression] = []
        if name.last.upper() == "OPENXML":
            arguments.append(self.expression())
        else:
            table = self.object_name()
            arguments.append(nodes.Column(table.start, table.end, table))
        while self.taken(","):
            if self.phrase("LANGUAGE"):
                arguments.append(self.expression())
            elif self.kinds[self.at] in ("(", "*"):
                self.scraps(arguments, (",", ")"))
            else:
                arguments.append(self.expression())
        self.expect(")")
        return nodes.Call(name.start, self.end, name, tuple(arguments))

    def _shape(self) -> tuple[nodes.ColumnShape, ...]:
        """Read `WITH (name type 'path' AS JSON, …)`."""
        self.at += 1
        self.expect("(")
        found = [self._column_shape()]
        while self.taken(","):
            found.append(self._column_shape())
        self.expect(")")
        return tuple(found)

    def _column_shape(self) -> nodes.ColumnShape:
        name = self.identifier("a column")
        kind = self.data_type()
        if self.taken("COLLATE"):
            self.identifier("a collation")
        path = None
        if self.kinds[self.at] in (STRING, "national", "integer"):
            path = self.expression()
        json = self.phrase("AS", "JSON")
        if self.taken("NOT"):
            self.expect("NULL")
        return nodes.ColumnShape(name.start, self.end, name, kind, path, json)

    # what lies outside the database

    def foreign(self, *, aliased: bool) -> nodes.ForeignRowset:
        """Read OPENROWSET, OPENQUERY or OPENDATASOURCE. Raises UnparsedError."""
        start, function = self.starts[self.at], self.kinds[self.at]
        self.at += 1
        self.expect("(")
        server = target = None
        arguments: list[nodes.Expression] = []
        words: list[str] = []
        if function == "OPENQUERY":
            server = self.identifier("a linked server")
            self.expect(",")
        first = self.at
        self.scraps(arguments, (")", ";"))
        while function == "OPENROWSET" and self.taken(";"):  # 'file'; 'user'; 'password'
            self.scraps(arguments, (")", ";"))
        words.extend(word for word in self.words[first : self.at] if word)
        if function == "OPENROWSET" and arguments and isinstance(arguments[-1], nodes.Column) and "BULK" not in words:
            target = arguments[-1].name
        self.expect(")")
        if function == "OPENDATASOURCE":
            self.expect(".")
            target = self.object_name(3)
        shape: tuple[nodes.ColumnShape, ...] = ()
        hints: tuple[nodes.Hint, ...] = ()
        if self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
            if self.words[self.at + 2] in TABLE_HINTS:
                hints = self.table_hints()
            else:
                shape = self._shape()
        alias = self.alias() if aliased else None
        columns = self._alias_columns(alias)
        return nodes.ForeignRowset(
            start, self.end, function, tuple(arguments), tuple(words), server, target, alias, columns, shape, hints
        )

    # brackets: a derived table, or joined sources

    def _in_brackets(self) -> nodes.TableSource:
        self.deepen()
        found = self._bracketed()
        if not isinstance(found, nodes.TableSource):
            found = self._derived(found)
        self.rise()
        return found

    def _bracketed(self) -> nodes.TableSource | nodes.Query | nodes.RowValues | nodes.Statement:
        """Read what stands in brackets: a query, or sources; `((…` may be the beginning of either."""
        self.expect("(")
        kind = self.kinds[self.at]
        found: nodes.TableSource | nodes.Query | nodes.RowValues | nodes.Statement
        if kind == "SELECT":
            found = self.subquery()
        elif kind == "VALUES":
            found = self.row_values()
        elif kind in _WRITES:
            found = self.nested_write()
        elif kind == "(":
            self.deepen()
            found = self._bracketed()
            self.rise()
            found = self._bracketed_on(found)
        else:
            found = self.joined()
        self.expect(")")
        return found

    def _bracketed_on(
        self, found: nodes.TableSource | nodes.Query | nodes.RowValues | nodes.Statement
    ) -> nodes.TableSource | nodes.Query | nodes.RowValues | nodes.Statement:
        """Read on after an inner bracket: as a query's first branch, or as the first of joined sources."""
        kind = self.kinds[self.at]
        if isinstance(found, nodes.Query) and kind in SET_WORDS:
            return self.continued(found)
        if not isinstance(found, nodes.TableSource):
            if kind == ")":
                return found
            found = self._derived(found)
        return self._joined_to(found)

    def _derived(self, source: nodes.Query | nodes.RowValues | nodes.Statement) -> nodes.TableSource:
        alias = self.alias()
        columns = self._alias_columns(alias)
        return nodes.DerivedTable(source.start, self.end, source, alias, columns)

    def row_values(self) -> nodes.RowValues:
        """Read `VALUES (…), (…)`. Raises UnparsedError."""
        start = self.starts[self.at]
        self.expect("VALUES")
        rows = [self._row()]
        while self.taken(","):
            rows.append(self._row())
        return nodes.RowValues(start, self.end, tuple(rows))

    def _row(self) -> tuple[nodes.Expression, ...]:
        self.expect("(")
        found = [self.expression()]
        while self.taken(","):
            found.append(self.expression())
        self.expect(")")
        return tuple(found)

    # PIVOT

    def _pivot(self, source: nodes.TableSource) -> nodes.TableSource:
        self.at += 1
        self.expect("(")
        calls = [self._pivot_call()]
        while self.taken(","):
            calls.append(self._pivot_call())
        self.expect("FOR")
        column = self.object_name()
        self.expect("IN")
        values = self.names_in_brackets()
        self.expect(")")
        alias = self.alias()
        return nodes.Pivot(source.start, self.end, source, tuple(calls), column, values, alias)

    def _pivot_call(self) -> nodes.Call:
        call = self.call(self.object_name(3))
        if not isinstance(call, nodes.Call):
            raise self.unexpected("an aggregate")
        if self.taken("AS"):
            self.identifier()
        return call

    def _unpivot(self, source: nodes.TableSource) -> nodes.TableSource:
        self.at += 1
        self.expect("(")
        value = self.identifier()
        self.expect("FOR")
        name = self.identifier()
        self.expect("IN")
        self.expect("(")
        columns = self.object_names(5)
        self.expect(")")
        self.expect(")")
        alias = self.alias()
        return nodes.Unpivot(source.start, self.end, source, value, name, columns, alias)

    # targets of INSERT, UPDATE, DELETE, MERGE

    def target(self) -> nodes.TableSource:
        """Read the target of a write, with its hints and without an alias. Raises UnparsedError."""
        kind = self.kinds[self.at]
        if kind == VARIABLE:
            variable = self.variable()
            return nodes.TableVariable(variable.start, variable.end, variable)
        if kind in _FOREIGN:
            return self.foreign(aliased=False)
        name = self.object_name(4, "a table")
        hints: tuple[nodes.Hint, ...] = ()
        if self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
            hints = self.table_hints()
        return nodes.Table(name.start, self.end, name, None, hints)


def _is_call(call: nodes.Expression, word: str) -> bool:
    return isinstance(call, nodes.Call) and len(call.name.parts) == 1 and call.name.last.upper() == word
