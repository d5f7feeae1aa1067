"""One statement of any kind: which reader it goes to, and what it gives the client."""

from __future__ import annotations

from blastwall.model.effects import Action
from blastwall.sql.lineage import Columns, OutputColumn
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.effects.definitions import Definitions
from blastwall.sql.tsql.effects.findings import Chain
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import ResultSet


class Reader(Definitions):
    """Reads any text."""

    def begin(self, session: NameState, chain: Chain) -> None:
        """Set up: `session` is what names mean to the session, whatever they mean in the code that is read."""
        self.session = session
        self.chain = chain
        self.pseudo_tables: dict[str, Columns | None] = {}
        self.constants = {}
        self.types = {}
        self.cursors = {}
        self.spelled = {}
        self.kinds = {}
        self.shapes = {}

    def statement(self, node: n.Statement) -> None:
        """Read a statement; an unknown kind is conceded."""
        self.spend(1)
        if self._rows(node) or self._steers(node) or self._runs(node) or self._defines(node):
            return
        self.concede(f"it is a statement that Blastwall cannot place ({type(node).__name__})")

    def _rows(self, node: n.Statement) -> bool:
        match node:
            case n.SelectStatement():
                self._select(node)
            case n.Insert() | n.Update() | n.Delete() | n.Merge():
                shown = self.nested_rows(node)
                if shown != ():
                    self.results.append(ResultSet(shown))
            case n.Truncate():
                self.truncate(node)
            case n.BulkInsert():
                self._bulk(node)
            case n.TextAccess():
                self._text_access(node)
            case _:
                return False
        return True

    def _select(self, node: n.SelectStatement) -> None:
        before = len(self.effects)
        columns = self.query(node.query, None)
        if len(self.effects) == before:
            self.connect()
        body = node.query.body
        shows = not isinstance(body, n.Select) or (
            body.into is None and any(isinstance(item, n.SelectItem) for item in body.items)
        )
        if shows and columns is None and isinstance(body, n.Select) and self.unlisted == frozenset():
            self.harmless_others = True  # SELECT * of the server's own views, whose columns are its own matter
        elif shows:
            self.results.append(ResultSet(columns))

    def _bulk(self, node: n.BulkInsert) -> None:
        target = self.target(node.name)
        if target.temporary:
            self.connect()
        else:
            self.effect(Action.CREATE, target.object)
        if node.file is not None:
            self.secret(True)
            self.expr(node.file, self.scope())
            name = node.file.text if isinstance(node.file, n.Constant) else "unknown"
            self.secret(False)
            self.effect(Action.READ, self.file(name))
        if target.relation is not None:
            self.touch(target.relation, Action.CREATE, None)
        self.modifies += 1

    def _text_access(self, node: n.TextAccess) -> None:
        parts = node.column.texts
        target = self.resolved(parts[:-1] or parts)
        scope = self.scope()
        columns = self.columns_of(target)
        scope.ranges.append(self.range_of(target.name, columns))
        given = self.each(node.arguments, scope)
        found = scope.column(parts[-1])
        if node.verb == "READTEXT":
            self.read(target)
            self.results.append(ResultSet(None if found is None else (OutputColumn(parts[-1], found.sources),)))
            return
        self.effect(Action.UPDATE, target.object)
        self.send_on(given.sources)
        self.predicates.append(True)
        self.modifies += 1
        self.uncounted = True
        if node.source is not None:
            self.read(self.resolved(node.source.texts[:-1] or node.source.texts))
            self.send_on(None)

    def _steers(self, node: n.Statement) -> bool:  # noqa: C901, PLR0912 - one case a kind of statement
        match node:
            case n.Declare():
                self.declare(node)
            case n.SetVariable():
                self.set_variable(node)
            case n.SetCursor():
                self.declare_cursor(node.variable.name, node.query)
            case n.SetOption():
                self.set_option(node)
            case n.Block():
                self.connect()
                self.body(node.statements)
            case n.If():
                self.if_statement(node)
            case n.While():
                self.while_statement(node)
            case n.TryCatch():
                self.try_catch(node)
            case n.Jump():
                self.straight = False
                self.connect()
            case n.Return():
                self.returned(node)
            case n.Message():
                self.message(node)
            case n.WaitFor():
                self.wait_for(node)
            case n.DeclareCursor():
                self.declare_cursor(node.name.text, node.query)
            case n.CursorCommand():
                self.cursor_command(node)
            case n.Transaction():
                self.transact(node)
            case _:
                return False
        return True

    def _runs(self, node: n.Statement) -> bool:
        match node:
            case n.Execute():
                self.call(node)
            case n.ExecuteText():
                self.execute_text(node)
            case n.ExecuteAs():
                self.execute_as(node)
            case n.Revert():
                self.revert(node)
            case n.Use():
                self.use(node)
            case _:
                return False
        return True

    def _defines(self, node: n.Statement) -> bool:  # noqa: C901, PLR0912 - one case a kind of statement
        match node:
            case n.CreateTable():
                self.create_table(node)
            case n.AlterTable():
                self.alter_table(node)
            case n.CreateView():
                self.create_view(node)
            case n.CreateModule():
                self.create_module(node)
            case n.CreateIndex():
                self.create_index(node)
            case n.CreateSynonym():
                self.create_synonym(node)
            case n.SchemaElements():
                self.create_schema(node)
            case n.Drop():
                self.drop(node)
            case n.TriggerSwitch():
                self.switch_trigger(node)
            case n.Entitlement():
                self.entitlement(node)
            case n.Definition():
                self.definition(node)
            case n.Utility():
                self.utility(node)
            case _:
                return False
        return True
