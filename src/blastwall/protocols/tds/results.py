"""The results of the request under way: described, counted, limited, masked, kept for the recording."""

from __future__ import annotations

from dataclasses import replace
from weakref import ref

from blastwall.masking.kinds import ValueKind
from blastwall.masking.plan import MaskPlan
from blastwall.model.masks import NO_MASKS, MaskRules
from blastwall.protocols.contract import Output
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.elsewhere import Postponed
from blastwall.protocols.tds.guard import ResultGuard
from blastwall.protocols.tds.kept import Kept
from blastwall.protocols.tds.reply_writer import ReplyWriter
from blastwall.protocols.tds.result_rows import JSON_COLUMN, ResultRows, SplitRows, is_split
from blastwall.protocols.tds.row_forms import whole_rows
from blastwall.protocols.tds.running import Asked, Running
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, RowRun
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.statement import Classified
from blastwall.wire.reader import Malformed


class Results:
    """What comes of a request."""

    def __init__(self, conversation: Conversation, writer: ReplyWriter) -> None:
        self._shared = conversation
        self._writer = writer
        self._guard: ResultGuard | None = None
        self.rules: MaskRules = NO_MASKS
        self._asks: tuple[Asked, ...] = ()
        self._statements: tuple[Classified, ...] = ()
        self._read_by: ref[Catalog] | None = None
        self._rows: ResultRows | None = None
        self._plans: list[MaskPlan] = []
        self._kept: dict[int, Kept] = {}
        self._reads = False

    @property
    def passing(self) -> bool:
        """Whether the rows of the result under way pass unread."""
        return self._rows is None and not self._reads

    def begin(self, running: Running) -> None:
        """This request was sent."""
        rules = [one.rules for one in running.asks]
        self.rules = rules[0] if rules and all(one == rules[0] for one in rules) else _all_of(rules)
        self._asks, self._read_by = running.asks, None
        self._kept.clear()
        self._plans.clear()

    @property
    def statements(self) -> tuple[Classified, ...]:
        """All calls of the request, for which of them a result is of cannot be told.

        A request may run long after it was sent. Where the catalog has changed since it was read, what it means by now
        counts too; where that is in doubt, it may show anything.
        """
        catalog = self._shared.catalog
        if self._read_by is None or self._read_by() is not catalog:
            self._read_by = ref(catalog)
            known = [one.classified for one in self._asks]
            anew = [found for one in self._asks if (found := self._by_now(one, catalog)) is not None]
            self._statements = (*known, *anew)
        return self._statements

    def _by_now(self, one: Asked, catalog: Catalog) -> Classified | None:
        if one.again is None or one.read_under(catalog):
            return None
        try:
            found = one.again()
        except Postponed:
            self._shared.texts.withdrawn()
            return replace(one.classified, results=None, messages=None)
        if found.doubt and not one.classified.doubt:
            return replace(found, results=None, messages=None)
        return found

    def guard(self, rules: MaskRules) -> ResultGuard:
        """The masking rules over the newest catalog."""
        known, catalog = self._guard, self._shared.catalog
        if known is None or known.rules != rules or not known.over(catalog):
            known = self._guard = ResultGuard(rules, catalog)
        return known

    def ended(self) -> None:
        """The answer is over: what is kept of it has been given."""
        self._kept.clear()

    # ── one result ───────────────────────────────────────────────────────────────────────────────────────────────────

    def described(self, token: ColMetadata, running: Running, reader: TokenReader) -> bytes | None:
        """Take a result's description; return what replaces it, None where it passes.

        Where the columns are not told, rows that follow could not be read: there must be none.
        """
        self.end_result(running.current)
        asked = running.current
        if token.absent:
            reader.describe(())
            return None
        kept = self._keeps(asked)
        if kept is not None:
            kept.describe(token.columns, self.statements)
        limited = asked is not None and asked.limit_rows is not None
        self._reads = kept is not None or limited
        instead = self._masks(token, reader) if self.rules else None
        reader.whole = self._reads or self._rows is not None
        return instead

    def _masks(self, token: ColMetadata, reader: TokenReader) -> bytes | None:
        columns, row_plan, kind = token.columns, reader.plan, None
        split = is_split(columns)
        if split:
            kind = ValueKind.JSON if columns[0].name.casefold() == JSON_COLUMN.casefold() else ValueKind.TEXT
        plan = self.guard(self.rules).result(columns, self.statements, kind)
        if plan is None or row_plan is None:
            return None
        self._plans.append(plan)
        if split:
            self._rows = SplitRows(columns, row_plan, plan, self._shared.opening.limits.message)
        else:
            self._rows = ResultRows(columns, row_plan, plan)
        return self._rows.described()

    def _keeps(self, asked: Asked | None) -> Kept | None:
        """What keeps the rows of a statement for the recording, as long as there is room."""
        if asked is None or asked.record is None:
            return None
        kept = self._kept.get(asked.number)
        if kept is None:
            catalog = self._shared.catalog
            kept = self._kept[asked.number] = Kept(asked.record, ResultGuard(asked.record.rules, catalog), catalog)
        return None if kept.full else kept

    def pass_run(self, run: RowRun, asked: Asked | None, reader: TokenReader) -> bool:
        """Pass rows, or as much of them as has arrived; false where they are over the statement's limit.

        Raises:
            DetectorFailed: the result must be closed.
        """
        if asked is None or not self._reads:
            self._pass(run, asked)
            return True
        within = run if asked.limit_rows is None else _within(run, asked, asked.limit_rows, reader)
        kept = self._keeps(asked)
        if kept is not None and reader.plan is not None and within.rows:
            kept.take(reader.plan, within.buffer, within.start, within.rows)
        if within.rows:
            self._pass(within, asked)
        if within.stop < run.stop:
            self.end_rows()
            self._writer.put(b"", run.stop - within.stop)
            return False
        return True

    def _pass(self, run: RowRun, asked: Asked | None) -> None:
        if asked is not None:
            asked.rows += run.rows
            asked.bytes += run.stop - run.start
        if self._rows is None:
            self._writer.keep(run.buffer, run.start, run.stop)
        else:
            self._rows.pass_run(run, self._writer)

    def end_rows(self) -> None:
        """Another token than a row came."""
        if self._rows is not None:
            self._rows.end(self._writer)

    def end_result(self, asked: Asked | None) -> None:
        """No row of the result under way follows: what was masked in it is counted."""
        self.end_rows()
        self._rows = None
        if asked is not None:
            for plan in self._plans:
                count(asked, plan)
        self._plans.clear()

    # ── what is said of them ─────────────────────────────────────────────────────────────────────────────────────────

    def masked(self, asked: Asked) -> int:
        """How many cells were masked so far."""
        return sum(asked.masked.values()) + sum(sum(plan.counts.values()) for plan in self._plans)

    def taken(self, asked: Asked) -> list[Output]:
        """Give the rows that were kept for the recording since the last time."""
        kept = self._kept.get(asked.number)
        return [] if kept is None else kept.taken(asked.number)


def count(asked: Asked, plan: MaskPlan) -> None:
    """Add what a plan has masked to what a statement's record will say."""
    for rule, cells in plan.counts.items():
        asked.masked[rule] = asked.masked.get(rule, 0) + cells


def _within(run: RowRun, asked: Asked, most: int, reader: TokenReader) -> RowRun:
    """As many of the rows as the statement may still give."""
    room = max(0, most - asked.given - asked.rows)
    if run.rows <= room:
        return run
    if reader.plan is None:
        raise Malformed("rows without their columns")
    end, rows, _ = whole_rows(reader.plan, run.buffer, run.start, room)
    return RowRun(rows, run.buffer, run.start, end)


def _all_of(rules: list[MaskRules]) -> MaskRules:
    """The rules of several calls at once: one principal's, they differ only where policy has changed in between."""
    columns = {rule: None for one in rules for rule in one.columns}
    detect = {rule: None for one in rules for rule in one.detect}
    key = next((one.key for one in rules if one.key), b"")
    return MaskRules(columns=tuple(columns), detect=tuple(detect), key=key)
