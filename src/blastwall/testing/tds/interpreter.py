"""Runs batches: control flow, variables, messages, transactions, and what an error ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import TYPE_CHECKING

from blastwall.testing.tds import tokens
from blastwall.testing.tds.answer import Answer
from blastwall.testing.tds.catalog import Module, Table, duck_type
from blastwall.testing.tds.changes import Change
from blastwall.testing.tds.changing import Changing
from blastwall.testing.tds.datatypes import INT, NVARCHAR_MAX, SqlType
from blastwall.testing.tds.definitions import table_of
from blastwall.testing.tds.describing import first_fields
from blastwall.testing.tds.errors import BATCH, STATEMENT, TRANSACTION, SqlError, unsupported
from blastwall.testing.tds.expressions import Field, Scope, Variable
from blastwall.testing.tds.forms import JSON_COLUMN, XML_COLUMN, formed
from blastwall.testing.tds.lexer import Cursor, tokens_of
from blastwall.testing.tds.parsing import declared_parameters, parsed
from blastwall.testing.tds.queries import Query
from blastwall.testing.tds.script import Node, Script
from blastwall.testing.tds.state import State
from blastwall.testing.tds.storing import Storing
from blastwall.testing.tds.typed import Typed, arithmetic, convert

if TYPE_CHECKING:
    from blastwall.testing.tds.procedures import Given

_DEEPEST_NESTING = 32
_FETCH = 2000
_MOST_ACCUMULATED = 1000
_TERMINATED = frozenset({515, 547, 2601, 2627, 2628, 8115, 8134, 8152, 544, 545})
"""Errors after which the server says that the statement has been terminated."""


class BatchEnded(Exception):
    """The rest of the batch does not run: its error was told."""


class _Return(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class _Leave(Exception):
    """BREAK."""


class _Again(Exception):
    """CONTINUE."""


Procedures = Callable[["Interpreter", tuple[str, ...], Node, Script], "int | None"]


class Interpreter:
    """Runs batches for one session and writes what comes of them into the present answer."""

    def __init__(self, state: State, procedures: Procedures) -> None:
        self.state = state
        self.answer: Answer
        self._procedures = procedures
        self._storing = Storing(state)
        self._changing = Changing(state, self._fire)
        self._tries = 0
        self.failed = False
        """Whether an error of class 11 or above was told."""
        self._handlers: dict[str, Callable[[Node, Script], None]] = {
            "SELECT": self._select, "INSERT": self._change, "UPDATE": self._change, "DELETE": self._change,
            "MERGE": self._change, "BLOCK": self._block, "IF": self._if, "WHILE": self._while, "TRY": self._try,
            "DECLARE": self._declare, "ASSIGN": self._assign, "OPTION": self._option, "PRINT": self._print,
            "RAISERROR": self._raiserror, "THROW": self._throw, "EXEC": self._exec, "EXEC TEXT": self._exec_text,
            "EXECUTE AS": self._execute_as, "REVERT": self._revert, "RETURN": self._return, "BREAK": self._break,
            "CONTINUE": self._continue, "WAITFOR": self._waitfor, "USE": self._use, "ISOLATION": self._nothing,
            "IDENTITY_INSERT": self._identity_insert, "PERMISSION": self._definition, "TRUNCATE": self._definition,
        }  # fmt: skip

    # ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, text: str) -> int:
        """Run a batch or the body of a procedure; return what RETURN said.

        Raises:
            BatchEnded: an error ended it.
            SqlError: an error that a TRY outside is to catch.
        """
        try:
            batch = parsed(self.state, text)
        except SqlError as error:
            self._failed(error)
            return 0
        script = Script(batch.cursor(), self.state)
        try:
            self.statements(batch.nodes, script)
        except _Return as returned:
            return returned.value
        return 0

    def end_of_batch(self) -> None:
        """Roll a doomed transaction back: it cannot outlive its batch."""
        if self.state.transactions.doomed:
            self._roll_back_all()
            self.answer.error(SqlError(3998))

    def statements(self, nodes: list[Node], script: Script) -> None:
        """Run statements one after another."""
        for node in nodes:
            self._statement(node, script)

    def _statement(self, node: Node, script: Script) -> None:
        self.answer.poll()
        script.cursor.at, script.ctes, script.values, script.fickle = node.at, [], {}, False
        script.now = self.state.now()
        try:
            self._run_node(node, script)
            if node.kind not in ("IF", "WHILE", "BLOCK", "TRY", "PRINT", "DECLARE", "RAISERROR"):
                self.state.error_number = 0
        except SqlError as error:
            error.line = node.line if error.line == 1 else error.line
            self._failed(error)

    def _run_node(self, node: Node, script: Script) -> None:
        handler = self._handlers.get(node.kind)
        if handler is not None:
            handler(node, script)
        elif node.kind.endswith("TRANSACTION"):
            self._transaction(node)
        else:
            self._definition(node, script)

    def _failed(self, error: SqlError) -> None:
        """Do with an error what SQL Server does: hand it to TRY, or tell it and end what it ends."""
        self.state.error_number, self.state.rowcount = error.number, 0
        if self.state.procedure is not None and not error.procedure:
            error.procedure = self.state.procedure.name
        ends = error.ends
        if self.state.options.xact_abort and error.severity > 10 and ends == STATEMENT and error.number != 50000:
            ends = TRANSACTION
        if self._tries and error.severity > 10:
            if self.state.transactions.count and ends == TRANSACTION:
                self.state.transactions.doomed = True
            raise error
        self.failed = True
        self.answer.error(error)
        if error.number in _TERMINATED and ends == STATEMENT:
            self.answer.error(SqlError(3621))
        self.answer.done(failed=True)
        if ends == TRANSACTION:
            self._roll_back_all()
        if ends in (TRANSACTION, BATCH):
            raise BatchEnded

    # ── queries and changes ──────────────────────────────────────────────────────────────────────────────────────────

    def _select(self, node: Node, script: Script) -> None:
        query = script.query(top=True)
        if self.state.options.implicit_transactions:
            self._begin_implicitly()
        if query.into:
            self._select_into(query, script)
        elif query.assigns:
            self._select_assigning(query, script)
        elif query.form is not None:
            rows = self.state.transactions.rows(query.sql, script.values)
            pieces = formed(query.form, query.fields, rows)
            name = JSON_COLUMN if query.form.kind == "JSON" else XML_COLUMN
            self.result((Field(name, "", NVARCHAR_MAX, False),), [(piece,) for piece in pieces])
        else:
            self._select_rows(query, script)

    def _select_rows(self, query: Query, script: Script) -> None:
        sql = query.sql
        if self.state.options.row_count:
            sql = f"SELECT * FROM ({sql}) LIMIT {self.state.options.row_count}"
        if self.state.options.format_only:
            sql = f"SELECT * FROM ({sql}) LIMIT 0"
        columns = result_columns(query.fields)
        if self.state.engine.repeats is not None and not script.values:
            self._repeat(sql, columns)
            return
        result = self.state.transactions.select(sql, script.values)
        self.answer.columns(columns)
        count = 0
        while rows := result.fetchmany(_FETCH):
            count += self.answer.rows(columns, rows)
            self.answer.poll()
        self._counted(count, tokens.SELECT_COMMAND)

    def _repeat(self, sql: str, columns: list[tokens.ResultColumn]) -> None:
        """Send a result as it was encoded the first time."""
        known = self.state.engine.repeats
        if known is None:
            return
        if sql not in known:
            rows = self.state.transactions.rows(sql, {})
            encode = tokens.RowEncoder(columns).encode
            parts = [b"".join(map(encode, rows[start : start + 200])) for start in range(0, len(rows), 200)]
            known[sql] = (len(rows), parts)
        count, parts = known[sql]
        self.answer.columns(columns)
        self.answer.encoded(parts)
        self._counted(count, tokens.SELECT_COMMAND)

    def result(
        self, fields: tuple[Field, ...], rows: list[tuple[object, ...]], command: int = tokens.SELECT_COMMAND
    ) -> None:
        """Write rows that are known as a result."""
        columns = result_columns(fields)
        self.answer.columns(columns)
        self._counted(self.answer.rows(columns, rows), command)

    def _counted(self, count: int, command: int, *, always: bool = True) -> None:
        self.state.rowcount = count
        if self.state.options.nocount:
            if always:
                self.answer.done(command=command)
            return
        self.answer.done(rows=count, command=command)

    def _select_into(self, query: Query, script: Script) -> None:
        name = query.into[-1]
        if name.startswith("#"):
            if name.lower() in self.state.temporary:
                raise SqlError(2714, name, state=6)
        elif self.state.find(query.into) is not None:
            raise SqlError(2714, name, state=6)
        count = self._storing.create_from(query, script.values)
        self._counted(count, tokens.SELECT_COMMAND, always=False)

    def _select_assigning(self, query: Query, script: Script) -> None:
        if len(query.assigns) != len(query.fields):
            raise SqlError(141)
        own = [name for name in query.assigns if f"v{name[1:]}" in script.values]
        if own:
            self._select_accumulating(query, script)
            return
        rows = self.state.transactions.rows(query.sql, script.values)
        if rows:
            for name, one, value in zip(query.assigns, query.fields, rows[-1], strict=True):
                self.store(name, one.type, value)
        self.state.rowcount = len(rows)

    def _select_accumulating(self, query: Query, script: Script) -> None:
        """A variable that is made of itself, as `SELECT @list = @list + name FROM …`: row after row."""
        ((count,),) = self.state.transactions.rows(f"SELECT count(*) FROM ({query.sql})", script.values)
        if int(str(count)) > _MOST_ACCUMULATED:
            raise unsupported(f"A variable that is made of itself over more than {_MOST_ACCUMULATED} rows")
        for index in range(int(str(count))):
            row = self.state.transactions.rows(f"SELECT * FROM ({query.sql}) LIMIT 1 OFFSET {index}", script.values)[0]
            for name, one, value in zip(query.assigns, query.fields, row, strict=True):
                self.store(name, one.type, value)
                held, key = self.state.variables[name].value, f"v{name[1:]}"
                if key in script.values:
                    script.values[key] = str(held) if isinstance(held, Decimal) else held
        self.state.rowcount = int(str(count))

    def _change(self, node: Node, script: Script) -> None:
        compilers = {"INSERT": script.insert, "UPDATE": script.update, "DELETE": script.delete, "MERGE": script.merge}
        change = compilers[node.kind]()
        if self.state.options.implicit_transactions:
            self._begin_implicitly()
        if change.procedure >= 0:
            raise unsupported("INSERT … EXEC")
        if change.table.identity is not None:
            with self.state.engine.lock:
                outcome = self._changing.carry_out(change, script.values, fickle=script.fickle)
        else:
            outcome = self._changing.carry_out(change, script.values, fickle=script.fickle)
        command = {"INSERT": tokens.INSERT_COMMAND, "UPDATE": tokens.UPDATE_COMMAND, "DELETE": tokens.DELETE_COMMAND}
        code = command.get(node.kind, tokens.MERGE_COMMAND)
        if outcome.fields:
            self.result(outcome.fields, list(outcome.rows), code)
        else:
            self._counted(outcome.count, code, always=False)

    def _begin_implicitly(self) -> None:
        if not self.state.transactions.count:
            self.begin()

    # ── control flow ─────────────────────────────────────────────────────────────────────────────────────────────────

    def test(self, script: Script, spot: int) -> bool:
        """Evaluate a condition."""
        script.cursor.at, script.values = spot, {}
        sql = script.condition(Scope())
        rows = self.state.transactions.rows(f"SELECT coalesce({sql}, false)", script.values)
        return bool(rows[0][0])

    def evaluate(self, script: Script, spot: int) -> tuple[SqlType, object]:
        """Evaluate an expression."""
        script.cursor.at, script.values = spot, {}
        one = script.value(Scope())
        return one.type, self.computed(one, script)

    def computed(self, one: Typed, script: Script) -> object:
        """Return the value of a compiled expression."""
        if one.literal is not None and one.type.is_text:
            return one.literal
        return self.state.transactions.rows(f"SELECT {one.sql}", script.values)[0][0]

    def _block(self, node: Node, script: Script) -> None:
        self.statements(node.body, script)

    def _if(self, node: Node, script: Script) -> None:
        self.statements(node.body if self.test(script, node.spots[0]) else node.other, script)

    def _while(self, node: Node, script: Script) -> None:
        while self.test(script, node.spots[0]):
            self.answer.poll()
            try:
                self.statements(node.body, script)
            except _Again:
                continue
            except _Leave:
                return

    def _try(self, node: Node, script: Script) -> None:
        self._tries += 1
        try:
            self.statements(node.body, script)
        except SqlError as error:
            self._tries -= 1
            self.state.caught.append(error)
            try:
                self.statements(node.other, script)
            finally:
                self.state.caught.pop()
        except BaseException:
            self._tries -= 1
            raise
        else:
            self._tries -= 1

    def _return(self, node: Node, script: Script) -> None:
        value: object = 0
        if node.spots:
            _, value = self.evaluate(script, node.spots[0])
        raise _Return(int(str(value or 0)))

    def _break(self, node: Node, script: Script) -> None:
        raise _Leave

    def _continue(self, node: Node, script: Script) -> None:
        raise _Again

    def _nothing(self, node: Node, script: Script) -> None:
        """What has no meaning here, such as the isolation level: every transaction sees a snapshot."""

    def _waitfor(self, node: Node, script: Script) -> None:
        _, value = self.evaluate(script, node.spots[0])
        deadline = time.monotonic() + seconds_of(value)
        while (left := deadline - time.monotonic()) > 0:
            self.answer.wait(min(left, 0.5))

    # ── variables and options ────────────────────────────────────────────────────────────────────────────────────────

    def _declare(self, node: Node, script: Script) -> None:
        for item in node.body:
            script.cursor.at = item.spots[0]
            if item.kind == "TABLE":
                self._declare_table(item, script)
                continue
            type_ = script.type()
            self.state.variables[item.name.lower()] = Variable(type_)
            if len(item.spots) > 1:
                of, value = self.evaluate(script, item.spots[1])
                self.store(item.name, of, value)

    def _declare_table(self, item: Node, script: Script) -> None:
        script.cursor.advance()
        script.cursor.accept("AS")
        script.cursor.expect("TABLE")
        table = table_of(script.table_body("dbo", f"#{item.name[1:]}@{self.state.nesting}"), "")
        if table.name.lower() in self.state.temporary:
            self.state.transactions.change(f"DROP TABLE {table.relation}", {})
        self._storing.make_temporary(script, table)
        self.state.variables[item.name.lower()] = Variable(SqlType("table"), None, table)

    def store(self, name: str, of: SqlType, value: object) -> None:
        """Put a value into a variable, converted to its type."""
        variable = self.state.variables.get(name.lower())
        if variable is None:
            raise SqlError(137, name)
        if of == variable.type or value is None:
            variable.value = value
            return
        bound = str(value) if isinstance(value, Decimal) or of.name == "uniqueidentifier" else value
        made = convert(Typed(f"CAST($x AS {duck_type(of)})", of), variable.type)
        variable.value = self.state.transactions.rows(f"SELECT {made.sql}", {"x": bound})[0][0]

    def _assign(self, node: Node, script: Script) -> None:
        script.cursor.at, script.values = node.spots[0], {}
        one = script.value(Scope())
        if node.text != "=":
            one = arithmetic(node.text[0], script.variable(node.name), one)
        self.store(node.name, one.type, self.computed(one, script))

    def _option(self, node: Node, script: Script) -> None:
        options, on = self.state.options, node.text == "ON"
        for name in node.parts:
            if name == "NOCOUNT":
                options.nocount = on
            elif name == "XACT_ABORT":
                options.xact_abort = on
            elif name == "QUOTED_IDENTIFIER":
                options.quoted_identifier = on
            elif name == "IMPLICIT_TRANSACTIONS":
                options.implicit_transactions = on
            elif name == "FMTONLY":
                options.format_only = on
            elif name in ("NOEXEC", "PARSEONLY") and on:
                raise unsupported(f"SET {name} ON")
            options.others[name] = node.text
        if node.name == "ROWCOUNT":
            options.row_count = int(node.text)
        elif node.name:
            options.others[node.name] = node.text

    def _identity_insert(self, node: Node, script: Script) -> None:
        table = self.state.resolve(node.parts)
        self.state.identity_insert = table.id if node.text == "ON" else None

    def _use(self, node: Node, script: Script) -> None:
        self.use(node.name)

    def use(self, name: str) -> None:
        """Change the database, and say so."""
        before, database = self.state.database.name, self.state.database_called(name)
        self.state.database = database
        self.answer.raw(tokens.env_text(tokens.DATABASE, database.name, before))
        self.answer.error(replace_severity(SqlError(5701, database.name, state=1)))

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _print(self, node: Node, script: Script) -> None:
        of, value = self.evaluate(script, node.spots[0])
        text = "" if value is None else self._shown(of, value)
        self.answer.message(0, 0, 1, text, line=node.line)

    def _shown(self, of: SqlType, value: object) -> str:
        if of.is_text:
            return str(value)
        bound = str(value) if isinstance(value, Decimal) or of.name == "uniqueidentifier" else value
        made = convert(Typed(f"CAST($x AS {duck_type(of)})", of), SqlType("nvarchar", 4000))
        return str(self.state.transactions.rows(f"SELECT {made.sql}", {"x": bound})[0][0])

    def _raiserror(self, node: Node, script: Script) -> None:
        parts = [self.evaluate(script, spot) for spot in node.spots]
        if len(parts) < 3:
            raise unsupported("RAISERROR without severity and state")
        severity, state = int(str(parts[1][1])), int(str(parts[2][1]))
        if isinstance(parts[0][1], int):
            raise unsupported("RAISERROR with a message's number")
        error = SqlError.raised(50000, severity, state, formatted(str(parts[0][1]), [value for _, value in parts[3:]]))
        error.line = node.line
        if severity <= 10:
            self.answer.error(error)
        else:
            self._failed(error)
        if "NOWAIT" in node.parts:
            self.answer.send_now()

    def _throw(self, node: Node, script: Script) -> None:
        if not node.spots:
            if not self.state.caught:
                raise SqlError.raised(
                    10704, 15, 1, "To rethrow an error, a THROW statement must be used inside a CATCH block."
                )
            error = self.state.caught[-1]
        else:
            number, text, state = (self.evaluate(script, spot)[1] for spot in node.spots)
            error = SqlError.raised(int(str(number)), 16, int(str(state)), str(text))
            error.line = node.line
        error.ends = TRANSACTION if self.state.options.xact_abort else BATCH
        raise error

    # ── procedures ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _exec(self, node: Node, script: Script) -> None:
        self._enter()
        try:
            status = self._procedures(self, node.parts, node, script)
        finally:
            self.state.nesting -= 1
        self.answer.done_proc(status)
        if node.name:
            self.store(node.name, INT, status or 0)

    def _enter(self) -> None:
        if self.state.nesting >= _DEEPEST_NESTING:
            raise SqlError.raised(
                217, 16, 1, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32)."
            )
        self.state.nesting += 1

    def _exec_text(self, node: Node, script: Script) -> None:
        _, value = self.evaluate(script, node.spots[0])
        self.in_scope(str(value or ""), {})

    def value_of(self, text: str) -> tuple[SqlType, object]:
        """Evaluate an expression that stands alone."""
        return self.evaluate(Script(Cursor(text, tokens_of(text)), self.state), 0)

    def describe(self, text: str, declaration: str) -> None:
        """Write the columns of the first result set without rows, as sp_prepare does."""
        try:
            fields = first_fields(self.state, text, declaration)
        except SqlError as error:
            if error.number in (11513, 40000):
                return
            raise
        if fields:
            self.answer.columns(result_columns(fields))
            self.answer.done()

    def rows_of(
        self, text: str, declaration: str, given: list[Given]
    ) -> tuple[tuple[Field, ...], list[tuple[object, ...]]]:
        """Run the single SELECT of a server cursor; return its columns and rows."""
        declared = declared_parameters(declaration)
        before, self.state.variables = self.state.variables, {one.name.lower(): Variable(one.type) for one in declared}
        try:
            for argument, one in zip(declared, given, strict=False):
                self.store(argument.name, one.type, one.value)
            batch = parsed(self.state, text)
            if len(batch.nodes) != 1 or batch.nodes[0].kind != "SELECT":
                raise unsupported("A cursor over anything but one SELECT")
            script = Script(batch.cursor(), self.state)
            query = script.query(top=True)
            return query.fields, self.state.transactions.rows(query.sql, script.values)
        finally:
            self.state.variables = before

    def insert_rows(self, table: Table, columns: tuple[str, ...], sql: str, values: dict[str, object]) -> None:
        """Insert what a query of DuckDB's gives."""
        self._changing.carry_out(Change("INSERT", table, sql, columns=columns), values)

    def rename(self, parts: tuple[str, ...], new: str, kind: str) -> None:
        """sp_rename."""
        self._storing.rename(parts, new, kind)

    def in_scope(self, text: str, variables: dict[str, Variable], procedure: Module | None = None) -> int:
        """Run text with variables of its own, as a procedure or EXEC does; return what RETURN said."""
        state = self.state
        before = (state.variables, state.procedure, dict(state.temporary), state.options.nocount, state.database)
        state.variables, state.procedure = variables, procedure or state.procedure
        self.answer.depth += 1
        if procedure is not None:
            state.database = state.database_called(procedure.database)
        try:
            return self.run(text)
        finally:
            self.answer.depth -= 1
            state.variables, state.procedure = before[0], before[1]
            state.options.nocount, state.database = before[3], before[4] if procedure is not None else state.database
            self._drop_scope(set(before[2]))

    def _drop_scope(self, kept: set[str]) -> None:
        """Temporary tables end with the procedure that made them."""
        for name in [one for one in self.state.temporary if one not in kept and one.startswith("#")]:
            table = self.state.temporary[name]
            self.state.transactions.change(f"DROP TABLE IF EXISTS {table.relation}", {})
            self.state.drop_temporary(name)

    def _fire(self, trigger: Module) -> None:
        self._enter()
        rowcount = self.state.rowcount
        try:
            self.in_scope(trigger.body, {}, trigger)
        finally:
            self.state.nesting -= 1
            self.state.rowcount = rowcount

    def _execute_as(self, node: Node, script: Script) -> None:
        database = self.state.database
        if not self.state.owner or node.text.lower() not in database.users:
            raise SqlError.raised(
                15517,
                16,
                1,
                f'Cannot execute as the database principal because the principal "{node.text}" does '
                "not exist, this type of principal cannot be impersonated, or you do not have "
                "permission.",
            )
        self.state.impersonated.append((self.state.user, self.state.owner))
        self.state.user, self.state.owner = database.users[node.text.lower()], node.text.lower() == "dbo"

    def _revert(self, node: Node, script: Script) -> None:
        if self.state.impersonated:
            self.state.user, self.state.owner = self.state.impersonated.pop()

    # ── transactions and definitions ─────────────────────────────────────────────────────────────────────────────────

    def _transaction(self, node: Node) -> None:
        verb = node.kind.split()[0]
        if verb == "BEGIN":
            self.begin()
        elif verb == "COMMIT":
            self.commit()
        elif verb == "SAVE":
            self.state.transactions.save(node.name)
        else:
            self.roll_back(node.name)
        self.answer.done(command={"BEGIN": 0xD4, "COMMIT": 0xD5, "ROLLBACK": 0xD2, "SAVE": 0xD3}[verb])

    def begin(self) -> None:
        """Begin a transaction, and say so."""
        if self.state.transactions.begin():
            self.answer.raw(tokens.env_bytes(tokens.BEGIN, self.state.transactions.descriptor, b""))
        self.answer.in_transaction = True

    def commit(self) -> None:
        """Commit, and say so."""
        if self.state.transactions.commit():
            self._ended(tokens.COMMIT)

    def roll_back(self, name: str = "") -> None:
        """Roll back wholly, or to a savepoint."""
        if not self.state.transactions.count:
            raise SqlError(3903)
        if name and not self.state.transactions.doomed:
            self.state.transactions.roll_back_to(name)
            return
        self._roll_back_all()

    def _roll_back_all(self) -> None:
        if self.state.transactions.roll_back():
            self._ended(tokens.ROLLBACK)

    def _ended(self, kind: int) -> None:
        self.answer.raw(tokens.env_bytes(kind, b"", self.state.transactions.descriptor))
        self.state.transactions.descriptor = b"\0" * 8
        self.answer.in_transaction = False

    def _definition(self, node: Node, script: Script) -> None:
        storing, kind = self._storing, node.kind
        simple: dict[str, Callable[[], None]] = {
            "CREATE TABLE": lambda: storing.create_table(script, node),
            "CREATE SCHEMA": lambda: storing.create_schema(node.name),
            "CREATE SYNONYM": lambda: storing.create_synonym(node),
            "CREATE INDEX": lambda: storing.create_index(script, node),
            "CREATE USER": lambda: storing.create_user(node.name, role=script.cursor.ahead() == "ROLE"),
            "ALTER TABLE ADD": lambda: storing.alter_add(script, node),
            "ALTER TABLE DROP COLUMN": lambda: storing.alter_drop(script, node),
            "ALTER TABLE DROP CONSTRAINT": lambda: storing.alter_drop(script, node),
            "ALTER COLUMN": lambda: storing.alter_column(script, node),
            "ROLE MEMBER": lambda: storing.role_member(node.parts[0], node.text, node.name),
            "PERMISSION": lambda: storing.permission(node),
            "TRUNCATE": lambda: storing.truncate(node),
            "DROP INDEX": lambda: storing.drop_index(script, node),
        }
        if self.state.options.implicit_transactions:
            self._begin_implicitly()
        if kind in simple:
            simple[kind]()
        elif kind.startswith("DROP "):
            storing.drop(node)
        else:
            storing.create_module(script, node)
        self.answer.done(command=0xC6 if kind == "CREATE TABLE" else 0)


