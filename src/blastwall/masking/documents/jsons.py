"""JSON, and documents of it one after the other (lines of JSON), masked token by token.

| a value is | in the place that a rule names | elsewhere |
| --- | --- | --- |
| a string | in the rule's style; of `null`, null | what detectors find; where it is JSON itself, the same within |
| a number, true, false | its hash or token as a string, else null | a number that is a card: null |
| an array, an object | null | member by member |
| null | null | null |

Everything that is not hidden or edited stays byte for byte.
"""

from __future__ import annotations

import re
from decimal import Decimal

from blastwall.masking import jsontext
from blastwall.masking.documents import Unreadable
from blastwall.masking.documents.looked import How, Reading
from blastwall.masking.documents.tokens import CHOSEN, CUT, ESCAPED, HIDDEN, NUMBER, SCALAR, Tokens
from blastwall.masking.fast.cells import NULL, Cells
from blastwall.masking.fast.hiding import plain_address
from blastwall.masking.paths import TooEntangled
from blastwall.model.masks import MaskStyle

MOST_DEPTH = 512
LONGEST_STRING = 4 << 20
_MOST_LEVELS = 4
"""So deep JSON is read within strings of JSON."""
_INNER = re.compile(
    rb"(?:\s|\\[nrtbf]|\\u00(?:20|0[9aAdD]))*(?:\{|\[|\\u00[75][bB])(?:\s|\\[nrtbf]|\\u00(?:20|0[9aAdD]))*"
    rb'(?:\\"|\\u0022|\{|\[|\\u00[75][bB])'
)
"""What a string that is JSON with members begins with, as it is written."""
_SHORT, _REMEMBERED = 256, 4096
_EXPONENT = re.compile(r"[eE]")
_MOST_EXPONENT = 32


class JsonDocument:
    """One body of JSON. Implements `Document`."""

    def __init__(self, reading: Reading, *, root: int | None = None, level: int = 0) -> None:
        """Read from the state `root` on, the paths' own where that is None; `level` counts JSON within strings."""
        self._reading = reading
        self._level = level
        self._rest = b""
        self._known: dict[tuple[MaskStyle, bytes], bytes] = {}
        looked = reading.looked
        state = looked.paths.root if root is None else root
        self._tokens = Tokens(looked.keys, state, bool(reading.detection), MOST_DEPTH, LONGEST_STRING)

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        return self._read(data, final=False)

    def finish(self) -> bytes:
        """See `Document`."""
        return self._read(b"", final=True)

    def _read(self, data: bytes, *, final: bool) -> bytes:
        buffer = self._rest + data if self._rest else data
        tokens = self._tokens
        try:
            settled = tokens.read(buffer, final)
        except TooEntangled:
            raise Unreadable("its JSON has too many combinations of names for the fields that are masked") from None
        self._rest = buffer[settled:]
        if tokens.count == 0:
            return buffer[:settled]
        cells = tokens.cells(buffer)
        for cell in tokens.asked:
            self._decide(cells, cell)
        for cell in self._reading.scan(cells) if self._reading.detection else ():
            self._show(cells, cell, self._reading.detected(_text(cells.value(cell))))
        return tokens.written(cells, settled)

    def _decide(self, cells: Cells, cell: int) -> None:
        """Decide on a token that detectors have not simply read."""
        tokens = self._tokens
        start, end, kind, state = tokens.found[4 * cell : 4 * cell + 4]
        if kind == ESCAPED:
            self._look_within(cells, cell, start, end, state)
        elif kind == CHOSEN:
            self._choose(cells, cell, state, cells.buffer[start:end])
        elif kind == NUMBER:
            self._number(cells, cell, cells.buffer[start:end].decode())
        elif kind == SCALAR:
            shown = self._reading.hidden_number(state, cells.buffer[start:end].decode())
            cells.show(cell, None if shown is None else jsontext.quote(shown).encode())
        elif kind == HIDDEN:
            self._reading.hidden_number(state, "")
            cells.show(cell, None)
        elif kind == CUT:
            cells.show(cell, jsontext.quote(self._reading.unread()).encode())

    def _show(self, cells: Cells, cell: int, shown: str | None) -> None:
        """Show a text between quotes."""
        cells.show(cell, None if shown is None else _quoted(shown))

    def _choose(self, cells: Cells, cell: int, state: int, raw: bytes) -> None:
        """Hide or edit a string to which a path leads."""
        reading = self._reading
        how = reading.counted(state)
        if how is None:
            value = _text(raw)
            shown = reading.detected(reading.edited(state, value))
            if shown != value:
                self._show(cells, cell, shown)
        elif how.style in (MaskStyle.REDACT, MaskStyle.NULL):
            cells.show(cell, how.redacted if how.style is MaskStyle.REDACT else None)
        else:
            cells.show(cell, self._styled(how, raw))

    def _styled(self, how: How, raw: bytes) -> bytes:
        """Return what is shown of a string; of short ones, as long as they are few, it is asked once."""
        if how.style is MaskStyle.PARTIAL:
            at = plain_address(raw, 0, len(raw))
            if at:
                return raw[:1] + b"***" + raw[at:]
        shown = self._known.get((how.style, raw))
        if shown is None:
            shown = _quoted(how.show(_text(raw)))
            if len(raw) <= _SHORT and len(self._known) < _REMEMBERED:
                self._known[how.style, raw] = shown
        return shown

    def _number(self, cells: Cells, cell: int, value: str) -> None:
        rule = self._reading.detection.whole(_plain(value), number=True)
        if rule is not None:
            self._reading.count(rule)
            cells.show(cell, None)

    def _look_within(self, cells: Cells, cell: int, start: int, end: int, state: int) -> None:
        """Mask a string that is JSON itself; one that only looks like it is hidden, if a path may lead into it."""
        if _INNER.match(cells.buffer, start, end) is None:
            return
        value, reading = _text(cells.buffer[start:end]), self._reading
        masked = self._within(value, state)
        if masked is None and not state:
            return
        cells.places[2 * cell + 1] = NULL
        if masked != value:
            self._show(cells, cell, reading.unread() if masked is None else masked)

    def _within(self, value: str, state: int) -> str | None:
        """Return a text of JSON masked, None where it cannot be read; then nothing is counted either."""
        if self._level == _MOST_LEVELS:
            return None
        counts = self._reading.counts
        before = dict(counts)
        inner = JsonDocument(self._reading, root=state, level=self._level + 1)
        try:
            masked = inner.feed(value.encode("utf-8", "surrogatepass")) + inner.finish()
        except Unreadable:
            counts.clear()
            counts.update(before)
            return None
        return masked.decode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    """Return the value of a string as it is written; bytes that are not UTF-8 become surrogates."""
    text = raw.decode("utf-8", "surrogateescape")
    return text if b"\\" not in raw else jsontext.unquote(f'"{text}"')


def _quoted(text: str) -> bytes:
    """Return what stands between the quotes of a string that says `text`."""
    return jsontext.quote(text).encode()[1:-1]


def _plain(number: str) -> str:
    """Return a number without its exponent, as far as that can be one of a card's."""
    if not _EXPONENT.search(number):
        return number
    value = Decimal(number)
    return f"{value:f}" if -_MOST_EXPONENT <= value.adjusted() <= _MOST_EXPONENT else number
