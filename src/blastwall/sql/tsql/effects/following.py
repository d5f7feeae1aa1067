"""From a view, a function, a procedure or a trigger to what it does, by the definition that stands in the catalog.

What a definition does is worked out once a snapshot, with a stand-in for each of its parameters (`parameter`); a call
puts what is given in their place. Definitions may go in circles: what depends on one that is still being followed is
right for the asker, but is not kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from blastwall.model.effects import Action, Effect, Mark, Object
from blastwall.model.statement import Column
from blastwall.sql.lineage import UNKNOWN, Columns, Lineage, OutputColumn, Sources, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.catalog import Module, Relation
from blastwall.sql.tsql.effects.expressions import ERROR
from blastwall.sql.tsql.effects.findings import APPLY_STEPS, MAX_DEPTH, Chain, Flow, Temporaries, parameter, substituted
from blastwall.sql.tsql.effects.names import Target
from blastwall.sql.tsql.effects.query import Queries
from blastwall.sql.tsql.effects.scope import Bound, Range
from blastwall.sql.tsql.parse import parse
from blastwall.sql.tsql.state import NameState, merged
from blastwall.sql.tsql.statement import RETURN_STATUS, ResultSet, Temporary
from blastwall.sql.tsql.unparsed import UnparsedError

if TYPE_CHECKING:
    from typing import Self

MAX_PASSES = 8
_EMPTY: frozenset[str] = frozenset()
_NOTHING: Sources = frozenset()


@dataclass(frozen=True, slots=True)
class Summary:
    """What running a definition does. `columns` are those of a view's or a function's rows; `bases` a view's tables."""

    effects: tuple[Effect, ...] = ()
    doubts: tuple[str, ...] = ()
    reads: frozenset[tuple[str, str]] = frozenset()
    renames: frozenset[tuple[str, str]] = frozenset()
    copies: Sources = _NOTHING
    messages: Sources = _NOTHING
    quotable: Sources = _NOTHING
    filters: Sources = _NOTHING
    results: tuple[ResultSet, ...] | None = ()
    harmless_others: bool = False
    returns: Mapping[str, Sources] = field(default_factory=dict)
    columns: Columns | None = None
    bases: tuple[Target, ...] = ()
    parameters: tuple[tuple[str, bool], ...] = ()
    compared: Mapping[str, Column] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    temporary: Mapping[str, Temporary] = field(default_factory=dict)
    modifies: int = 0
    uncounted: bool = False
    transaction: frozenset[str] = _EMPTY
    forbidden: str = ""


