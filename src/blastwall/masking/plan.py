"""Mask plans: the rules resolved once for a result's columns, then applied to its rows.

| how a column is related to protected ones | text | json | anything else |
| --- | --- | --- | --- |
| it is the value of one protected column | the rule's style | a JSON string of that | NULL |
| it is derived from one, or cannot be traced | `[redacted]` | `"[redacted]"` | NULL |
| neither | what a detector finds | the same in strings, keys and numbers | NULL if a detector finds something |

What is derived is shown the same whatever it is, NULL too: `nullif(email, 'a')` must not tell which it was.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache

from blastwall.masking.columns import ProtectedColumns, strictest
from blastwall.masking.detection import Detection, Vanish
from blastwall.masking.fast.cells import Cells, filled
from blastwall.masking.hidden import Hidden, derived, styled
from blastwall.masking.kinds import Read, ResultColumn, ValueKind, decoded, encoded
from blastwall.masking.styles import restyle
from blastwall.model.masks import ColumnRule, MaskRules
from blastwall.model.statement import Column

_BEGINS = {ValueKind.JSONB_BINARY: 1, ValueKind.OPAQUE: 256}
"""With which byte values begin that are read as what they are, 256 for none; see `Scanner.scan`."""
UNTRACED = "untraced"
"""Counts cells that were hidden because nobody could say where they come from."""
UNREADABLE = "unreadable"
"""Counts cells that were hidden because no detector could read them."""


class DetectorFailed(Exception):
    """A detector failed: nothing more of the result may be shown. The text names the failure, never a value."""


class MaskPlan:
    """How to mask the rows of one result. Not shared between results, since it counts.

    `always` and `scans` are the columns that are hidden in every row and those that detectors read, `wanted` both in
    ascending order.
    """

    __slots__ = ("_detection", "_hidden", "_probe", "_scanned", "always", "counts", "names", "scans", "wanted")

    def __init__(
        self, columns: Sequence[ResultColumn], hidden: Sequence[Hidden], scans: Sequence[int], detection: Detection
    ) -> None:
        self.names = tuple(column.name for column in columns)
        self.always = tuple(column.index for column in hidden)
        self.scans = tuple(scans)
        self.wanted = tuple(sorted((*self.always, *self.scans)))
        self.counts: dict[str, int] = {}
        self._hidden = tuple(hidden)
        self._scanned = tuple((index, columns[index].kind, columns[index].read) for index in scans)
        self._detection = detection
        opaque = any(columns[index].kind is ValueKind.OPAQUE for index in scans)
        probed = (detection.opaque_probe if opaque else detection.probe).may_match
        read = any(columns[index].read is not None for index in scans)
        self._probe: Callable[[bytes | bytearray | memoryview], bool] = _may if read else probed

    def may_match(self, chunk: bytes | bytearray | memoryview) -> bool:
        """Whether a detector could find something in a whole buffer of rows, in whatever framing; one linear pass.

        False means that no scanned column in it can hold a hit. It says nothing of columns in `always`.

        Raises:
            DetectorFailed: the result must be closed.
        """
        if not self._scanned:
            return False
        try:
            return self._probe(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be shown
            raise _failed(error) from None

    def mask_cells(self, buffer: bytes, places: array[int]) -> Cells:
        """Mask a run of rows, given by where the cells of the columns in `wanted` are in `buffer` (`Cells.places`).

        Raises:
            DetectorFailed: the result must be closed.
        """
        cells = Cells(buffer, places, len(self.wanted))
        try:
            for column in self._hidden:
                self._count(column.rule, column.hide(cells, self.wanted.index(column.index)))
            for index, kind, read in self._scanned:
                self._scan_cells(cells, self.wanted.index(index), kind, read)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be shown
            raise _failed(error) from None
        return cells

    def _scan_cells(self, cells: Cells, position: int, kind: ValueKind, read: Read | None) -> None:
        counts = array("q", (0,)) * len(self._detection.rules)
        if read is not None:
            doubtful = filled(cells, position)
        elif kind is ValueKind.NUMBER:
            doubtful = self._detection.scanner.scan_numbers(cells, position, counts)
        else:
            doubtful = self._detection.scanner.scan(
                cells, position, kind is ValueKind.TEXT, counts, _BEGINS.get(kind, -1)
            )
        for rule, count in zip(self._detection.rules, counts, strict=True):
            self._count(rule, count)
        if read is None and not self._probe(b"\0\0".join([cells.value(cell) for cell in doubtful])):
            return
        for cell in doubtful:
            value = cells.value(cell)
            if read is None and not self._probe(value):
                continue
            rules: set[str] = set()
            shown = scan_cell(self._detection, kind, value, rules, read)
            for rule in rules:
                self._count(rule, 1)
            if rules:
                cells.show(cell, shown)

    def _count(self, rule: str, count: int) -> None:
        if count:
            self.counts[rule] = self.counts.get(rule, 0) + count

    def mask(self, row: list[bytes | None]) -> bool:
        """Mask a row in place and return whether anything changed; None is NULL.

        Raises:
            DetectorFailed: the result must be closed; the row may be half masked.
        """
        changed = False
        try:
            for column in self._hidden:
                value = row[column.index]
                if value is not None or column.for_null is not None:
                    row[column.index] = column.for_null if value is None else column.cell(value)
                    self._count(column.rule, 1)
                    changed = True
            if self._scanned and self._worth_a_look(row):
                changed = self._scan(row) or changed
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be shown
            raise _failed(error) from None
        return changed

    def _worth_a_look(self, row: list[bytes | None]) -> bool:
        """Ask the row before its fields; no gap spans the zero bytes between them."""
        return self._probe(b"\0\0".join([row[index] or b"" for index in self.scans]))

    def _scan(self, row: list[bytes | None]) -> bool:
        changed = False
        several, telling = len(self._scanned) > 1, self._detection.telling
        for index, kind, read in self._scanned:
            value = row[index]
            if value is None or (several and not read and (_plain(value, telling) or not self._probe(value))):
                continue
            rules: set[str] = set()
            row[index] = scan_cell(self._detection, kind, value, rules, read)
            for rule in rules:
                self._count(rule, 1)
                changed = True
        return changed


def _may(_chunk: bytes | bytearray | memoryview) -> bool:
    """Nobody can say before the values are read."""
    return True


def _plain(value: bytes, telling: bytes) -> bool:
    """Whether a value lacks what every hit has: one of `telling`, or what is not ASCII."""
    return bool(telling) and value.isascii() and len(value.translate(None, telling)) == len(value)


def plan(columns: Sequence[ResultColumn], rules: MaskRules) -> MaskPlan | None:
    """Resolve `rules` for a result's columns; None where nothing has to be done.

    Raises:
        ValueError: a rule cannot be applied (an unreadable column, an unknown detector, a keyed style without a key).
    """
    prepared = _prepared(rules)
    always: list[Hidden] = []
    scans: list[int] = []
    for index, column in enumerate(columns):
        hidden = _hidden(index, column, prepared)
        if hidden is not None:
            always.append(hidden)
        elif prepared.detection.reads(column.kind is ValueKind.NUMBER) and column.kind is not ValueKind.HARMLESS:
            scans.append(index)
    if not always and not scans:
        return None
    return MaskPlan(columns, always, scans, prepared.detection)


def scan_cell(
    detection: Detection,
    kind: ValueKind,
    value: bytes,
    rules: set[str],
    read: Read | None = None,
) -> bytes | None:
    """Hide what a detector finds in one value; the names of the rules that did go into `rules`."""
    if kind in (ValueKind.NUMBER, ValueKind.READABLE):
        shown = value.decode("latin-1") if read is None else read(value)
        rule = UNREADABLE if shown is None else detection.whole(shown, number=kind is ValueKind.NUMBER)
        if rule is not None:
            rules.add(rule)
        return value if rule is None else None
    text = None if kind is ValueKind.OPAQUE else decoded(kind, value)
    if text is None:
        rule = detection.opaque(value)
        if rule is None:
            return value
        rules.add(rule)
        return None
    try:
        masked = detection.text(text, rules) if kind is ValueKind.TEXT else detection.json(text, rules)
    except Vanish:
        return None
    if masked is None:
        return value
    return encoded(kind, masked)


class _Prepared:
    """What rules need only once, whatever the result."""

    __slots__ = ("detection", "protected", "restyles")

    def __init__(self, rules: MaskRules) -> None:
        self.protected = ProtectedColumns(rules)
        self.detection = Detection(rules)
        self.restyles = {rule.style: restyle(rule.style, rules.key) for rule in rules.columns}


@lru_cache(maxsize=256)
def _prepared(rules: MaskRules) -> _Prepared:
    return _Prepared(rules)


def _hidden(index: int, column: ResultColumn, prepared: _Prepared) -> Hidden | None:
    """Return how a column is hidden in every row, None where it is not."""
    if column.sources is None:
        return derived(index, UNTRACED, column.kind) if prepared.protected else None
    rule = strictest(_rules(column.sources, prepared.protected))
    if rule is None:
        return None
    if not column.exact or len(column.sources) != 1:
        return derived(index, rule.name, column.kind)
    return styled(index, rule.name, column.kind, rule.style, prepared.restyles[rule.style])


def _rules(sources: frozenset[Column], protected: ProtectedColumns) -> list[ColumnRule]:
    ordered = sorted(sources, key=lambda source: (source.database, source.schema, source.table, source.column))
    return [rule for source in ordered if (rule := protected.rule(source)) is not None]


def _failed(error: Exception) -> DetectorFailed:
    return DetectorFailed(f"masking failed on a value ({type(error).__name__}): the result is closed")
