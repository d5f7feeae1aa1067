"""How results are masked: which columns a result shows, what must be refused before it is sent, what may be returned.

TDS does not say where a result's columns come from, so each is followed through the statement's own lineage. A batch
may give several results: each description is matched with all that may come and look like it, and what any of them says
of a column holds. What cannot be traced is masked whole
(`docs/adr/0033-masking-tds.md`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from weakref import ref

from blastwall.masking.columns import ProtectedColumns
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import MaskPlan, plan
from blastwall.model.effects import Action
from blastwall.model.masks import MaskRules
from blastwall.model.statement import Column
from blastwall.protocols.tds.masked_types import value_kind
from blastwall.protocols.tds.tokens import ColumnData, ReturnValue
from blastwall.protocols.tds.types import INT4, INTN, TypeInfo
from blastwall.sql.lineage import Columns, OutputColumn, Sources
from blastwall.sql.tsql.catalog import Catalog, Relation
from blastwall.sql.tsql.statement import RETURN_STATUS, Classified, ResultSet

_RUNS_CODE = frozenset({Action.EXECUTE, Action.UNCLASSIFIED})
_WORDS = re.compile(r"\w+")
_ROW_STATUS = "rowstat"
"""The column behind those of a cursor's result (documentation of sp_cursorfetch): what became of the row."""
_SYSTEM = frozenset({"sys", "information_schema"})
_UNTRACED = OutputColumn("", None)
_HARMLESS: frozenset[Column] = frozenset()


