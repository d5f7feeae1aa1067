"""Mask plans: the rules resolved once for a result's columns, then applied to its rows.

| how a column is related to protected ones | text | json | anything else |
| --- | --- | --- | --- |
| it is the value of one protected column | the rule's style | a JSON string of that | NULL |
| it is derived from one, or cannot be traced | `[redacted]` | `"[redacted]"` | NULL |
| neither | what a detector finds | the same in strings, keys and numbers | NULL if a detector finds something |

What is derived is shown the same whatever it is, NULL too: `nullif(email, 'a')` must not tell which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from blastwall.masking import jsontext
from blastwall.masking.columns import ProtectedColumns, strictest
from blastwall.masking.detection import Detection, Vanish
from blastwall.masking.plain import partial_address
from blastwall.masking.styles import REDACTED, Restyle, restyle, whole
from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.model.statement import Column
from blastwall.wire.reader import Malformed

UNTRACED = "untraced"
"""Counts cells that were hidden because nobody could say where they come from."""
UNREADABLE = "unreadable"
"""Counts cells that were hidden because no detector could read them."""

_JSONB_VERSION = b"\x01"


class ValueKind(Enum):
    """What the bytes of a column's values are.

    TEXT: UTF-8 text that is the value. JSON: UTF-8 JSON text. JSONB_BINARY: a version byte 1, then JSON text.
    NUMBER: whole or decimal numbers: scanned for cards, hidden whole on a hit.
    HARMLESS: small numbers, booleans, dates, UUIDs: what a detector could not find anything in; never scanned.
    OPAQUE: anything else (bytes, arrays as text, unknown types): scanned raw, hidden whole on a hit.
    READABLE: what must be read first (binary arrays and composites): scanned as that, hidden whole on a hit.
    """

    TEXT = "text"
    JSON = "json"
    JSONB_BINARY = "jsonb binary"
    NUMBER = "number"
    HARMLESS = "harmless"
    OPAQUE = "opaque"
    READABLE = "readable"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result.

    `sources` are the columns that its values are computed from; None means that they could not be traced although the
    statement reads protected tables. `exact` says that a value is that of its single source, unchanged. `read` gives
    the text of values whose bytes are not it, None of one that cannot be read.
    """

    name: str
    kind: ValueKind
    sources: frozenset[Column] | None
    exact: bool
    read: Callable[[bytes], str | None] | None = None


class DetectorFailed(Exception):
    """A detector failed: nothing more of the result may be shown. The text names the failure, never a value."""


Cell = Callable[[bytes], bytes | None]
"""What is shown in place of one value; None is NULL."""

Hidden = tuple[int, Cell, bytes | None]
"""A column that is masked in every row: its index, its cells, and what is shown in the place of NULL."""
_Always = tuple[int, str, Cell, bytes | None]
"""The same with its rule."""


class MaskPlan:
    """How to mask the rows of one result. Not shared between results, since it counts."""

    __slots__ = ("_always", "_cells", "_detection", "_probe", "_scans", "always", "counts", "names", "scans")

    def __init__(
        self,
        columns: Sequence[ResultColumn],
        always: Sequence[_Always],
        scans: Sequence[int],
        detection: Detection,
    ) -> None:
        self.names = tuple(column.name for column in columns)
        self.always = tuple(index for index, *_ in always)
        self.scans = tuple(scans)
        self.counts: dict[str, int] = {}
        self._always = tuple(always)
        self._cells = [(index, cell, for_null) for index, _, cell, for_null in always]
        self._scans = tuple((index, columns[index].kind, columns[index].read) for index in scans)
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
        if not self._scans:
            return False
        try:
            return self._probe(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be shown
            raise _failed(error) from None

    def hide(self, run: Callable[[list[Hidden]], tuple[list[bytes], list[int]]]) -> list[bytes]:
        """Have a run of rows masked in the columns of `always`, given with their cells, and count what was hidden.

        `run` returns the new rows in pieces, and the number of values that it hid in each of the columns.

        Raises:
            DetectorFailed: the result must be closed.
        """
        try:
            pieces, counts = run(self._cells)
        except Malformed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be shown
            raise _failed(error) from None
        for (_, rule, _, _), count in zip(self._always, counts, strict=True):
            if count:
                self.counts[rule] = self.counts.get(rule, 0) + count
        return pieces

    def mask(self, row: list[bytes | None]) -> bool:
        """Mask a row in place and return whether anything changed; None is NULL.

        Raises:
            DetectorFailed: the result must be closed; the row may be half masked.
        """
        changed = False
        try:
            for index, rule, cell, for_null in self._always:
                value = row[index]
                if value is not None or for_null is not None:
                    row[index] = for_null if value is None else cell(value)
                    self.counts[rule] = self.counts.get(rule, 0) + 1
                    changed = True
            if self._scans and self._worth_a_look(row):
                changed = self._scan(row) or changed
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be shown
            raise _failed(error) from None
        return changed

    def _worth_a_look(self, row: list[bytes | None]) -> bool:
        """Ask the row before its fields; no gap spans the zero bytes between them."""
        return self._probe(b"\0\0".join([row[index] or b"" for index in self.scans]))

    def _scan(self, row: list[bytes | None]) -> bool:
        changed = False
        several, telling = len(self._scans) > 1, self._detection.telling
        for index, kind, read in self._scans:
            value = row[index]
            if value is None or (several and not read and (_plain(value, telling) or not self._probe(value))):
                continue
            rules: set[str] = set()
            row[index] = scan_cell(self._detection, kind, value, rules, read)
            for rule in rules:
                self.counts[rule] = self.counts.get(rule, 0) + 1
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
    always: list[_Always] = []
    scans: list[int] = []
    for index, column in enumerate(columns):
        hidden = _hidden(column, prepared)
        if hidden is not None:
            always.append((index, *hidden))
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
    read: Callable[[bytes], str | None] | None = None,
) -> bytes | None:
    """Hide what a detector finds in one value; the names of the rules that did go into `rules`."""
    if kind in (ValueKind.NUMBER, ValueKind.READABLE):
        shown = value.decode("latin-1") if read is None else read(value)
        rule = UNREADABLE if shown is None else detection.whole(shown, number=kind is ValueKind.NUMBER)
        if rule is not None:
            rules.add(rule)
        return value if rule is None else None
    text = None if kind is ValueKind.OPAQUE else _decoded(kind, value)
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
    return _encoded(kind, masked)


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


