"""Rows on their way to the client: counted, and masked where a plan says so.

A plan is made once a result, when its columns are known: at RowDescription in the simple protocol, at the first row of
a portal in the extended one.
"""

from __future__ import annotations

from typing import NoReturn

from blastwall.masking.plan import MaskPlan
from blastwall.model.masks import NO_MASKS, MaskRules
from blastwall.protocols.contract import Output, Streamed
from blastwall.protocols.postgres.conversation import Conversation
from blastwall.protocols.postgres.copy_rows import CopyMask
from blastwall.protocols.postgres.kept import Kept
from blastwall.protocols.postgres.messages import Field, decode_data_row, encode_data_row, format_of, frame
from blastwall.protocols.postgres.pipeline import Entry, Owed, Portal, Running
from blastwall.protocols.postgres.runs import places_of, run_of_rows, spliced
from blastwall.wire.reader import Malformed

DATA_ROW, COPY_DATA = ord("D"), ord("d")
LENGTH_FIELD = 4
STRIDE = 64 << 10
"""After so many bytes of a result it is said how much was sent, for the sake of budgets."""


class CatalogTooOld(Exception):
    """A result comes from a table that the snapshot does not know: its rows wait for a new one."""


class Rows:
    """The rows of the statement at the head of the pipeline."""

    def __init__(self, conversation: Conversation) -> None:
        self._shared = conversation
        self.running: Running | None = None
        self._unknown: frozenset[int] = frozenset()

    def plan(self, kind: int) -> MaskPlan | CopyMask | None:
        """What the next row must be masked with; None where it passes.

        Raises:
            Malformed: no row is owed.
            CatalogTooOld: the plan needs a new reading of the catalog first.
        """
        running = self.running
        if running is None:
            running = self.running = self._receiver(kind)
        return running.copy if kind == COPY_DATA else running.plan

    def kept(self, kind: int, length: int) -> Kept | None:
        """What keeps the next row for the recording; None where that is not asked for, or enough was kept."""
        self.plan(kind)
        kept = self.running.kept if self.running is not None else None
        return kept if kept is not None and kept.room(length) else None

    def taken(self) -> list[Output]:
        """Give what was kept of the result that is under way."""
        running = self.running
        return running.kept.taken(running.number) if running is not None and running.kept is not None else []

    def count(self, length: int) -> None:
        """Count one row whose message has this length field."""
        running = self.running
        if running is not None:
            running.rows += 1
            running.bytes += length + 1

    def pass_run(self, kind: int, buffer: bytes, position: int) -> int:
        """Count the run of whole rows at `position`, which pass as they are; return its end."""
        end, rows = run_of_rows(buffer, position, kind)
        self._count_run(rows, end - position)
        return end

    def mask_run(self, running: Running, plan: MaskPlan, buffer: bytes, position: int) -> tuple[bytes | None, int]:
        """Mask the run of whole rows at `position`.

        Returns what replaces it, and its end; None where there is no whole row, or detectors alone read it and found
        nothing.

        Raises:
            DetectorFailed: the result must be closed.
        """
        end, rows = run_of_rows(buffer, position, DATA_ROW)
        if not rows:
            return None, position
        running.rows += rows
        running.bytes += end - position
        if not plan.always and not plan.may_match(buffer[position:end]):
            return None, end
        cells = plan.mask_cells(buffer, places_of(buffer, position, rows, plan.wanted, running.width))
        return spliced(buffer, position, end, cells), end

    def mask_copy(self, running: Running, mask: CopyMask, buffer: bytes, position: int) -> tuple[bytes | None, int]:
        """Do the same with the rows of a COPY, up to the first that must be read by itself."""
        masked, end, rows = mask.mask_run(buffer, position)
        running.rows += rows
        running.bytes += end - position
        return masked, end

    def _count_run(self, rows: int, size: int) -> None:
        running = self.running
        if running is not None:
            running.rows += rows
            running.bytes += size

    def masked(self, kind: int, body: bytes) -> bytes | None:
        """Mask one row; return the message that replaces it, None where nothing in it was masked."""
        self.count(LENGTH_FIELD + len(body))
        plan = self.plan(kind)
        if isinstance(plan, CopyMask):
            copied = plan.mask(body)
            return None if copied is body else frame(b"d", copied)
        if plan is None:
            return None
        row = decode_data_row(body)
        if self.running is None or len(row) != self.running.width:
            raise Malformed("a row of another width than its description")
        return encode_data_row(row) if plan.mask(row) else None

    def streamed(self) -> list[Output]:
        """How much of the result under way was sent, where that is much more than was last said."""
        return [] if self.running is None else sent_of(self.running, STRIDE)

    def end(self) -> None:
        """Another message than a row arrived."""
        self.running = None

    def forget_unknown(self) -> None:
        """Tables that a new reading did not know may be known to the next one: a transaction has ended."""
        self._unknown = frozenset()

    def describe(self, running: Running, fields: tuple[Field, ...], formats: list[int]) -> None:
        """Make the plan of a described result."""
        running.width = len(fields)
        if running.rules:
            running.plan = self._planned(running, running.rules, fields, formats)
        kept = running.kept
        if kept is not None:
            apart = self._planned(running, kept.rules, fields, formats) if kept.own(running.rules) else None
            kept.describe(fields, formats, apart)
        running.planned = True

    def _planned(
        self, running: Running, rules: MaskRules, fields: tuple[Field, ...], formats: list[int]
    ) -> MaskPlan | None:
        guard = self._shared.guard(rules)
        if rules.columns and guard.unknown_origin(fields):
            self._want(frozenset(field.table for field in fields))
        shown = guard.shown(fields, formats, running.classified, settled=self._settled(running))
        if not running.looked and guard.hinges(shown, fields, running.classified):
            self._look(running)
        return guard.planned(shown)

    def _look(self, running: Running) -> NoReturn:
        """Have the catalog looked at, once, now that the server has read the statement."""
        running.looked = True
        raise CatalogTooOld

    def _settled(self, running: Running) -> bool:
        """Whether the catalog was looked at, and is what the statement was judged by."""
        return running.looked and running.moment is not None and running.moment.mark is self._shared.snapshot.mark

    def copy_settled(self, running: Running) -> bool:
        """The same of a COPY TO STDOUT.

        Raises:
            CatalogTooOld: the catalog must be looked at first.
        """
        if not running.looked:
            for rules in (running.rules, running.kept.rules if running.kept is not None else NO_MASKS):
                if rules and self._shared.guard(rules).copy_hinges(running.classified):
                    self._look(running)
        return self._settled(running)

    def _want(self, tables: frozenset[int]) -> None:
        if not tables <= self._unknown:
            self._unknown |= tables
            raise CatalogTooOld

    def _receiver(self, kind: int) -> Running:
        entry = head(self._shared, Owed.EXECUTE, Owed.QUERY)
        running = copying(self._shared, "out") if kind == COPY_DATA else current(entry)
        if not running.planned:
            if entry.portal is None or kind == COPY_DATA:
                raise Malformed("rows without their description")
            self._describe_portal(entry.portal, running)
        return running

    def _describe_portal(self, portal: Portal, running: Running) -> None:
        fields, formats = portal.fields or (), [field.format_ for field in portal.fields or ()]
        if portal.fields is None and portal.prepared.fields is not None:
            fields = portal.prepared.fields
            formats = [format_of(portal.results, position) for position in range(len(fields))]
        if not fields and running.rules:
            raise Malformed("rows without their description")
        self.describe(running, fields, formats)