def result_columns(fields: tuple[Field, ...]) -> list[tokens.ResultColumn]:
    """Return a result's columns as COLMETADATA describes them."""
    return [
        tokens.ResultColumn(
            one.name, one.type, one.nullable, bool(one.source and one.source.identity), one.source is not None
        )
        for one in fields
    ]


def seconds_of(value: object) -> float:
    """Return the seconds of a WAITFOR DELAY."""
    if isinstance(value, datetime):
        return (value - datetime(1900, 1, 1)).total_seconds()  # noqa: DTZ001 - T-SQL's moments have no zone
    try:
        moment = clock.fromisoformat(str(value).strip())
    except ValueError:
        raise SqlError.raised(
            148, 15, 1, f"Incorrect time syntax in time string '{value}' used with WAITFOR."
        ) from None
    return timedelta(
        hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond
    ).total_seconds()


def formatted(text: str, arguments: list[object]) -> str:
    """Return RAISERROR's text with its arguments in it."""
    if not arguments:
        return text.replace("%%", "%")
    try:
        return text.replace("%I64d", "%d") % tuple("(null)" if one is None else one for one in arguments)
    except (TypeError, ValueError):
        raise SqlError.raised(
            2786,
            16,
            1,
            "The data type of substitution parameter 1 does not match the expected type of the format specification.",
        ) from None


def replace_severity(error: SqlError) -> SqlError:
    """Return a message of class 0 as INFO carries it."""
    error.severity = 0
    return error