def _hidden(column: ResultColumn, prepared: _Prepared) -> tuple[str, Cell, bytes | None] | None:
    """Return rule name, cell function and NULL's place of a column that is always masked, None of one that is not."""
    if column.sources is None:
        return _derived(UNTRACED, column.kind) if prepared.protected else None
    rule = strictest(_rules(column.sources, prepared.protected))
    if rule is None:
        return None
    if not column.exact or len(column.sources) != 1:
        return _derived(rule.name, column.kind)
    return rule.name, _styled(column.kind, rule, prepared.restyles[rule.style]), None


def _derived(rule: str, kind: ValueKind) -> tuple[str, Cell, bytes | None]:
    shown = _redacted(kind)
    return rule, lambda _: shown, shown


def _rules(sources: frozenset[Column], protected: ProtectedColumns) -> list[ColumnRule]:
    ordered = sorted(sources, key=lambda source: (source.database, source.schema, source.table, source.column))
    return [rule for source in ordered if (rule := protected.rule(source)) is not None]


def _hide_whole(kind: ValueKind) -> Cell:
    if kind is ValueKind.TEXT:
        return lambda value: whole(REDACTED, value.decode("utf-8", "replace")).encode()
    constant = _redacted(kind)
    return lambda _: constant


def _redacted(kind: ValueKind) -> bytes | None:
    if kind is ValueKind.TEXT:
        return REDACTED.encode()
    return _encoded(kind, jsontext.quote(REDACTED)) if kind in (ValueKind.JSON, ValueKind.JSONB_BINARY) else None


def _styled(kind: ValueKind, rule: ColumnRule, show: Restyle) -> Cell:
    if rule.style is MaskStyle.NULL or kind not in (ValueKind.TEXT, ValueKind.JSON, ValueKind.JSONB_BINARY):
        return lambda _: None
    if rule.style is MaskStyle.REDACT:
        return _hide_whole(kind)
    if kind is ValueKind.TEXT and rule.style is MaskStyle.PARTIAL:
        return lambda value: partial_address(value) or _styled_text(value, show)
    if kind is ValueKind.TEXT:
        return lambda value: _styled_text(value, show)
    return lambda value: _styled_json(kind, value, rule.style, show)


def _styled_text(value: bytes, show: Restyle) -> bytes:
    """Invalid UTF-8 is shown in its style too: surrogates keep distinct values distinct."""
    text = value.decode("utf-8", "surrogateescape")
    return whole(show(text), text).encode()


def _styled_json(kind: ValueKind, value: bytes, style: MaskStyle, show: Restyle) -> bytes:
    """A JSON string is shown as its value would be in a text column; of anything else nothing is shown in part."""
    text = _decoded(kind, value)
    if text is None:
        return _encoded(kind, jsontext.quote(REDACTED))
    plain = text.strip(" \t\n\r")
    string = jsontext.string(plain)
    shown = show(string) if string is not None else REDACTED if style is MaskStyle.PARTIAL else show(plain)
    return _encoded(kind, jsontext.quote(shown))


def _decoded(kind: ValueKind, value: bytes) -> str | None:
    """Return a value's text, None where it is not of the form that its kind says."""
    if kind is ValueKind.JSONB_BINARY:
        if value[:1] != _JSONB_VERSION:
            return None
        value = value[1:]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _encoded(kind: ValueKind, text: str) -> bytes:
    return (_JSONB_VERSION if kind is ValueKind.JSONB_BINARY else b"") + text.encode()


def _failed(error: Exception) -> DetectorFailed:
    return DetectorFailed(f"masking failed on a value ({type(error).__name__}): the result is closed")
