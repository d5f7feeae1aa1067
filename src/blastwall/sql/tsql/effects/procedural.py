"""Variables, control flow, cursors, messages, SET and transactions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from blastwall.model.effects import Action
from blastwall.sql.lineage import Columns, Lineage, OutputColumn, Sources, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.effects.constants import Texts, assigned_in, either, fitted, folded
from blastwall.sql.tsql.effects.making import types_of
from blastwall.sql.tsql.effects.scope import Scope, stacked
from blastwall.sql.tsql.effects.writes import Writes
from blastwall.sql.tsql.statement import RETURN_STATUS, ResultSet, Temporary

_PLANS = frozenset({"showplan_xml", "showplan_all", "showplan_text", "statistics xml", "statistics profile"})
"""Options that add result sets which quote values."""
_REMEMBERED = frozenset(
    {"quoted_identifier", "nocount", "rowcount", "implicit_transactions", "xact_abort", "noexec", "parseonly",
     "fmtonly", "language", "dateformat", *_PLANS}
)  # fmt: skip
_HARMLESS = frozenset(
    """
    ansi_defaults ansi_null_dflt_off ansi_null_dflt_on ansi_nulls ansi_padding ansi_warnings arithabort arithignore
    concat_null_yields_null context_info cursor_close_on_commit datefirst deadlock_priority fips_flagger forceplan
    identity_insert lock_timeout numeric_roundabort offsets query_governor_cost_limit remote_proc_transactions
    no_browsetable
    result_set_caching statistics textsize disable_def_cnst_chk
    """.split()  # noqa: SIM905 - a word list reads better as words
)
_NOTHING: Sources = frozenset()


class Procedural(Writes):
    """Reads what steers a batch."""

    constants: dict[str, Texts]
    types: dict[str, n.DataType | None]
    kinds: dict[str, str]
    """The names of the types of parameters that are declared outside of the text."""
    cursors: dict[str, Columns | None]
    spelled: dict[str, str]
    jumps = False
    returning = "int"
    """The name of the type that RETURN gives, lower-case: a procedure's is a number."""
    offset: int | None = 0

    @abstractmethod
    def statement(self, node: n.Statement) -> None:
        """Read any statement."""

    def body(self, statements: Sequence[n.Statement]) -> None:
        """Read statements one after another."""
        for node in statements:
            self.statement(node)

    # ── variables ────────────────────────────────────────────────────────────────────────────────────────────────────

    def declare(self, node: n.Declare) -> None:
        """Read DECLARE."""
        self.connect()
        for one in node.variables:
            key = one.name.lower()
            if self.spelled.setdefault(key, one.name) != one.name:
                self.jumps = True  # where names of variables go by case, these are two: no text of either is trusted
            if one.table:
                columns = self.define_rows(one.table)
                known = self.temporaries.tables.get(key)
                if known is None:
                    self.temporaries.put(key, Temporary(key, columns, types_of(one.table), is_strict(one.table)))
                continue
            self.types[key] = one.type
            self.typed(one.type)
            if one.value is not None:
                lineage = self.shown(one.value, self.scope())
                self.assigned(one.name, "=", one.value, lineage, once=True)
            elif one.type is not None and len(one.type.name.parts) > 1 and key not in self.temporaries.tables:
                # A type of the user's may be a table type, whose columns only the catalog knows.
                self.temporaries.put(key, self._of_type(key, one.type))

    def _of_type(self, key: str, kind: n.DataType) -> Temporary:
        relation = self.target(kind.name, "type").relation
        if relation is None:
            return Temporary(key, None)
        computed = {name for name, _ in relation.computed}
        columns = tuple(OutputColumn(name, None if name in computed else _NOTHING) for name in relation.columns)
        return Temporary(key, columns, relation.types, strict=True)

    def assigned(self, name: str, operator: str, value: n.Expression, lineage: Lineage, *, once: bool) -> None:
        """Note what is put into a variable; `once` is false where that may happen never, or more than once."""
        key = name.lower()
        self.flow.store(key, lineage.sources)
        self.convert(lineage, self.type_named(key))
        if isinstance(value, n.Constant) and self.offsets is not None:
            self.given.setdefault(key, set()).add(self.place(value))
        if not once or self.jumps:
            self.constants[key] = None
            return
        texts = folded(value, self.constants, self.offset)
        if operator == "+=":
            whole = n.Operation(value.start, value.end, ("+",), (n.Variable(value.start, value.end, key), value))
            texts = folded(whole, self.constants, self.offset)
        elif operator != "=":
            texts = None
        self.constants[key] = fitted(texts, self.types.get(key), "DECLARE")

    def type_named(self, name: str) -> str:
        """Return the name of a variable's declared type, lower-case; "" where it is not declared here."""
        kind = self.types.get(name)
        return kind.name.last.lower() if kind is not None else self.kinds.get(name, "")

    def set_variable(self, node: n.SetVariable) -> None:
        """Read SET of a variable."""
        self.connect()
        scope = self.scope()
        lineage = self.shown(node.value, scope)
        if node.operator and node.operator != "=":
            lineage = union([lineage, Lineage(self.variable(node.variable.name))])
        self.assigned(node.variable.name, node.operator or "modify", node.value, lineage, once=node.member is None)

    # ── control flow ─────────────────────────────────────────────────────────────────────────────────────────────────

    def if_statement(self, node: n.If) -> None:
        """Read IF: both ways count."""
        self.straight = False
        self.decide(node.condition, self.scope())
        before = dict(self.constants)
        self.statement(node.then)
        after = self.constants
        self.constants = before
        if node.otherwise is not None:
            self.constants = dict(before)
            self.statement(node.otherwise)
        self.constants = either(after, self.constants)

    def while_statement(self, node: n.While) -> None:
        """Read WHILE: what its body assigns may be anything, from the first time on."""
        self.straight = False
        self._forget(self._assigned(node.body))
        self.decide(node.condition, self.scope())
        self.statement(node.body)
        self._forget(self._assigned(node.body))

    def try_catch(self, node: n.TryCatch) -> None:
        """Read TRY and CATCH: the first may stop anywhere."""
        self.straight = False
        before = dict(self.constants)
        self.body(node.attempt)
        after = dict(self.constants)
        self.constants = either(before, after)
        found: dict[str, int] = {}
        for part in node.attempt:
            for name, count in self._assigned(part).items():
                found[name] = found.get(name, 0) + count
        self._forget([name for name, count in found.items() if count > 1])
        self.body(node.catch)
        self.constants = either(after, self.constants)

    def _assigned(self, node: n.Statement) -> Mapping[str, int]:
        """How often a statement puts something into each variable."""
        known = self.chain.assigned.get(id(node))
        if known is not None:
            return known[1]
        found, steps = assigned_in(node)
        self.spend(steps)
        self.chain.assigned[id(node)] = (node, found)
        return found

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.constants[name] = None

    def returned(self, node: n.Return) -> None:
        """Read RETURN."""
        self.straight = False
        self.connect()
        if node.value is not None:
            lineage = self.shown(node.value, self.scope())
            self.give(RETURN_STATUS, lineage.sources)
            self.convert(lineage, self.returning)

    def message(self, node: n.Message) -> None:
        """Read PRINT, RAISERROR or THROW: what they say is sent to the client."""
        self.connect()
        found = [self.shown(argument, self.scope()) for argument in node.arguments]
        for argument in _deciding(node):
            self.send_on(self.decide(argument, self.scope()).sources)  # as numbers they outlive the text: @@ERROR
        self.say(union(found).sources)
        if "LOG" in node.options:
            self.effect(Action.ADMIN, self.database)

    def wait_for(self, node: n.WaitFor) -> None:
        """Read WAITFOR."""
        self.connect()
        self.decide(node.value, self.scope())
        if node.statement is not None:
            self.statement(node.statement)

    # ── cursors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def declare_cursor(self, name: str, query: n.Query) -> None:
        """Read the query of a cursor; FETCH shows its columns."""
        self.connect()
        columns = self.query(query, None)
        key = name.lower()
        known = self.cursors.get(key, columns)
        self.cursors[key] = columns if key not in self.cursors else stacked(known, columns)

    def cursor_command(self, node: n.CursorCommand) -> None:
        """Read OPEN, FETCH, CLOSE and DEALLOCATE."""
        self.connect()
        self.decide(node.offset, self.scope())
        if node.verb != "FETCH":
            return
        key = node.cursor.text.lower()
        columns = self.cursors.get(key, self.state.cursors.get(key)) if self._cursor_known(key) else None
        if not node.into:
            self.results.append(ResultSet(columns))
        for at, variable in enumerate(node.into):
            one = columns[at] if columns is not None and at < len(columns) else None
            sources = one.sources if one is not None else None
            self.meet(sources)
            self.flow.store(variable.name.lower(), sources)
            self.convert(Lineage(sources, one is not None and one.exact), self.type_named(variable.name.lower()))
            self.constants[variable.name.lower()] = None

    def _cursor_known(self, key: str) -> bool:
        return key in self.cursors or key in self.state.cursors

    # ── SET, transactions, USE ───────────────────────────────────────────────────────────────────────────────────────

    def set_option(self, node: n.SetOption) -> None:
        """Read SET of an option: all values that it may have from now on are kept."""
        self.connect()
        scope = self.scope()
        lineage = self.shown(node.value, scope) if "CONTEXT_INFO" in node.names else self.decide(node.value, scope)
        value = node.value.text.lower() if isinstance(node.value, n.Constant) else "?"
        if node.table is not None:
            target = self.target(node.table)
            if not target.temporary:
                self.effect(Action.DEFINE, target.object)
        for name in (one.lower() for one in node.names):
            if name == "context_info":
                self.send_on(lineage.sources)
            elif name in _REMEMBERED:
                self._remember(name, value)
            elif name == "ansi_defaults":
                self._remember("quoted_identifier", value)
                self._remember("implicit_transactions", value)
            elif name not in _HARMLESS and not name.startswith(("statistics ", "transaction isolation")):
                self.concede(f"it sets {name.upper()}, an option that Blastwall does not know")
            if name in _PLANS and value != "off":
                self.results_open = True

    def _remember(self, name: str, value: str) -> None:
        self.settings.setdefault(name, set()).add(value)

    def transact(self, node: n.Transaction) -> None:
        """Read BEGIN, COMMIT, ROLLBACK and SAVE."""
        self.connect()
        self.transaction.add(node.verb.lower())
        if isinstance(node.name, n.Variable):
            self.send_on(self.expr(node.name, self.scope()).sources)  # a savepoint's name can be asked for later
        if node.distributed:
            self.effect(Action.ADMIN, self.database)

    def use(self, node: n.Use) -> None:
        """Read USE: names of another database mean what nobody here knows."""
        self.connect()
        if self.catalog.fold(node.database.text) != self.catalog.fold(self.catalog.database):
            self.forbid(f"USE {node.database.text}: one connection is judged in one database: open another to that one")

    def scalar_scope(self) -> Scope:
        """Return a scope without any table."""
        return self.scope()


def is_strict(elements: Sequence[n.TableElement]) -> bool:
    """Whether a key or a check may refuse a row; NOT NULL alone tells no more than that a value is missing."""
    for one in elements:
        if isinstance(one, n.Constraint):
            if one.kind != "DEFAULT":
                return True
        elif one.checks or one.references is not None or one.computed is not None or _KEYED & set(one.options):
            return True
    return False


_KEYED = frozenset({"PRIMARY KEY", "UNIQUE", "PRIMARY", "KEY"})


def _deciding(node: n.Message) -> Sequence[n.Expression]:
    """The severity and the state of a message, and THROW's number: they are seen, and steer what comes after."""
    if node.verb == "RAISERROR":
        return node.arguments[1:3]
    return (*node.arguments[:1], *node.arguments[2:]) if node.verb == "THROW" else ()
