"""How results are masked: which columns a result shows, what must be refused before it is sent, what errors may say.

A column's origin on the wire (table OID and attribute number) is followed to its table, through views and partitions. A
column without one is followed through the statement's own lineage. What cannot be traced in a statement that touches a
protected table is masked whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from weakref import ref

from blastwall.masking.columns import ProtectedColumns, strictest
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import MaskPlan, plan
from blastwall.masking.styles import REDACTED
from blastwall.model.effects import Action
from blastwall.model.masks import MaskRules
from blastwall.model.statement import Column
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.binary_values import scanned
from blastwall.protocols.postgres.catalog import Snapshot
from blastwall.protocols.postgres.copy_rows import BinaryFormat, CopyMask, CsvFormat, RowFormat, TextFormat
from blastwall.protocols.postgres.messages import Field
from blastwall.protocols.postgres.notifications import decode_notification, encode_notification
from blastwall.sql.lineage import Lineage, union
from blastwall.sql.postgres import SAMPLES, Classified, Copy, OutputColumn

_RUNS_CODE = frozenset({Action.EXECUTE, Action.UNCLASSIFIED})
_TOLD = "MDHWq"
"""Error fields that are prose: message, detail, hint, context, internal query."""
_HARMLESS_PAYLOAD = re.compile(rb"|-?[0-9]{1,9}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
"""Nothing, a short number or a UUID: what says which row has changed."""


class ResultGuard:
    """Masking rules over one snapshot of the catalog, which it does not keep: an idle session has its last guard."""

    def __init__(self, rules: MaskRules, snapshot: Snapshot) -> None:
        self.rules = rules
        self.mark = snapshot.mark
        self._snapshot = ref(snapshot)
        self._database = snapshot.catalog.database
        self._protected = ProtectedColumns(rules)
        self._prose = plan((ResultColumn("", ValueKind.TEXT, frozenset(), exact=False),), rules)

    @property
    def snapshot(self) -> Snapshot:
        """What it is over.

        Raises:
            RuntimeError: the catalog was read anew since, and nobody uses this reading any more.
        """
        found = self._snapshot()
        if found is None:
            raise RuntimeError("a guard is asked about a catalog that is gone")
        return found

    def touches(self, classified: Classified) -> bool:
        """Whether the statement reads or runs anything through which a protected value could come back."""
        if not self.rules.columns:
            return False
        if classified.by_code:
            return True
        objects = (effect.object.path for effect in classified.effects)
        named = {(path[1], path[2]) for path in objects if len(path) == 3} | classified.reads
        if any(self._hides(*one) for one in classified.renames):
            return True
        return self._runs_code(classified) or any(
            self._protects(schema, table) or self._untraced_view(schema, table) for schema, table in named
        )

    def refusal(self, classified: Classified) -> str | None:
        """Why the statement cannot be sent under these rules; None where it can."""
        if self.rules.detect and _computes_in_binary(classified.copy):
            return "detectors cannot read what a COPY computes in the binary format: copy it as text or CSV"
        if not self.touches(classified):
            return None
        renamed = sorted(".".join(one) for one in classified.renames if self._hides(*one))
        if renamed:
            return (
                f"masking rules go by names, and it would show masked columns of {renamed[0].strip('.')} by other names"
            )
        if classified.copies is None:
            return "it would store or send on values of masked columns, as far as can be told"
        hidden = sorted({_dotted(c) for c in self.snapshot.widen(classified.copies) if self._protected.rule(c)})
        if hidden:
            return f"it would copy the masked {_columns(hidden)} to where they are not masked"
        copy = classified.copy
        if copy is not None and copy.direction == "out":
            if copy.columns is None:
                return "the columns that it copies out cannot be traced, and some of them are masked"
            if copy.encoding.lower().replace("-", "") not in ("", "utf8", "unicode"):
                return "masked columns can only be copied out as UTF-8"
        return None

    def shown(
        self, fields: Sequence[Field], formats: Sequence[int], classified: Classified, *, settled: bool
    ) -> list[ResultColumn]:
        """The columns of a result described by `fields`; `formats` are those that the values really have.

        `settled` is whether the catalog was what it was when the statement was judged, after the server had read that.
        """
        outputs = classified.outputs
        if outputs is not None and classified.otherwise is not None and not settled:
            outputs = classified.otherwise if self._in_place(fields, classified) else self._unsettled(classified)
        if outputs is None or len(outputs) != len(fields) or self._runs_code(classified):
            return [self._column(*one, None, classified) for one in zip(fields, formats, strict=True)]
        return [self._column(*one, classified) for one in zip(fields, formats, outputs, strict=True)]

    def planned(self, shown: Sequence[ResultColumn]) -> MaskPlan | None:
        """The plan for the columns that a result shows."""
        return plan(shown, self.rules)

    def hinges(self, shown: Sequence[ResultColumn], fields: Sequence[Field], classified: Classified) -> bool:
        """Whether more must be masked of a result unless the catalog is what it was: then it is worth a look.

        `shown` are its columns as long as that is not settled.
        """
        if classified.otherwise is None or classified.fetches is not None or not self.rules.columns:
            return False
        return self._masks_more(shown, self.shown(fields, [0] * len(fields), classified, settled=True))

    def copy_hinges(self, classified: Classified) -> bool:
        """The same of what a COPY TO STDOUT sends."""
        if classified.otherwise is None or not self.rules.columns or not self.touches(classified):
            return False
        copy = classified.copy
        if copy is None or copy.columns is None:
            return False
        return self._masks_more(self._unsettled(classified), copy.columns)

    def unknown_origin(self, fields: Iterable[Field]) -> bool:
        """Whether a column comes from a table that the snapshot does not know."""
        return any(field.table and self.snapshot.catalog.by_oid(field.table) is None for field in fields)

    def copied(self, classified: Classified, *, settled: bool = False) -> CopyMask | None:
        """How a COPY TO STDOUT is masked; None where it need not be. `settled` is as in `shown`."""
        copy = classified.copy
        if copy is None or copy.columns is None:
            if self.touches(classified) or (copy is not None and self.rules.detect):
                raise LookupError("the columns of a COPY are unknown")
            return None
        masks = self._copied_plan(classified, copy, copy.columns, settled=settled)
        return None if masks is None else CopyMask(_row_format(copy), masks, len(copy.columns))

    def copied_apart(
        self, classified: Classified, copy: Copy, *, own: bool, settled: bool = False
    ) -> tuple[RowFormat, MaskPlan | None, tuple[tuple[str, int], ...] | None]:
        """How a COPY TO STDOUT is read for the recording, masked where `own`, and its columns' names and types.

        A type is 0 where it is not known; None stands for the columns where they are unknown.
        """
        if copy.columns is None:
            return _row_format(copy), None, None
        masks = self._copied_plan(classified, copy, copy.columns, settled=settled) if own else None
        return _row_format(copy), masks, tuple((column.name, self._copied_type(column)) for column in copy.columns)

    def told(self, body: bytes, kind: bytes, *, guarded: bool) -> bytes | None:
        """An error or notice as the client may see it; None where it may be passed as it is.

        `guarded` is whether the statement touches protected values. What code says (a trigger's RAISE) may quote any
        value, whatever table the statement is about.
        """
        if not guarded and self._prose is None and not self.rules.columns:
            return None
        fields = errors.decode_fields(body)
        guarded = guarded or (bool(self.rules.columns) and errors.said_by_code(fields))
        if not guarded and self._prose is None:
            return None
        shown = errors.without_values(fields) if guarded else fields
        if self._prose is not None:
            for name in _TOLD:
                if name in shown:
                    row: list[bytes | None] = [shown[name].encode()]
                    self._prose.mask(row)
                    shown[name] = (row[0] or b"").decode(errors="replace")
        return errors.encode_fields(kind, shown)

    def notified(self, body: bytes) -> bytes | None:
        """A notification as the client may see it; None where it may be passed as it is.

        Nobody can say where its payload comes from, so under rules for columns only what holds no personal data by its
        form is shown.
        """
        notification = decode_notification(body)
        payload = notification.payload
        if self.rules.columns and not _HARMLESS_PAYLOAD.fullmatch(payload):
            return encode_notification(replace(notification, payload=REDACTED.encode()))
        row: list[bytes | None] = [payload]
        if self._prose is None or not self._prose.mask(row):
            return None
        return encode_notification(replace(notification, payload=row[0] or b""))

    def _in_place(self, fields: Sequence[Field], classified: Classified) -> bool:
        """Whether every plain column came to stand where it was expected, and so every other one.

        Those of which the server does not say whence they come are as many as the text has, where no star gives any.
        """
        outputs = classified.outputs or ()
        if not classified.spreads:
            return True
        if len(outputs) != len(fields) or not classified.countable:
            return False
        return all(
            (self.snapshot.origin(field.table, field.attribute) == self.snapshot.widen(one.sources or ()))
            if one.exact
            else not field.table
            for one, field in zip(outputs, fields, strict=True)
        )

    @staticmethod
    def _unsettled(classified: Classified) -> tuple[OutputColumn, ...]:
        """The columns with all that may come to stand at their places."""
        otherwise = classified.otherwise or ()
        if not classified.spreads:
            return otherwise
        anything = union(Lineage(column.sources) for column in otherwise).sources
        return tuple(OutputColumn(column.name, anything) for column in otherwise)

    def _masks_more(
        self, some: Iterable[ResultColumn | OutputColumn], others: Iterable[ResultColumn | OutputColumn]
    ) -> bool:
        """Whether one of these columns is masked while the other one at its place is not."""
        return any(
            self._masks(one.sources) and not self._masks(other.sources) for one, other in zip(some, others, strict=True)
        )

    def _masks(self, sources: frozenset[Column] | None) -> bool:
        return sources is None or any(self._protected.rule(one) for one in self.snapshot.widen(sources))

    def _column(
        self,
        field: Field,
        format_: int,
        output: OutputColumn | None,
        classified: Classified,
    ) -> ResultColumn:
        kind, read = scanned(field.type_, format_, self.snapshot.shapes, self.snapshot.text_types)
        if not self.rules.columns:
            return ResultColumn(field.name, kind, frozenset(), exact=False, read=read)
        if field.table and field.attribute > 0 and not self._samples(field.table):
            sources = self.snapshot.origin(field.table, field.attribute)
            if sources is not None:
                exact = self._is_table(field.table)
                sources = self._ruling(sources) if exact else sources
                return ResultColumn(field.name, kind, sources, exact=exact, read=read)
        sources = output.sources if output is not None and not field.table else None
        return self._traced(field.name, kind, sources, classified, exact=False, read=read)

    def _copied_plan(
        self, classified: Classified, copy: Copy, columns: tuple[OutputColumn, ...], *, settled: bool
    ) -> MaskPlan | None:
        binary = copy.format == "binary"
        shown = columns if settled or classified.otherwise is None else self._unsettled(classified)
        return plan([self._copied_column(column, binary, classified) for column in shown], self.rules)

    def _copied_column(self, column: OutputColumn, binary: bool, classified: Classified) -> ResultColumn:
        kind, read = ValueKind.OPAQUE if binary else ValueKind.TEXT, None
        type_ = self._copied_type(column)
        if type_:
            kind, read = scanned(type_, int(binary), self.snapshot.shapes, self.snapshot.text_types)
        return self._traced(column.name, kind, column.sources, classified, exact=column.exact, read=read)

    def _copied_type(self, column: OutputColumn) -> int:
        """The type of a column that is one table's, unchanged; 0 of any other."""
        if column.exact and column.sources is not None and len(column.sources) == 1:
            (source,) = column.sources
            relation = self.snapshot.catalog.relation(source.schema, source.table)
            if relation is not None and source.column in relation.columns and relation.types:
                return relation.types[relation.columns.index(source.column)]
        return 0

    def _traced(
        self,
        name: str,
        kind: ValueKind,
        sources: frozenset[Column] | None,
        classified: Classified,
        *,
        exact: bool,
        read: Callable[[bytes], str | None] | None = None,
    ) -> ResultColumn:
        if sources is None:
            return ResultColumn(name, kind, None if self.touches(classified) else frozenset(), exact=False, read=read)
        widened = self.snapshot.widen(sources)
        return ResultColumn(name, kind, self._ruling(widened) if exact else widened, exact=exact, read=read)

    def _ruling(self, family: frozenset[Column]) -> frozenset[Column]:
        """Of a plain column with those of heirs and ancestors, the one whose rule hides most, since it is their value.

        Where a rule is about what one of them is made of, the value is a computed one: then all of them.
        """
        if len(family) == 1:
            return family
        ruled = {column: rule for column in family if (rule := self._protected.rule(column)) is not None}
        if len({column.column for column in family}) > 1:
            return family if ruled else frozenset()
        most = strictest(ruled[column] for column in sorted(ruled, key=_dotted))
        return frozenset([column for column in sorted(ruled, key=_dotted) if ruled[column] is most][:1])

    def _is_table(self, oid: int) -> bool:
        relation = self.snapshot.catalog.by_oid(oid)
        return relation is not None and relation.kind not in ("v", "m")

    def _samples(self, oid: int) -> bool:
        relation = self.snapshot.catalog.by_oid(oid)
        return relation is not None and (relation.schema, relation.name) in SAMPLES

    def _hides(self, schema: str, table: str) -> bool:
        """Whether a table, or any table of the schema where none is named, holds masked columns."""
        if table:
            return self._protects(schema, table)
        return any(self._protects(schema, one) for one in self.snapshot.catalog.tables_of(schema))

    def _untraced_view(self, schema: str, name: str) -> bool:
        relation = self.snapshot.catalog.relation(schema, name)
        return relation is not None and self.snapshot.catalog.shows_untraced(relation)

    def _protects(self, schema: str, table: str) -> bool:
        if (schema, table) in SAMPLES:
            return True
        if self._protected.protects_table(self._database, schema, table):
            return True
        snapshot = self.snapshot
        relation = snapshot.catalog.relation(schema, table)
        if relation is None:
            return False
        heirs = snapshot.heirs.get(relation.oid, ())
        ancestors = {oid for one in (relation.oid, *heirs) for oid in snapshot.parents.get(one, ())}
        found = (snapshot.catalog.by_oid(oid) for oid in (*heirs, *ancestors))
        return any(one and self._protected.protects_table(self._database, one.schema, one.name) for one in found)

    @staticmethod
    def _runs_code(classified: Classified) -> bool:
        return any(effect.action in _RUNS_CODE or effect.object.kind == "function" for effect in classified.effects)


def _computes_in_binary(copy: Copy | None) -> bool:
    """Whether a COPY sends values in binary whose type nobody knows."""
    if copy is None or copy.direction != "out" or copy.format != "binary":
        return False
    return copy.columns is None or not all(column.exact for column in copy.columns)


def _row_format(copy: Copy) -> RowFormat:
    if copy.format == "binary":
        return BinaryFormat()
    delimiter = copy.delimiter.encode()
    if copy.format == "csv":
        quote = copy.quote.encode()
        return CsvFormat(delimiter, copy.null.encode(), quote, copy.escape.encode() or quote, header=copy.header)
    return TextFormat(delimiter, copy.null.encode(), header=copy.header)


def _dotted(column: Column) -> str:
    return f"{column.schema}.{column.table}.{column.column}"


def _columns(names: Sequence[str]) -> str:
    return f"column {names[0]}" if len(names) == 1 else f"columns {', '.join(names)}"
