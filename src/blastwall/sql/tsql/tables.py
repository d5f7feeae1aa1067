"""Tables: their columns, constraints and indexes, and ALTER TABLE."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import NAME
from blastwall.sql.tsql.tails import Tails

_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "INDEX", "DEFAULT")
_AFTER_TIMESTAMP = (",", ")", "NOT", "NULL", "CONSTRAINT", "PRIMARY", "UNIQUE", "DEFAULT")
_PLACES = ("ON", "TEXTIMAGE_ON", "FILESTREAM_ON")
_PLACE_NAMES = ("name", "quoted", "string", "NULL")
_RELATED = ("HISTORY_TABLE", "LEDGER_VIEW", "DATA_SOURCE", "FILE_FORMAT", "REJECTED_ROW_LOCATION")


@dataclass(slots=True)
class _Facets:
    """What a column's definition says after its type."""

    default: nodes.Expression | None = None
    references: nodes.ObjectName | None = None
    checks: list[nodes.Expression] = field(default_factory=list)
    cascades: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)


class Tables(Tails):
    """Reads the definitions of tables."""

    @abstractmethod
    def table_query(self) -> nodes.Query:
        """Read the query that a new table is filled from."""

    def table_elements(self) -> tuple[nodes.TableElement, ...]:
        """Read the columns and constraints of a table, in brackets. Raises UnparsedError."""
        self.expect("(")
        found = [self._element()]
        while self.kinds[self.at] != ")":
            if not self.taken(",") and self.kinds[self.at] not in _CONSTRAINTS:
                raise self.unexpected("`,` or `)`")
            if self.kinds[self.at] != ")":
                found.append(self._element())
        self.at += 1
        return tuple(found)

    def _element(self) -> nodes.TableElement:
        if self.kinds[self.at] in _CONSTRAINTS:
            return self._constraint()
        if self.words[self.at] == "PERIOD" and self.kinds[self.at + 1] == "FOR":
            start = self.starts[self.at]
            self.expect_phrase("PERIOD", "FOR", "SYSTEM_TIME")
            columns = self.names_in_brackets()
            return nodes.Constraint(start, self.end, "PERIOD", None, columns)
        return self.column_definition()

    # columns

    def column_definition(self) -> nodes.ColumnDefinition:
        """Read a column. Raises UnparsedError."""
        name = self.identifier("a column")
        facets = _Facets()
        if self.taken("AS"):
            computed = self.expression()
            self._facets(facets)
            return self._column(name, None, computed, facets)
        if self.kinds[self.at] in _AFTER_TIMESTAMP and name.text.upper() == "TIMESTAMP":
            self._facets(facets)
            return self._column(name, None, None, facets)
        kind = self.data_type()
        self._facets(facets)
        return self._column(name, kind, None, facets)

    def _column(
        self, name: nodes.Identifier, kind: nodes.DataType | None, computed: nodes.Expression | None, facets: _Facets
    ) -> nodes.ColumnDefinition:
        return nodes.ColumnDefinition(
            name.start,
            self.end,
            name,
            kind,
            computed,
            facets.default,
            tuple(facets.checks),
            facets.references,
            tuple(facets.cascades),
            tuple(facets.options),
        )

    def _facets(self, facets: _Facets) -> None:
        while self._facet(facets):
            pass

    def _facet(self, facets: _Facets) -> bool:
        kind = self.kinds[self.at]
        if kind == NAME:
            return self._named_facet(facets)
        if kind == "CONSTRAINT":
            self.at += 1
            self.identifier()
        elif kind == "COLLATE":
            self.at += 1
            self.identifier("a collation")
        elif kind == "NOT" and self.kinds[self.at + 1] == "NULL":
            self.at += 2
            facets.options.append("NOT NULL")
        elif kind == "NOT":
            self.expect_phrase("NOT", "FOR", "REPLICATION")
        elif kind == "NULL":
            self.at += 1
            facets.options.append("NULL")
        elif kind == "DEFAULT":
            self.at += 1
            facets.default = self.expression()
            self.phrase("WITH", "VALUES")
        elif kind == "IDENTITY":
            self._identity(facets)
        elif kind == "ROWGUIDCOL":
            self.at += 1
            facets.options.append("ROWGUIDCOL")
        else:
            return self._constraint_facet(kind, facets)
        return True

    def _identity(self, facets: _Facets) -> None:
        self.at += 1
        facets.options.append("IDENTITY")
        if self.taken("("):
            self.expression()
            self.expect(",")
            self.expression()
            self.expect(")")

    def _constraint_facet(self, kind: str, facets: _Facets) -> bool:
        if kind in ("PRIMARY", "UNIQUE"):
            self._key_head()
            facets.options.append("PRIMARY KEY" if kind == "PRIMARY" else kind)
            self._key_tail(with_columns=self.kinds[self.at] == "(")
        elif kind in ("FOREIGN", "REFERENCES"):
            if kind == "FOREIGN":
                self.expect_phrase("FOREIGN", "KEY")
                if self.kinds[self.at] == "(":
                    self.names_in_brackets()
            facets.references = self._references(facets.cascades)
        elif kind == "CHECK":
            facets.checks.append(self._check())
        elif kind == "INDEX":
            self._index_element()
            facets.options.append("INDEX")
        else:
            return False
        return True

    def _named_facet(self, facets: _Facets) -> bool:
        word = self.words[self.at]
        if word in ("SPARSE", "FILESTREAM", "PERSISTED", "HIDDEN"):
            self.at += 1
        elif word == "GENERATED":
            self.expect_phrase("GENERATED", "ALWAYS", "AS")
            self.one_of("ROW", "TRANSACTION_ID", "SEQUENCE_NUMBER")
            self.one_of("START", "END")
        elif word in ("MASKED", "ENCRYPTED"):
            self.at += 1
            if self.taken("WITH"):
                self.hints()
        elif word == "COLUMN_SET":
            self.expect_phrase("COLUMN_SET", "FOR", "ALL_SPARSE_COLUMNS")
        else:
            return False
        facets.options.append(word)
        return True

    # constraints

    def _constraint(self) -> nodes.Constraint:
        start = self.starts[self.at]
        name = self.identifier() if self.taken("CONSTRAINT") else None
        kind = self.kinds[self.at]
        cascades: list[str] = []
        if kind in ("PRIMARY", "UNIQUE"):
            self._key_head()
            columns = self._key_tail(with_columns=True)
            return nodes.Constraint(start, self.end, "UNIQUE" if kind == "UNIQUE" else "PRIMARY KEY", name, columns)
        if kind == "FOREIGN":
            self.expect_phrase("FOREIGN", "KEY")
            columns = self.names_in_brackets() if self.kinds[self.at] == "(" else ()
            references = self._references(cascades)
            return nodes.Constraint(start, self.end, "FOREIGN KEY", name, columns, references, None, tuple(cascades))
        if kind == "CHECK":
            condition = self._check()
            return nodes.Constraint(start, self.end, "CHECK", name, (), None, condition)
        if kind == "DEFAULT":
            self.at += 1
            value = self.expression()
            columns = (self.identifier(),) if self.taken("FOR") else ()
            self.phrase("WITH", "VALUES")
            return nodes.Constraint(start, self.end, "DEFAULT", name, columns, None, value)
        if kind == "INDEX":
            name, columns = self._index_element()
            return nodes.Constraint(start, self.end, "INDEX", name, columns)
        self.expect_phrase("CONNECTION")
        self.expect("(")
        self.scraps([], (")",))
        self.expect(")")
        self._cascades(cascades)
        return nodes.Constraint(start, self.end, "CONNECTION", name, (), None, None, tuple(cascades))

    def _key_head(self) -> None:
        if self.taken("PRIMARY"):
            self.expect("KEY")
        else:
            self.expect("UNIQUE")
        self._clustered()

    def _clustered(self) -> None:
        if not self.taken("CLUSTERED"):
            self.taken("NONCLUSTERED")
        self.phrase("HASH")

    def _key_tail(self, *, with_columns: bool) -> tuple[nodes.Identifier, ...]:
        columns = self.index_columns() if with_columns else ()
        self.index_options()
        self.phrase("NOT", "ENFORCED")
        return columns

    def index_columns(self) -> tuple[nodes.Identifier, ...]:
        """Read `(a ASC, b DESC)`. Raises UnparsedError."""
        self.expect("(")
        found = []
        while True:
            found.append(self._pseudo() if self.kinds[self.at] == "pseudo" else self.identifier())
            if not self.taken("ASC"):
                self.taken("DESC")
            if not self.taken(","):
                break
        self.expect(")")
        return tuple(found)

    def index_options(self) -> tuple[nodes.Hint, ...]:
        """Read `WITH (…) ON filegroup` in whatever order. Raises UnparsedError."""
        options: tuple[nodes.Hint, ...] = ()
        while True:
            if self.kinds[self.at] == "WITH" and self.kinds[self.at + 1] == "(":
                self.at += 1
                options += self.hints()
            elif self.kinds[self.at] == "WITH" and self.words[self.at + 1] in _OLD_OPTIONS:
                self.at += 1
                self._old_options()
            elif self.words[self.at] in _PLACES and self.kinds[self.at + 1] in _PLACE_NAMES:
                self.at += 1
                self._file_group()
            else:
                return options

    def _old_options(self) -> None:
        """`FILLFACTOR = 80, PAD_INDEX`, as before there were brackets."""
        while True:
            if self.words[self.at] not in _OLD_OPTIONS:
                raise self.unexpected("an index's option")
            self.at += 1
            if self.taken("=") and not self.taken("integer"):
                self.one_of("ON", "OFF")
            if not self.taken(","):
                return

    def _file_group(self) -> None:
        if self.kinds[self.at] == "NULL":
            self.at += 1
            return
        self.named()
        if self.taken("("):
            self.identifier()
            self.expect(")")

    def _references(self, cascades: list[str]) -> nodes.ObjectName:
        self.expect("REFERENCES")
        name = self.object_name(3)
        if self.kinds[self.at] == "(":
            self.names_in_brackets()
        self._cascades(cascades)
        self.phrase("NOT", "FOR", "REPLICATION")
        self.phrase("NOT", "ENFORCED")
        return name

    def _cascades(self, cascades: list[str]) -> None:
        while self.kinds[self.at] == "ON" and self.kinds[self.at + 1] in ("DELETE", "UPDATE"):
            self.at += 2
            event = self.kinds[self.at - 1]
            if self.phrase("NO", "ACTION"):
                action = "NO ACTION"
            elif self.taken("CASCADE"):
                action = "CASCADE"
            else:
                self.expect("SET")
                action = "SET NULL" if self.taken("NULL") else "SET DEFAULT"
                if action == "SET DEFAULT":
                    self.expect("DEFAULT")
            cascades.append(f"{event} {action}")

    def _check(self) -> nodes.Expression:
        self.expect("CHECK")
        self.phrase("NOT", "FOR", "REPLICATION")
        self.expect("(")
        condition = self.condition()
        self.expect(")")
        return condition

    def _index_element(self) -> tuple[nodes.Identifier, tuple[nodes.Identifier, ...]]:
        self.expect("INDEX")
        name = self.identifier()
        self.taken("UNIQUE")
        self._clustered()
        self.phrase("COLUMNSTORE")
        columns = self.index_columns() if self.kinds[self.at] == "(" else ()
        if self.phrase("INCLUDE"):
            columns += self.names_in_brackets()
        if self.taken("WHERE"):
            self.condition()
        self.index_options()
        return name, columns

    # CREATE TABLE

    def create_table(self, start: int, kind: str) -> nodes.Statement:
        """Read what follows CREATE TABLE. Raises UnparsedError."""
        name = self.object_name(3)
        elements: tuple[nodes.TableElement, ...] = ()
        if self.kinds[self.at] == "(":
            elements = self.table_elements()
        graph = self.kinds[self.at] == "AS" and self.words[self.at + 1] in ("NODE", "EDGE", "FILETABLE")
        if graph:
            self.at += 2
        elif not elements and self.kinds[self.at] != "WITH":
            raise self.unexpected("`(`")
        options = self.index_options()
        query = None
        if self.kinds[self.at] == "AS" or not (elements or graph):
            self.expect("AS")
            query = self.table_query()
        return nodes.CreateTable(start, self.end, name, elements, kind, options, related(options), query)

    # ALTER TABLE

    def alter_table(self, start: int) -> nodes.Statement:
        """Read what follows ALTER TABLE. Raises UnparsedError."""
        name = self.object_name(3)
        if self.taken("WITH") and not self.taken("CHECK"):
            self.expect("NOCHECK")
        changes = self._changes()
        found = tuple(each for change in changes for each in related(change.options))
        return nodes.AlterTable(start, self.end, name, changes, found)

    def _changes(self) -> tuple[nodes.TableChange, ...]:
        start = self.starts[self.at]
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind == "DROP":
            return self._drops()
        if kind == "ADD":
            return (self._add(start),)
        if kind == "ALTER":
            return (self._alter_column(start),)
        if word in ("ENABLE", "DISABLE"):
            return (self._switch_on(start, word),)
        self.at += 1
        if kind in ("CHECK", "NOCHECK"):
            self.expect("CONSTRAINT")
            names = self._all_or_names()
            return (nodes.TableChange(start, self.end, f"{kind} CONSTRAINT", (), names),)
        if word == "SWITCH":
            return (self._switch_partition(start),)
        return (self._set_or_rebuild(start, word),)

    def _set_or_rebuild(self, start: int, word: str) -> nodes.TableChange:
        if word == "SET":
            options = self.hints()
        elif word == "REBUILD":
            if self.phrase("PARTITION"):
                self.expect("=")
                if not self.taken("ALL"):
                    self.expression()
            options = self.index_options()
        else:
            self.at -= 1
            raise self.unexpected("a change of a table")
        return nodes.TableChange(start, self.end, word, (), (), None, options)

    def _add(self, start: int) -> nodes.TableChange:
        self.at += 1
        self.taken("COLUMN")
        found = [self._element()]
        while self.taken(","):
            found.append(self._element())
        return nodes.TableChange(start, self.end, "ADD", tuple(found))

    def _alter_column(self, start: int) -> nodes.TableChange:
        self.at += 1
        if self.taken("INDEX"):
            name = self.identifier()
            self.expect_phrase("REBUILD")
            self.index_options()
            return nodes.TableChange(start, self.end, "ALTER INDEX", (), (name,))
        self.expect("COLUMN")
        if self.kinds[self.at + 1] in ("ADD", "DROP"):
            name = self.identifier()
            change = self.kinds[self.at]
            self.at += 1
            facets = _Facets()
            if not self._facet(facets):
                raise self.unexpected("a column's property")
            column = self._column(name, None, None, facets)
            options = self.index_options()
            return nodes.TableChange(start, self.end, f"ALTER COLUMN {change}", (column,), (name,), None, options)
        column = self.column_definition()
        options = self.index_options()
        return nodes.TableChange(start, self.end, "ALTER COLUMN", (column,), (column.name,), None, options)

    def _drops(self) -> tuple[nodes.TableChange, ...]:
        self.at += 1
        found = []
        verb = "DROP CONSTRAINT"
        while True:
            start = self.starts[self.at]
            if self.taken("COLUMN"):
                verb = "DROP COLUMN"
            elif self.taken("CONSTRAINT"):
                verb = "DROP CONSTRAINT"
            elif self.taken("INDEX"):
                verb = "DROP INDEX"
            elif self.phrase("PERIOD", "FOR", "SYSTEM_TIME"):
                found.append(nodes.TableChange(start, self.end, "DROP PERIOD"))
                return tuple(found)
            self.phrase("IF", "EXISTS")
            name = self.identifier()
            options = self.index_options()
            found.append(nodes.TableChange(start, self.end, verb, (), (name,), None, options))
            if not self.taken(","):
                return tuple(found)

    def _switch_on(self, start: int, word: str) -> nodes.TableChange:
        self.at += 1
        if self.taken("TRIGGER"):
            names = self._all_or_names()
            return nodes.TableChange(start, self.end, f"{word} TRIGGER", (), names)
        what = self.one_of("CHANGE_TRACKING", "FILETABLE_NAMESPACE")
        options = self.index_options()
        return nodes.TableChange(start, self.end, f"{word} {what}", (), (), None, options)

    def _all_or_names(self) -> tuple[nodes.Identifier, ...]:
        if self.taken("ALL"):
            return ()
        found = [self.identifier()]
        while self.taken(","):
            found.append(self.identifier())
        return tuple(found)

    def _switch_partition(self, start: int) -> nodes.TableChange:
        if self.phrase("PARTITION"):
            self.expression()
        self.expect("TO")
        target = self.object_name(3)
        if self.phrase("PARTITION"):
            self.expression()
        options = self.index_options()
        return nodes.TableChange(start, self.end, "SWITCH", (), (), target, options)


_OLD_OPTIONS = (
    "FILLFACTOR",
    "PAD_INDEX",
    "IGNORE_DUP_KEY",
    "DROP_EXISTING",
    "STATISTICS_NORECOMPUTE",
    "SORT_IN_TEMPDB",
    "ALLOW_ROW_LOCKS",
    "ALLOW_PAGE_LOCKS",
)


def related(options: tuple[nodes.Hint, ...]) -> tuple[nodes.ObjectName, ...]:
    """Return the objects that a table's options name, such as its history table."""
    found: list[nodes.ObjectName] = []
    for hint in options:
        if hint.name in _RELATED:
            found.extend(each.name for each in hint.arguments if isinstance(each, nodes.Column))
        named = False
        for each in hint.arguments:
            if named and isinstance(each, nodes.Column):
                found.append(each.name)
            named = isinstance(each, nodes.Column) and each.name.last.upper() in _RELATED
    return tuple(found)