def sent_of(running: Running, stride: int = 0) -> list[Output]:
    """How much of a statement's result was sent, where that is more than `stride` bytes beyond what was last said."""
    if running.bytes - running.said <= stride:
        return []
    running.said = running.bytes
    plan = running.plan if running.copy is None else running.copy.plan
    masked = sum(plan.counts.values()) if plan is not None else 0
    return [Streamed(running.number, running.rows, running.bytes, masked)]


def head(conversation: Conversation, *owed: Owed) -> Entry:
    """The entry that an answer belongs to.

    Raises:
        Malformed: the server owes something else.
    """
    entry = conversation.pipeline.head
    if entry is None or entry.owed not in owed or entry.refusal:
        raise Malformed("an answer that is not owed")
    return entry


def current(entry: Entry) -> Running:
    """The statement of an entry whose result comes next."""
    for one in entry.running:
        if not one.done:
            return one
    if entry.portal is not None and entry.running:
        return entry.running[0]
    raise Malformed("a result that is not owed")


def copying(conversation: Conversation, direction: str) -> Running:
    """The COPY that is under way in this direction."""
    running = current(head(conversation, Owed.EXECUTE, Owed.QUERY))
    if running.classified.copy is None or running.classified.copy.direction != direction:
        raise Malformed(f"a COPY {direction} that nobody asked for")
    return running
