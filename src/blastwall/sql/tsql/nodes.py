"""The tree of a T-SQL batch. Every node says where it stands: `start` and `end` are character offsets into the text.

Brackets leave no node. Operators of one rank stand side by side (`Operation`, `Logical`, `SetOperation`), so that a
long chain is wide, not deep. Words that are not names (`operator`, `kind`, `verb`, …) are in capitals with single
spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

REACHES = re.compile(r":\s*(?:column|variable)\b")
"""How XQuery names a column or a variable around it, `sql:column("c.email")`, by whatever prefix."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the text, from `start` to before `end`, in characters."""

    start: int
    end: int


class Expression(Node):
    """What has a value, or is true or false."""

    __slots__ = ()


class TableSource(Node):
    """What stands in FROM."""

    __slots__ = ()


class Statement(Node):
    """One statement of a batch, without the semicolon after it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Batch(Node):
    """A whole batch."""

    statements: tuple[Statement, ...]


# Names and types


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    """One name, without its quotes and as written otherwise; a string in the place of a name is `quoted` too."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class ObjectName(Node):
    """`server.database.schema.name` or less of it; a part left out (`shop..orders`) is None."""

    parts: tuple[Identifier | None, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The parts as written, "" for one left out."""
        return tuple(part.text if part is not None else "" for part in self.parts)

    @property
    def last(self) -> str:
        """The last part."""
        return self.texts[-1]


@dataclass(frozen=True, slots=True)
class DataType(Node):
    """A type's name as written (`nvarchar`, `double precision`, `dbo.Money`) with its arguments (`max`, `10`, `2`)."""

    name: ObjectName
    arguments: tuple[str, ...] = ()


# Expressions


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A literal. `text` is a string's value (quotes undone), else what is written.

    `kind`: STRING, NATIONAL (N'…'), BINARY, INTEGER, DECIMAL, FLOAT, MONEY, NULL, DEFAULT, DATE ({d '…'} and its
    like), or WORD for an unquoted word as an argument of EXEC, which is a string.
    """

    kind: str
    text: str

    @property
    def reaches(self) -> bool:
        """Whether XQuery in it would name a column or a variable around it."""
        return REACHES.search(self.text) is not None


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    """`@name` or `@@name`, with its signs."""

    name: str


@dataclass(frozen=True, slots=True)
class Column(Expression):
    """A column by its name, or a pseudo column (`$action`, `$identity`, `IDENTITYCOL`, `$node_id`)."""

    name: ObjectName


@dataclass(frozen=True, slots=True)
class Star(Expression):
    """`*` or `t.*`."""

    qualifier: ObjectName | None = None


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """`+`, `-` or `~`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Operation(Expression):
    """Operators of one rank, from left to right: one operator fewer than operands. `+ - & ^ | || << >>` or `* / %`."""

    operators: tuple[str, ...]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Collate(Expression):
    """`operand COLLATE collation`."""

    operand: Expression
    collation: Identifier


@dataclass(frozen=True, slots=True)
class AtTimeZone(Expression):
    """`operand AT TIME ZONE zone`."""

    operand: Expression
    zone: Expression


@dataclass(frozen=True, slots=True)
class When(Node):
    """`WHEN condition THEN value` of a CASE."""

    condition: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """`CASE [operand] WHEN … ELSE otherwise END`."""

    operand: Expression | None
    whens: tuple[When, ...]
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class OrderItem(Node):
    """One expression of an ORDER BY."""

    expression: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Window(Node):
    """`OVER (…)`, `OVER name`, or a definition in WINDOW. `bounds` are the expressions of a frame."""

    name: Identifier | None = None
    partition: tuple[Expression, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    bounds: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function by its name; `a.b.c(…)` may also be a method of the column `a.b`, which only a catalog can tell.

    Words without brackets that are functions (CURRENT_TIMESTAMP, USER, SESSION_USER, …) are calls with `arguments`
    None. A date part (`DATEADD(day, …)`) is a Column. What follows JSON functions (`RETURNING`, `ABSENT ON NULL`)
    leaves nothing.
    """

    name: ObjectName
    arguments: tuple[Expression, ...] | None
    distinct: bool = False
    within_group: tuple[OrderItem, ...] = ()
    over: Window | None = None


@dataclass(frozen=True, slots=True)
class Method(Expression):
    """`operand.name(…)`, or a property (`arguments` None), of what is not a plain name: `@x.value(…)`, `f(…).Lat`."""

    operand: Expression
    name: Identifier
    arguments: tuple[Expression, ...] | None


@dataclass(frozen=True, slots=True)
class StaticMethod(Expression):
    """`type::name(…)`, or a static property (`arguments` None)."""

    type: ObjectName
    name: Identifier
    arguments: tuple[Expression, ...] | None


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """`function`: CAST, TRY_CAST, CONVERT, TRY_CONVERT, PARSE, TRY_PARSE.

    `style` is a CONVERT's style or a PARSE's culture.
    """

    function: str
    operand: Expression
    type: DataType
    style: Expression | None = None


@dataclass(frozen=True, slots=True)
class NextValue(Expression):
    """`NEXT VALUE FOR sequence`."""

    sequence: ObjectName
    over: Window | None = None


@dataclass(frozen=True, slots=True)
class Subquery(Expression):
    """A query as a value."""

    query: Query


# Conditions


@dataclass(frozen=True, slots=True)
class Logical(Expression):
    """Conditions joined by AND, or by OR."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """`NOT operand`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """`= < > <= >= <>` (also for `!=`) `!< !>`, `IS DISTINCT FROM`, `IS NOT DISTINCT FROM`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Quantified(Expression):
    """`left operator ALL|ANY (query)`; SOME is ANY."""

    operator: str
    quantifier: str
    left: Expression
    query: Query


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """`operand [NOT] BETWEEN low AND high`."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InList(Expression):
    """`operand [NOT] IN (items)`."""

    operand: Expression
    items: tuple[Expression, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InQuery(Expression):
    """`operand [NOT] IN (query)`."""

    operand: Expression
    query: Query
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Expression):
    """`operand [NOT] LIKE pattern [ESCAPE escape]`."""

    operand: Expression
    pattern: Expression
    escape: Expression | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """`operand IS [NOT] NULL`."""

    operand: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Exists(Expression):
    """`EXISTS (query)`."""

    query: Query


@dataclass(frozen=True, slots=True)
class FullText(Expression):
    """`CONTAINS` or `FREETEXT`; `columns` empty means every column."""

    function: str
    columns: tuple[ObjectName, ...]
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class CurrentOf(Expression):
    """`CURRENT OF cursor` (a name, or a variable's name with its sign)."""

    cursor: Identifier


# Queries


@dataclass(frozen=True, slots=True)
class Hint(Node):
    """A hint's or option's name, such as NOLOCK or OPTIMIZE FOR, and the values given to it."""

    name: str
    arguments: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Top(Node):
    """`TOP (count) [PERCENT] [WITH TIES]`."""

    count: Expression
    percent: bool = False
    ties: bool = False


@dataclass(frozen=True, slots=True)
class SelectItem(Node):
    """One expression of a select list or OUTPUT, also `alias = expression`; a Star has no alias."""

    expression: Expression
    alias: Identifier | None = None


@dataclass(frozen=True, slots=True)
class SelectAssignment(Node):
    """`@variable = expression` of a select list; `operator` may also be `+=` and its like."""

    variable: Variable
    operator: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class GroupBy(Node):
    """The expressions grouped by, in whatever sets. `kind`: "", ALL, ROLLUP, CUBE, SETS."""

    kind: str
    expressions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW`."""

    items: tuple[SelectItem | SelectAssignment, ...]
    distinct: bool = False
    top: Top | None = None
    into: ObjectName | None = None
    sources: tuple[TableSource, ...] = ()
    where: Expression | None = None
    group_by: GroupBy | None = None
    having: Expression | None = None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """Branches joined from left to right by UNION, UNION ALL, EXCEPT, or by INTERSECT, which binds tighter."""

    operators: tuple[str, ...]
    branches: tuple[QueryBody, ...]


@dataclass(frozen=True, slots=True)
class RowValues(Node):
    """`VALUES (…), (…)`: the rows."""

    rows: tuple[tuple[Expression, ...], ...]


QueryBody = Select | SetOperation


@dataclass(frozen=True, slots=True)
class CommonTable(Node):
    """`name (columns) AS (query)` of a WITH."""

    name: Identifier
    columns: tuple[Identifier, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class ForClause(Node):
    """`FOR XML|JSON|BROWSE`: `mode` is RAW, AUTO, PATH, EXPLICIT or "".

    `options` such as ROOT, TYPE, WITHOUT_ARRAY_WRAPPER.
    """

    kind: str
    mode: str
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A whole query with what may stand around it. `options` are those of OPTION (…)."""

    body: QueryBody
    ctes: tuple[CommonTable, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    offset: Expression | None = None
    fetch: Expression | None = None
    for_clause: ForClause | None = None
    options: tuple[Hint, ...] = ()


# Table sources


@dataclass(frozen=True, slots=True)
class Table(TableSource):
    """A table, view, synonym or common table by its name. `system_time`: the words and values of FOR SYSTEM_TIME."""

    name: ObjectName
    alias: Identifier | None = None
    hints: tuple[Hint, ...] = ()
    system_time: Hint | None = None
    sample: Expression | None = None


@dataclass(frozen=True, slots=True)
class TableVariable(TableSource):
    """`@rows AS alias`."""

    variable: Variable
    alias: Identifier | None = None
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnShape(Node):
    """A column that WITH (…) of OPENJSON, OPENXML or OPENROWSET describes.

    `path` where it reads from, `json` for AS JSON.
    """

    name: Identifier
    type: DataType | None
    path: Expression | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class TableFunction(TableSource):
    """A function or method in FROM, built-in or not: `dbo.f(@x)`, `OPENJSON(…) WITH (…)`, `x.nodes(…) AS n(c)`.

    `shape` are the columns of WITH, `like` the table that OPENXML's WITH names. CONTAINSTABLE and FREETEXTTABLE have
    the table as a Column for their first argument, CHANGETABLE and PREDICT are here too.
    """

    call: Expression
    alias: Identifier | None = None
    columns: tuple[Identifier, ...] = ()
    shape: tuple[ColumnShape, ...] = ()
    like: ObjectName | None = None
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignRowset(TableSource):
    """OPENROWSET, OPENQUERY or OPENDATASOURCE, by its `function`; `arguments` all that stands in its brackets.

    `object` is the name given (`OPENDATASOURCE(…).shop.dbo.orders`, or OPENROWSET's last argument), `server`
    OPENQUERY's. `words` are such words of its brackets as BULK, SINGLE_CLOB, FORMAT.
    """

    function: str
    arguments: tuple[Expression, ...]
    words: tuple[str, ...] = ()
    server: Identifier | None = None
    object: ObjectName | None = None
    alias: Identifier | None = None
    columns: tuple[Identifier, ...] = ()
    shape: tuple[ColumnShape, ...] = ()
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivedTable(TableSource):
    """`(query) AS alias (columns)`, `(VALUES …) AS …`, or a nested INSERT, UPDATE, DELETE, MERGE with its OUTPUT."""

    source: Query | RowValues | Statement
    alias: Identifier | None
    columns: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Join(TableSource):
    """`kind`: INNER, LEFT, RIGHT, FULL, CROSS, CROSS APPLY, OUTER APPLY."""

    kind: str
    left: TableSource
    right: TableSource
    on: Expression | None = None


@dataclass(frozen=True, slots=True)
class Pivot(TableSource):
    """`source PIVOT (calls FOR column IN (values)) AS alias`."""

    source: TableSource
    calls: tuple[Call, ...]
    column: ObjectName
    values: tuple[Identifier, ...]
    alias: Identifier | None


@dataclass(frozen=True, slots=True)
class Unpivot(TableSource):
    """`source UNPIVOT (value FOR name IN (columns)) AS alias`."""

    source: TableSource
    value: Identifier
    name: Identifier
    columns: tuple[ObjectName, ...]
    alias: Identifier | None


# Statements that read and write rows


@dataclass(frozen=True, slots=True)
class SelectStatement(Statement):
    """A query on its own. It may assign variables and create a table (`SELECT … INTO`)."""

    query: Query


@dataclass(frozen=True, slots=True)
class Output(Node):
    """`OUTPUT items [INTO target (columns)]`; at most two in a row, of which one goes to the client."""

    items: tuple[SelectItem, ...]
    into: ObjectName | Variable | None = None
    columns: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """`SET column = value`, `SET @v = column = value` or `SET column.WRITE(…)` (`value` a Call).

    `operator` as written.
    """

    column: ObjectName | None
    variable: Variable | None
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class DefaultValues(Node):
    """`DEFAULT VALUES`."""


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    """`INSERT [INTO] target (columns) OUTPUT … source`. In a MERGE the target is the MERGE's."""

    target: TableSource
    columns: tuple[ObjectName, ...]
    source: Query | RowValues | DefaultValues | Statement
    ctes: tuple[CommonTable, ...] = ()
    top: Top | None = None
    outputs: tuple[Output, ...] = ()
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Update(Statement):
    """`UPDATE target SET … OUTPUT … FROM sources WHERE …`; the target may be an alias of a source."""

    target: TableSource
    assignments: tuple[Assignment, ...]
    sources: tuple[TableSource, ...] = ()
    where: Expression | None = None
    ctes: tuple[CommonTable, ...] = ()
    top: Top | None = None
    outputs: tuple[Output, ...] = ()
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Statement):
    """`DELETE [FROM] target OUTPUT … FROM sources WHERE …`; the target may be an alias of a source."""

    target: TableSource
    sources: tuple[TableSource, ...] = ()
    where: Expression | None = None
    ctes: tuple[CommonTable, ...] = ()
    top: Top | None = None
    outputs: tuple[Output, ...] = ()
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class MergeWhen(Node):
    """One WHEN of a MERGE. `match`: MATCHED, NOT MATCHED, NOT MATCHED BY SOURCE; `action`: UPDATE, DELETE, INSERT."""

    match: str
    condition: Expression | None
    action: str
    assignments: tuple[Assignment, ...] = ()
    columns: tuple[ObjectName, ...] = ()
    values: tuple[Expression, ...] | None = None


@dataclass(frozen=True, slots=True)
class Merge(Statement):
    """`MERGE [INTO] target USING source ON condition WHEN … OUTPUT …`."""

    target: TableSource
    source: TableSource
    on: Expression
    whens: tuple[MergeWhen, ...]
    ctes: tuple[CommonTable, ...] = ()
    top: Top | None = None
    outputs: tuple[Output, ...] = ()
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Truncate(Statement):
    """`TRUNCATE TABLE name`."""

    name: ObjectName


@dataclass(frozen=True, slots=True)
class BulkInsert(Statement):
    """`BULK INSERT name FROM file`, or `INSERT BULK name (columns)` where `file` is None."""

    name: ObjectName
    file: Expression | None
    columns: tuple[ColumnDefinition, ...] = ()
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class TextAccess(Statement):
    """READTEXT, WRITETEXT or UPDATETEXT (`verb`) of a column named with its table.

    `source` a second column of UPDATETEXT.
    """

    verb: str
    column: ObjectName
    arguments: tuple[Expression, ...]
    source: ObjectName | None = None


# Variables, control flow, messages


@dataclass(frozen=True, slots=True)
class VariableDeclaration(Node):
    """`@name type = value`; a table variable has `table` and no type; a cursor variable's type is CURSOR."""

    name: str
    type: DataType | None
    value: Expression | None = None
    table: tuple[TableElement, ...] = ()


@dataclass(frozen=True, slots=True)
class Declare(Statement):
    """`DECLARE` of variables."""

    variables: tuple[VariableDeclaration, ...]


@dataclass(frozen=True, slots=True)
class SetVariable(Statement):
    """`SET @x = value`, also `+=`; `SET @x.member = value`; `SET @x.modify(…)` (`value` the Method, `operator` "")."""

    variable: Variable
    operator: str
    value: Expression
    member: Identifier | None = None


@dataclass(frozen=True, slots=True)
class SetCursor(Statement):
    """`SET @x = CURSOR … FOR query`."""

    variable: Variable
    options: tuple[str, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class SetOption(Statement):
    """`SET names ON|OFF`, or to another value: its word, number, string or variable, in `value`.

    IDENTITY_INSERT names its `table`. `SET TRANSACTION ISOLATION LEVEL x` has the name `TRANSACTION ISOLATION LEVEL`
    and the value x as a WORD; `SET STATISTICS IO, TIME ON` has the names `STATISTICS IO`, `STATISTICS TIME`.
    """

    names: tuple[str, ...]
    value: Expression
    table: ObjectName | None = None


@dataclass(frozen=True, slots=True)
class Block(Statement):
    """`BEGIN … END`; `atomic` where it is BEGIN ATOMIC."""

    statements: tuple[Statement, ...]
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class If(Statement):
    """`IF condition then ELSE otherwise`."""

    condition: Expression
    then: Statement
    otherwise: Statement | None = None


@dataclass(frozen=True, slots=True)
class While(Statement):
    """`WHILE condition body`."""

    condition: Expression
    body: Statement


@dataclass(frozen=True, slots=True)
class TryCatch(Statement):
    """`BEGIN TRY … END TRY BEGIN CATCH … END CATCH`."""

    attempt: tuple[Statement, ...]
    catch: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Jump(Statement):
    """BREAK, CONTINUE, `GOTO label`, or a `label:` (verb LABEL)."""

    verb: str
    label: Identifier | None = None


@dataclass(frozen=True, slots=True)
class Return(Statement):
    """`RETURN [value]`; the RETURN of an inline function has a Subquery."""

    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class Message(Statement):
    """PRINT, RAISERROR or THROW (`verb`) with its arguments; `options` LOG, NOWAIT, SETERROR."""

    verb: str
    arguments: tuple[Expression, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitFor(Statement):
    """`WAITFOR DELAY|TIME value`, or `WAITFOR (RECEIVE|GET CONVERSATION …), TIMEOUT value`."""

    kind: str
    value: Expression | None
    statement: Statement | None = None


# EXECUTE


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """`[@name =] value [OUTPUT]`; the value is a Constant, a Variable, or a Unary of a number."""

    name: str | None
    value: Expression
    output: bool = False


@dataclass(frozen=True, slots=True)
class Execute(Statement):
    """A procedure's call: `EXEC @status = procedure arguments`, or without EXEC as a batch's first statement.

    `procedure` may be a Variable that holds the name. `options`: RECOMPILE, RESULT SETS.
    """

    procedure: ObjectName | Variable
    arguments: tuple[Argument, ...] = ()
    status: Variable | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecuteText(Statement):
    """`EXEC ('text' + @more, arguments) AS USER|LOGIN = 'name' AT server`: dynamic SQL, its parts as written.

    `principal` (`kind` USER or LOGIN) and `server` where they are named; AT DATA_SOURCE has `data_source`.
    """

    parts: tuple[Expression, ...]
    arguments: tuple[Argument, ...] = ()
    kind: str = ""
    principal: Expression | None = None
    server: Identifier | None = None
    data_source: Identifier | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecuteAs(Statement):
    """`EXECUTE AS kind = principal`: kind LOGIN, USER, CALLER, or SETUSER for the statement of that name.

    SETUSER without a principal goes back to oneself.
    """

    kind: str
    principal: Expression | None
    cookie: Variable | None = None
    no_revert: bool = False


@dataclass(frozen=True, slots=True)
class Revert(Statement):
    """`REVERT [WITH COOKIE = @x]`."""

    cookie: Variable | None = None


# Cursors and transactions


@dataclass(frozen=True, slots=True)
class DeclareCursor(Statement):
    """`DECLARE name CURSOR options FOR query`; `update_of` the columns of FOR UPDATE OF."""

    name: Identifier
    options: tuple[str, ...]
    query: Query
    update_of: tuple[ObjectName, ...] = ()


@dataclass(frozen=True, slots=True)
class CursorCommand(Statement):
    """OPEN, CLOSE, DEALLOCATE or FETCH (`verb`) of a cursor (a variable's name with its sign)."""

    verb: str
    cursor: Identifier
    into: tuple[Variable, ...] = ()
    offset: Expression | None = None


@dataclass(frozen=True, slots=True)
class Transaction(Statement):
    """BEGIN, COMMIT, ROLLBACK or SAVE (`verb`) of a transaction, by a name or a variable if it has one."""

    verb: str
    name: Identifier | Variable | None = None
    distributed: bool = False


# Definitions


@dataclass(frozen=True, slots=True)
class ColumnDefinition(Node):
    """A column: its type, or what it is computed from.

    `options` are such words as IDENTITY, NOT NULL, PRIMARY KEY, MASKED.
    """

    name: Identifier
    type: DataType | None
    computed: Expression | None = None
    default: Expression | None = None
    checks: tuple[Expression, ...] = ()
    references: ObjectName | None = None
    cascades: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint(Node):
    """A table's constraint, index or period. `kind`.

    PRIMARY KEY, UNIQUE, FOREIGN KEY, CHECK, DEFAULT, INDEX, PERIOD, CONNECTION.

    `cascades` such as `DELETE CASCADE`, `UPDATE SET NULL`.
    """

    kind: str
    name: Identifier | None = None
    columns: tuple[Identifier, ...] = ()
    references: ObjectName | None = None
    condition: Expression | None = None
    cascades: tuple[str, ...] = ()


TableElement = ColumnDefinition | Constraint


@dataclass(frozen=True, slots=True)
class CreateTable(Statement):
    """`CREATE [EXTERNAL] TABLE`, or a table type. `kind`: TABLE, EXTERNAL TABLE, TYPE. `related`.

    A history table, a data source
    """

    name: ObjectName
    elements: tuple[TableElement, ...]
    kind: str = "TABLE"
    options: tuple[Hint, ...] = ()
    related: tuple[ObjectName, ...] = ()
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class TableChange(Node):
    """One change of an ALTER TABLE.

    `verb`: ADD, ALTER COLUMN, DROP COLUMN, DROP CONSTRAINT, DROP PERIOD, CHECK CONSTRAINT, NOCHECK CONSTRAINT, ENABLE
    TRIGGER, DISABLE TRIGGER, SWITCH (`target`), SET, REBUILD, ENABLE CHANGE_TRACKING, DISABLE CHANGE_TRACKING, …
    `names` of columns, constraints, triggers; none for ALL.
    """

    verb: str
    elements: tuple[TableElement, ...] = ()
    names: tuple[Identifier, ...] = ()
    target: ObjectName | None = None
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class AlterTable(Statement):
    """`ALTER TABLE name change`. `related`: what SET (SYSTEM_VERSIONING = ON (HISTORY_TABLE = …)) names."""

    name: ObjectName
    changes: tuple[TableChange, ...]
    related: tuple[ObjectName, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateView(Statement):
    """`verb`: CREATE, ALTER or CREATE OR ALTER; `materialized` too."""

    verb: str
    name: ObjectName
    columns: tuple[Identifier, ...]
    query: Query
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A module's parameter."""

    name: str
    type: DataType
    default: Expression | None = None
    output: bool = False
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class CreateModule(Statement):
    """A procedure, function or trigger (`kind`), with its body.

    `external` is what EXTERNAL NAME names, without a body.

    `returns` is a function's type; `returns_table` what a table-valued one returns, `inline` its query. A trigger has
    `on` (None: ALL SERVER or DATABASE, see `options`), `events` (INSERT, …) and `timing` AFTER or INSTEAD OF.
    `execute_as`: CALLER, SELF, OWNER or a user.
    """

    verb: str
    kind: str
    name: ObjectName
    parameters: tuple[Parameter, ...] = ()
    body: tuple[Statement, ...] = ()
    returns: DataType | None = None
    returns_table: tuple[TableElement, ...] = ()
    inline: Query | None = None
    on: ObjectName | None = None
    timing: str = ""
    events: tuple[str, ...] = ()
    execute_as: str = ""
    external: ObjectName | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    """`CREATE … INDEX name ON table`; `kind` such as UNIQUE CLUSTERED, COLUMNSTORE, XML, SPATIAL, FULLTEXT."""

    name: Identifier | None
    table: ObjectName
    kind: str = ""
    columns: tuple[Identifier, ...] = ()
    where: Expression | None = None
    options: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateSynonym(Statement):
    """`CREATE SYNONYM name FOR target`."""

    name: ObjectName
    target: ObjectName


@dataclass(frozen=True, slots=True)
class SchemaElements(Statement):
    """`CREATE SCHEMA name AUTHORIZATION owner` with the statements inside it."""

    name: Identifier | None
    owner: Identifier | None
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop(Statement):
    """`DROP kind names`: kind as written, such as TABLE, COLUMN MASTER KEY, INDEX.

    `on` an index's or trigger's table if said apart. `if_exists`: what cannot be seen may stay.
    """

    kind: str
    names: tuple[ObjectName, ...]
    on: ObjectName | None = None
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class TriggerSwitch(Statement):
    """`ENABLE|DISABLE TRIGGER names ON table`; no names: ALL.

    `scope` DATABASE or ALL SERVER where there is no table.
    """

    verb: str
    names: tuple[ObjectName, ...]
    on: ObjectName | None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Permission(Node):
    """`SELECT (columns)`, `VIEW DEFINITION`, …; `ALL` for ALL [PRIVILEGES]."""

    name: str
    columns: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Entitlement(Statement):
    """GRANT, DENY or REVOKE (`verb`) of permissions on a securable (`kind`.

    OBJECT, SCHEMA, DATABASE, …, "" if not said) to principals.
    """

    verb: str
    permissions: tuple[Permission, ...]
    kind: str
    securable: ObjectName | None
    columns: tuple[Identifier, ...]
    principals: tuple[Identifier, ...]
    grantable: bool = False


@dataclass(frozen=True, slots=True)
class Use(Statement):
    """`USE database`."""

    database: Identifier


@dataclass(frozen=True, slots=True)
class Definition(Statement):
    """CREATE, ALTER, DROP of what has no node of its own.

    `kind` such as USER, LOGIN, ROLE, SECURITY POLICY, EXTERNAL DATA SOURCE.

    `names` are what is defined, `related` other names of the statement (a role's member, a user's login, a function),
    `literals` every literal in it (passwords among them), `words` every word of it, in capitals, in order.
    """

    verb: str
    kind: str
    names: tuple[ObjectName, ...]
    related: tuple[ObjectName, ...] = ()
    literals: tuple[Constant, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Utility(Statement):
    """What serves the server rather than data.

    `verb`: BACKUP, RESTORE, DBCC, KILL, SHUTDOWN, RECONFIGURE, CHECKPOINT, LINENO, UPDATE STATISTICS, SEND, RECEIVE,
    …; `kind` is what follows it (BACKUP DATABASE, DBCC CHECKDB), the rest as for Definition, and its variables.
    """

    verb: str
    kind: str = ""
    names: tuple[ObjectName, ...] = ()
    literals: tuple[Constant, ...] = ()
    variables: tuple[Variable, ...] = ()
    words: tuple[str, ...] = ()


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below a node, in the order of its fields."""
    if isinstance(node, Constant):
        return
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif type(value) is tuple:
            for item in value:
                if isinstance(item, Node):
                    yield item
                elif type(item) is tuple:
                    yield from item


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, without recursion, parents first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(list(children(current))))