class Following(Queries):
    """Follows definitions."""

    session: NameState
    nested = False
    quoted = True
    """Whether double quotes stand around names in texts that are run here: QUOTED_IDENTIFIER."""
    rows_of_module: Columns | None = None
    bases_of_module: tuple[Target, ...] = ()

    returning: str
    kinds: dict[str, str]

    @abstractmethod
    def body(self, statements: Sequence[n.Statement]) -> None:
        """Read statements one after another."""

    @abstractmethod
    def define_rows(self, elements: Sequence[n.TableElement]) -> Columns:
        """Return the columns that a table's definition lists."""

    # ── reading until nothing grows ──────────────────────────────────────────────────────────────────────────────────

    def child(self, state: NameState, session: NameState) -> Self:
        """Return a reader of a text inside this one's."""
        made = type(self)(self.catalog, state, self.limits, self.budget)
        made.begin(session, self.chain)
        made.nested = True
        made.quoted = self.quoted
        return made

    @abstractmethod
    def begin(self, session: NameState, chain: Chain) -> None:
        """Set up a reader."""

    def settled_reading(
        self, make: Callable[[], Self], read: Callable[[Self], None], flow: Flow, tables: Mapping[str, Temporary]
    ) -> Self:
        """Read until variables and temporary tables hold all that is put into them anywhere; give up at some point."""
        temporaries = Temporaries(dict(tables))
        for attempt in range(MAX_PASSES + 1):
            reader = make()
            reader.flow, reader.temporaries = flow, temporaries
            settled = len(self.chain.unsettled)
            flow.again = temporaries.again = False
            flow.seen.clear()
            temporaries.seen.clear()
            read(reader)
            moved = len(self.chain.unsettled) != settled
            if not (flow.again or temporaries.again or moved) or flow.lost:
                return reader
            if attempt == MAX_PASSES - 1:
                flow.lost = True
                temporaries.tables = {key: replace(one, columns=None) for key, one in temporaries.tables.items()}
        return reader

    # ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def summary(self, module: Module, pseudo: Mapping[str, Columns | None] | None = None) -> Summary:
        """Return what a definition does when it runs, as far as it can be read."""
        if module.definition is None:
            return self._opaque(module, "its definition cannot be read")
        chain = self.chain
        if module.id in chain.open:
            chain.lowest = min(chain.lowest, chain.open.index(module.id))
            return Summary(results=None, returns={RETURN_STATUS: None}, messages=None, quotable=None, filters=None)
        if len(chain.open) >= MAX_DEPTH:
            return self._opaque(module, "it is nested too deeply to be followed")
        temps = tuple(sorted(self.temporaries.tables.items())) if "#" in module.definition else ()
        key = ("module", module.id, temps, module.parent)
        known = self.catalog.memory.found.get(key) if self._all_settled() else None
        if isinstance(known, Summary):
            return known
        return self._followed(module, key, pseudo or {})

    def _all_settled(self) -> bool:
        """Whether names mean what the catalog says: what is read otherwise is not kept for others."""
        version = self.catalog.version
        return not (self.chain.unsettled or self.chain.altered) and version not in self.session.unsettled.values()

    def _followed(self, module: Module, key: object, pseudo: Mapping[str, Columns | None]) -> Summary:
        chain = self.chain
        depth = len(chain.open)
        outer, chain.lowest = chain.lowest, MAX_DEPTH
        chain.open.append(module.id)
        try:
            found = self._read(module, pseudo)
        except UnparsedError as error:
            found = self._opaque(module, f"its definition cannot be read: {error.reason.partition(': ')[0]}")
        finally:
            chain.open.pop()
        memory = self.catalog.memory.found
        if chain.lowest >= depth and len(memory) < _MOST_KEPT and self._all_settled():
            memory[key] = found
        chain.lowest = min(outer, chain.lowest if chain.lowest < depth else MAX_DEPTH)
        return found

    def _tree(self, module: Module) -> n.Statement:
        parsed = self.catalog.memory.parsed
        known = parsed.get(module.id)
        if isinstance(known, n.Statement):
            return known
        text = module.definition or ""
        self.spend(len(text) // _CHARACTERS_A_STEP)
        batch = parse(text, quoted_identifier=module.quoted_identifier, limits=self.limits)
        if len(batch.statements) != 1:
            raise UnparsedError("it holds more than one statement", 0)
        parsed[module.id] = batch.statements[0]
        return batch.statements[0]

    def _read(self, module: Module, pseudo: Mapping[str, Columns | None]) -> Summary:
        tree = self._tree(module)
        state = NameState(module.schema, cursors=self.session.cursors, unsettled=self.session.unsettled)
        session = self.session
        definer = module.execute_as is not None
        if isinstance(tree, n.CreateModule):
            definer = definer or tree.execute_as not in {"", "CALLER"}
        if definer:
            session = replace(session, settings={**session.settings, "user": frozenset({"owner"})})

        make = partial(self._fresh, state, session, pseudo, quoted=module.quoted_identifier)
        parameters = tree.parameters if isinstance(tree, n.CreateModule) else ()
        flow = Flow({one.name.lower(): parameter(one.name.lower()) for one in parameters})
        tables = self.temporaries.tables
        reader = self.settled_reading(make, lambda child: child.run_definition(tree), flow, tables)
        return reader.summarized(tree, tables, definer=definer, module=module)

    def _fresh(
        self, state: NameState, session: NameState, pseudo: Mapping[str, Columns | None], *, quoted: bool
    ) -> Self:
        child = self.child(state, session)
        child.pseudo_tables = dict(pseudo)
        child.quoted = quoted
        return child

    def run_definition(self, tree: n.Statement) -> None:
        """Read what a definition does when it runs."""
        match tree:
            case n.CreateView():
                self.rows_of_module = self.query(tree.query, None)
                names = [column.text for column in tree.columns]
                if names and self.rows_of_module is not None:
                    pairs = zip(names, self.rows_of_module, strict=False)
                    self.rows_of_module = tuple(OutputColumn(name, one.sources) for name, one in pairs)
                self.bases_of_module = tuple(self.bases_in(tree.query))
            case n.CreateModule():
                self._run_module(tree)
            case _:
                raise UnparsedError("it is no view, function, procedure or trigger", tree.start)

    def _run_module(self, tree: n.CreateModule) -> None:
        if tree.external is not None:
            raise UnparsedError("its code is not T-SQL", tree.start)
        if tree.inline is not None:
            self.rows_of_module = self.query(tree.inline, None)
            return
        for one in tree.parameters:
            self.kinds[one.name.lower()] = one.type.name.last.lower()
        if tree.returns is not None:
            self.returning = tree.returns.name.last.lower()
        rows = tree.returns_table
        name = self.result_variable(tree) if rows else ""
        if rows and name:
            self.temporaries.tables.setdefault(name, Temporary(name, self.define_rows(rows)))
        self.body(tree.body)
        if rows and name:
            table = self.temporaries.tables.get(name)
            self.rows_of_module = table.columns if table is not None else None

    def result_variable(self, tree: n.CreateModule) -> str:
        """Return the table variable that a multi-statement function returns, which its INSERTs name."""
        for node in n.walk(tree):
            if isinstance(node, n.Insert) and isinstance(node.target, n.TableVariable):
                key = node.target.variable.name.lower()
                if not self._declared(tree, key):
                    return key
        return ""

    def _declared(self, tree: n.CreateModule, key: str) -> bool:
        return any(isinstance(node, n.VariableDeclaration) and node.name.lower() == key for node in n.walk(tree))

    def bases_in(self, query: n.Query, around: Mapping[str, Bound] | None = None) -> list[Target]:
        """Return the tables and views in a query's FROM, through its common tables and derived ones."""
        known = dict(around or {})
        for one in query.ctes:
            known = {**known, self.catalog.fold(one.name.text): Bound(one.query, known)}
        found: list[Target] = []
        self._bases(query.body, known, found)
        return list({one.object: one for one in found}.values())

    def _bases(self, node: n.Node, known: Mapping[str, Bound], found: list[Target]) -> None:
        self.spend(1)
        match node:
            case n.Select():
                for source in node.sources:
                    self._bases(source, known, found)
            case n.SetOperation():
                for branch in node.branches:
                    self._bases(branch, known, found)
            case n.Join():
                self._bases(node.left, known, found)
                self._bases(node.right, known, found)
            case n.Pivot() | n.Unpivot():
                self._bases(node.source, known, found)
            case n.DerivedTable(source=n.Query() as source):
                found.extend(self.bases_in(source, known))
            case n.Table():
                bound = known.get(self.catalog.fold(node.name.last)) if len(node.name.parts) == 1 else None
                found.extend([self.target(node.name)] if bound is None else self.bases_in(bound.query, bound.around))

    def summarized(
        self, tree: n.Statement, before: Mapping[str, Temporary], *, definer: bool, module: Module | None = None
    ) -> Summary:
        """Return what was found as what it means to a caller; what cannot be placed of it is the module's own."""
        marks = frozenset({Mark.FOLLOWED, Mark.DEFINER} if definer else {Mark.FOLLOWED})
        own = self.catalog.object(*module.place, "procedure") if module is not None else self.database
        vague = (Action.UNCLASSIFIED, self.database)
        effects = [
            Effect(one.action, own if (one.action, one.object) == vague else one.object, one.marks | marks)
            for one in self.all_effects()
            if one.action is not Action.CONNECT
        ]
        where = f"in {module.schema}.{module.name}: " if module is not None else ""
        parameters = tree.parameters if isinstance(tree, n.CreateModule) else ()
        outputs = {one.name.lower(): self.flow.variables.get(one.name.lower()) for one in parameters if one.output}
        if self.flow.lost:
            outputs = dict.fromkeys(outputs)
        changed = {
            name: table
            for name, table in self.temporaries.tables.items()
            if name in before and before[name] != table and name.startswith("#")
        }
        return Summary(
            tuple(effects),
            tuple(doubt if doubt.startswith("in ") else where + doubt for doubt in self.doubts),
            frozenset(self.reads),
            frozenset(self.renames),
            self.copies,
            self.messages,
            None if self.flow.lost else self.flow.variables.get(ERROR, _NOTHING),
            self.filtering(),
            None if self.results_open else tuple(self.results),
            self.harmless_others,
            {**outputs, **self.returns},
            self.rows_of_module,
            self.bases_of_module,
            tuple((one.name.lower(), one.output) for one in parameters),
            dict(self.compared),
            {one.name.lower(): one.type.name.last.lower() for one in parameters},
            changed,
            self.modifies,
            self.uncounted or (module is not None and module.type.strip() != "TR" and self._quiet()),
            frozenset(self.transaction),
            self.forbidden,
        )

    def _quiet(self) -> bool:
        """Whether rows may be changed with NOCOUNT on."""
        return self.modifies > 0 and "on" in self.settings.get("nocount", ())

    def _opaque(self, module: Module, reason: str) -> Summary:
        target = self.catalog.object(*module.place, "procedure")
        doubt = f"{module.schema}.{module.name} cannot be followed: {reason}"
        return Summary(
            (Effect(Action.UNCLASSIFIED, target, frozenset({Mark.FOLLOWED})),),
            (doubt,),
            copies=None,
            messages=None,
            quotable=None,
            filters=None,
            results=None,
            returns={RETURN_STATUS: None},
            uncounted=True,
        )

    # ── what a caller gets ───────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, found: Summary, given: Mapping[str, Sources]) -> None:
        """Add what a definition does to what the text does; the same again adds nothing but its changes of rows."""
        self.modifies += found.modifies
        self.spend(APPLY_STEPS)
        key = (id(found), tuple(given.items()))
        if key in self.applied:
            return
        self.applied[key] = found
        self.spend(len(found.effects))
        self.follow(found.effects)
        self.doubts.update(dict.fromkeys(found.doubts))
        self.reads |= found.reads
        self.renames |= found.renames
        self.send_on(substituted(found.copies, given))
        self.say(substituted(found.messages, given))
        self.flow.store(ERROR, substituted(found.quotable, given))
        filters = substituted(found.filters, given)
        if filters is None:
            self.filters_unknown = True
        else:
            self.filters |= filters
        self.harmless_others |= found.harmless_others
        self.uncounted = self.uncounted or found.uncounted
        self.transaction |= found.transaction
        self.forbidden = self.forbidden or found.forbidden
        if found.doubts:
            self.blur()
        for name, table in found.temporary.items():
            known = self.temporaries.tables.get(name)
            changed = replace(table, columns=_substituted(table.columns, given))
            self.temporaries.put(name, changed if known is None else merged(known, changed))

    def blur(self) -> None:
        """Code that could not be read may have put anything into the temporary tables that it sees."""
        for name, table in list(self.temporaries.tables.items()):
            if name.startswith("#"):
                self.temporaries.put(name, replace(table, columns=None))

    def placed(self, found: Summary, arguments: Sequence[Sources]) -> dict[str, Sources]:
        """Return what stands for each parameter, of arguments by their place."""
        return {name: sources for (name, _), sources in zip(found.parameters, arguments, strict=False)}

    def called(self, target: Target, arguments: Sequence[Sources]) -> Lineage:
        """Add what a user's scalar function does; return where its result comes from."""
        module = target.module
        self.code_runs += 1
        if module is None:
            self.effect(Action.EXECUTE, target.object)
            self.send_on(union(map(Lineage, arguments)).sources)
            return UNKNOWN
        found = self.summary(module)
        marks = frozenset({Mark.DEFINER} if module.execute_as is not None else ())
        self.effect(Action.EXECUTE, target.object, marks)
        given = self.placed(found, arguments)
        self.apply(found, given)
        if not found.doubts:
            self.code_runs -= 1
        return Lineage(substituted(found.returns.get(RETURN_STATUS, _NOTHING), given))

    def view_columns(self, target: Target) -> Columns | None:
        """Add what reading a view does; return its columns."""
        module = target.module
        relation = target.relation
        if module is None or relation is None:
            self.doubts[f"the definition of the view {target.schema}.{target.name} cannot be read"] = None
            self.effect(Action.UNCLASSIFIED, target.object)
            return None
        found = self.summary(module)
        self.apply(found, {})
        if found.columns is None or len(found.columns) != len(relation.columns):
            return tuple(OutputColumn(name, None) for name in relation.columns) or None
        own = {column.name: column.sources for column in self.catalog.shown(relation)}
        return tuple(
            OutputColumn(name, union([Lineage(one.sources), Lineage(own[name])]).sources)
            for name, one in zip(relation.columns, found.columns, strict=True)
        )

    def function_rows(self, target: Target, arguments: Sequence[Sources]) -> Columns | None:
        """Add what a user's table-valued function does; return its columns."""
        module = target.module
        if module is None:
            self.code_runs += 1
            self.effect(Action.EXECUTE, target.object)
            self.send_on(union(map(Lineage, arguments)).sources)
            return None
        found = self.summary(module)
        self.effect(Action.EXECUTE if found.doubts else Action.READ, target.object)
        given = self.placed(found, arguments)
        self.apply(found, given)
        columns = _substituted(found.columns, given)
        names = target.relation.columns if target.relation is not None else ()
        if columns is None or not names or len(names) != len(columns):
            return columns
        return tuple(OutputColumn(name, one.sources) for name, one in zip(names, columns, strict=True))

    def computed(self, relation: Relation, definition: str) -> Sources:
        """Return what a computed column is made of, adding the code that it runs."""
        return self.expression_of(relation, definition)

    def expression_of(self, relation: Relation, definition: str) -> Sources:
        """Return what an expression in a table's definition is made of, adding the code that it runs."""
        key = ("expression", relation.id, definition)
        known = self.catalog.memory.found.get(key) if self._all_settled() else None
        found = known if isinstance(known, Summary) else self._of_expression(relation, definition)
        if found is not known and self._all_settled():
            self.catalog.memory.found[key] = found
        self.follow(found.effects)
        self.doubts.update(dict.fromkeys(found.doubts))
        return found.returns.get(RETURN_STATUS)

    def _of_expression(self, relation: Relation, definition: str) -> Summary:
        self.spend(len(definition) // _CHARACTERS_A_STEP)
        child = self.child(NameState(relation.schema), self.session)
        columns = self.catalog.shown(relation)
        scope = self.scope()
        scope.ranges.append(Range(self.catalog.fold(relation.name), columns))
        try:
            batch: n.Batch | None = parse(f"SELECT 1 WHERE 1 = ({definition})", limits=self.limits)
        except UnparsedError:
            batch = self._condition(definition)
        lineages = [
            child.expr(statement.query.body.where, scope)
            for statement in (batch.statements if batch is not None else ())
            if isinstance(statement, n.SelectStatement) and isinstance(statement.query.body, n.Select)
        ]
        if batch is None or not lineages:
            where = f"{relation.schema}.{relation.name}"
            child.concede(f"an expression in the definition of {where} cannot be read: {definition[:60]}")
            lineages = [UNKNOWN]
        summary = child.summarized(n.Statement(0, 0), {}, definer=False)
        return Summary(summary.effects, summary.doubts, returns={RETURN_STATUS: union(lineages).sources})

    def _condition(self, definition: str) -> n.Batch | None:
        try:
            return parse(f"SELECT 1 WHERE {definition}", limits=self.limits)
        except UnparsedError:
            return None

    def object_of(self, relation: Relation) -> Object:
        """Return a relation as the object of an effect."""
        return self.catalog.object(*relation.place)


def _substituted(columns: Columns | None, given: Mapping[str, Sources]) -> Columns | None:
    if columns is None or not given:
        return columns
    return tuple(OutputColumn(one.name, substituted(one.sources, given), one.exact) for one in columns)


_CHARACTERS_A_STEP = 20
_MOST_KEPT = 20_000