class ResultGuard:
    """Masking rules over one reading of the catalog, which it does not keep: an idle session has its last guard."""

    def __init__(self, rules: MaskRules, catalog: Catalog) -> None:
        self.rules = rules
        self._catalog = ref(catalog)
        self._protected = ProtectedColumns(rules)
        self._widened: dict[Column, frozenset[Column]] = {}
        self._histories: dict[int, list[Relation]] | None = None
        self.prose = plan((ResultColumn("", ValueKind.TEXT, frozenset(), exact=False),), MaskRules(detect=rules.detect))
        """What masks a text that no column rule applies to."""

    @property
    def catalog(self) -> Catalog:
        """What it is over.

        Raises:
            RuntimeError: the catalog was read anew since, and nobody uses this reading any more.
        """
        catalog = self._catalog()
        if catalog is None:
            raise RuntimeError("a masking guard whose reading of the catalog is gone")
        return catalog

    def over(self, catalog: Catalog) -> bool:
        """Whether it is over this reading."""
        return self._catalog() is catalog

    # ── before it is sent ────────────────────────────────────────────────────────────────────────────────────────────

    def touches(self, classified: Classified) -> bool:
        """Whether the statement reads or runs anything through which a protected value could come back."""
        if not self.rules.columns:
            return False
        if any(effect.action in _RUNS_CODE for effect in classified.effects) or self._may_tell(classified):
            return True
        named = {(self.catalog.database, *place) for place in classified.reads | classified.renames}
        named |= {effect.object.path for effect in classified.effects if len(effect.object.path) == 3}
        return any(self._hides(*path) for path in named)

    def _may_tell(self, classified: Classified) -> bool:
        """Whether what the statement computes with may be protected: of a temporary table, of who knows what."""
        found = [classified.messages, classified.copies, classified.filters, *classified.returns.values()]
        for result in (ResultSet(None),) if classified.results is None else classified.results:
            found += (None,) if result.columns is None else (column.sources for column in result.columns)
        return any(self.protects(sources) for sources in found)

    def refusal(self, classified: Classified) -> str | None:
        """Why the statement cannot be sent under these rules; None where it can."""
        if not self.touches(classified):
            return None
        database = self.catalog.database
        renamed = sorted(".".join(one) for one in classified.renames if self._hides(database, *one))
        if renamed:
            return (
                f"masking rules go by names, and it would show masked columns of {renamed[0].strip('.')} by other names"
            )
        if classified.copies is None:
            return "it would store or send on values of masked columns, as far as can be told"
        hidden = sorted({_dotted(one) for one in self.widen(classified.copies) if self._protected.rule(one)})
        if hidden:
            return f"it would copy the masked {_columns(hidden)} to where they are not masked"
        return None

    # ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def result(
        self, columns: Sequence[ColumnData], statements: Iterable[Classified], kind: ValueKind | None = None
    ) -> MaskPlan | None:
        """The plan for a result with these columns, of one of these statements; None where nothing is to be done.

        `kind` is what the values are, where their type does not say it.
        """
        traced = self.traced(columns, statements)
        return plan(
            [
                ResultColumn(column.name, kind or value_kind(column.type), one.sources, exact=one.exact)
                for column, one in zip(columns, traced, strict=True)
            ],
            self.rules,
        )

    def traced(self, columns: Sequence[ColumnData], statements: Iterable[Classified]) -> Columns:
        """What each column of a result may come from; sources are None where that must be taken for protected."""
        if not self.rules.columns:
            return tuple(OutputColumn(column.name, _HARMLESS) for column in columns)
        known: list[Classified] = list(statements)
        candidates = [one for classified in known for one in self._candidates(columns, classified)]
        if not any(_named_alike(columns, one) for one in candidates):
            # One whose columns have no names here fits whatever else may have come: alone it proves nothing.
            touched = any(self.touches(classified) for classified in known)
            if touched or not candidates:
                return (_UNTRACED if touched else OutputColumn("", _HARMLESS),) * len(columns)
        found = list(candidates[0])
        for one in candidates[1:]:
            found = [_either(*pair) for pair in zip(found, one, strict=True)]
        return tuple(found)

    def _candidates(self, columns: Sequence[ColumnData], classified: Classified) -> Iterator[Columns]:
        """What the results of a statement that look like this one consist of, each with as many columns."""
        for one in (ResultSet(None),) if classified.results is None else classified.results:
            outputs = _matched(columns, one)
            if outputs is not None:
                yield tuple(self._output(output) for output in outputs)

    def _output(self, output: OutputColumn) -> OutputColumn:
        if output.sources is None:
            return _UNTRACED
        widened = self.widen(output.sources)
        return OutputColumn(output.name, widened, exact=output.exact and widened == output.sources)

    # ── what is returned ─────────────────────────────────────────────────────────────────────────────────────────────

    def returned(
        self, value: ReturnValue, name: str, statements: Sequence[Classified], *, handle: bool
    ) -> MaskPlan | None:
        """The plan for an OUTPUT parameter, called `name` (lower-case) or unnamed; `handle` where a handle is owed."""
        sources: Sources = _HARMLESS
        if self.rules.columns and not (handle and value.type.type in (INTN, INT4)):
            found = [self._returned(name, one) for one in statements]
            sources = None if None in found else frozenset().union(*(one for one in found if one is not None))
        column = ResultColumn(value.name, value_kind(value.type), sources, exact=False)
        return plan((column,), self.rules)

    def hides_status(self, classified: Classified) -> bool:
        """Whether what a procedure returns (a number) may be made of protected values."""
        if not self.rules.columns or RETURN_STATUS not in classified.returns:
            return False
        sources = classified.returns[RETURN_STATUS]
        return sources is None or any(self._protected.rule(one) for one in self.widen(sources))

    def _returned(self, name: str, classified: Classified) -> Sources:
        if name in classified.returns:
            known = [classified.returns[name]]
        else:
            known = [sources for key, sources in classified.returns.items() if key != RETURN_STATUS] or [None]
        widened = [None if one is None else self.widen(one) for one in known]
        if any(one is None for one in widened):
            return None if self.touches(classified) else _HARMLESS
        return frozenset().union(*(one for one in widened if one is not None))

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def protects(self, sources: Sources) -> bool:
        """Whether a value of these sources may be a protected one."""
        return sources is None or any(self._protected.rule(one) is not None for one in self.widen(sources))

    def widen(self, sources: frozenset[Column]) -> frozenset[Column]:
        """Add what computed columns are made of, and the columns whose history a temporal table's history holds."""
        widened = sources
        for one in sources:
            known = self._widened.get(one)
            if known is None:
                known = self._widened[one] = self._wider(one)
            widened |= known
        return widened

    def _wider(self, column: Column) -> frozenset[Column]:
        relation = self._relation(column.database, column.schema, column.table)
        if relation is None:
            return frozenset()
        found: set[Column] = set()
        for name, definition in relation.computed:
            if name.casefold() == column.column.casefold():
                words = {word.casefold() for word in _WORDS.findall(definition)}
                found |= {self._column(relation, other) for other in relation.columns if _named(other, words)}
        found |= {self._column(other, column.column) for other in self._kept_for(relation)}
        return frozenset(found - {column})

    def _kept_for(self, history: Relation) -> list[Relation]:
        """The tables whose old rows a table holds."""
        if self._histories is None:
            self._histories = {}
            for other in self.catalog.relations():
                if other.history:
                    self._histories.setdefault(other.history, []).append(other)
        return self._histories.get(history.id, [])

    def _column(self, relation: Relation, name: str) -> Column:
        return Column(self.catalog.database, relation.schema, relation.name, name)

    def _relation(self, database: str, schema: str, table: str) -> Relation | None:
        return self.catalog.relation(schema, table) if self._here(database) else None

    def _hides(self, database: str, schema: str, table: str) -> bool:
        """Whether a table may show protected values: one with masked columns, its history, or a temporary one."""
        if table.startswith("#") or self._protected.protects_table(database, schema, table):
            return True
        if schema.casefold() in _SYSTEM:
            return False
        relation = self._relation(database, schema, table)
        if relation is None:
            # Unknown to the catalog as it was read last, it may be a view over a masked one; elsewhere all is unknown.
            return not self._here(database) or not self.catalog.knows(schema, table)
        kept_for = self._kept_for(relation)
        return any(self._protected.protects_table(database, other.schema, other.name) for other in kept_for)

    def _here(self, database: str) -> bool:
        return database.casefold() == self.catalog.database.casefold()


def _matched(columns: Sequence[ColumnData], result: ResultSet) -> Columns | None:
    """What a result of this description consists of, if it is this one; columns that come on top are unknown.

    Those are hidden key columns (FOR BROWSE, cursors) and the row's status behind a cursor's columns.
    """
    if result.columns is None:
        return (_UNTRACED,) * len(columns)
    outputs = list(result.columns)
    found: list[OutputColumn] = []
    for position, column in enumerate(columns):
        if column.hidden or (not outputs and position == len(columns) - 1 and _is_row_status(column)):
            found.append(OutputColumn("", _HARMLESS) if _is_row_status(column) else _UNTRACED)
        elif not outputs or not _same(outputs[0].name, column.name):
            return None
        else:
            found.append(outputs.pop(0))
    return None if outputs else tuple(found)


def _named_alike(columns: Sequence[ColumnData], outputs: Columns) -> bool:
    """Whether the columns have the very names that were expected, or nothing is made of what they are."""
    return all(
        output.sources is None or output.name.casefold() == column.name.casefold() or _is_row_status(column)
        for column, output in zip(columns, outputs, strict=True)
    )


def _is_row_status(column: ColumnData) -> bool:
    return column.name.casefold() == _ROW_STATUS and _is_int(column.type)


def _is_int(type_: TypeInfo) -> bool:
    return type_.type == INT4 or (type_.type == INTN and type_.size == 4)


def _same(known: str, name: str) -> bool:
    """Whether a column may have this name; one without a name may have any."""
    return not known or known.casefold() == name.casefold()


def _either(one: OutputColumn, other: OutputColumn) -> OutputColumn:
    if one.sources is None or other.sources is None:
        return _UNTRACED
    exact = one.exact and other.exact and one.sources == other.sources
    return OutputColumn(one.name, one.sources | other.sources, exact=exact)


def _named(column: str, words: set[str]) -> bool:
    """Whether a definition may name a column: one of more than a word is taken to be named."""
    name = column.casefold()
    return name in words or _WORDS.fullmatch(name) is None


def _dotted(column: Column) -> str:
    return f"{column.schema}.{column.table}.{column.column}"


def _columns(names: Sequence[str]) -> str:
    return f"column {names[0]}" if len(names) == 1 else f"columns {', '.join(names)}"
